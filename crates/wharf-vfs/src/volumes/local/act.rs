//! What a volume does, as plain blocking calls below a [`Root`].
//!
//! Each acts on a descriptor that was opened within the root, or on one name in a directory that
//! was; none takes a path twice.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags, Statx, Timespec, Timestamps},
    io::Errno,
};

use super::{
    recent::KnownParent,
    root::{Parent, Root, is_link, look, look_at},
};
use crate::{AttributeChange, Links, Metadata, OpenMode, Replace, Space, Timestamp, VirtualPath};

type Outcome<T> = Result<T, Errno>;

impl Root {
    pub(super) fn look_up(&self, path: &VirtualPath, links: Links) -> Outcome<Metadata> {
        let found = if path.is_root() {
            self.look_at_top()?
        } else if let Some(found) = self.look_in_top(path) {
            found?
        } else {
            self.look_beside_recent(path)?
        };
        // A link is found by its name, what it leads to only by walking the path.
        if links == Links::NoFollow || !is_link(&found) {
            return Ok(self.metadata(&found));
        }
        let opened = self.open(path, look_flags(links), Mode::empty())?;
        Ok(self.metadata(&look(opened)?))
    }

    /// Looks at an object by its name in its parent, which is opened at most once in a moment.
    fn look_beside_recent(&self, path: &VirtualPath) -> Outcome<Statx> {
        let relative = path.relative();
        let slash = relative
            .iter()
            .rposition(|&byte| byte == b'/')
            .ok_or(Errno::INVAL)?;
        let above = relative.get(..slash).ok_or(Errno::INVAL)?;
        if let Some((known, name)) = self.recent_parent(path) {
            match look_at(&*known.directory, name) {
                Ok(found) => return Ok(found),
                Err(Errno::NOENT) if self.is_at(above, known.identity) => return Err(Errno::NOENT),
                Err(_) => {}
            }
        }
        let (parent, name) = self.parent(path)?;
        let found = look_at(&parent, name);
        if let Parent::Below(directory) = parent
            && let Ok(itself) = look(&directory)
        {
            let (directory, identity) = (Arc::new(directory), identity(&itself));
            let known = KnownParent {
                directory,
                identity,
            };
            self.recent.keep(above, known);
        }
        found
    }

    /// Whether a path still leads to this object. Only compared, never told: the look is not confined.
    fn is_at(&self, path: &[u8], known: (u32, u32, u64)) -> bool {
        self.look_unconfined(path)
            .is_ok_and(|found| identity(&found) == known)
    }

    /// The same from the kernel's caches alone; `AGAIN` if they do not have it.
    pub(super) fn look_up_cached(&self, path: &VirtualPath, links: Links) -> Outcome<Metadata> {
        // A single name would be looked up on the disk if it is not cached, so open in any case.
        let opened = self.open_cached(path, look_flags(links))?;
        Ok(self.metadata(&look(opened)?))
    }

    /// Opens a regular file. Whether it is known to lie in memory, and its size.
    pub(super) fn open_file(
        &self,
        path: &VirtualPath,
        mode: OpenMode,
    ) -> Outcome<(OwnedFd, bool, u64)> {
        let (flags, bits) = match mode {
            OpenMode::Read => (OFlags::RDONLY, 0),
            OpenMode::Update => (OFlags::RDWR, 0),
            OpenMode::UpdateOrCreate { mode } => (OFlags::RDWR | OFlags::CREATE, mode),
            OpenMode::CreateNew { mode } => (OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, mode),
        };
        // With NONBLOCK a FIFO does not wait for its other end; NOCTTY keeps a terminal away.
        let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = self.open(path, flags, permissions(bits & 0o777))?;
        if flags.contains(OFlags::EXCL) {
            // Just made, so it is a regular file, and nobody reads it yet.
            return Ok((file, false, 0));
        }
        let found = look(&file)?;
        match FileType::from_raw_mode(found.stx_mode.into()) {
            FileType::RegularFile => {
                let in_memory = self.is_memory(&found, &file);
                Ok((file, in_memory, found.stx_size))
            }
            FileType::Directory => Err(Errno::ISDIR),
            _ => Err(Errno::ACCESS),
        }
    }

