//! Buffers for replies that come back when the transport is done with them.
//!
//! The transport copies octets into its own packets and drops what it was given, mostly at once. So
//! one or two buffers serve a channel for its whole life, and an idle channel keeps none for long:
//! they are small in number and belong to the channel.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::sync::Notify;

/// Octets of replies that are gathered before they are sent.
pub(super) const GATHERED: usize = 256 * 1024;

/// Octets that lie behind the gathered ones at the most: the largest reply.
const LAST: usize = 260 * 1024;

/// Octets that the transport may have of what was sent late.
const LATE: usize = 1 << 20;

/// Buffers that are kept for the next replies.
const KEPT: usize = 2;

/// A buffer above this is not kept.
const LARGEST: usize = GATHERED + LAST;

/// A buffer above this is not kept while nothing is open.
const SMALL: usize = 16 * 1024;

/// Makes room for `octets` more, in steps that end at the largest buffer that is kept.
pub(super) fn make_room(buffer: &mut Vec<u8>, octets: usize) {
    let needed = buffer.len() + octets;
    if needed > buffer.capacity() {
        let stepped = (2 * buffer.capacity()).min(LARGEST).max(needed);
        buffer.reserve_exact(stepped - buffer.len());
    }
}

/// The spare buffers of one channel.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    spare: Mutex<Vec<Vec<u8>>>,
    /// Whether files are open, so that large replies will come.
    is_busy: AtomicBool,
    /// Octets that were sent late and that the transport still has.
    late: AtomicUsize,
    /// Told when the transport is done with some of them.
    returned: Notify,
}

impl Buffers {
    /// An empty buffer, used before if there is one.
    pub(super) fn borrow(&self) -> Vec<u8> {
        self.spare().pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub(super) fn give_back(&self, mut buffer: Vec<u8>) {
        let is_busy = self.is_busy.load(Ordering::Relaxed);
        let limit = if is_busy { LARGEST } else { SMALL };
        let mut spare = self.spare();
        if spare.len() < KEPT && (1..=limit).contains(&buffer.capacity()) {
            buffer.clear();
            spare.push(buffer);
        }
    }

    /// The octets of `buffer`, which comes back here when they are dropped.
    pub(super) fn lend(self: &Arc<Self>, buffer: Vec<u8>) -> Bytes {
        self.lent(buffer, false)
    }

    /// As [`Buffers::lend`], for octets that are sent late: they are counted until they are dropped,
    /// since nobody else can tell whether the peer takes them.
    pub(super) fn lend_late(self: &Arc<Self>, buffer: Vec<u8>) -> Bytes {
        self.late.fetch_add(buffer.len(), Ordering::Relaxed);
        self.lent(buffer, true)
    }

    fn lent(self: &Arc<Self>, buffer: Vec<u8>, is_late: bool) -> Bytes {
        Bytes::from_owner(Lent {
            buffer,
            buffers: Arc::clone(self),
            is_late,
        })
    }

    /// Octets that may be sent late before the transport must be done with others.
    pub(super) fn late_room(&self) -> usize {
        LATE.saturating_sub(self.late.load(Ordering::Relaxed))
    }

    /// Whether the transport still has octets that were sent late.
    pub(super) fn has_late(&self) -> bool {
        self.late.load(Ordering::Relaxed) > 0
    }

    /// Waits until there is room.
    pub(super) async fn late_room_made(&self) {
        loop {
            // Made before the look, so that nothing is missed.
            let returned = self.returned.notified();
            if self.late_room() > 0 {
                return;
            }
            returned.await;
        }
    }

    /// Tells whether files are open; large buffers are let go when none is.
    pub(super) fn set_busy(&self, is_busy: bool) {
        if self.is_busy.swap(is_busy, Ordering::Relaxed) && !is_busy {
            self.spare().retain(|buffer| buffer.capacity() <= SMALL);
        }
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lent {
    buffer: Vec<u8>,
    buffers: Arc<Buffers>,
    is_late: bool,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        if self.is_late {
            self.buffers.late.fetch_sub(buffer.len(), Ordering::Relaxed);
            self.buffers.returned.notify_waiters();
        }
        self.buffers.give_back(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_octets_are_dropped() {
        let buffers = Arc::new(Buffers::default());
        let mut buffer = buffers.borrow();
        buffer.extend_from_slice(b"abc");
        let place = buffer.as_ptr();
        let octets = buffers.lend(buffer);
        let part = octets.slice(1..);
        drop(octets);
        assert_eq!(part, b"bc".as_slice());
        assert!(buffers.spare().is_empty());
        drop(part);
        let again = buffers.borrow();
        assert!(again.is_empty());
        assert_eq!(again.as_ptr(), place, "no memory is asked for twice");
    }

    #[test]
    fn no_more_than_a_few_buffers_of_bounded_size_are_kept() {
        let buffers = Arc::new(Buffers::default());
        let many: Vec<_> = (0..9).map(|_| buffers.lend(vec![0; 9])).collect();
        drop(many);
        assert_eq!(buffers.spare().len(), KEPT);
        buffers.spare().clear();
        buffers.set_busy(true);
        drop(buffers.lend(Vec::with_capacity(LARGEST + 1)));
        assert!(buffers.spare().is_empty());
        drop(buffers.lend(Vec::with_capacity(LARGEST)));
        assert_eq!(buffers.spare().len(), 1);
    }

    #[test]
    fn a_channel_without_open_files_keeps_no_large_buffer() {
        let buffers = Arc::new(Buffers::default());
        buffers.set_busy(true);
        drop(buffers.lend(Vec::with_capacity(LARGEST)));
        buffers.set_busy(false);
        assert!(buffers.spare().is_empty());
        drop(buffers.lend(Vec::with_capacity(LARGEST)));
        assert!(buffers.spare().is_empty());
    }

    #[test]
    fn a_buffer_grows_to_what_is_kept_and_no_further() {
        let mut buffer = Vec::new();
        while buffer.len() < GATHERED {
            make_room(&mut buffer, 40_000);
            buffer.resize(buffer.len() + 40_000, 0);
        }
        let rest = LARGEST - buffer.len();
        make_room(&mut buffer, rest);
        assert_eq!(buffer.capacity(), LARGEST);
    }
}
