//! Tests of the client machine: what a server may not say, and both machines on one wire.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::sftp::{
    Attributes, MAX_DATA,
    arbitrary::parts,
    extension::{Ids, Name},
    response,
    response::{FileSystem, Limits, SpaceAvailable},
    server::{Server, Settings},
    transcript::{ALL, packet, split},
};

/// A session whose server announced everything.
fn open() -> Client {
    let mut client = Client::new(SymlinkOrder::OpenSsh, &mut Vec::new());
    let mut version = Vec::new();
    response::version(Set::ALL, None, &mut version);
    assert_eq!(client.next_response(&mut &version[..]), Ok(None));
    client
}

/// What the client makes of `heard` after one request.
fn after<'a>(
    client: &'a mut Client,
    request: &Request<'_>,
    heard: &'a [u8],
) -> Result<Option<(RequestId, Response<'a>)>, Violation> {
    client.request(request, &mut Vec::new());
    let mut heard = heard;
    client.next_response(&mut heard)
}

const READ: Request<'static> = Request::Read {
    handle: b"h",
    offset: 0,
    length: 3,
};
const STAT: Request<'static> = Request::Stat { path: b"f" };
const ONE: RequestId = RequestId(0);

#[test]
fn sft_80_version_three_is_asked_for_and_the_table_filled() {
    let mut output = Vec::new();
    let mut client = Client::new(SymlinkOrder::OpenSsh, &mut output);
    assert_eq!(output, packet("INIT 3"));
    assert_eq!(client.extensions(), None);
    let version = packet(
        "VERSION 3 \"statvfs@openssh.com\" \"1\" \"fstatvfs@openssh.com\" \"2\" \"newline\" \"\\x0a\" \
         \"check-file\" \"md5\" \"limits@openssh.com\" \"1\"",
    );
    assert_eq!(client.next_response(&mut &version[..]), Ok(None));
    let expected = Set::NONE
        .with(Name::FStatVfs)
        .with(Name::CheckFile)
        .with(Name::Limits);
    assert_eq!(client.extensions(), Some(expected));
}

#[test]
fn sft_80_a_server_without_extensions_is_fine() {
    let mut client = Client::new(SymlinkOrder::OpenSsh, &mut Vec::new());
    let version = packet("VERSION 3");
    for octet in version.chunks(1) {
        assert_eq!(client.next_response(&mut &octet[..]), Ok(None));
    }
    assert_eq!(client.extensions(), Some(Set::NONE));
}

#[test]
fn what_does_not_begin_as_sftp_is_named() {
    for (heard, violation) in [
        (b"Welcome to host\r\n".to_vec(), Violation::Text),
        (b"\x1b[1m hi".to_vec(), Violation::Text),
        (packet("VERSION 2"), Violation::Version(2)),
        (packet("VERSION 6"), Violation::Version(6)),
        (packet("VERSION x00"), Violation::Malformed(2)),
        (packet("VERSION 3 \"a\""), Violation::Malformed(2)),
        (packet("STATUS 0 0"), Violation::NotVersion(101)),
        (vec![0; 4], Violation::Length(BadLength::Empty)),
        (
            vec![0xff; 4],
            Violation::Length(BadLength::TooLong(u32::MAX)),
        ),
    ] {
        let mut client = Client::new(SymlinkOrder::OpenSsh, &mut Vec::new());
        assert_eq!(client.next_response(&mut &heard[..]), Err(violation));
    }
}

#[test]
fn responses_come_in_any_order() {
    let mut client = open();
    let mut output = Vec::new();
    let ids: Vec<RequestId> = (0..5).map(|_| client.request(&STAT, &mut output)).collect();
    assert_eq!(client.in_flight(), 5);
    for place in [3, 0, 4, 1, 2] {
        let mut heard = Vec::new();
        response::status(ids[place], StatusCode::NoSuchFile, "no", &mut heard);
        let (id, response) = client.next_response(&mut &heard[..]).unwrap().unwrap();
        assert_eq!(id, ids[place]);
        let message = b"no";
        let code = StatusCode::NoSuchFile;
        assert_eq!(response, Response::Status { code, message });
    }
    assert_eq!(client.in_flight(), 0);
    assert!(client.open.is_empty());
}

