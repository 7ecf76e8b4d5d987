//! An open directory, told page by page (SFT-37).
//!
//! `.` and `..` come first, then what the view tells. A page is what one NAME holds: up to 100
//! entries below 64 KiB; the volume's batches are larger, so most pages need no look at the volume.

use std::sync::Arc;

use wharf_proto::{
    ftp::time::FtpTime,
    sftp::{RequestId, longname, response::Names},
};
use wharf_vfs::{EntryBatch, FileKind, Links, Metadata, ViewReader, VirtualPath};

use super::{
    attributes::attributes,
    context::{Result, Work},
    file::Entry,
    handles::Handle,
    outcome::{Outcome, eof},
};
use crate::clock;

/// A directory that is being read.
pub(super) struct OpenDirectory {
    pub(super) path: VirtualPath,
    reader: ViewReader,
    batch: EntryBatch,
    /// How many entries of the batch were told.
    told: usize,
    is_at_end: bool,
}

/// OPENDIR.
pub(super) async fn open(work: Arc<Work>, path: VirtualPath) -> Result<Outcome> {
    let view = work.view();
    let reader = view.read_directory(&path).await?;
    let mut batch = EntryBatch::new();
    let own = view.metadata(&path, Links::Follow).await?;
    batch.push(b".", own, None);
    let above = match path.parent() {
        // One who may not look there sees the directory itself.
        Some(parent) => view.metadata(&parent, Links::Follow).await.unwrap_or(own),
        None => own,
    };
    batch.push(b"..", above, None);
    let directory = OpenDirectory {
        path,
        reader,
        batch,
        told: 0,
        is_at_end: false,
    };
    Ok(Outcome::Opened(Entry::Directory(Some(Box::new(directory)))))
}

/// READDIR, when the volume must be asked.
pub(super) async fn read(handle: Handle, mut directory: Box<OpenDirectory>) -> Result<Outcome> {
    let batch = std::mem::take(&mut directory.batch);
    directory.batch = directory.reader.next_batch(batch).await?;
    directory.told = 0;
    directory.is_at_end = directory.batch.is_empty();
    Ok(Outcome::Page { handle, directory })
}

impl OpenDirectory {
    /// Whether the next page needs the volume.
    pub(super) fn is_spent(&self) -> bool {
        self.told >= self.batch.len() && !self.is_at_end
    }

    /// Appends the next page, or EOF behind the last.
    pub(super) fn answer(&mut self, id: RequestId, output: &mut Vec<u8>) {
        if self.told >= self.batch.len() {
            return eof(id, output);
        }
        let now = i64::try_from(clock::unix_now()).unwrap_or(i64::MAX);
        let mut names = Names::begin(id, output);
        for entry in self.batch.iter().skip(self.told) {
            let line = |output: &mut Vec<u8>| push_line(entry.name, &entry.metadata, now, output);
            if !names.push(entry.name, line, &attributes(&entry.metadata), output) {
                break;
            }
            self.told += 1;
        }
        names.finish(output);
    }
}

/// The line for people.
fn push_line(name: &[u8], metadata: &Metadata, now: i64, output: &mut Vec<u8>) {
    let (owner, group) = (Digits::of(metadata.owner), Digits::of(metadata.group));
    let entry = longname::Entry {
        kind: match metadata.kind {
            FileKind::Directory => longname::Kind::Directory,
            FileKind::Symlink => longname::Kind::Symlink,
            FileKind::File | FileKind::Special => longname::Kind::File,
        },
        mode: metadata.mode,
        links: metadata.links,
        owner: owner.octets(),
        group: group.octets(),
        size: metadata.size,
        modified: FtpTime::new(metadata.modified.seconds, metadata.modified.nanoseconds),
        name,
        target: None,
    };
    longname::push(&entry, now, output);
}

/// A number in decimal, without memory of its own.
struct Digits([u8; 10], usize);

impl Digits {
    fn of(mut number: u32) -> Self {
        let mut digits = [b'0'; 10];
        let mut start = digits.len();
        for (place, digit) in digits.iter_mut().enumerate().rev() {
            // A remainder below ten.
            *digit += u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
            start = place;
            if number == 0 {
                break;
            }
        }
        Self(digits, start)
    }

    fn octets(&self) -> &[u8] {
        self.0.get(self.1..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 1000, u32::MAX] {
            assert_eq!(Digits::of(number).octets(), number.to_string().as_bytes());
        }
    }
}
