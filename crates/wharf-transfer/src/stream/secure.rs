//! TLS on a data stream: the handshake, and reading and writing through the record layer.
//!
//! Whatever is under way may be dropped between two awaits and taken up again by the next call:
//! ciphertext that is not sent yet stays in the stream. Policy stands with the caller: who may
//! connect, whether a session must have been resumed, how long a handshake may take.

use std::io;

use rustix::{buffer::spare_capacity, net::Shutdown};
use tokio::io::Interest;

use super::{DataStream, Registration};
use crate::tls::{Error, Facts, Outgoing, Side, Step, Tls, Truncated};

/// What is encrypted at once, octets: three whole records. Small enough to stay in the processor's
/// cache from file to socket, large enough to save calls.
pub(crate) const PIECE: usize = 48 * 1024;

/// What is read of a peer that goes on talking after our end, octets.
const MOST_DRAINED: usize = 1 << 20;

/// The record layer of a stream and what of it is not sent yet.
#[derive(Debug)]
pub(crate) struct Secure {
    pub(crate) tls: Tls,
    pub(crate) outgoing: Outgoing,
    /// So much of `outgoing` is tickets, for which the peer does not wait; 0 once anything was sent.
    tickets: usize,
    /// An end without `close_notify` is an end like any other.
    tolerates_truncation: bool,
}

impl DataStream {
    /// Puts TLS on the stream: the whole handshake. The server's tickets go out with the next
    /// [`Self::write_all`] or [`Self::end`], not before: a client that sends a file and never reads
    /// closes with them unread, and its reset would destroy what of the file is under way. When it fails
    /// the peer was told why, and the stream is of no use any more. The caller sets the time limit.
    ///
    /// # Errors
    /// The peer's, or what one end did not accept of the other.
    pub async fn secure(&mut self, side: Side) -> Result<(), Error> {
        self.secure_telling(side, &mut |_| {}).await
    }

    /// As [`Self::secure`], and tells whether the peer resumes an earlier session as soon as that is
    /// clear: when it does not, before it is given anything that it could resume itself.
    ///
    /// # Errors
    /// As [`Self::secure`].
    pub async fn secure_telling(
        &mut self,
        side: Side,
        resumes: &mut (dyn FnMut(bool) + Send),
    ) -> Result<(), Error> {
        let mut secure = Box::new(Secure {
            tls: Tls::new(side)?,
            outgoing: Outgoing::default(),
            tickets: 0,
            tolerates_truncation: false,
        });
        secure.shake_hands(&mut self.socket, resumes).await?;
        self.secure = Some(secure);
        Ok(())
    }

    /// Whether TLS is on the stream.
    pub const fn is_secure(&self) -> bool {
        self.secure.is_some()
    }

    /// What was agreed; `None` on a plain stream.
    pub fn security(&self) -> Option<Facts<'_>> {
        self.secure.as_ref()?.tls.facts()
    }

    /// Takes an end without `close_notify` as an end. Else reading gives [`Truncated`].
    pub fn tolerate_truncation(&mut self) {
        if let Some(secure) = &mut self.secure {
            secure.tolerates_truncation = true;
        }
    }

    /// Whether the peer has said `close_notify`. A plain stream's end says all that it can say.
    pub const fn has_ended_in_order(&self) -> bool {
        match &self.secure {
            Some(secure) => secure.tls.is_ended(),
            None => true,
        }
    }

    /// Says that nothing more will come: `close_notify` under TLS, nothing on a plain stream, whose
    /// closing says it. Once.
    ///
    /// # Errors
    /// The socket's.
    pub async fn end(&mut self) -> io::Result<()> {
        let Some(secure) = &mut self.secure else {
            return Ok(());
        };
        secure.tls.close(&mut secure.outgoing).map_err(broken)?;
        secure.flush(&mut self.socket).await
    }

    /// Ends our direction and reads the peer to its end, a bounded number of octets: tickets that come
    /// late are kept, and no reset destroys what we sent (TLS-58). The caller sets the time limit.
    ///
    /// # Errors
    /// The socket's. That the peer does not say `close_notify` is none.
    pub async fn end_and_drain(&mut self) -> io::Result<()> {
        self.end().await?;
        if let Some(socket) = self.descriptor() {
            rustix::net::shutdown(socket, Shutdown::Write)?;
        }
        self.tolerate_truncation();
        let mut scratch = vec![0; 16 * 1024];
        let mut drained = 0;
        while drained < MOST_DRAINED {
            match self.read(&mut scratch).await? {
                0 => return Ok(()),
                count => drained += count,
            }
        }
        Ok(())
    }

    /// Takes TLS off again, after both ends said `close_notify` (RFC 4217 12.3: CCC).
    pub fn unsecure(&mut self) {
        self.secure = None;
    }

    /// The record layer and the socket below it.
    pub(crate) fn secure_parts(&mut self) -> Option<(&mut Secure, &mut Registration)> {
        Some((self.secure.as_deref_mut()?, &mut self.socket))
    }
}

