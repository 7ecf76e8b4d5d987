//! Datagram sockets of transactions that keep their own order and repeat what was lost.
//!
//! A listening socket tells of every datagram which address it was sent to ([`Route`]), so that the
//! answer leaves from there; a transaction's own socket is connected, so the kernel sorts out strangers
//! and reports ICMP errors. Runs of equal blocks leave by segmentation offload ([`segments`]): one system
//! call and one walk through the stack for up to 64 datagrams. Datagrams are never marked "don't
//! fragment": one that is longer than the path's MTU leaves as fragments (TFT-42).
//!
//! This room must not know what the datagrams say.

mod route;
mod segments;

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
};

use nix::sys::socket::{
    MsgFlags, SockaddrLike as _, SockaddrStorage, sendmsg, setsockopt,
    sockopt::{Ipv4PacketInfo, Ipv4RecvErr, Ipv6RecvErr, Ipv6RecvPacketInfo, Ipv6V6Only},
};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvFlags, SendFlags, SocketFlags, SocketType,
        sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery},
    },
};
use tokio::{io::Interest, net::UdpSocket};

pub use route::{Route, Routed};
use segments::Segmentation;

/// What is asked for the receive buffer of a listening socket, octets: requests of many, and in one-port
/// operation whole windows of them.
const LISTENING_BUFFER: usize = 4 << 20;

/// What is asked for the buffers of one transaction, octets. The system grants what it likes.
const TRANSACTION_BUFFER: usize = 2 << 20;

/// Datagrams of strangers that are looked for at the most.
const MOST_STRANGERS: u32 = 1024;

/// A non-blocking listening socket at `address`: of one family alone, and every datagram that it receives
/// tells its [`Route`]. May be called before privileges are dropped, and outside a runtime.
///
/// # Errors
/// The system's: a port that is taken or wants privileges, an address that is not ours.
pub fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = open(address)?;
    match address {
        SocketAddr::V4(_) => setsockopt(&socket, Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => {
            setsockopt(&socket, Ipv6V6Only, &true)?;
            setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
        }
    }
    // Forced past the system's limit where we are privileged; otherwise as much as is granted.
    if sockopt::set_socket_recv_buffer_size_force(&socket, LISTENING_BUFFER).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(&socket, LISTENING_BUFFER);
    }
    let _ = sockopt::set_socket_send_buffer_size(&socket, TRANSACTION_BUFFER);
    rustix::net::bind(&socket, &address)?;
    Ok(socket.into())
}

/// A non-blocking socket of the family of `address`, whose datagrams may be fragmented.
fn open(address: SocketAddr) -> io::Result<OwnedFd> {
    let (family, is_v4) = match address {
        SocketAddr::V4(_) => (AddressFamily::INET, true),
        SocketAddr::V6(_) => (AddressFamily::INET6, false),
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
    // Neither "don't fragment" nor errors about the path's MTU.
    if is_v4 {
        sockopt::set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DONT)?;
    } else {
        sockopt::set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::DONT)?;
    }
    Ok(socket)
}

/// What was received into the caller's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The datagram's length; more than there was room for where its rest is lost.
    pub octets: usize,
    /// Who sent it.
    pub from: Option<SocketAddr>,
}

/// A datagram socket that the reactor knows.
///
/// The `try_` functions never wait: they say [`io::ErrorKind::WouldBlock`]. An ICMP error that a peer's
/// host or a router sent is the error of the next call, receiving or sending: of a connected socket, and of
/// an [unconnected](Self::unconnected) one too. What the local queue had no room for counts as sent: it is a
/// loss like any other.
#[derive(Debug)]
pub struct DatagramSocket {
    socket: UdpSocket,
    segmentation: Segmentation,
    /// The kernel queues ICMP errors, so the queue must be emptied.
    queues_errors: bool,
}

impl DatagramSocket {
    /// Takes a socket that [`bind`] made. Must be called inside a runtime.
    ///
    /// # Errors
    /// The reactor's refusal.
    pub fn listening(socket: std::net::UdpSocket) -> io::Result<Self> {
        Self::register(socket, false)
    }

    /// The socket of one transaction, at `local` (port 0: one that the kernel picks at random) and for
    /// `peer` alone.
    ///
    /// # Errors
    /// The system's: a port that is taken, an address that is not ours, no route to the peer.
    pub fn connected(local: SocketAddr, peer: SocketAddr) -> io::Result<Self> {
        let socket = open(local)?;
        size_buffers(&socket);
        rustix::net::bind(&socket, &local)?;
        keep_to(&socket, peer)?;
        Self::register(socket.into(), false)
    }

