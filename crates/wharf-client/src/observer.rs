//! Who watches: progress, notes, and the dialogue with the server.
//!
//! Bytes are not reported one by one: a transfer hands out its [`Meter`], which the watcher reads when
//! it likes.

use std::{path::Path, sync::Arc};

use wharf_transfer::Meter;

use crate::{Error, Result, Transferred, tls::CertificateFacts};

/// Names one transfer among those of an observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransferId(pub u64);

/// What is moved.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The remote file, without its password.
    pub url: &'a str,
    /// The local file.
    pub path: Option<&'a Path>,
}

/// What only a person can decide.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// Whether this server's certificate is to be trusted (TLS-52).
    TrustCertificate {
        /// The site, without a password.
        site: String,
        /// Why it was not accepted without asking.
        reason: String,
        /// What it says of itself.
        certificate: CertificateFacts,
    },
    /// Whether the password may go over the wire in clear (TLS-50).
    PasswordInClear {
        /// The site, without a password.
        site: String,
    },
}

/// A person's decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Yes, and from now on; as [`Answer::Once`] where nothing can be remembered.
    Always,
    /// Yes, in this run.
    Once,
    /// No.
    No,
    /// There is nobody to ask.
    #[default]
    Nobody,
}

/// Watches work go on. Every call may come from any thread; none but [`Observer::ask`] may block.
pub trait Observer: Send + Sync {
    /// A transfer begins. `total` is the size when known; `done` octets were there before (resumed),
    /// `meter` counts those that come on top.
    fn started(
        &self,
        _id: TransferId,
        _subject: Subject<'_>,
        _total: Option<u64>,
        _done: u64,
        _meter: &Arc<Meter>,
    ) {
    }

    /// A transfer ended, for good or ill; it may have failed before it began.
    fn finished(&self, _id: TransferId, _subject: Subject<'_>, _result: &Result<Transferred>) {}

    /// An attempt failed and another is made after `_wait`.
    fn retrying(&self, _error: &Error, _wait: std::time::Duration) {}

    /// Something worth knowing that is no failure.
    fn note(&self, _text: &str) {}

    /// Asks a person. Called where it may wait for as long as that takes.
    fn ask(&self, _question: &Question) -> Answer {
        Answer::Nobody
    }

    /// A line to (`>`) or from (`<`) the server; passwords are masked.
    fn dialogue(&self, _direction: char, _line: &str) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
