//! The end that wants the file: WRQ at the server, RRQ at the client (RFC 1350, RFC 7440).
//!
//! The driver hands in each block's number and length and stores the content when it is told to; blocks
//! are told in order, each once. When the last one is stored, flushed and renamed it calls
//! [`Receiver::settle`]: only then the last ACK goes out (TFT-37).
//!
//! - A block in order is acknowledged when it fills the window or is the last.
//! - A block from further ahead in the window shows a gap: the last block in order is acknowledged, once
//!   for the gap (TFT-34). Blocks behind it are not kept; the sender goes on from there. What it had
//!   sent before it got that ACK shows the same gap for a while and is answered only where nothing else
//!   comes within a round trip, or each of those blocks would call for one more window.
//! - A block that is here already: without windows its ACK goes out again (TFT-32). With windows it is
//!   mostly part of a run that was under way when the window moved; an ACK at once would make the sender
//!   send one window too many, for ever. The wait becomes one round trip instead, and new blocks end the
//!   suspicion that the last ACK was lost.
//! - What does not come is asked for by the last ACK again, after [`Timing`]'s waits; the rest of a
//!   window after the measured round trip.
//!
//! A call of the driver takes constant time, and nothing is allocated but the words of an ERROR.

use std::time::{Duration, Instant};

use super::{
    ErrorCode, Offer, Packet, Terms, Timing, option,
    outcome::{self, Outcome},
    packet::{self, HEADER},
    retransmission::Retransmission,
    sequence,
};

/// How long a receiver stays for a sender that has not got the last ACK, in waits (TFT-37).
const LINGER: u32 = 3;

/// How long a server stays at the least: clients send their last block again after 5 s (tftp-hpa, atftp,
/// tftpy) or 6 s (curl), and the ACK that they get then may be lost, too.
const SERVER_LINGER: Duration = Duration::from_secs(20);

/// What becomes of a block's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is the next one: it belongs at `(block - 1) * block_size` of what is on the wire.
    Store {
        /// Its number, counted from 1.
        block: u64,
        /// It ends the file. [`Receiver::settle`] or [`Receiver::fail`] is due.
        is_last: bool,
    },
    /// It is here already, or blocks before it are missing, or it is over.
    Ignore,
}

/// Where the transaction stands.
#[derive(Debug)]
enum State {
    /// The request is out.
    Asking(Offer),
    /// OACK, or the first ACK 0, is out; block 1 is due.
    Opening,
    /// Blocks come.
    Receiving,
    /// All are here; the driver makes the file of them.
    Storing,
    /// The result stands, and the last ACK is out.
    Lingering,
    /// It has ended.
    Over(Outcome),
}

/// What goes out at the next [`Receiver::poll_transmit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    /// [`Receiver::packet`].
    Packet,
    /// The ACK of what is here.
    Ack,
}

/// Receives a file, block by block.
#[derive(Debug)]
pub struct Receiver {
    state: State,
    due: Due,
    /// Request, OACK or ERROR; empty: the opening is ACK 0.
    packet: Vec<u8>,
    ack: [u8; HEADER],
    terms: Terms,
    /// Blocks of a window, at most [`sequence::WIDEST`].
    window: u16,
    timer: Retransmission,
    /// All up to this block are here.
    received: u64,
    /// All up to this block are acknowledged.
    acknowledged: u64,
    /// Up to this block the sender may have sent before it got the last ACK, so what shows a gap up to
    /// here may show one that it knows of.
    horizon: u64,
    /// The last block that came when the result stood; 0: none.
    late: u64,
    /// The peer has said something.
    peer_has_answered: bool,
    /// This end is the client.
    asked: bool,
}

impl Receiver {
    /// Answers a WRQ: with the OACK, where there is one, else with ACK 0 (TFT-30). `terms` are what the
    /// OACK says.
    pub fn serving(terms: Terms, oack: Option<Vec<u8>>, timing: Timing, now: Instant) -> Self {
        let packet = oack.unwrap_or_default();
        let mut receiver = Self::new(State::Opening, terms, packet, timing, now);
        receiver.due = receiver.opening();
        receiver
    }

    /// Sends an RRQ, encoded in `request`, until it is answered; `asked`: the options in it.
    pub fn asking(request: Vec<u8>, asked: Offer, timing: Timing, now: Instant) -> Self {
        let mut receiver = Self::new(State::Asking(asked), Terms::default(), request, timing, now);
        receiver.due = Due::Packet;
        receiver.asked = true;
        receiver
    }

    fn new(state: State, terms: Terms, packet: Vec<u8>, timing: Timing, now: Instant) -> Self {
        Self {
            state,
            due: Due::Nothing,
            packet,
            ack: packet::ack(0),
            terms,
            window: terms.window.clamp(1, sequence::WIDEST),
            timer: Retransmission::new(timing, terms.interval, now),
            received: 0,
            acknowledged: 0,
            horizon: 0,
            late: 0,
            peer_has_answered: false,
            asked: false,
        }
    }

