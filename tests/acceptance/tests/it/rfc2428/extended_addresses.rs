//! RFC 2428 2 to 4: EPRT and EPSV, over IPv4 and IPv6.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use wharf_acceptance_tests::socket::{connect_to, drain, with_patience};
use wharf_acceptance_tests::{Control, Server, Setup};

fn on_ipv6() -> Server {
    Server::with(Setup {
        address: Ipv6Addr::LOCALHOST.into(),
        ..Setup::default()
    })
}

/// RFC 2428 3; RPL 5: the network fields stay blank.
#[test]
fn the_229_has_its_form() {
    let server = Server::start();
    let reply = server.login().expect("EPSV", 229);
    assert!(
        reply.is_single_line()
            && reply
                .text()
                .starts_with("229 Entering Extended Passive Mode (|||"),
        "{reply:?}"
    );
}

/// RFC 2428 3, EPSV.
#[test]
fn a_download_over_epsv() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    let data = connect_to(control.epsv()).unwrap();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    assert_eq!(drain(data), b"hello");
    control.wants(226);
}

/// RFC 2428 3, EPSV with a family.
#[test]
fn epsv_1_is_the_family_of_an_ipv4_session() {
    let server = Server::start();
    server.login().expect("EPSV 1", 229);
}

/// RFC 2428 3: another family is 522.
#[test]
fn epsv_for_another_family_is_522() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("EPSV 2", 522);
    assert!(control.expect("EPSV 3", 522).text().contains("(1"));
}

/// RFC 2428 3.
#[test]
fn epsv_with_an_odd_argument_is_501() {
    let server = Server::start();
    server.login().expect_any("EPSV x", &[501, 522]);
}

/// RFC 2428 4; T-02, past hole ProFTPD 2286: after EPSV ALL only EPSV.
#[test]
fn after_epsv_all_only_epsv_sets_up_data() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    control.expect("EPSV ALL", 200);
    for line in ["PASV", "PORT 127,0,0,1,200,10", "EPRT |1|127.0.0.1|51210|"] {
        let reply = control.ask(line);
        assert!(matches!(reply.code, 500..=503), "{line}: {}", reply.text());
    }
    let data = connect_to(control.epsv()).unwrap();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    assert_eq!(drain(data), b"hello");
    control.wants(226);
}

/// Past hole ProFTPD 2286, 2255: an abort does not lift EPSV ALL.
#[test]
fn epsv_all_survives_an_abort() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("EPSV ALL", 200);
    control.expect_any("ABOR", &[226, 225]);
    control.expect_any("PASV", &[500, 501, 503]);
}

/// RFC 2428 4: ALL in any case.
#[test]
fn epsv_all_has_no_case() {
    let server = Server::start();
    server.login().expect("epsv all", 200);
}

/// RFC 2428 2, EPRT over IPv4.
#[test]
fn a_download_over_eprt() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    control.expect(
        format!(
            "EPRT |1|127.0.0.1|{}|",
            listener.local_addr().unwrap().port()
        ),
        200,
    );
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    assert_eq!(drain(with_patience(listener.accept().unwrap().0)), b"hello");
    control.wants(226);
}

/// RFC 2428 2: the first byte is the delimiter.
#[test]
fn eprt_takes_any_delimiter() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("EPRT !1!127.0.0.1!50000!", 200);
    control.expect("EPRT ,1,127.0.0.1,50000,", 200);
}

/// RFC 2428 2; T-02: an unknown family is 522 and names those that are possible.
#[test]
fn eprt_for_an_unknown_family_is_522() {
    let server = Server::start();
    let text = server.login().expect("EPRT |3|x|50000|", 522).text();
    assert!(text.contains("(1,2)") || text.contains("(1)"), "{text}");
}

/// RFC 2428 2.
#[test]
fn a_malformed_eprt_is_501() {
    let server = Server::start();
    let mut control = server.login();
    for line in [
        "EPRT",
        "EPRT |",
        "EPRT |1|127.0.0.1|",
        "EPRT |1|127.0.0.1|70000|",
        "EPRT |1|300.0.0.1|50000|",
        "EPRT |1|::1|50000|",
        "EPRT |1||50000|",
        "EPRT |1|127.0.0.1|x|",
        "EPRT |1|127.0.0.1|0|",
    ] {
        let reply = control.ask(line);
        assert!(
            matches!(reply.code, 500 | 501 | 522),
            "{line}: {}",
            reply.text()
        );
    }
}

/// RFC 2428 3: EPSV on IPv6.
#[test]
fn a_download_over_epsv_on_ipv6() {
    let server = on_ipv6();
    server.put("f", "hello");
    let mut control = server.login();
    assert_eq!(control.fetch("RETR f"), b"hello");
    control.expect("EPSV 2", 229);
    control.expect("EPSV 1", 522);
}

/// RFC 2428 2: EPRT on IPv6.
#[test]
fn a_download_over_eprt_on_ipv6() {
    let server = on_ipv6();
    server.put("f", "hello");
    let mut control: Control = server.login();
    let listener = control.active();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    assert_eq!(drain(with_patience(listener.accept().unwrap().0)), b"hello");
    control.wants(226);
}

/// RFC 2428 1; INT-20: PASV cannot name an IPv6 address.
#[test]
fn pasv_on_ipv6_is_refused() {
    let server = on_ipv6();
    let reply = server.login().ask("PASV");
    assert!(
        matches!(reply.code, 425 | 501 | 502 | 522),
        "{}",
        reply.text()
    );
}
