//! Who is writing which file now, over all sessions and protocols.
//!
//! An upload is the only writer of its file; handles that write in place may stand side by side, but
//! not beside an upload. A [`Writer`] is a lease: the file is free again when the last is dropped.
//! Tables that mount the same volume share one registry, or two accounts could write one file at a
//! time.
//!
//! The key is the mount's id and the path below it: two mounts of overlapping parts of one store
//! are told apart by nobody and must not be configured with different ids; neither are two names of
//! one file (hard links).

use std::{
    collections::{
        HashMap,
        hash_map::{Entry, RandomState},
    },
    hash::BuildHasher,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::VirtualPath;

/// Independent locks, so that sessions seldom meet at one.
const SHARDS: usize = 16;

type Key = (Arc<str>, VirtualPath);

/// How a file is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Alone,
    /// By so many side by side.
    Together(NonZeroU32),
}

/// The files that are being written.
#[derive(Debug, Default)]
pub struct Writers {
    shards: [Mutex<HashMap<Key, Held>>; SHARDS],
    state: RandomState,
}

impl Writers {
    /// Takes the file at `path` of the mount `id` alone; `None` while anybody else writes it.
    pub fn claim(self: &Arc<Self>, id: &Arc<str>, path: &VirtualPath) -> Option<Writer> {
        let key = (Arc::clone(id), path.clone());
        match self.shard(&key).entry(key.clone()) {
            Entry::Vacant(free) => free.insert(Held::Alone),
            Entry::Occupied(_) => return None,
        };
        Some(self.lease(key))
    }

    /// Takes the file together with others that do so; `None` while somebody has it alone.
    pub fn claim_shared(self: &Arc<Self>, id: &Arc<str>, path: &VirtualPath) -> Option<Writer> {
        let key = (Arc::clone(id), path.clone());
        match self.shard(&key).entry(key.clone()) {
            Entry::Vacant(free) => {
                free.insert(Held::Together(NonZeroU32::MIN));
            }
            Entry::Occupied(mut held) => match held.get() {
                Held::Alone => return None,
                Held::Together(count) => {
                    let count = count.checked_add(1)?;
                    held.insert(Held::Together(count));
                }
            },
        }
        Some(self.lease(key))
    }

    fn lease(self: &Arc<Self>, key: Key) -> Writer {
        Writer {
            writers: Arc::clone(self),
            key,
        }
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, Held>> {
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

/// The right to write one file, alone or together with others; given back on drop.
#[derive(Debug)]
pub struct Writer {
    writers: Arc<Writers>,
    key: Key,
}

impl Writer {
    /// Lets others write beside this one from now on.
    pub fn share(&self) {
        if let Some(held) = self.writers.shard(&self.key).get_mut(&self.key)
            && *held == Held::Alone
        {
            *held = Held::Together(NonZeroU32::MIN);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut shard = self.writers.shard(&self.key);
        if let Some(Held::Together(count)) = shard.get_mut(&self.key)
            && let Some(less) = NonZeroU32::new(count.get() - 1)
        {
            *count = less;
        } else {
            shard.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (Arc<Writers>, Arc<str>, VirtualPath) {
        (Arc::default(), "disk".into(), VirtualPath::root())
    }

    #[test]
    fn a_second_writer_is_refused_until_the_first_is_dropped() {
        let (writers, disk, path) = place();
        let first = writers.claim(&disk, &path);
        assert!(first.is_some());
        assert!(writers.claim(&disk, &path).is_none());
        assert!(writers.claim(&"other".into(), &path).is_some());
        drop(first);
        assert!(writers.claim(&disk, &path).is_some());
    }

    #[test]
    fn writers_in_place_stand_side_by_side_and_keep_an_upload_away_until_the_last_is_gone() {
        let (writers, disk, path) = place();
        let first = writers.claim_shared(&disk, &path);
        let second = writers.claim_shared(&disk, &path);
        assert!(first.is_some() && second.is_some());
        drop(first);
        assert!(writers.claim(&disk, &path).is_none());
        drop(second);
        let alone = writers.claim(&disk, &path);
        assert!(alone.is_some() && writers.claim_shared(&disk, &path).is_none());
    }

    #[test]
    fn a_writer_that_shares_lets_others_in_and_outlives_them() {
        let (writers, disk, path) = place();
        let writer = writers.claim(&disk, &path).unwrap();
        writer.share();
        writer.share();
        drop(writers.claim_shared(&disk, &path).unwrap());
        assert!(writers.claim(&disk, &path).is_none());
        drop(writer);
        assert!(writers.claim(&disk, &path).is_some());
    }
}
