//! TLS first, on port 990 (draft-murray-auth-ftp-ssl 3): TLS-01, TLS-30, TLS-65.

use std::io::{Read, Write};

use wharf_acceptance_tests::socket::connect_to;
use wharf_acceptance_tests::tls::hello::{ALERT, HANDSHAKE, read_record};
use wharf_acceptance_tests::tls::{Client, VERSIONS};
use wharf_acceptance_tests::{Control, Server, TlsSetup};

fn implicit() -> Server {
    Server::with_tls_as(TlsSetup {
        implicit: true,
        ..TlsSetup::default()
    })
}

#[track_caller]
fn login(server: &Server, client: &Client) -> Control {
    let mut control = server.implicit_connect(client);
    control.log_in();
    control.expect("TYPE I", 200);
    control.private_data(client);
    control
}

/// TLS-01: the greeting comes under TLS, in both versions.
#[test]
fn the_greeting_comes_under_tls() {
    let server = implicit();
    for version in VERSIONS {
        let mut control = server.implicit_connect(&Client::only(version));
        control.log_in();
        control.expect("QUIT", 221);
    }
}

/// TLS-01: nothing is said before the ClientHello.
#[test]
fn nothing_is_said_in_clear() {
    let server = implicit();
    let mut stream = connect_to(server.implicit()).unwrap();
    let hello = Client::new().begin(stream.try_clone().unwrap()).outgoing();
    stream.write_all(&hello).unwrap();
    let (kind, message) = read_record(&mut stream).unwrap().unwrap();
    assert_eq!((kind, message[0]), (HANDSHAKE, 2), "no ServerHello");
}

/// TLS-65: whoever speaks in clear is shown out without a word of FTP.
#[test]
fn commands_in_clear_end_the_connection() {
    let server = implicit();
    for line in ["USER wharf\r\n", "AUTH TLS\r\n", "GET / HTTP/1.0\r\n\r\n"] {
        let mut stream = connect_to(server.implicit()).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        let mut said = Vec::new();
        match stream.read_to_end(&mut said) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the connection stays open: {error}"),
        }
        assert!(
            matches!(said.first(), None | Some(&ALERT)),
            "{}",
            said.escape_ascii()
        );
    }
}

/// TLS-30, TLS-65; D-21: PBSZ 0 is implied, and data are private unless the client says otherwise.
#[test]
fn data_are_private_of_themselves() {
    let server = implicit();
    server.put("f", "hello");
    for version in VERSIONS {
        let mut control = login(&server, &Client::only(version));
        assert_eq!(control.fetch("RETR f"), b"hello");
        control.store("STOR g", b"x");
        assert_eq!(server.read("g"), b"x");
    }
}

/// TLS-30: PROT needs no PBSZ here.
#[test]
fn prot_needs_no_pbsz() {
    let server = implicit();
    server.put("f", "hello");
    let client = Client::new();
    let mut control = login(&server, &client);
    control.expect("PROT C", 200);
    control.clear_data();
    assert_eq!(control.fetch("RETR f"), b"hello");
    control.expect("PROT P", 200);
    control.private_data(&client);
    assert_eq!(control.fetch("RETR f"), b"hello");
    control.expect("PBSZ 0", 200);
}

/// TLS-12.
#[test]
fn auth_is_503() {
    let server = implicit();
    let mut control = server.implicit_connect(&Client::new());
    control.expect("AUTH TLS", 503);
    control.log_in();
    control.expect("AUTH TLS", 503);
}

/// TLS-65: REIN begins anew, under TLS; PROT is P again.
#[test]
fn rein_keeps_tls() {
    let server = implicit();
    server.put("f", "hello");
    let client = Client::new();
    let mut control = login(&server, &client);
    control.expect("PROT C", 200);
    control.expect("REIN", 220);
    control.expect("PWD", 530);
    control.log_in();
    control.expect("TYPE I", 200);
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// TLS-62, on this port.
#[test]
fn resumption_is_required_here_too() {
    let server = Server::with_tls_as(TlsSetup {
        implicit: true,
        reuse: true,
        ..TlsSetup::default()
    });
    server.put("f", "hello");
    for version in VERSIONS {
        let mut control = login(&server, &Client::only(version));
        assert_eq!(control.fetch("RETR f"), b"hello");
        if let Ok(mut data) = control.transfer("RETR f", &Client::only(version).forgetful()) {
            assert!(data.drain().0.is_empty());
        }
        control.wants(522);
        assert_eq!(control.fetch("RETR f"), b"hello");
    }
}

/// TLS-20: logins are under TLS here, so that a policy of TLS has nothing to refuse.
#[test]
fn a_policy_of_tls_is_met() {
    let server = Server::with_tls_as(TlsSetup {
        implicit: true,
        require: wharf_acceptance_tests::RequireTls::Both,
        ..TlsSetup::default()
    });
    server.put("f", "hello");
    let mut control = login(&server, &Client::new());
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// TLS-03: segments of one byte; the ClientHello cut anywhere in steps.
#[test]
fn a_client_hello_may_come_in_pieces() {
    let server = implicit();
    for at in (1..200).step_by(13) {
        let stream = connect_to(server.implicit()).unwrap();
        let mut secure = Client::new().begin(stream.try_clone().unwrap());
        let hello = secure.outgoing();
        (&stream).write_all(&hello[..at]).unwrap();
        (&stream).write_all(&hello[at..]).unwrap();
        secure.handshake().unwrap();
        let mut control = Control::over(stream);
        control.under(secure);
        control.wants(220);
    }
    let stream = connect_to(server.implicit()).unwrap();
    let mut secure = Client::new()
        .begin(stream.try_clone().unwrap())
        .in_pieces_of(1);
    secure.handshake().unwrap();
    let mut control = Control::over(stream);
    control.under(secure);
    control.wants(220);
    control.log_in();
}

/// TLS-03: 15 seconds here, too.
#[test]
fn a_handshake_that_never_ends_is_cut_off() {
    let server = implicit();
    let mut stream = connect_to(server.implicit()).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(40)))
        .unwrap();
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection stays open: {error}"),
    }
    assert!(matches!(said.first(), None | Some(&ALERT)));
}
