//! `dir` lines, as IIS and other Windows servers send them for LIST.
//!
//! Date first (`02-05-24`, `02-05-2024` or `2024-02-05`), then a time with or without AM/PM, then
//! `<DIR>` or a size, then one name with blanks and all.

use super::{
    Entry, Kind, Modified, Shape,
    civil::{self, Civil},
    words::{Words, grouped_number, number},
};

/// Reads one line.
pub(super) fn line(line: &[u8]) -> Option<Shape> {
    let mut words = Words::new(line);
    let (_, date) = words.next()?;
    let (year, month, day) = civil::iso_date(date).or_else(|| american_date(date))?;
    let (_, time) = words.next()?;
    let (hour, minute, second, precision) = civil::clock(time)?;
    let (mut start, mut what) = words.next()?;
    let mut civil = Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    };
    if what.eq_ignore_ascii_case(b"AM") || what.eq_ignore_ascii_case(b"PM") {
        civil.hour = civil.hour % 12
            + if what.eq_ignore_ascii_case(b"PM") {
                12
            } else {
                0
            };
        (start, what) = words.next()?;
    }
    let (kind, size) = if what.starts_with(b"<") {
        let kind = match what.to_ascii_uppercase().as_slice() {
            b"<DIR>" => Kind::Directory,
            b"<SYMLINK>" | b"<SYMLINKD>" | b"<JUNCTION>" => Kind::Link,
            _ => Kind::Other,
        };
        (kind, None)
    } else {
        (Kind::File, Some(grouped_number(what)?))
    };
    let behind = line.get(start + what.len()..)?;
    // After a size there is one blank; after a mark the name stands in its column. Names with leading
    // blanks are not told apart here: Windows cannot make them through its shell.
    let name = behind.get(behind.iter().position(|b| *b != b' ')?..)?;
    let (name, link_target) = match kind {
        Kind::Link => split_target(name),
        _ => (name, None),
    };
    let modified = civil
        .seconds()
        .map(|seconds| Modified { seconds, precision });
    Some(Shape::Entry(Entry {
        name: name.to_vec(),
        kind,
        size,
        modified,
        mode: None,
        owner: None,
        group: None,
        link_target,
    }))
}

/// `MM-DD-YY`, `MM-DD-YYYY`, also with `/` or `.`; years below 70 are of this century.
fn american_date(word: &[u8]) -> Option<(u16, u8, u8)> {
    let mut parts = word.split(|b| matches!(b, b'-' | b'/' | b'.'));
    let month = parts.next().filter(|p| p.len() <= 2).and_then(number)?;
    let day = parts.next().filter(|p| p.len() <= 2).and_then(number)?;
    let last = parts.next()?;
    let year = match (last.len(), u16::try_from(number(last)?).ok()?) {
        (2, short) if short < 70 => 2000 + short,
        (2, short) => 1900 + short,
        (4, year) => year,
        _ => return None,
    };
    let small = |n: u64| u8::try_from(n).ok();
    parts
        .next()
        .is_none()
        .then_some((year, small(month)?, small(day)?))
}

/// `name [target]`.
fn split_target(name: &[u8]) -> (&[u8], Option<Vec<u8>>) {
    let open = name.windows(2).rposition(|w| w == b" [");
    match (open, name.strip_suffix(b"]")) {
        (Some(at), Some(inner)) if at > 0 => (
            name.get(..at).unwrap_or(name),
            inner.get(at + 2..).map(<[u8]>::to_vec),
        ),
        _ => (name, None),
    }
}
