//! The server machine: bytes of a control connection in, actions out; outcomes in, replies out.
//!
//! It owns everything that FTP says about order: what may be said before the login, what REST and
//! RNFR survive, what waits while a transfer runs and what is heard at once, which reply ends which
//! command. It never touches a file, a socket or a clock. One command is answered at a time; while
//! its action is open, further commands wait in a bounded queue.
//!
//! How to drive it: after each call of a `handle_*` take [`Server::poll_action`] and
//! [`Server::poll_transmit`] in turns until neither gives anything ([`Server::has_action`]): taking
//! replies can make room for the next command. Each batch of `poll_transmit` wants a write of its
//! own, also after [`Action::Close`], which is the last action.
//!
//! RFC 959, 1123 4.1, 2228, 2389, 2428, 2577, 3659, 4217.

mod action;
mod dispatch;
mod file;
mod list_options;
mod login;
mod output;
mod parameter;
mod queue;
mod security;
mod settings;
mod site;
mod texts;
mod transfer;
mod work;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

pub use action::*;
pub use login::Login;
pub use settings::{RequireTls, Settings, TlsRules};

use self::{
    output::Output,
    queue::{Backlog, Entry},
    security::Channel,
    work::{Sequence, Transfer, Work},
};
use super::{
    Protection,
    facts::FactSet,
    line::{Event, LineReader},
    sink::Sink,
    verb::Verb,
};

/// Most lines of the listing in a STAT reply.
pub const STAT_LIST_LINES: usize = 2000;
/// Empty lines in a row until the connection is closed (RPL-03).
const EMPTY_LINES: u8 = 20;
/// Over-long lines until the connection is closed (RPL-04).
const LONG_LINES: u8 = 3;
/// Refusals of Telnet options that are sent; further ones are ignored in silence (RPL-10).
const TELNET_ANSWERS: u8 = 16;
/// Octets of replies that may wait before further commands have to.
const UNSENT_LIMIT: usize = 16 * 1024;
/// First octet of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// When a session ends that the server wants to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutDown {
    /// Once the running command or transfer is done.
    Idle,
    /// At once: a running transfer gets its 426.
    Now,
}

/// Where a session is between its start and its end.
enum Life {
    /// Before the 220.
    Silent,
    Open,
    /// The peer has closed its side: what is here is finished.
    PeerDone,
    /// The text of the 421 that follows what runs.
    Draining(Box<str>),
    /// The last reply is written; [`Action::Close`] is to come.
    Closing(CloseReason),
    Closed,
}

/// The server's side of one control connection.
pub struct Server {
    settings: Arc<Settings>,
    reader: LineReader,
    /// Exists only while something waits.
    backlog: Option<Box<Backlog>>,
    output: Output,
    action: Option<Action>,
    life: Life,
    login: Login,
    work: Work,
    sequence: Sequence,
    /// The last time that something was heard or done.
    quiet_since: Instant,
    /// When the login clock started.
    login_since: Instant,
    idle_timeout: Duration,
    /// What ALLO announced for the next upload.
    announced: Option<u64>,
    representation: Representation,
    facts: FactSet,
    hash: HashAlgorithm,
    /// EPSV ALL was said (RFC 2428 4).
    extended_only: bool,
    /// What carries the conversation.
    channel: Channel,
    /// Under TLS from the first octet.
    implicit: bool,
    /// The settings' rules, or the account's.
    tls_rules: TlsRules,
    /// PBSZ was answered 200.
    buffer_agreed: bool,
    protection: Protection,
    /// No octet was heard yet.
    untouched: bool,
    login_failures: u32,
    unknown: u32,
    empty_lines: u8,
    long_lines: u8,
    telnet_answers: u8,
    /// ABORs that wait for the end of what they abort.
    aborts: u16,
    /// STATs that were asked while a transfer runs.
    statuses: u16,
}

