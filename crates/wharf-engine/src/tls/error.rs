//! What can be wrong with certificates, keys and lists, and how to mend it.
//!
//! These texts are for the administrator: they name files. A peer never sees one.

use std::path::{Path, PathBuf};

/// The TLS of the listeners cannot be as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("{}: {source}; the service's user must be able to read it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// A file is absurdly large.
    #[error("{}: more than {limit} bytes; this is no such PEM file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// A file holds not what it should.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and how to mend it.
        reason: String,
    },
    /// A certificate and a key that are in no file.
    #[error("certificate and key: {0}")]
    Pair(String),
    /// The authorities or lists for client certificates cannot be used.
    #[error("client certificates: {0}")]
    ClientTrust(String),
    /// A certificate could not be made.
    #[error("making a certificate: {0}")]
    Generate(#[from] rcgen::Error),
    /// The TLS library refused.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
}

impl Error {
    pub(super) fn content(path: &Path, reason: impl Into<String>) -> Self {
        Self::Content {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}
