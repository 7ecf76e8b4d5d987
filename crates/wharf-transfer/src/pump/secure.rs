//! TLS between a file with a descriptor and a socket.
//!
//! Down: a piece is read, encrypted and sent while it is still in the processor's cache. Up: as much
//! ciphertext as is there is read into one big pooled buffer, decrypted where it lies, and each
//! record written to the file at once. Nothing is allocated per piece here (rustls allocates one
//! record at a time). Waiting for a disk is kept from the reactor's thread as on
//! the plain path.

use std::cell::RefCell;

use rustix::io::{Errno, pread};
use wharf_vfs::{FileRef, Operation};

use super::disk::{POOLED_CHUNKS, Warmth, check_limit, store_error, timed, write_all};
use super::{Flow, Source, Target, YIELD_AFTER};
use crate::{
    DataStream, Error, Result, buffer,
    stream::{PIECE, Secure, broken},
    tls::{Outgoing, Step, Truncated},
};

/// What is looked for in the page cache, and admitted by throttles, at once.
const CHUNK: u64 = 1 << 20;

thread_local! {
    /// Used between two awaits only: the buffers of all downloads on a thread are the same few
    /// octets, which never leave the processor's cache.
    static BENCH: RefCell<Bench> = RefCell::new(Bench {
        plain: vec![0; PIECE],
        outgoing: Outgoing::default(),
    });
}

struct Bench {
    plain: Vec<u8>,
    outgoing: Outgoing,
}

pub(super) async fn send(source: &Source, stream: &mut DataStream, flow: Flow<'_>) -> Result<u64> {
    let mut warmth = Warmth::new(source);
    let most = flow.chunk(CHUNK);
    let end = source.offset + source.length;
    let (mut offset, mut since_pause, mut ready) = (source.offset, 0, 0);
    while offset < end {
        if ready == 0 {
            ready = most.min(end - offset);
            warmth.ensure(source, offset, ready, flow).await?;
            flow.admit(ready).await?;
        }
        let length = usize::try_from(ready).unwrap_or(usize::MAX);
        let is_last = offset + ready == end;
        let count = BENCH.with_borrow_mut(|bench| {
            let read = |piece: &mut [u8]| warmth.time(|| read(&source.file, piece, offset));
            send_piece(bench, stream, length, is_last, read)
        })?;
        if count == 0 {
            return Err(Error::Shrank {
                sent: offset - source.offset,
                expected: source.length,
            });
        }
        let Some((secure, socket)) = stream.secure_parts() else {
            break;
        };
        flow.meter
            .unless_stopped(secure.flush(socket))
            .await?
            .map_err(Error::Stream)?;
        offset += count as u64;
        ready -= count as u64;
        flow.meter.add(count as u64);
        since_pause += count as u64;
        if since_pause >= YIELD_AFTER && offset < end {
            since_pause = 0;
            tokio::task::yield_now().await;
        }
    }
    Ok(source.length)
}

/// Reads a piece, encrypts it and sends what the socket takes at once; the rest waits in the stream.
/// Gives the octets of the file; 0 is its end.
fn send_piece(
    bench: &mut Bench,
    stream: &mut DataStream,
    length: usize,
    is_last: bool,
    read: impl FnOnce(&mut [u8]) -> Result<usize>,
) -> Result<usize> {
    let Bench { plain, outgoing } = bench;
    let taken = length.min(plain.len());
    let piece = plain.get_mut(..taken).unwrap_or_default();
    let count = read(piece)?;
    let stream_error = |error| Error::Stream(broken(error));
    let Some((secure, socket)) = stream.secure_parts() else {
        return Err(Error::Stream(std::io::ErrorKind::NotConnected.into()));
    };
    // What ends the handshake goes out with the first octets.
    outgoing.clear();
    outgoing.append(secure.outgoing.filled());
    secure.outgoing.clear();
    secure
        .tls
        .send(piece.get(..count).unwrap_or_default(), outgoing)
        .map_err(stream_error)?;
    if is_last && count == length {
        // So does the end with the last ones: one write, one segment less.
        secure.tls.close(outgoing).map_err(stream_error)?;
    }
    let sent = socket.try_send(outgoing.filled()).map_err(Error::Stream)?;
    outgoing.consume(sent);
    secure.outgoing.append(outgoing.filled());
    Ok(count)
}

fn read(file: &FileRef, piece: &mut [u8], offset: u64) -> Result<usize> {
    let Some(descriptor) = file.descriptor() else {
        return Err(store_error(Operation::Read, Errno::BADF));
    };
    loop {
        match pread(descriptor, &mut *piece, offset) {
            Err(Errno::INTR) => {}
            done => return done.map_err(|error| store_error(Operation::Read, error)),
        }
    }
}

