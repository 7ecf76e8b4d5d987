//! When something is sent again, and when that is given up (TFT-33, RFC 1350 section 7, RFC 2349).
//!
//! The wait follows what was measured, as TCP's does (RFC 6298), and doubles with each retransmission.
//! Only what was sent once is measured (Karn): an answer to something sent twice may answer either.
//! Where the ends agreed on an interval, that is the wait, always.
//!
//! Waits that are shorter than the first, unmeasured one are not counted as tries, or the quick network
//! that made them short would be given up after one short stall; they are as few as the tries are, so
//! everything is bounded.

use std::time::{Duration, Instant};

/// How patient a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Before the first retransmission, while nothing was measured.
    pub initial: Duration,
    /// The shortest wait, however fast the peer has answered so far.
    pub shortest: Duration,
    /// The longest wait that backing off comes to.
    pub longest: Duration,
    /// Times that one thing is sent, the first included; at least 1. Before the peer has said anything
    /// there are never more; later, waits shorter than `initial` add as many again.
    pub tries: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            shortest: Duration::from_millis(20),
            longest: Duration::from_secs(8),
            tries: 6,
        }
    }
}

/// The shortest wait after a hint that something was lost.
const HINTED: Duration = Duration::from_millis(2);

/// The largest power of two that a wait is multiplied by; `longest` holds before that.
const MOST_DOUBLINGS: u32 = 10;

/// What was measured (RFC 6298 section 2).
#[derive(Clone, Copy, Debug)]
struct Measured {
    /// Smoothed round trip.
    smoothed: Duration,
    /// Smoothed distance from it.
    variation: Duration,
}

impl Measured {
    fn expected(self) -> Duration {
        self.smoothed + 4 * self.variation
    }
}

/// Whether a hint of the peer made the wait shorter: once in each full wait, so that hints that mean
/// nothing cost at most as much as the losses themselves, and no tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hint {
    /// It may.
    Open,
    /// It did: the deadline stands by it.
    Taken,
    /// The wait after that.
    Spent,
}

/// The timer of a machine, and its count of tries.
#[derive(Debug)]
pub(super) struct Retransmission {
    timing: Timing,
    /// Agreed on by the timeout option.
    interval: Option<Duration>,
    measured: Option<Measured>,
    doublings: u32,
    /// Times that what is waited for was sent and waited for in full.
    tries: u32,
    /// Retransmissions after less than the initial wait.
    quick: u32,
    deadline: Option<Instant>,
    hint: Hint,
    /// When what is measured went out; `None`: it went out more than once.
    sent: Option<Instant>,
}

impl Retransmission {
    /// Something has just been sent for the first time.
    pub(super) fn new(timing: Timing, interval: Option<Duration>, now: Instant) -> Self {
        let mut new = Self {
            timing,
            interval,
            measured: None,
            doublings: 0,
            tries: 1,
            quick: 0,
            deadline: None,
            hint: Hint::Open,
            sent: Some(now),
        };
        new.wait_for(new.wait(), now);
        new
    }

    /// The ends have agreed on an interval, or on none.
    pub(super) fn agree(&mut self, interval: Option<Duration>) {
        self.interval = interval;
    }

    /// How long a sender waits for an ACK.
    pub(super) fn wait(&self) -> Duration {
        self.interval.unwrap_or_else(|| self.adaptive())
    }

    /// How long a receiver waits that has acknowledged the only block under way: never less than at
    /// first, because it is the sender's to mend a loss, and some send a block again for each ACK.
    pub(super) fn patient_wait(&self) -> Duration {
        let backed_off = self.backed_off(self.timing.initial);
        self.interval
            .unwrap_or_else(|| self.adaptive().max(backed_off))
    }

