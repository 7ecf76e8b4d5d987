//! Long downloads to quick clients, on a bounded number of threads that may sleep.
//!
//! A sender that never sleeps is interrupted by its receiver for every few octets that arrive; one
//! that sleeps in the kernel until a third of the socket's buffer is free sends in bursts, and both
//! ends pay less per octet (`docs/performance.md`). So while there is a thread to be had, a long
//! download borrows one for a burst at a time. A client that keeps the thread waiting goes back to
//! the reactor, where waiting costs nothing: slow clients cannot hold the threads.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use rustix::{
    io::{Errno, fcntl_dupfd_cloexec, ioctl_fionbio},
    net::sockopt::{Timeout, set_socket_timeout},
};
use wharf_vfs::FileRef;

/// What is left must be worth the way to another thread.
const LONG: u64 = 8 << 20;

/// What one burst sends at the most: then progress is told and others are asked.
const BURST: u64 = 32 << 20;

/// What one call sends.
const CALL: u64 = 1 << 20;

/// How long a client may keep the thread waiting; also how long an abort may have to wait for it.
const PATIENCE: Duration = Duration::from_millis(100);

/// Bursts at one time, in the whole process.
const SENDERS: usize = 64;

static SENDING: AtomicUsize = AtomicUsize::new(0);

/// How a burst ended.
pub(super) enum Burst {
    /// So many octets went out; more may go the same way.
    Sent(u64),
    /// So many went out, then the client did not take more for a while.
    Slow(u64),
    /// There is no thread, or too little to send.
    None,
}

struct Place;

impl Place {
    fn take() -> Option<Self> {
        let taken = SENDING.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            (now < SENDERS).then_some(now + 1)
        });
        taken.is_ok().then_some(Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        SENDING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sends a burst of `left` octets from `offset`. The socket is non-blocking before and after.
pub(super) async fn burst(
    file: &FileRef,
    offset: u64,
    left: u64,
    socket: Option<BorrowedFd<'_>>,
) -> io::Result<Burst> {
    let (Some(socket), true) = (socket, left >= LONG) else {
        return Ok(Burst::None);
    };
    let Some(place) = Place::take() else {
        return Ok(Burst::None);
    };
    let socket = fcntl_dupfd_cloexec(socket, 0)?;
    let file = FileRef::clone(file);
    let work = move || {
        let _place = place;
        let Some(source) = file.descriptor() else {
            return Ok(Burst::None);
        };
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        // Last before the sending and undone right after it: nothing in between can leave early,
        // for a socket that blocks would stop the reactor's thread.
        ioctl_fionbio(&socket, false)?;
        let sent = send_all(source.as_fd(), offset, left.min(BURST), socket.as_fd());
        ioctl_fionbio(&socket, true)?;
        sent
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn send_all(
    source: BorrowedFd<'_>,
    start: u64,
    wanted: u64,
    socket: BorrowedFd<'_>,
) -> io::Result<Burst> {
    let mut sent = 0;
    while sent < wanted {
        let count = usize::try_from(CALL.min(wanted - sent)).unwrap_or(usize::MAX);
        match rustix::fs::sendfile(socket, source, Some(&mut { start + sent }), count) {
            // The file ended early: the caller finds that out, too, and tells it.
            Ok(0) => return Ok(Burst::Slow(sent)),
            Ok(count) => sent += count as u64,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(Burst::Slow(sent)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Burst::Sent(sent))
}
