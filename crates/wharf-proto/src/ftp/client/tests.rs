//! The machine against scripted replies, and properties.

mod conversation;
mod security;

use proptest::prelude::*;

use super::{
    Capabilities, Client, Event, Foreign, ProtocolError, Request, RequestError, Settings, Ticket,
    Way, answer,
};
use crate::ftp::{
    Pathname,
    reply::{Code, Reply},
    server::{HashAlgorithm, Representation},
    time::FtpTime,
};

fn greeted(settings: Settings) -> Client {
    let mut client = Client::new(settings);
    client.handle_input(b"220 ready\r\n").unwrap();
    assert!(matches!(client.poll_event(), Some(Event::Greeting(_))));
    client
}

fn sent(client: &mut Client) -> Vec<u8> {
    std::iter::from_fn(|| client.poll_transmit())
        .flat_map(|transmit| transmit.bytes)
        .collect()
}

/// Events without the trace.
fn events(client: &mut Client) -> Vec<Event> {
    std::iter::from_fn(|| client.poll_event())
        .filter(|event| !matches!(event, Event::Sent(_)))
        .collect()
}

fn login() -> Request {
    Request::Login {
        user: b"ann".to_vec(),
        password: b"s3cret".to_vec(),
    }
}

fn finished(events: &[Event], ticket: Ticket) -> Option<(&'static str, u16)> {
    events.iter().find_map(|event| match event {
        Event::Finished {
            ticket: of,
            verb,
            reply,
        } if *of == ticket => Some((*verb, reply.code.value())),
        _ => None,
    })
}

#[test]
fn nothing_is_sent_before_the_greeting() {
    let mut client = Client::new(Settings::default());
    client.request(Request::Noop).unwrap();
    assert_eq!(sent(&mut client), b"");
    client.handle_input(b"120 in 5 minutes\r\n").unwrap();
    assert_eq!(sent(&mut client), b"");
    client.handle_input(b"220 now\r\n").unwrap();
    assert_eq!(sent(&mut client), b"NOOP\r\n");
}

#[test]
fn password_is_sent_only_when_asked_for_and_never_shown() {
    let mut client = greeted(Settings::default());
    let ticket = client.request(login()).unwrap();
    assert_eq!(sent(&mut client), b"USER ann\r\n");
    client.handle_input(b"331 password?\r\n").unwrap();
    assert_eq!(sent(&mut client), b"PASS s3cret\r\n");
    client.handle_input(b"230 in\r\n").unwrap();
    let mut trace = Vec::new();
    let mut found = None;
    while let Some(event) = client.poll_event() {
        if let Event::Sent(line) = &event {
            trace.extend_from_slice(line);
        }
        found = finished(&[event], ticket).or(found);
    }
    assert_eq!(found, Some(("PASS", 230)));
    assert_eq!(trace, b"USER annPASS ***");

    let ticket = client.request(login()).unwrap();
    client.handle_input(b"230 no password needed\r\n").unwrap();
    assert_eq!(sent(&mut client), b"USER ann\r\n");
    assert_eq!(finished(&events(&mut client), ticket), Some(("USER", 230)));
}

#[test]
fn account_wanted_ends_the_login() {
    let mut client = greeted(Settings::default());
    let ticket = client.request(login()).unwrap();
    client.handle_input(b"332 account\r\n").unwrap();
    assert_eq!(finished(&events(&mut client), ticket), Some(("USER", 332)));
}

/// Command injection through a decoded URL or a local name.
#[test]
fn line_ends_and_nul_in_arguments_are_refused() {
    let mut client = greeted(Settings::default());
    for bad in ["a\rb", "a\nDELE b", "a\0b"] {
        let path = Pathname::from(bad);
        let requests = [
            Request::ChangeDirectory(path.clone()),
            Request::Rename {
                from: Pathname::from("x"),
                to: path.clone(),
            },
            Request::Store { path, offset: 5 },
            Request::Login {
                user: b"u".to_vec(),
                password: bad.as_bytes().to_vec(),
            },
        ];
        for request in requests {
            assert_eq!(client.request(request), Err(RequestError::ForbiddenOctet));
        }
    }
    assert_eq!(sent(&mut client), b"");
}

