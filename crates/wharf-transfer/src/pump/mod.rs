//! Joins an open file and a data stream by the shortest legal path.
//!
//! | file | stream | transform | path |
//! | --- | --- | --- | --- |
//! | descriptor | plain socket | none | `platform`: sendfile, splice; `sender`: sendfile in bursts |
//! | descriptor | TLS | none | `secure`: file to record layer to socket, and back, piece by piece |
//! | any | any | any | `buffered`: one pooled buffer |
//!
//! This is the one place that decides; front ends do not know which path runs.

mod buffered;
mod disk;
mod platform;
mod secure;
mod sender;

use std::sync::Arc;

use wharf_vfs::FileRef;

use crate::{DataStream, Error, Meter, Result, Throttle};

/// After so many octets without a pause the thread is offered to the other sessions on it.
const YIELD_AFTER: u64 = 4 << 20;

/// A change of the octets on their way, such as line ends. It keeps its own state between calls.
pub trait Transform: Send {
    /// Appends the changed form of `input` to `output`.
    fn apply(&mut self, input: &[u8], output: &mut Vec<u8>);

    /// Appends what is left at the end.
    fn finish(&mut self, output: &mut Vec<u8>);
}

/// What accompanies a flow: who counts it and who slows it down.
#[derive(Debug, Clone, Copy)]
pub struct Flow<'a> {
    /// Counts octets as they move on the stream.
    pub meter: &'a Meter,
    /// Every one of them must agree to each chunk.
    pub throttles: &'a [Arc<Throttle>],
}

impl Flow<'_> {
    /// The most that may move at once.
    fn chunk(&self, most: u64) -> u64 {
        self.throttles
            .iter()
            .map(|throttle| throttle.chunk())
            .fold(most, u64::min)
    }

    /// Waits until `octets` may move.
    async fn admit(&self, octets: u64) -> Result<()> {
        if self.throttles.is_empty() {
            return Ok(());
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the rim: a rate is octets by real time"
        )]
        let now = tokio::time::Instant::now().into_std();
        let wait = self
            .throttles
            .iter()
            .map(|throttle| throttle.take(now, octets))
            .max();
        let Some(wait) = wait.filter(|wait| !wait.is_zero()) else {
            return Ok(());
        };
        let claim = Claim {
            throttles: self.throttles,
            octets,
        };
        self.meter.wait(wait).await?;
        std::mem::forget(claim);
        Ok(())
    }
}

/// Octets that were taken from throttles; given back on drop.
struct Claim<'a> {
    throttles: &'a [Arc<Throttle>],
    octets: u64,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        for throttle in self.throttles {
            throttle.give_back(self.octets);
        }
    }
}

/// Where a download comes from.
pub struct Source {
    /// The open file.
    pub file: FileRef,
    /// Where to begin.
    pub offset: u64,
    /// How many octets of the file.
    pub length: u64,
}

/// Where an upload goes.
pub struct Target {
    /// The open file.
    pub file: FileRef,
    /// Where to begin.
    pub offset: u64,
    /// How many octets of the stream are allowed.
    pub limit: u64,
}

/// Sends a part of a file; gives the octets that went into the stream.
///
/// The stream stays open: the caller ends it in order, or resets it when this fails. Under TLS
/// `close_notify` may have gone out with the last octets.
///
/// # Errors
/// [`Error::Stream`], [`Error::Store`], [`Error::Stopped`], or [`Error::Shrank`] when the file ends
/// early.
pub async fn send(
    source: &Source,
    stream: &mut DataStream,
    flow: Flow<'_>,
    transform: Option<&mut dyn Transform>,
) -> Result<u64> {
    match (source.file.descriptor(), transform) {
        (Some(_), None) if stream.is_secure() => secure::send(source, stream, flow).await,
        (Some(_), None) => platform::send(source, stream, flow).await,
        (_, transform) => buffered::send(source, stream, flow, transform).await,
    }
}

/// Receives a stream to its end into a file; gives the octets that came from the stream.
///
/// Dropping it may leave a thread that still writes; [`Meter::stop`] does not.
///
/// # Errors
/// [`Error::Stream`], [`Error::Store`], [`Error::TooLong`], [`Error::Stopped`].
pub async fn receive(
    target: &Target,
    stream: &mut DataStream,
    flow: Flow<'_>,
    transform: Option<&mut dyn Transform>,
) -> Result<u64> {
    match (target.file.descriptor(), transform) {
        (Some(_), None) if stream.is_secure() => secure::receive(target, stream, flow).await,
        (Some(_), None) => platform::receive(target, stream, flow).await,
        (_, transform) => buffered::receive(target, stream, flow, transform).await,
    }
}

/// Sends octets that are in memory, such as a piece of a listing.
///
/// # Errors
/// [`Error::Stream`], [`Error::Stopped`].
pub async fn send_bytes(stream: &mut DataStream, mut bytes: &[u8], flow: Flow<'_>) -> Result<()> {
    flow.admit(bytes.len() as u64).await?;
    while !bytes.is_empty() {
        let sent = flow
            .meter
            .unless_stopped(stream.write(bytes))
            .await?
            .map_err(Error::Stream)?;
        // Counted as they go: a slow peer is no stalled one.
        flow.meter.add(sent as u64);
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// Ends our direction of a stream ([`DataStream::end`]). A peer that takes nothing any more keeps
/// nobody: [`Meter::stop`] is heard here, too.
///
/// # Errors
/// [`Error::Stream`], [`Error::Stopped`].
pub async fn end(stream: &mut DataStream, flow: Flow<'_>) -> Result<()> {
    flow.meter
        .unless_stopped(stream.end())
        .await?
        .map_err(Error::Stream)
}

#[cfg(test)]
mod tests;
