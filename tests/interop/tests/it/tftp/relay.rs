//! A bad network between any TFTP client and any server: datagrams are lost, doubled and overtaken by
//! the dice of a seed.
//!
//! It stands where the server stands for the client, and where the client stands for the server: towards
//! the server it has the client's address, and each port that the server answers from has a port of its
//! own towards the client, so that transfer IDs are what they are without it. One thread serves all.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll;
use rustix::net::sockopt;

/// How long a datagram is held when no other one comes to overtake it.
const HOLD: Duration = Duration::from_millis(3);

/// What one socket may say before the others are heard.
const TURN: usize = 64;

/// What happens to datagrams, in percent, each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    pub(crate) loss: u8,
    pub(crate) duplication: u8,
    pub(crate) reordering: u8,
    /// So many datagrams of each flow pass first, each way, before anything happens to one.
    pub(crate) spared: u64,
    /// Nothing passes but to and from the port that requests go to, as through a strict firewall.
    pub(crate) one_port: bool,
}

impl Faults {
    /// All three alike.
    pub(crate) fn of(percent: u8) -> Self {
        Self {
            loss: percent,
            duplication: percent,
            reordering: percent,
            spared: 0,
            one_port: false,
        }
    }

    /// All three alike, but the request, the answer to its options and what follows pass: clients that
    /// take the answer for something else when it comes twice would fail with any server.
    pub(crate) fn after_the_opening(percent: u8) -> Self {
        Self {
            spared: 2,
            ..Self::of(percent)
        }
    }

    /// Nothing but loss.
    pub(crate) fn loss(percent: u8) -> Self {
        Self {
            loss: percent,
            ..Self::default()
        }
    }
}

/// What has happened to datagrams.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) passed: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) doubled: AtomicU64,
    pub(crate) overtaken: AtomicU64,
    pub(crate) blocked: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A running relay. It ends when dropped.
