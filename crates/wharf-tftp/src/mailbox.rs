//! What reaches a transaction from the listening socket.
//!
//! With a port of its own a transaction hears here only that its client asked again. In single-port mode
//! every datagram of its client comes this way: the listener copies it into the inbox, the transaction
//! takes the whole inbox at once and leaves an empty one. What has no room is lost, as in a socket's
//! buffer.
//!
//! One task reads, one writes, and nobody holds the lock for longer than a copy takes.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Instant,
};

/// Octets that may wait in one inbox.
const INBOX_OCTETS: usize = 1 << 20;

/// Datagrams that may wait in one inbox.
const INBOX_DATAGRAMS: usize = 1024;

/// Octets that may wait in all inboxes.
const ALL_OCTETS: usize = 64 << 20;

/// Octets of an emptied inbox whose room is kept.
const KEPT_ROOM: usize = 2048;

/// Why a transaction hears of its request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The client sent the same request again.
    Repeated,
    /// Others need its place: it ends if nothing is lost by that.
    GiveWay,
    /// The client asked for something else from the same port: this transaction is forgotten.
    Replaced,
}

const REPEATED: u8 = 1;
const GIVE_WAY: u8 = 2;
const REPLACED: u8 = 4;

/// Datagrams, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    octets: Vec<u8>,
    /// Where each datagram ends.
    ends: Vec<usize>,
    taken: usize,
}

impl Inbox {
    fn push(&mut self, datagram: &[u8]) {
        self.octets.extend_from_slice(datagram);
        self.ends.push(self.octets.len());
    }

    /// Whether all were taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken == self.ends.len()
    }

    /// Takes the next datagram.
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        let end = *self.ends.get(self.taken)?;
        let begin = match self.taken.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.taken += 1;
        self.octets.get(begin..end)
    }

    /// Forgets everything; an idle transaction keeps no big room.
    fn clear(&mut self) {
        self.octets.clear();
        self.octets.shrink_to(KEPT_ROOM);
        self.ends.clear();
        self.taken = 0;
    }
}

#[derive(Debug, Default)]
struct Mail {
    inbox: Inbox,
    waker: Option<Waker>,
}

/// One transaction's mailbox.
#[derive(Debug)]
pub(crate) struct Mailbox {
    /// The request as it came.
    pub(crate) request: Vec<u8>,
    /// Whether the client's datagrams come this way.
    pub(crate) is_shared: bool,
    notes: AtomicU8,
    /// From when on it may end if others need its place: its client does not answer, or has what it wanted.
    spare_from: Mutex<Option<Instant>>,
    mail: Mutex<Mail>,
    /// Octets in all inboxes.
    held: Arc<AtomicUsize>,
}

