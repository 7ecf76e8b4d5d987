//! SFTP sessions: the requests of one channel, done on the session's view.
//!
//! The life of a request: the machine in `wharf-proto` takes it off the input, the [`desk`] answers
//! it at once or gives a job. A job is polled once where it stands; only one that must wait becomes a
//! task, and the machine keeps back what may not overtake it. Replies gather in one buffer, which goes
//! out when it is full or nothing is left to do. No request is taken while the peer has no room for
//! replies or too many octets wait (SFT-09); what came meanwhile is held, and above a limit nothing
//! more is read from the connection while work is under way.
//!
//! The channel's state is behind one lock, which is never held across an await.

mod attributes;
mod buffers;
mod context;
mod copy;
mod desk;
mod directory;
mod file;
mod handles;
mod hash;
mod outcome;
mod space;
#[cfg(test)]
mod tests;
mod tree;
mod uploads;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as Polling, Poll, Waker},
};

use tokio::sync::Notify;
pub(crate) use wharf_proto::sftp::server::Violation;
use wharf_proto::sftp::{
    RequestId, SymlinkOrder,
    extension::{Set, Vendor},
    server::{self, Server},
};

use self::{
    buffers::{Buffers, GATHERED},
    context::Work,
    desk::{Desk, Finishing, Job, Kind},
    file::Entry,
    handles::Handles,
    outcome::Outcome,
};
pub(crate) use self::{context::Context, hash::limit as hash_limit, uploads::Uploads};
use crate::{
    channel::{LateOutbox, Outbox},
    settings::{self, SftpSettings},
    stream::Hold,
};

/// Octets of replies, and of data on its way, that may wait on one channel (SFT-09).
const MAX_WAITING: usize = 4 << 20;

/// Replies of fewer octets in all wait for the next ones when those are at hand: they share a packet
/// then, and its cost at both ends.
const SHORT: usize = 24 * 1024;

/// Octets of input that are held before the connection is held back. Far below what the machine
/// holds, so that what was read already has room.
const MAX_INPUT: usize = 1 << 20;

/// An SFTP session on one channel; a clone is the same.
#[derive(Clone)]
pub(crate) struct Sftp(Arc<Inner>);

struct Inner {
    work: Arc<Work>,
    late: LateOutbox,
    buffers: Arc<Buffers>,
    state: Mutex<State>,
    /// Told when the last task is over.
    rested: Notify,
}

/// What changes from request to request.
struct State {
    machine: Server,
    handles: Handles<Entry>,
    /// Replies that gather. While the lock is free: short ones that wait for more, as
    /// [`Outbox::may_wait`] allows.
    output: Vec<u8>,
    /// Octets that waiting jobs keep in memory.
    waiting: usize,
    /// Waiting jobs that may take a handle.
    opening: usize,
    /// Tasks.
    tasks: usize,
    /// Whether one of them waits for room for late replies.
    is_pumping: bool,
    /// Whether one of them will take up what is held, and has not begun.
    is_handed_over: bool,
    /// Keeps the connection back.
    brake: Option<Hold>,
    /// Why the channel must be closed, when a task found out.
    violation: Option<Violation>,
}

/// Why requests are no longer taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Enough replies have gathered: send them and go on.
    Full,
    /// There are more, but no room for their replies.
    NoRoom,
    /// There is nothing to be taken up now.
    Idle,
}

/// A task of a job that waits.
struct Waiting {
    id: RequestId,
    work: Finishing,
    octets: usize,
    kind: Kind,
}

impl Sftp {
    /// A session before INIT.
    pub(crate) fn new(context: Context) -> Self {
        let settings = machine_settings(&context.settings);
        let max_handles = context.settings.max_handles;
        let (work, late) = Work::new(context);
        Self(Arc::new(Inner {
            work: Arc::new(work),
            late,
            buffers: Arc::default(),
            state: Mutex::new(State {
                machine: Server::new(settings),
                handles: Handles::new(max_handles),
                output: Vec::new(),
                waiting: 0,
                opening: 0,
                tasks: 0,
                is_pumping: false,
                is_handed_over: false,
                brake: None,
                violation: None,
            }),
            rested: Notify::new(),
        }))
    }

