//! Requests that name paths and change or tell names: REMOVE, MKDIR, RMDIR, RENAME, links, REALPATH.
//!
//! What this connection uploads to a path is made visible before anything is done there.

use std::sync::Arc;

use wharf_engine::events::FileChange;
use wharf_proto::sftp::{Attributes, StatusCode};
use wharf_vfs::{ErrorKind, FileKind, Links, Operation, VirtualPath};

use super::{
    attributes::creation_mode,
    context::{Refusal, Result, Work, failure},
    outcome::Outcome,
};
use crate::settings::RealPath;

/// Links that REALPATH follows on its way (SFT-40).
const MAX_LINKS: usize = 40;

/// REMOVE (SFT-38).
pub(super) async fn remove(work: Arc<Work>, path: VirtualPath) -> Result<Outcome> {
    work.publish(&path).await;
    work.view().remove_file(&path).await?;
    work.changed(FileChange::Removed(path.as_bytes()));
    Ok(Outcome::Done)
}

/// MKDIR (SFT-39).
pub(super) async fn make_directory(
    work: Arc<Work>,
    path: VirtualPath,
    attributes: Attributes,
) -> Result<Outcome> {
    work.publish(&path).await;
    let taken = !creation_mode(&work, attributes, 0o777) & 0o777;
    work.view().create_directory(&path, taken).await?;
    work.changed(FileChange::DirectoryMade(path.as_bytes()));
    Ok(Outcome::Done)
}

/// RMDIR (SFT-39).
pub(super) async fn remove_directory(work: Arc<Work>, path: VirtualPath) -> Result<Outcome> {
    work.uploads.publish(&path, true).await;
    work.view().remove_directory(&path).await?;
    work.changed(FileChange::DirectoryRemoved(path.as_bytes()));
    Ok(Outcome::Done)
}

/// How a rename treats what stands at its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renaming {
    /// Never replaces it: RENAME (SFT-41).
    New,
    /// Replaces a file: posix-rename (SFT-50).
    Replacing,
}

/// RENAME, posix-rename.
pub(super) async fn rename(
    work: Arc<Work>,
    from: VirtualPath,
    to: VirtualPath,
    how: Renaming,
) -> Result<Outcome> {
    // A directory takes the uploads in it along.
    work.uploads.publish(&from, true).await;
    work.publish(&to).await;
    let view = work.view();
    match how {
        Renaming::New => view.rename_new(&from, &to).await?,
        Renaming::Replacing if view.volume_id(&from) != view.volume_id(&to) => {
            // Not one step there, which is what the extension promises. The gate is asked first, so
            // that nothing is told of what may not be known.
            view.check_rename_source(&from).await?;
            return Err(failure(ErrorKind::CrossVolume.text()));
        }
        Renaming::Replacing => view.rename(&from, &to).await?,
    }
    work.changed(FileChange::Renamed(from.as_bytes(), to.as_bytes()));
    Ok(Outcome::Done)
}

/// hardlink (SFT-52).
pub(super) async fn hard_link(
    work: Arc<Work>,
    existing: VirtualPath,
    link: VirtualPath,
) -> Result<Outcome> {
    work.publish(&existing).await;
    work.publish(&link).await;
    work.view().create_hard_link(&existing, &link).await?;
    work.changed(FileChange::Linked(link.as_bytes(), existing.as_bytes()));
    Ok(Outcome::Done)
}

/// SYMLINK (SFT-31): the text is kept as it was given.
pub(super) async fn symlink(work: Arc<Work>, text: Vec<u8>, link: VirtualPath) -> Result<Outcome> {
    work.publish(&link).await;
    work.view().create_symlink_text(&text, &link).await?;
    work.changed(FileChange::Linked(link.as_bytes(), &text));
    Ok(Outcome::Done)
}

