//! Properties over arbitrary input: order, closed doors, bounded memory, no panic.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::ftp::{
    reply::{Class, ReplyParser},
    verb::TABLE,
};

/// A line that often means something.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let verb = (0..TABLE.len()).prop_map(|index| TABLE[index].name.as_bytes().to_vec());
    const ARGUMENTS: [&[u8]; 15] = [
        b"",
        b" f",
        b" -la x",
        b" 5",
        b" I",
        b" TLS",
        b" P",
        b" ALL",
        b" 192,0,2,7,4,1",
        b" |1|192.0.2.7|1025|",
        b" 20020717210715 f",
        b" CHMOD 640 f",
        b" UTF8 ON",
        b" \"a b\" 1 2",
        b" \xff\xff\r\0",
    ];
    let argument = proptest::sample::select(&ARGUMENTS[..]);
    prop_oneof![
        8 => (verb, argument).prop_map(|(verb, argument)| [&verb[..], argument, b"\r\n"].concat()),
        1 => vec(any::<u8>(), 0..30),
        1 => Just(b"\xff\xf4\xff\xf2ABOR\r\n".to_vec()),
    ]
}

fn lines() -> impl Strategy<Value = Vec<u8>> {
    vec(line(), 0..30).prop_map(|lines| lines.concat())
}

fn finals(out: &[u8]) -> Vec<u16> {
    let mut parser = ReplyParser::new();
    let mut codes = Vec::new();
    let mut rest = out;
    while !rest.is_empty() {
        let (taken, reply) = parser.parse(rest).expect("replies are well formed");
        if let Some(reply) = reply.filter(|reply| reply.code.class() != Class::Preliminary) {
            codes.push(reply.code.value());
        }
        rest = &rest[taken..];
    }
    assert!(parser.is_empty(), "no reply is left open");
    codes
}

/// Octets that the machine holds for its peer.
fn held(server: &Server) -> usize {
    let waiting = server.backlog.as_ref().map_or(0, |backlog| {
        let entries = backlog.entries.iter().map(|entry| match entry {
            Entry::Command(command) => command.argument.len(),
            _ => 16,
        });
        entries.sum::<usize>() + backlog.unread_len()
    });
    server.reader.held() + waiting
}

