//! Single commands on names, each tried again where that does no harm.

use wharf_proto::ftp::listing::parse::{Entry, Kind as EntryKind};

use super::sftp;
use crate::{
    Error, Kind, Location, Pool, Result, Step,
    pool::{Way, needs_sftp, only_moves_files},
};

/// What is in a directory.
///
/// # Errors
/// [`Error`].
pub async fn list(pool: &Pool, place: &Location) -> Result<Vec<Entry>> {
    let mut retry = pool.retry();
    loop {
        match Box::pin(list_once(pool, place)).await {
            Ok(entries) => return Ok(entries),
            Err(error) => retry.after(error).await?,
        }
    }
}

async fn list_once(pool: &Pool, place: &Location) -> Result<Vec<Entry>> {
    match pool.way().await? {
        Way::Sftp(session) => return sftp::list(&session, place).await,
        Way::Scp(_) => return Err(needs_sftp(pool)),
        Way::Tftp(_) => return Err(only_moves_files(pool)),
        Way::Ftp => {}
    }
    let mut lease = pool.lease().await?;
    let session = lease.session()?;
    session.go_to(&place.segments).await?;
    session.list().await
}

/// What is known of one object; of the directory after login when the URL names nothing.
///
/// # Errors
/// [`Error`].
pub async fn stat(pool: &Pool, place: &Location) -> Result<Entry> {
    let mut retry = pool.retry();
    loop {
        match Box::pin(stat_once(pool, place)).await {
            Ok(entry) => return Ok(entry),
            Err(error) => retry.after(error).await?,
        }
    }
}

async fn stat_once(pool: &Pool, place: &Location) -> Result<Entry> {
    match pool.way().await? {
        Way::Sftp(session) => return sftp::stat(&session, place).await,
        Way::Scp(_) => return Err(needs_sftp(pool)),
        Way::Tftp(_) => return Err(only_moves_files(pool)),
        Way::Ftp => {}
    }
    let mut lease = pool.lease().await?;
    let session = lease.session()?;
    let Some(name) = place.name().filter(|name| *name != b"/") else {
        session.go_to(&place.segments).await?;
        let path = session.current_directory().await?;
        return Ok(Entry::named(&path, EntryKind::Directory));
    };
    session.go_to(place.parents()).await?;
    let entry = session.facts(name).await?;
    if place.directory && entry.kind == EntryKind::File {
        let text = format!("{place}: a directory was named, a file is there");
        return Err(Error::new(Step::Command, Kind::Usage, text));
    }
    Ok(entry)
}

/// Whether a place is a directory, through links.
pub(super) async fn is_directory(pool: &Pool, place: &Location) -> Result<bool> {
    let mut retry = pool.retry();
    loop {
        match Box::pin(is_directory_once(pool, place)).await {
            Ok(is_directory) => return Ok(is_directory),
            Err(error) => retry.after(error).await?,
        }
    }
}

async fn is_directory_once(pool: &Pool, place: &Location) -> Result<bool> {
    match pool.way().await? {
        Way::Sftp(session) => return sftp::is_directory(&session, place).await,
        Way::Scp(_) => return Err(needs_sftp(pool)),
        Way::Tftp(_) => return Err(only_moves_files(pool)),
        Way::Ftp => {}
    }
    let mut lease = pool.lease().await?;
    lease.session()?.is_directory(&place.segments).await
}

/// Whether a place that was named for its content is a directory. Over the old protocol of scp, which
/// cannot tell, it is taken for one.
///
/// # Errors
/// [`Error`].
pub async fn is_tree(pool: &Pool, place: &Location) -> Result<bool> {
    let mut retry = pool.retry();
    loop {
        let attempt = async {
            match pool.way().await? {
                Way::Sftp(session) => sftp::is_tree(&session, place).await,
                Way::Scp(_) => Ok(true),
                Way::Tftp(_) => Err(only_moves_files(pool)),
                Way::Ftp => Ok(stat_once(pool, place).await?.kind == EntryKind::Directory),
            }
        };
        match Box::pin(attempt).await {
            Ok(is_tree) => return Ok(is_tree),
            Err(error) => retry.after(error).await?,
        }
    }
}

/// Makes a directory; with `parents` those above it too, and one that is there already is fine.
///
/// # Errors
/// [`Error`].
pub async fn make_directory(pool: &Pool, place: &Location, parents: bool) -> Result<()> {
    let mut retry = pool.retry();
    loop {
        match Box::pin(make_directory_once(pool, place, parents)).await {
            // One that was made though nobody heard of it would be called a failure.
            Err(error) if parents => retry.after(error).await?,
            other => return other,
        }
    }
}

