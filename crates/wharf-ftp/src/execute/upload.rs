//! STOR, STOU and APPE: what is known is said before the 150; what others can see is made when the
//! peer is known.
//!
//! On a plain data connection the file is open before the 150. Under PROT P only what shows nothing
//! is: whoever does not pass the session check leaves no trace (TLS-33).

use std::sync::Arc;

use wharf_engine::Transfers;
use wharf_proto::ftp::{
    Pathname, ascii,
    server::{Outcome, Placement, Reason, Representation, Started},
};
use wharf_transfer::Transform;
use wharf_vfs::{Links, Operation, Right, Upload, UploadMode, VirtualPath};

use super::{
    file::is_missing,
    transfer::{beyond, finished, locate},
};
use crate::{
    replies,
    session::{FtpSession, Reaction, Running},
};

impl FtpSession {
    pub(super) async fn store(
        &mut self,
        name: Pathname,
        placement: Placement,
        representation: Representation,
        announced: Option<u64>,
    ) -> Result<Reaction, Outcome> {
        let (path, mode) = self.placed(&name, placement)?;
        self.check_data()?;
        self.check_room(&path, announced, &name).await?;
        let begun = if self.is_protected() && self.shows_at_once(&path, &mode).await? {
            self.check_upload(&path, &mode, &name).await?;
            Begun::Later {
                path,
                mode,
                umask: self.umask,
            }
        } else {
            if placement == Placement::Replace {
                self.check_no_directory(&path, &name).await?;
            }
            let begun = self.view()?.begin_upload(&path, mode, self.umask).await;
            let mut upload = begun.map_err(|error| self.refused(&error, name.as_bytes()))?;
            if let Placement::ResumeAt(marker) = placement {
                upload = self.resume(upload, marker, representation, &name).await?;
            }
            Begun::Open(upload)
        };
        let shown = match (placement, &begun) {
            (Placement::Unique, Begun::Open(upload)) => beside(&name, upload.target()),
            _ => name.as_bytes().to_vec(),
        };
        let transform: Option<Box<dyn Transform>> = match representation {
            Representation::Image => None,
            Representation::Ascii => Some(Box::new(Decoder(ascii::Decoder::default()))),
        };
        let transfers = match self.transfers() {
            Ok(transfers) => transfers,
            Err(outcome) => {
                begun.give_up().await;
                return Err(outcome);
            }
        };
        let data = self.take_data();
        let announcement = Outcome::Started(Started {
            name: shown.clone(),
            size: None,
        });
        let (abort, meter, started) = (
            Arc::clone(&transfers.abort),
            Arc::clone(&transfers.meter),
            transfers.started,
        );
        let work = async move {
            let stream = match data.connect(&transfers).await {
                Ok(stream) => stream,
                Err(finished) => {
                    begun.give_up().await;
                    return Outcome::Finished(finished);
                }
            };
            let upload = match begun.open(&transfers).await {
                Ok(upload) => upload,
                Err(error) => {
                    stream.reset();
                    return Outcome::Finished(replies::finished(&error.into(), &shown));
                }
            };
            let target = upload.target().clone();
            let outcome = transfers
                .upload(
                    upload,
                    stream,
                    transform,
                    announced,
                    u64::MAX,
                    target.as_bytes(),
                )
                .await;
            Outcome::Finished(finished(outcome, &shown))
        };
        Ok(Reaction::Begun(
            announcement,
            Running {
                work: Box::pin(work),
                abort,
                meter,
                started,
                short: false,
            },
        ))
    }

    /// Where an upload goes.
    fn placed(
        &self,
        name: &Pathname,
        placement: Placement,
    ) -> Result<(VirtualPath, UploadMode), Outcome> {
        match placement {
            Placement::Replace | Placement::ResumeAt(0) => {
                Ok((self.required(name)?, UploadMode::Replace))
            }
            Placement::ResumeAt(marker) => Ok((self.required(name)?, UploadMode::ResumeAt(marker))),
            Placement::Append => Ok((self.required(name)?, UploadMode::Append)),
            Placement::Unique if name.is_empty() => {
                Ok((self.directory.clone(), UploadMode::Unique { hint: None }))
            }
            Placement::Unique => {
                // A hint with a path keeps its directory.
                let whole = self.resolve(name)?;
                let directory = whole.parent().unwrap_or_else(VirtualPath::root);
                Ok((
                    directory,
                    UploadMode::Unique {
                        hint: whole.name().map(<[u8]>::to_vec),
                    },
                ))
            }
        }
    }

    /// Whether others could see of an upload as soon as it is open: a new file, an old one cut, a
    /// directory's new time. A restart opens what is there; STOU must have its name before the 150.
    async fn shows_at_once(&self, path: &VirtualPath, mode: &UploadMode) -> Result<bool, Outcome> {
        Ok(match mode {
            UploadMode::Replace => true,
            UploadMode::Append => self.view()?.metadata(path, Links::Follow).await.is_err(),
            UploadMode::ResumeAt(_) | UploadMode::Unique { .. } => false,
        })
    }

