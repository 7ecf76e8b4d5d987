//! Uploads over SFTP: into `NAME.wharf-part` beside the target, which takes the target's place when it
//! is whole (SFT-81); in place where no part can be made, and where a target that is proved to be ours
//! is gone on from.
//!
//! A part file that a server holds may have holes where a broken upload's blocks were missing: without
//! a hash of the server's the last window is sent again.

use wharf_proto::sftp::{Attributes, OpenFlags};

use super::{
    super::{Course, OVERLAP, Transferred, Upload, Verified},
    SMALL, file_path, judge, wants_hash,
};
use crate::{
    Error, Kind, Result, Step, Verify,
    local::{Facts, Local, blocking, facts},
    ssh::{
        plain,
        sftp::{CEILING, Compared, Remote, Sftp, hash_of_octets, is_refused, write},
    },
};

/// What a file is called until it is whole.
const PART: &[u8] = b".wharf-part";

/// One attempt.
pub(in super::super) async fn put(
    course: &mut Course<'_>,
    upload: &Upload,
    sftp: &Sftp,
) -> Result<Transferred> {
    let path = file_path(&upload.target)?;
    // First of all: those that wait hold no file and no content.
    let _open = sftp.file().await?;
    let local = upload.source.clone();
    let what = format!("cannot read {}", local.display());
    let (file, found, octets) = blocking(&what, move || {
        let (file, found) = (Local::open(&local)?, facts(&local)?);
        let octets = match found {
            // A small file is read at once.
            Some(Facts { size, .. }) if size <= SMALL => {
                file.read_exact_at(0, usize::try_from(size).unwrap_or(0))?
            }
            _ => Vec::new(),
        };
        Ok((file, found, octets))
    })
    .await?;
    let Some(facts) = found else {
        return Err(Error::new(Step::Local, Kind::Local, what));
    };
    let work = Work {
        sftp,
        what: format!("cannot send {}", upload.target),
        part: [path.as_slice(), PART].concat(),
        path,
        file,
        facts,
        octets,
        upload,
    };
    work.attempt(course).await
}

struct Work<'a> {
    upload: &'a Upload,
    sftp: &'a Sftp,
    what: String,
    path: Vec<u8>,
    part: Vec<u8>,
    file: Local,
    facts: Facts,
    /// The content of a small file.
    octets: Vec<u8>,
}

/// Where an upload goes until it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Part,
    Target,
}

