//! From a name to its account.
//!
//! Looking up is split in two so that a login costs nothing when nothing changed: [`Directory::recall`]
//! answers from memory at once, and only when it is [stale](Recall::Stale) does the caller await
//! [`Directory::find`].

use std::{sync::Arc, time::Instant};

use crate::{Account, AccountName, BoxFuture, KeyFile, Result, StoredSecret};

/// What a directory knows without asking its store.
#[derive(Clone, Debug)]
pub enum Recall {
    /// The account.
    Known(Arc<Account>),
    /// There is none of that name.
    Absent,
    /// The memory may be old: ask with [`Directory::find`].
    Stale,
}

/// What the keys of a directory's accounts cost to look at, and what they may bring.
#[derive(Clone, Debug, Default)]
pub struct KeyHints {
    /// One of the files of keys in use. A name without one has this looked at, so that it costs what
    /// a name with one costs (CVE-2018-15473).
    pub file: Option<Arc<KeyFile>>,
    /// Whether some account trusts an authority of its own.
    pub authorities: bool,
}

impl KeyHints {
    /// The hints of these accounts.
    pub fn of<'a>(accounts: impl IntoIterator<Item = &'a Account>) -> Self {
        let mut hints = Self::default();
        for account in accounts {
            let ssh = &account.ssh;
            hints.authorities |= ssh.keys.iter().any(crate::AuthorizedKey::is_authority);
            hints.authorities |= ssh
                .key_file
                .as_ref()
                .is_some_and(|file| file.has_authorities());
            if hints.file.is_none() {
                hints.file.clone_from(&ssh.key_file);
            }
        }
        hints
    }
}

/// A store of accounts, for looking up only.
pub trait Directory: Send + Sync {
    /// A word for logs: which store this is.
    fn title(&self) -> &'static str;

    /// Answers from memory; never blocks on a disk or a network.
    fn recall(&self, name: &AccountName, now: Instant) -> Recall;

    /// Answers from the store where memory is stale.
    ///
    /// # Errors
    /// The store's failure; the caller must refuse then, not treat the name as unknown.
    fn find<'a>(
        &'a self,
        name: &'a AccountName,
        now: Instant,
    ) -> BoxFuture<'a, Result<Option<Arc<Account>>>>;

    /// One stored secret for each scheme and cost in use. An unknown name is checked against one of
    /// them, so that it costs what a known name costs (CVE-2016-6210).
    fn decoys(&self) -> Vec<StoredSecret>;

    /// What its accounts' keys cost and may bring.
    fn key_hints(&self) -> KeyHints;
}
