//! AUTH, PBSZ, PROT and CCC from the client's side.

use std::{sync::Arc, time::Instant};

use super::*;
use crate::ftp::{
    Mechanism, Protection,
    server::{self, Action, Outcome, Server},
};

fn start_tls() -> Request {
    Request::StartTls(Mechanism::Tls)
}

/// Under TLS, behind the greeting.
fn secured(settings: Settings) -> Client {
    let mut client = greeted(settings);
    client.request(start_tls()).unwrap();
    client.handle_input(b"234 go\r\n").unwrap();
    client.tls_started();
    assert!(client.is_secure());
    assert_eq!(sent(&mut client), b"AUTH TLS\r\n");
    events(&mut client);
    client
}

/// RPL-34, TLS-60: an octet behind the 234 is nobody's answer under TLS.
#[test]
fn rpl_34_no_octet_behind_the_234_is_taken_as_an_answer() {
    for behind in ["200 ok\r\n", "2", "\r\n", "\n", "\0", "\u{16}\u{3}"] {
        let wire = format!("234-Proceed\r\n234 go\r\n{behind}");
        for piece in 1..=wire.len() {
            let mut client = greeted(Settings::default());
            let ticket = client.request(start_tls()).unwrap();
            let results: Vec<_> = wire
                .as_bytes()
                .chunks(piece)
                .map(|bytes| client.handle_input(bytes))
                .collect();
            assert!(results.contains(&Err(ProtocolError::Injection("AUTH"))));
            assert!(client.is_dead() && !client.is_secure());
            let seen = events(&mut client);
            assert_eq!(finished(&seen, ticket), Some(("AUTH", 234)));
            assert!(matches!(seen.last(), Some(Event::Lost { .. })));
            client.tls_started();
            assert!(client.is_dead() && !client.is_secure());
            assert_eq!(client.request(login()), Err(RequestError::Ended));
            assert_eq!(sent(&mut client), b"AUTH TLS\r\n");
        }
    }
}

/// A login that waits behind AUTH would go out in the clear if AUTH were refused.
#[test]
fn nothing_can_be_asked_behind_auth_before_tls_is_up() {
    let mut client = greeted(Settings {
        pipelining: true,
        ..Settings::default()
    });
    client.request(Request::Features).unwrap();
    client.request(start_tls()).unwrap();
    assert_eq!(client.request(login()), Err(RequestError::Switching));
    assert_eq!(sent(&mut client), b"FEAT\r\n");
    client.handle_input(b"211 none\r\n").unwrap();
    assert_eq!(sent(&mut client), b"AUTH TLS\r\n");
    assert_eq!(client.request(Request::Noop), Err(RequestError::Switching));
    client.handle_input(b"234 go\r\n").unwrap();
    assert_eq!(client.request(Request::Noop), Err(RequestError::Switching));
    assert!(!client.is_idle());
    assert!(events(&mut client).ends_with(&[Event::StartTls]));
    client.tls_started();
    client.request(login()).unwrap();
    assert_eq!(sent(&mut client), b"USER ann\r\n");
}

/// TLS-50: the driver hears of the refusal and decides.
#[test]
fn a_refused_auth_leaves_the_session_in_the_clear() {
    for refusal in [
        "500 what",
        "504 no",
        "431 no certificate",
        "534 no",
        "200 ok",
        "334 ADAT",
    ] {
        let mut client = greeted(Settings::default());
        let ticket = client.request(start_tls()).unwrap();
        client
            .handle_input(format!("{refusal}\r\n").as_bytes())
            .unwrap();
        let seen = events(&mut client);
        assert_eq!(finished(&seen, ticket).map(|(verb, _)| verb), Some("AUTH"));
        assert!(!seen.contains(&Event::StartTls), "{refusal}");
        client.tls_started();
        assert!(client.is_idle() && !client.is_secure());
    }
}

/// RPL-57.
#[test]
fn auth_ssl_follows_only_an_unknown_auth_tls() {
    let next = |code| Way::AuthTls.next(Code::new(code).unwrap());
    for code in [500, 502, 504] {
        assert_eq!(next(code), Some(Way::AuthSsl));
    }
    for code in [431, 503, 530, 534] {
        assert_eq!(next(code), None);
    }
    assert_eq!(Way::AuthSsl.next(Code::new(500).unwrap()), None);
}

/// RPL-14: Telnet's words before ABOR only in the clear.
#[test]
fn rpl_14_an_abort_under_tls_is_abor_alone() {
    for implicit in [false, true] {
        let mut client = if implicit {
            let mut client = Client::implicit(Settings::default());
            client.handle_input(b"220 ready\r\n").unwrap();
            client
        } else {
            secured(Settings::default())
        };
        client.request(Request::List(Pathname::default())).unwrap();
        sent(&mut client);
        assert!(client.abort());
        assert_eq!(sent(&mut client), b"ABOR\r\n");
    }
    let mut client = secured(Settings::default());
    client.request(Request::EndTls).unwrap();
    client.handle_input(b"200 clear\r\n").unwrap();
    client.tls_ended();
    client.request(Request::List(Pathname::default())).unwrap();
    sent(&mut client);
    assert!(client.abort());
    assert_eq!(sent(&mut client), b"\xff\xf4\xff\xf2ABOR\r\n");
}