#[test]
fn octet_255_of_a_name_is_doubled_on_the_wire() {
    let mut client = greeted(Settings::default());
    client
        .request(Request::RemoveFile(Pathname::new(vec![b'a', 0xff])))
        .unwrap();
    assert_eq!(sent(&mut client), b"DELE a\xff\xff\r\n");
}

/// RPL-52.
#[test]
fn preliminary_replies_may_repeat_or_be_missing() {
    let mut client = greeted(Settings::default());
    let path = Pathname::from("f");
    let first = client
        .request(Request::Retrieve {
            path: path.clone(),
            offset: 0,
        })
        .unwrap();
    client
        .handle_input(b"125 a\r\n150 b\r\n226 done\r\n")
        .unwrap();
    let seen = events(&mut client);
    let preliminary = seen
        .iter()
        .filter(|event| matches!(event, Event::Preliminary { .. }));
    assert_eq!(
        (preliminary.count(), finished(&seen, first)),
        (2, Some(("RETR", 226)))
    );
    let second = client
        .request(Request::Retrieve { path, offset: 0 })
        .unwrap();
    client.handle_input(b"226 nothing to send\r\n").unwrap();
    assert_eq!(finished(&events(&mut client), second), Some(("RETR", 226)));
}

#[test]
fn a_refused_restart_does_not_go_on_to_the_transfer() {
    let mut client = greeted(Settings::default());
    let ticket = client
        .request(Request::Retrieve {
            path: Pathname::from("f"),
            offset: 9,
        })
        .unwrap();
    client.handle_input(b"502 no REST\r\n").unwrap();
    assert_eq!(sent(&mut client), b"REST 9\r\n");
    assert_eq!(finished(&events(&mut client), ticket), Some(("REST", 502)));
    let ticket = client
        .request(Request::Store {
            path: Pathname::from("f"),
            offset: 9,
        })
        .unwrap();
    client
        .handle_input(b"350 ok\r\n150 go\r\n226 ok\r\n")
        .unwrap();
    assert_eq!(sent(&mut client), b"REST 9\r\nSTOR f\r\n");
    assert_eq!(finished(&events(&mut client), ticket), Some(("STOR", 226)));
}

#[test]
fn rename_stops_where_it_is_refused() {
    let mut client = greeted(Settings::default());
    let rename = || Request::Rename {
        from: Pathname::from("a b"),
        to: Pathname::from("c"),
    };
    let ticket = client.request(rename()).unwrap();
    client.handle_input(b"350 go on\r\n553 no\r\n").unwrap();
    assert_eq!(sent(&mut client), b"RNFR a b\r\nRNTO c\r\n");
    assert_eq!(finished(&events(&mut client), ticket), Some(("RNTO", 553)));
    let ticket = client.request(rename()).unwrap();
    client.handle_input(b"550 no\r\n").unwrap();
    assert_eq!(finished(&events(&mut client), ticket), Some(("RNFR", 550)));
}

/// RPL-56.
#[test]
fn service_closing_at_any_time_ends_the_session_and_names_what_was_cut_off() {
    let mut client = greeted(Settings::default());
    let store = client
        .request(Request::Store {
            path: Pathname::from("f"),
            offset: 0,
        })
        .unwrap();
    let size = client.request(Request::Size(Pathname::from("f"))).unwrap();
    client
        .handle_input(b"150 go\r\n421 idle\r\n226 late\r\n")
        .unwrap();
    let seen = events(&mut client);
    let Some(Event::Lost {
        reply: Some(reply),
        pending,
    }) = seen.last()
    else {
        panic!("{seen:?}")
    };
    assert_eq!(reply.code.value(), 421);
    let pending: Vec<_> = pending.iter().map(|p| (p.ticket, p.repeatable)).collect();
    assert_eq!(pending, [(store, false), (size, true)]);
    assert_eq!(client.request(Request::Noop), Err(RequestError::Ended));
}

#[test]
fn a_refusing_greeting_is_a_lost_session() {
    let mut client = Client::new(Settings::default());
    client.handle_input(b"530 too many users\r\n").unwrap();
    assert!(matches!(
        client.poll_event(),
        Some(Event::Lost { reply: Some(_), .. })
    ));
}