#[test]
fn a_response_to_nothing_is_a_violation() {
    let status = packet("STATUS 0 2 \"\" \"\"");
    let mut client = open();
    let unasked = Err(Violation::Unasked(ONE));
    assert_eq!(client.next_response(&mut &status[..]), unasked);

    let mut client = open();
    assert!(after(&mut client, &STAT, &status).is_ok());
    assert_eq!(
        client.next_response(&mut &status[..]),
        unasked,
        "answered twice"
    );

    let mut client = open();
    client.request(&STAT, &mut Vec::new());
    client.request(&STAT, &mut Vec::new());
    let second = packet("STATUS 1 2 \"\" \"\"");
    assert!(client.next_response(&mut &second[..]).unwrap().is_some());
    assert_eq!(
        client.next_response(&mut &second[..]),
        Err(Violation::Unasked(RequestId(1))),
        "answered twice behind one that is open"
    );
}

#[test]
fn a_response_that_the_request_cannot_have_is_a_violation() {
    let directory = Request::ReadDirectory { handle: b"h" };
    let open_file = Request::OpenDirectory { path: b"d" };
    let close = Request::Close { handle: b"h" };
    let real_path = Request::RealPath { path: b"." };
    let limits = Request::Extended(Extended::Limits);
    for (request, heard) in [
        (&READ, "HANDLE 0 \"h\""),
        (&READ, "STATUS 0 0 \"\" \"\""),
        (&READ, "NAME 0 0"),
        (&STAT, "DATA 0 \"abc\""),
        (&STAT, "EXTENDED_REPLY 0 1:64"),
        (&open_file, "ATTRS 0 0"),
        (&close, "HANDLE 0 \"h\""),
        (&directory, "DATA 0 \"\""),
        (&real_path, "NAME 0 0"),
        (&real_path, "NAME 0 2 \"a\" \"\" 0 \"b\" \"\" 0"),
        (&limits, "ATTRS 0 0"),
        (&limits, "VERSION 0"),
        (&STAT, "1 0"),
        (&STAT, "255 0"),
    ] {
        let heard = packet(heard);
        let kind = heard[4];
        assert_eq!(
            after(&mut open(), request, &heard),
            Err(Violation::Unfit { id: ONE, kind })
        );
    }
}

#[test]
fn malformed_responses_are_violations() {
    let directory = Request::ReadDirectory { handle: b"h" };
    let limits = Request::Extended(Extended::Limits);
    let none = Ids::new(b"").unwrap();
    let users = Request::Extended(Extended::UsersGroupsById {
        users: none,
        groups: none,
    });
    for (request, heard) in [
        (&READ, "DATA 0 4294967295 'abc'"),
        (&READ, "STATUS 0"),
        (&READ, "DATA x0000"),
        // A count that lies.
        (&directory, "NAME 0 2 \"a\" \"\" 0"),
        (&directory, "NAME 0 4294967295 \"a\" \"\" 0"),
        (&STAT, "ATTRS 0 1 5"),
        (&STAT, "ATTRS 0 2147483648 4294967295"),
        (&limits, "EXTENDED_REPLY 0 1:64 2:64 3:64"),
        (&users, "EXTENDED_REPLY 0 \"\\x00\\x00\\x00\\x09abc\" \"\""),
    ] {
        let heard = packet(heard);
        assert_eq!(
            after(&mut open(), request, &heard),
            Err(Violation::Malformed(heard[4]))
        );
    }
}

