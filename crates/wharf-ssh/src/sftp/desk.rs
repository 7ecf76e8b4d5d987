//! From a request to the work that it is: the one dispatch over all requests.
//!
//! READ and WRITE are done here and now, without a future, as long as the volume can do them at once;
//! so is what needs no volume. All else becomes a [`Job`], which the channel polls once before it
//! lets it wait beside the others. A throttled account pays for its octets in jobs.

use std::{future::Future, pin::Pin, sync::Arc};

use wharf_engine::events::{Direction, Event};
use wharf_proto::sftp::{
    Extended, MAX_DATA, MAX_PACKET, OpenFlags, Request, RequestId, StatusCode,
    response::{self, DATA_HEADER, Data, Limits},
};
use wharf_vfs::{Answer, Links, VirtualPath};

use super::{
    attributes, buffers,
    context::{Refusal, Result, Work, failure},
    copy, directory,
    file::{self, Entry, OpenFile},
    handles::{Handle, Handles},
    hash,
    outcome::{Outcome, TOO_MANY, done, eof},
    space,
    tree::{self, Renaming},
};

/// What a request leads to, sooner or later.
pub(super) type Finishing = Pin<Box<dyn Future<Output = Result<Outcome>> + Send>>;

/// The work of a request that was not answered at once.
pub(super) struct Job {
    pub(super) work: Finishing,
    /// Octets that it keeps in memory.
    pub(super) octets: usize,
    pub(super) kind: Kind,
}

/// What the channel must know of a job that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It may take a handle.
    Opening,
    /// Anything else.
    Plain,
}

/// The place where requests of one channel are taken up and answered.
pub(super) struct Desk<'a> {
    pub(super) work: &'a Arc<Work>,
    pub(super) handles: &'a mut Handles<Entry>,
    /// Handles that jobs may still take.
    pub(super) opening: usize,
    pub(super) output: &'a mut Vec<u8>,
}

/// Octets of a client's name that are told to the log.
const MAX_NAME: usize = 255;

/// A handle that is none, or of the wrong kind (SFT-24).
const BAD_HANDLE: Refusal = failure("No such handle");
const NOT_FOR_READING: Refusal = Refusal::Said(
    StatusCode::PermissionDenied,
    "The file is not open for reading",
);
const NOT_FOR_WRITING: Refusal = Refusal::Said(
    StatusCode::PermissionDenied,
    "The file is not open for writing",
);

fn job(work: impl Future<Output = Result<Outcome>> + Send + 'static) -> Job {
    Job {
        work: Box::pin(work),
        octets: 0,
        kind: Kind::Plain,
    }
}

