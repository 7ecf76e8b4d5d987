//! The six packets (RFC 1350 section 5, RFC 2347): read from a datagram, written into a buffer.
//!
//! Reading borrows and never allocates; a datagram is whatever the network brought, so nothing in it is
//! believed before it was looked at. What a peer pads behind an ACK, a mode or its options is let pass:
//! boot ROMs send whole buffers. Nothing here knows which packet is due: that is the machines' part.

use memchr::memchr;

use super::{Direction, ErrorCode, Mode, Offer, OptionList, Request, option};

/// Octets in front of a block's content, and of an ACK in all.
pub const HEADER: usize = 4;

/// Octets of the longest request or OACK that is read (TFT-01, TFT-29).
pub const REQUEST_LIMIT: usize = 2048;

/// Octets of the longest request that is written (RFC 2347).
pub const REQUEST_SENT_LIMIT: usize = 512;

/// Octets of the longest text that an ERROR is sent with, its NUL not counted.
pub const ERROR_TEXT_LIMIT: usize = 255;

const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
/// What an OACK begins with.
pub(super) const OACK: u16 = 6;

/// A datagram, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// RRQ or WRQ.
    Request(Request<'a>),
    /// A block.
    Data {
        /// Its number on the wire.
        block: u16,
        /// Its content.
        data: &'a [u8],
    },
    /// An acknowledgement.
    Ack {
        /// The last block that arrived in order.
        block: u16,
    },
    /// The end.
    Error {
        /// Why, as a number.
        code: u16,
        /// Why, in words; raw octets without NUL.
        text: &'a [u8],
    },
    /// Options that the server grants.
    Oack(OptionList<'a>),
}

/// Why a datagram is no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Less than an opcode and what must follow it.
    #[error("expected at least 4 octets")]
    Short,
    /// No opcode of TFTP.
    #[error("expected an opcode from 1 to 6, got {0}")]
    Opcode(u16),
    /// RRQ or WRQ by its opcode.
    #[error("{0}")]
    Request(Defect),
    /// OACK by its opcode.
    #[error("{0}")]
    Oack(Defect),
}

impl Malformed {
    /// Whether ERROR 4 is due: an answer goes to what asked for one and to nothing else (TFT-01).
    pub const fn is_request(self) -> bool {
        matches!(self, Self::Request(_))
    }
}

/// What is wrong with a request or an OACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// Longer than [`REQUEST_LIMIT`].
    #[error("expected at most {REQUEST_LIMIT} octets")]
    Long,
    /// A name or value without its NUL, or an option without a value.
    #[error("expected each name, option and value to end with NUL")]
    Unterminated,
    /// No file name.
    #[error("expected a file name")]
    NoName,
    /// No mode, or one that is not served, `mail` among them (TFT-02).
    #[error("expected the mode octet or netascii")]
    Mode,
}

/// Why a request cannot be put into a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// No file name.
    #[error("expected a file name")]
    NoName,
    /// NUL would end the name.
    #[error("expected a file name without NUL")]
    Nul,
    /// Name and options make more than [`REQUEST_SENT_LIMIT`] octets.
    #[error(
        "expected a file name that is {over} octets shorter: a TFTP request has {REQUEST_SENT_LIMIT} octets at most"
    )]
    Long {
        /// Octets too many.
        over: usize,
    },
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// [`Malformed`]: to be dropped without a word, except where [`Malformed::is_request`] holds.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let (opcode, rest) = number(datagram).ok_or(Malformed::Short)?;
        if let Some(direction) = Direction::of(opcode) {
            return request_of(direction, datagram.len(), rest)
                .map(Self::Request)
                .map_err(Malformed::Request);
        }
        match opcode {
            DATA => {
                let (block, data) = number(rest).ok_or(Malformed::Short)?;
                Ok(Self::Data { block, data })
            }
            ACK => {
                let (block, _padding) = number(rest).ok_or(Malformed::Short)?;
                Ok(Self::Ack { block })
            }
            ERROR => {
                let (code, text) = number(rest).ok_or(Malformed::Short)?;
                // Some end the text with the datagram.
                let text = string(text).map_or(text, |(text, _padding)| text);
                Ok(Self::Error { code, text })
            }
            OACK if datagram.len() < HEADER => Err(Malformed::Short),
            OACK if datagram.len() > REQUEST_LIMIT => Err(Malformed::Oack(Defect::Long)),
            OACK => OptionList::parse(rest)
                .map(Self::Oack)
                .map_err(Malformed::Oack),
            other => Err(Malformed::Opcode(other)),
        }
    }
}

