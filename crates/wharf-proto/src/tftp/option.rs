//! Options: what a client asks, what a server grants, what then holds (RFC 2347, 2348, 2349, 7440).
//!
//! A server leaves out what it does not know or what makes no sense and never refuses a request for it;
//! a client refuses an OACK that grants what it did not ask for. Both ends' rules stand here side by
//! side, so that what one writes the other accepts is a test of one file. Room for every option is
//! bounded by the request itself: each known one counts once.

use std::time::Duration;

use super::{
    Direction, Request,
    packet::{self, Defect},
};
use crate::ftp::decimal;

/// Block size where nothing else was agreed on (RFC 1350).
pub const DEFAULT_BLOCK_SIZE: u16 = 512;

/// The smallest block size that may be agreed on, octets (RFC 2348).
pub const SMALLEST_BLOCK: u16 = 8;

/// The largest block size that may be agreed on, octets: with all headers a datagram of IPv4 (RFC 2348).
pub const LARGEST_BLOCK: u16 = 65_464;

/// The options of a request or an OACK as they came: pairs of name and value, each ended by NUL. Well
/// formed by construction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionList<'a> {
    /// The raw pairs.
    raw: &'a [u8],
}

impl<'a> OptionList<'a> {
    /// Reads pairs of name and value; NULs behind the last are padding.
    ///
    /// # Errors
    /// [`Defect::Unterminated`]: a string without its NUL, or a name without a value.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Defect> {
        let used = octets
            .iter()
            .rposition(|&octet| octet != 0)
            .map_or(0, |last| last + 1);
        let mut rest = octets;
        // All behind `used` is NUL.
        while octets.len() - rest.len() < used {
            let (_, value) = packet::string(rest).ok_or(Defect::Unterminated)?;
            (_, rest) = packet::string(value).ok_or(Defect::Unterminated)?;
        }
        let raw = octets.get(..octets.len() - rest.len()).unwrap_or_default();
        Ok(Self { raw })
    }

    /// Names and values in the order of the packet, raw octets without NUL.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.raw;
        std::iter::from_fn(move || {
            let (name, value) = packet::string(rest)?;
            let (value, after) = packet::string(value)?;
            rest = after;
            Some((name, value))
        })
    }

    /// The value of an option, its name in any case; of duplicates the first counts (TFT-28).
    pub fn find(&self, name: &str) -> Option<&'a [u8]> {
        self.iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}

/// What a client asks for; `None`: not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// blksize, 8 to 65464 octets.
    pub block_size: Option<u16>,
    /// timeout, 1 to 255 s.
    pub timeout: Option<u8>,
    /// tsize: 0 asks for the size of a file, in a WRQ it tells it.
    pub size: Option<u64>,
    /// windowsize, 1 to 65535 blocks.
    pub window: Option<u16>,
}

/// The block after 65535 (TFT-24, TFT-36).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rollover {
    /// 0, as nearly everybody has it.
    #[default]
    Zero,
    /// 1.
    One,
}

/// What holds for a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Octets of a full block, 8 to 65464.
    pub block_size: u16,
    /// Blocks that may be under way, 1 to 65535.
    pub window: u16,
    /// The fixed time before a retransmission, where one was agreed on.
    pub interval: Option<Duration>,
    /// The size of the file as told by tsize, octets.
    pub size: Option<u64>,
    /// The block after 65535.
    pub rollover: Rollover,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            block_size: DEFAULT_BLOCK_SIZE,
            window: 1,
            interval: None,
            size: None,
            rollover: Rollover::Zero,
        }
    }
}

impl Rollover {
    /// The number on the wire of the block with this number from the beginning; 0 is what is
    /// acknowledged before the first block.
    pub const fn wire(self, block: u64) -> u16 {
        let wrapped = match self {
            Self::Zero => block % 65_536,
            Self::One if block == 0 => 0,
            Self::One => (block - 1) % 65_535 + 1,
        };
        // Below 65536 by the remainder.
        let [low, high, ..] = wrapped.to_le_bytes();
        u16::from_le_bytes([low, high])
    }
}

