//! A session from accept to close, as the type system sees it.
//!
//! Only a `Session<LoggedIn>` owns a [`View`]: a front end that forgets to authorise does not
//! compile, because before login there is nothing to act on.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use wharf_accounts::{Channel, Proofs};
use wharf_vfs::View;

use crate::{
    Engine, Lease,
    accounts::{ActiveAccount, Place},
    events::{Event, Origin},
    registry::{Record, Registered},
};

/// Nobody has logged in.
#[derive(Debug)]
pub struct Guest {
    pub(crate) failures: u32,
    /// What was proved of one account that wants more.
    pub(crate) partial: Option<Box<Partial>>,
}

/// Proofs that were right and not enough: of this one name, until another one is tried.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) user: Vec<u8>,
    pub(crate) proven: Proofs,
    /// The proven key in words, for the log.
    pub(crate) key: Option<String>,
}

impl Guest {
    const fn new(failures: u32) -> Self {
        Self {
            failures,
            partial: None,
        }
    }

    /// What was proved under `user`.
    pub(crate) fn proven(&self, user: &[u8]) -> Proofs {
        self.partial
            .as_ref()
            .filter(|partial| partial.user == user)
            .map_or(Proofs::NONE, |partial| partial.proven)
    }
}

/// An account has logged in.
#[derive(Debug)]
pub struct LoggedIn {
    pub(crate) account: Arc<ActiveAccount>,
    pub(crate) failures: u32,
    _place: Place,
}

impl LoggedIn {
    pub(crate) const fn new(account: Arc<ActiveAccount>, place: Place, failures: u32) -> Self {
        Self {
            account,
            failures,
            _place: place,
        }
    }
}

/// A session in state `S`.
pub struct Session<S> {
    engine: Arc<Engine>,
    registered: Registered,
    lease: Lease,
    channel: Channel,
    pub(crate) state: S,
}

impl Session<Guest> {
    /// A session that is one transfer: its transfer tells of it, so neither its beginning nor its end
    /// is told.
    pub fn open_quietly(
        engine: Arc<Engine>,
        lease: Lease,
        service: &'static str,
        peer: SocketAddr,
        local: SocketAddr,
        now: Instant,
    ) -> Self {
        let registered = engine.registry.enter(service, peer, local, now);
        Self {
            engine,
            registered,
            lease,
            channel: Channel::default(),
            state: Guest::new(0),
        }
    }

    /// A session of a connection that was let in.
    pub fn open(
        engine: Arc<Engine>,
        lease: Lease,
        service: &'static str,
        peer: SocketAddr,
        local: SocketAddr,
        now: Instant,
    ) -> Self {
        let session = Self::open_quietly(engine, lease, service, peer, local, now);
        session.tell(&Event::Opened { peer });
        session
    }

    pub(crate) fn with(self, state: LoggedIn) -> Session<LoggedIn> {
        self.registered
            .record()
            .set_account(Some(Arc::clone(&state.account.name)));
        self.lease.set_logged_in(true);
        let Self {
            engine,
            registered,
            lease,
            channel,
            ..
        } = self;
        Session {
            engine,
            registered,
            lease,
            channel,
            state,
        }
    }
}

impl Session<LoggedIn> {
    /// The account's sight of the tree.
    pub fn view(&self) -> &View {
        &self.state.account.view
    }

    /// What its sessions share.
    pub const fn account(&self) -> &Arc<ActiveAccount> {
        &self.state.account
    }

    /// Logs out; the connection stays.
    pub fn log_out(self) -> Session<Guest> {
        self.registered.record().set_account(None);
        self.lease.set_logged_in(false);
        let Self {
            engine,
            registered,
            lease,
            channel,
            state,
        } = self;
        // The count of failures is the connection's and outlives the login.
        Session {
            engine,
            registered,
            lease,
            channel,
            state: Guest::new(state.failures),
        }
    }
}

impl<S> Session<S> {
    /// What all sessions share.
    pub const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// What protects the connection now; plaintext until told otherwise.
    pub const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Tells what protects the connection from now on. Logins look at it: an account may require
    /// TLS or a certificate.
    pub fn set_channel(&mut self, channel: Channel) {
        self.channel = channel;
    }

    /// What others see of this session.
    pub const fn record(&self) -> &Arc<Record> {
        self.registered.record()
    }

    /// Whose events these are.
    pub fn origin(&self) -> Origin {
        let record = self.record();
        Origin {
            session: Some(record.id),
            service: record.service,
            peer: Some(record.peer.ip()),
            account: record.account(),
        }
    }

    /// Tells of an event of this session.
    pub fn tell(&self, event: &Event<'_>) {
        self.engine.bus.emit(&self.origin(), event);
    }
}