    /// What begins the transaction.
    const fn opening(&self) -> Due {
        if self.packet.is_empty() {
            Due::Ack
        } else {
            Due::Packet
        }
    }

    /// Takes a block: its number as it came, and the octets of its content.
    pub fn handle_data(&mut self, number: u16, length: usize, now: Instant) -> Arrival {
        match self.state {
            State::Over(_) | State::Storing => return Arrival::Ignore,
            State::Lingering => {
                self.handle_late(number, now);
                return Arrival::Ignore;
            }
            State::Asking(_) | State::Opening | State::Receiving => {}
        }
        let Some(ahead) = sequence::distance(self.terms.rollover, self.received, number) else {
            return Arrival::Ignore;
        };
        if ahead != 1 {
            self.handle_stray(ahead, number, now);
            return Arrival::Ignore;
        }
        if length > usize::from(self.terms.block_size) {
            self.fail(ErrorCode::IllegalOperation, "block larger than agreed on");
            return Arrival::Ignore;
        }
        if self.received == self.acknowledged {
            // The answer to the last ACK, or to the opening.
            self.timer.answered(now);
            self.peer_has_answered = true;
            self.state = State::Receiving;
            self.packet.clear();
        }
        self.received += 1;
        let is_last = length < usize::from(self.terms.block_size);
        if is_last {
            self.state = State::Storing;
            self.due = Due::Nothing;
            self.timer.stop();
        } else {
            self.timer.begin_anew();
            if self.received - self.acknowledged >= u64::from(self.window) {
                self.acknowledge(now);
                self.timer.measure_from(now);
            } else {
                self.timer.wait_for(self.timer.lull(), now);
            }
        }
        Arrival::Store {
            block: self.received,
            is_last,
        }
    }

    /// A block that is not the next one.
    fn handle_stray(&mut self, ahead: u16, number: u16, now: Instant) {
        if matches!(self.state, State::Asking(_)) {
            return;
        }
        if (2..=self.window).contains(&ahead) {
            self.peer_has_answered = true;
            self.state = State::Receiving;
            self.packet.clear();
            if self.received + u64::from(ahead) > self.horizon {
                self.acknowledge(now);
                // The next block comes because of this ACK, unless it was merely overtaken: too short a
                // measure costs less than none where hardly a window arrives whole.
                self.timer.measure_from(now);
            } else {
                self.timer.hasten(now);
            }
        } else if self.earlier(number).is_some() {
            if self.window == 1 {
                self.due = Due::Ack;
                self.timer.do_not_measure();
            } else if self.received == self.acknowledged {
                self.timer.hasten(now);
            }
        }
    }

    /// A block when the result stands: the sender has not got the last ACK. A window that comes again
    /// is answered once. Lingering begins anew as often as something is tried.
    fn handle_late(&mut self, number: u16, now: Instant) {
        let Some(block) = self.earlier(number) else {
            return;
        };
        if self.late == 0 || block <= self.late {
            self.due = Due::Ack;
            if self.timer.repeat() {
                self.linger(now);
            }
        }
        self.late = block;
    }

    fn linger(&mut self, now: Instant) {
        // A client has the server's measure; a server does not know how long the client waits.
        let linger = if self.asked {
            self.timer.wait().saturating_mul(LINGER)
        } else {
            let linger = self.timer.patient_wait().saturating_mul(LINGER);
            linger.max(SERVER_LINGER)
        };
        self.timer.wait_for(linger, now);
    }

    /// The block of the window before what is due that has this number.
    const fn earlier(&self, number: u16) -> Option<u64> {
        sequence::backwards(self.terms.rollover, self.received, number, self.window)
    }

    /// The ACK of all that is here goes out; the sender has to say something now.
    fn acknowledge(&mut self, now: Instant) {
        self.note_acknowledged();
        self.due = Due::Ack;
        self.timer.wait_for(self.wait(), now);
    }

    fn note_acknowledged(&mut self) {
        self.horizon = self.acknowledged + u64::from(self.window);
        self.acknowledged = self.received;
    }

    /// How long what was acknowledged may stay without an answer.
    fn wait(&self) -> Duration {
        let wait = if self.window > 1 {
            self.timer.wait()
        } else {
            self.timer.patient_wait()
        };
        if self.terms.interval.is_some() && self.peer_has_answered {
            // It is the sender's time as well, and the sender's turn: atftp takes an ACK that comes at the
            // very moment when it sends again for another one.
            wait + wait / 4
        } else {
            wait
        }
    }

