//! A shared rate limit: one bucket for all sessions of an account, whatever their protocol.
//!
//! The bucket is a single instant, "the time at which everything granted so far is paid for". A
//! taker moves it forward and waits until the old value has passed (less one burst), so parallel
//! takers queue up in fair order without a list.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Octets per second, shared by everyone who holds it.
#[derive(Debug)]
pub struct Throttle {
    rate: u64,
    paid_until: Mutex<Option<Instant>>,
}

impl Throttle {
    /// What may go at once after a pause.
    const BURST: Duration = Duration::from_millis(250);

    /// A limit of `rate` octets per second; 0 is taken as 1.
    pub fn new(rate: u64) -> Self {
        Self {
            rate: rate.max(1),
            paid_until: Mutex::new(None),
        }
    }

    /// The limit, octets per second.
    pub const fn rate(&self) -> u64 {
        self.rate
    }

    /// How many octets to move at once so that waits stay short: a tenth of a second's worth,
    /// between 4 KiB and 1 MiB.
    pub fn chunk(&self) -> u64 {
        (self.rate / 10).clamp(4096, 1 << 20)
    }

    /// Takes `octets` at the time `now` and says how long to wait before moving them.
    pub fn take(&self, now: Instant, octets: u64) -> Duration {
        let mut paid_until = self
            .paid_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let floor = now.checked_sub(Self::BURST).unwrap_or(now);
        let start = paid_until.map_or(floor, |paid| paid.max(floor));
        *paid_until = Some(start + self.cost(octets));
        start.saturating_duration_since(now)
    }

    /// Gives back `octets` that were taken and will not move: who gives up while waiting must not
    /// make the others wait for it.
    pub fn give_back(&self, octets: u64) {
        let mut paid_until = self
            .paid_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *paid_until = paid_until.and_then(|paid| paid.checked_sub(self.cost(octets)));
    }

    fn cost(&self, octets: u64) -> Duration {
        Duration::from_secs_f64(octets as f64 / self.rate as f64)
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some moment to begin with"
)]
mod tests {
    use super::*;

    /// ProFTPD 2158: a rate holds over all transfers together.
    #[test]
    fn a_thousand_parallel_takers_share_one_rate() {
        let now = Instant::now();
        let throttle = Throttle::new(1000);
        let mut last = Duration::ZERO;
        for _ in 0..1000 {
            let wait = throttle.take(now, 10);
            assert!(wait >= last, "later takers wait longer");
            last = wait;
        }
        // 10,000 octets at 1,000 per second, a quarter of a second of it in advance.
        assert!(
            last > Duration::from_millis(9600) && last < Duration::from_secs(10),
            "{last:?}"
        );
    }

    #[test]
    fn a_pause_does_not_save_up_more_than_one_burst() {
        let now = Instant::now();
        let throttle = Throttle::new(1000);
        throttle.take(now, 1);
        let later = now + Duration::from_secs(3600);
        throttle.take(later, 1000);
        assert!(throttle.take(later, 1) >= Duration::from_millis(700));
    }

    #[test]
    fn who_gives_up_while_waiting_leaves_no_debt() {
        let now = Instant::now();
        let throttle = Throttle::new(1000);
        let before = throttle.take(now, 1000);
        for _ in 0..1000 {
            throttle.take(now, 4096);
            throttle.give_back(4096);
        }
        let wait = throttle.take(now, 1) - before;
        assert!(
            wait > Duration::from_millis(700) && wait < Duration::from_millis(1100),
            "{wait:?}"
        );
    }
}
