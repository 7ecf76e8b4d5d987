//! RFC 959 4.1 and 5.3, RFC 854: what a command line is.

use wharf_acceptance_tests::Server;

/// RFC 959 5.3: verbs in any case.
#[test]
fn verbs_have_no_case() {
    let server = Server::start();
    let mut control = server.login();
    for line in ["noop", "Noop", "nOoP"] {
        control.expect(line, 200);
    }
}

/// RPL-02, INT-46: LF alone ends a line.
#[test]
fn a_bare_lf_ends_a_line() {
    let server = Server::start();
    let mut control = server.login();
    control.raw("NOOP\n");
    control.wants(200);
}

/// RPL-03, INT-46: an empty line is nothing.
#[test]
fn empty_lines_are_ignored() {
    let server = Server::start();
    let mut control = server.login();
    control.raw("\r\n\r\nNOOP\r\n\r\n");
    control.wants(200);
    control.in_step();
}

/// INT-46: one byte per segment.
#[test]
fn a_line_may_come_byte_by_byte() {
    let server = Server::start();
    let mut control = server.login();
    for byte in b"SYST\r\n" {
        control.raw([*byte]);
    }
    control.wants(215);
}

/// RPL-30, INT-47: many commands in one segment are answered in order.
#[test]
fn pipelined_commands_are_answered_in_order() {
    let server = Server::start();
    let mut control = server.login();
    control.raw("PWD\r\nSYST\r\nTYPE I\r\nCWD missing\r\nNOOP\r\n");
    for code in [257, 215, 200, 550, 200] {
        control.wants(code);
    }
}

/// RPL-30: a login may be pipelined, too.
#[test]
fn a_login_may_be_pipelined() {
    let server = Server::start();
    let mut control = server.connect();
    control.raw(format!(
        "USER {}\r\nPASS {}\r\nPWD\r\n",
        wharf_acceptance_tests::USER,
        wharf_acceptance_tests::PASSWORD
    ));
    for code in [331, 230, 257] {
        control.wants(code);
    }
}

/// RPL-32: a thousand commands at once are all answered.
#[test]
fn a_thousand_pipelined_commands_are_all_answered() {
    let server = Server::start();
    let mut control = server.login();
    control.raw("NOOP\r\n".repeat(1000));
    for _ in 0..1000 {
        control.wants(200);
    }
    control.in_step();
}

/// RPL-04; past holes CVE-2006-5815, CVE-2023-51713: a long line is one 500, and no more.
#[test]
fn a_long_line_is_500_and_the_session_goes_on() {
    let server = Server::start();
    let mut control = server.login();
    control.raw("CWD ".to_owned() + &"a".repeat(100_000) + "\r\n");
    control.wants_any(&[500, 501, 550, 553]);
    control.in_step();
}

/// Past hole CVE-2019-18217: a long line that begins with a line feed does not loop.
#[test]
fn a_long_line_after_a_line_feed_is_survived() {
    let server = Server::start();
    let mut control = server.login();
    control.raw("\n".to_owned() + &"b".repeat(70_000) + "\r\nNOOP\r\n");
    control.wants_any(&[500, 501, 550]);
    control.in_step();
}

/// RPL-02; past hole CVE-2025-47812: NUL is in no name.
#[test]
fn a_nul_in_a_line_is_refused() {
    let server = Server::start();
    server.mkdir("a");
    let mut control = server.login();
    control.raw(b"CWD a\0b\r\n");
    control.wants_any(&[500, 501, 550]);
    assert_eq!(control.expect("PWD", 257).quoted().as_deref(), Some("/"));
}

/// Past hole CVE-2025-47812: NUL in a login name.
#[test]
fn a_nul_in_a_user_name_is_refused() {
    let server = Server::start();
    let mut control = server.connect();
    control.raw(b"USER wharf\0x\r\n");
    let reply = control.reply();
    if reply.code == 331 {
        control.expect(format!("PASS {}", wharf_acceptance_tests::PASSWORD), 530);
    } else {
        assert!(matches!(reply.code, 500 | 501 | 530), "{}", reply.text());
    }
}

/// RFC 854; RPL-10; past hole CVE-2010-4221: options are refused and are no part of the line.
#[test]
fn telnet_negotiation_is_refused() {
    let server = Server::start();
    let mut control = server.login();
    control.raw(b"NO\xff\xfd\x01OP\r\n");
    // The answer IAC WONT ECHO may come before the reply.
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n") {
        let mut byte = [0];
        std::io::Read::read_exact(&mut control.stream(), &mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let text = bytes.strip_prefix(b"\xff\xfc\x01").unwrap_or(&bytes);
    assert!(text.starts_with(b"200 "), "{}", bytes.escape_ascii());
}

/// RFC 855, 856: an option may have the number 0 or 10: the refusal has three bytes all the same.
#[test]
fn every_telnet_option_is_refused_with_three_bytes() {
    let server = Server::start();
    for option in [0, 10, 13] {
        let mut control = server.login();
        control.raw([0xff, 0xfd, option]);
        control.raw("NOOP\r\nQUIT\r\n");
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut control.stream(), &mut bytes).unwrap();
        assert!(
            bytes.starts_with(&[0xff, 0xfc, option, b'2', b'0', b'0', b' ']),
            "{}",
            bytes.escape_ascii()
        );
    }
}

/// Past hole CVE-2010-4221: a flood of IAC bytes.
#[test]
fn a_flood_of_telnet_bytes_is_survived() {
    let server = Server::start();
    let mut control = server.login();
    control.raw(b"\xff\xf1".repeat(50_000));
    control.raw(b"\xff\xfa\x18\xff\xf0");
    control.raw(b"\r\n");
    let mut other = server.login();
    other.in_step();
}

/// Past hole ProFTPD 2020 (toupper of non-ASCII): bytes that are no letters.
#[test]
fn a_verb_of_odd_bytes_is_500() {
    let server = Server::start();
    let mut control = server.login();
    for line in [
        &b"\xe9\xe8\xea\xeb f"[..],
        b"\x80\x81",
        b"\x01\x02\x03",
        b"%s%n%s%n",
        b"\"\\\"\\ x",
    ] {
        control.send(line);
        control.wants_any(&[500, 501, 502]);
    }
    control.in_step();
}

/// RPL-01: exactly one space is the separator; the rest is the name.
#[test]
fn a_leading_space_belongs_to_the_name() {
    let server = Server::start();
    server.put(" f", "x");
    let mut control = server.login();
    control.expect("DELE  f", 250);
    assert!(!server.has(" f"));
}

/// RPL-06: a blank argument is none.
#[test]
fn a_blank_argument_is_none() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("PASV ", 227);
    control.expect("NOOP ", 200);
    control.expect_any("CDUP ", &[250, 200]);
}

/// RFC 959 4.2: every reply is well formed, whatever was asked.
#[test]
fn replies_end_in_crlf() {
    let server = Server::start();
    let mut control = server.login();
    control.raw("HELP\r\nFEAT\r\nSTAT\r\nSYST\r\nQUIT\r\n");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut control.stream(), &mut bytes).unwrap();
    let feeds = bytes.iter().filter(|&&byte| byte == b'\n').count();
    let pairs = bytes.windows(2).filter(|pair| pair == b"\r\n").count();
    assert_eq!(feeds, pairs, "{}", bytes.escape_ascii());
    assert!(bytes.ends_with(b"\r\n"));
}
