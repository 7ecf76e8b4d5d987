//! The fixed texts and codes that Wharf promises (transcripts T-01 to T-03, replies section 5).

use wharf_acceptance_tests::{Server, USER};

/// T-01, word by word.
#[test]
fn transcript_t01() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.connect();
    assert_eq!(
        control.expect(format!("USER {USER}"), 331).text(),
        "331 Password required."
    );
    control.expect(format!("PASS {}", wharf_acceptance_tests::PASSWORD), 230);
    assert_eq!(control.expect("SYST", 215).text(), "215 UNIX Type: L8");
    assert_eq!(
        control.expect("PWD", 257).text(),
        "257 \"/\" is the current directory."
    );
    assert_eq!(
        control.expect("MKD a \"b\" c", 257).text(),
        "257 \"/a \"\"b\"\" c\" created."
    );
    assert_eq!(control.expect("TYPE I", 200).text(), "200 Type set to I.");
    assert_eq!(control.expect("SIZE f", 213).text(), "213 5");
    let data = control.passive();
    assert_eq!(
        control.expect("REST 2", 350).text(),
        "350 Restarting at 2. Send STORE or RETRIEVE to initiate transfer."
    );
    assert_eq!(
        control.expect("RETR f", 150).text(),
        "150 Opening BINARY mode data connection for f (3 bytes)."
    );
    assert_eq!(wharf_acceptance_tests::socket::drain(data), b"llo");
    assert!(
        control
            .wants(226)
            .text()
            .starts_with("226 Transfer complete.")
    );
    control.expect("CDUP", 250);
}

/// T-02, code by code.
#[test]
fn transcript_t02() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.connect();
    control.expect("PASS x", 503);
    assert_eq!(
        control.expect("LIST", 530).text(),
        "530 Please login with USER and PASS."
    );
    control.log_in();
    for (line, code) in [
        ("RNTO y", 503),
        ("RNFR missing", 550),
        ("TYPE X", 504),
        ("TYPE L", 501),
        ("PORT 1,2,3,4,5", 501),
        ("PORT 192,0,2,99,4,1", 501),
        ("PORT 127,0,0,1,0,25", 504),
        ("EPRT |3|x|1|", 522),
        ("EPSV ALL", 200),
        ("PASV", 503),
        ("FOO", 500),
        ("REST abc", 501),
        ("REST 10", 350),
        ("RETR f", 554),
    ] {
        control.expect(line, code);
    }
    control.expect("MLSD f", 501);
}

/// RPL 5: the words that clients look for in a 550.
#[test]
fn refusals_use_the_customary_words() {
    let server = Server::start();
    server.put("f", "x");
    server.mkdir("d");
    server.put("d/g", "x");
    let mut control = server.login();
    for (line, words) in [
        ("RETR missing", "missing: No such file or directory."),
        ("MKD d", "d: File exists."),
        ("RETR d", "d: Is a directory."),
        ("CWD f", "f: Not a directory."),
        ("RMD d", "d: Directory not empty."),
    ] {
        let reply = if line.starts_with("RETR") {
            control.refused(line, &[550])
        } else {
            control.expect(line, 550)
        };
        assert_eq!(reply.text(), format!("550 {words}"));
    }
}

/// RPL 5, RPL-24: the passive replies.
#[test]
fn passive_replies_are_exact() {
    let server = Server::start();
    let mut control = server.login();
    let text = control.expect("PASV", 227).text();
    assert!(
        text.starts_with("227 Entering Passive Mode (127,0,0,1,") && text.ends_with(")."),
        "{text}"
    );
    let text = control.expect("EPSV", 229).text();
    assert!(
        text.starts_with("229 Entering Extended Passive Mode (|||") && text.ends_with("|)"),
        "{text}"
    );
}

/// T-03, DAT-60.
#[test]
fn transcript_t03() {
    let server = Server::start();
    server.put("big", wharf_acceptance_tests::noise(8, 32 << 20));
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let data = control.passive();
    assert!(
        control
            .expect("RETR big", 150)
            .text()
            .contains("(33554432 bytes)")
    );
    control.raw(b"\xff\xf4\xff");
    wharf_acceptance_tests::socket::send_urgent(control.stream(), b"\xf2").unwrap();
    control.raw(b"ABOR\r\n");
    assert_eq!(control.wants(426).text(), "426 Transfer aborted.");
    assert_eq!(control.wants(226).text(), "226 Abort successful.");
    drop(data);
    assert_eq!(control.expect("ABOR", 226).text(), "226 Abort successful.");
}

/// RPL-08; past hole CVE-2021-3618 (ALPACA): another protocol's first bytes end the session.
#[test]
fn other_protocols_are_shown_the_door() {
    let server = Server::start();
    for first in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\n\r\n",
        b"PUT /f HTTP/1.1\r\n\r\n",
        b"HEAD / HTTP/1.0\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"EHLO example.net\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
    ] {
        let mut control = server.connect();
        control.raw(first);
        control.wants(421);
        control.closes();
    }
    server.login().in_step();
}

/// RPL-04: the third over-long line is the last.
#[test]
fn the_third_long_line_closes_the_session() {
    let server = Server::start();
    let mut control = server.login();
    let line = "CWD ".to_owned() + &"a".repeat(20_000) + "\r\n";
    control.raw(&line);
    control.wants(500);
    control.raw(&line);
    control.wants(500);
    control.raw(&line);
    control.closes();
}

/// RPL-03: twenty empty lines are borne, not a thousand.
#[test]
fn a_thousand_empty_lines_close_the_session() {
    let server = Server::start();
    let mut control = server.login();
    control.raw("\r\n".repeat(20));
    control.in_step();
    control.raw("\r\n".repeat(1000));
    control.closes();
}

/// RNFR and what may stand between: NOOP and STAT do not cancel.
#[test]
fn noop_between_rnfr_and_rnto_does_not_cancel() {
    let server = Server::start();
    server.put("a", "x");
    let mut control = server.login();
    control.expect("RNFR a", 350);
    control.expect("NOOP", 200);
    control.expect("STAT", 211);
    control.expect("RNTO b", 250);
    assert!(server.has("b"));
}

/// RPL-25; past hole CVE-2024-48208: a name with line ends cannot forge a reply or an entry.
#[test]
fn line_ends_in_names_are_shown_as_question_marks() {
    let server = Server::start();
    server.put("evil\r\n226 done", "x");
    server.put("good", "x");
    let mut control = server.login();
    assert_eq!(control.lines("NLST"), ["evil??226 done", "good"]);
    assert_eq!(control.lines("LIST").len(), 2);
    let entries = control.lines("MLSD");
    assert!(
        entries.iter().any(|line| line.ends_with(" evil??226 done")),
        "{entries:?}"
    );
    let reply = control.expect_any("STAT /", &[211, 212]);
    assert!(
        !reply.lines.iter().any(|line| line.starts_with(b"226")),
        "{}",
        reply.text()
    );
    control.in_step();
}

/// INT-19: a router that writes `P@SW`.
#[test]
fn a_mangled_pasv_is_understood() {
    let server = Server::start();
    server.login().expect("P@SW", 227);
}

/// RPL-06: verbs without an argument refuse one.
#[test]
fn verbs_without_an_argument_refuse_one() {
    let server = Server::start();
    let mut control = server.login();
    for line in ["CDUP x", "PASV x", "REIN x", "XCUP x"] {
        control.expect(line, 501);
    }
    for (line, code) in [
        ("NOOP x", 200),
        ("SYST x", 215),
        ("PWD x", 257),
        ("ABOR x", 226),
    ] {
        control.expect(line, code);
    }
}