    /// A socket for whoever answers what is sent to `peer`, of whom only the family counts here. ICMP errors
    /// show although it is not connected; among them, by IPv6, that a datagram was too large for the path
    /// (EMSGSIZE): those that follow leave as fragments.
    ///
    /// # Errors
    /// The system's.
    pub fn unconnected(peer: SocketAddr) -> io::Result<Self> {
        let socket = open(peer)?;
        size_buffers(&socket);
        let anywhere: IpAddr = match peer {
            SocketAddr::V4(_) => {
                setsockopt(&socket, Ipv4RecvErr, &true)?;
                Ipv4Addr::UNSPECIFIED.into()
            }
            SocketAddr::V6(_) => {
                setsockopt(&socket, Ipv6RecvErr, &true)?;
                Ipv6Addr::UNSPECIFIED.into()
            }
        };
        rustix::net::bind(&socket, &SocketAddr::new(anywhere, 0))?;
        Self::register(socket.into(), true)
    }

    fn register(socket: std::net::UdpSocket, queues_errors: bool) -> io::Result<Self> {
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            segmentation: Segmentation::default(),
            queues_errors,
        })
    }

    /// From now on only `peer` is heard, and everything is sent to it. Datagrams of others that came before
    /// are still received: [`Received::from`] tells.
    ///
    /// # Errors
    /// The system's: no route to the peer.
    pub fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        Ok(rustix::net::connect(&self.socket, &peer)?)
    }

    /// Where it is bound; the unspecified address where it is bound to all.
    ///
    /// # Errors
    /// The system's.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Receives one datagram: its first octets into `head` until that is full, the others into `body`.
    /// What the reactor has not heard of counts as not there.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]; an ICMP error.
    pub fn try_receive(&self, head: &mut [u8], body: &mut [u8]) -> io::Result<Received> {
        self.when_told(|| self.receive_now(head, body))
    }

    /// Receives one short datagram of a connected socket, and tells its length, which may be more than there
    /// was room for: cheaper than [`Self::try_receive`] where neither scatter nor sender are wanted.
    ///
    /// # Errors
    /// As [`Self::try_receive`].
    pub fn try_receive_short(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.when_told(|| {
            let flags = RecvFlags::TRUNC | RecvFlags::DONTWAIT;
            match rustix::net::recv(&self.socket, &mut *buffer, flags) {
                Ok((_, octets)) => Ok(octets),
                Err(error) => Err(self.failed(error)),
            }
        })
    }

    /// Waits until there may be something to receive, a datagram or an error.
    ///
    /// # Errors
    /// The reactor's end.
    pub async fn readable(&self) -> io::Result<()> {
        // An error alone does not make a datagram socket readable.
        self.socket
            .ready(Interest::READABLE | Interest::ERROR)
            .await
            .map(drop)
    }

    /// Says that nothing more is expected at once, so that the next [`Self::readable`] waits without asking
    /// the kernel first. Right after something was sent that the peer answers: that answer wakes it. A
    /// datagram that is here already is found together with the next. Only in a runtime of one thread, and
    /// without an await since the last datagram was received.
    pub fn rest(&self) {
        let _: io::Result<()> = self.when_told(|| Err(io::ErrorKind::WouldBlock.into()));
    }

    /// Runs `receive` if the reactor has told of a datagram or an error; it tells anew once `receive` found
    /// nothing. (Of both at once the runtime cannot be asked.)
    fn when_told<T>(&self, mut receive: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match self.socket.try_io(Interest::READABLE, &mut receive) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.socket.try_io(Interest::ERROR, receive)
            }
            done => done,
        }
    }

    /// Receives as [`Self::try_receive`] does, also what the reactor has not heard of: for whoever knows by
    /// another way that there must be something.
    ///
    /// # Errors
    /// As [`Self::try_receive`].
    pub fn receive_now(&self, head: &mut [u8], body: &mut [u8]) -> io::Result<Received> {
        let mut buffers = [IoSliceMut::new(head), IoSliceMut::new(body)];
        let mut control = RecvAncillaryBuffer::default();
        let answer = rustix::net::recvmsg(
            &self.socket,
            &mut buffers,
            &mut control,
            RecvFlags::TRUNC | RecvFlags::DONTWAIT,
        );
        match answer {
            Ok(message) => Ok(Received {
                octets: message.bytes,
                from: message
                    .address
                    .and_then(|address| SocketAddr::try_from(address).ok()),
            }),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Receives one datagram and whereto it was sent.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]; what the system says.
    pub fn try_receive_routed(&self, buffer: &mut [u8]) -> io::Result<Routed> {
        self.when_told(|| route::receive(&self.socket, buffer))
    }

    /// Waits for a datagram; see [`Self::try_receive_routed`]. Nothing is lost when it is dropped while
    /// waiting.
    ///
    /// # Errors
    /// What the system says.
    pub async fn receive_routed(&self, buffer: &mut [u8]) -> io::Result<Routed> {
        loop {
            self.readable().await?;
            match self.try_receive_routed(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }

    /// Sends one datagram to the connected peer.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]; an ICMP error; no route.
    pub fn try_send(&self, datagram: &[u8]) -> io::Result<()> {
        self.segmentation.pass_whole(&self.socket, datagram.len())?;
        self.send_plain(datagram)
    }

    /// Sends one datagram to the connected peer, and waits for room.
    ///
    /// # Errors
    /// As [`Self::try_send`].
    pub async fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.when_writable(|| self.try_send(datagram)).await
    }

    /// Sends one datagram to `peer` from the address that `route` names (TFT-06). On a connected socket
    /// too, which stays connected.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]; no route; an address that is ours no longer.
    pub fn try_send_to(&self, datagram: &[u8], peer: SocketAddr, route: &Route) -> io::Result<()> {
        self.segmentation.pass_whole(&self.socket, datagram.len())?;
        self.send_one(&[IoSlice::new(datagram)], Some((peer, route)))
    }

    /// Sends one datagram as [`Self::try_send_to`] does, and waits for room.
    ///
    /// # Errors
    /// As [`Self::try_send_to`].
    pub async fn send_to(
        &self,
        datagram: &[u8],
        peer: SocketAddr,
        route: &Route,
    ) -> io::Result<()> {
        self.when_writable(|| self.try_send_to(datagram, peer, route))
            .await
    }

    /// Cuts `content` into blocks of `block_size` octets (the last may be shorter; an empty content is one
    /// empty block), puts `header(index)` before each, and sends them to `to`, or to the connected peer.
    /// Gives the number of blocks that went out: fewer than all when the socket has no more room.
    ///
    /// # Errors
    /// What befell the first block; [`io::ErrorKind::WouldBlock`] when not even that had room.
    pub fn try_send_blocks(
        &self,
        header: impl Fn(usize) -> [u8; 4],
        block_size: usize,
        content: &[u8],
        to: Option<(SocketAddr, &Route)>,
    ) -> io::Result<usize> {
        segments::try_send(self, &header, block_size, content, to)
    }

    /// Sends all blocks as [`Self::try_send_blocks`] does, and waits for room.
    ///
    /// # Errors
    /// What befell a block.
    pub async fn send_blocks(
        &self,
        header: impl Fn(usize) -> [u8; 4],
        block_size: usize,
        content: &[u8],
        to: Option<(SocketAddr, &Route)>,
    ) -> io::Result<()> {
        let mut sent = 0;
        loop {
            let rest = content.get(sent * block_size..).unwrap_or_default();
            sent += self
                .when_writable(|| {
                    segments::try_send(self, &|index| header(sent + index), block_size, rest, to)
                })
                .await?;
            if sent >= segments::count(content.len(), block_size) {
                return Ok(());
            }
        }
    }

    /// Runs `operation` now, and whenever the socket has room, until it no longer would block.
    async fn when_writable<T>(
        &self,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        // The reactor may not know of a new socket yet that there is room: nearly always there is.
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        loop {
            self.socket.writable().await?;
            match self.socket.try_io(Interest::WRITABLE, &mut operation) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }

    /// Sends one datagram to the connected peer.
    fn send_plain(&self, datagram: &[u8]) -> io::Result<()> {
        match rustix::net::send(&self.socket, datagram, SendFlags::DONTWAIT) {
            // The interface's queue is full: lost on the way, as anywhere else.
            Ok(_) | Err(Errno::NOBUFS) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Sends `parts` as one datagram, or as many as the socket's segment size makes of it.
    fn send_one(&self, parts: &[IoSlice<'_>], to: Option<(SocketAddr, &Route)>) -> io::Result<()> {
        let descriptor = self.socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        let sent = match to {
            None => sendmsg::<SockaddrStorage>(descriptor, parts, &[], flags, None),
            Some((peer, route)) => {
                let peer = SockaddrStorage::from(peer);
                route.with_message(peer.family(), |message| {
                    sendmsg(descriptor, parts, message, flags, Some(&peer))
                })
            }
        };
        match sent {
            // The interface's queue is full: lost on the way, as anywhere else.
            Ok(_) | Err(nix::Error::ENOBUFS) => Ok(()),
            Err(error) => Err(self.failed(Errno::from_raw_os_error(error as i32))),
        }
    }

    /// An error of the socket; what the kernel queued about it is thrown away.
    fn failed(&self, error: Errno) -> io::Error {
        if self.queues_errors && error != Errno::WOULDBLOCK {
            let mut control = RecvAncillaryBuffer::default();
            let flags = RecvFlags::ERRQUEUE | RecvFlags::DONTWAIT;
            while rustix::net::recvmsg(self.socket.as_fd(), &mut [], &mut control, flags).is_ok() {}
        }
        error.into()
    }
}

/// From now on only `peer` is heard, who knows nothing of the socket yet: what has come in the moment since it
/// was bound is a stranger's.
fn keep_to(socket: &OwnedFd, peer: SocketAddr) -> io::Result<()> {
    rustix::net::connect(socket, &peer)?;
    // Bounded: none can be added but the peer's, who cannot know whereto.
    for _ in 0..MOST_STRANGERS {
        if rustix::net::recv(socket, &mut [0; 1][..], RecvFlags::DONTWAIT).is_err() {
            break;
        }
    }
    Ok(())
}

/// Whatever the system grants of it will do.
fn size_buffers(socket: &OwnedFd) {
    let _ = sockopt::set_socket_recv_buffer_size(socket, TRANSACTION_BUFFER);
    let _ = sockopt::set_socket_send_buffer_size(socket, TRANSACTION_BUFFER);
}

#[cfg(test)]
mod tests;
