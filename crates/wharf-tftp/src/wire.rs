//! One transaction's way to its client: a port of its own, or the listening one (TFT-06).
//!
//! A port of its own is a connected socket: the kernel sorts out strangers (they get ICMP's word that
//! nobody listens, the transfer hears nothing of them: TFT-35) and reports a client that is gone. In
//! single-port mode the peer's address and port are the whole transfer ID: what is sent leaves through the
//! listening socket, and what comes is handed over by the listener.

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    ops::RangeInclusive,
    sync::Arc,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use wharf_transfer::datagram::{DatagramSocket, Route};

use crate::mailbox::{Inbox, Mailbox};

/// Ports of the range that are tried for one transaction.
const PORT_TRIES: u32 = 256;

/// How datagrams go and come.
#[derive(Debug)]
pub(crate) enum Wire {
    /// By a socket for this transaction alone.
    Own(DatagramSocket),
    /// By the listening socket.
    Shared(Shared),
}

/// What single-port mode needs.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The listening socket.
    pub(crate) socket: Arc<DatagramSocket>,
    /// The client.
    pub(crate) peer: SocketAddr,
    /// How its request came.
    pub(crate) route: Route,
    /// Where the listener puts its datagrams.
    pub(crate) mailbox: Arc<Mailbox>,
    /// What was taken out and not yet read.
    pub(crate) inbox: Inbox,
}

impl Wire {
    /// A port of its own, at the address that the request was sent to: a random one, within `range` where
    /// one is set (CVE-2024-52801: nobody can guess it).
    ///
    /// # Errors
    /// The system's, or that no port of the range is free.
    pub(crate) fn own(
        peer: SocketAddr,
        route: &Route,
        range: Option<&RangeInclusive<u16>>,
    ) -> io::Result<Self> {
        let Some(range) = range else {
            return DatagramSocket::connected(local(peer, route, 0), peer).map(Self::Own);
        };
        let (first, last) = (u32::from(*range.start()), u32::from(*range.end()));
        let count = last.saturating_sub(first) + 1;
        let start = getrandom::u32().map_err(io::Error::other)?;
        for number in 0..count.min(PORT_TRIES) {
            let port = first + start.wrapping_add(number) % count;
            let local = local(peer, route, u16::try_from(port).unwrap_or_default());
            match DatagramSocket::connected(local, peer) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                done => return done.map(Self::Own),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// Takes one datagram: its first octets into `head` until that is full, the others into `body`. Tells
    /// its length, which may be more than there was room for. `is_unannounced`: also one that the reactor has
    /// not heard of.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]; that the client is gone.
    pub(crate) fn try_receive(
        &mut self,
        head: &mut [u8],
        body: &mut [u8],
        is_unannounced: bool,
    ) -> io::Result<usize> {
        match self {
            Self::Own(socket) if is_unannounced => Ok(socket.receive_now(head, body)?.octets),
            Self::Own(socket) if body.is_empty() => socket.try_receive_short(head),
            Self::Own(socket) => Ok(socket.try_receive(head, body)?.octets),
            Self::Shared(shared) => {
                if shared.inbox.is_empty() {
                    shared.mailbox.swap(&mut shared.inbox);
                }
                let datagram = shared.inbox.next().ok_or(io::ErrorKind::WouldBlock)?;
                let (first, rest) = datagram
                    .split_at_checked(head.len())
                    .unwrap_or((datagram, &[]));
                for (room, part) in [(head, first), (body, rest)] {
                    room.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
                }
                Ok(datagram.len())
            }
        }
    }

    /// Waits until there may be something to receive.
    ///
    /// # Errors
    /// The reactor's end.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Own(socket) => socket.readable().await,
            Self::Shared(shared) if !shared.inbox.is_empty() => Ok(()),
            Self::Shared(shared) => {
                poll_fn(|context| shared.mailbox.poll_mail(context)).await;
                Ok(())
            }
        }
    }

