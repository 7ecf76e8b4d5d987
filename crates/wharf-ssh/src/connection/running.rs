//! What runs on the channels of a connection, and how it ends.
//!
//! An SFTP session is called by the transport's task; a program has a task and a stream of its own.
//! Both are ended here, whoever closes the channel first.
//!
//! This room must not know what is said on a channel.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::pipe;
use crate::{
    channel::{LateOutbox, Waiting},
    sftp::Sftp,
};

/// What runs on a channel.
pub(super) enum Running {
    /// Nothing yet: no request was granted.
    Nothing,
    /// A file transfer session.
    Sftp(Arc<SftpChannel>),
    /// Something with a stream of its own.
    Exec(pipe::Feed),
}

/// A channel that is open.
pub(super) struct Open {
    pub(super) running: Running,
    /// What runs in a task of its own takes it along.
    pub(super) place: Option<Place>,
}

impl Open {
    /// Whether we have closed it ourselves: the transport does not tell when the peer follows.
    pub(super) fn is_over(&self) -> bool {
        matches!(&self.running, Running::Exec(feed) if feed.is_closed())
    }
}

/// A channel's place among those that there may be at a time.
pub(super) struct Place(pub(super) Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An SFTP session on its channel.
pub(super) struct SftpChannel {
    pub(super) sftp: Sftp,
}

impl Waiting for SftpChannel {
    fn room(self: Arc<Self>) {
        // Most often the peer gave window, and the transport calls `window_adjusted` next: by the
        // time this runs nothing is left to do. After new keys nobody calls. In a task of its own
        // always: the session may be in the midst of a call.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { self.sftp.go_on().await });
        }
    }
}

/// Ends what runs on a channel that hears nothing more; `late` when it is still to be told so.
pub(super) fn end(open: Open, late: Option<LateOutbox>) {
    match open.running {
        Running::Sftp(channel) => {
            tokio::spawn(async move {
                channel.sftp.end().await;
                if let Some(late) = late {
                    late.finish(0).await;
                }
                drop(open.place);
            });
        }
        Running::Exec(feed) => feed.close(),
        Running::Nothing => {}
    }
}
