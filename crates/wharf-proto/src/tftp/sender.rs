//! The end that has the file: RRQ at the server, WRQ at the client (RFC 1350, RFC 7440).
//!
//! The machine says which blocks go out; the driver cuts them out of the file, puts
//! [`packet::data_header`](super::packet::data_header) of `terms.rollover.wire(block)` in front, and
//! tells the last block's number as soon as it knows it ([`Sender::set_last`]).
//!
//! - Each ACK inside of what was sent moves the window on: the next one begins behind it and is full,
//!   even where blocks of it are still under way (RFC 7440 section 4). An ACK of anything else is
//!   ignored, above all one of an earlier window (TFT-34).
//! - An ACK that comes again never sends a block again (TFT-32, the Sorcerer's Apprentice). With windows
//!   it may be a receiver's word that the first block is missing: then the wait becomes one round trip,
//!   in which the ACK of a window that did arrive is here and ends the suspicion.
//! - What is waited for is sent again after [`Timing`]'s waits, as a whole window.
//!
//! A call of the driver takes constant time, and nothing is allocated but the words of an ERROR.

use std::time::Instant;

use super::{
    ErrorCode, Offer, Packet, Terms, Timing, option,
    outcome::{self, Outcome},
    retransmission::Retransmission,
    sequence,
};

/// What goes out next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmit<'a> {
    /// This datagram.
    Packet(&'a [u8]),
    /// These blocks of the file, fewer where the file turns out to end before. What of an earlier run
    /// has not gone out yet is not wanted any more.
    Blocks {
        /// The first, counted from 1.
        first: u64,
        /// How many, at least 1.
        count: u16,
    },
}

/// Where the transaction stands.
#[derive(Debug)]
enum State {
    /// The request is out.
    Asking(Offer),
    /// OACK is out; ACK 0 is due.
    Offering,
    /// Blocks are out.
    Sending,
    /// It has ended.
    Over(Outcome),
}

/// What goes out at the next [`Sender::poll_transmit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    /// [`Sender::packet`].
    Packet,
    /// The window.
    Blocks,
}

/// Sends a file, block by block.
#[derive(Debug)]
pub struct Sender {
    state: State,
    due: Due,
    /// Request, OACK or ERROR.
    packet: Vec<u8>,
    terms: Terms,
    /// Blocks of a window, at most [`sequence::WIDEST`].
    window: u16,
    timer: Retransmission,
    /// The last block, where it is known.
    last: Option<u64>,
    /// All up to this block have arrived.
    acknowledged: u64,
    /// The highest block that was ever asked of the driver.
    highest: u64,
    /// The peer has said something.
    peer_has_answered: bool,
    /// OACK told the size: an early ERROR may be no failure (TFT-38).
    size_was_told: bool,
}

impl Sender {
    /// Answers an RRQ: with the OACK, where there is one, else with block 1 (TFT-30). `terms` are what
    /// the OACK says.
    pub fn serving(terms: Terms, oack: Option<Vec<u8>>, timing: Timing, now: Instant) -> Self {
        let (state, due) = match oack {
            Some(_) => (State::Offering, Due::Packet),
            None => (State::Sending, Due::Blocks),
        };
        let size_was_told = oack.is_some() && terms.size.is_some();
        // Without an OACK nothing was agreed on, and one packet answers an unproven address (TFT-09).
        let window = if oack.is_some() { terms.window } else { 1 };
        let mut sender = Self::new(state, terms, oack.unwrap_or_default(), timing, now);
        sender.due = due;
        sender.window = window.clamp(1, sequence::WIDEST);
        sender.size_was_told = size_was_told;
        sender
    }

    /// Sends a WRQ, encoded in `request`, until it is answered; `asked`: the options in it.
    pub fn asking(request: Vec<u8>, asked: Offer, timing: Timing, now: Instant) -> Self {
        let mut sender = Self::new(State::Asking(asked), Terms::default(), request, timing, now);
        sender.due = Due::Packet;
        sender
    }

    fn new(state: State, terms: Terms, packet: Vec<u8>, timing: Timing, now: Instant) -> Self {
        Self {
            state,
            due: Due::Nothing,
            packet,
            terms,
            window: 1,
            timer: Retransmission::new(timing, terms.interval, now),
            last: None,
            acknowledged: 0,
            highest: 0,
            peer_has_answered: false,
            size_was_told: false,
        }
    }

    /// Tells the number of the last block, counted from 1: the one that is shorter than the others,
    /// maybe empty (TFT-31). It may come late, when the driver finds the end while it reads for
    /// [`Transmit::Blocks`]; nothing behind it is asked for or counted as sent.
    pub fn set_last(&mut self, block: u64) {
        let last = block.max(1);
        self.last = Some(last);
        self.highest = self.highest.min(last);
        if matches!(self.state, State::Sending) && self.acknowledged >= last {
            self.end(Outcome::Complete);
        }
    }

