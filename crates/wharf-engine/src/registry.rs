//! Who is here: one small record per session, and the way to end one or all.
//!
//! A session waits on its record's signal beside its socket; so an administrator's kick, a drain for
//! shutdown and the replacement of an idle session are one mechanism.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    time::Instant,
};

use tokio::sync::Notify;

/// A session's number, unique in the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// How a session is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Ending {
    /// Not at all.
    None = 0,
    /// When the running transfer is over.
    AfterTransfer = 1,
    /// At once.
    Now = 2,
}

/// What is known of a session from outside.
#[derive(Debug)]
pub struct Record {
    /// Its number.
    pub id: SessionId,
    /// The service ("ftp").
    pub service: &'static str,
    /// The peer, IPv4-mapped addresses turned into IPv4, behind a named proxy the real one.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// Since when.
    pub since: Instant,
    account: Mutex<Option<Arc<str>>>,
    /// Seconds after `since` at which a command last came.
    active: AtomicU32,
    ending: AtomicU8,
    signal: Notify,
}

impl Record {
    /// The account, when logged in.
    pub fn account(&self) -> Option<Arc<str>> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_account(&self, account: Option<Arc<str>>) {
        *self.account.lock().unwrap_or_else(PoisonError::into_inner) = account;
    }

    /// A command came at `now`.
    pub fn touch(&self, now: Instant) {
        let seconds = now.saturating_duration_since(self.since).as_secs();
        self.active.store(u32::try_from(seconds).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// When a command last came.
    pub fn last_active(&self) -> Instant {
        self.since + std::time::Duration::from_secs(self.active.load(Ordering::Relaxed).into())
    }

    /// Asks the session to end; a stronger request stands over a weaker one.
    pub fn end(&self, ending: Ending) {
        self.ending.fetch_max(ending as u8, Ordering::Relaxed);
        self.signal.notify_one();
    }

    /// What was asked for.
    pub fn ending(&self) -> Ending {
        match self.ending.load(Ordering::Relaxed) {
            0 => Ending::None,
            1 => Ending::AfterTransfer,
            _ => Ending::Now,
        }
    }

    /// Waits until somebody asks for an end.
    pub async fn ended(&self) -> Ending {
        self.signal.notified().await;
        self.ending()
    }
}

const SHARDS: usize = 16;

/// All sessions.
#[derive(Debug)]
pub struct Registry {
    next: AtomicU64,
    shards: [Mutex<HashMap<SessionId, Arc<Record>>>; SHARDS],
    empty: Notify,
    draining: OnceLock<()>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { next: AtomicU64::new(1), shards: Default::default(), empty: Notify::new(), draining: OnceLock::new() }
    }
}

impl Registry {
    fn shard(&self, id: SessionId) -> &Mutex<HashMap<SessionId, Arc<Record>>> {
        let [first, ..] = &self.shards;
        usize::try_from(id.0 % SHARDS as u64).ok().and_then(|index| self.shards.get(index)).unwrap_or(first)
    }

    /// Enters a session; it leaves when the entry is dropped.
    pub fn enter(
        self: &Arc<Self>,
        service: &'static str,
        peer: SocketAddr,
        local: SocketAddr,
        now: Instant,
    ) -> Registered {
        let id = SessionId(self.next.fetch_add(1, Ordering::Relaxed));
        let record = Arc::new(Record {
            id,
            service,
            peer,
            local,
            since: now,
            account: Mutex::new(None),
            active: AtomicU32::new(0),
            ending: AtomicU8::new(0),
            signal: Notify::new(),
        });
        self.shard(id).lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&record));
        // Entered while everyone was being told to go: must hear of it as well.
        if self.draining.get().is_some() {
            record.end(Ending::AfterTransfer);
        }
        Registered { registry: Arc::clone(self), record }
    }

    /// Every session of now, in no order.
    pub fn sessions(&self) -> Vec<Arc<Record>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(shard.lock().unwrap_or_else(PoisonError::into_inner).values().cloned());
        }
        all
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks one session to end at once; `false` when there is none of that number.
    pub fn kick(&self, id: SessionId) -> bool {
        let record = self.shard(id).lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        record.is_some_and(|record| {
            record.end(Ending::Now);
            true
        })
    }

    /// Asks the session of `peer` that has been silent the longest to end at once; `false` when it
    /// has none.
    pub fn replace_oldest(&self, peer: IpAddr) -> bool {
        let oldest = self
            .sessions()
            .into_iter()
            .filter(|record| record.peer.ip() == peer && record.ending() == Ending::None)
            .min_by_key(|record| record.last_active());
        oldest.is_some_and(|record| {
            record.end(Ending::Now);
            true
        })
    }

    /// Asks everyone to end. New sessions are asked as soon as they enter.
    pub fn end_all(&self, ending: Ending) {
        self.draining.get_or_init(|| ());
        for record in self.sessions() {
            record.end(ending);
        }
    }

    /// Waits until nobody is here.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.empty.notified();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

/// A session's place in the registry; left on drop.
#[derive(Debug)]
pub struct Registered {
    registry: Arc<Registry>,
    record: Arc<Record>,
}

impl Registered {
    /// The record.
    pub const fn record(&self) -> &Arc<Record> {
        &self.record
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let shard = self.registry.shard(self.record.id);
        let is_empty = {
            let mut sessions = shard.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.remove(&self.record.id);
            sessions.is_empty()
        };
        if is_empty {
            self.registry.empty.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 1000))
    }

    #[tokio::test]
    async fn a_drain_reaches_those_who_come_late() {
        let registry = Arc::new(Registry::default());
        let now = Instant::now();
        let early = registry.enter("ftp", address(1), address(9), now);
        registry.end_all(Ending::AfterTransfer);
        let late = registry.enter("ftp", address(2), address(9), now);
        assert_eq!(early.record().ended().await, Ending::AfterTransfer);
        assert_eq!(late.record().ended().await, Ending::AfterTransfer);
        let waiting = tokio::spawn({
            let registry = Arc::clone(&registry);
            async move { registry.emptied().await }
        });
        drop((early, late));
        waiting.await.unwrap();
    }

    #[test]
    fn the_longest_silent_session_of_an_address_is_replaced() {
        let registry = Arc::new(Registry::default());
        let now = Instant::now();
        let sessions = [1, 1, 2].map(|last| registry.enter("ftp", address(last), address(9), now));
        sessions[0].record().touch(now + std::time::Duration::from_secs(9));
        assert!(registry.replace_oldest(address(1).ip()));
        assert_eq!(sessions.each_ref().map(|session| session.record().ending()), [
            Ending::None,
            Ending::Now,
            Ending::None
        ]);
        assert!(!registry.replace_oldest(address(3).ip()));
    }
}
