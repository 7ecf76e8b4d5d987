//! `ls -l` lines, as most servers send them for LIST.
//!
//! No column is fixed: link counts and groups are missing on some servers, sizes are pairs on
//! devices, dates come in four forms. So the *date* is searched, with a number before it; the name is
//! everything behind the one space that follows it, blanks and all.

use super::{
    Entry, Kind, Modified, Precision, Shape,
    civil::{self, Civil},
    words::{Words, number},
};

/// Reads one line; `now` (Unix seconds) supplies a missing year.
pub(super) fn line(line: &[u8], now: i64) -> Option<Shape> {
    if is_total(line) {
        return Some(Shape::Skip);
    }
    let kind = kind(*line.first()?)?;
    let words: Vec<(usize, &[u8])> = Words::new(line).take(MAX_WORDS).collect();
    let (_, permissions) = *words.first()?;
    let mode = mode(permissions);
    if mode.is_none() && !is_netware(&words) {
        return None;
    }
    let date = find_date(&words, now)?;
    let name_start = date.end + 1;
    let name = line.get(name_start..)?;
    if name.is_empty() {
        return None;
    }
    let (name, link_target) = match kind {
        Kind::Link => split_link(name),
        _ => (name, None),
    };
    let (owner, group) = owner_and_group(&words, date.index);
    Some(Shape::Entry(Entry {
        name: name.to_vec(),
        kind,
        size: date.size,
        modified: Some(date.modified),
        mode,
        owner,
        group,
        link_target,
    }))
}

/// Words that are looked at; the rest of a line can only be the name.
const MAX_WORDS: usize = 16;

/// The ` -> ` that stands between a link and its target.
const ARROW: &[u8] = b" -> ";

fn is_total(line: &[u8]) -> bool {
    let mut words = Words::new(line);
    matches!(words.next(), Some((0, word)) if word.eq_ignore_ascii_case(b"total"))
        && words.next().is_none_or(|(_, word)| {
            word.iter()
                .all(|b| b.is_ascii_digit() || b".,KMGk".contains(b))
        })
        && words.next().is_none()
}

const fn kind(letter: u8) -> Option<Kind> {
    match letter {
        b'-' | b'f' => Some(Kind::File),
        b'd' | b'D' => Some(Kind::Directory),
        b'l' => Some(Kind::Link),
        b'b' | b'c' | b'p' | b's' | b'm' | b'n' => Some(Kind::Other),
        _ => None,
    }
}

/// `-rwsr-x--T+` as bits; `None` when it is not nine permission letters.
fn mode(word: &[u8]) -> Option<u32> {
    let letters = word.get(1..10)?;
    if word.len() > 11 {
        return None;
    }
    let mut ordinary = 0;
    let mut special = 0;
    for (triple, special_bit) in letters.chunks_exact(3).zip([0o4000, 0o2000, 0o1000]) {
        let [read, write, execute] = triple else {
            return None;
        };
        ordinary <<= 3;
        ordinary |= match read {
            b'r' => 4,
            b'-' => 0,
            _ => return None,
        };
        ordinary |= match write {
            b'w' => 2,
            b'-' => 0,
            _ => return None,
        };
        let (run, set) = match execute {
            b'x' => (1, 0),
            b's' | b't' => (1, special_bit),
            b'S' | b'T' | b'l' | b'L' => (0, special_bit),
            b'-' => (0, 0),
            _ => return None,
        };
        ordinary |= run;
        special |= set;
    }
    Some(special | ordinary)
}

/// `d [RWCEAFMS] owner size date name`.
fn is_netware(words: &[(usize, &[u8])]) -> bool {
    let (Some((_, first)), Some((_, rights))) = (words.first(), words.get(1)) else {
        return false;
    };
    first.len() == 1 && rights.starts_with(b"[") && rights.ends_with(b"]")
}

