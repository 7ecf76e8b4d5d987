//! Who may enter: credentials, principals, accounts and where they are kept.
//!
//! A front end hands a [`Credential`] (what a peer claims) to [`Accounts`] and gets back an
//! [`Account`] (what is stored) or a [`Refusal`] that is for the log only: towards the peer every
//! refusal that depends on the name looks and costs the same. Between the two stand an
//! [`Authenticator`] (credential -> [`Principal`], possibly a conversation) and [`Directory`]s
//! (principal -> account).
//!
//! This crate must not know a protocol's words, count sessions or ban addresses, read the clock
//! (times are parameters), or open a file other than its own store.

pub mod account;
pub mod accounts;
pub mod authenticator;
pub mod backends;
pub mod certificate;
pub mod credential;
pub mod directory;
pub mod error;
mod hashing;
pub mod name;
pub mod network;
mod password;
pub mod principal;
mod proof;
#[cfg(feature = "sqlite")]
mod record;
pub mod secret;

#[cfg(test)]
mod contract;

pub use account::{Account, AccountKind, AccountLimits, Home, MountSpec, Tree};
pub use accounts::{Accounts, Attempt, Settings};
pub use authenticator::{Authenticator, BoxFuture, Conversation, Prompt, Refusal, Step};
pub use backends::file::FileDirectory;
#[cfg(feature = "sqlite")]
pub use backends::sqlite::{SqliteDirectory, Store};
pub use certificate::{
    AlternativeName, Certificate, CertificateRole, CertificateRule, CertificateRuleError, Channel,
    RequireTls, RequireTlsError,
};
pub use credential::{Credential, Secret};
pub use directory::{Directory, Recall};
pub use error::{Error, Result};
pub use hashing::HashingCounts;
pub use name::{AccountName, NameError};
pub use network::{Network, NetworkError, normalised};
pub use principal::Principal;
pub use secret::{Lock, StoredSecret};
