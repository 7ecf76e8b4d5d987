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
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::{
    io::{Errno, fcntl_dupfd_cloexec, ioctl_fionbio},
    net::sockopt::{Timeout, set_socket_timeout, set_tcp_cork},
};
use tokio::sync::{Semaphore, SemaphorePermit};
use wharf_vfs::FileRef;

use crate::Meter;

/// What is left must be worth the way to another thread.
const LONG: u64 = 4 << 20;

/// How long one burst goes on: then progress is told.
const BURST: Duration = Duration::from_millis(250);

/// What a burst sends at the most when others wait for a thread. Whoever takes less in a whole burst
/// (64 MB/s) is not quick: on the reactor he costs no thread, and nobody waits for his place.
const TURN: u64 = 16 << 20;

/// What one call sends.
const CALL: u64 = 4 << 20;

/// How long a client may keep the thread waiting; also how long an abort may have to wait for it.
const PATIENCE: Duration = Duration::from_millis(100);

/// Bursts at one time, in the whole process.
const SENDERS: usize = 64;

static PLACES: Semaphore = Semaphore::const_new(SENDERS);
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// How a burst ended.
pub(super) enum Burst {
    /// So many octets went out; more may go the same way.
    Sent(u64),
    /// So many went out, then the client did not take more for a while.
    Slow(u64),
    /// There is too little to send.
    None,
}

/// The right to one burst.
pub(super) struct Place(SemaphorePermit<'static>);

/// Waits for the right to a burst, first come first served; `None` when so little is left that it is
/// not worth one. With every place taken by a quick client the processors have enough to do: waiting
/// costs nobody anything, and a turn is short then.
pub(super) async fn place(left: u64) -> Option<Place> {
    struct Wait;
    impl Drop for Wait {
        fn drop(&mut self) {
            WAITING.fetch_sub(1, Ordering::Relaxed);
        }
    }
    if left < LONG {
        return None;
    }
    if let Ok(permit) = PLACES.try_acquire() {
        return Some(Place(permit));
    }
    WAITING.fetch_add(1, Ordering::Relaxed);
    let _wait = Wait;
    PLACES.acquire().await.ok().map(Place)
}

/// Sends a burst of `left` octets from `offset`, which [`Meter::stop`] cuts short. The socket is
/// non-blocking before and after.
pub(super) async fn burst(
    place: Place,
    meter: &Meter,
    file: &FileRef,
    offset: u64,
    left: u64,
    socket: Option<BorrowedFd<'_>>,
) -> io::Result<Burst> {
    let Some(socket) = socket else {
        return Ok(Burst::None);
    };
    let socket = fcntl_dupfd_cloexec(socket, 0)?;
    let file = FileRef::clone(file);
    let cut = Arc::new(AtomicBool::new(false));
    let is_cut = Arc::clone(&cut);
    let work = move || {
        let Place(_permit) = place;
        let Some(source) = file.descriptor() else {
            return Ok(Burst::None);
        };
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        // Last before the sending and undone right after it: nothing in between can leave early,
        // for a socket that blocks would stop the reactor's thread.
        ioctl_fionbio(&socket, false)?;
        // Whole segments only: the receiver is woken less often.
        let corked = set_tcp_cork(&socket, true);
        let sent = send_all(source.as_fd(), offset, left, socket.as_fd(), &is_cut);
        ioctl_fionbio(&socket, true)?;
        corked.and_then(|()| set_tcp_cork(&socket, false))?;
        sent
    };
    let mut work = tokio::task::spawn_blocking(work);
    let done = match meter.unless_stopped(&mut work).await {
        Ok(done) => done,
        Err(_) => {
            cut.store(true, Ordering::Relaxed);
            work.await
        }
    };
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn send_all(
    source: BorrowedFd<'_>,
    start: u64,
    wanted: u64,
    socket: BorrowedFd<'_>,
    is_cut: &AtomicBool,
) -> io::Result<Burst> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the rim: a burst is bounded by real time"
    )]
    let begin = Instant::now();
    let mut sent = 0;
    while sent < wanted {
        if is_cut.load(Ordering::Relaxed) {
            break;
        }
        if sent >= TURN && WAITING.load(Ordering::Relaxed) > 0 {
            break;
        }
        if begin.elapsed() >= BURST {
            return Ok(match sent >= TURN {
                true => Burst::Sent(sent),
                false => Burst::Slow(sent),
            });
        }
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
