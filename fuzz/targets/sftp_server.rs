//! The SFTP server machine against a hostile client.
//!
//! The first octet chooses the settings, the last ones what the driver does. Holds: no input panics;
//! nothing is handed out before INIT; where it is cut changes nothing; what is held and what is
//! written stay in their bounds; no more is deferred than may be, and none of it twice at a time; a
//! CLOSE is never handed out beside a deferred request of its handle; when everything is settled
//! nothing whole is left. Past holes: CVE-2024-43410, ProFTPD 2190.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_proto::sftp::server::{MAX_REFUSED, Server, Settings, Spelling, Violation};
use wharf_proto::sftp::{MAX_PACKET, Request, RequestId, SymlinkOrder};

const MAX_HELD: usize = 2_000;
const MAX_DEFERRED: usize = 3;

fn server(choice: u8) -> Server {
    Server::new(Settings {
        symlink_order: if choice & 1 == 0 {
            SymlinkOrder::OpenSsh
        } else {
            SymlinkOrder::Draft
        },
        max_held: MAX_HELD,
        max_deferred: MAX_DEFERRED,
        ..Settings::default()
    })
}

/// Everything is answered at once: what was handed out and written, and how it ended.
fn at_once<'a>(
    choice: u8,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<u8>, Vec<u8>, Option<Violation>) {
    let mut server = server(choice);
    let (mut requests, mut output) = (Vec::new(), Vec::new());
    for mut piece in pieces {
        loop {
            match server.next_request(&mut piece, &mut output) {
                Ok(Some((id, request))) => {
                    assert!(output.get(4) == Some(&2), "VERSION comes first");
                    request.encode(id, &mut requests);
                }
                Ok(None) => break,
                Err(violation) => return (requests, output, Some(violation)),
            }
        }
        assert!(piece.is_empty());
        assert!(server.held() < MAX_PACKET + 4);
    }
    (requests, output, None)
}

/// What is being executed.
struct Deferred {
    id: RequestId,
    handle: Option<Vec<u8>>,
}

fn handle<'a>(request: &Request<'a>) -> Option<&'a [u8]> {
    match *request {
        Request::Close { handle }
        | Request::Read { handle, .. }
        | Request::Write { handle, .. }
        | Request::FStat { handle }
        | Request::FSetStat { handle, .. }
        | Request::ReadDirectory { handle } => Some(handle),
        _ => None,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let whole = at_once(choice, std::iter::once(data));
    assert_eq!(whole, at_once(choice, data.chunks(1)), "cut at every octet");
    assert!(whole.1.len() <= 2_000 + data.len() / 5 * 60);

    let (data, choices) = data.split_at(data.len() - data.len() / 8);
    let mut choices = choices.iter().copied().chain(std::iter::repeat(1));
    let mut server = server(choice);
    let mut deferred: Vec<Deferred> = Vec::new();
    let mut output = Vec::new();
    let mut pieces = data.chunks(1 + usize::from(choice >> 1) * 2);
    loop {
        let piece = pieces.next();
        let mut input = piece.unwrap_or_default();
        loop {
            let before = output.len();
            let next = match server.next_request(&mut input, &mut output) {
                Ok(next) => next,
                Err(_) => return,
            };
            let Some((id, request)) = next else {
                break;
            };
            assert!(output.len() - before <= 2_000 + MAX_REFUSED as usize * 60);
            assert!(deferred.len() < MAX_DEFERRED);
            assert!(deferred.iter().all(|other| other.id != id));
            let handle = handle(&request).map(<[u8]>::to_vec);
            if matches!(request, Request::Close { .. }) {
                assert!(deferred.iter().all(|other| other.handle != handle));
            }
            match choices.next().unwrap_or_default() % 3 {
                0 => server.defer(id),
                1 => continue,
                _ => server.defer_close(id, Spelling::of(b"a/b")),
            }
            deferred.push(Deferred { id, handle });
            assert_eq!(server.deferred(), deferred.len());
        }
        assert!(input.is_empty());
        assert!(
            server.held()
                <= if deferred.is_empty() {
                    MAX_PACKET + 3
                } else {
                    MAX_HELD.max(MAX_PACKET + 3)
                }
        );
        if piece.is_none() && deferred.is_empty() {
            break;
        }
        let choice = choices.next().unwrap_or_default();
        if !deferred.is_empty() && (piece.is_none() || choice % 2 == 0) {
            let settled = deferred.swap_remove(usize::from(choice) % deferred.len());
            server.settle(settled.id);
        }
    }
    assert_eq!(server.deferred(), 0);
    // What is left is less than a packet: nothing comes of it.
    assert!(matches!(
        server.next_request(&mut &[][..], &mut output),
        Ok(None)
    ));
});