impl Work<'_> {
    async fn attempt(&self, course: &mut Course<'_>) -> Result<Transferred> {
        let (place, held) = if course.resume {
            self.proved(course).await?
        } else {
            (Place::Part, 0)
        };
        let size = self.facts.size;
        course.tell_started(Some(size), held);
        if place == Place::Target && held == size && size > 0 {
            // It is all there.
            let verified = self.check(course, Place::Target).await?;
            return Ok(self.done(held, verified));
        }
        let (remote, place) = self.open(place, held).await?;
        let verified = match self.fill(course, remote, place, held).await {
            Ok(verified) => verified,
            Err(error) => {
                if place == Place::Part && (error.starts_over() || is_refused(&error)) {
                    // Nobody goes on from it; that it cannot be removed is not the news.
                    let _ = self.sftp.remove_file(&self.part, &self.what).await;
                }
                return Err(error);
            }
        };
        if place == Place::Part
            && let Err(error) = self.sftp.replace(&self.part, &self.path, &self.what).await
        {
            if !is_refused(&error) {
                return Err(error);
            }
            if matches!(self.sftp.look(&self.path).await, Ok(Some(_))) {
                let _ = self.sftp.remove_file(&self.part, &self.what).await;
                return Err(error);
            }
            // Nothing bears the name any more, or yet: what was sent is all that there is.
            let part = String::from_utf8_lossy(&self.part);
            return Err(error.hint(format!(
                "everything was sent and is kept on the server as {}; rename it there",
                plain(&part)
            )));
        }
        Ok(self.done(held, verified))
    }

    const fn done(&self, held: u64, verified: Verified) -> Transferred {
        Transferred {
            size: self.facts.size,
            kept: held,
            verified,
        }
    }

    const fn path_of(&self, place: Place) -> &Vec<u8> {
        match place {
            Place::Part => &self.part,
            Place::Target => &self.path,
        }
    }

    /// Opens the part; the target itself where no part can be made beside it.
    async fn open(&self, place: Place, held: u64) -> Result<(Remote<'_>, Place)> {
        let flags = if held > 0 {
            OpenFlags::WRITE
        } else {
            OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE
        };
        let attributes = Attributes {
            permissions: Some(self.facts.mode & 0o777),
            ..Attributes::default()
        };
        let open = |path: &[u8]| self.sftp.open(path, flags, attributes).opened(&self.what);
        match open(self.path_of(place)).await {
            Ok(remote) => Ok((remote, place)),
            Err(error) if place == Place::Part && held == 0 && is_refused(&error) => {
                // A refusal without a reason may hold for the target, too, when it is emptied already.
                let remote = if error.kind() == Kind::Rejected {
                    let flags = flags | OpenFlags::EXCLUSIVE;
                    let opening = self.sftp.open(&self.path, flags, attributes);
                    opening.opened(&self.what).await.map_err(|_| error)?
                } else {
                    // It is the target's refusal that matters, if there is one.
                    open(&self.path).await?
                };
                Ok((remote, Place::Target))
            }
            Err(error) => Err(error),
        }
    }

    /// Sends what is missing, gives it its time, and asks what the server holds now; everything but the
    /// content of a large file goes together.
    async fn fill(
        &self,
        course: &Course<'_>,
        remote: Remote<'_>,
        place: Place,
        held: u64,
    ) -> Result<Verified> {
        let size = self.facts.size;
        let options = course.pool.options();
        let mut written = Vec::new();
        if size <= SMALL {
            let block = self.sftp.limits().write as usize;
            let rest = usize::try_from(held).unwrap_or(usize::MAX);
            let mut at = held;
            for piece in self.octets.get(rest..).unwrap_or_default().chunks(block) {
                written.push((remote.write(at, piece), piece.len() as u64));
                at += piece.len() as u64;
            }
        } else {
            let _large = self.sftp.large().await?;
            let range = held..size;
            let handle = remote.handle();
            write(
                self.sftp,
                handle,
                &self.file,
                range,
                &course.meter,
                &self.what,
            )
            .await?;
        }
        let time = Attributes::wire_time(self.facts.modified);
        let attributes = Attributes {
            times: Some((time, time)),
            permissions: options.keep_permissions.then_some(self.facts.mode & 0o777),
            ..Attributes::default()
        };
        let timing = remote.set_stat(attributes);
        let looking = remote.stat();
        let closing = remote.close();
        let hashing = (size <= SMALL && wants_hash(options, size))
            .then(|| self.sftp.hash_of(self.path_of(place), 0, size));
        for (piece, length) in written {
            piece.done(&self.what).await?;
            course.meter.add(length);
        }
        // As for FTP: a server that keeps no times is borne.
        timing.done(&self.what).await.or_else(|error| {
            if is_refused(&error) {
                Ok(())
            } else {
                Err(error)
            }
        })?;
        let remote_size = looking.attributes(&self.what).await.map_or_else(
            |error| {
                if is_refused(&error) {
                    Ok(None)
                } else {
                    Err(error)
                }
            },
            |attributes| Ok(attributes.size),
        )?;
        closing.done(&self.what).await?;
        if options.verify == Verify::None {
            return Ok(Verified::Closed);
        }
        if let Some(remote_size) = remote_size
            && remote_size != size
        {
            return Err(self.has_another_size(remote_size));
        }
        let target = self.upload.target.to_string();
        match hashing {
            Some(hashing) => {
                let hashes = hashing.told().await?.map(|(algorithm, theirs)| {
                    let ours = hash_of_octets(algorithm, &self.octets);
                    (algorithm, ours, theirs)
                });
                judge(options, &target, remote_size.is_some(), hashes)
            }
            None => self.hashed(course, place, remote_size.is_some()).await,
        }
    }

    /// Compares a file that is complete on the server.
    async fn check(&self, course: &Course<'_>, place: Place) -> Result<Verified> {
        if course.pool.options().verify == Verify::None {
            return Ok(Verified::Closed);
        }
        self.hashed(course, place, true).await
    }

    async fn hashed(
        &self,
        course: &Course<'_>,
        place: Place,
        size_is_known: bool,
    ) -> Result<Verified> {
        let options = course.pool.options();
        let size = self.facts.size;
        let compared = if wants_hash(options, size) {
            let path = self.path_of(place);
            self.sftp.compare(path, &self.file, size).await?
        } else {
            Compared::Untold
        };
        let hashes = match compared {
            Compared::Untold => None,
            Compared::Same(algorithm) => Some((algorithm, String::new(), String::new())),
            Compared::Different {
                algorithm,
                ours,
                theirs,
            } => Some((algorithm, ours, theirs)),
        };
        let target = self.upload.target.to_string();
        judge(options, &target, size_is_known, hashes)
    }

    fn has_another_size(&self, remote: u64) -> Error {
        let text = format!(
            "{}: the server holds {remote} octets of {}, though it called the upload complete",
            self.upload.target, self.facts.size
        );
        Error::new(Step::Verify, Kind::Partial, text).retryable()
    }

    /// Where an earlier upload left something that is proved to be the beginning of ours, and how much.
    /// What another attempt of this run has left is in the part: only the user can say that the target
    /// is to be gone on from.
    async fn proved(&self, course: &Course<'_>) -> Result<(Place, u64)> {
        let places: &[Place] = if course.pool.options().resume {
            &[Place::Part, Place::Target]
        } else {
            &[Place::Part]
        };
        for place in places.iter().copied() {
            let Some(found) = self.sftp.look(self.path_of(place)).await? else {
                continue;
            };
            let there = found.size.unwrap_or(0);
            if there == 0 || there > self.facts.size {
                continue;
            }
            let modified = found.times.map(|(_, modified)| modified);
            let held = self.agrees(course, place, there, modified).await?;
            if held > 0 {
                return Ok((place, held));
            }
        }
        Ok((Place::Part, 0))
    }

    async fn agrees(
        &self,
        course: &Course<'_>,
        place: Place,
        there: u64,
        modified: Option<u32>,
    ) -> Result<u64> {
        let path = self.path_of(place);
        if course.pool.options().verify != Verify::Size {
            match self.sftp.compare(path, &self.file, there).await? {
                Compared::Same(_) => return Ok(there),
                Compared::Different { .. } => return Ok(0),
                Compared::Untold => {}
            }
        }
        let held = if place == Place::Target && there == self.facts.size {
            // A whole file has no window that was broken, and the time that an upload gave it.
            if modified != Some(Attributes::wire_time(self.facts.modified)) {
                return Ok(0);
            }
            there
        } else {
            there.saturating_sub(CEILING as u64)
        };
        if held == 0 {
            return Ok(0);
        }
        let opening = self.sftp.open(path, OpenFlags::READ, Attributes::default());
        let remote = match opening.opened(&self.what).await {
            Ok(remote) => remote,
            // What cannot be read cannot be gone on from.
            Err(error) if is_refused(&error) => return Ok(0),
            Err(error) => return Err(error),
        };
        let overlap = held.min(OVERLAP);
        let length = usize::try_from(overlap).unwrap_or(usize::MAX);
        let theirs = remote
            .read_exact(held - overlap, length, &self.what)
            .await?;
        let file = self.file.clone();
        let ours = blocking("cannot read the local file", move || {
            file.read_exact_at(held - overlap, length)
        })
        .await?;
        Ok(if ours == theirs { held } else { 0 })
    }
}