    /// Takes octets that came, and does what they ask for as far as it can be done now.
    ///
    /// # Errors
    /// [`Violation`]: the channel must be closed.
    pub(crate) fn handle_input(
        &self,
        mut input: &[u8],
        outbox: &mut dyn Outbox,
    ) -> Result<(), Violation> {
        let inner = &self.0;
        let state = &mut *inner.state();
        if let Some(violation) = state.violation {
            return Err(violation);
        }
        if inner.buffers.has_late() {
            // What was sent late is on its way by the session's queue. Nothing overtakes it there, or
            // answers to WRITEs of one file would come out of their order.
            state.machine.hold(&mut input)?;
            if state.machine.held() > 0 && !state.is_pumping && !state.is_handed_over {
                state.is_handed_over = true;
                inner.spawn(state, None);
            }
            inner.keep_back(state);
            return Ok(());
        }
        let mut sent = 0;
        loop {
            // Whatever the window: the transport writes nothing before this call is over.
            let room = outbox.room().min(MAX_WAITING.saturating_sub(sent));
            let stop = inner.take_up(state, &mut input, room)?;
            if stop == Stop::Idle && (1..SHORT).contains(&state.output.len()) && outbox.may_wait() {
                break;
            }
            if let Some(replies) = inner.replies(state) {
                sent += replies.len();
                if outbox.send(inner.buffers.lend(replies)).is_err() {
                    // The end of the channel is told by other ways.
                    break;
                }
            }
            match stop {
                Stop::Full => {}
                Stop::NoRoom => {
                    // Else nobody would call again: of what was sent late the transport does not
                    // tell when it is on its way.
                    let is_left = sent >= MAX_WAITING || inner.buffers.has_late();
                    if is_left && !state.is_pumping {
                        state.is_pumping = true;
                        inner.spawn(state, None);
                    }
                    break;
                }
                Stop::Idle => break,
            }
        }
        inner.keep_back(state);
        Ok(())
    }

    /// The peer has made room for replies.
    ///
    /// # Errors
    /// [`Violation`]: the channel must be closed.
    pub(crate) fn handle_room(&self, outbox: &mut dyn Outbox) -> Result<(), Violation> {
        self.handle_input(&[], outbox)
    }

    /// Goes on with what waits, from outside of the transport's task: by the late way, where it is
    /// counted and nothing overtakes it.
    pub(crate) async fn go_on(&self) {
        let task = {
            let mut state = self.0.state();
            if self.0.work.is_ending() || state.is_pumping || state.is_handed_over {
                return;
            }
            state.tasks += 1;
            Task(Arc::clone(&self.0))
        };
        task.0.pump(None).await;
    }

