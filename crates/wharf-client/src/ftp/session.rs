//! One control connection: drives the client machine over a socket.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{io::Interest, sync::OnceCell, time::timeout};
use wharf_proto::ftp::{
    client::{Capabilities, Client, Event, Request, Settings, Ticket, Transmit},
    reply::{Class, Reply},
    server::Representation,
};
use wharf_transfer::DataStream;

use super::memory::Memory;
use crate::{
    Credentials, Error, Kind, Observer, Options, Result, Site, Step, connect, diagnosis,
    error::shown,
    local::blocking_result,
    tls::{self, Material, Mode, SessionTls, Trust, Version},
};

/// Octets read from the control connection at once.
const INPUT: usize = 16 * 1024;

/// What all sessions of a site share.
pub(crate) struct Context {
    pub(crate) site: Site,
    pub(crate) credentials: Credentials,
    pub(crate) options: Options,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) memory: Memory,
    pub(crate) trust: Trust,
    /// Held while a person is asked: sessions of one site do not ask side by side.
    pub(crate) asking: tokio::sync::Mutex<()>,
    material: OnceCell<Arc<Material>>,
}

impl Context {
    pub(crate) fn new(
        site: Site,
        credentials: Credentials,
        options: Options,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self {
            trust: Trust::new(&site, options.tls.trust_store.clone()),
            site,
            credentials,
            options,
            observer,
            memory: Memory::default(),
            asking: tokio::sync::Mutex::default(),
            material: OnceCell::new(),
        }
    }

    /// What TLS needs from files; read when the first handshake begins.
    pub(super) async fn material(&self) -> Result<Arc<Material>> {
        let load = || async {
            let settings = self.options.tls.clone();
            let loaded = blocking_result(move || Material::load(&settings)).await?;
            Ok(Arc::new(loaded))
        };
        self.material.get_or_try_init(load).await.cloned()
    }
}

/// Whether data connections are protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum DataProtection {
    /// In clear: there is no TLS, or the user permitted it.
    #[default]
    Clear,
    /// PROT P was agreed to.
    Private,
    /// PROT P was refused, and the user wants nothing in clear.
    Refused(Reply),
}

/// What became of the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// The login may follow.
    Ready,
    /// A person agreed to the certificate: everything again, on a new connection.
    AnotherConnection,
}

/// A session: logged in, in binary type.
pub(crate) struct Session {
    pub(super) stream: DataStream,
    pub(super) machine: Client,
    input: Vec<u8>,
    pub(super) context: Arc<Context>,
    pub(super) capabilities: Capabilities,
    pub(super) own: SocketAddr,
    pub(super) peer: SocketAddr,
    /// Directories below the one after login.
    pub(super) directory: Vec<Vec<u8>>,
    /// The directory after login, once asked for.
    pub(super) home: Option<Vec<u8>>,
    representation: Option<Representation>,
    pub(super) hash_chosen: bool,
    pub(super) tls: Option<SessionTls>,
    /// Of TLS, when there is any.
    pub(super) version: Version,
    pub(super) protection: DataProtection,
    broken: bool,
}

impl Session {
    /// Connects, begins TLS as far as wanted, and logs in.
    pub(crate) async fn open(context: &Arc<Context>) -> Result<Self> {
        loop {
            let mut session = Self::connect(context).await?;
            // A person agrees to a certificate at most once, as it is trusted from then on.
            if Box::pin(session.begin_session()).await? == Begun::AnotherConnection {
                continue;
            }
            session.log_in().await?;
            session.finish_security().await?;
            session.learn_capabilities().await?;
            return Ok(session);
        }
    }

    async fn connect(context: &Arc<Context>) -> Result<Self> {
        let stream = connect::connect(&context.site, &context.options).await?;
        let addresses = stream
            .local_addr()
            .and_then(|own| Ok((own, stream.peer_addr()?)));
        let (own, peer) = addresses.map_err(|error| connect::broken(Step::Connect, &error))?;
        // Commands are small and waited for.
        let _ = stream.set_nodelay(true);
        let settings = Settings {
            telnet_abort: context.options.telnet_abort,
            ..Settings::default()
        };
        Ok(Self {
            stream: DataStream::from_registered(stream),
            machine: match context.options.tls.mode {
                Mode::Implicit => Client::implicit(settings),
                Mode::Plain | Mode::Auto | Mode::Explicit => Client::new(settings),
            },
            input: vec![0; INPUT],
            context: Arc::clone(context),
            capabilities: Capabilities::default(),
            own,
            peer,
            directory: Vec::new(),
            home: None,
            representation: None,
            hash_chosen: false,
            tls: None,
            version: Version::default(),
            protection: DataProtection::Clear,
            broken: false,
        })
    }

