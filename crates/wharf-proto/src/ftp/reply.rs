//! Replies: three digits, a space or hyphen, text (RFC 959 4.2).
//!
//! [`Reply`] is the plain form that both ends can write; [`ReplyParser`] reads what other servers
//! send, which is looser than the standard (RPL-50), from a stream that may be cut anywhere, with
//! bounded memory (RPL-51). The server machine does not build a [`Reply`] for every answer: it
//! writes straight into its output and uses only [`push_name`] and [`push_quoted`], so that names
//! are made harmless at one spot.

use thiserror::Error;

use super::{
    sink::Sink,
    telnet::{IAC, Step, Telnet},
};

/// Longest line of a reply that is read (RPL-51).
pub const LINE_LIMIT: usize = 64 * 1024;
/// Largest reply that is read (RPL-51).
pub const REPLY_LIMIT: usize = 1024 * 1024;
/// What a line counts against [`REPLY_LIMIT`] besides its octets.
const LINE_COST: usize = 24;

/// A reply code, 100 to 699.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

/// What the first digit says (RFC 959 4.2.1, RFC 2228 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 1yz: another reply follows.
    Preliminary,
    /// 2yz: done.
    Completion,
    /// 3yz: another command is awaited.
    Intermediate,
    /// 4yz: not now.
    TransientNegative,
    /// 5yz: no.
    PermanentNegative,
    /// 6yz: a protected reply.
    Protected,
}

impl Code {
    /// A code, or `None` outside of 100..=699.
    pub const fn new(value: u16) -> Option<Self> {
        if 100 <= value && value <= 699 {
            Some(Self(value))
        } else {
            None
        }
    }

    /// The number.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// What the first digit says.
    pub const fn class(self) -> Class {
        match self.0 / 100 {
            1 => Class::Preliminary,
            2 => Class::Completion,
            3 => Class::Intermediate,
            4 => Class::TransientNegative,
            5 => Class::PermanentNegative,
            _ => Class::Protected,
        }
    }

    fn digits(self) -> [u8; 3] {
        let digit = |number: u16| b'0' + u8::try_from(number % 10).unwrap_or(0);
        [digit(self.0 / 100), digit(self.0 / 10), digit(self.0)]
    }

    /// The code at the start of a line.
    fn parse(line: &[u8]) -> Option<Self> {
        let &[first, second, third, ..] = line else {
            return None;
        };
        let digits = [first, second, third];
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let value = digits
            .iter()
            .fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        Self::new(value)
    }
}

/// A whole reply. `lines` holds the text of each line without code and line end; there is at least
/// one. An inner line of a longer reply that begins with a space goes out as it is (RFC 2389 2),
/// every other inner line with `ddd-` in front, so that none can look like the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The code.
    pub code: Code,
    /// The text, line by line.
    pub lines: Vec<Vec<u8>>,
}

impl Reply {
    /// A reply of one line.
    pub fn new(code: Code, text: impl Into<Vec<u8>>) -> Self {
        Self {
            code,
            lines: vec![text.into()],
        }
    }

    /// The text of the first line: what carries the machine-readable part of single-line replies.
    pub fn text(&self) -> &[u8] {
        self.lines.first().map_or(&[], Vec::as_slice)
    }

    /// The lines between the first and the last: the features of FEAT, the facts of MLST.
    pub fn inner_lines(&self) -> &[Vec<u8>] {
        match self.lines.as_slice() {
            [_, inner @ .., _] => inner,
            _ => &[],
        }
    }

