//! RFC 4217 8 and 9, RFC 2228 3: PBSZ and PROT. TLS-30, TLS-61.

use wharf_acceptance_tests::tls::{Client, VERSIONS};
use wharf_acceptance_tests::{Control, Server};

#[track_caller]
fn codes(control: &mut Control, rows: &[(&str, u16)]) {
    for (line, code) in rows {
        control.expect(line, *code);
    }
}

/// RFC 2228 3: there is nothing to protect before AUTH.
#[test]
fn pbsz_and_prot_before_auth_are_503() {
    let server = Server::with_tls();
    let mut control = server.connect();
    codes(&mut control, &[("PBSZ 0", 503), ("PROT P", 503)]);
    control.log_in();
    codes(
        &mut control,
        &[("PBSZ 0", 503), ("PROT P", 503), ("PROT C", 503)],
    );
}

/// RFC 2228 3; TLS-61.
#[test]
fn prot_before_pbsz_is_503() {
    let server = Server::with_tls();
    let mut control = server.secured(&Client::new());
    codes(
        &mut control,
        &[
            ("PROT P", 503),
            ("PROT C", 503),
            ("PBSZ 0", 200),
            ("PROT P", 200),
        ],
    );
}

/// RFC 4217 8: under TLS the size is 0, whatever is asked for.
#[test]
fn pbsz_agrees_on_zero() {
    let server = Server::with_tls();
    let mut control = server.secured(&Client::new());
    for size in ["0", "1", "16384", "4294967295"] {
        let text = control.expect(format!("PBSZ {size}"), 200).text();
        assert!(size == "0" || text.contains("PBSZ=0"), "{size}: {text}");
    }
}

/// RFC 2228 3; TLS-61: a size is a number of 32 bits.
#[test]
fn a_malformed_pbsz_is_501() {
    let server = Server::with_tls();
    let mut control = server.secured(&Client::new());
    for line in [
        "PBSZ",
        "PBSZ x",
        "PBSZ -1",
        "PBSZ 4294967296",
        "PBSZ 99999999999999999999",
        "PBSZ 0x0",
    ] {
        control.expect(line, 501);
    }
    control.expect("PROT P", 503);
}

/// RFC 4217 9: Safe and Confidential mean nothing under TLS (536); other letters nothing at all (504).
#[test]
fn other_levels_are_refused() {
    let server = Server::with_tls();
    let mut control = server.secured(&Client::new());
    codes(
        &mut control,
        &[
            ("PBSZ 0", 200),
            ("PROT S", 536),
            ("PROT E", 536),
            ("PROT X", 504),
            ("PROT", 501),
            ("PROT P", 200),
            ("PROT C", 200),
        ],
    );
}

/// RFC 2228 3: levels have no case.
#[test]
fn levels_may_be_in_lower_case() {
    let server = Server::with_tls();
    let mut control = server.secured(&Client::new());
    codes(
        &mut control,
        &[("pbsz 0", 200), ("prot p", 200), ("prot c", 200)],
    );
}

/// RFC 4217 9: data are in clear until PROT P, and again after PROT C.
#[test]
fn data_are_in_clear_until_prot_p() {
    let server = Server::with_tls();
    server.put("f", "hello");
    let client = Client::new();
    let mut control = server.secured(&client);
    control.log_in();
    control.expect("TYPE I", 200);
    assert_eq!(control.fetch("RETR f"), b"hello");
    control.protect(&client);
    assert_eq!(control.fetch("RETR f"), b"hello");
    control.expect("PROT C", 200);
    control.clear_data();
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// RFC 4217 12: PBSZ and PROT before the login hold after it.
#[test]
fn protection_may_be_agreed_before_the_login() {
    let server = Server::with_tls();
    server.put("f", "hello");
    for version in VERSIONS {
        let client = Client::only(version);
        assert_eq!(server.private_login(&client).fetch("RETR f"), b"hello");
    }
}

/// RFC 4217 12: or after it.
#[test]
fn protection_may_be_agreed_after_the_login() {
    let server = Server::with_tls();
    server.put("f", "hello");
    let client = Client::new();
    let mut control = server.secured(&client);
    control.log_in();
    control.protect(&client);
    control.expect("TYPE I", 200);
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// TLS-30: what counts is PROT at the transfer, not at PASV or PORT.
#[test]
fn the_level_is_that_of_the_moment_of_the_transfer() {
    let server = Server::with_tls();
    server.put("f", "hello");
    let client = Client::new();
    let mut control = server.private_login(&client);
    control.expect("PROT C", 200);
    let data = control.passive();
    control.expect("PROT P", 200);
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    let mut data = client.connect(data).unwrap();
    assert_eq!(data.drain().0, b"hello");
    let _ = data.finish();
    control.wants(226);
}

/// RPL-37: PBSZ and PROT are part of what REIN forgets (TLS-44).
#[test]
fn protection_ends_with_rein() {
    let server = Server::with_tls();
    let client = Client::new();
    let mut control = server.private_login(&client);
    control.expect("REIN", 220);
    control.leave_tls();
    control.secure(&client);
    control.expect("PROT P", 503);
}
