//! Renaming a regular file from one volume to another: a staged copy, then the removal.
//!
//! No link is followed at either end (ProFTPD issue 2256): the source must be a regular file by its
//! own name and still be that file when it is open; the copy replaces the *name* at the target.
//! Rights were checked before. Directories do not cross.

use super::View;
use crate::{
    Error, ErrorKind, Links, OpenMode, Operation, Replace, Result, VirtualPath,
    upload::{Conditions, Upload},
};

/// Octets that are copied at a time.
const CHUNK: usize = 256 * 1024;

pub(super) async fn rename(
    view: &View,
    from: &VirtualPath,
    to: &VirtualPath,
    replace: Replace,
) -> Result<()> {
    let fail = |kind| Error::new(kind, Operation::Rename, from);
    let place = view.mounts().find(from);
    let volume = place.mount.volume();
    let found = volume
        .metadata(&place.path, Links::NoFollow)
        .await
        .map_err(|error| error.at(from))?;
    if !found.is_file() || found.size > view.settings().rename_copy_max {
        return Err(fail(ErrorKind::CrossVolume));
    }
    let source = volume
        .open(&place.path, OpenMode::Read)
        .await
        .map_err(|error| error.at(from))?;
    if source
        .metadata()
        .await
        .map_err(|error| error.at(from))?
        .identity
        != found.identity
    {
        return Err(fail(ErrorKind::Busy));
    }
    let mode = found.mode & 0o777;
    let upload = Upload::stage(
        view,
        to,
        Conditions {
            replace,
            keep_partial: false,
            mode,
        },
    )
    .await?;
    let mut buffer = Vec::with_capacity(CHUNK);
    let mut offset = 0;
    loop {
        buffer = source
            .read_at(buffer, offset)
            .await
            .map_err(|error| error.at(from))?;
        if buffer.is_empty() {
            break;
        }
        let start = offset;
        offset += buffer.len() as u64;
        if offset > view.settings().rename_copy_max {
            return Err(fail(ErrorKind::CrossVolume));
        }
        buffer = upload
            .file()
            .write_at(buffer, start)
            .await
            .map_err(|error| error.at(to))?;
    }
    // What changed while it was copied is not removed.
    let now = volume
        .metadata(&place.path, Links::NoFollow)
        .await
        .map_err(|error| error.at(from))?;
    if (now.identity, now.size, now.modified) != (found.identity, offset, found.modified) {
        return Err(fail(ErrorKind::Busy));
    }
    upload.commit(Some(found.modified)).await?;
    // One store may stand at two mounts: then the copy has taken the place of the source itself, and
    // what the source's name leads to now is the copy.
    let left = volume.metadata(&place.path, Links::NoFollow).await;
    if !left.is_ok_and(|left| left.identity == found.identity) {
        return Ok(());
    }
    volume
        .remove_file(&place.path)
        .await
        .map_err(|error| error.at(from))
}
