//! The file's side of the fast paths: whether it makes its callers wait, and whose fault an error is.
//!
//! A thread of the reactor that sleeps for a disk stalls every session on it. Reads are probed for
//! before each chunk (a one-octet read that may not wait) where the file system can answer that;
//! else, and for writes, the clock notices. Chunks then go through the blocking pool.

use std::{
    cell::RefCell,
    io::{self, IoSliceMut},
    time::Duration,
};

use rustix::{
    fs::{Advice, fadvise},
    io::{Errno, ReadWriteFlags, pread, preadv2, pwrite},
};
use tokio::task::spawn_blocking;
use wharf_vfs::{Error as StoreError, ErrorKind, FileRef, Operation, VirtualPath};

use super::{Flow, Source, Target};
use crate::{Error, Result};

/// What is brought into the page cache at once.
const AHEAD: u64 = 4 << 20;

/// A call that took longer shows a file system that makes its callers wait.
const SLOW_CALL: Duration = Duration::from_millis(5);

/// So many chunks go through the blocking pool before the reactor's thread tries again.
pub(super) const POOLED_CHUNKS: u32 = 64;

/// Octets of [`SCRATCH`].
pub(super) const SCRATCH_SIZE: usize = 64 * 1024;

thread_local! {
    /// Used between two awaits only, so one per thread is enough for all sessions on it.
    pub(super) static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_SIZE]);
}

/// What is known about how long reads of a file wait.
pub(super) enum Warmth {
    /// In memory: never.
    Never,
    /// The file system tells what is in the page cache.
    Probed,
    /// It does not tell, only the clock does: so many chunks are brought in first.
    Timed { pooled: u32 },
}

impl Warmth {
    pub(super) fn new(source: &Source) -> Self {
        if source.file.may_wait() {
            Self::Probed
        } else {
            Self::Never
        }
    }

    /// Sees to it that a chunk can be sent without waiting for the disk, as far as one can know.
    pub(super) async fn ensure(
        &mut self,
        source: &Source,
        offset: u64,
        length: u64,
        flow: Flow<'_>,
    ) -> Result<()> {
        let is_cold = match self {
            Self::Never => false,
            Self::Probed => match probe(source, offset, length) {
                Probe::Cached => false,
                Probe::Cold => true,
                Probe::Unknown => {
                    *self = Self::Timed { pooled: 0 };
                    false
                }
            },
            Self::Timed { pooled } => {
                let is_cold = *pooled > 0;
                *pooled = pooled.saturating_sub(1);
                is_cold
            }
        };
        if is_cold {
            flow.meter
                .unless_stopped(warm(source, offset, length))
                .await?
        } else {
            Ok(())
        }
    }

    /// Runs a call that reads, and notes if it had to wait.
    pub(super) fn time<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let Self::Timed { pooled } = self else {
            return call();
        };
        let (result, is_slow) = timed(call);
        if is_slow {
            *pooled = POOLED_CHUNKS;
        }
        result
    }
}

/// Runs a call on the disk and tells whether it made its thread wait.
pub(super) fn timed<T>(call: impl FnOnce() -> T) -> (T, bool) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the rim: only the clock tells that a call waited"
    )]
    let begin = std::time::Instant::now();
    let result = call();
    (result, begin.elapsed() > SLOW_CALL)
}

pub(super) enum Probe {
    Cached,
    Cold,
    Unknown,
}

/// Whether the first and the last octet of a chunk can be read without waiting.
pub(super) fn probe(source: &Source, offset: u64, length: u64) -> Probe {
    let Some(file) = source.file.descriptor() else {
        return Probe::Cached;
    };
    let mut octet = [0];
    for place in [offset, offset + length - 1] {
        let mut parts = [IoSliceMut::new(&mut octet)];
        match preadv2(file, &mut parts, place, ReadWriteFlags::NOWAIT) {
            Err(Errno::AGAIN) => return Probe::Cold,
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => return Probe::Unknown,
            // Any other failure comes again from the call that sends, and is told there.
            Ok(_) | Err(_) => {}
        }
    }
    Probe::Cached
}

/// Brings a chunk into the page cache on a thread that may sleep, and asks for what follows.
pub(super) async fn warm(source: &Source, offset: u64, length: u64) -> Result<()> {
    let file = FileRef::clone(&source.file);
    let end = source.offset + source.length;
    let work = move || {
        let Some(descriptor) = file.descriptor() else {
            return Ok(());
        };
        let ahead = std::num::NonZeroU64::new((end - offset).min(AHEAD));
        // A hint; without it the reads below still do the work.
        let _ = fadvise(descriptor, offset, ahead, Advice::WillNeed);
        SCRATCH.with_borrow_mut(|scratch| {
            let mut done = 0;
            while done < length {
                match pread(descriptor, scratch.as_mut_slice(), offset + done) {
                    Ok(0) => break,
                    Ok(count) => done += count as u64,
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(store_error(Operation::Read, error)),
                }
            }
            Ok(())
        })
    };
    spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(lost_work(Operation::Read, error)))
}

pub(super) fn check_limit(target: &Target, octets: u64) -> Result<()> {
    if octets > target.limit {
        Err(Error::TooLong {
            limit: target.limit,
        })
    } else {
        Ok(())
    }
}

pub(super) fn write_all(file: &FileRef, mut bytes: &[u8], mut offset: u64) -> Result<()> {
    let Some(descriptor) = file.descriptor() else {
        return Err(store_error(Operation::Write, Errno::BADF));
    };
    while !bytes.is_empty() {
        match pwrite(descriptor, bytes, offset) {
            Ok(0) => return Err(store_error(Operation::Write, Errno::IO)),
            Ok(count) => {
                offset += count as u64;
                bytes = bytes.get(count..).unwrap_or_default();
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(store_error(Operation::Write, error)),
        }
    }
    Ok(())
}

/// The session knows which file it was and puts its path in.
pub(super) fn store_error(operation: Operation, error: Errno) -> Error {
    let kind = match error {
        Errno::NOSPC | Errno::FBIG => ErrorKind::NoSpace,
        Errno::DQUOT => ErrorKind::OverQuota,
        // The process or the host is out of descriptors: ours to mend, and worth another try.
        Errno::MFILE | Errno::NFILE => ErrorKind::Unavailable,
        _ => ErrorKind::Broken,
    };
    Error::Store(StoreError::with_source(
        kind,
        operation,
        &VirtualPath::root(),
        io::Error::from(error),
    ))
}

/// The blocking thread that did the work is gone.
pub(super) fn lost_work(operation: Operation, error: tokio::task::JoinError) -> Error {
    Error::Store(StoreError::with_source(
        ErrorKind::Broken,
        operation,
        &VirtualPath::root(),
        error,
    ))
}
