//! `scp -f`: files go (SCP-20 to SCP-24).
//!
//! A tree is walked with one open directory per level, in the order of the store. Links are followed
//! as far as the view lets them lead; one that leads back to a directory that is open is left out, so
//! a loop ends where it begins. What cannot be sent is told as a warning and the rest goes on.

use std::{sync::Arc, vec};

use tokio::io::{AsyncRead, AsyncWrite};
use wharf_engine::{FileTransfer, events::TransferEnd, transfers::pay};
use wharf_proto::scp::{
    Header, Operand, Source, SourceCommand, message,
    source::{OfferError, Step},
};
use wharf_transfer::buffer;
use wharf_vfs::{
    EntryBatch, Error, FileKind, FileRef, Links, Metadata, View, ViewReader, VirtualPath,
};

use super::{Broken, Context, Wire, cause, complaint, operand, reason, times_of};
use crate::clock;

/// Serves one run. `Ok(true)`: everything went and is stored.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Send + Unpin>(
    wire: &mut Wire<S>,
    asked: SourceCommand,
    context: &Context,
) -> Result<bool, Broken> {
    let mut sender = Sender {
        wire,
        machine: Source::new(),
        context,
        recursive: asked.recursive,
        preserve: asked.preserve,
        levels: Vec::new(),
        chunk: buffer::borrow(),
        is_clean: true,
    };
    let ended = sender.run(&asked.paths).await;
    buffer::give_back(std::mem::take(&mut sender.chunk));
    // The last word, if the channel still takes it.
    let _ = sender.wire.send(sender.machine.output()).await;
    ended.map(|()| sender.is_clean)
}

/// A directory that is being sent.
struct Level {
    path: VirtualPath,
    reader: ViewReader,
    /// Names of the batch that was read last.
    names: vec::IntoIter<(Vec<u8>, FileKind)>,
    batch: EntryBatch,
    /// Which directory it is: volume and identity.
    identity: (String, u64),
    /// The sink entered it, too.
    is_told: bool,
}

struct Sender<'a, S> {
    wire: &'a mut Wire<S>,
    machine: Source,
    context: &'a Context,
    recursive: bool,
    preserve: bool,
    levels: Vec<Level>,
    chunk: Vec<u8>,
    is_clean: bool,
}

/// The sink's answer.
enum Answer {
    /// Go on: the next, or so many octets.
    Yes,
    /// The file or directory is to be skipped, or was not stored.
    No(Vec<u8>),
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Sender<'_, S> {
    fn view(&self) -> &View {
        self.context.session.view()
    }

