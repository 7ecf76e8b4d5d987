//! The line that NAME carries for people (draft section 7; SFT-37).
//!
//! The same line as FTP's LIST shows (DAT-70): PuTTY prints it, old WinSCP reads it. On the other
//! side nothing but the number of links is read from it (SFT-83), since attributes tell no such.

use crate::ftp::listing::render;

pub use crate::ftp::listing::render::{Entry, Kind};

/// Appends the line, in UTC and without a line end; `now` is in seconds since 1970.
pub fn push(entry: &Entry<'_>, now: i64, output: &mut Vec<u8>) {
    let style = render::Style {
        now,
        zone: 0,
        classify: false,
    };
    render::push_long_bare(entry, style, output);
}

/// The number of links, when the line is that of `ls -l`.
#[must_use]
pub fn links(line: &[u8]) -> Option<u64> {
    let mut words = line
        .split(|octet| *octet == b' ')
        .filter(|word| !word.is_empty());
    let mode = words.next()?;
    if mode.len() < 10 || !b"-dlbcps".contains(mode.first()?) {
        return None;
    }
    std::str::from_utf8(words.next()?).ok()?.parse().ok()
}
