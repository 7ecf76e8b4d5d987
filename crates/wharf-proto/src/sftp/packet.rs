//! Packets: a length, a type, an identifier, fields (draft section 3; SFT-20).
//!
//! `Packets` finds whole packets in a stream that is cut anywhere. A packet that lies whole in the
//! input is borrowed from it; only what is cut is put together in a buffer, which grows with what
//! came and never with what a length field promises. The field reader takes nothing that is not
//! there. What a field means is not known here.

use std::ops::Range;

use super::MAX_PACKET;

/// The types of packets (draft section 3).
pub mod kind {
    #![expect(
        missing_docs,
        reason = "the names are the draft's, the values its numbers"
    )]
    pub const INIT: u8 = 1;
    pub const VERSION: u8 = 2;
    pub const OPEN: u8 = 3;
    pub const CLOSE: u8 = 4;
    pub const READ: u8 = 5;
    pub const WRITE: u8 = 6;
    pub const LSTAT: u8 = 7;
    pub const FSTAT: u8 = 8;
    pub const SETSTAT: u8 = 9;
    pub const FSETSTAT: u8 = 10;
    pub const OPENDIR: u8 = 11;
    pub const READDIR: u8 = 12;
    pub const REMOVE: u8 = 13;
    pub const MKDIR: u8 = 14;
    pub const RMDIR: u8 = 15;
    pub const REALPATH: u8 = 16;
    pub const STAT: u8 = 17;
    pub const RENAME: u8 = 18;
    pub const READLINK: u8 = 19;
    pub const SYMLINK: u8 = 20;
    pub const STATUS: u8 = 101;
    pub const HANDLE: u8 = 102;
    pub const DATA: u8 = 103;
    pub const NAME: u8 = 104;
    pub const ATTRS: u8 = 105;
    pub const EXTENDED: u8 = 200;
    pub const EXTENDED_REPLY: u8 = 201;
}

/// Octets of the length field.
const LENGTH: usize = 4;
/// A buffer of more than this is given back when a file is closed.
const RETAINED: usize = 65_536;

/// What ties a response to its request; chosen by the client, any value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u32);

/// The fields of a packet end too soon, or hold what cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the packet's fields do not fit its length")]
pub struct Malformed;

/// A length field that no packet can have (SFT-20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLength {
    /// Zero: not even a type.
    #[error("a packet of no octets")]
    Empty,
    /// More than [`MAX_PACKET`].
    #[error("a packet of {0} octets, more than the {MAX_PACKET} of the limit")]
    TooLong(u32),
}

