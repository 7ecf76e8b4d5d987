//! An open file of a local volume.
//!
//! What the page cache can give or take is done on the caller's thread without asking the pace: the
//! kernel is told not to wait (`RWF_NOWAIT`) and says so when it would. Where it cannot be told, and
//! for everything else, the volume's pace decides.

use std::{
    io::{IoSlice, IoSliceMut},
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use rustix::{
    buffer::spare_capacity,
    fs::{self, Statx},
    io::{self, Errno, ReadWriteFlags},
};

use super::{
    Store,
    act::{permissions, timestamps},
    errno::failure,
    links::same,
    root::look,
};
use crate::{
    Answer, AttributeChange, File, FileRef, Metadata, Operation, Result, VirtualPath,
    file::copy_through_memory,
};

/// Octets that are read or written on the caller's thread at the most.
const SMALL: usize = 64 * 1024;

/// Octets that are taken from the page cache at a time at the most.
const PROMPT: usize = 256 * 1024;

/// Room for what a file may have grown since it was looked at.
const GROWTH: usize = 4 * 1024;

/// Octets that one call in the blocking pool copies.
const COPIED: u64 = 64 << 20;

/// What the file systems of a volume were found to be unable to do without waiting.
#[derive(Debug, Default)]
pub(super) struct Promptness {
    no_reads: AtomicBool,
    no_writes: AtomicBool,
}

#[cfg(test)]
impl Promptness {
    /// As on a kernel that cannot be told not to wait, or on any other.
    pub(super) fn set(&self, cannot: bool) {
        self.no_reads.store(cannot, Relaxed);
        self.no_writes.store(cannot, Relaxed);
    }
}

/// A regular file on the host.
pub(super) struct LocalFile {
    file: Arc<OwnedFd>,
    store: Arc<Store>,
    path: VirtualPath,
    in_memory: bool,
    /// The size when it was last looked at or written: how much room a read may need.
    size: AtomicU64,
}

impl LocalFile {
    pub(super) fn new(
        file: OwnedFd,
        store: Arc<Store>,
        path: VirtualPath,
        in_memory: bool,
        size: u64,
    ) -> Self {
        Self {
            file: Arc::new(file),
            store,
            path,
            in_memory,
            size: AtomicU64::new(size),
        }
    }

    /// Runs `work`; on this thread if it is `small` and the disk is quick.
    fn act<T: Send + 'static>(
        &self,
        operation: Operation,
        small: bool,
        work: impl FnOnce(&OwnedFd, &Store) -> Result<T, Errno> + Send + 'static,
    ) -> Answer<'_, T> {
        let (file, store) = (Arc::clone(&self.file), Arc::clone(&self.store));
        self.store
            .act(small, operation, &self.path, move || work(&file, &store))
    }

    /// Fills what it can of `buffer` without waiting; `None` if it would have to wait.
    fn read_promptly(&self, buffer: &mut [u8], offset: u64) -> Option<Result<usize, Errno>> {
        let promptness = &self.store.promptness;
        if self.in_memory {
            return Some(io::retry_on_intr(|| {
                io::pread(&*self.file, &mut *buffer, offset)
            }));
        }
        if !promptness.no_reads.load(Relaxed) {
            let mut parts = [IoSliceMut::new(buffer)];
            match io::preadv2(&*self.file, &mut parts, offset, ReadWriteFlags::NOWAIT) {
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => promptness.no_reads.store(true, Relaxed),
                Err(Errno::AGAIN | Errno::INTR) => return None,
                answer => return Some(answer),
            }
        }
        let read = || io::retry_on_intr(|| io::pread(&*self.file, &mut *buffer, offset));
        self.store.pace.inline(read).ok()
    }

    /// Writes all of `data` without waiting; `None` if it would have to wait.
    fn write_promptly(&self, data: &[u8], offset: u64) -> Option<Result<(), Errno>> {
        let promptness = &self.store.promptness;
        if self.in_memory || is_beyond(offset, data.len()) {
            return Some(write_all(&self.file, data, offset));
        }
        if !promptness.no_writes.load(Relaxed) {
            let parts = [IoSlice::new(data)];
            match io::pwritev2(&*self.file, &parts, offset, ReadWriteFlags::NOWAIT) {
                Ok(written) => return (written == data.len()).then_some(Ok(())),
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => promptness.no_writes.store(true, Relaxed),
                Err(Errno::AGAIN | Errno::INTR) => return None,
                Err(errno) => return Some(Err(errno)),
            }
        }
        let write = || write_all(&self.file, data, offset);
        self.store.pace.inline(write).ok()
    }

    fn fail(&self, errno: Errno, operation: Operation) -> crate::Error {
        failure(errno, operation, &self.path)
    }

    fn note_end(&self, end: u64) {
        // No lock: a size that is out of date costs a read call more, nothing else.
        if end > self.size.load(Relaxed) {
            self.size.store(end, Relaxed);
        }
    }
}