    /// Nothing more is expected before the client answers what was just sent: the next wait begins
    /// without asking the kernel.
    pub(crate) fn rest(&self) {
        if let Self::Own(socket) = self {
            socket.rest();
        }
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]; that the client is gone.
    pub(crate) fn try_send(&self, datagram: &[u8]) -> io::Result<()> {
        match self {
            Self::Own(socket) => socket.try_send(datagram),
            Self::Shared(shared) => shared
                .socket
                .try_send_to(datagram, shared.peer, &shared.route),
        }
    }

    /// Sends `content` as blocks, each behind `header(index)`, and tells how many went out.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when not even one had room; that the client is gone.
    pub(crate) fn try_send_blocks(
        &self,
        header: impl Fn(usize) -> [u8; 4],
        block_size: usize,
        content: &[u8],
    ) -> io::Result<usize> {
        let (socket, to) = self.socket();
        socket.try_send_blocks(header, block_size, content, to)
    }

    /// Sends all of `content` as blocks, and waits for room.
    ///
    /// # Errors
    /// That the client is gone.
    pub(crate) async fn send_blocks(
        &self,
        header: impl Fn(usize) -> [u8; 4],
        block_size: usize,
        content: &[u8],
    ) -> io::Result<()> {
        let (socket, to) = self.socket();
        socket.send_blocks(header, block_size, content, to).await
    }

    fn socket(&self) -> (&DatagramSocket, Option<(SocketAddr, &Route)>) {
        match self {
            Self::Own(socket) => (socket, None),
            Self::Shared(shared) => (&shared.socket, Some((shared.peer, &shared.route))),
        }
    }
}

/// Whether an error says that the client, or the way to it, is gone. Anything else that befalls a send is
/// a loss like any other.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}

/// The MTU of the way to a peer, as far as the kernel knows it.
pub(crate) fn path_mtu(peer: SocketAddr) -> Option<u16> {
    let (family, is_v4) = match peer {
        SocketAddr::V4(_) => (AddressFamily::INET, true),
        SocketAddr::V6(_) => (AddressFamily::INET6, false),
    };
    // Nothing is sent: connecting asks the routing table.
    let socket =
        rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    rustix::net::connect(&socket, &peer).ok()?;
    let mtu = if is_v4 {
        sockopt::ip_mtu(&socket)
    } else {
        sockopt::ipv6_mtu(&socket)
    };
    Some(u16::try_from(mtu.ok()?).unwrap_or(u16::MAX))
}

/// Our end of a transaction's own socket.
fn local(peer: SocketAddr, route: &Route, port: u16) -> SocketAddr {
    match (route.local, peer) {
        // Means nothing without its interface.
        (Some(IpAddr::V6(address)), _) if address.is_unicast_link_local() => {
            SocketAddrV6::new(address, port, 0, route.interface).into()
        }
        (Some(address), _) => (address, port).into(),
        (None, SocketAddr::V4(_)) => (Ipv4Addr::UNSPECIFIED, port).into(),
        (None, SocketAddr::V6(_)) => (Ipv6Addr::UNSPECIFIED, port).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> SocketAddr {
        ([127, 0, 0, 1], 9).into()
    }

    fn port_of(wire: &Wire) -> u16 {
        let (socket, _) = wire.socket();
        socket.local_address().unwrap().port()
    }

    /// CVE-2024-52801: tokens and ports come from the system's randomness.
    #[tokio::test]
    async fn cve_2024_52801_a_transfers_port_is_not_the_next_one() {
        let wires: Vec<_> = (0..16)
            .map(|_| Wire::own(peer(), &Route::default(), None).unwrap())
            .collect();
        let ports: Vec<_> = wires.iter().map(port_of).collect();
        let steps = ports
            .windows(2)
            .filter(|pair| pair[0].abs_diff(pair[1]) > 16);
        assert!(steps.count() > 0, "{ports:?}");
    }

    #[tokio::test]
    async fn tft_06_ports_stay_within_the_range_and_run_out() {
        let range = 61_500..=61_503;
        let mut wires = Vec::new();
        let error = loop {
            match Wire::own(peer(), &Route::default(), Some(&range)) {
                Ok(wire) => wires.push(wire),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(!wires.is_empty() && wires.len() <= 4);
        assert!(wires.iter().all(|wire| range.contains(&port_of(wire))));
    }
}
