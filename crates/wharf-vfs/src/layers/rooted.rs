//! A directory of a volume as a volume of its own, which no link leaves.
//!
//! A store that can do this itself is asked first ([`Volume::subtree`]): a local disk opens the
//! directory, and the kernel confines every path to it. For other stores the [`Rooted`] layer walks:
//! it resolves links itself, component by component, and hands on only paths without any.

use std::{borrow::Cow, sync::Arc};

use crate::{
    Answer, AttributeChange, Capabilities, DirectoryReader, EntryBatch, Error, ErrorKind, FileKind,
    FileRef, Links, Metadata, OpenMode, Operation, Replace, Result, Space, VirtualPath, Volume,
};

/// Links that are followed for one path at the most.
const MAX_LINKS: usize = 40;

/// The directory at `path` of `volume` as a volume of its own.
///
/// # Errors
/// [`ErrorKind::NotADirectory`], or as the volume says.
pub async fn rooted(volume: Arc<dyn Volume>, path: &VirtualPath) -> Result<Arc<dyn Volume>> {
    if let Some(subtree) = volume.subtree(path).await? {
        return Ok(subtree);
    }
    if !volume.metadata(path, Links::Follow).await?.is_directory() {
        return Err(Error::new(
            ErrorKind::NotADirectory,
            Operation::Metadata,
            path,
        ));
    }
    Ok(Arc::new(Rooted::new(volume, path.clone())))
}

/// A directory of the inner volume as the top.
#[derive(Clone, Debug)]
pub struct Rooted {
    inner: Arc<dyn Volume>,
    top: VirtualPath,
}

impl Rooted {
    /// Wraps `inner`; `top` should be a directory. Prefer [`rooted`], which asks the store first.
    pub fn new(inner: Arc<dyn Volume>, top: VirtualPath) -> Self {
        Self { inner, top }
    }

    fn inside(&self, path: &VirtualPath, operation: Operation) -> Result<VirtualPath> {
        self.top
            .join(path)
            .map_err(|error| error.into_error(operation, path))
    }

    /// The inner path that `path` leads to, without links but perhaps the last component.
    async fn resolve(
        &self,
        path: &VirtualPath,
        links: Links,
        operation: Operation,
    ) -> Result<VirtualPath> {
        if !self.inner.capabilities().symlinks {
            return self.inside(path, operation);
        }
        let not_found = || Error::new(ErrorKind::NotFound, operation, path);
        let mut pending: Vec<Cow<'_, [u8]>> = path.components().rev().map(Cow::Borrowed).collect();
        let mut walked = VirtualPath::root();
        let mut followed = 0;
        while let Some(name) = pending.pop() {
            match &*name {
                b"" | b"." => continue,
                b".." => {
                    walked = walked.parent().ok_or_else(not_found)?;
                    continue;
                }
                _ => {}
            }
            let next = walked
                .join_name(&name)
                .map_err(|error| error.into_error(operation, path))?;
            let last = pending.is_empty();
            if last && links == Links::NoFollow {
                return self.inside(&next, operation);
            }
            let inner = self.inside(&next, operation)?;
            match self.inner.metadata(&inner, Links::NoFollow).await {
                Ok(found) if found.kind == FileKind::Symlink => {
                    let text = self
                        .inner
                        .read_link(&inner)
                        .await
                        .map_err(|error| error.at(path))?;
                    followed += 1;
                    if followed > MAX_LINKS || text.first() == Some(&b'/') {
                        return Err(not_found());
                    }
                    pending.extend(
                        text.rsplit(|&byte| byte == b'/')
                            .map(|part| Cow::Owned(part.to_vec())),
                    );
                }
                Ok(found) if !last && !found.is_directory() => {
                    return Err(Error::new(ErrorKind::NotADirectory, operation, path));
                }
                Ok(_) => walked = next,
                // What does not exist may be about to be made.
                Err(error) if error.kind == ErrorKind::NotFound && last => walked = next,
                Err(error) => {
                    return Err(Error {
                        operation,
                        ..error.at(path)
                    });
                }
            }
        }
        self.inside(&walked, operation)
    }
}

impl Volume for Rooted {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn metadata<'a>(&'a self, path: &'a VirtualPath, links: Links) -> Answer<'a, Metadata> {
        Answer::later(async move {
            let inner = self.resolve(path, links, Operation::Metadata).await?;
            self.inner
                .metadata(&inner, Links::NoFollow)
                .await
                .map_err(|error| error.at(path))
        })
    }

    fn open<'a>(&'a self, path: &'a VirtualPath, mode: OpenMode) -> Answer<'a, FileRef> {
        let operation = if mode == OpenMode::Read {
            Operation::Read
        } else {
            Operation::Write
        };
        let links = if matches!(mode, OpenMode::CreateNew { .. }) {
            Links::NoFollow
        } else {
            Links::Follow
        };
        Answer::later(async move {
            let inner = self.resolve(path, links, operation).await?;
            self.inner
                .open(&inner, mode)
                .await
                .map_err(|error| error.at(path))
        })
    }

