//! The record layer: one TLS connection without a socket, the same for both ends.
//!
//! rustls does the protocol; this room gives it buffers. Its unbuffered interface decrypts records
//! where they lie and encrypts into a buffer that the caller reuses, which costs a third less per
//! octet than the buffered one (`docs/performance.md`). Ciphertext goes in by [`Tls::feed`] or
//! [`Tls::incoming`], [`Tls::step`] gives plaintext and what has to be sent.
//!
//! It must not know who trusts whom: certificates, tickets and policy stand in the configuration
//! that comes with the [`Side`]. RFC 8446, RFC 5246.

use std::{fmt, io, sync::Arc};

use rustls::{
    CipherSuite, ClientConfig, CommonState, HandshakeKind, ProtocolVersion, ServerConfig,
    client::UnbufferedClientConnection,
    pki_types::{CertificateDer, ServerName},
    server::UnbufferedServerConnection,
    unbuffered::{
        ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
    },
};

/// The most ciphertext that may wait for the rest of its record or handshake message, octets.
const MOST_INCOMING: usize = 128 * 1024;

/// What a record adds to its plaintext at the most: header, type, explicit nonce, tag.
const RECORD_OVERHEAD: usize = 64;

/// The most plaintext in a record (RFC 8446 5.1), octets.
const RECORD_SIZE: usize = 16 * 1024;

/// Which end we are.
#[derive(Clone, Debug)]
pub enum Side {
    /// We show a certificate.
    Server(Arc<ServerConfig>),
    /// We check one, for this name.
    Client(Arc<ClientConfig>, ServerName<'static>),
}

/// Why there is no secure connection, or none any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol, or one end did not accept what the other showed.
    #[error("{0}")]
    Protocol(#[from] rustls::Error),
    /// The connection broke.
    #[error("the connection broke during the handshake: {0}")]
    Stream(#[source] io::Error),
    /// The peer hung up in the middle of the handshake.
    #[error("the peer closed the connection during the handshake")]
    Ended,
}

/// A stream ended without the peer's `close_notify`: it may have been cut (RFC 8446 6.1).
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the TLS stream ended without close_notify: it may have been cut")]
pub struct Truncated;

impl Truncated {
    /// Whether an error of a stream says this.
    pub fn is(error: &io::Error) -> bool {
        error
            .get_ref()
            .is_some_and(|cause| cause.downcast_ref::<Self>().is_some())
    }
}

impl From<Truncated> for io::Error {
    fn from(truncated: Truncated) -> Self {
        Self::new(io::ErrorKind::UnexpectedEof, truncated)
    }
}

/// What was agreed.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// TLS 1.2 or 1.3.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub suite: CipherSuite,
    /// It resumed an earlier session instead of a full handshake.
    pub resumed: bool,
    /// The application protocol, if one was agreed.
    pub alpn: Option<&'a [u8]>,
    /// What the peer showed, its own certificate first; kept over a resumption.
    pub peer_certificates: &'a [CertificateDer<'static>],
}

/// How far a [`Tls::step`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One record of plaintext was given.
    Data,
    /// More ciphertext is needed.
    Blocked,
    /// The peer has said `close_notify`: no more plaintext will come.
    Ended,
}

/// Octets on their way to the socket; one buffer, used again and again.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// All of it is initialised, so that room costs nothing the second time.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Outgoing {
    /// What has to be sent.
    pub fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// The first `octets` are sent.
    pub fn consume(&mut self, octets: usize) {
        self.start = (self.start + octets).min(self.end);
        if self.start == self.end {
            self.clear();
        }
    }

    /// Forgets what is there.
    pub const fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Puts `bytes` behind what is there.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if let Some(room) = self.room(bytes.len()).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            self.end += bytes.len();
        }
    }

    /// Room for `octets` behind what is there.
    fn room(&mut self, octets: usize) -> &mut [u8] {
        if self.bytes.len() < self.end + octets {
            self.bytes.resize(self.end + octets, 0);
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }
}

