//! The client machine against a hostile server.
//!
//! Holds: no input panics; every request ends at most once; after the end nothing is asked; what is
//! sent has no line end inside a line; between the answer to AUTH or CCC and the switch
//! nothing is sent and nothing is heard. Past hole class CVE-2019-6111: a server's words are data.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use wharf_proto::ftp::client::{Client, Event, Request, Settings};
use wharf_proto::ftp::server::Representation;
use wharf_proto::ftp::{Mechanism, Pathname, Protection};

fn request(selector: u8, name: &[u8]) -> Request {
    let path = || Pathname::new(name);
    match selector % 24 {
        0 => Request::Login {
            user: name.to_vec(),
            password: b"secret".to_vec(),
        },
        1 => Request::Features,
        2 => Request::Utf8,
        3 => Request::Type(Representation::Image),
        4 => Request::CurrentDirectory,
        5 => Request::ChangeDirectory(path()),
        6 => Request::ExtendedPassive,
        7 => Request::Passive,
        8 => Request::Retrieve {
            path: path(),
            offset: u64::from(selector),
        },
        9 => Request::Store {
            path: path(),
            offset: u64::from(selector / 20),
        },
        10 => Request::List(path()),
        11 => Request::FactsList(path()),
        12 => Request::Facts(path()),
        13 => Request::Size(path()),
        14 => Request::ModificationTime(path()),
        15 => Request::Rename {
            from: path(),
            to: path(),
        },
        16 => Request::MakeDirectory(path()),
        17 => Request::Noop,
        18 => Request::Quit,
        20 => Request::StartTls(Mechanism::Tls),
        21 => Request::ProtectionBuffer,
        22 => Request::Protect(Protection::Private),
        23 => Request::EndTls,
        _ => Request::System,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&first, input)) = data.split_first() else {
        return;
    };
    let new = if first & 4 == 4 {
        Client::implicit
    } else {
        Client::new
    };
    let mut client = new(Settings {
        pipelining: first & 1 == 1,
        telnet_abort: first & 2 == 2,
    });
    let mut finished = HashSet::new();
    // The input is cut at NUL: the first octet of a piece says what is asked, the rest is heard.
    for piece in input.split(|&byte| byte == 0) {
        if let Some((&selector, heard)) = piece.split_first() {
            if selector == 0xFE {
                client.abort();
            } else if selector == 0xFD {
                client.handle_abort_timeout();
            } else {
                let name = &heard[..heard.len().min(usize::from(selector % 32))];
                let _ = client.request(request(selector, name));
            }
            let failed = client.handle_input(heard).is_err();
            let mut switch = None;
            while let Some(event) = client.poll_event() {
                assert!(switch.is_none() || matches!(event, Event::Lost { .. }));
                match event {
                    Event::Finished { ticket, .. } => {
                        assert!(finished.insert(ticket), "a request ended twice");
                    }
                    Event::StartTls => switch = Some(true),
                    Event::EndTls => switch = Some(false),
                    _ => {}
                }
            }
            let mut sent = Vec::new();
            while let Some(transmit) = client.poll_transmit() {
                sent.extend_from_slice(&transmit.bytes);
            }
            let feeds = sent.iter().filter(|&&byte| byte == b'\n').count();
            let ends = sent.windows(2).filter(|pair| pair == b"\r\n").count();
            assert_eq!(
                feeds,
                ends,
                "a line end inside a line: {}",
                sent.escape_ascii()
            );
            if failed || client.is_dead() {
                break;
            }
            if let Some(secure) = switch {
                assert!(client.request(Request::Noop).is_err());
                if selector & 0x80 == 0 {
                    client.tls_started();
                    client.tls_ended();
                    assert!(client.is_idle() && client.is_secure() == secure);
                }
            }
        }
    }
    client.handle_end();
    while client.poll_event().is_some() {}
    assert!(client.is_dead());
});