impl Server {
    /// A session that has said nothing yet.
    pub fn new(settings: Arc<Settings>, now: Instant) -> Self {
        let idle_timeout = settings.idle_timeout;
        let tls_rules = settings.tls;
        Self {
            settings,
            reader: LineReader::new(),
            backlog: None,
            output: Output::new(),
            action: None,
            life: Life::Silent,
            login: Login::AwaitUser,
            work: Work::Idle,
            sequence: Sequence::Free,
            quiet_since: now,
            login_since: now,
            idle_timeout,
            announced: None,
            representation: Representation::Ascii,
            facts: FactSet::DEFAULT,
            hash: HashAlgorithm::Sha256,
            extended_only: false,
            channel: Channel::Clear,
            implicit: false,
            tls_rules,
            buffer_agreed: false,
            protection: Protection::Clear,
            untouched: true,
            login_failures: 0,
            unknown: 0,
            empty_lines: 0,
            long_lines: 0,
            telnet_answers: 0,
            aborts: 0,
            statuses: 0,
        }
    }

    /// Says the 220. What was heard before is answered behind it.
    pub fn greet(&mut self, now: Instant) {
        if matches!(self.life, Life::Silent) {
            self.life = Life::Open;
            self.quiet_since = now;
            self.login_since = now;
            texts::greeting(&mut self.output, &self.settings.greeting);
            self.proceed();
        }
    }

    /// Says 421 and `text` instead of the 220, and closes.
    pub fn refuse(&mut self, text: &str) {
        if !self.is_closing() {
            texts::closing(&mut self.output, text);
            self.close(CloseReason::Refused);
        }
    }

    /// Ends the session with 421 and `text`, now or once it is idle.
    pub fn shut_down(&mut self, text: &str, when: ShutDown) {
        if self.is_closing() {
            return;
        }
        let busy = !matches!(self.work, Work::Idle);
        if when == ShutDown::Idle && busy {
            self.life = Life::Draining(text.into());
            return;
        }
        if matches!(self.work, Work::Transfer(Transfer { running: true, .. })) {
            self.output.put(texts::TRANSFER_ABORTED);
        }
        texts::closing(&mut self.output, text);
        self.close(CloseReason::Shutdown);
    }

