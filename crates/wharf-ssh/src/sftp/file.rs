//! An open file: how it came to be open, what it may be used for, and its end.
//!
//! Opening (SFT-30): what is created and truncated is staged and becomes visible when it is closed;
//! everything else is opened where it stands. Also where something stands that a new file must not
//! replace as a whole (a link, a file of several names) it is written in place, as `open(2)` would.
//!
//! Closing (SFT-32) tells of every failed write once more: an upload that lost one is not published.

use std::sync::Arc;

use wharf_engine::{FileTransfer, events::TransferEnd};
use wharf_proto::sftp::{Attributes, OpenFlags};
use wharf_vfs::{
    ErrorKind, FileRef, InPlace, InPlaceFile, Links, Operation, Right, UploadMode, VirtualPath,
};

use super::{
    attributes::creation_mode,
    context::{Refusal, Result, Work, failure},
    directory::OpenDirectory,
    outcome::Outcome,
    uploads::StagedUpload,
};
use crate::clock;

/// What a handle stands for.
pub(super) enum Entry {
    /// A file.
    File(Box<OpenFile>),
    /// A directory; `None` while it is being read.
    Directory(Option<Box<OpenDirectory>>),
}

impl Entry {
    /// The identity of a file.
    pub(super) fn identity(&self) -> Option<u64> {
        match self {
            Self::File(file) => Some(file.identity),
            Self::Directory(_) => None,
        }
    }

    /// The path that it was opened by, unless it is being read.
    pub(super) fn path(&self) -> Option<&VirtualPath> {
        match self {
            Self::File(file) => Some(&file.path),
            Self::Directory(directory) => directory.as_ref().map(|directory| &directory.path),
        }
    }
}

/// An open file.
pub(super) struct OpenFile {
    pub(super) file: FileRef,
    pub(super) path: VirtualPath,
    /// Of the file, whatever its name is by now.
    identity: u64,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// With APPEND: every write goes to the end.
    pub(super) append: bool,
    pub(super) transfer: FileTransfer,
    /// A write was refused; closing tells so again.
    pub(super) failed: Option<Refusal>,
    hold: Hold,
}

/// What keeps the file for us.
enum Hold {
    /// Nothing: it is only read.
    Reading,
    /// A claim for writing in place.
    InPlace(InPlaceFile),
    /// An upload.
    Staged(StagedUpload),
}

/// OPEN. `known`: the identities of the files that the channel has open. Who has a file open sees what
/// another handle writes, so those are never replaced by a staged one.
pub(super) async fn open(
    work: Arc<Work>,
    path: VirtualPath,
    flags: OpenFlags,
    attributes: Attributes,
    known: Vec<u64>,
) -> Result<Outcome> {
    let read = flags.contains(OpenFlags::READ);
    let write = flags.contains(OpenFlags::WRITE);
    if !read && !write {
        return Err(failure("Neither reading nor writing was asked for"));
    }
    let create = flags.contains(OpenFlags::CREATE);
    let truncate = flags.contains(OpenFlags::TRUNCATE);
    let append = write && flags.contains(OpenFlags::APPEND);
    let exclusive = create && flags.contains(OpenFlags::EXCLUSIVE);
    work.publish(&path).await;
    let opened = |file, identity, readable, writable, hold| OpenFile {
        file,
        path: path.clone(),
        identity,
        readable,
        writable,
        append,
        transfer: FileTransfer::new(Arc::clone(&work.session), path.clone(), clock::now()),
        failed: None,
        hold,
    };
    if !write && !create && !truncate {
        let (file, metadata) = work.view().open_read(&path).await?;
        let file = opened(file, metadata.identity, true, false, Hold::Reading);
        return Ok(Outcome::Opened(Entry::File(Box::new(file))));
    }
    let mode = creation_mode(&work, attributes, 0o666);
    let is_whole = write && create && truncate && !append && !exclusive;
    if is_whole && let Some((file, staged)) = stage(&work, &path, read, mode, &known).await? {
        let identity = identity(&file, &path).await?;
        let mut file = opened(file, identity, read, true, Hold::Staged(staged));
        file.transfer.received(0);
        return Ok(Outcome::Opened(Entry::File(Box::new(file))));
    }
    let asked = InPlace {
        read,
        write: write && !append,
        append,
        create: create.then_some(mode),
        exclusive,
        truncate,
    };
    let open = work.view().open_in_place(&path, asked).await?;
    let is_new = open.created || truncate;
    let identity = identity(&open.file, &path).await?;
    let file = Arc::clone(&open.file);
    let mut file = opened(file, identity, read, write, Hold::InPlace(open));
    if is_new {
        file.transfer.received(0);
    }
    Ok(Outcome::Opened(Entry::File(Box::new(file))))
}

