//! Joins an open file and a data stream: the flow, its end, and the one event that tells of it.
//!
//! Whatever ends a transfer (the last octet, a broken stream, a stall, an abort, a full disk), it
//! ends here: an upload is committed or aborted before anybody is told, and the bus hears of it
//! exactly once.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use wharf_transfer::{
    DataStream, Error, Flow, Meter, Source, Target, Transform, guard_against_stall, receive, send,
};
use wharf_vfs::{AbortedUpload, Upload};

use crate::{
    ActiveAccount, Engine,
    events::{Direction, Event, Origin, TransferEnd, TransferRecord},
};

/// A request to stop a transfer, from beside it.
#[derive(Debug, Default)]
pub struct Abort {
    asked: AtomicBool,
    signal: Notify,
}

impl Abort {
    /// Asks for the end.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
        self.signal.notify_one();
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Runs `work` until it is done or somebody asks for its end; `None` then.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.signal.notified() => None,
        }
    }
}

/// How a transfer ended.
#[derive(Debug)]
pub enum Outcome {
    /// Whole: so many octets on the stream.
    Complete(u64),
    /// Somebody asked for the end.
    Aborted,
    /// It failed.
    Failed(Error),
}

/// What a transfer needs of its session.
pub struct Transfers {
    /// What all sessions share.
    pub engine: Arc<Engine>,
    /// Whose transfer.
    pub origin: Origin,
    /// The account.
    pub account: Arc<ActiveAccount>,
    /// No octet for so long ends it.
    pub stall_timeout: Duration,
    /// Where its progress is seen.
    pub meter: Arc<Meter>,
    /// How it is stopped.
    pub abort: Arc<Abort>,
    /// When it began.
    pub started: Instant,
}

impl Transfers {
    /// Sends a part of a file, ends the stream in order or resets it, and tells.
    pub async fn download(
        &self,
        source: Source,
        mut stream: DataStream,
        mut transform: Option<Box<dyn Transform>>,
        path: &[u8],
    ) -> Outcome {
        let flow = Flow { meter: &self.meter, throttles: &self.account.download };
        let transformer: Option<&mut dyn Transform> = match &mut transform {
            Some(transform) => Some(&mut **transform),
            None => None,
        };
        let flowing = send(&source, &mut stream, flow, transformer);
        let outcome = self.run(flowing).await;
        match &outcome {
            Outcome::Complete(_) => stream.finish(),
            // Never an orderly end after less than was promised.
            Outcome::Aborted | Outcome::Failed(_) => stream.reset(),
        }
        self.tell(Direction::Download, path, transform.is_some(), &outcome, false);
        outcome
    }

    /// Receives into an upload, commits or aborts it, and tells.
    ///
    /// `announced`: a stream that breaks after at least so many octets counts as whole (INT-56).
    pub async fn upload(
        &self,
        upload: Upload,
        mut stream: DataStream,
        mut transform: Option<Box<dyn Transform>>,
        announced: Option<u64>,
        limit: u64,
        path: &[u8],
    ) -> Outcome {
        let flow = Flow { meter: &self.meter, throttles: &self.account.upload };
        let transformer: Option<&mut dyn Transform> = match &mut transform {
            Some(transform) => Some(&mut **transform),
            None => None,
        };
        let target = Target { file: Arc::clone(upload.file()), offset: upload.start(), limit };
        let received = self.run(receive(&target, &mut stream, flow, transformer)).await;
        drop(target);
        let received = match received {
            Outcome::Failed(Error::Stream(_)) if announced.is_some_and(|octets| self.meter.octets() >= octets) => {
                Outcome::Complete(self.meter.octets())
            }
            other => other,
        };
        let mut kept = false;
        let outcome = match received {
            Outcome::Complete(octets) => match upload.commit(None).await {
                Ok(()) => Outcome::Complete(octets),
                Err(error) => Outcome::Failed(Error::Store(error)),
            },
            failed => {
                match upload.abort(self.meter.octets()).await {
                    Ok(aborted) => kept = aborted == AbortedUpload::KeptPartial,
                    Err(error) => {
                        let cause = error.to_string();
                        self.engine.bus.emit(&self.origin, &Event::VolumeFailed { cause: &cause });
                    }
                }
                failed
            }
        };
        match &outcome {
            Outcome::Complete(_) => stream.finish(),
            Outcome::Aborted | Outcome::Failed(_) => stream.reset(),
        }
        self.tell(Direction::Upload, path, transform.is_some(), &outcome, kept);
        outcome
    }

    async fn run(&self, flow: impl Future<Output = Result<u64, Error>>) -> Outcome {
        if self.abort.is_asked() {
            return Outcome::Aborted;
        }
        match self.abort.or(guard_against_stall(&self.meter, self.stall_timeout, flow)).await {
            Some(Ok(octets)) => Outcome::Complete(octets),
            Some(Err(error)) => Outcome::Failed(error),
            None => Outcome::Aborted,
        }
    }

    fn tell(&self, direction: Direction, path: &[u8], ascii: bool, outcome: &Outcome, kept: bool) {
        let end = match outcome {
            Outcome::Complete(_) => TransferEnd::Committed,
            Outcome::Aborted => TransferEnd::Aborted { cause: "aborted by the client".into(), kept },
            Outcome::Failed(error) => {
                let mut cause = error.to_string();
                if let Error::Store(store) = error
                    && let Some(source) = &store.source
                {
                    cause = format!("{cause}: {source}");
                }
                TransferEnd::Aborted { cause, kept }
            }
        };
        let record = TransferRecord {
            direction,
            path,
            octets: self.meter.octets(),
            seconds: self.started.elapsed().as_secs_f64(),
            ascii,
            anonymous: self.account.account.is_anonymous(),
            end,
        };
        self.engine.bus.emit(&self.origin, &Event::Transfer(record));
    }
}
