//! The server machine against a hostile client.
//!
//! Holds: no input panics; before a login only pre-login actions come out; a transfer is aborted only
//! while one runs; what is written are replies, and not more final ones than commands can have asked
//! for; it comes to rest when its input does. Across AUTH, CCC and REIN: TLS starts and ends only where
//! nothing stands behind the command that asks for it, nothing is said between the last reply and the
//! switch, and what policy wants under TLS is never asked of the session without it. Past holes:
//! CVE-2011-1575, CVE-2015-3306, CVE-2020-9273, ProFTPD 2255, 2265, 2286.
#![no_main]

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use wharf_proto::ftp::Protection;
use wharf_proto::ftp::reply::ReplyParser;
use wharf_proto::ftp::server::{
    Action, CloseReason, DataRefusal, Finished, LoginRefusal, Outcome, Reason, Refusal, RequireTls,
    Server, Settings, Started, Status, TlsRules,
};
use wharf_proto::ftp::telnet::{Step, Telnet};
use wharf_proto::ftp::time::FtpTime;

/// What the session answers, chosen by the last bytes of the input.
struct Session<'a> {
    choices: &'a [u8],
    /// Transfers that were started and have not finished.
    running: VecDeque<Outcome>,
    closed: bool,
    require: RequireTls,
    /// What the machine was given last ended with a line.
    between_lines: bool,
}

impl Session<'_> {
    fn choice(&mut self) -> u8 {
        let Some((&last, rest)) = self.choices.split_last() else {
            return 0;
        };
        self.choices = rest;
        last
    }

    fn refusal(&mut self) -> Refusal {
        let reason = [
            Reason::NotFound,
            Reason::Denied,
            Reason::NoSpace,
            Reason::Busy,
        ][usize::from(self.choice() % 4)];
        Refusal {
            reason,
            name: b"na\"me\r\n226 x".to_vec(),
            detail: String::new(),
        }
    }

    fn transfer(&mut self) -> Outcome {
        match self.choice() % 8 {
            0 => Outcome::Refused(self.refusal()),
            1 => Outcome::DataRefused(DataRefusal::NotSetUp),
            choice => {
                let finished = match choice {
                    2 => Finished::NoConnection("the firewall".into()),
                    3 => Finished::Broken("reset".into()),
                    5 => Finished::NotResumed,
                    6 => Finished::TlsFailed("alert\r\n226 x".into()),
                    4 => Finished::Failed(self.refusal()),
                    _ => Finished::Complete {
                        octets: 5,
                        note: String::new(),
                    },
                };
                self.running.push_back(Outcome::Finished(finished));
                Outcome::Started(Started {
                    name: b"f\r\n".to_vec(),
                    size: Some(5),
                })
            }
        }
    }

    /// The outcome that an action gets at once, if it gets one.
    fn answer(&mut self, action: &Action, logged_in: bool) -> Option<Outcome> {
        let pre_login = matches!(
            action,
            Action::Authenticate { .. }
                | Action::IdentifyByCertificate { .. }
                | Action::StartTls
                | Action::EndTls
                | Action::Status
                | Action::ClientName(_)
                | Action::CommandSeen { .. }
                | Action::Abort
                | Action::CloseData
                | Action::Logout
                | Action::Close(_)
        );
        assert!(pre_login || logged_in, "{action:?} before a login");
        let good = self.choice() % 4 != 0;
        Some(match action {
            Action::Close(_) => {
                self.closed = true;
                return None;
            }
            Action::Abort => {
                for outcome in &mut self.running {
                    *outcome = Outcome::Finished(Finished::Aborted);
                }
                return None;
            }
            Action::CloseData | Action::ClientName(_) | Action::CommandSeen { .. } => return None,
            Action::StartTls | Action::EndTls => return None,
            Action::IdentifyByCertificate { .. } if self.choice() % 2 == 0 => {
                Outcome::PasswordNeeded
            }
            Action::Authenticate { .. } | Action::IdentifyByCertificate { .. } if good => {
                Outcome::LoggedIn {
                    message: String::new(),
                }
            }
            Action::Authenticate { .. } | Action::IdentifyByCertificate { .. } => {
                let refusals = [
                    LoginRefusal::Incorrect,
                    LoginRefusal::LockedOut,
                    LoginRefusal::InClear,
                ];
                Outcome::LoginRefused(refusals[usize::from(self.choice() % 3)])
            }
            Action::Logout => Outcome::Done,
            Action::Retrieve { .. } | Action::Store { .. } | Action::List { .. } => self.transfer(),
            Action::SetActive(_) if good => Outcome::Done,
            Action::OpenPassive { .. } if good => Outcome::Passive(SocketAddr::from((
                Ipv4Addr::LOCALHOST,
                u16::from(self.choice()) + 50_000,
            ))),
            Action::SetActive(_) => Outcome::DataRefused(DataRefusal::LowPort(25)),
            Action::OpenPassive { .. } => Outcome::DataRefused(DataRefusal::NoPort),
            Action::Status => Outcome::Status(Status {
                peer: "192.0.2.7".into(),
                ..Status::default()
            }),
            _ if !good => Outcome::Refused(self.refusal()),
            Action::CurrentDirectory | Action::MakeDirectory(_) => {
                Outcome::Path(b"/a \"b\"\r\n".to_vec())
            }
            Action::Size { .. } | Action::Umask(_) | Action::IdleLimit(_) => Outcome::Number(5),
            Action::ModificationTime(_)
            | Action::ModificationTimeOrSet { .. }
            | Action::SetModificationTime { .. } => match FtpTime::parse(b"20260101000000") {
                Ok(time) => Outcome::Time(time),
                Err(_) => Outcome::Refused(self.refusal()),
            },
            Action::Facts { .. } => Outcome::Facts {
                facts: b"type=file;".to_vec(),
                path: b"/f".to_vec(),
            },
            Action::StatPath { .. } => Outcome::Lines {
                lines: vec![b"226 not the end".to_vec(), b"x\r\n211 y".to_vec()],
                directory: good,
                truncated: false,
            },
            Action::Hash { .. } => Outcome::Digest {
                hex: "00ff".into(),
                start: 0,
                end: 5,
            },
            _ => Outcome::Done,
        })
    }
}

