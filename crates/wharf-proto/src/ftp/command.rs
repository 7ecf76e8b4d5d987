//! A command: verb and argument (RFC 959 5.3, RFC 2640 3.1).
//!
//! `verb [SP argument]`, exactly one space between them: every further space, trailing ones too, is
//! part of the argument, because names may hold them. What the argument means is the verb's business.

use thiserror::Error;

use super::{telnet::IAC, verb::Verb};

/// A command as both ends know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The verb.
    pub verb: Verb,
    /// The argument, byte for byte; empty without one.
    pub argument: Vec<u8>,
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CommandError {
    /// Nothing but blanks.
    #[error("the line is empty")]
    Empty,
    /// The first word is not a verb.
    #[error("the line does not begin with a known verb")]
    UnknownVerb,
}

/// Why a command cannot be sent.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a command cannot hold a line feed or NUL: it would become another command")]
pub struct UnsendableArgument;

impl Command {
    /// A command with an argument; an empty one is not sent.
    pub fn new(verb: Verb, argument: impl Into<Vec<u8>>) -> Self {
        Self {
            verb,
            argument: argument.into(),
        }
    }

    /// Reads a line without its end.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let (word, argument) = split(line);
        if word.is_empty() {
            return Err(CommandError::Empty);
        }
        let verb = Verb::find(word).ok_or(CommandError::UnknownVerb)?;
        Ok(Self {
            verb,
            argument: argument.to_vec(),
        })
    }

    /// Appends the command as it goes over the wire: CR as CR NUL, 0xFF doubled.
    ///
    /// # Errors
    /// [`UnsendableArgument`]; nothing is appended then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), UnsendableArgument> {
        encode_line(self.verb.name().as_bytes(), &self.argument, out)
    }
}

/// Appends a command with any word as its verb, for what a user types himself (`quote`).
///
/// # Errors
/// [`UnsendableArgument`]; nothing is appended then.
pub fn encode_line(
    word: &[u8],
    argument: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), UnsendableArgument> {
    if memchr::memchr3(b'\n', 0, b'\r', word).is_some()
        || memchr::memchr2(b'\n', 0, argument).is_some()
    {
        return Err(UnsendableArgument);
    }
    out.extend_from_slice(word);
    if !argument.is_empty() {
        out.push(b' ');
        for &byte in argument {
            out.push(byte);
            match byte {
                b'\r' => out.push(0),
                IAC => out.push(IAC),
                _ => {}
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// The first word and what stands behind the one space after it; blanks in front are skipped
/// (RPL-01).
pub fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let blanks = line
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let line = line.get(blanks..).unwrap_or_default();
    let end = line
        .iter()
        .position(|&byte| byte == b' ')
        .unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
    (word, rest.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ftp::{
        line::{Event, LineReader},
        verb::TABLE,
    };

    #[test]
    fn rpl_01_exactly_one_space_separates() {
        let command = Command::parse(b" \tcwd  a b ").unwrap();
        assert_eq!(command, Command::new(Verb::Cwd, &b" a b "[..]));
        assert_eq!(Command::parse(b"NOOP").unwrap().argument, b"");
        assert_eq!(Command::parse(b"  "), Err(CommandError::Empty));
        assert_eq!(Command::parse(b"FOO x"), Err(CommandError::UnknownVerb));
        assert_eq!(Command::parse(b"CWD\tx"), Err(CommandError::UnknownVerb));
    }

    #[test]
    fn a_name_cannot_smuggle_a_command() {
        let mut out = Vec::new();
        for name in [&b"a\r\nDELE b"[..], b"a\nb", b"a\0b"] {
            assert_eq!(
                Command::new(Verb::Retr, name).encode(&mut out),
                Err(UnsendableArgument)
            );
        }
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            verb in 0..TABLE.len(),
            argument in proptest::collection::vec(any::<u8>().prop_filter("line ends", |b| *b != b'\n' && *b != 0), 0..40),
        ) {
            let command = Command::new(TABLE[verb].verb, argument);
            let mut wire = Vec::new();
            command.encode(&mut wire).unwrap();
            let mut reader = LineReader::new();
            let mut input = &wire[..];
            match reader.next(&mut input, 8192, false) {
                Some(Event::Line(line)) => prop_assert_eq!(Command::parse(line), Ok(command)),
                other => prop_assert!(false, "{:?}", other),
            }
            prop_assert!(input.is_empty());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Command::parse(&bytes);
        }
    }
}