/// D12.
#[test]
fn other_protocols_are_told_by_their_first_octets() {
    for (bytes, foreign) in [
        (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], Foreign::Ssh),
        (b"HTTP/1.1 400 Bad Request\r\n", Foreign::Http),
        (b"\x15\x03\x01\x00\x02\x02\x46", Foreign::Tls),
    ] {
        let mut client = Client::new(Settings::default());
        let result = bytes
            .chunks(1)
            .try_for_each(|byte| client.handle_input(byte));
        assert_eq!(result, Err(ProtocolError::Foreign(foreign)));
    }
}

/// RPL-14, DAT-64: the Synch's urgent octet is DM.
#[test]
fn abort_sends_ip_and_synch_and_is_resynchronised_by_noop() {
    let mut client = greeted(Settings::default());
    assert!(!client.abort(), "nothing to abort");
    let ticket = client
        .request(Request::Retrieve {
            path: Pathname::from("f"),
            offset: 0,
        })
        .unwrap();
    client.handle_input(b"150 go\r\n").unwrap();
    sent(&mut client);
    assert!(client.abort());
    let out: Vec<_> = std::iter::from_fn(|| client.poll_transmit()).collect();
    let out: Vec<_> = out.iter().map(|t| (t.bytes.as_slice(), t.urgent)).collect();
    assert_eq!(
        out,
        [
            (&b"\xff\xf4"[..], false),
            (b"\xff\xf2", true),
            (b"ABOR\r\n", false)
        ]
    );
    client.handle_input(b"426 aborted\r\n").unwrap();
    assert_eq!(finished(&events(&mut client), ticket), Some(("RETR", 426)));
    client.handle_input(b"226 abort done\r\n").unwrap();
    assert_eq!(sent(&mut client), b"NOOP\r\n");
    let next = client.request(Request::System).unwrap();
    assert_eq!(sent(&mut client), b"");
    client.handle_input(b"200 ok\r\n215 UNIX\r\n").unwrap();
    assert_eq!(sent(&mut client), b"SYST\r\n");
    let seen = events(&mut client);
    assert!(seen.contains(&Event::Resynchronised));
    assert_eq!(finished(&seen, next), Some(("SYST", 215)));
}

/// DAT-64: a server that answers only once, and late.
#[test]
fn abort_with_one_answer_is_ended_by_the_timeout() {
    let settings = Settings {
        telnet_abort: false,
        ..Settings::default()
    };
    let mut client = greeted(settings);
    client
        .request(Request::Retrieve {
            path: Pathname::from("f"),
            offset: 0,
        })
        .unwrap();
    client.handle_input(b"150 go\r\n").unwrap();
    sent(&mut client);
    client.abort();
    assert_eq!(sent(&mut client), b"ABOR\r\n");
    client.handle_input(b"226 done\r\n").unwrap();
    client.handle_abort_timeout();
    client.handle_abort_timeout();
    assert_eq!(sent(&mut client), b"NOOP\r\n");
    client.handle_input(b"225 late\r\n200 ok\r\n").unwrap();
    assert!(events(&mut client).contains(&Event::Resynchronised));
    assert!(client.is_idle());
}

#[test]
fn only_harmless_requests_are_sent_ahead() {
    let mut client = greeted(Settings {
        pipelining: true,
        ..Settings::default()
    });
    client
        .request(Request::Type(Representation::Image))
        .unwrap();
    client.request(Request::Size(Pathname::from("a"))).unwrap();
    client.request(Request::Passive).unwrap();
    client.request(Request::Size(Pathname::from("b"))).unwrap();
    assert_eq!(sent(&mut client), b"TYPE I\r\nSIZE a\r\n");
    client.handle_input(b"200 ok\r\n").unwrap();
    assert_eq!(sent(&mut client), b"");
    client.handle_input(b"213 1\r\n").unwrap();
    assert_eq!(sent(&mut client), b"PASV\r\n");
    client.handle_input(b"227 (1,2,3,4,5,6)\r\n").unwrap();
    assert_eq!(sent(&mut client), b"SIZE b\r\n");
}

#[test]
fn a_reply_without_a_question_is_told() {
    let mut client = greeted(Settings::default());
    client.handle_input(b"226 late\r\n").unwrap();
    assert!(matches!(
        events(&mut client).as_slice(),
        [Event::Unasked(_)]
    ));
}

fn reply(code: u16, lines: &[&str]) -> Reply {
    Reply {
        code: Code::new(code).unwrap(),
        lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect(),
    }
}