#[test]
fn more_data_than_asked_for_are_a_violation() {
    assert_eq!(
        after(&mut open(), &READ, &packet("DATA 0 \"abc\"")),
        Ok(Some((ONE, Response::Data(b"abc"))))
    );
    let violation = Violation::TooMuchData {
        id: ONE,
        length: 4,
        asked: 3,
    };
    assert_eq!(
        after(&mut open(), &READ, &packet("DATA 0 \"abcd\"")),
        Err(violation)
    );
}

#[test]
fn a_handle_of_more_than_256_octets_is_a_violation() {
    let request = Request::OpenDirectory { path: b"d" };
    for (length, fits) in [(0, true), (256, true), (257, false)] {
        let handle = vec![b'h'; length];
        let mut heard = Vec::new();
        response::handle(ONE, &handle, &mut heard);
        let expected = if fits {
            Ok(Some((ONE, Response::Handle(&handle))))
        } else {
            Err(Violation::LongHandle(257))
        };
        assert_eq!(after(&mut open(), &request, &heard), expected);
    }
}

#[test]
fn a_status_without_a_message_is_one() {
    let code = StatusCode::Other(31);
    assert_eq!(
        after(&mut open(), &STAT, &packet("STATUS 0 31")),
        Ok(Some((ONE, Response::Status { code, message: b"" })))
    );
}

#[test]
fn d_19_both_forms_of_the_answer_to_check_file() {
    let check = crate::sftp::extension::Check {
        algorithms: b"md5",
        offset: 0,
        length: 0,
        block: 0,
    };
    let request = Request::Extended(Extended::CheckFileHandle {
        handle: b"h",
        check,
    });
    for heard in [
        "EXTENDED_REPLY 0 \"check-file\" \"md5\" x00ff",
        "EXTENDED_REPLY 0 \"md5\" x00ff",
    ] {
        assert_eq!(
            after(&mut open(), &request, &packet(heard)),
            Ok(Some((
                ONE,
                Response::CheckFile {
                    algorithm: b"md5",
                    hashes: &[0, 255],
                }
            )))
        );
    }
}

#[test]
fn sft_84_the_paths_of_a_symlink_as_the_server_wants_them() {
    let link = Request::Symlink {
        target: b"target",
        link: b"link",
    };
    for (order, expected) in [
        (
            SymlinkOrder::OpenSsh,
            packet("SYMLINK 0 \"target\" \"link\""),
        ),
        (SymlinkOrder::Draft, packet("SYMLINK 0 \"link\" \"target\"")),
    ] {
        let mut client = Client::new(order, &mut Vec::new());
        let mut output = Vec::new();
        client.request(&link, &mut output);
        assert_eq!(output, expected);
    }
}

#[test]
fn a_write_may_be_made_without_its_data_at_hand() {
    let (mut one, mut two) = (open(), open());
    let (mut whole, mut parts) = (Vec::new(), Vec::new());
    let write = Request::Write {
        handle: b"h",
        offset: 7,
        data: b"data",
    };
    let id = one.request(&write, &mut whole);
    assert_eq!(two.write_header(b"h", 7, 4, &mut parts), id);
    parts.extend_from_slice(b"data");
    assert_eq!(parts, whole);
}

#[test]
fn identifiers_go_round() {
    let mut client = open();
    client.oldest = u32::MAX;
    let ids = [0; 3].map(|_| client.request(&STAT, &mut Vec::new()).0);
    assert_eq!(ids, [u32::MAX, 0, 1]);
    for id in ids {
        let mut heard = Vec::new();
        response::status(RequestId(id), StatusCode::Failure, "", &mut heard);
        assert!(client.next_response(&mut &heard[..]).unwrap().is_some());
    }
    assert_eq!(client.oldest, 2);
}

#[test]
fn a_server_that_forgets_a_request_is_left() {
    let mut client = open();
    let mut output = Vec::new();
    for _ in 0..=MAX_BEHIND {
        client.request(&STAT, &mut output);
        output.clear();
    }
    let heard = packet("STATUS 1 2");
    assert_eq!(
        client.next_response(&mut &heard[..]),
        Err(Violation::Unanswered(ONE))
    );
}

