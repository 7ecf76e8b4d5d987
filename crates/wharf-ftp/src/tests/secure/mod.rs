//! FTP over TLS, with a real client at the other end (`ftps.md`).

mod basics;
mod border;
mod certificates;
mod policy;
mod resumption;
mod transfers;

use std::sync::Arc;

use rustls::{
    ClientConfig, SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use tokio::net::TcpStream;

use super::{
    client::{Reply, soon},
    layer::{Data, Layer, config},
    *,
};

pub(super) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A client whose control connection and data connections are under TLS.
pub(super) struct SecureClient {
    pub(super) client: Client,
    pub(super) config: Arc<ClientConfig>,
}

impl House {
    /// A client's configuration that trusts this service.
    pub(super) fn client_config(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        config(self.certificate.as_ref().unwrap(), version)
    }
}

impl SecureClient {
    /// AUTH TLS, and PROT P; not logged in.
    pub(super) async fn explicit(house: &House, config: ClientConfig) -> Self {
        let mut secure = Self {
            client: Client::connect(house).await,
            config: Arc::new(config),
        };
        secure.auth().await;
        secure.client.ask("PBSZ 0", 200).await;
        secure.client.ask("PROT P", 200).await;
        secure
    }

    /// TLS first; not logged in.
    pub(super) async fn implicit(house: &House, config: ClientConfig) -> Self {
        let mut secure = Self {
            client: Client::connect_to(house.implicit).await,
            config: Arc::new(config),
        };
        secure.shake_hands().await.unwrap();
        secure.client.expect(220).await;
        secure
    }

    /// Explicit, as anna, in binary.
    pub(super) async fn login(house: &House, version: &'static SupportedProtocolVersion) -> Self {
        let mut secure = Self::explicit(house, house.client_config(version)).await;
        secure.enter("anna").await;
        secure
    }

    pub(super) async fn enter(&mut self, user: &str) {
        self.client.ask(&format!("USER {user}"), 331).await;
        self.client.ask("PASS secret", 230).await;
        self.client.ask("TYPE I", 200).await;
    }

    pub(super) async fn auth(&mut self) {
        self.client.ask("AUTH TLS", 234).await;
        self.shake_hands().await.unwrap();
    }

    pub(super) async fn shake_hands(&mut self) -> std::io::Result<()> {
        let mut layer = Layer::new(&self.config);
        soon(layer.shake_hands(&mut self.client.control)).await?;
        self.client.tls = Some(layer);
        Ok(())
    }

    /// A data connection, not yet under TLS.
    pub(super) async fn passive(&mut self) -> Data {
        let config = Arc::clone(&self.config);
        self.passive_with(&config).await
    }

    /// The same with another client's TLS; a layer takes its ticket when it is made.
    pub(super) async fn passive_with(&mut self, config: &Arc<ClientConfig>) -> Data {
        Data {
            socket: self.client.passive().await,
            layer: Layer::new(config),
        }
    }

    /// Passive, the command, its 150 and the handshake behind it.
    pub(super) async fn begin(&mut self, command: &str) -> Data {
        let mut data = self.passive().await;
        self.client.ask(command, 150).await;
        soon(data.layer.shake_hands(&mut data.socket))
            .await
            .unwrap();
        data
    }

    /// A command that sends us something, to its 226.
    pub(super) async fn fetch(&mut self, command: &str) -> Vec<u8> {
        let mut data = self.begin(command).await;
        let bytes = data.read_all().await.unwrap();
        self.client.expect(226).await;
        bytes
    }

    /// A command that takes something from us, ended in order, to its final reply.
    pub(super) async fn give(&mut self, command: &str, bytes: &[u8]) -> Reply {
        let mut data = self.begin(command).await;
        data.write(bytes).await;
        data.finish().await;
        self.client.reply().await
    }

    /// A command whose data connection is refused: the reply behind its 150.
    pub(super) async fn refused(&mut self, command: &str, config: &Arc<ClientConfig>) -> Reply {
        let mut data = self.passive_with(config).await;
        self.client.ask(command, 150).await;
        // How far he comes differs with the version of TLS.
        let _ = soon(data.layer.shake_hands(&mut data.socket)).await;
        let reply = self.client.reply().await;
        let _ = data.layer.write(&mut data.socket, b"poison").await;
        if let Ok(bytes) = data.read_all().await {
            assert_eq!(bytes, b"", "{command}");
        }
        reply
    }
}
