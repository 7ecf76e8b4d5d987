//! `scp -t`: files come and are stored (SCP-10 to SCP-16).
//!
//! A file is staged from its announcement on and visible when its last octet and the source's word
//! for it are here; whatever fails before that leaves what stood there. A store that fails in the
//! middle does not stop the source: the rest is read, then it is told.

use std::{collections::HashSet, hash::BuildHasher as _, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};
use wharf_engine::{
    FileTransfer,
    events::{Event, FileChange, TransferEnd},
    transfers::pay,
};
use wharf_proto::scp::{
    Header, Sink, SinkCommand, Wanted,
    message::Times,
    sink::{Settings, Step},
};
use wharf_transfer::buffer;
use wharf_vfs::{
    AbortedUpload, AttributeChange, Error, ErrorKind, Links, Right, Upload, UploadMode, View,
    VirtualPath,
};

use super::{Broken, Context, Wire, cause, complaint, is_missing, reason, timestamp};
use crate::clock;

/// Files of one run of which is remembered where they landed; what comes after them may replace.
const LANDED_LIMIT: usize = 1 << 16;

/// From this size on free space is asked for before a file is taken, octets.
const SPACE_CHECK_FROM: u64 = 1 << 20;

/// Serves one run. `Ok(true)`: everything came and is stored.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Send + Unpin>(
    wire: &mut Wire<S>,
    asked: SinkCommand,
    context: &Context,
) -> Result<bool, Broken> {
    let machine = Sink::new(Settings {
        recursive: asked.recursive,
        wanted: Wanted::anything(),
    });
    let mut receiver = Receiver {
        wire,
        machine,
        context,
        preserve: asked.preserve,
        top: Top::Directory(VirtualPath::root()),
        open: Vec::new(),
        landed: HashSet::new(),
        is_clean: true,
    };
    let ended = receiver.run(&asked).await;
    // The last word, if the channel still takes it.
    let _ = receiver.wire.send(receiver.machine.output()).await;
    ended.map(|()| receiver.is_clean)
}

/// Where things at the top go.
enum Top {
    /// Into this directory, under their own names.
    Directory(VirtualPath),
    /// To this path itself.
    Plain {
        path: VirtualPath,
        /// It was written with a `/` at its end: only a directory may go there.
        directory: bool,
    },
}

/// A directory that is open.
struct Open {
    path: VirtualPath,
    /// Permission bits that it gets at its end.
    mode: Option<u32>,
    times: Option<Times>,
}

