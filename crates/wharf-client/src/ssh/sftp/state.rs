//! What the driver and its callers share: the machine, what is to be sent, who waits for what.
//!
//! A caller encodes its request straight into the output and leaves a [`Waiter`]; the driver sends the
//! output in one piece per wake-up and hands each reply to its waiter. So any number of requests are in
//! flight without a task or a queue hop each. The lock is held for moments, never across an await.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};
use wharf_proto::sftp::{
    Attributes, Request, RequestId, Response, StatusCode, SymlinkOrder,
    client::{Client, Violation},
    response::Limits,
};

use super::{super::plain, reading::Inbox, refusal::Status, writing::Acks};
use crate::{Error, Kind, Site, Step};

/// Octets of the server's first words that are kept, should they turn out to be no SFTP.
const FIRST_WORDS: usize = 64;

/// One name of a NAME reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: Vec<u8>,
    pub(super) attributes: Attributes,
}

/// A reply that outlives the machine's buffer.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Status(Status),
    Handle(Vec<u8>),
    Data(Vec<u8>),
    Names(Vec<Named>),
    Attributes(Attributes),
    Limits(Limits),
    /// Of check-file.
    Hashes {
        algorithm: Vec<u8>,
        hashes: Vec<u8>,
    },
    /// To a question that is never asked here.
    Other,
}

impl Reply {
    fn of(response: &Response<'_>) -> Self {
        match response {
            Response::Status { code, message } => Self::Status(Status::new(*code, message)),
            Response::Handle(handle) => Self::Handle(handle.to_vec()),
            Response::Data(data) => Self::Data(data.to_vec()),
            Response::Names(names) => Self::Names(
                names
                    .map(|name| Named {
                        name: name.name.to_vec(),
                        attributes: name.attributes,
                    })
                    .collect(),
            ),
            Response::Attributes(attributes) => Self::Attributes(*attributes),
            Response::Limits(limits) => Self::Limits(*limits),
            Response::CheckFile { algorithm, hashes } => Self::Hashes {
                algorithm: algorithm.to_vec(),
                hashes: hashes.to_vec(),
            },
            _ => Self::Other,
        }
    }
}

/// Who waits for a reply.
pub(super) enum Waiter {
    /// One question.
    Once(oneshot::Sender<Result<Reply, Loss>>),
    /// A block of a download.
    Read {
        inbox: Arc<Inbox>,
        offset: u64,
        length: u32,
    },
    /// A block of an upload.
    Write { acks: Arc<Acks>, length: u32 },
    /// Nobody: a handle that is closed behind a broken transfer.
    Nobody,
}

/// Why the session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The channel or the connection ended.
    Ended,
    /// No octet for so long, though an answer is due.
    Silent(Duration),
    /// The server does not speak SFTP as it should.
    Violation(String),
    /// The server said something else before any SFTP (S08).
    Noise(String),
    /// We ended it.
    Closed,
}

impl Loss {
    pub(super) fn error(&self, step: Step, site: &Site) -> Error {
        match self {
            Self::Ended => Error::new(
                step,
                Kind::Protocol,
                format!("{site}: the server ended the SFTP session"),
            )
            .retryable(),
            Self::Silent(limit) => Error::new(
                step,
                Kind::TimedOut,
                format!("{site}: the server did not answer within {} s", limit.as_secs_f32()),
            )
            .retryable(),
            Self::Violation(why) => Error::new(
                step,
                Kind::Protocol,
                format!("{site}: the server does not speak SFTP as it should: {why}"),
            ),
            Self::Noise(words) => Error::new(
                Step::Greeting,
                Kind::Protocol,
                format!("{site}: the server said \"{words}\" where SFTP should begin"),
            )
            .because(
                "S08",
                ["a start-up script of the account prints on the server: let it do so only when a person is at the terminal ([ -t 1 ])"],
            ),
            Self::Closed => Error::new(step, Kind::Protocol, "the SFTP session was closed"),
        }
    }
}

