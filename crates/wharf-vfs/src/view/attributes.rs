//! Changing modes, times and owners.
//!
//! One decision for a path and for an open file: a handle that was opened for reading must not
//! become the way around a missing right.

use super::View;
use crate::{AttributeChange, Links, Operation, Result, Right, VirtualPath};

impl View {
    /// Changes attributes, of what a link leads to or of the link itself. Needs `chmod`, `times`,
    /// `chown` for what is changed.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the volume keeps no such attribute, or as the gate and the
    /// volume say.
    pub async fn set_attributes(
        &self,
        path: &VirtualPath,
        links: Links,
        change: AttributeChange,
    ) -> Result<()> {
        self.authorize_change(path, change)?;
        let place = self.mounts().find(path);
        place
            .mount
            .volume()
            .set_attributes(&place.path, links, change)
            .await
            .map_err(|error| error.at(path))
    }

    /// The decision for attributes, also for those of a file that is open ([`crate::File`] itself
    /// asks nobody): `chmod`, `times` and `chown` for what is changed.
    ///
    /// # Errors
    /// As for [`View::authorize`].
    pub fn authorize_change(&self, path: &VirtualPath, change: AttributeChange) -> Result<()> {
        let AttributeChange {
            mode,
            modified,
            accessed,
            owner,
            group,
        } = change;
        let rights = [
            (mode.is_some(), Right::Chmod),
            (modified.is_some() || accessed.is_some(), Right::Times),
            (owner.is_some() || group.is_some(), Right::Chown),
        ];
        for (_, right) in rights.into_iter().filter(|(wanted, _)| *wanted) {
            self.authorize(right, path, Operation::SetAttributes)?;
        }
        // A change of nothing still tells whether the object exists.
        self.decide(path, Operation::SetAttributes, |rights| {
            rights.can_change() || self.sees(path, rights)
        })
    }
}
