//! A blocking TLS client on rustls that can be made to misbehave: handshakes stopped half-way or cut
//! into single bytes, tickets dropped or taken from another session, an end without close_notify.
//!
//! It takes any certificate (tests look at it afterwards) but checks that the server has its key. It
//! must not offer what rustls cannot do; older versions and renegotiation are [`hello`]'s and
//! `openssl s_client`'s matter.

pub mod certificates;
pub mod hello;
mod tickets;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, LazyLock};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind,
    ProtocolVersion, SignatureScheme, SupportedProtocolVersion,
};

use self::certificates::Identity;
use self::tickets::Tickets;
use crate::socket::with_patience;

/// TLS 1.2.
pub const TLS12: &SupportedProtocolVersion = &rustls::version::TLS12;
/// TLS 1.3.
pub const TLS13: &SupportedProtocolVersion = &rustls::version::TLS13;
/// Every version that a server must have, for tests that look at each.
pub const VERSIONS: [&SupportedProtocolVersion; 2] = [TLS12, TLS13];

/// What a client offers, and the sessions that it can resume. Copies share their sessions.
#[derive(Clone, Debug)]
pub struct Client {
    config: ClientConfig,
    versions: Vec<&'static SupportedProtocolVersion>,
    name: ServerName<'static>,
    tickets: Arc<Tickets>,
}

impl Default for Client {
    fn default() -> Self {
        Self::of(&VERSIONS)
    }
}

impl Client {
    /// One that speaks TLS 1.2 and 1.3, uses each ticket once and has none yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that speaks this version only.
    #[must_use]
    pub fn only(version: &'static SupportedProtocolVersion) -> Self {
        Self::of(&[version])
    }

    fn of(versions: &[&'static SupportedProtocolVersion]) -> Self {
        let tickets = Arc::new(Tickets::default());
        let mut config = builder(versions).with_no_client_auth();
        config.resumption = Resumption::store(Arc::clone(&tickets) as _);
        Self {
            config,
            versions: versions.to_vec(),
            name: ServerName::try_from("localhost").expect("a name"),
            tickets,
        }
    }

    /// The same sessions, another version.
    #[must_use]
    pub fn speaking(&self, version: &'static SupportedProtocolVersion) -> Self {
        let mut other = Self::only(version);
        other.config.resumption = Resumption::store(Arc::clone(&self.tickets) as _);
        other.config.client_auth_cert_resolver = Arc::clone(&self.config.client_auth_cert_resolver);
        other.tickets = Arc::clone(&self.tickets);
        other
    }

    /// Asks for this name (SNI).
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = ServerName::try_from(name.to_owned()).expect("a name");
        self
    }

    /// Sends no name at all.
    #[must_use]
    pub fn nameless(mut self) -> Self {
        self.config.enable_sni = false;
        self
    }

    /// Offers these protocols (ALPN).
    #[must_use]
    pub fn offering(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        self
    }

    /// Never resumes and keeps no ticket.
    #[must_use]
    pub fn forgetful(mut self) -> Self {
        self.config.resumption = Resumption::disabled();
        self
    }

    /// Would send early data, if a ticket allowed it.
    #[must_use]
    pub fn eager(mut self) -> Self {
        self.config.enable_early_data = true;
        self
    }

    /// Shows this certificate when asked. To be called before the first connection: sessions of
    /// another identity are not resumed.
    #[must_use]
    pub fn identified_by(mut self, identity: &Identity) -> Self {
        let mut config = builder(&self.versions)
            .with_client_auth_cert(identity.chain(), identity.key())
            .expect("a usable identity");
        config.resumption = self.config.resumption.clone();
        config.alpn_protocols = std::mem::take(&mut self.config.alpn_protocols);
        self.config = config;
        self
    }

    /// How many TLS 1.3 tickets are left.
    #[must_use]
    pub fn tickets(&self) -> usize {
        self.tickets.left()
    }

    /// Forgets all sessions and tickets.
    pub fn forget(&self) {
        self.tickets.forget();
    }

    /// A whole handshake over `socket`.
    ///
    /// # Errors
    /// The peer's alert ([`alert`]), its end, a broken rule of TLS, or a timeout.
    pub fn connect(&self, socket: TcpStream) -> io::Result<Secure> {
        let mut secure = self.begin(socket);
        secure.handshake()?;
        Ok(secure)
    }

