//! Passive listeners: a random port of the range, and never one outside it.
//!
//! The order is drawn from the system's random numbers (a port that can be guessed can be stolen,
//! CVE-1999-0351). A listener is not known to the reactor: when the transfer command comes, the
//! client has mostly connected already and one `accept` finds it; only if not, the socket is watched.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt},
};

/// Connections that may wait: strangers may take some, the client must still find room.
const BACKLOG: i32 = 16;

/// Random draws before the range is gone through in order.
const DRAWS: usize = 64;

/// An open passive listener.
#[derive(Debug)]
pub(crate) struct PassiveListener {
    pub(crate) socket: OwnedFd,
    pub(crate) address: SocketAddr,
}

impl PassiveListener {
    /// Whether somebody has connected and waits to be accepted.
    pub(crate) fn has_guests(&self) -> bool {
        let mut watched = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut watched, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}

/// Random 16-bit numbers, drawn from the system a few hundred at a time.
static DRAWN: Mutex<Vec<u16>> = Mutex::new(Vec::new());

fn random() -> io::Result<u16> {
    const AT_ONCE: usize = 256;
    let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(number) = drawn.pop() {
        return Ok(number);
    }
    let mut bytes = [0; 2 * AT_ONCE];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let (pairs, _) = bytes.as_chunks::<2>();
    drawn.extend(pairs.iter().map(|pair| u16::from_ne_bytes(*pair)));
    drawn.pop().ok_or_else(|| io::ErrorKind::Other.into())
}

/// Opens a listener on `local` at a free port of the range; `None` when none is free.
///
/// # Errors
/// Anything but a port in use.
pub(crate) fn open(
    local: IpAddr,
    range: &RangeInclusive<u16>,
) -> io::Result<Option<PassiveListener>> {
    let width = u32::from(range.end().saturating_sub(*range.start())) + 1;
    for _ in 0..DRAWS {
        // 16 random bits over a narrower range: the bias does not help anybody to guess.
        let step = u16::try_from(u32::from(random()?) % width).unwrap_or(0);
        if let Some(listener) = try_port(local, range.start().saturating_add(step))? {
            return Ok(Some(listener));
        }
    }
    let start = u16::try_from(u32::from(random()?) % width).unwrap_or(0);
    let first = range.start().saturating_add(start);
    for port in (first..=*range.end()).chain(*range.start()..first) {
        if let Some(listener) = try_port(local, port)? {
            return Ok(Some(listener));
        }
    }
    Ok(None)
}

fn try_port(local: IpAddr, port: u16) -> io::Result<Option<PassiveListener>> {
    let family = if local.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    // Before the bind, always: the connections of this listener inherit it, and only so can the port
    // be taken again while they rest in TIME-WAIT. On Linux it lets nobody share a listening port.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    let address = SocketAddr::new(local, port);
    match rustix::net::bind(&socket, &address).and_then(|()| rustix::net::listen(&socket, BACKLOG))
    {
        Ok(()) => Ok(Some(PassiveListener { socket, address })),
        Err(Errno::ADDRINUSE) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// CVE-2024-52801: neither a counter nor a generator that starts the same each time. The bounds
    /// are ten standard deviations wide.
    #[test]
    fn cve_2024_52801_ports_are_drawn_without_a_pattern() {
        let drawn: Vec<u16> = (0..4096).map(|_| random().unwrap()).collect();
        let different: HashSet<_> = drawn.iter().collect();
        assert!(different.len() > 3800, "{} of 4096", different.len());
        for bit in 0..16 {
            let set = drawn
                .iter()
                .filter(|number| *number >> bit & 1 == 1)
                .count();
            assert!((1728..=2368).contains(&set), "bit {bit}: {set} of 4096");
        }
        let steps: HashSet<_> = drawn
            .windows(2)
            .map(|pair| pair[1].wrapping_sub(pair[0]))
            .collect();
        assert!(steps.len() > 3800, "{} steps", steps.len());
    }

    #[test]
    fn every_port_of_the_range_is_found_and_none_outside() {
        let local = IpAddr::from([127, 0, 0, 1]);
        // Below the ports that the host gives to connections of its own.
        let range = 31_200..=31_215;
        let mut open_ones = Vec::new();
        while let Some(listener) = open(local, &range).unwrap() {
            assert!(range.contains(&listener.address.port()));
            open_ones.push(listener);
            assert!(open_ones.len() <= 16);
        }
        let ports: HashSet<_> = open_ones
            .iter()
            .map(|listener| listener.address.port())
            .collect();
        assert!(ports.len() >= 15, "all free ports were used: {ports:?}");
    }
}
