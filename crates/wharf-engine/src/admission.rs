//! The door: who may have a connection at all, asked before a single byte is parsed.
//!
//! Three counts hold at once: all connections, connections of one address, and connections that
//! have not logged in. The last keeps a flood of strangers from taking the places of users
//! (CVE-2021-30047). A [`Lease`] frees its places when it is dropped, so no path can forget to.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// How many connections there may be; 0 means none of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// In all.
    pub connections: usize,
    /// From one address.
    pub per_address: usize,
    /// Not logged in, in all.
    pub unauthenticated: usize,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            per_address: 100,
            unauthenticated: 1_000,
        }
    }
}

/// Why somebody was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Too many connections in all.
    Connections,
    /// Too many from this address.
    Address,
    /// Too many that have not logged in.
    Unauthenticated,
}

impl Turned {
    /// For the log.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Connections => "too many connections (limits.connections)",
            Self::Address => "too many connections from this address (limits.per_address)",
            Self::Unauthenticated => {
                "too many connections that have not logged in (limits.unauthenticated)"
            }
        }
    }
}

const SHARDS: usize = 16;

/// The counts.
#[derive(Debug, Default)]
pub struct Admission {
    connections: AtomicUsize,
    unauthenticated: AtomicUsize,
    addresses: [Mutex<HashMap<IpAddr, usize>>; SHARDS],
}

impl Admission {
    /// Takes a place for a connection from `peer`, under the limits of now.
    ///
    /// # Errors
    /// Which limit was reached.
    pub fn admit(
        self: &Arc<Self>,
        peer: IpAddr,
        limits: &AdmissionLimits,
    ) -> Result<Lease, Turned> {
        // Each take is undone by the lease's drop, or here when a later one fails.
        if !take(&self.connections, limits.connections) {
            return Err(Turned::Connections);
        }
        if !take(&self.unauthenticated, limits.unauthenticated) {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return Err(Turned::Unauthenticated);
        }
        if !self.take_address(peer, limits.per_address) {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            self.unauthenticated.fetch_sub(1, Ordering::Relaxed);
            return Err(Turned::Address);
        }
        Ok(Lease {
            counts: Some((Arc::clone(self), peer)),
            is_guest: AtomicBool::new(true),
        })
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn shard(&self, peer: IpAddr) -> Option<&Mutex<HashMap<IpAddr, usize>>> {
        let last = match peer {
            IpAddr::V4(v4) => v4.octets()[3],
            // Most of an IPv6 prefix is one host's; its network part spreads better.
            IpAddr::V6(v6) => v6.octets()[7] ^ v6.octets()[15],
        };
        self.addresses.get(last as usize % SHARDS)
    }

    fn take_address(&self, peer: IpAddr, limit: usize) -> bool {
        let Some(shard) = self.shard(peer) else {
            return false;
        };
        let mut counts = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(peer).or_insert(0);
        if *count < limit {
            *count += 1;
            return true;
        }
        if *count == 0 {
            counts.remove(&peer);
        }
        false
    }

    fn free_address(&self, peer: IpAddr) {
        let Some(shard) = self.shard(peer) else {
            return;
        };
        let mut counts = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = counts.entry(peer) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

fn take(count: &AtomicUsize, limit: usize) -> bool {
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            (now < limit).then_some(now + 1)
        })
        .is_ok()
}

/// A connection's places; freed on drop.
#[derive(Debug)]
pub struct Lease {
    /// Where it counts, and for whom; `None`: nowhere.
    counts: Option<(Arc<Admission>, IpAddr)>,
    is_guest: AtomicBool,
}

impl Lease {
    /// Of what is no connection and takes no place.
    pub(crate) const fn uncounted() -> Self {
        Self {
            counts: None,
            is_guest: AtomicBool::new(true),
        }
    }

    /// The connection has logged in (`true`) or out again: moves it between the kinds.
    pub fn set_logged_in(&self, logged_in: bool) {
        let was_guest = self.is_guest.swap(!logged_in, Ordering::Relaxed);
        let Some((admission, _)) = &self.counts else {
            return;
        };
        if was_guest == logged_in {
            if logged_in {
                admission.unauthenticated.fetch_sub(1, Ordering::Relaxed);
            } else {
                admission.unauthenticated.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((admission, peer)) = &self.counts else {
            return;
        };
        if self.is_guest.load(Ordering::Relaxed) {
            admission.unauthenticated.fetch_sub(1, Ordering::Relaxed);
        }
        admission.connections.fetch_sub(1, Ordering::Relaxed);
        admission.free_address(*peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AdmissionLimits = AdmissionLimits {
        connections: 5,
        per_address: 2,
        unauthenticated: 3,
    };

    fn peer(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn places_are_freed_on_drop() {
        let door = Arc::new(Admission::default());
        for _ in 0..100 {
            let first = door.admit(peer(1), &LIMITS).unwrap();
            let second = door.admit(peer(1), &LIMITS).unwrap();
            assert_eq!(door.admit(peer(1), &LIMITS).unwrap_err(), Turned::Address);
            drop((first, second));
        }
        assert_eq!(door.connections(), 0);
        assert!(
            door.addresses
                .iter()
                .all(|shard| shard.lock().unwrap().is_empty()),
            "no trace stays"
        );
    }

    /// CVE-2021-30047: connections that never log in must not lock users out.
    #[test]
    fn cve_2021_30047_strangers_cannot_take_the_places_of_users() {
        let door = Arc::new(Admission::default());
        let user = door.admit(peer(1), &LIMITS).unwrap();
        user.set_logged_in(true);
        let flood: Vec<_> = (2..5)
            .map(|last| door.admit(peer(last), &LIMITS).unwrap())
            .collect();
        assert_eq!(
            door.admit(peer(9), &LIMITS).unwrap_err(),
            Turned::Unauthenticated
        );
        flood[0].set_logged_in(true);
        let next = door.admit(peer(9), &LIMITS).unwrap();
        assert_eq!(
            door.admit(peer(10), &LIMITS).unwrap_err(),
            Turned::Connections
        );
        user.set_logged_in(false);
        drop((next, user, flood));
        assert_eq!(door.unauthenticated.load(Ordering::Relaxed), 0);
    }
}