    /// As far as an upload can be judged before it is open.
    async fn check_upload(
        &self,
        path: &VirtualPath,
        mode: &UploadMode,
        name: &Pathname,
    ) -> Result<(), Outcome> {
        let view = self.view()?;
        let (change, links) = match mode {
            UploadMode::Append => (Right::Append, Links::Follow),
            // It takes the place of a link.
            _ => (Right::Overwrite, Links::NoFollow),
        };
        let rights = view.rights(path);
        let may_change = rights.has(change);
        let needed = if may_change { change } else { Right::Create };
        view.authorize(needed, path, Operation::Write)
            .map_err(|error| self.refused(&error, name.as_bytes()))?;
        let denied = || replies::refused_because(Reason::Denied, name.as_bytes(), "");
        match view.metadata(path, links).await {
            Ok(metadata) if metadata.is_directory() => Err(replies::refused_because(
                Reason::IsADirectory,
                name.as_bytes(),
                "",
            )),
            Ok(_) if may_change => Ok(()),
            Ok(_) => Err(denied()),
            Err(error) if is_missing(error.kind) && !rights.has(Right::Create) => Err(denied()),
            Err(error) if is_missing(error.kind) => {
                let directory = path.parent().unwrap_or_else(VirtualPath::root);
                match view.metadata(&directory, Links::Follow).await {
                    Ok(metadata) if !metadata.is_directory() => {
                        Err(self.refused(&error, name.as_bytes()))
                    }
                    Err(error) if is_missing(error.kind) => {
                        Err(self.refused(&error, name.as_bytes()))
                    }
                    _ => Ok(()),
                }
            }
            // Whoever may not look learns it from the upload itself.
            Err(_) => Ok(()),
        }
    }

    /// DAT-30: a name that is a directory's is refused before the 150, not when the upload is over.
    async fn check_no_directory(&self, path: &VirtualPath, name: &Pathname) -> Result<(), Outcome> {
        match self.view()?.metadata(path, Links::NoFollow).await {
            Ok(metadata) if metadata.is_directory() => Err(replies::refused_because(
                Reason::IsADirectory,
                name.as_bytes(),
                "",
            )),
            // Whoever may not look learns it from the upload itself.
            _ => Ok(()),
        }
    }

    /// A file that was announced and cannot fit is refused before its first octet.
    async fn check_room(
        &self,
        path: &VirtualPath,
        announced: Option<u64>,
        name: &Pathname,
    ) -> Result<(), Outcome> {
        let Some(octets) = announced else {
            return Ok(());
        };
        let directory = path.parent().unwrap_or_else(VirtualPath::root);
        match self.view()?.space(&directory).await {
            Ok(space) if octets > space.free => Err(replies::refused_because(
                Reason::NoSpace,
                name.as_bytes(),
                format!("{octets} octets were announced, {} are free", space.free),
            )),
            // Whoever may not ask learns it when the disk is full.
            _ => Ok(()),
        }
    }

    /// Checks a restart marker against the file that stands there, and finds its place in TYPE A.
    async fn resume(
        &self,
        mut upload: Upload,
        marker: u64,
        representation: Representation,
        name: &Pathname,
    ) -> Result<Upload, Outcome> {
        if marker == 0 {
            return Ok(upload);
        }
        let file = Arc::clone(upload.file());
        let size = match file.metadata().await {
            Ok(metadata) => metadata.size,
            Err(error) => {
                give_up(upload).await;
                return Err(self.refused(&error, name.as_bytes()));
            }
        };
        let start = match representation {
            Representation::Image => Ok((marker <= size).then_some(marker)),
            Representation::Ascii => locate(&file, size, marker).await.map(|position| {
                position
                    .filter(|position| !position.inside_line_end)
                    .map(|position| position.offset)
            }),
        };
        match start {
            Ok(Some(start)) => {
                upload.set_start(start);
                Ok(upload)
            }
            Ok(None) => {
                give_up(upload).await;
                Err(beyond(name, marker, size))
            }
            Err(error) => {
                give_up(upload).await;
                Err(self.refused(&error, name.as_bytes()))
            }
        }
    }
}

/// An upload before its first octet.
enum Begun {
    /// Open, and nobody can see of it.
    Open(Upload),
    /// Opening it would show: that waits until the peer is known.
    Later {
        path: VirtualPath,
        mode: UploadMode,
        umask: u32,
    },
}

impl Begun {
    async fn open(self, transfers: &Transfers) -> Result<Upload, wharf_vfs::Error> {
        match self {
            Self::Open(upload) => Ok(upload),
            Self::Later { path, mode, umask } => {
                let view = &transfers.account.view;
                view.begin_upload(&path, mode, umask).await
            }
        }
    }

    async fn give_up(self) {
        if let Self::Open(upload) = self {
            give_up(upload).await;
        }
    }
}

/// Ends an upload that got no octet.
async fn give_up(upload: Upload) {
    // What cannot be removed is a hidden temporary; the next upload does not see it.
    let _ = upload.abort(0).await;
}

/// The name that STOU chose, as the user can give it back: with the directory of his hint.
fn beside(hint: &Pathname, target: &VirtualPath) -> Vec<u8> {
    let chosen = target.name().unwrap_or_default();
    let hint = hint.as_bytes();
    let directory = hint
        .iter()
        .rposition(|byte| *byte == b'/')
        .and_then(|slash| hint.get(..=slash));
    [directory.unwrap_or_default(), chosen].concat()
}

/// CR LF to LF on the way in.
struct Decoder(ascii::Decoder);

impl Transform for Decoder {
    fn apply(&mut self, input: &[u8], output: &mut Vec<u8>) {
        self.0.decode(input, output);
    }

    fn finish(&mut self, output: &mut Vec<u8>) {
        self.0.finish(output);
    }
}
