//! What is in a directory.
//!
//! Several READDIR are on their way at once: a listing costs two round trips, not one for each hundred
//! names. The listing ends with the first EOF; a server that sends names without end, or answers
//! without names, is stopped.

use std::collections::VecDeque;

use wharf_proto::{
    ftp::listing::parse::{Entry, Kind as EntryKind, Modified, Precision},
    sftp::{Attributes, FileType, Request, StatusCode},
};

use super::{Pending, Sftp, state::Reply};
use crate::{Error, Kind, Result, Step};

/// READDIR on their way at once.
const AHEAD: usize = 8;

/// Names of one directory that are taken at the most.
pub(crate) const ENTRIES: usize = 1_000_000;

/// Octets of one directory's names and link targets that are taken at the most.
const NAME_OCTETS: usize = 128 * 1024 * 1024;

/// Links whose targets are asked for at once.
const LINKS_AHEAD: usize = 128;

/// An entry as the other protocols have it.
pub(crate) fn entry(name: &[u8], attributes: &Attributes) -> Entry {
    let kind = match attributes.file_type() {
        Some(FileType::Regular) => EntryKind::File,
        Some(FileType::Directory) => EntryKind::Directory,
        Some(FileType::Symlink) => EntryKind::Link,
        Some(FileType::Special) => EntryKind::Other,
        // A server of few words: what has a size can be read.
        None if attributes.size.is_some() => EntryKind::File,
        None => EntryKind::Other,
    };
    let mut entry = Entry::named(name, kind);
    entry.size = attributes.size.filter(|_| kind != EntryKind::Directory);
    entry.modified = attributes.times.map(|(_, modified)| Modified {
        seconds: modified.into(),
        precision: Precision::Second,
    });
    entry.mode = attributes.permissions.map(|mode| mode & 0o7777);
    if let Some((owner, group)) = attributes.owner {
        entry.owner = Some(owner.to_string().into_bytes());
        entry.group = Some(group.to_string().into_bytes());
    }
    entry
}

impl Sftp {
    /// The entries of a directory, without `.` and `..`; other names as the server sent them, to be
    /// checked by whoever makes something of them (SFT-83).
    pub(crate) async fn list(&self, path: &[u8], what: &str) -> Result<Vec<Entry>> {
        let handle = match self.ask(&Request::OpenDirectory { path }).reply().await? {
            Reply::Handle(handle) => handle,
            Reply::Status(status) => return Err(status.error(Step::Listing, what)),
            _ => return Err(self.odd(Step::Listing)),
        };
        let listed = self.read_all(&handle, what).await;
        self.ask_blindly(&Request::Close { handle: &handle });
        let mut entries = listed?;
        self.name_targets(path, &mut entries, what).await?;
        Ok(entries)
    }

    async fn read_all(&self, handle: &[u8], what: &str) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let (mut told, mut octets) = (0_usize, 0_usize);
        let ask = || self.ask(&Request::ReadDirectory { handle });
        let mut asked: VecDeque<Pending<'_>> = std::iter::repeat_with(ask).take(AHEAD).collect();
        let endless =
            |text: &str| Error::new(Step::Listing, Kind::Protocol, format!("{what}: {text}"));
        while let Some(pending) = asked.pop_front() {
            match pending.reply().await? {
                Reply::Names(names) if names.is_empty() => {
                    return Err(endless("the server answered READDIR without a name"));
                }
                Reply::Names(names) => {
                    // Those that are left out count, too: there may be no end of them.
                    told += names.len();
                    octets += names.iter().map(|named| named.name.len()).sum::<usize>();
                    let real = names
                        .into_iter()
                        .filter(|named| !matches!(named.name.as_slice(), b"." | b".."));
                    entries.extend(real.map(|named| entry(&named.name, &named.attributes)));
                    if told > ENTRIES || octets > NAME_OCTETS {
                        return Err(endless("the directory has more names than are taken"));
                    }
                    asked.push_back(ask());
                }
                Reply::Status(status) if status.code == StatusCode::Eof => break,
                Reply::Status(status) => return Err(status.error(Step::Listing, what)),
                _ => return Err(self.odd(Step::Listing)),
            }
        }
        Ok(entries)
    }

    /// Asks where the links lead, all at once; what is not told stays unknown.
    async fn name_targets(
        &self,
        directory: &[u8],
        entries: &mut [Entry],
        what: &str,
    ) -> Result<()> {
        let mut octets = 0_usize;
        let mut links: Vec<&mut Entry> = entries
            .iter_mut()
            .filter(|entry| entry.kind == EntryKind::Link && entry.is_plain_name())
            .collect();
        for some in links.chunks_mut(LINKS_AHEAD) {
            let asked: Vec<Pending<'_>> = some
                .iter()
                .map(|entry| {
                    let path = child(directory, &entry.name);
                    self.ask(&Request::ReadLink { path: &path })
                })
                .collect();
            for (entry, pending) in some.iter_mut().zip(asked) {
                if let Reply::Names(names) = pending.reply().await? {
                    entry.link_target = names.into_iter().next().map(|named| named.name);
                    octets += entry.link_target.as_ref().map_or(0, Vec::len);
                    if octets > NAME_OCTETS {
                        let text = format!("{what}: the links' targets are more than are taken");
                        return Err(Error::new(Step::Listing, Kind::Protocol, text));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The path of a name in a directory.
pub(crate) fn child(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = match directory {
        b"." => Vec::new(),
        _ => directory.to_vec(),
    };
    if !path.is_empty() && !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
