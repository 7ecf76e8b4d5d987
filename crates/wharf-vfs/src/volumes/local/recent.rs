//! The directory that was looked into last, kept open for a moment.
//!
//! Clients ask about one file after the other in one directory. Opening the way to it costs more
//! than the look itself, so the descriptor of the last parent stays for a few milliseconds; a look
//! through it is what the same look would have told that much earlier. It opens nothing; "not there"
//! counts only while the directory itself is still where it was; and this volume's own changes of
//! names close it at once.

#![expect(
    clippy::disallowed_methods,
    reason = "a kept descriptor must age by the clock; nothing else here hangs on it"
)]

use std::{
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a parent is kept.
const KEPT: Duration = Duration::from_millis(10);

/// The parent that was looked into last.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    path: Vec<u8>,
    parent: KnownParent,
    until: Instant,
}

/// An open directory and what it is.
#[derive(Clone, Debug)]
pub(super) struct KnownParent {
    pub(super) directory: Arc<OwnedFd>,
    /// Device and inode.
    pub(super) identity: (u32, u32, u64),
}

impl Recent {
    /// The open directory at `path` (relative to the top), if it was looked into a moment ago.
    pub(super) fn find(&self, path: &[u8]) -> Option<KnownParent> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref().filter(|kept| kept.path == path)?;
        (Instant::now() < kept.until).then(|| kept.parent.clone())
    }

    /// Keeps the open directory at `path`.
    pub(super) fn keep(&self, path: &[u8], parent: KnownParent) {
        let until = Instant::now() + KEPT;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut own = kept.take().map(|kept| kept.path).unwrap_or_default();
        own.clear();
        own.extend_from_slice(path);
        *kept = Some(Kept {
            path: own,
            parent,
            until,
        });
    }

    /// Names have changed.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
