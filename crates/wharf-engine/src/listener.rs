//! Listening sockets: accept, ask the door, hand the connection to its front end.
//!
//! Sockets are opened before privileges are dropped and before the runtime exists. Socket options
//! are set once, on the listener: accepted sockets inherit them, which saves three calls each.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr, TcpListener as StdListener},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, sockopt},
};
use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream},
};

use crate::{
    Engine, Lease,
    engine::unmapped,
    events::{Event, Level, Origin},
    proxy_header::{self, Parsed},
    workers::Workers,
};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// How long a proxy may take for its header.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// How long to rest when the process has no descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A connection that was let in.
pub struct Connection {
    /// The socket.
    pub socket: TcpStream,
    /// The peer, IPv4-mapped addresses turned into IPv4; behind a named proxy the real one.
    pub peer: SocketAddr,
    /// Our end as the peer sees it.
    pub local: SocketAddr,
    /// Our end of the socket itself: differs from `local` behind a proxy.
    pub bound: SocketAddr,
    /// Its places.
    pub lease: Lease,
}

/// A protocol, as the listener sees it.
pub trait FrontEnd: Send + Sync + 'static {
    /// Its name ("ftp").
    fn service(&self) -> &'static str;

    /// What somebody gets who is turned away at the door.
    fn refusal(&self) -> &[u8];

    /// Whether a client's urgent data shall come in line.
    fn urgent_in_line(&self) -> bool {
        false
    }

    /// Serves a connection to its end.
    fn serve(self: Arc<Self>, connection: Connection) -> impl Future<Output = ()> + Send;
}

/// An open listening socket, not yet served.
#[derive(Debug)]
pub struct Listener {
    socket: StdListener,
    address: SocketAddr,
}

impl Listener {
    /// Opens a listening socket for one address family: an IPv6 wildcard takes no IPv4.
    ///
    /// # Errors
    /// The host's refusal (address in use, no right to the port).
    pub fn open(address: SocketAddr, urgent_in_line: bool) -> io::Result<Self> {
        let family = if address.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if address.is_ipv6() {
            // One family per socket: `0.0.0.0` and `[::]` can then stand side by side on every host.
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        sockopt::set_tcp_nodelay(&socket, true)?;
        sockopt::set_socket_keepalive(&socket, true)?;
        sockopt::set_tcp_keepidle(&socket, Duration::from_secs(60))?;
        sockopt::set_tcp_keepintvl(&socket, Duration::from_secs(60))?;
        sockopt::set_socket_oobinline(&socket, urgent_in_line)?;
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        let socket = StdListener::from(socket);
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until `stop` is done. Must run inside the runtime.
    ///
    /// # Errors
    /// The reactor's refusal to watch the socket.
    pub async fn serve<F: FrontEnd>(
        self,
        engine: Arc<Engine>,
        front_end: Arc<F>,
        stop: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        self.serve_on(Arc::new(Workers::here()), engine, front_end, stop)
            .await
    }

    /// As [`Listener::serve`], with the sessions on `workers`.
    ///
    /// # Errors
    /// The reactor's refusal to watch the socket.
    pub async fn serve_on<F: FrontEnd>(
        self,
        workers: Arc<Workers>,
        engine: Arc<Engine>,
        front_end: Arc<F>,
        stop: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let listener = TcpListener::from_std(self.socket)?;
        engine.tell(front_end.service(), &Event::Listening(self.address));
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    welcome(&workers, &engine, &front_end, socket, unmapped(peer))
                }
                Err(error) if is_the_peers(&error) => {}
                Err(error) => {
                    let hint = if is_exhaustion(&error) {
                        "; raise the limit of open files"
                    } else {
                        ""
                    };
                    let text = format!("cannot accept on {}: {error}{hint}", self.address);
                    engine.tell(
                        front_end.service(),
                        &Event::Notice {
                            level: Level::Error,
                            text: &text,
                        },
                    );
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
            }
        }
    }
}

/// The peer went away between its connect and our accept, or the network did (accept(2) hands its
/// errors on).
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::INTR
                | Errno::PROTO
                | Errno::NOPROTOOPT
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::TIMEDOUT
        )
    )
}

