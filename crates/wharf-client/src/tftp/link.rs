//! The socket of one transaction, and whose datagrams count on it.
//!
//! The request goes to the server's well-known port; the first answer names the port that the server
//! serves this transaction from (its TID), and from then on nobody else is heard (TFT-51, TFT-53).
//! Strangers get ERROR 5 (TFT-35), a bounded number of times. The socket is not connected, so strangers
//! are seen at all, and the kernel queues ICMP errors on it, so a closed port is known at once; but what
//! the server said before it closed its port comes first, because that tells why.
//!
//! A link that goes before its transaction has ended tells the server: it need not wait for a client that
//! was interrupted.
//!
//! A block's header and content are received into two places, so that the content lies where it belongs
//! without being moved; nothing is allocated for it.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    time::{Duration, Instant},
};

use rustix::io::Errno;
use tokio::time::{Instant as Moment, Sleep, sleep_until};
use wharf_proto::tftp::{
    ErrorCode,
    packet::{self, HEADER, REQUEST_LIMIT},
};
use wharf_transfer::{DatagramSocket, Route};

use super::clock;

/// The opcodes by which datagrams are told apart before they are read (RFC 1350 section 5, RFC 2347).
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OACK: u16 = 6;

/// Strangers that are told that they are.
const MOST_STRANGERS: u8 = 8;

/// How long what the server said last is waited for when its port is closed.
const LAST_WORDS: Duration = Duration::from_millis(10);

/// What the server is told when it need not wait any more.
const GIVEN_UP: &str = "the client gave up";

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A block; its content is in the room that was given.
    Block {
        /// Its number on the wire.
        block: u16,
        /// Octets of its content, more than there was room for when it was cut.
        length: usize,
    },
    /// Another packet of the server's; see [`Link::packet`].
    Packet,
    /// Nothing that counts, or nothing until the moment.
    Nothing,
}

/// The way to a server, for one transaction.
#[derive(Debug)]
pub(crate) struct Link {
    socket: DatagramSocket,
    server: SocketAddr,
    peer: Option<SocketAddr>,
    any_source: bool,
    foreign: Option<SocketAddr>,
    strangers: u8,
    /// ICMP errors that answer what strangers were told.
    excused: u8,
    /// What befell the way, and until when the server's last words are waited for.
    broken: Option<(io::Error, Instant)>,
    /// The transaction has ended, and the server knows.
    is_over: bool,
    head: [u8; HEADER],
    packet: Vec<u8>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Link {
    /// A way to `server`; answers of other addresses count only with `any_source`.
    pub(crate) fn open(server: SocketAddr, any_source: bool) -> io::Result<Self> {
        Ok(Self {
            socket: DatagramSocket::unconnected(server)?,
            server,
            peer: None,
            any_source,
            foreign: None,
            strangers: 0,
            excused: 0,
            broken: None,
            is_over: false,
            head: [0; HEADER],
            packet: Vec::new(),
            alarm: None,
        })
    }

    /// Whether the server has answered.
    pub(crate) const fn is_answered(&self) -> bool {
        self.peer.is_some()
    }

    /// Who answered in the server's place.
    pub(crate) const fn foreign(&self) -> Option<SocketAddr> {
        self.foreign
    }

    /// The packet that [`Heard::Packet`] tells of.
    pub(crate) fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// The transaction has ended: whatever there is to be said was said.
    pub(crate) const fn end(&mut self) {
        self.is_over = true;
    }

    /// Sends a packet to the server; what befalls it is told by [`Self::hear`].
    pub(crate) async fn send(&mut self, datagram: &[u8]) {
        let to = self.peer.unwrap_or(self.server);
        while let Err(error) = self.socket.send_to(datagram, to, &Route::default()).await {
            if !self.excuses(&error) {
                return self.note_broken(error);
            }
        }
    }

    /// Sends `content` cut into blocks; what befalls them is told by [`Self::hear`].
    pub(crate) async fn send_blocks(
        &mut self,
        header: impl Fn(usize) -> [u8; HEADER],
        block_size: usize,
        content: &[u8],
    ) {
        let to = self.peer.unwrap_or(self.server);
        let way = Some((to, &Route::default()));
        while let Err(error) = self
            .socket
            .send_blocks(&header, block_size, content, way)
            .await
        {
            if !self.excuses(&error) {
                return self.note_broken(error);
            }
        }
    }

    /// Waits for a datagram of the server until a moment; what is content of a block goes into `body`.
    ///
    /// # Errors
    /// What befell the way, when nothing of the server's is here any more.
    pub(crate) async fn hear(&mut self, body: &mut [u8], until: Instant) -> io::Result<Heard> {
        let received = loop {
            match self.socket.try_receive(&mut self.head, body) {
                Ok(received) => break received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let patience = self.broken.as_ref().map(|(_, patience)| *patience);
                    if self.readable(patience.unwrap_or(until)).await? {
                        continue;
                    }
                    return match self.broken.take() {
                        Some((error, _)) => Err(error),
                        None => Ok(Heard::Nothing),
                    };
                }
                Err(error) if self.excuses(&error) => {}
                Err(error) => self.note_broken(error),
            }
        };
        let Some(from) = received.from.filter(|_| received.octets >= HEADER) else {
            return Ok(Heard::Nothing);
        };
        let [high, low, block @ ..] = self.head;
        let opcode = u16::from_be_bytes([high, low]);
        if !self.is_server(from) {
            self.turn_away(from, opcode);
            return Ok(Heard::Nothing);
        }
        // It is there, whoever said otherwise.
        self.broken = None;
        let length = received.octets - HEADER;
        match opcode {
            DATA => {
                self.peer = Some(from);
                Ok(Heard::Block {
                    block: u16::from_be_bytes(block),
                    length,
                })
            }
            ACK | ERROR | OACK => {
                self.peer = Some(from);
                let content = body.get(..length.min(REQUEST_LIMIT)).unwrap_or(body);
                self.packet.clear();
                self.packet.extend_from_slice(&self.head);
                self.packet.extend_from_slice(content);
                Ok(Heard::Packet)
            }
            _ => Ok(Heard::Nothing),
        }
    }

