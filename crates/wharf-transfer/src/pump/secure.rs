//! TLS between a file with a descriptor and a socket.
//!
//! Down: a piece is read, encrypted and sent while it is still in the processor's cache. Up: as much
//! ciphertext as is there is read into one big buffer, decrypted where it lies, and each record
//! written to the file at once. Both buffers come from the pool; nothing is allocated per piece here
//! (rustls allocates one record at a time). Waiting for a disk is kept from the reactor's thread as on
//! the plain path.

use rustix::io::{Errno, pread};
use wharf_vfs::{FileRef, Operation};

use super::disk::{POOLED_CHUNKS, Warmth, check_limit, store_error, timed, write_all};
use super::{Flow, Source, Target, YIELD_AFTER};
use crate::{
    DataStream, Error, Result, buffer,
    stream::{PIECE, Secure, broken},
    tls::{Step, Truncated},
};

/// What is looked for in the page cache, and admitted by throttles, at once.
const CHUNK: u64 = 1 << 20;

pub(super) async fn send(source: &Source, stream: &mut DataStream, flow: Flow<'_>) -> Result<u64> {
    let Some((secure, _)) = stream.secure_parts() else {
        return Err(Error::Stream(std::io::ErrorKind::NotConnected.into()));
    };
    let former = secure.outgoing.replace(buffer::borrow());
    let mut plain = buffer::borrow();
    let longest = source.length.min(PIECE as u64);
    plain.resize(usize::try_from(longest).unwrap_or(PIECE), 0);
    let sent = send_pieces(source, stream, flow, &mut plain).await;
    buffer::give_back(plain);
    if let Some((secure, _)) = stream.secure_parts() {
        buffer::give_back(secure.outgoing.replace(former));
    }
    sent
}

async fn send_pieces(
    source: &Source,
    stream: &mut DataStream,
    flow: Flow<'_>,
    plain: &mut [u8],
) -> Result<u64> {
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
        let length = usize::try_from(ready)
            .unwrap_or(usize::MAX)
            .min(plain.len());
        let piece = plain.get_mut(..length).unwrap_or_default();
        let count = warmth.time(|| read(&source.file, piece, offset))?;
        if count == 0 {
            return Err(Error::Shrank {
                sent: offset - source.offset,
                expected: source.length,
            });
        }
        offset += count as u64;
        ready -= count as u64;
        let Some((secure, socket)) = stream.secure_parts() else {
            break;
        };
        secure
            .tls
            .send(piece.get(..count).unwrap_or_default(), &mut secure.outgoing)
            .map_err(|error| Error::Stream(broken(error)))?;
        if offset == end {
            // The end goes out with the last octets: one write, one segment less.
            secure
                .tls
                .close(&mut secure.outgoing)
                .map_err(|error| Error::Stream(broken(error)))?;
        }
        flow.meter
            .unless_stopped(secure.flush(socket))
            .await?
            .map_err(Error::Stream)?;
        flow.meter.add(count as u64);
        since_pause += count as u64;
        if since_pause >= YIELD_AFTER && offset < end {
            since_pause = 0;
            tokio::task::yield_now().await;
        }
    }
    Ok(source.length)
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
