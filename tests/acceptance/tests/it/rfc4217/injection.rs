//! RFC 4217 15.1, RPL-33, RPL-35; past hole CVE-2011-1575: what came in clear is never heard as if it
//! had come under TLS, nor the other way round.

use wharf_acceptance_tests::tls::Client;
use wharf_acceptance_tests::tls::hello::ALERT;
use wharf_acceptance_tests::{Control, PASSWORD, Server, TlsSetup, USER};

/// The session ends; at most a 421 or the 234 was said, nothing else, and under TLS nothing at all.
#[track_caller]
fn ends_unheard(mut control: Control) {
    loop {
        match control.try_reply() {
            Ok(Some(reply)) if reply.code == 234 => {
                if control.unparsed().first() == Some(&ALERT) {
                    return;
                }
                if control.try_start_tls(&Client::new()).is_err() {
                    return;
                }
            }
            Ok(Some(reply)) => {
                assert_eq!(reply.code, 421, "{}", control.dialogue());
                assert!(control.tls().is_none(), "{}", control.dialogue());
            }
            Ok(None) => return,
            Err(error) => {
                assert!(
                    !matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ),
                    "the session goes on\n{}",
                    control.dialogue()
                );
                return;
            }
        }
    }
}

/// RPL-33, TLS-60; past hole CVE-2011-1575: `AUTH TLS` and more in one segment.
#[test]
fn cve_2011_1575_commands_behind_auth_end_the_session() {
    let server = Server::with_tls();
    for behind in [
        "USER wharf\r\n",
        "NOOP\r\n",
        "USER wharf\r\nPASS se cret\r\nDELE f\r\n",
        "QUIT\r\n",
        "AUTH TLS\r\n",
    ] {
        let mut control = server.connect();
        control.raw(format!("AUTH TLS\r\n{behind}"));
        control.wants(421);
        control.closes();
    }
}

/// RPL-33: a part of a line is enough, and so is a lone byte.
#[test]
fn any_byte_behind_auth_ends_the_session() {
    let server = Server::with_tls();
    for behind in ["U", "USER wharf", "\r", "\n", "\0", "\u{16}"] {
        let mut control = server.connect();
        control.raw(format!("AUTH TLS\r\n{behind}"));
        control.wants(421);
        control.closes();
    }
}

/// RPL-33: every other name of AUTH.
#[test]
fn commands_behind_auth_ssl_end_the_session() {
    let server = Server::with_tls();
    for name in ["SSL", "TLS-P", "TLS-C"] {
        let mut control = server.connect();
        control.raw(format!("AUTH {name}\r\nUSER {USER}\r\n"));
        control.wants(421);
        control.closes();
    }
}

/// TLS-60: segments of one byte; whichever way they fall, nothing of them is executed.
#[test]
fn commands_behind_auth_are_not_heard_in_segments_of_one_byte() {
    let server = Server::with_tls();
    server.put("f", "x");
    for _ in 0..5 {
        let mut control = server.connect();
        control.dribble(format!(
            "AUTH TLS\r\nUSER {USER}\r\nPASS {PASSWORD}\r\nDELE f\r\n"
        ));
        ends_unheard(control);
    }
    assert!(server.has("f"));
}

/// Past hole CVE-2011-1575, as it was exploited: the client's own handshake follows what a stranger
/// has slipped in.
#[test]
fn cve_2011_1575_a_handshake_behind_injected_commands_hears_nothing_of_them() {
    let server = Server::with_tls();
    server.put("f", "x");
    let mut control = server.connect();
    let mut bytes =
        format!("AUTH TLS\r\nUSER {USER}\r\nPASS {PASSWORD}\r\nDELE f\r\n").into_bytes();
    let socket = control.stream().try_clone().unwrap();
    bytes.extend(Client::new().begin(socket).outgoing());
    control.raw(bytes);
    ends_unheard(control);
    assert!(server.has("f"));
}

/// RPL-30: what stands before AUTH is answered first, in clear.
#[test]
fn commands_before_auth_are_answered_first() {
    let server = Server::with_tls();
    let mut control = server.connect();
    control.raw("FEAT\r\nFEAT\r\nAUTH TLS\r\n");
    control.wants(211);
    control.wants(211);
    control.wants(234);
    control.start_tls(&Client::new());
    control.log_in();
}

/// RPL-33: commands in front and behind, in one segment.
#[test]
fn commands_on_both_sides_of_auth_end_the_session() {
    let server = Server::with_tls();
    let mut control = server.connect();
    control.raw(format!("FEAT\r\nAUTH TLS\r\nUSER {USER}\r\n"));
    control.wants(211);
    control.wants(421);
    control.closes();
}

/// RPL-33: an AUTH that is refused is no border.
#[test]
fn commands_behind_a_refused_auth_are_answered() {
    let server = Server::with_tls();
    let mut control = server.connect();
    control.raw("AUTH NOSUCH\r\nFEAT\r\n");
    control.wants(504);
    control.wants(211);
}

/// RPL-35: what stands behind CCC inside TLS may not be heard as if it had come in clear.
#[test]
fn commands_behind_ccc_end_the_session() {
    let server = Server::with_tls_as(TlsSetup {
        ccc: true,
        ..TlsSetup::default()
    });
    for behind in ["NOOP\r\n", "DELE f\r\n", "N"] {
        let mut control = server.secured(&Client::new());
        control.log_in();
        control.raw(format!("CCC\r\n{behind}"));
        control.wants(421);
        control.closes();
    }
}

/// RPL-35, TLS-44: the same behind REIN.
#[test]
fn commands_behind_rein_under_tls_end_the_session() {
    let server = Server::with_tls();
    let mut control = server.secured(&Client::new());
    control.log_in();
    control.raw(format!("REIN\r\nUSER {USER}\r\n"));
    control.wants(421);
    control.closes();
}
