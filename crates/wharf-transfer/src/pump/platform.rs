//! The path on which octets never enter the process: sendfile down, splice up.
//!
//! Both work on the non-blocking socket from the runtime's own thread; what could make such a call
//! sleep is watched by [`super::disk`], and those chunks go through the blocking pool instead.

use std::{io, os::fd::AsFd};

use rustix::{
    io::{Errno, read},
    pipe::{SpliceFlags, splice},
};
use tokio::{io::Interest, task::spawn_blocking};
use wharf_vfs::{FileRef, Operation};

use super::disk::{
    POOLED_CHUNKS, SCRATCH, SCRATCH_SIZE, Warmth, check_limit, lost_work, store_error, timed,
    write_all,
};
use super::sender::{self, Burst};
use super::{Flow, Source, Target, YIELD_AFTER};
use crate::{DataStream, Error, Result, pipe};

/// What one sendfile moves at the most. Larger chunks save nothing; smaller ones cost calls.
const SEND_CHUNK: u64 = 1 << 20;

/// What a first read of an upload takes; a file that ends within it never needs a pipe.
const FIRST_READ: usize = SCRATCH_SIZE;

pub(super) async fn send(source: &Source, stream: &mut DataStream, flow: Flow<'_>) -> Result<u64> {
    let mut warmth = Warmth::new(source);
    let most = flow.chunk(SEND_CHUNK);
    let end = source.offset + source.length;
    let (mut offset, mut since_pause) = (source.offset, 0);
    // What was admitted and found warm, and did not fit into the socket yet.
    let mut ready = 0;
    // Rates are kept in small pieces; everything else may go in bursts while the client is quick.
    let mut bursts = flow.throttles.is_empty();
    while offset < end {
        if bursts && ready == 0 {
            let left = end - offset;
            let Some(place) = flow.meter.unless_stopped(sender::place(left)).await? else {
                bursts = false;
                continue;
            };
            let burst = sender::burst(
                place,
                flow.meter,
                &source.file,
                offset,
                left,
                stream.descriptor(),
            )
            .await;
            let sent = match burst {
                Ok(Burst::Sent(sent)) => sent,
                Ok(Burst::Slow(sent)) => {
                    bursts = false;
                    sent
                }
                // Whatever is wrong, the way below meets it again and says whose fault it is.
                Ok(Burst::None) | Err(_) => {
                    bursts = false;
                    0
                }
            };
            flow.meter.add(sent);
            offset += sent;
            flow.meter.unless_stopped(async {}).await?;
            continue;
        }
        if ready == 0 {
            ready = most.min(end - offset);
            warmth.ensure(source, offset, ready, flow).await?;
            flow.admit(ready).await?;
        }
        let sending = stream.when(Interest::WRITABLE, |socket| {
            let Some(file) = source.file.descriptor() else {
                return Ok(0);
            };
            let count = usize::try_from(ready).unwrap_or(usize::MAX);
            warmth.time(|| {
                Ok(rustix::fs::sendfile(
                    socket,
                    file,
                    Some(&mut { offset }),
                    count,
                )?)
            })
        });
        let sent = match flow.meter.unless_stopped(sending).await? {
            Ok(sent) => sent as u64,
            // A file system without sendfile: through memory then.
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                return send_rest(source, offset, stream, flow).await;
            }
            Err(error) => return Err(blame_for_send(error)),
        };
        if sent == 0 {
            return Err(Error::Shrank {
                sent: offset - source.offset,
                expected: source.length,
            });
        }
        flow.meter.add(sent);
        offset += sent;
        ready -= sent;
        since_pause += sent;
        if since_pause >= YIELD_AFTER && offset < end {
            since_pause = 0;
            tokio::task::yield_now().await;
        }
    }
    Ok(source.length)
}

async fn send_rest(
    source: &Source,
    offset: u64,
    stream: &mut DataStream,
    flow: Flow<'_>,
) -> Result<u64> {
    let before = offset - source.offset;
    let rest = Source {
        file: FileRef::clone(&source.file),
        offset,
        length: source.length - before,
    };
    match super::buffered::send(&rest, stream, flow, None).await {
        Ok(sent) => Ok(before + sent),
        Err(Error::Shrank { sent, .. }) => Err(Error::Shrank {
            sent: before + sent,
            expected: source.length,
        }),
        Err(error) => Err(error),
    }
}

