//! Where accounts are kept: written in the configuration, or in the embedded store.

pub mod file;
#[cfg(feature = "sqlite")]
pub mod sqlite;
