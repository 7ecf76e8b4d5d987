//! A channel as a stream, for what runs on it in a task of its own (SCP, probes).
//!
//! Input comes from the session's task, which must never wait: when more than [`HELD`] has gathered
//! the whole connection stops reading until the reader has come after it. Output gathers up to
//! [`GATHERED`] and goes out by one pump, which waits for the peer's room.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    channel::{Gone, LateOutbox},
    stream::Hold,
};

/// Input that is held before the connection stops reading, octets.
const HELD: usize = 512 * 1024;

/// Output that gathers before its writer waits, octets.
const GATHERED: usize = 256 * 1024;

#[derive(Default)]
struct State {
    input: BytesMut,
    input_ended: bool,
    /// Nobody will ever read.
    is_deaf: bool,
    hold: Option<Hold>,
    reader: Option<Waker>,
    output: BytesMut,
    output_ended: bool,
    gone: bool,
    writer: Option<Waker>,
    pump: Option<Waker>,
}

impl State {
    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }

    fn wake_pump(&mut self) {
        if let Some(waker) = self.pump.take() {
            waker.wake();
        }
    }
}

/// The session's end.
#[derive(Clone)]
pub(crate) struct Feed {
    state: Arc<Mutex<State>>,
    outbox: LateOutbox,
}

/// The end of what runs on the channel.
pub(crate) struct Pipe(Arc<Mutex<State>>);

/// A pipe over a channel's way out.
pub(crate) fn pipe(outbox: LateOutbox) -> (Feed, Pipe) {
    let state = Arc::default();
    (
        Feed {
            state: Arc::clone(&state),
            outbox,
        },
        Pipe(state),
    )
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    /// Octets came.
    pub(crate) fn data(&self, octets: &[u8]) {
        let mut state = lock(&self.state);
        // Input for nobody must not hold back the others of the connection.
        if state.gone || state.is_deaf {
            return;
        }
        state.input.extend_from_slice(octets);
        if state.input.len() > HELD && state.hold.is_none() {
            state.hold = Some(self.outbox.hold_input());
        }
        state.wake_reader();
    }

    /// No more will come.
    pub(crate) fn eof(&self) {
        let mut state = lock(&self.state);
        state.input_ended = true;
        state.wake_reader();
    }

    /// The channel is closed: what runs on it hears the end, and can say no more.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.gone = true;
        state.input_ended = true;
        state.hold = None;
        state.wake_reader();
        state.wake_writer();
        state.wake_pump();
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).gone
    }

    /// Sends what is written until the stream is shut down and all of it is on its way.
    pub(crate) async fn pump(&self) -> Result<(), Gone> {
        loop {
            let octets = std::future::poll_fn(|context| {
                let mut state = lock(&self.state);
                if state.gone {
                    return Poll::Ready(Err(Gone));
                }
                if !state.output.is_empty() {
                    let octets = state.output.split().freeze();
                    state.wake_writer();
                    return Poll::Ready(Ok(Some(octets)));
                }
                if state.output_ended {
                    return Poll::Ready(Ok(None));
                }
                state.pump = Some(context.waker().clone());
                Poll::Pending
            });
            let Some(octets) = octets.await? else {
                return Ok(());
            };
            if self.outbox.send(octets).await.is_err() {
                self.close();
                return Err(Gone);
            }
        }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0);
        if state.input.is_empty() {
            if state.input_ended {
                return Poll::Ready(Ok(()));
            }
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = state.input.len().min(buffer.remaining());
        buffer.put_slice(state.input.get(..count).unwrap_or_default());
        state.input.advance(count);
        if state.input.len() <= HELD / 2 {
            state.hold = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.0);
        if state.gone || state.output_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = octets
            .len()
            .min(GATHERED.saturating_sub(state.output.len()));
        if count == 0 && !octets.is_empty() {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        state
            .output
            .extend_from_slice(octets.get(..count).unwrap_or_default());
        state.wake_pump();
        Poll::Ready(Ok(count))
    }

    /// Nothing: the pump never rests while there is something to send.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0);
        state.output_ended = true;
        state.wake_pump();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.output_ended = true;
        state.is_deaf = true;
        state.input = BytesMut::new();
        state.hold = None;
        state.wake_pump();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its last words may have to wait for the window of another channel, which must be heard.
    #[test]
    fn input_for_what_has_ended_holds_nobody_back() {
        let (feed, stream) = pipe(LateOutbox::collecting().0);
        feed.data(&[0; HELD + 1]);
        assert!(lock(&feed.state).hold.is_some());
        drop(stream);
        feed.data(&[0; HELD + 1]);
        let state = lock(&feed.state);
        assert!(state.hold.is_none() && state.input.is_empty());
    }
}
