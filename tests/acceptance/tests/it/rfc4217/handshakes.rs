//! RFC 4217 4 and 15: handshakes that are cut up, never end, or are none. TLS-03, TLS-60; past holes
//! CVE-2024-11738, CVE-2024-32650.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use wharf_acceptance_tests::tls::hello::{ALERT, CLOSE_NOTIFY, HANDSHAKE, fragmented, record};
use wharf_acceptance_tests::tls::{Client, TLS12, TLS13, VERSIONS};
use wharf_acceptance_tests::{Control, Kind, Server};

/// A connection on which the server waits for the ClientHello.
#[track_caller]
fn waiting(server: &Server) -> TcpStream {
    let mut control = server.connect();
    control.expect("AUTH TLS", 234);
    control.into_stream()
}

/// The server closes, and what it said last is an alert at most: never a word of FTP.
#[track_caller]
fn closes_with_an_alert_at_most(mut stream: TcpStream) {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection stays open: {error}"),
    }
    assert!(
        matches!(said.first(), None | Some(&(ALERT | HANDSHAKE))),
        "{}",
        said.escape_ascii()
    );
    assert!(
        !said
            .windows(2)
            .any(|pair| pair == b"\r\n" && said[0] >= b' ')
    );
}

/// RFC 8446 5.1: two segments, cut at every byte of the ClientHello.
#[test]
fn a_client_hello_in_two_segments_cut_anywhere() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let client = Client::only(version);
        let mut at = 1;
        loop {
            let stream = waiting(&server);
            let mut secure = client.begin(stream.try_clone().unwrap());
            let hello = secure.outgoing();
            if at == hello.len() {
                break;
            }
            (&stream).write_all(&hello[..at]).unwrap();
            (&stream).write_all(&hello[at..]).unwrap();
            secure
                .handshake()
                .unwrap_or_else(|error| panic!("cut at {at}: {error}"));
            let mut control = Control::over(stream);
            control.under(secure);
            control.expect("QUIT", 221);
            at += 1;
        }
        assert!(at > 100, "the ClientHello has {at} bytes only");
    }
}

/// Past hole CVE-2024-11738: one ClientHello over two records, cut at every byte.
#[test]
fn cve_2024_11738_a_client_hello_in_two_records_cut_anywhere() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let client = Client::only(version);
        let mut at = 1;
        loop {
            let stream = waiting(&server);
            let mut secure = client.begin(stream.try_clone().unwrap());
            let hello = secure.outgoing();
            if at == hello.len() - 5 {
                break;
            }
            (&stream).write_all(&fragmented(&hello, at)).unwrap();
            secure
                .handshake()
                .unwrap_or_else(|error| panic!("cut at {at}: {error}"));
            at += 1;
        }
        assert!(at > 100, "the ClientHello has {at} bytes only");
    }
}

/// TLS-60: the whole handshake, and the session after it, in segments of one byte.
#[test]
fn a_handshake_in_segments_of_one_byte() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let stream = waiting(&server);
        let mut secure = Client::only(version)
            .begin(stream.try_clone().unwrap())
            .in_pieces_of(1);
        secure.handshake().unwrap();
        let mut control = Control::over(stream);
        control.under(secure);
        control.log_in();
        control.expect("PWD", 257);
    }
}

/// TLS-03: a failed handshake ends the connection; nothing goes on in clear.
#[test]
fn garbage_instead_of_a_handshake_ends_the_connection() {
    let server = Server::with_tls();
    let garbage: [&[u8]; 7] = [
        b"USER wharf\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        &[0; 600],
        &[0xff; 600],
        &[HANDSHAKE, 3, 1, 0xff, 0xff, 1, 0xff, 0xff, 0xff],
        &[HANDSHAKE, 3, 1, 0, 4, 2, 0, 0, 0],
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80\x03\x00\x80",
    ];
    for bytes in garbage {
        let stream = waiting(&server);
        (&stream).write_all(bytes).unwrap();
        if bytes.len() < 20 {
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        closes_with_an_alert_at_most(stream);
    }
    server.login().in_step();
}

/// Past hole CVE-2024-32650: close_notify in the middle of a handshake, and the end behind it.
#[test]
fn cve_2024_32650_close_notify_and_the_end_in_a_handshake() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let hello = Client::only(version).begin(waiting(&server)).outgoing();
        for front in [&[][..], &hello[..hello.len() / 2], &hello] {
            let stream = waiting(&server);
            (&stream).write_all(front).unwrap();
            (&stream).write_all(&CLOSE_NOTIFY).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            closes_with_an_alert_at_most(stream);
        }
    }
    server.login().in_step();
}