/// What follows the opcode of a request in a datagram of `length` octets.
fn request_of(direction: Direction, length: usize, rest: &[u8]) -> Result<Request<'_>, Defect> {
    if length > REQUEST_LIMIT {
        return Err(Defect::Long);
    }
    let (name, rest) = string(rest).ok_or(Defect::Unterminated)?;
    if name.is_empty() {
        return Err(Defect::NoName);
    }
    // Some end the mode with the datagram (TFT-02).
    let (mode, options) = string(rest).unwrap_or((rest, &[]));
    Ok(Request {
        direction,
        name,
        mode: Mode::of(mode).ok_or(Defect::Mode)?,
        options: OptionList::parse(options)?,
    })
}

/// A number and what follows it.
fn number(octets: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = octets.split_first_chunk()?;
    Some((u16::from_be_bytes(*number), rest))
}

/// What stands before the first NUL, and what follows that.
pub(super) fn string(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (string, from_nul) = octets.split_at_checked(memchr(0, octets)?)?;
    Some((string, from_nul.get(1..)?))
}

/// Appends an RRQ or WRQ; the options stand in the order tsize, blksize, timeout, windowsize.
///
/// # Errors
/// [`Unsendable`] when the name cannot be sent; `out` is as it was then.
pub fn request(
    direction: Direction,
    name: &[u8],
    mode: Mode,
    offer: &Offer,
    out: &mut Vec<u8>,
) -> Result<(), Unsendable> {
    if name.is_empty() {
        return Err(Unsendable::NoName);
    }
    if memchr(0, name).is_some() {
        return Err(Unsendable::Nul);
    }
    let start = out.len();
    out.extend_from_slice(&direction.opcode().to_be_bytes());
    out.extend_from_slice(name);
    out.push(0);
    out.extend_from_slice(mode.name().as_bytes());
    out.push(0);
    let options = [
        ("tsize", offer.size),
        ("blksize", offer.block_size.map(u64::from)),
        ("timeout", offer.timeout.map(u64::from)),
        ("windowsize", offer.window.map(u64::from)),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            option::push(name.as_bytes(), value, out);
        }
    }
    let over = (out.len() - start).saturating_sub(REQUEST_SENT_LIMIT);
    if over > 0 {
        out.truncate(start);
        return Err(Unsendable::Long { over });
    }
    Ok(())
}

/// What stands in front of a block's content.
pub const fn data_header(block: u16) -> [u8; HEADER] {
    numbered(DATA, block)
}

/// A whole ACK.
pub const fn ack(block: u16) -> [u8; HEADER] {
    numbered(ACK, block)
}

/// Appends an ERROR. The text ends at a NUL and is cut to [`ERROR_TEXT_LIMIT`] octets.
pub fn error(code: ErrorCode, text: &str, out: &mut Vec<u8>) {
    let text = text.split('\0').next().unwrap_or_default();
    let end = (0..=text.len().min(ERROR_TEXT_LIMIT))
        .rev()
        .find(|&at| text.is_char_boundary(at));
    let text = text.get(..end.unwrap_or(0)).unwrap_or_default();
    out.extend_from_slice(&numbered(ERROR, code.number()));
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

/// An opcode and a number.
const fn numbered(opcode: u16, number: u16) -> [u8; HEADER] {
    let [a, b] = opcode.to_be_bytes();
    let [c, d] = number.to_be_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests;
