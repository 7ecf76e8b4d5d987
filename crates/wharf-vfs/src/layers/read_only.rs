//! A volume that cannot be changed, whatever the rights: every change is
//! [`ErrorKind::ReadOnly`], that of an empty file included (CVE-2017-15906), and so is every change
//! through a file that is open: a handle for reading is enough to set modes and times.

use std::{os::fd::OwnedFd, sync::Arc};

use crate::{
    Answer, AttributeChange, Capabilities, DirectoryReader, Error, ErrorKind, File, FileRef, Links,
    Metadata, OpenMode, Operation, Replace, Result, Space, VirtualPath, Volume,
};

/// The inner volume without any way to change it.
#[derive(Clone, Debug)]
pub struct ReadOnly {
    inner: Arc<dyn Volume>,
}

impl ReadOnly {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn Volume>) -> Self {
        Self { inner }
    }
}

fn refuse<T>(operation: Operation, path: &VirtualPath) -> Answer<'static, T> {
    Answer::now(Err(Error::new(ErrorKind::ReadOnly, operation, path)))
}

impl Volume for ReadOnly {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            write: false,
            random_write: false,
            atomic_rename: false,
            set_times: false,
            ..self.inner.capabilities()
        }
    }

    fn metadata<'a>(&'a self, path: &'a VirtualPath, links: Links) -> Answer<'a, Metadata> {
        self.inner.metadata(path, links)
    }

    fn open<'a>(&'a self, path: &'a VirtualPath, mode: OpenMode) -> Answer<'a, FileRef> {
        match mode {
            OpenMode::Read => match self.inner.open(path, mode) {
                Answer::Now(opened) => Answer::Now(opened.map(|opened| opened.map(locked))),
                Answer::Later(opening) => Answer::later(async move { opening.await.map(locked) }),
            },
            OpenMode::Update | OpenMode::UpdateOrCreate { .. } | OpenMode::CreateNew { .. } => {
                refuse(Operation::Write, path)
            }
        }
    }

    fn read_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Box<dyn DirectoryReader>> {
        self.inner.read_directory(path)
    }

    fn create_directory<'a>(&'a self, path: &'a VirtualPath, _mode: u32) -> Answer<'a, ()> {
        refuse(Operation::CreateDirectory, path)
    }

    fn remove_file<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()> {
        refuse(Operation::Remove, path)
    }

    fn remove_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()> {
        refuse(Operation::RemoveDirectory, path)
    }

    fn rename<'a>(
        &'a self,
        from: &'a VirtualPath,
        _to: &'a VirtualPath,
        _replace: Replace,
    ) -> Answer<'a, ()> {
        refuse(Operation::Rename, from)
    }

    fn set_attributes<'a>(
        &'a self,
        path: &'a VirtualPath,
        _links: Links,
        _change: AttributeChange,
    ) -> Answer<'a, ()> {
        refuse(Operation::SetAttributes, path)
    }

    fn read_link<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Vec<u8>> {
        self.inner.read_link(path)
    }

    fn create_symlink<'a>(
        &'a self,
        _target: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()> {
        refuse(Operation::Link, path)
    }

    fn create_symlink_text<'a>(&'a self, _text: &'a [u8], path: &'a VirtualPath) -> Answer<'a, ()> {
        refuse(Operation::Link, path)
    }

    fn create_hard_link<'a>(
        &'a self,
        _existing: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()> {
        refuse(Operation::Link, path)
    }

    fn space<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Space> {
        self.inner.space(path)
    }

    fn subtree<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Option<Arc<dyn Volume>>> {
        let inner = self.inner.subtree(path);
        Answer::later(async move {
            let inner = inner.await?;
            Ok(inner.map(|inner| Arc::new(Self::new(inner)) as Arc<dyn Volume>))
        })
    }
}

/// An open file of the inner volume without any way to change it.
struct Locked {
    inner: FileRef,
}

fn locked(inner: FileRef) -> FileRef {
    Arc::new(Locked { inner })
}

impl Locked {
    fn refuse<T>(operation: Operation) -> Answer<'static, T> {
        refuse(operation, &VirtualPath::root())
    }
}

impl File for Locked {
    fn descriptor(&self) -> Option<&OwnedFd> {
        self.inner.descriptor()
    }

    fn may_wait(&self) -> bool {
        self.inner.may_wait()
    }

    fn metadata(&self) -> Answer<'_, Metadata> {
        self.inner.metadata()
    }

    fn read_at(&self, buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, _buffer: Vec<u8>, _offset: u64) -> Answer<'_, Vec<u8>> {
        Self::refuse(Operation::Write)
    }

    fn try_read_at(
        &self,
        buffer: &mut Vec<u8>,
        limit: usize,
        offset: u64,
    ) -> Option<Result<usize>> {
        self.inner.try_read_at(buffer, limit, offset)
    }

    fn set_size(&self, _size: u64) -> Answer<'_, ()> {
        Self::refuse(Operation::Write)
    }

    fn set_attributes(&self, _change: AttributeChange) -> Answer<'_, ()> {
        Self::refuse(Operation::SetAttributes)
    }

    fn copy_range<'a>(
        &'a self,
        _source: &'a FileRef,
        _from: u64,
        _to: u64,
        _length: u64,
    ) -> Answer<'a, u64> {
        Self::refuse(Operation::Write)
    }

    fn sync(&self) -> Answer<'_, ()> {
        self.inner.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::{make, path, put},
        layers::rooted,
        volumes::{LocalVolume, MemoryVolume},
    };

    async fn fill(volume: &dyn Volume) {
        make(volume, "/d").await;
        put(volume, "/d/f", b"content").await;
    }

    #[tokio::test]
    async fn no_change_passes_to_memory() {
        let volume = MemoryVolume::new(100);
        fill(&volume).await;
        crate::contract::read_only::every_change_is_refused(&ReadOnly::new(Arc::new(volume))).await;
    }

    #[tokio::test]
    async fn no_change_passes_to_a_disk_or_its_subtree() {
        let host = tempfile::tempdir().unwrap();
        let volume = LocalVolume::open(host.path()).unwrap();
        make(&volume, "/top").await;
        let top = volume.subtree(&path("/top")).await.unwrap().unwrap();
        fill(&*top).await;
        crate::contract::read_only::every_change_is_refused(&ReadOnly::new(top)).await;
        let outer = Arc::new(ReadOnly::new(Arc::new(volume)));
        let top = rooted(outer, &path("/top")).await.unwrap();
        crate::contract::read_only::every_change_is_refused(&*top).await;
    }
}
