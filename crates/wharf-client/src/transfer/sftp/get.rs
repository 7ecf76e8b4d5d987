//! Downloads over SFTP: into a part file, resumed from what is proved, renamed when whole.

use wharf_proto::{
    ftp::listing::parse::{Kind as EntryKind, Precision},
    sftp::{Attributes, FileType, OpenFlags},
};
use wharf_transfer::Algorithm;

use super::{
    super::{
        Course, Download, OVERLAP, Transferred, Verified, differs,
        part::{Known, Part, write_whole},
        partial,
        writer::Writer,
    },
    SMALL, file_path, judge, wants_hash,
};
use crate::{
    Error, Kind, Result, Step, Verify,
    local::{Facts, Local, blocking, facts},
    ssh::sftp::{Compared, Reading, Remote, Sftp, grew, hash_of_octets},
};

/// One attempt.
pub(in super::super) async fn get(
    course: &mut Course<'_>,
    download: &Download,
    sftp: &Sftp,
) -> Result<Transferred> {
    let path = file_path(&download.source)?;
    let _open = sftp.file().await?;
    let mut work = Work {
        course,
        download,
        sftp,
        what: format!("cannot fetch {}", download.source),
        path,
    };
    work.attempt().await
}

struct Work<'a, 'b> {
    course: &'a mut Course<'b>,
    download: &'a Download,
    sftp: &'a Sftp,
    what: String,
    path: Vec<u8>,
}

/// A source, as far as it was told.
#[derive(Clone, Copy)]
struct Look {
    known: Known,
    mode: Option<u32>,
}

impl Look {
    fn of(attributes: &Attributes) -> Self {
        Self {
            known: Known {
                size: attributes.size,
                mtime: attributes.times.map(|(_, modified)| modified.into()),
            },
            mode: attributes.permissions.map(|mode| mode & 0o777),
        }
    }
}

impl Work<'_, '_> {
    async fn attempt(&mut self) -> Result<Transferred> {
        let sftp = self.sftp;
        let flags = OpenFlags::READ;
        // Both questions are on their way before the first answer is awaited.
        let opening = sftp.open(&self.path, flags, Attributes::default());
        let look = match self.told() {
            Some(look) => look,
            None => {
                let attributes = sftp.stat(&self.path, &self.what).await?;
                if attributes.file_type() == Some(FileType::Directory) {
                    let text = format!("{} is a directory", self.download.source);
                    let error = Error::new(Step::Command, Kind::Usage, text);
                    return Err(error.hint("use -r to fetch a tree"));
                }
                Look::of(&attributes)
            }
        };
        let remote = opening.opened(&self.what).await?;
        if self.course.resume
            && let Some(done) = self.already_there(look.known).await?
        {
            return Ok(done);
        }
        let remote = match look.known.size {
            Some(size) if size > 0 && size <= SMALL && !self.course.resume => {
                match self.fetch_whole(remote, look, size).await? {
                    Ok(done) => return Ok(done),
                    // Something was short: block by block, then.
                    Err(Short) => {
                        let again = sftp.open(&self.path, flags, Attributes::default());
                        again.opened(&self.what).await?
                    }
                }
            }
            _ => remote,
        };
        let _large = sftp.large().await?;
        let url = self.download.source.to_string();
        let part = Part::open(&self.download.target, url).await?;
        let result = self.fetch(remote, look, &part).await;
        match &result {
            Err(error) if error.starts_over() => part.discard().await?,
            Err(_) => part.leave().await,
            Ok(_) => {}
        }
        result
    }

    /// What a listing told; after an attempt that came so far, it may be out of date.
    fn told(&self) -> Option<Look> {
        if self.course.told {
            return None;
        }
        let entry = self.download.known.as_ref()?;
        let size = entry.size.filter(|_| entry.kind == EntryKind::File)?;
        let exact = |precision| precision == Precision::Second;
        let mtime = entry.modified.filter(|modified| exact(modified.precision));
        Some(Look {
            known: Known {
                size: Some(size),
                mtime: mtime.map(|modified| modified.seconds),
            },
            mode: entry.mode.map(|mode| mode & 0o777),
        })
    }

    /// The mode that the copy shall have.
    fn mode(&self, look: Look) -> Option<u32> {
        look.mode
            .filter(|_| self.course.pool.options().keep_permissions)
    }

    /// With `-c`: the target stands there with the same size and time, and the same hash if one is
    /// offered.
    async fn already_there(&self, known: Known) -> Result<Option<Transferred>> {
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
        if known.size != Some(size) || known.mtime != Some(modified) {
            return Ok(None);
        }
        let mut verified = Verified::Size;
        if wants_hash(self.course.pool.options(), size) {
            let target = self.download.target.clone();
            let file = blocking("cannot read the target", move || Local::open(&target)).await?;
            match self.sftp.compare(&self.path, &file, size).await? {
                Compared::Same(algorithm) => verified = Verified::Hash(algorithm),
                Compared::Different { .. } => return Ok(None),
                Compared::Untold => {}
            }
        }
        Ok(Some(Transferred {
            size,
            kept: size,
            verified,
        }))
    }

