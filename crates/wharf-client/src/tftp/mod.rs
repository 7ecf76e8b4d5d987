//! TFTP as a client speaks it (RFC 1350, 2347 to 2349, 7440): the way to a server, and what is known of it.
//!
//! A transaction is one file over one [`Link`]; the machines of `wharf-proto` say what is sent when. Here
//! is what stands around them: which address is asked and how patiently ([`Openings`]), whose datagrams
//! count, what a refusal means ([`refusal`]) and what silence means ([`diagnosis`]). Nothing is remembered
//! of a server but which of its addresses answered, and whether it understands options.

mod clock;
pub(crate) mod diagnosis;
mod linger;
mod link;
mod opening;
pub(crate) mod options;
pub(crate) mod refusal;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::JoinSet,
};

pub(crate) use clock::now;
pub(crate) use link::{Heard, Link};
pub(crate) use opening::{Opening, Trouble};
pub use options::Tftp;

use crate::{Error, Kind, Observer, Options, Result, Site, Step};

/// A server, and what was learned of it.
pub(crate) struct Context {
    pub(crate) site: Site,
    pub(crate) options: Options,
    pub(crate) observer: Arc<dyn Observer>,
    /// Transactions that may run at once.
    turns: Semaphore,
    known: Mutex<Option<opening::Known>>,
    /// Transactions whose file is whole, and whose last ACK may have been lost.
    lingering: Mutex<JoinSet<()>>,
}

impl Context {
    pub(crate) fn new(site: Site, options: Options, observer: Arc<dyn Observer>) -> Self {
        if options.resume {
            observer.note("TFTP cannot go on in the middle of a file: each is moved whole");
        }
        Self {
            turns: Semaphore::new(options.parallel.max(1)),
            site,
            options,
            observer,
            known: Mutex::default(),
            lingering: Mutex::default(),
        }
    }

    /// Waits until one more transaction may run.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        let ended = |_| Error::new(Step::Connect, Kind::Protocol, "the work was ended");
        self.turns.acquire().await.map_err(ended)
    }

    /// Answers the end of a transaction that is whole here (TFT-52), beside other work.
    pub(crate) fn linger(&self, link: Link, receiver: wharf_proto::tftp::Receiver) {
        let mut lingering = self.lingering();
        while lingering.try_join_next().is_some() {}
        lingering.spawn(linger::linger(link, receiver));
    }

    /// Waits for those that linger.
    pub(crate) async fn close(&self) {
        let mut lingering = std::mem::take(&mut *self.lingering());
        while lingering.join_next().await.is_some() {}
    }

    fn lingering(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.lingering
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
