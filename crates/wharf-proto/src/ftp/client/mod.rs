//! The client machine (RFC 959 user-PI): requests in, bytes out; bytes in, events out.
//!
//! The driver queues a [`Request`], sends what [`Client::poll_transmit`] gives, feeds what the server
//! says to [`Client::handle_input`] and reads [`Client::poll_event`]. Each request gets exactly one
//! [`Event::Finished`], or is named in the one [`Event::Lost`] that ends the session. Requests of
//! several lines (login, rename, restart + transfer) go on by themselves while the server agrees.
//!
//! Only requests that change no state that a later one reads are ever sent ahead of a reply, and only
//! when [`Settings::pipelining`] says that the server bears it. Arguments with CR, LF or NUL are refused
//! before anything is sent (command injection).
//!
//! The machine must not connect, time out, decode names or decide a fallback: [`Way::next`] tells what
//! a refusal allows (RPL-57), the driver takes it. RFC 959 4, 5.4, 6; RFC 2428; RFC 3659; RFC 4217.

pub mod answer;
mod capability;
mod event;
mod fallback;
mod request;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use thiserror::Error;

pub use capability::Capabilities;
pub use event::{Event, Foreign, Pending, Ticket, Transmit};
pub use fallback::Way;
pub use request::{ARGUMENT_LIMIT, Request, RequestError};

use crate::ftp::{
    reply::{Class, Reply, ReplyError, ReplyParser},
    telnet,
};

/// Requests that may wait in the machine.
pub const QUEUE_LIMIT: usize = 64;

/// Commands that may be under way at once when pipelining.
pub const WINDOW: usize = 8;

/// Choices of the client.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Send the next harmless command before the last is answered.
    pub pipelining: bool,
    /// Put Telnet IP and Synch before ABOR (RFC 959 4.1.3; RPL-14). Never under TLS, where
    /// there is no urgent data and many servers fail on Telnet bytes.
    pub telnet_abort: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pipelining: false,
            telnet_abort: true,
        }
    }
}

/// Why the conversation cannot go on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ProtocolError {
    /// What answers is no FTP server.
    #[error("expected an FTP greeting such as \"220 ...\", got {0}")]
    Foreign(Foreign),
    /// A reply that is none, or too large.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// More than the answer to AUTH or CCC came before the connection was in or out of TLS (RPL-34).
    #[error(
        "the server's answer to {0} has octets behind it that may be a stranger's: \
         somebody may be interfering with the connection"
    )]
    Injection(&'static str),
}

/// The machine of one control connection.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    state: State,
    /// Under TLS.
    secure: bool,
    parser: ReplyParser,
    /// First octets of the session, until it is clear that the server speaks FTP.
    opening: Vec<u8>,
    waiting: VecDeque<Order>,
    under_way: VecDeque<Order>,
    events: VecDeque<Event>,
    out: VecDeque<Transmit>,
    last_ticket: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Ready,
    /// AUTH or CCC, as `verb` has it, was agreed to; TLS is being started or ended.
    Switching {
        verb: &'static str,
    },
    /// ABOR was sent: the transfer's final reply, ABOR's own, then NOOP's.
    Aborting {
        finals: u8,
        resynchronising: bool,
    },
    /// QUIT was answered, the connection ended, or 421 came.
    Dead,
}

#[derive(Debug)]
struct Order {
    ticket: Ticket,
    request: Request,
    /// Index of the line that is under way.
    step: usize,
}

