//! Who is here: one small record per session, and the way to end one or all.
//!
//! A session waits on its record's signal beside its socket; so an administrator's kick, a drain for
//! shutdown and the replacement of an idle session are one mechanism.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    time::Instant,
};

use tokio::sync::Notify;

/// A session's number, unique in the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// A transfer of a session for as long as it lives: its session is not idle.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Record>);

impl Drop for Busy {
    fn drop(&mut self) {
        let left = self.0.transfers.fetch_sub(1, Ordering::Relaxed) - 1;
        if left == 0 && self.0.ending() == Ending::AfterTransfer {
            self.0.signal.notify_one();
        }
    }
}

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

impl Ending {
    const fn of(number: u8) -> Self {
        match number {
            0 => Self::None,
            1 => Self::AfterTransfer,
            _ => Self::Now,
        }
    }
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
    /// Transfers of now.
    transfers: AtomicU32,
    ending: AtomicU8,
    signal: Notify,
}

impl Record {
    /// The account, when logged in.
    pub fn account(&self) -> Option<Arc<str>> {
        self.account
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_account(&self, account: Option<Arc<str>>) {
        *self.account.lock().unwrap_or_else(PoisonError::into_inner) = account;
    }

    /// A command came at `now`.
    pub fn touch(&self, now: Instant) {
        let seconds = now.saturating_duration_since(self.since).as_secs();
        self.active.store(
            u32::try_from(seconds).unwrap_or(u32::MAX),
            Ordering::Relaxed,
        );
    }

    /// When a command last came.
    pub fn last_active(&self) -> Instant {
        self.since + std::time::Duration::from_secs(self.active.load(Ordering::Relaxed).into())
    }

    /// Whether a transfer runs now. Who was asked to end after it is told when it is over, as of the
    /// request.
    pub fn is_busy(&self) -> bool {
        self.transfers.load(Ordering::Relaxed) > 0
    }

    /// Asks the session to end; a stronger request stands over a weaker one.
    pub fn end(&self, ending: Ending) {
        self.ending.fetch_max(ending as u8, Ordering::Relaxed);
        self.signal.notify_one();
    }

    /// What was asked for.
    pub fn ending(&self) -> Ending {
        Ending::of(self.ending.load(Ordering::Relaxed))
    }

    /// Waits until somebody asks for an end; each request is told once, several at a time as one.
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
    /// What everybody was asked, and whoever comes is.
    ending: AtomicU8,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            next: AtomicU64::new(1),
            shards: Default::default(),
            empty: Notify::new(),
            ending: AtomicU8::new(0),
        }
    }
}

impl Registry {
    fn shard(&self, id: SessionId) -> &Mutex<HashMap<SessionId, Arc<Record>>> {
        let [first, ..] = &self.shards;
        usize::try_from(id.0 % SHARDS as u64)
            .ok()
            .and_then(|index| self.shards.get(index))
            .unwrap_or(first)
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
            transfers: AtomicU32::new(0),
            ending: AtomicU8::new(0),
            signal: Notify::new(),
        });
        self.shard(id)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, Arc::clone(&record));
        // Entered while everyone was being told to go: must hear of it as well.
        if self.is_draining() {
            record.end(Ending::of(self.ending.load(Ordering::SeqCst)));
        }
        Registered {
            registry: Arc::clone(self),
            record,
        }
    }

    /// Every session of now, in no order.
    pub fn sessions(&self) -> Vec<Arc<Record>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(
                shard
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .values()
                    .cloned(),
            );
        }
        all
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks one session to end at once; `false` when there is none of that number.
    pub fn kick(&self, id: SessionId) -> bool {
        let record = self
            .shard(id)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned();
        record.is_some_and(|record| {
            record.end(Ending::Now);
            true
        })
    }

    /// Marks a session as busy with a transfer.
    pub(crate) fn busy(&self, id: SessionId) -> Option<Busy> {
        let record = self
            .shard(id)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()?;
        record.transfers.fetch_add(1, Ordering::Relaxed);
        Some(Busy(record))
    }

    /// Asks the idle session of `peer` that has been silent the longest to end at once; `false` when
    /// it has none (INT-45).
    pub fn replace_oldest(&self, peer: IpAddr) -> bool {
        let oldest = self
            .sessions()
            .into_iter()
            .filter(|record| record.peer.ip() == peer && record.ending() == Ending::None)
            .filter(|record| record.transfers.load(Ordering::Relaxed) == 0)
            .min_by_key(|record| record.last_active());
        oldest.is_some_and(|record| {
            record.end(Ending::Now);
            true
        })
    }

    /// Asks everyone to end. New sessions are asked as soon as they enter.
    pub fn end_all(&self, ending: Ending) {
        self.ending.fetch_max(ending as u8, Ordering::SeqCst);
        for record in self.sessions() {
            record.end(ending);
        }
    }

    /// Whether everybody was asked to end.
    pub fn is_draining(&self) -> bool {
        self.ending.load(Ordering::SeqCst) != Ending::None as u8
    }

    /// Waits until nobody is here; any number may wait.
    pub async fn emptied(&self) {
        loop {
            // Made before the look, so that whoever leaves after it is heard.
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
            self.registry.empty.notify_waiters();
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some moment to begin with"
)]
mod tests {
    use std::future::Future as _;

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

