//! The path on which octets never enter the process: sendfile down, splice up.
//!
//! Both work on the non-blocking socket from the runtime's own thread. Two things could make such a
//! call sleep, and a sleeping thread stalls every session on it: a download whose pages are not in
//! the page cache, and an upload into a file system that is writing back. The first is probed for
//! before each chunk (a one-octet read that may not wait); the second is noticed by the clock. In
//! both cases the chunk goes through the blocking pool instead.

use std::{
    cell::RefCell,
    io::{self, IoSliceMut},
    os::fd::AsFd,
    time::Duration,
};

use rustix::{
    fs::{Advice, fadvise},
    io::{Errno, ReadWriteFlags, pread, preadv2, pwrite, read},
    pipe::{SpliceFlags, splice},
};
use tokio::{io::Interest, task::spawn_blocking};
use wharf_vfs::{Error as StoreError, ErrorKind, FileRef, Operation, VirtualPath};

use super::{Flow, Source, Target};
use crate::{DataStream, Error, Result, pipe};

/// What one sendfile moves at the most. Larger chunks save nothing; smaller ones cost calls.
const SEND_CHUNK: u64 = 1 << 20;

/// After so many octets without a pause the thread is offered to the other sessions on it.
const YIELD_AFTER: u64 = 4 << 20;

/// What a first read of an upload takes; a file that ends within it never needs a pipe.
const FIRST_READ: usize = 64 * 1024;

/// A write that took longer shows a file system that makes its writers wait.
const SLOW_WRITE: Duration = Duration::from_millis(5);

/// So many chunks go through the blocking pool before the runtime's thread tries again.
const POOLED_CHUNKS: u32 = 64;

thread_local! {
    /// Used between two awaits only, so one per thread is enough for all sessions on it.
    static FIRST: RefCell<Vec<u8>> = RefCell::new(vec![0; FIRST_READ]);
}

pub(super) async fn send(source: &Source, stream: &mut DataStream, flow: Flow<'_>) -> Result<u64> {
    let probe = source.file.may_wait();
    let most = flow.chunk(SEND_CHUNK);
    let (mut offset, mut left, mut since_pause) = (source.offset, source.length, 0);
    // Everything before this offset was found in the page cache.
    let mut warm_until = offset;
    while left > 0 {
        let chunk = left.min(most);
        if probe && offset >= warm_until {
            if !is_cached(source, offset, chunk) {
                warm(source, offset, chunk).await?;
            }
            warm_until = offset + chunk;
        }
        let chunk = if probe { chunk.min(warm_until - offset) } else { chunk };
        flow.admit(chunk).await;
        let sent = stream
            .when(Interest::WRITABLE, |socket| {
                let Some(file) = source.file.descriptor() else { return Ok(0) };
                let count = usize::try_from(chunk).unwrap_or(usize::MAX);
                Ok(rustix::fs::sendfile(socket, file, Some(&mut { offset }), count)?)
            })
            .await
            .map_err(|error| blame_for_send(source, error))? as u64;
        if sent == 0 {
            return Err(Error::Shrank { sent: source.length - left, expected: source.length });
        }
        flow.meter.add(sent);
        offset += sent;
        left -= sent;
        since_pause += sent;
        if since_pause >= YIELD_AFTER && left > 0 {
            since_pause = 0;
            tokio::task::yield_now().await;
        }
    }
    Ok(source.length)
}

/// sendfile gives one error for both ends; only the file's end says EIO.
fn blame_for_send(source: &Source, error: io::Error) -> Error {
    if error.raw_os_error() == Some(Errno::IO.raw_os_error()) && source.file.descriptor().is_some() {
        Error::Store(StoreError::with_source(ErrorKind::Broken, Operation::Read, &VirtualPath::root(), error))
    } else {
        Error::Stream(error)
    }
}

/// Whether the first and the last octet of a chunk can be read without waiting. A file system that
/// cannot say is taken as warm: it has no page cache that we could fill.
fn is_cached(source: &Source, offset: u64, length: u64) -> bool {
    let Some(file) = source.file.descriptor() else { return true };
    let mut octet = [0];
    [offset, offset + length - 1].into_iter().all(|place| {
        let mut parts = [IoSliceMut::new(&mut octet)];
        !matches!(preadv2(file, &mut parts, place, ReadWriteFlags::NOWAIT), Err(Errno::AGAIN))
    })
}