impl Desk<'_> {
    /// Answers a request, or gives the work that will.
    pub(super) fn take_up(&mut self, id: RequestId, request: &Request<'_>) -> Option<Job> {
        let begun = match *request {
            Request::Read {
                handle,
                offset,
                length,
            } => self.read(id, handle, offset, length),
            Request::Write {
                handle,
                offset,
                data,
            } => self.write(id, handle, offset, data),
            Request::Close { handle } => self.close(id, handle),
            Request::Extended(ref extended) => self.extended(id, extended),
            ref other => self.plain(id, other),
        };
        begun.unwrap_or_else(|refusal| {
            self.refuse(id, &refusal);
            None
        })
    }

    /// The requests of the draft that are not of the hot path.
    fn plain(&mut self, id: RequestId, request: &Request<'_>) -> Result<Option<Job>> {
        let work = Arc::clone(self.work);
        Ok(Some(match *request {
            Request::Open {
                path,
                flags,
                attributes,
            } => {
                let path = self.to_open(path)?;
                let known = if flags.contains(OpenFlags::CREATE | OpenFlags::TRUNCATE) {
                    self.handles.iter().filter_map(Entry::identity).collect()
                } else {
                    Vec::new()
                };
                opening(file::open(work, path, flags, attributes, known))
            }
            Request::OpenDirectory { path } => {
                let path = self.to_open(path)?;
                opening(directory::open(work, path))
            }
            Request::ReadDirectory { handle } => return self.read_directory(id, handle),
            Request::LStat { path } => job(attributes::look(
                work,
                self.work.path(path)?,
                Links::NoFollow,
            )),
            Request::Stat { path } => {
                job(attributes::look(work, self.work.path(path)?, Links::Follow))
            }
            Request::FStat { handle } => match entry(self.handles, handle)? {
                (_, Entry::File(file)) => job(attributes::look_at_file(
                    Arc::clone(&file.file),
                    file.path.clone(),
                )),
                (_, Entry::Directory(Some(directory))) => {
                    let path = directory.path.clone();
                    job(attributes::look(work, path, Links::Follow))
                }
                (_, Entry::Directory(None)) => return Err(BAD_HANDLE),
            },
            Request::SetStat { path, attributes } => {
                let subject = attributes::Subject::Path(self.work.path(path)?, Links::Follow);
                job(attributes::change(work, subject, attributes))
            }
            Request::FSetStat { handle, attributes } => {
                let subject = match entry(self.handles, handle)? {
                    (_, Entry::File(file)) => attributes::Subject::File {
                        file: Arc::clone(&file.file),
                        path: file.path.clone(),
                        writable: file.writable,
                        append: file.append,
                        is_upload: file.is_upload(),
                    },
                    (_, Entry::Directory(Some(directory))) => {
                        attributes::Subject::Path(directory.path.clone(), Links::Follow)
                    }
                    (_, Entry::Directory(None)) => return Err(BAD_HANDLE),
                };
                job(attributes::change(work, subject, attributes))
            }
            Request::Remove { path } => job(tree::remove(work, self.work.path(path)?)),
            Request::MakeDirectory { path, attributes } => job(tree::make_directory(
                work,
                self.work.path(path)?,
                attributes,
            )),
            Request::RemoveDirectory { path } => {
                job(tree::remove_directory(work, self.work.path(path)?))
            }
            Request::RealPath { path } => job(tree::real_path(work, self.work.path(path)?)),
            Request::Rename { from, to } => {
                let (from, to) = (self.work.path(from)?, self.work.path(to)?);
                job(tree::rename(work, from, to, Renaming::New))
            }
            Request::ReadLink { path } => job(tree::read_link(work, self.work.path(path)?)),
            Request::Symlink { target, link } => {
                job(tree::symlink(work, target.to_vec(), self.work.path(link)?))
            }
            // Taken up by those who call this.
            Request::Read { .. }
            | Request::Write { .. }
            | Request::Close { .. }
            | Request::Extended(_) => return Err(BAD_HANDLE),
        }))
    }

    /// The path of what shall be opened, if there may be one more open file.
    fn to_open(&self, path: &[u8]) -> Result<VirtualPath> {
        let path = self.work.path(path)?;
        if self.handles.has_room(self.opening) {
            Ok(path)
        } else {
            Err(failure(TOO_MANY))
        }
    }

    /// READ (SFT-33): straight behind its header in the reply.
    fn read(
        &mut self,
        id: RequestId,
        handle: &[u8],
        offset: u64,
        length: u32,
    ) -> Result<Option<Job>> {
        let (handle, file) = readable(self.handles, handle)?;
        let limit = usize::try_from(length.min(MAX_DATA)).unwrap_or_default();
        let output = &mut *self.output;
        if limit == 0 {
            Data::begin(id, output).finish(output);
            return Ok(None);
        }
        if i64::try_from(offset).is_err() {
            eof(id, output);
            return Ok(None);
        }
        if self.work.session.account().download.is_empty() {
            buffers::make_room(output, DATA_HEADER + limit);
            let data = Data::begin(id, output);
            match file.file.try_read_at(output, limit, offset) {
                Some(Ok(0)) => {
                    data.cancel(output);
                    eof(id, output);
                    return Ok(None);
                }
                Some(Ok(octets)) => {
                    data.finish(output);
                    file.transfer.sent(octets as u64);
                    return Ok(None);
                }
                Some(Err(error)) => {
                    data.cancel(output);
                    return Err(error.at(&file.path).into());
                }
                None => data.cancel(output),
            }
        }
        let (work, path) = (Arc::clone(self.work), file.path.clone());
        let file = Arc::clone(&file.file);
        let reading = async move {
            let read = file.read_at(Vec::with_capacity(limit), offset).await;
            let mut data = read.map_err(|error| error.at(&path))?;
            data.truncate(limit);
            work.pay(Direction::Download, data.len()).await?;
            Ok(Outcome::Data { handle, data })
        };
        Ok(Some(Job {
            octets: limit,
            ..job(reading)
        }))
    }

    /// WRITE (SFT-34): from where it lies in the input.
    fn write(
        &mut self,
        id: RequestId,
        handle: &[u8],
        offset: u64,
        data: &[u8],
    ) -> Result<Option<Job>> {
        let (handle, file) = writable(self.handles, handle)?;
        let end = offset.saturating_add(data.len() as u64);
        if i64::try_from(end).is_err() && !file.append {
            self.refuse_write(id, handle, failure("File too large"));
            return Ok(None);
        }
        let at_once = if self.work.session.account().upload.is_empty() {
            match place(file, offset) {
                Some(Ok(offset)) => file.file.try_write_at(data, offset),
                Some(Err(error)) => Some(Err(error)),
                None => None,
            }
        } else {
            None
        };
        match at_once {
            Some(Ok(())) => {
                file.transfer.received(data.len() as u64);
                done(id, self.output);
                return Ok(None);
            }
            Some(Err(error)) => {
                let error = error.at(&file.path);
                self.refuse_write(id, handle, error.into());
                return Ok(None);
            }
            None => {}
        }
        let (work, path, append) = (Arc::clone(self.work), file.path.clone(), file.append);
        let file = Arc::clone(&file.file);
        let (data, octets) = (data.to_vec(), data.len());
        let writing = async move {
            work.pay(Direction::Upload, octets).await?;
            let written = async {
                let offset = if append {
                    file.metadata().await?.size
                } else {
                    offset
                };
                file.write_at(data, offset).await
            };
            let refused = written.await.map_err(|error| error.at(&path).into()).err();
            Ok(Outcome::Written {
                handle,
                octets: if refused.is_none() { octets as u64 } else { 0 },
                refused,
            })
        };
        Ok(Some(Job {
            octets,
            kind: Kind::Plain,
            ..job(writing)
        }))
    }

    /// CLOSE (SFT-32).
    fn close(&mut self, id: RequestId, handle: &[u8]) -> Result<Option<Job>> {
        let handle = Handle::parse(handle).ok_or(BAD_HANDLE)?;
        match self.handles.remove(handle).ok_or(BAD_HANDLE)? {
            Entry::File(file) if !file.is_only_read() => {
                return Ok(Some(job(file.close(Arc::clone(self.work)))));
            }
            Entry::File(file) => file.close_read(),
            Entry::Directory(_) => {}
        }
        done(id, self.output);
        Ok(None)
    }

    /// READDIR (SFT-37).
    fn read_directory(&mut self, id: RequestId, handle: &[u8]) -> Result<Option<Job>> {
        let (handle, entry) = entry(self.handles, handle)?;
        let Entry::Directory(place) = entry else {
            return Err(BAD_HANDLE);
        };
        let mut directory = place.take().ok_or(BAD_HANDLE)?;
        if directory.is_spent() {
            return Ok(Some(job(directory::read(handle, directory))));
        }
        directory.answer(id, self.output);
        *place = Some(directory);
        Ok(None)
    }

    /// The extensions (SFT-50..65).
    fn extended(&mut self, id: RequestId, extended: &Extended<'_>) -> Result<Option<Job>> {
        let work = Arc::clone(self.work);
        let path = |octets| self.work.path(octets);
        Ok(Some(match *extended {
            Extended::PosixRename { from, to } => job(tree::rename(
                work,
                path(from)?,
                path(to)?,
                Renaming::Replacing,
            )),
            Extended::StatVfs { path: at } => job(space::file_system(work, path(at)?)),
            Extended::FStatVfs { handle } => {
                let at = entry(self.handles, handle)?.1.path().ok_or(BAD_HANDLE)?;
                job(space::file_system(work, at.clone()))
            }
            Extended::HardLink { existing, link } => {
                job(tree::hard_link(work, path(existing)?, path(link)?))
            }
            Extended::FSync { handle } => {
                let (_, file) = writable(self.handles, handle)?;
                job(file::sync(Arc::clone(&file.file), file.path.clone()))
            }
            Extended::LSetStat {
                path: at,
                attributes,
            } => {
                let subject = attributes::Subject::Path(path(at)?, Links::NoFollow);
                job(attributes::change(work, subject, attributes))
            }
            Extended::CopyData {
                source,
                source_offset,
                length,
                target,
                target_offset,
            } => {
                let (from, file) = readable(self.handles, source)?;
                let source = copy::End::of(file, source_offset);
                let (to, file) = writable(self.handles, target)?;
                if from == to {
                    return Err(failure(copy::SAME));
                }
                let target = copy::End::of(file, target_offset);
                job(copy::data(work, source, target, length, to))
            }
            Extended::CopyFile {
                source,
                target,
                overwrite,
            } => job(copy::file(work, path(source)?, path(target)?, overwrite)),
            Extended::CheckFileHandle { handle, check } => {
                let subject = hash::Subject::of(readable(self.handles, handle)?.1);
                job(hash::check(work, subject, check.into()))
            }
            Extended::CheckFileName { path: at, check } => {
                let subject = hash::Subject::Path(path(at)?);
                job(hash::check(work, subject, check.into()))
            }
            Extended::Md5Hash { path: at, range } => {
                let subject = hash::Subject::Path(path(at)?);
                let quick = range.quick_check.to_vec();
                job(hash::md5(work, subject, range.into(), quick))
            }
            Extended::Md5HashHandle { handle, range } => {
                let subject = hash::Subject::of(readable(self.handles, handle)?.1);
                let quick = range.quick_check.to_vec();
                job(hash::md5(work, subject, range.into(), quick))
            }
            Extended::SpaceAvailable { path: at } => job(space::available(work, path(at)?)),
            // What needs no volume.
            Extended::Limits
            | Extended::ExpandPath { .. }
            | Extended::HomeDirectory { .. }
            | Extended::UsersGroupsById { .. }
            | Extended::VendorId(_)
            | Extended::Unknown { .. } => {
                self.tell(id, extended)?;
                return Ok(None);
            }
        }))
    }

    /// Extensions that ask about the service itself.
    fn tell(&mut self, id: RequestId, extended: &Extended<'_>) -> Result<()> {
        match *extended {
            Extended::ExpandPath { path } => {
                let path = tree::expand(self.work, path)?;
                response::name(id, path.as_bytes(), self.output);
            }
            Extended::HomeDirectory { user } => {
                tree::check_own(self.work, user)?;
                response::name(id, self.work.view().home().as_bytes(), self.output);
            }
            Extended::UsersGroupsById { users, groups } => {
                // The numbers are the host's, whose names are not told.
                let names = |count| std::iter::repeat_n(b"".as_slice(), count);
                let (users, groups) = (names(users.iter().len()), names(groups.iter().len()));
                response::users_and_groups(id, users, groups, self.output);
            }
            Extended::VendorId(vendor) => {
                let mut name = [vendor.vendor, vendor.product, vendor.version].join(&b' ');
                name.truncate(MAX_NAME);
                self.work.session.tell(&Event::ClientName(&name));
                done(id, self.output);
            }
            Extended::Limits => {
                let limits = Limits {
                    packet: MAX_PACKET as u64,
                    read: MAX_DATA.into(),
                    write: MAX_DATA.into(),
                    handles: self.handles.limit() as u64,
                };
                response::limits(id, &limits, self.output);
            }
            _ => {
                let code = StatusCode::OpUnsupported;
                response::status(id, code, code.text(), self.output);
            }
        }
        Ok(())
    }
}

