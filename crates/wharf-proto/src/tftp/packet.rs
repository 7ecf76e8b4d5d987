//! The six packets (RFC 1350 section 5, RFC 2347).

use super::{OptionList, Request};

/// Octets in front of a block's content, and of an ACK in all.
pub const HEADER: usize = 4;

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
        /// Why, in words; raw octets.
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
    /// A request or OACK that is longer than 2048 octets.
    #[error("expected a request of at most 2048 octets")]
    Long,
    /// A name or value without its NUL, or an option without a value.
    #[error("expected each name, mode, option and value to end with NUL")]
    Unterminated,
    /// No file name.
    #[error("expected a file name")]
    NoName,
    /// A mode that is not served.
    #[error("expected the mode octet or netascii")]
    Mode,
}