/// Brings a chunk into the page cache on a thread that may sleep, and asks for what follows.
async fn warm(source: &Source, offset: u64, length: u64) -> Result<()> {
    let file = FileRef::clone(&source.file);
    let end = source.offset + source.length;
    let work = move || {
        let Some(descriptor) = file.descriptor() else { return Ok(()) };
        let ahead = std::num::NonZeroU64::new((end - offset).min(4 * SEND_CHUNK));
        // A hint; without it the reads below still do the work.
        let _ = fadvise(descriptor, offset, ahead, Advice::WillNeed);
        let mut scratch = vec![0_u8; FIRST_READ];
        let mut done = 0;
        while done < length {
            match pread(descriptor, &mut scratch, offset + done) {
                Ok(0) => break,
                Ok(count) => done += count as u64,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    match spawn_blocking(work).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(store_error(Operation::Read, error)),
        Err(error) => Err(Error::Stream(io::Error::other(error))),
    }
}

pub(super) async fn receive(target: &Target, stream: &mut DataStream, flow: Flow<'_>) -> Result<u64> {
    let first = receive_first(target, stream, flow).await?;
    if first.ended {
        return Ok(first.octets);
    }
    receive_by_splice(target, stream, flow, first.octets).await
}

struct First {
    octets: u64,
    ended: bool,
}

/// The first octets go through memory: most files end there, and a pipe would cost them more than
/// it saves.
async fn receive_first(target: &Target, stream: &mut DataStream, flow: Flow<'_>) -> Result<First> {
    let mut octets = 0;
    while octets < FIRST_READ as u64 {
        let read = stream
            .when(Interest::READABLE, |socket| {
                FIRST.with_borrow_mut(|buffer| {
                    let count = read(socket, buffer.as_mut_slice())?;
                    let bytes = buffer.get(..count).unwrap_or_default();
                    Ok((count, write_all(target, bytes, target.offset + octets)))
                })
            })
            .await;
        let (count, written) = read.map_err(Error::Stream)?;
        written?;
        if count == 0 {
            return Ok(First { octets, ended: true });
        }
        octets += count as u64;
        flow.meter.add(count as u64);
        check_limit(target, octets)?;
        flow.admit(count as u64).await;
    }
    Ok(First { octets, ended: false })
}

fn write_all(target: &Target, mut bytes: &[u8], mut offset: u64) -> Result<()> {
    let Some(file) = target.file.descriptor() else { return Ok(()) };
    while !bytes.is_empty() {
        match pwrite(file, bytes, offset) {
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

fn check_limit(target: &Target, octets: u64) -> Result<()> {
    if octets > target.limit { Err(Error::TooLong { limit: target.limit }) } else { Ok(()) }
}

async fn receive_by_splice(
    target: &Target,
    stream: &mut DataStream,
    flow: Flow<'_>,
    already: u64,
) -> Result<u64> {
    let mut pipe = pipe::borrow().map_err(Error::Stream)?;
    let most = usize::try_from(flow.chunk(pipe::PIPE_SIZE as u64)).unwrap_or(pipe::PIPE_SIZE);
    let mut octets = already;
    let mut pooled = 0;
    let mut since_pause = 0;
    loop {
        let count = stream
            .when(Interest::READABLE, |socket| {
                let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
                Ok(splice(socket, None, pipe.write.as_fd(), None, most, flags)?)
            })
            .await
            .map_err(Error::Stream)?;
        if count == 0 {
            pipe::give_back(pipe);
            return Ok(octets);
        }
        let offset = target.offset + octets;
        if pooled > 0 {
            pooled -= 1;
            let file = FileRef::clone(&target.file);
            let (returned, drained) = spawn_blocking(move || {
                let drained = drain(&pipe, &file, offset, count);
                (pipe, drained)
            })
            .await
            .map_err(|error| Error::Stream(io::Error::other(error)))?;
            pipe = returned;
            drained?;
        } else {
            #[expect(clippy::disallowed_methods, reason = "the rim: only the clock tells that a write waited")]
            let begin = std::time::Instant::now();
            drain(&pipe, &target.file, offset, count)?;
            if target.file.may_wait() && begin.elapsed() > SLOW_WRITE {
                pooled = POOLED_CHUNKS;
            }
        }
        octets += count as u64;
        since_pause += count as u64;
        flow.meter.add(count as u64);
        check_limit(target, octets)?;
        flow.admit(count as u64).await;
        if since_pause >= YIELD_AFTER {
            since_pause = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Moves what is in the pipe into the file.
fn drain(pipe: &pipe::Pipe, file: &FileRef, mut offset: u64, mut left: usize) -> Result<()> {
    let Some(descriptor) = file.descriptor() else { return Ok(()) };
    while left > 0 {
        match splice(pipe.read.as_fd(), None, descriptor, Some(&mut offset), left, SpliceFlags::MOVE) {
            Ok(0) => return Err(store_error(Operation::Write, Errno::IO)),
            Ok(count) => left -= count,
            Err(Errno::INTR) => {}
            // A file system without splice: through memory then.
            Err(Errno::INVAL) => return drain_by_copy(pipe, file, offset, left),
            Err(error) => return Err(store_error(Operation::Write, error)),
        }
    }
    Ok(())
}

fn drain_by_copy(pipe: &pipe::Pipe, file: &FileRef, mut offset: u64, mut left: usize) -> Result<()> {
    let Some(descriptor) = file.descriptor() else { return Ok(()) };
    FIRST.with_borrow_mut(|buffer| {
        while left > 0 {
            let room = buffer.len().min(left);
            let part = buffer.get_mut(..room).unwrap_or_default();
            let count = read(&pipe.read, &mut *part).map_err(|error| store_error(Operation::Write, error))?;
            let mut bytes = part.get(..count).unwrap_or_default();
            left -= count;
            while !bytes.is_empty() {
                let written =
                    pwrite(descriptor, bytes, offset).map_err(|error| store_error(Operation::Write, error))?;
                offset += written as u64;
                bytes = bytes.get(written..).unwrap_or_default();
            }
        }
        Ok(())
    })
}

/// The session knows which file it was and puts its path in.
fn store_error(operation: Operation, error: Errno) -> Error {
    let kind = match error {
        Errno::NOSPC | Errno::FBIG => ErrorKind::NoSpace,
        Errno::DQUOT => ErrorKind::OverQuota,
        _ => ErrorKind::Broken,
    };
    Error::Store(StoreError::with_source(kind, operation, &VirtualPath::root(), io::Error::from(error)))
}
