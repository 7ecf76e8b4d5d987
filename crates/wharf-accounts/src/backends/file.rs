//! Accounts that stand in the configuration file.
//!
//! They are handed over already resolved and live until the next reload, so every answer comes from
//! memory. The anonymous account lives here too: one account under the names `anonymous` and `ftp`
//! (ANON-01).

use std::{collections::HashMap, sync::Arc, time::Instant};

use crate::{Account, AccountName, BoxFuture, Directory, KeyHints, Recall, Result, StoredSecret};

/// The names of the anonymous account (RFC 1635; `ftp` by long custom).
pub const ANONYMOUS_NAMES: [&str; 2] = ["anonymous", "ftp"];

/// Accounts in memory.
#[derive(Debug, Default)]
pub struct FileDirectory {
    accounts: HashMap<AccountName, Arc<Account>>,
    decoys: Vec<StoredSecret>,
    key_hints: KeyHints,
}

impl FileDirectory {
    /// Accounts under their names; an anonymous one under both of its names. Where a name comes
    /// twice the first stays, so a user named `ftp` is not hidden by the anonymous account when it
    /// comes before it.
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Self {
        let mut directory = Self::default();
        for account in accounts {
            let account = Arc::new(account);
            if account.is_anonymous() {
                for name in ANONYMOUS_NAMES
                    .iter()
                    .filter_map(|name| AccountName::parse(name.as_bytes()).ok())
                {
                    directory
                        .accounts
                        .entry(name)
                        .or_insert_with(|| Arc::clone(&account));
                }
            }
            if directory
                .decoys
                .iter()
                .all(|decoy| decoy.cost() != account.password.cost())
            {
                directory.decoys.push(account.password.clone());
            }
            directory
                .accounts
                .entry(account.name.clone())
                .or_insert(account);
        }
        directory.key_hints = KeyHints::of(directory.accounts.values().map(AsRef::as_ref));
        directory
    }
}

impl Directory for FileDirectory {
    fn title(&self) -> &'static str {
        "configuration"
    }

    fn recall(&self, name: &AccountName, _: Instant) -> Recall {
        self.accounts
            .get(name)
            .map_or(Recall::Absent, |account| Recall::Known(Arc::clone(account)))
    }

    fn find<'a>(
        &'a self,
        name: &'a AccountName,
        _: Instant,
    ) -> BoxFuture<'a, Result<Option<Arc<Account>>>> {
        Box::pin(std::future::ready(Ok(self.accounts.get(name).cloned())))
    }

    fn decoys(&self) -> Vec<StoredSecret> {
        self.decoys.clone()
    }

    fn key_hints(&self) -> KeyHints {
        self.key_hints.clone()
    }
}

#[cfg(test)]
mod tests {
    use crate::{FileDirectory, contract};

    #[tokio::test]
    async fn the_configuration_file_keeps_the_contract() {
        contract::run(|accounts| std::sync::Arc::new(FileDirectory::new(accounts))).await;
    }
}
