//! AUTH PBSZ PROT CCC beyond what the transcripts tell: the border between clear and TLS, cut anywhere,
//! and what may end a session at it.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::ftp::Protection;

/// Under TLS, nobody logged in.
fn secured(settings: Settings) -> (Server, Instant) {
    let (mut server, now) = open(settings);
    secure(&mut server, now, "AUTH TLS");
    (server, now)
}

fn secure(server: &mut Server, now: Instant, line: &str) {
    server.handle_input(now, format!("{line}\r\n").as_bytes());
    assert_eq!(written(server), "234 Proceed with TLS negotiation.\r\n");
    assert_eq!(server.poll_action(), Some(Action::StartTls));
    server.tls_started(now, false);
    assert!(server.is_secure());
}

/// Does what the machine asks for and does not answer; the actions and what was written.
fn run_to_rest(server: &mut Server) -> (Vec<Action>, String) {
    let (mut actions, mut out) = (Vec::new(), Vec::new());
    loop {
        let action = server.poll_action();
        let wrote = server.poll_transmit(&mut out);
        if action.is_none() && !wrote {
            return (actions, String::from_utf8_lossy(&out).into_owned());
        }
        actions.extend(action);
    }
}

fn feed(server: &mut Server, now: Instant, bytes: &[u8], piece: usize) {
    for bytes in bytes.chunks(piece) {
        server.handle_input(now, bytes);
    }
}

const INJECTED: &str = "421 Plaintext received after AUTH; closing.\r\n";

/// CVE-2011-1575, RPL-33, TLS-60: one octet behind the CR LF of AUTH is one too many, whatever it is
/// and however the stream is cut.
#[test]
fn cve_2011_1575_no_octet_behind_auth_is_executed() {
    for behind in [
        &b"USER x\r\n"[..],
        b"USER x",
        b"U",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\0",
        b"\xff",
        b"\xff\xf1",
        b"\xff\xfb\x01",
        b"\x16\x03\x01",
        b"AUTH TLS\r\n",
        b"QUIT\r\n",
    ] {
        let wire = [b"AUTH TLS\r\n", behind].concat();
        for piece in 1..=wire.len() {
            let (mut server, now) = open(with_tls());
            feed(&mut server, now, &wire, piece);
            let (actions, out) = run_to_rest(&mut server);
            assert_eq!(out, INJECTED, "{behind:?} by {piece}");
            assert_eq!(actions, [Action::Close(CloseReason::Injection)]);
            server.tls_started(now, false);
            server.handle_input(now, b"NOOP\r\n");
            assert_eq!(run_to_rest(&mut server), (vec![], String::new()));
        }
    }
}

/// CVE-2011-1575: neither a running transfer nor a log-out in between opens a way around.
#[test]
fn cve_2011_1575_nothing_behind_a_waiting_auth_is_heard() {
    for behind in ["ABOR", "STAT", "QUIT", "REIN", "USER x", "NO"] {
        for together in [true, false] {
            let (mut server, now) = logged_in(with_tls());
            let retr: &[u8] = b"RETR f\r\nAUTH TLS\r\n";
            if together {
                server.handle_input(now, &[retr, behind.as_bytes(), b"\r\n"].concat());
            } else {
                server.handle_input(now, retr);
                server.handle_input(now, behind.as_bytes());
            }
            let (actions, _) = run_to_rest(&mut server);
            assert!(
                matches!(actions[..], [Action::Retrieve { .. }]),
                "{actions:?}"
            );
            let name = b"f".to_vec();
            server.handle_outcome(now, Outcome::Started(Started { name, size: None }));
            let (actions, _) = run_to_rest(&mut server);
            assert_eq!(actions, [], "{behind}");
            let note = String::new();
            let end = Finished::Complete { octets: 0, note };
            server.handle_outcome(now, Outcome::Finished(end));
            assert_eq!(server.poll_action(), Some(Action::Logout));
            server.handle_outcome(now, Outcome::Done);
            let (actions, out) = run_to_rest(&mut server);
            assert_eq!(
                out,
                format!("226 Transfer complete.\r\n{INJECTED}"),
                "{behind}"
            );
            assert_eq!(actions, [Action::Close(CloseReason::Injection)]);
        }
    }
}

#[test]
fn cve_2011_1575_what_comes_while_auth_logs_out_is_not_executed() {
    let (mut server, now) = logged_in(with_tls());
    server.handle_input(now, b"AUTH TLS\r\n");
    assert_eq!(server.poll_action(), Some(Action::Logout));
    server.handle_input(now, b"DELE f\r\n");
    server.handle_outcome(now, Outcome::Done);
    let (actions, out) = run_to_rest(&mut server);
    assert_eq!(
        (out.as_str(), &actions[..]),
        (INJECTED, &[Action::Close(CloseReason::Injection)][..])
    );
}

