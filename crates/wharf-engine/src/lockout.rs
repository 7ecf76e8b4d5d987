//! Who has failed too often: delays and bans per address, over all protocols.
//!
//! Guessing is made slow twice: each failure delays the next answer of that address (RPL-39), and too
//! many within the window shut it out for a while (ADM-04). The table is bounded: when it is full,
//! what is oldest is forgotten first.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use wharf_accounts::Network;

/// When an address is delayed and banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockoutPolicy {
    /// Failures within `window` that ban; 0 never bans.
    pub failures: u32,
    /// Failures are counted from the first one on for so long, then anew.
    pub window: Duration,
    /// How long a ban lasts.
    pub ban: Duration,
    /// Delay after the first failure; doubles up to `max_delay`.
    pub delay: Duration,
    /// Longest delay.
    pub max_delay: Duration,
    /// Never delayed beyond the session's own, never banned. Loopback is always among them.
    pub exempt: Vec<Network>,
}

impl Default for LockoutPolicy {
    fn default() -> Self {
        Self {
            failures: 10,
            window: Duration::from_secs(600),
            ban: Duration::from_secs(600),
            delay: Duration::from_secs(2),
            max_delay: Duration::from_secs(16),
            exempt: Vec::new(),
        }
    }
}

impl LockoutPolicy {
    fn is_exempt(&self, peer: IpAddr) -> bool {
        peer.is_loopback() || self.exempt.iter().any(|network| network.contains(peer))
    }

    /// The delay after so many failures in a row (1 for the first).
    pub fn delay_after(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        self.delay
            .saturating_mul(1 << doublings)
            .min(self.max_delay)
    }
}

#[derive(Clone, Copy, Debug)]
struct Trail {
    failures: u32,
    /// Of the first of them.
    since: Instant,
    banned_until: Option<Instant>,
}

/// How many addresses are remembered.
const REMEMBERED: usize = 65_536;

/// The addresses that failed.
#[derive(Debug, Default)]
pub struct Lockout {
    trails: Mutex<HashMap<IpAddr, Trail>>,
}

impl Lockout {
    /// Whether `peer` is shut out at `now`.
    pub fn is_banned(&self, peer: IpAddr, now: Instant, policy: &LockoutPolicy) -> bool {
        let trails = self.trails.lock().unwrap_or_else(PoisonError::into_inner);
        let is_banned = trails
            .get(&peer)
            .and_then(|trail| trail.banned_until)
            .is_some_and(|until| now < until);
        // A reload may have taken him among the exempt.
        is_banned && !policy.is_exempt(peer)
    }

    /// A login failed: counts it and gives the delay before the answer. `in_session` is the number
    /// of failures of this session, this one included.
    pub fn failed(
        &self,
        peer: IpAddr,
        now: Instant,
        in_session: u32,
        policy: &LockoutPolicy,
    ) -> Duration {
        if policy.is_exempt(peer) {
            return policy.delay_after(in_session);
        }
        let mut trails = self.trails.lock().unwrap_or_else(PoisonError::into_inner);
        if trails.len() >= REMEMBERED && !trails.contains_key(&peer) {
            trails.retain(|_, trail| {
                now.duration_since(trail.since) < policy.window
                    || trail.banned_until.is_some_and(|until| now < until)
            });
            if trails.len() >= REMEMBERED
                && let Some(oldest) = trails
                    .iter()
                    .min_by_key(|(_, trail)| trail.since)
                    .map(|(peer, _)| *peer)
            {
                trails.remove(&oldest);
            }
        }
        let fresh = Trail {
            failures: 0,
            since: now,
            banned_until: None,
        };
        let trail = trails.entry(peer).or_insert(fresh);
        let is_over = match trail.banned_until {
            Some(until) => now >= until,
            None => now.duration_since(trail.since) >= policy.window,
        };
        if is_over {
            *trail = fresh;
        }
        trail.failures += 1;
        if policy.failures > 0 && trail.failures >= policy.failures {
            trail.banned_until = Some(now + policy.ban);
        }
        policy.delay_after(trail.failures.max(in_session))
    }

