//! Files on this machine: the one room that touches them.
//!
//! Downloads go to `.NAME.wharf-part` beside the target and are renamed when they are whole, so a torn
//! file never bears the final name. Beside it stands `.NAME.wharf-part.json`, which says what the part
//! belongs to. Neither is opened through a symbolic link.
#![expect(
    clippy::disallowed_methods,
    reason = "the client's only room for local files"
)]

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{
            ffi::OsStrExt,
            fs::{MetadataExt, OpenOptionsExt},
        },
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{AtFlags, CWD, OFlags, Timespec, Timestamps};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use wharf_transfer::{Algorithm, Digest, buffer};
use wharf_vfs::{Answer, FileKind, Metadata, Operation, Timestamp, VirtualPath};

use crate::{Error, Result};

/// Runs file work where it may wait for a disk.
pub(crate) async fn blocking<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    match spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| Error::local(what, &error)),
        Err(error) => Err(Error::local(what, &io::Error::other(error))),
    }
}

/// As [`blocking`], for work that says itself what went wrong.
pub(crate) async fn blocking_result<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::local("work was lost", &io::Error::other(error))))
}

/// An open regular file; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Local(Arc<OwnedFd>);

impl Local {
    fn new(file: File) -> Self {
        Self(Arc::new(file.into()))
    }

    /// Opens a file to be read. It is read by offset and its size is told before: a pipe has neither.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            // A pipe that nobody writes into would be waited for.
            .custom_flags(i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0))
            .open(path)?;
        let found = file.metadata()?;
        if found.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !found.is_file() {
            return Err(io::Error::other("not a plain file"));
        }
        Ok(Self::new(file))
    }

    /// Opens or makes a part file.
    pub(crate) fn open_part(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0))
            .open(path)?;
        if file.metadata()?.is_file() {
            Ok(Self::new(file))
        } else {
            Err(io::Error::other("not a plain file"))
        }
    }

    pub(crate) fn size(&self) -> io::Result<u64> {
        let stat = rustix::fs::fstat(&self.0)?;
        Ok(u64::try_from(stat.st_size).unwrap_or(0))
    }

    pub(crate) fn cut(&self, size: u64) -> io::Result<()> {
        Ok(rustix::fs::ftruncate(&self.0, size)?)
    }

    /// Reads so many octets at `offset` as there is room for.
    pub(crate) fn read_all_at(&self, room: &mut [u8], offset: u64) -> io::Result<()> {
        let mut filled = 0;
        while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pread(&self.0, rest, offset + filled as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Writes all octets at `offset`.
    pub(crate) fn write_all_at(&self, mut octets: &[u8], mut offset: u64) -> io::Result<()> {
        while !octets.is_empty() {
            match rustix::io::pwrite(&self.0, octets, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    octets = octets.get(count..).unwrap_or_default();
                    offset += count as u64;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Sets the permission bits.
    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        let mode = rustix::fs::Mode::from_raw_mode(mode & 0o777);
        Ok(rustix::fs::fchmod(&self.0, mode)?)
    }

    /// Reads `length` octets at `offset`; fewer only at the end of the file.
    pub(crate) fn read_exact_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pread(&self.0, rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// The hash of `start..end` in lower-case hex.
    pub(crate) fn hash(&self, algorithm: Algorithm, start: u64, end: u64) -> io::Result<String> {
        let mut digest = Digest::new(algorithm);
        let mut piece = buffer::borrow();
        piece.resize(buffer::BUFFER_SIZE, 0);
        let mut at = start;
        while at < end {
            let room = piece
                .len()
                .min(usize::try_from(end - at).unwrap_or(usize::MAX));
            let part = piece.get_mut(..room).unwrap_or_default();
            match rustix::io::pread(&self.0, &mut *part, at) {
                Ok(0) => break,
                Ok(count) => {
                    digest.update(part.get(..count).unwrap_or_default());
                    at += count as u64;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        buffer::give_back(piece);
        Ok(digest.finish())
    }

    /// Sets the time of last change, Unix seconds.
    pub(crate) fn set_time(&self, seconds: i64) -> io::Result<()> {
        let time = Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        };
        Ok(rustix::fs::futimens(
            &self.0,
            &Timestamps {
                last_access: time,
                last_modification: time,
            },
        )?)
    }
}

/// The transfer engine moves octets by the descriptor; the rest serves text conversion, which passes
/// through memory.
impl wharf_vfs::File for Local {
    fn descriptor(&self) -> Option<&OwnedFd> {
        Some(&self.0)
    }

    fn metadata(&self) -> Answer<'_, Metadata> {
        let found = self.size().map(|size| Metadata {
            kind: FileKind::File,
            size,
            modified: Timestamp::default(),
            accessed: None,
            changed: None,
            created: None,
            mode: 0,
            owner: 0,
            group: 0,
            links: 1,
            identity: 0,
        });
        Answer::now(found.map_err(|error| broken(Operation::Metadata, error)))
    }

    fn read_at(&self, mut piece: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        let room = piece.capacity();
        piece.clear();
        piece.resize(room, 0);
        let read = rustix::io::pread(&self.0, &mut piece, offset);
        Answer::now(
            read.map(|count| {
                piece.truncate(count);
                piece
            })
            .map_err(|error| broken(Operation::Read, error.into())),
        )
    }

    fn write_at(&self, piece: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        let written = self.write_all_at(&piece, offset).map(|()| piece);
        Answer::now(written.map_err(|error| broken(Operation::Write, error)))
    }

    fn set_size(&self, size: u64) -> Answer<'_, ()> {
        Answer::now(
            self.cut(size)
                .map_err(|error| broken(Operation::Write, error)),
        )
    }

    fn sync(&self) -> Answer<'_, ()> {
        let synced = rustix::fs::fdatasync(&self.0).map_err(io::Error::from);
        Answer::now(synced.map_err(|error| broken(Operation::Write, error)))
    }
}

fn broken(operation: Operation, error: io::Error) -> wharf_vfs::Error {
    wharf_vfs::Error::with_source(
        wharf_vfs::ErrorKind::Broken,
        operation,
        &VirtualPath::root(),
        error,
    )
}

/// What stands at a local path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) directory: bool,
    pub(crate) file: bool,
    pub(crate) size: u64,
    /// Unix seconds.
    pub(crate) modified: i64,
    /// Permission bits.
    pub(crate) mode: u32,
}

/// Looks at a path, through links; `None` when nothing stands there.
pub(crate) fn facts(path: &Path) -> io::Result<Option<Facts>> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some(Facts {
            directory: found.is_dir(),
            file: found.is_file(),
            size: found.len(),
            modified: found.mtime(),
            mode: found.mode() & 0o7777,
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// One name in a local directory.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: Vec<u8>,
    pub(crate) path: PathBuf,
    /// A symbolic link, whatever it leads to.
    pub(crate) link: bool,
    pub(crate) facts: Option<Facts>,
}

/// What a local directory holds, in byte order of names.
pub(crate) fn read_directory(path: &Path) -> io::Result<Vec<Named>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let path = entry.path();
        let link = entry.file_type()?.is_symlink();
        let facts = match facts(&path) {
            // A link into a circle, or to where one may not look, leads nowhere: no more than that.
            Err(_) if link => None,
            found => found?,
        };
        found.push(Named {
            name: entry.file_name().as_bytes().to_vec(),
            link,
            facts,
            path,
        });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Makes one directory; one that stands there already is fine, a link or file is not replaced.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// Makes a symbolic link; another link of that name is replaced, nothing else is.
pub(crate) fn make_link(path: &Path, text: &[u8]) -> io::Result<()> {
    let make = || rustix::fs::symlinkat(text, CWD, path);
    match make() {
        Err(rustix::io::Errno::EXIST) if path.is_symlink() => {
            remove(path)?;
            Ok(make()?)
        }
        other => Ok(other?),
    }
}

/// What a part file belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sidecar {
    /// The source, without its password.
    pub(crate) url: String,
    /// Octets of the source, when known.
    pub(crate) size: Option<u64>,
    /// Time of the source, Unix seconds, when known.
    pub(crate) mtime: Option<i64>,
    /// What was there when the last attempt ended in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held: Option<Held>,
}

/// A part's length, and SHA-256 of its first and last 64 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) octets: u64,
    pub(crate) head: String,
    pub(crate) tail: String,
}

/// A sidecar is small; more is not ours.
const SIDECAR_LIMIT: u64 = 64 * 1024;

/// The names of a download under way.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) target: PathBuf,
    pub(crate) part: PathBuf,
    pub(crate) sidecar: PathBuf,
}

