//! LIST, NLST, MLSD, MLST and STAT of a path.
//!
//! What is listed is settled before the 150 (`source`); how an entry looks is `render`'s business.
//! A listing streams: while one piece is on its way to the client the next is read, and the memory
//! is that of two pieces, however large the directory (DAT-98). Only what fits into one window of
//! entries is sorted; beyond it entries come in the order of the store.

mod render;
mod source;

use wharf_engine::events::Event;
use wharf_proto::ftp::{
    Pathname,
    facts::FactSet,
    server::{Finished, ListOptions, ListStyle, Outcome, STAT_LIST_LINES, Started},
};
use wharf_transfer::{Flow, buffer, guard_against_stall, send_bytes};
use wharf_vfs::Links;

use self::{render::Renderer, source::Lister};
use crate::{
    execute::file::is_missing,
    replies,
    session::{FtpSession, Reaction, Running},
};

impl FtpSession {
    /// LIST, NLST, MLSD over a data connection.
    pub(super) async fn list(
        &mut self,
        name: &Pathname,
        style: ListStyle,
        options: ListOptions,
    ) -> Result<Reaction, Outcome> {
        let mut lister = Lister::open(self, name, style, options).await?;
        self.check_data()?;
        let transfers = self.transfers()?;
        let data = self.take_data();
        let shown = name.as_bytes().to_vec();
        let (abort, meter, started) = (
            std::sync::Arc::clone(&transfers.abort),
            std::sync::Arc::clone(&transfers.meter),
            transfers.started,
        );
        let work = async move {
            let mut stream = match data.connect(&transfers).await {
                Ok(stream) => stream,
                Err(finished) => return Outcome::Finished(finished),
            };
            let flow = Flow {
                meter: &transfers.meter,
                throttles: &transfers.account.download,
            };
            let (mut ready, mut next) = (buffer::borrow(), buffer::borrow());
            let flowing = async {
                let mut more = lister.fill(&mut ready).await?;
                while more || !ready.is_empty() {
                    next.clear();
                    let reading = async {
                        if more {
                            lister.fill(&mut next).await
                        } else {
                            Ok(false)
                        }
                    };
                    let (sent, read) = tokio::join!(send_bytes(&mut stream, &ready, flow), reading);
                    sent?;
                    more = read?;
                    std::mem::swap(&mut ready, &mut next);
                }
                stream.end().await.map_err(wharf_transfer::Error::Stream)
            };
            let flowing = guard_against_stall(&transfers.meter, transfers.stall_timeout, flowing);
            let flowed = transfers.abort.or(flowing).await;
            let octets = transfers.meter.octets();
            buffer::give_back(ready);
            buffer::give_back(next);
            Outcome::Finished(match flowed {
                Some(Ok(())) => {
                    stream.finish();
                    Finished::Complete {
                        octets,
                        note: lister.note(),
                    }
                }
                Some(Err(error)) => {
                    stream.reset();
                    if let wharf_transfer::Error::Store(store) = &error {
                        let cause = store.to_string();
                        transfers
                            .engine
                            .bus
                            .emit(&transfers.origin, &Event::VolumeFailed { cause: &cause });
                    }
                    replies::finished(&error, &shown)
                }
                None => {
                    stream.reset();
                    Finished::Aborted
                }
            })
        };
        let begun = Outcome::Started(Started {
            name: name.as_bytes().to_vec(),
            size: None,
        });
        Ok(Reaction::Begun(
            begun,
            Running {
                work: Box::pin(work),
                abort,
                meter,
                started,
                short: false,
            },
        ))
    }

    /// STAT with a path: the lines of LIST over the control connection.
    pub(super) async fn stat_path(
        &self,
        name: &Pathname,
        options: ListOptions,
    ) -> Result<Outcome, Outcome> {
        let mut lister = Lister::open(self, name, ListStyle::Long, options).await?;
        let directory = lister.is_directory();
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut piece = buffer::borrow();
        loop {
            piece.clear();
            let more = lister
                .fill(&mut piece)
                .await
                .map_err(|error| self.refused(&error, name.as_bytes()))?;
            for line in piece
                .split_inclusive(|byte| *byte == b'\n')
                .take(STAT_LIST_LINES + 1 - lines.len())
            {
                lines.push(line.strip_suffix(b"\r\n").unwrap_or(line).to_vec());
            }
            if !more || lines.len() > STAT_LIST_LINES {
                break;
            }
        }
        buffer::give_back(piece);
        let truncated = lines.len() > STAT_LIST_LINES;
        lines.truncate(STAT_LIST_LINES);
        Ok(Outcome::Lines {
            lines,
            directory,
            truncated,
        })
    }

    /// MLST: the facts of one object.
    pub(super) async fn facts(&self, name: &Pathname, facts: FactSet) -> Result<Outcome, Outcome> {
        let path = self.resolve(name)?;
        let view = self.view()?;
        let metadata = match view.metadata(&path, Links::Follow).await {
            // DAT-90: a link that leads nowhere is an object, too.
            Err(error) if is_missing(error.kind) => view
                .metadata(&path, Links::NoFollow)
                .await
                .map_err(|_| error),
            answer => answer,
        };
        let metadata = metadata.map_err(|error| self.refused(&error, name.as_bytes()))?;
        let mut rendered = Vec::new();
        let directory = path.parent().unwrap_or_else(|| path.clone());
        let renderer = Renderer::new(
            self,
            &directory,
            ListStyle::Facts(facts),
            ListOptions::default(),
        )?;
        renderer.facts_of(&path, &metadata, &mut rendered);
        Ok(Outcome::Facts {
            facts: rendered,
            path: path.as_bytes().to_vec(),
        })
    }
}
