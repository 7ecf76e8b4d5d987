//! `wharf cat`.

use std::io::{self, Write};

use wharf_client::{site::UrlType, transfer::cat, tree};

use super::{Shared, shown};
use crate::{cli::say, exit::Failure};

/// Write remote files to standard output; with ;type=d the names in a directory.
#[derive(clap::Args)]
pub(crate) struct Cat {
    /// The files.
    #[arg(required = true)]
    urls: Vec<String>,
    #[command(flatten)]
    shared: Shared,
}

impl Cat {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut gone = false;
        for url in &self.urls {
            let (source, pool) = self.shared.reach(url, false)?;
            if source.kind == Some(UrlType::Listing) {
                // RFC 1738 3.2.2: the names in that directory.
                let entries = tree::list(&pool, &source).await;
                pool.close().await;
                for entry in entries? {
                    say(&format!("{}\n", shown(&entry.name)))?;
                }
                continue;
            }
            let mut output = io::stdout();
            let mut write = |bytes: &[u8]| {
                let written = output.write_all(bytes);
                gone |= written
                    .as_ref()
                    .is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
                written
            };
            let result = cat(&pool, &source, &mut write).await;
            pool.close().await;
            // Whoever read has seen enough, as in `wharf cat URL | head`.
            if gone {
                return Ok(());
            }
            result?;
            output.flush()?;
        }
        Ok(())
    }
}
