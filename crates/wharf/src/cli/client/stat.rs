//! `wharf stat`.

use wharf_client::tree;

use super::{Shared, json, ls::long};
use crate::{cli::say, exit::Failure};

/// Show what is known of a remote file or directory.
#[derive(clap::Args)]
pub(crate) struct Stat {
    /// The objects.
    #[arg(required = true)]
    urls: Vec<String>,
    /// One JSON object each.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    shared: Shared,
}

impl Stat {
    pub(super) async fn run(self) -> Result<(), Failure> {
        for url in &self.urls {
            let (place, pool) = self.shared.reach(url, self.json)?;
            let found = tree::stat(&pool, &place).await;
            pool.close().await;
            let entry = found?;
            if self.json {
                say(&format!("{}\n", json::entry(&place, &entry)))?;
            } else {
                say(&format!("{}\n", long(&entry)))?;
            }
        }
        Ok(())
    }
}
