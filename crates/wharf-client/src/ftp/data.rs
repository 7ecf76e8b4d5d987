//! Data connections: who opens them, and what happens when that fails.
//!
//! EPSV first, as it says no address and so cannot be wrong behind NAT; PASV when EPSV is refused, or
//! when its connection does not come about within a short head start; the server's connection to us
//! when neither works. What worked is remembered for the site.
//!
//! The host part of a 227 is never followed (RPL-53): the port is reached at the control connection's
//! peer. A connection to our listener must come from that peer too (DAT-17).

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use wharf_proto::ftp::{
    client::{Event, Request, Ticket, Way, answer},
    reply::{Class, Reply},
};
use wharf_transfer::DataStream;

use super::{Session, memory::Works, security};
use crate::{
    DataMode, Error, Kind, Result, Step,
    connect::{self, connect_data},
    diagnosis,
};

/// The longest that an EPSV connection is waited for before PASV is tried (D44).
const HEAD_START: Duration = Duration::from_millis(1500);

/// The longest that the reply to EPSV is waited for: some gateways swallow the command.
const EXTENDED_REPLY: Duration = Duration::from_secs(5);

/// Of an abort (DAT-64): how long data are drained, and how long replies are waited for.
const ABORT_DRAIN: Duration = Duration::from_secs(1);
const ABORT_REPLIES: Duration = Duration::from_secs(5);

/// A transfer under way.
pub(crate) struct Running {
    ticket: Ticket,
    pub(crate) stream: DataStream,
    /// The size that the 150 named.
    pub(crate) announced: Option<u64>,
    ended: Option<Reply>,
    /// Whether it resumed the TLS session of the control connection; `None` without TLS.
    resumed: Option<bool>,
}

/// A data connection that is there, or will be made by the server.
enum Path {
    Open(TcpStream),
    Awaited(TcpListener),
}

impl Session {
    /// Begins a transfer: data connection, command, first reply.
    pub(crate) async fn begin(&mut self, request: Request, what: &str) -> Result<Running> {
        self.may_move_data()?;
        let path = self.data_path().await?;
        let ticket = self.queue(request)?;
        let (stream, announced, ended) = match path {
            Path::Open(stream) => {
                let (announced, ended) = self.first_reply(ticket, what).await?;
                (stream, announced, ended)
            }
            Path::Awaited(listener) => self.begin_active(&listener, ticket, what).await?,
        };
        let mut stream = plain(stream)?;
        let resumed = match self.secure_data(&mut stream).await {
            Ok(resumed) => resumed,
            Err(failed) => {
                stream.reset();
                let ended = Ended {
                    ticket,
                    ended,
                    resumed: None,
                };
                let last_words = async |session: &mut Self| session.end(ended, what).await;
                return Err(self.data_not_secured(failed, last_words).await);
            }
        };
        Ok(Running {
            ticket,
            stream,
            announced,
            ended,
            resumed,
        })
    }

    /// The final reply, after the data connection has ended. An error when it is not 2yz.
    pub(crate) async fn end(&mut self, ticket: Ended, what: &str) -> Result<()> {
        let limit = self.options().idle_timeout;
        let reply = match ticket.ended {
            Some(reply) => reply,
            None => match self.answer(Step::Transfer, ticket.ticket, limit).await {
                Err(error) if error.kind() == Kind::TimedOut => {
                    return Err(diagnosis::no_final_reply(limit));
                }
                other => other?,
            },
        };
        if reply.code.class() == Class::Completion {
            return Ok(());
        }
        let error = Error::refused(Step::Transfer, "the transfer", what, &reply);
        let error = self.with_data_cause(error, &reply, ticket.resumed);
        // 426 and 451 in the middle: the next attempt goes on where this one broke.
        Err(
            if error.cause().is_none() && matches!(reply.code.value(), 425 | 426 | 451) {
                error.retryable()
            } else {
                error
            },
        )
    }

    /// Breaks a download off so that the session can be used again; if that fails the session is
    /// given up.
    pub(crate) async fn abort(&mut self, running: Running) {
        let Running {
            mut stream, ended, ..
        } = running;
        if ended.is_some() || !self.machine.abort() {
            stream.reset();
            return;
        }
        let aborted = async {
            self.flush(Step::Transfer).await?;
            let drain = async {
                let mut sink = wharf_transfer::buffer::borrow();
                sink.resize(wharf_transfer::buffer::BUFFER_SIZE, 0);
                while matches!(stream.read(&mut sink).await, Ok(1..)) {}
                wharf_transfer::buffer::give_back(sink);
            };
            let _ = timeout(ABORT_DRAIN, drain).await;
            stream.reset();
            if let Ok(result) = timeout(ABORT_REPLIES, self.resynchronised()).await {
                return result;
            }
            self.machine.handle_abort_timeout();
            let unanswered =
                Error::new(Step::Transfer, Kind::Protocol, "the abort was not answered");
            timeout(ABORT_REPLIES, self.resynchronised())
                .await
                .unwrap_or(Err(unanswered))
        }
        .await;
        if aborted.is_err() {
            self.give_up();
        }
    }

