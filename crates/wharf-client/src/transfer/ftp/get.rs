//! Downloads over FTP: into a part file, resumed from what is proved, renamed when whole.

use std::sync::Arc;

use tokio::time::timeout;
use wharf_proto::ftp::{
    Pathname,
    client::Request,
    listing::parse::{Entry, Kind as EntryKind, Precision},
    server::Representation,
};
use wharf_transfer::{Flow, Target, guard_against_stall};

use super::FromWire;
use crate::{
    Error, Kind, Result, Step, Verify,
    ftp::{Running, Session, read_within},
    local::{Facts, Local, blocking, facts},
    site::UrlType,
    transfer::{
        Course, Download, LAST_WORDS, OVERLAP, Transferred, Verified, differs, flow_error, hash,
        part::{Known, Part},
        partial,
    },
};

/// One attempt at a file.
///
/// # Errors
/// [`Error`]; the part file stays unless it is proved worthless.
pub(in crate::transfer) async fn get(
    course: &mut Course<'_>,
    download: &Download,
) -> Result<Transferred> {
    Work { course, download }.attempt().await
}

struct Work<'a, 'b> {
    course: &'a mut Course<'b>,
    download: &'a Download,
}

impl Work<'_, '_> {
    async fn attempt(&mut self) -> Result<Transferred> {
        let mut lease = self.course.pool.lease().await?;
        let session = lease.session()?;
        let source = &self.download.source;
        let name = source
            .name()
            .ok_or_else(|| {
                Error::new(
                    Step::Command,
                    Kind::Usage,
                    format!("{source} names no file"),
                )
            })?
            .to_vec();
        session.go_to(source.parents()).await?;
        if source.kind == Some(UrlType::Text) {
            return self.attempt_text(session, &name).await;
        }
        session.represent(Representation::Image).await?;
        let known = self.look(session, &name).await?;
        if self.course.resume
            && let Some(done) = self.already_there(session, &name, known).await?
        {
            return Ok(done);
        }
        let part = Part::open(&self.download.target, source.to_string()).await?;
        let result = self.fetch(session, &name, known, &part).await;
        match &result {
            Err(error) if error.starts_over() => part.discard().await?,
            Err(_) => part.leave().await,
            Ok(_) => {}
        }
        result
    }

    async fn look(&self, session: &mut Session, name: &[u8]) -> Result<Known> {
        let entry = match &self.download.known {
            Some(entry) if entry.size.is_some() && entry.kind == EntryKind::File => entry.clone(),
            _ => match session.facts(name).await {
                // A server may hide a file from listings and still send it.
                Err(error) if error.kind() == Kind::NotFound && error.code().is_none() => {
                    Entry::named(name, EntryKind::Other)
                }
                other => other?,
            },
        };
        if entry.kind == EntryKind::Directory {
            let text = format!("{} is a directory", self.download.source);
            return Err(Error::new(Step::Command, Kind::Usage, text).hint("use -r to fetch a tree"));
        }
        let exact = entry
            .modified
            .filter(|modified| modified.precision == Precision::Second)
            .map(|modified| modified.seconds);
        // A listing by LIST is too coarse to keep the time by.
        let mtime = match exact {
            None if self.download.known.is_some() => session.modified(name).await?,
            exact => exact,
        };
        Ok(Known {
            size: entry.size,
            mtime,
        })
    }

