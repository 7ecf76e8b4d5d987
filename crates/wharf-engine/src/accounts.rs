//! Accounts in use: what all sessions of one account share, whatever their protocol.
//!
//! The number of sessions and the rate limits are kept per name, outside the stored account, so a
//! reload that changes the account neither forgets who is here nor opens a second bucket.
//!
//! This room must not know where accounts are stored, nor which volumes their trees are made of: the
//! binary's [`Views`] builds the view.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use wharf_accounts::Account;
use wharf_transfer::Throttle;
use wharf_vfs::View;

/// Turns an account's description of its tree into a view of real volumes.
pub trait Views: Send + Sync {
    /// The view of `account`. May open directories; called on the blocking pool, once per account
    /// and change.
    ///
    /// # Errors
    /// Why there is none, for the log.
    fn view(&self, account: &Account) -> Result<View, String>;
}

/// What sessions of one account share.
#[derive(Debug)]
pub struct ActiveAccount {
    /// The stored account.
    pub account: Arc<Account>,
    /// Its name, for records and events.
    pub name: Arc<str>,
    /// Its sight of the tree.
    pub view: View,
    /// Its rate from us, when limited.
    pub download: Vec<Arc<Throttle>>,
    /// Its rate to us, when limited.
    pub upload: Vec<Arc<Throttle>>,
    sessions: Arc<AtomicU32>,
    /// The configuration that the view was built from.
    generation: u64,
}

impl ActiveAccount {
    /// Takes one of the account's places.
    pub(crate) fn take_place(self: &Arc<Self>, default_limit: u32) -> Option<Place> {
        let limit = self.account.limits.max_sessions.unwrap_or(default_limit);
        let taken = self
            .sessions
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                (now < limit).then_some(now + 1)
            });
        taken.is_ok().then(|| Place {
            sessions: Arc::clone(&self.sessions),
        })
    }
}

/// One of an account's places; freed on drop.
#[derive(Debug)]
pub(crate) struct Place {
    sessions: Arc<AtomicU32>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The accounts that have been used since the start.
#[derive(Debug, Default)]
pub(crate) struct ActiveAccounts {
    accounts: Mutex<HashMap<Arc<str>, Arc<ActiveAccount>>>,
}

impl ActiveAccounts {
    /// The account in use, if neither its stored form nor the configuration has changed.
    pub(crate) fn find(
        &self,
        account: &Arc<Account>,
        generation: u64,
    ) -> Option<Arc<ActiveAccount>> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = accounts.get(account.name.as_str())?;
        let is_same = Arc::ptr_eq(&known.account, account) || known.account == *account;
        (known.generation == generation && is_same).then(|| Arc::clone(known))
    }

    /// Puts an account with its fresh view into use.
    pub(crate) fn insert(
        &self,
        account: Arc<Account>,
        view: View,
        generation: u64,
    ) -> Arc<ActiveAccount> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = accounts.get(account.name.as_str());
        let throttle = |rate: Option<std::num::NonZeroU64>, old: Option<&Vec<Arc<Throttle>>>| {
            let Some(rate) = rate else { return Vec::new() };
            // An unchanged rate keeps its bucket.
            let same =
                old.and_then(|old| old.iter().find(|throttle| throttle.rate() == rate.get()));
            vec![same.map_or_else(|| Arc::new(Throttle::new(rate.get())), Arc::clone)]
        };
        let name = before.map_or_else(
            || account.name.as_str().into(),
            |before| Arc::clone(&before.name),
        );
        let active = Arc::new(ActiveAccount {
            download: throttle(
                account.limits.download_rate,
                before.map(|before| &before.download),
            ),
            upload: throttle(
                account.limits.upload_rate,
                before.map(|before| &before.upload),
            ),
            sessions: before.map_or_else(Arc::default, |before| Arc::clone(&before.sessions)),
            name: Arc::clone(&name),
            account,
            view,
            generation,
        });
        accounts.insert(name, Arc::clone(&active));
        active
    }

    /// Forgets the accounts that nobody uses or is about to use (after a reload). Those of sessions
    /// that are here stay: their counts and rates hold over the next logins too.
    pub(crate) fn forget_absent(&self) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|_, active| {
            Arc::strong_count(active) > 1 || Arc::strong_count(&active.sessions) > 1
        });
    }
}
