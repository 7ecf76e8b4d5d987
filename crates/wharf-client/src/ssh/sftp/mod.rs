//! An SFTP session on one channel of a connection (SFT-80..84).
//!
//! One task owns the channel ([`driver`]); a [`Sftp`] is a cheap handle that asks it for things. Every
//! question is on its way as soon as it is asked, what is awaited is only the answer: callers ask for
//! many things at once, and so do many callers. What a server sends is data, never an order: sizes
//! are not believed, names are checked by whoever makes a local file of them, texts are shown without
//! control bytes.

mod clock;
mod directory;
mod driver;
mod hash;
mod names;
mod reading;
mod refusal;
mod remote;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod window;
pub(crate) mod wire;
mod writing;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use wharf_proto::sftp::{
    Attributes, Extended, Request, StatusCode,
    extension::{Name, Set},
    response,
};

pub(crate) use directory::{child, entry};
pub(crate) use hash::{Compared, of as hash_of_octets};
pub(crate) use names::is_refused;
pub(crate) use reading::{Reading, grew};
pub(crate) use remote::Remote;
pub(crate) use window::CEILING;
pub(crate) use writing::write;

use self::{
    reading::Inbox,
    refusal::Status,
    state::{Loss, Reply, Shared, Waiter},
    wire::{Incoming, Outgoing},
    writing::Acks,
};
use crate::{Error, Kind, Result, Site, Step};

/// Octets of one READ or WRITE where the server tells no limits (SFT-80).
const BLOCK: u32 = 32 * 1024;

/// Octets of one READ or WRITE at the most: what OpenSSH's server takes.
const LARGEST_BLOCK: u32 = wharf_proto::sftp::MAX_DATA;

/// Octets of one READ or WRITE at the least, whatever a server says.
const SMALLEST_BLOCK: u32 = 1024;

/// Files that are open at once at the most.
pub(crate) const OPEN_FILES: usize = 256;

/// Files that are open at once where the server tells no limits.
const OPEN_FILES_UNTOLD: usize = 64;

/// Large files that are moved at once: each may hold a window of octets, and a few fill any path.
const LARGE_FILES: usize = 8;

/// What the server bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Octets of one READ.
    pub(crate) read: u32,
    /// Octets of one WRITE.
    pub(crate) write: u32,
    /// Files open at once.
    files: usize,
}

impl Limits {
    const UNTOLD: Self = Self {
        read: BLOCK,
        write: BLOCK,
        files: OPEN_FILES_UNTOLD,
    };

    /// What a server told, within reason; zero means that it sets none.
    fn told(limits: &response::Limits) -> Self {
        let octets = |told: u64, packet: u64| {
            let room = match packet {
                0 => u64::from(LARGEST_BLOCK),
                // A packet holds a head, too.
                packet => packet.saturating_sub(1024),
            };
            let told = if told == 0 { u64::from(BLOCK) } else { told };
            let octets = told.min(room).min(u64::from(LARGEST_BLOCK));
            u32::try_from(octets).unwrap_or(BLOCK).max(SMALLEST_BLOCK)
        };
        let files = match usize::try_from(limits.handles).unwrap_or(usize::MAX) {
            0 => OPEN_FILES_UNTOLD,
            // Directories that are read, and those who share the account, need some as well.
            handles => (handles / 2).clamp(1, OPEN_FILES),
        };
        Self {
            read: octets(limits.read, limits.packet),
            write: octets(limits.write, limits.packet),
            files,
        }
    }
}

/// Ends the session with the last handle.
struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.lose(Loss::Closed);
    }
}

/// A session. Clones share it; it ends with the last.
#[derive(Clone)]
pub(crate) struct Sftp {
    shared: Arc<Shared>,
    _alive: Arc<Alive>,
    offered: Set,
    limits: Limits,
    files: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A question that is on its way.
pub(crate) struct Pending<'a> {
    sftp: &'a Sftp,
    answer: oneshot::Receiver<Result<Reply, Loss>>,
}

impl Sftp {
    /// Begins a session on a channel whose subsystem runs. `idle`: a server that owes an answer and is
    /// silent for so long is given up.
    ///
    /// # Errors
    /// The server ends the channel, is silent, or says something else than SFTP.
    pub(crate) async fn begin(
        site: &Site,
        incoming: impl Incoming,
        outgoing: impl Outgoing,
        idle: Duration,
    ) -> Result<Self> {
        let shared = Arc::new(Shared::new(site.clone()));
        let alive = Arc::new(Alive(Arc::clone(&shared)));
        tokio::spawn(driver::run(Arc::clone(&shared), incoming, outgoing, idle));
        shared.outgoing.notify_one();
        let offered = loop {
            {
                let state = shared.state();
                if let Some(loss) = &state.lost {
                    return Err(loss.error(Step::Greeting, site));
                }
                if let Some(offered) = state.machine.extensions() {
                    break offered;
                }
            }
            shared.begun.notified().await;
        };
        let mut sftp = Self {
            shared,
            _alive: alive,
            offered,
            limits: Limits::UNTOLD,
            files: Arc::new(Semaphore::new(OPEN_FILES_UNTOLD)),
            large: Arc::new(Semaphore::new(LARGE_FILES)),
        };
        if sftp.offers(Name::Limits) {
            let asked = sftp
                .ask(&Request::Extended(Extended::Limits))
                .reply()
                .await?;
            if let Reply::Limits(limits) = asked {
                sftp.limits = Limits::told(&limits);
                sftp.files = Arc::new(Semaphore::new(sftp.limits.files));
            }
        }
        Ok(sftp)
    }

