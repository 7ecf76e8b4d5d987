//! `wharf put`.

use std::{os::unix::ffi::OsStrExt, path::PathBuf};

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
        let watcher = self.shared.console(self.json);
        watcher.draw();
        if self.recursive || self.names.len() > 1 {
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
        for source in self.names {
            let target = child(&target, &source)?;
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

/// The place for a local file: in the directory that was named, or the name itself.
fn child(target: &Location, source: &std::path::Path) -> Result<Location, Failure> {
    if !target.directory {
        return Ok(target.clone());
    }
    match source.file_name() {
        Some(name) => Ok(target.child(name.as_bytes(), false)),
        // `.` or `/`: its content goes into the directory.
        None => Ok(target.clone()),
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