/// Past hole CVE-2024-32650: a close_notify that nobody has signed ends nothing; but no loop begins,
/// and the deadline of the handshake holds (TLS-03).
#[test]
fn cve_2024_32650_close_notify_in_a_handshake_starts_no_loop() {
    let server = Server::with_tls();
    let hello = Client::new().begin(waiting(&server)).outgoing();
    let before = (server.kind() == Kind::Wharf).then(|| server.processor_ticks());
    let hanging: Vec<_> = [&[][..], &hello[..hello.len() / 2], &hello]
        .into_iter()
        .map(|front| {
            let stream = waiting(&server);
            (&stream).write_all(front).unwrap();
            for _ in 0..3 {
                (&stream).write_all(&CLOSE_NOTIFY).unwrap();
            }
            stream
        })
        .collect();
    for stream in hanging {
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .unwrap();
        closes_with_an_alert_at_most(stream);
    }
    if let Some(before) = before {
        let used = server.processor_ticks() - before;
        assert!(used < 200, "{used} ticks of the processor for nothing");
    }
    server.login().in_step();
}

/// TLS-03: an alert, empty records, records of no known type.
#[test]
fn odd_records_in_a_handshake_end_the_connection() {
    let server = Server::with_tls();
    let flood: Vec<u8> = (0..64).flat_map(|_| record(HANDSHAKE, &[])).collect();
    for bytes in [
        record(ALERT, &[2, 40]),
        record(23, b"USER wharf\r\n"),
        record(99, b"x"),
        record(20, &[1]),
        flood,
    ] {
        let stream = waiting(&server);
        (&stream).write_all(&bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        closes_with_an_alert_at_most(stream);
    }
    server.login().in_step();
}

/// TLS-03: 15 seconds for the handshake, however slowly bytes drip in.
#[test]
fn a_handshake_that_never_ends_is_cut_off() {
    let server = Server::with_tls();
    let (silent, half) = (waiting(&server), waiting(&server));
    let hello = Client::new().begin(half.try_clone().unwrap()).outgoing();
    (&half).write_all(&hello[..hello.len() / 2]).unwrap();
    for stream in [silent, half] {
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .unwrap();
        closes_with_an_alert_at_most(stream);
    }
}

/// TLS-03: handshakes that hang keep nobody out.
#[test]
fn hanging_handshakes_do_not_keep_others_out() {
    let server = Server::with_tls();
    let hanging: Vec<_> = (0..30).map(|_| waiting(&server)).collect();
    for version in VERSIONS {
        server.private_login(&Client::only(version)).in_step();
    }
    drop(hanging);
}

/// A client may vanish at every byte of its handshake.
#[test]
fn a_client_may_vanish_in_its_handshake() {
    let server = Server::with_tls();
    for version in [TLS12, TLS13] {
        let client = Client::only(version);
        let length = client.begin(waiting(&server)).outgoing().len();
        for at in (0..length).step_by(7) {
            let stream = waiting(&server);
            let hello = client.begin(stream.try_clone().unwrap()).outgoing();
            (&stream).write_all(&hello[..at]).unwrap();
            wharf_acceptance_tests::socket::reset(stream);
        }
        // And with the ClientHello said, the answer unread.
        let stream = waiting(&server);
        let hello = client.begin(stream.try_clone().unwrap()).outgoing();
        (&stream).write_all(&hello).unwrap();
        wharf_acceptance_tests::socket::reset(stream);
    }
    server.secured(&Client::new()).log_in();
}