/// READLINK (SFT-42): a link that leads out of its volume leads nowhere.
pub(super) async fn read_link(work: Arc<Work>, path: VirtualPath) -> Result<Outcome> {
    work.publish(&path).await;
    let text = work.view().read_link(&path).await?;
    if leads_to(&work, &path, &text).is_none() {
        let error = wharf_vfs::Error::new(ErrorKind::NotFound, Operation::Link, &path);
        return Err(error.into());
    }
    Ok(Outcome::Name(text))
}

/// Where a link with this text leads by its names; `None` when that is outside of its volume.
fn leads_to(work: &Work, link: &VirtualPath, text: &[u8]) -> Option<VirtualPath> {
    let standing = link.parent()?;
    let mut depth = standing.depth();
    for component in text.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => depth = depth.checked_sub(1)?,
            _ => depth += 1,
        }
    }
    let target = VirtualPath::parse(&standing, text).ok()?;
    let view = work.view();
    (view.volume_id(&target) == view.volume_id(link)).then_some(target)
}

/// REALPATH (SFT-40).
pub(super) async fn real_path(work: Arc<Work>, path: VirtualPath) -> Result<Outcome> {
    let path = match work.settings.realpath {
        RealPath::Lexical => path,
        RealPath::Posix => resolve(&work, path).await?,
    };
    Ok(Outcome::Name(path.as_bytes().to_vec()))
}

/// `path` without links; the last component need not exist.
async fn resolve(work: &Work, path: VirtualPath) -> Result<VirtualPath> {
    let view = work.view();
    let mut resolved = VirtualPath::root();
    // The last is the next.
    let mut rest: Vec<Vec<u8>> = components(&path);
    let mut links = 0;
    while let Some(name) = rest.pop() {
        let here = resolved
            .join_name(&name)
            .map_err(|error| error.into_error(Operation::Metadata, &path))?;
        work.publish(&here).await;
        let metadata = match view.metadata(&here, Links::NoFollow).await {
            Err(error) if error.kind == ErrorKind::NotFound && rest.is_empty() => return Ok(here),
            answer => answer?,
        };
        if metadata.kind != FileKind::Symlink {
            resolved = here;
            continue;
        }
        links += 1;
        let text = view.read_link(&here).await?;
        let target = leads_to(work, &here, &text).filter(|_| links <= MAX_LINKS);
        let Some(target) = target else {
            let error = wharf_vfs::Error::new(ErrorKind::NotFound, Operation::Link, &path);
            return Err(error.into());
        };
        // Its own directories may be links as well.
        rest.extend(components(&target));
        resolved = VirtualPath::root();
    }
    Ok(resolved)
}

fn components(path: &VirtualPath) -> Vec<Vec<u8>> {
    path.components().rev().map(<[u8]>::to_vec).collect()
}

/// What expand-path and home-directory make of a name that is not a path (SFT-56, SFT-58).
pub(super) fn expand(work: &Work, path: &[u8]) -> Result<VirtualPath> {
    let Some(rest) = path.strip_prefix(b"~") else {
        return work.path(path);
    };
    let end = rest.iter().position(|&byte| byte == b'/');
    let (user, below) = rest
        .split_at_checked(end.unwrap_or(rest.len()))
        .unwrap_or((rest, b""));
    if !user.is_empty() && user != work.session.account().name.as_bytes() {
        return Err(Refusal::Said(
            StatusCode::NoSuchFile,
            "No such user, or not yours to know",
        ));
    }
    // Relative, so that it begins at home.
    let below = below.strip_prefix(b"/").unwrap_or(below);
    let start = below.iter().position(|&byte| byte != b'/');
    work.path(
        start
            .and_then(|start| below.get(start..))
            .unwrap_or_default(),
    )
}

/// home-directory tells of one's own only (SFT-58).
pub(super) fn check_own(work: &Work, user: &[u8]) -> Result<()> {
    if user.is_empty() || user == work.session.account().name.as_bytes() {
        Ok(())
    } else {
        Err(Refusal::Said(
            StatusCode::PermissionDenied,
            "Only your own home can be asked for",
        ))
    }
}
