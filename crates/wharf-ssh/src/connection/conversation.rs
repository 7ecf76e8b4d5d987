//! What a peer says on its connection, as russh hands it over, and what comes of it.
//!
//! Everything here runs in the transport's task, between two packets: it must not wait for anything
//! that needs this connection to go on. Only logins wait, before there is anything else to do.
//! Requests that are not in the table of SFT-07 and SFT-08 are refused by what is not here: russh
//! answers an unknown channel type, global request or channel request with a failure.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use russh::{
    Channel, ChannelId, ChannelOpenFailure, Pty,
    server::{
        Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session as Transport,
        VerifiedPublicKey,
    },
};
use ssh_key::{Algorithm, Certificate};
use tokio::sync::Notify;
use wharf_accounts::{Credential, ProvenKey};
use wharf_engine::{Guest, LoggedIn, Record, Session};

use super::{
    Farewell, Reason, Shared, pipe,
    running::{Open, Place, Running, SftpChannel, end},
};
use crate::{
    Settings,
    authentication::{self, Attempted, attempt, reject},
    channel::{InlineOutbox, LateOutbox},
    clock, exec,
    sftp::{self, Sftp, Uploads},
};

/// What somebody gets who wants a shell (SFT-08).
const NO_SHELL: &str = "This service allows SFTP and SCP only.\r\n";

/// Smallest packet that a peer may ask us to send, octets: below it every octet would cost a packet.
const MIN_PACKET: usize = 512;

/// Channels of a connection in its whole life. The transport keeps a few octets of each that we
/// closed first.
const MAX_CHANNELS_EVER: u32 = 10_000;

/// Why a connection ends with a channel that was closed before its window let all octets go.
const NEVER_TAKEN: Farewell = Farewell {
    reason: Reason::ByApplication,
    text: "A channel was closed before it took what it had asked for.",
    cause: "a closed channel never took its octets",
};

/// Standard error of a channel (RFC 4254 section 5.2).
const STDERR: u32 = 1;

/// Who is at the other end.
enum Who {
    /// Nobody has logged in.
    Guest(Box<Session<Guest>>),
    /// An account.
    User(Arc<Session<LoggedIn>>),
    /// Only while a login is under way.
    Changing,
}

/// A connection, as the transport's task has it.
pub(crate) struct Conversation {
    who: Who,
    settings: Arc<Settings>,
    record: Arc<Record>,
    shared: Arc<Shared>,
    /// Of the key that was offered last: a certificate comes without its algorithm.
    offered: Option<Algorithm>,
    channels: HashMap<ChannelId, Open>,
    /// Those of now, with those that are still being ended.
    open: Arc<AtomicUsize>,
    ever: u32,
    /// Uploads that are not visible yet, of all channels.
    uploads: Uploads,
}

impl Drop for Conversation {
    /// However the transport ended: what still runs on its channels is ended by the other task.
    fn drop(&mut self) {
        let left = self
            .channels
            .drain()
            .filter_map(|(_, open)| match open.running {
                Running::Sftp(channel) => Some(channel.sftp.clone()),
                Running::Exec(feed) => {
                    feed.close();
                    None
                }
                Running::Nothing => None,
            });
        self.shared.leave(left);
    }
}

impl Conversation {
    pub(crate) fn new(guest: Session<Guest>, settings: Arc<Settings>, shared: Arc<Shared>) -> Self {
        Self {
            record: Arc::clone(guest.record()),
            who: Who::Guest(Box::new(guest)),
            settings,
            shared,
            offered: None,
            channels: HashMap::new(),
            open: Arc::default(),
            ever: 0,
            uploads: Uploads::default(),
        }
    }

    /// Tries a credential.
    async fn log_in(&mut self, credential: Credential) -> Auth {
        let Who::Guest(guest) = std::mem::replace(&mut self.who, Who::Changing) else {
            return reject();
        };
        match Box::pin(attempt(*guest, &credential)).await {
            Attempted::In(session) => {
                self.record.touch(clock::now());
                self.who = Who::User(Arc::new(*session));
                Auth::Accept
            }
            Attempted::Out(guest, answer) => {
                self.who = Who::Guest(guest);
                answer
            }
            Attempted::Over(guest, farewell) => {
                self.who = Who::Guest(guest);
                self.shared.bid_farewell(farewell);
                reject()
            }
        }
    }

    /// A channel of now on which nothing runs yet, and the account.
    fn free(&mut self, id: ChannelId) -> Option<(&mut Open, Arc<Session<LoggedIn>>)> {
        let Who::User(session) = &self.who else {
            return None;
        };
        let open = self.channels.get_mut(&id)?;
        matches!(open.running, Running::Nothing).then(|| (open, Arc::clone(session)))
    }

