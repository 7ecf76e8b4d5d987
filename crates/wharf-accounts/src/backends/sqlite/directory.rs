//! The copy of the store in memory that logins are answered from.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::Store;
use crate::{
    Account, AccountName, BoxFuture, Directory, Error, KeyHints, Recall, Result, StoredSecret,
};

/// How long the copy is believed before the store is asked whether it changed.
pub const RECHECK: Duration = Duration::from_secs(1);

/// Accounts of the embedded store, for logins.
pub struct SqliteDirectory {
    store: Arc<Store>,
    copy: Arc<Mutex<Copy>>,
}

/// What is in memory.
#[derive(Default)]
struct Copy {
    accounts: Arc<HashMap<AccountName, Arc<Account>>>,
    decoys: Vec<StoredSecret>,
    key_hints: KeyHints,
    /// The store's version when the table was read.
    version: Option<(i64, u64)>,
    /// Until when nobody asks again; `None` before the first reading.
    fresh_until: Option<Instant>,
}

impl SqliteDirectory {
    /// Logins from `store`, which is read at the first of them.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            copy: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Copy> {
        lock(&self.copy)
    }
}

fn lock(copy: &Mutex<Copy>) -> MutexGuard<'_, Copy> {
    // Every change is one assignment of whole values.
    copy.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the table again if the store changed. Waits for the disk.
fn refresh(store: &Store, copy: &Mutex<Copy>, now: Instant) -> Result<()> {
    // The version comes before the table: a change between the two is seen at the next look.
    let version = store.version()?;
    if lock(copy).version != Some(version) {
        let mut accounts = HashMap::new();
        let mut decoys: Vec<StoredSecret> = Vec::new();
        for account in store.list()? {
            if decoys
                .iter()
                .all(|decoy| decoy.cost() != account.password.cost())
            {
                decoys.push(account.password.clone());
            }
            accounts.insert(account.name.clone(), Arc::new(account));
        }
        let key_hints = KeyHints::of(accounts.values().map(AsRef::as_ref));
        let mut copy = lock(copy);
        copy.key_hints = key_hints;
        copy.accounts = Arc::new(accounts);
        copy.decoys = decoys;
        copy.version = Some(version);
    }
    lock(copy).fresh_until = Some(now + RECHECK);
    Ok(())
}

impl Directory for SqliteDirectory {
    fn title(&self) -> &'static str {
        "sqlite"
    }

    fn recall(&self, name: &AccountName, now: Instant) -> Recall {
        let accounts = {
            let copy = self.lock();
            if copy.fresh_until.is_none_or(|until| now >= until) {
                return Recall::Stale;
            }
            Arc::clone(&copy.accounts)
        };
        accounts
            .get(name)
            .map_or(Recall::Absent, |account| Recall::Known(Arc::clone(account)))
    }

    fn find<'a>(
        &'a self,
        name: &'a AccountName,
        now: Instant,
    ) -> BoxFuture<'a, Result<Option<Arc<Account>>>> {
        Box::pin(async move {
            if matches!(self.recall(name, now), Recall::Stale) {
                let (store, copy) = (Arc::clone(&self.store), Arc::clone(&self.copy));
                let refreshed = tokio::task::spawn_blocking(move || refresh(&store, &copy, now));
                refreshed.await.map_err(|_| Error::Interrupted)??;
            }
            let accounts = Arc::clone(&self.lock().accounts);
            Ok(accounts.get(name).cloned())
        })
    }

    fn decoys(&self) -> Vec<StoredSecret> {
        self.lock().decoys.clone()
    }

    fn key_hints(&self) -> KeyHints {
        self.lock().key_hints.clone()
    }
}
