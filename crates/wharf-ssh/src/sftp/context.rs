//! What every request of a channel needs and none changes: session, settings, and the few rules that
//! hold for all of them.
//!
//! Paths (SFT-22): octets; relative ones begin at the account's home, an empty one is home itself.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;
use wharf_engine::{
    LoggedIn, Session,
    events::{Direction, Event, FileChange},
};
use wharf_proto::sftp::StatusCode;
use wharf_vfs::{Error, View, VirtualPath};

use super::uploads::Uploads;
use crate::{channel::LateOutbox, settings::SftpSettings, status};

/// What an SFTP channel is given when it begins.
pub(crate) struct Context {
    /// Whose channel.
    pub(crate) session: Arc<Session<LoggedIn>>,
    /// How it is served.
    pub(crate) settings: Arc<SftpSettings>,
    /// The connection's staged uploads: the same for all of its channels.
    pub(crate) uploads: Uploads,
    /// Where replies go that could not be given at once.
    pub(crate) late: LateOutbox,
}

/// Why a request was not done.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The view or the volume refused, or failed.
    Store(Error),
    /// A rule of this front end.
    Said(StatusCode, &'static str),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Refusal {
    /// Code and words for the peer.
    pub(super) const fn told(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Store(error) => status::status(error.kind),
            Self::Said(code, text) => (*code, *text),
        }
    }
}

/// The result of a request.
pub(super) type Result<T, E = Refusal> = std::result::Result<T, E>;

/// FAILURE, with these words.
pub(super) const fn failure(text: &'static str) -> Refusal {
    Refusal::Said(StatusCode::Failure, text)
}

/// Context, and the word that the channel ends.
pub(super) struct Work {
    pub(super) session: Arc<Session<LoggedIn>>,
    pub(super) settings: Arc<SftpSettings>,
    pub(super) uploads: Uploads,
    ending: AtomicBool,
    signal: Notify,
}

impl Work {
    pub(super) fn new(context: Context) -> (Self, LateOutbox) {
        let Context {
            session,
            settings,
            uploads,
            late,
        } = context;
        let work = Self {
            session,
            settings,
            uploads,
            ending: AtomicBool::new(false),
            signal: Notify::new(),
        };
        (work, late)
    }

    /// The account's sight of the tree.
    pub(super) fn view(&self) -> &View {
        self.session.view()
    }

    /// Reads a path as a client sent it.
    pub(super) fn path(&self, octets: &[u8]) -> Result<VirtualPath> {
        VirtualPath::parse(self.view().home(), octets)
            .map_err(|_| Refusal::Said(StatusCode::BadMessage, "Not a path that can exist"))
    }

    /// Makes visible what this connection uploads to `path`.
    pub(super) async fn publish(&self, path: &VirtualPath) {
        self.uploads.publish(path, false).await;
    }

    /// Tells of a change of the tree.
    pub(super) fn changed(&self, change: FileChange<'_>) {
        self.session.tell(&Event::Changed(change));
    }

    /// Tells the log what a volume could not do.
    pub(super) fn log(&self, error: &Error) {
        if let Some(cause) = status::for_the_log(error) {
            self.session.tell(&Event::VolumeFailed { cause: &cause });
        }
    }

    /// From now on long work ends early.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Release);
        self.signal.notify_waiters();
    }

    /// Whether long work is to end early.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Waits until `octets` may move.
    ///
    /// # Errors
    /// The channel ended meanwhile.
    pub(super) async fn pay(&self, direction: Direction, octets: usize) -> Result<()> {
        let account = self.session.account();
        let throttles = match direction {
            Direction::Download => &account.download,
            Direction::Upload => &account.upload,
        };
        if throttles.is_empty() {
            return Ok(());
        }
        let paid = wharf_engine::transfers::pay(throttles, octets as u64);
        self.unless_ending(paid).await.ok_or_else(|| failure(ENDED))
    }

    /// Waits for what may be given up when the channel ends; `None` then.
    pub(super) async fn unless_ending<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut ended = pin!(self.signal.notified());
        // Heard from here on, so that nothing is missed between the look and the wait.
        ended.as_mut().enable();
        if self.is_ending() {
            return None;
        }
        tokio::select! {
            biased;
            done = work => Some(done),
            () = ended => None,
        }
    }
}

/// What work that was given up is answered with, if anybody is left to hear it.
pub(super) const ENDED: &str = "The channel was closed meanwhile";
