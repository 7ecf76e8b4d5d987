//! The listening socket: requests become transactions, everything else is a stray or somebody's mail.
//!
//! One task per socket. It parses, counts and hands on; what touches a file runs on a worker. A datagram
//! may come from anybody in anybody's name, so an answer is small, single and rare: an ERROR to a request
//! that cannot be read, and nothing to anything else. Nothing is ever said to an ERROR, nor to a port that
//! a TFTP server listens on (CVE-2024-2169: two servers that answer each other for ever).

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use wharf_engine::{
    Workers,
    events::{Event, Level},
};
use wharf_proto::tftp::{ErrorCode, Packet, packet};
use wharf_transfer::datagram::{DatagramSocket, Route};

use crate::{
    clock,
    front_end::{SERVICE, TftpFrontEnd},
    transaction::{self, Arrival},
    transactions::Limits,
};

/// The port of the service by the book.
const TFTP_PORT: u16 = 69;

/// Octets of the longest datagram.
const LONGEST: usize = 65_536;

/// Datagrams that are read before others on this thread get their turn.
const AT_ONCE: usize = 64;

/// Transfers that share a thread before another one takes part.
const TOGETHER: usize = 256;

/// How long to rest when the socket failed.
const FAILED_PAUSE: Duration = Duration::from_millis(100);

/// Serves one listening socket.
pub(crate) async fn serve(
    front_end: Arc<TftpFrontEnd>,
    socket: UdpSocket,
    workers: Arc<Workers>,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let socket = Arc::new(DatagramSocket::listening(socket)?);
    let address = socket.local_address()?;
    front_end.engine().tell(SERVICE, &Event::Listening(address));
    let mut door = Door {
        front_end,
        socket,
        address,
        workers,
        is_open: true,
    };
    let mut buffer = vec![0; LONGEST];
    {
        let mut stop = pin!(stop);
        tokio::select! {
            biased;
            () = &mut stop => {}
            () = door.listen(&mut buffer) => {}
        }
    }
    // Transfers of single-port mode are heard to their end.
    door.is_open = false;
    let front_end = Arc::clone(&door.front_end);
    tokio::select! {
        biased;
        () = front_end.transactions.quiet() => {}
        () = door.listen(&mut buffer) => {}
    }
    Ok(())
}

struct Door {
    front_end: Arc<TftpFrontEnd>,
    socket: Arc<DatagramSocket>,
    address: SocketAddr,
    workers: Arc<Workers>,
    /// Requests are heard.
    is_open: bool,
}

impl Door {
    async fn listen(&self, buffer: &mut [u8]) {
        let mut at_once = 0;
        loop {
            match self.socket.receive_routed(buffer).await {
                Ok(routed) => {
                    if let Some(datagram) = buffer.get(..routed.octets) {
                        self.arrived(datagram, routed.from, routed.route);
                    }
                }
                Err(error) => {
                    let text = format!("cannot receive on {}: {error}", self.address);
                    let event = Event::Notice {
                        level: Level::Error,
                        text: &text,
                    };
                    self.front_end.engine().tell(SERVICE, &event);
                    tokio::time::sleep(FAILED_PAUSE).await;
                }
            }
            at_once += 1;
            if at_once == AT_ONCE {
                at_once = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    fn arrived(&self, datagram: &[u8], from: SocketAddr, route: Route) {
        if self.is_loop(from) || route.is_to_many() {
            return;
        }
        // RRQ and WRQ alone begin with these; the rest of a shared port's traffic is not parsed here.
        let is_request = matches!(datagram, [0, 1 | 2, ..]);
        let transactions = &self.front_end.transactions;
        if !is_request {
            if let Some(mailbox) = transactions.of(from)
                && mailbox.is_shared
            {
                mailbox.deliver(datagram);
            }
            return;
        }
        if !self.is_open {
            return;
        }
        let settings = self.front_end.settings();
        let now = clock::now();
        if !self
            .front_end
            .rate
            .allow(from.ip(), now, settings.requests_per_second)
        {
            let cause = "too many requests from this address (tftp.requests_per_second)";
            return self.front_end.dropped(from, cause, clock::unix_now());
        }
        // The same again is a repetition: what is under way goes on.
        if transactions.repeat(from, datagram) {
            return;
        }
        match Packet::parse(datagram) {
            Ok(Packet::Request(_)) => {}
            Err(malformed) if malformed.is_request() => {
                let mut answer = Vec::new();
                packet::error(
                    ErrorCode::IllegalOperation,
                    &malformed.to_string(),
                    &mut answer,
                );
                // Lost where there is no room, as on any other way.
                let _ = self.socket.try_send_to(&answer, from, &route);
                return;
            }
            _ => return,
        }
        let lease = match self.front_end.engine().admit_request(from.ip(), now) {
            Ok(lease) => lease,
            Err(cause) => return self.front_end.dropped(from, cause, clock::unix_now()),
        };
        let limits = Limits {
            all: settings.transfers,
            per_address: settings.per_address,
            patience: settings.timing.initial,
        };
        let entered = transactions.enter(from, datagram, settings.single_port, limits, now);
        let place = match entered {
            Ok(place) => place,
            Err(full) => {
                return self
                    .front_end
                    .dropped(from, full.cause(), clock::unix_now());
            }
        };
        self.workers.spawn_together(
            TOGETHER,
            transaction::serve(Arrival {
                front_end: Arc::clone(&self.front_end),
                settings,
                socket: Arc::clone(&self.socket),
                local: SocketAddr::new(
                    route.local.unwrap_or_else(|| self.address.ip()),
                    self.address.port(),
                ),
                route,
                peer: from,
                place,
                lease,
            }),
        );
    }

    /// Whether an answer would go to another server, to ourselves or to nobody (TFT-03).
    fn is_loop(&self, from: SocketAddr) -> bool {
        let is_nobody = match from.ip() {
            IpAddr::V4(address) => address.is_broadcast() || address.octets()[0] == 0,
            IpAddr::V6(address) => address.is_unspecified(),
        };
        is_nobody
            || from.ip().is_multicast()
            || [0, TFTP_PORT, self.address.port()].contains(&from.port())
    }
}