    /// How long a receiver waits for the rest of a window. What it sends then was not sent before, so
    /// neither the interval nor backing off holds: a sender that sends its window again and again, in
    /// longer and longer waits, must hear of each block that came over.
    pub(super) fn lull(&self) -> Duration {
        let lull = self.measured.map_or(self.timing.initial / 2, |measured| {
            measured.expected().max(self.timing.shortest)
        });
        self.interval
            .map_or(lull, |interval| lull.min(interval / 2))
    }

    fn adaptive(&self) -> Duration {
        let once = match self.measured {
            Some(measured) => measured.expected().max(self.timing.shortest),
            None => self.timing.initial,
        };
        self.backed_off(once)
    }

    fn backed_off(&self, once: Duration) -> Duration {
        once.saturating_mul(1 << self.doublings)
            .min(self.timing.longest)
    }

    /// Waits so long from now.
    pub(super) fn wait_for(&mut self, wait: Duration, now: Instant) {
        self.deadline = now.checked_add(wait);
        if self.hint == Hint::Taken {
            self.hint = Hint::Open;
        }
    }

    /// Something may have been lost: waits no longer than news of the contrary would take.
    pub(super) fn hasten(&mut self, now: Instant) {
        let (Hint::Open, Some(measured)) = (self.hint, self.measured) else {
            return;
        };
        let soon = now.checked_add(measured.expected().max(HINTED));
        if soon < self.deadline {
            self.deadline = soon;
            self.hint = Hint::Taken;
        }
    }

    /// Waits for nothing any more.
    pub(super) fn stop(&mut self) {
        self.deadline = None;
    }

    /// When something is to be done.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether that is now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// The peer came on: tries begin anew.
    pub(super) fn begin_anew(&mut self) {
        self.tries = 1;
        self.quick = 0;
        self.hint = Hint::Open;
    }

    /// Something goes out that was never sent before; its answer will be measured.
    pub(super) fn measure_from(&mut self, now: Instant) {
        self.sent = Some(now);
    }

    /// What goes out, or is out, cannot be told from what was sent before.
    pub(super) fn do_not_measure(&mut self) {
        self.sent = None;
    }

    /// What is out has taken until now to go out.
    pub(super) fn delay_measure(&mut self, now: Instant) {
        self.sent = self.sent.map(|_| now);
    }

    /// What was sent is answered: measures it where it went out once. Without a measure the wait comes
    /// back step by step.
    pub(super) fn answered(&mut self, now: Instant) {
        let Some(sent) = self.sent.take() else {
            self.doublings = self.doublings.saturating_sub(1);
            return;
        };
        let sample = now.saturating_duration_since(sent);
        self.doublings = 0;
        let begun = Measured {
            smoothed: sample,
            variation: sample / 2,
        };
        self.measured = Some(match self.measured {
            None => begun,
            // What was measured before held more than a round trip: the peer waited for something lost.
            Some(Measured { smoothed, .. }) if sample < smoothed / 2 => begun,
            Some(Measured {
                smoothed,
                variation,
            }) => Measured {
                smoothed: (7 * smoothed + sample) / 8,
                variation: (3 * variation + smoothed.abs_diff(sample)) / 4,
            },
        });
    }

    /// Whether one more try is due, after this long a wait; counts it.
    pub(super) fn try_again(&mut self, waited: Duration, peer_has_answered: bool) -> bool {
        let limit = self.timing.tries.max(1);
        self.sent = None;
        if self.hint == Hint::Taken {
            self.hint = Hint::Spent;
            return true;
        }
        self.hint = Hint::Open;
        if peer_has_answered && waited < self.timing.initial && self.quick < limit {
            self.quick += 1;
        } else if self.tries < limit {
            self.tries += 1;
        } else {
            return false;
        }
        self.doublings = (self.doublings + 1).min(MOST_DOUBLINGS);
        true
    }