    /// Whether another piece of work may use it.
    pub(crate) fn is_usable(&self) -> bool {
        !self.broken && self.machine.is_idle()
    }

    pub(super) fn options(&self) -> &Options {
        &self.context.options
    }

    pub(crate) fn note(&self, text: &str) {
        self.context.observer.note(text);
    }

    pub(super) async fn greet(&mut self) -> Result<()> {
        let limit = self.options().idle_timeout;
        loop {
            match self.event(Step::Greeting, limit).await {
                Ok(Event::Greeting(_)) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == Kind::TimedOut => {
                    return Err(diagnosis::no_greeting(&self.context.site, limit));
                }
                Err(error) if error.code().is_none() && error.is_retryable() => {
                    return Err(diagnosis::closed_before_greeting(&self.context.site));
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn log_in(&mut self) -> Result<()> {
        let user = self.context.credentials.user.clone();
        let password = self.context.credentials.password.expose().to_vec();
        let reply = self
            .ask_at(
                Step::Login,
                Request::Login {
                    user: user.clone(),
                    password,
                },
            )
            .await?;
        if reply.code.class() == Class::Completion {
            Ok(())
        } else {
            let secure = self.machine.is_secure();
            Err(diagnosis::login_refused(&user, &reply, secure))
        }
    }

    async fn learn_capabilities(&mut self) -> Result<()> {
        let context = Arc::clone(&self.context);
        if let Some(known) = context.memory.recall(|known| known.capabilities.clone()) {
            self.capabilities = known;
        } else {
            let reply = self.ask(Request::Features).await?;
            self.capabilities = Capabilities::parse(&reply);
            let learnt = self.capabilities.clone();
            context
                .memory
                .learn(|known| known.capabilities = Some(learnt));
        }
        if self.capabilities.utf8 {
            // RFC 2640 needs no such command, some servers do (INT-84); a refusal means nothing.
            self.ask(Request::Utf8).await?;
        }
        Ok(())
    }

    /// Sets the representation type for the next transfer.
    pub(crate) async fn represent(&mut self, wanted: Representation) -> Result<()> {
        if self.representation == Some(wanted) {
            return Ok(());
        }
        let reply = self.ask(Request::Type(wanted)).await?;
        if reply.code.class() != Class::Completion {
            return Err(Error::refused(
                Step::Command,
                "TYPE",
                "cannot set the transfer type",
                &reply,
            ));
        }
        self.representation = Some(wanted);
        Ok(())
    }

    /// Says goodbye; the answer is not waited for.
    pub(crate) async fn close(mut self) {
        if self.machine.request(Request::Quit).is_ok() {
            let goodbye = async {
                self.flush(Step::Command).await?;
                // TLS-11; a server that has closed already is not told.
                self.stream.end().await.unwrap_or_default();
                Ok::<(), Error>(())
            };
            let _ = timeout(Duration::from_secs(1), goodbye).await;
        }
    }

    /// Asks one thing and waits for its final reply, whatever it is.
    pub(crate) async fn ask(&mut self, request: Request) -> Result<Reply> {
        self.ask_at(Step::Command, request).await
    }

    pub(super) async fn ask_at(&mut self, step: Step, request: Request) -> Result<Reply> {
        let limit = self.options().idle_timeout;
        self.ask_within(step, request, limit).await
    }

    /// As [`Self::ask`]; a server that has not answered in full within `limit` is given up.
    pub(super) async fn ask_within(
        &mut self,
        step: Step,
        request: Request,
        limit: Duration,
    ) -> Result<Reply> {
        let ticket = self.queue(request)?;
        match timeout(limit, self.answer(step, ticket, limit)).await {
            Ok(result) => result,
            Err(_) => Err(self.unanswered(step, limit)),
        }
    }

    /// As [`Self::ask`], but the server may take as long as it likes while it says something now and
    /// then (hashing a large file).
    pub(super) async fn ask_patiently(&mut self, step: Step, request: Request) -> Result<Reply> {
        let limit = self.options().idle_timeout;
        let ticket = self.queue(request)?;
        self.answer(step, ticket, limit).await
    }

    pub(super) fn queue(&mut self, request: Request) -> Result<Ticket> {
        self.machine
            .request(request)
            .map_err(|error| Error::new(Step::Command, Kind::Usage, error.to_string()))
    }

    /// Waits for the final reply to a request.
    pub(super) async fn answer(
        &mut self,
        step: Step,
        of: Ticket,
        limit: Duration,
    ) -> Result<Reply> {
        loop {
            if let Event::Finished { ticket, reply, .. } = self.event(step, limit).await?
                && ticket == of
            {
                return Ok(reply);
            }
        }
    }

    pub(super) fn unanswered(&mut self, step: Step, limit: Duration) -> Error {
        self.broken = true;
        let text = format!("the server did not answer within {} s", limit.as_secs_f32());
        Error::new(step, Kind::TimedOut, text).retryable()
    }

    /// The next event; sends what is to be sent first. May be dropped and called again.
    pub(super) async fn event(&mut self, step: Step, limit: Duration) -> Result<Event> {
        loop {
            self.flush(step).await?;
            while let Some(event) = self.machine.poll_event() {
                self.show(&event);
                match event {
                    Event::Sent(_) => {}
                    Event::Lost { reply, .. } => {
                        self.broken = true;
                        return Err(diagnosis::session_lost(step, reply.as_ref()));
                    }
                    event => return Ok(event),
                }
            }
            match timeout(limit, self.stream.read(&mut self.input)).await {
                Err(_) => return Err(self.unanswered(step, limit)),
                Ok(Ok(0)) => self.machine.handle_end(),
                Ok(Ok(count)) => {
                    let bytes = self.input.get(..count).unwrap_or_default();
                    if let Err(error) = self.machine.handle_input(bytes) {
                        self.broken = true;
                        return Err(diagnosis::not_ftp(step, error));
                    }
                }
                Ok(Err(error)) => {
                    self.broken = true;
                    return Err(self.broke(step, &error));
                }
            }
        }
    }

    fn broke(&self, step: Step, error: &std::io::Error) -> Error {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
        let Some(cause) = cause else {
            return connect::broken(step, error);
        };
        // In TLS 1.3 a server refuses the client's certificate when the handshake is over for us.
        let settings = &self.options().tls;
        tls::handshake_failed(
            &self.context.site,
            cause,
            None,
            &self.context.trust,
            settings,
        )
    }

    pub(super) async fn flush(&mut self, step: Step) -> Result<()> {
        while let Some(transmit) = self.machine.poll_transmit() {
            let limit = self.context.options.idle_timeout;
            match timeout(limit, self.send(transmit)).await {
                Ok(Ok(())) => {}
                // What the server said before it closed is still to be read.
                Ok(Err(_)) => break,
                Err(_) => return Err(self.unanswered(step, limit)),
            }
        }
        Ok(())
    }

    async fn send(&mut self, transmit: Transmit) -> std::io::Result<()> {
        if !transmit.urgent {
            return self.stream.write_all(&transmit.bytes).await;
        }
        let sent = self
            .stream
            .when(Interest::WRITABLE, |socket| {
                let flags = rustix::net::SendFlags::OOB | rustix::net::SendFlags::NOSIGNAL;
                Ok(rustix::net::send(socket, &transmit.bytes, flags)?)
            })
            .await?;
        // Two octets either fit or the connection is of no use.
        if sent == transmit.bytes.len() {
            Ok(())
        } else {
            Err(std::io::ErrorKind::WriteZero.into())
        }
    }

    fn show(&self, event: &Event) {
        let observer = &self.context.observer;
        match event {
            Event::Sent(line) => observer.dialogue('>', &String::from_utf8_lossy(line)),
            Event::Delayed(reply)
            | Event::Greeting(reply)
            | Event::Unasked(reply)
            | Event::Preliminary { reply, .. }
            | Event::Intermediate { reply, .. }
            | Event::Finished { reply, .. }
            | Event::Lost {
                reply: Some(reply), ..
            } => {
                observer.dialogue('<', shown(reply).trim_matches('"'));
            }
            _ => {}
        }
    }

    /// The session cannot be used again.
    pub(crate) const fn give_up(&mut self) {
        self.broken = true;
    }
}
