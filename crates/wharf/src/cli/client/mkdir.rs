//! `wharf mkdir`.

use wharf_client::tree;

use super::{Shared, json};
use crate::exit::Failure;

/// Make a remote directory.
#[derive(clap::Args)]
pub(crate) struct Mkdir {
    /// The directories.
    #[arg(required = true)]
    urls: Vec<String>,
    /// Make those above too; one that is there already is fine.
    #[arg(short, long)]
    parents: bool,
    /// One JSON object per directory.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    shared: Shared,
}

impl Mkdir {
    pub(super) async fn run(self) -> Result<(), Failure> {
        for url in &self.urls {
            let (place, pool) = self.shared.reach(url, self.json)?;
            let result = tree::make_directory(&pool, &place, self.parents).await;
            pool.close().await;
            result?;
            if self.json {
                self.shared
                    .console(true)
                    .emit(&json::change("made", &place));
            }
        }
        Ok(())
    }
}
