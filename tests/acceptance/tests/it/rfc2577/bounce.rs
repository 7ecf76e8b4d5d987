//! RFC 2577 3: the bounce attack. Past hole CVE-1999-0017.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use wharf_acceptance_tests::control::port_line;
use wharf_acceptance_tests::socket::connect_from;
use wharf_acceptance_tests::{Control, Server};

const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn nobody_came(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        ErrorKind::WouldBlock,
        "the server connected to a third party"
    );
}

/// RFC 2577 3; past hole CVE-1999-0017: PORT names the control peer, or is refused.
#[test]
fn port_to_a_third_party_is_refused() {
    let server = Server::start();
    let mut control = server.login();
    let victim = TcpListener::bind((OTHER, 0)).unwrap();
    control.expect_any(
        port_line(OTHER, victim.local_addr().unwrap().port()),
        &[500, 501, 504],
    );
    let reply = control.ask("LIST");
    assert!(
        matches!(reply.code, 150 | 425 | 426 | 503),
        "{}",
        reply.text()
    );
    nobody_came(&victim);
}

/// RFC 2577 3; past hole CVE-1999-0017: EPRT is no way round.
#[test]
fn eprt_to_a_third_party_is_refused() {
    let server = Server::start();
    let mut control = server.login();
    let victim = TcpListener::bind((OTHER, 0)).unwrap();
    let port = victim.local_addr().unwrap().port();
    control.expect_any(format!("EPRT |1|{OTHER}|{port}|"), &[500, 501, 504, 522]);
    nobody_came(&victim);
}

/// DAT-05: a remote peer may not point the server at its own loopback address.
#[test]
fn port_to_the_servers_own_address_is_refused() {
    let server = Server::start();
    let mut control = Control::over(connect_from(OTHER.into(), server.address()).unwrap());
    control.wants(220);
    control.log_in();
    let victim = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = victim.local_addr().unwrap().port();
    control.expect_any(port_line(Ipv4Addr::LOCALHOST, port), &[500, 501, 504]);
    nobody_came(&victim);
}

/// RFC 2577 3; D-16: ports below 1024 belong to other services.
#[test]
fn port_below_1024_is_refused() {
    let server = Server::start();
    let mut control = server.login();
    for port in [1, 25, 80, 1023] {
        control.expect_any(port_line(Ipv4Addr::LOCALHOST, port), &[500, 501, 504]);
        control.expect_any(format!("EPRT |1|127.0.0.1|{port}|"), &[500, 501, 504]);
    }
    control.expect(port_line(Ipv4Addr::LOCALHOST, 1024), 200);
}

/// PORT 0 is no port.
#[test]
fn port_zero_is_refused() {
    let server = Server::start();
    server
        .login()
        .expect_any("PORT 127,0,0,1,0,0", &[500, 501, 504]);
}

/// DAT-05: no multicast, no broadcast, no unspecified address.
#[test]
fn port_to_a_group_is_refused() {
    let server = Server::start();
    let mut control = server.login();
    for line in [
        "PORT 224,0,0,1,200,10",
        "PORT 255,255,255,255,200,10",
        "PORT 0,0,0,0,200,10",
    ] {
        let reply = control.ask(line);
        assert!(
            matches!(reply.code, 500 | 501 | 504),
            "{line}: {}",
            reply.text()
        );
    }
}

/// Past hole CVE-1999-0017: an IPv4-mapped address is no way round.
#[test]
fn eprt_to_a_mapped_address_is_refused() {
    let server = Server::start();
    server
        .login()
        .expect_any("EPRT |2|::ffff:127.0.0.2|50000|", &[500, 501, 522]);
}
