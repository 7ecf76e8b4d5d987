//! The part file of a download: what of it may be gone on from, and what it becomes.

use std::{
    io,
    path::{Path, PathBuf},
};

use wharf_transfer::Algorithm;

use super::OVERLAP;
use crate::{
    Error, Result,
    local::{Held, Local, Names, Sidecar, blocking, blocking_result, facts},
};

/// What the source is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) size: Option<u64>,
    /// Unix seconds, exact to the second.
    pub(super) mtime: Option<i64>,
}

/// A part file that is open, and what it belongs to.
pub(super) struct Part {
    names: Names,
    pub(super) file: Local,
    /// The source, without its password.
    url: String,
}

impl Part {
    /// Opens or makes the part file of `target`.
    pub(super) async fn open(target: &Path, url: String) -> Result<Self> {
        let names = Names::of(target)
            .map_err(|error| Error::local(&format!("{}", target.display()), &error))?;
        let path = names.part.clone();
        let target = target.to_owned();
        let file = blocking_result(move || {
            let failed = |path: &Path, error| {
                Error::local(&format!("cannot write {}", path.display()), &error)
            };
            // A pipe or a device would be replaced by a file.
            match facts(&target) {
                Ok(Some(found)) if !found.file => {
                    Err(failed(&target, io::Error::other("not a plain file")))
                }
                Ok(_) => Local::open_part(&path).map_err(|error| failed(&path, error)),
                Err(error) => Err(failed(&target, error)),
            }
        })
        .await?;
        Ok(Self { names, file, url })
    }

    /// How many octets may be gone on from: the sidecar names the same source, size and time, and the
    /// part is what it was when the sidecar was written.
    pub(super) async fn proved(&self, known: Known) -> Result<u64> {
        let (names, file, url) = (self.names.clone(), self.file.clone(), self.url.clone());
        blocking("cannot read the part file", move || {
            let Some(sidecar) = names.read_sidecar() else {
                return Ok(0);
            };
            let octets = file.size()?;
            let same_size = known.size.is_none() || sidecar.size == known.size;
            let same = sidecar.url == url && same_size && sidecar.mtime == known.mtime;
            if !same || octets == 0 || known.size.is_some_and(|size| octets > size) {
                return Ok(0);
            }
            match sidecar.held {
                Some(held) if held.octets == octets && holding(&file, octets)? != held => Ok(0),
                _ => Ok(octets),
            }
        })
        .await
    }

    /// Reads `length` octets at `start`.
    pub(super) async fn read(&self, start: u64, length: usize) -> Result<Vec<u8>> {
        let file = self.file.clone();
        blocking("cannot read the part file", move || {
            file.read_exact_at(start, length)
        })
        .await
    }

    /// Keeps the first `held` octets; the sidecar says from now on that they are `known`'s.
    pub(super) async fn keep(&self, held: u64, known: Known) -> Result<()> {
        let sidecar = Sidecar {
            url: self.url.clone(),
            size: known.size,
            mtime: known.mtime,
            held: None,
        };
        let (names, file) = (self.names.clone(), self.file.clone());
        blocking("cannot write the part file", move || {
            names.write_sidecar(&sidecar)?;
            file.cut(held)
        })
        .await
    }

    /// The part is whole: it takes the source's time and the final name.
    pub(super) async fn commit(&self, mtime: Option<i64>) -> Result<()> {
        let (names, file) = (self.names.clone(), self.file.clone());
        blocking("cannot give the file its time and name", move || {
            mtime.map_or(Ok(()), |mtime| file.set_time(mtime))?;
            names.commit()
        })
        .await
    }

    /// The part is worthless.
    pub(super) async fn discard(&self) -> Result<()> {
        let names = self.names.clone();
        blocking("cannot remove the part file", move || names.discard()).await
    }

    /// The part is worthless, and there is no time to wait for the disk.
    pub(super) fn discard_now(&self) {
        // Whoever drops it has nobody to tell.
        let _ = self.names.discard();
    }

    /// The attempt failed: what is there is recorded, so that the next run can tell whether somebody
    /// else touched it; nothing is removed. That it cannot be recorded costs only that certainty.
    pub(super) async fn leave(&self) {
        let (names, file, url) = (self.names.clone(), self.file.clone(), self.url.clone());
        let _ = blocking("cannot write beside the part file", move || {
            let octets = file.size()?;
            if octets == 0 {
                return names.discard();
            }
            let Some(sidecar) = names.read_sidecar().filter(|sidecar| sidecar.url == url) else {
                return Ok(());
            };
            names.write_sidecar(&Sidecar {
                held: Some(holding(&file, octets)?),
                ..sidecar
            })
        })
        .await;
    }
}

/// Makes a small file in one go: written beside the target, given its time, renamed.
pub(super) async fn write_whole(
    target: PathBuf,
    octets: Vec<u8>,
    mtime: Option<i64>,
    mode: Option<u32>,
) -> Result<()> {
    let what = format!("cannot write {}", target.display());
    blocking(&what, move || {
        let names = Names::of(&target)?;
        let file = Local::open_part(&names.part)?;
        file.cut(0)?;
        file.write_all_at(&octets, 0)?;
        mtime.map_or(Ok(()), |mtime| file.set_time(mtime))?;
        mode.map_or(Ok(()), |mode| file.set_mode(mode))?;
        names.commit()
    })
    .await
}

fn holding(file: &Local, octets: u64) -> io::Result<Held> {
    Ok(Held {
        octets,
        head: file.hash(Algorithm::Sha256, 0, octets.min(OVERLAP))?,
        tail: file.hash(Algorithm::Sha256, octets.saturating_sub(OVERLAP), octets)?,
    })
}