    /// Ends the session: long work is cut short, all other work is waited for, and every open file is
    /// given up. A staged upload that was not closed does not become visible, but may be kept for a
    /// restart where the account's policy says so.
    pub(crate) async fn end(&self) {
        let inner = &self.0;
        inner.work.end();
        loop {
            // Made before the look, so that the last one is heard.
            let rested = inner.rested.notified();
            if inner.state().tasks == 0 {
                break;
            }
            rested.await;
        }
        let open = {
            let mut state = inner.state();
            state.brake = None;
            state.handles.drain()
        };
        for entry in open {
            if let Entry::File(file) = entry {
                file.give_up(&inner.work).await;
            }
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up requests while the peer has room for replies.
    fn take_up(
        self: &Arc<Self>,
        state: &mut State,
        input: &mut &[u8],
        room: usize,
    ) -> Result<Stop, Violation> {
        if state.output.capacity() == 0 {
            state.output = self.buffers.borrow();
        }
        loop {
            if state.output.len() >= GATHERED {
                return Ok(Stop::Full);
            }
            let waiting = state.output.len() + state.waiting;
            if state.output.len() >= room || waiting >= MAX_WAITING {
                state.machine.hold(input)?;
                let is_idle = state.machine.held() == 0;
                return Ok(if is_idle { Stop::Idle } else { Stop::NoRoom });
            }
            let next = state.machine.next_request(input, &mut state.output)?;
            let Some((id, request)) = next else {
                return Ok(Stop::Idle);
            };
            let mut desk = Desk {
                work: &self.work,
                handles: &mut state.handles,
                opening: state.opening,
                output: &mut state.output,
            };
            if let Some(job) = desk.take_up(id, &request) {
                self.begin(state, id, job);
            }
        }
    }

    /// The replies that have gathered, if there are any.
    fn replies(&self, state: &mut State) -> Option<Vec<u8>> {
        self.buffers.set_busy(state.handles.len() > 0);
        let replies = std::mem::take(&mut state.output);
        if replies.is_empty() {
            self.buffers.give_back(replies);
            return None;
        }
        Some(replies)
    }

    /// Does a job, or lets it wait beside the others.
    fn begin(self: &Arc<Self>, state: &mut State, id: RequestId, job: Job) {
        let Job {
            mut work,
            octets,
            kind,
        } = job;
        let mut polling = Polling::from_waker(Waker::noop());
        match work.as_mut().poll(&mut polling) {
            Poll::Ready(finished) => self.answer(state, id, finished),
            Poll::Pending => {
                state.machine.defer(id);
                state.waiting += octets;
                state.opening += usize::from(kind == Kind::Opening);
                let waiting = Waiting {
                    id,
                    work,
                    octets,
                    kind,
                };
                self.spawn(state, Some(waiting));
            }
        }
    }

    fn answer(&self, state: &mut State, id: RequestId, finished: context::Result<Outcome>) {
        if let Some((handle, file)) = self.desk(state).answer(id, finished) {
            state.machine.is_file(&handle.octets(), file);
        }
    }

    fn desk<'a>(&'a self, state: &'a mut State) -> Desk<'a> {
        Desk {
            work: &self.work,
            handles: &mut state.handles,
            opening: state.opening,
            output: &mut state.output,
        }
    }

    fn spawn(self: &Arc<Self>, state: &mut State, waiting: Option<Waiting>) {
        state.tasks += 1;
        let task = Task(Arc::clone(self));
        tokio::spawn(async move { task.0.pump(waiting).await });
    }

    /// Waits for a job, if there is one, answers it, and goes on with what could not be taken up
    /// before.
    async fn pump(self: &Arc<Self>, waiting: Option<Waiting>) {
        let mut finished = match waiting {
            Some(Waiting {
                id,
                work,
                octets,
                kind,
            }) => Some((id, work.await, octets, kind)),
            None => {
                let state = &mut *self.state();
                state.is_pumping = false;
                state.is_handed_over = false;
                None
            }
        };
        loop {
            let (replies, stop) = {
                let state = &mut *self.state();
                if let Some((id, finished, octets, kind)) = finished.take() {
                    state.waiting -= octets;
                    state.opening -= usize::from(kind == Kind::Opening);
                    self.answer(state, id, finished);
                    state.machine.settle(id);
                }
                let (replies, stop) = self.go_on(state);
                // Counted before the lock is free: whoever has it next sees that they are on their way.
                (replies.map(|replies| self.buffers.lend_late(replies)), stop)
            };
            if let Some(replies) = replies {
                let sent = self.late.send(replies).await;
                if sent.is_err() {
                    break;
                }
            }
            match stop {
                Stop::Full => {}
                Stop::NoRoom => {
                    let made = self.work.unless_ending(self.buffers.late_room_made()).await;
                    self.state().is_pumping = false;
                    if made.is_none() {
                        break;
                    }
                }
                Stop::Idle => break,
            }
        }
        if self.state().violation.is_some() {
            self.late.finish(1).await;
        }
    }

    /// Takes up what was held back. [`Stop::NoRoom`] only for the one that is to wait for room.
    fn go_on(self: &Arc<Self>, state: &mut State) -> (Option<Vec<u8>>, Stop) {
        let room = self.buffers.late_room();
        let taken = match state.violation {
            None => self.take_up(state, &mut [].as_slice(), room),
            Some(_) => Ok(Stop::Idle),
        };
        let stop = match taken {
            // What has gathered goes out first.
            Ok(Stop::NoRoom) if !state.output.is_empty() => Stop::Full,
            // Others are under way, and go on when they are done.
            Ok(Stop::NoRoom) if room > 0 || state.is_pumping => Stop::Idle,
            Ok(Stop::NoRoom) => {
                state.is_pumping = true;
                Stop::NoRoom
            }
            Ok(stop) => stop,
            Err(violation) => {
                state.violation = Some(violation);
                Stop::Idle
            }
        };
        self.keep_back(state);
        (self.replies(state), stop)
    }

    /// Keeps the connection back while much input is held and work under way will make room for it.
    fn keep_back(&self, state: &mut State) {
        let is_wanted = state.machine.held() >= MAX_INPUT
            && (state.machine.deferred() > 0 || state.is_handed_over);
        if !is_wanted {
            state.brake = None;
        } else if state.brake.is_none() {
            state.brake = Some(self.late.hold_input());
        }
    }
}

/// One of the channel's tasks; it counts until it is over, however it ends.
struct Task(Arc<Inner>);

impl Drop for Task {
    fn drop(&mut self) {
        let is_last = {
            let mut state = self.0.state();
            state.tasks -= 1;
            state.tasks == 0
        };
        if is_last {
            self.0.rested.notify_waiters();
        }
    }
}

fn machine_settings(settings: &SftpSettings) -> server::Settings {
    server::Settings {
        extensions: Set::ALL,
        vendor: settings.reveal.then_some(Vendor {
            vendor: b"Wharf",
            product: b"Wharf",
            version: env!("CARGO_PKG_VERSION").as_bytes(),
            build: 0,
        }),
        symlink_order: match settings.symlink_order {
            settings::SymlinkOrder::OpenSsh => SymlinkOrder::OpenSsh,
            settings::SymlinkOrder::Draft => SymlinkOrder::Draft,
        },
        ..server::Settings::default()
    }
}
