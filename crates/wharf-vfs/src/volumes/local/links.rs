//! Symbolic and hard links, as plain blocking calls below a [`Root`].
//!
//! A hard link is made to the very object that was looked at, by its descriptor: a name that is
//! swapped for a symbolic link meanwhile gets no second name.

use std::{
    ffi::CString,
    os::fd::{AsRawFd, OwnedFd},
};

use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags, Statx},
    io::Errno,
};

use super::{
    act::exists_if_top,
    root::{Parent, Root, look, look_at},
};
use crate::VirtualPath;

type Outcome<T> = Result<T, Errno>;

impl Root {
    pub(super) fn read_link(&self, path: &VirtualPath) -> Outcome<Vec<u8>> {
        let parent = self.parent(path);
        let (parent, name) = parent.map_err(|errno| {
            if errno == Errno::BUSY {
                Errno::OPNOTSUPP
            } else {
                errno
            }
        })?;
        match fs::readlinkat(&parent, name, Vec::new()) {
            Ok(text) => Ok(CString::into_bytes(text)),
            Err(Errno::INVAL) => Err(Errno::OPNOTSUPP),
            Err(errno) => Err(errno),
        }
    }

    pub(super) fn create_symlink(&self, target: &VirtualPath, path: &VirtualPath) -> Outcome<()> {
        let (parent, name) = self.parent(path).map_err(exists_if_top)?;
        fs::symlinkat(path.link_text(target), &parent, name)
    }

    pub(super) fn create_symlink_text(&self, text: &[u8], path: &VirtualPath) -> Outcome<()> {
        let (parent, name) = self.parent(path).map_err(exists_if_top)?;
        fs::symlinkat(text, &parent, name)
    }

    pub(super) fn create_hard_link(
        &self,
        existing: &VirtualPath,
        path: &VirtualPath,
    ) -> Outcome<()> {
        let object = self.open(existing, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?;
        let found = look(&object)?;
        match FileType::from_raw_mode(found.stx_mode.into()) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Errno::ISDIR),
            _ => return Err(Errno::ACCESS),
        }
        let (target, new) = self.parent(path).map_err(exists_if_top)?;
        match link_object(&object, &target, new) {
            // No `/proc`, or the parent is gone: the names tell.
            Err(Errno::NOENT | Errno::NOTDIR) => {
                let (source, old) = self.parent(existing)?;
                link_name(&source, old, &found, &target, new)
            }
            answer => answer,
        }
    }
}

/// A path descriptor's own entry in `/proc` leads to the very object.
fn link_object(object: &OwnedFd, target: &Parent<'_>, new: &[u8]) -> Outcome<()> {
    let entry = format!("/proc/self/fd/{}", object.as_raw_fd());
    fs::linkat(fs::CWD, entry, target, new, AtFlags::SYMLINK_FOLLOW)
}

/// Links by name and takes it back if the name did not lead to the object that was looked at.
pub(super) fn link_name(
    source: &Parent<'_>,
    old: &[u8],
    found: &Statx,
    target: &Parent<'_>,
    new: &[u8],
) -> Outcome<()> {
    fs::linkat(source, old, target, new, AtFlags::empty())?;
    let made = look_at(target, new)?;
    if same(&made, found) {
        return Ok(());
    }
    fs::unlinkat(target, new, AtFlags::empty())?;
    Err(Errno::BUSY)
}

pub(super) const fn same(one: &Statx, other: &Statx) -> bool {
    one.stx_dev_major == other.stx_dev_major
        && one.stx_dev_minor == other.stx_dev_minor
        && one.stx_ino == other.stx_ino
}
