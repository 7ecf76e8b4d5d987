//! `wharf put`.

use std::{
    collections::HashMap,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use tokio::task::JoinSet;
use wharf_client::{
    Location, Pool,
    transfer::{Upload, put},
    tree,
};

use super::{
    Shared, Watcher,
    get::summary,
    shared::{Check, Transfers, place},
};
use crate::exit::Failure;

/// Send files; checked, resumable, several at once.
#[derive(clap::Args)]
pub(crate) struct Put {
    /// Local files, and last the URL; one that ends in / is a directory to put them into.
    #[arg(required = true, num_args = 2.., value_name = "LOCAL... URL")]
    names: Vec<PathBuf>,
    /// Send directories and everything below them.
    #[arg(short, long)]
    recursive: bool,
    /// Go on with what an earlier run sent.
    #[arg(short = 'c', long = "continue")]
    resume: bool,
    /// Keep permissions, too (SFTP and SCP; times are kept always).
    #[arg(short = 'p', long)]
    preserve: bool,
    /// Sessions at once, and copies at once by -O; SFTP moves all files over one.
    #[arg(short = 'P', long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    parallel: u8,
    /// How a finished file is checked.
    #[arg(long, value_enum, default_value_t)]
    verify: Check,
    /// One JSON object per event.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    shared: Shared,
}

impl Put {
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        let url = self.names.pop().unwrap_or_default();
        let target = place(&url.to_string_lossy())?;
        if self.names.len() > 1 && !target.directory {
            return Err(Failure::usage(format!(
                "several files need a directory: end the URL with / ({target}/)"
            )));
        }
        let placed = placed(&target, self.names, self.recursive)?;
        let watcher = self.shared.console(self.json);
        watcher.draw();
        if self.recursive || placed.len() > 1 {
            watcher.show_total();
        }
        let transfers = Transfers {
            verify: self.verify,
            resume: self.resume,
            parallel: self.parallel.into(),
            keep_permissions: self.preserve,
            links: false,
        };
        let pool = self.shared.pool(&target.site, transfers, &watcher)?;
        let mut tasks = JoinSet::new();
        for (source, target) in placed {
            let (pool, watcher, recursive) = (pool.clone(), watcher.clone(), self.recursive);
            tasks.spawn(async move { send(&pool, source, target, recursive, &watcher).await });
        }
        let mut first = None;
        while let Some(joined) = tasks.join_next().await {
            match joined {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => first = first.or(Some(failure)),
                Err(error) => first = first.or_else(|| Some(Failure::internal(error.to_string()))),
            }
        }
        pool.close().await;
        first.map_or(Ok(()), Err)
    }
}

/// Local files with their places; single ones that would become the same file are refused.
fn placed(
    target: &Location,
    sources: Vec<PathBuf>,
    recursive: bool,
) -> Result<Vec<(PathBuf, Location)>, Failure> {
    let mut names = HashMap::new();
    let mut placed = Vec::new();
    for source in sources {
        if !recursive
            && let Some(name) = source.file_name()
            && let Some(other) = names.insert(name.to_owned(), source.clone())
        {
            let (other, source) = (other.display(), source.display());
            return Err(Failure::usage(format!(
                "{other} and {source} would both become the same file of {target}: send one at a time, each under a name of its own"
            )));
        }
        let target = child(target, &source);
        placed.push((source, target));
    }
    Ok(placed)
}

/// The place for a local file: in the directory that was named, or the name itself.
fn child(target: &Location, source: &Path) -> Location {
    match source.file_name() {
        Some(name) if target.directory => Location {
            kind: target.kind,
            ..target.child(name.as_bytes(), false)
        },
        // `.` or `/`: its content goes into the directory.
        _ => target.clone(),
    }
}

async fn send(
    pool: &Pool,
    source: PathBuf,
    target: Location,
    recursive: bool,
    watcher: &Watcher,
) -> Result<(), Failure> {
    if !source.is_dir() {
        let upload = Upload { source, target };
        return put(pool, &upload)
            .await
            .map(drop)
            .map_err(|error| Failure::from(error).already_told());
    }
    if !recursive {
        return Err(Failure::usage(format!(
            "{} is a directory: use -r to send everything below it",
            source.display()
        )));
    }
    let tally = tree::put_tree(pool, &source, &target)
        .await
        .map_err(|error| {
            watcher.tell_failure(&target.to_string(), Some(&source), &error);
            Failure::from(error).already_told()
        })?;
    watcher.tell(&summary(&source, &tally));
    tally.into_result().map(drop).map_err(Failure::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children(url: &str, sources: &[&str]) -> Result<Vec<String>, Failure> {
        let sources = sources.iter().map(PathBuf::from).collect();
        let placed = placed(&place(url).unwrap(), sources, false)?;
        Ok(placed.iter().map(|(_, to)| to.to_string()).collect())
    }

    /// RFC 1738 3.2.2, RFC 3617: what was said of the directory holds for what goes into it.
    #[test]
    fn text_stays_text_below_the_directory_that_was_named() {
        for (url, expected) in [
            ("tftp://h/d/;mode=netascii", "tftp://h/d/f;mode=netascii"),
            ("ftp://h/d/;type=a", "ftp://h/d/f;type=a"),
            ("tftp://h", "tftp://h/f"),
        ] {
            assert_eq!(children(url, &["x/f"]).unwrap(), [expected]);
        }
    }

    /// Two uploads into one file at once would mix what they bring, or one would be lost.
    #[test]
    fn two_files_of_one_name_are_not_sent_into_one_directory() {
        assert!(children("tftp://h/", &["a/f", "a/g"]).is_ok());
        let failure = children("tftp://h/", &["a/f", "a/g", "b/f"]).unwrap_err();
        assert_eq!(failure.code(), 2);
    }
}
