//! One file at a time: get, put and cat, each ending with how sure the copy is.
//!
//! A transfer is done when the size agrees with what the server told before or tells afterwards, and
//! when a hash agrees if the server offers one; a 226 alone proves nothing (all common clients but two
//! take a truncated download that ends with 226 for whole). What is resumed is compared first: an
//! overlap of 64 KiB, or the hash of all that is there.

mod cat;
mod ftp;
mod get;
mod part;
mod put;
pub(crate) mod scp;
mod sftp;
mod tftp;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use wharf_proto::ftp::listing::parse::Entry;
use wharf_transfer::{Algorithm, Error as FlowError, Meter, tls::Truncated};

pub use cat::cat;
pub use get::get;
pub use put::put;

use crate::{
    Error, Kind, Location, Pool, Result, Step, Subject, TransferId,
    local::{Local, blocking},
    retry::Retry,
    tls::cut,
};

/// Octets that are fetched again and compared before a resumed transfer goes on.
pub const OVERLAP: u64 = 64 * 1024;

/// How long the server's reply is waited for after the data connection broke.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(1);

/// How sure a copy is: the rung of the ladder that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The server said that it is done; it does not tell sizes, or nothing was to be checked.
    Closed,
    /// The size agrees.
    Size,
    /// Size and hash agree.
    Hash(Algorithm),
}

impl Verified {
    /// A stable word for machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Size => "size",
            Self::Hash(Algorithm::Sha256) => "sha256",
            Self::Hash(Algorithm::Sha512) => "sha512",
            Self::Hash(Algorithm::Sha1) => "sha1",
            Self::Hash(Algorithm::Md5) => "md5",
            Self::Hash(Algorithm::Crc32) => "crc32",
        }
    }
}

/// What shall be fetched, and where it goes.
#[derive(Clone, Debug)]
pub struct Download {
    /// The remote file.
    pub source: Location,
    /// The local file.
    pub target: PathBuf,
    /// What a listing told of it; spares a question.
    pub known: Option<Entry>,
}

/// What shall be sent, and where it goes.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The local file.
    pub source: PathBuf,
    /// The remote file.
    pub target: Location,
}

/// A finished transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// Octets of the whole file.
    pub size: u64,
    /// Octets that were there already and were not sent again.
    pub kept: u64,
    /// How sure it is.
    pub verified: Verified,
}

/// One file's transfer, attempt by attempt.
struct Course<'a> {
    pool: &'a Pool,
    meter: Arc<Meter>,
    id: TransferId,
    url: String,
    path: &'a Path,
    /// What is there may be gone on from.
    resume: bool,
    told: bool,
    retry: Retry,
}

impl<'a> Course<'a> {
    fn new(pool: &'a Pool, remote: &Location, path: &'a Path) -> Self {
        Self {
            pool,
            meter: Arc::new(Meter::new()),
            id: pool.next_transfer(),
            url: remote.to_string(),
            path,
            resume: pool.options().resume,
            told: false,
            retry: pool.retry(),
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            url: &self.url,
            path: Some(self.path),
        }
    }

    /// The first attempt that comes so far tells the observer.
    fn tell_started(&mut self, total: Option<u64>, held: u64) {
        if !self.told {
            self.told = true;
            let observer = self.pool.observer();
            observer.started(self.id, self.subject(), total, held, &self.meter);
        }
    }

    /// After an attempt: what the transfer ends with, which the observer hears; or nothing, when it is
    /// time for the next attempt.
    async fn ended(&mut self, attempt: Result<Transferred>) -> Option<Result<Transferred>> {
        let result = match attempt {
            Ok(done) => Ok(done),
            Err(error) => {
                // Only what this run has moved itself is there to be gone on from, unless the user says so.
                let moved = self.meter.octets() > 0;
                self.resume = !error.starts_over() && (moved || self.pool.options().resume);
                match self.retry.after(error).await {
                    Ok(()) => return None,
                    Err(error) => Err(error),
                }
            }
        };
        Some(self.tell(result))
    }

    /// The observer hears what the transfer ended with.
    fn tell(&self, result: Result<Transferred>) -> Result<Transferred> {
        let observer = self.pool.observer();
        observer.finished(self.id, self.subject(), &result);
        result
    }
}

/// A flow's error in the client's terms.
fn flow_error(error: FlowError) -> Error {
    match error {
        FlowError::Store(error) => {
            let source = std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), ToString::to_string);
            Error::new(
                Step::Local,
                Kind::Local,
                format!("the local file failed: {source}"),
            )
        }
        FlowError::Stalled { seconds } => Error::new(
            Step::Transfer,
            Kind::TimedOut,
            format!("no octet moved for {seconds} s"),
        )
        .because(
            "D51",
            ["an inspecting firewall or a path with too large packets (MTU) may hold the data"],
        )
        .retryable(),
        FlowError::Shrank { .. } => Error::new(Step::Local, Kind::Local, error.to_string()),
        FlowError::TooLong { .. } => Error::new(
            Step::Transfer,
            Kind::Differs,
            "the remote file grew while it was fetched",
        )
        .retryable(),
        FlowError::Stream(error) if Truncated::is(&error) => cut(Step::Transfer),
        other => Error::new(Step::Transfer, Kind::Data, other.to_string()).retryable(),
    }
}

/// The size does not agree.
fn partial(what: &str, have: u64, expected: u64) -> Error {
    let text = format!(
        "{what}: {have} of {expected} octets arrived, though the server called it complete"
    );
    Error::new(Step::Verify, Kind::Partial, text)
        .hint("the server or a gateway cut the data connection; -c goes on from what is there")
        .retryable()
}

/// The hash does not agree.
fn differs(what: &str, algorithm: Algorithm, ours: &str, theirs: &str) -> Error {
    let name = Verified::Hash(algorithm).name();
    let text = format!("{what}: {name} is {ours} here but {theirs} on the server");
    Error::new(Step::Verify, Kind::Differs, text).starting_over()
}

/// The hash of the first `size` octets.
async fn hash(file: &Local, algorithm: Algorithm, size: u64) -> Result<String> {
    let file = file.clone();
    blocking("cannot read the local file", move || {
        file.hash(algorithm, 0, size)
    })
    .await
}