    pub(super) fn open_directory(&self, path: &VirtualPath) -> Outcome<OwnedFd> {
        self.open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
    }

    pub(super) fn create_directory(&self, path: &VirtualPath, mode: u32) -> Outcome<()> {
        let (parent, name) = self.parent(path).map_err(exists_if_top)?;
        fs::mkdirat(&parent, name, permissions(mode & 0o7777))
    }

    pub(super) fn remove(&self, path: &VirtualPath, flags: AtFlags) -> Outcome<()> {
        self.recent.forget();
        let (parent, name) = self.parent(path)?;
        match fs::unlinkat(&parent, name, flags) {
            Err(Errno::EXIST) => Err(Errno::NOTEMPTY),
            // POSIX lets a host say PERM for a directory.
            Err(Errno::PERM) if flags.is_empty() && is_directory(look_at(&parent, name)) => {
                Err(Errno::ISDIR)
            }
            answer => answer,
        }
    }

    pub(super) fn rename(
        &self,
        from: &VirtualPath,
        to: &VirtualPath,
        replace: Replace,
    ) -> Outcome<()> {
        // A temporary becomes visible in its own directory: one descriptor is enough, and the one
        // through which the target was looked at a moment ago will do.
        let same = beside(from, to);
        let recent = if same { self.recent_parent(from) } else { None };
        if let Some((known, old)) = recent {
            match self.rename_in(&Parent::Recent(known.directory), old, None, to, replace) {
                // Another directory stands there now.
                Err(Errno::NOENT) => {}
                answer => return answer,
            }
        }
        self.recent.forget();
        let (source, old) = self.parent(from)?;
        let other = if same { None } else { Some(self.parent(to)?) };
        if from == to && replace == Replace::Files {
            return look_at(&source, old).map(drop);
        }
        self.rename_in(
            &source,
            old,
            other.as_ref().map(|(target, _)| target),
            to,
            replace,
        )
    }

