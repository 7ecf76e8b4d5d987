//! The types that keys have, and how each is written.
//!
//! A type reads itself from TOML or complains in words that tell how to write it. Durations are
//! seconds or text with a unit, sizes bytes or text with a unit.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    num::NonZeroU64,
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use serde_json::{Value as Json, json};
use toml_edit::Value;
use wharf_accounts::{AccountName, Network, Secret};
use wharf_vfs::{Right, Rights, VirtualPath};

use super::{
    raw::{Node, Report, nearest},
    section::{Key, Setting},
};

/// Reads a text and makes something of it.
fn from_text<T, E: Display>(
    node: &Node<'_>,
    report: &mut Report,
    expected: &str,
    make: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let Some(text) = node.as_str() else {
        node.refuse_type(report, expected);
        return None;
    };
    make(text)
        .map_err(|error| {
            node.refuse(
                report,
                format_args!("expected {expected}, found {text:?}"),
                Some(error.to_string()),
            )
        })
        .ok()
}

impl Setting for bool {
    fn words() -> String {
        "true or false".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "boolean" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let value = node.as_value().and_then(Value::as_bool);
        if value.is_none() {
            node.refuse_type(report, "true or false");
        }
        value
    }
}

macro_rules! whole_number {
    ($($type:ty),+) => { $(
        impl Setting for $type {
            fn words() -> String {
                "whole number".to_owned()
            }

            fn schema() -> Json {
                json!({ "type": "integer", "minimum": 0, "maximum": <$type>::MAX.min(i64::MAX as $type) })
            }

            fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
                let value = node.as_value().and_then(Value::as_integer).and_then(|number| Self::try_from(number).ok());
                if value.is_none() {
                    node.refuse_type(report, &format!("a whole number from 0 to {}", <$type>::MAX));
                }
                value
            }

            fn number(&self) -> Option<u64> {
                u64::try_from(*self).ok()
            }
        }
    )+ };
}

whole_number!(u32, usize);

impl Setting for u16 {
    fn words() -> String {
        "whole number".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "integer", "minimum": 0, "maximum": Self::MAX })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let value = node
            .as_value()
            .and_then(Value::as_integer)
            .and_then(|number| Self::try_from(number).ok());
        if value.is_none() {
            node.refuse_type(report, "a whole number from 0 to 65535");
        }
        value
    }

    fn number(&self) -> Option<u64> {
        Some((*self).into())
    }
}

impl Setting for String {
    fn words() -> String {
        "text".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let text = node.as_str();
        if text.is_none() {
            node.refuse_type(report, "text");
        }
        text.map(str::to_owned)
    }
}

impl Setting for Secret {
    fn words() -> String {
        "text (secret)".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string", "writeOnly": true })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let Some(text) = node.as_str() else {
            // What was found is not told: it may be the secret.
            node.refuse(report, "expected text in quotes", None);
            return None;
        };
        Some(Self::new(text))
    }
}

impl Setting for PathBuf {
    fn words() -> String {
        "host path".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let base = node.origin.directory();
        from_text(node, report, "a host path", |text| {
            if text.is_empty() || text.contains('\0') {
                return Err("write `.` for the directory of the configuration file");
            }
            Ok(base.map_or_else(|| Self::from(text), |base| base.join(text)))
        })
    }
}

impl<T: Setting> Setting for Option<T> {
    const LIST: bool = T::LIST;
    const FIELDS: &'static [Key] = T::FIELDS;

    fn words() -> String {
        T::words()
    }