#[test]
fn answers_are_read_in_the_forms_that_servers_use() {
    assert_eq!(answer::size(&reply(213, &["1234"])), Some(1234));
    assert_eq!(answer::size(&reply(550, &["1234"])), None);
    let time = answer::modification_time(&reply(213, &["20240615120000.5"])).unwrap();
    assert_eq!(time.seconds(), 1_718_452_800);
    assert_eq!(
        answer::path(&reply(257, &["\"/a \"\"b\"\"\" is current"])),
        Some(b"/a \"b\"".to_vec())
    );
    assert_eq!(
        answer::passive(&reply(227, &["Entering Passive Mode (10,0,0,1,4,1)"]))
            .unwrap()
            .port(),
        1025
    );
    assert_eq!(
        answer::extended_passive(&reply(229, &["Extended (|||6446|)"])).unwrap(),
        6446
    );
    let opening = "Opening BINARY mode data connection for x (99) (42 bytes).";
    assert_eq!(answer::announced_size(&reply(150, &[opening])), Some(42));
    assert_eq!(
        answer::announced_size(&reply(150, &["Opening data connection for a (3)"])),
        None
    );
    let entry = answer::facts(&reply(
        250,
        &[
            "Listing",
            " type=file;size=5;modify=20240615120000; /d/x y",
            "End",
        ],
    ));
    assert_eq!(
        entry.map(|e| (e.name, e.size)),
        Some((b"/d/x y".to_vec(), Some(5)))
    );
    assert!(answer::facts(&reply(250, &["Listing", " Type=cdir; /d", "End"])).is_some());
}

#[test]
fn hashes_are_found_in_the_forms_that_servers_use() {
    let crc = |code, lines: &[&str]| answer::hash(&reply(code, lines), HashAlgorithm::Crc32);
    assert_eq!(crc(250, &["352441C2"]), Some("352441c2".to_owned()));
    assert_eq!(
        crc(213, &["CRC32 0-2 352441c2 deadbeef"]),
        Some("352441c2".to_owned())
    );
    assert_eq!(
        crc(250, &["XCRC", "352441C2", "done"]),
        Some("352441c2".to_owned())
    );
    assert_eq!(crc(550, &["352441C2"]), None);
    assert_eq!(crc(250, &["ok"]), None);
}

#[test]
fn features_are_read_without_regard_to_case() {
    let feat = reply(
        211,
        &[
            "Features",
            " utf8",
            " MLST type*;size*;",
            " REST STREAM",
            " HASH SHA-512;SHA-256*;CRC32",
            " XCRC",
            " XSHA256",
            "End",
        ],
    );
    let found = Capabilities::parse(&feat);
    assert!(found.utf8 && found.facts && found.restart && !found.size);
    assert_eq!(
        found.hashes,
        [
            HashAlgorithm::Sha256,
            HashAlgorithm::Sha512,
            HashAlgorithm::Crc32
        ]
    );
    assert_eq!(
        found.hash_verbs,
        [HashAlgorithm::Sha256, HashAlgorithm::Crc32]
    );
    assert_eq!(
        Capabilities::parse(&reply(500, &["x"])),
        Capabilities::default()
    );
}

/// RPL-57.
#[test]
fn refusals_lead_to_the_next_way() {
    let next = |way: Way, code| way.next(Code::new(code).unwrap());
    assert_eq!(next(Way::ExtendedPassive, 500), Some(Way::Passive));
    assert_eq!(next(Way::ExtendedPassive, 425), Some(Way::Passive));
    assert_eq!(next(Way::FactsList, 502), Some(Way::List));
    assert_eq!(next(Way::FactsList, 550), None);
    assert_eq!(next(Way::Mfmt, 500), Some(Way::MdtmSet));
    assert_eq!(next(Way::MdtmSet, 550), Some(Way::SiteUtime));
    assert_eq!(next(Way::SiteUtime, 500), None);
}

#[test]
fn too_many_is_told_from_a_wrong_password() {
    assert!(answer::is_too_many(&reply(
        421,
        &["There are too many connections from your address"]
    )));
    assert!(answer::is_too_many(&reply(
        530,
        &["Sorry, the maximum number of clients (5) are already connected"]
    )));
    assert!(!answer::is_too_many(&reply(530, &["Login incorrect."])));
}

