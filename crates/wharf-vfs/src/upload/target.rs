//! What is checked at an upload's target before anything is made.

use crate::{Error, ErrorKind, Links, Operation, Result, View, VirtualPath, writers::Writer};

/// Checks what stands at `path` for an account that may only make (`create`) or only change files.
pub(super) async fn check_target(view: &View, path: &VirtualPath, create: bool) -> Result<()> {
    let place = view.mounts().find(path);
    let denied = || Error::new(ErrorKind::Denied, Operation::Write, path);
    match place
        .mount
        .volume()
        .metadata(&place.path, Links::NoFollow)
        .await
    {
        Ok(metadata) if metadata.is_directory() => {
            Err(Error::new(ErrorKind::IsADirectory, Operation::Write, path))
        }
        Ok(_) if create => Err(denied()),
        Ok(_) => Ok(()),
        Err(error) if error.kind == ErrorKind::NotFound => {
            if create {
                Ok(())
            } else {
                Err(denied())
            }
        }
        Err(error) => Err(error.at(path)),
    }
}

/// Refuses names that may not be made, and directories that the mount table itself holds.
pub(super) fn check_place(view: &View, path: &VirtualPath) -> Result<()> {
    if view.mounts().holds_mount(path) {
        return Err(Error::new(ErrorKind::IsADirectory, Operation::Write, path));
    }
    view.check_name(path, Operation::Write)
}

pub(super) fn claim(view: &View, path: &VirtualPath) -> Result<Writer> {
    let place = view.mounts().find(path);
    let claimed = view.mounts().writers().claim(place.mount.id(), &place.path);
    claimed.ok_or_else(|| Error::new(ErrorKind::Busy, Operation::Write, path))
}

/// Whether anything stands at `path`.
pub(super) async fn taken(view: &View, path: &VirtualPath) -> Result<bool> {
    let place = view.mounts().find(path);
    match place
        .mount
        .volume()
        .metadata(&place.path, Links::NoFollow)
        .await
    {
        Ok(_) => Ok(true),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.at(path)),
    }
}