impl Mailbox {
    /// An empty one; `held` counts what waits in all. `spare_from`: see [`Self::set_spare`].
    pub(crate) fn new(
        request: &[u8],
        is_shared: bool,
        held: &Arc<AtomicUsize>,
        spare_from: Option<Instant>,
    ) -> Self {
        Self {
            request: request.to_vec(),
            is_shared,
            notes: AtomicU8::new(0),
            spare_from: Mutex::new(spare_from),
            mail: Mutex::default(),
            held: Arc::clone(held),
        }
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spare(&self) -> MutexGuard<'_, Option<Instant>> {
        self.spare_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Says from when on the transaction may end if others need its place; `None`: never.
    pub(crate) fn set_spare(&self, from: Option<Instant>) {
        *self.spare() = from;
    }

    /// Asks the transaction to give way if it may at `now`, and tells whether it may. It is asked once for
    /// each time that it becomes so.
    pub(crate) fn ask_to_give_way(&self, now: Instant) -> bool {
        let is_spare = self.spare().take_if(|from| *from <= now).is_some();
        if is_spare {
            self.note(Note::GiveWay);
        }
        is_spare
    }

    /// The listener's side: a datagram of the client.
    pub(crate) fn deliver(&self, datagram: &[u8]) {
        let mut mail = self.mail();
        let waiting = mail.inbox.octets.len();
        if waiting + datagram.len() > INBOX_OCTETS
            || mail.inbox.ends.len() >= INBOX_DATAGRAMS
            || self.held.load(Ordering::Relaxed) + datagram.len() > ALL_OCTETS
        {
            return;
        }
        self.held.fetch_add(datagram.len(), Ordering::Relaxed);
        mail.inbox.push(datagram);
        let waker = mail.waker.take();
        drop(mail);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The listener's side: the client asked again.
    pub(crate) fn note(&self, note: Note) {
        let bit = match note {
            Note::Repeated => REPEATED,
            Note::GiveWay => GIVE_WAY,
            Note::Replaced => REPLACED,
        };
        self.notes.fetch_or(bit, Ordering::Release);
        let waker = self.mail().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether there is a note.
    pub(crate) fn has_note(&self) -> bool {
        self.notes.load(Ordering::Relaxed) != 0
    }

    /// Takes a note, the weightier first.
    pub(crate) fn take_note(&self) -> Option<Note> {
        match self.notes.load(Ordering::Acquire) {
            0 => None,
            notes if notes & REPLACED != 0 => Some(Note::Replaced),
            notes if notes & GIVE_WAY != 0 => {
                self.notes.fetch_and(!GIVE_WAY, Ordering::AcqRel);
                Some(Note::GiveWay)
            }
            _ => {
                self.notes.fetch_and(!REPEATED, Ordering::AcqRel);
                Some(Note::Repeated)
            }
        }
    }

    /// Waits for a note. [`Note::Replaced`] stands for good.
    pub(crate) fn poll_note(&self, context: &Context<'_>) -> Poll<Note> {
        if let Some(note) = self.take_note() {
            return Poll::Ready(note);
        }
        self.watch(&mut self.mail(), context);
        // Set between the look and the lock.
        self.take_note().map_or(Poll::Pending, Poll::Ready)
    }

    /// Waits for a datagram.
    pub(crate) fn poll_mail(&self, context: &Context<'_>) -> Poll<()> {
        let mut mail = self.mail();
        if mail.inbox.ends.is_empty() {
            self.watch(&mut mail, context);
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    fn watch(&self, mail: &mut Mail, context: &Context<'_>) {
        let is_known = mail
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(context.waker()));
        if !is_known {
            mail.waker = Some(context.waker().clone());
        }
    }

    /// Takes all that has come, in exchange for an inbox that was read.
    pub(crate) fn swap(&self, inbox: &mut Inbox) {
        inbox.clear();
        std::mem::swap(&mut self.mail().inbox, inbox);
        self.held.fetch_sub(inbox.octets.len(), Ordering::Relaxed);
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let waiting = self.mail().inbox.octets.len();
        self.held.fetch_sub(waiting, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox() -> (Mailbox, Arc<AtomicUsize>) {
        let held = Arc::default();
        let mailbox = Mailbox::new(b"request", true, &held, None);
        (mailbox, held)
    }

    #[test]
    fn datagrams_come_whole_and_in_order() {
        let (mailbox, held) = mailbox();
        for datagram in [b"one".as_slice(), b"", b"three"] {
            mailbox.deliver(datagram);
        }
        assert_eq!(held.load(Ordering::Relaxed), 8);
        let mut inbox = Inbox::default();
        mailbox.swap(&mut inbox);
        assert_eq!(held.load(Ordering::Relaxed), 0);
        assert_eq!(inbox.next(), Some(b"one".as_slice()));
        assert_eq!(inbox.next(), Some(b"".as_slice()));
        assert_eq!(inbox.next(), Some(b"three".as_slice()));
        assert!(inbox.is_empty());
        assert_eq!(inbox.next(), None);
        mailbox.deliver(b"four");
        mailbox.swap(&mut inbox);
        assert_eq!(inbox.next(), Some(b"four".as_slice()));
    }

    #[test]
    fn an_inbox_that_nobody_reads_is_bounded_and_leaves_nothing_behind() {
        let (mailbox, held) = mailbox();
        for _ in 0..100 {
            mailbox.deliver(&[0; 65_000]);
        }
        assert!(held.load(Ordering::Relaxed) <= INBOX_OCTETS);
        for _ in 0..10 * INBOX_DATAGRAMS {
            mailbox.deliver(&[0; 1]);
        }
        assert!(mailbox.mail().inbox.ends.len() <= INBOX_DATAGRAMS);
        drop(mailbox);
        assert_eq!(held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_replaced_transaction_stays_replaced() {
        let (mailbox, _) = mailbox();
        assert_eq!(mailbox.take_note(), None);
        mailbox.note(Note::Repeated);
        assert_eq!(mailbox.take_note(), Some(Note::Repeated));
        assert_eq!(mailbox.take_note(), None);
        mailbox.note(Note::Repeated);
        mailbox.note(Note::Replaced);
        assert_eq!(mailbox.take_note(), Some(Note::Replaced));
        assert_eq!(mailbox.take_note(), Some(Note::Replaced));
    }
}
