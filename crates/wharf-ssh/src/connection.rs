//! An SSH connection: the transport's task, and the one that watches over it.
//!
//! russh runs a connection in a task of its own and calls [`Conversation`] there, packet by packet.
//! Beside it stands [`serve`], which holds the deadlines, hears of kicks and shutdowns, and cleans up
//! after the other however it ended: a panic in there ends one session and nothing more.
//!
//! A session's end never depends on its peer: whoever does not take our goodbye in time is cut off.

mod conversation;
mod identification;
mod pipe;
mod running;
mod transport;

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use russh::{
    Disconnect,
    server::{RunningSession, run_stream},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::timeout,
};
use wharf_accounts::Channel;
use wharf_engine::{
    Connection, Ending, Record, Session,
    events::{Event, Level, Origin},
};

pub use self::transport::UnknownAlgorithm;
pub(crate) use self::{
    conversation::Conversation,
    transport::{Configs, configs},
};
use crate::{
    Settings, SshFrontEnd, clock,
    sftp::Sftp,
    stream::{Brake, Gathered},
};

/// How long a peer may take for our goodbye, and for its own end after it.
const LINGER: Duration = Duration::from_secs(2);

/// Why a connection is to end, told by whoever finds out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Farewell {
    /// For the peer.
    pub(crate) reason: Reason,
    /// For the peer.
    pub(crate) text: &'static str,
    /// For the log.
    pub(crate) cause: &'static str,
}

/// A reason of RFC 4253 section 11.1, as far as we have one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reason {
    ByApplication,
    TooManyConnections,
}

impl From<Reason> for Disconnect {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::ByApplication => Self::ByApplication,
            Reason::TooManyConnections => Self::TooManyConnections,
        }
    }
}

/// What the two tasks of a connection share.
#[derive(Default)]
pub(crate) struct Shared {
    farewell: Mutex<Option<Farewell>>,
    /// Rung when there is a farewell.
    bell: Notify,
    /// SFTP sessions that were not ended when the transport's task did.
    left: Mutex<Vec<Sftp>>,
    pub(crate) brake: Arc<Brake>,
}

impl Shared {
    /// Asks for the end of the connection; the first who asks is heard.
    pub(crate) fn bid_farewell(&self, farewell: Farewell) {
        self.farewell
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(farewell);
        self.bell.notify_one();
    }

