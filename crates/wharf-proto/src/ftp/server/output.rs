//! Replies on their way out.
//!
//! A short reply lies inside of the machine, so that answering a command allocates nothing and an
//! idle session owns no buffer; only what is longer goes to the heap, and leaves it once it is sent.
//! What has to go out in a write of its own is closed with a NUL behind its line end, where neither a
//! reply nor a Telnet answer can have one: clients exist that take a segment for a reply and lose the
//! second one in it (INT-50).

use crate::ftp::sink::Sink;

/// Octets that need no heap.
const INLINE: usize = 112;
/// Ends a batch, behind LF.
const CUT: u8 = 0;

/// Encoded replies in order, cut into batches.
pub(super) struct Output {
    inline: [u8; INLINE],
    inline_len: u8,
    heap: Vec<u8>,
    /// How much of `heap` is sent.
    sent: usize,
}

impl Output {
    pub(super) const fn new() -> Self {
        Self {
            inline: [0; INLINE],
            inline_len: 0,
            heap: Vec::new(),
            sent: 0,
        }
    }

    /// Octets not sent yet.
    pub(super) fn len(&self) -> usize {
        usize::from(self.inline_len) + self.heap.len() - self.sent
    }

    /// What was put so far, a whole reply at its end, goes out in a write of its own.
    pub(super) fn cut(&mut self) {
        self.put(&[CUT]);
    }

    /// Moves the next batch to `out`; false when there is none.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) -> bool {
        let pending = if self.heap.is_empty() {
            self.inline.get(..self.inline_len.into())
        } else {
            self.heap.get(self.sent..)
        };
        let pending = pending.unwrap_or_default();
        if pending.is_empty() {
            return false;
        }
        let end = memchr::memchr_iter(CUT, pending)
            .find(|at| at.checked_sub(1).and_then(|before| pending.get(before)) == Some(&b'\n'));
        out.extend_from_slice(
            pending
                .get(..end.unwrap_or(pending.len()))
                .unwrap_or_default(),
        );
        let taken = end.map_or(pending.len(), |end| end + 1);
        if taken == pending.len() {
            *self = Self::new();
        } else if self.heap.is_empty() {
            self.inline.copy_within(taken..self.inline_len.into(), 0);
            self.inline_len -= u8::try_from(taken).unwrap_or(self.inline_len);
        } else {
            self.sent += taken;
        }
        true
    }
}

impl Sink for Output {
    fn put(&mut self, bytes: &[u8]) {
        let filled = usize::from(self.inline_len);
        if self.heap.is_empty() {
            let end = filled + bytes.len();
            if let Some(room) = self.inline.get_mut(filled..end) {
                room.copy_from_slice(bytes);
                self.inline_len = u8::try_from(end).unwrap_or(u8::MAX);
                return;
            }
            self.heap.reserve((end * 2).max(512));
            let inline = self.inline.get(..filled).unwrap_or_default();
            self.heap.extend_from_slice(inline);
            self.inline_len = 0;
        }
        self.heap.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(output: &mut Output) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let mut out = Vec::new();
            if !output.take(&mut out) {
                return all;
            }
            all.push(out);
        }
    }

    #[test]
    fn int_50_a_cut_parts_batches_inline_and_on_the_heap() {
        for length in [5, 200] {
            let mut output = Output::new();
            output.put(&vec![b'\n'; length]);
            output.cut();
            output.put(b"b\n");
            output.cut();
            output.put(b"c\0");
            output.put(b"d");
            assert_eq!(output.len(), length + 7);
            let expected = [vec![b'\n'; length], b"b\n".to_vec(), b"c\0d".to_vec()];
            assert_eq!(batches(&mut output), expected);
            assert_eq!((output.len(), output.heap.capacity()), (0, 0));
        }
    }
}
