//! What is known of an object, as version 3 says it, and the change of it (SFT-35, SFT-36).
//!
//! A change is done in the order size, permissions, times, owner; each part needs its right. Many
//! clients set modes after an upload that are there already: what would change nothing is not
//! refused.

use std::sync::Arc;

use wharf_engine::events::FileChange;
use wharf_proto::sftp::{Attributes, FileType, StatusCode};
use wharf_vfs::{
    AttributeChange, ErrorKind, FileKind, FileRef, InPlace, Links, Metadata, Operation, Right,
    Timestamp, VirtualPath,
};

use super::{
    context::{Refusal, Result, Work, failure},
    outcome::Outcome,
};

/// The attributes of an object.
pub(super) fn attributes(metadata: &Metadata) -> Attributes {
    let modified = Attributes::wire_time(metadata.modified.seconds);
    let accessed = metadata
        .accessed
        .map_or(modified, |time| Attributes::wire_time(time.seconds));
    Attributes {
        size: Some(metadata.size),
        owner: Some((metadata.owner, metadata.group)),
        permissions: Some(file_type(metadata.kind).bits() | metadata.mode),
        times: Some((accessed, modified)),
    }
}

const fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::File => FileType::Regular,
        FileKind::Directory => FileType::Directory,
        FileKind::Symlink => FileType::Symlink,
        FileKind::Special => FileType::Special,
    }
}

/// The bits that a new object gets: those that were asked for, without set-id bits and what the
/// account's mask takes away.
pub(super) fn creation_mode(work: &Work, asked: Attributes, otherwise: u32) -> u32 {
    let bits = asked.permissions.map_or(otherwise, |bits| bits & 0o777);
    bits & !work.view().settings().umask
}

/// What is changed.
pub(super) enum Subject {
    /// What stands at a path.
    Path(VirtualPath, Links),
    /// An open file.
    File {
        /// The file.
        file: FileRef,
        /// The path that it was opened by.
        path: VirtualPath,
        /// Whether it is open for writing.
        writable: bool,
        /// Whether only at its end.
        append: bool,
        /// Whether it is an upload under way, whose event tells of it.
        is_upload: bool,
    },
}

impl Subject {
    const fn path(&self) -> &VirtualPath {
        match self {
            Self::Path(path, _) | Self::File { path, .. } => path,
        }
    }

    async fn metadata(&self, work: &Work) -> wharf_vfs::Result<Metadata> {
        match self {
            Self::Path(path, links) => work.view().metadata(path, *links).await,
            Self::File { file, .. } => file.metadata().await,
        }
    }

    async fn set(&self, work: &Work, change: AttributeChange) -> wharf_vfs::Result<()> {
        match self {
            Self::Path(path, links) => work.view().set_attributes(path, *links, change).await,
            Self::File { file, path, .. } => {
                work.view().authorize_change(path, change)?;
                let set = file.set_attributes(change).await;
                set.map_err(|error| error.at(path))
            }
        }
    }

    async fn set_size(&self, work: &Work, size: u64) -> Result<()> {
        if i64::try_from(size).is_err() {
            return Err(failure("File too large"));
        }
        match self {
            Self::Path(_, Links::NoFollow) => Err(Refusal::Said(
                StatusCode::BadMessage,
                "A size is set on files only",
            )),
            Self::Path(path, Links::Follow) => {
                let asked = InPlace {
                    write: true,
                    ..InPlace::default()
                };
                let open = work.view().open_in_place(path, asked).await?;
                let set = open.file.set_size(size).await;
                set.map_err(|error| error.at(path).into())
            }
            Self::File {
                writable: false, ..
            } => Err(Refusal::Said(
                StatusCode::PermissionDenied,
                "The file is not open for writing",
            )),
            Self::File {
                file, path, append, ..
            } => {
                if *append {
                    work.view()
                        .authorize(Right::Write, path, Operation::Write)?;
                }
                let set = file.set_size(size).await;
                set.map_err(|error| error.at(path).into())
            }
        }
    }
}

/// STAT, LSTAT.
pub(super) async fn look(work: Arc<Work>, path: VirtualPath, links: Links) -> Result<Outcome> {
    work.publish(&path).await;
    let metadata = work.view().metadata(&path, links).await?;
    Ok(Outcome::Attributes(attributes(&metadata)))
}

/// SETSTAT, FSETSTAT and lsetstat.
pub(super) async fn change(
    work: Arc<Work>,
    subject: Subject,
    asked: Attributes,
) -> Result<Outcome> {
    if let Subject::Path(path, _) = &subject {
        work.publish(path).await;
    }
    let Attributes {
        size,
        owner,
        permissions,
        times,
    } = asked;
    if let Some(size) = size {
        subject.set_size(&work, size).await?;
    }
    let nothing = AttributeChange::default();
    if let Some(permissions) = permissions {
        // No set-id and sticky bits, as everywhere: nobody here has a use for them that is his own.
        let mode = permissions & 0o777;
        let set = subject.set(
            &work,
            AttributeChange {
                mode: Some(mode),
                ..nothing
            },
        );
        unless_needless(&work, &subject, set.await, |now| now.mode == mode).await?;
    }
    if let Some((accessed, modified)) = times {
        let change = AttributeChange {
            accessed: Some(timestamp(accessed)),
            modified: Some(timestamp(modified)),
            ..nothing
        };
        subject.set(&work, change).await?;
    }
    if let Some((owner, group)) = owner {
        let set = subject.set(
            &work,
            AttributeChange {
                owner: Some(owner),
                group: Some(group),
                ..nothing
            },
        );
        let is_same = |now: &Metadata| (now.owner, now.group) == (owner, group);
        unless_needless(&work, &subject, set.await, is_same).await?;
    }
    if asked == Attributes::default() {
        // A change of nothing still tells whether there is anything.
        subject.set(&work, nothing).await?;
    } else if !matches!(
        subject,
        Subject::File {
            is_upload: true,
            ..
        }
    ) {
        work.changed(FileChange::Attributes(subject.path().as_bytes()));
    }
    Ok(Outcome::Done)
}

/// A refused change of mode or owner is none when nothing would change, or when the settings say so.
async fn unless_needless(
    work: &Work,
    subject: &Subject,
    result: wharf_vfs::Result<()>,
    is_same: impl Fn(&Metadata) -> bool,
) -> Result<()> {
    let Err(error) = result else { return Ok(()) };
    let refused = matches!(
        error.kind,
        ErrorKind::Denied | ErrorKind::ReadOnly | ErrorKind::Unsupported
    );
    if !refused {
        return Err(error.into());
    }
    match subject.metadata(work).await {
        Ok(now) if work.settings.ignore_setstat_errors || is_same(&now) => Ok(()),
        // What is not there is not passed over.
        Err(missing) if missing.kind == ErrorKind::NotFound => Err(missing.into()),
        _ => Err(error.into()),
    }
}

const fn timestamp(seconds: u32) -> Timestamp {
    Timestamp {
        seconds: seconds as i64,
        nanoseconds: 0,
    }
}

/// FSTAT: of the open file, so of an upload that nobody else sees yet as well.
pub(super) async fn look_at_file(file: FileRef, path: VirtualPath) -> Result<Outcome> {
    let metadata = file.metadata().await.map_err(|error| error.at(&path))?;
    Ok(Outcome::Attributes(attributes(&metadata)))
}
