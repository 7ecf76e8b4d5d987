//! MLSD and MLST lines (RFC 3659 7.2), fact by fact.
//!
//! One fact that a server writes wrong does not cost the entry: each is read on its own and dropped
//! alone when it is no fact.

use super::{Entry, Kind, Modified, Precision, Shape};
use crate::ftp::facts::{FactType, Facts};

/// Reads one line.
pub(super) fn line(line: &[u8]) -> Option<Shape> {
    // Exactly one space stands between facts and name; a name may begin with one itself.
    let space = line.iter().position(|b| *b == b' ')?;
    let (list, rest) = line.split_at(space);
    let name = rest.get(1..).filter(|name| !name.is_empty())?;
    if !list.is_empty() && !list.contains(&b'=') {
        return None;
    }
    let mut entry = Entry::named(name, Kind::Other);
    for pair in list.split(|b| *b == b';').filter(|pair| !pair.is_empty()) {
        let Ok(fact) = Facts::parse(pair) else {
            continue;
        };
        match fact.kind {
            Some(FactType::CurrentDirectory | FactType::ParentDirectory) => {
                return Some(Shape::Skip);
            }
            Some(FactType::File) => entry.kind = Kind::File,
            Some(FactType::Directory) => entry.kind = Kind::Directory,
            Some(FactType::Symlink(target)) => {
                entry.kind = Kind::Link;
                entry.link_target = target.map(<[u8]>::to_vec);
            }
            Some(FactType::Special) => entry.kind = Kind::Other,
            None => {}
        }
        entry.size = fact.size.or(entry.size);
        entry.mode = fact.unix_mode.or(entry.mode);
        if let Some(time) = fact.modify {
            entry.modified = Some(Modified {
                seconds: time.seconds(),
                precision: Precision::Second,
            });
        }
        if let Some(owner) = fact.unix_owner {
            entry.owner = Some(owner.to_vec());
        }
        if let Some(group) = fact.unix_group {
            entry.group = Some(group.to_vec());
        }
    }
    Some(Shape::Entry(entry))
}
