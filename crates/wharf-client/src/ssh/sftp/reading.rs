//! A download's octets, in order, with many blocks on the way.
//!
//! Blocks may come back in any order and short (SFT-80): what is early waits in the [`Inbox`], what is
//! short is asked for again. The caller gets one run of octets after the other and writes them to disk
//! while the next gathers; what it has not taken counts against the window, so a slow disk slows the
//! asking and memory stays bounded.
//!
//! A server that answers READ with no data at all would keep us asking for ever: that is a breach of
//! protocol (past hole of sshfs and others), as is more data than was asked for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::{Sftp, clock::now, refusal::Status, state::Loss, window::Window};
use crate::{Error, Result, Step};

/// A run is handed out from this size on; smaller ones only at the end.
const RUN: usize = 1024 * 1024;

/// Why no more comes.
#[derive(Clone, Debug)]
enum Failure {
    Lost(Loss),
    Refused(Status),
}

struct Arrived {
    /// In order, not yet taken.
    ready: Vec<u8>,
    /// The offset behind `ready`.
    at: u64,
    /// What came early, by offset.
    early: BTreeMap<u64, Vec<u8>>,
    early_octets: usize,
    /// What is missing of short answers, all of it before the end.
    again: Vec<(u64, u32)>,
    /// Octets and blocks that were asked for and not answered.
    due: usize,
    blocks: usize,
    /// Where the server says the file ends.
    end: Option<u64>,
    failed: Option<Failure>,
    /// Octets that are worth a wake-up.
    enough: usize,
}

/// Where the driver puts a download's blocks.
pub(super) struct Inbox {
    arrived: Mutex<Arrived>,
    wake: Notify,
}

impl Inbox {
    fn new(start: u64) -> Self {
        Self {
            arrived: Mutex::new(Arrived {
                ready: Vec::new(),
                at: start,
                early: BTreeMap::new(),
                early_octets: 0,
                again: Vec::new(),
                due: 0,
                blocks: 0,
                end: None,
                failed: None,
                enough: 0,
            }),
            wake: Notify::new(),
        }
    }

    fn arrived(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block came.
    pub(super) fn accept(&self, offset: u64, length: u32, data: &[u8]) {
        let wake = {
            let mut arrived = self.arrived();
            arrived.answered(length);
            let got = u32::try_from(data.len()).unwrap_or(u32::MAX);
            if got == 0 || got > length {
                let text = format!("READ of {length} octets was answered with {got}");
                let failure = Failure::Lost(Loss::Violation(text));
                arrived.failed.get_or_insert(failure);
            } else {
                let missing = offset + u64::from(got);
                if got < length && arrived.end.is_none_or(|end| missing < end) {
                    arrived.again.push((missing, length - got));
                }
                arrived.put(offset, data);
            }
            arrived.is_worth_waking()
        };
        if wake {
            self.wake.notify_one();
        }
    }

    /// The file ends at or before `offset`.
    pub(super) fn end(&self, offset: u64, length: u32) {
        let wake = {
            let mut arrived = self.arrived();
            arrived.answered(length);
            let end = arrived.end.map_or(offset, |end| end.min(offset));
            arrived.end = Some(end);
            arrived.again.retain(|(missing, _)| *missing < end);
            arrived.is_worth_waking()
        };
        if wake {
            self.wake.notify_one();
        }
    }

    /// The server refused a block.
    pub(super) fn refuse(&self, status: Status) {
        self.arrived()
            .failed
            .get_or_insert(Failure::Refused(status));
        self.wake.notify_one();
    }

    /// No more comes.
    pub(super) fn lose(&self, loss: Loss) {
        self.arrived().failed.get_or_insert(Failure::Lost(loss));
        self.wake.notify_one();
    }
}

impl Arrived {
    const fn answered(&mut self, length: u32) {
        self.due = self.due.saturating_sub(length as usize);
        self.blocks = self.blocks.saturating_sub(1);
    }

    fn put(&mut self, offset: u64, data: &[u8]) {
        if offset != self.at {
            self.early_octets += data.len();
            self.early.insert(offset, data.to_vec());
            return;
        }
        self.ready.extend_from_slice(data);
        self.at += data.len() as u64;
        while let Some(next) = self.early.remove(&self.at) {
            self.early_octets -= next.len();
            self.at += next.len() as u64;
            self.ready.extend_from_slice(&next);
        }
    }

