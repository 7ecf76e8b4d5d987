//! Dates of listing lines.
//!
//! Listings name no zone; times are read as UTC, which is what servers without a promise mostly send
//! and what a caller can shift. A date without a year is the last one that is not in the future.

use super::{Precision, words::number};
use crate::ftp::time::{Calendar, DAY};

/// How far in the future a date may lie before it is taken for last year's: the zones of server and
/// client may differ by a day.
const FUTURE_SLACK: i64 = DAY;

/// A date and a time of day, unchecked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Civil {
    pub(super) year: u16,
    pub(super) month: u8,
    pub(super) day: u8,
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
}

impl Civil {
    /// Unix seconds; `None` when no such date exists. A leap second counts as the 59th.
    pub(super) fn seconds(self) -> Option<i64> {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        let second = if second == 60 { 59 } else { second };
        Calendar {
            year,
            month,
            day,
            hour,
            minute,
            second,
        }
        .seconds()
    }
}

/// The latest such date that is not in the future of `now`.
pub(super) fn nearest_past(
    month: u8,
    day: u8,
    (hour, minute, second): (u8, u8, u8),
    now: i64,
) -> Option<i64> {
    let this = Calendar::of(now).year;
    // 29 February may need up to eight years.
    (0..=9).find_map(|back| {
        let year = (this + 1).checked_sub(back)?;
        let seconds = Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
        }
        .seconds()?;
        (seconds <= now.saturating_add(FUTURE_SLACK)).then_some(seconds)
    })
}

fn small(word: &[u8]) -> Option<u8> {
    number(word).and_then(|n| u8::try_from(n).ok())
}

/// An English month name, short or long, or a German, French, Spanish, Italian or Dutch short one
/// that differs.
pub(super) fn month(word: &[u8]) -> Option<u8> {
    const NAMES: [&[&str]; 12] = [
        &["jan", "ene", "gen", "janv"],
        &["feb", "fev", "févr", "febr"],
        &["mar", "mär", "mrz", "mars", "mrt", "maa"],
        &["apr", "avr", "abr", "avril"],
        &["may", "mai", "mei", "mag"],
        &["jun", "juin", "giu"],
        &["jul", "juil", "lug"],
        &["aug", "août", "aou", "ago"],
        &["sep", "sept", "set"],
        &["oct", "okt", "ott"],
        &["nov"],
        &["dec", "dez", "déc", "dic"],
    ];
    const LONG: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let text = std::str::from_utf8(word)
        .ok()?
        .trim_end_matches(['.', ','])
        .to_lowercase();
    let short = NAMES
        .iter()
        .position(|names| names.contains(&text.as_str()));
    let index = short.or_else(|| LONG.iter().position(|name| *name == text))?;
    u8::try_from(index + 1).ok()
}

/// A day of a month, with or without a full stop behind it.
pub(super) fn day(word: &[u8]) -> Option<u8> {
    let word = word
        .strip_suffix(b".")
        .or_else(|| word.strip_suffix(b","))
        .unwrap_or(word);
    small(word).filter(|day| word.len() <= 2 && (1..=31).contains(day))
}

/// A year of four digits.
pub(super) fn year(word: &[u8]) -> Option<u16> {
    let year = u16::try_from(number(word)?).ok()?;
    (word.len() == 4 && (1..=9999).contains(&year)).then_some(year)
}

/// `2024-02-29`, `2024/02/29`.
pub(super) fn iso_date(word: &[u8]) -> Option<(u16, u8, u8)> {
    let mut parts = word.split(|b| matches!(b, b'-' | b'/'));
    let year = year(parts.next()?)?;
    let month = small(parts.next()?)?;
    let day = small(parts.next()?)?;
    parts.next().is_none().then_some((year, month, day))
}

/// `15:04`, `15:04:05`, `15:04:05.123456789`, `03:04PM`: hour, minute, second, how exact.
pub(super) fn clock(word: &[u8]) -> Option<(u8, u8, u8, Precision)> {
    let (digits, noon) = match word.split_last_chunk::<2>() {
        Some((front, half)) if half.eq_ignore_ascii_case(b"AM") => (front, Some(0)),
        Some((front, half)) if half.eq_ignore_ascii_case(b"PM") => (front, Some(12)),
        _ => (word, None),
    };
    let mut parts = digits.splitn(3, |b| *b == b':');
    let hour = small(parts.next()?)?;
    let minute = parts.next().filter(|m| m.len() == 2).and_then(small)?;
    let (second, precision) = match parts.next() {
        Some(text) => (
            small(text.split(|b| *b == b'.').next()?)?,
            Precision::Second,
        ),
        None => (0, Precision::Minute),
    };
    let hour = match noon {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + half,
        Some(_) => return None,
        None => hour,
    };
    (hour < 24 && minute < 60 && second <= 60).then_some((hour, minute, second, precision))
}

/// `+0130`: seconds east of UTC.
pub(super) fn zone(word: &[u8]) -> Option<i64> {
    let (sign, digits) = match word.split_first()? {
        (b'+', rest) => (1, rest),
        (b'-', rest) => (-1, rest),
        _ => return None,
    };
    let value = i64::try_from(number(digits).filter(|_| digits.len() == 4)?).ok()?;
    Some(sign * (value / 100 * 3600 + value % 100 * 60))
}