proptest! {
    /// Splitting the input at any byte changes nothing.
    #[test]
    fn cutting_the_input_changes_nothing(bytes in lines(), cuts in vec(0_usize..600, 0..5), known: bool, tls: bool) {
        let run = |chunks: &[&[u8]]| {
            let settings = if tls { with_tls() } else { Settings::default() };
            let (mut server, now) = if known { logged_in(settings) } else { open(settings) };
            for chunk in chunks {
                server.handle_input(now, chunk);
            }
            let mut out = Vec::new();
            let actions = run_kindly(&mut server, now, &mut out);
            (actions, out)
        };
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut chunks = Vec::new();
        let mut from = 0;
        for cut in cuts {
            chunks.push(&bytes[from..cut]);
            from = cut;
        }
        chunks.push(&bytes[from..]);
        let whole = run(&[&bytes]);
        prop_assert_eq!(&run(&chunks), &whole);
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&run(&bytewise), &whole);
    }

    /// Each command gets exactly one final reply, however many are sent ahead.
    #[test]
    fn every_command_gets_exactly_one_final_reply(
        commands in vec((0..TABLE.len(), prop_oneof![Just(""), Just(" f"), Just(" 5"), Just(" I")]), 0..60),
        together: bool,
    ) {
        let (mut server, now) = logged_in(Settings::default());
        let mut out = Vec::new();
        let mut sent = 0;
        for (index, argument) in commands {
            let row = &TABLE[index];
            server.handle_input(now, format!("{}{argument}\r\n", row.name).as_bytes());
            sent += 1;
            if !together {
                run_kindly(&mut server, now, &mut out);
            }
            if row.name == "QUIT" {
                break;
            }
        }
        run_kindly(&mut server, now, &mut out);
        prop_assert_eq!(finals(&out).len(), sent);
    }

    /// Replies come in the order of their commands.
    #[test]
    fn replies_keep_the_order_of_commands(picks in vec(0_usize..9, 0..100)) {
        const KNOWN: [(&str, u16); 9] = [
            ("NOOP", 200), ("SYST", 215), ("PWD", 257), ("SIZE f", 213), ("CWD d", 250), ("FEAT", 211),
            ("RETR f", 226), ("EPSV", 229), ("FOO", 500),
        ];
        let (mut server, now) = logged_in(Settings::default());
        let mut out = Vec::new();
        let mut wire = String::new();
        for &pick in &picks {
            wire.push_str(KNOWN[pick].0);
            wire.push_str("\r\n");
        }
        server.handle_input(now, wire.as_bytes());
        run_kindly(&mut server, now, &mut out);
        let expected: Vec<u16> = picks.iter().map(|&pick| KNOWN[pick].1).collect();
        prop_assert_eq!(finals(&out), expected);
    }

    /// CVE-2015-3306, CVE-2019-12815: without a login nothing but the closed list comes out.
    #[test]
    fn cve_2015_3306_before_the_login_only_its_own_actions_come_out(bytes in lines(), tls: bool) {
        let (mut server, now) = open(if tls { with_tls() } else { Settings::default() });
        server.handle_input(now, &bytes);
        loop {
            let mut rested = true;
            while let Some(action) = server.poll_action() {
                rested = false;
                let outcome = match &action {
                    Action::Authenticate { .. } => Outcome::LoginRefused(LoginRefusal::Incorrect),
                    Action::Status => Outcome::Status(Status::default()),
                    Action::StartTls if tls => {
                        server.tls_started(now, false);
                        continue;
                    }
                    Action::ClientName(_) | Action::Close(_) => continue,
                    other => return Err(TestCaseError::fail(format!("{other:?}"))),
                };
                server.handle_outcome(now, outcome);
            }
            while server.poll_transmit(&mut Vec::new()) {
                rested = false;
            }
            if rested {
                break;
            }
        }
    }

    /// Whatever the peer, the session and the clock do: no panic, bounded memory, one Close at most,
    /// and at its end nothing more.
    #[test]
    fn no_turn_of_events_breaks_the_machine(
        steps in vec((0..14_u8, lines(), 0_u64..1000), 0..40),
        events: bool,
        tls: bool,
    ) {
        let settings = Settings { line_limit: 64, max_pipelined: 8, max_unread: 256, command_events: events, ..if tls { with_tls() } else { Settings::default() } };
        let bound = settings.line_limit + settings.max_unread + settings.max_pipelined * settings.line_limit;
        let mut now = origin();
        let mut server = Server::new(Arc::new(settings), now);
        let mut last: Vec<Action> = Vec::new();
        let mut closes = 0;
        for (step, bytes, number) in steps {
            match step {
                0 => server.greet(now),
                1..=4 => server.handle_input(now, bytes.get(..256).unwrap_or(&bytes)),
                5 => {
                    now += Duration::from_secs(number);
                    server.handle_timeout(now);
                }
                6 => server.handle_outcome(now, Outcome::Finished(Finished::Aborted)),
                7 => server.handle_outcome(now, Outcome::Status(Status::default())),
                8 if number < 20 => server.handle_end_of_input(),
                8 if number < 40 => server.shut_down("bye", ShutDown::Idle),
                8 if number < 60 => server.shut_down("bye", ShutDown::Now),
                9 => server.handle_outcome(now, Outcome::Done),
                10 => server.tls_started(now, number < 500),
                11 => server.tls_ended(now),
                _ => {
                    for action in last.drain(..) {
                        switch(&mut server, now, &action);
                        for outcome in kind_outcomes(&action) {
                            server.handle_outcome(now, outcome);
                        }
                    }
                    while server.poll_transmit(&mut Vec::new()) {}
                }
            }
            prop_assert!(held(&server) <= bound, "{} of {bound}", held(&server));
            while let Some(action) = server.poll_action() {
                prop_assert_eq!(closes, 0, "nothing follows Close");
                closes += u8::from(matches!(action, Action::Close(_)));
                last.push(action);
            }
        }
    }

    /// A peer that leaves always brings the session to its Close.
    #[test]
    fn a_session_always_ends(bytes in lines(), known: bool, tls: bool) {
        let settings = if tls { with_tls() } else { Settings::default() };
        let (mut server, now) = if known { logged_in(settings) } else { open(settings) };
        server.handle_input(now, &bytes);
        server.handle_end_of_input();
        let actions = run_kindly(&mut server, now, &mut Vec::new());
        prop_assert!(matches!(actions.last(), Some(Action::Close(_))));
    }
}