    async fn run(&mut self, paths: &[Operand]) -> Result<(), Broken> {
        self.answer().await?;
        for operand in paths {
            match operand::expand(self.context, operand).await {
                Err(reason) => self.warn(&operand.path, reason),
                Ok(paths) => {
                    for path in paths {
                        self.object(path, false, &operand.path).await?;
                        self.walk().await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells the sink of something that failed.
    fn warn(&mut self, name: &[u8], reason: &str) {
        self.is_clean = false;
        // The machine is idle wherever something can fail here.
        let _ = self.machine.warn(&complaint(name, reason));
    }

    /// Sends what is to be said and waits for the sink's answer.
    async fn answer(&mut self) -> Result<Answer, Broken> {
        loop {
            let machine = &mut self.machine;
            match self.wire.with_input(|input| machine.step(input)) {
                Step::NeedInput => {
                    self.wire.send(self.machine.output()).await?;
                    if !self.wire.fill().await? {
                        return Err(Broken::Cut);
                    }
                }
                Step::Idle | Step::Send(_) => return Ok(Answer::Yes),
                Step::Refused(text) | Step::Failed(text) => {
                    self.is_clean = false;
                    return Ok(Answer::No(text));
                }
                Step::Stop(stop) => return Err(stop.into()),
            }
        }
    }

    /// Sends everything below the directories that are open.
    async fn walk(&mut self) -> Result<(), Broken> {
        while let Some(level) = self.levels.last_mut() {
            match level.next().await {
                Ok(Some((name, kind))) => match level.path.join_name(&name) {
                    Ok(path) => self.object(path, kind == FileKind::Symlink, &name).await?,
                    Err(error) => self.warn(&name, &error.to_string()),
                },
                ended => {
                    let path = level.path.clone();
                    let is_told = level.is_told;
                    let is_truncated = level.reader.is_truncated();
                    self.levels.pop();
                    if let Err(error) = ended {
                        self.warn(path.as_bytes(), reason(&error));
                    } else if is_truncated {
                        self.warn(path.as_bytes(), "too many entries, not all were sent");
                    }
                    if is_told {
                        // Nothing else can be said between two answers.
                        let _ = self.machine.leave();
                        self.answer().await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends a file, or opens a directory for [`Self::walk`]. `shown`: its name in warnings.
    async fn object(
        &mut self,
        path: VirtualPath,
        is_link: bool,
        shown: &[u8],
    ) -> Result<(), Broken> {
        let metadata = match self.view().metadata(&path, Links::Follow).await {
            Ok(metadata) => metadata,
            Err(error) => {
                self.warn(shown, reason(&error));
                return Ok(());
            }
        };
        match metadata.kind {
            FileKind::File => self.file(path, shown).await,
            FileKind::Directory if self.recursive => {
                self.directory(path, &metadata, is_link, shown).await
            }
            FileKind::Directory | FileKind::Symlink | FileKind::Special => {
                self.warn(shown, "not a regular file");
                Ok(())
            }
        }
    }

    async fn directory(
        &mut self,
        path: VirtualPath,
        metadata: &Metadata,
        is_link: bool,
        shown: &[u8],
    ) -> Result<(), Broken> {
        let identity = (self.view().volume_id(&path).to_owned(), metadata.identity);
        if is_link && self.levels.iter().any(|level| level.identity == identity) {
            self.warn(shown, "a link leads back to where it stands");
            return Ok(());
        }
        let reader = match self.view().read_directory(&path).await {
            Ok(reader) => reader,
            Err(error) => {
                self.warn(shown, reason(&error));
                return Ok(());
            }
        };
        // The top has no name that a sink could take: its entries go as if each had been asked for.
        let is_told = !path.is_root();
        if is_told {
            let offered = self.machine.directory(self.header(&path, metadata, 0));
            if !self.is_offered(offered, shown).await? {
                return Ok(());
            }
        }
        self.levels.push(Level {
            path,
            reader,
            names: Vec::new().into_iter(),
            batch: EntryBatch::new(),
            identity,
            is_told,
        });
        Ok(())
    }

    fn header(&self, path: &VirtualPath, metadata: &Metadata, size: u64) -> Header {
        Header {
            name: path.name().unwrap_or_default().to_vec(),
            mode: metadata.mode & 0o777,
            size,
            times: self.preserve.then(|| times_of(metadata)),
        }
    }

    /// Whether the sink takes what was offered.
    async fn is_offered(
        &mut self,
        offered: Result<(), OfferError>,
        shown: &[u8],
    ) -> Result<bool, Broken> {
        match offered {
            Ok(()) => Ok(matches!(self.answer().await?, Answer::Yes)),
            Err(error) => {
                self.warn(shown, &error.to_string());
                Ok(false)
            }
        }
    }

    async fn file(&mut self, path: VirtualPath, shown: &[u8]) -> Result<(), Broken> {
        let (file, metadata) = match self.view().open_read(&path).await {
            Ok(opened) => opened,
            Err(error) => {
                self.warn(shown, reason(&error));
                return Ok(());
            }
        };
        let offered = self
            .machine
            .file(self.header(&path, &metadata, metadata.size));
        if !self.is_offered(offered, shown).await? {
            return Ok(());
        }
        let session = Arc::clone(&self.context.session);
        let mut transfer = FileTransfer::new(session, path, clock::now());
        let aborted = |cause: String| TransferEnd::Aborted { cause, kept: false };
        let sent = self
            .octets(&file, metadata.size, &mut transfer, shown)
            .await;
        transfer.finish(match &sent {
            Ok(Sent::Whole) => TransferEnd::Committed,
            Ok(Sent::Failed(cause)) => aborted(cause.clone()),
            Err(broken) => aborted(broken.to_string()),
        });
        sent.map(drop)
    }

    /// Sends `size` octets of a file and its end, and hears what the sink says.
    async fn octets(
        &mut self,
        file: &FileRef,
        size: u64,
        transfer: &mut FileTransfer,
        shown: &[u8],
    ) -> Result<Sent, Broken> {
        let throttles = &self.context.session.account().download;
        let piece = throttles
            .iter()
            .filter_map(|throttle| usize::try_from(throttle.chunk()).ok())
            .fold(buffer::BUFFER_SIZE, usize::min);
        let (mut offset, mut failure) = (0, None);
        transfer.sent(0);
        // What a sink that answers in advance has not been told yet.
        self.wire.write(self.machine.output()).await?;
        self.machine.output().clear();
        while offset < size {
            let left = usize::try_from(size - offset).unwrap_or(usize::MAX);
            if failure.is_none() {
                failure = self.read(file, offset, left.min(piece)).await.err();
            }
            if failure.is_some() {
                // What was announced must come (SCP-22).
                self.chunk.clear();
                self.chunk.resize(left.min(piece), 0);
            }
            let count = self.chunk.len() as u64;
            pay(throttles, count).await;
            self.machine.sent(count);
            offset += count;
            if offset == size {
                let text = failure.as_ref().map(|failure| failure.text(shown));
                self.machine.finish(text.as_deref());
                // The end goes with the last octets: for a small file that is one packet.
                let end = self.machine.output();
                if self.chunk.capacity() - self.chunk.len() >= end.len() {
                    self.chunk.append(end);
                }
            }
            self.wire.write(&self.chunk).await?;
            transfer.sent(count);
        }
        if size == 0 {
            self.machine.finish(None);
        }
        let answer = self.answer().await?;
        Ok(match (failure, answer) {
            (Some(failure), _) => {
                self.is_clean = false;
                Sent::Failed(failure.cause())
            }
            (None, Answer::No(text)) => Sent::Failed(format!(
                "the peer could not store it: {}",
                message::escape(&text)
            )),
            (None, Answer::Yes) => Sent::Whole,
        })
    }

    /// Reads the next octets, `limit` at the most, into the chunk.
    async fn read(&mut self, file: &FileRef, offset: u64, limit: usize) -> Result<(), Unread> {
        if self.chunk.capacity() == 0 {
            self.chunk = buffer::borrow();
        }
        self.chunk.clear();
        match file.try_read_at(&mut self.chunk, limit, offset) {
            Some(read) => {
                read?;
            }
            None => {
                self.chunk = file
                    .read_at(std::mem::take(&mut self.chunk), offset)
                    .await?
            }
        }
        self.chunk.truncate(limit);
        if self.chunk.is_empty() {
            return Err(Unread::Shrank);
        }
        Ok(())
    }
}

/// What became of a file.
enum Sent {
    Whole,
    Failed(String),
}

/// Why a file could not be read to the size that was announced.
enum Unread {
    Store(Error),
    Shrank,
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Unread {
    fn text(&self, name: &[u8]) -> Vec<u8> {
        complaint(
            name,
            match self {
                Self::Store(error) => reason(error),
                Self::Shrank => "the file shrank while it was read",
            },
        )
    }

    fn cause(&self) -> String {
        match self {
            Self::Store(error) => cause(error),
            Self::Shrank => "the file shrank while it was read".to_owned(),
        }
    }
}

impl Level {
    /// The next entry.
    async fn next(&mut self) -> wharf_vfs::Result<Option<(Vec<u8>, FileKind)>> {
        loop {
            if let Some(entry) = self.names.next() {
                return Ok(Some(entry));
            }
            let batch = std::mem::take(&mut self.batch);
            self.batch = self.reader.next_batch(batch).await?;
            if self.batch.is_empty() {
                return Ok(None);
            }
            let entries = self.batch.iter();
            let names = entries.map(|entry| (entry.name.to_vec(), entry.metadata.kind));
            self.names = names.collect::<Vec<_>>().into_iter();
        }
    }
}
