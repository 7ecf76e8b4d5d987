//! RFC 4217 11 and 12, RFC 2228 3: what a server refuses in clear. TLS-20 to TLS-22.

use wharf_acceptance_tests::tls::Client;
use wharf_acceptance_tests::{PASSWORD, RequireTls, Server, TlsSetup, USER};

fn requiring(require: RequireTls) -> Server {
    Server::with_tls_as(TlsSetup {
        require,
        ..TlsSetup::default()
    })
}

/// TLS-20: no password goes over the wire in clear.
#[test]
fn a_login_in_clear_is_refused() {
    for require in [RequireTls::Login, RequireTls::Both] {
        let server = requiring(require);
        let mut control = server.connect();
        // At the name, so that clients do not go on to the password.
        let codes = [421, 503, 530, 534, 550];
        control.expect_any(format!("USER {USER}"), &codes);
        // Some close the connection then.
        for line in [&format!("PASS {PASSWORD}"), "PWD"] {
            control.send(line);
            if let Ok(Some(reply)) = control.try_reply() {
                assert!(codes.contains(&reply.code), "{}", control.dialogue());
            }
        }
    }
}

/// TLS-20: what leads to TLS, or tells nothing, is allowed.
#[test]
fn harmless_commands_are_allowed_in_clear() {
    let server = requiring(RequireTls::Login);
    let mut control = server.connect();
    for (line, code) in [
        ("FEAT", 211),
        ("SYST", 215),
        ("NOOP", 200),
        ("HELP", 214),
        ("OPTS UTF8 ON", 200),
    ] {
        control.expect(line, code);
    }
    control.secure(&Client::new());
    control.log_in();
}

/// TLS-20: nothing that acts.
#[test]
fn nothing_acts_in_clear_where_logins_need_tls() {
    let server = requiring(RequireTls::Login);
    server.put("f", "x");
    let mut control = server.connect();
    for line in [
        "PWD",
        "PASV",
        "RETR f",
        "DELE f",
        "STOR g",
        "LIST",
        "MKD d",
        "SITE CHMOD 777 f",
        "ACCT x",
    ] {
        let reply = control.ask(line);
        assert!(reply.code >= 500, "{line}: {}", reply.text());
    }
    assert_eq!(server.names(), ["f"]);
}

/// TLS-20: under TLS the login is as ever, and data may be in clear.
#[test]
fn data_may_be_in_clear_where_only_logins_need_tls() {
    let server = requiring(RequireTls::Login);
    server.put("f", "hello");
    let mut control = server.secured(&Client::new());
    control.log_in();
    control.expect("TYPE I", 200);
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// RFC 2228 3, 521; TLS-21: transfers in clear are refused before the 150.
#[test]
fn data_in_clear_are_521_where_they_must_be_private() {
    for require in [RequireTls::Data, RequireTls::Both] {
        let server = requiring(require);
        server.put("f", "hello");
        let client = Client::new();
        let mut control = server.secured(&client);
        control.log_in();
        for line in ["RETR f", "STOR g", "APPE f", "LIST", "NLST"] {
            control.refused(line, &[521]);
        }
        assert_eq!(server.read("f"), b"hello");
        assert!(!server.has("g"));
        control.protect(&client);
        assert_eq!(control.fetch("RETR f"), b"hello");
    }
}

/// TLS-21: a login in clear is allowed where only data must be private; its transfers are not.
#[test]
fn a_login_in_clear_has_no_data_where_they_must_be_private() {
    let server = requiring(RequireTls::Data);
    server.put("f", "hello");
    let mut control = server.login();
    control.refused("RETR f", &[521]);
    control.refused("STOR g", &[521]);
    assert!(!server.has("g"));
    control.in_step();
}

/// RFC 2228 3, 534; TLS-22: where both are required PROT C itself is refused.
#[test]
fn prot_c_is_534_where_data_must_be_private() {
    let server = requiring(RequireTls::Both);
    let mut control = server.secured(&Client::new());
    control.expect("PBSZ 0", 200);
    control.expect("PROT C", 534);
    control.expect("PROT P", 200);
}
