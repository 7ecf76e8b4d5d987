//! SCP sessions: sink and source on one channel, done on the session's view.
//!
//! The machines in `wharf_proto::scp` say what comes next; [`sink`] and [`source`] do it, on a
//! [`Wire`] that reads what belongs to a file straight into the buffer it is written from. An upload
//! is staged and committed as in every other protocol, and the bus hears of each file once.
//!
//! This room must not decide about rights: the view does. It must not follow a name further than one
//! component: what a peer sends is checked by the machine before it comes here.

mod operand;
mod sink;
mod source;
mod wire;

use std::{io, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};
use wharf_engine::{LoggedIn, Session};
use wharf_proto::scp::{SinkCommand, SourceCommand, message};
use wharf_vfs::{Error, ErrorKind, Metadata, Timestamp, VirtualPath};

use wire::Wire;

/// What a run of scp acts on.
#[derive(Clone)]
pub(crate) struct Context {
    /// Whose run.
    pub(crate) session: Arc<Session<LoggedIn>>,
}

/// Why a run ended before its time.
#[derive(Debug, thiserror::Error)]
enum Broken {
    /// The channel.
    #[error("the channel broke: {0}")]
    Channel(#[from] io::Error),
    /// The channel ended where more was to come.
    #[error("the channel ended before the transfer did")]
    Cut,
    /// The source gave up or broke the protocol.
    #[error(transparent)]
    BySource(#[from] wharf_proto::scp::sink::Stop),
    /// The sink gave up or broke the protocol.
    #[error(transparent)]
    BySink(#[from] wharf_proto::scp::source::Stop),
    /// Already told to the peer.
    #[error("the target cannot be used")]
    Target,
}

/// Runs `scp -t` over a channel; gives the exit status: 0, or 1 after any error (SCP-03).
pub(crate) async fn receive<S: AsyncRead + AsyncWrite + Send + Unpin>(
    stream: S,
    command: SinkCommand,
    context: Context,
) -> u32 {
    let mut wire = Wire::new(stream);
    exit_status(&Box::pin(sink::run(&mut wire, command, &context)).await)
}

/// Runs `scp -f` over a channel; gives the exit status: 0, or 1 after any error (SCP-03).
pub(crate) async fn send<S: AsyncRead + AsyncWrite + Send + Unpin>(
    stream: S,
    command: SourceCommand,
    context: Context,
) -> u32 {
    let mut wire = Wire::new(stream);
    exit_status(&Box::pin(source::run(&mut wire, command, &context)).await)
}

/// What a broken run has to say is in its files' events and in its last message.
fn exit_status(ended: &Result<bool, Broken>) -> u32 {
    u32::from(!matches!(ended, Ok(true)))
}

impl Context {
    /// A path as a client gave it: relative to home.
    fn resolve(&self, path: &[u8]) -> Result<VirtualPath, wharf_vfs::PathError> {
        VirtualPath::parse(self.session.view().home(), path)
    }
}

/// `scp: NAME: reason`, for a peer.
fn complaint(name: &[u8], reason: &str) -> Vec<u8> {
    format!("scp: {}: {reason}", message::escape(name)).into_bytes()
}

/// The reason of a failed operation, without a back end's words.
fn reason(error: &Error) -> &'static str {
    error.kind.text()
}

/// The same for the log, with a back end's words.
fn cause(error: &Error) -> String {
    match &error.source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The time of a file as a message tells it; nothing before 1970 can be told.
fn seconds(time: Timestamp) -> (u64, u32) {
    match u64::try_from(time.seconds) {
        Ok(seconds) => (seconds, time.nanoseconds / 1000),
        Err(_) => (0, 0),
    }
}

fn times_of(metadata: &Metadata) -> message::Times {
    let (modified, modified_micros) = seconds(metadata.modified);
    let (accessed, accessed_micros) = seconds(metadata.accessed.unwrap_or(metadata.modified));
    message::Times {
        modified,
        modified_micros,
        accessed,
        accessed_micros,
    }
}

fn timestamp(seconds: u64, micros: u32) -> Timestamp {
    Timestamp {
        // The machine takes no more than this.
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanoseconds: micros * 1000,
    }
}

const fn is_missing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
pub(crate) mod tests;
