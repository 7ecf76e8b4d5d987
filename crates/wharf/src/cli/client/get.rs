//! `wharf get`.

use std::{
    collections::HashMap,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use tokio::task::JoinSet;
use wharf_client::{
    Location, Pool, Scheme,
    site::UrlType,
    transfer::{Download, get},
    tree,
};
use wharf_proto::ftp::listing::parse::is_plain_name;

use super::{
    Shared, Watcher,
    shared::{Check, Transfers, place},
};
use crate::exit::Failure;

/// Fetch files; checked, resumable, several at once.
#[derive(clap::Args)]
pub(crate) struct Get {
    /// URLs, and perhaps last a local file or directory.
    #[arg(required = true, value_name = "URL... [LOCAL]")]
    names: Vec<String>,
    /// Fetch directories and everything below them.
    #[arg(short, long)]
    recursive: bool,
    /// Go on with what an earlier run left.
    #[arg(short = 'c', long = "continue")]
    resume: bool,
    /// Keep permissions, too (SFTP and SCP; times are kept always).
    #[arg(short = 'p', long)]
    preserve: bool,
    /// Make links of links, as far as they stay in the directory that is fetched (SFTP).
    #[arg(long)]
    links: bool,
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

impl Get {
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        let local = match self.names.last() {
            Some(last) if !Location::is_remote(last) => self.names.pop(),
            _ => None,
        };
        if self.names.is_empty() {
            return Err(Failure::usage("expected a URL such as ftp://host/file"));
        }
        let sources = self
            .names
            .iter()
            .map(|url| place(url))
            .collect::<Result<Vec<_>, _>>()?;
        let target = Target::of(local.as_deref(), sources.len() > 1)?;
        if !self.recursive {
            target.tell_apart(&sources)?;
        }
        let watcher = self.shared.console(self.json);
        watcher.draw();
        if self.recursive || sources.len() > 1 {
            watcher.show_total();
        }
        let transfers = Transfers {
            verify: self.verify,
            resume: self.resume,
            parallel: self.parallel.into(),
            keep_permissions: self.preserve,
            links: self.links,
        };
        let mut pools: Vec<Pool> = Vec::new();
        let mut tasks = JoinSet::new();
        for source in sources {
            let pool = match pools.iter().find(|pool| *pool.site() == source.site) {
                Some(pool) => pool.clone(),
                None => {
                    let pool = self.shared.pool(&source.site, transfers, &watcher)?;
                    pools.push(pool.clone());
                    pool
                }
            };
            let (target, recursive) = (target.clone(), self.recursive);
            let watcher = watcher.clone();
            tasks.spawn(async move { fetch(&pool, source, &target, recursive, &watcher).await });
        }
        let mut first = None;
        while let Some(joined) = tasks.join_next().await {
            match joined {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => first = first.or(Some(failure)),
                Err(error) => first = first.or_else(|| Some(Failure::internal(error.to_string()))),
            }
        }
        for pool in &pools {
            pool.close().await;
        }
        first.map_or(Ok(()), Err)
    }
}

/// Where files go.
#[derive(Clone, Debug)]
enum Target {
    Into(PathBuf),
    As(PathBuf),
}

impl Target {
    fn of(local: Option<&str>, several: bool) -> Result<Self, Failure> {
        let Some(local) = local else {
            return Ok(Self::Into(PathBuf::new()));
        };
        let path = PathBuf::from(local);
        if path.is_dir() || local.ends_with('/') {
            if path.is_dir() {
                return Ok(Self::Into(path));
            }
            return Err(Failure::usage(format!("{local} is not a directory")));
        }
        if several {
            return Err(Failure::usage(format!(
                "{local} is not a directory, but several URLs are given"
            )));
        }
        Ok(Self::As(path))
    }

    /// Refuses sources that would become the same file, which would hold some of each.
    fn tell_apart(&self, sources: &[Location]) -> Result<(), Failure> {
        let mut seen = HashMap::new();
        for source in sources {
            // What has no path is told when its turn comes.
            if let Ok(path) = self.path(source)
                && let Some(other) = seen.insert(path.clone(), source)
            {
                let path = path.display();
                let text = format!(
                    "{other} and {source} would both become {path}: fetch one at a time, each under a name of its own"
                );
                return Err(Failure::usage(text));
            }
        }
        Ok(())
    }

    fn path(&self, source: &Location) -> Result<PathBuf, Failure> {
        match self {
            Self::As(path) => Ok(path.clone()),
            Self::Into(directory) => {
                // `/etc` from `%2Fetc` is named by its last part.
                let name = source
                    .name()
                    .and_then(|name| name.rsplit(|b| *b == b'/').next())
                    .unwrap_or_default();
                if !is_plain_name(name) {
                    return Err(Failure::usage(format!(
                        "{source} has no name for a local file: name one at the end"
                    )));
                }
                Ok(directory.join(OsStr::from_bytes(name)))
            }
        }
    }
}

/// Fetches one URL; failures were told when this gives one with `already_told`.
async fn fetch(
    pool: &Pool,
    source: Location,
    target: &Target,
    recursive: bool,
    watcher: &Watcher,
) -> Result<(), Failure> {
    let told = |error: wharf_client::Error| {
        watcher.tell_failure(&source.to_string(), None, &error);
        Failure::from(error).already_told()
    };
    let is_tree =
        recursive && (source.directory || tree::is_tree(pool, &source).await.map_err(told)?);
    if is_tree {
        let path = match (target, source.name()) {
            // The whole site goes into the directory itself.
            (Target::Into(directory), None) if directory.as_os_str().is_empty() => {
                PathBuf::from(".")
            }
            (Target::Into(directory), None | Some(b"/")) => directory.clone(),
            _ => target.path(&source)?,
        };
        let tally = tree::get_tree(pool, &source, &path).await.map_err(told)?;
        watcher.tell(&summary(&path, &tally));
        return tally.into_result().map(drop).map_err(Failure::from);
    }
    if source.kind == Some(UrlType::Listing) {
        return Err(Failure::usage(format!(
            "{source} is a listing: use wharf ls or wharf cat"
        )));
    }
    if source.directory {
        return Err(Failure::usage(if source.site.scheme == Scheme::Tftp {
            format!("{source} names no file; TFTP has no directories")
        } else {
            format!("{source} is a directory: use -r to fetch everything below it")
        }));
    }
    let path = target.path(&source)?;
    let download = Download {
        source,
        target: path,
        known: None,
    };
    get(pool, &download)
        .await
        .map(drop)
        .map_err(|error| Failure::from(error).already_told())
}

pub(super) fn summary(place: &Path, tally: &tree::Tally) -> String {
    let tree::Tally {
        files,
        octets,
        failed,
    } = tally;
    let size = indicatif::HumanBytes(*octets);
    let failures = if *failed > 0 {
        format!(", {failed} failed")
    } else {
        String::new()
    };
    format!("{}: {files} files, {size}{failures}", place.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two downloads into one file at once would mix what they bring.
    #[test]
    fn two_files_of_one_name_do_not_go_into_one_directory() {
        let into = Target::Into(PathBuf::from("d"));
        let check = |urls: &[&str]| {
            let sources: Vec<Location> = urls.iter().map(|url| place(url).unwrap()).collect();
            into.tell_apart(&sources)
        };
        assert!(check(&["tftp://h/a/f", "tftp://h/b/g", "ftp://h/f2"]).is_ok());
        let failure = check(&["tftp://h/a/f", "tftp://h/g", "ftp://h/b/f"]).unwrap_err();
        assert_eq!(failure.code(), 2);
        assert!(check(&["tftp://h/f", "tftp://h/f"]).is_err());
        assert!(check(&["tftp://h/%2Fetc%2Ff", "sftp://h/f"]).is_err());
    }
}
