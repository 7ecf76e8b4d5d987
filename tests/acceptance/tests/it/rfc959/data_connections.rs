//! RFC 959 3.2, 4.1.2 and 5.2: PORT, PASV and the data connection.

use std::net::{Ipv4Addr, TcpListener};

use wharf_acceptance_tests::control::port_line;
use wharf_acceptance_tests::socket::{connect_to, drain, with_patience};
use wharf_acceptance_tests::{Server, Setup};

/// RFC 959 4.1.2, PORT.
#[test]
fn a_download_over_port() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    let listener = control.active();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    assert_eq!(drain(with_patience(listener.accept().unwrap().0)), b"hello");
    control.wants(226);
}

/// RFC 959 4.1.2, PORT, upload.
#[test]
fn an_upload_over_port() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let listener = control.active();
    control.send("STOR f");
    control.wants_any(&[150, 125]);
    std::io::Write::write_all(&mut listener.accept().unwrap().0, b"hello").unwrap();
    control.wants(226);
    assert_eq!(server.read("f"), b"hello");
}

/// RFC 959 3.2; DAT-02: the data come from the control connection's address.
#[test]
fn the_active_connection_comes_from_the_control_address() {
    let server = Server::start();
    let mut control = server.login();
    let listener = control.active();
    control.send("NLST");
    control.wants_any(&[150, 125]);
    let (data, from) = listener.accept().unwrap();
    drop(data);
    assert_eq!(from.ip(), server.address().ip());
    control.wants(226);
}

/// RFC 959 5.4: nobody listens at the PORT's address.
#[test]
fn an_active_connection_that_fails_is_425() {
    let server = Server::start();
    server.put("f", "x");
    let mut control = server.login();
    drop(control.active());
    let reply = control.ask("RETR f");
    if reply.code == 150 {
        control.wants_any(&[425, 426]);
    } else {
        assert_eq!(reply.code, 425);
    }
    control.in_step();
}

/// RFC 959 5.3.2, PORT; T-02.
#[test]
fn a_malformed_port_is_501() {
    let server = Server::start();
    let mut control = server.login();
    for line in [
        "PORT",
        "PORT 1,2,3,4,5",
        "PORT 127,0,0,1,4",
        "PORT 127,0,0,1,4,256",
        "PORT 127,0,0,1,999,1",
        "PORT a,b,c,d,e,f",
        "PORT 127,0,0,1,4,1,1",
        "PORT 127.0.0.1.4.1",
        "PORT ,,,,,",
        "PORT 127,0,0,1,-4,1",
        "PORT 127,0,0,1,99999999999999999999,1",
    ] {
        let reply = control.ask(line);
        assert!(matches!(reply.code, 500 | 501), "{line}: {}", reply.text());
    }
}

/// DAT-06: a refused PORT leaves the former set-up.
#[test]
fn a_refused_port_keeps_the_passive_listener() {
    let server = Server::start();
    let mut control = server.login();
    let data = control.passive();
    control.expect_any("PORT 1,2,3", &[500, 501]);
    control.send("NLST");
    control.wants_any(&[150, 125]);
    let _ = drain(data);
    control.wants(226);
}

/// RFC 959 4.1.2, PASV; RPL 5: the exact words that firewalls and cameras look for.
#[test]
fn the_227_has_its_customary_form() {
    let server = Server::start();
    let reply = server.login().expect("PASV", 227);
    let text = reply.text();
    assert!(
        reply.is_single_line() && text.starts_with("227 Entering Passive Mode (127,0,0,1,"),
        "{text}"
    );
    assert!(text.trim_end_matches('.').ends_with(')'), "{text}");
}

/// DAT-10: the listener stands on the control connection's address.
#[test]
fn pasv_names_the_control_address() {
    let server = Server::start();
    let mut control = server.login();
    let address = control.pasv();
    assert_eq!(address.ip(), server.address().ip());
    assert!(address.port() >= 1024);
    connect_to(address).unwrap();
}