/// One connection.
pub struct Tls {
    connection: Connection,
    /// Ciphertext that came and is not processed yet, from `start` on. rustls keeps places in it, so
    /// it is given whole to every call.
    incoming: Vec<u8>,
    start: usize,
    /// Plaintext that came while something was to be sent, or had no room where it was wanted.
    plain: Vec<u8>,
    is_ended: bool,
    said_close: bool,
    /// What went wrong: rustls must not look at the same octets again.
    failed: Option<rustls::Error>,
}

enum Connection {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tls")
            .field("facts", &self.facts())
            .field("is_ended", &self.is_ended)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// A connection before its handshake.
    ///
    /// # Errors
    /// A configuration that rustls cannot use.
    pub fn new(side: Side) -> Result<Self, Error> {
        let connection = match side {
            Side::Server(config) => Connection::Server(UnbufferedServerConnection::new(config)?),
            Side::Client(config, name) => {
                Connection::Client(UnbufferedClientConnection::new(config, name)?)
            }
        };
        Ok(Self {
            connection,
            incoming: Vec::new(),
            start: 0,
            plain: Vec::new(),
            is_ended: false,
            said_close: false,
            failed: None,
        })
    }

    fn common(&self) -> &CommonState {
        match &self.connection {
            Connection::Server(connection) => connection,
            Connection::Client(connection) => connection,
        }
    }

    /// Whether the handshake is still under way.
    pub fn is_handshaking(&self) -> bool {
        self.common().is_handshaking()
    }

    /// Whether the handshake is over and what may be left to send of it are tickets, for which nobody
    /// waits: the server's last words in TLS 1.3 (RFC 8446 4.6.1).
    pub(crate) fn owes_tickets_only(&self) -> bool {
        matches!(self.connection, Connection::Server(_))
            && !self.is_handshaking()
            && self.common().protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Whether the peer has said `close_notify`.
    pub const fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Whether an earlier session is resumed; `None` as long as that is open. Known before the
    /// handshake is over.
    pub fn is_resumed(&self) -> Option<bool> {
        let kind = self.common().handshake_kind()?;
        Some(kind == HandshakeKind::Resumed)
    }

    /// What was agreed; `None` before the handshake is over.
    pub fn facts(&self) -> Option<Facts<'_>> {
        let common = self.common();
        Some(Facts {
            version: common.protocol_version()?,
            suite: common.negotiated_cipher_suite()?.suite(),
            resumed: common.handshake_kind()? == HandshakeKind::Resumed,
            alpn: common.alpn_protocol(),
            peer_certificates: common.peer_certificates().unwrap_or_default(),
        })
    }

    /// Takes ciphertext that was read.
    ///
    /// # Errors
    /// More waits than a record or a handshake message can need.
    pub fn feed(&mut self, ciphertext: &[u8]) -> Result<(), Error> {
        self.compact();
        if self.incoming.len() + ciphertext.len() > MOST_INCOMING {
            let text = "the peer sent more than a record or a handshake message can need";
            return Err(rustls::Error::General(text.into()).into());
        }
        self.incoming.extend_from_slice(ciphertext);
        Ok(())
    }

    /// The buffer that ciphertext is read into: what is not processed yet at its front, and room for
    /// a record behind it.
    ///
    /// # Errors
    /// As [`Tls::feed`].
    pub(crate) fn incoming(&mut self) -> Result<&mut Vec<u8>, Error> {
        self.feed(&[])?;
        let room = self.incoming.capacity() - self.incoming.len();
        if room < RECORD_SIZE + RECORD_OVERHEAD {
            self.incoming.reserve(2 * RECORD_SIZE);
        }
        Ok(&mut self.incoming)
    }

    /// Puts in another buffer for ciphertext and gives the former one; what is not processed yet
    /// moves over.
    pub(crate) fn replace_incoming(&mut self, mut buffer: Vec<u8>) -> Vec<u8> {
        buffer.clear();
        buffer.extend_from_slice(self.incoming.get(self.start..).unwrap_or_default());
        self.start = 0;
        std::mem::replace(&mut self.incoming, buffer)
    }

    fn compact(&mut self) {
        if self.start > 0 {
            self.incoming.drain(..self.start);
            self.start = 0;
        }
    }

