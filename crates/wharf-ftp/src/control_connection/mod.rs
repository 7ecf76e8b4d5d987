//! The control connection: one task, one machine, one transfer beside it.
//!
//! Bytes go to the machine, its actions are done, its replies go out in one write per batch. The
//! task waits for four things at once: the peer, the running transfer, the clock, and somebody who
//! wants the session to end. While it is idle it owns no buffer; what is read passes through a
//! buffer of the thread.

mod security;
mod wire;

use std::{
    cell::RefCell,
    future::{Future, pending, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use wharf_accounts::Channel;
use wharf_engine::{
    Connection, Ending, Record, Session,
    events::{Event, Level},
};
use wharf_proto::ftp::{
    Protection,
    server::{Action, CloseReason, Outcome, Server, ShutDown, Status},
};
use wharf_vfs::VirtualPath;

pub(crate) use self::security::secured;
use self::{
    security::Cause,
    wire::{Heard, Wire},
};
use crate::{
    FtpFrontEnd, clock,
    data_connection::{DataPath, Ends},
    session::{FtpSession, Reaction, Running, Who},
};

/// How long a peer may take none of its replies before the session is given up.
const WRITE_PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait for the peer's end after our own (RPL-38).
const LINGER: Duration = Duration::from_secs(2);

thread_local! {
    static WRITE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What woke the task.
enum Woken {
    /// Something was read, or could not be.
    Heard(Heard),
    /// The running work came to this.
    Finished(Outcome),
    /// A deadline has passed.
    Timer,
    /// Somebody wants the session to end.
    Ended(Ending),
}

/// Why the conversation is over.
enum Over {
    /// The machine says so; what it has said last still goes out.
    Closing(CloseReason),
    /// TLS failed: not a word more.
    Unheard(Cause),
}

struct ControlConnection {
    wire: Wire,
    machine: Server,
    session: FtpSession,
    running: Option<Running>,
    /// What somebody who wants the session to end has asked for, as far as it was heard.
    heard: Ending,
}

/// Serves a connection to its end.
///
/// What a session knows stands in one box: a future that is moved into another is kept twice, and
/// ten thousand idle sessions would pay for each copy.
pub(crate) fn serve(
    front_end: Arc<FtpFrontEnd>,
    connection: Connection,
) -> impl Future<Output = ()> + Send {
    let now = clock::now();
    let settings = front_end.settings();
    let Connection {
        socket,
        peer,
        local,
        bound,
        lease,
    } = connection;
    let mut guest = Session::open(
        Arc::clone(front_end.engine()),
        lease,
        front_end.name(),
        peer,
        local,
        now,
    );
    if let Some(tls) = &settings.tls {
        let role = tls.certificate_role();
        guest.set_channel(Channel::Plain { role });
    }
    let record = Arc::clone(guest.record());
    let machine = if front_end.is_implicit() {
        Server::implicit(settings.machine_now(), now)
    } else {
        Server::new(settings.machine_now(), now)
    };
    let mut control = Box::new(ControlConnection {
        wire: Wire::new(socket),
        machine,
        session: FtpSession {
            idle_limit: settings.machine.idle_timeout,
            front_end,
            settings,
            who: Who::Guest(guest),
            ends: Ends {
                peer,
                local,
                bound,
                fxp: false,
            },
            directory: VirtualPath::root(),
            directory_seen: None,
            data: DataPath::None,
            listens_until: now,
            umask: 0o022,
            last_transfer: None,
            tls: None,
            protection: Protection::Clear,
            certificate: None,
        },
        running: None,
        heard: Ending::None,
    });
    async move { control.run(&record).await }
}

impl ControlConnection {
    async fn run(&mut self, record: &Record) {
        let started = record.since;
        let cause = match self.open(record).await {
            Ok(()) => self.converse(record).await,
            Err(cause) => cause,
        };
        self.abort_running().await;
        let seconds = clock::now().saturating_duration_since(started).as_secs();
        self.session.tell(&Event::Closed { cause, seconds });
    }

    /// All that comes before the 220 is said.
    async fn open(&mut self, record: &Record) -> Result<(), Cause> {
        if self.session.front_end.is_implicit() {
            match Box::pin(self.secure(record)).await {
                Ok(certificate) => self.machine.tls_started(clock::now(), certificate),
                Err(cause) => {
                    Box::pin(self.hang_up()).await;
                    return Err(cause);
                }
            }
        }
        self.machine.greet(clock::now());
        Ok(())
    }

    /// The conversation; gives the cause of its end.
    async fn converse(&mut self, record: &Record) -> &'static str {
        let mut timer = std::pin::pin!(wharf_transfer::timer::sleep_until(self.deadline()));
        loop {
            match self.do_actions(record).await {
                None => {}
                Some(Over::Closing(reason)) => return self.close(reason, record).await,
                Some(Over::Unheard(cause)) => {
                    Box::pin(self.hang_up()).await;
                    return cause;
                }
            }
            if self.flush(record).await.is_err() {
                return "the peer does not take our replies";
            }
            // Replies that went out make room for commands, and a command may have come with the
            // one that began a transfer.
            if self.machine.has_action() {
                continue;
            }
            // The timer is not moved by every command, it finds out itself that it is early. But a
            // deadline that came nearer (the end of a transfer, REIN, SITE IDLE) moves it.
            if let Some(at) = self.next_deadline()
                && at < timer.deadline().into_std()
            {
                timer.as_mut().reset(at.into());
            }
            match self.wait(record, timer.as_mut()).await {
                Woken::Heard(Heard::Input) => {
                    let now = clock::now();
                    record.touch(now);
                    // Whoever never stops talking would keep the timer from being looked at.
                    self.machine.handle_timeout(now);
                }
                Woken::Heard(Heard::Lost) => return "the peer is gone",
                Woken::Heard(Heard::Broken(error)) => {
                    self.session.tell(&Event::TlsFailed {
                        cause: &error.to_string(),
                    });
                    Box::pin(self.hang_up()).await;
                    return "the peer broke TLS";
                }
                Woken::Finished(outcome) => self.finish(outcome),
                Woken::Timer => {
                    let now = clock::now();
                    self.machine.handle_timeout(now);
                    self.session.close_stale_listener(now);
                    timer.as_mut().reset(self.deadline().into());
                }
                Woken::Ended(Ending::Now) => self.end_now(),
                Woken::Ended(_) => {
                    self.machine
                        .shut_down("Service is shutting down, try again later.", ShutDown::Idle);
                }
            }
        }
    }

    fn deadline(&self) -> Instant {
        /// Without a deadline, look again now and then.
        const FAR: Duration = Duration::from_secs(3600);
        self.next_deadline().unwrap_or_else(|| clock::now() + FAR)
    }

    fn next_deadline(&self) -> Option<Instant> {
        let listener = self.session.listener_deadline();
        self.machine
            .poll_timeout()
            .into_iter()
            .chain(listener)
            .min()
    }

    fn end_now(&mut self) {
        if let Some(running) = &self.running {
            running.abort.ask();
        }
        self.machine.shut_down(
            "Session ended by the administrator or for shutdown.",
            ShutDown::Now,
        );
    }

    /// Does what the machine asks until it asks no more; gives the reason when it asks to close.
    async fn do_actions(&mut self, record: &Record) -> Option<Over> {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Close(reason) => return Some(Over::Closing(reason)),
                Action::Abort => {
                    if let Some(running) = &self.running {
                        running.abort.ask();
                    }
                }
                Action::CloseData => self.session.data = DataPath::None,
                Action::ClientName(name) => self.session.tell(&Event::ClientName(&name)),
                Action::CommandSeen { verb, argument } => {
                    self.session.tell(&Event::Command {
                        verb,
                        argument: &argument,
                    });
                }
                Action::Status => {
                    let status = self.status();
                    self.machine
                        .handle_outcome(clock::now(), Outcome::Status(status));
                }
                Action::StartTls => match Box::pin(self.secure(record)).await {
                    Ok(certificate) => self.machine.tls_started(clock::now(), certificate),
                    Err(cause) => return Some(Over::Unheard(cause)),
                },
                Action::EndTls => {
                    if let Err(cause) = Box::pin(self.unsecure(record)).await {
                        return Some(Over::Unheard(cause));
                    }
                }
                action => {
                    self.session.protection = self.machine.protection();
                    match self.session.act_at_once(action) {
                        Ok(reaction) => self.react(reaction),
                        Err(action) => Box::pin(self.act_slowly(action)).await,
                    }
                    self.try_short().await;
                }
            }
            // A 150 must be on its way before the transfer is polled.
            if self.running.is_some() {
                break;
            }
        }
        None
    }

    /// What takes its time lies in a box of its own: a session that waits for nothing but its next
    /// command does not keep room for it.
    async fn act_slowly(&mut self, action: Action) {
        let reaction = self.session.act(action).await;
        self.react(reaction);
    }

    fn react(&mut self, reaction: Reaction) {
        let now = clock::now();
        match reaction {
            Reaction::Over(outcome) => {
                if let Outcome::LoggedIn { .. } = outcome {
                    self.machine.set_tls_rules(self.session.tls_rules());
                }
                self.machine.handle_outcome(now, outcome);
                self.machine.set_idle_timeout(self.session.idle_limit);
            }
            Reaction::Begun(outcome, running) => {
                self.machine.handle_outcome(now, outcome);
                self.running = Some(running);
            }
            Reaction::Working(running) => self.running = Some(running),
        }
    }

    /// A short download mostly needs no waiting: its client is there and its octets fit into the
    /// socket. Then it is over before the 150 is written, and the client is woken once, not four
    /// times. The two replies still go out in two writes.
    async fn try_short(&mut self) {
        let Some(running) = self.running.as_mut().filter(|running| running.short) else {
            return;
        };
        let work = &mut running.work;
        let done = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
        if let Poll::Ready(outcome) = done {
            self.finish(outcome);
        }
    }

    fn finish(&mut self, outcome: Outcome) {
        if let Some(running) = self.running.take()
            && let Outcome::Finished(_) = outcome
        {
            self.session.last_transfer = Some((running.meter.octets(), running.started.elapsed()));
        }
        self.machine.handle_outcome(clock::now(), outcome);
    }

    /// Stops the running work and waits until it has cleaned up after itself.
    async fn abort_running(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort.ask();
            running.work.await;
        }
    }

    fn status(&self) -> Status {
        let mut lines: Vec<String> = self.security_shown().into_iter().collect();
        match &self.session.data {
            DataPath::None => {}
            DataPath::Passive(listener) => {
                lines.push(format!(
                    "Data connection: waiting on port {}",
                    listener.address.port()
                ));
            }
            DataPath::Active(target) => lines.push(format!("Data connection: will go to {target}")),
        }
        if let Some((octets, time)) = self.session.last_transfer {
            lines.push(format!(
                "Last transfer: {octets} bytes in {:.3} seconds",
                time.as_secs_f64()
            ));
        }
        lines.push(format!(
            "Idle limit: {} seconds",
            self.session.idle_limit.as_secs()
        ));
        Status {
            peer: self.session.ends.peer.to_string(),
            user: self
                .session
                .origin()
                .account
                .map(|name| name.to_string())
                .unwrap_or_default(),
            transfer: self
                .running
                .as_ref()
                .map(|running| (running.meter.octets(), running.started.elapsed().as_secs())),
            lines,
        }
    }

    async fn wait(&mut self, record: &Record, timer: Pin<&mut tokio::time::Sleep>) -> Woken {
        // Asked here and not only below: a peer that never stops talking must not drown it out.
        if record.ending() > self.heard {
            self.heard = record.ending();
            return Woken::Ended(self.heard);
        }
        let reads = self.wire.is_open() && self.machine.wants_input();
        let Self {
            wire,
            machine,
            running,
            ..
        } = self;
        tokio::select! {
            biased;
            outcome = work(running) => Woken::Finished(outcome),
            heard = wire.read(machine), if reads => Woken::Heard(heard),
            ending = record.ended() => Woken::Ended(ending),
            () = timer => Woken::Timer,
        }
    }

    /// Writes every reply that may go out now.
    async fn flush(&mut self, record: &Record) -> io::Result<()> {
        loop {
            let left = WRITE.with_borrow_mut(|buffer| {
                buffer.clear();
                if !self.machine.poll_transmit(buffer) && !self.wire.owes() {
                    return Ok(None);
                }
                self.wire.send(buffer).map(Some)
            })?;
            match left {
                None => return Ok(()),
                Some(left) if left.is_empty() => {}
                Some(left) => Box::pin(send_slowly(&self.wire, &left, record)).await?,
            }
        }
    }

    /// Sends what is left to say and closes in order: our end, then the peer's, so that a last reply
    /// is not lost to a reset.
    async fn close(&mut self, reason: CloseReason, record: &Record) -> &'static str {
        // DAT-11: whoever hears the goodbye finds no listener any more.
        self.session.data = DataPath::None;
        if self.flush(record).await.is_ok() {
            self.wire.end();
            // Under TLS the peer still says close_notify behind its QUIT.
            let is_silent = reason == CloseReason::Quit && !self.wire.is_secure();
            if self.wire.is_open() && !is_silent {
                let drained = Box::pin(tokio::time::timeout(LINGER, self.wire.drain()));
                let _ = drained.await;
            }
        }
        if let CloseReason::Abuse | CloseReason::WrongProtocol | CloseReason::Injection = reason {
            let text = match reason {
                CloseReason::Injection => "the peer sent commands ahead across the border of TLS",
                _ => "the peer broke the rules of the protocol too often, or speaks another one",
            };
            self.session.tell(&Event::Notice {
                level: Level::Warning,
                text,
            });
        }
        match reason {
            CloseReason::Quit => "quit",
            CloseReason::IdleTimeout => "idle for too long",
            CloseReason::LoginTimeout => "not logged in in time",
            CloseReason::LoginFailures => "too many failed logins",
            CloseReason::Abuse => "too many wrong commands",
            CloseReason::WrongProtocol => "the peer speaks another protocol",
            CloseReason::Shutdown => "ended by us",
            CloseReason::Refused => "refused",
            CloseReason::Injection => "something was sent ahead across the border of TLS",
            _ => "closed",
        }
    }
}

/// The peer's window is full: waits for it, for a while; a session that shall end at once does not
/// wait long.
async fn send_slowly(wire: &Wire, bytes: &[u8], record: &Record) -> io::Result<()> {
    let mut left = bytes;
    while !left.is_empty() {
        let hurries = record.ending() == Ending::Now;
        let patience = if hurries { LINGER } else { WRITE_PATIENCE };
        let sent = tokio::select! {
            sent = tokio::time::timeout(patience, wire.send_left(left)) => {
                sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?
            }
            _ = record.ended(), if !hurries => continue,
        };
        left = left.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// The running work; for ever when there is none.
async fn work(running: &mut Option<Running>) -> Outcome {
    match running {
        Some(running) => running.work.as_mut().await,
        None => pending().await,
    }
}

/// The future of an idle session is what ten thousand of them cost.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_connection_is_small() {
        fn size_of_future<A, B, F>(_: impl FnOnce(A, B) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size_of_future(serve) <= 768, "{}", size_of_future(serve));
        assert!(
            size_of::<ControlConnection>() <= 1024,
            "{}",
            size_of::<ControlConnection>()
        );
    }
}