impl File for LocalFile {
    fn descriptor(&self) -> Option<&OwnedFd> {
        Some(&self.file)
    }

    fn may_wait(&self) -> bool {
        !self.in_memory
    }

    fn metadata(&self) -> Answer<'_, Metadata> {
        self.act(Operation::Metadata, true, |file, store| {
            Ok(store.root.metadata(&look(file)?))
        })
    }

    fn read_at(&self, mut buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        self.act(
            Operation::Read,
            buffer.capacity() <= SMALL,
            move |file, _| {
                buffer.clear();
                if is_beyond(offset, buffer.capacity()) || buffer.capacity() == 0 {
                    return Ok(buffer);
                }
                io::retry_on_intr(|| io::pread(file, spare_capacity(&mut buffer), offset))?;
                Ok(buffer)
            },
        )
    }

    fn write_at(&self, buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        self.note_end(offset.saturating_add(buffer.len() as u64));
        self.act(Operation::Write, buffer.len() <= SMALL, move |file, _| {
            write_all(file, &buffer, offset)?;
            Ok(buffer)
        })
    }

    fn try_read_at(
        &self,
        buffer: &mut Vec<u8>,
        limit: usize,
        offset: u64,
    ) -> Option<Result<usize>> {
        if self.store.pace.is_remote() {
            return None;
        }
        let begin = buffer.len();
        let limit = limit.min(PROMPT);
        if is_beyond(offset, limit) {
            return Some(Ok(0));
        }
        // Only as much room is laid out as the file can fill; if it has grown, the rest follows.
        let left = self.size.load(Relaxed).saturating_sub(offset);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let mut room = left.saturating_add(GROWTH).min(limit);
        let mut count = 0;
        while count < limit {
            buffer.resize(begin + count + room, 0);
            let spare = buffer.get_mut(begin + count..).unwrap_or_default();
            let had = match self.read_promptly(spare, offset.saturating_add(count as u64)) {
                Some(Ok(had)) => had,
                // What was had before counts; the failure comes again.
                Some(Err(_)) if count > 0 => break,
                Some(Err(errno)) => {
                    buffer.truncate(begin);
                    return Some(Err(self.fail(errno, Operation::Read)));
                }
                None => {
                    buffer.truncate(begin);
                    return None;
                }
            };
            count += had;
            // Less than was asked for is the end, or what is cached ends there: clients take it for
            // the end, so it must be one.
            if had == 0 || had < room && count == left {
                break;
            }
            room = limit - count;
        }
        buffer.truncate(begin + count);
        self.note_end(offset.saturating_add(count as u64));
        Some(Ok(count))
    }

    fn try_write_at(&self, data: &[u8], offset: u64) -> Option<Result<()>> {
        if self.store.pace.is_remote() || data.len() > PROMPT {
            return None;
        }
        let written = self.write_promptly(data, offset)?;
        self.note_end(offset.saturating_add(data.len() as u64));
        Some(written.map_err(|errno| self.fail(errno, Operation::Write)))
    }

    fn set_size(&self, size: u64) -> Answer<'_, ()> {
        self.act(Operation::Write, true, move |file, _| {
            if is_beyond(size, 0) {
                return Err(Errno::FBIG);
            }
            io::retry_on_intr(|| fs::ftruncate(file, size))
        })
    }

    fn set_attributes(&self, change: AttributeChange) -> Answer<'_, ()> {
        self.act(Operation::SetAttributes, true, move |file, _| {
            // The owner first: a new one takes set-id bits away.
            if change.owner.is_some() || change.group.is_some() {
                let owner = change.owner.map(fs::Uid::from_raw);
                let group = change.group.map(fs::Gid::from_raw);
                fs::fchown(file, owner, group)?;
            }
            if let Some(mode) = change.mode {
                fs::fchmod(file, permissions(mode & 0o7777))?;
            }
            if change.modified.is_some() || change.accessed.is_some() {
                fs::futimens(file, &timestamps(change))?;
            }
            Ok(())
        })
    }

    fn copy_range<'a>(
        &'a self,
        source: &'a FileRef,
        from: u64,
        to: u64,
        length: u64,
    ) -> Answer<'a, u64> {
        if source.descriptor().is_none() {
            return Answer::later(copy_through_memory(self, source, from, to, length));
        }
        Answer::later(async move {
            let beginning = Arc::clone(source);
            let length = self
                .act(Operation::Write, false, move |file, _| {
                    let source = beginning.descriptor().ok_or(Errno::BADF)?;
                    copyable(&look(source)?, &look(file)?, from, to, length)
                })
                .await?;
            let mut copied = 0;
            while copied < length {
                let piece = (length - copied).min(COPIED);
                let (mut here, mut there) = (from + copied, to + copied);
                let source_file = Arc::clone(source);
                let done = self
                    .act(Operation::Write, false, move |file, _| {
                        let source = source_file.descriptor().ok_or(Errno::BADF)?;
                        copy_piece(source, &mut here, file, &mut there, piece)
                    })
                    .await?;
                match done {
                    Some(0) => break,
                    Some(count) => copied += count,
                    // The kernel cannot do it between these two.
                    None => {
                        let (from, to) = (from + copied, to + copied);
                        let rest = length - copied;
                        copied += copy_through_memory(self, source, from, to, rest).await?;
                        break;
                    }
                }
            }
            self.note_end(to.saturating_add(copied));
            Ok(copied)
        })
    }

    fn sync(&self) -> Answer<'_, ()> {
        self.act(Operation::Write, false, |file, _| {
            io::retry_on_intr(|| fs::fdatasync(file))
        })
    }
}

