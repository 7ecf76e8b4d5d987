//! The top of a local volume: how a path becomes a descriptor without leaving it (PATH-02).
//!
//! The kernel confines the path itself where it has `openat2` (Linux 5.6); elsewhere, or where a
//! sandbox forbids the call, a walk opens component by component without following any link and
//! resolves links by itself. Both refuse links with absolute targets and links that lead out, as if
//! they did not exist (PATH-03), and both hold against a directory that is swapped for a link
//! meanwhile (CVE-2012-6095, CVE-2017-7418): no path is looked at first and used later.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    fs::{self, AtFlags, Mode, OFlags, ResolveFlags, Statx, StatxFlags},
    io::Errno,
};

use super::recent::Recent;
use crate::{FileKind, Metadata, Timestamp, VirtualPath};

/// Links that are followed for one path at the most, as in the Linux kernel.
const MAX_LINKS: usize = 40;

/// How often the kernel may ask to try again because names moved under its feet.
const MAX_RETRIES: usize = 16;

const CONFINED: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// An open directory that nothing below leaves.
#[derive(Debug)]
pub(super) struct Root {
    directory: OwnedFd,
    /// Of the directory itself; objects elsewhere are on a file system mounted below.
    device: (u32, u32),
    file_system: FileSystem,
    walks: bool,
    pub(super) recent: Recent,
}

/// What matters of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileSystem {
    /// Behind a network or a process: any call may wait for long.
    pub(super) remote: bool,
    /// In memory: no read waits for a device.
    pub(super) memory: bool,
    /// Names that differ by case are different names.
    pub(super) case_sensitive: bool,
}

impl FileSystem {
    fn of(file: impl AsFd) -> Result<Self, Errno> {
        // Magic numbers from linux/magic.h and the file systems' own headers. NFS, SMB, CIFS, SMB2,
        // FUSE, 9p, Ceph, AFS, AFS (kafs), Coda, NCP, Lustre, GPFS, GFS2, OCFS2.
        const REMOTE: [u32; 15] = [
            0x6969,
            0x517b,
            0xff53_4d42,
            0xfe53_4d42,
            0x6573_5546,
            0x0102_1997,
            0x00c3_6400,
            0x5346_414f,
            0x6b41_4653,
            0x7375_7245,
            0x564c,
            0x0bd0_0bd0,
            0x4750_4653,
            0x0116_1970,
            0x7461_636f,
        ];
        // tmpfs, ramfs.
        const MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];
        // SMB, CIFS, SMB2, NCP, FAT, exFAT, NTFS, ntfs3, HFS+, HFS.
        const FOLDING: [u32; 10] = [
            0x517b,
            0xff53_4d42,
            0xfe53_4d42,
            0x564c,
            0x4d44,
            0x2011_bab0,
            0x5346_544e,
            0x7366_746e,
            0x482b,
            0x4244,
        ];
        // The type of the field differs by architecture; the numbers have 32 bits.
        let [_, _, _, _, low @ ..] = i128::from(fs::fstatfs(file)?.f_type).to_be_bytes();
        let [.., a, b, c, d] = low;
        let magic = u32::from_be_bytes([a, b, c, d]);
        Ok(Self {
            remote: REMOTE.contains(&magic),
            memory: MEMORY.contains(&magic),
            case_sensitive: !FOLDING.contains(&magic),
        })
    }
}

/// The directory that an operation acts in.
pub(super) enum Parent<'a> {
    Top(BorrowedFd<'a>),
    Below(OwnedFd),
    Recent(Arc<OwnedFd>),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Top(directory) => *directory,
            Self::Below(directory) => directory.as_fd(),
            Self::Recent(directory) => directory.as_fd(),
        }
    }
}

impl Root {
    /// Makes `directory` the top. `walk`: do without `openat2` in any case.
    pub(super) fn new(directory: OwnedFd, walk: bool) -> Result<Self, Errno> {
        let found = fs::statx(&directory, c"", AtFlags::EMPTY_PATH, WANTED)?;
        let file_system = FileSystem::of(&directory)?;
        let mut root = Self {
            directory,
            device: (found.stx_dev_major, found.stx_dev_minor),
            file_system,
            walks: walk,
            recent: Recent::default(),
        };
        if !walk {
            let probe =
                root.open_confined(b".", OFlags::PATH, Mode::empty(), ResolveFlags::empty());
            root.walks = probe.is_err();
        }
        Ok(root)
    }

