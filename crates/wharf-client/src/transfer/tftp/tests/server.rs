//! Another end on a loopback socket that says what a test wants.

use std::{net::SocketAddr, time::Duration};

use tokio::{net::UdpSocket, time::timeout};
use wharf_proto::tftp::{ErrorCode, Packet, packet};

/// Longer than anything takes; a test that waits for it has failed.
const LONG: Duration = Duration::from_secs(20);

/// A well-known port.
pub(super) struct Server(UdpSocket);

/// One transaction, on a port of its own.
pub(super) struct Session {
    pub(super) socket: UdpSocket,
    pub(super) client: SocketAddr,
}

impl Server {
    pub(super) async fn start() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").await.unwrap())
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("tftp://127.0.0.1:{}/{path}", self.port())
    }

    pub(super) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// The next request, and who sent it.
    pub(super) async fn hear(&self) -> (Vec<u8>, SocketAddr) {
        let mut room = [0; 2048];
        let (length, from) = timeout(LONG, self.0.recv_from(&mut room))
            .await
            .expect("no request came")
            .unwrap();
        (room[..length].to_vec(), from)
    }

    /// Takes the next request.
    pub(super) async fn accept(&self) -> (Session, Vec<u8>) {
        self.accept_at("127.0.0.1").await
    }

    /// Takes the next request from another address.
    pub(super) async fn accept_at(&self, address: &str) -> (Session, Vec<u8>) {
        let (request, client) = self.hear().await;
        let socket = UdpSocket::bind((address, 0)).await.unwrap();
        (Session { socket, client }, request)
    }

    /// Another request, if one is here.
    pub(super) fn try_hear(&self) -> Option<Vec<u8>> {
        let mut room = [0; 2048];
        let (length, _) = self.0.try_recv_from(&mut room).ok()?;
        Some(room[..length].to_vec())
    }

    /// Whether another request is here.
    pub(super) fn was_asked_again(&self) -> bool {
        self.try_hear().is_some()
    }
}

impl Session {
    pub(super) async fn say(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.client).await.unwrap();
    }

    pub(super) async fn data(&self, block: u16, content: &[u8]) {
        self.say(&[&packet::data_header(block), content].concat())
            .await;
    }

    pub(super) async fn ack(&self, block: u16) {
        self.say(&packet::ack(block)).await;
    }

    pub(super) async fn oack(&self, options: &[(&str, &str)]) {
        let mut datagram = vec![0, 6];
        for (name, value) in options {
            datagram.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        self.say(&datagram).await;
    }

    pub(super) async fn error(&self, code: u16) {
        let mut datagram = Vec::new();
        packet::error(ErrorCode::of(code), "the server's words", &mut datagram);
        self.say(&datagram).await;
    }

    pub(super) async fn hear(&self) -> Vec<u8> {
        let mut room = vec![0; 65_536];
        let (length, _) = timeout(LONG, self.socket.recv_from(&mut room))
            .await
            .expect("nothing came")
            .unwrap();
        room.truncate(length);
        room
    }

    /// The number of the next ACK.
    pub(super) async fn hear_ack(&self) -> u16 {
        let datagram = self.hear().await;
        match Packet::parse(&datagram) {
            Ok(Packet::Ack { block }) => block,
            other => panic!("no ACK but {other:?}"),
        }
    }

    /// Waits for this ACK; earlier ones may be repeated before it.
    pub(super) async fn until_ack(&self, block: u16) {
        while self.hear_ack().await != block {}
    }

    /// The code of the ERROR that ends it.
    pub(super) async fn hear_error(&self) -> u16 {
        loop {
            let datagram = self.hear().await;
            if let Ok(Packet::Error { code, .. }) = Packet::parse(&datagram) {
                return code;
            }
        }
    }

    /// Sends a file in windows of blocks, the numbers beginning again at 0.
    pub(super) async fn send(&self, content: &[u8], block_size: usize, window: u64) {
        let last = (content.len() / block_size) as u64 + 1;
        let mut done = 0;
        while done < last {
            let end = last.min(done + window);
            for block in done + 1..=end {
                let from = usize::try_from(block - 1).unwrap() * block_size;
                let to = content.len().min(from + block_size);
                self.data(wire(block), &content[from..to]).await;
            }
            // What the socket had no room for is asked for by an earlier number.
            loop {
                let number = self.hear_ack().await;
                if let Some(block) = (done..=end).find(|block| wire(*block) == number) {
                    done = block;
                    break;
                }
            }
        }
    }

    /// Receives a file; every window is acknowledged, the numbers beginning again at 0.
    pub(super) async fn receive(&self, block_size: usize, window: u64) -> Vec<u8> {
        let mut content = Vec::new();
        let mut block = 0;
        loop {
            let datagram = self.hear().await;
            let Ok(Packet::Data {
                block: number,
                data,
            }) = Packet::parse(&datagram)
            else {
                panic!("no block but {datagram:?}");
            };
            if number != wire(block + 1) {
                continue;
            }
            block += 1;
            content.extend_from_slice(data);
            let is_last = data.len() < block_size;
            if is_last || block % window == 0 {
                self.ack(wire(block)).await;
            }
            if is_last {
                return content;
            }
        }
    }
}

/// A block's number on the wire.
pub(super) fn wire(block: u64) -> u16 {
    u16::try_from(block % 65_536).unwrap()
}
