//! An upload from its beginning to the moment when it is visible, or gone.
//!
//! A whole new file is staged: its bytes go to `.wharf-<random>.part` in the same directory, and
//! [`Upload::commit`] renames it over the target in one step, so nobody ever sees half of it and
//! what stood there stays until then. Restarts and appends write in place; there is nothing to
//! stage. A staged upload replaces a symbolic link at the target; it does not write through it.
//!
//! The order of a small upload is the shortest that is safe: make the temporary, write, rename.
//! Nothing is looked up when the account's rights do not depend on it.

mod begin;
mod names;
mod target;

use std::sync::Arc;

use names::numbered;

use crate::{
    AttributeChange, Error, ErrorKind, FileRef, Operation, Replace, Result, Timestamp, VirtualPath,
    Volume, writers::Writer,
};

/// Names that [`UploadMode::Unique`] tries after the first (STOU).
const UNIQUE_TRIES: u32 = 1000;

/// How uploads become visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadPolicy {
    /// Whole files are staged and appear in one step.
    pub atomic: bool,
    /// A staged upload that fails is kept under its name, for a restart, where nothing stood there.
    pub keep_partial: bool,
    /// The content is on the device before it is visible.
    pub fsync: bool,
}

impl Default for UploadPolicy {
    fn default() -> Self {
        Self {
            atomic: true,
            keep_partial: true,
            fsync: false,
        }
    }
}

/// Where the bytes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadMode {
    /// A whole file in place of whatever file stands there.
    Replace,
    /// Into the file that stands there, from this octet on; what lies behind the new bytes stays.
    /// That the offset is not beyond the end is for the caller to check, on [`Upload::file`].
    ResumeAt(u64),
    /// At the end of the file that stands there, or a new file.
    Append,
    /// A new file in the directory that is named in place of the target.
    Unique {
        /// The name to try first; `None`: `ftp.` and 8 random letters and digits.
        hint: Option<Vec<u8>>,
    },
}

/// What became of an upload that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortedUpload {
    /// Nothing of it is left.
    Discarded,
    /// What came stands under the target's name.
    KeptPartial,
}

/// How a staged file becomes visible.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    pub(crate) replace: Replace,
    pub(crate) keep_partial: bool,
    /// Permission bits of the new file.
    pub(crate) mode: u32,
}

#[derive(Clone, Debug)]
enum Stage {
    /// In a temporary beside the target (a path of the volume).
    Temporary {
        path: VirtualPath,
        replace: Replace,
        unique: bool,
        keep_partial: bool,
    },
    /// In the target itself.
    InPlace,
    /// Visible or removed; nothing is left to do.
    Settled,
}

/// A running upload. Dropping it discards what was staged.
#[must_use = "an upload must be committed or aborted"]
pub struct Upload {
    file: FileRef,
    start: u64,
    target: VirtualPath,
    volume: Arc<dyn Volume>,
    /// The target below its mount.
    place: VirtualPath,
    stage: Stage,
    fsync: bool,
    writer: Option<Writer>,
}

impl Upload {
    /// Where the bytes are written.
    pub fn file(&self) -> &FileRef {
        &self.file
    }

    /// The offset in [`Upload::file`] where the first octet goes.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// Moves the place where the first octet goes, for a caller whose offsets are not the file's
    /// (line ends that are converted).
    pub const fn set_start(&mut self, offset: u64) {
        self.start = offset;
    }

    /// The file that is uploaded, as the account sees it.
    pub const fn target(&self) -> &VirtualPath {
        &self.target
    }

    /// Makes the upload visible, with this modification time if one is given.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] or [`ErrorKind::IsADirectory`] when something stands at the target that
    /// may not be replaced, or as the volume says. What was staged is discarded then.
    pub async fn commit(self, modified: Option<Timestamp>) -> Result<()> {
        self.commit_named(modified).await.map(drop)
    }

    /// As [`Upload::commit`], and tells the file's final path: a [`UploadMode::Unique`] upload takes
    /// the next free name when somebody took its own meanwhile.
    ///
    /// # Errors
    /// As for [`Upload::commit`].
    pub async fn commit_named(mut self, modified: Option<Timestamp>) -> Result<VirtualPath> {
        match self.settle(modified).await {
            Ok(()) => {
                self.stage = Stage::Settled;
                Ok(self.target.clone())
            }
            Err(error) => {
                self.discard().await;
                Err(error)
            }
        }
    }

