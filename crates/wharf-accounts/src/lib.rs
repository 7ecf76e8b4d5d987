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
pub mod authorized_keys;
pub mod backends;
pub mod certificate;
pub mod credential;
pub mod directory;
pub mod error;
mod hashing;
pub mod key_file;
pub mod name;
pub mod network;
mod password;
pub mod principal;
mod proof;
pub mod public_key;
#[cfg(feature = "sqlite")]
mod record;
pub mod secret;
pub mod ssh_access;
pub mod user_authorities;

#[cfg(test)]
mod contract;

pub use account::{Account, AccountKind, AccountLimits, Home, MountSpec, Tree};
pub use accounts::{Accounts, Attempt, Offer, Settings};
pub use authenticator::{Authenticator, BoxFuture, Conversation, Prompt, Refusal, Step};
pub use authorized_keys::{AuthorizedKey, AuthorizedKeys, KeyError, RefusedKey};
pub use backends::file::FileDirectory;
#[cfg(feature = "sqlite")]
pub use backends::sqlite::{SqliteDirectory, Store};
pub use certificate::{
    AlternativeName, Certificate, CertificateRole, CertificateRule, CertificateRuleError, Channel,
    RequireTls, RequireTlsError,
};
pub use credential::{Credential, Secret};
pub use directory::{Directory, KeyHints, Recall};
pub use error::{Error, Result};
pub use hashing::HashingCounts;
pub use key_file::{KeyFile, KeyFileError};
pub use name::{AccountName, NameError};
pub use network::{Network, NetworkError, normalised};
pub use principal::Principal;
pub use public_key::{KeyRefusal, ProvenKey, WeakKey};
pub use secret::{Lock, StoredSecret};
pub use ssh_access::{Proofs, SshAccess, SshLogin, SshLoginError};
/// Keys and certificates of SSH, as the front end parses them.
pub use ssh_key;
pub use user_authorities::{AuthoritiesError, UserAuthorities};