    /// A session that has sent nothing yet.
    ///
    /// # Panics
    /// Never, with what this suite configures.
    #[must_use]
    pub fn begin(&self, socket: TcpStream) -> Secure {
        let session = ClientConnection::new(Arc::new(self.config.clone()), self.name.clone())
            .expect("a configuration that works");
        Secure {
            socket: with_patience(socket),
            session,
            piece: usize::MAX,
        }
    }
}

/// A TLS session over a TCP connection.
#[derive(Debug)]
pub struct Secure {
    socket: TcpStream,
    session: ClientConnection,
    piece: usize,
}

/// How the peer ended a stream.
#[derive(Debug)]
pub enum End {
    /// With close_notify.
    CloseNotify,
    /// With a FIN alone.
    Cut,
    /// With a reset, an alert or a timeout.
    Failed(io::Error),
}

impl Secure {
    /// Writes at most this many bytes in one segment from now on.
    #[must_use]
    pub fn in_pieces_of(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    /// What the session has to send now, taken out of it: before the handshake, the ClientHello.
    ///
    /// # Panics
    /// Never: a vector takes everything.
    pub fn outgoing(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.session.wants_write() {
            self.session.write_tls(&mut bytes).expect("a vector");
        }
        bytes
    }

    /// Goes on with the handshake to its end.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn handshake(&mut self) -> io::Result<()> {
        while self.session.is_handshaking() {
            self.send_pending()?;
            if self.session.wants_read() && self.pull()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.send_pending()
    }

    fn send_pending(&mut self) -> io::Result<()> {
        let bytes = self.outgoing();
        if bytes.is_empty() {
            return Ok(());
        }
        for piece in bytes.chunks(self.piece) {
            self.socket.write_all(piece)?;
        }
        Ok(())
    }

    fn pull(&mut self) -> io::Result<usize> {
        let count = self.session.read_tls(&mut self.socket)?;
        if let Err(error) = self.session.process_new_packets() {
            let _ = self.send_pending();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(count)
    }

    /// Sends close_notify and keeps the connection open.
    ///
    /// # Errors
    /// Those of write.
    pub fn notify_close(&mut self) -> io::Result<()> {
        self.session.send_close_notify();
        self.send_pending()
    }

    /// An orderly end of what this side sends: close_notify, then FIN.
    ///
    /// # Errors
    /// Those of write and shutdown.
    pub fn finish(&mut self) -> io::Result<()> {
        self.notify_close()?;
        self.socket.shutdown(Shutdown::Write)
    }

    /// A FIN without close_notify: what a cut line, or a bad client, looks like.
    ///
    /// # Errors
    /// Those of shutdown.
    pub fn cut(&mut self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }

    /// Reads to the end: what came and how it ended.
    pub fn drain(&mut self) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return (bytes, End::CloseNotify),
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return (bytes, End::Cut);
                }
                Err(error) => return (bytes, End::Failed(error)),
            }
        }
    }

    /// The socket below.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Gives up the session; nothing is sent.
    #[must_use]
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// The version agreed on.
    #[must_use]
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.session.protocol_version()
    }

    /// The suite agreed on, by its name in the registry.
    #[must_use]
    pub fn suite(&self) -> String {
        self.session
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()))
            .unwrap_or_default()
    }

    /// Whether a former session was resumed.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.session.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The protocol that the server chose (ALPN).
    #[must_use]
    pub fn protocol(&self) -> Option<&[u8]> {
        self.session.alpn_protocol()
    }

    /// The server's own certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        self.session.peer_certificates()?.first().cloned()
    }

    /// Whether the server's ticket lets this client send data before the handshake is done.
    pub fn may_send_early(&mut self) -> bool {
        self.session.early_data().is_some()
    }
}

impl Read for Secure {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            self.send_pending()?;
            // An end of the input shows in the reader's next answer.
            let _ = self.pull()?;
        }
    }
}

impl Write for Secure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.session.writer().write(bytes)?;
        self.send_pending()?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_pending()
    }
}

/// The alert behind a failed handshake or read, if the peer sent one.
#[must_use]
pub fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

fn builder(
    versions: &[&'static SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(versions)
        .expect("versions that the provider has")
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&VERIFIER) as _)
}

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(crypto::aws_lc_rs::default_provider()));

// One for all clients: rustls resumes a session only under the verifier that saw its start.
static VERIFIER: LazyLock<Arc<AnyCertificate>> = LazyLock::new(|| Arc::new(AnyCertificate));

/// Takes every certificate whose key the server has.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER
            .signature_verification_algorithms
            .supported_schemes()
    }
}
