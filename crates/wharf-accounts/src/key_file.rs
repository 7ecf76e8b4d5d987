//! A file of authorised keys, read again when it changed.
//!
//! Who can write the file can enter as the account, so it must belong to root or to the user that the
//! server runs as, and nobody else may write it; a file that fails this is refused as a whole, with the
//! reason for the log. Looks go through an open descriptor, so what was checked is what is read.
//!
//! This room must not decide about keys, and must not be called on a thread that may not wait.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use crate::AuthorizedKeys;

/// Largest file of keys, in bytes.
pub const MAX_KEY_FILE: u64 = 1 << 20;
/// Permission bits that let others write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// Others may write it.
    #[error("{} may be written by others (mode {mode:03o}); run `chmod go-w` on it", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is somebody else's.
    #[error("{} belongs to user {owner}; it must belong to root or to the user that the server runs as", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// It is no plain file, or too large.
    #[error("{} is no plain file of at most {MAX_KEY_FILE} bytes", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
    },
}

/// Which version of a file was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A file of authorised keys.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    read: Mutex<Option<(Stamp, Arc<AuthorizedKeys>)>>,
    has_authorities: AtomicBool,
    looks: AtomicU64,
}

impl KeyFile {
    /// The file at `path`, which is not looked at yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            read: Mutex::default(),
            has_authorities: AtomicBool::new(false),
            looks: AtomicU64::new(0),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it for the administrator, who may be another user than the server: its owner is not
    /// looked at.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn inspect(&self) -> Result<Arc<AuthorizedKeys>, KeyFileError> {
        self.current(false)
    }

    /// Its keys as they are now. May wait for the disk.
    ///
    /// # Errors
    /// [`KeyFileError`]; then no key of it is good, those read before included.
    pub fn look(&self) -> Result<Arc<AuthorizedKeys>, KeyFileError> {
        self.looks.fetch_add(1, Relaxed);
        self.current(true)
    }

    /// How often it was looked at for logins.
    pub fn looks(&self) -> u64 {
        self.looks.load(Relaxed)
    }

    /// Whether it held a certificate authority when it was last read.
    pub(crate) fn has_authorities(&self) -> bool {
        self.has_authorities.load(Relaxed)
    }

    fn current(&self, is_owner_checked: bool) -> Result<Arc<AuthorizedKeys>, KeyFileError> {
        let (file, metadata) = open(&self.path, is_owner_checked)?;
        let stamp = Stamp::of(&metadata);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, keys)) = read.as_ref()
            && *known == stamp
        {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(AuthorizedKeys::parse(&content(file, &self.path)?));
        let has_authorities = keys.keys().iter().any(crate::AuthorizedKey::is_authority);
        self.has_authorities.store(has_authorities, Relaxed);
        *read = Some((stamp, Arc::clone(&keys)));
        Ok(keys)
    }
}

impl PartialEq for KeyFile {
    /// The same file, whatever was read of it.
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for KeyFile {}

/// A file of keys that is read at the start and at a reload.
pub(crate) fn read_once(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let (file, _) = open(path, false)?;
    content(file, path)
}

#[expect(
    clippy::disallowed_methods,
    reason = "files of keys, which the configuration names"
)]
fn open(path: &Path, is_owner_checked: bool) -> Result<(File, Metadata), KeyFileError> {
    let failed = |source| KeyFileError::Read {
        path: path.to_owned(),
        source,
    };
    // A pipe would keep the opening waiting for its other end.
    let before = std::fs::metadata(path).map_err(failed)?;
    if !before.is_file() {
        return Err(KeyFileError::Kind {
            path: path.to_owned(),
        });
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.size() > MAX_KEY_FILE {
        return Err(KeyFileError::Kind {
            path: path.to_owned(),
        });
    }
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(KeyFileError::Writable {
            path: path.to_owned(),
            mode: metadata.mode() & 0o777,
        });
    }
    let owner = metadata.uid();
    if is_owner_checked && owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(KeyFileError::Owner {
            path: path.to_owned(),
            owner,
        });
    }
    Ok((file, metadata))
}

fn content(file: File, path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let mut text = Vec::new();
    let read = file.take(MAX_KEY_FILE + 1).read_to_end(&mut text);
    read.map_err(|source| KeyFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    if text.len() as u64 > MAX_KEY_FILE {
        return Err(KeyFileError::Kind {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