/// Whether the host has no such offsets: nothing stands there, and nothing can.
fn is_beyond(offset: u64, length: usize) -> bool {
    i64::try_from(offset.saturating_add(length as u64)).is_err()
}

fn write_all(file: &OwnedFd, mut rest: &[u8], mut offset: u64) -> Result<(), Errno> {
    if is_beyond(offset, rest.len()) {
        return Err(Errno::FBIG);
    }
    while !rest.is_empty() {
        let written = io::retry_on_intr(|| io::pwrite(file, rest, offset))?;
        if written == 0 {
            return Err(Errno::IO);
        }
        rest = rest.get(written..).unwrap_or_default();
        offset += written as u64;
    }
    Ok(())
}

/// How much of `length` there is to copy. `OPNOTSUPP` for ranges of one file that overlap.
fn copyable(source: &Statx, target: &Statx, from: u64, to: u64, length: u64) -> Result<u64, Errno> {
    let length = length.min(source.stx_size.saturating_sub(from));
    let end = to.saturating_add(length);
    if length > 0 && is_beyond(end, 0) {
        return Err(Errno::FBIG);
    }
    if same(source, target) && from < end && to < from + length {
        return Err(Errno::OPNOTSUPP);
    }
    Ok(length)
}

/// Copies in the kernel; `None` if it cannot between these two, 0 where the source ends.
fn copy_piece(
    source: impl AsFd,
    from: &mut u64,
    target: &OwnedFd,
    to: &mut u64,
    length: u64,
) -> Result<Option<u64>, Errno> {
    let mut copied = 0;
    while copied < length {
        let rest = usize::try_from(length - copied).unwrap_or(usize::MAX);
        match io::retry_on_intr(|| fs::copy_file_range(&source, Some(from), target, Some(to), rest))
        {
            Ok(0) => break,
            Ok(count) => copied += count as u64,
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if copied == 0 => {
                return Ok(None);
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(Some(copied))
}
