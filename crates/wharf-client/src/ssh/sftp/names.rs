//! Single commands on paths.
//!
//! A place is a list of segments from the directory after login; SFTP takes whole paths, relative ones
//! from there (SFT-22), so nothing is ever entered.

use wharf_proto::sftp::{Attributes, Extended, Request, StatusCode, extension::Name};

use super::{Pending, Sftp};
use crate::{Kind, Result};

impl Sftp {
    /// What stands at a path, through links.
    pub(crate) async fn stat(&self, path: &[u8], what: &str) -> Result<Attributes> {
        self.ask(&Request::Stat { path }).attributes(what).await
    }

    /// What stands at a path, a link itself.
    pub(crate) async fn link_stat(&self, path: &[u8], what: &str) -> Result<Attributes> {
        self.ask(&Request::LStat { path }).attributes(what).await
    }

    /// As [`Self::stat`]; nothing there, or nothing that may be known of, is `None`.
    pub(crate) async fn look(&self, path: &[u8]) -> Result<Option<Attributes>> {
        match self.stat(path, "").await {
            Ok(attributes) => Ok(Some(attributes)),
            Err(error)
                if matches!(
                    error.kind(),
                    Kind::NotFound | Kind::Permission | Kind::Rejected
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Where a link leads.
    pub(crate) async fn read_link(&self, path: &[u8], what: &str) -> Result<Vec<u8>> {
        self.ask(&Request::ReadLink { path }).name(what).await
    }

    /// The whole path from the root.
    pub(crate) async fn real_path(&self, path: &[u8], what: &str) -> Result<Vec<u8>> {
        self.ask(&Request::RealPath { path }).name(what).await
    }

    /// Makes a directory.
    pub(crate) async fn make_directory(&self, path: &[u8], what: &str) -> Result<()> {
        let attributes = Attributes::default();
        let request = Request::MakeDirectory { path, attributes };
        self.ask(&request).done(what).await
    }

    /// Removes a directory that is empty.
    pub(crate) async fn remove_directory(&self, path: &[u8], what: &str) -> Result<()> {
        self.ask(&Request::RemoveDirectory { path })
            .done(what)
            .await
    }

    /// Removes a file or a link.
    pub(crate) async fn remove_file(&self, path: &[u8], what: &str) -> Result<()> {
        self.removal(path).done(what).await
    }

    /// The removal of a file or a link, on its way.
    pub(crate) fn removal(&self, path: &[u8]) -> Pending<'_> {
        self.ask(&Request::Remove { path })
    }

    /// Renames and replaces nothing.
    pub(crate) async fn rename(&self, from: &[u8], to: &[u8], what: &str) -> Result<()> {
        self.ask(&Request::Rename { from, to }).done(what).await
    }

    /// Renames, replacing what stands there: in one step where the server can (SFT-81), else by
    /// removing the old first.
    pub(crate) async fn replace(&self, from: &[u8], to: &[u8], what: &str) -> Result<()> {
        if self.offers(Name::PosixRename) {
            let request = Request::Extended(Extended::PosixRename { from, to });
            return self.ask(&request).done(what).await;
        }
        let first = match self.rename(from, to, what).await {
            // Where nothing is ever renamed, nothing is to be removed for it.
            Err(error) if is_unsupported(&error) => return Err(error),
            Err(error) if is_refused(&error) => error,
            other => return other,
        };
        // Perhaps the name is taken. If it is not, the first refusal tells why.
        match self.remove_file(to, what).await {
            Ok(()) => self.rename(from, to, what).await,
            Err(error) if error.kind() == Kind::NotFound => Err(first),
            Err(error) => Err(error),
        }
    }
}

/// Whether the server does not know the request at all.
fn is_unsupported(error: &crate::Error) -> bool {
    error.code().map(u32::from) == Some(StatusCode::OpUnsupported.to_wire())
}

/// Whether the server said no, and not the line.
pub(crate) fn is_refused(error: &crate::Error) -> bool {
    matches!(
        error.kind(),
        Kind::Rejected | Kind::Permission | Kind::NotFound
    )
}
