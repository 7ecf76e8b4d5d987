//! What can go wrong between an account and its store.
//!
//! These errors are for the administrator and the log. A peer never sees one: it sees the refusal
//! that its protocol has for "not now".

use crate::AccountName;

/// The result of a store's operation.
pub type Result<T> = std::result::Result<T, Error>;

/// An account store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The account is not there.
    #[error("no account `{0}`; `wharf user list` shows those that exist")]
    NotFound(AccountName),
    /// The account is there already.
    #[error("account `{0}` exists already; change it with `wharf user set`")]
    Exists(AccountName),
    /// The store was written by a newer program.
    #[error(
        "the account store has schema version {found}, this program knows up to {known}; use the newer wharf"
    )]
    NewerSchema {
        /// Version of the store.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// The file is a database of something else.
    #[error(
        "the file is an SQLite database of another program (application id {0:#x}); name another file"
    )]
    ForeignStore(i32),
    /// A record could not be written or read.
    #[error("the record of account `{name}` is not usable: {reason}")]
    Record {
        /// The account.
        name: AccountName,
        /// What is wrong with it.
        reason: String,
    },
    /// The password cannot be one.
    #[error("a password must have 1 to {max} bytes and no NUL", max = crate::credential::MAX_PASSWORD)]
    Password,
    /// The system gave no random bytes.
    #[error("the system's random generator failed: {0}")]
    Random(getrandom::Error),
    /// The database failed.
    #[cfg(feature = "sqlite")]
    #[error("account store, {operation}: {source}")]
    Store {
        /// What was being done.
        operation: &'static str,
        /// The database's word.
        source: rusqlite::Error,
    },
    /// The store's file could not be made.
    #[error("account store {}: {source}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// The blocking thread that did the work is gone.
    #[error("the work was interrupted, probably by shutdown")]
    Interrupted,
}
