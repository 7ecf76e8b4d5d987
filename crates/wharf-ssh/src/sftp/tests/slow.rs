//! A volume that never answers at once: everything waits at a gate first.

use tokio::sync::Semaphore;
use wharf_vfs::{
    Answer, AttributeChange, Capabilities, DirectoryReader, File, Links, Metadata, Replace, Space,
};

use super::*;

/// A volume whose every answer comes later, one for each permit of the gate.
#[derive(Debug)]
pub(super) struct Slow {
    inner: Arc<dyn Volume>,
    gate: Arc<Semaphore>,
}

impl Slow {
    /// Over a volume; the gate is closed.
    pub(super) fn new(inner: Arc<dyn Volume>) -> (Arc<Self>, Arc<Semaphore>) {
        let gate = Arc::new(Semaphore::new(0));
        let slow = Self {
            inner,
            gate: Arc::clone(&gate),
        };
        (Arc::new(slow), gate)
    }

    /// Over a volume; the gate is open, so each answer comes a little later.
    pub(super) fn open_gate(inner: Arc<dyn Volume>) -> Arc<Self> {
        let (slow, gate) = Self::new(inner);
        gate.add_permits(Semaphore::MAX_PERMITS / 2);
        slow
    }
}

struct SlowFile(FileRef, Arc<Semaphore>);

impl File for SlowFile {
    fn descriptor(&self) -> Option<&std::os::fd::OwnedFd> {
        None
    }
    fn metadata(&self) -> Answer<'_, Metadata> {
        Answer::later(async {
            pass(&self.1).await;
            self.0.metadata().await
        })
    }
    fn read_at(&self, buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        Answer::later(async move {
            pass(&self.1).await;
            self.0.read_at(buffer, offset).await
        })
    }
    fn write_at(&self, buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        Answer::later(async move {
            pass(&self.1).await;
            self.0.write_at(buffer, offset).await
        })
    }
    fn set_size(&self, size: u64) -> Answer<'_, ()> {
        Answer::later(async move {
            pass(&self.1).await;
            self.0.set_size(size).await
        })
    }
    fn set_attributes(&self, change: AttributeChange) -> Answer<'_, ()> {
        Answer::later(async move {
            pass(&self.1).await;
            self.0.set_attributes(change).await
        })
    }
    fn sync(&self) -> Answer<'_, ()> {
        Answer::later(async {
            pass(&self.1).await;
            self.0.sync().await
        })
    }
}

struct SlowDirectory(Box<dyn DirectoryReader>, Arc<Semaphore>);

impl DirectoryReader for SlowDirectory {
    fn next_batch(&mut self, batch: wharf_vfs::EntryBatch) -> Answer<'_, wharf_vfs::EntryBatch> {
        Answer::later(async {
            pass(&self.1).await;
            self.0.next_batch(batch).await
        })
    }
}

async fn pass(gate: &Semaphore) {
    tokio::task::yield_now().await;
    gate.acquire().await.unwrap().forget();
}

macro_rules! slow {
    ($self:ident, $call:expr) => {
        Answer::later(async move {
            pass(&$self.gate).await;
            $call.await
        })
    };
}

impl Volume for Slow {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    fn metadata<'a>(&'a self, path: &'a VirtualPath, links: Links) -> Answer<'a, Metadata> {
        slow!(self, self.inner.metadata(path, links))
    }
    fn open<'a>(&'a self, path: &'a VirtualPath, mode: OpenMode) -> Answer<'a, FileRef> {
        Answer::later(async move {
            pass(&self.gate).await;
            let file = self.inner.open(path, mode).await?;
            Ok(Arc::new(SlowFile(file, Arc::clone(&self.gate))) as FileRef)
        })
    }
    fn read_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Box<dyn DirectoryReader>> {
        Answer::later(async move {
            pass(&self.gate).await;
            let reader = self.inner.read_directory(path).await?;
            let reader: Box<dyn DirectoryReader> =
                Box::new(SlowDirectory(reader, Arc::clone(&self.gate)));
            Ok(reader)
        })
    }
    fn create_directory<'a>(&'a self, path: &'a VirtualPath, mode: u32) -> Answer<'a, ()> {
        slow!(self, self.inner.create_directory(path, mode))
    }
    fn remove_file<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()> {
        slow!(self, self.inner.remove_file(path))
    }
    fn remove_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()> {
        slow!(self, self.inner.remove_directory(path))
    }
    fn rename<'a>(
        &'a self,
        from: &'a VirtualPath,
        to: &'a VirtualPath,
        replace: Replace,
    ) -> Answer<'a, ()> {
        slow!(self, self.inner.rename(from, to, replace))
    }
    fn set_attributes<'a>(
        &'a self,
        path: &'a VirtualPath,
        links: Links,
        change: AttributeChange,
    ) -> Answer<'a, ()> {
        slow!(self, self.inner.set_attributes(path, links, change))
    }
    fn read_link<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Vec<u8>> {
        slow!(self, self.inner.read_link(path))
    }
    fn create_symlink<'a>(
        &'a self,
        target: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()> {
        slow!(self, self.inner.create_symlink(target, path))
    }
    fn create_symlink_text<'a>(&'a self, text: &'a [u8], path: &'a VirtualPath) -> Answer<'a, ()> {
        slow!(self, self.inner.create_symlink_text(text, path))
    }
    fn create_hard_link<'a>(
        &'a self,
        existing: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()> {
        slow!(self, self.inner.create_hard_link(existing, path))
    }
    fn space<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Space> {
        slow!(self, self.inner.space(path))
    }
}