    fn late(&self, id: ChannelId, transport: &Transport) -> LateOutbox {
        LateOutbox::new(transport.handle(), id, Arc::clone(&self.shared.brake))
    }

    /// Says a line on standard error, and that it is over.
    fn refuse(
        &mut self,
        id: ChannelId,
        text: String,
        exit_status: u32,
        transport: &mut Transport,
    ) -> Result<(), russh::Error> {
        self.channels.remove(&id);
        transport.extended_data(id, STDERR, text.into_bytes())?;
        transport.exit_status_request(id, exit_status)?;
        transport.eof(id)?;
        transport.close(id)
    }

    /// Octets broke a rule of SFTP: the channel is closed (SFT-20).
    fn break_off(&mut self, id: ChannelId, transport: &mut Transport) -> Result<(), russh::Error> {
        if let Some(open) = self.channels.remove(&id) {
            end(open, None);
        }
        transport.exit_status_request(id, 1)?;
        transport.eof(id)?;
        transport.close(id)?;
        self.leave_nothing(id, transport)
    }

    /// Ends the connection where the transport still has octets for a channel that is over: nobody
    /// will ever take them, the transport lets none of them go, and what others say late waits behind.
    fn leave_nothing(&self, id: ChannelId, transport: &mut Transport) -> Result<(), russh::Error> {
        if !transport.has_pending_data(id) {
            return Ok(());
        }
        self.shared.bid_farewell(NEVER_TAKEN);
        // At once: what goes by the session's queue waits behind those octets as well.
        transport.disconnect(NEVER_TAKEN.reason.into(), NEVER_TAKEN.text, "en")
    }
}

fn public_key(user: &str, key: ProvenKey) -> Credential {
    Credential::PublicKey {
        user: user.into(),
        key,
    }
}

