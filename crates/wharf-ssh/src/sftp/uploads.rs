//! The uploads of one connection that are not visible yet.
//!
//! An upload is staged until it is closed, so nobody sees half a file. But who writes a file may
//! also look at it, rename it or open it once more before closing it, as file systems over SFTP do
//! all the time: so whatever the same connection asks on the path, on whichever of its channels, the
//! upload is published first and goes on in place. Other connections see nothing before.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use wharf_vfs::{AbortedUpload, Result, Upload, VirtualPath};

/// The staged uploads of one connection; a clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uploads(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    staged: Mutex<HashMap<VirtualPath, Arc<Staged>>>,
    /// How many there are, so that most requests need not lock.
    count: AtomicUsize,
}

/// One upload, of a handle and of whoever must publish it.
#[derive(Debug)]
struct Staged {
    path: VirtualPath,
    /// `None` once it is settled. Held across a rename, so of the asynchronous kind.
    upload: tokio::sync::Mutex<Option<Upload>>,
}

/// An upload's handle. Dropped without an end it discards what was staged.
#[derive(Debug)]
pub(super) struct StagedUpload {
    staged: Arc<Staged>,
    uploads: Uploads,
}

impl Uploads {
    /// Takes charge of an upload that began at `path`.
    pub(super) fn keep(&self, path: &VirtualPath, upload: Upload) -> StagedUpload {
        let staged = Arc::new(Staged {
            path: path.clone(),
            upload: tokio::sync::Mutex::new(Some(upload)),
        });
        // At most one: who stages a file has it alone.
        let mut all = self.all();
        all.insert(path.clone(), Arc::clone(&staged));
        self.0.count.store(all.len(), Ordering::Release);
        drop(all);
        StagedUpload {
            staged,
            uploads: self.clone(),
        }
    }

    /// Makes what is staged at `path` visible; with `below` also what is staged below it.
    pub(super) async fn publish(&self, path: &VirtualPath, below: bool) {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let found: Vec<Arc<Staged>> = if below {
            let all = self.all();
            let met = all.values().filter(|staged| staged.path.starts_with(path));
            met.cloned().collect()
        } else {
            self.all().get(path).cloned().into_iter().collect()
        };
        for staged in found {
            let mut upload = staged.upload.lock().await;
            if let Some(upload) = &mut *upload
                && upload.publish().await.is_err()
            {
                // It stays staged, and its handle hears of it when it is closed.
                continue;
            }
            self.forget(&staged);
        }
    }

    fn forget(&self, staged: &Arc<Staged>) {
        let mut all = self.all();
        if all
            .get(&staged.path)
            .is_some_and(|known| Arc::ptr_eq(known, staged))
        {
            all.remove(&staged.path);
            self.0.count.store(all.len(), Ordering::Release);
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<VirtualPath, Arc<Staged>>> {
        self.0.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StagedUpload {
    /// Makes the upload visible, if it is not yet, and ends it.
    ///
    /// # Errors
    /// As for [`Upload::commit`].
    pub(super) async fn commit(self) -> Result<()> {
        // Who asks on the path meanwhile waits at this lock, until it is forgotten.
        let mut upload = self.staged.upload.lock().await;
        match upload.take() {
            Some(upload) => upload.commit(None).await,
            None => Ok(()),
        }
    }

    /// Gives the upload up after `received` octets; tells whether what came stays.
    ///
    /// # Errors
    /// As for [`Upload::abort`].
    pub(super) async fn abort(self, received: u64) -> Result<bool> {
        let mut upload = self.staged.upload.lock().await;
        let aborted = match upload.take() {
            Some(upload) => upload.abort(received).await?,
            None => AbortedUpload::Discarded,
        };
        Ok(aborted == AbortedUpload::KeptPartial)
    }
}

impl Drop for StagedUpload {
    fn drop(&mut self) {
        self.uploads.forget(&self.staged);
    }
}
