//! Numbers with units: durations, sizes, rates, permission bits, moments.

use std::{num::NonZeroU64, str::FromStr, time::Duration};

use serde_json::{Value as Json, json};
use toml_edit::Value;

use super::from_text;
use crate::config::{
    raw::{Node, Report},
    section::Setting,
};

impl Setting for Duration {
    fn words() -> String {
        "duration".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+ *(ms|s|m|h|d)$" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        if let Some(seconds) = node
            .as_value()
            .and_then(Value::as_integer)
            .and_then(|number| u64::try_from(number).ok())
        {
            return Some(Self::from_secs(seconds));
        }
        from_text(node, report, "a duration", |text| {
            let (number, unit) =
                split_unit(text).ok_or("write a whole number and a unit: ms, s, m, h or d")?;
            let millis = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err("the units are ms, s, m, h and d"),
            };
            number
                .checked_mul(millis)
                .map(Self::from_millis)
                .ok_or("that is longer than any clock runs")
        })
    }

    fn number(&self) -> Option<u64> {
        // A part of a second counts as one, so that `1..` keeps zero out and nothing else.
        Some(self.as_secs() + u64::from(self.subsec_nanos() > 0))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

/// Bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) NonZeroU64);

impl Setting for Bytes {
    fn words() -> String {
        "size".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+ *([kKMGT]i?)?B?$" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        if let Some(bytes) = node
            .as_value()
            .and_then(Value::as_integer)
            .and_then(|number| u64::try_from(number).ok())
        {
            return Some(Self(bytes));
        }
        from_text(node, report, "a size", bytes).map(Self)
    }

    fn number(&self) -> Option<u64> {
        Some(self.0)
    }
}

impl Setting for Rate {
    fn words() -> String {
        "rate".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": ["integer", "string"], "minimum": 1, "pattern": "^[0-9]+ *([kKMGT]i?)?B?(/s)?$" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let written = node
            .as_value()
            .and_then(Value::as_integer)
            .and_then(|number| u64::try_from(number).ok());
        let rate = match written {
            Some(rate) => Some(rate),
            None => from_text(node, report, "a rate", |text| {
                bytes(text.strip_suffix("/s").unwrap_or(text))
            }),
        }?;
        let rate = NonZeroU64::new(rate);
        if rate.is_none() {
            node.refuse(
                report,
                "a rate of 0 would stop every transfer",
                Some("leave the key out for no limit".to_owned()),
            );
        }
        rate.map(Self)
    }
}

/// Number and unit of `16 MiB`.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

fn bytes(text: &str) -> Result<u64, &'static str> {
    let (number, unit) = split_unit(text)
        .ok_or("write a whole number and a unit: B, KiB, MiB, GiB, TiB, kB, MB, GB or TB")?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err("the units are B, KiB, MiB, GiB, TiB, kB, MB, GB and TB"),
    };
    number.checked_mul(factor).ok_or("that is more than 16 EiB")
}

/// Permission bits that new objects do not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Umask(pub(crate) u32);

impl FromStr for Umask {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u32::from_str_radix(text, 8)
            .ok()
            .filter(|bits| *bits <= 0o777)
            .map(Self)
            .ok_or("the bits are 000 to 777")
    }
}

/// A moment, in seconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) u64);

impl Setting for Moment {
    fn words() -> String {
        "moment".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string", "format": "date-time" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let written = match node.as_value() {
            Some(Value::Datetime(moment)) => Some(*moment.value()),
            Some(Value::String(text)) => text.value().parse().ok(),
            _ => None,
        };
        let moment = written.and_then(|moment| unix_seconds(&moment)).map(Self);
        if moment.is_none() {
            node.refuse_type(
                report,
                "a date since 1970, such as 2030-12-31 or 2030-12-31T18:00:00Z",
            );
        }
        moment
    }
}

/// Seconds since 1970 of a date with or without time. Proleptic Gregorian calendar, no leap seconds.
fn unix_seconds(moment: &toml_edit::Datetime) -> Option<u64> {
    let date = moment.date?;
    let (year, month, day) = (
        i64::from(date.year),
        i64::from(date.month),
        i64::from(date.day),
    );
    // Years begin in March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - 719_468;
    let seconds = moment.time.map_or(0, |time| {
        i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + time.second.map_or(0, i64::from)
    });
    let offset = match moment.offset {
        Some(toml_edit::Offset::Custom { minutes }) => i64::from(minutes) * 60,
        Some(toml_edit::Offset::Z) | None => 0,
    };
    u64::try_from(days * 86_400 + seconds - offset).ok()
}
