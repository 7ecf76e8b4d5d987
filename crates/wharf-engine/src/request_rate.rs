//! How many requests an address may make in a second, where a request costs its sender one packet.
//!
//! Such a request may come from anywhere, in anybody's name: what goes beyond the rate is dropped without a
//! word. An address has a bucket with as many tokens as the rate; IPv6 is counted by /64, since a host
//! has all the addresses of one. The table is bounded and made of two halves: a full young half
//! becomes the old one, and what nobody asked for meanwhile is forgotten with the old. So a flood of
//! false addresses costs each request the same, and forgets nobody who is here often.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How many addresses are remembered.
const REMEMBERED: usize = 65_536;

const SECOND: Duration = Duration::from_secs(1);

/// The addresses that asked lately.
#[derive(Debug, Default)]
pub struct RequestRate {
    buckets: Mutex<Buckets>,
}

/// Per address, when its bucket is full again.
#[derive(Debug, Default)]
struct Buckets {
    young: HashMap<IpAddr, Instant>,
    old: HashMap<IpAddr, Instant>,
}

impl RequestRate {
    /// Whether `peer` may make one more request at `now`: `per_second` of them at once and so many each
    /// second, without a limit when that is 0. A refused request counts as none. A known address
    /// costs no allocation.
    pub fn allow(&self, peer: IpAddr, now: Instant, per_second: u32) -> bool {
        let Some(price) = SECOND.checked_div(per_second) else {
            return true;
        };
        let peer = counted_as(peer);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full_again = buckets.take(peer).map_or(now, |moment| moment.max(now)) + price;
        let is_allowed = full_again.saturating_duration_since(now) <= SECOND;
        buckets.put(
            peer,
            if is_allowed {
                full_again
            } else {
                full_again - price
            },
        );
        is_allowed
    }
}

impl Buckets {
    fn take(&mut self, peer: IpAddr) -> Option<Instant> {
        self.young
            .get(&peer)
            .copied()
            .or_else(|| self.old.remove(&peer))
    }

    fn put(&mut self, peer: IpAddr, full_again: Instant) {
        if let Some(known) = self.young.get_mut(&peer) {
            *known = full_again;
            return;
        }
        if self.young.len() >= REMEMBERED / 2 {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(peer, full_again);
    }
}

/// The address, or the network of an address of IPv6.
fn counted_as(peer: IpAddr) -> IpAddr {
    match wharf_accounts::normalised(peer) {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(network).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some moment to begin with"
)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from(number).into()
    }

    /// TFT-08: as many at once as in a second, then one for each share of a second that passes.
    #[test]
    fn tft_08_an_address_has_its_rate_and_no_more() {
        let rate = RequestRate::default();
        let start = Instant::now();
        let peer = address(1);
        let allowed = |now| (0..200).filter(|_| rate.allow(peer, now, 50)).count();
        assert_eq!(allowed(start), 50);
        assert_eq!(allowed(start + Duration::from_millis(19)), 0);
        assert_eq!(allowed(start + Duration::from_millis(20)), 1);
        assert_eq!(allowed(start + Duration::from_millis(520)), 25);
        assert_eq!(allowed(start + Duration::from_secs(60)), 50, "no more");
        assert!(rate.allow(address(2), start, 50), "everybody has his own");
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let rate = RequestRate::default();
        let now = Instant::now();
        assert!((0..1000).all(|_| rate.allow(address(1), now, 0)));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_a_mapped_address_as_itself() {
        let rate = RequestRate::default();
        let now = Instant::now();
        let allow = |text: &str| rate.allow(text.parse().unwrap(), now, 1);
        assert!(allow("2001:db8::1"));
        assert!(!allow("2001:db8::ffff:2"));
        assert!(allow("2001:db8:0:1::1"));
        assert!(allow("192.0.2.1"));
        assert!(!allow("::ffff:192.0.2.1"));
        assert!(allow("::ffff:192.0.2.2"));
    }

    /// A flood of false addresses neither fills memory nor frees who asks all the time.
    #[test]
    fn the_table_is_bounded_and_forgets_the_oldest() {
        let rate = RequestRate::default();
        let now = Instant::now();
        let (patient, busy) = (address(0), address(1));
        assert!(rate.allow(patient, now, 1));
        assert!(rate.allow(busy, now, 1));
        for number in 2..200_000 {
            assert!(rate.allow(address(number), now, 1));
            if number % 10_000 == 0 {
                assert!(!rate.allow(busy, now, 1), "{number}");
            }
        }
        let held = {
            let buckets = rate.buckets.lock().unwrap();
            buckets.young.len() + buckets.old.len()
        };
        assert!(held <= REMEMBERED, "{held}");
        assert!(rate.allow(patient, now, 1), "forgotten");
    }
}