#[test]
fn a_whole_response_is_borrowed_from_the_input() {
    let mut client = open();
    client.request(&READ, &mut Vec::new());
    let heard = packet("DATA 0 \"abc\"");
    let mut input = &heard[..];
    let Ok(Some((_, Response::Data(data)))) = client.next_response(&mut input) else {
        panic!("DATA");
    };
    assert!(heard.as_ptr_range().contains(&data.as_ptr()));
    assert_eq!(client.held(), 0);
}

/// The other side of the golden transcripts: a client asks what they ask and hears what they say.
#[test]
fn transcripts_are_understood() {
    let mut understood = 0;
    for (name, text) in ALL {
        let mut client: Option<Client> = None;
        let mut asked: Vec<(u32, u32)> = Vec::new();
        for line in text.lines() {
            let Some((speaker @ ("C:" | "S:"), said)) = line.split_once(' ') else {
                continue;
            };
            let said = said.strip_suffix(" ...").unwrap_or(said);
            let octets = packet(said);
            match (speaker, octets[4]) {
                ("C:", kind::INIT) => {
                    client = Some(Client::new(SymlinkOrder::OpenSsh, &mut Vec::new()));
                    asked.clear();
                }
                ("C:", _) => {
                    if let (Some(client), Ok((id, request))) =
                        (client.as_mut(), Request::parse(&octets[4..], Set::ALL))
                    {
                        let ours = client.request(&request, &mut Vec::new());
                        asked.push((id.0, ours.0));
                    }
                }
                (_, kind::VERSION) => {
                    let got = client.as_mut().unwrap().next_response(&mut &octets[..]);
                    assert_eq!(got, Ok(None), "{name}: {line}");
                }
                _ => {
                    let id = u32::from_be_bytes(*octets[5..].first_chunk().unwrap());
                    let Some(place) = asked.iter().position(|(theirs, _)| *theirs == id) else {
                        continue;
                    };
                    let (_, ours) = asked.remove(place);
                    let heard = [&octets[..5], &ours.to_be_bytes(), &octets[9..]].concat();
                    let got = client.as_mut().unwrap().next_response(&mut &heard[..]);
                    assert!(
                        matches!(got, Ok(Some((id, _))) if id.0 == ours),
                        "{name}: {line}: {got:?}"
                    );
                    understood += 1;
                }
            }
        }
    }
    assert!(understood > 60, "{understood} responses");
}

/// An answer that fits a request.
fn answer_to(id: RequestId, request: &Request<'_>, fails: bool, output: &mut Vec<u8>) {
    if fails {
        return response::status(id, StatusCode::Failure, "no", output);
    }
    match Expected::by(request) {
        Expected::Status => response::status(id, StatusCode::Ok, "", output),
        Expected::Handle => response::handle(id, b"h", output),
        Expected::Data(asked) => {
            let data = response::Data::begin(id, output);
            output.extend((0..asked.min(50)).map(|_| 7));
            data.finish(output);
        }
        Expected::Names => {
            let mut names = response::Names::begin(id, output);
            for name in [&b"a"[..], b"\xff"] {
                assert!(names.push(name, |_| {}, &Attributes::default(), output));
            }
            names.finish(output);
        }
        Expected::Name => response::name(id, b"/", output),
        Expected::Attributes => response::attributes(id, &Attributes::default(), output),
        Expected::Extended(ExtendedBody::Limits) => {
            let limits = Limits {
                packet: 1,
                read: 2,
                write: 3,
                handles: 4,
            };
            response::limits(id, &limits, output);
        }
        Expected::Extended(ExtendedBody::FileSystem) => {
            response::file_system(id, &FileSystem::default(), output);
        }
        Expected::Extended(ExtendedBody::UsersAndGroups) => {
            let names = || [&b"anna"[..], b""].into_iter();
            response::users_and_groups(id, names(), names(), output);
        }
        Expected::Extended(ExtendedBody::CheckFile) => {
            response::check_file(id, b"md5", &[7; 16], output);
        }
        Expected::Extended(ExtendedBody::Md5Hash) => response::md5_hash(id, &[7; 16], output),
        Expected::Extended(ExtendedBody::SpaceAvailable) => {
            let room = SpaceAvailable {
                device: 1,
                unused: 2,
                user: 3,
                unused_by_user: 4,
                unit: 5,
            };
            response::space_available(id, &room, output);
        }
    }
}

