//! Who is writing which file now: one writer per file, over all sessions and protocols.
//!
//! A [`Writer`] is a lease: the file is free again when it is dropped. Tables that mount the same
//! volume share one registry, or two accounts could write one file at a time.
//!
//! The key is the mount's id and the path below it: two mounts of overlapping parts of one store
//! are told apart by nobody and must not be configured with different ids.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::VirtualPath;

/// Independent locks, so that sessions seldom meet at one.
const SHARDS: usize = 16;

type Key = (Arc<str>, VirtualPath);

/// The files that are being written.
#[derive(Debug, Default)]
pub struct Writers {
    shards: [Mutex<HashSet<Key>>; SHARDS],
    state: RandomState,
}

impl Writers {
    /// Takes the file at `path` of the mount `id`; `None` while somebody else writes it.
    pub fn claim(self: &Arc<Self>, id: &Arc<str>, path: &VirtualPath) -> Option<Writer> {
        let key = (Arc::clone(id), path.clone());
        self.shard(&key).insert(key.clone()).then(|| Writer {
            writers: Arc::clone(self),
            key,
        })
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, HashSet<Key>> {
        // The remainder is below SHARDS and the array is not empty, so the fallback is never taken.
        let index = usize::try_from(self.state.hash_one(key) % SHARDS as u64).unwrap_or_default();
        let [first, ..] = &self.shards;
        self.shards
            .get(index)
            .unwrap_or(first)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sole right to write one file; given back on drop.
#[derive(Debug)]
pub struct Writer {
    writers: Arc<Writers>,
    key: Key,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.writers.shard(&self.key).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_refused_until_the_first_is_dropped() {
        let writers = Arc::new(Writers::default());
        let (disk, path): (Arc<str>, _) = ("disk".into(), VirtualPath::root());
        let first = writers.claim(&disk, &path);
        assert!(first.is_some());
        assert!(writers.claim(&disk, &path).is_none());
        assert!(writers.claim(&"other".into(), &path).is_some());
        drop(first);
        assert!(writers.claim(&disk, &path).is_some());
    }
}
