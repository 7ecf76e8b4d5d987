//! Which volume stands where in the tree: the longest prefix decides.
//!
//! A table is built once per account or role and shared; it holds no rights and asks no volume
//! anything. It must not normalise paths: a [`VirtualPath`] is normal by its type.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use crate::{VirtualPath, Volume, writers::Writers};

/// A volume at a virtual path.
#[derive(Clone, Debug)]
pub struct Mount {
    path: VirtualPath,
    volume: Arc<dyn Volume>,
    id: Arc<str>,
}

impl Mount {
    /// `volume` at `path`. The id is what peers may see of it (DAT-94): short, stable, without
    /// blanks and `;`, the same wherever the same volume is mounted.
    pub fn new(path: VirtualPath, volume: Arc<dyn Volume>, id: impl Into<Arc<str>>) -> Self {
        Self {
            path,
            volume,
            id: id.into(),
        }
    }

    /// Where it stands.
    pub fn path(&self) -> &VirtualPath {
        &self.path
    }

    /// What stands there.
    pub fn volume(&self) -> &Arc<dyn Volume> {
        &self.volume
    }

    /// Its id.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }
}

/// Why mounts make no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// Nothing is mounted at `/`.
    #[error("no volume is mounted at /: mount one there, an empty one if need be")]
    RootMissing,
    /// Two volumes at one path.
    #[error("two volumes are mounted at {0}: give each its own path")]
    Twice(VirtualPath),
}

/// The mounts of one tree.
#[derive(Clone, Debug)]
pub struct MountTable {
    root: Mount,
    /// All but the root, the deepest first.
    mounts: Vec<Mount>,
    writers: Arc<Writers>,
}

/// A place in a volume.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) mount: &'a Mount,
    /// The path below the mount.
    pub(crate) path: Cow<'a, VirtualPath>,
}

/// What a mount table adds to a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Child<'a> {
    /// A volume stands at this very name.
    Mount(&'a Mount),
    /// Some volume stands further below.
    Way,
}

impl MountTable {
    /// A table of these mounts, with a writers' registry of its own.
    ///
    /// # Errors
    /// [`MountError`] when nothing is mounted at `/`, or two volumes at one path.
    pub fn new(mounts: impl IntoIterator<Item = Mount>) -> Result<Self, MountError> {
        let mut root = None;
        let mut others: Vec<Mount> = Vec::new();
        for mount in mounts {
            if mount.path.is_root() {
                if root.is_some() {
                    return Err(MountError::Twice(mount.path));
                }
                root = Some(mount);
            } else if others.iter().any(|other| other.path == mount.path) {
                return Err(MountError::Twice(mount.path));
            } else {
                others.push(mount);
            }
        }
        others.sort_by_key(|mount| std::cmp::Reverse(mount.path.depth()));
        let root = root.ok_or(MountError::RootMissing)?;
        Ok(Self {
            root,
            mounts: others,
            writers: Arc::default(),
        })
    }

    /// The same table with the registry that other tables of the same volumes use, too.
    #[must_use]
    pub fn with_writers(mut self, writers: Arc<Writers>) -> Self {
        self.writers = writers;
        self
    }

    /// The mount that `path` lies in.
    pub fn mount_of(&self, path: &VirtualPath) -> &Mount {
        self.mounts
            .iter()
            .find(|mount| path.starts_with(&mount.path))
            .unwrap_or(&self.root)
    }

    /// All mounts, the deepest first, the root last.
    pub fn mounts(&self) -> impl Iterator<Item = &Mount> {
        self.mounts.iter().chain([&self.root])
    }

    /// Whether a volume stands at `path` or below it.
    pub fn holds_mount(&self, path: &VirtualPath) -> bool {
        path.is_root() || self.mounts.iter().any(|mount| mount.path.starts_with(path))
    }

    pub(crate) fn find<'a>(&'a self, path: &'a VirtualPath) -> Place<'a> {
        let mount = self.mount_of(path);
        // The prefix is there by the search, so the fallback (the root's own case) loses nothing.
        let below = if mount.path.is_root() {
            None
        } else {
            path.strip_prefix(&mount.path)
        };
        Place {
            mount,
            path: below.map_or(Cow::Borrowed(path), Cow::Owned),
        }
    }

    /// Names that mounts add to the directory at `path`.
    pub(crate) fn children(&self, path: &VirtualPath) -> BTreeMap<Vec<u8>, Child<'_>> {
        let mut children = BTreeMap::new();
        // The deepest first: a mount at the name itself comes later and wins.
        for mount in self
            .mounts
            .iter()
            .filter(|mount| mount.path.starts_with(path))
        {
            let depth = path.depth();
            if let Some(name) = mount.path.components().nth(depth) {
                let exact = mount.path.depth() == depth + 1;
                children.insert(
                    name.to_vec(),
                    if exact {
                        Child::Mount(mount)
                    } else {
                        Child::Way
                    },
                );
            }
        }
        children
    }

    pub(crate) fn writers(&self) -> &Arc<Writers> {
        &self.writers
    }
}
