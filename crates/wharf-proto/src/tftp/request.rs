//! RRQ and WRQ: what is asked for (RFC 1350 section 5, RFC 2347).
//!
//! The name is kept as it came: what it means as a path is the server's to say (TFT-04).

use super::OptionList;

/// Which way the file goes, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// RRQ: the client fetches.
    Read,
    /// WRQ: the client sends.
    Write,
}

impl Direction {
    /// From the wire; `None`: no request.
    pub(super) const fn of(opcode: u16) -> Option<Self> {
        match opcode {
            1 => Some(Self::Read),
            2 => Some(Self::Write),
            _ => None,
        }
    }

    /// For the wire.
    pub(super) const fn opcode(self) -> u16 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
        }
    }
}

/// How octets are meant (TFT-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As they are.
    Octet,
    /// Text with CR LF line ends on the wire (TFT-40).
    Netascii,
}

impl Mode {
    /// From its name, in any case; `None`: not served.
    pub fn of(name: &[u8]) -> Option<Self> {
        [Self::Octet, Self::Netascii]
            .into_iter()
            .find(|mode| name.eq_ignore_ascii_case(mode.name().as_bytes()))
    }

    /// As a request spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Octet => "octet",
            Self::Netascii => "netascii",
        }
    }
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// RRQ or WRQ.
    pub direction: Direction,
    /// The name, raw octets without NUL, never empty.
    pub name: &'a [u8],
    /// How octets are meant.
    pub mode: Mode,
    /// What else is asked for.
    pub options: OptionList<'a>,
}
