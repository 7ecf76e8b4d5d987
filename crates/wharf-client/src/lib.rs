//! Remote sites: URLs, sessions, transfers that verify, resumption that cannot corrupt.
//!
//! A [`Location`] names a place on a [`Site`]; a [`Pool`] holds the sessions with that site; the
//! functions of [`transfer`] and [`tree`] move files and say in the end *how sure* they are
//! ([`Verified`]). Every failure is an [`Error`] that names the step, the cause, whose fault it is and
//! how to mend it.
//!
//! What a server sends is data, never an order: names are checked before they become local files, an
//! address in a 227 is not followed, a transfer that the server calls complete is counted.
//!
//! This crate must not print, read the environment, or know the command line.

mod connect;
mod diagnosis;
pub mod error;
mod ftp;
mod local;
pub mod netrc;
pub mod observer;
pub mod options;
pub mod pool;
mod retry;
pub mod site;
pub mod ssh;
mod tally;
pub mod tftp;
pub mod tls;
pub mod transfer;
pub mod tree;

#[cfg(test)]
mod tests;

pub use error::{Error, Kind, Result, Step};
pub use observer::{Answer, Observer, Prompt, Question, Silent, Subject, TransferId};
pub use options::{Credentials, DataMode, Family, Options, Secret, Verify};
pub use pool::Pool;
pub use site::{Location, Scheme, Site, UrlError};
pub use transfer::{Transferred, Verified};
pub use wharf_transfer::Meter;