async fn make_directory_once(pool: &Pool, place: &Location, parents: bool) -> Result<()> {
    match pool.way().await? {
        Way::Sftp(session) => return sftp::make_directory(&session, place, parents).await,
        Way::Scp(_) => return Err(needs_sftp(pool)),
        Way::Tftp(_) => return Err(only_moves_files(pool)),
        Way::Ftp => {}
    }
    let mut lease = pool.lease().await?;
    let session = lease.session()?;
    if !parents {
        let name = place.name().ok_or_else(|| nameless(place))?;
        session.go_to(place.parents()).await?;
        return session.make_directory(name).await;
    }
    // From the deepest that is there downwards.
    let mut there = place.segments.len();
    loop {
        let upper = place.segments.get(..there).unwrap_or_default();
        if session.is_directory(upper).await? {
            break;
        }
        there = there.checked_sub(1).ok_or_else(|| nameless(place))?;
    }
    for depth in there..place.segments.len() {
        let upper = place.segments.get(..depth).unwrap_or_default();
        let Some(name) = place.segments.get(depth) else {
            break;
        };
        session.go_to(upper).await?;
        if let Err(error) = session.make_directory(name).await {
            // Another session may have been faster.
            let made = place.segments.get(..=depth).unwrap_or_default();
            if !session.is_directory(made).await? {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Renames; `to` is a place on the same site.
///
/// # Errors
/// [`Error`].
pub async fn rename(pool: &Pool, from: &Location, to: &Location) -> Result<()> {
    let (Some(old), Some(new)) = (from.name(), to.name()) else {
        return Err(nameless(from));
    };
    match pool.way().await? {
        Way::Sftp(session) => return sftp::rename(&session, from, to).await,
        Way::Scp(_) => return Err(needs_sftp(pool)),
        Way::Tftp(_) => return Err(only_moves_files(pool)),
        Way::Ftp => {}
    }
    let mut lease = pool.lease().await?;
    let session = lease.session()?;
    session.go_to(to.parents()).await?;
    if from.parents() == to.parents() {
        return session.rename(old, new).await;
    }
    // The new name needs a path: the server's own words for that directory are the safest.
    let mut target = session.current_directory().await?;
    if !target.ends_with(b"/") {
        target.push(b'/');
    }
    target.extend_from_slice(new);
    session.go_to(from.parents()).await?;
    session.rename(old, &target).await
}

/// Removes a file; with `recursive` a directory and everything below it. `told` hears each name that is
/// gone.
///
/// # Errors
/// [`Error`]; what was removed before stays removed.
pub async fn remove(
    pool: &Pool,
    place: &Location,
    recursive: bool,
    told: &mut (dyn FnMut(&Location) + Send),
) -> Result<()> {
    let name = place.name().ok_or_else(|| nameless(place))?;
    match pool.way().await? {
        Way::Sftp(session) => {
            // A link is removed, not what it leads to.
            if recursive && sftp::stat(&session, place).await?.kind == EntryKind::Directory {
                return sftp::remove_tree(&session, place, told).await;
            }
            sftp::remove_file(&session, place).await?;
            told(place);
            return Ok(());
        }
        Way::Scp(_) => return Err(needs_sftp(pool)),
        Way::Tftp(_) => return Err(only_moves_files(pool)),
        Way::Ftp => {}
    }
    if recursive {
        let mut lease = pool.lease().await?;
        let session = lease.session()?;
        session.go_to(place.parents()).await?;
        // A link is removed, not what it leads to.
        if session.facts(name).await?.kind == EntryKind::Directory {
            drop(lease);
            return remove_tree(pool, place, told).await;
        }
    }
    let mut lease = pool.lease().await?;
    let session = lease.session()?;
    session.go_to(place.parents()).await?;
    session.remove_file(name).await?;
    told(place);
    Ok(())
}

/// Depth first, with the path as the stack: what is held is one branch.
async fn remove_tree(
    pool: &Pool,
    top: &Location,
    told: &mut (dyn FnMut(&Location) + Send),
) -> Result<()> {
    let mut stack: Vec<(Location, Option<Vec<Entry>>)> = vec![(top.clone(), None)];
    while let Some((place, entries)) = stack.pop() {
        if stack.len() > super::DEPTH_LIMIT {
            return Err(super::too_deep(&place));
        }
        let mut entries = match entries {
            Some(entries) => entries,
            None => list(pool, &place).await?,
        };
        let mut lease = pool.lease().await?;
        let session = lease.session()?;
        let mut below = None;
        while let Some(entry) = entries.pop() {
            if !entry.is_plain_name() {
                let text = format!(
                    "{place}: the server sent a name that is no name; nothing more is removed"
                );
                return Err(Error::new(Step::Listing, Kind::Protocol, text));
            }
            if entry.kind == EntryKind::Directory {
                below = Some(place.child(&entry.name, true));
                break;
            }
            session.go_to(&place.segments).await?;
            session.remove_file(&entry.name).await?;
            told(&place.child(&entry.name, false));
        }
        match below {
            Some(below) => {
                stack.push((place, Some(entries)));
                stack.push((below, None));
            }
            None => {
                let name = place.name().ok_or_else(|| nameless(&place))?;
                session.go_to(place.parents()).await?;
                session.remove_directory(name).await?;
                told(&place);
            }
        }
    }
    Ok(())
}

pub(super) fn nameless(place: &Location) -> Error {
    Error::new(
        Step::Command,
        Kind::Usage,
        format!("{place} names nothing below the site"),
    )
}