    fn schema() -> Json {
        T::schema()
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        T::read(node, report).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn number(&self) -> Option<u64> {
        self.as_ref().and_then(T::number)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const LIST: bool = true;
    const FIELDS: &'static [Key] = T::FIELDS;

    fn words() -> String {
        format!("list of: {}", T::words())
    }

    fn schema() -> Json {
        json!({ "type": "array", "items": T::schema() })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let Some(elements) = node.elements() else {
            node.refuse_type(report, &format!("a {}", Self::words()));
            return None;
        };
        // All elements are read, so that all their problems are told.
        let read: Vec<_> = elements
            .iter()
            .map(|element| {
                report.saw(element);
                T::read(element, report)
            })
            .collect();
        read.into_iter().collect()
    }
}

/// Types that are written as text and read with `FromStr`.
macro_rules! written_as_text {
    ($($type:ty: $words:literal;)+) => { $(
        impl Setting for $type {
            fn words() -> String {
                $words.to_owned()
            }

            fn schema() -> Json {
                json!({ "type": "string" })
            }

            fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
                from_text(node, report, $words, <$type>::from_str)
            }
        }
    )+ };
}

written_as_text! {
    SocketAddr: "address and port, such as \"0.0.0.0:2121\" or \"[::]:2121\"";
    Network: "network, such as \"192.0.2.0/24\" or \"2001:db8::/32\"";
    PeerCheck: "\"exact\", \"off\" or \"net/24\" (\"net/24/64\" gives the IPv6 prefix too)";
    Owners: "\"session\", \"numeric\" or \"fixed:owner:group\"";
    AddressOrHost: "IP address or host name";
    Umask: "octal number in quotes, such as \"022\"";
}

impl Setting for AccountName {
    fn words() -> String {
        "account name".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string", "minLength": 1 })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        from_text(node, report, "an account name", |text| {
            Self::parse(text.as_bytes())
        })
    }
}

impl Setting for VirtualPath {
    fn words() -> String {
        "virtual path".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^/" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        from_text(node, report, "a virtual path", |text| {
            match text.strip_prefix('/') {
                Some(_) => {
                    Self::parse(&Self::root(), text.as_bytes()).map_err(|error| error.to_string())
                }
                None => Err("a virtual path begins with `/`".to_owned()),
            }
        })
    }
}

impl Setting for RangeInclusive<u16> {
    fn words() -> String {
        "port range, such as \"49152-65534\"".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^[0-9]+(-[0-9]+)?$" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        from_text(node, report, "a port range", |text| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
            match (port(first), port(last)) {
                (Some(first), Some(last)) if first <= last => Ok(first..=last),
                (Some(first), Some(last)) => Err(format!(
                    "the range is empty; did you mean \"{last}-{first}\"?"
                )),
                _ => Err("write two ports from 1 to 65535 with a dash between".to_owned()),
            }
        })
    }
}

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

/// Who may connect to a passive port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerCheck {
    /// The address of the control connection only.
    Exact,
    /// Addresses that share so many leading bits with it.
    Prefix {
        /// Bits of an IPv4 address.
        v4: u8,
        /// Bits of an IPv6 address.
        v6: u8,
    },
    /// Anybody.
    Off,
}

/// Bits of an IPv6 address that one customer's network has, where only the IPv4 prefix is given.
const USUAL_V6_PREFIX: u8 = 64;

impl FromStr for PeerCheck {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "exact" => return Ok(Self::Exact),
            "off" => return Ok(Self::Off),
            _ => {}
        }
        let prefixes = text
            .strip_prefix("net/")
            .ok_or("the words are exact, off and net/NN")?;
        let (v4, v6) = match prefixes.split_once('/') {
            Some((v4, v6)) => (v4.parse(), v6.parse()),
            None => (prefixes.parse(), Ok(USUAL_V6_PREFIX)),
        };
        match (v4, v6) {
            (Ok(v4 @ 8..=32), Ok(v6 @ 16..=128)) => Ok(Self::Prefix { v4, v6 }),
            _ => Err("the IPv4 prefix is 8 to 32 bits, the IPv6 prefix 16 to 128"),
        }
    }
}

/// Whose names stand in the owner and group columns of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owners {
    /// The session's account.
    Session,
    /// The numbers that the volume knows.
    Numeric,
    /// Always these.
    Fixed {
        /// Owner column.
        owner: String,
        /// Group column.
        group: String,
    },
}

impl FromStr for Owners {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "session" => return Ok(Self::Session),
            "numeric" => return Ok(Self::Numeric),
            _ => {}
        }
        let names = text
            .strip_prefix("fixed:")
            .and_then(|names| names.split_once(':'));
        let (owner, group) = names.ok_or("the words are session, numeric and fixed:owner:group")?;
        // DAT-72: a space inside would shift the columns.
        let fits =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        if fits(owner) && fits(group) {
            Ok(Self::Fixed {
                owner: owner.to_owned(),
                group: group.to_owned(),
            })
        } else {
            Err("owner and group are printable ASCII without spaces")
        }
    }
}