/// An AUTH that does not start TLS is no border: what is sent ahead of its answer is answered.
#[test]
fn commands_behind_a_refused_auth_are_answered() {
    for (settings, line, code) in [
        (with_tls(), "AUTH GSSAPI", "504"),
        (Settings::default(), "AUTH TLS", "431"),
    ] {
        let (mut server, now) = open(settings);
        server.handle_input(now, format!("{line}\r\nSYST\r\n").as_bytes());
        let out = written(&mut server);
        assert!(
            out.starts_with(code) && out.ends_with("215 UNIX Type: L8\r\n"),
            "{out}"
        );
        assert!(server.wants_input());
    }
}

/// TLS-02, TLS-03: from the 234 on nothing is said in the clear any more, whatever happens.
#[test]
fn tls_02_nothing_is_written_between_the_234_and_the_handshake() {
    let turns: [fn(&mut Server, Instant); 5] = [
        |server, now| server.handle_input(now, b"NOOP\r\n"),
        |server, now| server.handle_timeout(now + Duration::from_secs(100_000)),
        |server, _| server.shut_down("bye", ShutDown::Now),
        |server, _| server.shut_down("bye", ShutDown::Idle),
        |server, _| server.handle_end_of_input(),
    ];
    for turn in turns {
        let (mut server, now) = open(with_tls());
        server.handle_input(now, b"AUTH TLS\r\n");
        assert!(!server.wants_input());
        assert_eq!(
            written(&mut server),
            "234 Proceed with TLS negotiation.\r\n"
        );
        assert!(server.has_action() && !server.is_idle() && !server.is_secure());
        assert!(!server.wants_input());
        assert_eq!(server.poll_action(), Some(Action::StartTls));
        turn(&mut server, now);
        let (actions, out) = run_to_rest(&mut server);
        assert!(matches!(actions[..], [Action::Close(_)]), "{actions:?}");
        assert_eq!(out, "");
    }
}

#[test]
fn what_happens_before_the_234_is_said() {
    let (mut server, now) = open(with_tls());
    server.handle_input(now, b"AUTH TLS\r\n");
    server.shut_down("bye", ShutDown::Idle);
    let (actions, out) = run_to_rest(&mut server);
    assert_eq!(
        (out.as_str(), &actions[..]),
        ("421 bye\r\n", &[Action::Close(CloseReason::Shutdown)][..])
    );
}

/// RPL-35, TLS-41: what stands behind CCC or REIN under TLS ends the session; the word goes out there.
#[test]
fn rpl_35_nothing_may_stand_behind_ccc_or_rein() {
    for (verb, logs_out) in [("CCC", false), ("REIN", true)] {
        for behind in ["NOOP\r\n", "N", "\r\n"] {
            let wire = format!("{verb}\r\n{behind}");
            for piece in 1..=wire.len() {
                let (mut server, now) = secured(with_tls());
                log_in(&mut server, now);
                feed(&mut server, now, wire.as_bytes(), piece);
                if logs_out {
                    assert_eq!(server.poll_action(), Some(Action::Logout));
                    server.handle_outcome(now, Outcome::Done);
                }
                let (actions, out) = run_to_rest(&mut server);
                assert_eq!(
                    out,
                    format!("421 Input received after {verb}; closing.\r\n")
                );
                assert_eq!(actions, [Action::Close(CloseReason::Injection)]);
                assert!(server.is_secure());
            }
        }
    }
}

fn log_in(server: &mut Server, now: Instant) {
    server.handle_input(now, b"USER anna\r\nPASS secret\r\n");
    run_kindly(server, now, &mut Vec::new());
    assert!(server.is_logged_in());
}

#[test]
fn rpl_35_what_comes_under_tls_behind_the_200_ends_the_session_without_a_word() {
    let (mut server, now) = secured(with_tls());
    log_in(&mut server, now);
    server.handle_input(now, b"CCC\r\n");
    assert_eq!(
        written(&mut server),
        "200 Control connection continues in clear.\r\n"
    );
    assert_eq!(server.poll_action(), Some(Action::EndTls));
    assert!(server.is_secure() && !server.wants_input());
    server.handle_input(now, b"NOOP\r\n");
    let (actions, out) = run_to_rest(&mut server);
    assert_eq!(
        (out.as_str(), &actions[..]),
        ("", &[Action::Close(CloseReason::Injection)][..])
    );
}