pub(crate) struct Relay {
    address: SocketAddr,
    counts: Arc<Counts>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Stands before `server`, on the same address.
    pub(crate) fn start(server: SocketAddr, faults: Faults, seed: u64) -> Self {
        let front = socket(SocketAddr::new(server.ip(), 0)).expect("the relay's socket");
        let address = front.local_addr().expect("an address");
        let counts = Arc::<Counts>::default();
        let is_over = Arc::<AtomicBool>::default();
        let mut network = Network {
            server,
            faults,
            seed,
            counts: Arc::clone(&counts),
            poll: epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll"),
            sockets: Vec::new(),
            flows: Vec::new(),
            by_client: HashMap::new(),
            held: Vec::new(),
        };
        network.watch(front, Place::Front).expect("epoll");
        let over = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || network.run(&over));
        Self {
            address,
            counts,
            is_over,
            thread: Some(thread),
        }
    }

    /// Where clients send their requests.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let any = SocketAddr::new(self.address.ip(), 0);
        let _ = UdpSocket::bind(any).and_then(|socket| socket.send_to(&[], self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Bound, never waiting, with room for windows.
fn socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    let _ = sockopt::set_socket_recv_buffer_size(&socket, 4 << 20);
    let _ = sockopt::set_socket_send_buffer_size(&socket, 4 << 20);
    Ok(socket)
}

/// Whose a socket is.
#[derive(Clone, Copy)]
enum Place {
    /// Requests come in here.
    Front,
    /// A client, as the server sees it.
    Client { flow: usize },
    /// A port of the server's, as a client sees it.
    Server { flow: usize, port: SocketAddr },
}

/// One client's address.
struct Flow {
    client: SocketAddr,
    /// The socket that is the client to the server.
    upstream: usize,
    /// The server's ports and the sockets that are them to the client.
    ends: Vec<(SocketAddr, usize)>,
    to_server: Line,
    to_client: Line,
}

/// One direction of a flow.
struct Line {
    dice: u64,
    came: u64,
    held: Option<Datagram>,
}

struct Datagram {
    octets: Vec<u8>,
    socket: usize,
    to: SocketAddr,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

struct Network {
    server: SocketAddr,
    faults: Faults,
    seed: u64,
    counts: Arc<Counts>,
    poll: OwnedFd,
    sockets: Vec<(UdpSocket, Place)>,
    flows: Vec<Flow>,
    by_client: HashMap<SocketAddr, usize>,
    /// The lines that hold a datagram, oldest first, and since when.
    held: Vec<(usize, Way, Instant)>,
}

impl Network {
    fn watch(&mut self, socket: UdpSocket, place: Place) -> io::Result<usize> {
        let number = self.sockets.len();
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.poll, &socket, data, epoll::EventFlags::IN)?;
        self.sockets.push((socket, place));
        Ok(number)
    }

    fn run(&mut self, is_over: &AtomicBool) {
        let mut buffer = vec![0; 65_536];
        let mut events = Vec::with_capacity(256);
        while !is_over.load(Ordering::Relaxed) {
            let soon = Timespec::try_from(HOLD).expect("a short time");
            let timeout = (!self.held.is_empty()).then_some(&soon);
            events.clear();
            match epoll::wait(&self.poll, spare_capacity(&mut events), timeout) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("epoll: {error}"),
            }
            for event in &events {
                let number = event.data.u64() as usize;
                for _ in 0..TURN {
                    let Ok((length, from)) = self.sockets[number].0.recv_from(&mut buffer) else {
                        break;
                    };
                    self.route(number, from, &buffer[..length]);
                }
            }
            self.release();
        }
    }

    fn route(&mut self, number: usize, from: SocketAddr, octets: &[u8]) {
        match self.sockets[number].1 {
            Place::Front => {
                // The other end of `Drop`, or nobody's descriptors are left: such a request is lost.
                if octets.is_empty() {
                    return;
                }
                if let Ok(flow) = self.flow(from) {
                    let socket = self.flows[flow].upstream;
                    self.pass(flow, Way::ToServer, octets, socket, self.server);
                }
            }
            Place::Client { flow } => {
                if let Some(socket) = self.end(flow, from) {
                    let client = self.flows[flow].client;
                    self.pass(flow, Way::ToClient, octets, socket, client);
                }
            }
            Place::Server { flow, port } => {
                if self.flows[flow].client == from {
                    let socket = self.flows[flow].upstream;
                    self.pass(flow, Way::ToServer, octets, socket, port);
                }
            }
        }
    }

    /// The flow of a client; a new one where it has none.
    fn flow(&mut self, client: SocketAddr) -> io::Result<usize> {
        if let Some(flow) = self.by_client.get(&client) {
            return Ok(*flow);
        }
        let flow = self.flows.len();
        let upstream = socket(SocketAddr::new(client.ip(), 0))?;
        let upstream = self.watch(upstream, Place::Client { flow })?;
        let line = |way: u64| Line {
            dice: mixed((self.seed << 32) | ((flow as u64) << 1) | way),
            came: 0,
            held: None,
        };
        self.flows.push(Flow {
            client,
            upstream,
            ends: Vec::new(),
            to_server: line(0),
            to_client: line(1),
        });
        self.by_client.insert(client, flow);
        Ok(flow)
    }

    /// The socket that is that port of the server's to the client.
    fn end(&mut self, flow: usize, port: SocketAddr) -> Option<usize> {
        if port == self.server {
            return Some(0);
        }
        if self.faults.one_port {
            count(&self.counts.blocked);
            return None;
        }
        let known = self.flows[flow].ends.iter().find(|end| end.0 == port);
        if let Some((_, socket)) = known {
            return Some(*socket);
        }
        let own = socket(SocketAddr::new(port.ip(), 0)).ok()?;
        let own = self.watch(own, Place::Server { flow, port }).ok()?;
        self.flows[flow].ends.push((port, own));
        Some(own)
    }

    /// Throws the dice for one datagram.
    fn pass(&mut self, flow: usize, way: Way, octets: &[u8], socket: usize, to: SocketAddr) {
        let faults = self.faults;
        let line = self.line(flow, way);
        line.came += 1;
        if line.came <= faults.spared {
            self.send(socket, octets, to);
            return;
        }
        if line.happens(faults.loss) {
            count(&self.counts.lost);
            return;
        }
        let is_doubled = line.happens(faults.duplication);
        let is_held = line.happens(faults.reordering);
        if is_held && line.held.is_none() {
            line.held = Some(Datagram {
                octets: octets.to_vec(),
                socket,
                to,
            });
            self.held.push((flow, way, Instant::now()));
            return;
        }
        let overtaken = line.held.take();
        self.send(socket, octets, to);
        if is_doubled {
            count(&self.counts.doubled);
            self.send(socket, octets, to);
        }
        if let Some(late) = overtaken {
            count(&self.counts.overtaken);
            self.send(late.socket, &late.octets, late.to);
            self.held.retain(|held| (held.0, held.1) != (flow, way));
        }
    }

    fn line(&mut self, flow: usize, way: Way) -> &mut Line {
        let flow = &mut self.flows[flow];
        match way {
            Way::ToServer => &mut flow.to_server,
            Way::ToClient => &mut flow.to_client,
        }
    }

    fn send(&self, socket: usize, octets: &[u8], to: SocketAddr) {
        count(&self.counts.passed);
        // Whatever the kernel refuses is lost, as on any network.
        let _ = self.sockets[socket].0.send_to(octets, to);
    }

    /// Lets go what nothing has overtaken.
    fn release(&mut self) {
        while let Some((flow, way, since)) = self.held.first().copied() {
            if since.elapsed() < HOLD {
                return;
            }
            self.held.remove(0);
            if let Some(late) = self.line(flow, way).held.take() {
                self.send(late.socket, &late.octets, late.to);
            }
        }
    }
}

