//! RFC 4217 9 and 10: transfers over TLS. TLS-35 to TLS-37.

use std::io::{Read, Write};

use wharf_acceptance_tests::tls::{Client, End, VERSIONS};
use wharf_acceptance_tests::{Server, noise};

/// RFC 4217 10: downloads of every size around a record's.
#[test]
fn downloads_arrive_whole() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let mut control = server.private_login(&Client::only(version));
        for size in [0, 1, 16_383, 16_384, 16_385, 65_536, 3_000_001] {
            let bytes = noise(7, size);
            server.put("f", &bytes);
            assert!(control.fetch("RETR f") == bytes, "{size}");
        }
    }
}

/// RFC 4217 10: uploads, too.
#[test]
fn uploads_arrive_whole() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let mut control = server.private_login(&Client::only(version));
        for size in [0, 1, 16_383, 16_384, 16_385, 65_536, 3_000_001] {
            let bytes = noise(8, size);
            control.store("STOR f", &bytes);
            assert!(server.read("f") == bytes, "{size}");
        }
    }
}

/// RFC 4217 10: listings are data.
#[test]
fn listings_are_private() {
    let server = Server::with_tls();
    server.put("f", "x");
    let mut control = server.private_login(&Client::new());
    assert!(control.lines("NLST").contains(&"f".to_owned()));
    assert!(
        control
            .lines("LIST")
            .iter()
            .any(|line| line.ends_with(" f"))
    );
}

/// RFC 959 4.1.3, RFC 3659 5: REST and APPE work as in clear.
#[test]
fn rest_and_appe_work_under_tls() {
    let server = Server::with_tls();
    server.put("f", "0123456789");
    let mut control = server.private_login(&Client::new());
    control.expect("REST 4", 350);
    assert_eq!(control.fetch("RETR f"), b"456789");
    control.store("APPE f", b"ab");
    control.expect("REST 2", 350);
    control.store("STOR f", b"XY");
    assert!(server.read("f").starts_with(b"01XY"));
}

/// RFC 959 3.1.1.1: TYPE A is translated inside TLS.
#[test]
fn text_is_translated_under_tls() {
    let server = Server::with_tls();
    server.put("f", "a\nb\n");
    let client = Client::new();
    let mut control = server.private_login(&client);
    control.expect("TYPE A", 200);
    assert_eq!(control.fetch("RETR f"), b"a\r\nb\r\n");
    control.store("STOR g", b"c\r\nd\r\n");
    assert_eq!(server.read("g"), b"c\nd\n");
}

/// RFC 4217 10; TLS-60: a data connection in segments of one byte.
#[test]
fn a_data_connection_in_segments_of_one_byte() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let data = control.passive();
        control.send("STOR f");
        control.wants_any(&[150, 125]);
        let mut data = client.begin(data).in_pieces_of(1);
        data.handshake().unwrap();
        data.write_all(b"hello, slowly").unwrap();
        data.finish().unwrap();
        let _ = data.drain();
        control.wants(226);
        assert_eq!(server.read("f"), b"hello, slowly");
    }
}

/// Records of one byte each: every one is a message of its own.
#[test]
fn an_upload_in_records_of_one_byte() {
    let server = Server::with_tls();
    let bytes = noise(2, 5_000);
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let mut data = control.transfer("STOR f", &client).unwrap();
        for byte in &bytes {
            data.write_all(&[*byte]).unwrap();
        }
        data.finish().unwrap();
        let _ = data.drain();
        control.wants(226);
        assert!(server.read("f") == bytes);
    }
}

/// RFC 4217 10.2; TLS-35: no handshake on a private data connection is 522, and the session goes on.
#[test]
fn a_data_connection_in_clear_is_522() {
    let server = Server::with_tls();
    server.put("f", "hello");
    let client = Client::new();
    let mut control = server.private_login(&client);
    let mut data = control.passive();
    control.send("STOR g");
    control.wants_any(&[150, 125]);
    data.write_all(b"plain text, and more of it than a record's head\r\n")
        .unwrap();
    let _ = data.shutdown(std::net::Shutdown::Write);
    let mut said = Vec::new();
    let _ = data.read_to_end(&mut said);
    drop(data);
    control.wants(522);
    control.in_step();
    assert_eq!(control.fetch("RETR f"), b"hello");
    assert!(!server.has("g"));
}