#[test]
fn tls_30_each_way_into_tls_has_its_protection() {
    for (line, protection) in [
        ("AUTH TLS", Protection::Clear),
        ("AUTH TLS-C", Protection::Clear),
        ("AUTH TLS-P", Protection::Private),
        ("AUTH ssl", Protection::Private),
    ] {
        let (mut server, now) = open(with_tls());
        secure(&mut server, now, line);
        assert_eq!(server.protection(), protection, "{line}");
    }
    for protection in [Protection::Clear, Protection::Private] {
        let mut settings = with_tls();
        settings.tls.implicit_protection = protection;
        let server = Server::implicit(Arc::new(settings), origin());
        assert!(server.is_secure());
        assert_eq!(server.protection(), protection);
    }
}

/// TLS-09 on port 990.
#[test]
fn an_implicit_session_may_have_shown_a_certificate() {
    let now = origin();
    let mut server = Server::implicit(Arc::new(with_tls()), now);
    server.tls_started(now, true);
    server.greet(now);
    server.handle_input(now, b"USER anna\r\n");
    let user = b"anna".to_vec();
    assert_eq!(
        server.poll_action(),
        Some(Action::IdentifyByCertificate { user })
    );
    server.handle_outcome(now, Outcome::PasswordNeeded);
    assert!(written(&mut server).ends_with("331 Password required.\r\n"));
    assert_eq!(server.protection(), Protection::Private);
}

#[test]
fn tls_that_nobody_asked_for_changes_nothing() {
    let (mut server, now) = open(with_tls());
    server.tls_started(now, true);
    server.tls_ended(now);
    assert!(!server.is_secure());
    server.handle_input(now, b"AUTH TLS\r\n");
    // The 234 is not out yet.
    server.tls_started(now, true);
    server.tls_ended(now);
    assert!(!server.is_secure() && server.is_switching());
    let (mut server, now) = secured(with_tls());
    server.tls_started(now, true);
    server.tls_ended(now);
    assert!(server.is_secure() && !server.shows_certificate());
}

/// TLS-40, ANON-03.
#[test]
fn tls_40_ccc_is_the_policys() {
    let switched_off = Settings {
        tls: TlsRules {
            ccc: false,
            ..with_tls().tls
        },
        ..with_tls()
    };
    let login_required = Settings {
        tls: TlsRules {
            require: RequireTls::Login,
            ..with_tls().tls
        },
        ..with_tls()
    };
    let data_required = Settings {
        tls: TlsRules {
            require: RequireTls::Data,
            ..with_tls().tls
        },
        ..with_tls()
    };
    for (settings, code) in [
        (switched_off, "534"),
        (login_required, "534"),
        (data_required, "200"),
    ] {
        let (mut server, now) = secured(settings);
        log_in(&mut server, now);
        server.handle_input(now, b"CCC\r\n");
        assert!(written(&mut server).starts_with(code));
    }
    let settings = Settings {
        anonymous: true,
        ..with_tls()
    };
    let (mut server, now) = secured(settings);
    server.handle_input(now, b"USER ftp\r\nPASS me\r\n");
    run_kindly(&mut server, now, &mut Vec::new());
    server.handle_input(now, b"CCC\r\n");
    assert_eq!(written(&mut server), "534 Policy does not allow CCC.\r\n");
}

/// An account may be held more strictly, or less, than its listener.
#[test]
fn the_rules_of_an_account_end_with_its_login() {
    let (mut server, now) = secured(with_tls());
    server.set_tls_rules(TlsRules {
        require: RequireTls::Data,
        ..with_tls().tls
    });
    log_in(&mut server, now);
    server.handle_input(now, b"LIST\r\n");
    assert!(written(&mut server).starts_with("521 "));
    server.handle_input(now, b"USER bert\r\nPASS x\r\n");
    run_kindly(&mut server, now, &mut Vec::new());
    server.handle_input(now, b"LIST\r\n");
    assert!(matches!(server.poll_action(), Some(Action::List { .. })));
}

#[test]
fn tls_42_after_ccc_an_implicit_session_takes_no_more_passwords() {
    let now = origin();
    let mut server = Server::implicit(Arc::new(with_tls()), now);
    server.greet(now);
    log_in(&mut server, now);
    server.handle_input(now, b"CCC\r\n");
    run_kindly(&mut server, now, &mut Vec::new());
    assert!(!server.is_secure() && server.protection() == Protection::Private);
    for (line, code) in [("REIN", "220"), ("USER anna", "534"), ("AUTH TLS", "503")] {
        server.handle_input(now, format!("{line}\r\n").as_bytes());
        let mut out = Vec::new();
        run_kindly(&mut server, now, &mut out);
        assert!(out.starts_with(code.as_bytes()), "{line}");
    }
}

/// RFC 4217 14: under TLS the client sends ABOR without Telnet's words, or with them.
#[test]
fn rpl_13_a_transfer_is_aborted_under_tls() {
    for abort in [&b"ABOR\r\n"[..], b"\xff\xf4\xff\xf2ABOR\r\n"] {
        let (mut server, now) = secured(with_tls());
        log_in(&mut server, now);
        server.handle_input(now, b"RETR f\r\n");
        server.poll_action();
        let name = b"f".to_vec();
        server.handle_outcome(now, Outcome::Started(Started { name, size: None }));
        server.handle_input(now, abort);
        assert_eq!(server.poll_action(), Some(Action::Abort));
    }
}

