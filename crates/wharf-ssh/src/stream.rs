//! The connection's octets between the socket and the transport.
//!
//! The transport reads a packet with two small reads and writes each packet when it has one; over a
//! bare socket that is several system calls for each of them. Here one read takes all that the
//! socket has, and small writes gather until there is nothing left to read, or until they are many.
//! Reading never waits before everything that was written is on its way, so nobody waits for an
//! answer that lies here.
//!
//! Both buffers are the thread's, borrowed while there is something in them: an idle session owns none.
//!
//! [`Brake`] is how others stop this stream: for a while (a channel holds too much input), or for
//! good (the session is to end whatever its peer does). It also tells them whether more of the peer's
//! octets lie here already: then short replies may wait for the next, and share a packet with them.

use std::{
    cell::RefCell,
    fmt,
    future::Future as _,
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// What one read of the socket may bring, and what may gather before it is written although there
/// is more to read, octets.
const BUFFER_SIZE: usize = 128 * 1024;

/// Buffers that a thread keeps for its sessions.
const SPARE: usize = 4;

thread_local! {
    static BUFFERS: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer of [`BUFFER_SIZE`].
fn borrow_buffer() -> BytesMut {
    BUFFERS
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| BytesMut::with_capacity(BUFFER_SIZE))
}

/// Takes an empty buffer back; what stands in its place owns nothing.
fn give_back(buffer: &mut BytesMut) {
    let mut buffer = std::mem::take(buffer);
    buffer.clear();
    // What was taken from the front comes back without a copy: the buffer is empty.
    if buffer.try_reclaim(BUFFER_SIZE) {
        BUFFERS.with_borrow_mut(|spare| {
            if spare.len() < SPARE {
                spare.push(buffer);
            }
        });
    }
}

/// Stops a stream from outside.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    cut: AtomicBool,
    holds: AtomicUsize,
    /// The task that polls the stream: one, the session's.
    waiting: Mutex<Option<Waker>>,
    /// Octets lie in the input.
    has_more: AtomicBool,
    /// Whom to call when there are none left, by number.
    put_off: Mutex<Vec<(u32, PutOff)>>,
}

/// What is to be done when the input has run dry.
pub(crate) struct PutOff(pub(crate) Box<dyn FnOnce() + Send>);

impl fmt::Debug for PutOff {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PutOff")
    }
}

impl Brake {
    /// Ends the stream for good: whoever reads or writes gets an error.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Stops reading until the answer is dropped.
    pub(crate) fn hold(self: &Arc<Self>) -> Hold {
        self.holds.fetch_add(1, Ordering::SeqCst);
        Hold(Arc::clone(self))
    }

    /// Whether octets of the peer were read that nobody has taken yet.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more.load(Ordering::Relaxed)
    }

    /// Has `what` done once the input has run dry; one for each number.
    pub(crate) fn when_dry(&self, number: u32, what: impl FnOnce() -> PutOff) {
        let mut put_off = self.put_off();
        if !put_off.iter().any(|(other, _)| *other == number) {
            put_off.push((number, what()));
        }
    }

    /// Nothing is to be done for that number any more.
    pub(crate) fn forget(&self, number: u32) {
        self.put_off().retain(|(other, _)| *other != number);
    }

    fn ran_dry(&self) {
        let put_off = std::mem::take(&mut *self.put_off());
        for (_, what) in put_off {
            what.0();
        }
    }

    fn put_off(&self) -> MutexGuard<'_, Vec<(u32, PutOff)>> {
        self.put_off.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    fn is_held(&self) -> bool {
        self.holds.load(Ordering::SeqCst) > 0
    }

    fn wake(&self) {
        let waker = self
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Remembers whom to wake; to be called before the flags are looked at.
    fn watch(&self, context: &Context<'_>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting
            .as_ref()
            .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            *waiting = Some(context.waker().clone());
        }
    }
}

/// Reading stands still while it lives.
#[derive(Debug)]
pub(crate) struct Hold(Arc<Brake>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.holds.fetch_sub(1, Ordering::SeqCst);
        self.0.wake();
    }
}

/// A stream that reads and writes much at a time.
#[derive(Debug)]
pub(crate) struct Gathered<S> {
    inner: S,
    input: BytesMut,
    output: BytesMut,
    /// Octets that the transport will write and that were said already.
    said: usize,
    brake: Arc<Brake>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gathered<S> {
    /// Gathers over `inner`.
    pub(crate) fn new(inner: S, brake: Arc<Brake>) -> Self {
        Self {
            inner,
            input: BytesMut::new(),
            output: BytesMut::new(),
            said: 0,
            brake,
        }
    }

    /// The same after an introduction: the first `said` octets that are written went out before, and
    /// `heard` came already.
    pub(crate) fn introduced(self, said: usize, heard: BytesMut) -> Self {
        Self {
            said,
            input: heard,
            ..self
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.brake.is_cut() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Writes what has gathered.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(written);
        }
        give_back(&mut self.output);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.brake.watch(context);
        this.check()?;
        if this.brake.is_held() {
            // What is to be said is said all the same.
            let _ = this.poll_drain(context)?;
            return Poll::Pending;
        }
        if this.input.is_empty() {
            // Whatever the peer waits for goes out before we wait for the peer; when it does not go
            // out at once, what the peer says is heard nevertheless.
            let _ = this.poll_drain(context)?;
            if buffer.remaining() >= BUFFER_SIZE {
                let read = Pin::new(&mut this.inner).poll_read(context, buffer);
                if read.is_pending() {
                    this.brake.ran_dry();
                }
                return read;
            }
            this.input = borrow_buffer();
            let read = pin!(this.inner.read_buf(&mut this.input)).poll(context);
            if !matches!(read, Poll::Ready(Ok(1..))) {
                give_back(&mut this.input);
                this.brake.ran_dry();
            }
            ready!(read)?;
        }
        let count = this.input.len().min(buffer.remaining());
        buffer.put_slice(this.input.get(..count).unwrap_or_default());
        this.input.advance(count);
        let has_more = !this.input.is_empty();
        this.brake.has_more.store(has_more, Ordering::Relaxed);
        if !has_more {
            give_back(&mut this.input);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.brake.watch(context);
        this.check()?;
        if this.said > 0 {
            let count = this.said.min(octets.len());
            this.said -= count;
            return Poll::Ready(Ok(count));
        }
        if this.output.len() + octets.len() > BUFFER_SIZE {
            ready!(this.poll_drain(context))?;
            if octets.len() >= BUFFER_SIZE {
                return Pin::new(&mut this.inner).poll_write(context, octets);
            }
        }
        if this.output.capacity() == 0 {
            this.output = borrow_buffer();
        }
        this.output.extend_from_slice(octets);
        Poll::Ready(Ok(octets.len()))
    }

    /// Nothing: the transport flushes after each packet, and reads next; see [`Self::poll_read`].
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.check())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.brake.watch(context);
        this.check()?;
        ready!(this.poll_drain(context))?;
        Pin::new(&mut this.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