impl Handler for Conversation {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, Self::Error> {
        Ok(reject())
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(self.log_in(Credential::password(user, password)).await)
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        if !authentication::takes(&self.settings, offer.algorithm) {
            return Ok(reject());
        }
        let Who::Guest(guest) = &self.who else {
            return Ok(reject());
        };
        self.offered = Some(offer.algorithm.clone());
        let is_wanted = Box::pin(guest.would_accept_key(
            user.as_bytes(),
            offer.public_key,
            clock::now(),
            clock::unix_now(),
        ))
        .await;
        Ok(if is_wanted { Auth::Accept } else { reject() })
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let proven = ProvenKey::key(key.algorithm.clone(), key.public_key);
        Ok(self.log_in(public_key(user, proven)).await)
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Self::Error> {
        let Some(algorithm) = self.offered.take() else {
            return Ok(reject());
        };
        let proven = ProvenKey::certificate(algorithm, certificate);
        Ok(self.log_in(public_key(user, proven)).await)
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(mut response) = response else {
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Password: ".into(), false)].into(),
            });
        };
        let (password, more) = (response.next(), response.next());
        match (password, more) {
            (Some(password), None) => Ok(self.log_in(Credential::password(user, password)).await),
            _ => Ok(reject()),
        }
    }

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        Ok(self.settings.banner.clone())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Transport,
    ) -> Result<(), Self::Error> {
        let room = channel.writable_packet_size().await;
        let is_draining = self.record.ending() != wharf_engine::Ending::None;
        let before = self.open.load(Ordering::Relaxed);
        if room < MIN_PACKET
            || is_draining
            || before >= self.settings.max_channels
            || self.ever >= MAX_CHANNELS_EVER
        {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.record.touch(clock::now());
        self.channels.retain(|_, open| !open.is_over());
        self.open.fetch_add(1, Ordering::Relaxed);
        self.ever += 1;
        self.channels.insert(
            channel.id(),
            Open {
                running: Running::Nothing,
                place: Some(Place(Arc::clone(&self.open))),
            },
        );
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        transport: &mut Transport,
    ) -> Result<(), Self::Error> {
        let late = self.late(id, transport);
        let settings = Arc::clone(&self.settings.sftp);
        let uploads = self.uploads.clone();
        let Some((open, session)) = self.free(id).filter(|_| name == "sftp") else {
            return transport.channel_failure(id);
        };
        open.running = Running::Sftp(Arc::new(SftpChannel {
            sftp: Sftp::new(sftp::Context {
                session,
                settings,
                uploads,
                late,
            }),
        }));
        transport.channel_success(id)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        line: &[u8],
        transport: &mut Transport,
    ) -> Result<(), Self::Error> {
        let late = self.late(id, transport);
        let allowed = exec::Allowed {
            scp: self.settings.scp,
            helpers: self.settings.exec_helpers,
            hash_max_bytes: self.settings.sftp.hash_max_bytes,
        };
        let Some((open, session)) = self.free(id) else {
            return transport.channel_failure(id);
        };
        // A refusal is no failure of the channel: some clients take that as fatal (SFT-70).
        let (feed, stream) = pipe::pipe(late.clone());
        open.running = Running::Exec(feed.clone());
        let place = open.place.take();
        let line = line.to_vec();
        tokio::spawn(async move {
            let gone = Notify::new();
            let work = exec::run(stream, &line, allowed, session, gone.notified());
            let pump = async {
                let pumped = feed.pump().await;
                gone.notify_one();
                pumped
            };
            let (ended, pumped) = tokio::join!(Box::pin(work), pump);
            if pumped.is_ok() {
                // Once something cannot be sent, nothing can.
                let _ = late.send_error(ended.stderr.into()).await;
                late.finish(ended.status).await;
            }
            feed.close();
            drop(place);
        });
        transport.channel_success(id)
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        transport: &mut Transport,
    ) -> Result<(), Self::Error> {
        if self.free(id).is_none() {
            return transport.channel_failure(id);
        }
        // The text comes first: OpenSSH leaves as soon as it reads the failure.
        transport.extended_data(id, STDERR, NO_SHELL.as_bytes())?;
        transport.channel_failure(id)?;
        self.refuse(id, String::new(), 1, transport)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        transport: &mut Transport,
    ) -> Result<(), Self::Error> {
        transport.channel_failure(id)
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        transport: &mut Transport,
    ) -> Result<(), Self::Error> {
        transport.channel_failure(id)
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: &str,
        transport: &mut Transport,
    ) -> Result<(), Self::Error> {
        transport.channel_failure(id)
    }

    async fn window_change_request(
        &mut self,
        id: ChannelId,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        transport: &mut Transport,
    ) -> Result<(), Self::Error> {
        transport.channel_failure(id)
    }

    async fn data(
        &mut self,
        id: ChannelId,
        octets: &[u8],
        transport: &mut Transport,
    ) -> Result<(), Self::Error> {
        let Some(open) = self.channels.get(&id) else {
            return Ok(());
        };
        self.record.touch(clock::now());
        match &open.running {
            Running::Nothing => Ok(()),
            Running::Exec(feed) => {
                feed.data(octets);
                Ok(())
            }
            Running::Sftp(channel) => {
                let mut outbox = InlineOutbox {
                    session: transport,
                    id,
                    waiting: channel,
                    stream: Some(&self.shared.brake),
                };
                match channel.sftp.handle_input(octets, &mut outbox) {
                    Ok(()) => Ok(()),
                    Err(_) => self.break_off(id, transport),
                }
            }
        }
    }

    async fn window_adjusted(
        &mut self,
        id: ChannelId,
        _: u32,
        transport: &mut Transport,
    ) -> Result<(), Self::Error> {
        let Some(open) = self.channels.get(&id) else {
            return Ok(());
        };
        // Whoever takes what we send is there.
        self.record.touch(clock::now());
        let Running::Sftp(channel) = &open.running else {
            return Ok(());
        };
        let mut outbox = InlineOutbox {
            session: transport,
            id,
            waiting: channel,
            stream: Some(&self.shared.brake),
        };
        match channel.sftp.handle_room(&mut outbox) {
            Ok(()) => Ok(()),
            Err(_) => self.break_off(id, transport),
        }
    }

    async fn channel_eof(
        &mut self,
        id: ChannelId,
        transport: &mut Transport,
    ) -> Result<(), Self::Error> {
        let late = self.late(id, transport);
        match self.channels.get(&id).map(|open| &open.running) {
            Some(Running::Exec(feed)) => feed.eof(),
            Some(Running::Sftp(channel)) => {
                // Replies that were put off go before the end.
                let mut outbox = InlineOutbox {
                    session: transport,
                    id,
                    waiting: channel,
                    stream: None,
                };
                let _ = channel.sftp.handle_room(&mut outbox);
                if let Some(open) = self.channels.remove(&id) {
                    end(open, Some(late));
                }
            }
            // Nothing will ever run here.
            Some(Running::Nothing) => {
                self.channels.remove(&id);
                transport.eof(id)?;
                transport.close(id)?;
            }
            None => {}
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        id: ChannelId,
        transport: &mut Transport,
    ) -> Result<(), Self::Error> {
        if let Some(open) = self.channels.remove(&id) {
            end(open, None);
        }
        self.leave_nothing(id, transport)
    }
}