/// RFC 959 4.1.2; DAT-11: one listener a session.
#[test]
fn a_new_pasv_closes_the_former_listener() {
    let server = Server::start();
    let mut control = server.login();
    let old = control.pasv();
    let new = control.pasv();
    assert_ne!(old, new);
    assert!(
        connect_to(old).is_err(),
        "the former listener still accepts"
    );
    connect_to(new).unwrap();
}

/// DAT-11: PORT closes the listener.
#[test]
fn port_closes_the_passive_listener() {
    let server = Server::start();
    let mut control = server.login();
    let address = control.pasv();
    let _listener = control.active();
    assert!(connect_to(address).is_err(), "the listener still accepts");
}

/// DAT-11: QUIT closes the listener.
#[test]
fn quit_closes_the_passive_listener() {
    let server = Server::start();
    let mut control = server.login();
    let address = control.pasv();
    control.expect("QUIT", 221);
    control.closes();
    assert!(connect_to(address).is_err(), "the listener still accepts");
}

/// DAT-15: after the one connection that was asked for the listener is gone.
#[test]
fn a_passive_listener_takes_one_connection() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    let address = control.pasv();
    let data = connect_to(address).unwrap();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    assert_eq!(drain(data), b"hello");
    control.wants(226);
    assert!(connect_to(address).is_err(), "the listener still accepts");
}

/// RFC 959 5.2: some clients connect only after the 150.
#[test]
fn the_client_may_connect_after_the_150() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    let address = control.pasv();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    assert_eq!(drain(connect_to(address).unwrap()), b"hello");
    control.wants(226);
}

/// DAT-10: ports come from the range that was set, and only from there.
#[test]
fn passive_ports_stay_in_their_range() {
    let server = Server::with(Setup {
        passive_ports: Some((28_500, 28_519)),
        ..Setup::default()
    });
    let mut control = server.login();
    for _ in 0..30 {
        let port = control.pasv().port();
        assert!((28_500..=28_519).contains(&port), "{port}");
    }
}

/// DAT-10: an exhausted range is 425, and it recovers.
#[test]
fn an_exhausted_range_is_425() {
    let server = Server::with(Setup {
        passive_ports: Some((28_600, 28_601)),
        ..Setup::default()
    });
    let (mut one, mut two, mut three) = (server.login(), server.login(), server.login());
    one.pasv();
    two.pasv();
    three.expect("PASV", 425);
    one.expect("QUIT", 221);
    one.closes();
    three.pasv();
}

/// RFC 959 5.4, PASV takes no argument; INT-19.
#[test]
fn pasv_is_not_confused_by_case() {
    let server = Server::start();
    server.login().expect("pAsV", 227);
}

/// RFC 959 3.2; DAT-01: a PORT serves one transfer, and only one.
#[test]
fn a_port_is_used_up_by_its_transfer() {
    let server = Server::start();
    let mut control = server.login();
    let listener = control.active();
    control.send("NLST");
    control.wants_any(&[150, 125]);
    drop(listener.accept().unwrap());
    control.wants(226);
    listener.set_nonblocking(true).unwrap();
    let reply = control.ask("NLST");
    if reply.code == 150 {
        control.wants_any(&[425, 426]);
    } else {
        assert_eq!(reply.code, 425);
    }
    assert!(
        listener.accept().is_err(),
        "a second connection came without a second PORT"
    );
}

/// RFC 959 5.3.2: leading zeros are numbers too.
#[test]
fn port_takes_leading_zeros() {
    let server = Server::start();
    let mut control = server.login();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let line = port_line(Ipv4Addr::LOCALHOST, port).replace("127,0,0,1", "127,000,00,01");
    control.expect(line, 200);
}

/// DAT-10: the ports of ended transfers (TIME-WAIT) can be used again: a small range lasts.
#[test]
fn a_small_range_serves_many_transfers() {
    let server = Server::with(Setup {
        passive_ports: Some((28_700, 28_719)),
        ..Setup::default()
    });
    server.put("f", "hello");
    let mut control = server.login();
    for _ in 0..200 {
        assert_eq!(control.fetch("RETR f"), b"hello");
    }
}