proptest! {
    #[test]
    fn both_machines_on_one_wire(
        all in vec((parts(), any::<bool>()), 1..40),
        up in 1..300_usize,
        down in 1..300_usize,
    ) {
        let mut from_client = Vec::new();
        let mut client = Client::new(SymlinkOrder::OpenSsh, &mut from_client);
        let mut server = Server::new(Settings::default());
        let mut from_server = Vec::new();
        let first = server.next_request(&mut &from_client[..], &mut from_server);
        prop_assert_eq!(first, Ok(None));
        prop_assert_eq!(client.next_response(&mut &from_server[..]), Ok(None));
        let announced = client.extensions().unwrap();
        for row in crate::sftp::extension::TABLE {
            prop_assert_eq!(announced.contains(row.name), row.announced);
        }

        from_client.clear();
        from_server.clear();
        let ids: Vec<RequestId> = all
            .iter()
            .map(|(parts, _)| client.request(&parts.request(), &mut from_client))
            .collect();
        let mut place = 0;
        for mut piece in from_client.chunks(up) {
            while let Some((id, request)) = server.next_request(&mut piece, &mut from_server).unwrap() {
                prop_assert_eq!(id, ids[place]);
                let expected = match all[place].0.request() {
                    Request::Read { handle, offset, length } => {
                        Request::Read { handle, offset, length: length.min(MAX_DATA) }
                    }
                    other => other,
                };
                prop_assert_eq!(request, expected);
                answer_to(id, &request, all[place].1, &mut from_server);
                place += 1;
            }
        }
        prop_assert_eq!(place, all.len());

        let mut heard = 0;
        let mut left = &from_server[..];
        for mut piece in from_server.chunks(down) {
            while let Some((id, response)) = client.next_response(&mut piece).unwrap() {
                prop_assert_eq!(id, ids[heard]);
                if all[heard].1 {
                    let code = StatusCode::Failure;
                    prop_assert_eq!(response, Response::Status { code, message: b"no" });
                } else {
                    // Whole or in pieces: the same answer.
                    let packet;
                    (packet, left) = split(left);
                    let extended = match Expected::by(&all[heard].0.request()) {
                        Expected::Extended(body) => Some(body),
                        _ => None,
                    };
                    let whole = Response::parse(packet[4], &packet[9..], extended);
                    prop_assert_eq!(whole, Ok(Some(response)));
                    heard += 1;
                    continue;
                }
                left = split(left).1;
                heard += 1;
            }
        }
        prop_assert_eq!(heard, all.len());
        prop_assert_eq!(client.in_flight(), 0);
        prop_assert_eq!(client.held(), 0);
    }

    #[test]
    fn no_octets_make_the_client_panic(
        octets in vec(any::<u8>(), 0..100),
        asked in vec(parts(), 0..4),
        chunk in 1..50_usize,
    ) {
        let mut client = open();
        for parts in &asked {
            client.request(&parts.request(), &mut Vec::new());
        }
        for mut piece in octets.chunks(chunk) {
            loop {
                match client.next_response(&mut piece) {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => return Ok(()),
                }
            }
            prop_assert!(client.held() <= octets.len());
        }
    }
}