fn any_request() -> impl Strategy<Value = Request> {
    let path = proptest::collection::vec(any::<u8>(), 0..12).prop_map(Pathname::new);
    prop_oneof![
        Just(login()),
        Just(Request::Noop),
        Just(Request::Passive),
        Just(Request::Quit),
        Just(Request::StartTls(crate::ftp::Mechanism::Tls)),
        Just(Request::ProtectionBuffer),
        Just(Request::Protect(crate::ftp::Protection::Private)),
        Just(Request::EndTls),
        Just(Request::Type(Representation::Image)),
        path.clone().prop_map(Request::Size),
        (path.clone(), 0_u64..3).prop_map(|(path, offset)| Request::Retrieve { path, offset }),
        (path.clone(), path.clone()).prop_map(|(from, to)| Request::Rename { from, to }),
        path.prop_map(|path| Request::SetModificationTime {
            path,
            time: FtpTime::new(0, 0)
        }),
    ]
}

fn any_reply() -> impl Strategy<Value = Vec<u8>> {
    let codes = prop_oneof![
        Just(125),
        Just(150),
        Just(200),
        Just(213),
        Just(220),
        Just(226),
        Just(230),
        Just(234),
        Just(331),
        Just(332),
        Just(350),
        Just(421),
        Just(426),
        Just(500),
        Just(550),
    ];
    (codes, any::<bool>()).prop_map(|(code, long)| {
        if long {
            format!("{code}-a\r\n b\r\n{code} c\r\n").into_bytes()
        } else {
            format!("{code} x\n").into_bytes()
        }
    })
}

/// A move of the driver or of the server.
#[derive(Clone, Debug)]
enum Move {
    Ask(Request),
    Say(Vec<u8>),
    Noise(Vec<u8>),
    Abort,
    Timeout,
    TlsStarted,
    TlsEnded,
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => any_request().prop_map(Move::Ask),
        6 => any_reply().prop_map(Move::Say),
        1 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(Move::Noise),
        1 => Just(Move::Abort),
        1 => Just(Move::Timeout),
        1 => Just(Move::TlsStarted),
        1 => Just(Move::TlsEnded),
    ]
}

proptest! {
    /// Never a panic, never two ends of one request, never a line end inside a line.
    #[test]
    fn every_request_ends_at_most_once(pipelining: bool, moves in proptest::collection::vec(any_move(), 0..40)) {
        let mut client = Client::new(Settings { pipelining, ..Settings::default() });
        let mut ended = std::collections::BTreeSet::new();
        for step in moves {
            match step {
                Move::Ask(request) => { let _ = client.request(request); }
                Move::Say(bytes) | Move::Noise(bytes) => { let _ = client.handle_input(&bytes); }
                Move::Abort => { client.abort(); }
                Move::Timeout => client.handle_abort_timeout(),
                Move::TlsStarted => client.tls_started(),
                Move::TlsEnded => client.tls_ended(),
            }
            while let Some(event) = client.poll_event() {
                match event {
                    Event::Finished { ticket, .. } => prop_assert!(ended.insert(ticket)),
                    Event::Lost { pending, .. } => {
                        for cut in pending {
                            prop_assert!(ended.insert(cut.ticket));
                        }
                    }
                    _ => {}
                }
            }
            while let Some(transmit) = client.poll_transmit() {
                let line = transmit.bytes.strip_suffix(b"\r\n").unwrap_or(&transmit.bytes);
                prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
            }
        }
    }

    #[test]
    fn splitting_the_input_changes_nothing(
        requests in proptest::collection::vec(any_request(), 0..6),
        replies in proptest::collection::vec(any_reply(), 0..8),
        at in 0_usize..200,
    ) {
        let input = [b"220 ready\r\n".to_vec(), replies.concat()].concat();
        let run = |pieces: &[&[u8]]| {
            let mut client = Client::new(Settings::default());
            for request in &requests {
                let _ = client.request(request.clone());
            }
            for piece in pieces {
                if client.handle_input(piece).is_err() {
                    break;
                }
            }
            (std::iter::from_fn(|| client.poll_event()).collect::<Vec<_>>(), sent(&mut client))
        };
        let (front, back) = input.split_at(at.min(input.len()));
        prop_assert_eq!(run(&[front, back]), run(&[&input]));
    }
}