struct Receiver<'a, S> {
    wire: &'a mut Wire<S>,
    machine: Sink,
    context: &'a Context,
    preserve: bool,
    top: Top,
    open: Vec<Open>,
    /// Hashes of the paths that files of this run went to (SCP-12), by the set's own keyed hasher.
    landed: HashSet<u64>,
    is_clean: bool,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Receiver<'_, S> {
    fn view(&self) -> &View {
        self.context.session.view()
    }

    async fn run(&mut self, asked: &SinkCommand) -> Result<(), Broken> {
        match self.find_top(asked).await {
            Ok(top) => self.top = top,
            Err(reason) => {
                self.machine.refuse(&complaint(&asked.target, reason));
                return Err(Broken::Target);
            }
        }
        self.machine.accept();
        loop {
            match self.step().await? {
                None => return Ok(()),
                Some(Step::File(header)) => self.file(header).await?,
                Some(Step::Directory(header)) => self.enter(header).await,
                Some(Step::Leave) => self.leave().await,
                Some(Step::Warning(_)) => self.is_clean = false,
                Some(Step::Stop(stop)) => return Err(stop.into()),
                // A file is received where it was announced; the machine waits for more itself.
                Some(Step::NeedInput | Step::Receive(_) | Step::Finish { .. }) => {}
            }
        }
    }

    /// What comes next; `None` at an end of the input where it may end.
    async fn step(&mut self) -> Result<Option<Step>, Broken> {
        loop {
            let machine = &mut self.machine;
            match self.wire.with_input(|input| machine.step(input)) {
                Step::NeedInput => {
                    self.wire.send(self.machine.output()).await?;
                    if !self.wire.fill().await? {
                        return if self.machine.may_end() {
                            Ok(None)
                        } else {
                            Err(Broken::Cut)
                        };
                    }
                }
                step => return Ok(Some(step)),
            }
        }
    }

    async fn find_top(&self, asked: &SinkCommand) -> Result<Top, &'static str> {
        let path = self
            .context
            .resolve(&asked.target)
            .map_err(|_| ErrorKind::InvalidName.text())?;
        match self.view().metadata(&path, Links::Follow).await {
            Ok(metadata) if metadata.is_directory() => Ok(Top::Directory(path)),
            Ok(_) if asked.directory => Err(ErrorKind::NotADirectory.text()),
            Err(error) if asked.directory => Err(reason(&error)),
            // Whether it can be made is told when it is.
            Ok(_) | Err(_) => Ok(Top::Plain {
                path,
                directory: asked.target.ends_with(b"/"),
            }),
        }
    }

    /// Where something of this name goes.
    fn place(&self, name: &[u8]) -> Result<VirtualPath, ErrorKind> {
        let directory = match (self.open.last(), &self.top) {
            (Some(open), _) => &open.path,
            (None, Top::Directory(path)) => path,
            (None, Top::Plain { path, .. }) => return Ok(path.clone()),
        };
        directory.join_name(name).map_err(ErrorKind::from)
    }

    /// The permission bits that something announced with `mode` gets (SCP-14), and whether they are
    /// the account's to choose.
    fn mode(&self, path: &VirtualPath, mode: u32) -> (u32, bool) {
        if self.preserve && self.view().rights(path).has(Right::Chmod) {
            (mode & 0o777, true)
        } else {
            (mode & 0o777 & !self.view().settings().umask, false)
        }
    }

    fn refuse(&mut self, name: &[u8], reason: &str) {
        self.is_clean = false;
        self.machine.refuse(&complaint(name, reason));
    }

    fn hash(&self, path: &VirtualPath) -> u64 {
        self.landed.hasher().hash_one(path)
    }

    /// Remembers that something of this run goes to `path`; `false` when something did before.
    fn land(&mut self, path: &VirtualPath) -> bool {
        let hash = self.hash(path);
        if self.landed.len() >= LANDED_LIMIT {
            return !self.landed.contains(&hash);
        }
        self.landed.insert(hash)
    }

    async fn enter(&mut self, header: Header) {
        match self.open_directory(&header).await {
            Ok(open) => {
                self.open.push(open);
                self.machine.accept();
            }
            Err(reason) => self.refuse(&header.name, reason),
        }
    }

    async fn open_directory(&mut self, header: &Header) -> Result<Open, &'static str> {
        let path = self.place(&header.name).map_err(ErrorKind::text)?;
        let (mode, chosen) = self.mode(&path, header.mode);
        let found = self.view().metadata(&path, Links::Follow).await;
        let is_new = match found {
            Ok(metadata) if metadata.is_directory() => false,
            Ok(_) => return Err(ErrorKind::NotADirectory.text()),
            Err(error) if is_missing(error.kind) => true,
            Err(error) => return Err(reason(&error)),
        };
        let is_plain = self.open.is_empty() && matches!(self.top, Top::Plain { .. });
        if is_plain && !self.land(&path) {
            return Err(TWICE);
        }
        // What is to come must find room in it, whatever its mode will be (SCP-13).
        let first = (mode | 0o700) & 0o777;
        if is_new {
            let made = self.view().create_directory(&path, 0o777 & !first).await;
            made.map_err(|error| reason(&error))?;
            self.context
                .session
                .tell(&Event::Changed(FileChange::DirectoryMade(path.as_bytes())));
        }
        let changes = if is_new { mode != first } else { true };
        Ok(Open {
            path,
            mode: (chosen && changes).then_some(mode),
            times: header.times,
        })
    }

    async fn leave(&mut self) {
        let Some(open) = self.open.pop() else {
            return self.machine.accept();
        };
        match self.set(&open.path, open.mode, open.times).await {
            Ok(()) => self.machine.accept(),
            Err(error) => {
                let reason = format!("set attributes: {}", reason(&error));
                self.refuse(open.path.name().unwrap_or(b"/"), &reason);
            }
        }
    }

    async fn set(
        &self,
        path: &VirtualPath,
        mode: Option<u32>,
        times: Option<Times>,
    ) -> Result<(), Error> {
        if mode.is_none() && times.is_none() {
            return Ok(());
        }
        let change = AttributeChange {
            mode,
            modified: times.map(|times| timestamp(times.modified, times.modified_micros)),
            accessed: times.map(|times| timestamp(times.accessed, times.accessed_micros)),
            ..AttributeChange::default()
        };
        let view = self.view();
        view.set_attributes(path, Links::Follow, change).await
    }

    async fn file(&mut self, header: Header) -> Result<(), Broken> {
        let begun = Box::pin(self.begin(&header)).await;
        let (upload, mode) = match begun {
            Ok(begun) => begun,
            Err(reason) => {
                self.refuse(&header.name, reason);
                return Ok(());
            }
        };
        let path = upload.target().clone();
        let session = Arc::clone(&self.context.session);
        let mut transfer = FileTransfer::new(session, path.clone(), clock::now());
        // Also an empty file is told of.
        transfer.received(0);
        self.machine.accept();
        let received = self.receive(&upload, &mut transfer).await;
        let stored = match received {
            Ok(Ok(())) => match upload.commit(None).await {
                Ok(()) => Ok(()),
                Err(error) => Err((Failure::Store(error), false)),
            },
            Ok(Err(failure)) => {
                let kept = self.abort(upload, &transfer).await;
                Err((failure, kept))
            }
            Err(broken) => {
                let kept = self.abort(upload, &transfer).await;
                let cause = broken.to_string();
                transfer.finish(TransferEnd::Aborted { cause, kept });
                return Err(broken);
            }
        };
        match stored {
            Ok(()) => {
                let set = self.set(&path, mode, header.times).await;
                transfer.finish(TransferEnd::Committed);
                match set {
                    Ok(()) => self.machine.accept(),
                    Err(error) => {
                        let reason = format!("set attributes: {}", reason(&error));
                        self.refuse(&header.name, &reason);
                    }
                }
            }
            Err((failure, kept)) => {
                self.refuse(&header.name, failure.reason());
                let cause = failure.cause();
                transfer.finish(TransferEnd::Aborted { cause, kept });
            }
        }
        Ok(())
    }

    /// Opens the upload; gives the permission bits that it must still get once it is stored.
    async fn begin(&mut self, header: &Header) -> Result<(Upload, Option<u32>), &'static str> {
        let path = self.place(&header.name).map_err(ErrorKind::text)?;
        if self.open.is_empty()
            && let Top::Plain {
                directory: true, ..
            } = self.top
        {
            return Err(ErrorKind::NotADirectory.text());
        }
        if self.landed.contains(&self.hash(&path)) {
            return Err(TWICE);
        }
        let view = self.view();
        if header.size >= SPACE_CHECK_FROM
            && let Some(directory) = path.parent()
            && let Ok(space) = view.space(&directory).await
            && space.free < header.size
        {
            return Err(ErrorKind::NoSpace.text());
        }
        let (mode, chosen) = self.mode(&path, header.mode);
        let upload = view
            .begin_upload_as(&path, UploadMode::Replace, mode & 0o777)
            .await
            .map_err(|error| reason(&error))?;
        // What an upload does not give to a new file, or not to one that stood there.
        let later = chosen && (mode > 0o777 || !view.settings().upload.atomic);
        self.land(&path);
        Ok((upload, later.then_some(mode)))
    }

    /// Receives a file's octets and the source's word for them.
    async fn receive(
        &mut self,
        upload: &Upload,
        transfer: &mut FileTransfer,
    ) -> Result<Result<(), Failure>, Broken> {
        let throttles = &self.context.session.account().upload;
        let piece = throttles
            .iter()
            .filter_map(|throttle| usize::try_from(throttle.chunk()).ok())
            .fold(buffer::BUFFER_SIZE, usize::min);
        let mut store = Store {
            upload,
            chunk: Vec::new(),
            offset: upload.start(),
            failure: None,
        };
        let received = loop {
            match self.step().await {
                Err(broken) => break Err(broken),
                Ok(Some(Step::Receive(left))) => {
                    if let Err(error) = self.wire.send(self.machine.output()).await {
                        break Err(error.into());
                    }
                    if store.chunk.capacity() == 0 {
                        store.chunk = buffer::borrow();
                    }
                    let room = piece.saturating_sub(store.chunk.len()).max(1);
                    let limit = usize::try_from(left).unwrap_or(usize::MAX).min(room);
                    let count = match self.wire.read_into(&mut store.chunk, limit).await {
                        Ok(0) => break Err(Broken::Cut),
                        Ok(count) => count as u64,
                        Err(error) => break Err(error.into()),
                    };
                    self.machine.received(count);
                    transfer.received(count);
                    pay(throttles, count).await;
                    if count == left || store.chunk.len() >= piece {
                        store.write().await;
                    }
                }
                Ok(Some(Step::Finish { failure })) => {
                    break Ok(failure.map_or(Ok(()), |text| Err(Failure::Source(text))));
                }
                Ok(Some(Step::Stop(stop))) => break Err(stop.into()),
                // The machine is inside of the file until then.
                Ok(_) => break Err(Broken::Cut),
            }
        };
        // What came of a broken file is stored as well: it may be kept.
        store.write().await;
        let Store { chunk, failure, .. } = store;
        buffer::give_back(chunk);
        received.map(|whole| match failure {
            Some(error) => Err(Failure::Store(error)),
            None => whole,
        })
    }

    /// Gives an upload up; tells whether its part stays.
    async fn abort(&self, upload: Upload, transfer: &FileTransfer) -> bool {
        match upload.abort(transfer.octets_received()).await {
            Ok(aborted) => aborted == AbortedUpload::KeptPartial,
            Err(error) => {
                let cause = cause(&error);
                let session = &self.context.session;
                session.tell(&Event::VolumeFailed { cause: &cause });
                false
            }
        }
    }
}

