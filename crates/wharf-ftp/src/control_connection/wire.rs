//! The wire of a control connection: the socket alone, or with TLS on it.
//!
//! What is read passes through a buffer of the thread to the machine, what is said goes out in one
//! write per batch; an idle connection owns no buffer, under TLS neither. A plain connection pays one
//! look at a pointer for the other kind. What the words mean, and when TLS begins and ends, stands
//! elsewhere.

use std::{cell::RefCell, future::poll_fn, io, pin::Pin, task::Poll};

use rustix::io::Errno;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
};
use wharf_proto::ftp::server::Server;
use wharf_transfer::tls::{Error, Facts, Outgoing, Side, Step, Tls};

use crate::clock;

/// What one read of the control connection takes at the most.
const READ_SIZE: usize = 4096;

/// The start of every Telnet command; see [`Wire::note_urgent`].
const IAC: u8 = 0xff;

thread_local! {
    static READ: RefCell<[u8; READ_SIZE]> = const { RefCell::new([0; READ_SIZE]) };
    static RECORDS: RefCell<Outgoing> = RefCell::default();
}

/// What came of reading.
pub(super) enum Heard {
    /// Octets or the end of input were given to the machine.
    Input,
    /// The peer is gone without a word.
    Lost,
    /// The peer broke TLS; it was told so.
    Broken(Error),
}

/// The socket and what protects it.
pub(super) struct Wire {
    socket: TcpStream,
    input: Input,
    secure: Option<Box<Secure>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Open,
    /// There may be more than the reactor knows of.
    Unsure,
    /// The peer has said all it will say.
    Ended,
}

/// TLS of a control connection.
struct Secure {
    tls: Tls,
    /// Answers of TLS itself that the socket did not take at once; mostly none.
    unsent: Vec<u8>,
    /// Records may be there that nobody has looked at.
    has_more: bool,
}

