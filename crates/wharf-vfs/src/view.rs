//! One account's sight of the tree, and the one gate for authorisation.
//!
//! Every method of every front end comes through here with a parsed path and is decided by
//! [`View::authorize`] before any volume hears of it: for rename, copy and link at both ends
//! (CVE-2010-3867 is what happens otherwise). The gate decides by path and right alone.
//!
//! What the account may not see behaves as what does not exist: without the rights `list` and `read`
//! an object answers [`ErrorKind::NotFound`]. The top of a rule's own subtree (an incoming
//! directory) is seen from its parent, or nobody could walk into it.
//!
//! Paths decide, so a link lends the rights of the place where it stands. A view whose rights differ
//! by subtree therefore makes and moves links only so that they cannot come to lead into another
//! rule's subtree. Links that the host's owner made are the owner's word.
//!
//! This room must not know a protocol, and must not look at a clock.

mod across;
mod attributes;
mod in_place;
mod links;
mod reader;
mod renames;

use std::sync::Arc;

pub use in_place::{InPlace, InPlaceFile};
pub use reader::ViewReader;

use crate::{
    Error, ErrorKind, FileKind, FileRef, Grants, Links, Metadata, MountTable, OpenMode, Operation,
    Result, Right, Rights, Space, Timestamp, Upload, UploadMode, UploadPolicy, VirtualPath,
    path::creatable,
};

/// What holds for one account besides its rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewSettings {
    /// How uploads become visible.
    pub upload: UploadPolicy,
    /// Permission bits that new objects do not get, where the session chose none; 0 to 0o777.
    pub umask: u32,
    /// Whether new names must be UTF-8 (PATH-07).
    pub utf8_names: bool,
    /// Entries of one directory that are listed at the most (DAT-80).
    pub list_max_entries: usize,
    /// Octets of a file that a rename across volumes may copy at the most; 0 refuses all.
    pub rename_copy_max: u64,
    /// Where sessions begin; cannot be removed or renamed.
    pub home: VirtualPath,
}

impl Default for ViewSettings {
    fn default() -> Self {
        Self {
            upload: UploadPolicy::default(),
            umask: 0o022,
            utf8_names: true,
            list_max_entries: 100_000,
            rename_copy_max: 1 << 30,
            home: VirtualPath::root(),
        }
    }
}

/// One account's sight of the tree; a clone is one counter more.
#[derive(Clone, Debug)]
pub struct View {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    mounts: Arc<MountTable>,
    grants: Arc<Grants>,
    settings: Arc<ViewSettings>,
}

impl View {
    /// A view of `mounts` with the rights of `grants`. Sessions of one account share clones of it.
    pub fn new(mounts: Arc<MountTable>, grants: Arc<Grants>, settings: Arc<ViewSettings>) -> Self {
        Self {
            inner: Arc::new(Inner {
                mounts,
                grants,
                settings,
            }),
        }
    }

    /// What holds besides rights.
    pub fn settings(&self) -> &ViewSettings {
        &self.inner.settings
    }

    /// Where sessions begin.
    pub fn home(&self) -> &VirtualPath {
        &self.inner.settings.home
    }

    /// The id of the volume that `path` lies in (DAT-94).
    pub fn volume_id(&self, path: &VirtualPath) -> &str {
        self.mounts().mount_of(path).id()
    }

    /// What the account may do at `path`, as far as its volume can: what front ends show as modes
    /// (DAT-78) and as the fact `perm` (DAT-93).
    pub fn rights(&self, path: &VirtualPath) -> Rights {
        let rights = self.granted(path);
        if self.mounts().mount_of(path).volume().capabilities().write {
            rights
        } else {
            rights.and(Rights::READ_ONLY.with(Right::Fxp))
        }
    }

    /// The decision: may the account use `right` at `path`?
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it may not know of the object, [`ErrorKind::Denied`] when it
    /// may.
    pub fn authorize(&self, right: Right, path: &VirtualPath, operation: Operation) -> Result<()> {
        self.decide(path, operation, |rights| rights.has(right))
    }

    /// The same decision for an object that is only looked at.
    fn look(&self, path: &VirtualPath, operation: Operation) -> Result<()> {
        self.decide(path, operation, |rights| self.sees(path, rights))
    }