/// Two files, or two trees, of one run would end up at one path (SCP-12).
const TWICE: &str = "another file of this run is there";

/// Why a file that came is not stored.
enum Failure {
    Store(Error),
    /// What came is not the file: the source could not read it.
    Source(Vec<u8>),
}

impl Failure {
    const fn reason(&self) -> &'static str {
        match self {
            Self::Store(error) => error.kind.text(),
            Self::Source(_) => "not stored, the source could not read all of it",
        }
    }

    fn cause(&self) -> String {
        match self {
            Self::Store(error) => cause(error),
            Self::Source(text) => format!(
                "the source failed: {}",
                wharf_proto::scp::message::escape(text)
            ),
        }
    }
}

/// Octets on their way into a file.
struct Store<'a> {
    upload: &'a Upload,
    chunk: Vec<u8>,
    offset: u64,
    /// The first; nothing is written after it.
    failure: Option<Error>,
}

impl Store<'_> {
    /// Writes the chunk and empties it.
    async fn write(&mut self) {
        let count = self.chunk.len() as u64;
        if count == 0 || self.failure.is_some() {
            self.chunk.clear();
            return;
        }
        let file = self.upload.file();
        let written = match file.try_write_at(&self.chunk, self.offset) {
            Some(written) => written,
            None => {
                let chunk = std::mem::take(&mut self.chunk);
                match file.write_at(chunk, self.offset).await {
                    Ok(chunk) => {
                        self.chunk = chunk;
                        Ok(())
                    }
                    Err(error) => Err(error),
                }
            }
        };
        self.chunk.clear();
        self.offset += count;
        self.failure = written.err();
    }
}