    /// Whether paths are walked because the kernel does not confine them.
    pub(super) const fn walks(&self) -> bool {
        self.walks
    }

    pub(super) const fn file_system(&self) -> FileSystem {
        self.file_system
    }

    /// Whether an object with this metadata lies on memory, asking its own file system if it is not
    /// the volume's.
    pub(super) fn is_memory(&self, found: &Statx, file: impl AsFd) -> bool {
        if (found.stx_dev_major, found.stx_dev_minor) == self.device {
            self.file_system.memory
        } else {
            FileSystem::of(file).is_ok_and(|file_system| file_system.memory)
        }
    }

    /// Opens what `path` leads to.
    pub(super) fn open(
        &self,
        path: &VirtualPath,
        flags: OFlags,
        mode: Mode,
    ) -> Result<OwnedFd, Errno> {
        self.open_relative(path.relative(), flags, mode)
    }

    /// The same, only if the kernel's caches know the whole way; `AGAIN` if they do not.
    pub(super) fn open_cached(&self, path: &VirtualPath, flags: OFlags) -> Result<OwnedFd, Errno> {
        if self.walks {
            return Err(Errno::AGAIN);
        }
        self.open_confined(
            or_top(path.relative()),
            flags,
            Mode::empty(),
            ResolveFlags::CACHED,
        )
    }

    fn open_relative(&self, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let path = or_top(path);
        if self.walks {
            return self.walk(path, flags | OFlags::CLOEXEC, mode);
        }
        let mut retries = 0;
        loop {
            match self.open_confined(path, flags, mode, ResolveFlags::empty()) {
                Err(Errno::AGAIN | Errno::INTR) if retries < MAX_RETRIES => retries += 1,
                answer => return answer,
            }
        }
    }

    fn open_confined(
        &self,
        path: &[u8],
        flags: OFlags,
        mode: Mode,
        more: ResolveFlags,
    ) -> Result<OwnedFd, Errno> {
        match fs::openat2(
            &self.directory,
            path,
            flags | OFlags::CLOEXEC,
            mode,
            CONFINED | more,
        ) {
            // Out of the volume, or by a magic link: not there.
            Err(Errno::XDEV | Errno::LOOP) => Err(Errno::NOENT),
            answer => answer,
        }
    }

