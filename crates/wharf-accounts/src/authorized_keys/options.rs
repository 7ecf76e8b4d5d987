//! The options before a key (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
//!
//! `from=`, `expiry-time=`, `cert-authority` and `principals=` are kept. `restrict`, the `no-*` family and
//! what loosens it (`pty`, `port-forwarding`, ..) speak of what is not served, so they hold already;
//! `command=` may name the file transfer alone. Everything else is an error: it might have forbidden
//! something.

use super::addresses::AddressPatterns;

/// The one command that a key or certificate may be bound to.
pub(crate) const INTERNAL_SFTP: &str = "internal-sftp";
/// Options that change nothing here: what they speak of is not served, and what they allow neither.
const WITHOUT_EFFECT: [&str; 12] = [
    "restrict",
    "no-agent-forwarding",
    "no-port-forwarding",
    "no-pty",
    "no-user-rc",
    "no-x11-forwarding",
    "no-touch-required",
    "agent-forwarding",
    "port-forwarding",
    "pty",
    "user-rc",
    "x11-forwarding",
];
/// The same, with a value.
const VALUES_WITHOUT_EFFECT: [&str; 3] = ["permitopen", "permitlisten", "tunnel"];
/// Most principals of one key.
const MAX_PRINCIPALS: usize = 256;

/// What the options of a key say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) from: Option<AddressPatterns>,
    /// The earliest of them, as seconds since 1970 UTC.
    pub(super) expires: Option<u64>,
    pub(super) is_authority: bool,
    pub(super) principals: Vec<String>,
}

/// An option that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// The options are not built as they should be.
    #[error("the options before the key are broken: a quote is not closed, or a comma is missing")]
    Form,
    /// No such option is known.
    #[error(
        "the option `{0}` is not known here; known are from, expiry-time, cert-authority, principals, restrict, no-*, and command=\"internal-sftp\""
    )]
    Unknown(String),
    /// It needs a value, or takes none.
    #[error("the option `{0}` stands without its value, with one that it does not take, or twice")]
    Value(String),
    /// A pattern of `from` is none.
    #[error(
        "from: `{0}` is no address, network or wildcard over addresses (names of hosts are not looked up)"
    )]
    From(String),
    /// A moment that is none.
    #[error(
        "expiry-time: `{0}` is not YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, in UTC, with or without Z"
    )]
    Expiry(String),
    /// A command other than the file transfer.
    #[error("command: only \"internal-sftp\" can be served, not `{0}`")]
    Command(String),
    /// `principals` without `cert-authority`.
    #[error("the option principals means something with cert-authority only")]
    Principals,
}

/// Parts a line into its options and what follows them; without a closed quote nothing follows.
pub(super) fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, octet) in line.iter().enumerate() {
        match octet {
            b'"' if !is_escaped => is_quoted = !is_quoted,
            octet if octet.is_ascii_whitespace() && !is_quoted => {
                let (options, rest) = line.split_at_checked(at).unwrap_or((line, b""));
                return (options, rest.trim_ascii_start());
            }
            _ => {}
        }
        is_escaped = is_quoted && *octet == b'\\' && !is_escaped;
    }
    (line, b"")
}

impl Options {
    /// Reads options with commas between them.
    pub(super) fn parse(text: &str) -> Result<Self, OptionError> {
        let mut options = Self::default();
        let mut is_commanded = false;
        let mut rest = text;
        while !rest.is_empty() {
            let (name, value, after) = next(rest)?;
            rest = after;
            let name = name.to_ascii_lowercase();
            let wrong = || Err(OptionError::Value(name.clone()));
            match (name.as_str(), value) {
                ("from", Some(value)) if options.from.is_none() => {
                    options.from = Some(AddressPatterns::parse(&value).map_err(OptionError::From)?);
                }
                ("expiry-time", Some(value)) => {
                    let moment = moment(&value).ok_or(OptionError::Expiry(value))?;
                    let earliest = options.expires.map_or(moment, |before| before.min(moment));
                    options.expires = Some(earliest);
                }
                ("command", Some(value)) if !is_commanded => {
                    if value != INTERNAL_SFTP {
                        return Err(OptionError::Command(value));
                    }
                    is_commanded = true;
                }
                ("cert-authority", None) => options.is_authority = true,
                ("principals", Some(value)) if options.principals.is_empty() => {
                    let principals: Vec<_> = value.split(',').map(str::to_owned).collect();
                    if principals.len() > MAX_PRINCIPALS || principals.iter().any(String::is_empty)
                    {
                        return wrong();
                    }
                    options.principals = principals;
                }
                ("from" | "expiry-time" | "command" | "cert-authority" | "principals", _) => {
                    return wrong();
                }
                (name, None) if WITHOUT_EFFECT.contains(&name) => {}
                (name, Some(_)) if VALUES_WITHOUT_EFFECT.contains(&name) => {}
                (name, _)
                    if WITHOUT_EFFECT.contains(&name) || VALUES_WITHOUT_EFFECT.contains(&name) =>
                {
                    return wrong();
                }
                _ => return Err(OptionError::Unknown(name)),
            }
        }
        if !options.principals.is_empty() && !options.is_authority {
            return Err(OptionError::Principals);
        }
        Ok(options)
    }
}

/// The name and value of the first option, and the rest behind the comma.
fn next(text: &str) -> Result<(&str, Option<String>, &str), OptionError> {
    let end = text.find(['=', ',']).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).ok_or(OptionError::Form)?;
    if name.is_empty() {
        return Err(OptionError::Form);
    }
    let (value, rest) = match rest.strip_prefix("=\"") {
        Some(quoted) => {
            let (value, rest) = unquoted(quoted).ok_or(OptionError::Form)?;
            (Some(value), rest)
        }
        None if rest.starts_with('=') => return Err(OptionError::Value(name.to_owned())),
        None => (None, rest),
    };
    match rest.strip_prefix(',') {
        Some("") => Err(OptionError::Form),
        Some(rest) => Ok((name, value, rest)),
        None if rest.is_empty() => Ok((name, value, rest)),
        None => Err(OptionError::Form),
    }
}

/// What stands before the closing quote, with `\"` as a quote, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' if text.get(at + 1..)?.starts_with('"') => {
                letters.next();
                value.push('"');
            }
            letter => value.push(letter),
        }
    }
    None
}

/// Seconds since 1970 UTC of `YYYYMMDD[HHMM[SS]][Z]`. Without `Z` OpenSSH takes the time of the host; here
/// it is UTC always, since an account may be served by hosts in several places.
fn moment(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('Z').unwrap_or(text);
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| match digits.get(from..to) {
        Some("") | None => Some(0),
        Some(part) => part.parse::<u64>().ok(),
    };
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let is_leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let last_day = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || day == 0 || day > last_day || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days of a year that begins in March, so that the leap day is its last (Gregorian calendar).
    let (shifted, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * shifted + shifted / 4 - shifted / 100
        + shifted / 400
        + (153 * month + 2) / 5
        + (day - 1);
    // Days from the first of March of year 0 to 1970.
    let days = days.checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests;