    fn is_server(&self, from: SocketAddr) -> bool {
        match self.peer {
            Some(peer) => from == peer,
            None => self.any_source || from.ip() == self.server.ip(),
        }
    }

    /// TFT-35: a stranger is told so; an ERROR is never answered.
    fn turn_away(&mut self, from: SocketAddr, opcode: u16) {
        if self.peer.is_none() {
            self.foreign = Some(from);
        }
        if opcode == ERROR || self.strangers == MOST_STRANGERS {
            return;
        }
        self.strangers += 1;
        self.excused += 1;
        let mut answer = Vec::new();
        let code = ErrorCode::UnknownTransferId;
        packet::error(code, code.text(), &mut answer);
        // A stranger that does not hear it is no loss.
        let _ = self.socket.try_send_to(&answer, from, &Route::default());
    }

    /// Something befell the way. What the server said before may be here all the same. That a packet was too
    /// large for the path is no more than a loss: from then on they leave as fragments (TFT-42).
    fn note_broken(&mut self, error: io::Error) {
        if error.raw_os_error() == Some(Errno::MSGSIZE.raw_os_error()) {
            return;
        }
        let patience = clock::now() + LAST_WORDS;
        self.broken.get_or_insert((error, patience));
    }

    /// Whether an error may be a stranger's doing, whose port is closed by now.
    fn excuses(&mut self, error: &io::Error) -> bool {
        let excused = self.excused > 0 && error.kind() == io::ErrorKind::ConnectionRefused;
        self.excused -= u8::from(excused);
        excused
    }

    /// Waits until there is something to receive, at the most until a moment. The timer is set anew only
    /// when it has run out, not for each datagram.
    async fn readable(&mut self, until: Instant) -> io::Result<bool> {
        if until <= clock::now() {
            return Ok(false);
        }
        let until = Moment::from_std(until);
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        loop {
            if alarm.deadline() > until || alarm.is_elapsed() {
                alarm.as_mut().reset(until);
            }
            tokio::select! {
                biased;
                ready = self.socket.readable() => return ready.map(|()| true),
                () = alarm.as_mut() => {
                    if alarm.deadline() >= until {
                        return Ok(false);
                    }
                }
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(peer) = self.peer.filter(|_| !self.is_over) {
            let mut farewell = Vec::new();
            packet::error(ErrorCode::NotDefined, GIVEN_UP, &mut farewell);
            // Nobody waits for it.
            let _ = self.socket.try_send_to(&farewell, peer, &Route::default());
        }
    }
}
