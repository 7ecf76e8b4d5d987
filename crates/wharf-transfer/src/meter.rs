//! How far a transfer is: one counter that the pump moves and others watch.
//!
//! STAT reads it while bytes flow, the stall guard notices when it stands still. It never blocks the
//! pump: one relaxed addition per chunk.

use std::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{Error, Result};

/// Octets moved so far.
#[derive(Debug, Default)]
pub struct Meter(AtomicU64);

impl Meter {
    /// A meter at 0.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds octets that have moved.
    pub fn add(&self, octets: u64) {
        self.0.fetch_add(octets, Ordering::Relaxed);
    }

    /// Octets moved so far.
    pub fn octets(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs `flow` and gives it up with [`Error::Stalled`] when `meter` stands still for `limit`.
///
/// One timer for the whole flow, re-armed when it finds that something moved: so a stall is noticed
/// after one to two times `limit`, and a fast flow pays nothing per chunk.
pub async fn guard_against_stall<T>(
    meter: &Meter,
    limit: Duration,
    flow: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut flow = pin!(flow);
    // A flow that ends in its first poll (a small file) needs no timer at all.
    if let Some(result) = std::future::poll_fn(|context| {
        std::task::Poll::Ready(match flow.as_mut().poll(context) {
            std::task::Poll::Ready(result) => Some(result),
            std::task::Poll::Pending => None,
        })
    })
    .await
    {
        return result;
    }
    let mut seen = meter.octets();
    loop {
        match tokio::time::timeout(limit, &mut flow).await {
            Ok(result) => return result,
            Err(_) if meter.octets() == seen => return Err(Error::Stalled { seconds: limit.as_secs() }),
            Err(_) => seen = meter.octets(),
        }
    }
}
