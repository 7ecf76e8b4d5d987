//! An open file of a local volume.

use std::{os::fd::OwnedFd, sync::Arc};

use rustix::{
    buffer::spare_capacity,
    fs,
    io::{self, Errno},
};

use super::{Store, root::look};
use crate::{Answer, File, Metadata, Operation, VirtualPath};

/// Octets that are read or written on the caller's thread at the most.
const SMALL: usize = 64 * 1024;

/// A regular file on the host.
pub(super) struct LocalFile {
    file: Arc<OwnedFd>,
    store: Arc<Store>,
    path: VirtualPath,
    in_memory: bool,
}

impl LocalFile {
    pub(super) fn new(
        file: OwnedFd,
        store: Arc<Store>,
        path: VirtualPath,
        in_memory: bool,
    ) -> Self {
        Self {
            file: Arc::new(file),
            store,
            path,
            in_memory,
        }
    }

    /// Runs `work`; on this thread if it is `small` and the disk is quick.
    fn act<T: Send + 'static>(
        &self,
        operation: Operation,
        small: bool,
        work: impl FnOnce(&OwnedFd, &Store) -> Result<T, Errno> + Send + 'static,
    ) -> Answer<'_, T> {
        let (file, store) = (Arc::clone(&self.file), Arc::clone(&self.store));
        self.store
            .act(small, operation, &self.path, move || work(&file, &store))
    }
}

impl File for LocalFile {
    fn descriptor(&self) -> Option<&OwnedFd> {
        Some(&self.file)
    }

    fn may_wait(&self) -> bool {
        !self.in_memory
    }

    fn metadata(&self) -> Answer<'_, Metadata> {
        self.act(Operation::Metadata, true, |file, store| {
            Ok(store.root.metadata(&look(file)?))
        })
    }

    fn read_at(&self, mut buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        self.act(
            Operation::Read,
            buffer.capacity() <= SMALL,
            move |file, _| {
                buffer.clear();
                io::retry_on_intr(|| io::pread(file, spare_capacity(&mut buffer), offset))?;
                Ok(buffer)
            },
        )
    }

    fn write_at(&self, buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        self.act(Operation::Write, buffer.len() <= SMALL, move |file, _| {
            let (mut rest, mut offset) = (buffer.as_slice(), offset);
            while !rest.is_empty() {
                let written = io::retry_on_intr(|| io::pwrite(file, rest, offset))?;
                if written == 0 {
                    return Err(Errno::IO);
                }
                rest = rest.get(written..).unwrap_or_default();
                offset += written as u64;
            }
            Ok(buffer)
        })
    }

    fn set_size(&self, size: u64) -> Answer<'_, ()> {
        self.act(Operation::Write, true, move |file, _| {
            io::retry_on_intr(|| fs::ftruncate(file, size))
        })
    }

    fn sync(&self) -> Answer<'_, ()> {
        self.act(Operation::Write, false, |file, _| {
            io::retry_on_intr(|| fs::fdatasync(file))
        })
    }
}