    /// With `-c`: the target stands there with the same size and time, and the same hash if one is
    /// offered.
    async fn already_there(
        &self,
        session: &mut Session,
        name: &[u8],
        known: Known,
    ) -> Result<Option<Transferred>> {
        let target = self.download.target.clone();
        let found = blocking("cannot look at the target", move || facts(&target)).await?;
        let Some(Facts {
            file: true,
            size,
            modified,
            ..
        }) = found
        else {
            return Ok(None);
        };
        let same_time = known.mtime.is_some_and(|mtime| mtime == modified);
        if known.size != Some(size) || !same_time {
            return Ok(None);
        }
        let target = self.download.target.clone();
        let file = blocking("cannot read the target", move || Local::open(&target)).await?;
        match self.check_hash(session, name, &file, size).await {
            Ok(verified) => Ok(Some(Transferred {
                size,
                kept: size,
                verified,
            })),
            Err(error) if error.kind() == Kind::Differs => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn fetch(
        &mut self,
        session: &mut Session,
        name: &[u8],
        known: Known,
        part: &Part,
    ) -> Result<Transferred> {
        let held = if self.course.resume {
            part.proved(known).await?
        } else {
            0
        };
        let what = format!("cannot fetch {}", self.download.source);
        let overlap = held.min(OVERLAP);
        let start = held - overlap;
        let request = |offset| Request::Retrieve {
            path: Pathname::from(name),
            offset,
        };
        let mut running = match session.begin(request(start), &what).await {
            // REST is refused: from the start, then.
            Err(error)
                if start > 0
                    && session.is_usable()
                    && matches!(error.code(), Some(500..=504 | 554)) =>
            {
                return Err(error.starting_over());
            }
            other => other?,
        };
        let known = Known {
            size: known
                .size
                .or_else(|| running.announced.filter(|_| start == 0)),
            ..known
        };
        if held > 0
            && !self
                .overlap_agrees(&mut running, part, start, overlap)
                .await?
        {
            session.abort(running).await;
            let text = format!(
                "{}: what was fetched before does not fit what the server has now",
                self.download.source
            );
            return Err(Error::new(Step::Verify, Kind::Differs, text)
                .because("D75", ["it is fetched anew"])
                .starting_over());
        }
        part.keep(held, known).await?;
        self.course.tell_started(known.size, held);
        let total = self
            .receive(session, running, part, held, known, &what)
            .await?;
        if let Some(size) = known
            .size
            .filter(|_| self.course.pool.options().verify != Verify::None)
            && total != size
        {
            return Err(partial(&what, total, size));
        }
        let verified = self.verify(session, name, &part.file, total, known).await?;
        part.commit(known.mtime).await?;
        Ok(Transferred {
            size: total,
            kept: held,
            verified,
        })
    }

    async fn overlap_agrees(
        &self,
        running: &mut Running,
        part: &Part,
        start: u64,
        overlap: u64,
    ) -> Result<bool> {
        let limit = self.course.pool.options().idle_timeout;
        let length = usize::try_from(overlap).unwrap_or(usize::MAX);
        let ours = part.read(start, length).await?;
        let mut theirs = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = theirs.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match read_within(&mut running.stream, rest, limit).await {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) => {
                    let text = format!("the data connection broke: {error}");
                    return Err(Error::new(Step::Transfer, Kind::Data, text).retryable());
                }
            }
        }
        Ok(filled == length && ours == theirs)
    }

    /// Moves the octets; gives the length of the part afterwards.
    async fn receive(
        &self,
        session: &mut Session,
        mut running: Running,
        part: &Part,
        held: u64,
        known: Known,
        what: &str,
    ) -> Result<u64> {
        let limit = known
            .size
            .map_or(u64::MAX / 2, |size| size.saturating_sub(held));
        let target = Target {
            file: Arc::new(part.file.clone()),
            offset: held,
            limit,
        };
        let flow = Flow {
            meter: &self.course.meter,
            throttles: &[],
        };
        // TLS-36, D48: a server that never says close_notify is borne where the size tells the same.
        if known.size.is_some()
            && session.replies_are_protected()
            && self.course.pool.options().verify != Verify::None
        {
            running.stream.tolerate_truncation();
        }
        let idle = self.course.pool.options().idle_timeout;
        let moved = guard_against_stall(
            &self.course.meter,
            idle,
            wharf_transfer::receive(&target, &mut running.stream, flow, None),
        )
        .await;
        let moved = match moved {
            Ok(moved) => moved,
            Err(error @ wharf_transfer::Error::Stream(_)) => {
                // The server's own words on the break are worth more than "reset by peer".
                let ended = running.finish().await;
                let told = timeout(LAST_WORDS, session.end(ended, what)).await;
                return Err(match told {
                    Ok(Err(refusal)) => refusal,
                    _ => flow_error(error),
                });
            }
            Err(error) => {
                session.abort(running).await;
                return Err(flow_error(error));
            }
        };
        let whole = known.size == Some(held + moved);
        match session.end(running.finish().await, what).await {
            // D53: everything is here; only the word is missing.
            Err(error)
                if whole
                    && matches!(error.kind(), Kind::TimedOut | Kind::Protocol)
                    && error.code().is_none() =>
            {
                session.give_up();
                session.note("the server did not confirm the transfer; the size agrees");
            }
            other => other?,
        }
        Ok(held + moved)
    }