    /// The directory of `path`, if it was looked into a moment ago, and the name there.
    fn recent_parent<'p>(&self, path: &'p VirtualPath) -> Option<(KnownParent, &'p [u8])> {
        let relative = path.relative();
        let slash = relative.iter().rposition(|&byte| byte == b'/')?;
        let (above, name) = relative.split_at_checked(slash)?;
        Some((self.recent.find(above)?, name.get(1..)?))
    }

    /// Renames `old` in `source` to the last name of `to` in `target`, or in `source` without one.
    fn rename_in(
        &self,
        source: &Parent<'_>,
        old: &[u8],
        target: Option<&Parent<'_>>,
        to: &VirtualPath,
        replace: Replace,
    ) -> Outcome<()> {
        let target = target.unwrap_or(source);
        let new = to.name().unwrap_or_default();
        match fs::renameat_with(source, old, target, new, RenameFlags::NOREPLACE) {
            // Something stands there. A directory would replace an empty one: not so here.
            Err(Errno::EXIST) if replace == Replace::Files => {
                if is_directory(look_at(source, old)) {
                    return Err(Errno::EXIST);
                }
                fs::renameat(source, old, target, new)
            }
            // The file system cannot tell in one step (INVAL is also a directory into itself).
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                let standing = look_at(target, new);
                let directory = is_directory(look_at(source, old));
                match (standing, replace) {
                    (Ok(_), Replace::Never) => Err(Errno::EXIST),
                    (Ok(_), Replace::Files) if directory => Err(Errno::EXIST),
                    (Err(Errno::NOENT), Replace::Never) if !directory => {
                        // A link cannot replace: checked and done in one step where links exist.
                        match fs::linkat(source, old, target, new, AtFlags::empty()) {
                            Ok(()) => fs::unlinkat(source, old, AtFlags::empty()),
                            Err(Errno::EXIST) => Err(Errno::EXIST),
                            Err(_) => fs::renameat(source, old, target, new),
                        }
                    }
                    (Ok(_) | Err(Errno::NOENT), _) => fs::renameat(source, old, target, new),
                    (Err(errno), _) => Err(errno),
                }
            }
            answer => answer,
        }
    }

    pub(super) fn set_attributes(
        &self,
        path: &VirtualPath,
        links: Links,
        change: AttributeChange,
    ) -> Outcome<()> {
        let object = self.open(path, look_flags(links), Mode::empty())?;
        if change.owner.is_some() || change.group.is_some() {
            let owner = change.owner.map(fs::Uid::from_raw);
            let group = change.group.map(fs::Gid::from_raw);
            fs::chownat(&object, c"", owner, group, AtFlags::EMPTY_PATH)?;
        }
        if let Some(mode) = change.mode
            && (links == Links::Follow || !is_link(&look(&object)?))
        {
            self.set_mode(path, &object, permissions(mode & 0o7777))?;
        }
        if change.modified.is_some() || change.accessed.is_some() {
            let times = timestamps(change);
            fs::utimensat(&object, c"", &times, AtFlags::EMPTY_PATH)?;
        }
        Ok(())
    }

    /// A path descriptor takes no mode, but its own entry in `/proc` leads to the very object. Where
    /// there is no `/proc`, the object is opened in earnest.
    fn set_mode(&self, path: &VirtualPath, object: &OwnedFd, mode: Mode) -> Outcome<()> {
        let entry = format!("/proc/self/fd/{}", object.as_raw_fd());
        match fs::chmodat(fs::CWD, entry, mode, AtFlags::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            answer => return answer,
        }
        let kind = FileType::from_raw_mode(look(object)?.stx_mode.into());
        if !matches!(kind, FileType::RegularFile | FileType::Directory) {
            return Err(Errno::ACCESS);
        }
        let opened = self.open(
            path,
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
            Mode::empty(),
        )?;
        fs::fchmod(opened, mode)
    }

    pub(super) fn space(&self, path: &VirtualPath) -> Outcome<Space> {
        let found = fs::fstatvfs(self.open(path, OFlags::PATH, Mode::empty())?)?;
        let octets = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Space {
            total: octets(found.f_blocks),
            free: octets(found.f_bavail),
            // Stores that make inodes as they need them tell 0.
            files: (found.f_files > 0).then_some(found.f_files),
            files_free: (found.f_files > 0).then_some(found.f_favail),
            block_size: u32::try_from(found.f_frsize).unwrap_or(u32::MAX).max(1),
        })
    }
}

const fn identity(found: &Statx) -> (u32, u32, u64) {
    (found.stx_dev_major, found.stx_dev_minor, found.stx_ino)
}

fn look_flags(links: Links) -> OFlags {
    match links {
        Links::Follow => OFlags::PATH,
        Links::NoFollow => OFlags::PATH | OFlags::NOFOLLOW,
    }
}

fn beside(one: &VirtualPath, other: &VirtualPath) -> bool {
    let above = |path: &VirtualPath| path.as_bytes().iter().rposition(|&byte| byte == b'/');
    let (Some(one_above), Some(other_above)) = (above(one), above(other)) else {
        return false;
    };
    one.as_bytes().get(..one_above) == other.as_bytes().get(..other_above) && !other.is_root()
}

pub(super) fn permissions(bits: u32) -> Mode {
    Mode::from_raw_mode(bits)
}

pub(super) fn is_directory(found: Outcome<Statx>) -> bool {
    found.is_ok_and(|found| FileType::from_raw_mode(found.stx_mode.into()).is_dir())
}

pub(super) fn exists_if_top(errno: Errno) -> Errno {
    if errno == Errno::BUSY {
        Errno::EXIST
    } else {
        errno
    }
}

/// The times that shall change, as the host takes them.
pub(super) fn timestamps(change: AttributeChange) -> Timestamps {
    Timestamps {
        last_access: timespec(change.accessed),
        last_modification: timespec(change.modified),
    }
}

fn timespec(time: Option<Timestamp>) -> Timespec {
    match time {
        Some(time) => Timespec {
            tv_sec: time.seconds,
            tv_nsec: time.nanoseconds.into(),
        },
        None => Timespec {
            tv_sec: 0,
            tv_nsec: fs::UTIME_OMIT,
        },
    }
}
