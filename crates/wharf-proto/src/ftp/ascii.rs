//! TYPE A on the wire: line ends are CR LF there and LF in files (RFC 959 3.1.1.1).
//!
//! Out: every LF becomes CR LF. In: CR LF becomes LF, every other byte stays, a lone CR or LF too. So
//! text that was stored by TYPE A comes back as it was sent. Both ways are stretches of plain copying
//! between line ends, appended to the caller's buffer; nothing is allocated per chunk. The only state
//! across chunks is a CR whose successor is not known yet.

use memchr::{memchr, memchr_iter};

/// Appends `stored` as it goes over the wire. Needs no state: each chunk stands alone. At most twice
/// the length of `stored` is appended.
pub fn encode(stored: &[u8], out: &mut Vec<u8>) {
    out.reserve(stored.len() + stored.len() / 16);
    let mut from = 0;
    for end in memchr_iter(b'\n', stored) {
        out.extend_from_slice(stored.get(from..end).unwrap_or_default());
        out.extend_from_slice(b"\r\n");
        from = end + 1;
    }
    out.extend_from_slice(stored.get(from..).unwrap_or_default());
}

/// How many octets [`encode`] makes of `stored`: what SIZE tells in TYPE A (RFC 3659 4).
pub fn encoded_len(stored: &[u8]) -> u64 {
    u64::try_from(stored.len() + memchr_iter(b'\n', stored).count()).unwrap_or(u64::MAX)
}

/// Octets from the wire, on their way into a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoder {
    held_cr: bool,
}

impl Decoder {
    /// Appends what `wire` is in a file. At most `wire.len() + 1` octets are appended.
    pub fn decode(&mut self, wire: &[u8], out: &mut Vec<u8>) {
        if wire.is_empty() {
            return;
        }
        out.reserve(wire.len() + 1);
        if self.held_cr && wire.first() != Some(&b'\n') {
            out.push(b'\r');
        }
        self.held_cr = false;
        let mut rest = wire;
        while let Some(at) = memchr(b'\r', rest) {
            let (text, from_cr) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            out.extend_from_slice(text);
            rest = from_cr.get(1..).unwrap_or_default();
            match rest.first() {
                None => self.held_cr = true,
                Some(b'\n') => {}
                Some(_) => out.push(b'\r'),
            }
        }
        out.extend_from_slice(rest);
    }

    /// The stream is at its end: a CR that was held back is kept.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.held_cr) {
            out.push(b'\r');
        }
    }
}

/// Where a restart marker, counted in octets on the wire, lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Offset in the file of the first octet not wholly sent.
    pub offset: u64,
    /// The marker lies between the CR and the LF that stand for the LF at `offset`: the next octet
    /// on the wire is a bare LF. A writer cannot continue there (554).
    pub inside_line_end: bool,
}

/// Looks for a restart marker while the file is read from its start.
#[derive(Clone, Copy, Debug)]
pub struct Locator {
    wire_left: u64,
    offset: u64,
}

impl Locator {
    /// Looks for `marker` octets on the wire.
    pub const fn new(marker: u64) -> Self {
        Self {
            wire_left: marker,
            offset: 0,
        }
    }

    /// Takes the next chunk of the file; `Some` once the marker lies in it or at its end.
    pub fn advance(&mut self, stored: &[u8]) -> Option<Position> {
        let mut rest = stored;
        while self.wire_left > 0 {
            let line = memchr(b'\n', rest).unwrap_or(rest.len());
            let plain = u64::try_from(line).unwrap_or(u64::MAX);
            if self.wire_left <= plain {
                self.offset += self.wire_left;
                self.wire_left = 0;
                break;
            }
            self.offset += plain;
            self.wire_left -= plain;
            if line == rest.len() {
                return None;
            }
            if self.wire_left == 1 {
                return Some(Position {
                    offset: self.offset,
                    inside_line_end: true,
                });
            }
            self.wire_left -= 2;
            self.offset += 1;
            rest = rest.get(line + 1..).unwrap_or_default();
        }
        Some(Position {
            offset: self.offset,
            inside_line_end: false,
        })
    }

    /// Where the marker is if the file ended here: `None` when it lies beyond the end.
    pub fn finish(self) -> Option<Position> {
        (self.wire_left == 0).then_some(Position {
            offset: self.offset,
            inside_line_end: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(stored: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(stored, &mut out);
        out
    }

    fn decoded(chunks: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut decoder = Decoder::default();
        for chunk in chunks {
            decoder.decode(chunk, &mut out);
        }
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn dat_41_line_ends_both_ways() {
        assert_eq!(encoded(b"a\nb\r\n\n"), b"a\r\nb\r\r\n\r\n");
        assert_eq!(decoded(&[b"a\r\nb\rc\nd\r"]), b"a\nb\rc\nd\r");
        assert_eq!(decoded(&[b"a\r", b"\nb\r", b"\r", b"\n"]), b"a\nb\r\n");
    }

    #[test]
    fn dat_48_a_marker_may_lie_between_cr_and_lf() {
        let mut locator = Locator::new(3);
        let found = locator.advance(b"ab\ncd\n").unwrap();
        assert_eq!(
            found,
            Position {
                offset: 2,
                inside_line_end: true
            }
        );
        assert_eq!(Locator::new(4).advance(b"ab\ncd\n").unwrap().offset, 3);
        assert_eq!(Locator::new(9).advance(b"ab\ncd\n"), None);
    }

    proptest! {
        #[test]
        fn what_is_sent_comes_back_however_it_is_cut(stored in "[a\r\n]{0,60}", cut in 0_usize..80) {
            let wire = encoded(stored.as_bytes());
            prop_assert_eq!(encoded_len(stored.as_bytes()), wire.len() as u64);
            let (left, right) = wire.split_at(cut.min(wire.len()));
            prop_assert_eq!(decoded(&[left, right]), stored.as_bytes());
        }

        #[test]
        fn a_marker_leads_to_the_octet_that_follows_on_the_wire(
            stored in "[ab\r\n]{0,40}", marker in 0_usize..90, cut in 0_usize..40
        ) {
            let stored = stored.as_bytes();
            let wire = encoded(stored);
            let (left, right) = stored.split_at(cut.min(stored.len()));
            let mut locator = Locator::new(marker as u64);
            let found = locator.advance(left).or_else(|| locator.advance(right)).or_else(|| locator.finish());
            if marker > wire.len() {
                prop_assert_eq!(found, None);
            } else {
                let found = found.unwrap();
                let mut rest = encoded(&stored[usize::try_from(found.offset).unwrap()..]);
                if found.inside_line_end {
                    prop_assert_eq!(rest.remove(0), b'\r');
                }
                prop_assert_eq!(rest, &wire[marker..]);
            }
        }
    }
}
