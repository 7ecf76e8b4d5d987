//! What outlives a restart: the account at the directory, and the certificate with its key.
//!
//! Each directory has a folder of its own, so that a certificate of a rehearsal never stands in for a
//! real one. Key and chain share one PEM file: they are replaced together or not at all. Files are
//! written beside, made durable and renamed over; they and their folder are the owner's alone.

#![expect(
    clippy::disallowed_methods,
    reason = "the storage folder is this room's own; it is no part of a volume"
)]

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use instant_acme::AccountCredentials;

use super::Error;
use crate::tls::{self, PemPair};

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";
/// The longest file that is read.
const MAX_FILE: u64 = 1024 * 1024;

/// A certificate with its key, checked to belong together.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) pair: PemPair,
    pub(super) validity: Validity,
    names: Vec<String>,
}

/// The span in which a certificate holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validity {
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
}

impl Certificate {
    /// Takes a chain and its key.
    pub(super) fn new(pair: PemPair) -> Result<Self, tls::Error> {
        let facts = pair.facts()?;
        let time = |seconds: i64| {
            let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
            SystemTime::UNIX_EPOCH + seconds
        };
        Ok(Self {
            pair,
            validity: Validity {
                not_before: time(facts.not_before),
                not_after: time(facts.not_after),
            },
            names: facts.names,
        })
    }

    /// Whether it names all of `domains`, and nothing else.
    pub(super) fn names(&self, domains: &[String]) -> bool {
        domains.iter().all(|domain| self.names.contains(domain))
            && self.names.iter().all(|name| domains.contains(name))
    }
}

/// The folder of one directory.
#[derive(Clone, Debug)]
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    /// The folder of the directory at `url` under `storage`.
    pub(super) fn new(storage: &Path, url: &str) -> Self {
        let name: String = (url.strip_prefix("https://").unwrap_or(url).chars())
            .map(|letter| match letter {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => letter,
                '.' => '.',
                _ => '_',
            })
            .collect();
        Self {
            // Behind a prefix, no name is `.`, `..` or hidden.
            folder: storage.join(format!("acme-{name}")),
        }
    }

    /// Makes the folder, before an order is spent on a certificate that cannot be kept.
    pub(super) async fn prepare(&self) -> Result<(), Error> {
        let folder = self.folder.clone();
        blocking(move || {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(|cause| Error::Storage {
                    action: "make the folder",
                    path: folder,
                    cause,
                })
        })
        .await
    }

    /// The kept certificate.
    pub(super) async fn certificate(&self) -> Result<Option<Certificate>, Error> {
        let path = self.folder.join(CERTIFICATE);
        blocking(move || {
            let Some(text) = read(&path)? else {
                return Ok(None);
            };
            // Each reader of PEM skips what the other wants.
            let pair = PemPair {
                certificate: text.clone(),
                key: text,
            };
            match Certificate::new(pair) {
                Ok(certificate) => Ok(Some(certificate)),
                Err(cause) => Err(Error::Kept { path, cause }),
            }
        })
        .await
    }

    /// Keeps a certificate in place of the last one.
    pub(super) async fn keep(&self, pair: PemPair) -> Result<(), Error> {
        let path = self.folder.join(CERTIFICATE);
        let text = format!("{}\n{}", pair.key.trim_end(), pair.certificate);
        blocking(move || write(&path, text.as_bytes())).await
    }

    /// The kept account. One that cannot be read counts as none: a new one costs nothing.
    pub(super) async fn account(&self) -> Result<Option<AccountCredentials>, Error> {
        let path = self.folder.join(ACCOUNT);
        blocking(move || Ok(read(&path)?.and_then(|text| serde_json::from_str(&text).ok()))).await
    }

    /// Keeps an account in place of the last one.
    pub(super) async fn keep_account(&self, account: AccountCredentials) -> Result<(), Error> {
        let path = self.folder.join(ACCOUNT);
        let text =
            serde_json::to_vec(&account).map_err(|error| Error::Internal(error.to_string()))?;
        blocking(move || write(&path, &text)).await
    }
}

/// Runs `work` where it may sleep.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::Internal(error.to_string())))
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    let bounded = || {
        if fs::metadata(path)?.len() > MAX_FILE {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        fs::read_to_string(path)
    };
    match bounded() {
        Ok(text) => Ok(Some(text)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::Storage {
            action: "read",
            path: path.to_owned(),
            cause,
        }),
    }
}

/// Replaces a file as a whole: the old content or the new one is there after a crash.
fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let beside = path.with_extension("new");
    let written = || {
        if let Err(cause) = fs::remove_file(&beside)
            && cause.kind() != io::ErrorKind::NotFound
        {
            return Err(cause);
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent()
            .map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    written().map_err(|cause| Error::Storage {
        action: "write",
        path: path.to_owned(),
        cause,
    })
}
