//! One SSH channel, as what runs on it sees it: where its octets go.
//!
//! Two ways lead out. [`Outbox`] is the short one: inside the session's own task, straight into the
//! outgoing packet, no queue and no hop. [`LateOutbox`] is for work that finished after its request
//! was heard: through the session's bounded queue. Both count the same window, so that whoever
//! produces octets stops when the peer has no room for them (RFC 4254 section 5.2).
//!
//! This room must not know what the octets mean.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use russh::{
    ChannelId,
    server::{Handle, Session},
};

use crate::stream::{Brake, Hold};

/// The channel, or its whole connection, is gone: nothing can be sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the channel is closed")]
pub(crate) struct Gone;

/// Where a channel's octets go, inline.
pub(crate) trait Outbox {
    /// Octets that may be sent before the peer must give more window.
    fn room(&self) -> usize;

    /// Sends octets. What exceeds the room is kept until the peer makes room, so a reply that was
    /// begun can be ended; whoever has more to say asks [`Outbox::room`] first.
    ///
    /// # Errors
    /// [`Gone`].
    fn send(&mut self, octets: Bytes) -> Result<(), Gone>;
}

/// What the peer still takes on one channel.
///
/// It is what was granted without what was handed over, set right whenever the peer grants more.
/// Between the two it may be wrong by what lies in the session's queue, which is bounded.
#[derive(Debug)]
pub(crate) struct Window(AtomicUsize);

impl Window {
    /// A window of `octets`.
    pub(crate) fn new(octets: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(octets)))
    }

    /// Octets that the peer takes.
    pub(crate) fn room(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// The peer takes so much from now on.
    pub(crate) fn set(&self, octets: usize) {
        self.0.store(octets, Ordering::Relaxed);
    }

    /// So much was handed over.
    fn take(&self, octets: usize) {
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| {
                Some(room.saturating_sub(octets))
            });
    }
}

/// The short way out: inside the session's task.
pub(crate) struct InlineOutbox<'a> {
    /// The session that called.
    pub(crate) session: &'a mut Session,
    /// The channel's number.
    pub(crate) id: ChannelId,
    /// Its window.
    pub(crate) window: &'a Window,
}

impl Outbox for InlineOutbox<'_> {
    fn room(&self) -> usize {
        self.window.room()
    }

    fn send(&mut self, octets: Bytes) -> Result<(), Gone> {
        self.window.take(octets.len());
        self.session.data(self.id, octets).map_err(|_| Gone)
    }
}

/// The way out for work that finished later; a cheap clone.
#[derive(Clone)]
pub(crate) struct LateOutbox(Late);

#[derive(Clone)]
enum Late {
    Session {
        handle: Handle,
        id: ChannelId,
        window: Arc<Window>,
        brake: Arc<Brake>,
    },
    #[cfg(test)]
    Collected(Arc<std::sync::Mutex<Vec<u8>>>, Arc<Brake>),
}

impl LateOutbox {
    /// The way out of channel `id`.
    pub(crate) const fn new(
        handle: Handle,
        id: ChannelId,
        window: Arc<Window>,
        brake: Arc<Brake>,
    ) -> Self {
        Self(Late::Session {
            handle,
            id,
            window,
            brake,
        })
    }

    /// One that collects what is sent, and where it is collected.
    #[cfg(test)]
    pub(crate) fn collecting() -> (Self, Arc<std::sync::Mutex<Vec<u8>>>) {
        let sent = Arc::default();
        (
            Self(Late::Collected(Arc::clone(&sent), Arc::default())),
            sent,
        )
    }

    /// Octets that may be sent before the peer must give more window; see [`Outbox::room`].
    pub(crate) fn room(&self) -> usize {
        match &self.0 {
            Late::Session { window, .. } => window.room(),
            #[cfg(test)]
            Late::Collected(..) => usize::MAX,
        }
    }

    /// Sends octets; waits while the session's queue is full.
    ///
    /// Never to be awaited inside the session's own task, which empties that queue.
    ///
    /// # Errors
    /// [`Gone`].
    pub(crate) async fn send(&self, octets: Bytes) -> Result<(), Gone> {
        match &self.0 {
            Late::Session {
                handle, id, window, ..
            } => {
                window.take(octets.len());
                handle.data(*id, octets).await.map_err(|_| Gone)
            }
            #[cfg(test)]
            Late::Collected(sent, _) => {
                sent.lock().unwrap().extend_from_slice(&octets);
                Ok(())
            }
        }
    }

    /// Sends octets of the second stream, what a program would write to its standard error.
    ///
    /// # Errors
    /// [`Gone`].
    pub(crate) async fn send_error(&self, octets: Bytes) -> Result<(), Gone> {
        /// `SSH_EXTENDED_DATA_STDERR` (RFC 4254 section 5.2).
        const STDERR: u32 = 1;
        match &self.0 {
            Late::Session {
                handle, id, window, ..
            } => {
                window.take(octets.len());
                handle
                    .extended_data(*id, STDERR, octets)
                    .await
                    .map_err(|_| Gone)
            }
            #[cfg(test)]
            Late::Collected(..) => Ok(()),
        }
    }

    /// Stops reading from the connection until the answer is dropped.
    ///
    /// For a channel that holds more input than it likes while work is under way. Nothing of the
    /// peer is heard meanwhile, a window adjustment neither: let go before waiting for the peer.
    pub(crate) fn hold_input(&self) -> Hold {
        match &self.0 {
            Late::Session { brake, .. } => brake.hold(),
            #[cfg(test)]
            Late::Collected(_, brake) => brake.hold(),
        }
    }
}
