//! How far a transfer is, and the word that stops it: what the pump shares with those beside it.
//!
//! STAT reads the count while bytes flow, the stall guard notices when it stands still. It never
//! blocks the pump: one relaxed addition per chunk.
//!
//! [`Meter::stop`] ends a flow without leaving anything behind: a flow that is dropped may leave a
//! thread that still writes into the file, a flow that is stopped has ended when it says so.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::sync::Notify;

use crate::{Error, Result};

/// Octets moved so far.
#[derive(Debug, Default)]
pub struct Meter {
    octets: AtomicU64,
    /// Begun and ended waits for a throttle: odd while one lasts.
    waits: AtomicU32,
    stopped: AtomicBool,
    signal: Notify,
}

impl Meter {
    /// A meter at 0.
    pub const fn new() -> Self {
        Self {
            octets: AtomicU64::new(0),
            waits: AtomicU32::new(0),
            stopped: AtomicBool::new(false),
            signal: Notify::const_new(),
        }
    }

    /// Adds octets that have moved.
    pub fn add(&self, octets: u64) {
        self.octets.fetch_add(octets, Ordering::Relaxed);
    }

    /// Octets moved so far.
    pub fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    /// Stops the flow for good: it ends with [`Error::Stopped`] as soon as nothing of it is on the
    /// way into the file. For one that waits beside the flow and goes on polling it.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.signal.notify_one();
    }

    /// Runs a part of a flow that may be given up at any time.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let is_stopped = || self.stopped.load(Ordering::Acquire);
        if is_stopped() {
            return Err(Error::Stopped);
        }
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = async { while !is_stopped() { self.signal.notified().await } } => Err(Error::Stopped),
        }
    }

    /// A wait that is ours, not the peer's: it is no stall.
    pub(crate) async fn wait(&self, time: Duration) -> Result<()> {
        struct Wait<'a>(&'a AtomicU32);
        impl Drop for Wait<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.waits.fetch_add(1, Ordering::Relaxed);
        let _wait = Wait(&self.waits);
        self.unless_stopped(tokio::time::sleep(time)).await
    }
}

/// Done when `meter` stands still for `limit`; a wait for a throttle is no standstill (DAT-36).
///
/// One timer for the whole flow, re-armed when it finds that something moved: so a stall is noticed
/// after one to two times `limit`, and a fast flow pays nothing per chunk.
pub async fn stalled(meter: &Meter, limit: Duration) {
    let look = || (meter.octets(), meter.waits.load(Ordering::Relaxed));
    let mut seen = look();
    loop {
        crate::timer::sleep(limit).await;
        let now = look();
        let waits = now.1 % 2 == 1;
        if now == seen && !waits {
            return;
        }
        seen = now;
    }
}

/// Runs `flow` and gives it up with [`Error::Stalled`] when it is [`stalled`].
///
/// A flow that ends in its first poll (a small file) needs no timer at all.
pub async fn guard_against_stall<T>(
    meter: &Meter,
    limit: Duration,
    flow: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        biased;
        result = flow => result,
        () = stalled(meter, limit) => Err(Error::Stalled { seconds: limit.as_secs() }),
    }
}
