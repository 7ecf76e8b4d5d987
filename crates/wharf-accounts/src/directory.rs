//! From a name to its account.
//!
//! Looking up is split in two so that a login costs nothing when nothing changed: [`Directory::recall`]
//! answers from memory at once, and only when it is [stale](Recall::Stale) does the caller await
//! [`Directory::find`].

use std::{sync::Arc, time::Instant};

use crate::{Account, AccountName, BoxFuture, Result, StoredSecret};

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
}
