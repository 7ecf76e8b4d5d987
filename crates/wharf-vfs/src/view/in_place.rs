//! Files that are opened where they stand, to be read and written anywhere (SFT-30).
//!
//! What was asked decides what is needed: nothing that could make or change a file passes an account
//! that lacks the right, an empty file included (CVE-2017-15906). The volume opens every file that
//! changes for reading, too, and a handle that is not for reading must not be read: the caller keeps
//! to [`InPlaceFile::asked`].

use super::View;
use crate::{
    Error, ErrorKind, FileRef, OpenMode, Operation, Result, Right, VirtualPath, writers::Writer,
};

/// How often a file may come and go between two looks.
const TRIES: u32 = 4;

/// How a file is opened in place. With nothing asked it is opened for reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InPlace {
    /// To read. Needs `read`.
    pub read: bool,
    /// To write anywhere in it. Needs `write` for a file that exists.
    pub write: bool,
    /// To write at its end only. Needs `append` for a file that exists, in place of `write`.
    pub append: bool,
    /// A file that does not exist is made with these permission bits (0 to 0o777 are heeded). Needs
    /// `create`.
    pub create: Option<u32>,
    /// With `create`: the file must not exist.
    pub exclusive: bool,
    /// What stands in the file is cut away. Needs `overwrite` for a file that exists, in place of
    /// `write` and `append`.
    pub truncate: bool,
}

impl InPlace {
    /// Whether the file may be changed through the handle.
    pub const fn writes(self) -> bool {
        self.write || self.append || self.truncate
    }

    /// What is needed to change a file that exists.
    pub(super) const fn change(self) -> Option<Right> {
        if self.truncate {
            Some(Right::Overwrite)
        } else if self.append {
            Some(Right::Append)
        } else if self.write {
            Some(Right::Write)
        } else {
            None
        }
    }
}

/// A file that was opened in place. While it lives and writes, no upload begins on the file.
#[must_use = "the file is free for uploads as soon as this is dropped"]
pub struct InPlaceFile {
    /// The open file.
    pub file: FileRef,
    /// Whether it was made by this.
    pub created: bool,
    /// The file, as the account named it.
    pub path: VirtualPath,
    /// What the caller may do with it.
    pub asked: InPlace,
    _writer: Option<Writer>,
}

impl std::fmt::Debug for InPlaceFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("InPlaceFile")
            .field("path", &self.path)
            .field("created", &self.created)
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

/// What may become of an open, by right.
#[derive(Clone, Copy)]
enum Allowed {
    /// Opened as it stands.
    Existing,
    /// Made.
    New(u32),
    /// Either.
    Both(u32),
}

impl View {
    /// Opens a file in place. Several such handles may stand side by side; an upload of the same
    /// file and a handle that writes keep each other away.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] while somebody uploads the file; [`ErrorKind::Exists`] when it was to be
    /// made and stands there; [`ErrorKind::IsADirectory`]; [`ErrorKind::InvalidName`] for a name
    /// that may not be made; or as the gate and the volume say.
    pub async fn open_in_place(&self, path: &VirtualPath, asked: InPlace) -> Result<InPlaceFile> {
        let allowed = self.authorize_in_place(path, asked)?;
        if self.mounts().holds_mount(path) {
            let operation = operation(asked);
            return Err(Error::new(ErrorKind::IsADirectory, operation, path));
        }
        let writer = if asked.writes() {
            let place = self.mounts().find(path);
            let claimed = self
                .mounts()
                .writers()
                .claim_shared(place.mount.id(), &place.path);
            let busy = || Error::new(ErrorKind::Busy, Operation::Write, path);
            Some(claimed.ok_or_else(busy)?)
        } else {
            None
        };
        let (file, created) = self.open_allowed(path, asked, allowed).await?;
        if asked.truncate && !created {
            file.set_size(0).await.map_err(|error| error.at(path))?;
        }
        Ok(InPlaceFile {
            file,
            created,
            path: path.clone(),
            asked,
            _writer: writer,
        })
    }

    /// The decision, before anything is looked at.
    fn authorize_in_place(&self, path: &VirtualPath, asked: InPlace) -> Result<Allowed> {
        let (rights, operation) = (self.granted(path), operation(asked));
        if asked.read || !asked.writes() {
            self.authorize(Right::Read, path, operation)?;
        }
        let Some(mode) = asked.create else {
            if let Some(right) = asked.change() {
                self.authorize(right, path, operation)?;
            }
            return Ok(Allowed::Existing);
        };
        let mode = mode & 0o777;
        let may_create = rights.has(Right::Create);
        let may_change = asked.change().map(|right| rights.has(right));
        if asked.exclusive || may_create || may_change != Some(true) {
            self.authorize(Right::Create, path, operation)?;
        } else {
            // By the right to change what stands there; the gate also looks at the name.
            self.decide(path, operation, |_| true)?;
        }
        Ok(match (asked.exclusive, may_create, may_change) {
            (true, _, _) | (_, true, Some(false)) => Allowed::New(mode),
            (false, true, _) => Allowed::Both(mode),
            (false, false, _) => Allowed::Existing,
        })
    }

    async fn open_allowed(
        &self,
        path: &VirtualPath,
        asked: InPlace,
        allowed: Allowed,
    ) -> Result<(FileRef, bool)> {
        let operation = operation(asked);
        let place = self.mounts().find(path);
        let volume = place.mount.volume();
        let existing = if asked.writes() {
            OpenMode::Update
        } else {
            OpenMode::Read
        };
        let denied = |kind| {
            move |error: Error| {
                if error.kind == kind {
                    Error::new(ErrorKind::Denied, operation, path)
                } else {
                    error.at(path)
                }
            }
        };
        match allowed {
            Allowed::Existing => {
                let opened = volume.open(&place.path, existing).await;
                let opened = if asked.create.is_some() {
                    opened.map_err(denied(ErrorKind::NotFound))
                } else {
                    opened.map_err(|error| error.at(path))
                };
                Ok((opened?, false))
            }
            Allowed::New(mode) => {
                self.check_name(path, operation)?;
                let opened = volume.open(&place.path, OpenMode::CreateNew { mode }).await;
                let told = asked.exclusive && self.sees(path, self.granted(path));
                let opened = if told {
                    opened.map_err(|error| error.at(path))
                } else {
                    opened.map_err(denied(ErrorKind::Exists))
                };
                Ok((opened?, true))
            }
            Allowed::Both(mode) => {
                for _ in 0..TRIES {
                    match volume.open(&place.path, existing).await {
                        Err(error) if error.kind == ErrorKind::NotFound => {}
                        opened => return Ok((opened.map_err(|error| error.at(path))?, false)),
                    }
                    self.check_name(path, operation)?;
                    match volume.open(&place.path, OpenMode::CreateNew { mode }).await {
                        Err(error) if error.kind == ErrorKind::Exists => {}
                        opened => return Ok((opened.map_err(|error| error.at(path))?, true)),
                    }
                }
                // There and not there: a link that leads to nothing yet.
                let any = OpenMode::UpdateOrCreate { mode };
                let opened = volume.open(&place.path, any).await;
                Ok((opened.map_err(|error| error.at(path))?, true))
            }
        }
    }
}

const fn operation(asked: InPlace) -> Operation {
    if asked.writes() || asked.create.is_some() {
        Operation::Write
    } else {
        Operation::Read
    }
}
