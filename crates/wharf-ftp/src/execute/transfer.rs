//! RETR, STOR, STOU and APPE: open first, then say so, then connect, then move the bytes.
//!
//! The file is open and every right checked before the 150 (DAT-30), so nothing is created, cut or
//! replaced for a client that may not, and known causes never come after the 150. Under PROT P nothing
//! that others can see is made or cut before the peer is known, so there some are opened later.

use std::sync::Arc;

use wharf_engine::{TransferOutcome, Transfers, events::Event};
use wharf_proto::ftp::{
    Pathname, ascii,
    server::{DataRefusal, Finished, Outcome, Placement, Reason, Representation, Started},
};
use wharf_transfer::{DataStream, Source, Transform, buffer};
use wharf_vfs::{FileRef, Links, Operation, Right, Upload, UploadMode, VirtualPath};

use super::file::{ascii_size, is_missing};
use crate::{
    data_connection::{self, DataPath, DataSecurity, Ends},
    replies,
    session::{FtpSession, Reaction, Running},
    settings::Settings,
};

/// Octets that a socket's buffer takes at once.
const SHORT: u64 = 64 * 1024;

/// The parts of a session that make its next data connection.
pub(super) struct DataSetUp {
    path: DataPath,
    ends: Ends,
    settings: Arc<Settings>,
    /// PROT P.
    security: Option<DataSecurity>,
}

impl DataSetUp {
    /// Connects, unless the transfer is aborted first. The error is the transfer's end.
    pub(super) async fn connect(self, transfers: &Transfers) -> Result<DataStream, Finished> {
        let connecting = data_connection::connect(self.path, self.ends, &self.settings.data);
        match transfers.abort.or(connecting).await {
            Some(Ok(mut stream)) => {
                if let Some(security) = self.security {
                    Box::pin(security.secure(&mut stream, transfers)).await?;
                }
                Ok(stream)
            }
            Some(Err(cause)) => {
                transfers
                    .engine
                    .bus
                    .emit(&transfers.origin, &Event::DataConnection { cause: &cause });
                Err(Finished::NoConnection(cause))
            }
            None => Err(Finished::Aborted),
        }
    }
}

impl FtpSession {
    /// Takes the data set-up for a transfer that will begin now.
    pub(super) fn take_data(&mut self) -> DataSetUp {
        // An active target serves one transfer, as a listener does (DAT-01).
        DataSetUp {
            path: std::mem::take(&mut self.data),
            ends: self.ends,
            settings: Arc::clone(&self.settings),
            security: self
                .tls
                .as_ref()
                .filter(|_| self.is_protected())
                .map(|tls| DataSecurity {
                    tls: tls.clone(),
                    certificate: self.certificate,
                }),
        }
    }

    /// Whether a transfer could connect at all; asked before anything is opened.
    pub(super) fn check_data(&self) -> Result<(), Outcome> {
        let is_set_up = !matches!(self.data, DataPath::None);
        let has_default = self.settings.data.default_port
            && self.settings.data.active
            && self.ends.peer.port() >= 1024;
        if is_set_up || has_default {
            Ok(())
        } else {
            Err(Outcome::DataRefused(DataRefusal::NotSetUp))
        }
    }

    pub(super) async fn retrieve(
        &mut self,
        name: &Pathname,
        offset: u64,
        representation: Representation,
    ) -> Result<Reaction, Outcome> {
        let path = self.required(name)?;
        let opened = self.view()?.open_read(&path).await;
        let (file, metadata) = opened.map_err(|error| self.refused(&error, name.as_bytes()))?;
        self.check_data()?;
        let size = metadata.size;
        let (source, transform, octets) = match representation {
            Representation::Image => {
                if offset > size {
                    return Err(beyond(name, offset, size));
                }
                (
                    Source {
                        file,
                        offset,
                        length: size - offset,
                    },
                    None,
                    Some(size - offset),
                )
            }
            Representation::Ascii => {
                let failed = |error: &_| self.refused(error, name.as_bytes());
                let position = locate(&file, size, offset)
                    .await
                    .map_err(|error| failed(&error))?;
                let position = position.ok_or_else(|| beyond(name, offset, size))?;
                let octets = if size <= self.settings.ascii_size_max {
                    let whole = ascii_size(&file, size)
                        .await
                        .map_err(|error| failed(&error))?;
                    Some(whole.saturating_sub(offset))
                } else {
                    None
                };
                let encoder: Box<dyn Transform> = Box::new(Encoder {
                    half_line_end: position.inside_line_end,
                });
                let start = position.offset;
                (
                    Source {
                        file,
                        offset: start,
                        length: size.saturating_sub(start),
                    },
                    Some(encoder),
                    octets,
                )
            }
        };
        let transfers = self.transfers()?;
        let data = self.take_data();
        let shown = name.as_bytes().to_vec();
        let (abort, meter, started) = (
            Arc::clone(&transfers.abort),
            Arc::clone(&transfers.meter),
            transfers.started,
        );
        let work = async move {
            let finished = match data.connect(&transfers).await {
                Ok(stream) => finished(
                    transfers
                        .download(source, stream, transform, path.as_bytes())
                        .await,
                    &shown,
                ),
                Err(finished) => finished,
            };
            Outcome::Finished(finished)
        };
        // A handshake waits for the client, who mostly waits for the 150.
        let short = !self.is_protected() && octets.is_some_and(|octets| octets <= SHORT);
        let begun = Outcome::Started(Started {
            name: name.as_bytes().to_vec(),
            size: octets,
        });
        Ok(Reaction::Begun(
            begun,
            Running {
                work: Box::pin(work),
                abort,
                meter,
                started,
                short,
            },
        ))
    }

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

fn beyond(name: &Pathname, marker: u64, size: u64) -> Outcome {
    let detail = format!("cannot restart at {marker}, the file has {size} octets");
    replies::refused_because(Reason::BadRestart, name.as_bytes(), detail)
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

/// How a transfer ended, in the machine's words.
fn finished(outcome: TransferOutcome, name: &[u8]) -> Finished {
    match outcome {
        TransferOutcome::Complete(octets) => Finished::Complete {
            octets,
            note: String::new(),
        },
        TransferOutcome::Aborted => Finished::Aborted,
        TransferOutcome::Failed(error) => replies::finished(&error, name),
    }
}

/// Where a marker of TYPE A lies in a file.
async fn locate(
    file: &FileRef,
    size: u64,
    marker: u64,
) -> Result<Option<ascii::Position>, wharf_vfs::Error> {
    let mut locator = ascii::Locator::new(marker);
    if marker == 0 {
        return Ok(locator.advance(b""));
    }
    let mut chunk = buffer::borrow();
    let mut offset = 0;
    while offset < size {
        chunk = file.read_at(chunk, offset).await?;
        if chunk.is_empty() {
            break;
        }
        offset += chunk.len() as u64;
        if let Some(position) = locator.advance(&chunk) {
            buffer::give_back(chunk);
            return Ok(Some(position));
        }
    }
    buffer::give_back(chunk);
    Ok(locator.finish())
}

/// LF to CR LF on the way out.
struct Encoder {
    /// The CR of the first line end was sent by the transfer that this one continues.
    half_line_end: bool,
}

impl Transform for Encoder {
    fn apply(&mut self, mut input: &[u8], output: &mut Vec<u8>) {
        if std::mem::take(&mut self.half_line_end)
            && let Some((line_feed, rest)) = input.split_first()
        {
            output.push(*line_feed);
            input = rest;
        }
        ascii::encode(input, output);
    }

    fn finish(&mut self, _output: &mut Vec<u8>) {}
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
