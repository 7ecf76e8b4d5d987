//! Client and server machine in one conversation, and the golden transcripts with the roles swapped.

use std::{sync::Arc, time::Instant};

use proptest::prelude::*;

use super::{any_request, events, login, sent};
use crate::ftp::{
    Pathname,
    client::{Client, Event, Request, Settings},
    server::{self, Action, Finished, Outcome, Reason, Refusal, Representation, Server, Started},
};

#[expect(
    clippy::disallowed_methods,
    reason = "any origin will do, only differences are used"
)]
fn origin() -> Instant {
    Instant::now()
}

/// What a session without troubles answers; a name that begins with `n` does not exist.
fn outcomes(action: &Action) -> Vec<Outcome> {
    let refused = || {
        vec![Outcome::Refused(Refusal {
            reason: Reason::NotFound,
            name: Vec::new(),
            detail: String::new(),
        })]
    };
    let missing = |path: &Pathname| path.as_bytes().starts_with(b"n");
    match action {
        Action::Authenticate { .. } => vec![Outcome::LoggedIn {
            message: String::new(),
        }],
        Action::CurrentDirectory => vec![Outcome::Path(b"/x".to_vec())],
        Action::OpenPassive { .. } => vec![Outcome::Passive(([192, 0, 2, 1], 50_000).into())],
        Action::Size { path, .. } | Action::Retrieve { path, .. } if missing(path) => refused(),
        Action::Retrieve { .. } => vec![
            Outcome::Started(Started {
                name: b"n".to_vec(),
                size: Some(7),
            }),
            Outcome::Finished(Finished::Complete {
                octets: 7,
                note: String::new(),
            }),
        ],
        Action::Size { .. } => vec![Outcome::Number(600)],
        Action::SetModificationTime { time, .. } => vec![Outcome::Time(*time)],
        Action::ClientName(_)
        | Action::CommandSeen { .. }
        | Action::Abort
        | Action::CloseData
        | Action::Close(_) => vec![],
        _ => vec![Outcome::Done],
    }
}

/// Lets both talk until neither has anything to say.
fn converse(client: &mut Client, server: &mut Server, now: Instant) {
    loop {
        let mut rested = true;
        while let Some(transmit) = client.poll_transmit() {
            rested = false;
            server.handle_input(now, &transmit.bytes);
        }
        while let Some(action) = server.poll_action() {
            rested = false;
            for outcome in outcomes(&action) {
                server.handle_outcome(now, outcome);
            }
        }
        let mut out = Vec::new();
        while server.poll_transmit(&mut out) {}
        if !out.is_empty() {
            rested = false;
            client.handle_input(&out).unwrap();
        }
        if rested {
            return;
        }
    }
}

proptest! {
    /// A server machine fed by our client machine reaches the end.
    #[test]
    fn every_request_to_our_own_server_is_answered(
        pipelining: bool,
        requests in proptest::collection::vec(any_request(), 0..20),
    ) {
        let now = origin();
        let mut server = Server::new(Arc::new(server::Settings::default()), now);
        let mut client = Client::new(Settings { pipelining, ..Settings::default() });
        server.greet(now);
        client.request(login()).unwrap();
        converse(&mut client, &mut server, now);
        prop_assert!(server.is_logged_in());
        let mut asked = 0;
        for request in requests {
            if matches!(request, Request::Quit) {
                continue;
            }
            asked += usize::from(client.request(request).is_ok());
        }
        converse(&mut client, &mut server, now);
        prop_assert!(client.is_idle());
        let seen = events(&mut client);
        let finished = seen.iter().filter(|event| matches!(event, Event::Finished { .. })).count();
        prop_assert_eq!(finished, asked + 1);
        let unexpected = seen.iter().find(|event| matches!(event, Event::Unasked(_) | Event::Lost { .. }));
        prop_assert_eq!(unexpected, None);
        client.request(Request::Quit).unwrap();
        converse(&mut client, &mut server, now);
        prop_assert!(client.is_dead());
    }
}

/// The lines of a transcript that begin with a mark, with CR LF.
fn said<'a>(transcript: &'a str, mark: &'a str) -> impl Iterator<Item = String> + 'a {
    transcript
        .lines()
        .filter_map(move |line| line.strip_prefix(mark))
        .map(|line| format!("{line}\r\n"))
}

/// T-01 with the roles swapped: fed with what the server says there, the client says what the client
/// says there.
#[test]
fn client_says_what_the_transcript_says() {
    let transcript = include_str!("../../server/transcripts/t01_login_listing_retrieval.txt");
    let mut client = Client::new(Settings::default());
    let path = |name: &str| Pathname::from(name);
    let requests = [
        Request::Login {
            user: b"anna".to_vec(),
            password: b"secret".to_vec(),
        },
        Request::System,
        Request::CurrentDirectory,
        Request::MakeDirectory(path("a \"b\" c")),
        Request::Type(Representation::Image),
        Request::Size(path("f")),
        Request::Passive,
        Request::Retrieve {
            path: path("f"),
            offset: 2,
        },
        Request::ExtendedPassive,
        Request::List(path("-la dir")),
        Request::ParentDirectory,
        Request::Quit,
    ];
    for request in requests {
        client.request(request).unwrap();
    }
    let mut out = Vec::new();
    for line in said(transcript, "S: ") {
        client.handle_input(line.as_bytes()).unwrap();
        out.extend(sent(&mut client));
    }
    let expected: String = said(transcript, "C: ").collect();
    assert_eq!(String::from_utf8_lossy(&out), expected);
    assert!(client.is_dead());
    assert!(
        !events(&mut client)
            .iter()
            .any(|event| matches!(event, Event::Unasked(_)))
    );
}
