//! What one open file of a session moved, told once: for protocols whose transfers are handles.
//!
//! [`Transfers`](super::Transfers) owns a whole flow from its first octet to its end. Where a peer
//! opens a file, reads and writes pieces in any order and closes it at some time (SFTP), or where a
//! protocol moves the octets itself (SCP), a [`FileTransfer`] stands beside the open file instead: it
//! is told of every octet, keeps the session from being idle, and tells the bus once, however it ends.
//!
//! This room must not touch the file: commit and abort of an upload are the caller's.

use std::{sync::Arc, time::Instant};

use wharf_transfer::Throttle;
use wharf_vfs::VirtualPath;

use crate::{
    LoggedIn, Session,
    events::{Direction, Event, TransferEnd, TransferRecord},
    registry::Busy,
};

/// The transfer of one open file. Dropped without [`FileTransfer::finish`] it counts as aborted.
///
/// A file through which octets went both ways is an upload: that is what changed something.
pub struct FileTransfer {
    session: Arc<Session<LoggedIn>>,
    path: VirtualPath,
    started: Instant,
    sent: u64,
    received: u64,
    is_upload: bool,
    is_ascii: bool,
    /// It is told even if nothing moves.
    is_asked: bool,
    is_told: bool,
    /// From the first octet on, or from the request.
    busy: Option<Busy>,
}

impl FileTransfer {
    /// Of a file that was opened at `started`; nothing has moved.
    pub const fn new(session: Arc<Session<LoggedIn>>, path: VirtualPath, started: Instant) -> Self {
        Self {
            session,
            path,
            started,
            sent: 0,
            received: 0,
            is_upload: false,
            is_ascii: false,
            is_asked: false,
            is_told: false,
            busy: None,
        }
    }

    /// Of a request for one whole file: it keeps the session busy from now on, and it is told even if
    /// nothing moved, as of an empty file. `is_ascii`: line ends are converted.
    pub fn asked(
        session: Arc<Session<LoggedIn>>,
        path: VirtualPath,
        direction: Direction,
        is_ascii: bool,
        started: Instant,
    ) -> Self {
        let mut transfer = Self::new(session, path, started);
        transfer.is_upload = direction == Direction::Upload;
        transfer.is_ascii = is_ascii;
        transfer.is_asked = true;
        transfer.occupy();
        transfer
    }

    /// Octets of the file went to the peer.
    pub fn sent(&mut self, octets: u64) {
        self.sent += octets;
        self.occupy();
    }

    /// Octets came from the peer into the file; 0 marks an upload that may stay empty.
    pub fn received(&mut self, octets: u64) {
        self.received += octets;
        self.is_upload = true;
        self.occupy();
    }

    /// Octets that came from the peer so far.
    pub const fn octets_received(&self) -> u64 {
        self.received
    }

    /// The file, as the account sees it.
    pub const fn path(&self) -> &VirtualPath {
        &self.path
    }

    /// Tells how it ended. Nothing is told of a file that was merely opened and through which nothing went.
    pub fn finish(mut self, end: TransferEnd) {
        self.tell(end);
    }

    fn occupy(&mut self) {
        if self.busy.is_none() {
            let id = self.session.record().id;
            self.busy = self.session.engine().registry.busy(id);
        }
    }

    fn tell(&mut self, end: TransferEnd) {
        let is_worth_telling = self.is_asked || self.is_upload || self.sent > 0;
        if std::mem::replace(&mut self.is_told, true) || !is_worth_telling {
            return;
        }
        let (direction, octets) = if self.is_upload {
            (Direction::Upload, self.received)
        } else {
            (Direction::Download, self.sent)
        };
        self.session.tell(&Event::Transfer(TransferRecord {
            direction,
            path: self.path.as_bytes(),
            octets,
            seconds: self.started.elapsed().as_secs_f64(),
            ascii: self.is_ascii,
            anonymous: self.session.account().account.is_anonymous(),
            end,
        }));
    }
}

impl Drop for FileTransfer {
    fn drop(&mut self) {
        self.tell(TransferEnd::Aborted {
            cause: "the session was dropped".into(),
            kept: false,
        });
    }
}

impl std::fmt::Debug for FileTransfer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FileTransfer")
            .field("path", &self.path)
            .field("sent", &self.sent)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

/// Waits until `octets` may move by all of `throttles` (an account's `download` or `upload`). Who
/// gives up while waiting leaves no debt. Free of cost without a throttle.
pub async fn pay(throttles: &[Arc<Throttle>], octets: u64) {
    if throttles.is_empty() {
        return;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the rim: a rate is octets by real time"
    )]
    let now = tokio::time::Instant::now().into_std();
    let waits = throttles.iter().map(|throttle| throttle.take(now, octets));
    let Some(wait) = waits.max().filter(|wait| !wait.is_zero()) else {
        return;
    };
    let claim = Claim { throttles, octets };
    tokio::time::sleep(wait).await;
    std::mem::forget(claim);
}

/// Octets that were taken from throttles; given back on drop.
struct Claim<'a> {
    throttles: &'a [Arc<Throttle>],
    octets: u64,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        for throttle in self.throttles {
            throttle.give_back(self.octets);
        }
    }
}
