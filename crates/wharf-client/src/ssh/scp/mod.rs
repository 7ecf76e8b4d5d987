//! The old protocol of scp over a command on the server (SCP-30..34): the pipe that its machines run on.
//!
//! What the server writes to standard error is kept for the error message, without control bytes
//! (CVE-2019-6109): it is never shown as it comes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Buf, Bytes};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client};
use tokio::{runtime::Handle, time::timeout};
use wharf_proto::scp::{Sink, Source, sink, source};

use super::{
    Connection, plain,
    sftp::wire::{Gone, Incoming, Outgoing},
};
use crate::{Error, Kind, Result, Site, Step};

/// Octets of standard error that are kept.
const ERRORS: usize = 2048;

/// What the command said besides its output.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<Mutex<Words>>);

#[derive(Debug, Default)]
struct Words {
    errors: Vec<u8>,
    status: Option<u32>,
}

impl Told {
    fn with<T>(&self, act: impl FnOnce(&mut Words) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Standard error, fit to be shown, and the exit status.
    fn words(&self) -> (String, Option<u32>) {
        self.with(|words| {
            let text = String::from_utf8_lossy(&words.errors).into_owned();
            (plain(text.trim()), words.status)
        })
    }
}

/// Standard output of a command.
struct Output {
    half: ChannelReadHalf,
    told: Told,
}

impl Incoming for Output {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.half.wait().await? {
                ChannelMsg::Data { data } => return Some(data),
                ChannelMsg::ExtendedData { data, .. } => self.told.with(|words| {
                    let room = ERRORS.saturating_sub(words.errors.len());
                    let part = data.get(..room.min(data.len())).unwrap_or_default();
                    words.errors.extend_from_slice(part);
                }),
                ChannelMsg::ExitStatus { exit_status } => {
                    self.told.with(|words| words.status = Some(exit_status));
                }
                ChannelMsg::Close => return None,
                // The exit status comes behind the end of the output.
                _ => {}
            }
        }
    }
}

/// Standard input of a command. One that is not ended in order is closed when it is dropped: a server
/// permits but so many.
struct Input(Option<ChannelWriteHalf<client::Msg>>);

impl Outgoing for Input {
    async fn send(&mut self, octets: Bytes) -> Result<(), Gone> {
        match &mut self.0 {
            Some(half) => half.send(octets).await,
            None => Err(Gone),
        }
    }

    async fn finish(&mut self) {
        if let Some(half) = &mut self.0 {
            half.finish().await;
        }
    }

    async fn end(&mut self) {
        if let Some(mut half) = self.0.take() {
            half.end().await;
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let (Some(mut half), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move { half.end().await });
        }
    }
}

/// A running command: what it says, and what is said to it.
pub(crate) struct Pipe<I, O> {
    incoming: I,
    outgoing: O,
    chunk: Bytes,
    idle: Duration,
    site: Site,
    told: Told,
}

/// Runs a command.
///
/// # Errors
/// The server runs none, or the connection is gone.
pub(crate) async fn run(
    connection: &Connection,
    command: &[u8],
    site: &Site,
    idle: Duration,
) -> Result<Pipe<impl Incoming + use<>, impl Outgoing + use<>>> {
    let (half, outgoing) = connection.exec_channel(command).await?.split();
    let outgoing = Input(Some(outgoing));
    let told = Told::default();
    let incoming = Output {
        half,
        told: told.clone(),
    };
    Ok(Pipe::new(incoming, outgoing, site, idle, told))
}

impl<I: Incoming, O: Outgoing> Pipe<I, O> {
    pub(crate) fn new(incoming: I, outgoing: O, site: &Site, idle: Duration, told: Told) -> Self {
        Self {
            incoming,
            outgoing,
            chunk: Bytes::new(),
            idle,
            site: site.clone(),
            told,
        }
    }

    /// What the sink wants next.
    pub(crate) fn step_sink(&mut self, sink: &mut Sink) -> sink::Step {
        let mut input = &self.chunk[..];
        let before = input.len();
        let step = sink.step(&mut input);
        let used = before - input.len();
        self.chunk.advance(used);
        step
    }

