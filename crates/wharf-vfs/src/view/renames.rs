//! Giving objects other names.
//!
//! Both ends pass the gate (CVE-2010-3867). A name carries its object from one rule to another, so a
//! tree that another rule reaches into stays, and so does a link that could come to lead elsewhere.

use super::{View, across};
use crate::{Error, ErrorKind, FileKind, Links, Operation, Replace, Result, Right, VirtualPath};

impl View {
    /// Checks that `path` exists and may be renamed. Needs `rename`.
    ///
    /// # Errors
    /// As for [`View::rename`].
    pub async fn check_rename_source(&self, path: &VirtualPath) -> Result<()> {
        self.authorize(Right::Rename, path, Operation::Rename)?;
        self.check_loose(path, Operation::Rename)?;
        let place = self.mounts().find(path);
        place
            .mount
            .volume()
            .metadata(&place.path, Links::NoFollow)
            .await
            .map_err(|error| error.at(path))?;
        Ok(())
    }

    /// Gives an object another name. Needs `rename` at both ends, and `overwrite` where a file stands
    /// at the target. Across volumes a regular file is copied and then removed.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] when the target may not be replaced; [`ErrorKind::Denied`] for the top,
    /// home and mounts, for a tree that another rule reaches into, and for a link that could come to
    /// lead into another rule's subtree; [`ErrorKind::InvalidName`] for a directory into itself;
    /// [`ErrorKind::CrossVolume`] for what cannot cross volumes; or as the volume says.
    pub async fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> Result<()> {
        self.rename_with(from, to, Replace::Files).await
    }

    /// As [`View::rename`], but never replaces anything, whatever the rights: checked and done in
    /// one step (SFT-41). Needs `rename` at both ends.
    ///
    /// # Errors
    /// As for [`View::rename`]; [`ErrorKind::Exists`] also when both names are the same.
    pub async fn rename_new(&self, from: &VirtualPath, to: &VirtualPath) -> Result<()> {
        self.rename_with(from, to, Replace::Never).await
    }

    async fn rename_with(
        &self,
        from: &VirtualPath,
        to: &VirtualPath,
        asked: Replace,
    ) -> Result<()> {
        let replace = if self.granted(to).has(Right::Overwrite) {
            asked
        } else {
            Replace::Never
        };
        self.authorize(Right::Rename, from, Operation::Rename)?;
        self.authorize(Right::Rename, to, Operation::Rename)?;
        self.check_loose(from, Operation::Rename)?;
        if from == to {
            self.check_rename_source(from).await?;
            // Nothing happens; only who wants a new name hears that it is taken.
            return match asked {
                Replace::Files => Ok(()),
                Replace::Never => Err(Error::new(ErrorKind::Exists, Operation::Rename, to)),
            };
        }
        if to.starts_with(from) {
            return Err(Error::new(ErrorKind::InvalidName, Operation::Rename, to));
        }
        if self.mounts().holds_mount(to) || from.starts_with(to) {
            return Err(Error::new(ErrorKind::Exists, Operation::Rename, to));
        }
        self.check_name(to, Operation::Rename)?;
        for end in [from, to] {
            // With the tree its objects would leave, or come under, another rule.
            if self.inner.grants.differ_below(end) {
                return Err(Error::new(ErrorKind::Denied, Operation::Rename, end));
            }
        }
        let source = self.mounts().find(from);
        let target = self.mounts().find(to);
        if !std::ptr::eq(source.mount, target.mount) {
            return across::rename(self, from, to, replace).await;
        }
        if !self.inner.grants.is_uniform() && from.parent() != to.parent() {
            let found = source
                .mount
                .volume()
                .metadata(&source.path, Links::NoFollow)
                .await;
            if found.map_err(|error| error.at(from))?.kind == FileKind::Symlink {
                return Err(Error::new(ErrorKind::Denied, Operation::Rename, from));
            }
        }
        let renamed = source
            .mount
            .volume()
            .rename(&source.path, &target.path, replace)
            .await;
        renamed.map_err(|error| {
            let end = if error.path == *target.path { to } else { from };
            error.at(end)
        })
    }
}