    async fn settle(&mut self, modified: Option<Timestamp>) -> Result<()> {
        let at = |error: Error| Error {
            operation: Operation::Commit,
            ..error
        };
        if self.fsync {
            self.file
                .sync()
                .await
                .map_err(|error| at(error).at(&self.target))?;
        }
        if modified.is_some() {
            let change = AttributeChange {
                modified,
                ..AttributeChange::default()
            };
            // By the open file: what is visible already may have another name by now.
            self.file
                .set_attributes(change)
                .await
                .map_err(|error| at(error).at(&self.target))?;
        }
        self.show().await
    }

    /// Whether the upload is not visible yet.
    pub const fn is_staged(&self) -> bool {
        matches!(self.stage, Stage::Temporary { .. })
    }

    /// Makes a staged upload visible as it is now; it goes on in place, in the same open file, and
    /// others may write in place beside it. What ends it later only settles it: the time is set,
    /// nothing is renamed or removed. An upload in place only lets others in.
    ///
    /// # Errors
    /// As for [`Upload::commit`]; the upload stays staged then.
    pub async fn publish(&mut self) -> Result<()> {
        self.show().await?;
        if self.is_staged() {
            self.stage = Stage::InPlace;
        }
        if let Some(writer) = &self.writer {
            writer.share();
        }
        Ok(())
    }

    /// Renames what is staged to its target.
    async fn show(&mut self) -> Result<()> {
        let Stage::Temporary {
            path,
            replace,
            unique,
            ..
        } = &self.stage
        else {
            return Ok(());
        };
        let first = (self.place.clone(), self.target.clone());
        let mut number = 0;
        loop {
            match self.volume.rename(path, &self.place, *replace).await {
                Err(error)
                    if error.kind == ErrorKind::Exists && *unique && number < UNIQUE_TRIES =>
                {
                    number += 1;
                    let next = |whole: &VirtualPath| {
                        let directory = whole.parent().unwrap_or_else(VirtualPath::root);
                        numbered(&directory, whole.name().unwrap_or_default(), number)
                            .map_err(|error| error.into_error(Operation::Commit, whole))
                    };
                    (self.place, self.target) = (next(&first.0)?, next(&first.1)?);
                }
                answer => {
                    return answer.map_err(|error| Error {
                        operation: Operation::Commit,
                        ..error.at(&self.target)
                    });
                }
            }
        }
    }

    /// Gives the upload up after `received` octets.
    ///
    /// What was staged is kept under the target's name if the policy wants partials, something came
    /// and nothing stands there; else it is removed. What was written in place stays.
    ///
    /// # Errors
    /// As the volume says when it cannot remove the temporary.
    pub async fn abort(mut self, received: u64) -> Result<AbortedUpload> {
        match &self.stage {
            Stage::InPlace | Stage::Settled => {
                self.stage = Stage::Settled;
                Ok(AbortedUpload::KeptPartial)
            }
            Stage::Temporary {
                path, keep_partial, ..
            } => {
                let kept = *keep_partial
                    && received > 0
                    && self
                        .volume
                        .rename(path, &self.place, Replace::Never)
                        .await
                        .is_ok();
                if kept {
                    self.stage = Stage::Settled;
                    return Ok(AbortedUpload::KeptPartial);
                }
                let removed = self.volume.remove_file(path).await;
                self.stage = Stage::Settled;
                removed
                    .map(|()| AbortedUpload::Discarded)
                    .map_err(|error| error.at(&self.target))
            }
        }
    }

    async fn discard(&mut self) {
        if let Stage::Temporary { path, .. } = &self.stage {
            // The failure that led here is the one worth telling.
            let _ = self.volume.remove_file(path).await;
        }
        self.stage = Stage::Settled;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Stage::Temporary { path, .. } = std::mem::replace(&mut self.stage, Stage::Settled)
        else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let volume = Arc::clone(&self.volume);
        let writer = self.writer.take();
        runtime.spawn(async move {
            // Nobody is left to hear of a failure.
            let _ = volume.remove_file(&path).await;
            drop(writer);
        });
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Upload")
            .field("target", &self.target)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
