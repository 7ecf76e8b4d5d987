//! The hardware address of a client, from the kernel's table of neighbours (rtnetlink, RTM_GETNEIGH).
//!
//! One question for one address on the link that its request came in by, so the answer is never old, its cost
//! does not grow with the table, and the same link-local address on another link is somebody else. A client
//! behind a router has none. What an IPv6 address may spell of a hardware address is not believed: the table
//! alone is.
//!
//! A hardware address is no proof: whoever is on the link can take another's.

use std::net::IpAddr;

use crate::mac::Mac;

/// The hardware address of `peer` on the link with the number `interface`; `None`: not known, or not a
/// neighbour. The kernel answers at once: nothing here waits.
#[cfg(target_os = "linux")]
pub fn find(peer: IpAddr, interface: u32) -> Option<Mac> {
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

    let peer = peer.to_canonical();
    // The default protocol of the family is NETLINK_ROUTE; who names no recipient writes to the kernel.
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
    .ok()?;
    let question = message::question(peer, interface);
    rustix::net::send(&socket, &question, SendFlags::empty()).ok()?;
    let mut answer = [0; message::MAX_ANSWER];
    let (octets, _) = rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty()).ok()?;
    message::answer(answer.get(..octets)?, peer, interface)
}

/// The hardware address of a neighbour: this system has no table that is asked.
#[cfg(not(target_os = "linux"))]
pub fn find(_peer: IpAddr, _interface: u32) -> Option<Mac> {
    None
}

/// The two messages (linux/netlink.h, linux/rtnetlink.h, linux/neighbour.h), in the host's order of octets.
#[cfg(target_os = "linux")]
mod message {
    use std::net::IpAddr;

    use crate::mac::Mac;

    /// Octets of an answer at the most: headers and a handful of small attributes.
    pub(super) const MAX_ANSWER: usize = 2048;

    const RTM_NEWNEIGH: u16 = 28;
    const RTM_GETNEIGH: u16 = 30;
    const NLM_F_REQUEST: u16 = 1;
    const NDA_DST: u16 = 1;
    const NDA_LLADDR: u16 = 2;
    const AF_INET: u8 = 2;
    const AF_INET6: u8 = 10;
    /// States in which the address is none: not answered yet, or never.
    const NUD_INCOMPLETE: u16 = 0x01;
    const NUD_FAILED: u16 = 0x20;
    const NUD_NONE: u16 = 0;
    /// Octets of `nlmsghdr`, `ndmsg` and `nlattr`.
    const HEADER: usize = 16;
    const NEIGHBOUR: usize = 12;
    const ATTRIBUTE: usize = 4;

    /// Who has this address on this link?
    pub(super) fn question(peer: IpAddr, interface: u32) -> Vec<u8> {
        let (family, address) = octets(peer);
        let attribute = ATTRIBUTE + address.len();
        let length = HEADER + NEIGHBOUR + attribute;
        let mut message = Vec::with_capacity(length);
        message.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
        message.extend(RTM_GETNEIGH.to_ne_bytes());
        message.extend(NLM_F_REQUEST.to_ne_bytes());
        // Sequence number and sender: one question for each socket, and the kernel knows whose it is.
        message.extend([0; 8]);
        message.extend([family, 0, 0, 0]);
        message.extend(interface.to_ne_bytes());
        // State, flags and type.
        message.extend([0; 4]);
        message.extend(u16::try_from(attribute).unwrap_or(u16::MAX).to_ne_bytes());
        message.extend(NDA_DST.to_ne_bytes());
        message.extend(address);
        message
    }

    /// The hardware address that an answer tells of `peer`.
    pub(super) fn answer(datagram: &[u8], peer: IpAddr, interface: u32) -> Option<Mac> {
        let length = usize::try_from(u32_at(datagram, 0)?).ok()?;
        if u16_at(datagram, 4)? != RTM_NEWNEIGH {
            return None;
        }
        let message = datagram.get(HEADER..length)?;
        let (family, address) = octets(peer);
        let state = u16_at(message, 8)?;
        let is_known = state != NUD_NONE && state & (NUD_INCOMPLETE | NUD_FAILED) == 0;
        if *message.first()? != family || u32_at(message, 4)? != interface || !is_known {
            return None;
        }
        let (mut is_peer, mut mac) = (false, None);
        let mut rest = message.get(NEIGHBOUR..)?;
        while let Some((kind, value, behind)) = attribute(rest) {
            match kind {
                NDA_DST => is_peer = value == address,
                NDA_LLADDR => mac = value.try_into().ok().map(Mac),
                _ => {}
            }
            rest = behind;
        }
        mac.filter(|mac| is_peer && mac.is_unicast())
    }

    /// The first attribute, and what stands behind it.
    fn attribute(octets: &[u8]) -> Option<(u16, &[u8], &[u8])> {
        let length = usize::from(u16_at(octets, 0)?);
        let kind = u16_at(octets, 2)?;
        let value = octets.get(ATTRIBUTE..length)?;
        let behind = octets.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value, behind))
    }

    fn octets(address: IpAddr) -> (u8, Vec<u8>) {
        match address {
            IpAddr::V4(v4) => (AF_INET, v4.octets().to_vec()),
            IpAddr::V6(v6) => (AF_INET6, v6.octets().to_vec()),
        }
    }

    fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
        octets
            .get(at..)?
            .first_chunk()
            .map(|two| u16::from_ne_bytes(*two))
    }

    fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
        octets
            .get(at..)?
            .first_chunk()
            .map(|four| u32::from_ne_bytes(*four))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
