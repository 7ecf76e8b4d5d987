//! EPLF, the "easily parsed list format": `+` facts, a tab, the name.
//!
//! Facts: `/` a directory, `r` a file that can be fetched, `s` size, `m` time in Unix seconds,
//! `up` permissions in octal, `i` an identity.

use super::{Entry, Kind, Modified, Precision, Shape, words::number};

/// Reads one line.
pub(super) fn line(line: &[u8]) -> Option<Shape> {
    let line = line.strip_prefix(b"+")?;
    let tab = line.iter().position(|b| *b == b'\t')?;
    let (facts, rest) = line.split_at(tab);
    let name = rest.get(1..).filter(|name| !name.is_empty())?;
    let mut entry = Entry::named(name, Kind::Other);
    for fact in facts.split(|b| *b == b',') {
        match fact {
            b"/" => entry.kind = Kind::Directory,
            b"r" if entry.kind == Kind::Other => entry.kind = Kind::File,
            [b's', digits @ ..] => entry.size = number(digits),
            [b'm', digits @ ..] => {
                entry.modified =
                    number(digits)
                        .and_then(|n| i64::try_from(n).ok())
                        .map(|seconds| Modified {
                            seconds,
                            precision: Precision::Second,
                        });
            }
            [b'u', b'p', digits @ ..] => entry.mode = octal(digits),
            _ => {}
        }
    }
    Some(Shape::Entry(entry))
}

/// Permission bits written in octal.
pub(super) fn octal(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
}
