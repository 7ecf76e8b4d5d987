//! RFC 4217 5, 6 and 13: CCC and REIN take the control connection out of TLS. TLS-40 to TLS-44,
//! TLS-61.

use wharf_acceptance_tests::tls::{Client, VERSIONS};
use wharf_acceptance_tests::{Control, PASSWORD, RequireTls, Server, Setup, TlsSetup, USER};

fn allowing() -> Server {
    Server::with_tls_as(TlsSetup {
        ccc: true,
        ..TlsSetup::default()
    })
}

/// A logged-in session that has left TLS.
#[track_caller]
fn cleared(server: &Server, client: &Client) -> Control {
    let mut control = server.private_login(client);
    control.expect("CCC", 200);
    control.leave_tls();
    control
}

/// RFC 2228 3; TLS-40: nothing protects, so nothing can be cleared.
#[test]
fn ccc_in_clear_is_533() {
    let server = allowing();
    let mut control = server.connect();
    control.expect("CCC", 533);
    control.log_in();
    control.expect("CCC", 533);
}

/// TLS-40, TLS-61: not before the password was told.
#[test]
fn ccc_before_the_login_is_534() {
    let server = allowing();
    let mut control = server.secured(&Client::new());
    control.expect("CCC", 534);
    control.expect(format!("USER {USER}"), 331);
    control.expect("CCC", 534);
    control.expect(format!("PASS {PASSWORD}"), 230);
}

/// TLS-40: a server that was not told to allow it does not.
#[test]
fn ccc_is_534_where_it_is_not_allowed() {
    let server = Server::with_tls();
    let mut control = server.secured(&Client::new());
    control.log_in();
    control.expect("CCC", 534);
    control.in_step();
}

/// ANON-03: anybody may not.
#[test]
fn ccc_is_534_for_anonymous() {
    let server = Server::with(Setup {
        anonymous: true,
        tls: Some(TlsSetup {
            ccc: true,
            ..TlsSetup::default()
        }),
        ..Setup::default()
    });
    let mut control = server.secured(&Client::new());
    control.expect("USER anonymous", 331);
    control.expect("PASS me@example.test", 230);
    control.expect("CCC", 534);
}

/// RFC 4217 5; TLS-41: 200 under TLS, close_notify both ways, and then in clear.
#[test]
fn ccc_leaves_tls() {
    let server = allowing();
    for version in VERSIONS {
        let mut control = cleared(&server, &Client::only(version));
        control.expect("PWD", 257);
        control.expect("NOOP", 200);
        control.expect("QUIT", 221);
        control.closes();
    }
}

/// TLS-41: a peer that sends no close_notify but commands in clear is heard.
#[test]
fn ccc_works_with_a_client_that_sends_no_close_notify() {
    let server = allowing();
    for version in VERSIONS {
        let mut control = server.private_login(&Client::only(version));
        control.expect("CCC", 200);
        let mut tls = control.drop_tls();
        let (rest, _) = read_to_close_notify(&mut tls);
        assert!(rest.is_empty());
        control.expect("PWD", 257);
        control.expect("NOOP", 200);
    }
}

fn read_to_close_notify(tls: &mut wharf_acceptance_tests::tls::Secure) -> (Vec<u8>, bool) {
    let mut rest = [0; 64];
    let read = std::io::Read::read(tls, &mut rest);
    (
        rest[..read.as_ref().copied().unwrap_or(0)].to_vec(),
        matches!(read, Ok(0)),
    )
}

/// TLS-41: a silent client is in clear after five seconds; its first command then is heard.
#[test]
fn ccc_does_not_wait_for_ever_for_close_notify() {
    let server = allowing();
    let mut control = server.private_login(&Client::new());
    control.expect("CCC", 200);
    let mut tls = control.drop_tls();
    assert!(read_to_close_notify(&mut tls).1, "no close_notify came");
    // It may come late, too: both orders must do.
    control.dribble("PWD\r\n");
    control.wants(257);
}

/// TLS-42, TLS-61: nothing more can be agreed, until REIN.
#[test]
fn after_ccc_nothing_is_agreed_any_more() {
    let server = allowing();
    let mut control = cleared(&server, &Client::new());
    for line in ["PBSZ 0", "PROT C", "PROT P", "AUTH TLS"] {
        control.expect(line, 503);
    }
    control.expect("CCC", 533);
    control.in_step();
}

/// TLS-42: the data stay private, and resume as before.
#[test]
fn after_ccc_the_data_stay_private() {
    let server = Server::with_tls_as(TlsSetup {
        ccc: true,
        reuse: true,
        ..TlsSetup::default()
    });
    server.put("f", "hello");
    for version in VERSIONS {
        let mut control = cleared(&server, &Client::only(version));
        for _ in 0..5 {
            assert_eq!(control.fetch("RETR f"), b"hello");
            control.store("STOR g", b"x");
        }
    }
}

/// TLS-43: no name and no password in clear.
#[test]
fn after_ccc_no_secret_is_taken() {
    let server = allowing();
    let mut control = cleared(&server, &Client::new());
    for line in [
        format!("USER {USER}"),
        format!("PASS {PASSWORD}"),
        "ACCT x".to_owned(),
    ] {
        control.expect(line, 534);
    }
    control.expect("PWD", 257);
}

/// TLS-42: REIN after CCC begins anew, in clear.
#[test]
fn rein_after_ccc_begins_anew() {
    let server = allowing();
    server.put("f", "hello");
    let mut control = cleared(&server, &Client::new());
    control.expect("REIN", 220);
    control.expect("PWD", 530);
    let client = Client::new();
    control.secure(&client);
    control.protect(&client);
    control.log_in();
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// TLS-40: never where logins must be under TLS.
#[test]
fn ccc_is_534_where_logins_need_tls() {
    for require in [RequireTls::Login, RequireTls::Both] {
        let server = Server::with_tls_as(TlsSetup {
            require,
            ..TlsSetup::default()
        });
        let mut control = server.secured(&Client::new());
        control.log_in();
        control.expect("CCC", 534);
    }
}

/// RFC 4217 13; TLS-44: REIN is answered under TLS; then the connection is as after its greeting.
#[test]
fn rein_leaves_tls() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let mut control = server.secured(&Client::only(version));
        control.log_in();
        control.expect("REIN", 220);
        control.leave_tls();
        control.expect("PWD", 530);
        control.secure(&Client::only(version));
        control.log_in();
        control.expect("PWD", 257);
    }
}

/// TLS-44: REIN before a login does the same.
#[test]
fn rein_before_a_login_leaves_tls() {
    let server = Server::with_tls();
    let mut control = server.secured(&Client::new());
    control.expect("REIN", 220);
    control.leave_tls();
    control.log_in();
}
