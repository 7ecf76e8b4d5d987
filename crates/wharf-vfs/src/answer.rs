//! The future that a volume gives back: often already done, sometimes not.
//!
//! Most metadata calls are answered from the kernel's caches in a microsecond. A boxed future for
//! each would cost as much as the call, so an [`Answer`] carries the result itself when it is known
//! and a boxed future only when the work had to leave the thread.
//!
//! This room must not decide *whether* work leaves the thread: that is the volume's business.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::Result;

/// The result of a volume's operation, now or later.
///
/// Polling it after it was ready is an error of the caller and stays pending for ever.
#[must_use = "an answer does nothing until it is awaited"]
pub enum Answer<'a, T> {
    /// Done; taken by the first poll.
    Now(Option<Result<T>>),
    /// Still to be done, on another thread or another machine.
    Later(Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>),
}

impl<'a, T> Answer<'a, T> {
    /// An answer that is known.
    pub const fn now(result: Result<T>) -> Self {
        Self::Now(Some(result))
    }

    /// An answer that `future` will give.
    pub fn later(future: impl Future<Output = Result<T>> + Send + 'a) -> Self {
        Self::Later(Box::pin(future))
    }
}

impl<T: Unpin> Future for Answer<'_, T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Now(result) => result.take().map_or(Poll::Pending, Poll::Ready),
            Self::Later(future) => future.as_mut().poll(context),
        }
    }
}