fn split_link(name: &[u8]) -> (&[u8], Option<Vec<u8>>) {
    match name.windows(ARROW.len()).position(|w| w == ARROW) {
        Some(0) | None => (name, None),
        Some(at) => {
            let (link, rest) = name.split_at(at);
            (link, rest.get(ARROW.len()..).map(<[u8]>::to_vec))
        }
    }
}

struct Date {
    /// Index of the word that holds the size.
    index: usize,
    size: Option<u64>,
    modified: Modified,
    /// Offset behind the date's last word.
    end: usize,
}

fn find_date(words: &[(usize, &[u8])], now: i64) -> Option<Date> {
    (1..words.len()).find_map(|at| {
        let before = at - 1;
        let (_, size_word) = words.get(before)?;
        let size = number(size_word)?;
        let (modified, used) = date_at(words.get(at..)?, now)?;
        let (start, last) = words.get(at + used - 1)?;
        // A device has `major, minor` where others have a size.
        let device = before
            .checked_sub(1)
            .and_then(|i| words.get(i))
            .is_some_and(|(_, w)| w.ends_with(b","));
        Some(Date {
            index: before,
            size: (!device).then_some(size),
            modified,
            end: start + last.len(),
        })
    })
}

/// The date that starts at the first word, and how many words it takes.
fn date_at(words: &[(usize, &[u8])], now: i64) -> Option<(Modified, usize)> {
    let word = |i: usize| words.get(i).map(|(_, w)| *w);
    let first = word(0)?;
    if let Some((year, month, day)) = civil::iso_date(first) {
        let (hour, minute, second, precision) = civil::clock(word(1)?)?;
        // `ls --full-time` adds a zone.
        let (shift, used) = match word(2).and_then(civil::zone) {
            Some(shift) => (shift, 3),
            None => (0, 2),
        };
        let seconds = Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
        }
        .seconds()?
            - shift;
        return Some((Modified { seconds, precision }, used));
    }
    let (month, day) = match (civil::month(first), civil::month(word(1)?)) {
        (Some(month), _) => (month, civil::day(word(1)?)?),
        (None, Some(month)) => (month, civil::day(first)?),
        (None, None) => return None,
    };
    let last = word(2)?;
    if let Some((hour, minute, second, precision)) = civil::clock(last) {
        // BSD's `ls -T` and some others put a year behind the time.
        if let Some(year) = word(3)
            .and_then(civil::year)
            .filter(|_| precision == Precision::Second)
        {
            let seconds = Civil {
                year,
                month,
                day,
                hour,
                minute,
                second,
            }
            .seconds()?;
            return Some((Modified { seconds, precision }, 4));
        }
        let seconds = civil::nearest_past(month, day, (hour, minute, second), now)?;
        return Some((Modified { seconds, precision }, 3));
    }
    let year = civil::year(last)?;
    let seconds = Civil {
        year,
        month,
        day,
        hour: 0,
        minute: 0,
        second: 0,
    }
    .seconds()?;
    Some((
        Modified {
            seconds,
            precision: Precision::Day,
        },
        3,
    ))
}

/// The two words before the size (or before a device's numbers), where there are two.
fn owner_and_group(
    words: &[(usize, &[u8])],
    size_index: usize,
) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let end = match size_index.checked_sub(1).and_then(|i| words.get(i)) {
        Some((_, word)) if word.ends_with(b",") => size_index - 1,
        _ => size_index,
    };
    let Some(between) = words.get(1..end) else {
        return (None, None);
    };
    let text = |i: usize| between.get(i).map(|(_, w)| w.to_vec());
    match between.len() {
        0 => (None, None),
        1 => (text(0).filter(|w| number(w).is_none()), None),
        2 if between
            .first()
            .is_some_and(|(_, w)| number(w).is_some() || w.starts_with(b"[")) =>
        {
            (text(1), None)
        }
        2 => (text(0), text(1)),
        n => (text(n - 2), text(n - 1)),
    }
}