    fn decide(
        &self,
        path: &VirtualPath,
        operation: Operation,
        allows: impl Fn(Rights) -> bool,
    ) -> Result<()> {
        let rights = self.granted(path);
        if allows(rights) && !path.is_reserved() {
            Ok(())
        } else if self.sees(path, rights) && !path.is_reserved() {
            Err(Error::new(ErrorKind::Denied, operation, path))
        } else {
            Err(Error::new(ErrorKind::NotFound, operation, path))
        }
    }

    /// The rights by rule, whatever the volume can do.
    pub(crate) fn granted(&self, path: &VirtualPath) -> Rights {
        let grants = &self.inner.grants;
        let rights = grants.at(path);
        if grants.is_uniform()
            || self
                .mounts()
                .mount_of(path)
                .volume()
                .capabilities()
                .case_sensitive
        {
            rights
        } else {
            rights.and(grants.at_any_case(path))
        }
    }

    /// Whether the account may know of `path`, where it has `rights`.
    fn sees(&self, path: &VirtualPath, rights: Rights) -> bool {
        let from_above = || {
            let parent_seen = path
                .parent()
                .is_none_or(|parent| self.granted(&parent).can_see());
            path == self.home()
                || parent_seen
                    && self
                        .inner
                        .grants
                        .rules()
                        .iter()
                        .any(|(subtree, _)| subtree == path)
        };
        rights.can_see() || rights != Rights::NONE && from_above()
    }

    pub(crate) fn mounts(&self) -> &MountTable {
        &self.inner.mounts
    }

    /// Looks at an object.
    ///
    /// # Errors
    /// As the gate and the volume say.
    pub async fn metadata(&self, path: &VirtualPath, links: Links) -> Result<Metadata> {
        self.look(path, Operation::Metadata)?;
        let place = self.mounts().find(path);
        match place.mount.volume().metadata(&place.path, links).await {
            Err(error) if error.kind == ErrorKind::NotFound && self.mounts().holds_mount(path) => {
                Ok(WAY)
            }
            answer => answer.map_err(|error| error.at(path)),
        }
    }

