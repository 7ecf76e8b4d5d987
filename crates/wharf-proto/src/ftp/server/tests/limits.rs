//! What ends a session or slows it down, and how it ends.

use super::*;

fn closed(server: &mut Server) -> Option<CloseReason> {
    while let Some(action) = server.poll_action() {
        if let Action::Close(reason) = action {
            assert_eq!(server.poll_action(), None, "Close is the last action");
            return Some(reason);
        }
    }
    None
}

#[test]
fn rpl_03_empty_lines_are_ignored_until_there_are_too_many() {
    let (mut server, now) = open(Settings::default());
    server.handle_input(now, &b"\r\n".repeat(20));
    server.handle_input(now, b"NOOP\r\n");
    server.handle_input(now, &b" \r\n".repeat(20));
    assert_eq!(written(&mut server), "200 NOOP command successful.\r\n");
    server.handle_input(now, b"\n");
    assert_eq!(written(&mut server), "421 Too many errors, closing.\r\n");
    assert_eq!(closed(&mut server), Some(CloseReason::Abuse));
}

/// CVE-2006-5815, CVE-2019-18217, CVE-2023-51713: long lines cost a line's worth of memory, end, and
/// end the session at the third.
#[test]
fn cve_2006_5815_over_long_lines_are_cut_off() {
    let (mut server, now) = open(Settings::default());
    for end in ["\r\n", "\n"] {
        for _ in 0..40 {
            server.handle_input(now, &[b'A'; 1000]);
            assert!(server.reader.held() <= 8192);
        }
        server.handle_input(now, end.as_bytes());
        assert_eq!(written(&mut server), "500 Command line too long.\r\n");
    }
    server.handle_input(now, &[&[b'"'; 9000][..], b"\r\nNOOP\r\n"].concat());
    assert_eq!(written(&mut server), "421 Too many errors, closing.\r\n");
    assert_eq!(closed(&mut server), Some(CloseReason::Abuse));
}

#[test]
fn cve_2006_5815_odd_first_bytes_and_non_ascii_verbs_are_unknown() {
    let (mut server, now) = open(Settings::default());
    server.handle_input(now, b"\nUSER\xe9 x\r\n\"\\\r\n\xc3\x9f\r\n");
    assert_eq!(written(&mut server), "500 Unknown command.\r\n".repeat(3));
}

#[test]
fn rpl_07_unknown_verbs_count_but_known_words_do_not() {
    let (mut server, now) = open(Settings::default());
    for _ in 0..200 {
        server.handle_input(now, b"ADAT x\r\n");
        assert!(written(&mut server).starts_with("502 "));
    }
    for _ in 0..100 {
        server.handle_input(now, b"FOO\r\n");
        assert_eq!(written(&mut server), "500 Unknown command.\r\n");
    }
    server.handle_input(now, b"FOO\r\n");
    assert!(written(&mut server).starts_with("421 "));
    assert_eq!(closed(&mut server), Some(CloseReason::Abuse));
}

/// CVE-2021-3618 (ALPACA): behind a login HTTP's words are only unknown; before it they end the session.
#[test]
fn cve_2021_3618_words_of_http_close_an_unauthenticated_session() {
    for line in [
        "GET / HTTP/1.1",
        "get x",
        "POST",
        "PUT x",
        "HEAD /",
        "OPTIONS *",
        "CONNECT x",
        "Host: x",
        "user-agent: x",
        "EHLO x",
        "HELO",
        "SSH-2.0-x",
    ] {
        let (mut server, now) = open(Settings::default());
        server.handle_input(now, format!("{line}\r\nUSER x\r\n").as_bytes());
        assert_eq!(
            written(&mut server),
            "421 This is an FTP server, closing.\r\n",
            "{line}"
        );
        assert_eq!(closed(&mut server), Some(CloseReason::WrongProtocol));
    }
    let (mut server, now) = open(Settings::default());
    server.handle_input(now, b"HOST ftp.example\r\n");
    assert!(written(&mut server).starts_with("502 "));
    let (mut server, now) = logged_in(Settings::default());
    server.handle_input(now, b"GET f\r\n");
    assert_eq!(written(&mut server), "500 Unknown command.\r\n");
}

#[test]
fn rpl_10_telnet_answers_fall_silent() {
    let (mut server, now) = open(Settings::default());
    server.handle_input(now, &b"\xff\xfb\x01".repeat(100));
    let mut out = Vec::new();
    while server.poll_transmit(&mut out) {}
    assert_eq!(out, b"\xff\xfe\x01".repeat(16));
}

