//! Many datagrams by one system call: segmentation offload, and one at a time where it is refused.
//!
//! The kernel cuts a gathered send into datagrams of one length, of which only the last may be shorter.
//! It refuses segments that do not fit into one packet of the path; those leave one at a time, and as
//! fragments. Nothing is copied and nothing allocated: headers and their places stand on the stack. (Only
//! the control message of a send with a route costs nix an allocation, once per 64 blocks.)

use std::{
    array,
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::AsRawFd as _,
    sync::atomic::{AtomicBool, AtomicU16, Ordering},
};

use nix::sys::socket::{
    ControlMessage, MsgFlags, SockaddrLike as _, SockaddrStorage, sendmsg, setsockopt,
    sockopt::UdpGsoSegment,
};
use rustix::io::Errno;
use tokio::net::UdpSocket;

use super::{DatagramSocket, Route};

/// Segments of one send; every kernel that segments takes so many.
const MOST_SEGMENTS: usize = 64;

/// Octets of one send: what fits into the largest packet of IPv4.
const MOST_OCTETS: usize = 65_507;

/// Blocks up to so many octets are sent from one piece: what fits into a packet of Ethernet.
const SMALL: usize = 1500;

/// Octets of a block's header.
const HEADER: usize = 4;

/// How many blocks `octets` make; an empty content is one empty block.
pub(super) const fn count(octets: usize, block_size: usize) -> usize {
    if octets == 0 {
        1
    } else {
        octets.div_ceil(block_size)
    }
}

/// What a socket knows of segmentation.
#[derive(Debug, Default)]
pub(super) struct Segmentation {
    /// The segment size that is set on the socket; 0 for none.
    size: AtomicU16,
    /// Kernel or path refused.
    is_refused: AtomicBool,
}

impl Segmentation {
    /// A datagram of so many octets must leave whole: takes a segment size back that would cut it.
    pub(super) fn pass_whole(&self, socket: &UdpSocket, octets: usize) -> io::Result<()> {
        let size = self.size.load(Ordering::Relaxed);
        if size != 0 && octets > size.into() {
            self.set(socket, 0)?;
        }
        Ok(())
    }

