//! RETR, and what all transfers share: open first, then say so, then connect, then move the bytes.
//!
//! The file is open and every right checked before the 150 (DAT-30), so known causes never come after
//! it; the peer is checked before the first octet of the file moves.

use std::sync::Arc;

use wharf_engine::{TransferOutcome, Transfers, events::Event};
use wharf_proto::ftp::{
    Pathname, ascii,
    server::{DataRefusal, Finished, Outcome, Reason, Representation, Started},
};
use wharf_transfer::{DataStream, Source, Transform, buffer};
use wharf_vfs::FileRef;

use super::file::ascii_size;
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
}

pub(super) fn beyond(name: &Pathname, marker: u64, size: u64) -> Outcome {
    let detail = format!("cannot restart at {marker}, the file has {size} octets");
    replies::refused_because(Reason::BadRestart, name.as_bytes(), detail)
}

/// How a transfer ended, in the machine's words.
pub(super) fn finished(outcome: TransferOutcome, name: &[u8]) -> Finished {
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
pub(super) async fn locate(
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
