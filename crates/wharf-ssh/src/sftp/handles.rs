//! The open files and directories of one channel, by handle (SFT-24).
//!
//! A handle is four octets: a slot and how often the slot was used. So a handle that was closed does
//! not come to mean another file while a client still has requests with it under way.

/// The largest number of slots: the slot's number has two octets.
const MOST: usize = 1 << 16;

/// A handle as it goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    slot: u16,
    use_count: u16,
}

impl Handle {
    /// Reads a handle that a client sent; `None` for octets that cannot be one.
    pub(super) fn parse(octets: &[u8]) -> Option<Self> {
        let &[a, b, c, d] = octets else { return None };
        Some(Self {
            slot: u16::from_be_bytes([a, b]),
            use_count: u16::from_be_bytes([c, d]),
        })
    }

    /// The octets that a client is given.
    pub(super) const fn octets(self) -> [u8; 4] {
        let [a, b] = self.slot.to_be_bytes();
        let [c, d] = self.use_count.to_be_bytes();
        [a, b, c, d]
    }
}

/// What is open on a channel.
#[derive(Debug)]
pub(super) struct Handles<T> {
    slots: Vec<Slot<T>>,
    /// Slots that are empty, the last freed last.
    free: Vec<u16>,
    limit: usize,
}

#[derive(Debug)]
struct Slot<T> {
    use_count: u16,
    entry: Option<T>,
}

impl<T> Handles<T> {
    /// None open, at most `limit`.
    pub(super) fn new(limit: u32) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            limit: usize::try_from(limit).unwrap_or(MOST).min(MOST),
        }
    }

    /// Whether one more may be opened besides `pending` that are being opened.
    pub(super) fn has_room(&self, pending: usize) -> bool {
        self.len() + pending < self.limit
    }

    /// How many may be open.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Keeps `entry`; gives it back when there are as many as there may be.
    pub(super) fn insert(&mut self, entry: T) -> Result<Handle, T> {
        if !self.has_room(0) {
            return Err(entry);
        }
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                // Below the limit, which is below what the number can hold.
                let Ok(number) = u16::try_from(self.slots.len()) else {
                    return Err(entry);
                };
                self.slots.push(Slot {
                    use_count: 0,
                    entry: None,
                });
                number
            }
        };
        let Some(slot) = self.slots.get_mut(usize::from(number)) else {
            return Err(entry);
        };
        slot.entry = Some(entry);
        Ok(Handle {
            slot: number,
            use_count: slot.use_count,
        })
    }

    /// Everything that is open.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.entry.as_ref())
    }

    /// What the handle stands for, if it is open.
    pub(super) fn find(&mut self, handle: Handle) -> Option<&mut T> {
        self.slots
            .get_mut(usize::from(handle.slot))
            .filter(|slot| slot.use_count == handle.use_count)?
            .entry
            .as_mut()
    }

    /// Takes out what the handle stands for; the handle is closed.
    pub(super) fn remove(&mut self, handle: Handle) -> Option<T> {
        let slot = self
            .slots
            .get_mut(usize::from(handle.slot))
            .filter(|slot| slot.use_count == handle.use_count)?;
        let entry = slot.entry.take()?;
        slot.use_count = slot.use_count.wrapping_add(1);
        self.free.push(handle.slot);
        Some(entry)
    }

    /// Takes out everything.
    pub(super) fn drain(&mut self) -> Vec<T> {
        self.free.clear();
        self.slots.drain(..).filter_map(|slot| slot.entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sft_24_a_closed_handle_does_not_come_to_mean_another_file() {
        let mut handles = Handles::new(2);
        let first = handles.insert("a").unwrap();
        assert_eq!(Handle::parse(&first.octets()), Some(first));
        assert_eq!(handles.remove(first), Some("a"));
        let second = handles.insert("b").unwrap();
        assert_ne!(first, second);
        assert_eq!(handles.find(first), None);
        assert_eq!(handles.remove(first), None);
        assert_eq!(handles.find(second), Some(&mut "b"));
    }

    #[test]
    fn sft_24_there_are_never_more_than_the_limit() {
        let mut handles = Handles::new(2);
        let first = handles.insert(1).unwrap();
        assert!(handles.has_room(0) && !handles.has_room(1));
        handles.insert(2).unwrap();
        assert_eq!(handles.insert(3), Err(3));
        handles.remove(first);
        handles.insert(3).unwrap();
        let mut all = handles.drain();
        all.sort_unstable();
        assert_eq!(all, [2, 3]);
        assert_eq!(handles.len(), 0);
        assert_eq!(Handles::<u8>::new(u32::MAX).limit, MOST);
    }

    #[test]
    fn octets_that_no_handle_has_are_none() {
        for octets in [b"".as_slice(), b"abc", b"abcde"] {
            assert_eq!(Handle::parse(octets), None);
        }
        let mut handles = Handles::<u8>::new(1);
        assert_eq!(
            handles.find(Handle::parse(b"\xff\xff\xff\xff").unwrap()),
            None
        );
    }
}