    fn set(&self, socket: &UdpSocket, size: u16) -> Result<(), nix::Error> {
        if self.size.load(Ordering::Relaxed) != size {
            setsockopt(socket, UdpGsoSegment, &i32::from(size))?;
            self.size.store(size, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    pub(super) fn refuse(&self, socket: &UdpSocket) -> io::Result<()> {
        self.is_refused.store(true, Ordering::Relaxed);
        Ok(self.set(socket, 0)?)
    }
}

/// Whether an error says that the kernel, the device or the path does not segment.
fn is_refusal(error: nix::Error) -> bool {
    use nix::Error;
    matches!(
        error,
        Error::EINVAL | Error::EMSGSIZE | Error::EIO | Error::ENOPROTOOPT | Error::EOPNOTSUPP
    )
}

/// See [`DatagramSocket::try_send_blocks`].
pub(super) fn try_send(
    socket: &DatagramSocket,
    header: &impl Fn(usize) -> [u8; HEADER],
    block_size: usize,
    content: &[u8],
    to: Option<(SocketAddr, &Route)>,
) -> io::Result<usize> {
    if block_size == 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a block has one octet at the least",
        ));
    }
    let all = count(content.len(), block_size);
    let most = (MOST_OCTETS / (block_size + HEADER)).clamp(1, MOST_SEGMENTS);
    let mut sent = 0;
    while sent < all {
        let run = (all - sent).min(most);
        let rest = content.get(sent * block_size..).unwrap_or_default();
        let rest = rest.get(..run * block_size).unwrap_or(rest);
        match send_run(socket, &|index| header(sent + index), block_size, rest, to) {
            Ok(blocks) if blocks < run => return Ok(sent + blocks),
            Ok(blocks) => sent += blocks,
            // It comes again with the next call, if it lasts.
            Err(_) if sent > 0 => return Ok(sent),
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// Sends what one system call could take; gives the number of blocks that went out.
fn send_run(
    socket: &DatagramSocket,
    header: &impl Fn(usize) -> [u8; HEADER],
    block_size: usize,
    content: &[u8],
    to: Option<(SocketAddr, &Route)>,
) -> io::Result<usize> {
    let blocks = count(content.len(), block_size);
    if blocks > 1
        && !socket.segmentation.is_refused()
        && let Ok(size) = u16::try_from(block_size + HEADER)
    {
        let headers: [[u8; HEADER]; MOST_SEGMENTS] = array::from_fn(|index| {
            if index < blocks {
                header(index)
            } else {
                [0; HEADER]
            }
        });
        let mut parts = [IoSlice::new(&[]); 2 * MOST_SEGMENTS];
        let pairs = parts.chunks_exact_mut(2).zip(&headers);
        for ((pair, header), block) in pairs.zip(content.chunks(block_size)) {
            if let [first, second] = pair {
                *first = IoSlice::new(header);
                *second = IoSlice::new(block);
            }
        }
        let parts = parts.get(..2 * blocks).unwrap_or_default();
        match send_segments(socket, parts, size, to) {
            Ok(()) => return Ok(blocks),
            Err(error) if is_refusal(error) => {
                // Another peer's path may segment: a socket of many asks again.
                if to.is_none() {
                    socket.segmentation.refuse(&socket.socket)?;
                }
            }
            Err(error) => return Err(socket.failed(Errno::from_raw_os_error(error as i32))),
        }
    }
    if content.is_empty() {
        return send_single(socket, header(0), content, to).map(|()| 1);
    }
    for (index, block) in content.chunks(block_size).enumerate() {
        match send_single(socket, header(index), block, to) {
            Ok(()) => {}
            Err(_) if index > 0 => return Ok(index),
            Err(error) => return Err(error),
        }
    }
    Ok(blocks)
}

fn send_single(
    socket: &DatagramSocket,
    header: [u8; HEADER],
    block: &[u8],
    to: Option<(SocketAddr, &Route)>,
) -> io::Result<()> {
    socket
        .segmentation
        .pass_whole(&socket.socket, HEADER + block.len())?;
    if to.is_none() && block.len() <= SMALL {
        // Copying so little costs less than what the kernel does for a gathered send.
        let mut datagram = [0; HEADER + SMALL];
        let (head, body) = datagram.split_at_mut(HEADER);
        head.copy_from_slice(&header);
        if let Some(body) = body.get_mut(..block.len()) {
            body.copy_from_slice(block);
        }
        let datagram = datagram.get(..HEADER + block.len()).unwrap_or_default();
        return socket.send_plain(datagram);
    }
    socket.send_one(&[IoSlice::new(&header), IoSlice::new(block)], to)
}

/// One send that the kernel cuts into segments of `size`.
fn send_segments(
    socket: &DatagramSocket,
    parts: &[IoSlice<'_>],
    size: u16,
    to: Option<(SocketAddr, &Route)>,
) -> Result<(), nix::Error> {
    let descriptor = socket.socket.as_raw_fd();
    let flags = MsgFlags::MSG_DONTWAIT;
    let sent = match to {
        // A socket of one transaction keeps its size: no control message per send.
        None => {
            socket.segmentation.set(&socket.socket, size)?;
            sendmsg::<SockaddrStorage>(descriptor, parts, &[], flags, None)
        }
        Some((peer, route)) => {
            let peer = SockaddrStorage::from(peer);
            route.with_message(peer.family(), |message| {
                let segments = ControlMessage::UdpGsoSegments(&size);
                match message {
                    [route] => sendmsg(descriptor, parts, &[*route, segments], flags, Some(&peer)),
                    _ => sendmsg(descriptor, parts, &[segments], flags, Some(&peer)),
                }
            })
        }
    };
    match sent {
        Ok(_) | Err(nix::Error::ENOBUFS) => Ok(()),
        Err(error) => Err(error),
    }
}
