//! One SSH channel, as what runs on it sees it: where its octets go.
//!
//! Two ways lead out. [`Outbox`] is the short one: inside the session's own task, straight into the
//! outgoing packet, no queue and no hop. [`LateOutbox`] is for work that finished after its request
//! was heard: through the session's bounded queue, which stands still while the peer has no room
//! (RFC 4254 section 5.2).
//!
//! This room must not know what the octets mean.

use std::sync::Arc;

use bytes::Bytes;
use russh::{
    ChannelId,
    server::{Handle, Session},
};

use crate::stream::{Brake, Hold, PutOff};

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

    /// Whether a short reply may wait: more of the peer's octets were read already, so that more is to
    /// be said soon, and the sender is called again in any case.
    fn may_wait(&mut self) -> bool {
        false
    }
}

/// What may be handed over at a time, octets, while the peer has room: it may exceed that room by so
/// much, no more.
const ROOM: usize = 256 * 1024;

/// Who waits for room on a channel.
pub(crate) trait Waiting: Send + Sync {
    /// What the peer had no room for is on its way. Called in the session's task, from amidst the
    /// transport: only to be taken note of.
    fn room(self: Arc<Self>);
}

/// The short way out: inside the session's task.
pub(crate) struct InlineOutbox<'a, W: Waiting + 'static> {
    /// The session that called.
    pub(crate) session: &'a mut Session,
    /// The channel's number.
    pub(crate) id: ChannelId,
    /// Who is told of room after there was none.
    pub(crate) waiting: &'a Arc<W>,
    /// The connection's stream; `None` when nothing may wait.
    pub(crate) stream: Option<&'a Brake>,
}

impl<W: Waiting + 'static> Outbox for InlineOutbox<'_, W> {
    fn room(&self) -> usize {
        if self.session.has_pending_data(self.id) {
            0
        } else {
            ROOM
        }
    }

    fn may_wait(&mut self) -> bool {
        let Some(stream) = self.stream.filter(|stream| stream.has_more()) else {
            return false;
        };
        stream.when_dry(self.id.into(), || {
            let waiting = Arc::clone(self.waiting);
            PutOff(Box::new(move || waiting.room()))
        });
        true
    }

    fn send(&mut self, octets: Bytes) -> Result<(), Gone> {
        if let Some(stream) = self.stream {
            // What was put off goes with it.
            stream.forget(self.id.into());
        }
        let had_room = !self.session.has_pending_data(self.id);
        self.session.data(self.id, octets).map_err(|_| Gone)?;
        if had_room && self.session.has_pending_data(self.id) {
            let mark = Bytes::from_owner(Mark(Arc::clone(self.waiting)));
            self.session.data(self.id, mark).map_err(|_| Gone)?;
        }
        Ok(())
    }
}

/// Nothing, sent behind what the peer has no room for: it is dropped when all of that is on its way.
/// The transport has no other way to tell, least of all when new keys were what it waited for.
struct Mark<W: Waiting>(Arc<W>);

impl<W: Waiting> AsRef<[u8]> for Mark<W> {
    fn as_ref(&self) -> &[u8] {
        &[]
    }
}

impl<W: Waiting> Drop for Mark<W> {
    fn drop(&mut self) {
        Arc::clone(&self.0).room();
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
        brake: Arc<Brake>,
    },
    #[cfg(test)]
    Collected(Arc<std::sync::Mutex<Vec<u8>>>, Arc<Brake>),
}

impl LateOutbox {
    /// The way out of channel `id`.
    pub(crate) const fn new(handle: Handle, id: ChannelId, brake: Arc<Brake>) -> Self {
        Self(Late::Session { handle, id, brake })
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

    /// Sends octets; waits while the session's queue is full.
    ///
    /// Never to be awaited inside the session's own task, which empties that queue.
    ///
    /// # Errors
    /// [`Gone`].
    pub(crate) async fn send(&self, octets: Bytes) -> Result<(), Gone> {
        match &self.0 {
            Late::Session { handle, id, .. } => handle.data(*id, octets).await.map_err(|_| Gone),
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
        if octets.is_empty() {
            return Ok(());
        }
        match &self.0 {
            Late::Session { handle, id, .. } => handle
                .extended_data(*id, STDERR, octets)
                .await
                .map_err(|_| Gone),
            #[cfg(test)]
            Late::Collected(..) => Ok(()),
        }
    }

    /// The end of a program on the channel: its status, the end of its octets, and the channel's own
    /// (SFT-10). Nothing can be sent afterwards.
    pub(crate) async fn finish(&self, exit_status: u32) {
        match &self.0 {
            Late::Session { handle, id, .. } => {
                // Once one is refused, the session is gone and so are the others.
                let _ = handle.exit_status_request(*id, exit_status).await;
                let _ = handle.eof(*id).await;
                let _ = handle.close(*id).await;
            }
            #[cfg(test)]
            Late::Collected(..) => {}
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
