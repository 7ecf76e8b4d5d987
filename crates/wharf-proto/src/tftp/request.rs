//! RRQ and WRQ: what is asked for (RFC 1350 section 5, RFC 2347).

use super::OptionList;

/// Which way the file goes, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// RRQ: the client fetches.
    Read,
    /// WRQ: the client sends.
    Write,
}

/// How octets are meant (TFT-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As they are.
    Octet,
    /// Text with CR LF line ends on the wire (TFT-40).
    Netascii,
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
