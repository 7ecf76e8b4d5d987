//! Joins an open file and a data stream: the flow, its end, and the one event that tells of it.
//!
//! Whatever ends a transfer (the last octet, a broken stream, a stall, an abort, a full disk), it
//! ends here: an upload is committed or aborted before anybody is told, and the bus hears of it
//! exactly once. An abort ends the flow, never the settling after it: from the last octet on an
//! upload is committed or has failed, whoever asks.

mod file;

pub use file::{FileTransfer, pay};

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use wharf_transfer::{
    DataStream, Error, Flow, Meter, Source, Target, Transform, end, receive, send, stalled,
    tls::Truncated,
};
use wharf_vfs::{AbortedUpload, Upload};

use crate::{
    ActiveAccount, Engine,
    events::{Direction, Event, Origin, TransferEnd, TransferRecord},
    registry::Busy,
};

/// A request to stop a transfer, from beside it.
#[derive(Debug, Default)]
pub struct Abort {
    asked: AtomicBool,
    signal: Notify,
}

impl Abort {
    /// Asks for the end; for good.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.signal.notify_one();
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Waits until somebody asks, or has asked. Only one may wait at a time.
    async fn asked(&self) {
        while !self.is_asked() {
            self.signal.notified().await;
        }
    }

    /// Runs `work` until it is done or somebody asks for its end; `None` then.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.asked() => None,
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
        let told = self.begin(Direction::Download, path, transform.is_some());
        let flow = Flow {
            meter: &self.meter,
            throttles: &self.account.download,
        };
        let transformer: Option<&mut dyn Transform> = match &mut transform {
            Some(transform) => Some(&mut **transform),
            None => None,
        };
        let flowing = async {
            let octets = send(&source, &mut stream, flow, transformer).await?;
            end(&mut stream, flow).await?;
            Ok(octets)
        };
        let outcome = self.run(flowing).await;
        match &outcome {
            Outcome::Complete(_) => stream.finish(),
            // Never an orderly end after less than was promised.
            Outcome::Aborted | Outcome::Failed(_) => stream.reset(),
        }
        told.tell(&outcome, false);
        outcome
    }

    /// Receives into an upload, commits or aborts it, and tells.
    ///
    /// `announced`: a stream that breaks after at least so many octets counts as whole (INT-56),
    /// unless it is transformed: then its end was not seen. A secure stream that ends without
    /// `close_notify` is cut when it brought less than was announced, or when it does not
    /// [tolerate](DataStream::tolerate_truncation) such an end (DAT-24).
    pub async fn upload(
        &self,
        upload: Upload,
        mut stream: DataStream,
        mut transform: Option<Box<dyn Transform>>,
        announced: Option<u64>,
        limit: u64,
        path: &[u8],
    ) -> Outcome {
        let told = self.begin(Direction::Upload, path, transform.is_some());
        let flow = Flow {
            meter: &self.meter,
            throttles: &self.account.upload,
        };
        let transformer: Option<&mut dyn Transform> = match &mut transform {
            Some(transform) => Some(&mut **transform),
            None => None,
        };
        let target = Target {
            file: Arc::clone(upload.file()),
            offset: upload.start(),
            limit,
        };
        let flowing = async {
            let octets = receive(&target, &mut stream, flow, transformer).await?;
            // Our end of a secure stream; whether the file is whole the protocol's reply tells. A
            // peer that is gone already does not need it.
            let _ = end(&mut stream, flow).await;
            Ok(octets)
        };
        let received = self.run(flowing).await;
        drop(target);
        let received = match received {
            Outcome::Failed(Error::Stream(ref error))
                if transform.is_none()
                    && !Truncated::is(error)
                    && announced.is_some_and(|octets| self.meter.octets() >= octets) =>
            {
                Outcome::Complete(self.meter.octets())
            }
            Outcome::Complete(octets)
                if !stream.has_ended_in_order()
                    && announced.is_some_and(|announced| octets < announced) =>
            {
                Outcome::Failed(Error::Stream(Truncated.into()))
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
                        self.engine
                            .bus
                            .emit(&self.origin, &Event::VolumeFailed { cause: &cause });
                    }
                }
                failed
            }
        };
        match &outcome {
            Outcome::Complete(_) => stream.finish(),
            Outcome::Aborted | Outcome::Failed(_) => stream.reset(),
        }
        told.tell(&outcome, kept);
        outcome
    }

    /// Runs a flow to its end, whoever brings it about. When this returns nothing of the flow is
    /// under way any more, so an upload can be settled.
    async fn run(&self, flow: impl Future<Output = Result<u64, Error>>) -> Outcome {
        if self.abort.is_asked() {
            return Outcome::Aborted;
        }
        let mut flow = pin!(flow);
        let outcome = |result: Result<u64, Error>, stopped: Outcome| match result {
            Ok(octets) => Outcome::Complete(octets),
            Err(Error::Stopped) => stopped,
            Err(error) => Outcome::Failed(error),
        };
        let stopped = tokio::select! {
            biased;
            result = &mut flow => return outcome(result, Outcome::Aborted),
            () = self.abort.asked() => Outcome::Aborted,
            () = stalled(&self.meter, self.stall_timeout) => {
                Outcome::Failed(Error::Stalled { seconds: self.stall_timeout.as_secs() })
            }
        };
        self.meter.stop();
        outcome(flow.await, stopped)
    }

    fn begin<'a>(&'a self, direction: Direction, path: &'a [u8], ascii: bool) -> Untold<'a> {
        let busy = self
            .origin
            .session
            .and_then(|id| self.engine.registry.busy(id));
        Untold {
            transfers: self,
            direction,
            path,
            ascii,
            _busy: busy,
            is_told: false,
        }
    }
}

/// A transfer of which the bus has not heard. It does, even if the transfer is dropped.
struct Untold<'a> {
    transfers: &'a Transfers,
    direction: Direction,
    path: &'a [u8],
    ascii: bool,
    _busy: Option<Busy>,
    is_told: bool,
}

impl Untold<'_> {
    fn tell(mut self, outcome: &Outcome, kept: bool) {
        self.is_told = true;
        self.emit(match outcome {
            Outcome::Complete(_) => TransferEnd::Committed,
            Outcome::Aborted => TransferEnd::Aborted {
                cause: "aborted on request".into(),
                kept,
            },
            Outcome::Failed(error) => {
                let mut cause = error.to_string();
                if let Error::Store(store) = error
                    && let Some(source) = &store.source
                {
                    cause = format!("{cause}: {source}");
                }
                TransferEnd::Aborted { cause, kept }
            }
        });
    }

    fn emit(&self, end: TransferEnd) {
        let Transfers {
            engine,
            origin,
            account,
            meter,
            started,
            ..
        } = self.transfers;
        let record = TransferRecord {
            direction: self.direction,
            path: self.path,
            octets: meter.octets(),
            seconds: started.elapsed().as_secs_f64(),
            ascii: self.ascii,
            anonymous: account.account.is_anonymous(),
            end,
        };
        engine.bus.emit(origin, &Event::Transfer(record));
    }
}

impl Drop for Untold<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            // An upload that is dropped discards what was staged.
            self.emit(TransferEnd::Aborted {
                cause: "the session was dropped".into(),
                kept: false,
            });
        }
    }
}