    fn read_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Box<dyn DirectoryReader>> {
        Answer::later(async move {
            let directory = self.resolve(path, Links::Follow, Operation::List).await?;
            let reader = self
                .inner
                .read_directory(&directory)
                .await
                .map_err(|error| error.at(path))?;
            let Some(below) = directory.strip_prefix(&self.top) else {
                return Ok(reader);
            };
            let reader = RootedDirectory {
                layer: self.clone(),
                path: below,
                reader,
            };
            Ok(Box::new(reader) as Box<dyn DirectoryReader>)
        })
    }

    fn create_directory<'a>(&'a self, path: &'a VirtualPath, mode: u32) -> Answer<'a, ()> {
        Answer::later(async move {
            let inner = self
                .resolve(path, Links::NoFollow, Operation::CreateDirectory)
                .await?;
            self.inner
                .create_directory(&inner, mode)
                .await
                .map_err(|error| error.at(path))
        })
    }

    fn remove_file<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()> {
        Answer::later(async move {
            let inner = self
                .resolve(path, Links::NoFollow, Operation::Remove)
                .await?;
            self.inner
                .remove_file(&inner)
                .await
                .map_err(|error| error.at(path))
        })
    }

    fn remove_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()> {
        Answer::later(async move {
            if path.is_root() {
                return Err(Error::new(
                    ErrorKind::Busy,
                    Operation::RemoveDirectory,
                    path,
                ));
            }
            let inner = self
                .resolve(path, Links::NoFollow, Operation::RemoveDirectory)
                .await?;
            self.inner
                .remove_directory(&inner)
                .await
                .map_err(|error| error.at(path))
        })
    }

    fn rename<'a>(
        &'a self,
        from: &'a VirtualPath,
        to: &'a VirtualPath,
        replace: Replace,
    ) -> Answer<'a, ()> {
        Answer::later(async move {
            if from.is_root() || to.is_root() {
                return Err(Error::new(ErrorKind::Busy, Operation::Rename, from));
            }
            let source = self
                .resolve(from, Links::NoFollow, Operation::Rename)
                .await?;
            let target = self.resolve(to, Links::NoFollow, Operation::Rename).await?;
            self.inner
                .rename(&source, &target, replace)
                .await
                .map_err(|error| error.at(from))
        })
    }

    fn set_attributes<'a>(
        &'a self,
        path: &'a VirtualPath,
        links: Links,
        change: AttributeChange,
    ) -> Answer<'a, ()> {
        Answer::later(async move {
            let inner = self.resolve(path, links, Operation::SetAttributes).await?;
            self.inner
                .set_attributes(&inner, Links::NoFollow, change)
                .await
                .map_err(|error| error.at(path))
        })
    }

    fn read_link<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Vec<u8>> {
        Answer::later(async move {
            let inner = self.resolve(path, Links::NoFollow, Operation::Link).await?;
            self.inner
                .read_link(&inner)
                .await
                .map_err(|error| error.at(path))
        })
    }

    fn create_symlink<'a>(
        &'a self,
        target: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()> {
        Answer::later(async move {
            let inner = self.resolve(path, Links::NoFollow, Operation::Link).await?;
            let target = self.inside(target, Operation::Link)?;
            self.inner
                .create_symlink(&target, &inner)
                .await
                .map_err(|error| error.at(path))
        })
    }

    fn create_symlink_text<'a>(&'a self, text: &'a [u8], path: &'a VirtualPath) -> Answer<'a, ()> {
        Answer::later(async move {
            let inner = self.resolve(path, Links::NoFollow, Operation::Link).await?;
            self.inner
                .create_symlink_text(text, &inner)
                .await
                .map_err(|error| error.at(path))
        })
    }

    fn create_hard_link<'a>(
        &'a self,
        existing: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()> {
        Answer::later(async move {
            let source = self
                .resolve(existing, Links::NoFollow, Operation::Link)
                .await?;
            let target = self.resolve(path, Links::NoFollow, Operation::Link).await?;
            self.inner
                .create_hard_link(&source, &target)
                .await
                .map_err(|error| {
                    let end = if error.path == source { existing } else { path };
                    error.at(end)
                })
        })
    }

    fn space<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Space> {
        Answer::later(async move {
            let inner = self.resolve(path, Links::Follow, Operation::Space).await?;
            self.inner
                .space(&inner)
                .await
                .map_err(|error| error.at(path))
        })
    }
}

/// Looks at link targets again: the inner volume does not know where this one ends.
struct RootedDirectory {
    layer: Rooted,
    path: VirtualPath,
    reader: Box<dyn DirectoryReader>,
}

impl DirectoryReader for RootedDirectory {
    fn next_batch(&mut self, batch: EntryBatch) -> Answer<'_, EntryBatch> {
        Answer::later(async move {
            let read = self
                .reader
                .next_batch(batch)
                .await
                .map_err(|error| error.at(&self.path))?;
            if read.iter().all(|entry| entry.target.is_none()) {
                return Ok(read);
            }
            let mut batch = EntryBatch::new();
            for entry in read.iter() {
                let mut target = None;
                if entry.target.is_some()
                    && let Ok(path) = self.path.join_name(entry.name)
                {
                    target = self.layer.metadata(&path, Links::Follow).await.ok();
                }
                batch.push(entry.name, entry.metadata, target);
            }
            Ok(batch)
        })
    }
}

#[cfg(test)]
mod tests;