    fn is_worth_waking(&self) -> bool {
        self.failed.is_some()
            || self.blocks == 0
            || !self.again.is_empty()
            || self.ready.len() >= self.enough
    }
}

/// A download under way.
pub(crate) struct Reading<'a> {
    sftp: &'a Sftp,
    handle: &'a [u8],
    inbox: Arc<Inbox>,
    window: Window,
    /// Where the next new block begins.
    next: u64,
    /// The size that was told, if one was; one octet beyond it is asked for too, to see the end.
    goal: Option<u64>,
    /// A buffer that was given back.
    spare: Vec<u8>,
    blocks: Vec<(u64, u32)>,
}

impl<'a> Reading<'a> {
    /// Reads from `start` to the end of the file. `size` is what the server told; a size of 0 is what
    /// many special files tell and means nothing.
    pub(crate) fn new(sftp: &'a Sftp, handle: &'a [u8], start: u64, size: Option<u64>) -> Self {
        Self {
            sftp,
            handle,
            inbox: Arc::new(Inbox::new(start)),
            window: Window::new(),
            next: start,
            goal: size.filter(|size| *size > 0),
            spare: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// The next octets in order; `None` at the end.
    ///
    /// # Errors
    /// What the server refused, or how the session ended.
    pub(crate) async fn next(&mut self, what: &str) -> Result<Option<Vec<u8>>> {
        loop {
            let taken = {
                let mut arrived = self.inbox.arrived();
                let over = arrived.blocks == 0
                    && arrived.again.is_empty()
                    && (arrived.end.is_some() || self.is_asked());
                let over = over || arrived.failed.is_some();
                let enough = RUN.min(self.window.size() / 4);
                arrived.enough = enough;
                if arrived.ready.len() >= enough || (over && !arrived.ready.is_empty()) {
                    let spare = std::mem::take(&mut self.spare);
                    Some(std::mem::replace(&mut arrived.ready, spare))
                } else if let Some(failure) = &arrived.failed {
                    // What came before is handed out.
                    return Err(match failure {
                        Failure::Lost(loss) => self.sftp.lost(Step::Transfer, loss),
                        Failure::Refused(status) => status.error(Step::Transfer, what),
                    });
                } else if over {
                    return Ok(None);
                } else {
                    None
                }
            };
            if let Some(run) = taken {
                self.window.arrived(run.len() as u64, now());
                self.refill();
                return Ok(Some(run));
            }
            self.refill();
            self.inbox.wake.notified().await;
        }
    }

    /// Takes a buffer back.
    pub(crate) fn reuse(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.spare = buffer;
    }

    /// Whether every block up to the goal, and the octet behind it, was asked for.
    fn is_asked(&self) -> bool {
        self.goal.is_some_and(|goal| self.next > goal)
    }

    /// Asks for as much as the window takes.
    fn refill(&mut self) {
        self.blocks.clear();
        {
            let mut arrived = self.inbox.arrived();
            if arrived.failed.is_some() {
                return;
            }
            let room = self.window.size();
            let end = arrived.end;
            loop {
                let full = arrived.due + arrived.ready.len() + arrived.early_octets >= room;
                let block = match arrived.again.pop() {
                    // It had its room when it was asked for first; what waits behind it may hold the rest.
                    Some(block) => block,
                    None if full || end.is_some() => break,
                    None => match self.goal {
                        Some(goal) if self.next > goal => break,
                        Some(goal) => {
                            let left =
                                (goal - self.next).clamp(1, u64::from(self.sftp.limits().read));
                            let block = (self.next, u32::try_from(left).unwrap_or(u32::MAX));
                            self.next += left;
                            block
                        }
                        None => {
                            let block = (self.next, self.sftp.limits().read);
                            self.next += u64::from(block.1);
                            block
                        }
                    },
                };
                arrived.due += block.1 as usize;
                arrived.blocks += 1;
                self.blocks.push(block);
            }
        }
        if !self.blocks.is_empty() {
            self.sftp.ask_blocks(self.handle, &self.blocks, &self.inbox);
        }
    }
}

/// The remote file is longer than was told.
pub(crate) fn grew(what: &str) -> Error {
    Error::new(
        Step::Transfer,
        crate::Kind::Differs,
        format!("{what}: the remote file grew while it was fetched"),
    )
    .retryable()
}
