//! The machine as a whole: golden transcripts, limits, and properties over arbitrary input.

mod limits;
mod properties;
mod security;
mod transcript;

use super::*;

/// A machine behind its 220, and the time.
fn open(settings: Settings) -> (Server, Instant) {
    let now = origin();
    let mut server = Server::new(Arc::new(settings), now);
    server.greet(now);
    let mut out = Vec::new();
    assert!(server.poll_transmit(&mut out));
    (server, now)
}

/// A machine with a user logged in.
fn logged_in(settings: Settings) -> (Server, Instant) {
    let (mut server, now) = open(settings);
    server.handle_input(now, b"USER anna\r\nPASS secret\r\n");
    while let Some(action) = server.poll_action() {
        if matches!(action, Action::Authenticate { .. }) {
            let message = String::new();
            server.handle_outcome(now, Outcome::LoggedIn { message });
        }
    }
    assert!(server.is_logged_in());
    written(&mut server);
    (server, now)
}

#[expect(
    clippy::disallowed_methods,
    reason = "any origin will do, only differences are used"
)]
fn origin() -> Instant {
    Instant::now()
}

/// All that may be written.
fn written(server: &mut Server) -> String {
    let mut out = Vec::new();
    while server.poll_transmit(&mut out) {}
    String::from_utf8_lossy(&out).into_owned()
}

/// Every action with the outcome that a kind session gives; transfers start and complete.
fn kind_outcomes(action: &Action) -> Vec<Outcome> {
    let path = || Outcome::Path(b"/x".to_vec());
    match action {
        Action::Authenticate { .. } | Action::IdentifyByCertificate { .. } => {
            vec![Outcome::LoggedIn {
                message: String::new(),
            }]
        }
        Action::CurrentDirectory | Action::MakeDirectory(_) => vec![path()],
        Action::OpenPassive { .. } => vec![Outcome::Passive(([192, 0, 2, 1], 50_000).into())],
        Action::Retrieve { .. } | Action::Store { .. } | Action::List { .. } => vec![
            Outcome::Started(Started {
                name: b"n".to_vec(),
                size: Some(7),
            }),
            Outcome::Finished(Finished::Complete {
                octets: 7,
                note: String::new(),
            }),
        ],
        Action::StatPath { .. } => vec![Outcome::Lines {
            lines: vec![b"line".to_vec()],
            directory: true,
            truncated: false,
        }],
        Action::Status => vec![Outcome::Status(Status::default())],
        Action::Facts { .. } => vec![Outcome::Facts {
            facts: b"size=1;".to_vec(),
            path: b"/x".to_vec(),
        }],
        Action::Size { .. } | Action::Umask(_) | Action::IdleLimit(_) => vec![Outcome::Number(600)],
        Action::ModificationTime(_)
        | Action::ModificationTimeOrSet { .. }
        | Action::SetModificationTime { .. } => {
            vec![Outcome::Time(crate::ftp::time::FtpTime::new(0, 0))]
        }
        Action::Hash { .. } => vec![Outcome::Digest {
            hex: "ab".into(),
            start: 0,
            end: 1,
        }],
        Action::ClientName(_)
        | Action::CommandSeen { .. }
        | Action::Abort
        | Action::CloseData
        | Action::StartTls
        | Action::EndTls
        | Action::Close(_) => vec![],
        _ => vec![Outcome::Done],
    }
}

/// Settings with a certificate.
fn with_tls() -> Settings {
    let mut settings = Settings::default();
    settings.tls.offered = true;
    settings.tls.ccc = true;
    settings
}

/// What a driver does when the machine asks for TLS or for its end.
fn switch(server: &mut Server, now: Instant, action: &Action) {
    match action {
        Action::StartTls => server.tls_started(now, false),
        Action::EndTls => server.tls_ended(now),
        _ => {}
    }
}

/// Answers kindly until nothing is left to do; the actions.
fn run_kindly(server: &mut Server, now: Instant, out: &mut Vec<u8>) -> Vec<Action> {
    let mut actions = Vec::new();
    loop {
        let mut rested = true;
        while let Some(action) = server.poll_action() {
            rested = false;
            let outcomes = kind_outcomes(&action);
            switch(server, now, &action);
            actions.push(action);
            for outcome in outcomes {
                server.handle_outcome(now, outcome);
            }
        }
        while server.poll_transmit(out) {
            rested = false;
        }
        if rested {
            return actions;
        }
    }
}

#[test]
fn an_idle_session_is_small_and_owns_no_buffer() {
    assert!(size_of::<Server>() <= 512, "{}", size_of::<Server>());
    let (mut server, now) = logged_in(Settings::default());
    let mut out = Vec::new();
    server.handle_input(now, b"FEAT\r\nPWD\r\nHELP\r\nSIZE f\r\nSTAT\r\nNO");
    server.handle_input(now, b"OP\r\nPWD\r\nPWD\r\nPWD\r\n");
    run_kindly(&mut server, now, &mut out);
    assert!(server.is_idle() && server.backlog.is_none());
    assert_eq!((server.reader.held(), server.output.len()), (0, 0));
}

#[test]
fn hot_commands_are_answered_without_a_queue() {
    let (mut server, now) = logged_in(Settings::default());
    for line in ["NOOP", "PWD", "SIZE f", "CWD d", "PASV", "RETR f", "STOR f"] {
        server.handle_input(now, format!("{line}\r\n").as_bytes());
        assert!(server.backlog.is_none(), "{line}");
        run_kindly(&mut server, now, &mut Vec::new());
    }
}
