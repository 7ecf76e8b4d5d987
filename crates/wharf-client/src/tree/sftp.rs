//! Single commands on names over SFTP, and the removal of a tree with many names in flight.

use wharf_proto::{
    ftp::listing::parse::{Entry, Kind as EntryKind},
    sftp::{FileType, extension::Name},
};

use super::{DEPTH_LIMIT, names::nameless, too_deep};
use crate::{
    Error, Kind, Location, Result, Step,
    ssh::sftp::{Sftp, child, entry, is_refused},
};

/// Names that are removed at once.
const TOGETHER: usize = 128;

pub(super) async fn list(sftp: &Sftp, place: &Location) -> Result<Vec<Entry>> {
    let path = place.path();
    sftp.list(&path, &format!("cannot list {place}")).await
}

pub(super) async fn stat(sftp: &Sftp, place: &Location) -> Result<Entry> {
    let path = place.path();
    let what = format!("cannot look at {place}");
    let Some(name) = place.name().filter(|name| *name != b"/") else {
        let whole = sftp.real_path(&path, &what).await?;
        return Ok(Entry::named(&whole, EntryKind::Directory));
    };
    let attributes = sftp.link_stat(&path, &what).await?;
    let mut found = entry(name, &attributes);
    if found.kind == EntryKind::Link {
        found.link_target = sftp.read_link(&path, &what).await.ok();
    }
    if place.directory && found.kind == EntryKind::File {
        let text = format!("{place}: a directory was named, a file is there");
        return Err(Error::new(Step::Command, Kind::Usage, text));
    }
    Ok(found)
}

pub(super) async fn is_directory(sftp: &Sftp, place: &Location) -> Result<bool> {
    let found = sftp.look(&place.path()).await?;
    Ok(found.is_some_and(|found| found.file_type() == Some(FileType::Directory)))
}

/// Whether a place that must be there is a directory, through links.
pub(super) async fn is_tree(sftp: &Sftp, place: &Location) -> Result<bool> {
    let what = format!("cannot look at {place}");
    let found = sftp.stat(&place.path(), &what).await?;
    Ok(found.file_type() == Some(FileType::Directory))
}

/// The first `count` segments of a place.
fn above(place: &Location, count: usize) -> Location {
    Location {
        segments: place.segments.get(..count).unwrap_or_default().to_vec(),
        ..place.clone()
    }
}

/// The deepest is tried first: mostly all above is there.
pub(super) async fn make_directory(sftp: &Sftp, place: &Location, parents: bool) -> Result<()> {
    let what = format!("cannot make directory {place}");
    if !parents {
        place.name().ok_or_else(|| nameless(place))?;
        return sftp.make_directory(&place.path(), &what).await;
    }
    // Upwards until one is made or there, and down again.
    let mut missing = 0;
    loop {
        let upper = place.segments.len() - missing;
        let path = above(place, upper).path();
        let refusal = match sftp.make_directory(&path, &what).await {
            Ok(()) => break,
            Err(error) if is_refused(&error) => error,
            Err(error) => return Err(error),
        };
        match sftp.look(&path).await? {
            Some(found) if found.file_type() == Some(FileType::Directory) => break,
            Some(_) => return Err(refusal),
            None if refusal.kind() == Kind::Permission || upper == 0 => return Err(refusal),
            None => missing += 1,
        }
    }
    for upper in (place.segments.len() - missing + 1)..=place.segments.len() {
        let path = above(place, upper).path();
        if let Err(error) = sftp.make_directory(&path, &what).await {
            // Somebody else may have been faster.
            let found = sftp.look(&path).await?;
            if found.is_none_or(|found| found.file_type() != Some(FileType::Directory)) {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// As a local `mv`: a file that has the new name is replaced, where the server can do that in one step.
pub(super) async fn rename(sftp: &Sftp, from: &Location, to: &Location) -> Result<()> {
    let what = format!("cannot rename {from} to {to}");
    let (old, new) = (from.path(), to.path());
    if sftp.offers(Name::PosixRename) {
        sftp.replace(&old, &new, &what).await
    } else {
        sftp.rename(&old, &new, &what).await
    }
}

pub(super) async fn remove_file(sftp: &Sftp, place: &Location) -> Result<()> {
    let path = place.path();
    sftp.remove_file(&path, &format!("cannot remove {place}"))
        .await
}

/// Depth first, with the path as the stack; the files of a directory go together.
pub(super) async fn remove_tree(
    sftp: &Sftp,
    top: &Location,
    told: &mut (dyn FnMut(&Location) + Send),
) -> Result<()> {
    let mut stack: Vec<(Location, Option<Vec<Entry>>)> = vec![(top.clone(), None)];
    while let Some((place, below)) = stack.pop() {
        if stack.len() > DEPTH_LIMIT {
            return Err(too_deep(&place));
        }
        let mut directories = match below {
            Some(directories) => directories,
            None => {
                let entries = list(sftp, &place).await?;
                if entries.iter().any(|entry| !entry.is_plain_name()) {
                    let text = format!(
                        "{place}: the server sent a name that is no name; nothing more is removed"
                    );
                    return Err(Error::new(Step::Listing, Kind::Protocol, text));
                }
                let is_directory = |entry: &Entry| entry.kind == EntryKind::Directory;
                let (directories, files): (Vec<_>, Vec<_>) =
                    entries.into_iter().partition(is_directory);
                remove_files(sftp, &place, &files, told).await?;
                directories
            }
        };
        match directories.pop() {
            Some(next) => {
                let next = place.child(&next.name, true);
                stack.push((place, Some(directories)));
                stack.push((next, None));
            }
            None => {
                let what = format!("cannot remove directory {place}");
                sftp.remove_directory(&place.path(), &what).await?;
                told(&place);
            }
        }
    }
    Ok(())
}

async fn remove_files(
    sftp: &Sftp,
    place: &Location,
    files: &[Entry],
    told: &mut (dyn FnMut(&Location) + Send),
) -> Result<()> {
    let directory = place.path();
    for some in files.chunks(TOGETHER) {
        let asked: Vec<_> = some
            .iter()
            .map(|entry| sftp.removal(&child(&directory, &entry.name)))
            .collect();
        for (entry, pending) in some.iter().zip(asked) {
            let gone = place.child(&entry.name, false);
            pending.done(&format!("cannot remove {gone}")).await?;
            told(&gone);
        }
    }
    Ok(())
}