fn opening(work: impl Future<Output = Result<Outcome>> + Send + 'static) -> Job {
    Job {
        kind: Kind::Opening,
        ..job(work)
    }
}

/// Where a write goes; `None` when the volume must be asked.
fn place(file: &OpenFile, offset: u64) -> Option<wharf_vfs::Result<u64>> {
    if !file.append {
        return Some(Ok(offset));
    }
    match file.file.metadata() {
        Answer::Now(Some(known)) => Some(known.map(|metadata| metadata.size)),
        Answer::Now(None) | Answer::Later(_) => None,
    }
}

fn entry<'h>(handles: &'h mut Handles<Entry>, handle: &[u8]) -> Result<(Handle, &'h mut Entry)> {
    let handle = Handle::parse(handle).ok_or(BAD_HANDLE)?;
    let entry = handles.find(handle).ok_or(BAD_HANDLE)?;
    Ok((handle, entry))
}

fn file<'h>(handles: &'h mut Handles<Entry>, handle: &[u8]) -> Result<(Handle, &'h mut OpenFile)> {
    match entry(handles, handle)? {
        (handle, Entry::File(file)) => Ok((handle, file)),
        (_, Entry::Directory(_)) => Err(BAD_HANDLE),
    }
}

/// A file that may be read.
fn readable<'h>(
    handles: &'h mut Handles<Entry>,
    handle: &[u8],
) -> Result<(Handle, &'h mut OpenFile)> {
    let found = file(handles, handle)?;
    if found.1.readable {
        Ok(found)
    } else {
        Err(NOT_FOR_READING)
    }
}

/// A file that may be written.
fn writable<'h>(
    handles: &'h mut Handles<Entry>,
    handle: &[u8],
) -> Result<(Handle, &'h mut OpenFile)> {
    let found = file(handles, handle)?;
    if found.1.writable {
        Ok(found)
    } else {
        Err(NOT_FOR_WRITING)
    }
}