    /// Frees what an idle connection has no use for.
    pub fn shrink(&mut self) {
        if self.start >= self.incoming.len() {
            self.incoming = Vec::new();
            self.start = 0;
        }
        if self.plain.is_empty() {
            self.plain = Vec::new();
        }
    }

    /// Whether nothing of a record that is not whole yet has come, nor plaintext that nobody took.
    pub const fn is_between_records(&self) -> bool {
        self.start >= self.incoming.len() && self.plain.is_empty()
    }

    /// What came behind the peer's `close_notify` and is not TLS any more (RFC 4217 12.3: CCC).
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.compact();
        std::mem::take(&mut self.incoming)
    }

    /// Keeps plaintext that its reader has no room for; the next [`Tls::step`] gives it again.
    pub fn put_back(&mut self, plaintext: &[u8]) {
        self.plain.extend_from_slice(plaintext);
    }

    /// Processes what came, up to one record of plaintext, which goes to `sink`. What has to be sent
    /// (handshake, tickets, alerts) is appended to `outgoing`, also when this fails: the peer shall
    /// hear why.
    ///
    /// # Errors
    /// [`Error::Protocol`]: the connection is of no use any more.
    pub fn step(
        &mut self,
        outgoing: &mut Outgoing,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<Step, Error> {
        if !self.plain.is_empty() {
            sink(&std::mem::take(&mut self.plain));
            return Ok(Step::Data);
        }
        loop {
            match self.turn(outgoing, None, sink) {
                Ok(Turn::Again) => {}
                Ok(Turn::Data) => return Ok(Step::Data),
                Ok(Turn::Ended) => return Ok(Step::Ended),
                Ok(Turn::Ready | Turn::Blocked) if self.is_ended => return Ok(Step::Ended),
                Ok(Turn::Ready | Turn::Blocked) => return Ok(Step::Blocked),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Encrypts `plaintext`, appended to `outgoing` as whole records.
    ///
    /// # Errors
    /// The handshake is not over, `close_notify` was said, or the connection has failed.
    pub fn send(&mut self, plaintext: &[u8], outgoing: &mut Outgoing) -> Result<(), Error> {
        if self.said_close {
            return Err(rustls::Error::EncryptError.into());
        }
        if plaintext.is_empty() {
            return Ok(());
        }
        self.write(Write::Data(plaintext), outgoing)
    }

    /// Says `close_notify`, appended to `outgoing`; once, later calls say nothing.
    ///
    /// # Errors
    /// As [`Tls::send`].
    pub fn close(&mut self, outgoing: &mut Outgoing) -> Result<(), Error> {
        if self.said_close {
            return Ok(());
        }
        self.write(Write::CloseNotify, outgoing)?;
        self.said_close = true;
        Ok(())
    }

    fn write(&mut self, what: Write<'_>, outgoing: &mut Outgoing) -> Result<(), Error> {
        // What came is processed first, as the protocol has it; its plaintext waits.
        let mut plain = std::mem::take(&mut self.plain);
        let result = loop {
            match self.turn(outgoing, Some(what), &mut |bytes| {
                plain.extend_from_slice(bytes);
            }) {
                Ok(Turn::Ready) => break Ok(()),
                Ok(Turn::Blocked) => break Err(rustls::Error::HandshakeNotComplete.into()),
                Ok(Turn::Again | Turn::Data | Turn::Ended) => {}
                Err(error) => break Err(error.into()),
            }
        };
        self.plain = plain;
        result
    }

    /// One call of rustls.
    fn turn(
        &mut self,
        outgoing: &mut Outgoing,
        what: Option<Write<'_>>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<Turn, rustls::Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let turn = self.process(outgoing, what, sink);
        if let Err(error) = &turn {
            self.failed = Some(error.clone());
            // The peer shall hear why. What is to be sent comes before anything is read again.
            while self.common().wants_write()
                && let Ok(Turn::Again) = self.process(outgoing, None, &mut |_| {})
            {}
        }
        turn
    }

    fn process(
        &mut self,
        outgoing: &mut Outgoing,
        what: Option<Write<'_>>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<Turn, rustls::Error> {
        let incoming = self.incoming.get_mut(self.start..).unwrap_or_default();
        let (discard, turn) = match &mut self.connection {
            Connection::Server(connection) => take(
                connection.process_tls_records(incoming),
                outgoing,
                what,
                sink,
            ),
            Connection::Client(connection) => take(
                connection.process_tls_records(incoming),
                outgoing,
                what,
                sink,
            ),
        };
        self.start += discard;
        if self.start >= self.incoming.len() {
            self.incoming.clear();
            self.start = 0;
        }
        self.is_ended |= matches!(turn, Ok(Turn::Ended));
        turn
    }
}

#[derive(Clone, Copy)]
enum Write<'a> {
    Data(&'a [u8]),
    CloseNotify,
}

/// What one call of rustls came to.
enum Turn {
    /// There is more to do.
    Again,
    /// Plaintext was given.
    Data,
    /// Nothing to do; what was to be written is written.
    Ready,
    /// More of the handshake must come first.
    Blocked,
    /// The peer said `close_notify`.
    Ended,
}

/// Does what rustls asks; gives how much of the ciphertext is done with.
fn take<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    outgoing: &mut Outgoing,
    what: Option<Write<'_>>,
    sink: &mut dyn FnMut(&[u8]),
) -> (usize, Result<Turn, rustls::Error>) {
    let UnbufferedStatus { mut discard, state } = status;
    let turn = match state {
        Err(error) => Err(error),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
            match traffic.next_record() {
                None => break Ok(Turn::Data),
                Some(Err(error)) => break Err(error),
                Some(Ok(record)) => {
                    discard += record.discard;
                    sink(record.payload);
                }
            }
        },
        Ok(ConnectionState::EncodeTlsData(data)) => encode(data, outgoing),
        Ok(ConnectionState::TransmitTlsData(data)) => {
            // All of `outgoing` goes out, in order: it is as good as sent.
            data.done();
            Ok(Turn::Again)
        }
        Ok(ConnectionState::WriteTraffic(traffic)) => match what {
            Some(what) => encrypt(traffic, what, outgoing),
            None => Ok(Turn::Ready),
        },
        Ok(ConnectionState::BlockedHandshake) => Ok(Turn::Blocked),
        Ok(ConnectionState::PeerClosed) => Ok(Turn::Ended),
        Ok(ConnectionState::Closed) => match what {
            Some(_) => Err(rustls::Error::EncryptError),
            None => Ok(Turn::Ended),
        },
        // 0-RTT is never offered (TLS-04).
        Ok(_) => Err(rustls::Error::General("unexpected TLS state".into())),
    };
    (discard, turn)
}

fn encode<Data>(
    mut data: EncodeTlsData<'_, Data>,
    outgoing: &mut Outgoing,
) -> Result<Turn, rustls::Error> {
    let mut room = RECORD_SIZE;
    loop {
        match data.encode(outgoing.room(room)) {
            Ok(written) => {
                outgoing.end += written;
                return Ok(Turn::Again);
            }
            Err(EncodeError::InsufficientSize(needed)) if needed.required_size > room => {
                room = needed.required_size;
            }
            Err(_) => return Err(rustls::Error::EncryptError),
        }
    }
}

fn encrypt<Data>(
    mut traffic: WriteTraffic<'_, Data>,
    what: Write<'_>,
    outgoing: &mut Outgoing,
) -> Result<Turn, rustls::Error> {
    let mut room = match what {
        Write::Data(bytes) => bytes.len() + (bytes.len() / RECORD_SIZE + 2) * RECORD_OVERHEAD,
        Write::CloseNotify => RECORD_OVERHEAD,
    };
    loop {
        let written = match what {
            Write::Data(bytes) => traffic.encrypt(bytes, outgoing.room(room)),
            Write::CloseNotify => traffic.queue_close_notify(outgoing.room(room)),
        };
        match written {
            Ok(written) => {
                outgoing.end += written;
                return Ok(Turn::Ready);
            }
            Err(EncryptError::InsufficientSize(needed)) if needed.required_size > room => {
                room = needed.required_size;
            }
            Err(_) => return Err(rustls::Error::EncryptError),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