    /// A small file: everything is asked at once, and the file is made in one go.
    async fn fetch_whole(
        &mut self,
        remote: Remote<'_>,
        look: Look,
        size: u64,
    ) -> Result<Result<Transferred, Short>> {
        let options = self.course.pool.options();
        let block = u64::from(self.sftp.limits().read);
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < size {
            let length = block.min(size - at);
            pieces.push(remote.read(at, u32::try_from(length).unwrap_or(u32::MAX)));
            at += length;
        }
        // The octet behind the end shows that the size is right.
        let behind = remote.read(size, 1);
        let hashing = wants_hash(options, size).then(|| remote.hash(0, size));
        let closing = remote.close();
        self.course.tell_started(Some(size), 0);
        let mut octets = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        let mut short = false;
        for piece in pieces {
            let before = octets.len() as u64;
            match piece.octets(&self.what).await? {
                Some(piece) => octets.extend_from_slice(&piece),
                None => {
                    short = true;
                    break;
                }
            }
            let whole = block.min(size - before);
            short |= octets.len() as u64 - before != whole;
            if short {
                break;
            }
        }
        if short {
            return Ok(Err(Short));
        }
        if behind.octets(&self.what).await?.is_some() && options.verify != Verify::None {
            return Err(grew(&self.what));
        }
        self.course.meter.add(octets.len() as u64);
        let told = match hashing {
            Some(hashing) => hashing.told().await?,
            None => None,
        };
        // What was read is at hand; a server that cannot close it again changes nothing of that.
        let closed = closing.done(&self.what).await;
        let hashes = told.map(|(algorithm, theirs)| {
            let ours = hash_of_octets(algorithm, &octets);
            (algorithm, ours, theirs)
        });
        let source = self.download.source.to_string();
        let verified = judge(options, &source, true, hashes)?;
        closed?;
        let target = self.download.target.clone();
        write_whole(target, octets, look.known.mtime, self.mode(look)).await?;
        Ok(Ok(Transferred {
            size,
            kept: 0,
            verified,
        }))
    }

    async fn fetch(&mut self, remote: Remote<'_>, look: Look, part: &Part) -> Result<Transferred> {
        let known = look.known;
        let held = if self.course.resume {
            part.proved(known).await?
        } else {
            0
        };
        if held > 0 && !self.overlap_agrees(&remote, part, held).await? {
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
        let total = self.receive(&remote, part, held, known).await?;
        let options = self.course.pool.options();
        if let Some(size) = known
            .size
            .filter(|size| *size > 0 && options.verify != Verify::None)
        {
            if total > size {
                return Err(grew(&self.what));
            }
            if total < size {
                return Err(partial(&self.what, total, size));
            }
        }
        let source = self.download.source.to_string();
        remote.close().done(&self.what).await?;
        let hashes = if wants_hash(options, total) {
            self.hashes(&part.file, total).await?
        } else {
            None
        };
        let verified = judge(options, &source, known.size.is_some(), hashes)?;
        if let Some(mode) = self.mode(look) {
            let file = part.file.clone();
            blocking("cannot set the permissions", move || file.set_mode(mode)).await?;
        }
        part.commit(known.mtime).await?;
        Ok(Transferred {
            size: total,
            kept: held,
            verified,
        })
    }

    async fn hashes(
        &self,
        file: &Local,
        length: u64,
    ) -> Result<Option<(Algorithm, String, String)>> {
        Ok(match self.sftp.compare(&self.path, file, length).await? {
            Compared::Untold => None,
            Compared::Same(algorithm) => Some((algorithm, String::new(), String::new())),
            Compared::Different {
                algorithm,
                ours,
                theirs,
            } => {
                let source = self.download.source.to_string();
                return Err(differs(&source, algorithm, &ours, &theirs));
            }
        })
    }

    async fn overlap_agrees(&self, remote: &Remote<'_>, part: &Part, held: u64) -> Result<bool> {
        let overlap = held.min(OVERLAP);
        let length = usize::try_from(overlap).unwrap_or(usize::MAX);
        let theirs = remote
            .read_exact(held - overlap, length, &self.what)
            .await?;
        let ours = part.read(held - overlap, length).await?;
        Ok(theirs.len() == length && ours == theirs)
    }

    /// Moves the octets; gives the length of the part afterwards. One run is written while the next
    /// gathers.
    async fn receive(
        &self,
        remote: &Remote<'_>,
        part: &Part,
        held: u64,
        known: Known,
    ) -> Result<u64> {
        let mut reading = Reading::new(self.sftp, remote.handle(), held, known.size);
        let mut writer = Writer::new(part.file.clone(), held);
        let moved = loop {
            match reading.next(&self.what).await {
                Ok(Some(run)) => {
                    self.course.meter.add(run.len() as u64);
                    reading.reuse(writer.write(run).await?);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        // What came before a break is kept for the next attempt.
        writer.end().await?;
        moved.map(|()| writer.at())
    }
}

/// A small file was answered in parts.
struct Short;
