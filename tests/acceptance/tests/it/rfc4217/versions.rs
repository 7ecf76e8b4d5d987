//! RFC 9325, RFC 8996: versions, suites, renegotiation. TLS-04, TLS-05; past hole CVE-2009-3555.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use wharf_acceptance_tests::tls::hello::{HANDSHAKE, client_hello, read_record};
use wharf_acceptance_tests::tls::{Client, VERSIONS};
use wharf_acceptance_tests::{Server, USER};

/// ECDHE with ECDSA, AES-GCM and ChaCha20.
const STRONG: [u16; 3] = [0xc02b, 0xc02c, 0xcca9];

/// What answers this ClientHello: the ServerHello, or `None`.
fn answer(server: &Server, hello: &[u8]) -> Option<Vec<u8>> {
    let mut control = server.connect();
    control.expect("AUTH TLS", 234);
    let mut stream = control.into_stream();
    stream.write_all(hello).unwrap();
    match read_record(&mut stream) {
        Ok(Some((HANDSHAKE, message))) if message[0] == 2 => Some(message),
        _ => {
            assert!(ends(stream), "neither a ServerHello nor the end");
            None
        }
    }
}

fn ends(mut stream: TcpStream) -> bool {
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// RFC 8996; TLS-04: SSL 3.0, TLS 1.0 and 1.1 are gone.
#[test]
fn old_versions_are_refused() {
    let server = Server::with_tls();
    let suites = [
        0xc02b, 0xc02c, 0xc009, 0xc00a, 0xc013, 0xc014, 0x002f, 0x0035, 0x000a, 0x0005,
    ];
    for version in [0x0300, 0x0301, 0x0302] {
        assert!(
            answer(&server, &client_hello(version, &suites)).is_none(),
            "{version:#06x}"
        );
    }
}

/// RFC 9325 4.1; TLS-05: no NULL, RC4, 3DES, CBC, export, anonymous, or suite without ECDHE.
#[test]
fn weak_suites_are_refused() {
    let server = Server::with_tls();
    for suite in [
        0x0001, 0x0002, 0x0004, 0x0005, 0x0003, 0x0009, 0x000a, 0x0018, 0x001b, 0x002f, 0x0035,
        0x003c, 0x003d, 0x009c, 0x009d, 0x0033, 0x0039, 0x0067, 0x006b, 0x009e, 0x009f, 0x00a6,
        0xc002, 0xc004, 0xc006, 0xc007, 0xc008, 0xc009, 0xc00a, 0xc010, 0xc011, 0xc012, 0xc013,
        0xc014, 0xc018, 0xc023, 0xc024, 0xc027, 0xc028, 0xc0ac, 0xc0ae,
    ] {
        assert!(
            answer(&server, &client_hello(0x0303, &[suite])).is_none(),
            "{suite:#06x}"
        );
    }
}

/// RFC 9325 4.2; TLS-05: each of the recommended ones works.
#[test]
fn strong_suites_are_taken() {
    let server = Server::with_tls();
    for suite in STRONG {
        let hello = answer(&server, &client_hello(0x0303, &[suite]))
            .unwrap_or_else(|| panic!("{suite:#06x}"));
        assert_eq!(chosen(&hello), (suite, 0));
    }
}

/// The suite and the compression of a ServerHello.
fn chosen(hello: &[u8]) -> (u16, u8) {
    let at = 4 + 2 + 32 + 1 + usize::from(hello[38]);
    (
        u16::from_be_bytes([hello[at], hello[at + 1]]),
        hello[at + 2],
    )
}

/// RFC 8446 4.1.2; TLS-04: the newest version that both have.
#[test]
fn the_newest_version_is_chosen() {
    let server = Server::with_tls();
    let control = server.secured(&Client::new());
    assert_eq!(control.tls().unwrap().version(), Some(VERSIONS[1].version));
}

/// RFC 8446 4.1.3: a server of TLS 1.3 marks each TLS 1.2 that it agrees to.
#[test]
fn a_downgrade_is_marked() {
    let server = Server::with_tls();
    let hello = answer(&server, &client_hello(0x0303, &STRONG)).unwrap();
    assert_eq!(&hello[4 + 2 + 24..4 + 2 + 32], b"DOWNGRD\x01");
}

/// RFC 7627; TLS-05: the extended master secret is used when it is offered.
#[test]
fn the_extended_master_secret_is_used() {
    let server = Server::with_tls();
    let hello = answer(&server, &client_hello(0x0303, &STRONG)).unwrap();
    // ServerHello alone: TLS 1.2 servers may put more messages into the record.
    let end = 4 + usize::from(u16::from_be_bytes([hello[2], hello[3]]));
    let mut rest = &hello[4 + 2 + 32 + 1 + usize::from(hello[38]) + 3 + 2..end];
    let mut kinds = Vec::new();
    while let [a, b, c, d, behind @ ..] = rest {
        kinds.push(u16::from_be_bytes([*a, *b]));
        rest = &behind[usize::from(u16::from_be_bytes([*c, *d]))..];
    }
    assert!(kinds.contains(&23), "extensions {kinds:?}");
    assert!(
        kinds.contains(&0xff01),
        "no renegotiation_info (RFC 5746): {kinds:?}"
    );
}

/// RFC 8446 8; TLS-04: no ticket allows data before the handshake is done.
#[test]
fn no_ticket_allows_early_data() {
    let server = Server::with_tls();
    server.put("f", "hello");
    let client = Client::new().eager();
    let mut control = server.private_login(&client);
    assert_eq!(control.fetch("RETR f"), b"hello");
    assert!(client.tickets() > 0, "the server gave no ticket");
    let data = control.passive();
    let mut secure = client.begin(data);
    assert!(!secure.may_send_early());
}

/// RFC 5746; TLS-04; past hole CVE-2009-3555: a second handshake inside a session is refused.
#[test]
fn cve_2009_3555_a_renegotiation_is_refused() {
    let server = Server::with_tls();
    // Both of its outputs in one, so that what follows what is seen.
    let mut client = Command::new("sh")
        .arg("-c")
        .arg("exec timeout 20 openssl s_client -starttls ftp -tls1_2 -connect \"$0\" 2>&1")
        .arg(server.address().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = client.stdin.take().unwrap();
    let mut output = client.stdout.take().unwrap();
    let mut said = String::new();
    let mut read_until = |marks: &[&str], from: usize| {
        let mut buffer = [0; 4096];
        while !marks.iter().any(|mark| said[from..].contains(mark)) {
            match output.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => said += &String::from_utf8_lossy(&buffer[..count]),
            }
        }
        said.clone()
    };
    // The session works, and only then is the handshake asked for again.
    let before = read_until(&["Extended master secret"], 0);
    assert!(before.contains("Protocol  : TLSv1.2"), "{before}");
    input
        .write_all(format!("USER {USER}\r\n").as_bytes())
        .unwrap();
    assert!(read_until(&["331 "], 0).contains("331 "));
    input.write_all(b"R\n").unwrap();
    let tried = read_until(&["RENEGOTIATING"], 0);
    let from = tried.find("RENEGOTIATING").expect("openssl tries");
    let after = read_until(&["no renegotiation", "verify return"], from);
    assert!(
        !after[from..].contains("verify return"),
        "a second handshake was made: {after}"
    );
    let _ = client.kill();
    let _ = client.wait();
    server.secured(&Client::new()).log_in();
}