    /// Takes everything else that the peer says; a request or an ACK is not meant for a receiver and is
    /// ignored.
    pub fn handle_packet(&mut self, packet: &Packet<'_>, now: Instant) {
        match (packet, &self.state) {
            // The file is here whatever the peer says.
            (Packet::Error { .. }, State::Lingering) => self.end(Outcome::Complete),
            (Packet::Error { .. }, State::Over(_)) => {}
            (Packet::Error { code, text }, _) => self.end(Outcome::refused(*code, text, false)),
            (Packet::Oack(options), State::Asking(asked)) => {
                self.peer_has_answered = true;
                match option::accept(asked, options) {
                    Ok(terms) => {
                        self.terms = terms;
                        self.window = terms.window.clamp(1, sequence::WIDEST);
                        self.state = State::Opening;
                        self.packet.clear();
                        self.timer.answered(now);
                        self.timer.agree(terms.interval);
                        self.timer.begin_anew();
                        self.timer.measure_from(now);
                        self.acknowledge(now);
                    }
                    Err(violation) => {
                        let words = violation.to_string();
                        outcome::farewell(&mut self.packet, ErrorCode::OptionRefused, &words);
                        self.end(Outcome::Violation(violation));
                        self.due = Due::Packet;
                    }
                }
            }
            // ACK 0 was lost.
            (Packet::Oack(_), State::Opening) if self.asked => {
                self.due = Due::Ack;
                self.timer.do_not_measure();
            }
            _ => {}
        }
    }

    /// The file is stored whole, flushed and renamed: the last ACK goes out. Does nothing before the
    /// last block is here.
    pub fn settle(&mut self, now: Instant) {
        if !matches!(self.state, State::Storing) {
            return;
        }
        self.state = State::Lingering;
        self.due = Due::Ack;
        self.timer.begin_anew();
        self.linger(now);
    }

    /// Does what is due; before [`Self::poll_timeout`] has passed that is nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !self.timer.is_due(now) {
            return;
        }
        let (wait, due) = match self.state {
            State::Lingering => {
                self.end(Outcome::Complete);
                return;
            }
            State::Asking(_) | State::Opening => (self.wait(), self.opening()),
            State::Receiving if self.received > self.acknowledged => (self.timer.lull(), Due::Ack),
            State::Receiving => (self.wait(), Due::Ack),
            State::Storing | State::Over(_) => return,
        };
        if self.timer.try_again(wait, self.peer_has_answered) {
            if self.received > self.acknowledged {
                // These blocks were not acknowledged before: what the ACK brings is measured.
                self.timer.measure_from(now);
            }
            self.note_acknowledged();
            self.due = due;
            self.timer.wait_for(self.wait(), now);
            return;
        }
        self.end(Outcome::TimedOut {
            answered: self.peer_has_answered,
        });
        // An address that has never answered gets no packet more (TFT-09).
        if self.peer_has_answered {
            outcome::farewell(&mut self.packet, ErrorCode::NotDefined, outcome::TIMEOUT);
            self.due = Due::Packet;
        }
    }

    /// The same request came again: what answered it goes out once more, as long as no block has come
    /// and it did not go out as often as permitted (TFT-07, TFT-09).
    pub fn repeat_opening(&mut self, now: Instant) {
        let is_open = matches!(self.state, State::Opening) && !self.asked;
        if is_open && self.due == Due::Nothing && self.timer.repeat() {
            self.timer.wait_for(self.wait(), now);
            self.due = self.opening();
        }
    }

    /// This end gives up: one ERROR goes out, then it is over. The text is for the peer. Does nothing
    /// once the result stands.
    pub fn fail(&mut self, code: ErrorCode, text: &str) {
        let peer_is_known = match self.state {
            State::Over(_) | State::Lingering => return,
            // The request went to the well-known port; who would answer is not known yet.
            State::Asking(_) => false,
            State::Opening | State::Receiving | State::Storing => true,
        };
        self.end(Outcome::Failed { code });
        if peer_is_known {
            outcome::farewell(&mut self.packet, code, text);
            self.due = Due::Packet;
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.state = State::Over(outcome);
        self.due = Due::Nothing;
        self.timer.stop();
    }

    /// What goes out now; to be asked after every other call until it says `None`.
    pub fn poll_transmit(&mut self) -> Option<&[u8]> {
        match std::mem::replace(&mut self.due, Due::Nothing) {
            Due::Nothing => None,
            Due::Packet => Some(&self.packet),
            Due::Ack => {
                self.ack = packet::ack(self.terms.rollover.wire(self.received));
                Some(&self.ack)
            }
        }
    }

    /// When [`Self::handle_timeout`] is due; `None`: it is over, or the driver is storing.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.timer.deadline()
    }

    /// How it ended; what [`Self::poll_transmit`] still gives is to be sent all the same. A receiver
    /// that has settled is over only when it has lingered.
    pub const fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            State::Over(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// The file is here and [`Self::settle`] was called: the result stands whatever comes, and what is
    /// left to do is to answer a sender that has not got the last ACK.
    pub const fn is_settled(&self) -> bool {
        matches!(
            self.state,
            State::Lingering | State::Over(Outcome::Complete)
        )
    }

    /// Blocks that are here, in order.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// What holds; `None` as long as the server has not answered the request.
    pub const fn terms(&self) -> Option<&Terms> {
        match self.state {
            State::Asking(_) => None,
            _ => Some(&self.terms),
        }
    }

    /// Whether the peer has ever said anything.
    pub const fn peer_has_answered(&self) -> bool {
        self.peer_has_answered
    }
}

#[cfg(test)]
mod tests;
