//! `wharf rm`.

use wharf_client::{Location, tree};

use super::{Shared, json};
use crate::exit::Failure;

/// Remove remote files, or a whole tree.
#[derive(clap::Args)]
pub(crate) struct Rm {
    /// What to remove.
    #[arg(required = true)]
    urls: Vec<String>,
    /// Remove directories and everything below them.
    #[arg(short, long)]
    recursive: bool,
    /// One JSON object per name.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    shared: Shared,
}

impl Rm {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let console = self.shared.console(self.json);
        for url in &self.urls {
            let (place, pool) = self.shared.reach(url, self.json)?;
            if place.directory && !self.recursive {
                return Err(Failure::usage(format!(
                    "{place} is a directory: use -r to remove everything below it"
                )));
            }
            let mut told = |gone: &Location| {
                if console.is_json() {
                    console.emit(&json::change("removed", gone));
                } else if self.recursive {
                    console.tell(&format!("removed {gone}"));
                }
            };
            let result = tree::remove(&pool, &place, self.recursive, &mut told).await;
            pool.close().await;
            result?;
        }
        Ok(())
    }
}