/// TLS-35: a file is never sent in clear where PROT is P.
#[test]
fn a_silent_data_connection_gets_no_byte_of_the_file() {
    let server = Server::with_tls();
    server.put("f", noise(4, 100_000));
    let client = Client::new();
    let mut control = server.private_login(&client);
    let data = control.passive();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    data.shutdown(std::net::Shutdown::Write).unwrap();
    let got = wharf_acceptance_tests::socket::drain(data);
    assert!(got.len() < 100, "{} bytes came", got.len());
    control.wants(522);
    control.in_step();
}

/// TLS-35: a handshake that the client gives up is 522 as well.
#[test]
fn a_data_handshake_that_breaks_off_is_522() {
    let server = Server::with_tls();
    let client = Client::new();
    let mut control = server.private_login(&client);
    let data = control.passive();
    control.send("STOR g");
    control.wants_any(&[150, 125]);
    let hello = client.begin(data.try_clone().unwrap()).outgoing();
    (&data).write_all(&hello[..hello.len() / 2]).unwrap();
    drop(data);
    control.wants(522);
    control.in_step();
    assert!(!server.has("g"));
}

/// RFC 959 4.1.3: a data connection that never begins its handshake can be aborted.
#[test]
fn abor_ends_a_data_handshake_that_hangs() {
    let server = Server::with_tls();
    let client = Client::new();
    let mut control = server.private_login(&client);
    let data = control.passive();
    control.send("STOR g");
    control.wants_any(&[150, 125]);
    control.send("ABOR");
    control.wants_any(&[426, 522, 425]);
    control.wants_any(&[226, 225]);
    drop(data);
    control.in_step();
    assert!(!server.has("g"));
}

/// RFC 959 4.1.3: ABOR under TLS ends a download.
#[test]
fn abor_ends_a_private_download() {
    let server = Server::with_tls();
    server.put("big", noise(5, 32 << 20));
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let mut data = control.transfer("RETR big", &client).unwrap();
        let mut first = [0; 1000];
        data.read_exact(&mut first).unwrap();
        control.send("ABOR");
        let (rest, _) = data.drain();
        drop(data);
        control.wants(426);
        control.wants_any(&[226, 225]);
        control.in_step();
        assert!(rest.len() < 32 << 20);
    }
}

/// INT-06: curl closes the data connection when it has enough.
#[test]
fn a_download_may_be_left_in_the_middle() {
    let server = Server::with_tls();
    server.put("big", noise(5, 32 << 20));
    let client = Client::new();
    let mut control = server.private_login(&client);
    let mut data = control.transfer("RETR big", &client).unwrap();
    data.read_exact(&mut [0; 1000]).unwrap();
    drop(data);
    control.wants_any(&[426, 451, 226]);
    control.in_step();
}

/// RFC 4217 10; TLS-11, TLS-36: the end of a download is told by close_notify.
#[test]
fn a_download_ends_with_close_notify() {
    let server = Server::with_tls();
    server.put("f", noise(6, 200_000));
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let mut data = control.transfer("RETR f", &client).unwrap();
        let (bytes, end) = data.drain();
        assert_eq!(bytes.len(), 200_000);
        assert!(matches!(end, End::CloseNotify), "{end:?}");
        let _ = data.finish();
        drop(data);
        control.wants(226);
    }
}

/// RFC 4217 7: the data connection shows the certificate of the control connection.
#[test]
fn data_connections_show_the_same_certificate() {
    let server = Server::with_tls();
    server.put("f", "x");
    let client = Client::new().forgetful();
    let mut control = server.private_login(&client);
    let certificate = control.tls().unwrap().certificate().unwrap();
    let mut data = control.transfer("RETR f", &client).unwrap();
    assert_eq!(data.certificate().unwrap(), certificate);
    let _ = data.drain();
    drop(data);
    control.wants(226);
}

/// Two private transfers side by side in two sessions.
#[test]
fn sessions_do_not_mix() {
    let server = Server::with_tls();
    let (one, two) = (noise(1, 500_000), noise(2, 500_000));
    server.put("one", &one);
    server.put("two", &two);
    let (a, b) = (Client::new(), Client::new());
    let (mut first, mut second) = (server.private_login(&a), server.private_login(&b));
    let mut x = first.transfer("RETR one", &a).unwrap();
    let mut y = second.transfer("RETR two", &b).unwrap();
    assert!(y.drain().0 == two);
    assert!(x.drain().0 == one);
    drop((x, y));
    first.wants(226);
    second.wants(226);
}