/// TLS-56, RPL-35.
#[test]
fn tls_56_ccc_ends_tls_and_nothing_may_stand_behind_it() {
    let mut client = secured(Settings::default());
    client.request(Request::EndTls).unwrap();
    assert_eq!(sent(&mut client), b"CCC\r\n");
    client.handle_input(b"200 clear\r\n").unwrap();
    assert!(events(&mut client).ends_with(&[Event::EndTls]));
    assert_eq!(client.request(Request::Noop), Err(RequestError::Switching));
    client.tls_started();
    assert!(client.is_secure() && !client.is_idle());
    client.tls_ended();
    assert!(!client.is_secure());
    client.request(Request::Noop).unwrap();
    assert_eq!(sent(&mut client), b"NOOP\r\n");

    let mut client = secured(Settings::default());
    client.request(Request::EndTls).unwrap();
    assert_eq!(
        client.handle_input(b"200 clear\r\n200 more\r\n"),
        Err(ProtocolError::Injection("CCC"))
    );

    let mut client = secured(Settings::default());
    client.request(Request::EndTls).unwrap();
    client.handle_input(b"534 no\r\n").unwrap();
    client.tls_ended();
    assert!(client.is_secure() && client.is_idle());
}

#[test]
fn tls_that_nobody_agreed_to_changes_nothing() {
    let mut client = Client::new(Settings::default());
    client.tls_started();
    client.handle_input(b"220 ready\r\n").unwrap();
    client.tls_started();
    client.tls_ended();
    assert!(!client.is_secure() && client.is_idle());
    client.request(start_tls()).unwrap();
    client.tls_started();
    assert!(!client.is_secure());
}

/// RFC 4217 12.3: FEAT's line may name several mechanisms.
#[test]
fn feat_tells_of_tls() {
    for (line, tls) in [
        (" AUTH TLS", true),
        (" AUTH SSL;TLS;", true),
        (" AUTH TLS-C", true),
        (" AUTH GSSAPI", false),
        (" PROT C;P", false),
    ] {
        let found = Capabilities::parse(&reply(211, &["Features", line, "End"]));
        assert_eq!(found.tls, tls, "{line}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "any origin will do, only differences are used"
)]
fn origin() -> Instant {
    Instant::now()
}

/// TLS-51: 220, AUTH TLS, handshake, PBSZ 0, PROT P, USER, against our own server, whose policy allows
/// no other order; then CCC.
#[test]
fn tls_51_the_order_of_a_secure_login() {
    let now = origin();
    let mut settings = server::Settings::default();
    settings.tls.offered = true;
    settings.tls.require = server::RequireTls::Data;
    settings.tls.ccc = true;
    let mut server = Server::new(Arc::new(settings), now);
    let mut client = Client::new(Settings::default());
    server.greet(now);
    let requests = [
        start_tls(),
        Request::ProtectionBuffer,
        Request::Protect(Protection::Private),
        login(),
        Request::List(Pathname::default()),
        Request::EndTls,
        Request::CurrentDirectory,
        Request::Quit,
    ];
    let mut wire = Vec::new();
    let mut codes = Vec::new();
    let mut requests = requests.into_iter();
    while !client.is_dead() {
        let bytes = sent(&mut client);
        server.handle_input(now, &bytes);
        wire.extend_from_slice(&bytes);
        while let Some(action) = server.poll_action() {
            match action {
                Action::Authenticate { .. } => {
                    let message = String::new();
                    server.handle_outcome(now, Outcome::LoggedIn { message });
                }
                Action::List { .. } => {
                    assert_eq!(server.protection(), Protection::Private);
                    let refusal = server::DataRefusal::NotSetUp;
                    server.handle_outcome(now, Outcome::DataRefused(refusal));
                }
                Action::CurrentDirectory => {
                    server.handle_outcome(now, Outcome::Path(b"/".to_vec()));
                }
                other => assert!(matches!(other, Action::Close(_)), "{other:?}"),
            }
        }
        let mut out = Vec::new();
        while server.poll_transmit(&mut out) {}
        client.handle_input(&out).unwrap();
        for event in events(&mut client) {
            match event {
                Event::Finished { verb, reply, .. } => codes.push((verb, reply.code.value())),
                Event::StartTls => {
                    assert_eq!(server.poll_action(), Some(Action::StartTls));
                    server.tls_started(now, false);
                    client.tls_started();
                    wire.extend_from_slice(b"[TLS]\r\n");
                }
                Event::EndTls => {
                    assert_eq!(server.poll_action(), Some(Action::EndTls));
                    server.tls_ended(now);
                    client.tls_ended();
                    wire.extend_from_slice(b"[clear]\r\n");
                }
                _ => {}
            }
        }
        assert_eq!(client.is_secure(), server.is_secure());
        if client.is_idle()
            && let Some(request) = requests.next()
        {
            client.request(request).unwrap();
        }
    }
    assert_eq!(
        String::from_utf8(wire).unwrap().lines().collect::<Vec<_>>(),
        [
            "AUTH TLS",
            "[TLS]",
            "PBSZ 0",
            "PROT P",
            "USER ann",
            "PASS s3cret",
            "LIST",
            "CCC",
            "[clear]",
            "PWD",
            "QUIT",
        ]
    );
    let expected = [
        ("AUTH", 234),
        ("PBSZ", 200),
        ("PROT", 200),
        ("PASS", 230),
        ("LIST", 425),
        ("CCC", 200),
        ("PWD", 257),
        ("QUIT", 221),
    ];
    assert_eq!(codes, expected);
}