    /// A login succeeded: the address starts anew.
    pub fn succeeded(&self, peer: IpAddr) {
        let mut trails = self.trails.lock().unwrap_or_else(PoisonError::into_inner);
        if !trails.is_empty() {
            trails.remove(&peer);
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some moment to begin with"
)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_their_limit_and_bans_end() {
        let policy = LockoutPolicy {
            failures: 4,
            ..LockoutPolicy::default()
        };
        let lockout = Lockout::default();
        let peer: IpAddr = [192, 0, 2, 1].into();
        let now = Instant::now();
        let delays: Vec<_> = (1..=4)
            .map(|_| lockout.failed(peer, now, 1, &policy).as_secs())
            .collect();
        assert_eq!(delays, [2, 4, 8, 16]);
        assert!(lockout.is_banned(peer, now, &policy));
        assert!(!lockout.is_banned([192, 0, 2, 2].into(), now, &policy));
        assert!(!lockout.is_banned(peer, now + policy.ban, &policy));
        assert_eq!(
            lockout
                .failed(peer, now + policy.window, 1, &policy)
                .as_secs(),
            2,
            "forgotten"
        );
    }

    #[test]
    fn loopback_is_never_banned() {
        let policy = LockoutPolicy {
            failures: 1,
            ..LockoutPolicy::default()
        };
        let lockout = Lockout::default();
        let now = Instant::now();
        lockout.failed([127, 0, 0, 1].into(), now, 1, &policy);
        assert!(!lockout.is_banned([127, 0, 0, 1].into(), now, &policy));
    }

    #[test]
    fn a_success_forgives() {
        let policy = LockoutPolicy {
            failures: 2,
            ..LockoutPolicy::default()
        };
        let lockout = Lockout::default();
        let (peer, now) = ([192, 0, 2, 1].into(), Instant::now());
        lockout.failed(peer, now, 1, &policy);
        lockout.succeeded(peer);
        lockout.failed(peer, now, 1, &policy);
        assert!(!lockout.is_banned(peer, now, &policy));
    }

    /// ADM-04: so many failures within the window, not ever.
    #[test]
    fn slow_failures_never_ban() {
        let policy = LockoutPolicy {
            failures: 3,
            ..LockoutPolicy::default()
        };
        let lockout = Lockout::default();
        let (peer, start) = ([192, 0, 2, 1].into(), Instant::now());
        for number in 0..20 {
            let now = start + policy.window * number / 2;
            lockout.failed(peer, now, 1, &policy);
            assert!(!lockout.is_banned(peer, now, &policy), "failure {number}");
        }
    }

    #[test]
    fn a_ban_that_was_served_is_over() {
        let policy = LockoutPolicy {
            failures: 2,
            ban: Duration::from_secs(60),
            ..LockoutPolicy::default()
        };
        let lockout = Lockout::default();
        let (peer, now) = ([192, 0, 2, 1].into(), Instant::now());
        lockout.failed(peer, now, 1, &policy);
        lockout.failed(peer, now, 1, &policy);
        let later = now + policy.ban;
        lockout.failed(peer, later, 1, &policy);
        assert!(
            !lockout.is_banned(peer, later, &policy),
            "the next failure counts as the first"
        );
    }

    #[test]
    fn an_address_that_becomes_exempt_is_let_in_at_once() {
        let policy = LockoutPolicy {
            failures: 1,
            ..LockoutPolicy::default()
        };
        let lockout = Lockout::default();
        let (peer, now) = ([192, 0, 2, 1].into(), Instant::now());
        lockout.failed(peer, now, 1, &policy);
        let exempt = LockoutPolicy {
            exempt: vec!["192.0.2.0/24".parse().unwrap()],
            ..policy
        };
        assert!(!lockout.is_banned(peer, now, &exempt));
    }

    #[test]
    fn the_table_stays_bounded_under_a_flood_of_addresses() {
        let policy = LockoutPolicy::default();
        let lockout = Lockout::default();
        let now = Instant::now();
        for number in (0x0a00_0000_u32..).take(REMEMBERED + 50) {
            lockout.failed(IpAddr::V4(number.into()), now, 1, &policy);
        }
        assert!(lockout.trails.lock().unwrap().len() <= REMEMBERED);
    }
}
