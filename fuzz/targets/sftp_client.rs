//! The SFTP client machine against a hostile server.
//!
//! The first octet says how many requests are made, each octet behind it of what kind one is; the
//! rest is what the server says. Holds: no input panics; where it is cut changes nothing; every
//! response is to a request that was open and of a kind that it can have, no longer than was asked
//! for; no request is answered twice; what is held stays below one packet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_proto::sftp::client::{Client, Violation};
use wharf_proto::sftp::extension::{Check, Extended, Ids, Md5Range};
use wharf_proto::sftp::{
    Attributes, MAX_HANDLE, MAX_PACKET, OpenFlags, Request, RequestId, Response, StatusCode,
    SymlinkOrder,
};

const ASKED: u32 = 5;

fn request(which: u8) -> Request<'static> {
    let ids = || Ids::new(&[0, 0, 0, 1]).unwrap();
    Request::Extended(match which % 14 {
        0 => {
            return Request::Read {
                handle: b"h",
                offset: 0,
                length: ASKED,
            };
        }
        1 => {
            let attributes = Attributes::default();
            return Request::Open {
                path: b"f",
                flags: OpenFlags::READ,
                attributes,
            };
        }
        2 => return Request::ReadDirectory { handle: b"h" },
        3 => return Request::RealPath { path: b"." },
        4 => return Request::Stat { path: b"f" },
        5 => return Request::Close { handle: b"h" },
        6 => {
            return Request::Write {
                handle: b"h",
                offset: 0,
                data: b"data",
            };
        }
        7 => Extended::Limits,
        8 => Extended::StatVfs { path: b"/" },
        9 => Extended::UsersGroupsById {
            users: ids(),
            groups: ids(),
        },
        10 => {
            let check = Check {
                algorithms: b"md5",
                offset: 0,
                length: 0,
                block: 0,
            };
            Extended::CheckFileName { path: b"f", check }
        }
        11 => {
            let range = Md5Range {
                offset: 0,
                length: 0,
                quick_check: b"",
            };
            Extended::Md5Hash { path: b"f", range }
        }
        12 => Extended::SpaceAvailable { path: b"/" },
        _ => Extended::FSync { handle: b"h" },
    })
}

fn fits(request: &Request<'_>, response: &Response<'_>) -> bool {
    match response {
        Response::Status { code, .. } => {
            *code != StatusCode::Ok
                || matches!(request, Request::Close { .. } | Request::Write { .. })
                || matches!(request, Request::Extended(Extended::FSync { .. }))
        }
        Response::Data(data) => {
            matches!(request, Request::Read { .. }) && data.len() <= ASKED as usize
        }
        Response::Handle(handle) => {
            matches!(request, Request::Open { .. }) && handle.len() <= MAX_HANDLE
        }
        Response::Names(names) => match request {
            Request::ReadDirectory { .. } => true,
            Request::RealPath { .. } => names.len() == 1,
            _ => false,
        },
        Response::Attributes(_) => matches!(request, Request::Stat { .. }),
        Response::Limits(_) => matches!(request, Request::Extended(Extended::Limits)),
        Response::FileSystem(_) => matches!(request, Request::Extended(Extended::StatVfs { .. })),
        Response::UsersAndGroups { .. } => {
            matches!(request, Request::Extended(Extended::UsersGroupsById { .. }))
        }
        Response::CheckFile { .. } => {
            matches!(request, Request::Extended(Extended::CheckFileName { .. }))
        }
        Response::Md5Hash(_) => matches!(request, Request::Extended(Extended::Md5Hash { .. })),
        Response::SpaceAvailable(_) => {
            matches!(request, Request::Extended(Extended::SpaceAvailable { .. }))
        }
    }
}

/// What was heard, and how it ended.
type Heard = (Vec<(RequestId, String)>, Option<Violation>);

fn hear<'a>(asked: &[u8], pieces: impl Iterator<Item = &'a [u8]>) -> Heard {
    let mut output = Vec::new();
    let mut client = Client::new(SymlinkOrder::OpenSsh, &mut output);
    let mut open: Vec<(RequestId, Request<'_>)> = asked
        .iter()
        .map(|which| {
            (
                client.request(&request(*which), &mut output),
                request(*which),
            )
        })
        .collect();
    let mut heard = Vec::new();
    for mut piece in pieces {
        loop {
            match client.next_response(&mut piece) {
                Ok(Some((id, response))) => {
                    let place = open
                        .iter()
                        .position(|(asked, _)| *asked == id)
                        .expect("it was open");
                    let (_, request) = open.swap_remove(place);
                    assert!(fits(&request, &response), "{request:?}: {response:?}");
                    heard.push((id, format!("{response:?}")));
                }
                Ok(None) => break,
                Err(violation) => return (heard, Some(violation)),
            }
        }
        assert!(piece.is_empty());
        assert_eq!(client.in_flight(), open.len());
        assert!(client.held() < MAX_PACKET + 4);
    }
    assert!(heard.is_empty() || client.extensions().is_some());
    (heard, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((&count, data)) = data.split_first() else {
        return;
    };
    let (asked, said) = data.split_at(usize::from(count % 32).min(data.len()));
    let whole = hear(asked, std::iter::once(said));
    assert_eq!(whole, hear(asked, said.chunks(1)), "cut at every octet");
});