    /// Checks that the account may make `path` its working directory.
    ///
    /// # Errors
    /// [`ErrorKind::NotADirectory`], or as the gate and the volume say.
    pub async fn enter(&self, path: &VirtualPath) -> Result<()> {
        if self.metadata(path, Links::Follow).await?.is_directory() {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::NotADirectory,
                Operation::Metadata,
                path,
            ))
        }
    }

    /// Opens a file for reading. Needs `read`.
    ///
    /// # Errors
    /// [`ErrorKind::IsADirectory`], or as the gate and the volume say.
    pub async fn open_read(&self, path: &VirtualPath) -> Result<(FileRef, Metadata)> {
        self.authorize(Right::Read, path, Operation::Read)?;
        let place = self.mounts().find(path);
        let file = match place.mount.volume().open(&place.path, OpenMode::Read).await {
            Err(error) if error.kind == ErrorKind::NotFound && self.mounts().holds_mount(path) => {
                return Err(Error::new(ErrorKind::IsADirectory, Operation::Read, path));
            }
            answer => answer.map_err(|error| error.at(path))?,
        };
        let metadata = file.metadata().await.map_err(|error| error.at(path))?;
        Ok((file, metadata))
    }

    /// Opens a directory. Needs `list`.
    ///
    /// # Errors
    /// [`ErrorKind::NotADirectory`], or as the gate and the volume say.
    pub async fn read_directory(&self, path: &VirtualPath) -> Result<ViewReader> {
        self.authorize(Right::List, path, Operation::List)?;
        ViewReader::open(self, path).await
    }

    /// Begins an upload to `path`; for [`UploadMode::Unique`] `path` is the directory. Needs
    /// `create`, `overwrite`, `write` or `append`, as the mode and what stands there demand.
    ///
    /// `umask`: permission bits that a new file does not get, 0 to 0o777.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] while somebody else writes the file, [`ErrorKind::InvalidName`] for a
    /// name that may not be made, or as the gate and the volume say.
    pub async fn begin_upload(
        &self,
        path: &VirtualPath,
        mode: UploadMode,
        umask: u32,
    ) -> Result<Upload> {
        Upload::begin(self, path, mode, 0o666 & !umask).await
    }

    /// As [`View::begin_upload`], with these permission bits for a new file in place of those that a
    /// umask leaves. Only 0 to 0o777 are heeded: no upload makes a set-id file.
    ///
    /// # Errors
    /// As for [`View::begin_upload`].
    pub async fn begin_upload_as(
        &self,
        path: &VirtualPath,
        mode: UploadMode,
        permissions: u32,
    ) -> Result<Upload> {
        Upload::begin(self, path, mode, permissions & 0o777).await
    }

    /// Makes one directory. Needs `mkdir`.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`], [`ErrorKind::InvalidName`], or as the gate and the volume say.
    pub async fn create_directory(&self, path: &VirtualPath, umask: u32) -> Result<()> {
        self.authorize(Right::Mkdir, path, Operation::CreateDirectory)?;
        if self.mounts().holds_mount(path) {
            return Err(Error::new(
                ErrorKind::Exists,
                Operation::CreateDirectory,
                path,
            ));
        }
        self.check_name(path, Operation::CreateDirectory)?;
        let place = self.mounts().find(path);
        let made = place
            .mount
            .volume()
            .create_directory(&place.path, 0o777 & !umask)
            .await;
        made.map_err(|error| error.at(path))
    }

    /// Removes a file, or a symbolic link itself. Needs `delete`.
    ///
    /// # Errors
    /// [`ErrorKind::IsADirectory`], or as the gate and the volume say.
    pub async fn remove_file(&self, path: &VirtualPath) -> Result<()> {
        self.authorize(Right::Delete, path, Operation::Remove)?;
        if self.mounts().holds_mount(path) {
            return Err(Error::new(ErrorKind::IsADirectory, Operation::Remove, path));
        }
        let place = self.mounts().find(path);
        place
            .mount
            .volume()
            .remove_file(&place.path)
            .await
            .map_err(|error| error.at(path))
    }

    /// Removes an empty directory. Needs `rmdir`.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] for the top, for home, and for what a mount or home lies in;
    /// [`ErrorKind::NotEmpty`]; or as the gate and the volume say.
    pub async fn remove_directory(&self, path: &VirtualPath) -> Result<()> {
        self.authorize(Right::Rmdir, path, Operation::RemoveDirectory)?;
        self.check_loose(path, Operation::RemoveDirectory)?;
        let place = self.mounts().find(path);
        place
            .mount
            .volume()
            .remove_directory(&place.path)
            .await
            .map_err(|error| error.at(path))
    }

    /// Free and total space around `path`. Needs `space`.
    ///
    /// # Errors
    /// As the gate and the volume say.
    pub async fn space(&self, path: &VirtualPath) -> Result<Space> {
        self.authorize(Right::Space, path, Operation::Space)?;
        let place = self.mounts().find(path);
        place
            .mount
            .volume()
            .space(&place.path)
            .await
            .map_err(|error| error.at(path))
    }

    /// Refuses a name that may not be given to a new object.
    pub(crate) fn check_name(&self, path: &VirtualPath, operation: Operation) -> Result<()> {
        let name = path.name().unwrap_or_default();
        creatable(name, self.settings().utf8_names)
            .map_err(|error| error.into_error(operation, path))
    }

    /// Refuses what must stay where it is: the top, home, mounts, and what they lie in.
    fn check_loose(&self, path: &VirtualPath, operation: Operation) -> Result<()> {
        if self.home().starts_with(path) || self.mounts().holds_mount(path) {
            return Err(Error::new(ErrorKind::Denied, operation, path));
        }
        Ok(())
    }
}

/// A directory that exists only because a volume is mounted below it.
const WAY: Metadata = Metadata {
    kind: FileKind::Directory,
    size: 0,
    modified: Timestamp {
        seconds: 0,
        nanoseconds: 0,
    },
    accessed: None,
    changed: None,
    created: None,
    mode: 0o555,
    owner: 0,
    group: 0,
    links: 1,
    identity: 0,
};

#[cfg(test)]
mod tests;
