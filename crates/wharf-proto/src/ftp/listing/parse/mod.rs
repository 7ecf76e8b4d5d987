//! Listings as servers send them, read into plain entries.
//!
//! LIST has no standard form (RFC 959 4.1.3: "the format may vary widely"), so every line is tried
//! against the forms that are in use: `ls -l` in its many dialects, MS-DOS `dir`, EPLF; MLSD lines
//! (RFC 3659 7) have a form and are read by [`crate::ftp::facts`]. Lines that fit nothing are counted,
//! never guessed at. Names are *data of the peer*: bytes, unchecked; whoever makes a local file of one
//! asks [`Entry::is_plain_name`] first (CVE-2019-6111, CVE-2024-6387's cousins in FTP clients).
//!
//! Nothing here panics, and all it holds is bounded by [`Limits`].

mod civil;
mod dos;
mod eplf;
mod facts;
mod unix;
mod words;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

/// One object in a remote directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The name as sent: any bytes but line ends.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Octets; `None` when not told.
    pub size: Option<u64>,
    /// Time of last change; `None` when not told or not a date.
    pub modified: Option<Modified>,
    /// Permission bits (`0o7777` at most).
    pub mode: Option<u32>,
    /// The owner's name or number.
    pub owner: Option<Vec<u8>>,
    /// The group's name or number.
    pub group: Option<Vec<u8>>,
    /// Where a link points.
    pub link_target: Option<Vec<u8>>,
}

impl Entry {
    /// An entry of which only name and kind are known.
    #[must_use]
    pub fn named(name: &[u8], kind: Kind) -> Self {
        Self {
            name: name.to_vec(),
            kind,
            size: None,
            modified: None,
            mode: None,
            owner: None,
            group: None,
            link_target: None,
        }
    }

    /// Whether the name is one component and may become a local file's: not empty, not `.` or `..`,
    /// no `/`, `\` or NUL, no control byte.
    #[must_use]
    pub fn is_plain_name(&self) -> bool {
        is_plain_name(&self.name)
    }
}

/// Whether bytes are one path component that a server may name: not empty, not `.` or `..`, without
/// `/`, `\`, NUL or another control byte.
#[must_use]
pub fn is_plain_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..")
        && !name
            .iter()
            .any(|b| b.is_ascii_control() || matches!(b, b'/' | b'\\'))
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; what it leads to is not known.
    Link,
    /// A device, a socket, or something the listing does not tell.
    Other,
}

/// A time and how much of it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modified {
    /// Unix seconds. MLSD and EPLF tell UTC; the other forms name no zone and are read as UTC.
    pub seconds: i64,
    /// How exact.
    pub precision: Precision,
}

/// How exact a listing's time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// The day only.
    Day,
    /// The minute.
    Minute,
    /// The second, or finer.
    Second,
}

/// In which form the lines come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// MLSD: RFC 3659 7.
    Facts,
    /// LIST: found out line by line.
    Detect,
    /// NLST: one name per line, perhaps with directories before it.
    Names,
}

/// What a parser may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of one line; the rest of a longer one is dropped and the line counted as not understood.
    pub line: usize,
    /// Entries in all; more are counted, not held.
    pub entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 64 * 1024,
            entries: 1_000_000,
        }
    }
}

/// Reads a listing piece by piece.
#[derive(Debug)]
pub struct ListingParser {
    format: Format,
    limits: Limits,
    now: i64,
    line: Vec<u8>,
    overlong: bool,
    entries: VecDeque<Entry>,
    given: usize,
    not_understood: u64,
    dropped: u64,
}

/// What a line is.
enum Shape {
    Entry(Entry),
    /// A heading, a total, the directory itself or its parent.
    Skip,
}

impl ListingParser {
    /// A parser; `now` (Unix seconds) supplies the year where a line has none.
    #[must_use]
    pub fn new(format: Format, now: i64, limits: Limits) -> Self {
        Self {
            format,
            limits,
            now,
            line: Vec::new(),
            overlong: false,
            entries: VecDeque::new(),
            given: 0,
            not_understood: 0,
            dropped: 0,
        }
    }

    /// Takes the next bytes of the data connection.
    pub fn handle_input(&mut self, mut bytes: &[u8]) {
        while let Some(at) = memchr::memchr(b'\n', bytes) {
            let (front, rest) = bytes.split_at(at);
            self.extend(front);
            self.end_line();
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.extend(bytes);
    }

    /// The data connection ended: what stands without a line end is a line too.
    pub fn handle_end(&mut self) {
        if !self.line.is_empty() || self.overlong {
            self.end_line();
        }
    }

    /// The next entry, in the order sent.
    pub fn poll_entry(&mut self) -> Option<Entry> {
        self.entries.pop_front()
    }

    /// Lines that fit no known form.
    #[must_use]
    pub const fn not_understood(&self) -> u64 {
        self.not_understood
    }

    /// Entries beyond [`Limits::entries`].
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = self.limits.line.saturating_sub(self.line.len());
        match bytes.get(..room) {
            Some(fits) if fits.len() < bytes.len() => {
                self.overlong = true;
                self.line.extend_from_slice(fits);
            }
            _ => self.line.extend_from_slice(bytes),
        }
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        while line.last() == Some(&b'\r') {
            line.pop();
        }
        if std::mem::take(&mut self.overlong) {
            self.not_understood += 1;
        } else if !line.is_empty() {
            match shape(self.format, &line, self.now) {
                Some(Shape::Entry(entry)) if matches!(entry.name.as_slice(), b"." | b"..") => {}
                Some(Shape::Entry(_)) if self.given >= self.limits.entries => self.dropped += 1,
                Some(Shape::Entry(entry)) => {
                    self.given += 1;
                    self.entries.push_back(entry);
                }
                Some(Shape::Skip) => {}
                None => self.not_understood += 1,
            }
        }
        line.clear();
        self.line = line;
    }
}

/// Reads one line without its line end; `None` when it holds no entry or fits no known form.
#[must_use]
pub fn line(format: Format, line: &[u8], now: i64) -> Option<Entry> {
    match shape(format, line, now)? {
        Shape::Entry(entry) => Some(entry),
        Shape::Skip => None,
    }
}

fn shape(format: Format, line: &[u8], now: i64) -> Option<Shape> {
    match format {
        Format::Facts => facts::line(line),
        Format::Names => Some(name_only(line)),
        Format::Detect => eplf::line(line)
            .or_else(|| unix::line(line, now))
            .or_else(|| dos::line(line)),
    }
}

/// Some servers send whole paths for NLST (INT-87); the last component is the name.
fn name_only(line: &[u8]) -> Shape {
    let trimmed = line.strip_suffix(b"/").unwrap_or(line);
    let kind = if trimmed.len() < line.len() {
        Kind::Directory
    } else {
        Kind::Other
    };
    let name = trimmed.rsplit(|b| *b == b'/').next().unwrap_or(trimmed);
    if name.is_empty() {
        Shape::Skip
    } else {
        Shape::Entry(Entry::named(name, kind))
    }
}
