//! An upload's octets, with many blocks on the way.
//!
//! A frame is several WRITE requests with their data, read from the file straight into its place behind
//! each head, on the blocking pool, while the frame before is sent. Frames come from a small store and
//! go back when the channel has taken them: nothing is allocated per block. The window bounds what is
//! sent and not acknowledged.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::{sync::Notify, task::JoinHandle};
use wharf_transfer::Meter;

use super::{Sftp, clock::now, refusal::Status, state::Loss, window::Window};
use crate::{Error, Kind, Result, Step, local::Local};

/// Octets of data in one frame.
const FRAME: usize = 1024 * 1024;

/// Frames that are kept.
const KEPT: usize = 4;

#[derive(Clone, Debug)]
enum Failure {
    Lost(Loss),
    Refused(Status),
}

struct Acknowledged {
    /// Octets since somebody last looked.
    fresh: u64,
    failed: Option<Failure>,
}

/// Where the driver counts acknowledged blocks.
pub(super) struct Acks {
    acknowledged: Mutex<Acknowledged>,
    wake: Notify,
    meter: Arc<Meter>,
}

impl Acks {
    fn acknowledged(&self) -> MutexGuard<'_, Acknowledged> {
        self.acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A block is written.
    pub(super) fn accept(&self, length: u32) {
        self.meter.add(u64::from(length));
        self.acknowledged().fresh += u64::from(length);
        self.wake.notify_one();
    }

    /// The server refused a block.
    pub(super) fn refuse(&self, status: Status) {
        self.acknowledged()
            .failed
            .get_or_insert(Failure::Refused(status));
        self.wake.notify_one();
    }

    /// No more is acknowledged.
    pub(super) fn lose(&self, loss: Loss) {
        self.acknowledged()
            .failed
            .get_or_insert(Failure::Lost(loss));
        self.wake.notify_one();
    }
}

type Store = Arc<Mutex<Vec<Vec<u8>>>>;

/// A frame on its way; its memory goes back to the store.
struct Frame {
    octets: Vec<u8>,
    store: Store,
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if store.len() < KEPT {
            store.push(std::mem::take(&mut self.octets));
        }
    }
}

/// What goes where in one frame.
struct Plan {
    heads: Vec<u8>,
    each: usize,
    offset: u64,
    block: usize,
    total: usize,
}

impl Plan {
    /// Reads the data behind the heads. Memory of an earlier frame is written over, not cleared first.
    fn fill(&self, file: &Local, store: &Store) -> io::Result<Bytes> {
        let taken = store.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut octets = taken.unwrap_or_default();
        let wanted = self.heads.len() + self.total;
        if octets.len() < wanted {
            octets.resize(wanted, 0);
        }
        let mut left = self.total;
        let mut offset = self.offset;
        let mut rest = octets.as_mut_slice();
        for head in self.heads.chunks(self.each.max(1)) {
            let length = left.min(self.block);
            let Some((front, behind)) = rest.split_at_mut_checked(head.len() + length) else {
                break;
            };
            rest = behind;
            let (place, data) = front.split_at_mut(head.len());
            place.copy_from_slice(head);
            file.read_all_at(data, offset)?;
            offset += length as u64;
            left -= length;
        }
        let frame = Frame {
            octets,
            store: Arc::clone(store),
        };
        Ok(Bytes::from_owner(frame).slice(..wanted))
    }
}

/// Writes `range` of a local file to an open remote one, at the same offsets. The meter counts what the
/// server acknowledged.
///
/// # Errors
/// What the server refused, how the session ended, or that the local file shrank.
pub(crate) async fn write(
    sftp: &Sftp,
    handle: &[u8],
    file: &Local,
    range: std::ops::Range<u64>,
    meter: &Arc<Meter>,
    what: &str,
) -> Result<()> {
    let acks = Arc::new(Acks {
        acknowledged: Mutex::new(Acknowledged {
            fresh: 0,
            failed: None,
        }),
        wake: Notify::new(),
        meter: Arc::clone(meter),
    });
    let store = Store::default();
    let block = sftp.limits().write as usize;
    let mut window = Window::new();
    let mut under_way = 0_u64;
    let mut at = range.start;
    let mut job: Option<Job> = None;
    loop {
        let frame = FRAME.min(window.size() / 4).max(block);
        let length = (range.end - at).min(frame as u64);
        if job.is_none() && length > 0 && under_way + length <= window.size() as u64 {
            let next = Job::begin(sftp, handle, file, (at, length), block, &acks, &store);
            job = Some(next.map_err(|loss| sftp.lost(Step::Transfer, &loss))?);
            at += length;
            under_way += length;
        }
        if job.is_none() && under_way == 0 {
            return Ok(());
        }
        tokio::select! {
            filled = Job::filled(&mut job) => {
                job = None;
                match filled {
                    Ok(octets) => sftp.send(octets),
                    Err(error) => {
                        // The heads are made and their data are not there: nothing fits any more.
                        sftp.tear();
                        return Err(unreadable(&error));
                    }
                }
            }
            () = acks.wake.notified() => {
                let (fresh, failed) = {
                    let mut acknowledged = acks.acknowledged();
                    (std::mem::take(&mut acknowledged.fresh), acknowledged.failed.clone())
                };
                under_way = under_way.saturating_sub(fresh);
                window.arrived(fresh, now());
                match failed {
                    Some(Failure::Lost(loss)) => return Err(sftp.lost(Step::Transfer, &loss)),
                    Some(Failure::Refused(status)) => {
                        // The heads of a frame that was begun are waited for: it goes, too.
                        if job.is_some() {
                            match Job::filled(&mut job).await {
                                Ok(octets) => sftp.send(octets),
                                Err(_) => sftp.tear(),
                            }
                        }
                        return Err(status.error(Step::Transfer, what));
                    }
                    None => {}
                }
            }
        }
    }
}

/// A frame that is being filled.
struct Job {
    work: JoinHandle<io::Result<Bytes>>,
}

impl Job {
    fn begin(
        sftp: &Sftp,
        handle: &[u8],
        file: &Local,
        (offset, length): (u64, u64),
        block: usize,
        acks: &Arc<Acks>,
        store: &Store,
    ) -> Result<Self, Loss> {
        let end = offset + length;
        let blocks = std::iter::successors(Some(offset), |at| Some(at + block as u64))
            .take_while(|at| *at < end)
            .map(|at| {
                let length = (end - at).min(block as u64);
                (at, u32::try_from(length).unwrap_or(u32::MAX))
            });
        let mut heads = Vec::new();
        let each = sftp.write_heads(handle, blocks, acks, &mut heads)?;
        let plan = Plan {
            heads,
            each,
            offset,
            block,
            total: usize::try_from(length).unwrap_or(usize::MAX),
        };
        let (file, store) = (file.clone(), Arc::clone(store));
        let work = tokio::task::spawn_blocking(move || plan.fill(&file, &store));
        Ok(Self { work })
    }

    /// Waits for the frame; for ever when there is none.
    async fn filled(job: &mut Option<Self>) -> io::Result<Bytes> {
        match job {
            Some(job) => (&mut job.work)
                .await
                .unwrap_or_else(|error| Err(io::Error::other(error))),
            None => std::future::pending().await,
        }
    }
}

fn unreadable(error: &io::Error) -> Error {
    let text = if error.kind() == io::ErrorKind::UnexpectedEof {
        "the local file shrank while it was sent".to_owned()
    } else {
        format!("the local file failed: {error}")
    };
    Error::new(Step::Local, Kind::Local, text)
}