/// Takes fields from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn id(&mut self) -> Result<RequestId, Malformed> {
        self.u32().map(RequestId)
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.u32()?).map_err(|_| Malformed)?;
        let (string, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(string)
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// Begins a packet that has an identifier; the length is filled in by [`finish`].
pub(super) fn begin(kind: u8, id: RequestId, output: &mut Vec<u8>) -> usize {
    let start = output.len();
    let [a, b, c, d] = id.0.to_be_bytes();
    output.extend_from_slice(&[0, 0, 0, 0, kind, a, b, c, d]);
    start
}

/// Fills in the length of the packet that began at `start`.
pub(super) fn finish(start: usize, output: &mut [u8]) {
    finish_ahead(start, 0, output);
}

/// As [`finish`], for a packet whose last `missing` octets are appended later.
pub(super) fn finish_ahead(start: usize, missing: u32, output: &mut [u8]) {
    let there = output.len().saturating_sub(start + LENGTH);
    patch(start, length(there).saturating_add(missing), output);
}

/// Writes a number over the four octets at `place`.
pub(super) fn patch(place: usize, number: u32, output: &mut [u8]) {
    if let Some(octets) = output
        .get_mut(place..)
        .and_then(|octets| octets.first_chunk_mut())
    {
        *octets = number.to_be_bytes();
    }
}

/// A length as the wire has it. Nothing that is encoded reaches the limit: packets end at 256 KiB.
pub(super) fn length(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

pub(super) fn put_u32(number: u32, output: &mut Vec<u8>) {
    output.extend_from_slice(&number.to_be_bytes());
}

pub(super) fn put_u64(number: u64, output: &mut Vec<u8>) {
    output.extend_from_slice(&number.to_be_bytes());
}

pub(super) fn put_string(string: &[u8], output: &mut Vec<u8>) {
    put_u32(length(string.len()), output);
    output.extend_from_slice(string);
}

/// A whole packet, without its length field.
#[derive(Clone, Debug)]
pub(super) enum Found<'i> {
    /// Not yet: everything that there was is kept.
    Nothing,
    /// It lies at the front of the input.
    Input(&'i [u8]),
    /// It lies in the buffer.
    Held(Range<usize>),
}

/// A stream of octets, cut into packets.
#[derive(Debug, Default)]
pub(super) struct Packets {
    held: Vec<u8>,
    /// Where in `held` the part begins that was not yet taken.
    start: usize,
    /// Whether the buffer is to be given back when it is empty.
    release: bool,
}

impl Packets {
    /// The next packet. It is not taken before [`Packets::take`].
    pub(super) fn next<'i>(&mut self, input: &mut &'i [u8]) -> Result<Found<'i>, BadLength> {
        self.compact();
        if self.held.is_empty() {
            if let Some(total) = total(input)?
                && let Some(body) = input.get(LENGTH..total)
            {
                return Ok(Found::Input(body));
            }
            self.fill(usize::MAX, input);
            return Ok(Found::Nothing);
        }
        self.fill(LENGTH, input);
        let Some(total) = total(self.held.get(self.start..).unwrap_or_default())? else {
            return Ok(Found::Nothing);
        };
        self.fill(total, input);
        Ok(if self.held() < total {
            Found::Nothing
        } else {
            Found::Held(self.start + LENGTH..self.start + total)
        })
    }

    /// Takes the packet that [`Packets::next`] found off the stream. A range of the buffer stays
    /// good until `next` is called again.
    pub(super) fn take<'i>(&mut self, found: &Found<'i>, input: &mut &'i [u8]) {
        match found {
            Found::Nothing => {}
            Found::Input(body) => *input = input.get(LENGTH + body.len()..).unwrap_or_default(),
            Found::Held(range) => self.start = range.end,
        }
    }

    /// The octets of a packet that [`Packets::next`] gave.
    pub(super) fn body<'s, 'i: 's>(&'s self, found: Found<'i>) -> &'s [u8] {
        match found {
            Found::Nothing => &[],
            Found::Input(body) => body,
            Found::Held(range) => self.held.get(range).unwrap_or_default(),
        }
    }

    /// Keeps all of `input` for later.
    pub(super) fn hold(&mut self, input: &mut &[u8]) {
        self.fill(usize::MAX, input);
    }

    /// Octets that are kept.
    pub(super) fn held(&self) -> usize {
        self.held.len() - self.start
    }

    /// A burst is over: a large buffer is given back as soon as it is empty.
    pub(super) fn release(&mut self) {
        self.release = true;
    }

    /// Takes from `input` until `total` octets are held.
    fn fill(&mut self, total: usize, input: &mut &[u8]) {
        let missing = total.saturating_sub(self.held()).min(input.len());
        if let Some((taken, rest)) = input.split_at_checked(missing) {
            self.held.extend_from_slice(taken);
            *input = rest;
        }
    }

    /// Drops what was taken, when that costs less than was taken.
    fn compact(&mut self) {
        if self.held() == 0 {
            let limit = if self.release {
                RETAINED
            } else {
                2 * MAX_PACKET
            };
            self.held.clear();
            if self.held.capacity() > limit {
                self.held = Vec::new();
            }
            self.start = 0;
            self.release = false;
        } else if self.start >= self.held() {
            self.held.drain(..self.start);
            self.start = 0;
        }
    }
}

/// The octets of the packet that `octets` begin with, its length field included.
fn total(octets: &[u8]) -> Result<Option<usize>, BadLength> {
    let Some(length) = octets.first_chunk() else {
        return Ok(None);
    };
    match u32::from_be_bytes(*length) {
        0 => Err(BadLength::Empty),
        length => match usize::try_from(length) {
            Ok(body) if body <= MAX_PACKET => Ok(Some(LENGTH + body)),
            _ => Err(BadLength::TooLong(length)),
        },
    }
}

#[cfg(test)]
impl Packets {
    /// Octets that the buffer takes.
    pub(super) fn capacity(&self) -> usize {
        self.held.capacity()
    }
}
