//! A directory of the host as a volume (PATH-02 to PATH-04).
//!
//! Every path is resolved from one open directory and never leaves it, whatever links stand there
//! and whoever moves them meanwhile. Devices, FIFOs and sockets are listed and never opened. The
//! process's own umask takes permission bits away from new objects: a server sets it to 0 and lets
//! sessions choose.
//!
//! Calls run on the caller's thread while the disk is quick, and in tokio's blocking pool when it
//! is not, so a runtime must be there.

mod act;
mod directory;
mod errno;
mod file;
mod links;
mod pace;
mod recent;
mod root;

use std::{fmt, path::Path, sync::Arc};

use directory::LocalDirectory;
use errno::failure;
use file::{LocalFile, Promptness};
use pace::Pace;
use root::Root;
use rustix::{
    fs::{self, AtFlags, Mode, OFlags},
    io::Errno,
};

use crate::{
    Answer, AttributeChange, Capabilities, DirectoryReader, Error, ErrorKind, FileRef, Links,
    Metadata, OpenMode, Operation, Replace, Result, Space, VirtualPath, Volume,
};

/// A directory of the host, and all below it.
#[derive(Clone)]
pub struct LocalVolume {
    store: Arc<Store>,
}

struct Store {
    root: Root,
    pace: Arc<Pace>,
    promptness: Arc<Promptness>,
}

impl Store {
    /// Runs `work` on this thread if it may and the disk is quick, else in the blocking pool.
    fn act<'a, T: Send + 'static>(
        &self,
        inline: bool,
        operation: Operation,
        path: &VirtualPath,
        work: impl FnOnce() -> Result<T, Errno> + Send + 'static,
    ) -> Answer<'a, T> {
        let work = if inline {
            match self.pace.inline(work) {
                Ok(done) => {
                    return Answer::now(done.map_err(|errno| failure(errno, operation, path)));
                }
                Err(work) => work,
            }
        } else {
            work
        };
        let path = path.clone();
        Answer::later(async move {
            match tokio::task::spawn_blocking(work).await {
                Ok(done) => done.map_err(|errno| failure(errno, operation, &path)),
                Err(stopped) => Err(Error::with_source(
                    ErrorKind::Unavailable,
                    operation,
                    &path,
                    stopped,
                )),
            }
        })
    }
}

impl LocalVolume {
    /// The directory at `directory` of the host.
    ///
    /// # Errors
    /// As the host says; the error's source has its words, its path is only `/`.
    pub fn open(directory: &Path) -> Result<Self> {
        Self::open_with(directory, false)
    }

    /// The same without `openat2`, as on a kernel that lacks it.
    #[cfg(test)]
    pub(crate) fn open_walking(directory: &Path) -> Result<Self> {
        Self::open_with(directory, true)
    }

    fn open_with(directory: &Path, walk: bool) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        fs::open(directory, flags, Mode::empty())
            .and_then(|directory| Root::new(directory, walk))
            .map(|root| {
                let pace = Arc::new(Pace::new(root.file_system().remote));
                let promptness = Arc::default();
                Self {
                    store: Arc::new(Store {
                        root,
                        pace,
                        promptness,
                    }),
                }
            })
            .map_err(|errno| failure(errno, Operation::Metadata, &VirtualPath::root()))
    }

    /// Acts on one path.
    fn act<'a, T: Send + 'static>(
        &self,
        operation: Operation,
        path: &'a VirtualPath,
        work: impl FnOnce(&Arc<Store>, VirtualPath) -> Result<T, Errno> + Send + 'static,
    ) -> Answer<'a, T> {
        let (store, owned) = (Arc::clone(&self.store), path.clone());
        self.store
            .act(true, operation, path, move || work(&store, owned))
    }
}

impl fmt::Debug for LocalVolume {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LocalVolume")
            .field("root", &self.store.root)
            .finish()
    }
}