    #[tokio::test]
    async fn who_comes_after_the_hard_end_is_ended_hard() {
        let registry = Arc::new(Registry::default());
        registry.end_all(Ending::AfterTransfer);
        registry.end_all(Ending::Now);
        let late = registry.enter("ftp", address(1), address(9), Instant::now());
        assert_eq!(late.record().ended().await, Ending::Now);
    }

    /// A session that has heard of one request hears of a stronger one as well, and of none twice.
    #[tokio::test]
    async fn each_request_to_end_is_heard_once() {
        let registry = Arc::new(Registry::default());
        let session = registry.enter("ftp", address(1), address(9), Instant::now());
        session.record().end(Ending::AfterTransfer);
        assert_eq!(session.record().ended().await, Ending::AfterTransfer);
        let mut again = std::pin::pin!(session.record().ended());
        assert!(
            std::future::poll_fn(|context| std::task::Poll::Ready(again.as_mut().poll(context)))
                .await
                .is_pending()
        );
        session.record().end(Ending::Now);
        session.record().end(Ending::AfterTransfer);
        assert_eq!(
            again.await,
            Ending::Now,
            "a weaker request takes nothing back"
        );
    }

    #[tokio::test]
    async fn everybody_who_waits_hears_that_the_last_has_left() {
        let registry = Arc::new(Registry::default());
        let session = registry.enter("ftp", address(1), address(9), Instant::now());
        let leave = async { drop(session) };
        tokio::join!(biased; registry.emptied(), registry.emptied(), leave);
    }

    /// INT-45: it is an idle session that makes room.
    #[test]
    fn a_session_with_a_transfer_is_not_replaced() {
        let registry = Arc::new(Registry::default());
        let session = registry.enter("ftp", address(1), address(9), Instant::now());
        let busy = registry.busy(session.record().id);
        assert!(!registry.replace_oldest(address(1).ip()));
        drop(busy);
        assert!(registry.replace_oldest(address(1).ip()));
    }

    #[test]
    fn the_longest_silent_session_of_an_address_is_replaced() {
        let registry = Arc::new(Registry::default());
        let now = Instant::now();
        let sessions = [1, 1, 2].map(|last| registry.enter("ftp", address(last), address(9), now));
        sessions[0]
            .record()
            .touch(now + std::time::Duration::from_secs(9));
        assert!(registry.replace_oldest(address(1).ip()));
        assert_eq!(
            sessions.each_ref().map(|session| session.record().ending()),
            [Ending::None, Ending::Now, Ending::None]
        );
        assert!(!registry.replace_oldest(address(3).ip()));
    }
}