#[test]
fn rpl_32_a_full_queue_stops_reading_and_loses_nothing() {
    let (mut server, now) = logged_in(Settings::default());
    server.handle_input(now, &b"PWD\r\n".repeat(2000));
    assert!(!server.wants_input());
    assert_eq!(server.waiting(), 64);
    let mut out = Vec::new();
    let actions = run_kindly(&mut server, now, &mut out);
    assert_eq!(actions.len(), 2000);
    assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 2000);
    assert!(server.wants_input() && server.is_idle());
}

#[test]
fn rpl_32_who_sends_on_regardless_is_cut_off() {
    let (mut server, now) = logged_in(Settings::default());
    for _ in 0..20 {
        server.handle_input(now, &b"PWD\r\n".repeat(1000));
    }
    assert_eq!(
        written(&mut server),
        "421 Too much input sent ahead, closing.\r\n"
    );
    assert!(server.unread_len() == 0 && server.waiting() == 0);
}

#[test]
fn large_replies_hold_back_further_commands() {
    let (mut server, now) = open(Settings::default());
    server.handle_input(now, &b"HELP\r\n".repeat(2000));
    assert!(server.output.len() < UNSENT_LIMIT + 1024);
    assert!(!server.wants_input());
    let mut out = Vec::new();
    run_kindly(&mut server, now, &mut out);
    let ends = out
        .windows(9)
        .filter(|window| window == b"214 End\r\n")
        .count();
    assert_eq!(ends, 2000);
}

#[test]
fn what_waits_behind_large_replies_is_told_of() {
    let (mut server, now) = logged_in(Settings::default());
    server.handle_input(now, &[&b"HELP\r\n".repeat(60)[..], b"PWD\r\n"].concat());
    assert!(!server.has_action());
    written(&mut server);
    assert!(server.has_action());
    assert_eq!(server.poll_action(), Some(Action::CurrentDirectory));
    assert!(!server.has_action());
}

#[test]
fn int_47_what_is_sent_before_the_greeting_is_answered_behind_it() {
    let now = origin();
    let mut server = Server::new(Arc::new(Settings::default()), now);
    server.handle_input(now, b"SYST\r\n");
    assert_eq!(written(&mut server), "");
    server.greet(now);
    assert_eq!(
        written(&mut server),
        "220 Wharf ready.\r\n215 UNIX Type: L8\r\n"
    );
}

#[test]
fn a_session_may_be_refused_at_the_door() {
    let now = origin();
    let mut server = Server::new(Arc::new(Settings::default()), now);
    server.refuse("Too many connections,\r\ntry again later.");
    assert_eq!(
        written(&mut server),
        "421 Too many connections,??try again later.\r\n"
    );
    assert_eq!(closed(&mut server), Some(CloseReason::Refused));
    server.handle_input(now, b"NOOP\r\n");
    assert_eq!(written(&mut server), "");
}

fn start_transfer(server: &mut Server, now: Instant) {
    server.handle_input(now, b"RETR f\r\n");
    assert!(matches!(
        server.poll_action(),
        Some(Action::Retrieve { .. })
    ));
    let started = Started {
        name: b"f".to_vec(),
        size: None,
    };
    server.handle_outcome(now, Outcome::Started(started));
    written(server);
}

fn complete() -> Outcome {
    let note = String::new();
    Outcome::Finished(Finished::Complete { octets: 0, note })
}

#[test]
fn adm_02_a_draining_session_ends_behind_its_transfer() {
    let (mut server, now) = logged_in(Settings::default());
    start_transfer(&mut server, now);
    server.shut_down("Shutting down.", ShutDown::Idle);
    server.handle_input(now, b"PWD\r\n");
    assert_eq!(closed(&mut server), None);
    server.handle_outcome(now, complete());
    assert_eq!(
        written(&mut server),
        "226 Transfer complete.\r\n421 Shutting down.\r\n"
    );
    assert_eq!(closed(&mut server), Some(CloseReason::Shutdown));
}

#[test]
fn adm_02_at_the_end_of_grace_the_transfer_gets_its_426() {
    let (mut server, now) = logged_in(Settings::default());
    start_transfer(&mut server, now);
    server.shut_down("Shutting down.", ShutDown::Idle);
    server.shut_down("Shutting down.", ShutDown::Now);
    assert_eq!(
        written(&mut server),
        "426 Transfer aborted.\r\n421 Shutting down.\r\n"
    );
    assert_eq!(closed(&mut server), Some(CloseReason::Shutdown));
    server.handle_outcome(now, complete());
    assert_eq!(written(&mut server), "");
}

