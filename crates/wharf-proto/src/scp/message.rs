//! The messages of SCP: lines that begin with a letter or with the octet 1 or 2, and the answers.
//!
//! | line | meaning |
//! | --- | --- |
//! | `T<mtime> <usec> <atime> <usec>` | times of what comes next |
//! | `C<mode> <size> <name>` | a file; then its octets and an answer of the source |
//! | `D<mode> 0 <name>` | a directory; what follows lies in it |
//! | `E` | the end of a directory |
//! | `\x01<text>` | a warning: something failed, the rest goes on |
//! | `\x02<text>` | the end of everything |
//!
//! Text that goes to a peer holds no control characters: a file's name must not write on somebody's
//! terminal (CVE-2019-6109, CVE-2019-6110).

use thiserror::Error;

use super::LINE_LIMIT;

/// Seconds since 1970 and microseconds, of the last change and of the last access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Last change, seconds; at most 2^63-1.
    pub modified: u64,
    /// Microseconds of the last change, below 1,000,000.
    pub modified_micros: u32,
    /// Last access, seconds; at most 2^63-1.
    pub accessed: u64,
    /// Microseconds of the last access, below 1,000,000.
    pub accessed_micros: u32,
}

/// What is told of a file or directory before it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// One component; checked by [`super::name::check`] on both sides.
    pub name: Vec<u8>,
    /// Permission bits, 0 to 0o7777.
    pub mode: u32,
    /// Octets of a file, at most 2^63-1; 0 for a directory.
    pub size: u64,
    /// Its times, with `-p`.
    pub times: Option<Times>,
}

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// `T`.
    Times(Times),
    /// `C`.
    File {
        /// Permission bits, 0 to 0o7777.
        mode: u32,
        /// Octets, at most 2^63-1.
        size: u64,
        /// As it came.
        name: &'a [u8],
    },
    /// `D`.
    Directory {
        /// Permission bits, 0 to 0o7777.
        mode: u32,
        /// As it came.
        name: &'a [u8],
    },
    /// `E`.
    End,
    /// `\x01`: something failed, the rest goes on.
    Warning(&'a [u8]),
    /// `\x02`: nothing goes on.
    Fatal(&'a [u8]),
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MessageError {
    /// Nothing before the line feed.
    #[error("unexpected <newline>")]
    Empty,
    /// A letter that no message begins with.
    #[error("expected control record")]
    UnknownLetter,
    /// A mode that is not four octal digits and a space.
    #[error("bad mode")]
    Mode,
    /// A size that is no number up to 2^63-1 and a space.
    #[error("bad size")]
    Size,
    /// A time that is no number up to 2^63-1, or microseconds above 999,999, or no space between.
    #[error("bad time")]
    Time,
    /// Something behind an `E`.
    #[error("bad end of directory")]
    End,
}

const NUMBER_LIMIT: u64 = i64::MAX as u64;

impl<'a> Message<'a> {
    /// Reads a line, without its line feed.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn parse(line: &'a [u8]) -> Result<Self, MessageError> {
        let (letter, rest) = line.split_first().ok_or(MessageError::Empty)?;
        match letter {
            1 => Ok(Self::Warning(rest)),
            2 => Ok(Self::Fatal(rest)),
            b'C' => {
                let (mode, rest) = mode(rest)?;
                let (size, name) = number(rest, b' ').ok_or(MessageError::Size)?;
                Ok(Self::File { mode, size, name })
            }
            b'D' => {
                let (mode, rest) = mode(rest)?;
                // The size of a directory means nothing; it must still be one.
                let (_, name) = number(rest, b' ').ok_or(MessageError::Size)?;
                Ok(Self::Directory { mode, name })
            }
            b'T' => times(rest).ok_or(MessageError::Time).map(Self::Times),
            b'E' if rest.is_empty() => Ok(Self::End),
            b'E' => Err(MessageError::End),
            _ => Err(MessageError::UnknownLetter),
        }
    }
}

fn mode(rest: &[u8]) -> Result<(u32, &[u8]), MessageError> {
    let (digits, rest) = rest.split_at_checked(4).ok_or(MessageError::Mode)?;
    let mut mode = 0;
    for digit in digits {
        let value = match digit {
            b'0'..=b'7' => u32::from(digit - b'0'),
            _ => return Err(MessageError::Mode),
        };
        mode = mode * 8 + value;
    }
    match rest.split_first() {
        Some((b' ', rest)) => Ok((mode, rest)),
        _ => Err(MessageError::Mode),
    }
}

/// A number up to 2^63-1 that ends in `end`, and what follows.
fn number(rest: &[u8], end: u8) -> Option<(u64, &[u8])> {
    let length = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = rest.split_at_checked(length)?;
    let (&after, rest) = rest.split_first()?;
    (after == end).then_some(())?;
    Some((value(digits)?, rest))
}

fn value(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })?;
    (value <= NUMBER_LIMIT).then_some(value)
}

fn times(rest: &[u8]) -> Option<Times> {
    let micros = |value: u64| {
        u32::try_from(value)
            .ok()
            .filter(|&micros| micros < 1_000_000)
    };
    let (modified, rest) = number(rest, b' ')?;
    let (modified_micros, rest) = number(rest, b' ')?;
    let (accessed, rest) = number(rest, b' ')?;
    Some(Times {
        modified,
        modified_micros: micros(modified_micros)?,
        accessed,
        accessed_micros: micros(value(rest)?)?,
    })
}

/// Appends a `T` line.
pub fn encode_times(times: &Times, output: &mut Vec<u8>) {
    let Times {
        modified,
        modified_micros,
        accessed,
        accessed_micros,
    } = times;
    let line = format!("T{modified} {modified_micros} {accessed} {accessed_micros}\n");
    output.extend_from_slice(line.as_bytes());
}

/// Appends a `C` line. The name must have been checked.
pub(super) fn encode_file(header: &Header, output: &mut Vec<u8>) {
    let start = format!("C{:04o} {} ", header.mode & 0o7777, header.size);
    output.extend_from_slice(start.as_bytes());
    output.extend_from_slice(&header.name);
    output.push(b'\n');
}

/// Appends a `D` line. The name must have been checked.
pub(super) fn encode_directory(header: &Header, output: &mut Vec<u8>) {
    output.extend_from_slice(format!("D{:04o} 0 ", header.mode & 0o7777).as_bytes());
    output.extend_from_slice(&header.name);
    output.push(b'\n');
}

/// Appends a `\x01` line: a refusal as an answer, a warning as a message.
pub fn encode_warning(text: &[u8], output: &mut Vec<u8>) {
    output.push(1);
    encode_text(text, output);
}

/// Appends a `\x02` line.
pub fn encode_fatal(text: &[u8], output: &mut Vec<u8>) {
    output.push(2);
    encode_text(text, output);
}

fn encode_text(text: &[u8], output: &mut Vec<u8>) {
    // A line of the peer is bounded, too.
    let mut left = LINE_LIMIT - 1;
    for character in escape(text).chars() {
        if character.len_utf8() > left {
            break;
        }
        left -= character.len_utf8();
        output.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    output.push(b'\n');
}

/// Text of a peer, or a name, as it may be shown on a terminal: control characters and octets that
/// are no UTF-8 are escaped (`\n`, `\x1b`).
pub fn escape(text: &[u8]) -> String {
    let mut shown = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                shown.extend(character.escape_default());
            } else {
                shown.push(character);
            }
        }
        for byte in chunk.invalid() {
            shown.extend(byte.escape_ascii().map(char::from));
        }
    }
    shown
}