    /// Takes bytes of the control connection; any part of a line, or many.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if !matches!(self.life, Life::Silent | Life::Open | Life::Draining(_)) || bytes.is_empty() {
            return;
        }
        if self.is_switching() {
            self.refuse_injection();
            return;
        }
        self.quiet_since = now;
        if std::mem::take(&mut self.untouched) && bytes.first() == Some(&TLS_HANDSHAKE) {
            self.say(texts::WRONG_PROTOCOL);
            self.close(CloseReason::WrongProtocol);
            return;
        }
        if self.unread_len() == 0 {
            let done = self.feed(bytes);
            self.keep_unread(bytes.get(done..).unwrap_or_default());
        } else {
            self.keep_unread(bytes);
        }
        self.tidy();
    }

    /// Whether bytes should be read from the peer; false is back-pressure (RPL-32).
    pub fn wants_input(&self) -> bool {
        matches!(self.life, Life::Silent | Life::Open | Life::Draining(_))
            && !self.is_switching()
            && self.unread_len() == 0
            && self.waiting() < self.settings.max_pipelined
            && self.output.len() <= UNSENT_LIMIT
    }

    /// The peer closed its side: what was received is finished, then the session ends.
    pub fn handle_end_of_input(&mut self) {
        if matches!(self.life, Life::Silent | Life::Open) {
            self.life = Life::PeerDone;
            self.proceed();
        }
    }

    /// Whether [`Self::poll_action`] has something to give. To be asked after the last
    /// [`Self::poll_transmit`] and before waiting for the peer.
    pub fn has_action(&self) -> bool {
        self.action.is_some() || matches!(self.life, Life::Closing(_))
    }

    /// The next thing to do. [`Action::Close`] may come while replies are left: they are to be
    /// taken and written before the connection is closed.
    pub fn poll_action(&mut self) -> Option<Action> {
        if let Some(action) = self.action.take() {
            if let Some(backlog) = &mut self.backlog {
                self.action = backlog.actions.pop_front();
                self.tidy();
            }
            return Some(action);
        }
        match self.life {
            Life::Closing(reason) => {
                self.life = Life::Closed;
                Some(Action::Close(reason))
            }
            _ => None,
        }
    }

    /// What came of an action.
    pub fn handle_outcome(&mut self, now: Instant, outcome: Outcome) {
        if self.is_closing() {
            return;
        }
        self.quiet_since = now;
        if let Outcome::Status(status) = &outcome
            && self.statuses > 0
        {
            self.statuses -= 1;
            let protection = self.protection_shown();
            texts::status(&mut self.output, status, self.representation, protection);
        } else {
            match std::mem::take(&mut self.work) {
                Work::Idle => {}
                Work::Asking(question) => self.answer(question, outcome),
                Work::Transfer(transfer) => self.handle_transfer_outcome(transfer, outcome),
            }
        }
        self.proceed();
    }

    /// Appends the replies that may go out in one write now; false when there are none. Call again
    /// after the write: what follows may want a write of its own.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.tell_switch();
        let any = self.output.take(out);
        if any && self.backlog.is_some() {
            self.proceed();
        }
        any
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_closing() {
            return None;
        }
        match (self.idle_deadline(), self.login_deadline()) {
            (Some(idle), Some(login)) => Some(idle.min(login)),
            (idle, login) => idle.or(login),
        }
    }

    /// The time has come, or so the caller says: nothing happens before a deadline.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_closing() {
            return;
        }
        let has_passed =
            |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if has_passed(self.login_deadline()) {
            texts::login_timeout(&mut self.output, self.settings.login_timeout.as_secs());
            self.close(CloseReason::LoginTimeout);
        } else if has_passed(self.idle_deadline()) {
            texts::idle_timeout(&mut self.output, self.idle_timeout.as_secs());
            self.close(CloseReason::IdleTimeout);
        }
    }

    /// Sets the idle time of this session.
    pub fn set_idle_timeout(&mut self, limit: Duration) {
        self.idle_timeout = limit;
    }

    /// Whether nothing waits and no action is open.
    pub fn is_idle(&self) -> bool {
        matches!(self.work, Work::Idle)
            && self.statuses == 0
            && !self.is_switching()
            && self.action.is_none()
            && self.backlog.is_none()
    }

    /// How far the login is.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// Whether somebody is logged in.
    pub fn is_logged_in(&self) -> bool {
        matches!(self.login, Login::LoggedIn { .. })
    }

    fn is_closing(&self) -> bool {
        matches!(self.life, Life::Closing(_) | Life::Closed)
    }

    fn is_silent(&self) -> bool {
        matches!(self.life, Life::Silent)
    }

    fn say(&mut self, reply: &'static [u8]) {
        self.output.put(reply);
    }

    fn emit(&mut self, action: Action) {
        if self.action.is_none() {
            self.action = Some(action);
        } else {
            self.backlog
                .get_or_insert_default()
                .actions
                .push_back(action);
        }
    }

    /// Commands that wait.
    fn waiting(&self) -> usize {
        self.backlog
            .as_ref()
            .map_or(0, |backlog| backlog.entries.len())
    }

    fn unread_len(&self) -> usize {
        self.backlog
            .as_ref()
            .map_or(0, |backlog| backlog.unread_len())
    }

    /// Whether the next command has to wait.
    fn is_blocked(&self) -> bool {
        !matches!(self.work, Work::Idle)
            || self.statuses > 0
            || self.is_switching()
            || self.output.len() > UNSENT_LIMIT
            || matches!(self.life, Life::Silent)
    }

    fn idle_deadline(&self) -> Option<Instant> {
        // RPL-40: while something runs, the peer is not the one who is silent.
        let quiet = matches!(self.work, Work::Idle) && self.statuses == 0;
        quiet
            .then(|| self.quiet_since.checked_add(self.idle_timeout))
            .flatten()
    }

    fn login_deadline(&self) -> Option<Instant> {
        (!self.is_logged_in())
            .then(|| self.login_since.checked_add(self.settings.login_timeout))
            .flatten()
    }

    /// Reads lines until the bytes are used up or the queue is full; how many bytes were used.
    fn feed(&mut self, bytes: &[u8]) -> usize {
        let limit = self.settings.line_limit;
        let strict_crlf = self.settings.strict_crlf;
        let mut input = bytes;
        while !self.is_closing() {
            if self.is_switching() {
                if !input.is_empty() {
                    self.refuse_injection();
                }
                break;
            }
            if self.waiting() >= self.settings.max_pipelined || self.is_before_border() {
                return bytes.len() - input.len();
            }
            let Some(event) = self.reader.next(&mut input, limit, strict_crlf) else {
                break;
            };
            let entry = match event {
                Event::Line(line) => Entry::parse(line),
                Event::Malformed { in_verb } => Some(Entry::Malformed { in_verb }),
                Event::TooLong => Some(Entry::TooLong),
                Event::Answer(answer) => {
                    if self.telnet_answers < TELNET_ANSWERS {
                        self.telnet_answers += 1;
                        self.output.put(&answer);
                    }
                    continue;
                }
            };
            match entry {
                Some(entry) => {
                    self.empty_lines = 0;
                    self.admit(entry);
                }
                None => {
                    self.empty_lines += 1;
                    if self.empty_lines > EMPTY_LINES {
                        self.close_for_abuse(texts::TOO_MANY_ERRORS);
                    }
                }
            }
        }
        bytes.len()
    }

    fn keep_unread(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.is_closing() {
            return;
        }
        if self.unread_len() + bytes.len() > self.settings.max_unread {
            self.close_for_abuse(texts::TOO_MUCH_INPUT);
            return;
        }
        self.backlog.get_or_insert_default().keep(bytes);
    }

    /// A line was read: it is done at once, or waits.
    fn admit(&mut self, entry: Entry) {
        if !self.is_blocked() && self.waiting() == 0 {
            self.execute(entry);
        } else if !self.interject(&entry) {
            self.backlog
                .get_or_insert_default()
                .entries
                .push_back(entry);
        }
    }

    /// Goes on with what waits, as far as possible.
    fn proceed(&mut self) {
        if matches!(self.work, Work::Idle) {
            for _ in 0..std::mem::take(&mut self.aborts) {
                self.say(texts::ABORTED);
            }
            if let Life::Draining(text) = &self.life {
                texts::closing(&mut self.output, text);
                self.close(CloseReason::Shutdown);
            }
        }
        while !self.is_closing() {
            self.refill();
            if self.is_blocked() {
                if matches!(self.life, Life::PeerDone) {
                    self.end_in_switch();
                }
                break;
            }
            let Some(entry) = self
                .backlog
                .as_mut()
                .and_then(|backlog| backlog.entries.pop_front())
            else {
                if matches!(self.life, Life::PeerDone) {
                    self.close(CloseReason::Quit);
                }
                break;
            };
            self.execute(entry);
        }
        self.tidy();
    }

    /// Cuts unread bytes into lines once the queue has room for a good number of them.
    fn refill(&mut self) {
        while self.unread_len() > 0 && self.waiting() <= self.settings.max_pipelined / 2 {
            let Some(backlog) = &mut self.backlog else {
                return;
            };
            let (unread, from) = backlog.take_unread();
            let done = from + self.feed(unread.get(from..).unwrap_or_default());
            let full = done < unread.len();
            if !self.is_closing() && full {
                self.backlog.get_or_insert_default().restore(unread, done);
            }
            if full {
                return;
            }
        }
    }

    /// Gives memory back that nothing is in.
    fn tidy(&mut self) {
        if self
            .backlog
            .as_ref()
            .is_some_and(|backlog| backlog.is_empty())
        {
            self.backlog = None;
        }
    }

    fn close_for_abuse(&mut self, reply: &'static [u8]) {
        self.say(reply);
        self.close(CloseReason::Abuse);
    }

    /// The last reply is written. What waits is dropped; actions already given out stay.
    fn close(&mut self, reason: CloseReason) {
        if self.is_past_the_border() {
            // Whatever was said now would stand on the wrong side of it (TLS-02).
            self.output = Output::new();
        }
        self.life = Life::Closing(reason);
        self.work = Work::Idle;
        self.sequence = Sequence::Free;
        self.aborts = 0;
        self.statuses = 0;
        self.reader = LineReader::new();
        if let Some(mut backlog) = self.backlog.take()
            && !backlog.actions.is_empty()
        {
            let actions = std::mem::take(&mut backlog.actions);
            *backlog = Backlog::default();
            backlog.actions = actions;
            self.backlog = Some(backlog);
        }
    }

    /// Counts what a client does not send by mistake a hundred times.
    fn count_unknown(&mut self) -> bool {
        self.unknown += 1;
        let over = self.unknown > self.settings.max_unknown;
        if over {
            self.close_for_abuse(texts::TOO_MANY_ERRORS);
        }
        over
    }

    fn is_disabled(&self, verb: Verb) -> bool {
        self.settings.disabled.contains(verb)
    }
}

impl fmt::Debug for Server {
    /// Without arguments and queues: they may hold secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Server")
            .field("logged_in", &self.is_logged_in())
            .field("idle", &self.is_idle())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