    /// What the source wants next.
    pub(crate) fn step_source(&mut self, source: &mut Source) -> source::Step {
        let mut input = &self.chunk[..];
        let before = input.len();
        let step = source.step(&mut input);
        let used = before - input.len();
        self.chunk.advance(used);
        step
    }

    /// Takes up to `most` octets that are there.
    pub(crate) fn take(&mut self, most: u64) -> Bytes {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.chunk.split_to(most.min(self.chunk.len()))
    }

    /// Waits for more; whether there is any.
    ///
    /// # Errors
    /// The server is silent.
    pub(crate) async fn more(&mut self) -> Result<bool> {
        while self.chunk.is_empty() {
            match timeout(self.idle, self.incoming.next()).await {
                Ok(Some(chunk)) => self.chunk = chunk,
                Ok(None) => return Ok(false),
                Err(_) => return Err(self.silent()),
            }
        }
        Ok(true)
    }

    /// Sends octets.
    ///
    /// # Errors
    /// The server takes none, or has ended the command; then with its words.
    pub(crate) async fn send(&mut self, octets: Bytes) -> Result<()> {
        match timeout(self.idle, self.outgoing.send(octets)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.ended().await),
            Err(_) => Err(self.silent()),
        }
    }

    /// Sends a machine's output and clears it.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) async fn flush(&mut self, output: &mut Vec<u8>) -> Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        self.send(std::mem::take(output).into()).await
    }

    /// All is said; waits for the command to end. An exit status that is not zero is an error.
    ///
    /// # Errors
    /// [`Kind::Rejected`] with what the server said.
    pub(crate) async fn finish(mut self) -> Result<()> {
        self.outgoing.finish().await;
        while self.more().await? {
            self.chunk.clear();
        }
        self.outgoing.end().await;
        match self.told.words() {
            (_, Some(0) | None) => Ok(()),
            (text, Some(status)) => Err(self.failed(&text, status)),
        }
    }

    /// The command ended before its time.
    pub(crate) async fn ended(&mut self) -> Error {
        self.outgoing.finish().await;
        self.chunk.clear();
        while let Ok(Some(_)) = timeout(self.idle, self.incoming.next()).await {}
        self.outgoing.end().await;
        match self.told.words() {
            (text, Some(status)) if status != 0 || !text.is_empty() => self.failed(&text, status),
            _ => {
                let text = format!("{}: the server ended the transfer", self.site);
                Error::new(Step::Transfer, Kind::Protocol, text).retryable()
            }
        }
    }

    fn failed(&self, text: &str, status: u32) -> Error {
        let site = &self.site;
        let words = if text.is_empty() {
            format!("{site}: scp on the server ended with status {status}")
        } else {
            format!("{site}: scp on the server ended with status {status}: {text}")
        };
        let error = Error::new(Step::Transfer, kind_of(text), words);
        if status == 127 {
            error.hint("the server has no scp: use sftp://")
        } else {
            error
        }
    }

    fn silent(&self) -> Error {
        let seconds = self.idle.as_secs_f32();
        let text = format!("{}: no octet moved for {seconds} s", self.site);
        Error::new(Step::Transfer, Kind::TimedOut, text).retryable()
    }
}

/// What a text of scp's means: it is all that the old protocol tells.
fn kind_of(text: &str) -> Kind {
    let text = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["no such file", "not found"]) {
        Kind::NotFound
    } else if says(&["permission denied", "not permitted", "read-only"]) {
        Kind::Permission
    } else {
        Kind::Rejected
    }
}

/// What the other end says of a file, as an error.
pub(crate) fn refused(what: &str, text: &[u8]) -> Error {
    let text = String::from_utf8_lossy(text);
    let shown = plain(text.trim());
    let kind = kind_of(&shown);
    Error::new(
        Step::Transfer,
        kind,
        format!("{what}: the server said \"{shown}\""),
    )
}