/// An address, or a name that has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AddressOrHost {
    /// The address.
    Address(IpAddr),
    /// The name; it is resolved again and again.
    Host(String),
}

impl FromStr for AddressOrHost {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(wharf_accounts::normalised(address)));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let looks_numeric = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        if text.len() <= 253 && !looks_numeric && text.trim_end_matches('.').split('.').all(label) {
            Ok(Self::Host(text.to_owned()))
        } else {
            Err("write an address such as 203.0.113.7 or a name such as ftp.example.org")
        }
    }
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

/// The sets of rights that have a name.
const PRESETS: [(&str, Rights); 4] = [
    ("full", Rights::FULL),
    ("read-only", Rights::READ_ONLY),
    ("incoming", Rights::INCOMING),
    ("none", Rights::NONE),
];

impl Setting for Rights {
    const LIST: bool = true;

    fn words() -> String {
        "\"full\", \"read-only\", \"incoming\", \"none\", or a list of rights".to_owned()
    }

    fn schema() -> Json {
        let rights: Vec<_> = Right::ALL.iter().map(|(_, word)| *word).collect();
        let words: Vec<_> = PRESETS
            .iter()
            .map(|(word, _)| *word)
            .chain(rights)
            .collect();
        json!({ "anyOf": [{ "enum": words }, { "type": "array", "items": { "enum": words } }] })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        if node.as_str().is_some() {
            return one_or_preset(node, report);
        }
        let Some(elements) = node.elements() else {
            node.refuse_type(report, &Self::words());
            return None;
        };
        let read: Vec<_> = elements
            .iter()
            .map(|element| one_or_preset(element, report))
            .collect();
        let sets = read.into_iter().collect::<Option<Vec<_>>>()?;
        let granted = Right::ALL
            .iter()
            .filter(|(right, _)| sets.iter().any(|set| set.has(*right)));
        Some(granted.fold(Self::NONE, |rights, (right, _)| rights.with(*right)))
    }
}

fn one_or_preset(node: &Node<'_>, report: &mut Report) -> Option<Rights> {
    from_text(node, report, "a right", |text| {
        let preset = PRESETS
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, rights)| *rights);
        let right = Right::ALL
            .iter()
            .find(|(_, word)| *word == text)
            .map(|(right, _)| Rights::NONE.with(*right));
        preset.or(right).ok_or_else(|| {
            let words = || {
                PRESETS
                    .iter()
                    .map(|(word, _)| *word)
                    .chain(Right::ALL.iter().map(|(_, word)| *word))
            };
            match nearest(text, words()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the words are {}", words().collect::<Vec<_>>().join(", ")),
            }
        })
    })
}

/// A key that takes one of a few words.
macro_rules! choice {
    ($(#[doc = $text:literal])+ $name:ident { $( $(#[doc = $doc:literal])+ $variant:ident = $word:literal, )+ }) => {
        $(#[doc = $text])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $( $(#[doc = $doc])+ $variant, )+ }

        impl Setting for $name {
            fn words() -> String {
                [$(concat!("\"", $word, "\"")),+].join(" or ")
            }

            fn schema() -> Json {
                json!({ "enum": [$($word),+] })
            }

            fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
                from_text(node, report, &Self::words(), |text| match text {
                    $( $word => Ok(Self::$variant), )+
                    other => Err(match nearest(other, [$($word),+]) {
                        Some(near) => format!("did you mean {near:?}?"),
                        None => format!("the words are {}", [$($word),+].join(", ")),
                    }),
                })
            }
        }
    };
}

choice! {
    /// The form of log lines.
    LogFormat {
        /// For people.
        Human = "human",
        /// One JSON object per line.
        Json = "json",
    }
}

choice! {
    /// The least important events that are logged.
    LogLevel {
        /// Something of ours failed.
        Error = "error",
        /// Somebody should look.
        Warning = "warning",
        /// The life of sessions and files.
        Info = "info",
        /// Every command.
        Debug = "debug",
    }
}

choice! {
    /// What kind of place a volume is.
    VolumeKind {
        /// A host directory.
        Local = "local",
        /// The server's memory: gone with the process.
        Memory = "memory",
    }
}
