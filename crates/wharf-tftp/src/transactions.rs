//! Which transactions are under way: never two for one client's port, and never too many (TFT-07, TFT-08).
//!
//! A request costs its sender one packet in anybody's name, and its answer is waited for much longer than it
//! takes to send the next. So where places run short, transactions give way whose clients have said nothing
//! for a while, and those that have their file and only wait for a client who may have missed that.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::mailbox::{Mailbox, Note};

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// In all.
    pub(crate) all: usize,
    /// Of one address.
    pub(crate) per_address: usize,
    /// How long a transaction that its client does not answer gives no way to others.
    pub(crate) patience: Duration,
}

/// Why a request gets no transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Too many in all.
    All,
    /// Too many of its address.
    Address,
}

impl Full {
    /// For the log.
    pub(crate) const fn cause(self) -> &'static str {
        match self {
            Self::All => "too many transfers at once (tftp.transfers)",
            Self::Address => "too many transfers at once from this address (tftp.per_address)",
        }
    }
}

#[derive(Debug, Default)]
struct UnderWay {
    /// The one that a client's port talks to.
    by_peer: HashMap<SocketAddr, Arc<Mailbox>>,
    per_address: HashMap<IpAddr, usize>,
    /// All, in the order in which they came.
    in_order: BTreeMap<u64, (IpAddr, Arc<Mailbox>)>,
    /// How many ever came.
    came: u64,
    /// Of those, in single-port mode.
    shared: usize,
}

/// All transactions of the service.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    under_way: Mutex<UnderWay>,
    /// Octets that wait in all mailboxes.
    held: Arc<AtomicUsize>,
    /// The last one of single-port mode is over.
    quiet: Notify,
}

impl Transactions {
    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The transaction that `peer` talks to.
    pub(crate) fn of(&self, peer: SocketAddr) -> Option<Arc<Mailbox>> {
        self.lock().by_peer.get(&peer).cloned()
    }

    /// Tells the transaction that `peer` has with this very request that it came again; `false`: there is
    /// none.
    pub(crate) fn repeat(&self, peer: SocketAddr, request: &[u8]) -> bool {
        let under_way = self.lock();
        let Some(mailbox) = under_way.by_peer.get(&peer) else {
            return false;
        };
        let is_same = mailbox.request == request;
        if is_same {
            // Under the lock: it may be about to leave, and then somebody must serve this one.
            mailbox.note(Note::Repeated);
        }
        is_same
    }

    /// Takes a place for a request of `peer`. A transaction that the client had on the same port is
    /// forgotten. Who takes the last place, or finds none, makes another give way, if one can.
    ///
    /// # Errors
    /// Which limit was reached.
    pub(crate) fn enter(
        self: &Arc<Self>,
        peer: SocketAddr,
        request: &[u8],
        is_shared: bool,
        limits: Limits,
        now: Instant,
    ) -> Result<Place, Full> {
        let address = peer.ip();
        let mut under_way = self.lock();
        if let Some(before) = under_way.by_peer.remove(&peer) {
            before.note(Note::Replaced);
        }
        let of_address = under_way.per_address.get(&address).copied();
        let of_address = of_address.unwrap_or_default();
        if of_address + 1 >= limits.per_address {
            under_way.make_way(now, |other| other == address);
        }
        if under_way.in_order.len() + 1 >= limits.all {
            under_way.make_way(now, |_| true);
        }
        if under_way.in_order.len() >= limits.all {
            return Err(Full::All);
        }
        if of_address >= limits.per_address {
            return Err(Full::Address);
        }
        under_way.per_address.insert(address, of_address + 1);
        under_way.shared += usize::from(is_shared);
        let number = under_way.came;
        under_way.came += 1;
        let mailbox = Arc::new(Mailbox::new(
            request,
            is_shared,
            &self.held,
            now.checked_add(limits.patience),
        ));
        let entry = (address, Arc::clone(&mailbox));
        under_way.in_order.insert(number, entry);
        under_way.by_peer.insert(peer, Arc::clone(&mailbox));
        drop(under_way);
        Ok(Place {
            transactions: Arc::clone(self),
            peer,
            number,
            mailbox,
        })
    }

    /// Waits until no transaction needs the listening socket.
    pub(crate) async fn quiet(&self) {
        loop {
            // Made before the look, so that whoever leaves after it is heard.
            let quiet = self.quiet.notified();
            if self.lock().shared == 0 {
                return;
            }
            quiet.await;
        }
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().in_order.len()
    }
}

/// A transaction's place; left on drop.
#[derive(Debug)]
pub(crate) struct Place {
    transactions: Arc<Transactions>,
    peer: SocketAddr,
    number: u64,
    /// What the listener has for it.
    pub(crate) mailbox: Arc<Mailbox>,
}

impl UnderWay {
    /// Asks the oldest that may to give its place to others.
    fn make_way(&self, now: Instant, is_meant: impl Fn(IpAddr) -> bool) {
        let mut meant = self.in_order.values().filter(|(of, _)| is_meant(*of));
        meant.any(|(_, mailbox)| mailbox.ask_to_give_way(now));
    }