    /// Whether the server announced an extension.
    pub(crate) fn offers(&self, name: Name) -> bool {
        self.offered.contains(name)
    }

    /// What the server bears.
    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether anything may be asked of it.
    pub(crate) fn is_usable(&self) -> bool {
        self.shared.state().lost.is_none()
    }

    /// Ends the session; what is on its way is given up.
    pub(crate) fn close(&self) {
        self.shared.lose(Loss::Closed);
    }

    /// Waits until one more file may be open.
    pub(crate) async fn file(&self) -> Result<SemaphorePermit<'_>> {
        permit(&self.files).await
    }

    /// Waits until one more file may be moved through a window of its own.
    pub(crate) async fn large(&self) -> Result<SemaphorePermit<'_>> {
        permit(&self.large).await
    }

    /// Asks at once; the answer may be awaited later.
    fn ask(&self, request: &Request<'_>) -> Pending<'_> {
        let (sender, answer) = oneshot::channel();
        self.shared.ask(request, Waiter::Once(sender));
        Pending { sftp: self, answer }
    }

    /// Asks for something whose answer nobody needs.
    fn ask_blindly(&self, request: &Request<'_>) {
        self.shared.ask(request, Waiter::Nobody);
    }

    fn ask_blocks(&self, handle: &[u8], blocks: &[(u64, u32)], inbox: &Arc<Inbox>) {
        self.shared.read(handle, blocks, inbox);
    }

    fn write_heads(
        &self,
        handle: &[u8],
        blocks: impl Iterator<Item = (u64, u32)>,
        acks: &Arc<Acks>,
        heads: &mut Vec<u8>,
    ) -> Result<usize, Loss> {
        self.shared.write_heads(handle, blocks, acks, heads)
    }

    fn send(&self, octets: Bytes) {
        self.shared.send(octets);
    }

    /// The session is torn: what was asked cannot be sent.
    fn tear(&self) {
        self.shared.lose(Loss::Ended);
    }

    fn lost(&self, step: Step, loss: &Loss) -> Error {
        loss.error(step, &self.shared.site)
    }

    /// An answer of another kind than the question has: the machine lets none of them through.
    fn odd(&self, step: Step) -> Error {
        Loss::Violation("an answer of the wrong kind".into()).error(step, &self.shared.site)
    }
}

async fn permit(semaphore: &Semaphore) -> Result<SemaphorePermit<'_>> {
    let ended = |_| Error::new(Step::Transfer, Kind::Protocol, "the work was ended");
    semaphore.acquire().await.map_err(ended)
}

impl Pending<'_> {
    async fn reply(self) -> Result<Reply> {
        match self.answer.await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(loss)) => Err(self.sftp.lost(Step::Command, &loss)),
            Err(_) => Err(self.sftp.lost(Step::Command, &Loss::Ended)),
        }
    }

    /// An answer that is yes or no.
    pub(crate) async fn done(self, what: &str) -> Result<()> {
        match self.status().await? {
            None => Ok(()),
            Some(status) => Err(status.error(Step::Command, what)),
        }
    }

    /// As [`Self::done`]; a refusal is `Some`.
    async fn status(self) -> Result<Option<Status>> {
        let sftp = self.sftp;
        match self.reply().await? {
            Reply::Status(status) if status.code == StatusCode::Ok => Ok(None),
            Reply::Status(status) => Ok(Some(status)),
            _ => Err(sftp.odd(Step::Command)),
        }
    }

    /// An answer of attributes.
    pub(crate) async fn attributes(self, what: &str) -> Result<Attributes> {
        let sftp = self.sftp;
        match self.reply().await? {
            Reply::Attributes(attributes) => Ok(attributes),
            Reply::Status(status) => Err(status.error(Step::Command, what)),
            _ => Err(sftp.odd(Step::Command)),
        }
    }

    /// An answer of one name.
    async fn name(self, what: &str) -> Result<Vec<u8>> {
        let sftp = self.sftp;
        match self.reply().await? {
            Reply::Names(names) => match <[_; 1]>::try_from(names) {
                Ok([only]) => Ok(only.name),
                Err(_) => Err(sftp.odd(Step::Command)),
            },
            Reply::Status(status) => Err(status.error(Step::Command, what)),
            _ => Err(sftp.odd(Step::Command)),
        }
    }
}