    async fn resynchronised(&mut self) -> Result<()> {
        // The time is the caller's to limit.
        while self.event(Step::Transfer, 2 * ABORT_REPLIES).await? != Event::Resynchronised {}
        Ok(())
    }

    async fn data_path(&mut self) -> Result<Path> {
        let passive_works = self.context.memory.recall(|known| known.passive);
        match self.options().data_mode {
            DataMode::Passive => self.passive().await.map(Path::Open),
            DataMode::Active => self.active().await.map(Path::Awaited),
            DataMode::Auto if passive_works == Works::No => self.active().await.map(Path::Awaited),
            DataMode::Auto => match self.passive().await {
                Ok(stream) => {
                    self.context
                        .memory
                        .learn(|known| known.passive = Works::Yes);
                    Ok(Path::Open(stream))
                }
                Err(error)
                    if error.kind() == Kind::Data
                        && passive_works == Works::Unknown
                        && self.is_usable() =>
                {
                    let listener = self.active().await.map_err(|_| error)?;
                    self.note("passive data connections do not work here; the server is asked to connect (active mode)");
                    self.context.memory.learn(|known| known.passive = Works::No);
                    Ok(Path::Awaited(listener))
                }
                Err(error) => Err(error),
            },
        }
    }

    async fn passive(&mut self) -> Result<TcpStream> {
        let limit = self.options().connect_timeout;
        let (own, mut target) = (self.own.ip(), self.peer);
        let v4 = target.is_ipv4();
        let works = self.context.memory.recall(|known| known.extended_passive);
        if v4 && works == Works::No {
            return self.passive_by_address(None).await;
        }
        let port = match self.extended_port(limit).await? {
            Extended::Port(port) => port,
            Extended::Refused if v4 => return self.passive_by_address(None).await,
            Extended::Refused => {
                return Err(Error::new(
                    Step::Data,
                    Kind::Data,
                    "the server refuses EPSV, the only passive way over IPv6",
                )
                .because("D44", ["use -4, or --active"]));
            }
        };
        target.set_port(port);
        let mut connecting = pin!(connect_data(own, target, limit));
        let failed =
            |error: &io::Error| diagnosis::passive_failed(target.ip(), None, port, error, limit);
        if !v4 || works == Works::Yes {
            return connecting.await.map_err(|error| failed(&error));
        }
        let head_start = HEAD_START.min(limit / 4);
        match timeout(head_start, &mut connecting).await {
            Ok(Ok(stream)) => {
                self.context
                    .memory
                    .learn(|known| known.extended_passive = Works::Yes);
                return Ok(stream);
            }
            Ok(Err(error)) => return self.passive_by_address(Some(failed(&error))).await,
            Err(_) => {}
        }
        // PASV replaces the listener of EPSV, so its answer decides which connection counts.
        match self.passive_by_address(None).await {
            Err(error) if error.code().is_some() && self.is_usable() => {
                connecting.await.map_err(|error| failed(&error))
            }
            other => other,
        }
    }

    async fn extended_port(&mut self, limit: Duration) -> Result<Extended> {
        let asked = self
            .ask_within(
                Step::Data,
                Request::ExtendedPassive,
                EXTENDED_REPLY.min(limit),
            )
            .await;
        let reply = match asked {
            Err(error) if error.kind() == Kind::TimedOut => {
                // The session waits for a reply that never comes; the next one begins with PASV.
                self.context
                    .memory
                    .learn(|known| known.extended_passive = Works::No);
                return Err(
                    error.because("D44", ["a gateway swallows EPSV; PASV is used from now on"])
                );
            }
            other => other?,
        };
        if reply.code.class() == Class::Completion
            && let Ok(port) = answer::extended_passive(&reply)
        {
            return Ok(Extended::Port(port));
        }
        let refused = Way::ExtendedPassive.next(reply.code).is_some()
            || reply.code.class() == Class::Completion;
        if refused {
            self.context
                .memory
                .learn(|known| known.extended_passive = Works::No);
            return Ok(Extended::Refused);
        }
        Err(Error::refused(
            Step::Data,
            "EPSV",
            "no passive data connection",
            &reply,
        ))
    }

