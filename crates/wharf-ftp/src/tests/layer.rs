//! A client's TLS over a socket that the test keeps in its own hands: rustls as programs use it, so
//! that every octet on the wire can be cut, delayed or left out.

use std::{
    io::{self, Read as _, Write as _},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore,
    SupportedProtocolVersion, client::Resumption, crypto::aws_lc_rs, pki_types::CertificateDer,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A configuration for one control connection and its data connections.
pub(super) fn config(
    certificate: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(64);
    config
}

/// TLS of one connection.
pub(super) struct Layer {
    pub(super) tls: ClientConnection,
    /// The first octets go out alone, so many of them.
    cut: Option<usize>,
    /// So many octets go out at once.
    piece: usize,
}

impl Layer {
    pub(super) fn new(config: &Arc<ClientConfig>) -> Self {
        let name = "localhost".try_into().unwrap();
        Self {
            tls: ClientConnection::new(Arc::clone(config), name).unwrap(),
            cut: None,
            piece: usize::MAX,
        }
    }

    /// Every octet goes out alone.
    pub(super) fn in_octets(config: &Arc<ClientConfig>) -> Self {
        Self {
            piece: 1,
            ..Self::new(config)
        }
    }

    /// The first flight goes out in two parts.
    pub(super) fn cut_at(config: &Arc<ClientConfig>, cut: usize) -> Self {
        Self {
            cut: Some(cut),
            ..Self::new(config)
        }
    }

    /// The whole handshake.
    pub(super) async fn shake_hands(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        self.flush(socket).await?;
        while self.tls.is_handshaking() {
            if self.fill(socket).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.flush(socket).await?;
        }
        Ok(())
    }

    pub(super) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub(super) fn version(&self) -> Option<ProtocolVersion> {
        self.tls.protocol_version()
    }

    pub(super) async fn flush(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        let mut out = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut out)?;
        }
        let cut = self.cut.take().unwrap_or_default().min(out.len());
        let (first, rest) = out.split_at(cut);
        for piece in [first].into_iter().chain(rest.chunks(self.piece)) {
            socket.write_all(piece).await?;
            if piece.len() < out.len() {
                // The other end is to read it alone.
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
            }
        }
        Ok(())
    }

    async fn fill(&mut self, socket: &mut TcpStream) -> io::Result<usize> {
        let mut piece = vec![0; 16 * 1024];
        let count = socket.read(&mut piece).await?;
        let mut left = piece.get(..count).unwrap();
        if count == 0 {
            return Ok(0);
        }
        while !left.is_empty() {
            self.tls.read_tls(&mut left)?;
            if let Err(error) = self.tls.process_new_packets() {
                let _ = self.flush(socket).await;
                return Err(io::Error::other(error));
            }
        }
        Ok(count)
    }

    pub(super) async fn write(&mut self, socket: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(16 * 1024) {
            self.tls.writer().write_all(piece)?;
            self.flush(socket).await?;
        }
        Ok(())
    }

    /// What comes next; `None` behind the peer's `close_notify`, an error at an end without it.
    pub(super) async fn read(&mut self, socket: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
        loop {
            let mut bytes = vec![0; 64 * 1024];
            match self.tls.reader().read(&mut bytes) {
                Ok(0) => return Ok(None),
                Ok(count) => {
                    bytes.truncate(count);
                    return Ok(Some(bytes));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if self.fill(socket).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.flush(socket).await?;
        }
    }

    pub(super) async fn read_all(&mut self, socket: &mut TcpStream) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(bytes) = self.read(socket).await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    /// Says `close_notify`.
    pub(super) async fn close(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        self.tls.send_close_notify();
        self.flush(socket).await
    }
}

/// A data connection.
pub(super) struct Data {
    pub(super) socket: TcpStream,
    pub(super) layer: Layer,
}

impl Data {
    pub(super) async fn read_all(&mut self) -> io::Result<Vec<u8>> {
        super::client::soon(self.layer.read_all(&mut self.socket)).await
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        let writing = self.layer.write(&mut self.socket, bytes);
        super::client::soon(writing).await.unwrap();
    }

    /// Ends in order, and waits for the other end's word, as `ftplib` does.
    pub(super) async fn finish(mut self) {
        self.layer.close(&mut self.socket).await.unwrap();
        self.read_all().await.unwrap();
    }
}
