//! RFC 959 3.1 and 4.1.2: TYPE, STRU, MODE, and what TYPE A does to bytes.

use wharf_acceptance_tests::{Server, noise};

/// RFC 959 4.1.2, TYPE; 5.3.1: codes in either case.
#[test]
fn type_takes_a_i_and_l8() {
    let server = Server::start();
    let mut control = server.login();
    for line in [
        "TYPE A", "TYPE A N", "TYPE I", "TYPE L 8", "TYPE i", "type a",
    ] {
        control.expect(line, 200);
    }
}

/// RFC 959 5.4, TYPE; T-02.
#[test]
fn an_unknown_type_is_504() {
    let server = Server::start();
    let mut control = server.login();
    control.expect_any("TYPE X", &[504, 501]);
    control.expect_any("TYPE L 7", &[504, 501]);
}

/// RFC 959 5.3.1, TYPE; T-02.
#[test]
fn type_without_what_it_needs_is_501() {
    let server = Server::start();
    let mut control = server.login();
    control.expect_any("TYPE", &[500, 501]);
    control.expect_any("TYPE L", &[501, 504]);
}

/// RFC 959 4.1.2, STRU and MODE: the forms every server must have (5.1).
#[test]
fn stru_f_and_mode_s_are_accepted() {
    let server = Server::start();
    let mut control = server.login();
    for line in ["STRU F", "MODE S", "STRU f", "MODE s"] {
        control.expect(line, 200);
    }
}

/// RFC 959 5.4, STRU and MODE.
#[test]
fn unknown_structures_and_modes_are_504() {
    let server = Server::start();
    let mut control = server.login();
    control.expect_any("STRU X", &[504, 501]);
    control.expect_any("MODE X", &[504, 501]);
    control.expect_any("STRU", &[500, 501, 504]);
    control.expect_any("MODE", &[500, 501, 504]);
}

/// RFC 959 3.1.1.1: ASCII is the default.
#[test]
fn type_a_is_the_default() {
    let server = Server::start();
    server.put("f", "a\nb\n");
    assert_eq!(server.login().fetch("RETR f"), b"a\r\nb\r\n");
}

/// RFC 959 3.1.1.1; DAT-41: a line feed leaves as CR LF.
#[test]
fn a_download_in_type_a_ends_lines_in_crlf() {
    let server = Server::start();
    server.put("f", "one\ntwo\n\nfour");
    let mut control = server.login();
    control.expect("TYPE A", 200);
    assert_eq!(control.fetch("RETR f"), b"one\r\ntwo\r\n\r\nfour");
}

/// RFC 959 3.1.1.1; DAT-41: CR LF arrives as a line feed.
#[test]
fn an_upload_in_type_a_ends_lines_in_lf() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE A", 200);
    control.store("STOR f", b"one\r\ntwo\r\n\r\nfour");
    assert_eq!(server.read("f"), b"one\ntwo\n\nfour");
}

/// DAT-41: a CR without LF is data, also as the last byte.
#[test]
fn an_upload_in_type_a_keeps_a_lone_cr() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE A", 200);
    control.store("STOR f", b"a\rb\r\r\nc\r");
    assert_eq!(server.read("f"), b"a\rb\r\nc\r");
}

/// DAT-41: the conversion survives every border of a buffer.
#[test]
fn text_survives_a_round_trip_in_type_a() {
    let server = Server::start();
    let mut text = noise(1, 300_000);
    // Line ends of the store, and no CR before them that the way back could not tell apart.
    text.iter_mut().for_each(|byte| {
        if *byte == b'\r' || *byte % 16 == 3 {
            *byte = b'\n';
        }
    });
    server.put("f", &text);
    let mut control = server.login();
    control.expect("TYPE A", 200);
    let wire = control.fetch("RETR f");
    let feeds = text.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(wire.len(), text.len() + feeds);
    control.store("STOR g", &wire);
    assert!(server.read("g") == text, "the copy differs");
}

/// RFC 959 3.1.1.3, TYPE I: octets as they are.
#[test]
fn every_byte_survives_in_type_i() {
    let server = Server::start();
    let bytes: Vec<u8> = (0..=255).chain(*b"\r\n\n\r\xff\xf4\xff\xf2").collect();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.store("STOR f", &bytes);
    assert_eq!(server.read("f"), bytes);
    assert_eq!(control.fetch("RETR f"), bytes);
}

/// DAT-40: TYPE L 8 is TYPE I.
#[test]
fn type_l8_moves_octets_unchanged() {
    let server = Server::start();
    server.put("f", "a\nb\r\n");
    let mut control = server.login();
    control.expect("TYPE L 8", 200);
    assert_eq!(control.fetch("RETR f"), b"a\nb\r\n");
}