/// sendfile gives one error for both ends: what a network cannot say is the file's.
fn blame_for_send(error: io::Error) -> Error {
    match Errno::from_io_error(&error) {
        None
        | Some(
            Errno::PIPE
            | Errno::CONNRESET
            | Errno::CONNABORTED
            | Errno::NOTCONN
            | Errno::TIMEDOUT
            | Errno::HOSTUNREACH
            | Errno::HOSTDOWN
            | Errno::NETUNREACH
            | Errno::NETDOWN
            | Errno::NETRESET
            | Errno::NOBUFS
            | Errno::PROTO
            | Errno::PERM
            | Errno::ACCESS,
        ) => Error::Stream(error),
        Some(errno) => store_error(Operation::Read, errno),
    }
}

pub(super) async fn receive(
    target: &Target,
    stream: &mut DataStream,
    flow: Flow<'_>,
) -> Result<u64> {
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
    stream.watch().map_err(Error::Stream)?;
    while octets < FIRST_READ as u64 {
        let reading = stream.when(Interest::READABLE, |socket| {
            SCRATCH.with_borrow_mut(|buffer| {
                let count = read(socket, buffer.as_mut_slice())?;
                let bytes = buffer.get(..count).unwrap_or_default();
                let written = check_limit(target, octets + count as u64)
                    .and_then(|()| write_all(&target.file, bytes, target.offset + octets));
                Ok((count, written))
            })
        });
        let (count, written) = flow
            .meter
            .unless_stopped(reading)
            .await?
            .map_err(Error::Stream)?;
        written?;
        if count == 0 {
            return Ok(First {
                octets,
                ended: true,
            });
        }
        octets += count as u64;
        flow.meter.add(count as u64);
        flow.admit(count as u64).await?;
    }
    Ok(First {
        octets,
        ended: false,
    })
}

async fn receive_by_splice(
    target: &Target,
    stream: &mut DataStream,
    flow: Flow<'_>,
    already: u64,
) -> Result<u64> {
    // Whatever fails below drops the pipe: only one that was drained to the end is given back.
    let mut pipe = pipe::borrow().map_err(|error| store_error(Operation::Write, error))?;
    let most = usize::try_from(flow.chunk(pipe::PIPE_SIZE as u64)).unwrap_or(pipe::PIPE_SIZE);
    let mut octets = already;
    let mut pooled = 0;
    let mut since_pause = 0;
    loop {
        let reading = stream.when(Interest::READABLE, |socket| {
            let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
            Ok(splice(socket, None, pipe.write.as_fd(), None, most, flags)?)
        });
        let count = flow
            .meter
            .unless_stopped(reading)
            .await?
            .map_err(Error::Stream)?;
        if count == 0 {
            pipe::give_back(pipe);
            return Ok(octets);
        }
        check_limit(target, octets + count as u64)?;
        let offset = target.offset + octets;
        if pooled > 0 {
            pooled -= 1;
            let file = FileRef::clone(&target.file);
            let (returned, drained) = spawn_blocking(move || {
                let drained = drain(&pipe, &file, offset, count);
                (pipe, drained)
            })
            .await
            .map_err(|error| lost_work(Operation::Write, error))?;
            pipe = returned;
            drained?;
        } else {
            let (drained, is_slow) = timed(|| drain(&pipe, &target.file, offset, count));
            drained?;
            if is_slow && target.file.may_wait() {
                pooled = POOLED_CHUNKS;
            }
        }
        octets += count as u64;
        since_pause += count as u64;
        flow.meter.add(count as u64);
        flow.admit(count as u64).await?;
        if since_pause >= YIELD_AFTER {
            since_pause = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Moves what is in the pipe into the file.
fn drain(pipe: &pipe::Pipe, file: &FileRef, mut offset: u64, mut left: usize) -> Result<()> {
    let Some(descriptor) = file.descriptor() else {
        return Err(store_error(Operation::Write, Errno::BADF));
    };
    while left > 0 {
        match splice(
            pipe.read.as_fd(),
            None,
            descriptor,
            Some(&mut offset),
            left,
            SpliceFlags::MOVE,
        ) {
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

fn drain_by_copy(
    pipe: &pipe::Pipe,
    file: &FileRef,
    mut offset: u64,
    mut left: usize,
) -> Result<()> {
    SCRATCH.with_borrow_mut(|buffer| {
        while left > 0 {
            let room = buffer.len().min(left);
            let part = buffer.get_mut(..room).unwrap_or_default();
            let count = read(&pipe.read, &mut *part)
                .map_err(|error| store_error(Operation::Write, error))?;
            write_all(file, part.get(..count).unwrap_or_default(), offset)?;
            left -= count;
            offset += count as u64;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