impl Wire {
    pub(super) const fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            input: Input::Open,
            secure: None,
        }
    }

    /// Whether the peer may still say something.
    pub(super) fn is_open(&self) -> bool {
        self.input != Input::Ended
    }

    /// Whether TLS is on it.
    pub(super) const fn is_secure(&self) -> bool {
        self.secure.is_some()
    }

    /// What TLS agreed on.
    pub(super) fn facts(&self) -> Option<Facts<'_>> {
        self.secure.as_ref()?.tls.facts()
    }

    /// Whether something of TLS itself is to be sent.
    pub(super) fn owes(&self) -> bool {
        self.secure
            .as_ref()
            .is_some_and(|secure| !secure.unsent.is_empty())
    }

    /// Gives the machine what the peer has sent.
    pub(super) async fn read(&mut self, machine: &mut Server) -> Heard {
        if self.secure.as_ref().is_some_and(|secure| secure.has_more) {
            // What is here already must not keep others from their turn.
            tokio::task::consume_budget().await;
            return self.process(machine);
        }
        if self.input == Input::Unsure {
            // The reactor counts its own reads only.
            tokio::task::consume_budget().await;
        }
        poll_fn(|context| {
            READ.with_borrow_mut(|buffer| {
                if self.input == Input::Unsure {
                    match rustix::io::read(&self.socket, buffer.as_mut_slice()) {
                        Ok(count) => {
                            let bytes = buffer.get(..count).unwrap_or_default();
                            return Poll::Ready(self.take(bytes, machine));
                        }
                        Err(Errno::AGAIN) => self.input = Input::Open,
                        Err(Errno::INTR) => {}
                        Err(_) => return Poll::Ready(Heard::Lost),
                    }
                }
                let mut buffer = ReadBuf::new(buffer);
                match Pin::new(&mut self.socket).poll_read(context, &mut buffer) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Err(_)) => Poll::Ready(Heard::Lost),
                    Poll::Ready(Ok(())) => Poll::Ready(self.take(buffer.filled(), machine)),
                }
            })
        })
        .await
    }

    /// Octets from the peer; none are its end.
    fn take(&mut self, bytes: &[u8], machine: &mut Server) -> Heard {
        if bytes.is_empty() {
            self.input = Input::Ended;
            machine.handle_end_of_input();
            return Heard::Input;
        }
        if let Some(secure) = &mut self.secure {
            return match secure.tls.feed(bytes) {
                Ok(()) => self.process(machine),
                Err(error) => Heard::Broken(error),
            };
        }
        self.note_urgent(!bytes.ends_with(b"\n") || bytes.contains(&IAC));
        machine.handle_input(clock::now(), bytes);
        Heard::Input
    }

    /// A read ends at the urgent mark although more is there, and the reactor takes a short read for
    /// an empty socket. The mark lies in a Telnet command (RPL-12) or, from clients that send their
    /// whole ABOR as urgent, on the end of its line, under TLS of its record: after such a piece the
    /// next read asks the socket itself.
    const fn note_urgent(&mut self, may_be: bool) {
        if may_be {
            self.input = Input::Unsure;
        }
    }

    /// Gives the machine what is in the records that are here, as far as it wants them.
    fn process(&mut self, machine: &mut Server) -> Heard {
        let Some(secure) = &mut self.secure else {
            return Heard::Input;
        };
        let now = clock::now();
        let (mut has_iac, mut has_ended) = (false, false);
        let result = RECORDS.with_borrow_mut(|records| {
            records.clear();
            let result = loop {
                let step = secure.tls.step(records, &mut |bytes| {
                    has_iac |= bytes.contains(&IAC);
                    machine.handle_input(now, bytes);
                });
                match step {
                    Ok(Step::Data) if machine.wants_input() => {}
                    Ok(Step::Data) => break Ok(true),
                    Ok(Step::Blocked) => break Ok(false),
                    Ok(Step::Ended) => {
                        has_ended = true;
                        break Ok(false);
                    }
                    Err(error) => break Err(error),
                }
            };
            match send_now(&self.socket, records.filled()) {
                Ok(left) if secure.unsent.is_empty() => secure.unsent = left,
                Ok(left) => secure.unsent.extend_from_slice(&left),
                // Whoever reads or writes next sees it.
                Err(_) => {}
            }
            result
        });
        match result {
            Ok(has_more) => secure.has_more = has_more,
            Err(error) => return Heard::Broken(error),
        }
        let is_partial = !secure.tls.is_between_records();
        if !is_partial {
            secure.tls.shrink();
        }
        if has_ended {
            self.input = Input::Ended;
            machine.handle_end_of_input();
        } else {
            self.note_urgent(is_partial || has_iac);
        }
        Heard::Input
    }

    /// Says `replies`, none among them, and whatever TLS owes; gives what the socket did not take.
    ///
    /// # Errors
    /// The socket's, or TLS is over.
    pub(super) fn send(&mut self, replies: &[u8]) -> io::Result<Vec<u8>> {
        let Some(secure) = &mut self.secure else {
            return send_now(&self.socket, replies);
        };
        RECORDS.with_borrow_mut(|records| {
            records.clear();
            secure
                .tls
                .send(replies, records)
                .map_err(io::Error::other)?;
            if secure.unsent.is_empty() {
                return send_now(&self.socket, records.filled());
            }
            let mut all = std::mem::take(&mut secure.unsent);
            all.extend_from_slice(records.filled());
            send_now(&self.socket, &all)
        })
    }

    /// Sends of what [`Self::send`] left, once the peer's window has room; gives how much.
    pub(super) async fn send_left(&self, left: &[u8]) -> io::Result<usize> {
        self.socket.writable().await?;
        match self.socket.try_write(left) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            done => done,
        }
    }

    /// Says that nothing more will come: `close_notify` under TLS (TLS-11), then FIN.
    pub(super) fn end(&mut self) {
        if let Some(secure) = &mut self.secure {
            RECORDS.with_borrow_mut(|records| {
                records.clear();
                // A peer that takes no more learns it from the FIN.
                if secure.unsent.is_empty() && secure.tls.close(records).is_ok() {
                    let _ = send_now(&self.socket, records.filled());
                }
            });
        }
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write);
    }

    /// Reads and forgets until the peer's end.
    pub(super) async fn drain(&self) {
        let mut scratch = [0; 512];
        while self.socket.readable().await.is_ok() {
            match self.socket.try_read(&mut scratch) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    /// Puts TLS on the wire: the whole handshake. When it fails the peer has got an alert and nothing
    /// else. The caller sets the time limit.
    ///
    /// # Errors
    /// The peer's, or what one end did not accept of the other.
    pub(super) async fn secure(&mut self, side: Side) -> Result<(), Error> {
        let mut tls = Tls::new(side)?;
        loop {
            let mut early = Vec::new();
            let (step, sent) = RECORDS.with_borrow_mut(|records| {
                records.clear();
                let step = tls.step(records, &mut |bytes| early.extend_from_slice(bytes));
                (step, send_now(&self.socket, records.filled()))
            });
            // The peer may speak in the flight that ends the handshake.
            tls.put_back(&early);
            let mut left = sent.map_err(Error::Stream)?;
            while !left.is_empty() {
                let sent = self.send_left(&left).await.map_err(Error::Stream)?;
                left.drain(..sent.min(left.len()));
            }
            match step? {
                _ if !tls.is_handshaking() => break,
                Step::Ended => return Err(Error::Ended),
                Step::Data => {}
                Step::Blocked => self.receive(&mut tls).await?,
            }
        }
        self.secure = Some(Box::new(Secure {
            tls,
            unsent: Vec::new(),
            has_more: true,
        }));
        // A read may have ended at an urgent mark, wherever it was.
        self.input = Input::Unsure;
        Ok(())
    }

    /// Reads ciphertext of a handshake.
    async fn receive(&self, tls: &mut Tls) -> Result<(), Error> {
        loop {
            self.socket.readable().await.map_err(Error::Stream)?;
            let fed = READ.with_borrow_mut(|buffer| match self.socket.try_read(buffer) {
                Ok(0) => Err(Error::Ended),
                Ok(count) => tls
                    .feed(buffer.get(..count).unwrap_or_default())
                    .map(|()| true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
                Err(error) => Err(Error::Stream(error)),
            })?;
            if fed {
                return Ok(());
            }
        }
    }

    /// Takes TLS off again (TLS-41): says `close_notify` and hears the peer's, or the first octets
    /// that are no TLS any more. Plaintext that still comes under TLS goes to the machine, which ends
    /// the session for it. Gives what was read of the clear. May be given up: then nothing was.
    ///
    /// # Errors
    /// The peer broke TLS or is gone.
    pub(super) async fn hear_end_of_tls(&mut self, machine: &mut Server) -> Result<Vec<u8>, Error> {
        let Some(secure) = &mut self.secure else {
            return Ok(Vec::new());
        };
        let left = RECORDS.with_borrow_mut(|records| {
            records.clear();
            secure.tls.close(records)?;
            send_now(&self.socket, records.filled()).map_err(Error::Stream)
        })?;
        secure.unsent.extend_from_slice(&left);
        loop {
            while !secure.unsent.is_empty() {
                self.socket.writable().await.map_err(Error::Stream)?;
                match self.socket.try_write(&secure.unsent) {
                    Ok(sent) => drop(secure.unsent.drain(..sent)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(Error::Stream(error)),
                }
            }
            let step = RECORDS.with_borrow_mut(|records| {
                records.clear();
                let now = clock::now();
                // Nothing may follow our close_notify: what TLS would still say is dropped.
                secure
                    .tls
                    .step(records, &mut |bytes| machine.handle_input(now, bytes))
            })?;
            match step {
                Step::Data => return Ok(Vec::new()),
                Step::Ended => return Ok(secure.tls.take_rest()),
                Step::Blocked => {}
            }
            self.socket.readable().await.map_err(Error::Stream)?;
            let clear = READ.with_borrow_mut(|buffer| match self.socket.try_read(buffer) {
                Ok(0) => {
                    self.input = Input::Ended;
                    Ok(Some(Vec::new()))
                }
                Ok(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    if secure.tls.is_between_records() && is_clear(bytes) {
                        return Ok(Some(bytes.to_vec()));
                    }
                    secure.tls.feed(bytes).map(|()| None)
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(Error::Stream(error)),
            })?;
            if let Some(clear) = clear {
                return Ok(clear);
            }
        }
    }

    /// From here on the wire is plain.
    pub(super) fn unsecure(&mut self) {
        self.secure = None;
        if self.input == Input::Open {
            self.input = Input::Unsure;
        }
    }
}

/// Whether octets cannot be a TLS record: its types lie below the printable characters and are none
/// of the line ends (TLS-41).
fn is_clear(bytes: &[u8]) -> bool {
    bytes
        .first()
        .is_some_and(|first| *first >= b' ' || matches!(first, b'\r' | b'\n'))
}

/// Mostly it all goes at once and nothing is kept.
fn send_now(socket: &TcpStream, bytes: &[u8]) -> io::Result<Vec<u8>> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let written = match socket.try_write(bytes) {
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    Ok(bytes.get(written..).unwrap_or_default().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An idle session under TLS owns no buffer: this, what rustls keeps and its configuration.
    #[test]
    fn an_idle_wire_is_small() {
        let (wire, secure) = (size_of::<Wire>(), size_of::<Secure>());
        println!("plain: {wire} bytes, under TLS: {secure} bytes more");
        assert!(wire <= 64 && secure <= 1536, "{wire} {secure}");
    }
}
