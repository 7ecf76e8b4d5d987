//! Copies on the server: copy-data between two open files (SFT-57) and copy-file by path (SFT-63).
//!
//! A copy is done in pieces, so that it ends soon after its channel does, and of what the source has
//! at the beginning: a copy onto the end of its own source would go on until the disk is full.

use std::sync::Arc;

use wharf_engine::{FileTransfer, events::TransferEnd};
use wharf_vfs::{ErrorKind, FileRef, InPlace, Links, Operation, Right, UploadMode, VirtualPath};

use super::{
    context::{ENDED, Refusal, Result, Work, failure},
    file::OpenFile,
    handles::Handle,
    outcome::Outcome,
};
use crate::clock;

/// Octets that are copied before the end of the channel is heard.
const PIECE: u64 = 8 << 20;

/// One end of copy-data.
pub(super) struct End {
    pub(super) file: FileRef,
    pub(super) path: VirtualPath,
    pub(super) offset: u64,
    /// It is written at its end only.
    append: bool,
}

impl End {
    /// An open file from this octet on.
    pub(super) fn of(file: &OpenFile, offset: u64) -> Self {
        Self {
            file: Arc::clone(&file.file),
            path: file.path.clone(),
            offset,
            append: file.append,
        }
    }
}

/// Why a file is not copied onto itself.
pub(super) const SAME: &str = "Source and target are the same file";

/// Whether two open files are one.
async fn is_same(work: &Work, one: &End, two: &End) -> Result<bool> {
    let (first, second) = (one.file.metadata().await?, two.file.metadata().await?);
    let view = work.view();
    Ok(first.identity == second.identity && view.volume_id(&one.path) == view.volume_id(&two.path))
}

/// copy-data; `length` 0: to the end.
pub(super) async fn data(
    work: Arc<Work>,
    source: End,
    mut target: End,
    length: u64,
    handle: Handle,
) -> Result<Outcome> {
    if is_same(&work, &source, &target).await? {
        return Err(failure(SAME));
    }
    if target.append {
        // As for a WRITE: whoever may only append overwrites nothing (SFT-30).
        target.offset = target.file.metadata().await?.size;
    }
    let size = source.file.metadata().await?.size;
    let there = size.saturating_sub(source.offset);
    let wanted = if length == 0 {
        there
    } else {
        length.min(there)
    };
    if i64::try_from(target.offset.saturating_add(wanted)).is_err() {
        return Err(failure("File too large"));
    }
    let (octets, result) = pieces(&work, &source, &target, wanted).await;
    Ok(Outcome::Copied {
        handle,
        octets,
        is_short: octets < length,
        refused: result.err(),
    })
}

/// Copies piece by piece; tells how much was done, and why not all of it.
async fn pieces(work: &Work, source: &End, target: &End, wanted: u64) -> (u64, Result<()>) {
    let mut copied = 0;
    while copied < wanted {
        if work.is_ending() {
            return (copied, Err(failure(ENDED)));
        }
        let piece = (wanted - copied).min(PIECE);
        let from = source.offset + copied;
        let copying = target
            .file
            .copy_range(&source.file, from, target.offset + copied, piece);
        match copying.await {
            Ok(0) => break,
            Ok(octets) => copied += octets,
            Err(error) => return (copied, Err(error.at(&target.path).into())),
        }
        // Copies in memory give no other chance.
        tokio::task::yield_now().await;
    }
    (copied, Ok(()))
}

/// copy-file.
pub(super) async fn file(
    work: Arc<Work>,
    source: VirtualPath,
    target: VirtualPath,
    overwrite: bool,
) -> Result<Outcome> {
    work.publish(&source).await;
    work.publish(&target).await;
    let view = work.view();
    let (file, metadata) = view.open_read(&source).await?;
    let same_place = view.volume_id(&source) == view.volume_id(&target);
    if let Ok(there) = view.metadata(&target, Links::Follow).await {
        // What may not be changed is refused as such, whatever it is.
        let needed = if overwrite {
            Right::Overwrite
        } else {
            Right::Create
        };
        view.authorize(needed, &target, Operation::Write)?;
        if same_place && there.identity == metadata.identity {
            return Err(failure(SAME));
        }
        if !overwrite {
            return Err(failure(ErrorKind::Exists.text()));
        }
    }
    let mode = metadata.mode & 0o777 & !view.settings().umask;
    let source = End {
        file,
        path: source,
        offset: 0,
        append: false,
    };
    if overwrite {
        replace(&work, &source, &target, metadata.size, mode).await?;
    } else {
        make(&work, &source, &target, metadata.size, mode).await?;
    }
    Ok(Outcome::Done)
}

/// Copies into a staged file, which replaces the target when it is whole.
async fn replace(
    work: &Work,
    source: &End,
    target: &VirtualPath,
    size: u64,
    mode: u32,
) -> Result<()> {
    let began = work
        .view()
        .begin_upload_as(target, UploadMode::Replace, mode);
    let upload = began.await?;
    let (transfer, copied) = whole(work, source, upload.file(), target, size).await;
    let result = match copied {
        Ok(()) => upload.commit(None).await.map_err(Refusal::from),
        Err(refusal) => {
            // The failure that led here is the one worth telling.
            let _ = upload.abort(0).await;
            Err(refusal)
        }
    };
    tell(transfer, result)
}

/// Copies into a file that is made here and goes again when the copy fails: so nothing is replaced,
/// whoever else makes a file of that name.
async fn make(work: &Work, source: &End, target: &VirtualPath, size: u64, mode: u32) -> Result<()> {
    let asked = InPlace {
        write: true,
        create: Some(mode),
        exclusive: true,
        ..InPlace::default()
    };
    let open = work.view().open_in_place(target, asked).await?;
    let (transfer, copied) = whole(work, source, &open.file, target, size).await;
    if copied.is_err() {
        // An account that may not remove it keeps the part; the failure above is told either way.
        let _ = work.view().remove_file(target).await;
    }
    tell(transfer, copied)
}

/// Copies the whole source, and keeps count.
async fn whole(
    work: &Work,
    source: &End,
    file: &FileRef,
    target: &VirtualPath,
    size: u64,
) -> (FileTransfer, Result<()>) {
    let mut transfer = FileTransfer::new(Arc::clone(&work.session), target.clone(), clock::now());
    let end = End {
        file: Arc::clone(file),
        path: target.clone(),
        offset: 0,
        append: false,
    };
    let (octets, copied) = pieces(work, source, &end, size).await;
    transfer.received(octets);
    (transfer, copied)
}

fn tell(transfer: FileTransfer, result: Result<()>) -> Result<()> {
    transfer.finish(match &result {
        Ok(()) => TransferEnd::Committed,
        Err(refusal) => TransferEnd::Aborted {
            cause: refusal.cause(),
            kept: false,
        },
    });
    result
}