    /// Appends the reply as it goes over the wire.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let digits = self.code.digits();
        let (last, before) = match self.lines.split_last() {
            Some((last, before)) => (last.as_slice(), before),
            None => (&b""[..], &[][..]),
        };
        for (index, line) in before.iter().enumerate() {
            if index == 0 || line.first() != Some(&b' ') {
                out.extend_from_slice(&digits);
                out.push(b'-');
            }
            push_escaped(line, out);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(&digits);
        out.push(b' ');
        push_escaped(last, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends a name or free text to a reply or listing line: CR, LF and NUL become `?` (PATH-06), all
/// else stays as it is. 0xFF is left alone; a control connection doubles it ([`push_escaped`]).
pub fn push_name(name: &[u8], out: &mut impl Sink) {
    let mut rest = name;
    while let Some(at) = memchr::memchr3(b'\r', b'\n', 0, rest) {
        let (clean, odd) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.put(clean);
        out.put(b"?");
        rest = odd.get(1..).unwrap_or_default();
    }
    out.put(rest);
}

/// As [`push_name`], and 0xFF is doubled for the Telnet layer (RPL-15).
pub fn push_escaped(name: &[u8], out: &mut impl Sink) {
    let mut pieces = name.split(|&byte| byte == IAC);
    if let Some(first) = pieces.next() {
        push_name(first, out);
    }
    for piece in pieces {
        out.put(&[IAC, IAC]);
        push_name(piece, out);
    }
}

/// Appends `"path"` with every quote in it doubled (RFC 959 appendix II), made harmless as
/// [`push_escaped`] does.
pub fn push_quoted(path: &[u8], out: &mut impl Sink) {
    out.put(b"\"");
    let mut pieces = path.split(|&byte| byte == b'"');
    if let Some(first) = pieces.next() {
        push_escaped(first, out);
    }
    for piece in pieces {
        out.put(b"\"\"");
        push_escaped(piece, out);
    }
    out.put(b"\"");
}

/// Reads the path of a 257 reply: the first quoted string with doubled quotes undone, else the first
/// word (RPL-55). `None` when there is nothing.
pub fn parse_quoted(text: &[u8]) -> Option<Vec<u8>> {
    let Some(open) = memchr::memchr(b'"', text) else {
        let word = text.trim_ascii().split(|&byte| byte == b' ').next()?;
        return (!word.is_empty()).then(|| word.to_vec());
    };
    let mut path = Vec::new();
    let mut rest = text.get(open + 1..)?.iter().peekable();
    while let Some(&byte) = rest.next() {
        if byte == b'"' && rest.next_if(|next| **next == b'"').is_none() {
            break;
        }
        path.push(byte);
    }
    Some(path)
}

/// Why a peer's bytes are no reply. The connection is of no use afterwards.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ReplyError {
    /// The first line does not begin with a code.
    #[error("expected a reply that begins with three digits from 100 to 699")]
    NoCode,
    /// A line beyond [`LINE_LIMIT`].
    #[error("a line of a reply is longer than {LINE_LIMIT} octets")]
    LineTooLong,
    /// A reply beyond [`REPLY_LIMIT`].
    #[error("a reply is larger than {REPLY_LIMIT} octets")]
    TooLarge,
}

/// Reads replies from a stream, however it is cut.
///
/// Telnet commands are dropped, `IAC IAC` is 0xFF. Lines end with CR LF or LF. Inside a reply of
/// many lines anything goes until `ddd SP` (or bare `ddd`) with the first line's code; a `ddd-` with
/// that code in front of an inner line is taken off.
#[derive(Debug, Default)]
pub struct ReplyParser {
    line: Vec<u8>,
    telnet: Telnet,
    open: Option<Reply>,
    size: usize,
}

impl ReplyParser {
    /// A parser at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is held: the last byte ended a reply.
    pub fn is_empty(&self) -> bool {
        self.line.is_empty() && self.open.is_none() && self.telnet == Telnet::Data
    }

    /// Takes bytes up to the end of the next reply. Gives how many were taken and the reply, if one
    /// came to its end; then call again with the rest. All are taken when there is none.
    ///
    /// # Errors
    /// [`ReplyError`]: the peer does not speak FTP, or too much.
    pub fn parse(&mut self, bytes: &[u8]) -> Result<(usize, Option<Reply>), ReplyError> {
        for (index, &byte) in bytes.iter().enumerate() {
            match self.telnet.step(byte) {
                Step::Data(b'\n') if byte == b'\n' => {
                    if let Some(reply) = self.end_line()? {
                        return Ok((index + 1, Some(reply)));
                    }
                }
                Step::Data(byte) => {
                    self.size += 1;
                    if self.line.len() >= LINE_LIMIT {
                        return Err(ReplyError::LineTooLong);
                    }
                    if self.size > REPLY_LIMIT {
                        return Err(ReplyError::TooLarge);
                    }
                    self.line.push(byte);
                }
                Step::Nothing | Step::Interrupt | Step::Answer(_) => {}
            }
        }
        Ok((bytes.len(), None))
    }

    fn end_line(&mut self) -> Result<Option<Reply>, ReplyError> {
        // A line costs more than its bytes: a flood of empty lines is a large reply.
        self.size += LINE_COST;
        if self.size > REPLY_LIMIT {
            return Err(ReplyError::TooLarge);
        }
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let code = Code::parse(&line);
        let mark = line.get(3).copied();
        match (&mut self.open, code) {
            (None, None) if line.is_empty() => {
                // A stray empty line between replies.
                self.size = 0;
                Ok(None)
            }
            (None, None) => Err(ReplyError::NoCode),
            (None, Some(code)) => {
                let reply = Reply::new(code, line.get(4..).unwrap_or_default());
                if mark == Some(b'-') {
                    self.open = Some(reply);
                    return Ok(None);
                }
                self.size = 0;
                Ok(Some(reply))
            }
            (Some(reply), code) => {
                let same = code == Some(reply.code);
                if same && matches!(mark, Some(b' ') | None) {
                    reply.lines.push(line.get(4..).unwrap_or_default().to_vec());
                    self.size = 0;
                    return Ok(self.open.take());
                }
                if same && mark == Some(b'-') {
                    line.drain(..4);
                }
                reply.lines.push(line);
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests;
