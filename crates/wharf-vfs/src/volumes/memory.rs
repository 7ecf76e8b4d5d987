//! A volume in memory: for tests, and for small scratch space.
//!
//! It behaves as a disk does, links and open-but-removed files included, is bounded by a capacity,
//! and can be told to fail after some octets, so that callers can be tested against a store that
//! breaks. It must not grow features that a disk lacks: it is the contract's reference.

mod tree;

use std::{
    fmt,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tree::{NodeId, Tree};

use crate::{
    Answer, AttributeChange, Capabilities, DirectoryReader, EntryBatch, Error, ErrorKind, File,
    FileRef, Links, Metadata, OpenMode, Operation, Replace, Result, Space, VirtualPath, Volume,
};

/// What a volume in memory tells as its unit of space: a page of most machines.
const BLOCK_SIZE: u32 = 4096;

/// A tree of files in memory.
#[derive(Clone)]
pub struct MemoryVolume {
    store: Arc<Store>,
}

struct Store {
    tree: Mutex<Tree>,
}

impl Store {
    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryVolume {
    /// An empty volume for this many octets of content.
    pub fn new(capacity: u64) -> Self {
        Self {
            store: Arc::new(Store {
                tree: Mutex::new(Tree::new(capacity)),
            }),
        }
    }

    /// After this many octets more, every write fails with [`ErrorKind::Broken`]; `None` mends it.
    pub fn fail_after(&self, octets: Option<u64>) {
        self.store.tree().fail_after = octets;
    }

    fn act<T>(
        &self,
        operation: Operation,
        path: &VirtualPath,
        work: impl FnOnce(&mut Tree) -> Result<T, ErrorKind>,
    ) -> Answer<'static, T> {
        Answer::now(work(&mut self.store.tree()).map_err(|kind| Error::new(kind, operation, path)))
    }
}

impl fmt::Debug for MemoryVolume {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MemoryVolume")
            .finish_non_exhaustive()
    }
}

impl Volume for MemoryVolume {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            write: true,
            random_write: true,
            atomic_rename: true,
            modes: true,
            set_times: true,
            symlinks: true,
            hard_links: true,
            case_sensitive: true,
        }
    }

    fn metadata<'a>(&'a self, path: &'a VirtualPath, links: Links) -> Answer<'a, Metadata> {
        self.act(Operation::Metadata, path, |tree| {
            let id = tree.find(path, links)?;
            tree.metadata(id)
        })
    }

    fn open<'a>(&'a self, path: &'a VirtualPath, mode: OpenMode) -> Answer<'a, FileRef> {
        let operation = if mode == OpenMode::Read {
            Operation::Read
        } else {
            Operation::Write
        };
        self.act(operation, path, |tree| {
            let id = tree.open(path, mode)?;
            let writable = mode != OpenMode::Read;
            let store = Arc::clone(&self.store);
            Ok(Arc::new(MemoryFile {
                store,
                id,
                path: path.clone(),
                writable,
            }) as FileRef)
        })
    }

    fn read_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Box<dyn DirectoryReader>> {
        self.act(Operation::List, path, |tree| {
            let id = tree.find(path, Links::Follow)?;
            let names = tree.names(id)?;
            let (store, path) = (Arc::clone(&self.store), path.clone());
            Ok(Box::new(MemoryDirectory {
                store,
                path,
                names: names.into_iter(),
            }) as Box<dyn DirectoryReader>)
        })
    }

    fn create_directory<'a>(&'a self, path: &'a VirtualPath, mode: u32) -> Answer<'a, ()> {
        self.act(Operation::CreateDirectory, path, |tree| {
            tree.create_directory(path, mode)
        })
    }

    fn remove_file<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()> {
        self.act(Operation::Remove, path, |tree| tree.remove(path, false))
    }

    fn remove_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()> {
        self.act(Operation::RemoveDirectory, path, |tree| {
            tree.remove(path, true)
        })
    }

    fn rename<'a>(
        &'a self,
        from: &'a VirtualPath,
        to: &'a VirtualPath,
        replace: Replace,
    ) -> Answer<'a, ()> {
        self.act(Operation::Rename, from, |tree| {
            tree.rename(from, to, replace)
        })
    }

    fn set_attributes<'a>(
        &'a self,
        path: &'a VirtualPath,
        links: Links,
        change: AttributeChange,
    ) -> Answer<'a, ()> {
        self.act(Operation::SetAttributes, path, |tree| {
            let id = tree.find(path, links)?;
            tree.set_attributes(id, change)
        })
    }

    fn read_link<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Vec<u8>> {
        self.act(Operation::Link, path, |tree| tree.read_link(path))
    }

    fn create_symlink<'a>(
        &'a self,
        target: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()> {
        self.act(Operation::Link, path, |tree| {
            tree.create_symlink(path, path.link_text(target))
        })
    }

    fn create_symlink_text<'a>(&'a self, text: &'a [u8], path: &'a VirtualPath) -> Answer<'a, ()> {
        self.act(Operation::Link, path, |tree| {
            tree.create_symlink(path, text.to_vec())
        })
    }

    fn create_hard_link<'a>(
        &'a self,
        existing: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()> {
        self.act(Operation::Link, existing, |tree| {
            tree.create_hard_link(existing, path)
        })
    }

    fn space<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Space> {
        self.act(Operation::Space, path, |tree| {
            tree.find(path, Links::Follow)?;
            Ok(Space {
                total: tree.capacity,
                free: tree.capacity.saturating_sub(tree.used),
                files: None,
                files_free: None,
                block_size: BLOCK_SIZE,
            })
        })
    }
}

