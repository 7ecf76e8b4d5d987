//! Reading a directory in batches of bounded size.
//!
//! A directory of a million entries is read in the memory of one batch: names lie one behind the
//! other in a single buffer, and the buffer is handed back to be filled again.

use crate::{Answer, Metadata};

/// One entry of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The name, raw bytes; never `.`, `..`, empty, or with `/` or NUL.
    pub name: &'a [u8],
    /// What the name itself is (a symbolic link is not followed).
    pub metadata: Metadata,
    /// For a symbolic link whose target lies in the volume and exists: what it leads to.
    pub target: Option<Metadata>,
}

/// Some entries of a directory, in the order of the store.
#[derive(Debug, Default)]
pub struct EntryBatch {
    names: Vec<u8>,
    entries: Vec<Record>,
    /// Link targets are few, and as big as all the rest of an entry.
    targets: Vec<Metadata>,
}

#[derive(Debug)]
struct Record {
    start: u32,
    length: u16,
    target: Option<u16>,
    metadata: Metadata,
}

impl EntryBatch {
    /// How many entries a reader puts into one batch at the most.
    pub const MAX_ENTRIES: usize = 1024;

    /// An empty batch that owns nothing yet.
    pub const fn new() -> Self {
        Self {
            names: Vec::new(),
            entries: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Forgets the entries, keeps the memory.
    pub fn clear(&mut self) {
        self.names.clear();
        self.entries.clear();
        self.targets.clear();
    }

    /// Adds an entry. A name over 65,535 octets is left out (no file system has one).
    pub fn push(&mut self, name: &[u8], metadata: Metadata, target: Option<Metadata>) {
        let (Ok(start), Ok(length)) = (u32::try_from(self.names.len()), u16::try_from(name.len()))
        else {
            return;
        };
        let target = target.and_then(|target| {
            let index = u16::try_from(self.targets.len()).ok()?;
            self.targets.push(target);
            Some(index)
        });
        self.names.extend_from_slice(name);
        self.entries.push(Record {
            start,
            length,
            target,
            metadata,
        });
    }

    /// Keeps the entries whose name `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8]) -> bool) {
        let names = &self.names;
        self.entries.retain(|record| keep(record.name(names)));
    }

    /// Keeps the first `count` entries.
    pub fn truncate(&mut self, count: usize) {
        self.entries.truncate(count);
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries.iter().map(|record| Entry {
            name: record.name(&self.names),
            metadata: record.metadata,
            target: record
                .target
                .and_then(|index| self.targets.get(usize::from(index)).copied()),
        })
    }
}

impl Record {
    fn name<'n>(&self, names: &'n [u8]) -> &'n [u8] {
        let start = self.start as usize;
        names
            .get(start..start + usize::from(self.length))
            .unwrap_or_default()
    }
}

/// An open directory, read from front to back once.
///
/// An entry that vanishes while it is looked at is left out, as is one that cannot be looked at.
pub trait DirectoryReader: Send {
    /// The next entries, in `batch` (which is cleared first, its memory reused). An empty batch
    /// means the end.
    fn next_batch(&mut self, batch: EntryBatch) -> Answer<'_, EntryBatch>;
}
