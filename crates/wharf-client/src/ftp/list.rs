//! What is in a directory, and what is known of one object.

use std::time::Duration;

use wharf_proto::ftp::{
    Pathname,
    client::{Request, Way, answer},
    listing::parse::{
        Entry, Format, Kind as EntryKind, Limits, ListingParser, Modified, Precision,
    },
    reply::Class,
};
use wharf_transfer::{buffer, tls::Truncated};

use super::{Session, memory::Works};
use crate::{Error, Kind, Result, Step, tls};

impl Session {
    /// Lists the current directory: MLSD, else LIST (RPL-57).
    pub(crate) async fn list(&mut self) -> Result<Vec<Entry>> {
        let facts = match self.context.memory.recall(|known| known.facts_list) {
            Works::Unknown => self.capabilities.facts,
            known => known == Works::Yes,
        };
        if facts {
            match self
                .list_by(Request::FactsList(Pathname::default()), Format::Facts)
                .await
            {
                Ok(entries) => {
                    self.context
                        .memory
                        .learn(|known| known.facts_list = Works::Yes);
                    return Ok(entries);
                }
                Err(error)
                    if error.code().and_then(next_after_facts_list).is_some()
                        && self.is_usable() =>
                {
                    self.context
                        .memory
                        .learn(|known| known.facts_list = Works::No);
                }
                Err(error) => return Err(error),
            }
        }
        self.list_by(Request::List(Pathname::default()), Format::Detect)
            .await
    }

    async fn list_by(&mut self, request: Request, format: Format) -> Result<Vec<Entry>> {
        let what = "cannot list the directory";
        let mut running = self.begin(request, what).await?;
        let mut parser = ListingParser::new(format, now(), Limits::default());
        let mut entries = Vec::new();
        let mut truncated = false;
        let mut last = b'\n';
        let limit = self.options().idle_timeout;
        let mut piece = buffer::borrow();
        piece.resize(buffer::BUFFER_SIZE, 0);
        let read = loop {
            match read_within(&mut running.stream, &mut piece, limit).await {
                Ok(0) => break Ok(()),
                Ok(count) => {
                    let bytes = piece.get(..count).unwrap_or_default();
                    last = bytes.last().copied().unwrap_or(last);
                    parser.handle_input(bytes);
                    entries.extend(std::iter::from_fn(|| parser.poll_entry()));
                }
                // A listing has no size; the 226 that must follow decides (D48).
                Err(error) if Truncated::is(&error) => {
                    truncated = true;
                    break Ok(());
                }
                Err(error) => break Err(error),
            }
        };
        buffer::give_back(piece);
        let ended = running.finish().await;
        self.end(ended, what).await?;
        read.map_err(|error| {
            Error::new(
                Step::Listing,
                Kind::Data,
                format!("the listing broke off: {error}"),
            )
            .retryable()
        })?;
        // Half a line, or the word of anybody on the way, says that it is not whole.
        if truncated && (last != b'\n' || !self.replies_are_protected()) {
            return Err(tls::cut(Step::Listing));
        }
        parser.handle_end();
        entries.extend(std::iter::from_fn(|| parser.poll_entry()));
        if truncated {
            self.note("the server ended the listing without close_notify; only its word says that it is whole");
        }
        if parser.not_understood() > 0 {
            self.note(&format!(
                "{} line(s) of the listing were not understood",
                parser.not_understood()
            ));
        }
        if parser.dropped() > 0 {
            self.note(&format!(
                "{} entries beyond the limit were left out",
                parser.dropped()
            ));
        }
        Ok(entries)
    }

    /// What is known of one name in the current directory: MLST, else SIZE and MDTM, else the listing.
    pub(crate) async fn facts(&mut self, name: &[u8]) -> Result<Entry> {
        let path = || Pathname::from(name);
        if self.capabilities.facts {
            let reply = self.ask(Request::Facts(path())).await?;
            if let Some(mut entry) = answer::facts(&reply) {
                entry.name = name.to_vec();
                return Ok(entry);
            }
            if reply.code.class() != Class::Completion && Way::Facts.next(reply.code).is_none() {
                return Err(Error::refused(
                    Step::Command,
                    "MLST",
                    &format!("cannot look at {}", path()),
                    &reply,
                ));
            }
        }
        // SIZE counts what would be sent: it must be binary.
        self.represent(wharf_proto::ftp::server::Representation::Image)
            .await?;
        if let Some(size) = self.size(name).await? {
            let mut entry = Entry::named(name, EntryKind::File);
            entry.size = Some(size);
            let reply = self.ask(Request::ModificationTime(path())).await?;
            entry.modified = answer::modification_time(&reply).map(|time| Modified {
                seconds: time.seconds(),
                precision: Precision::Second,
            });
            return Ok(entry);
        }
        let found = self
            .list()
            .await?
            .into_iter()
            .find(|entry| entry.name == name);
        found.ok_or_else(|| {
            Error::new(
                Step::Command,
                Kind::NotFound,
                format!("{} does not exist there", path()),
            )
        })
    }
}

fn next_after_facts_list(code: u16) -> Option<Way> {
    wharf_proto::ftp::reply::Code::new(code).and_then(|code| Way::FactsList.next(code))
}

/// Reads, but not longer than `limit` without an octet.
pub(crate) async fn read_within(
    stream: &mut wharf_transfer::DataStream,
    buffer: &mut [u8],
    limit: Duration,
) -> std::io::Result<usize> {
    tokio::time::timeout(limit, stream.read(buffer))
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

/// Listings without a year need today's date.
#[expect(
    clippy::disallowed_methods,
    reason = "the rim: a listing line's year is that of the last such day"
)]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