impl Volume for LocalVolume {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            write: true,
            random_write: true,
            atomic_rename: true,
            modes: true,
            set_times: true,
            symlinks: true,
            hard_links: true,
            case_sensitive: self.store.root.file_system().case_sensitive,
        }
    }

    fn metadata<'a>(&'a self, path: &'a VirtualPath, links: Links) -> Answer<'a, Metadata> {
        let store = &self.store;
        match store.pace.inline(|| store.root.look_up(path, links)) {
            Ok(done) => {
                Answer::now(done.map_err(|errno| failure(errno, Operation::Metadata, path)))
            }
            Err(_) => {
                // A slow disk is not asked for what the kernel knows by heart.
                if !store.pace.is_remote()
                    && let Ok(found) = store.root.look_up_cached(path, links)
                {
                    return Answer::now(Ok(found));
                }
                self.act(Operation::Metadata, path, move |store, path| {
                    store.root.look_up(&path, links)
                })
            }
        }
    }

    fn open<'a>(&'a self, path: &'a VirtualPath, mode: OpenMode) -> Answer<'a, FileRef> {
        let operation = if mode == OpenMode::Read {
            Operation::Read
        } else {
            Operation::Write
        };
        self.act(operation, path, move |store, path| {
            let (file, in_memory, size) = store.root.open_file(&path, mode)?;
            let file = LocalFile::new(file, Arc::clone(store), path, in_memory, size);
            let file: FileRef = Arc::new(file);
            Ok(file)
        })
    }

    fn read_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Box<dyn DirectoryReader>> {
        self.act(Operation::List, path, |store, path| {
            let directory = store.root.open_directory(&path)?;
            let reader = LocalDirectory::new(directory, Arc::clone(store), path);
            Ok(Box::new(reader) as Box<dyn DirectoryReader>)
        })
    }

    fn create_directory<'a>(&'a self, path: &'a VirtualPath, mode: u32) -> Answer<'a, ()> {
        self.act(Operation::CreateDirectory, path, move |store, path| {
            store.root.create_directory(&path, mode)
        })
    }

    fn remove_file<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()> {
        self.act(Operation::Remove, path, |store, path| {
            store.root.remove(&path, AtFlags::empty())
        })
    }

    fn remove_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()> {
        self.act(Operation::RemoveDirectory, path, |store, path| {
            store.root.remove(&path, AtFlags::REMOVEDIR)
        })
    }

    fn rename<'a>(
        &'a self,
        from: &'a VirtualPath,
        to: &'a VirtualPath,
        replace: Replace,
    ) -> Answer<'a, ()> {
        let to = to.clone();
        self.act(Operation::Rename, from, move |store, from| {
            store.root.rename(&from, &to, replace)
        })
    }

    fn set_attributes<'a>(
        &'a self,
        path: &'a VirtualPath,
        links: Links,
        change: AttributeChange,
    ) -> Answer<'a, ()> {
        self.act(Operation::SetAttributes, path, move |store, path| {
            store.root.set_attributes(&path, links, change)
        })
    }

    fn read_link<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Vec<u8>> {
        self.act(Operation::Link, path, |store, path| {
            store.root.read_link(&path)
        })
    }

    fn create_symlink<'a>(
        &'a self,
        target: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()> {
        let target = target.clone();
        self.act(Operation::Link, path, move |store, path| {
            store.root.create_symlink(&target, &path)
        })
    }

    fn create_symlink_text<'a>(&'a self, text: &'a [u8], path: &'a VirtualPath) -> Answer<'a, ()> {
        let text = text.to_vec();
        self.act(Operation::Link, path, move |store, path| {
            store.root.create_symlink_text(&text, &path)
        })
    }

    fn create_hard_link<'a>(
        &'a self,
        existing: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()> {
        let path = path.clone();
        self.act(Operation::Link, existing, move |store, existing| {
            store.root.create_hard_link(&existing, &path)
        })
    }

    fn space<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Space> {
        self.act(Operation::Space, path, |store, path| {
            store.root.space(&path)
        })
    }

    fn subtree<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Option<Arc<dyn Volume>>> {
        self.act(Operation::Metadata, path, |store, path| {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let root = Root::new(
                store.root.open(&path, flags, Mode::empty())?,
                store.root.walks(),
            )?;
            let store = Store {
                root,
                pace: Arc::clone(&store.pace),
                promptness: Arc::clone(&store.promptness),
            };
            Ok(Some(Arc::new(Self {
                store: Arc::new(store),
            }) as Arc<dyn Volume>))
        })
    }
}

#[cfg(test)]
mod tests;
