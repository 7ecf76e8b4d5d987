//! Whether the disk is quick enough to be asked on the caller's own thread.
//!
//! A look-up from the kernel's caches takes a microsecond; handing it to another thread takes ten.
//! But a disk that must move its arm, or a server that does not answer, would stall every session of
//! the thread. So calls run inline as long as they prove quick, and a volume that stalls is sent to
//! the blocking pool for a while. File systems behind a network never run inline.
//!
//! One slow call proves nothing: on a busy machine the thread itself is preempted for milliseconds
//! now and then. Slow calls weigh, quick calls wear the weight off, and only a heap of it, or one
//! long stall, sends the volume away.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place that times the disk; nothing else may hang on a clock here"
)]

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// A call that takes longer weighs.
const SLOW: Duration = Duration::from_millis(2);

/// A call that takes longer is enough alone.
const STALL: Duration = Duration::from_millis(50);

/// What one slow call weighs; a quick one takes 1 away.
const WEIGHT: u32 = 32;

/// Above this the volume leaves the thread: three slow calls within some thirty.
const LIMIT: u32 = 2 * WEIGHT;

/// How long it stays away the first time; doubled each time it proves slow again soon.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// How long it stays away at the most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The pace of one volume.
#[derive(Debug)]
pub(super) struct Pace {
    /// Behind a network: never inline.
    remote: bool,
    began: Instant,
    weight: AtomicU32,
    /// Milliseconds after `began` until which calls leave the thread.
    away_until: AtomicU64,
    /// Milliseconds of the last pause.
    pause: AtomicU64,
}

impl Pace {
    pub(super) fn new(remote: bool) -> Self {
        Self {
            remote,
            began: Instant::now(),
            weight: AtomicU32::new(0),
            away_until: AtomicU64::new(0),
            pause: AtomicU64::new(0),
        }
    }

    /// Whether even a look-up that the kernel can answer from its caches may stall.
    pub(super) const fn is_remote(&self) -> bool {
        self.remote
    }

    /// Runs `work` on this thread if the volume is quick; gives it back if not.
    pub(super) fn inline<T, W: FnOnce() -> T>(&self, work: W) -> Result<T, W> {
        let start = self.began.elapsed();
        if self.remote || !self.is_quick(start) {
            return Err(work);
        }
        let done = work();
        let end = self.began.elapsed();
        self.note(end, end.saturating_sub(start));
        Ok(done)
    }

    fn is_quick(&self, now: Duration) -> bool {
        let away_until = self.away_until.load(Relaxed);
        away_until == 0 || milliseconds(now) >= away_until
    }

    /// Notes a call that ended at `now` and took `took`.
    fn note(&self, now: Duration, took: Duration) {
        let weight = self.weight.load(Relaxed);
        if took < SLOW {
            if weight > 0 {
                self.weight.store(weight - 1, Relaxed);
            }
            return;
        }
        let weight = weight + WEIGHT;
        if took < STALL && weight <= LIMIT {
            self.weight.store(weight, Relaxed);
            return;
        }
        self.weight.store(0, Relaxed);
        let now = milliseconds(now);
        let last = self.pause.load(Relaxed);
        let longest = milliseconds(LONGEST_PAUSE);
        let soon = now < self.away_until.load(Relaxed).saturating_add(longest);
        let pause = if last > 0 && soon {
            (2 * last).min(longest)
        } else {
            milliseconds(FIRST_PAUSE)
        };
        self.pause.store(pause, Relaxed);
        self.away_until.store(now + pause, Relaxed);
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(1);
    const SLOW_CALL: Duration = Duration::from_millis(3);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_slow_call_among_many_keeps_the_volume_inline() {
        let pace = Pace::new(false);
        for _ in 0..100 {
            pace.note(at(1), SLOW_CALL);
            (0..50).for_each(|_| pace.note(at(1), QUICK));
        }
        assert!(pace.is_quick(at(1)));
    }

    #[test]
    fn three_slow_calls_send_the_volume_away_for_five_seconds() {
        let pace = Pace::new(false);
        (0..3).for_each(|_| pace.note(at(1), SLOW_CALL));
        assert!(!pace.is_quick(at(2)));
        assert!(pace.is_quick(at(6)));
    }

    #[test]
    fn pauses_double_to_a_minute_and_are_forgotten_after_a_quiet_one() {
        let pace = Pace::new(false);
        let mut now = 1;
        for pause in [5, 10, 20, 40, 60, 60] {
            pace.note(at(now), STALL);
            assert!(!pace.is_quick(at(now + pause - 1)));
            assert!(pace.is_quick(at(now + pause)));
            now += pause;
        }
        now += 61;
        pace.note(at(now), STALL);
        assert!(pace.is_quick(at(now + 5)));
    }

    #[test]
    fn a_remote_file_system_never_runs_inline() {
        assert!(Pace::new(true).inline(|| ()).is_err());
        assert!(Pace::new(false).inline(|| ()).is_ok());
    }
}
