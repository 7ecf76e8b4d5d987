//! RFC 4217 4 and RFC 2228 3: AUTH, and what a session forgets when TLS begins.

use wharf_acceptance_tests::tls::hello::{HANDSHAKE, read_record};
use wharf_acceptance_tests::tls::{Client, VERSIONS};
use wharf_acceptance_tests::{PASSWORD, Server, USER};

/// RFC 4217 4; TLS-01, TLS-04: a login under each version.
#[test]
fn auth_tls_secures_the_session() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let mut control = server.secured(&Client::only(version));
        assert_eq!(control.tls().unwrap().version(), Some(version.version));
        control.log_in();
        control.expect("PWD", 257);
        control.expect("QUIT", 221);
    }
}

/// draft-murray-auth-ftp-ssl; TLS-01: the older names.
#[test]
fn the_other_names_of_auth_tls() {
    let server = Server::with_tls();
    for name in ["TLS-C", "TLS-P", "SSL"] {
        let mut control = server.connect();
        control.expect(format!("AUTH {name}"), 234);
        control.start_tls(&Client::new());
        control.log_in();
    }
}

/// draft-murray-auth-ftp-ssl: TLS-P and SSL make the data private, TLS and TLS-C do not.
#[test]
fn some_names_of_auth_make_the_data_private() {
    let server = Server::with_tls();
    server.put("f", "hello");
    for (name, private) in [
        ("TLS", false),
        ("TLS-C", false),
        ("TLS-P", true),
        ("SSL", true),
    ] {
        let client = Client::new();
        let mut control = server.connect();
        control.expect(format!("AUTH {name}"), 234);
        control.start_tls(&client);
        control.log_in();
        control.expect("TYPE I", 200);
        if private {
            control.private_data(&client);
        }
        assert_eq!(control.fetch("RETR f"), b"hello", "{name}");
    }
}

/// RFC 4217 4; RFC 2228 3: names of mechanisms have no case.
#[test]
fn the_mechanism_may_be_in_any_case() {
    let server = Server::with_tls();
    for line in ["auth tls", "Auth Tls", "AUTH tLS"] {
        let mut control = server.connect();
        control.expect(line, 234);
        control.start_tls(&Client::new());
        control.log_in();
    }
}

/// RFC 2228 3: 504 for a mechanism that the server does not know; the session goes on in clear.
#[test]
fn an_unknown_mechanism_is_504() {
    let server = Server::with_tls();
    let mut control = server.connect();
    for name in ["KERBEROS_V4", "TLS1", "X", "TLS-Q"] {
        control.expect(format!("AUTH {name}"), 504);
    }
    control.log_in();
}

/// RFC 2228 3.
#[test]
fn auth_without_a_mechanism_is_501() {
    let server = Server::with_tls();
    server.connect().expect("AUTH", 501);
}

/// RFC 2228 3; TLS-12: no TLS inside TLS.
#[test]
fn auth_under_tls_is_503() {
    let server = Server::with_tls();
    let mut control = server.secured(&Client::new());
    control.expect("AUTH TLS", 503);
    control.expect("AUTH SSL", 503);
    control.log_in();
    control.expect("AUTH TLS", 503);
    control.expect("PWD", 257);
}

/// RFC 2228 3; TLS-12: AUTH begins everything anew, the login too.
#[test]
fn auth_after_a_login_ends_it() {
    let server = Server::with_tls();
    let mut control = server.login();
    control.expect("PWD", 257);
    control.secure(&Client::new());
    control.expect("PWD", 530);
    control.log_in();
    control.expect("PWD", 257);
}

/// RFC 4217 4; RPL-37: a name given in clear could be somebody else's.
#[test]
fn auth_forgets_the_user() {
    let server = Server::with_tls();
    let mut control = server.connect();
    control.expect(format!("USER {USER}"), 331);
    control.secure(&Client::new());
    control.expect(format!("PASS {PASSWORD}"), 503);
    control.log_in();
}

/// RFC 2228 3; RPL-37: no directory, type, offset or name to rename from comes through.
#[test]
fn auth_resets_the_parameters() {
    let server = Server::with_tls();
    server.put("f", "a\nb\n");
    server.mkdir("d");
    let mut control = server.login();
    for (line, code) in [
        ("CWD d", 250),
        ("TYPE I", 200),
        ("RNFR /f", 350),
        ("REST 2", 350),
    ] {
        control.expect(line, code);
    }
    control.secure(&Client::new());
    control.log_in();
    assert_eq!(control.expect("PWD", 257).quoted().unwrap(), "/");
    control.expect("RNTO g", 503);
    assert_eq!(control.fetch("RETR f"), b"a\r\nb\r\n");
    assert!(server.has("f"));
}

/// RFC 4217 6; RFC 2389: before TLS and under it.
#[test]
fn feat_names_auth_pbsz_and_prot() {
    let server = Server::with_tls();
    let mut control = server.connect();
    for round in 0..2 {
        let features = control.expect("FEAT", 211).inner().join("\n");
        for name in ["AUTH TLS", "PBSZ", "PROT"] {
            assert!(
                features.lines().any(|line| line.trim().starts_with(name)),
                "{name}: {features}"
            );
        }
        if round == 0 {
            control.secure(&Client::new());
        }
    }
}

/// RFC 4217 4; TLS-02: behind the 234 comes TLS and nothing else.
#[test]
fn nothing_is_said_between_the_234_and_the_handshake() {
    let server = Server::with_tls();
    let mut control = server.connect();
    assert!(control.expect("AUTH TLS", 234).is_single_line());
    let mut stream = control.into_stream();
    let hello = Client::new().begin(stream.try_clone().unwrap()).outgoing();
    std::io::Write::write_all(&mut stream, &hello).unwrap();
    let (kind, message) = read_record(&mut stream).unwrap().unwrap();
    assert_eq!((kind, message[0]), (HANDSHAKE, 2), "no ServerHello");
}

/// RFC 4217 4: everything of RFC 959 works as before, only nobody reads along.
#[test]
fn a_whole_session_under_tls() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        control.expect("MKD d", 257);
        control.expect("CWD d", 250);
        control.store("STOR f", b"hello");
        assert!(control.lines("NLST").contains(&"f".to_owned()));
        assert_eq!(control.fetch("RETR f"), b"hello");
        assert_eq!(control.expect("SIZE f", 213).text(), "213 5");
        control.expect("RNFR f", 350);
        control.expect("RNTO g", 250);
        control.expect("DELE g", 250);
        control.expect("CDUP", 250);
        control.expect("RMD d", 250);
        control.expect("QUIT", 221);
    }
}

/// RPL-02: a command cut into records of one byte is one command.
#[test]
fn a_command_in_records_of_one_byte() {
    let server = Server::with_tls();
    let mut control = server.secured(&Client::new());
    control.dribble(format!("USER {USER}\r\n"));
    control.wants(331);
    control.dribble(format!("PASS {PASSWORD}\r\n"));
    control.wants(230);
    control.dribble("PWD\r\n");
    control.wants(257);
}

/// RPL-30: commands in one record are answered in order.
#[test]
fn commands_in_one_record_are_answered_in_order() {
    let server = Server::with_tls();
    let mut control = server.secured(&Client::new());
    control.log_in();
    control.raw("PWD\r\nNOOP\r\nTYPE I\r\nSYST\r\n");
    for code in [257, 200, 200, 215] {
        control.wants(code);
    }
}