/// Everything that can happen without further input.
fn settle(server: &mut Server, session: &mut Session<'_>, now: Instant, written: &mut Vec<u8>) {
    for _ in 0..100_000 {
        if let Some(action) = server.poll_action() {
            assert!(!session.closed, "{action:?} after Close");
            let logged_in = server.is_logged_in();
            match &action {
                Action::Authenticate { .. } => {
                    assert!(server.is_secure() || !session.require.login());
                }
                Action::Retrieve { .. } | Action::Store { .. } | Action::List { .. } => {
                    let private = server.protection() == Protection::Private;
                    assert!(private || !session.require.data());
                }
                Action::StartTls | Action::EndTls => switch(server, session, &action, now),
                _ => {}
            }
            if let Some(outcome) = session.answer(&action, logged_in) {
                server.handle_outcome(now, outcome);
            }
        } else if !server.poll_transmit(written) {
            return;
        }
    }
    panic!("the machine never comes to rest");
}

/// The way into TLS or out of it, which may also fail.
fn switch(server: &mut Server, session: &mut Session<'_>, action: &Action, now: Instant) {
    assert!(session.between_lines, "{action:?} behind half a line");
    assert!(!server.wants_input());
    let mut more = Vec::new();
    assert!(!server.poll_transmit(&mut more), "{}", more.escape_ascii());
    match (action, session.choice() % 16) {
        // The handshake failed, or the peer was gone: the driver closes.
        (_, 15) => session.closed = true,
        (_, 14) => {
            server.handle_input(now, b"NOOP\r\n");
            let close = Some(Action::Close(CloseReason::Injection));
            assert_eq!(server.poll_action(), close);
            assert!(!server.poll_transmit(&mut more));
            session.closed = true;
        }
        (Action::StartTls, choice) => {
            assert!(!server.is_secure());
            server.tls_started(now, choice > 11);
            assert!(server.is_secure() && !server.is_logged_in());
        }
        _ => {
            assert!(server.is_secure());
            server.tls_ended(now);
            assert!(!server.is_secure());
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let [first, second, data @ ..] = data else {
        return;
    };
    let (first, second) = (*first, *second);
    let (input, choices) = data.split_at(data.len() - data.len() / 4);
    let start = Instant::now();
    let mut now = start;
    let settings = Settings {
        line_limit: 512,
        max_pipelined: 8,
        max_unread: 1024,
        anonymous: first & 1 == 1,
        strict_crlf: first & 2 == 2,
        command_events: first & 4 == 4,
        tls: TlsRules {
            offered: second & 4 == 4,
            require: [
                RequireTls::No,
                RequireTls::Login,
                RequireTls::Data,
                RequireTls::Both,
            ][usize::from(second & 3)],
            implicit_protection: Protection::Private,
            ccc: second & 8 == 8,
        },
        ..Settings::default()
    };
    let mut session = Session {
        choices,
        running: VecDeque::new(),
        closed: false,
        require: settings.tls.require,
        between_lines: true,
    };
    let implicit = second & 20 == 20;
    let new = if implicit {
        Server::implicit
    } else {
        Server::new
    };
    let mut server = new(Arc::new(settings), now);
    if implicit {
        server.tls_started(now, second & 32 == 32);
    }
    let mut written = Vec::new();
    server.greet(now);
    settle(&mut server, &mut session, now, &mut written);
    for piece in input.chunks(usize::from(first >> 3) + 1) {
        // Back-pressure is minded: transfers end until there is room again.
        while !server.wants_input() && !session.closed {
            match session.running.pop_front() {
                Some(outcome) => server.handle_outcome(now, outcome),
                None => {
                    now += Duration::from_secs(3600);
                    server.handle_timeout(now);
                }
            }
            settle(&mut server, &mut session, now, &mut written);
        }
        if session.closed {
            break;
        }
        session.between_lines = piece.ends_with(b"\n");
        server.handle_input(now, piece);
        settle(&mut server, &mut session, now, &mut written);
        if session.choice() % 8 == 7
            && let Some(outcome) = session.running.pop_front()
        {
            server.handle_outcome(now, outcome);
            settle(&mut server, &mut session, now, &mut written);
        }
        assert!(session.running.len() <= 1, "two transfers at a time");
    }
    if !session.closed {
        server.handle_end_of_input();
        settle(&mut server, &mut session, now, &mut written);
        while let Some(outcome) = session.running.pop_front() {
            server.handle_outcome(now, outcome);
            settle(&mut server, &mut session, now, &mut written);
        }
        assert!(session.closed, "the client is gone and the session stays");
    }

    // Telnet refusals may stand between replies; the parser knows them.
    let mut parser = ReplyParser::new();
    let mut rest = &written[..];
    let mut finals = 0;
    while !rest.is_empty() {
        let (taken, reply) = parser
            .parse(rest)
            .unwrap_or_else(|error| panic!("{error} in {}", written.escape_ascii()));
        rest = &rest[taken..];
        if let Some(reply) = reply {
            assert!(reply.inner_lines().len() <= 4096);
            finals += 1;
        }
    }
    let lines = input.iter().filter(|&&byte| byte == b'\n').count();
    assert!(finals <= 3 * lines + 3, "{finals} replies to {lines} lines");
    let mut telnet = Telnet::default();
    let text: Vec<u8> = written
        .iter()
        .filter_map(|&byte| match telnet.step(byte) {
            Step::Data(byte) => Some(byte),
            _ => None,
        })
        .collect();
    let feeds = text.iter().filter(|&&byte| byte == b'\n').count();
    let ends = text.windows(2).filter(|pair| pair == b"\r\n").count();
    assert_eq!(feeds, ends, "a line end inside a line");
});
