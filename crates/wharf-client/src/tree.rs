//! Directories and everything below them: list, fetch, send, remove; and single commands on names.
//!
//! A tree is worked off by as many tasks as files may be moved at once (sessions of FTP, open files of
//! SFTP), from one queue that takes files before directories and so stays as short as one branch. Names
//! come from the server: one that is not a plain component (`..`, `a/b`, control bytes) is refused and counted as a failure, never written
//! (CVE-2019-6111 and its family). Links to directories are not followed, so there are no circles.

mod links;
mod names;
mod queue;
mod sftp;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use wharf_proto::ftp::{
    Pathname,
    listing::parse::{Entry, Kind as EntryKind, is_plain_name},
};

pub use names::{is_tree, list, make_directory, remove, rename, stat};

use self::{
    links::Links,
    queue::{Queue, Work},
};
pub use crate::tally::Tally;
use crate::{
    Error, Kind, Location, Pool, Result, Scheme, Step,
    local::{blocking, make_directory as make_local_directory, read_directory},
    pool::{Way, only_moves_files},
    transfer::{Download, Upload, get, put, scp},
};

/// Directories within directories that are gone into.
pub const DEPTH_LIMIT: usize = 128;

/// Fetches everything below `source` into the local directory `target`, which is made when it is not
/// there.
///
/// # Errors
/// [`Error`] when the work cannot begin; what fails on the way is in the [`Tally`] and was told to the
/// observer.
pub async fn get_tree(pool: &Pool, source: &Location, target: &Path) -> Result<Tally> {
    if pool.site().scheme == Scheme::Tftp {
        return Err(only_moves_files(pool));
    }
    let path = target.to_owned();
    blocking(&format!("cannot make {}", path.display()), move || {
        make_local_directory(&path)
    })
    .await?;
    if let Way::Scp(connection) = pool.way().await? {
        return Box::pin(scp::get_tree(pool, &connection, source, target)).await;
    }
    let links = Arc::new(Links::default());
    let first = Work::Directory(Fetch {
        source: source.clone(),
        target: target.to_owned(),
        depth: 0,
        links: Arc::clone(&links),
    });
    let moved = queue::run(
        pool,
        first,
        fetch_directory,
        |pool, download: Download| async move { get(&pool, &download).await },
    );
    let mut tally = moved.await?;
    tally.failed += links.make(pool).await;
    Ok(tally)
}

/// Sends everything below the local directory `source` into `target`, which is made when it is not
/// there.
///
/// # Errors
/// As [`get_tree`].
pub async fn put_tree(pool: &Pool, source: &Path, target: &Location) -> Result<Tally> {
    match pool.way().await? {
        Way::Scp(connection) => {
            return Box::pin(scp::put_tree(pool, &connection, source, target)).await;
        }
        Way::Tftp(_) => return Err(only_moves_files(pool)),
        Way::Ftp | Way::Sftp(_) => {}
    }
    let first = Work::Directory(Send {
        source: source.to_owned(),
        target: target.clone(),
        depth: 0,
    });
    queue::run(
        pool,
        first,
        send_directory,
        |pool, upload: Upload| async move { put(&pool, &upload).await },
    )
    .await
}

struct Fetch {
    source: Location,
    target: PathBuf,
    depth: usize,
    links: Arc<Links>,
}

struct Send {
    source: PathBuf,
    target: Location,
    depth: usize,
}

fn too_deep(place: &dyn std::fmt::Display) -> Error {
    Error::new(
        Step::Listing,
        Kind::Protocol,
        format!("{place}: more than {DEPTH_LIMIT} directories deep"),
    )
}

async fn fetch_directory(pool: Pool, job: Fetch, queue: Arc<Queue<Fetch, Download>>) -> Result<()> {
    if job.depth > DEPTH_LIMIT {
        return Err(too_deep(&job.source));
    }
    for entry in list(&pool, &job.source).await? {
        if !entry.is_plain_name() {
            let text = format!(
                "{}: the server sent the name {:?}, which is refused",
                job.source,
                Pathname::from(entry.name.as_slice())
            );
            queue.fail(
                &pool,
                &job.source.to_string(),
                Error::new(Step::Listing, Kind::Protocol, text),
            );
            continue;
        }
        match entry.kind {
            EntryKind::Directory => {
                let target = local_child(&job.target, &entry.name);
                let path = target.clone();
                blocking(&format!("cannot make {}", path.display()), move || {
                    make_local_directory(&path)
                })
                .await?;
                let source = job.source.child(&entry.name, true);
                queue.push(Work::Directory(Fetch {
                    source,
                    target,
                    depth: job.depth + 1,
                    links: Arc::clone(&job.links),
                }));
            }
            EntryKind::Link if pool.options().links && entry.link_target.is_some() => {
                let text = entry.link_target.unwrap_or_default();
                let path = local_child(&job.target, &entry.name);
                if !job.links.add(path, &text, job.depth) {
                    pool.observer().note(&format!(
                        "{}: a link that may lead out of the directory, left out",
                        job.source.child(&entry.name, false)
                    ));
                }
            }
            EntryKind::Link if link_is_directory(&pool, &job.source, &entry).await? => {
                pool.observer().note(&format!(
                    "{}: a link to a directory, not followed",
                    job.source.child(&entry.name, false)
                ));
            }
            EntryKind::File | EntryKind::Link => {
                let source = job.source.child(&entry.name, false);
                let target = local_child(&job.target, &entry.name);
                queue.push(Work::File(Download {
                    source,
                    target,
                    known: Some(entry),
                }));
            }
            EntryKind::Other => {
                pool.observer().note(&format!(
                    "{}: neither file nor directory, left out",
                    job.source.child(&entry.name, false)
                ));
            }
        }
    }
    Ok(())
}

async fn link_is_directory(pool: &Pool, parent: &Location, entry: &Entry) -> Result<bool> {
    names::is_directory(pool, &parent.child(&entry.name, true)).await
}

fn local_child(parent: &Path, name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    debug_assert!(is_plain_name(name));
    parent.join(std::ffi::OsStr::from_bytes(name))
}

async fn send_directory(pool: Pool, job: Send, queue: Arc<Queue<Send, Upload>>) -> Result<()> {
    if job.depth > DEPTH_LIMIT {
        return Err(too_deep(&job.source.display()));
    }
    make_directory(&pool, &job.target, true).await?;
    let path = job.source.clone();
    let found = blocking(&format!("cannot read {}", path.display()), move || {
        read_directory(&path)
    })
    .await?;
    for named in found {
        let target = |directory| job.target.child(&named.name, directory);
        match named.facts {
            Some(facts) if facts.directory && named.link => {
                pool.observer().note(&format!(
                    "{}: a link to a directory, not followed",
                    named.path.display()
                ));
            }
            Some(facts) if facts.directory => {
                queue.push(Work::Directory(Send {
                    source: named.path.clone(),
                    target: target(true),
                    depth: job.depth + 1,
                }));
            }
            Some(facts) if facts.file => {
                queue.push(Work::File(Upload {
                    source: named.path.clone(),
                    target: target(false),
                }));
            }
            _ => {
                pool.observer().note(&format!(
                    "{}: neither file nor directory, left out",
                    named.path.display()
                ));
            }
        }
    }
    Ok(())
}