#[test]
fn a_peer_that_closes_its_side_gets_its_last_replies() {
    let (mut server, now) = logged_in(Settings::default());
    start_transfer(&mut server, now);
    server.handle_input(now, b"SYST\r\nNOO");
    server.handle_end_of_input();
    assert!(!server.wants_input());
    assert_eq!(closed(&mut server), None);
    server.handle_outcome(now, complete());
    assert_eq!(
        written(&mut server),
        "226 Transfer complete.\r\n215 UNIX Type: L8\r\n"
    );
    assert_eq!(closed(&mut server), Some(CloseReason::Quit));
}

#[test]
fn d_07_mkd_on_what_exists_is_550_or_521_with_the_words_that_cameras_look_for() {
    for code in [550, 521] {
        let settings = Settings {
            mkd_exists_code: code,
            ..Settings::default()
        };
        let (mut server, now) = logged_in(settings);
        server.handle_input(now, b"XMKD d\r\n");
        server.poll_action();
        let refusal = Refusal {
            reason: Reason::Exists,
            name: b"d".to_vec(),
            detail: String::new(),
        };
        server.handle_outcome(now, Outcome::Refused(refusal));
        assert_eq!(written(&mut server), format!("{code} d: File exists.\r\n"));
    }
}

#[test]
fn use_125_changes_the_first_reply() {
    let settings = Settings {
        transfer_already_open_reply: true,
        ..Settings::default()
    };
    let (mut server, now) = logged_in(settings);
    let mut out = Vec::new();
    server.handle_input(now, b"NLST\r\n");
    run_kindly(&mut server, now, &mut out);
    assert!(out.starts_with(b"125 "));
}

#[test]
fn a_refusal_tells_its_cause_and_its_detail() {
    let (mut server, now) = logged_in(Settings::default());
    server.handle_input(now, b"DELE f\r\n");
    server.poll_action();
    let refusal = Refusal {
        reason: Reason::Busy,
        name: b"f".to_vec(),
        detail: "being uploaded.".to_owned(),
    };
    server.handle_outcome(now, Outcome::Refused(refusal));
    assert_eq!(
        written(&mut server),
        "450 f: In use, try again later (being uploaded).\r\n"
    );
}

#[test]
fn a_login_that_is_locked_out_ends_the_connection() {
    let (mut server, now) = open(Settings::default());
    server.handle_input(now, b"USER a\r\nPASS b\r\n");
    server.poll_action();
    server.handle_outcome(now, Outcome::LoginRefused(LoginRefusal::LockedOut));
    assert!(
        written(&mut server)
            .ends_with("421 Too many login failures from your address, try again later.\r\n")
    );
    assert_eq!(closed(&mut server), Some(CloseReason::LoginFailures));
}

#[test]
fn an_outcome_that_does_not_fit_still_ends_its_command() {
    let (mut server, now) = logged_in(Settings::default());
    server.handle_input(now, b"PWD\r\nNOOP\r\n");
    server.poll_action();
    server.handle_outcome(now, Outcome::Number(5));
    server.handle_outcome(now, Outcome::Done);
    assert_eq!(
        written(&mut server),
        "451 Local error in processing.\r\n200 NOOP command successful.\r\n"
    );
}

/// A place among those who have not logged in is held for the time of a login, whatever is said.
#[test]
fn rein_and_auth_do_not_put_off_the_end_of_a_login_that_never_comes() {
    let settings = with_tls();
    let step = settings.login_timeout / 4;
    let (mut server, mut now) = open(settings);
    for line in ["REIN\r\n", "AUTH TLS\r\n", "REIN\r\n"] {
        now += step;
        server.handle_timeout(now);
        assert_eq!(closed(&mut server), None, "{line}");
        server.handle_input(now, line.as_bytes());
        run_kindly(&mut server, now, &mut Vec::new());
    }
    server.handle_timeout(now + step);
    assert_eq!(closed(&mut server), Some(CloseReason::LoginTimeout));
}

/// Who leaves an account gets the whole time for the next login.
#[test]
fn rein_after_a_login_starts_the_time_of_the_next_one() {
    let (mut server, mut now) = logged_in(with_tls());
    let limit = Settings::default().login_timeout;
    now += limit + limit;
    server.handle_input(now, b"REIN\r\n");
    run_kindly(&mut server, now, &mut Vec::new());
    server.handle_timeout(now);
    assert_eq!(closed(&mut server), None);
    server.handle_timeout(now + limit);
    assert_eq!(closed(&mut server), Some(CloseReason::LoginTimeout));
}
