//! `wharf ls`.

use wharf_client::{Kind as ErrorKind, Location, Pool, tree};
use wharf_proto::ftp::{
    listing::parse::{Entry, Kind},
    time::Calendar,
};

use super::{Shared, json, shown};
use crate::{cli::say, exit::Failure};

/// List a remote directory.
#[derive(clap::Args)]
pub(crate) struct Ls {
    /// The directory (or file), such as ftp://host/dir/.
    url: String,
    /// Show kind, permissions, size and time.
    #[arg(short)]
    long: bool,
    /// Go into directories.
    #[arg(short = 'R', long)]
    recursive: bool,
    /// One JSON object per entry.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    shared: Shared,
}

impl Ls {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let (place, pool) = self.shared.reach(&self.url, self.json)?;
        let listed = match tree::list(&pool, &place).await {
            Err(error)
                if !place.directory
                    && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Rejected) =>
            {
                // Not a directory: then perhaps a file.
                let entry = tree::stat(&pool, &place).await?;
                let parent = Location {
                    segments: place.parents().to_vec(),
                    directory: true,
                    ..place.clone()
                };
                self.show(&parent, vec![entry])?;
                Ok(())
            }
            Err(error) => Err(error.into()),
            Ok(entries) => self.walk(&pool, &place, entries).await,
        };
        pool.close().await;
        listed
    }

    /// Depth first; what is held is the directories still to be gone into.
    async fn walk(&self, pool: &Pool, top: &Location, entries: Vec<Entry>) -> Result<(), Failure> {
        let mut waiting = self.show(top, entries)?;
        while let Some(place) = waiting.pop() {
            let entries = tree::list(pool, &place).await?;
            if !self.json {
                say(&format!("\n{place}:\n"))?;
            }
            waiting.extend(self.show(&place, entries)?);
            if place.segments.len() > top.segments.len() + tree::DEPTH_LIMIT {
                return Err(Failure::usage(format!("{place} is too deep")));
            }
        }
        Ok(())
    }

    /// Writes entries in order of names; gives the directories to go into, last first.
    fn show(&self, place: &Location, mut entries: Vec<Entry>) -> Result<Vec<Location>, Failure> {
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let mut text = String::new();
        let mut below = Vec::new();
        for entry in &entries {
            let directory = entry.kind == Kind::Directory;
            let child = place.child(&entry.name, directory);
            if self.json {
                text.push_str(&json::entry(&child, entry).to_string());
            } else if self.long {
                text.push_str(&long(entry));
            } else {
                text.push_str(&shown(&entry.name));
                if directory {
                    text.push('/');
                }
            }
            text.push('\n');
            if self.recursive && directory && entry.is_plain_name() {
                below.push(child);
            }
        }
        say(&text)?;
        below.reverse();
        Ok(below)
    }
}

/// `drwxr-xr-x        4096 2024-06-15 12:00 name`.
pub(super) fn long(entry: &Entry) -> String {
    let kind = match entry.kind {
        Kind::File => '-',
        Kind::Directory => 'd',
        Kind::Link => 'l',
        Kind::Other => '?',
    };
    let mode = entry
        .mode
        .map_or_else(|| "?????????".to_owned(), permissions);
    let size = entry
        .size
        .map_or_else(|| "-".to_owned(), |size| size.to_string());
    let time = entry.modified.map_or_else(
        || "-".to_owned(),
        |modified| {
            let Calendar {
                year,
                month,
                day,
                hour,
                minute,
                ..
            } = Calendar::of(modified.seconds);
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
        },
    );
    let name = shown(&entry.name);
    let target = entry
        .link_target
        .as_ref()
        .map(|target| format!(" -> {}", shown(target)))
        .unwrap_or_default();
    format!("{kind}{mode} {size:>14} {time:>16} {name}{target}")
}

fn permissions(mode: u32) -> String {
    (0..9)
        .map(|bit| {
            let set = mode & (0o400 >> bit) != 0;
            let letter = ['r', 'w', 'x'].get(bit % 3).copied().unwrap_or('-');
            if set { letter } else { '-' }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_nine_letters() {
        assert_eq!(permissions(0o754), "rwxr-xr--");
        assert_eq!(permissions(0), "---------");
    }
}
