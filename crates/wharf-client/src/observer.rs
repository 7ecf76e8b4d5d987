//! Who watches: progress, notes, and the dialogue with the server.
//!
//! Bytes are not reported one by one: a transfer hands out its [`Meter`], which the watcher reads when
//! it likes.

use std::{path::Path, sync::Arc};

use wharf_transfer::Meter;

use crate::{Error, Result, Secret, Transferred, ssh::HostKeyFacts, tls::CertificateFacts};

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
    /// Whether this server's host key is to be trusted (SFT-82).
    TrustHostKey {
        /// The host, as the file of known hosts names it.
        host: String,
        /// Why it was not accepted without asking.
        reason: String,
        /// What identifies it.
        key: HostKeyFacts,
    },
}

/// What only a person can type. Texts of a server hold no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt {
    /// The passphrase of a key file.
    Passphrase {
        /// The file.
        key: String,
        /// Whether the last answer was wrong.
        again: bool,
    },
    /// The password of a login.
    Password {
        /// `user@host`.
        login: String,
        /// Whether the last answer was refused.
        again: bool,
    },
    /// A question of the server's own (RFC 4256).
    Interactive {
        /// `user@host`.
        login: String,
        /// What goes before the first question of a round; may be empty.
        instruction: String,
        /// The question.
        text: String,
        /// Whether the answer may be seen while it is typed.
        echo: bool,
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

/// Watches work go on. Every call may come from any thread; none but [`Observer::ask`]
/// and [`Observer::answer`] may block.
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

    /// Lets a person type an answer; none when there is nobody. Called where it may wait for as long
    /// as that takes.
    fn answer(&self, _prompt: &Prompt) -> Option<Secret> {
        None
    }

    /// A line to (`>`) or from (`<`) the server; passwords are masked.
    fn dialogue(&self, _direction: char, _line: &str) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
