//! The content of files that are being fetched, kept while it pays (TFT-43).
//!
//! A rack that boots asks for the same few files at the same moment, each client in small blocks: every
//! block would be a read of its own. Here a file's content is read in chunks, once for all who fetch it,
//! and blocks are sent from where they lie. What is kept in all is bounded; who finds no room reads for
//! itself, and so does who is the first to ask for a file: most are fetched once.
//!
//! A file is known by device, inode, size and the times of its last change, as its open descriptor tells
//! them, so a file that was changed is another one. Kept is only what has not changed for
//! [`SETTLED`]: a change within the same tick of the clock could not be told from none.
//!
//! This room must not decide who may read: whoever asks has the file open.

use std::{
    collections::VecDeque,
    os::fd::AsFd,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustix::fs::{Stat, fstat};
use wharf_vfs::FileRef;

/// Octets that are read at once, and kept or dropped as one.
pub(crate) const CHUNK: usize = 256 * 1024;

/// For so long a file must not have changed before it is kept.
const SETTLED: Duration = Duration::from_secs(2);

/// Files that are remembered at the most, however small.
const MOST_FILES: usize = 256;

/// What makes two open files the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Identity {
    fn of(stat: &Stat) -> Option<Self> {
        Some(Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).ok()?,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        })
    }

    fn is_settled(&self, unix_now: u64) -> bool {
        let last = self.modified.0.max(self.changed.0);
        u64::try_from(last).is_ok_and(|last| last.saturating_add(SETTLED.as_secs()) < unix_now)
    }
}

/// What is kept, of all files.
#[derive(Debug)]
pub(crate) struct Contents {
    /// Octets that may be held; 0 keeps nothing.
    limit: usize,
    /// Octets that are held, also by files that nobody can find any more.
    held: Arc<AtomicUsize>,
    /// The file that was asked for last stands last.
    files: Mutex<VecDeque<(Identity, Arc<Content>)>>,
}

impl Contents {
    /// Keeps at most `limit` octets.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            held: Arc::default(),
            files: Mutex::default(),
        }
    }

    /// The content of an open file, shared with all who have the same one open; `None` where it is not
    /// to be kept: no descriptor, changed just now, empty, or larger than all that may be held.
    pub(crate) fn of(&self, file: &FileRef, unix_now: u64) -> Option<Arc<Content>> {
        if self.limit == 0 {
            return None;
        }
        let stat = fstat(file.descriptor()?.as_fd()).ok()?;
        let identity = Identity::of(&stat)?;
        let size = usize::try_from(identity.size).ok()?;
        if size == 0 || size > self.limit || !identity.is_settled(unix_now) {
            return None;
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let content = match files.iter().position(|(known, _)| *known == identity) {
            Some(at) => {
                let content = files.remove(at)?.1;
                content.is_wanted.store(true, Ordering::Relaxed);
                content
            }
            None => Arc::new(Content {
                size: identity.size,
                is_wanted: AtomicBool::new(false),
                chunks: (0..size.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect(),
                held: Arc::clone(&self.held),
            }),
        };
        while files.len() >= MOST_FILES {
            files.pop_front();
        }
        files.push_back((identity, Arc::clone(&content)));
        Some(content)
    }

    /// Keeps a chunk that was read, if there is room or room can be made, and tells whether it did. Files
    /// that nobody fetches now make room, those first that were asked for longest ago.
    pub(crate) fn keep(&self, content: &Arc<Content>, number: usize, chunk: &[u8]) -> bool {
        let Some(place) = content.chunks.get(number) else {
            return false;
        };
        if chunk.len() != content.length(number) {
            // The file shrank: nothing that others should see.
            return false;
        }
        if place.get().is_some() {
            return true;
        }
        if !self.make_room(chunk.len()) {
            return false;
        }
        if place.set(chunk.into()).is_err() {
            // Somebody else was faster.
            self.held.fetch_sub(chunk.len(), Ordering::Relaxed);
        }
        true
    }

    /// Counts `octets` as held.
    fn make_room(&self, octets: usize) -> bool {
        loop {
            let taken = self
                .held
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                    held.checked_add(octets).filter(|sum| *sum <= self.limit)
                });
            if taken.is_ok() {
                return true;
            }
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            // What somebody fetches just now would free nothing.
            let oldest = files
                .iter()
                .position(|(_, other)| Arc::strong_count(other) == 1 && other.holds_anything());
            if oldest.and_then(|at| files.remove(at)).is_none() {
                return false;
            }
        }
    }
}

/// The content of one file, as far as somebody has read it.
#[derive(Debug)]
pub(crate) struct Content {
    size: u64,
    /// Somebody asked for it again.
    is_wanted: AtomicBool,
    chunks: Box<[OnceLock<Box<[u8]>>]>,
    held: Arc<AtomicUsize>,
}

impl Content {
    /// Octets of the file.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Whether it was asked for more than once, so that keeping it pays.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// The octets from `offset` to the end of their chunk; `None` while nobody has read it. Empty at the
    /// end of the file and behind it.
    pub(crate) fn from(&self, offset: u64) -> Option<&[u8]> {
        if offset >= self.size {
            return Some(&[]);
        }
        let offset = usize::try_from(offset).ok()?;
        self.chunks
            .get(offset / CHUNK)?
            .get()?
            .get(offset % CHUNK..)
    }

    /// The chunk that holds `offset`: its number, where it begins and how long it is.
    pub(crate) fn chunk(&self, offset: u64) -> Option<(usize, u64, usize)> {
        let number = usize::try_from(offset).ok()? / CHUNK;
        (offset < self.size).then(|| (number, (number * CHUNK) as u64, self.length(number)))
    }

    fn length(&self, number: usize) -> usize {
        let begin = (number * CHUNK) as u64;
        usize::try_from(self.size.saturating_sub(begin)).map_or(CHUNK, |left| left.min(CHUNK))
    }

    fn holds_anything(&self) -> bool {
        self.chunks.iter().any(|chunk| chunk.get().is_some())
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        let held: usize = self
            .chunks
            .iter()
            .filter_map(OnceLock::get)
            .map(|chunk| chunk.len())
            .sum();
        self.held.fetch_sub(held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
