//! When an order is due, and how long a failed one waits. Pure: time comes in.

use std::time::{Duration, SystemTime};

use super::{Error, http::Wait};

/// The wait after the first failure; it doubles with each further one. Four orders fall into the
/// first hour, below the five failures that Let's Encrypt allows there.
const FIRST_WAIT: Duration = Duration::from_secs(5 * 60);
/// The longest wait of our own.
const LONGEST_WAIT: Duration = Duration::from_secs(12 * 3600);
/// The least wait after a rate limit that names none: the shortest window of the public directories.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(3600);
/// The longest wait that a directory may ask for: the longest window of the public ones is a week.
const LONGEST_ASKED: Duration = Duration::from_secs(8 * 24 * 3600);
/// The least time between two looks: a certificate that is due the moment it comes orders no storm.
const PAUSE: Duration = Duration::from_secs(3600);
/// At most 1/n of a certificate's life lies behind its renewal.
const RENEWED_PART: u32 = 3;

/// Why an order is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no certificate.
    Missing,
    /// The one that is kept names other domains.
    OtherDomains,
    /// The one that is kept cannot be read.
    Unreadable,
    /// It ends soon, or has ended.
    Renewal,
}

/// The time until an order is due, or why it is due now.
pub(super) fn due(
    now: SystemTime,
    not_before: SystemTime,
    not_after: SystemTime,
    renew_before: Duration,
) -> Result<Duration, Reason> {
    let life = not_after.duration_since(not_before).unwrap_or_default();
    let window = renew_before.min(life / RENEWED_PART);
    match not_after.duration_since(now) {
        Ok(left) if left > window => Ok(left.saturating_sub(window)),
        _ => Err(Reason::Renewal),
    }
}

/// The waits between failed orders.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    failures: u32,
    not_before: Option<SystemTime>,
}

impl Schedule {
    /// The time that an order still has to wait.
    pub(super) fn held_back(&self, now: SystemTime) -> Option<Duration> {
        let left = self.not_before?.duration_since(now).ok()?;
        // A clock that was set back does not hold an order for years.
        (!left.is_zero() && left <= LONGEST_ASKED).then_some(left)
    }

    /// An order went through.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The time until the next look after an order that went through.
    pub(super) fn pause(&self) -> Duration {
        PAUSE
    }

    /// An order failed: the longer of our own wait and the directory's wish.
    pub(super) fn failed(
        &mut self,
        now: SystemTime,
        error: &Error,
        asked: Option<Wait>,
    ) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let mut own = jittered(doubled.min(LONGEST_WAIT));
        if error.is_rate_limit() {
            own = own.max(RATE_LIMIT_WAIT);
        }
        let asked = match asked {
            Some(Wait::For(time)) => time,
            Some(Wait::Until(time)) => time.duration_since(now).unwrap_or_default(),
            None => Duration::ZERO,
        };
        let wait = own.max(asked.min(LONGEST_ASKED));
        self.not_before = now.checked_add(wait);
        wait
    }
}

/// `wait` and up to a quarter more, so that servers that failed together do not return together.
fn jittered(wait: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or_default();
    wait + (wait / 4).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
