//! How a flow of bytes can fail, and at which end.
//!
//! The blame decides what the user is told: a broken data connection is the network's or the peer's,
//! a failed read or write is the store's.

use std::io;

/// The result of a flow.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why bytes stopped flowing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data stream broke: the peer or the network between.
    #[error("the data connection broke: {0}")]
    Stream(#[source] io::Error),
    /// The file could not be read or written.
    #[error(transparent)]
    Store(#[from] wharf_vfs::Error),
    /// The file ended before the octets that were promised.
    #[error("the file shrank while it was read: {sent} of {expected} octets were sent")]
    Shrank {
        /// Octets sent.
        sent: u64,
        /// Octets promised.
        expected: u64,
    },
    /// More octets came than are allowed.
    #[error("more than {limit} octets came")]
    TooLong {
        /// Octets allowed.
        limit: u64,
    },
    /// No octet moved for the whole stall time.
    #[error("no octet moved for {seconds} s")]
    Stalled {
        /// The stall time, seconds.
        seconds: u64,
    },
    /// Somebody stopped the flow ([`crate::Meter::stop`]).
    #[error("the transfer was stopped")]
    Stopped,
}
