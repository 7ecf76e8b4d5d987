//! RFC 4217 7 and 10: active data connections; the server connects, and is the server of TLS all the
//! same. TLS-64.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr};

use wharf_acceptance_tests::socket::with_patience;
use wharf_acceptance_tests::tls::{Client, VERSIONS};
use wharf_acceptance_tests::{Control, Server, Setup, TlsSetup, noise};

#[track_caller]
fn down_and_up(control: &mut Control, server: &Server, client: &Client) {
    let bytes = noise(4, 100_000);
    server.put("f", &bytes);
    let listener = control.active();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    let mut data = client
        .connect(with_patience(listener.accept().unwrap().0))
        .unwrap();
    assert!(data.drain().0 == bytes);
    let _ = data.finish();
    control.wants(226);
    let listener = control.active();
    control.send("STOR g");
    control.wants_any(&[150, 125]);
    let mut data = client
        .connect(with_patience(listener.accept().unwrap().0))
        .unwrap();
    data.write_all(&bytes).unwrap();
    data.finish().unwrap();
    let _ = data.drain();
    control.wants(226);
    assert!(server.read("g") == bytes);
}

/// TLS-64, PORT.
#[test]
fn transfers_over_port() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        down_and_up(&mut control, &server, &client);
    }
}

/// TLS-64, EPRT over IPv6.
#[test]
fn transfers_over_eprt() {
    let server = Server::with(Setup {
        address: IpAddr::V6(Ipv6Addr::LOCALHOST),
        tls: Some(TlsSetup::default()),
        ..Setup::default()
    });
    let client = Client::new();
    let mut control = server.private_login(&client);
    down_and_up(&mut control, &server, &client);
}

/// TLS-64: from the implicit port.
#[test]
fn transfers_over_port_from_the_implicit_port() {
    let server = Server::with_tls_as(TlsSetup {
        implicit: true,
        ..TlsSetup::default()
    });
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.implicit_connect(&client);
        control.log_in();
        control.expect("TYPE I", 200);
        down_and_up(&mut control, &server, &client);
    }
}

/// TLS-33, TLS-64: resumption is required of active connections as well.
#[test]
fn resumption_is_required_over_port() {
    let server = Server::with_tls_as(TlsSetup {
        reuse: true,
        ..TlsSetup::default()
    });
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        down_and_up(&mut control, &server, &client);
        let listener = control.active();
        control.send("STOR new");
        control.wants_any(&[150, 125]);
        let stream = with_patience(listener.accept().unwrap().0);
        if let Ok(mut data) = Client::only(version).forgetful().connect(stream) {
            let _ = data.write_all(b"poison");
            let _ = data.finish();
            let _ = data.drain();
        }
        control.wants(522);
        assert!(!server.has("new"));
        control.expect("DELE g", 250);
    }
}

/// TLS-35: whoever answers the server's connection in clear gets no file.
#[test]
fn a_listener_in_clear_gets_no_file() {
    let server = Server::with_tls();
    server.put("f", noise(4, 100_000));
    let client = Client::new();
    let mut control = server.private_login(&client);
    let listener = control.active();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    let stream = with_patience(listener.accept().unwrap().0);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(wharf_acceptance_tests::socket::drain(stream).len() < 100);
    control.wants(522);
    control.in_step();
}