impl Names {
    pub(crate) fn of(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let beside = |suffix: &str| {
            let hidden = [b".", name.as_bytes(), suffix.as_bytes()].concat();
            target.with_file_name(std::ffi::OsStr::from_bytes(&hidden))
        };
        Ok(Self {
            target: target.to_owned(),
            part: beside(".wharf-part"),
            sidecar: beside(".wharf-part.json"),
        })
    }

    /// What the part belongs to; `None` when there is no readable sidecar.
    pub(crate) fn read_sidecar(&self) -> Option<Sidecar> {
        let file = File::open(&self.sidecar).ok()?;
        let mut text = Vec::new();
        file.take(SIDECAR_LIMIT).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(crate) fn write_sidecar(&self, sidecar: &Sidecar) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0))
            .open(&self.sidecar)?;
        file.write_all(&serde_json::to_vec(sidecar)?)
    }

    /// The part is whole: it takes the final name, and the sidecar goes.
    pub(crate) fn commit(&self) -> io::Result<()> {
        std::fs::rename(&self.part, &self.target)?;
        remove(&self.sidecar)
    }

    /// The part is worthless.
    pub(crate) fn discard(&self) -> io::Result<()> {
        remove(&self.part)?;
        remove(&self.sidecar)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match rustix::fs::unlinkat(CWD, path, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
