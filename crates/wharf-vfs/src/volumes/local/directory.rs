//! Reading a directory of a local volume: the kernel's own records, a buffer of them at a time.
//!
//! A small directory is read on the caller's thread; a big one in the blocking pool, one hop per
//! buffer, because ten microseconds per entry would be ten times the work itself.

use std::{mem::MaybeUninit, os::fd::OwnedFd, sync::Arc};

use rustix::{fs::RawDir, io::Errno};

use super::{
    Store,
    root::{Root, is_link, look_at},
};
use crate::{Answer, DirectoryReader, EntryBatch, Links, Operation, VirtualPath};

/// Octets of the shortest record: a header of 19, a name of 1, its NUL, rounded up to 8.
const SHORTEST_RECORD: usize = 24;

/// Octets of records read at a time: never more than one batch of entries.
const BUFFER: usize = EntryBatch::MAX_ENTRIES * SHORTEST_RECORD;

/// Octets of records read at a time on the caller's thread.
const SMALL_BUFFER: usize = 1024;

/// When so many entries came on the caller's thread, the rest is read elsewhere.
const INLINE_ENTRIES: usize = 32;

/// A directory that is being read.
pub(super) struct LocalDirectory {
    store: Arc<Store>,
    path: VirtualPath,
    /// `None` once it is read to the end, or when a caller gave up while the pool had it.
    reading: Option<Box<Reading>>,
    first: bool,
}

struct Reading {
    directory: OwnedFd,
    path: VirtualPath,
    buffer: Vec<u8>,
}

impl LocalDirectory {
    pub(super) fn new(directory: OwnedFd, store: Arc<Store>, path: VirtualPath) -> Self {
        let reading = Box::new(Reading {
            directory,
            path: path.clone(),
            buffer: Vec::new(),
        });
        Self {
            store,
            path,
            reading: Some(reading),
            first: true,
        }
    }
}

impl DirectoryReader for LocalDirectory {
    fn next_batch(&mut self, mut batch: EntryBatch) -> Answer<'_, EntryBatch> {
        batch.clear();
        let Some(reading) = self.reading.take() else {
            return Answer::now(Ok(batch));
        };
        let small = std::mem::take(&mut self.first);
        let store = Arc::clone(&self.store);
        let work = move || {
            let mut reading = reading;
            let more = if small {
                reading.begin(&store.root, &mut batch)
            } else {
                reading.fill(&store.root, &mut batch)
            };
            more.map(|more| (batch, more.then_some(reading)))
        };
        let answer = self.store.act(small, Operation::List, &self.path, work);
        let rest = &mut self.reading;
        match answer {
            Answer::Now(Some(Ok((batch, reading)))) => {
                *rest = reading;
                Answer::now(Ok(batch))
            }
            answer => Answer::later(async move {
                let (batch, reading) = answer.await?;
                *rest = reading;
                Ok(batch)
            }),
        }
    }
}

impl Reading {
    /// The first entries, read in small pieces. Whether there may be more.
    fn begin(&self, root: &Root, batch: &mut EntryBatch) -> Result<bool, Errno> {
        let mut buffer = [MaybeUninit::uninit(); SMALL_BUFFER];
        while batch.len() < INLINE_ENTRIES {
            if !read(&self.directory, &mut buffer, root, &self.path, batch)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The next entries, at least one if there is one. Whether there may be more.
    fn fill(&mut self, root: &Root, batch: &mut EntryBatch) -> Result<bool, Errno> {
        self.buffer.reserve_exact(BUFFER);
        while batch.is_empty() {
            // Only as long as one batch, whatever the allocator gave.
            let buffer = self.buffer.spare_capacity_mut();
            let length = buffer.len().min(BUFFER);
            let Some(buffer) = buffer.get_mut(..length) else {
                return Ok(false);
            };
            if !read(&self.directory, buffer, root, &self.path, batch)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Reads one buffer of records and looks at each object. `false` at the end.
fn read(
    directory: &OwnedFd,
    buffer: &mut [MaybeUninit<u8>],
    root: &Root,
    path: &VirtualPath,
    batch: &mut EntryBatch,
) -> Result<bool, Errno> {
    let mut records = RawDir::new(directory, buffer);
    while let Some(record) = records.next() {
        let record = record?;
        let name = record.file_name();
        if !matches!(name.to_bytes(), b"." | b"..")
            && let Ok(found) = look_at(directory, name)
        {
            let target = if is_link(&found) {
                target(root, path, name.to_bytes())
            } else {
                None
            };
            batch.push(name.to_bytes(), root.metadata(&found), target);
        }
        if records.is_buffer_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a link leads to, from the top of the volume: it may lead anywhere below.
fn target(root: &Root, path: &VirtualPath, name: &[u8]) -> Option<crate::Metadata> {
    root.look_up(&path.join_name(name).ok()?, Links::Follow)
        .ok()
}