    /// The port talks to nobody, unless it talks to another one by now.
    fn forget(&mut self, peer: SocketAddr, mailbox: &Arc<Mailbox>) {
        if let Entry::Occupied(current) = self.by_peer.entry(peer)
            && Arc::ptr_eq(current.get(), mailbox)
        {
            current.remove();
        }
    }
}

impl Place {
    /// Whether the client asks no more: from now on its requests begin other transactions. `false`: the
    /// same request has come again.
    pub(crate) fn is_left(&self) -> bool {
        let mut under_way = self.transactions.lock();
        let note = match self.mailbox.take_note() {
            // It does.
            Some(Note::GiveWay) => self.mailbox.take_note(),
            note => note,
        };
        let is_asked_again = note == Some(Note::Repeated);
        if !is_asked_again {
            under_way.forget(self.peer, &self.mailbox);
        }
        !is_asked_again
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self.transactions.lock();
        under_way.in_order.remove(&self.number);
        under_way.shared -= usize::from(self.mailbox.is_shared);
        let is_quiet = under_way.shared == 0;
        if let Entry::Occupied(mut count) = under_way.per_address.entry(self.peer.ip()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        under_way.forget(self.peer, &self.mailbox);
        drop(under_way);
        if is_quiet {
            self.transactions.quiet.notify_waiters();
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests begin at some instant")]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    fn peer(last: u8, port: u16) -> SocketAddr {
        ([192, 0, 2, last], port).into()
    }

    fn limits(all: usize, per_address: usize) -> Limits {
        Limits {
            all,
            per_address,
            patience: PATIENCE,
        }
    }

    #[test]
    fn tft_08_transfers_are_counted_in_all_and_per_address() {
        let all = Arc::new(Transactions::default());
        let now = Instant::now();
        let enter = |last, port| all.enter(peer(last, port), b"", true, limits(3, 2), now);
        let first = enter(1, 1).unwrap();
        let second = enter(1, 2).unwrap();
        assert_eq!(enter(1, 3).unwrap_err(), Full::Address);
        let third = enter(2, 1).unwrap();
        assert_eq!(enter(3, 1).unwrap_err(), Full::All);
        assert_eq!(first.mailbox.take_note(), None, "it has just begun");
        drop((first, second, third));
        let under_way = all.lock();
        assert_eq!((under_way.in_order.len(), under_way.shared), (0, 0));
        assert!(under_way.per_address.is_empty() && under_way.by_peer.is_empty());
    }

    #[test]
    fn tft_07_a_port_talks_to_the_newest_of_its_transactions() {
        let all = Arc::new(Transactions::default());
        let now = Instant::now();
        let enter = |request| all.enter(peer(1, 1), request, false, limits(9, 9), now);
        let old = enter(b"a").unwrap();
        let new = enter(b"b").unwrap();
        assert_eq!(old.mailbox.take_note(), Some(Note::Replaced));
        drop(old);
        let current = all.of(peer(1, 1)).unwrap();
        assert!(Arc::ptr_eq(&current, &new.mailbox));
        assert!(!all.repeat(peer(1, 1), b"a"));
        assert!(all.repeat(peer(1, 1), b"b"));
        new.mailbox.note(Note::GiveWay);
        assert!(!new.is_left(), "asked again");
        assert!(new.is_left());
        assert!(!all.repeat(peer(1, 1), b"b"), "the next one begins anew");
        drop(new);
        assert!(all.of(peer(1, 1)).is_none());
    }

    /// Who is silent for longer than it takes to answer makes room, and who has his file at once: the oldest
    /// first, and before the last place is gone.
    #[test]
    fn tft_08_what_is_to_spare_gives_way_where_places_run_short() {
        let all = Arc::new(Transactions::default());
        let begin = Instant::now();
        let enter = |last, port, now| all.enter(peer(last, port), b"", true, limits(4, 3), now);
        let busy = enter(1, 1, begin).unwrap();
        busy.mailbox.set_spare(None);
        let silent = enter(1, 2, begin).unwrap();
        let later = begin + PATIENCE;
        let third = enter(1, 3, later).unwrap();
        assert_eq!(busy.mailbox.take_note(), None);
        assert_eq!(silent.mailbox.take_note(), Some(Note::GiveWay));
        // Asked once, and nobody else was there long enough.
        assert_eq!(enter(1, 4, later).unwrap_err(), Full::Address);
        assert_eq!(
            (silent.mailbox.take_note(), third.mailbox.take_note()),
            (None, None)
        );
        drop(silent);
        let fourth = enter(1, 4, later).unwrap();
        // It has its file.
        busy.mailbox.set_spare(Some(later));
        let other = enter(2, 1, later).unwrap();
        assert_eq!(busy.mailbox.take_note(), Some(Note::GiveWay));
        assert_eq!(enter(3, 1, later + PATIENCE).unwrap_err(), Full::All);
        assert_eq!(third.mailbox.take_note(), Some(Note::GiveWay));
        drop((busy, third, fourth, other));
    }
}
