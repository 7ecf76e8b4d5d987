//! A directory as an account sees it.
//!
//! What the volume tells is thinned out (this service's temporaries, PATH-08; subtrees that another
//! rule hides; names that a mount covers) and the mounts are added at the end. The number of entries
//! is bounded (DAT-80).

use std::fmt;

use super::{View, WAY};
use crate::{
    DirectoryReader, EntryBatch, ErrorKind, Links, Metadata, Result, Rights, VirtualPath,
    mount::Child, path::is_reserved,
};

/// An open directory of a [`View`], read from front to back once.
pub struct ViewReader {
    path: VirtualPath,
    volume: Option<Box<dyn DirectoryReader>>,
    /// Names that are left out of what the volume tells.
    hidden: Vec<Vec<u8>>,
    /// What mounts add; told last.
    added: Vec<Added>,
    /// How many entries may still be told.
    left: usize,
    truncated: bool,
}

struct Added {
    name: Vec<u8>,
    metadata: Metadata,
    /// Left out when the volume has the name itself.
    yields: bool,
}

impl ViewReader {
    pub(super) async fn open(view: &View, path: &VirtualPath) -> Result<Self> {
        let place = view.mounts().find(path);
        let volume = match place.mount.volume().read_directory(&place.path).await {
            Err(error) if error.kind == ErrorKind::NotFound && view.mounts().holds_mount(path) => {
                None
            }
            answer => Some(answer.map_err(|error| error.at(path))?),
        };
        let mut hidden = Vec::new();
        let mut added = Vec::new();
        for (name, child) in view.mounts().children(path) {
            let Ok(child_path) = path.join_name(&name) else {
                continue;
            };
            let seen = view.sees(&child_path, view.granted(&child_path));
            match child {
                Child::Mount(mount) => {
                    if seen {
                        let top = mount
                            .volume()
                            .metadata(&VirtualPath::root(), Links::Follow)
                            .await;
                        // A volume out of reach is still listed; opening it tells what is wrong.
                        added.push(Added {
                            name: name.clone(),
                            metadata: top.unwrap_or(WAY),
                            yields: false,
                        });
                    }
                    hidden.push(name);
                }
                Child::Way if seen => added.push(Added {
                    name,
                    metadata: WAY,
                    yields: true,
                }),
                Child::Way => {}
            }
        }
        for (subtree, rights) in view.inner.grants.rules() {
            // A rule's own top is seen from its parent unless it allows nothing.
            if *rights == Rights::NONE && subtree.parent().as_ref() == Some(path) {
                hidden.extend(subtree.name().map(<[u8]>::to_vec));
            }
        }
        let left = view.settings().list_max_entries;
        Ok(Self {
            path: path.clone(),
            volume,
            hidden,
            added,
            left,
            truncated: false,
        })
    }

    /// The next entries, in `batch` (which is cleared first, its memory reused). An empty batch
    /// means the end.
    ///
    /// # Errors
    /// As the volume says.
    pub async fn next_batch(&mut self, batch: EntryBatch) -> Result<EntryBatch> {
        let mut batch = self.next_seen(batch).await?;
        if batch.len() > self.left {
            self.truncated = true;
            self.volume = None;
            self.added.clear();
            batch.truncate(self.left);
        }
        self.left -= batch.len();
        Ok(batch)
    }

    /// Whether entries were left out because there are too many (DAT-80). Final at the end.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    async fn next_seen(&mut self, mut batch: EntryBatch) -> Result<EntryBatch> {
        while let Some(volume) = &mut self.volume {
            batch = volume
                .next_batch(batch)
                .await
                .map_err(|error| error.at(&self.path))?;
            if batch.is_empty() {
                self.volume = None;
                break;
            }
            let (hidden, added) = (&self.hidden, &mut self.added);
            batch.retain(|name| {
                if !added.is_empty() {
                    added.retain(|one| !one.yields || one.name != name);
                }
                !is_reserved(name) && !hidden.iter().any(|other| other == name)
            });
            if !batch.is_empty() {
                return Ok(batch);
            }
        }
        batch.clear();
        for one in self.added.drain(..) {
            batch.push(&one.name, one.metadata, None);
        }
        Ok(batch)
    }
}

impl fmt::Debug for ViewReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ViewReader")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
