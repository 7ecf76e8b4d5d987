//! The record layer without a socket: both ends of it, cut into every kind of piece.

use rustls::{
    RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::PrivateKeyDer,
    version::{TLS12, TLS13},
};

use super::*;

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// Both ends' configuration, with a certificate made for this test.
pub(crate) fn sides(version: &'static SupportedProtocolVersion) -> (Side, Side) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![made.cert.der().clone()],
            PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into()),
        )
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    (
        Side::Server(Arc::new(server)),
        Side::Client(Arc::new(client), name),
    )
}

/// One end and what it has heard.
struct Peer {
    tls: Tls,
    outgoing: Outgoing,
    heard: Vec<u8>,
}

impl Peer {
    fn new(side: Side) -> Self {
        Self {
            tls: Tls::new(side).unwrap(),
            outgoing: Outgoing::default(),
            heard: Vec::new(),
        }
    }

    fn work(&mut self) -> Result<Step, Error> {
        loop {
            let heard = &mut self.heard;
            let step = self.tls.step(&mut self.outgoing, &mut |bytes| {
                heard.extend_from_slice(bytes);
            })?;
            if step != Step::Data {
                return Ok(step);
            }
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let bytes = self.outgoing.filled().to_vec();
        self.outgoing.clear();
        bytes
    }
}

/// Carries what one end says to the other in pieces, until nobody says anything.
fn talk(a: &mut Peer, b: &mut Peer, piece: usize) {
    loop {
        a.work().unwrap();
        let said = a.take();
        for piece in said.chunks(piece) {
            b.tls.feed(piece).unwrap();
            b.work().unwrap();
        }
        b.work().unwrap();
        let answer = b.take();
        for piece in answer.chunks(piece) {
            a.tls.feed(piece).unwrap();
            a.work().unwrap();
        }
        if said.is_empty() && answer.is_empty() {
            return;
        }
    }
}

fn connected(version: &'static SupportedProtocolVersion, piece: usize) -> (Peer, Peer) {
    let (server, client) = sides(version);
    let (mut server, mut client) = (Peer::new(server), Peer::new(client));
    talk(&mut client, &mut server, piece);
    assert!(!server.tls.is_handshaking() && !client.tls.is_handshaking());
    (server, client)
}

/// CVE-2024-11738: a ClientHello, and all else, may come in pieces of any size.
#[test]
fn a_handshake_cut_at_every_octet_is_a_handshake() {
    for version in VERSIONS {
        for piece in [1, 2, 7, 4096] {
            let (server, client) = connected(version, piece);
            let facts = server.tls.facts().unwrap();
            assert_eq!(facts.version, version.version);
            assert!(!facts.resumed);
            assert_eq!(client.tls.facts().unwrap().peer_certificates.len(), 1);
        }
    }
}

#[test]
fn what_is_sent_arrives_whatever_its_size() {
    for version in VERSIONS {
        let (mut server, mut client) = connected(version, usize::MAX);
        for size in [1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 96 * 1024] {
            let content: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            server.tls.send(&content, &mut server.outgoing).unwrap();
            let said = server.take();
            for piece in said.chunks(1000) {
                client.tls.feed(piece).unwrap();
                client.work().unwrap();
            }
            assert!(std::mem::take(&mut client.heard) == content, "{size}");
        }
    }
}

/// RFC 8446 6.1: the end is said, once, and what stands before it still counts.
#[test]
fn tls_11_close_notify_is_the_end() {
    for version in VERSIONS {
        let (mut server, mut client) = connected(version, usize::MAX);
        server.tls.send(b"last", &mut server.outgoing).unwrap();
        server.tls.close(&mut server.outgoing).unwrap();
        let once = server.outgoing.filled().len();
        server.tls.close(&mut server.outgoing).unwrap();
        assert_eq!(server.outgoing.filled().len(), once);
        assert!(server.tls.send(b"more", &mut server.outgoing).is_err());
        client.tls.feed(&server.take()).unwrap();
        assert_eq!(client.work().unwrap(), Step::Ended);
        assert_eq!(client.work().unwrap(), Step::Ended);
        assert_eq!(client.heard, b"last");
        // The other direction is still open (RFC 4217 12.3).
        client.tls.close(&mut client.outgoing).unwrap();
        server.tls.feed(&client.take()).unwrap();
        assert_eq!(server.work().unwrap(), Step::Ended);
    }
}

/// CVE-2024-32650: close_notify in the middle of a handshake ends it, at once.
#[test]
fn cve_2024_32650_close_notify_in_a_handshake_is_no_endless_loop() {
    let (server, _) = sides(&TLS13);
    let mut server = Peer::new(server);
    // Alert, TLS 1.2, two octets: warning, close_notify. Each is looked at once, and some are enough.
    let refused = (0..100).any(|_| {
        server.tls.feed(&[0x15, 3, 3, 0, 2, 1, 0]).unwrap();
        server.work().is_err()
    });
    assert!(refused && server.tls.is_handshaking());
}

/// The peer is told why, by an alert.
#[test]
fn garbage_instead_of_a_handshake_gets_an_alert() {
    let (server, _) = sides(&TLS13);
    let mut server = Peer::new(server);
    server.tls.feed(b"USER anonymous\r\nPASS x@\r\n").unwrap();
    assert!(server.work().is_err());
    // An alert record, fatal.
    assert!(matches!(server.take()[..], [0x15, 3, _, 0, 2, 2, _]));
    assert!(server.work().is_err());
}

/// Half of a handshake message waits while we speak: rustls keeps places in the buffer.
#[test]
fn half_a_message_that_waits_does_not_disturb_what_is_sent() {
    let (mut server, mut client) = connected(&TLS13, usize::MAX);
    server.tls.send(&[1; 1000], &mut server.outgoing).unwrap();
    let said = server.take();
    let (head, tail) = said.split_at(500);
    client.tls.feed(head).unwrap();
    client.work().unwrap();
    client.tls.send(b"meanwhile", &mut client.outgoing).unwrap();
    server.tls.feed(&client.take()).unwrap();
    server.work().unwrap();
    assert_eq!(server.heard, b"meanwhile");
    client.tls.feed(tail).unwrap();
    client.work().unwrap();
    assert_eq!(client.heard, [1; 1000]);
}

/// What arrives while something is sent is not lost.
#[test]
fn plaintext_that_came_before_a_write_is_given_after_it() {
    let (mut server, mut client) = connected(&TLS13, usize::MAX);
    server.tls.send(b"first", &mut server.outgoing).unwrap();
    client.tls.feed(&server.take()).unwrap();
    client.tls.send(b"second", &mut client.outgoing).unwrap();
    client.work().unwrap();
    assert_eq!(client.heard, b"first");
}

#[test]
fn a_flood_without_a_whole_record_is_cut_off() {
    let (server, _) = sides(&TLS13);
    let mut tls = Tls::new(server).unwrap();
    let mut fed = 0;
    while tls.feed(&[0x16; 4096]).is_ok() {
        fed += 4096;
        assert!(fed <= MOST_INCOMING);
    }
}

/// The buffer that ciphertext lies in is freed when nothing waits in it.
#[test]
fn an_idle_connection_owns_no_buffer() {
    let (mut server, _client) = connected(&TLS13, usize::MAX);
    server.tls.shrink();
    assert_eq!(server.tls.incoming.capacity(), 0);
    assert!(size_of::<Tls>() <= 1600, "{}", size_of::<Tls>());
}