#[test]
fn a_peer_that_leaves_at_the_border_gets_its_reply() {
    for (line, reply) in [
        ("AUTH TLS", "234 Proceed with TLS negotiation.\r\n"),
        (
            "NOOP\r\nAUTH TLS",
            "200 NOOP command successful.\r\n234 Proceed with TLS negotiation.\r\n",
        ),
    ] {
        let (mut server, now) = open(with_tls());
        server.handle_input(now, format!("{line}\r\n").as_bytes());
        server.handle_end_of_input();
        let (actions, out) = run_to_rest(&mut server);
        assert_eq!(out, reply);
        assert_eq!(actions, [Action::Close(CloseReason::Quit)]);
    }
}

#[test]
fn an_idle_session_under_tls_owns_no_buffer() {
    let (mut server, now) = secured(with_tls());
    log_in(&mut server, now);
    assert!(server.is_idle() && server.backlog.is_none());
    assert_eq!((server.reader.held(), server.output.len()), (0, 0));
}

/// Lines that a client may say in either state, with AUTH, CCC and REIN among them.
fn words() -> impl Strategy<Value = Vec<&'static str>> {
    const WORDS: [&str; 16] = [
        "AUTH TLS",
        "AUTH SSL",
        "PBSZ 0",
        "PROT P",
        "PROT C",
        "CCC",
        "REIN",
        "USER anna",
        "PASS x",
        "RETR f",
        "STOR f",
        "PWD",
        "NOOP",
        "TYPE I",
        "SITE PSWD a b",
        "FOO",
    ];
    vec(proptest::sample::select(&WORDS[..]), 0..30)
}

proptest! {
    /// A client that waits for each answer may cut its lines anywhere, TLS or not.
    #[test]
    fn cutting_changes_nothing_across_handshakes(words in words(), piece in 1_usize..12, require in 0..4_u8) {
        let run = |piece: usize| {
            let mut settings = with_tls();
            settings.tls.require = [RequireTls::No, RequireTls::Login, RequireTls::Data, RequireTls::Both][usize::from(require)];
            let (mut server, now) = open(settings);
            let (mut actions, mut out) = (Vec::new(), Vec::new());
            for word in &words {
                feed(&mut server, now, format!("{word}\r\n").as_bytes(), piece);
                actions.extend(run_kindly(&mut server, now, &mut out));
            }
            (actions, out, server.is_secure(), server.protection())
        };
        let whole = run(usize::MAX);
        prop_assert_eq!(&run(piece), &whole);
        prop_assert_eq!(&run(1), &whole);
    }

    /// TLS-20, TLS-21, TLS-43: what the policy forbids never comes out, in no order of commands.
    #[test]
    fn tls_20_the_policy_has_no_gap(words in words(), require in 0..4_u8) {
        let require = [RequireTls::No, RequireTls::Login, RequireTls::Data, RequireTls::Both][usize::from(require)];
        let mut settings = with_tls();
        settings.tls.require = require;
        let (mut server, now) = open(settings);
        for word in words {
            let cleared = server.is_logged_in() && server.channel == Channel::Cleared;
            server.handle_input(now, format!("{word}\r\n").as_bytes());
            for action in run_kindly(&mut server, now, &mut Vec::new()) {
                match action {
                    Action::Authenticate { .. } => {
                        prop_assert!(!require.login() || server.is_secure());
                        prop_assert!(!cleared);
                    }
                    Action::Retrieve { .. } | Action::Store { .. } => {
                        prop_assert!(!require.data() || server.protection() == Protection::Private);
                    }
                    _ => {}
                }
            }
            prop_assert!(!server.is_logged_in() || !require.login() || server.is_secure());
        }
    }

    /// CVE-2011-1575: whatever is sent ahead of the handshake, in whatever pieces, nothing of it comes out.
    #[test]
    fn cve_2011_1575_arbitrary_octets_behind_auth_do_nothing(
        before in 0_usize..5,
        behind in vec(any::<u8>(), 1..60),
        piece in 1_usize..70,
    ) {
        let (mut server, now) = open(with_tls());
        let wire = [&b"NOOP\r\n".repeat(before)[..], b"AUTH TLS\r\n", &behind].concat();
        feed(&mut server, now, &wire, piece);
        let (actions, out) = run_to_rest(&mut server);
        prop_assert_eq!(out, "200 NOOP command successful.\r\n".repeat(before) + INJECTED);
        prop_assert_eq!(actions, vec![Action::Close(CloseReason::Injection)]);
    }
}