    fn farewell(&self) -> Option<Farewell> {
        *self.farewell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves sessions to be ended by the other task.
    pub(crate) fn leave(&self, sessions: impl Iterator<Item = Sftp>) {
        self.left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(sessions);
    }

    fn take_left(&self) -> Vec<Sftp> {
        std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A connection, seen from beside the transport's task.
struct Watch {
    settings: Arc<Settings>,
    record: Arc<Record>,
    shared: Arc<Shared>,
}

/// Serves a connection to its end.
pub(crate) fn serve(
    front_end: Arc<SshFrontEnd>,
    connection: Connection,
) -> impl Future<Output = ()> + Send {
    let now = clock::now();
    let Connection {
        socket,
        peer,
        local,
        lease,
        ..
    } = connection;
    let guest = Session::open(
        Arc::clone(front_end.engine()),
        lease,
        front_end.name(),
        peer,
        local,
        now,
    );
    // What a connection needs while it is idle stands in boxes; this future keeps next to nothing.
    converse(front_end, guest, socket)
}

/// Speaks with a peer over any stream.
pub(crate) async fn converse<S>(
    front_end: Arc<SshFrontEnd>,
    mut guest: Session<wharf_engine::Guest>,
    socket: S,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (settings, configs) = front_end.current();
    guest.set_channel(Channel::Ssh {
        role: settings.certificate_role,
    });
    let watch = Watch {
        record: Arc::clone(guest.record()),
        settings,
        shared: Arc::default(),
    };
    let engine = Arc::clone(front_end.engine());
    let conversation = Conversation::new(
        guest,
        Arc::clone(&watch.settings),
        Arc::clone(&watch.shared),
    );
    let cause = Box::pin(watch.run(configs, socket, conversation)).await;
    for left in watch.shared.take_left() {
        Box::pin(left.end()).await;
    }
    let record = &watch.record;
    let origin = Origin {
        session: Some(record.id),
        service: record.service,
        peer: Some(record.peer.ip()),
        account: record.account(),
    };
    if let Cause::Broken = cause {
        let text = "the SSH transport failed in a way that is our fault; the session was ended";
        let level = Level::Error;
        engine.bus.emit(&origin, &Event::Notice { level, text });
    }
    let seconds = clock::now()
        .saturating_duration_since(record.since)
        .as_secs();
    let cause = cause.text();
    engine.bus.emit(&origin, &Event::Closed { cause, seconds });
}

/// Why a connection ended.
enum Cause {
    /// This is all there is to say.
    Said(&'static str),
    /// Something in the transport's task panicked.
    Broken,
}

impl Cause {
    const fn text(&self) -> &'static str {
        match self {
            Self::Said(text) => text,
            Self::Broken => "an internal failure",
        }
    }

    /// What the transport gave as the reason of its end.
    fn of(error: &russh::Error) -> Self {
        use russh::Error;
        Self::Said(match error {
            // Nobody stops its task: it can only have panicked.
            Error::Join(_) => return Self::Broken,
            Error::Version => "the peer speaks another protocol",
            Error::NoCommonAlgo { .. } => "no algorithm in common",
            Error::IO(_) | Error::HUP | Error::Disconnect => "the peer is gone",
            Error::PacketSize(_) | Error::PacketAuth | Error::DecryptionError => {
                "the peer's packets are broken"
            }
            _ => "the peer broke the rules of the protocol",
        })
    }
}

impl Watch {
    async fn run<S>(&self, configs: Configs, socket: S, conversation: Conversation) -> Cause
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // The deadline covers the very first octets (CVE-2024-6387's kind are plain timers here).
        let greeted = tokio::select! {
            greeted = timeout(
                self.settings.login_timeout,
                Box::pin(self.introduce(configs, socket, conversation)),
            ) => greeted,
            _ = self.ended_now() => return Cause::Said("ended by us"),
        };
        let mut running = match greeted {
            Ok(Ok(running)) => running,
            Ok(Err(error)) => return Cause::of(&error),
            Err(_) => return Cause::Said("not logged in in time"),
        };
        loop {
            tokio::select! {
                ended = &mut running => return self.cause(ended),
                () = self.shared.bell.notified() => {}
                _ = self.record.ended() => {}
                () = tokio::time::sleep_until(self.deadline().into()) => {}
            }
            if let Some(farewell) = self.reason_to_end(clock::now()) {
                self.hang_up(&mut running, farewell).await;
                return Cause::Said(farewell.cause);
            }
        }
    }

    /// Hears who the peer is, and begins the transport that is right for it.
    async fn introduce<S>(
        &self,
        configs: Configs,
        mut socket: S,
        conversation: Conversation,
    ) -> Result<RunningSession<Conversation>, russh::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let ours = transport::identification(&self.settings);
        let heard = identification::exchange(&mut socket, ours).await?;
        let config = if identification::wants_older_macs(&heard) {
            configs.older
        } else {
            configs.usual
        };
        let said = ours.len() + "\r\n".len();
        let stream = Gathered::new(socket, Arc::clone(&self.shared.brake)).introduced(said, heard);
        run_stream(config, stream, conversation).await
    }

    fn cause(&self, ended: Result<(), russh::Error>) -> Cause {
        match ended {
            _ if self.shared.farewell().is_some() => {
                Cause::Said(self.shared.farewell().map_or("", |farewell| farewell.cause))
            }
            Ok(()) => Cause::Said("quit"),
            Err(error) => Cause::of(&error),
        }
    }

    async fn ended_now(&self) -> Ending {
        loop {
            let ending = self.record.ended().await;
            if ending != Ending::None {
                return ending;
            }
        }
    }

    /// When to look next: a time that can only be too early.
    fn deadline(&self) -> Instant {
        let idle = self.record.last_active() + self.settings.idle_timeout;
        let login = self.record.since + self.settings.login_timeout;
        if self.record.account().is_none() {
            login.min(idle)
        } else {
            idle
        }
    }

    fn reason_to_end(&self, now: Instant) -> Option<Farewell> {
        if let Some(farewell) = self.shared.farewell() {
            return Some(farewell);
        }
        match self.record.ending() {
            Ending::Now => {
                return Some(Farewell {
                    reason: Reason::ByApplication,
                    text: "Session ended by the administrator or for shutdown.",
                    cause: "ended by us",
                });
            }
            Ending::AfterTransfer if !self.record.is_busy() => {
                return Some(Farewell {
                    reason: Reason::ByApplication,
                    text: "Service is shutting down, try again later.",
                    cause: "ended by us",
                });
            }
            _ => {}
        }
        let since_login = now.saturating_duration_since(self.record.since);
        if self.record.account().is_none() {
            return (since_login >= self.settings.login_timeout).then_some(Farewell {
                reason: Reason::ByApplication,
                text: "Login took too long.",
                cause: "not logged in in time",
            });
        }
        let idle = now.saturating_duration_since(self.record.last_active());
        // SFT-10.
        (idle >= self.settings.idle_timeout).then_some(Farewell {
            reason: Reason::ByApplication,
            text: "Idle for too long.",
            cause: "idle for too long",
        })
    }

    /// Says goodbye, waits for the peer's end for a while, and cuts it off.
    async fn hang_up(&self, running: &mut RunningSession<Conversation>, farewell: Farewell) {
        let handle = running.handle();
        let goodbye = handle.disconnect(farewell.reason.into(), farewell.text.into(), "en".into());
        let ended = timeout(LINGER, async {
            goodbye.await.ok();
            let _ = (&mut *running).await;
        });
        if ended.await.is_err() {
            self.shared.brake.cut();
            // What is cut off ends by itself; what waits for a disk ends its session when it is done.
            let _ = timeout(LINGER, running).await;
        }
    }
}
