//! How many octets one transfer keeps under way: enough to fill the path, not more.
//!
//! It begins with what OpenSSH's client has (64 blocks of 32 KiB) and doubles as long as the larger
//! window moved octets clearly faster than the one before: so a path of 50 ms and a loopback both end
//! at their bandwidth-delay product, and memory stays small where more brings nothing.
//!
//! Time comes in as a parameter; nothing here looks at a clock.

use std::time::Duration;

/// Octets under way at the start.
pub(super) const START: usize = 64 * 32 * 1024;

/// Octets under way at the most.
pub(crate) const CEILING: usize = 16 * 1024 * 1024;

/// A larger window must be that much faster (in percent) to be worth another doubling.
const WORTH: u64 = 110;

/// The window of one transfer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    size: usize,
    /// Octets per second of the fastest round so far.
    best: u64,
    counted: u64,
    /// When the round began, on the caller's clock.
    since: Option<Duration>,
}

impl Window {
    pub(super) const fn new() -> Self {
        Self {
            size: START,
            best: 0,
            counted: 0,
            since: None,
        }
    }

    /// Octets that may be under way.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// `octets` arrived, at `now`.
    pub(super) fn arrived(&mut self, octets: u64, now: Duration) {
        let Some(since) = self.since else {
            // What comes first was waited for, not moved.
            self.since = Some(now);
            return;
        };
        self.counted += octets;
        if self.counted < self.size as u64 {
            return;
        }
        let micros = u64::try_from((now.saturating_sub(since)).as_micros()).unwrap_or(u64::MAX);
        let rate = self.counted.saturating_mul(1_000_000) / micros.max(1);
        if rate.saturating_mul(100) >= self.best.saturating_mul(WORTH) {
            self.best = rate;
            self.size = (self.size * 2).min(CEILING);
        }
        self.counted = 0;
        self.since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moves rounds over a path that carries at most `per_second` and answers after `round_trip`.
    fn settled(per_second: u64, round_trip: Duration) -> usize {
        let mut window = Window::new();
        let mut now = Duration::ZERO;
        for _ in 0..40 {
            let octets = window.size() as u64;
            let by_line = Duration::from_micros(octets * 1_000_000 / per_second);
            now += by_line.max(round_trip);
            window.arrived(octets, now);
        }
        window.size()
    }

    #[test]
    fn window_grows_to_fill_a_long_path_and_stays_small_on_a_slow_one() {
        let far = settled(1_000_000_000, Duration::from_millis(50));
        assert_eq!(far, CEILING);
        let slow = settled(1_000_000, Duration::from_millis(50));
        assert!(slow <= START * 2, "{slow}");
    }

    #[test]
    fn window_never_passes_its_ceiling() {
        let mut window = Window::new();
        for round in 1..100 {
            let micros = 1_000_000 / round;
            window.arrived(CEILING as u64, Duration::from_micros(round * 2 + micros));
            assert!(window.size() <= CEILING);
        }
    }
}
