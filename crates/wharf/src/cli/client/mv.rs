//! `wharf mv`.

use wharf_client::{Location, tree};

use super::{Shared, json, shared::place};
use crate::exit::Failure;

/// Rename a remote file or directory.
#[derive(clap::Args)]
pub(crate) struct Mv {
    /// What to rename.
    url: String,
    /// The new name: a URL on the same server, or a path; one without / stays in the same directory.
    #[arg(value_name = "PATH|URL")]
    target: String,
    /// One JSON object when it is done.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    shared: Shared,
}

impl Mv {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let (from, pool) = self.shared.reach(&self.url, self.json)?;
        let to = self.destination(&from)?;
        let result = tree::rename(&pool, &from, &to).await;
        pool.close().await;
        result?;
        if self.json {
            let console = self.shared.console(true);
            let mut value = json::change("renamed", &from);
            if let Some(object) = value.as_object_mut() {
                object.insert("to".to_owned(), to.to_string().into());
            }
            console.emit(&value);
        }
        Ok(())
    }

    fn destination(&self, from: &Location) -> Result<Location, Failure> {
        let mut to = if Location::is_remote(&self.target) {
            let to = place(&self.target)?;
            if (&to.site.host, to.site.port) != (&from.site.host, from.site.port) {
                return Err(Failure::usage("both names must be on the same server"));
            }
            to
        } else {
            // A path is taken as it is, not as a URL: nothing in it is decoded.
            let path = self.target.as_bytes();
            let mut segments = if path.contains(&b'/') {
                Vec::new()
            } else {
                from.parents().to_vec()
            };
            if path.starts_with(b"/") {
                segments.push(b"/".to_vec());
            }
            segments.extend(
                path.split(|b| *b == b'/')
                    .filter(|part| !part.is_empty())
                    .map(<[u8]>::to_vec),
            );
            Location {
                segments,
                directory: path.ends_with(b"/"),
                ..from.clone()
            }
        };
        if to.directory {
            let name = from
                .name()
                .ok_or_else(|| Failure::usage("the first URL names nothing"))?;
            to = to.child(name, false);
        }
        Ok(to)
    }
}
