//! Words of a command line as a POSIX shell would split them, and the way back (SFT-71, SCP-31).
//!
//! A shell does far more with a line than to split it. Whatever would need more (variables, pipes,
//! redirections, several commands) is refused, never guessed at. Which octets were quoted is kept,
//! because only an unquoted `*` is a pattern and only an unquoted `~` is home.

use thiserror::Error;

/// Longest command line, octets.
pub const LINE_LIMIT: usize = 64 * 1024;

/// Why a line is not split.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum QuoteError {
    /// An octet that only a shell could act on.
    #[error("'{}' has a meaning for a shell only, and no shell runs here", byte.escape_ascii())]
    Shell {
        /// The octet.
        byte: u8,
    },
    /// A quote that is opened and not closed, or a `\` at the end.
    #[error("a quote is not closed")]
    Unclosed,
    /// A NUL octet.
    #[error("a command may not hold a NUL octet")]
    Nul,
    /// Longer than [`LINE_LIMIT`].
    #[error("a command may be {LINE_LIMIT} octets long at most")]
    TooLong,
}

/// One word: its octets, and which of them were quoted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    octets: Vec<u8>,
    quoted: Vec<bool>,
}

impl Word {
    /// The word without its quotes.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Takes the word without its quotes.
    pub fn into_octets(self) -> Vec<u8> {
        self.octets
    }

    /// The octets, each with whether it was quoted.
    pub fn iter(&self) -> impl Iterator<Item = (u8, bool)> {
        self.octets.iter().copied().zip(self.quoted.iter().copied())
    }

    fn push(&mut self, byte: u8, quoted: bool) {
        self.octets.push(byte);
        self.quoted.push(quoted);
    }
}

/// Splits a line into words.
///
/// # Errors
/// [`QuoteError`]: a shell would do more than to split it.
pub fn split(line: &[u8]) -> Result<Vec<Word>, QuoteError> {
    if line.len() > LINE_LIMIT {
        return Err(QuoteError::TooLong);
    }
    if line.contains(&0) {
        return Err(QuoteError::Nul);
    }
    let mut words = Vec::new();
    // `Some` from the first octet or quote of a word on: '' is a word, too.
    let mut word: Option<Word> = None;
    let mut octets = line.iter().copied();
    while let Some(byte) = octets.next() {
        match byte {
            b' ' | b'\t' => words.extend(word.take()),
            b'\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match octets.next().ok_or(QuoteError::Unclosed)? {
                        b'\'' => break,
                        byte => word.push(byte, true),
                    }
                }
            }
            b'"' => double_quoted(&mut octets, word.get_or_insert_default())?,
            b'\\' => match octets.next().ok_or(QuoteError::Unclosed)? {
                byte @ b'\n' => return Err(QuoteError::Shell { byte }),
                byte => word.get_or_insert_default().push(byte, true),
            },
            b';' | b'&' | b'|' | b'`' | b'$' | b'<' | b'>' | b'\n' => {
                return Err(QuoteError::Shell { byte });
            }
            byte => word.get_or_insert_default().push(byte, false),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Between double quotes a shell still expands variables and commands: those are refused.
fn double_quoted(octets: &mut impl Iterator<Item = u8>, word: &mut Word) -> Result<(), QuoteError> {
    loop {
        match octets.next().ok_or(QuoteError::Unclosed)? {
            b'"' => return Ok(()),
            byte @ (b'$' | b'`') => return Err(QuoteError::Shell { byte }),
            b'\\' => match octets.next().ok_or(QuoteError::Unclosed)? {
                byte @ (b'$' | b'`' | b'"' | b'\\') => word.push(byte, true),
                b'\n' => {}
                byte => {
                    word.push(b'\\', true);
                    word.push(byte, true);
                }
            },
            byte => word.push(byte, true),
        }
    }
}

/// Single-quotes a word so that any POSIX shell, and [`split`], gives it back as it is.
pub fn word(octets: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(octets.len() + 2);
    quoted.push(b'\'');
    for &byte in octets {
        if byte == b'\'' {
            quoted.extend_from_slice(b"'\\''");
        } else {
            quoted.push(byte);
        }
    }
    quoted.push(b'\'');
    quoted
}

/// Quotes a remote path for the command line of `scp -t` or `scp -f` (SCP-31). A leading `~` or `~/`
/// stays the remote home, a leading `-` is protected by `./`.
pub fn path(path: &[u8]) -> Vec<u8> {
    match path {
        b"~" => b"~".to_vec(),
        [b'~', b'/', rest @ ..] => [b"~/".as_slice(), &word(rest)].concat(),
        [b'-', ..] => word(&[b"./".as_slice(), path].concat()),
        _ => word(path),
    }
}

/// As [`path`], but leaves the octets of a pattern (`*`, `?`, `[`, `]`) to the remote shell; all
/// others are quoted.
pub fn pattern(path: &[u8]) -> Vec<u8> {
    let (mut quoted, mut rest) = match path {
        b"~" => (b"~".to_vec(), b"".as_slice()),
        [b'~', b'/', rest @ ..] => (b"~/".to_vec(), rest),
        [b'-', ..] => (b"./".to_vec(), path),
        _ => (Vec::new(), path),
    };
    let is_special = |byte: &u8| b"*?[]".contains(byte);
    while !rest.is_empty() {
        let plain = rest.iter().position(is_special).unwrap_or(rest.len());
        let (before, after) = rest.split_at_checked(plain).unwrap_or((rest, b""));
        if !before.is_empty() {
            quoted.extend(word(before));
        }
        let special = after.iter().take_while(|byte| is_special(byte)).count();
        let (stars, after) = after.split_at_checked(special).unwrap_or((after, b""));
        quoted.extend_from_slice(stars);
        rest = after;
    }
    quoted
}
