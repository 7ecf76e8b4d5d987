//! Symbolic and hard links.
//!
//! Paths decide, so a link lends the rights of the place where it stands: none is made that could
//! lead into another rule's subtree, and no second name gives more than the first.

use super::View;
use crate::{
    Error, ErrorKind, FileKind, Links, Operation, Result, Right, VirtualPath, mount::Place,
};

impl View {
    /// Reads where a symbolic link leads: text relative to its directory. Needs `list` or `read`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a link to an absolute path (that is the host's, not the view's);
    /// [`ErrorKind::Unsupported`] for what is no link; or as the gate and the volume say.
    pub async fn read_link(&self, path: &VirtualPath) -> Result<Vec<u8>> {
        self.look(path, Operation::Link)?;
        let place = self.mounts().find(path);
        let text = place
            .mount
            .volume()
            .read_link(&place.path)
            .await
            .map_err(|error| error.at(path))?;
        if text.first() == Some(&b'/') {
            return Err(Error::new(ErrorKind::NotFound, Operation::Link, path));
        }
        Ok(text)
    }

    /// Makes a symbolic link at `path` that leads to `target`. Needs `symlink` at `path`, and at the
    /// target at least the rights that hold at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::CrossVolume`] when the target lies in another volume; [`ErrorKind::Denied`]; or
    /// as the gate and the volume say.
    pub async fn create_symlink(&self, target: &VirtualPath, path: &VirtualPath) -> Result<()> {
        let (from, to) = self.authorize_symlink(target, path)?;
        from.mount
            .volume()
            .create_symlink(&to.path, &from.path)
            .await
            .map_err(|error| error.at(path))
    }

    /// Makes a symbolic link at `path` with exactly this text (SFT-31): relative, `..` at most at
    /// its beginning. Rights as for [`View::create_symlink`].
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] for absolute text and for text that leads out of the volume, or might;
    /// [`ErrorKind::InvalidName`] for text that is no path; or as for [`View::create_symlink`].
    pub async fn create_symlink_text(&self, text: &[u8], path: &VirtualPath) -> Result<()> {
        self.authorize(Right::Symlink, path, Operation::Link)?;
        let denied = || Error::new(ErrorKind::Denied, Operation::Link, path);
        let standing = path.parent().unwrap_or_else(VirtualPath::root);
        let place = self.mounts().find(&standing);
        let ups = leading_ups(text).ok_or_else(denied)?;
        if ups > place.path.depth() {
            return Err(denied());
        }
        if text.is_empty() {
            return Err(Error::new(ErrorKind::InvalidName, Operation::Link, path));
        }
        let target = VirtualPath::parse(&standing, text)
            .map_err(|error| error.into_error(Operation::Link, path))?;
        // Where a directory above is itself a link, `..` does not lead where it seems to.
        if ups > 0 {
            if !self.inner.grants.is_uniform() {
                return Err(denied());
            }
            let mut above = place.path.into_owned();
            while let Some(next) = above.parent() {
                let found = place.mount.volume().metadata(&above, Links::NoFollow).await;
                if found.map_err(|error| error.at(path))?.kind == FileKind::Symlink {
                    return Err(denied());
                }
                above = next;
            }
        }
        let (from, _) = self.authorize_symlink(&target, path)?;
        from.mount
            .volume()
            .create_symlink_text(text, &from.path)
            .await
            .map_err(|error| error.at(path))
    }

    /// The decision for a symbolic link, and where its two ends lie.
    fn authorize_symlink<'a>(
        &'a self,
        target: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Result<(Place<'a>, Place<'a>)> {
        self.authorize(Right::Symlink, path, Operation::Link)?;
        self.look(target, Operation::Link)?;
        self.check_new_link(path)?;
        let grants = &self.inner.grants;
        if !grants.is_uniform() {
            let beside = path
                .parent()
                .is_none_or(|parent| target.starts_with(&parent));
            let lends = !self.granted(target).contains(self.granted(path));
            if !beside || lends || grants.differ_below(target) {
                return Err(Error::new(ErrorKind::Denied, Operation::Link, target));
            }
        }
        let from = self.mounts().find(path);
        let to = self.mounts().find(target);
        if !std::ptr::eq(from.mount, to.mount) {
            return Err(Error::new(ErrorKind::CrossVolume, Operation::Link, target));
        }
        Ok((from, to))
    }

    /// Gives the regular file `existing` the further name `path`. Needs `link` at both ends, and at
    /// `existing` at least the rights that hold at `path`: a second name must not lend more than
    /// the first.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`]; [`ErrorKind::Denied`] for what is no regular file;
    /// [`ErrorKind::IsADirectory`]; [`ErrorKind::CrossVolume`]; [`ErrorKind::Unsupported`] when the
    /// volume has no hard links; or as the gate and the volume say.
    pub async fn create_hard_link(&self, existing: &VirtualPath, path: &VirtualPath) -> Result<()> {
        self.authorize(Right::Link, existing, Operation::Link)?;
        self.authorize(Right::Link, path, Operation::Link)?;
        if !self.granted(existing).contains(self.granted(path)) {
            return Err(Error::new(ErrorKind::Denied, Operation::Link, existing));
        }
        if self.mounts().holds_mount(existing) {
            return Err(Error::new(
                ErrorKind::IsADirectory,
                Operation::Link,
                existing,
            ));
        }
        self.check_new_link(path)?;
        let from = self.mounts().find(existing);
        let to = self.mounts().find(path);
        if !std::ptr::eq(from.mount, to.mount) {
            return Err(Error::new(ErrorKind::CrossVolume, Operation::Link, path));
        }
        let made = from
            .mount
            .volume()
            .create_hard_link(&from.path, &to.path)
            .await;
        made.map_err(|error| {
            let end = if error.path == *from.path {
                existing
            } else {
                path
            };
            error.at(end)
        })
    }

    fn check_new_link(&self, path: &VirtualPath) -> Result<()> {
        if self.mounts().holds_mount(path) {
            return Err(Error::new(ErrorKind::Exists, Operation::Link, path));
        }
        self.check_name(path, Operation::Link)
    }
}

/// How many `..` a link's text begins with; `None` for text that is absolute, or has one elsewhere.
fn leading_ups(text: &[u8]) -> Option<usize> {
    if text.first() == Some(&b'/') {
        return None;
    }
    let mut components = text
        .split(|&byte| byte == b'/')
        .filter(|component| !matches!(*component, b"" | b"."))
        .peekable();
    let mut ups = 0;
    while components
        .next_if(|component| *component == b"..")
        .is_some()
    {
        ups += 1;
    }
    components
        .all(|component| component != b"..")
        .then_some(ups)
}