    async fn verify(
        &self,
        session: &mut Session,
        name: &[u8],
        part: &Local,
        total: u64,
        known: Known,
    ) -> Result<Verified> {
        let checked = match self.course.pool.options().verify {
            Verify::None => return Ok(Verified::Closed),
            Verify::Size => None,
            Verify::Auto | Verify::Hash if session.is_usable() => {
                match self.check_hash(session, name, part, total).await {
                    // The file is here and its size agrees: a session that ends now is no failure.
                    Err(error)
                        if error.kind() != Kind::Differs
                            && self.course.pool.options().verify == Verify::Auto =>
                    {
                        None
                    }
                    other => Some(other?),
                }
            }
            _ => None,
        };
        match checked {
            Some(verified @ Verified::Hash(_)) => Ok(verified),
            _ if self.course.pool.options().verify == Verify::Hash => Err(Error::new(
                Step::Verify,
                Kind::Differs,
                format!(
                    "{}: the server offers no hash to compare with",
                    self.download.source
                ),
            )
            .hint("use --verify=auto or --verify=size")),
            _ if known.size.is_some() => Ok(Verified::Size),
            _ => Ok(Verified::Closed),
        }
    }

    /// Compares with the server's hash, if it gives one.
    async fn check_hash(
        &self,
        session: &mut Session,
        name: &[u8],
        file: &Local,
        size: u64,
    ) -> Result<Verified> {
        if matches!(
            self.course.pool.options().verify,
            Verify::None | Verify::Size
        ) || session.offered_hash().is_none()
        {
            return Ok(Verified::Size);
        }
        let Some((algorithm, theirs)) = session.remote_hash(name).await? else {
            return Ok(Verified::Size);
        };
        let ours = hash(file, algorithm, size).await?;
        if ours == theirs {
            Ok(Verified::Hash(algorithm))
        } else {
            Err(differs(
                &self.download.source.to_string(),
                algorithm,
                &ours,
                &theirs,
            ))
        }
    }

    /// `;type=a`: line ends become those of this system. Sizes cannot be compared, nothing is resumed.
    async fn attempt_text(&mut self, session: &mut Session, name: &[u8]) -> Result<Transferred> {
        session.represent(Representation::Ascii).await?;
        let part = Part::open(&self.download.target, self.download.source.to_string()).await?;
        part.keep(
            0,
            Known {
                size: None,
                mtime: None,
            },
        )
        .await?;
        let what = format!("cannot fetch {}", self.download.source);
        let mut running = session
            .begin(
                Request::Retrieve {
                    path: Pathname::from(name),
                    offset: 0,
                },
                &what,
            )
            .await?;
        self.course.tell_started(None, 0);
        let target = Target {
            file: Arc::new(part.file.clone()),
            offset: 0,
            limit: u64::MAX / 2,
        };
        let flow = Flow {
            meter: &self.course.meter,
            throttles: &[],
        };
        let idle = self.course.pool.options().idle_timeout;
        let mut text = FromWire::default();
        let receive = wharf_transfer::receive(&target, &mut running.stream, flow, Some(&mut text));
        guard_against_stall(&self.course.meter, idle, receive)
            .await
            .map_err(flow_error)?;
        session.end(running.finish().await, &what).await?;
        let size = part
            .file
            .size()
            .map_err(|error| Error::local("cannot look at the part file", &error))?;
        part.commit(None).await?;
        Ok(Transferred {
            size,
            kept: 0,
            verified: Verified::Closed,
        })
    }
}