    /// The same goes out once more because the peer asked for it; false: it went out often enough.
    pub(super) fn repeat(&mut self) -> bool {
        let is_left = self.tries < self.timing.tries.max(1);
        if is_left {
            self.tries += 1;
            self.sent = None;
        }
        is_left
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests begin at some instant")]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// The waits until it is given up, where the peer has answered before or not.
    fn waits(timer: &mut Retransmission, peer_has_answered: bool) -> Vec<u128> {
        let mut waits = Vec::new();
        loop {
            let wait = timer.wait();
            waits.push(wait.as_millis());
            if !timer.try_again(wait, peer_has_answered) {
                return waits;
            }
        }
    }

    #[test]
    fn tft_33_the_wait_doubles_to_eight_seconds_and_six_tries_are_all() {
        let mut timer = Retransmission::new(Timing::default(), None, Instant::now());
        assert_eq!(
            waits(&mut timer, false),
            [1000, 2000, 4000, 8000, 8000, 8000]
        );
    }

    #[test]
    fn tft_33_an_interval_that_was_agreed_on_is_fixed() {
        let interval = Some(Duration::from_secs(3));
        let mut timer = Retransmission::new(Timing::default(), interval, Instant::now());
        assert_eq!(waits(&mut timer, true), [3000; 6]);
        timer.begin_anew();
        assert_eq!(waits(&mut timer, true), [3000; 6]);
    }

    #[test]
    fn short_waits_of_a_quick_network_do_not_use_up_the_tries() {
        let start = Instant::now();
        let mut timer = Retransmission::new(Timing::default(), None, start);
        timer.answered(start + millis(1));
        assert_eq!(
            timer.measured.map(|measured| measured.smoothed),
            Some(millis(1))
        );
        assert_eq!(
            waits(&mut timer, true),
            [
                20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 8000, 8000, 8000
            ]
        );
        let mut fixed = Retransmission::new(Timing::default(), Some(millis(10)), start);
        assert_eq!(waits(&mut fixed, true), [10; 12]);
        let mut unanswered = Retransmission::new(Timing::default(), Some(millis(10)), start);
        assert_eq!(waits(&mut unanswered, false), [10; 6]);
    }

    #[test]
    fn karn_what_was_sent_twice_is_not_measured_and_keeps_the_wait_backed_off() {
        let start = Instant::now();
        let mut timer = Retransmission::new(Timing::default(), None, start);
        assert!(timer.try_again(timer.wait(), true));
        timer.answered(start + millis(1001));
        assert_eq!(timer.measured.map(|measured| measured.smoothed), None);
        timer.measure_from(start);
        assert!(timer.try_again(timer.wait(), true));
        assert!(timer.try_again(timer.wait(), true));
        assert_eq!(timer.wait(), millis(4000));
        timer.answered(start + millis(9000));
        assert_eq!(timer.wait(), millis(2000));
        timer.measure_from(start);
        timer.answered(start + millis(100));
        assert_eq!(
            timer.measured.map(|measured| measured.smoothed),
            Some(millis(100))
        );
        assert_eq!(timer.wait(), millis(300));
    }

    #[test]
    fn a_round_trip_that_grows_is_followed() {
        let start = Instant::now();
        let mut timer = Retransmission::new(Timing::default(), None, start);
        for _ in 0..50 {
            timer.measure_from(start);
            timer.answered(start + millis(400));
        }
        assert!(timer.wait() >= millis(400) && timer.wait() < millis(420));
        timer.measure_from(start);
        timer.answered(start + millis(800));
        assert!(timer.wait() > millis(800));
        assert!(timer.patient_wait() >= timer.timing.initial);
    }

    #[test]
    fn nonsense_of_settings_is_survived() {
        let timing = Timing {
            initial: Duration::MAX,
            shortest: Duration::MAX,
            longest: Duration::MAX,
            tries: 0,
        };
        let mut timer = Retransmission::new(timing, None, Instant::now());
        assert_eq!(timer.deadline(), None);
        assert!(!timer.try_again(timer.wait(), true) || timer.quick == 1);
        assert!(!timer.repeat());
    }
}