impl Secure {
    /// Whether an end without `close_notify` is an end like any other.
    pub(crate) const fn tolerates_truncation(&self) -> bool {
        self.tolerates_truncation
    }

    async fn shake_hands(
        &mut self,
        socket: &mut Registration,
        resumes: &mut (dyn FnMut(bool) + Send),
    ) -> Result<(), Error> {
        let mut told = None;
        loop {
            let mut early = Vec::new();
            let step = self.tls.step(&mut self.outgoing, &mut |bytes| {
                early.extend_from_slice(bytes)
            });
            // The peer may speak in the flight that ends the handshake.
            self.tls.put_back(&early);
            let known = self.tls.is_resumed();
            if let Some(is_resumed) = known.filter(|_| known != told) {
                told = known;
                resumes(is_resumed);
            }
            if step.is_ok() && self.tls.owes_tickets_only() {
                // They go out with the first octets or with our end.
                self.tickets = self.outgoing.filled().len();
                return Ok(());
            }
            let flushed = self.flush(socket).await;
            let step = step?;
            flushed.map_err(Error::Stream)?;
            match step {
                _ if !self.tls.is_handshaking() => return Ok(()),
                Step::Ended => return Err(Error::Ended),
                Step::Data => {}
                Step::Blocked => {
                    if self.receive(socket).await.map_err(Error::Stream)? == 0 {
                        return Err(Error::Ended);
                    }
                }
            }
        }
    }

    /// Sends what has to be sent.
    pub(crate) async fn flush(&mut self, socket: &mut Registration) -> io::Result<()> {
        while !self.outgoing.filled().is_empty() {
            let sent = socket.send(self.outgoing.filled()).await?;
            self.outgoing.consume(sent);
            self.tickets = 0;
        }
        Ok(())
    }

    /// Sends what has to be sent before the peer can be waited for: all but tickets.
    pub(crate) async fn flush_before_wait(&mut self, socket: &mut Registration) -> io::Result<()> {
        if self.outgoing.filled().len() > self.tickets {
            self.flush(socket).await?;
        }
        Ok(())
    }

    /// Reads ciphertext; 0 is the end of the connection.
    pub(crate) async fn receive(&mut self, socket: &mut Registration) -> io::Result<usize> {
        let incoming = self.tls.incoming().map_err(broken)?;
        socket
            .when(Interest::READABLE, |socket| {
                Ok(rustix::io::read(socket, spare_capacity(incoming))?)
            })
            .await
    }

    /// Gives the next record of plaintext to `sink`; false at the end.
    pub(crate) async fn next(
        &mut self,
        socket: &mut Registration,
        sink: &mut (dyn FnMut(&[u8]) + Send),
    ) -> io::Result<bool> {
        loop {
            let step = self.tls.step(&mut self.outgoing, sink);
            match step {
                Ok(Step::Data) => return Ok(true),
                Ok(Step::Ended) => return Ok(false),
                Ok(Step::Blocked) => {
                    self.flush_before_wait(socket).await?;
                    if self.receive(socket).await? == 0 {
                        return match self.tolerates_truncation {
                            true => Ok(false),
                            false => Err(Truncated.into()),
                        };
                    }
                }
                Err(error) => {
                    let _ = self.flush(socket).await;
                    return Err(broken(error));
                }
            }
        }
    }

    pub(super) async fn read(
        &mut self,
        socket: &mut Registration,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let (mut count, mut rest) = (0, Vec::new());
        self.next(socket, &mut |bytes| {
            let taken = bytes.len().min(buffer.len());
            let (head, tail) = bytes.split_at(taken);
            if let Some(room) = buffer.get_mut(..taken) {
                room.copy_from_slice(head);
            }
            count = taken;
            rest.extend_from_slice(tail);
        })
        .await?;
        self.tls.put_back(&rest);
        Ok(count)
    }

    pub(super) async fn read_into(
        &mut self,
        socket: &mut Registration,
        buffer: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let (mut count, mut rest) = (0, Vec::new());
        self.next(socket, &mut |bytes| {
            let taken = bytes.len().min(buffer.capacity() - buffer.len());
            let (head, tail) = bytes.split_at(taken);
            buffer.extend_from_slice(head);
            count = taken;
            rest.extend_from_slice(tail);
        })
        .await?;
        self.tls.put_back(&rest);
        Ok(count)
    }

    pub(super) async fn write(
        &mut self,
        socket: &mut Registration,
        bytes: &[u8],
    ) -> io::Result<usize> {
        let piece = bytes.get(..PIECE).unwrap_or(bytes);
        self.tls.send(piece, &mut self.outgoing).map_err(broken)?;
        self.flush(socket).await?;
        Ok(piece.len())
    }
}

/// A broken protocol is a broken stream.
pub(crate) fn broken(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