pub(super) async fn receive(
    target: &Target,
    stream: &mut DataStream,
    flow: Flow<'_>,
) -> Result<u64> {
    stream.watch().map_err(Error::Stream)?;
    let mut inflow = Inflow {
        target,
        received: 0,
        path: Path::Direct,
        since_pause: 0,
    };
    let received = inflow.run(stream, flow).await;
    // The big buffer goes back; what came behind the end is nobody's.
    if let Some((secure, _)) = stream.secure_parts() {
        buffer::give_back(secure.tls.replace_incoming(Vec::new()));
    }
    received.map(|()| inflow.received)
}

/// How records reach the file.
enum Path {
    /// Each is written from the reactor's thread.
    Direct,
    /// The file system has made us wait: so many gathered chunks go through the blocking pool.
    Pooled { left: u32 },
}

struct Inflow<'a> {
    target: &'a Target,
    received: u64,
    path: Path,
    since_pause: u64,
}

impl Inflow<'_> {
    async fn run(&mut self, stream: &mut DataStream, flow: Flow<'_>) -> Result<()> {
        // A short file ends within the buffer that the handshake left.
        let mut has_big_buffer = false;
        loop {
            let Some((secure, socket)) = stream.secure_parts() else {
                return Err(Error::Stream(std::io::ErrorKind::NotConnected.into()));
            };
            let before = self.received;
            let step = match &mut self.path {
                Path::Direct => self.write_record(secure)?,
                Path::Pooled { left } => {
                    *left = left.saturating_sub(1);
                    let is_last = *left == 0;
                    let step = self.gather(secure).await?;
                    if is_last {
                        self.path = Path::Direct;
                    }
                    step
                }
            };
            let moved = self.received - before;
            if moved > 0 {
                flow.meter.add(moved);
                self.since_pause += moved;
                flow.admit(moved).await?;
            }
            if self.since_pause >= YIELD_AFTER {
                self.since_pause = 0;
                tokio::task::yield_now().await;
            }
            match step {
                Step::Data => {}
                Step::Ended => return Ok(()),
                Step::Blocked => {
                    if !has_big_buffer && self.received > 0 {
                        has_big_buffer = true;
                        secure.tls.replace_incoming(buffer::borrow());
                    }
                    let reading = async {
                        secure.flush_before_wait(socket).await?;
                        secure.receive(socket).await
                    };
                    let count = flow
                        .meter
                        .unless_stopped(reading)
                        .await?
                        .map_err(Error::Stream)?;
                    if count == 0 {
                        return match secure.tolerates_truncation() {
                            true => Ok(()),
                            false => Err(Error::Stream(Truncated.into())),
                        };
                    }
                }
            }
        }
    }

    /// Decrypts a record and writes it.
    fn write_record(&mut self, secure: &mut Secure) -> Result<Step> {
        let (target, mut received) = (self.target, self.received);
        let mut result = Ok(());
        let (step, is_slow) = timed(|| {
            secure.tls.step(&mut secure.outgoing, &mut |bytes| {
                let offset = target.offset + received;
                received += bytes.len() as u64;
                result = check_limit(target, received)
                    .and_then(|()| write_all(&target.file, bytes, offset));
            })
        });
        self.received = received;
        result?;
        if is_slow && target.file.may_wait() {
            self.path = Path::Pooled {
                left: POOLED_CHUNKS,
            };
        }
        step.map_err(|error| Error::Stream(broken(error)))
    }

    /// Decrypts what is there into a pooled buffer and writes it on a thread that may sleep.
    async fn gather(&mut self, secure: &mut Secure) -> Result<Step> {
        /// The most plaintext of one record.
        const RECORD: usize = 16 * 1024;
        let mut chunk = buffer::borrow();
        let step = loop {
            let step = secure
                .tls
                .step(&mut secure.outgoing, &mut |bytes| {
                    chunk.extend_from_slice(bytes);
                })
                .map_err(|error| Error::Stream(broken(error)))?;
            if step != Step::Data || chunk.len() + RECORD > buffer::BUFFER_SIZE {
                break step;
            }
        };
        let offset = self.target.offset + self.received;
        self.received += chunk.len() as u64;
        check_limit(self.target, self.received)?;
        if !chunk.is_empty() {
            chunk = self.target.file.write_at(chunk, offset).await?;
        }
        buffer::give_back(chunk);
        Ok(step)
    }
}

#[cfg(test)]
mod tests;
