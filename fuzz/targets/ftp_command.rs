//! Command lines: framing, Telnet bytes, parsing.
//!
//! Holds: no input panics or makes the reader hold more than its limit; where the input is cut
//! changes nothing; what is parsed can be encoded and parsed again to the same. Past holes:
//! CVE-2006-5815, CVE-2019-18217, CVE-2010-4221, CVE-2023-51713.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_proto::ftp::command::Command;
use wharf_proto::ftp::host_port;
use wharf_proto::ftp::line::{Event, LineReader};

const LIMIT: usize = 512;

#[derive(Debug, PartialEq)]
enum Seen {
    Line(Vec<u8>),
    Malformed(bool),
    TooLong,
    Answer([u8; 3]),
}

fn read(pieces: &mut dyn Iterator<Item = &[u8]>, strict: bool) -> Vec<Seen> {
    let mut reader = LineReader::new();
    let mut seen = Vec::new();
    for mut piece in pieces {
        while let Some(event) = reader.next(&mut piece, LIMIT, strict) {
            seen.push(match event {
                Event::Line(line) => Seen::Line(line.to_vec()),
                Event::Malformed { in_verb } => Seen::Malformed(in_verb),
                Event::TooLong => Seen::TooLong,
                Event::Answer(bytes) => Seen::Answer(bytes),
            });
        }
        assert!(piece.is_empty(), "bytes were left");
        assert!(reader.held() <= LIMIT, "{} octets are held", reader.held());
    }
    seen
}

fuzz_target!(|data: &[u8]| {
    let Some((&first, input)) = data.split_first() else {
        return;
    };
    let strict = first & 1 == 1;
    let whole = read(&mut std::iter::once(input), strict);
    let size = usize::from(first >> 1).max(1);
    assert_eq!(
        whole,
        read(&mut input.chunks(size), strict),
        "cut every {size} octets"
    );
    assert_eq!(
        whole,
        read(&mut input.chunks(1), strict),
        "cut at every octet"
    );

    for seen in whole {
        let Seen::Line(line) = seen else { continue };
        assert!(line.len() <= LIMIT);
        let Ok(command) = Command::parse(&line) else {
            continue;
        };
        let mut encoded = Vec::new();
        if command.encode(&mut encoded).is_ok() {
            let again = read(&mut std::iter::once(&encoded[..]), strict);
            let [Seen::Line(line)] = &again[..] else {
                // Twice the size at most: every octet of the argument may be doubled.
                assert!(encoded.len() > LIMIT, "{again:?}");
                continue;
            };
            assert_eq!(Command::parse(line).as_ref(), Ok(&command));
        }
        if let Ok(address) = host_port::parse_port(&command.argument) {
            let mut text = Vec::new();
            host_port::encode_port(address, &mut text);
            assert_eq!(host_port::parse_port(&text), Ok(address));
        }
        if let Ok(address) = host_port::parse_eprt(&command.argument) {
            let mut text = Vec::new();
            host_port::encode_eprt(address, &mut text);
            assert_eq!(host_port::parse_eprt(&text), Ok(address));
        }
        let _ = host_port::parse_epsv(&command.argument);
    }
});