struct MemoryFile {
    store: Arc<Store>,
    id: NodeId,
    path: VirtualPath,
    writable: bool,
}

impl MemoryFile {
    fn act<T>(
        &self,
        operation: Operation,
        work: impl FnOnce(&mut Tree) -> Result<T, ErrorKind>,
    ) -> Answer<'_, T> {
        Answer::now(
            work(&mut self.store.tree()).map_err(|kind| Error::new(kind, operation, &self.path)),
        )
    }

    fn writable(&self) -> Result<(), ErrorKind> {
        if self.writable {
            Ok(())
        } else {
            Err(ErrorKind::Denied)
        }
    }
}

impl File for MemoryFile {
    fn descriptor(&self) -> Option<&OwnedFd> {
        None
    }

    fn may_wait(&self) -> bool {
        false
    }

    fn metadata(&self) -> Answer<'_, Metadata> {
        self.act(Operation::Metadata, |tree| tree.metadata(self.id))
    }

    fn read_at(&self, mut buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        self.act(Operation::Read, |tree| {
            let rest = rest(tree.content(self.id)?, offset);
            let count = rest.len().min(buffer.capacity());
            buffer.clear();
            buffer.extend_from_slice(rest.get(..count).unwrap_or_default());
            Ok(buffer)
        })
    }

    fn write_at(&self, buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        self.act(Operation::Write, |tree| {
            self.writable()?;
            tree.write(self.id, &buffer, offset)?;
            Ok(buffer)
        })
    }

    fn try_read_at(
        &self,
        buffer: &mut Vec<u8>,
        limit: usize,
        offset: u64,
    ) -> Option<Result<usize>> {
        let tree = self.store.tree();
        Some(match tree.content(self.id) {
            Ok(content) => {
                let rest = rest(content, offset);
                let found = rest.get(..limit).unwrap_or(rest);
                buffer.extend_from_slice(found);
                Ok(found.len())
            }
            Err(kind) => Err(Error::new(kind, Operation::Read, &self.path)),
        })
    }

    fn try_write_at(&self, data: &[u8], offset: u64) -> Option<Result<()>> {
        let written = self
            .writable()
            .and_then(|()| self.store.tree().write(self.id, data, offset));
        Some(written.map_err(|kind| Error::new(kind, Operation::Write, &self.path)))
    }

    fn set_attributes(&self, change: AttributeChange) -> Answer<'_, ()> {
        self.act(Operation::SetAttributes, |tree| {
            tree.set_attributes(self.id, change)
        })
    }

    fn set_size(&self, size: u64) -> Answer<'_, ()> {
        self.act(Operation::Write, |tree| {
            self.writable()?;
            tree.set_size(self.id, size)
        })
    }

    fn sync(&self) -> Answer<'_, ()> {
        Answer::now(Ok(()))
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.store.tree().close(self.id);
    }
}

/// What stands from `offset` on; nothing beyond the end.
fn rest(content: &[u8], offset: u64) -> &[u8] {
    usize::try_from(offset)
        .ok()
        .and_then(|offset| content.get(offset..))
        .unwrap_or_default()
}

struct MemoryDirectory {
    store: Arc<Store>,
    path: VirtualPath,
    names: std::vec::IntoIter<(Vec<u8>, NodeId)>,
}

impl DirectoryReader for MemoryDirectory {
    fn next_batch(&mut self, mut batch: EntryBatch) -> Answer<'_, EntryBatch> {
        let tree = self.store.tree();
        batch.clear();
        while batch.len() < EntryBatch::MAX_ENTRIES {
            let Some((name, id)) = self.names.next() else {
                break;
            };
            let Ok(metadata) = tree.metadata(id) else {
                continue;
            };
            let target = if metadata.kind == crate::FileKind::Symlink {
                let path = self.path.join_name(&name).ok();
                path.and_then(|path| tree.metadata(tree.find(&path, Links::Follow).ok()?).ok())
            } else {
                None
            };
            batch.push(&name, metadata, target);
        }
        Answer::now(Ok(batch))
    }
}

#[cfg(test)]
mod tests;
