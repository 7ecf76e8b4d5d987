//! What a transaction waits for: a datagram, its timer, its client's next request, an administrator.
//!
//! Datagrams come a thousand times as often as all the others together. So the others are asked only when
//! one of them says that it has something, or when the task was woken and no datagram was there; and the
//! timer is armed anew only when it has fired, or when the time comes earlier than it was armed for.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::time::Sleep;
use wharf_engine::{Ending, Record};
use wharf_transfer::timer;

use crate::{
    mailbox::{Mailbox, Note},
    wire::Wire,
};

/// How long a timer is armed for where nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// Why a transaction goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// There may be datagrams.
    Readable,
    /// The timer fired; perhaps too early.
    Due,
    /// The client asked again.
    Note(Note),
    /// The session was asked to end.
    Ending(Ending),
}

type Ended = Pin<Box<dyn Future<Output = Ending> + Send>>;

/// Everything that is waited for.
pub(super) struct Watch {
    mailbox: Arc<Mailbox>,
    record: Arc<Record>,
    /// The ending that was told last.
    told: Ending,
    timer: Pin<Box<Sleep>>,
    armed_for: Instant,
    ended: Ended,
    /// Timer, mailbox and record know whom to wake.
    is_registered: bool,
}

impl Watch {
    pub(super) fn new(mailbox: &Arc<Mailbox>, record: &Arc<Record>, now: Instant) -> Self {
        let armed_for = now + IDLE;
        Self {
            mailbox: Arc::clone(mailbox),
            record: Arc::clone(record),
            told: Ending::None,
            timer: Box::pin(timer::sleep_until(armed_for)),
            armed_for,
            ended: ended(record),
            is_registered: false,
        }
    }

    /// Waits. `deadline`: when the machine has something to do without a datagram.
    pub(super) async fn wait(&mut self, wire: &Wire, deadline: Option<Instant>) -> Wake {
        self.aim(deadline);
        let mut readable = pin!(wire.readable());
        let mut is_first = true;
        poll_fn(|context| {
            if readable.as_mut().poll(context).is_ready() {
                return Poll::Ready(Wake::Readable);
            }
            let is_quiet = std::mem::take(&mut is_first)
                && self.is_registered
                && !self.timer.is_elapsed()
                && self.record.ending() == self.told;
            // A shared wire's mailbox knows whom to wake only for as long as nobody was woken.
            if is_quiet && !self.mailbox.is_shared && !self.mailbox.has_note() {
                return Poll::Pending;
            }
            self.is_registered = true;
            if let Poll::Ready(note) = self.mailbox.poll_note(context) {
                // Whom to wake was forgotten when it was woken.
                self.is_registered = false;
                return Poll::Ready(Wake::Note(note));
            }
            if let Poll::Ready(ending) = self.ended.as_mut().poll(context) {
                self.told = ending;
                self.ended = ended(&self.record);
                self.is_registered = false;
                return Poll::Ready(Wake::Ending(ending));
            }
            self.timer.as_mut().poll(context).map(|()| Wake::Due)
        })
        .await
    }

    fn aim(&mut self, deadline: Option<Instant>) {
        let is_spent = self.timer.is_elapsed();
        let wanted = deadline.unwrap_or(self.armed_for + IDLE);
        if is_spent || deadline.is_some_and(|deadline| deadline < self.armed_for) {
            self.armed_for = wanted;
            self.timer.as_mut().reset(wanted.into());
            self.is_registered = false;
        }
    }
}

fn ended(record: &Arc<Record>) -> Ended {
    let record = Arc::clone(record);
    Box::pin(async move { record.ended().await })
}
