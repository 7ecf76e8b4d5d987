//! Whereto a datagram was sent, and that its answer leaves from there.
//!
//! A host with many addresses would answer from whichever its routing table prefers, and a peer that
//! checks the source drops such an answer. `IP_PKTINFO` and `IPV6_PKTINFO` tell the address with each
//! datagram and set it for each answer; neither needs a socket per address.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsRawFd,
};

use nix::{
    libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo},
    sys::socket::{
        AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg,
    },
};

/// Which way a datagram came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Route {
    /// The address of ours that an answer leaves from; none where the kernel shall choose.
    pub local: Option<IpAddr>,
    /// The index of the interface that it came in by; 0 where it is not known.
    pub interface: u32,
    destination: Option<IpAddr>,
}

impl Route {
    /// Whether the datagram was sent to more than us: by multicast or broadcast (TFT-03).
    pub fn is_to_many(&self) -> bool {
        self.destination.is_some_and(|destination| {
            destination.is_multicast() || self.local != Some(destination)
        })
    }

    fn v4(info: &in_pktinfo) -> Self {
        let address = |address: in_addr| Ipv4Addr::from(address.s_addr.to_ne_bytes());
        let local = address(info.ipi_spec_dst);
        Self {
            local: (!local.is_unspecified()).then_some(local.into()),
            interface: u32::try_from(info.ipi_ifindex).unwrap_or_default(),
            destination: Some(address(info.ipi_addr).into()),
        }
    }

    pub(super) fn v6(info: &in6_pktinfo) -> Self {
        let destination = Ipv6Addr::from(info.ipi6_addr.s6_addr);
        Self {
            local: (!destination.is_multicast()).then_some(destination.into()),
            interface: info.ipi6_ifindex,
            destination: Some(destination.into()),
        }
    }

    /// Calls `send` with the control message that makes a datagram leave by this route to a peer of
    /// `family`.
    pub(super) fn with_message<T>(
        &self,
        family: Option<AddressFamily>,
        send: impl FnOnce(&[ControlMessage<'_>]) -> T,
    ) -> T {
        match (self.local, family) {
            (Some(IpAddr::V4(local)), Some(AddressFamily::Inet)) => {
                let info = in_pktinfo {
                    // The way back is the routing table's, except where an address means nothing
                    // without its interface.
                    ipi_ifindex: if local.is_link_local() {
                        i32::try_from(self.interface).unwrap_or_default()
                    } else {
                        0
                    },
                    ipi_spec_dst: in_addr {
                        s_addr: u32::from_ne_bytes(local.octets()),
                    },
                    ipi_addr: in_addr { s_addr: 0 },
                };
                send(&[ControlMessage::Ipv4PacketInfo(&info)])
            }
            (Some(IpAddr::V6(local)), Some(AddressFamily::Inet6)) => {
                let info = in6_pktinfo {
                    ipi6_addr: in6_addr {
                        s6_addr: local.octets(),
                    },
                    ipi6_ifindex: if local.is_unicast_link_local() {
                        self.interface
                    } else {
                        0
                    },
                };
                send(&[ControlMessage::Ipv6PacketInfo(&info)])
            }
            _ => send(&[]),
        }
    }
}

/// A datagram with the way that it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The datagram's length; more than there was room for where its rest is lost.
    pub octets: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// Whereto.
    pub route: Route,
}

/// Room for the control messages that we ask for, aligned as they must be.
#[repr(align(16))]
struct Control([u8; 128]);

/// Receives one datagram with its route.
pub(super) fn receive(socket: &impl AsRawFd, buffer: &mut [u8]) -> io::Result<Routed> {
    let mut control = Control([0; 128]);
    let mut buffers = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut buffers,
        Some(&mut control.0),
        MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT,
    )?;
    let from = message.address.and_then(|address| {
        let v4 = address.as_sockaddr_in().copied();
        let v6 = address.as_sockaddr_in6().copied();
        v4.map(|v4| SocketAddr::V4(v4.into()))
            .or_else(|| v6.map(|v6| SocketAddr::V6(v6.into())))
    });
    let Some(from) = from else {
        return Err(io::Error::other("a datagram without a sender's address"));
    };
    let mut route = Route::default();
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => route = Route::v4(&info),
            ControlMessageOwned::Ipv6PacketInfo(info) => route = Route::v6(&info),
            _ => {}
        }
    }
    Ok(Routed {
        octets: message.bytes,
        from,
        route,
    })
}
