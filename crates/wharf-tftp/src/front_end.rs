//! The TFTP service: what all its listening sockets and transactions share.

use std::{
    future::Future,
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use wharf_engine::{
    Engine, Workers,
    engine::{Current, unmapped},
    events::{Event, Origin},
    request_rate::RequestRate,
};

use crate::{Settings, content::Contents, server, transactions::Transactions};

/// The service's name in records and events.
pub(crate) const SERVICE: &str = "tftp";

/// The TFTP service: what its transactions share.
pub struct TftpFrontEnd {
    engine: Arc<Engine>,
    settings: Current<Settings>,
    pub(crate) transactions: Arc<Transactions>,
    pub(crate) rate: RequestRate,
    pub(crate) contents: Contents,
    /// The second in which a request was last told of as dropped.
    told: AtomicU64,
}

impl TftpFrontEnd {
    /// A service over `engine`.
    pub fn new(engine: Arc<Engine>, settings: Settings) -> Self {
        Self {
            engine,
            contents: Contents::new(settings.cache),
            settings: Current::new(settings),
            transactions: Arc::default(),
            rate: RequestRate::default(),
            told: AtomicU64::new(0),
        }
    }

    /// Changes the settings for requests to come.
    pub fn reload(&self, settings: Settings) {
        self.settings.store(settings);
    }

    /// The settings of now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load()
    }

    /// Serves a listening socket ([`wharf_transfer::datagram::bind`]) until `stop` is done, and then no new
    /// requests: transfers of single-port mode are carried to their end. Each transaction runs on one of
    /// `workers`. Must run inside a runtime.
    ///
    /// # Errors
    /// The reactor's refusal to watch the socket.
    pub async fn serve(
        self: Arc<Self>,
        socket: UdpSocket,
        workers: Arc<Workers>,
        stop: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        server::serve(self, socket, workers, stop).await
    }

    pub(crate) const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Tells of a request that was dropped without a word, of one in a second at the most: whoever can
    /// flood us shall not flood the log.
    pub(crate) fn dropped(&self, peer: SocketAddr, cause: &str, unix_now: u64) {
        if self.told.swap(unix_now, Ordering::Relaxed) == unix_now {
            return;
        }
        let origin = Origin {
            service: SERVICE,
            peer: Some(unmapped(peer).ip()),
            ..Origin::default()
        };
        self.engine.bus.emit(&origin, &Event::Refused { cause });
    }
}