    /// The directory that holds the object at `path`, and its name there. `BUSY` for the top.
    pub(super) fn parent<'p>(
        &self,
        path: &'p VirtualPath,
    ) -> Result<(Parent<'_>, &'p [u8]), Errno> {
        let relative = path.relative();
        if relative.is_empty() {
            return Err(Errno::BUSY);
        }
        let Some(slash) = relative.iter().rposition(|&byte| byte == b'/') else {
            return Ok((Parent::Top(self.directory.as_fd()), relative));
        };
        let (above, name) = relative.split_at_checked(slash).ok_or(Errno::INVAL)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let directory = self.open_relative(above, flags, Mode::empty())?;
        Ok((Parent::Below(directory), name.get(1..).ok_or(Errno::INVAL)?))
    }

    /// Looks at the object at `path` itself if it lies directly in the top: no link can lead astray.
    /// `None` if it lies deeper.
    pub(super) fn look_in_top(&self, path: &VirtualPath) -> Option<Result<Statx, Errno>> {
        let name = path.relative();
        if name.is_empty() || name.contains(&b'/') {
            return None;
        }
        Some(look_at(&self.directory, name))
    }

    /// Looks at the top itself.
    pub(super) fn look_at_top(&self) -> Result<Statx, Errno> {
        fs::statx(&self.directory, c"", AtFlags::EMPTY_PATH, WANTED)
    }

    /// Looks at whatever a path leads to, perhaps outside: to be compared, never to be told.
    pub(super) fn look_unconfined(&self, path: &[u8]) -> Result<Statx, Errno> {
        fs::statx(
            &self.directory,
            path,
            AtFlags::NO_AUTOMOUNT,
            StatxFlags::INO,
        )
    }

    /// What a raw look says, in the words of this crate.
    pub(super) fn metadata(&self, found: &Statx) -> Metadata {
        let device = (found.stx_dev_major, found.stx_dev_minor);
        let time = |time: fs::StatxTimestamp| Timestamp {
            seconds: time.tv_sec,
            nanoseconds: time.tv_nsec,
        };
        let has = |flag: StatxFlags| found.stx_mask & flag.bits() != 0;
        // Inode numbers are unique in one file system; what is mounted below is told apart.
        let identity = if device == self.device {
            found.stx_ino
        } else {
            found.stx_ino
                ^ (u64::from(device.0) << 32 | u64::from(device.1))
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        Metadata {
            kind: match fs::FileType::from_raw_mode(found.stx_mode.into()) {
                fs::FileType::RegularFile => FileKind::File,
                fs::FileType::Directory => FileKind::Directory,
                fs::FileType::Symlink => FileKind::Symlink,
                _ => FileKind::Special,
            },
            size: found.stx_size,
            modified: time(found.stx_mtime),
            accessed: has(StatxFlags::ATIME).then(|| time(found.stx_atime)),
            changed: has(StatxFlags::CTIME).then(|| time(found.stx_ctime)),
            created: has(StatxFlags::BTIME).then(|| time(found.stx_btime)),
            mode: u32::from(found.stx_mode) & 0o7777,
            owner: found.stx_uid,
            group: found.stx_gid,
            links: found.stx_nlink.into(),
            identity,
        }
    }

    /// Opens `path` component by component. No step follows a link; `..` (met only in links) starts
    /// again at the top with the components that are known to be directories.
    fn walk(&self, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let mut pending: Vec<Vec<u8>> = path
            .rsplit(|&byte| byte == b'/')
            .map(<[u8]>::to_vec)
            .collect();
        let mut resolved: Vec<Vec<u8>> = Vec::new();
        let mut here = Parent::Top(self.directory.as_fd());
        let mut followed = 0;
        // Neither the call nor a `NOFOLLOW` of the caller follows the last component.
        let follows =
            !flags.contains(OFlags::NOFOLLOW) && !flags.contains(OFlags::CREATE | OFlags::EXCL);
        while let Some(name) = pending.pop() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    resolved.pop().ok_or(Errno::NOENT)?;
                    here = Parent::Top(self.directory.as_fd());
                    for name in &resolved {
                        here = Parent::Below(step(&here, name)?);
                    }
                    continue;
                }
                _ => {}
            }
            let last = pending
                .iter()
                .all(|rest| matches!(rest.as_slice(), b"" | b"."));
            if !last || follows {
                match fs::readlinkat(&here, name.as_slice(), Vec::new()) {
                    Ok(text) => {
                        let text = text.to_bytes();
                        followed += 1;
                        if followed > MAX_LINKS || text.first() == Some(&b'/') {
                            return Err(Errno::NOENT);
                        }
                        pending.extend(text.rsplit(|&byte| byte == b'/').map(<[u8]>::to_vec));
                        continue;
                    }
                    // No link: a step that meets one all the same was raced and fails.
                    Err(Errno::INVAL | Errno::NOENT) => {}
                    Err(errno) => return Err(errno),
                }
            }
            if last {
                let opened = fs::openat(&here, name.as_slice(), flags | OFlags::NOFOLLOW, mode);
                return opened.map_err(|errno| {
                    if errno == Errno::LOOP {
                        Errno::NOENT
                    } else {
                        errno
                    }
                });
            }
            here = Parent::Below(step(&here, &name)?);
            resolved.push(name);
        }
        fs::openat(&here, c".", flags, mode)
    }
}

/// The relative path of the top itself is `.`.
const fn or_top(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"." } else { path }
}

fn step(here: &Parent<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(here, name, flags, Mode::empty())
}

/// Looks at an open object.
pub(super) fn look(file: impl AsFd) -> Result<Statx, Errno> {
    fs::statx(file, c"", AtFlags::EMPTY_PATH, WANTED)
}

/// Looks at the object with this name in a directory, not following it.
pub(super) fn look_at(directory: impl AsFd, name: impl rustix::path::Arg) -> Result<Statx, Errno> {
    fs::statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, WANTED)
}

/// Whether a raw look found a symbolic link.
pub(super) fn is_link(found: &Statx) -> bool {
    fs::FileType::from_raw_mode(found.stx_mode.into()).is_symlink()
}