/// The options that mean something here. The others (`multicast`, `msftwindow`, vendors' own) are left
/// out of every answer (TFT-27).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    BlockSize,
    BlockSize2,
    Timeout,
    MicroTimeout,
    Size,
    Window,
    Rollover,
}

impl Known {
    const ALL: [Self; 7] = [
        Self::BlockSize,
        Self::BlockSize2,
        Self::Timeout,
        Self::MicroTimeout,
        Self::Size,
        Self::Window,
        Self::Rollover,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::BlockSize => "blksize",
            Self::BlockSize2 => "blksize2",
            Self::Timeout => "timeout",
            Self::MicroTimeout => "utimeout",
            Self::Size => "tsize",
            Self::Window => "windowsize",
            Self::Rollover => "rollover",
        }
    }

    fn of(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| name.eq_ignore_ascii_case(known.name().as_bytes()))
    }

    /// Its place in a set of those that were seen.
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Appends one option.
pub(super) fn push(name: &[u8], value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.push(0);
    decimal::push(out, value);
    out.push(0);
}

/// How far a server goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// The largest block size that is granted, octets; taken into 8 to 65464.
    pub max_block_size: u16,
    /// The largest window that is granted, blocks; 0 is taken for 1.
    pub max_window: u16,
    /// The block after 65535 where the client does not ask for one.
    pub rollover: Rollover,
}

/// What a server makes of a request: the terms that hold, and the whole OACK that tells them; `None`
/// where nothing was asked or granted and the plain answer of RFC 1350 is due.
///
/// `size` answers the tsize of an RRQ: octets as they will be sent, `None` when not known. For a WRQ
/// [`Terms::size`] is what the client told; whether that is too much is the caller's to judge (TFT-22).
pub fn answer(
    request: &Request<'_>,
    limits: &ServerLimits,
    size: Option<u64>,
) -> (Terms, Option<Vec<u8>>) {
    let mut terms = Terms {
        rollover: limits.rollover,
        ..Terms::default()
    };
    let mut oack = Vec::new();
    let mut seen = 0_u8;
    for (name, value) in request.options.iter() {
        let Some(known) = Known::of(name) else {
            continue;
        };
        if seen & known.bit() != 0 {
            continue;
        }
        seen |= known.bit();
        let granted = decimal::parse(value)
            .and_then(|asked| grant(known, asked, request, limits, size, &mut terms));
        if let Some(granted) = granted {
            if oack.is_empty() {
                oack.extend_from_slice(&packet::OACK.to_be_bytes());
            }
            push(name, granted, &mut oack);
        }
    }
    (terms, (!oack.is_empty()).then_some(oack))
}

/// The value that one option is answered with, and into the terms; `None`: left out.
fn grant(
    option: Known,
    asked: u64,
    request: &Request<'_>,
    limits: &ServerLimits,
    size: Option<u64>,
    terms: &mut Terms,
) -> Option<u64> {
    let block = |asked: u64| {
        let most = limits.max_block_size.clamp(SMALLEST_BLOCK, LARGEST_BLOCK);
        (asked >= u64::from(SMALLEST_BLOCK)).then(|| at_most(asked, most))
    };
    match option {
        Known::BlockSize => {
            terms.block_size = block(asked)?;
            Some(u64::from(terms.block_size))
        }
        // What RFC 2348 has for it goes first, and so below for the time.
        Known::BlockSize2 if request.options.find(Known::BlockSize.name()).is_some() => None,
        Known::BlockSize2 => {
            terms.block_size = 1 << block(asked)?.ilog2();
            Some(u64::from(terms.block_size))
        }
        Known::Timeout if (1..=255).contains(&asked) => {
            terms.interval = Some(Duration::from_secs(asked));
            Some(asked)
        }
        Known::MicroTimeout if request.options.find(Known::Timeout.name()).is_some() => None,
        Known::MicroTimeout if (10_000..=255_000_000).contains(&asked) => {
            terms.interval = Some(Duration::from_micros(asked));
            Some(asked)
        }
        Known::Timeout | Known::MicroTimeout => None,
        Known::Size => {
            terms.size = match request.direction {
                // 0 is the question itself; curl takes it for an illegal answer. An empty file tells its
                // size by its only block.
                Direction::Read => size.filter(|size| *size > 0),
                Direction::Write => Some(asked),
            };
            terms.size
        }
        Known::Window => {
            terms.window = (asked > 0).then(|| at_most(asked, limits.max_window.max(1)))?;
            Some(u64::from(terms.window))
        }
        Known::Rollover => {
            terms.rollover = match asked {
                0 => Rollover::Zero,
                1 => Rollover::One,
                _ => return None,
            };
            Some(asked)
        }
    }
}

