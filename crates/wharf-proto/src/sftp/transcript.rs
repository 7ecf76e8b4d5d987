//! How golden transcripts are written (`server/transcripts/README.txt` tells their form), for the
//! tests of both machines.

use super::packet::kind;

/// Every transcript: its name and its text.
pub(super) const ALL: &[(&str, &str)] = &[
    ("download", include_str!("server/transcripts/download.txt")),
    (
        "extensions",
        include_str!("server/transcripts/extensions.txt"),
    ),
    ("init", include_str!("server/transcripts/init.txt")),
    ("listing", include_str!("server/transcripts/listing.txt")),
    (
        "malformed",
        include_str!("server/transcripts/malformed.txt"),
    ),
    ("order", include_str!("server/transcripts/order.txt")),
    ("paths", include_str!("server/transcripts/paths.txt")),
    ("upload", include_str!("server/transcripts/upload.txt")),
];

const KINDS: &[(&str, u8)] = &[
    ("INIT", kind::INIT),
    ("VERSION", kind::VERSION),
    ("OPEN", kind::OPEN),
    ("CLOSE", kind::CLOSE),
    ("READ", kind::READ),
    ("WRITE", kind::WRITE),
    ("LSTAT", kind::LSTAT),
    ("FSTAT", kind::FSTAT),
    ("SETSTAT", kind::SETSTAT),
    ("FSETSTAT", kind::FSETSTAT),
    ("OPENDIR", kind::OPENDIR),
    ("READDIR", kind::READDIR),
    ("REMOVE", kind::REMOVE),
    ("MKDIR", kind::MKDIR),
    ("RMDIR", kind::RMDIR),
    ("REALPATH", kind::REALPATH),
    ("STAT", kind::STAT),
    ("RENAME", kind::RENAME),
    ("READLINK", kind::READLINK),
    ("SYMLINK", kind::SYMLINK),
    ("STATUS", kind::STATUS),
    ("HANDLE", kind::HANDLE),
    ("DATA", kind::DATA),
    ("NAME", kind::NAME),
    ("ATTRS", kind::ATTRS),
    ("EXTENDED", kind::EXTENDED),
    ("EXTENDED_REPLY", kind::EXTENDED_REPLY),
];

/// A packet with its length, from `KIND field...`.
pub(super) fn packet(line: &str) -> Vec<u8> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let kind = KINDS
        .iter()
        .find(|(known, _)| *known == name)
        .map_or_else(|| name.parse().unwrap(), |(_, kind)| *kind);
    let body = [&[kind][..], &fields(rest)].concat();
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

/// Octets from fields: `5` u32, `5:64` u64, `5:8` one octet, `x00ff` octets, `'text'` octets,
/// `"text"` a string with its length; in texts `\xNN`.
pub(super) fn fields(mut line: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    loop {
        line = line.trim_start();
        let Some(first) = line.chars().next() else {
            return octets;
        };
        if matches!(first, '"' | '\'') {
            let (text, rest) = line[1..].split_once(first).expect("a text has its end");
            let text = unescape(text);
            if first == '"' {
                octets.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            }
            octets.extend(text);
            line = rest;
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        line = rest;
        if let Some(digits) = word.strip_prefix('x') {
            octets.extend(
                digits
                    .as_bytes()
                    .chunks(2)
                    .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()),
            );
            continue;
        }
        match word.split_once(':') {
            None => octets.extend(word.parse::<u32>().expect(word).to_be_bytes()),
            Some((number, "64")) => octets.extend(number.parse::<u64>().unwrap().to_be_bytes()),
            Some((number, "8")) => octets.push(number.parse().unwrap()),
            Some(_) => panic!("no field: {word}"),
        }
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut octets = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        octets.push(u8::from_str_radix(&part[..2], 16).unwrap());
        octets.extend_from_slice(&part.as_bytes()[2..]);
    }
    octets
}

/// A packet as text, for the message of a failed test.
pub(super) fn shown(octets: &[u8]) -> String {
    let name = octets
        .get(4)
        .and_then(|kind| KINDS.iter().find(|(_, known)| known == kind))
        .map_or("?", |(name, _)| name);
    format!("{name} {}", octets.escape_ascii())
}

/// The first packet of `octets`, with its length, and what is behind it.
pub(super) fn split(octets: &[u8]) -> (&[u8], &[u8]) {
    let length = u32::from_be_bytes(*octets.first_chunk().expect("a whole packet"));
    octets.split_at(4 + usize::try_from(length).unwrap())
}