    /// Takes what the peer says; a request or a block is not meant for a sender and is ignored.
    pub fn handle_packet(&mut self, packet: &Packet<'_>, now: Instant) {
        match (packet, &self.state) {
            (_, State::Over(_)) | (Packet::Request(_) | Packet::Data { .. }, _) => {}
            (Packet::Error { code, text }, _) => {
                let size_was_told = self.size_was_told && self.acknowledged == 0;
                self.end(Outcome::refused(*code, text, size_was_told));
            }
            (Packet::Oack(options), State::Asking(asked)) => {
                self.peer_has_answered = true;
                match option::accept(asked, options) {
                    Ok(terms) => self.begin(terms, now),
                    Err(violation) => {
                        let words = violation.to_string();
                        outcome::farewell(&mut self.packet, ErrorCode::OptionRefused, &words);
                        self.end(Outcome::Violation(violation));
                        self.due = Due::Packet;
                    }
                }
            }
            // An OACK that comes again: its answer, block 1, is under way or is sent again in time.
            (Packet::Oack(_), _) => {}
            (Packet::Ack { block: 0 }, State::Asking(_)) => self.begin(Terms::default(), now),
            (Packet::Ack { block: 0 }, State::Offering) => self.begin(self.terms, now),
            (Packet::Ack { .. }, State::Asking(_) | State::Offering) => {}
            (Packet::Ack { block }, State::Sending) => self.handle_ack(*block, now),
        }
    }

    /// The peer agrees: block 1 goes out.
    fn begin(&mut self, terms: Terms, now: Instant) {
        self.peer_has_answered = true;
        self.terms = terms;
        self.window = terms.window.clamp(1, sequence::WIDEST);
        self.state = State::Sending;
        self.timer.answered(now);
        self.timer.agree(terms.interval);
        self.send_window(now);
    }

    fn handle_ack(&mut self, number: u16, now: Instant) {
        let Some(ahead) = sequence::distance(self.terms.rollover, self.acknowledged, number) else {
            return;
        };
        let block = self.acknowledged + u64::from(ahead);
        if block > self.highest {
            return;
        }
        if ahead == 0 {
            if self.window > 1 {
                self.timer.hasten(now);
            }
            return;
        }
        self.peer_has_answered = true;
        self.acknowledged = block;
        self.timer.answered(now);
        if self.last.is_some_and(|last| block >= last) {
            self.end(Outcome::Complete);
        } else {
            self.send_window(now);
        }
    }

    /// A window goes out behind what is acknowledged. What moves on from here is measured, though blocks of
    /// it may have been out before: the receiver lacked the first of them. (An ACK that was under way makes
    /// the measure too short, which costs less than none where hardly a window arrives whole.)
    fn send_window(&mut self, now: Instant) {
        self.timer.begin_anew();
        self.timer.measure_from(now);
        self.timer.wait_for(self.timer.wait(), now);
        self.due = Due::Blocks;
    }

    /// What [`Self::poll_transmit`] gave has gone out only now, because a throttle or a slow disk held
    /// it up: the wait for its ACK begins here. Needs no call where nothing was held up.
    pub fn transmitted(&mut self, now: Instant) {
        if !matches!(self.state, State::Over(_)) {
            self.timer.delay_measure(now);
            self.timer.wait_for(self.timer.wait(), now);
        }
    }

    /// Does what is due; before [`Self::poll_timeout`] has passed that is nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !self.timer.is_due(now) {
            return;
        }
        if self
            .timer
            .try_again(self.timer.wait(), self.peer_has_answered)
        {
            self.timer.wait_for(self.timer.wait(), now);
            self.due = match self.state {
                State::Sending => Due::Blocks,
                _ => Due::Packet,
            };
            return;
        }
        let all_is_out = self.last.is_some_and(|last| self.highest >= last);
        self.end(if all_is_out && self.peer_has_answered {
            Outcome::Unconfirmed
        } else {
            Outcome::TimedOut {
                answered: self.peer_has_answered,
            }
        });
        // An address that has never answered gets no packet more (TFT-09).
        if self.peer_has_answered {
            outcome::farewell(&mut self.packet, ErrorCode::NotDefined, outcome::TIMEOUT);
            self.due = Due::Packet;
        }
    }

    /// The same request came again: what answered it goes out once more, as long as the peer has said
    /// nothing else and it did not go out as often as permitted (TFT-07, TFT-09).
    pub fn repeat_opening(&mut self, now: Instant) {
        if self.peer_has_answered || self.due != Due::Nothing {
            return;
        }
        let due = match self.state {
            State::Offering => Due::Packet,
            State::Sending => Due::Blocks,
            State::Asking(_) | State::Over(_) => return,
        };
        if self.timer.repeat() {
            self.timer.wait_for(self.timer.wait(), now);
            self.due = due;
        }
    }

    /// This end gives up: one ERROR goes out, then it is over. The text is for the peer.
    pub fn fail(&mut self, code: ErrorCode, text: &str) {
        let peer_is_known = match self.state {
            State::Over(_) => return,
            // The request went to the well-known port; who would answer is not known yet.
            State::Asking(_) => false,
            State::Offering | State::Sending => true,
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
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        match std::mem::replace(&mut self.due, Due::Nothing) {
            Due::Nothing => None,
            Due::Packet => Some(Transmit::Packet(&self.packet)),
            Due::Blocks => {
                let last = self.last.unwrap_or(u64::MAX);
                let left = last.saturating_sub(self.acknowledged);
                let count = u16::try_from(left).map_or(self.window, |left| left.min(self.window));
                self.highest = self.highest.max(self.acknowledged + u64::from(count));
                (count > 0).then_some(Transmit::Blocks {
                    first: self.acknowledged + 1,
                    count,
                })
            }
        }
    }

    /// When [`Self::handle_timeout`] is due; `None`: it is over.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.timer.deadline()
    }

    /// How it ended; what [`Self::poll_transmit`] still gives is to be sent all the same.
    pub const fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            State::Over(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Blocks that the peer is known to hold.
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
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