    /// PASV; `before` is what became of EPSV and is told when this fails as well.
    async fn passive_by_address(&mut self, before: Option<Error>) -> Result<TcpStream> {
        let limit = self.options().connect_timeout;
        let reply = self.ask_at(Step::Data, Request::Passive).await?;
        if reply.code.class() != Class::Completion {
            return Err(before.unwrap_or_else(|| diagnosis::passive_refused(&reply)));
        }
        let Ok(told) = answer::passive(&reply) else {
            return Err(diagnosis::passive_refused(&reply));
        };
        let target = SocketAddr::new(self.peer.ip(), told.port());
        let stream = connect_data(self.own.ip(), target, limit)
            .await
            .map_err(|error| {
                diagnosis::passive_failed(
                    target.ip(),
                    Some(IpAddr::V4(*told.ip())),
                    told.port(),
                    &error,
                    limit,
                )
            })?;
        self.context
            .memory
            .learn(|known| known.extended_passive = Works::No);
        Ok(stream)
    }

    async fn active(&mut self) -> Result<TcpListener> {
        let broken = |error: io::Error| {
            Error::new(Step::Data, Kind::Data, format!("cannot listen: {error}"))
        };
        let mut own = self.own;
        own.set_port(0);
        let listener = TcpListener::bind(own).await.map_err(broken)?;
        let address = listener.local_addr().map_err(broken)?;
        let mut reply = match address {
            SocketAddr::V4(v4) => self.ask_at(Step::Data, Request::Port(v4)).await?,
            SocketAddr::V6(_) => {
                self.ask_at(Step::Data, Request::ExtendedPort(address))
                    .await?
            }
        };
        if address.is_ipv4() && matches!(reply.code.value(), 500 | 502) {
            reply = self
                .ask_at(Step::Data, Request::ExtendedPort(address))
                .await?;
        }
        if reply.code.class() == Class::Completion {
            Ok(listener)
        } else {
            Err(diagnosis::active_refused(address, &reply))
        }
    }

    async fn first_reply(
        &mut self,
        of: Ticket,
        what: &str,
    ) -> Result<(Option<u64>, Option<Reply>)> {
        let limit = self.options().idle_timeout;
        loop {
            match self.event(Step::Transfer, limit).await? {
                Event::Preliminary { ticket, reply } if ticket == of => {
                    return Ok((answer::announced_size(&reply), None));
                }
                Event::Finished {
                    ticket,
                    verb,
                    reply,
                } if ticket == of => {
                    // RPL-52: done without a 1yz.
                    if reply.code.class() == Class::Completion {
                        return Ok((None, Some(reply)));
                    }
                    let error = Error::refused(Step::Transfer, verb, what, &reply);
                    return Err(self.with_data_cause(error, &reply, None));
                }
                _ => {}
            }
        }
    }

    async fn begin_active(
        &mut self,
        listener: &TcpListener,
        ticket: Ticket,
        what: &str,
    ) -> Result<(TcpStream, Option<u64>, Option<Reply>)> {
        let limit = self.options().connect_timeout;
        let own = self.own;
        let peer = self.peer.ip();
        let mut strangers = 0;
        let mut told = None;
        let accept = async {
            loop {
                let (stream, from) = listener.accept().await?;
                if from.ip() == peer {
                    return io::Result::Ok(stream);
                }
                strangers += 1;
            }
        };
        let accepted = timeout(limit + self.options().idle_timeout, async {
            let mut accept = pin!(accept);
            loop {
                tokio::select! {
                    stream = &mut accept => {
                        return stream.map_err(|error| connect::broken(Step::Data, &error));
                    }
                    first = self.first_reply(ticket, what), if told.is_none() => told = Some(first?),
                    // After its 150 the server has the time of any connection.
                    () = tokio::time::sleep(limit), if told.is_some() => {
                        return Err(Error::new(Step::Data, Kind::Data, "unanswered"));
                    }
                }
            }
        })
        .await;
        let stream = match accepted {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if told.is_none() => return Err(error),
            Ok(Err(_)) | Err(_) => {
                self.give_up();
                return Err(diagnosis::active_unanswered(own, strangers, limit));
            }
        };
        let (announced, ended) = match told {
            Some(told) => told,
            None => self.first_reply(ticket, what).await?,
        };
        Ok((stream, announced, ended))
    }
}

enum Extended {
    Port(u16),
    Refused,
}

/// What is left of a [`Running`] when its data connection has ended.
pub(crate) struct Ended {
    ticket: Ticket,
    ended: Option<Reply>,
    resumed: Option<bool>,
}

impl Running {
    /// Breaks the data connection, so that the server cannot take what it has for the whole.
    pub(crate) fn reset(self) {
        self.stream.reset();
    }

    /// Closes the data connection in order: what was written is delivered.
    pub(crate) async fn finish(self) -> Ended {
        let Self {
            ticket,
            stream,
            ended,
            resumed,
            ..
        } = self;
        security::part(stream).await;
        Ended {
            ticket,
            ended,
            resumed,
        }
    }
}

fn plain(stream: TcpStream) -> Result<DataStream> {
    let plain = stream
        .into_std()
        .map_err(|error| connect::broken(Step::Data, &error))?;
    Ok(DataStream::new(plain.into()))
}