pub(super) struct State {
    pub(super) machine: Client,
    /// Large pieces in the order of sending.
    queue: VecDeque<Bytes>,
    /// What comes behind them.
    output: Vec<u8>,
    waiting: HashMap<RequestId, Waiter>,
    pub(super) lost: Option<Loss>,
    first_words: Vec<u8>,
}

/// What comes next for the transmitter.
pub(super) enum Next {
    Send(Bytes),
    Wait,
    End,
}

pub(super) struct Shared {
    pub(super) site: Site,
    state: Mutex<State>,
    /// Something is to be sent, or the session is lost.
    pub(super) outgoing: Notify,
    /// VERSION came, or the session is lost.
    pub(super) begun: Notify,
    /// Counts whatever moves, for the watchdog.
    progress: AtomicU64,
}

impl Shared {
    /// The beginning: INIT is on its way.
    pub(super) fn new(site: Site) -> Self {
        let mut output = Vec::new();
        let machine = Client::new(SymlinkOrder::default(), &mut output);
        Self {
            site,
            state: Mutex::new(State {
                machine,
                queue: VecDeque::new(),
                output,
                waiting: HashMap::new(),
                lost: None,
                first_words: Vec::new(),
            }),
            outgoing: Notify::new(),
            begun: Notify::new(),
            progress: AtomicU64::new(0),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something moved.
    pub(super) fn step_on(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something moved, and whether the server owes anything.
    pub(super) fn progress(&self) -> (u64, bool) {
        let due = {
            let state = self.state();
            !state.waiting.is_empty() || state.machine.extensions().is_none()
        };
        (self.progress.load(Ordering::Relaxed), due)
    }

    /// Asks one thing; the answer comes through `Waiter`.
    pub(super) fn ask(&self, request: &Request<'_>, waiter: Waiter) {
        let refused = {
            let mut state = self.state();
            match state.lost.clone() {
                Some(loss) => Some((waiter, loss)),
                None => {
                    let State {
                        machine,
                        output,
                        waiting,
                        ..
                    } = &mut *state;
                    let id = machine.request(request, output);
                    waiting.insert(id, waiter);
                    None
                }
            }
        };
        match refused {
            Some((waiter, loss)) => waiter.lose(&loss),
            None => self.outgoing.notify_one(),
        }
    }

    /// Asks for blocks of an open file.
    pub(super) fn read(&self, handle: &[u8], blocks: &[(u64, u32)], inbox: &Arc<Inbox>) {
        let lost = {
            let mut state = self.state();
            if state.lost.is_none() {
                let State {
                    machine,
                    output,
                    waiting,
                    ..
                } = &mut *state;
                for (offset, length) in blocks {
                    let request = Request::Read {
                        handle,
                        offset: *offset,
                        length: *length,
                    };
                    let id = machine.request(&request, output);
                    let waiter = Waiter::Read {
                        inbox: Arc::clone(inbox),
                        offset: *offset,
                        length: *length,
                    };
                    waiting.insert(id, waiter);
                }
            }
            state.lost.clone()
        };
        match lost {
            Some(loss) => inbox.lose(loss),
            None => self.outgoing.notify_one(),
        }
    }

    /// Writes the heads of WRITE requests for consecutive blocks into `heads`; each has the same
    /// length, which is given. Their data are to be put behind them and sent with [`Self::send`].
    pub(super) fn write_heads(
        &self,
        handle: &[u8],
        blocks: impl Iterator<Item = (u64, u32)>,
        acks: &Arc<Acks>,
        heads: &mut Vec<u8>,
    ) -> Result<usize, Loss> {
        let mut state = self.state();
        if let Some(loss) = &state.lost {
            return Err(loss.clone());
        }
        heads.clear();
        let mut count = 0_usize;
        for (offset, length) in blocks {
            let id = state.machine.write_header(handle, offset, length, heads);
            let waiter = Waiter::Write {
                acks: Arc::clone(acks),
                length,
            };
            state.waiting.insert(id, waiter);
            count += 1;
        }
        Ok(heads.len().checked_div(count).unwrap_or(0))
    }

    /// Sends encoded requests behind what was asked before.
    pub(super) fn send(&self, octets: Bytes) {
        {
            let mut state = self.state();
            if !state.output.is_empty() {
                let before = std::mem::take(&mut state.output);
                state.queue.push_back(before.into());
            }
            state.queue.push_back(octets);
        }
        self.outgoing.notify_one();
    }

    /// What is to be sent next.
    pub(super) fn next(&self) -> Next {
        let mut state = self.state();
        if let Some(octets) = state.queue.pop_front() {
            return Next::Send(octets);
        }
        if !state.output.is_empty() {
            return Next::Send(std::mem::take(&mut state.output).into());
        }
        if state.lost.is_some() {
            return Next::End;
        }
        Next::Wait
    }

    /// Takes what came from the server.
    pub(super) fn accept(&self, mut input: &[u8]) -> Result<(), Loss> {
        let mut state = self.state();
        let State {
            machine,
            output,
            waiting,
            first_words,
            ..
        } = &mut *state;
        let was_ready = machine.extensions().is_some();
        if !was_ready {
            let room = FIRST_WORDS.saturating_sub(first_words.len());
            first_words.extend_from_slice(input.get(..room.min(input.len())).unwrap_or_default());
        }
        let mut orphans = Vec::new();
        loop {
            match machine.next_response(&mut input) {
                Ok(Some((id, response))) => {
                    if let Some(waiter) = waiting.remove(&id)
                        && let Some(handle) = waiter.take(&response)
                    {
                        orphans.push(handle);
                    }
                }
                Ok(None) => break,
                Err(violation) => {
                    return Err(match violation {
                        Violation::Text | Violation::NotVersion(_) => {
                            Loss::Noise(plain(&String::from_utf8_lossy(first_words)))
                        }
                        other => Loss::Violation(other.to_string()),
                    });
                }
            }
        }
        for handle in &orphans {
            let id = machine.request(&Request::Close { handle }, output);
            waiting.insert(id, Waiter::Nobody);
        }
        if !was_ready && machine.extensions().is_some() {
            self.begun.notify_one();
        }
        if !orphans.is_empty() {
            self.outgoing.notify_one();
        }
        Ok(())
    }

    /// The session is over; everybody who waits learns why.
    pub(super) fn lose(&self, loss: Loss) {
        let waiting = {
            let mut state = self.state();
            if state.lost.is_none() {
                state.lost = Some(loss.clone());
            }
            if loss != Loss::Closed {
                state.queue.clear();
                state.output.clear();
            }
            std::mem::take(&mut state.waiting)
        };
        for waiter in waiting.into_values() {
            waiter.lose(&loss);
        }
        self.outgoing.notify_one();
        self.begun.notify_one();
    }
}

impl Waiter {
    /// Hands a reply over; gives a handle that nobody wants any more.
    fn take(self, response: &Response<'_>) -> Option<Vec<u8>> {
        match self {
            Self::Once(sender) => match sender.send(Ok(Reply::of(response))) {
                Err(Ok(Reply::Handle(handle))) => return Some(handle),
                _ => return None,
            },
            Self::Read {
                inbox,
                offset,
                length,
            } => match response {
                Response::Data(data) => inbox.accept(offset, length, data),
                Response::Status { code, .. } if *code == StatusCode::Eof => {
                    inbox.end(offset, length);
                }
                Response::Status { code, message } => {
                    inbox.refuse(Status::new(*code, message));
                }
                _ => inbox.lose(Loss::Violation("READ was not answered with data".into())),
            },
            Self::Write { acks, length } => match response {
                Response::Status { code, .. } if *code == StatusCode::Ok => acks.accept(length),
                Response::Status { code, message } => acks.refuse(Status::new(*code, message)),
                _ => acks.lose(Loss::Violation(
                    "WRITE was not answered with a status".into(),
                )),
            },
            Self::Nobody => {}
        }
        None
    }

    fn lose(self, loss: &Loss) {
        match self {
            Self::Once(sender) => {
                // Who asked may be gone.
                let _ = sender.send(Err(loss.clone()));
            }
            Self::Read { inbox, .. } => inbox.lose(loss.clone()),
            Self::Write { acks, .. } => acks.lose(loss.clone()),
            Self::Nobody => {}
        }
    }
}