fn is_exhaustion(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

fn welcome<F: FrontEnd>(
    workers: &Workers,
    engine: &Arc<Engine>,
    front_end: &Arc<F>,
    socket: TcpStream,
    peer: SocketAddr,
) {
    let Ok(bound) = socket.local_addr().map(unmapped) else {
        return;
    };
    let is_proxy = engine
        .policy
        .load()
        .proxies
        .iter()
        .any(|proxy| proxy.contains(peer.ip()));
    if is_proxy {
        let Ok(socket) = socket.into_std() else {
            return;
        };
        let (engine, front_end) = (Arc::clone(engine), Arc::clone(front_end));
        workers.spawn(async move {
            let Ok(socket) = TcpStream::from_std(socket) else {
                return;
            };
            welcome_proxied(&engine, front_end, socket, peer, bound).await;
        });
        return;
    }
    let Some(lease) = admit(engine, &**front_end, &socket, peer.ip()) else {
        return;
    };
    // The thread that serves it watches it; this one forgets it.
    let Ok(socket) = socket.into_std() else {
        return;
    };
    let front_end = Arc::clone(front_end);
    workers.spawn(async move {
        let Ok(socket) = TcpStream::from_std(socket) else {
            return;
        };
        front_end
            .serve(Connection {
                socket,
                peer,
                local: bound,
                bound,
                lease,
            })
            .await;
    });
}

async fn welcome_proxied<F: FrontEnd>(
    engine: &Engine,
    front_end: Arc<F>,
    socket: TcpStream,
    proxy: SocketAddr,
    bound: SocketAddr,
) {
    let cause = match tokio::time::timeout(HEADER_TIME, read_header(&socket)).await {
        Ok(Ok(addresses)) => {
            let (peer, local) = addresses.map_or((proxy, bound), |(peer, local)| {
                (unmapped(peer), unmapped(local))
            });
            let Some(lease) = admit(engine, &*front_end, &socket, peer.ip()) else {
                return;
            };
            return front_end
                .serve(Connection {
                    socket,
                    peer,
                    local,
                    bound,
                    lease,
                })
                .await;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no PROXY header within {} s", HEADER_TIME.as_secs()),
    };
    refuse_event(engine, front_end.service(), proxy.ip(), &cause);
}

fn admit<F: FrontEnd>(
    engine: &Engine,
    front_end: &F,
    socket: &TcpStream,
    peer: IpAddr,
) -> Option<Lease> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the rim: a connection's time begins here"
    )]
    let now = Instant::now();
    match engine.admit(peer, now) {
        Ok(lease) => Some(lease),
        Err(cause) => {
            // The socket itself is asked: the reactor need not know yet that a fresh one can be
            // written. Its buffer is empty; a peer that is gone gets nothing.
            let _ = rustix::net::send(
                socket,
                front_end.refusal(),
                SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            );
            refuse_event(engine, front_end.service(), peer, cause);
            None
        }
    }
}

fn refuse_event(engine: &Engine, service: &'static str, peer: IpAddr, cause: &str) {
    let origin = Origin {
        service,
        peer: Some(peer),
        ..Origin::default()
    };
    engine.bus.emit(&origin, &Event::Refused { cause });
}

/// Reads a PROXY header and not one octet more: looks first, takes afterwards.
async fn read_header(socket: &TcpStream) -> io::Result<Option<(SocketAddr, SocketAddr)>> {
    let mut bytes = [0; proxy_header::MAX_HEADER];
    let mut seen = 0;
    loop {
        seen = socket
            .async_io(Interest::READABLE, || look(socket, &mut bytes, seen))
            .await?;
        match proxy_header::parse(bytes.get(..seen).unwrap_or_default()) {
            Parsed::Header { length, addresses } => {
                let mut left = length;
                while left > 0 {
                    socket.readable().await?;
                    match socket.try_read(bytes.get_mut(..left).unwrap_or_default()) {
                        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                        Ok(count) => left -= count,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error),
                    }
                }
                return Ok(addresses);
            }
            Parsed::Incomplete if seen > 0 => {}
            Parsed::Incomplete => return Err(io::ErrorKind::UnexpectedEof.into()),
            Parsed::Malformed => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "expected a PROXY header from a proxy of proxy.networks, got something else",
                ));
            }
        }
    }
}

/// What can be read and stays readable. The same as before is nothing new: the reactor then waits
/// for the next octets to come.
fn look(socket: &TcpStream, bytes: &mut [u8], before: usize) -> io::Result<usize> {
    let (seen, _) = rustix::net::recv(socket, bytes, RecvFlags::PEEK | RecvFlags::DONTWAIT)?;
    if seen > 0 && seen == before {
        Err(io::ErrorKind::WouldBlock.into())
    } else {
        Ok(seen)
    }
}