impl Client {
    /// A machine whose connection has just opened.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Greeting,
            secure: false,
            parser: ReplyParser::new(),
            opening: Vec::new(),
            waiting: VecDeque::new(),
            under_way: VecDeque::new(),
            events: VecDeque::new(),
            out: VecDeque::new(),
            last_ticket: 0,
        }
    }

    /// A machine whose connection was under TLS from its first octet (port 990). The greeting is
    /// expected behind the handshake.
    #[must_use]
    pub fn implicit(settings: Settings) -> Self {
        Self {
            secure: true,
            ..Self::new(settings)
        }
    }

    /// The handshake that [`Event::StartTls`] asked for is done. Without that event nothing happens.
    pub fn tls_started(&mut self) {
        self.switched("AUTH", true);
    }

    /// TLS has ended as [`Event::EndTls`] asked. Without that event nothing happens.
    pub fn tls_ended(&mut self) {
        self.switched("CCC", false);
    }

    fn switched(&mut self, asked: &str, secure: bool) {
        if matches!(self.state, State::Switching { verb } if verb == asked) {
            self.secure = secure;
            self.state = State::Ready;
            self.send_next();
        }
    }

    /// Whether the connection is under TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether requests may be sent ahead; set when the server has proved to bear it.
    pub const fn set_pipelining(&mut self, pipelining: bool) {
        self.settings.pipelining = pipelining;
    }

    /// Whether nothing is queued or under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state == State::Ready && self.waiting.is_empty() && self.under_way.is_empty()
    }

    /// Whether the session is over.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.state == State::Dead
    }

    /// Queues a request; it is sent when its turn comes.
    ///
    /// # Errors
    /// [`RequestError`]: the argument cannot be said in FTP, the queue is full, the session is over.
    pub fn request(&mut self, request: Request) -> Result<Ticket, RequestError> {
        request.check()?;
        if self.state == State::Dead {
            return Err(RequestError::Ended);
        }
        let mut asked = self.waiting.iter().chain(&self.under_way);
        if matches!(self.state, State::Switching { .. })
            || asked.any(|order| order.request.switches())
        {
            return Err(RequestError::Switching);
        }
        if self.waiting.len() + self.under_way.len() >= QUEUE_LIMIT {
            return Err(RequestError::QueueFull);
        }
        self.last_ticket += 1;
        let ticket = Ticket::new(self.last_ticket);
        self.waiting.push_back(Order {
            ticket,
            request,
            step: 0,
        });
        self.send_next();
        Ok(ticket)
    }

    /// Ends the transfer under way (RPL-14, DAT-64). Its [`Event::Finished`] still comes when the
    /// server answers it; [`Event::Resynchronised`] says that the session can be used again.
    /// Without a transfer under way nothing happens and `false` is given.
    pub fn abort(&mut self) -> bool {
        let transfer = self
            .under_way
            .front()
            .is_some_and(|order| order.request.is_transfer());
        if self.state != State::Ready || !transfer {
            return false;
        }
        if self.settings.telnet_abort && !self.secure {
            self.out
                .push_back(Transmit::plain(vec![telnet::IAC, telnet::IP]));
            // The Synch: the urgent byte is DM.
            self.out
                .push_back(Transmit::urgent(vec![telnet::IAC, telnet::DM]));
        }
        self.say(b"ABOR", b"ABOR");
        self.state = State::Aborting {
            finals: 0,
            resynchronising: false,
        };
        true
    }

    /// The server has not sent both replies of an abort in time: ask with NOOP what it still owes.
    pub fn handle_abort_timeout(&mut self) {
        if let State::Aborting {
            finals,
            resynchronising: false,
        } = self.state
        {
            self.resynchronise(finals);
        }
    }

    /// Takes what the server sent.
    ///
    /// # Errors
    /// [`ProtocolError`]: close the connection; every request is named in [`Event::Lost`].
    pub fn handle_input(&mut self, mut bytes: &[u8]) -> Result<(), ProtocolError> {
        if self.state == State::Greeting {
            let room = Foreign::LOOK.saturating_sub(self.opening.len());
            self.opening
                .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            if let Some(foreign) = Foreign::detect(&self.opening) {
                self.lose(None);
                return Err(ProtocolError::Foreign(foreign));
            }
        }
        while !bytes.is_empty() && self.state != State::Dead {
            if let State::Switching { verb } = self.state {
                self.lose(None);
                return Err(ProtocolError::Injection(verb));
            }
            let (taken, reply) = match self.parser.parse(bytes) {
                Ok(parsed) => parsed,
                Err(error) => {
                    self.lose(None);
                    return Err(error.into());
                }
            };
            if let Some(reply) = reply {
                self.handle_reply(reply);
            }
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// The server closed the connection.
    pub fn handle_end(&mut self) {
        self.lose(None);
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    fn handle_reply(&mut self, reply: Reply) {
        // RPL-56: at any time, whatever it seems to answer.
        if reply.code.value() == 421 {
            self.lose(Some(reply));
            return;
        }
        match self.state {
            State::Greeting => self.handle_greeting(reply),
            State::Ready => self.handle_answer(reply),
            State::Aborting {
                finals,
                resynchronising,
            } => {
                self.handle_abort_answer(reply, finals, resynchronising);
            }
            State::Switching { .. } | State::Dead => {}
        }
    }

    fn handle_greeting(&mut self, reply: Reply) {
        match reply.code.class() {
            Class::Preliminary => self.events.push_back(Event::Delayed(reply)),
            Class::Completion => {
                self.state = State::Ready;
                self.opening = Vec::new();
                self.events.push_back(Event::Greeting(reply));
                self.send_next();
            }
            _ => self.lose(Some(reply)),
        }
    }

    fn handle_answer(&mut self, reply: Reply) {
        let Some(order) = self.under_way.front_mut() else {
            self.events.push_back(Event::Unasked(reply));
            return;
        };
        let ticket = order.ticket;
        let verb = order.request.verb(order.step);
        if reply.code.class() == Class::Preliminary {
            self.events.push_back(Event::Preliminary { ticket, reply });
            return;
        }
        if order.request.goes_on(order.step, reply.code) {
            order.step += 1;
            let (line, shown) = order.request.encode(order.step);
            self.events.push_back(Event::Intermediate { ticket, reply });
            self.say(&line, &shown);
            return;
        }
        let quit = matches!(order.request, Request::Quit);
        let switch = match order.request {
            Request::StartTls(_) if reply.code.value() == 234 => Some(Event::StartTls),
            Request::EndTls if reply.code.class() == Class::Completion => Some(Event::EndTls),
            _ => None,
        };
        self.under_way.pop_front();
        self.events.push_back(Event::Finished {
            ticket,
            verb,
            reply,
        });
        if let Some(event) = switch {
            self.state = State::Switching { verb };
            self.events.push_back(event);
        } else if quit {
            self.lose(None);
        } else {
            self.send_next();
        }
    }

    fn handle_abort_answer(&mut self, reply: Reply, finals: u8, resynchronising: bool) {
        if reply.code.class() == Class::Preliminary {
            return;
        }
        // NOOP's own answer: whatever comes after both others, else 200 or its refusal.
        if resynchronising && (finals >= 2 || matches!(reply.code.value(), 200 | 500 | 501 | 502)) {
            self.under_way.clear();
            self.state = State::Ready;
            self.events.push_back(Event::Resynchronised);
            self.send_next();
            return;
        }
        match self.under_way.pop_front() {
            Some(order) => {
                let verb = order.request.verb(order.step);
                self.events.push_back(Event::Finished {
                    ticket: order.ticket,
                    verb,
                    reply,
                });
            }
            None => self.events.push_back(Event::Unasked(reply)),
        }
        let finals = finals.saturating_add(1);
        self.state = State::Aborting {
            finals,
            resynchronising,
        };
        if finals >= 2 && !resynchronising {
            self.resynchronise(finals);
        }
    }

    fn resynchronise(&mut self, finals: u8) {
        self.state = State::Aborting {
            finals,
            resynchronising: true,
        };
        self.say(b"NOOP", b"NOOP");
    }

    /// Sends what may be sent now.
    fn send_next(&mut self) {
        while self.state == State::Ready {
            let Some(next) = self.waiting.front() else {
                return;
            };
            let free = match self.under_way.back() {
                None => true,
                Some(_) => {
                    self.settings.pipelining
                        && self.under_way.len() < WINDOW
                        && next.request.may_overlap()
                        && self
                            .under_way
                            .iter()
                            .all(|order| order.request.may_overlap())
                }
            };
            if !free {
                return;
            }
            if let Some(order) = self.waiting.pop_front() {
                let (line, shown) = order.request.encode(order.step);
                self.under_way.push_back(order);
                self.say(&line, &shown);
            }
        }
    }

    /// Queues a line for sending, and its masked form for whoever watches.
    fn say(&mut self, line: &[u8], shown: &[u8]) {
        let mut bytes = Vec::with_capacity(line.len() + 2);
        for byte in line {
            if *byte == telnet::IAC {
                bytes.push(telnet::IAC);
            }
            bytes.push(*byte);
        }
        bytes.extend_from_slice(b"\r\n");
        self.out.push_back(Transmit::plain(bytes));
        self.events.push_back(Event::Sent(shown.to_vec()));
    }

    fn lose(&mut self, reply: Option<Reply>) {
        if self.state == State::Dead {
            return;
        }
        self.state = State::Dead;
        let sent = self.under_way.drain(..).map(|order| Pending {
            ticket: order.ticket,
            repeatable: order.request.is_repeatable(),
        });
        let unsent = self.waiting.drain(..).map(|order| Pending {
            ticket: order.ticket,
            repeatable: true,
        });
        let pending = sent.chain(unsent).collect();
        self.events.push_back(Event::Lost { reply, pending });
    }
}