/// The smaller of the two.
fn at_most(asked: u64, most: u16) -> u16 {
    u16::try_from(asked).map_or(most, |asked| asked.min(most))
}

/// Why a client does not take an OACK: ERROR 8 is due, with these words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Granted without being asked for.
    #[error("expected no option {name:?}: it was not asked for")]
    Unasked {
        /// Its name: what is printable of it, cut to 32 octets.
        name: String,
    },
    /// More than was asked for.
    #[error("expected {option} of at most {asked}, got {granted}")]
    Larger {
        /// Its name.
        option: &'static str,
        /// What was asked for.
        asked: u64,
        /// What was granted.
        granted: u64,
    },
    /// No number, or one that the option does not have.
    #[error("expected {option} to be a number from {least} on")]
    Value {
        /// Its name.
        option: &'static str,
        /// The smallest that makes sense.
        least: u64,
    },
}

/// What holds for a client that asked `asked` and was granted `oack` (TFT-51). Smaller values are
/// taken. A size that is no number is as good as none: it limits nothing, and servers are known that
/// tell it with a sign beyond 2 GiB.
///
/// # Errors
/// [`Violation`].
pub fn accept(asked: &Offer, oack: &OptionList<'_>) -> Result<Terms, Violation> {
    let mut terms = Terms::default();
    let mut seen = 0_u8;
    for (name, value) in oack.iter() {
        let known = Known::of(name);
        let most = match known {
            Some(Known::BlockSize) => asked.block_size.map(u64::from),
            Some(Known::Timeout) => asked.timeout.map(u64::from),
            Some(Known::Size) => asked.size,
            Some(Known::Window) => asked.window.map(u64::from),
            _ => None,
        };
        let (Some(known), Some(most)) = (known, most) else {
            let name = name.iter().filter(|octet| octet.is_ascii_graphic());
            return Err(Violation::Unasked {
                name: name.take(32).map(|&octet| char::from(octet)).collect(),
            });
        };
        if seen & known.bit() != 0 {
            continue;
        }
        seen |= known.bit();
        let number = decimal::parse(value);
        match known {
            Known::BlockSize => {
                terms.block_size = within(known, number, SMALLEST_BLOCK, most)?;
            }
            Known::Window => terms.window = within(known, number, 1, most)?,
            Known::Timeout => {
                let seconds = within(known, number, 1, most)?;
                terms.interval = Some(Duration::from_secs(u64::from(seconds)));
            }
            // Nought asks for the size; anything else tells it and should come back.
            _ => match number {
                Some(granted) if most > 0 && granted > most => {
                    return Err(larger(known, most, granted));
                }
                told => terms.size = told,
            },
        }
    }
    Ok(terms)
}

/// A value that was granted, if it is one from `least` to `most`.
fn within(option: Known, granted: Option<u64>, least: u16, most: u64) -> Result<u16, Violation> {
    let granted = granted.filter(|&granted| granted >= u64::from(least));
    let granted = granted.ok_or_else(|| Violation::Value {
        option: option.name(),
        least: u64::from(least),
    })?;
    u16::try_from(granted)
        .ok()
        .filter(|&granted| u64::from(granted) <= most)
        .ok_or_else(|| larger(option, most, granted))
}

fn larger(option: Known, asked: u64, granted: u64) -> Violation {
    Violation::Larger {
        option: option.name(),
        asked,
        granted,
    }
}

#[cfg(test)]
mod tests;