async fn identity(file: &FileRef, path: &VirtualPath) -> Result<u64> {
    let metadata = file.metadata().await.map_err(|error| error.at(path))?;
    Ok(metadata.identity)
}

/// Begins an upload that is visible when it is closed; `None` where the file must be written in place.
async fn stage(
    work: &Work,
    path: &VirtualPath,
    read: bool,
    mode: u32,
    known: &[u64],
) -> Result<Option<(FileRef, StagedUpload)>> {
    let view = work.view();
    if !work.settings.atomic || !view.settings().upload.atomic {
        return Ok(None);
    }
    if read {
        view.authorize(Right::Read, path, Operation::Read)?;
    }
    let mode = match view.metadata(path, Links::NoFollow).await {
        // What stands there keeps its bits, as if it had been truncated.
        Ok(metadata)
            if metadata.is_file() && metadata.links <= 1 && !known.contains(&metadata.identity) =>
        {
            metadata.mode & 0o777
        }
        Ok(_) => return Ok(None),
        // Nothing, or nothing that may be seen: the gate below decides.
        Err(_) => mode,
    };
    match view.begin_upload_as(path, UploadMode::Replace, mode).await {
        Ok(upload) => {
            let file = Arc::clone(upload.file());
            Ok(Some((file, work.uploads.keep(path, upload))))
        }
        // Perhaps one of our own handles, which writes in place; else this is refused there as well.
        Err(error) if error.kind == ErrorKind::Busy => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// fsync (SFT-53).
pub(super) async fn sync(file: FileRef, path: VirtualPath) -> Result<Outcome> {
    file.sync().await.map_err(|error| error.at(&path))?;
    Ok(Outcome::Done)
}

impl OpenFile {
    /// Whether it is an upload whose end has its own event.
    pub(super) const fn is_upload(&self) -> bool {
        matches!(self.hold, Hold::Staged(_))
    }

    /// Whether nothing is to be done at its end but to tell of it.
    pub(super) const fn is_only_read(&self) -> bool {
        matches!(self.hold, Hold::Reading)
    }

    /// Tells of a file that was only read and is closed.
    pub(super) fn close_read(self) {
        self.transfer.finish(TransferEnd::Committed);
    }

    /// CLOSE.
    pub(super) async fn close(self, work: Arc<Work>) -> Result<Outcome> {
        let Self {
            file,
            path,
            transfer,
            failed,
            hold,
            ..
        } = self;
        let written = transfer.octets_received() > 0;
        let mut kept = matches!(hold, Hold::InPlace(_));
        let result = match (failed, hold) {
            (None, Hold::Staged(staged)) => staged.commit().await.map_err(Refusal::from),
            (Some(refusal), Hold::Staged(staged)) => {
                // The write that failed is the one worth telling. What was published stays.
                kept = staged.abort(0).await.unwrap_or(false);
                Err(refusal)
            }
            (None, Hold::InPlace(open)) if written && work.view().settings().upload.fsync => {
                let synced = file.sync().await;
                drop(open);
                synced.map_err(|error| error.at(&path).into())
            }
            (None, Hold::InPlace(_) | Hold::Reading) => Ok(()),
            (Some(refusal), _) => Err(refusal),
        };
        transfer.finish(match &result {
            Ok(()) => TransferEnd::Committed,
            Err(refusal) => TransferEnd::Aborted {
                cause: refusal.cause(),
                kept,
            },
        });
        result.map(|()| Outcome::Done)
    }

    /// The channel ended before the file was closed. Never fails: nobody is left to hear of it.
    pub(super) async fn give_up(self, work: &Work) {
        let kept = match self.hold {
            Hold::Reading => false,
            Hold::InPlace(_) => true,
            Hold::Staged(staged) => {
                let received = self.transfer.octets_received();
                // A part is gone on with behind its end, so nothing may be missing before it.
                let is_whole = self.failed.is_none()
                    && matches!(self.file.metadata().await, Ok(now) if now.size <= received);
                match staged.abort(if is_whole { received } else { 0 }).await {
                    Ok(kept) => kept,
                    Err(error) => {
                        work.log(&error);
                        false
                    }
                }
            }
        };
        self.transfer.finish(TransferEnd::Aborted {
            cause: "the file was not closed".into(),
            kept,
        });
    }
}
