//! Which transactions are under way: never two for one client's port, and never too many (TFT-07, TFT-08).

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
};

use tokio::sync::Notify;

use crate::mailbox::{Mailbox, Note};

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
    count: usize,
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
    /// forgotten.
    ///
    /// # Errors
    /// Which limit was reached.
    pub(crate) fn enter(
        self: &Arc<Self>,
        peer: SocketAddr,
        request: &[u8],
        is_shared: bool,
        (all, per_address): (usize, usize),
    ) -> Result<Place, Full> {
        let mut under_way = self.lock();
        if let Some(before) = under_way.by_peer.remove(&peer) {
            before.note(Note::Replaced);
        }
        if under_way.count >= all {
            return Err(Full::All);
        }
        let of_address = under_way
            .per_address
            .get(&peer.ip())
            .copied()
            .unwrap_or_default();
        if of_address >= per_address {
            return Err(Full::Address);
        }
        under_way.per_address.insert(peer.ip(), of_address + 1);
        under_way.count += 1;
        under_way.shared += usize::from(is_shared);
        let mailbox = Arc::new(Mailbox::new(request, is_shared, &self.held));
        under_way.by_peer.insert(peer, Arc::clone(&mailbox));
        drop(under_way);
        Ok(Place {
            transactions: Arc::clone(self),
            peer,
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
        self.lock().count
    }
}

/// A transaction's place; left on drop.
#[derive(Debug)]
pub(crate) struct Place {
    transactions: Arc<Transactions>,
    peer: SocketAddr,
    /// What the listener has for it.
    pub(crate) mailbox: Arc<Mailbox>,
}

impl UnderWay {
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
        let is_asked_again = self.mailbox.take_note() == Some(Note::Repeated);
        if !is_asked_again {
            under_way.forget(self.peer, &self.mailbox);
        }
        !is_asked_again
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self.transactions.lock();
        under_way.count -= 1;
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
mod tests {
    use super::*;

    fn peer(last: u8, port: u16) -> SocketAddr {
        ([192, 0, 2, last], port).into()
    }

    #[test]
    fn tft_08_transfers_are_counted_in_all_and_per_address() {
        let all = Arc::new(Transactions::default());
        let enter = |last, port| all.enter(peer(last, port), b"", true, (3, 2));
        let first = enter(1, 1).unwrap();
        let second = enter(1, 2).unwrap();
        assert_eq!(enter(1, 3).unwrap_err(), Full::Address);
        let third = enter(2, 1).unwrap();
        assert_eq!(enter(3, 1).unwrap_err(), Full::All);
        drop((first, second, third));
        let under_way = all.lock();
        assert_eq!((under_way.count, under_way.shared), (0, 0));
        assert!(under_way.per_address.is_empty() && under_way.by_peer.is_empty());
    }

    #[test]
    fn tft_07_a_port_talks_to_the_newest_of_its_transactions() {
        let all = Arc::new(Transactions::default());
        let old = all.enter(peer(1, 1), b"a", false, (9, 9)).unwrap();
        let new = all.enter(peer(1, 1), b"b", false, (9, 9)).unwrap();
        assert_eq!(old.mailbox.take_note(), Some(Note::Replaced));
        drop(old);
        let current = all.of(peer(1, 1)).unwrap();
        assert!(Arc::ptr_eq(&current, &new.mailbox));
        assert!(!all.repeat(peer(1, 1), b"a"));
        assert!(all.repeat(peer(1, 1), b"b"));
        assert!(!new.is_left(), "asked again");
        assert!(new.is_left());
        assert!(!all.repeat(peer(1, 1), b"b"), "the next one begins anew");
        drop(new);
        assert!(all.of(peer(1, 1)).is_none());
    }
}
