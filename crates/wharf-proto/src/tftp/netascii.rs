//! netascii: text with CR LF line ends on the wire (RFC 764 by way of RFC 1350 section 1; TFT-40).
//!
//! Out: LF becomes CR LF, CR becomes CR NUL. In: the reverse; a CR that is followed by anything else, or
//! by nothing, is kept as it is. Both states are small and `Copy`: a state beside an offset in the file
//! is a checkpoint, and whoever must send a block again converts it again from there instead of keeping
//! it. Stretches between line ends are copied whole; nothing is allocated but what the output grows by.

use memchr::{memchr, memchr2};

/// A file's octets on their way to the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoder {
    /// The second octet of a pair that the last block had no room for.
    held: Option<u8>,
}

impl Encoder {
    /// Appends `input` as it goes over the wire until `output` is `limit` octets long; says how many
    /// octets of `input` that took. A pair may be split by the limit: its second octet then comes
    /// first in the next call, which may be one without input.
    pub fn encode(&mut self, input: &[u8], output: &mut Vec<u8>, limit: usize) -> usize {
        if let Some(second) = self.held
            && output.len() < limit
        {
            output.push(second);
            self.held = None;
        }
        let mut rest = input;
        loop {
            let room = limit.saturating_sub(output.len());
            let within = rest.get(..room).unwrap_or(rest);
            let at = memchr2(b'\n', b'\r', within);
            let (plain, after) = rest
                .split_at_checked(at.unwrap_or(within.len()))
                .unwrap_or((rest, &[]));
            output.extend_from_slice(plain);
            rest = after;
            // Nothing to convert: out of input or out of room.
            let (Some(_), Some((&first, after))) = (at, rest.split_first()) else {
                return input.len() - rest.len();
            };
            rest = after;
            output.push(b'\r');
            let second = if first == b'\n' { b'\n' } else { 0 };
            if output.len() < limit {
                output.push(second);
            } else {
                self.held = Some(second);
            }
        }
    }

    /// Whether an octet is still to come of what was taken already: the text is at its end only when
    /// it has gone out too.
    pub const fn pending(&self) -> bool {
        self.held.is_some()
    }
}

/// Octets from the wire on their way into a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoder {
    /// A CR has come, what follows it has not.
    held_cr: bool,
}

impl Decoder {
    /// Appends what `input` is in a file: at most one octet more than `input` has.
    pub fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) {
        let mut rest = input;
        while let Some((&next, after)) = rest.split_first() {
            if std::mem::take(&mut self.held_cr) {
                match next {
                    b'\n' => output.push(b'\n'),
                    0 => output.push(b'\r'),
                    _ => {
                        output.push(b'\r');
                        // No pair; but it may be a CR that begins one.
                        continue;
                    }
                }
                rest = after;
                continue;
            }
            let at = memchr(b'\r', rest);
            let (plain, from_cr) = rest
                .split_at_checked(at.unwrap_or(rest.len()))
                .unwrap_or((rest, &[]));
            output.extend_from_slice(plain);
            self.held_cr = at.is_some();
            rest = from_cr.get(1..).unwrap_or_default();
        }
    }

    /// The text is at its end: a CR that was held back is kept.
    pub fn finish(&mut self, output: &mut Vec<u8>) {
        if std::mem::take(&mut self.held_cr) {
            output.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests;
