//! Uploads over FTP: sent, counted on the server, hashed there when it can, given their time.

use std::sync::Arc;

use tokio::time::timeout;
use wharf_proto::ftp::{Pathname, client::Request, server::Representation};
use wharf_transfer::{Flow, Source, guard_against_stall};

use crate::{
    Error, Kind, Result, Step, Verify,
    ftp::{Running, Session, read_within},
    local::{Facts, Local, blocking, facts},
    site::UrlType,
    transfer::{
        Course, LAST_WORDS, OVERLAP, Transferred, Upload, Verified, differs, flow_error, hash,
    },
};

/// One attempt at a file.
///
/// # Errors
/// [`Error`].
pub(in crate::transfer) async fn put(
    course: &mut Course<'_>,
    upload: &Upload,
) -> Result<Transferred> {
    Work { course, upload }.attempt().await
}

struct Work<'a, 'b> {
    course: &'a mut Course<'b>,
    upload: &'a Upload,
}

impl Work<'_, '_> {
    async fn attempt(&mut self) -> Result<Transferred> {
        let path = self.upload.source.clone();
        let what = format!("cannot read {}", path.display());
        let (file, found) =
            blocking(&what, move || Ok((Local::open(&path)?, facts(&path)?))).await?;
        let Some(Facts { size, modified, .. }) = found else {
            return Err(Error::new(Step::Local, Kind::Local, what));
        };
        let target = &self.upload.target;
        let name = target
            .name()
            .ok_or_else(|| {
                Error::new(
                    Step::Command,
                    Kind::Usage,
                    format!("{target} names no file"),
                )
            })?
            .to_vec();
        if target.kind == Some(UrlType::Text) {
            return Err(Error::new(
                Step::Command,
                Kind::Usage,
                "uploads are binary; leave out ;type=a",
            ));
        }
        let mut lease = self.course.pool.lease().await?;
        let session = lease.session()?;
        session.go_to(target.parents()).await?;
        session.represent(Representation::Image).await?;
        let held = if self.course.resume {
            self.proved(session, &name, &file, size).await?
        } else {
            0
        };
        self.course.tell_started(Some(size), held);
        if held < size || size == 0 || !self.course.resume {
            self.send(session, &name, &file, held, size).await?;
        }
        let verified = self.verify(session, &name, &file, size).await?;
        session.set_time(&name, modified).await?;
        Ok(Transferred {
            size,
            kept: held,
            verified,
        })
    }

    /// How many octets of the remote file are proved to be the first of ours.
    async fn proved(
        &self,
        session: &mut Session,
        name: &[u8],
        file: &Local,
        size: u64,
    ) -> Result<u64> {
        let remote = match session.size(name).await? {
            Some(remote) if remote > 0 && remote <= size => remote,
            _ => return Ok(0),
        };
        if let Some((algorithm, theirs)) = session.remote_hash(name).await? {
            return Ok(if hash(file, algorithm, remote).await? == theirs {
                remote
            } else {
                0
            });
        }
        // Without a hash the last octets are fetched and compared.
        let start = remote - remote.min(OVERLAP);
        let length = usize::try_from(remote - start).unwrap_or(usize::MAX);
        let what = format!("cannot compare {}", self.upload.target);
        let request = Request::Retrieve {
            path: Pathname::from(name),
            offset: start,
        };
        let mut running = match session.begin(request, &what).await {
            Ok(running) => running,
            Err(error) if error.code().is_some() && session.is_usable() => return Ok(0),
            Err(error) => return Err(error),
        };
        let theirs = self.read_all(&mut running, length).await?;
        session.end(running.finish().await, &what).await?;
        let copy = file.clone();
        let ours = blocking("cannot read the local file", move || {
            copy.read_exact_at(start, length)
        })
        .await?;
        Ok(if ours == theirs { remote } else { 0 })
    }

    async fn read_all(&self, running: &mut Running, length: usize) -> Result<Vec<u8>> {
        let limit = self.course.pool.options().idle_timeout;
        // One more than expected shows a file that is longer than SIZE said.
        let mut bytes = vec![0; length + 1];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match read_within(&mut running.stream, rest, limit).await {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) => {
                    let text = format!("the data connection broke: {error}");
                    return Err(Error::new(Step::Transfer, Kind::Data, text).retryable());
                }
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    async fn send(
        &self,
        session: &mut Session,
        name: &[u8],
        file: &Local,
        held: u64,
        size: u64,
    ) -> Result<()> {
        let what = format!("cannot send {}", self.upload.target);
        let path = || Pathname::from(name);
        let mut running = match session
            .begin(
                Request::Store {
                    path: path(),
                    offset: held,
                },
                &what,
            )
            .await
        {
            // REST before STOR is refused: the same is said by APPE.
            Err(error)
                if held > 0 && session.is_usable() && matches!(error.code(), Some(500..=504)) =>
            {
                session.begin(Request::Append(path()), &what).await?
            }
            other => other?,
        };
        let source = Source {
            file: Arc::new(file.clone()),
            offset: held,
            length: size - held,
        };
        let flow = Flow {
            meter: &self.course.meter,
            throttles: &[],
        };
        let idle = self.course.pool.options().idle_timeout;
        let sending = wharf_transfer::send(&source, &mut running.stream, flow, None);
        match guard_against_stall(&self.course.meter, idle, sending).await {
            Ok(_) => session.end(running.finish().await, &what).await,
            Err(error @ wharf_transfer::Error::Stream(_)) => {
                // Why the server closed stands in its reply: full, quota, too large.
                let ended = running.finish().await;
                let told = timeout(LAST_WORDS, session.end(ended, &what)).await;
                Err(match told {
                    Ok(Err(refusal)) => refusal,
                    _ => flow_error(error),
                })
            }
            Err(error) => {
                // A clean end would let the server take a part for the whole.
                running.reset();
                session.give_up();
                Err(flow_error(error))
            }
        }
    }

    async fn verify(
        &self,
        session: &mut Session,
        name: &[u8],
        file: &Local,
        size: u64,
    ) -> Result<Verified> {
        let choice = self.course.pool.options().verify;
        if choice == Verify::None {
            return Ok(Verified::Closed);
        }
        let what = self.upload.target.to_string();
        let remote = match session.size(name).await? {
            Some(remote) => Some(remote),
            None => session.facts(name).await.ok().and_then(|entry| entry.size),
        };
        if let Some(remote) = remote
            && remote != size
        {
            let text = format!(
                "{what}: the server holds {remote} octets of {size}, though it called the upload complete"
            );
            return Err(Error::new(Step::Verify, Kind::Partial, text).retryable());
        }
        if choice != Verify::Size
            && session.offered_hash().is_some()
            && let Some((algorithm, theirs)) = session.remote_hash(name).await?
        {
            let ours = hash(file, algorithm, size).await?;
            if ours != theirs {
                return Err(differs(&what, algorithm, &ours, &theirs));
            }
            return Ok(Verified::Hash(algorithm));
        }
        if choice == Verify::Hash {
            return Err(Error::new(
                Step::Verify,
                Kind::Differs,
                format!("{what}: the server offers no hash to compare with"),
            )
            .hint("use --verify=auto or --verify=size"));
        }
        Ok(if remote.is_some() {
            Verified::Size
        } else {
            Verified::Closed
        })
    }
}