/// A number that looks nothing like its neighbours' (`splitmix64`), and never zero.
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (bits ^ (bits >> 31)) | 1
}

impl Line {
    /// Whether what happens in `percent` of all cases happens now (xorshift64*).
    fn happens(&mut self, percent: u8) -> bool {
        self.dice ^= self.dice >> 12;
        self.dice ^= self.dice << 25;
        self.dice ^= self.dice >> 27;
        let thrown = self.dice.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        thrown % 100 < u64::from(percent)
    }
}

/// Lossy cells prove nothing if nothing is lost: the relay does what it is told, about as often.
#[test]
fn the_relay_loses_doubles_and_reorders() {
    let echo = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = echo.local_addr().unwrap();
    let echoing = std::thread::spawn(move || {
        let mut buffer = [0; 8];
        let mut heard = Vec::new();
        while let Ok((length, from)) = echo.recv_from(&mut buffer) {
            if length == 0 {
                return heard;
            }
            heard.push(u64::from_le_bytes(buffer));
            echo.send_to(&buffer[..length], from).unwrap();
        }
        heard
    });
    let relay = Relay::start(server, Faults::of(10), 1);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let mut back = 0;
    for number in 0..2000_u64 {
        client
            .send_to(&number.to_le_bytes(), relay.address())
            .unwrap();
        if number % 20 == 19 {
            while client.recv_from(&mut [0; 8]).is_ok() {
                back += 1;
            }
        }
    }
    UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .send_to(&[], server)
        .unwrap();
    let heard = echoing.join().unwrap();
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let counts = relay.counts();
    for counter in [&counts.lost, &counts.doubled, &counts.overtaken] {
        assert!((200..700).contains(&of(counter)), "{counts:?}");
    }
    assert!(heard.windows(2).any(|two| two[0] > two[1]), "in order");
    assert!(heard.windows(2).any(|two| two[0] == two[1]), "none twice");
    assert!((1500..2000).contains(&back), "{back} came back: {counts:?}");
}
