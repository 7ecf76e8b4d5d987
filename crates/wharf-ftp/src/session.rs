//! What a control connection knows between two commands.
//!
//! The machine keeps what may be said next; this keeps what can be done: who is logged in, where he
//! stands, and how the next data connection comes about. One task owns it; a running transfer gets
//! what it needs by value and reports by its result.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use wharf_accounts::Channel;
use wharf_engine::{
    Abort, Engine, Guest, LoggedIn, Session, SessionTls, Transfers,
    events::{Event, FileChange, Origin},
};
use wharf_proto::ftp::{
    Pathname, Protection,
    server::{Outcome, Reason, RequireTls, TlsRules},
};
use wharf_transfer::Meter;
use wharf_vfs::{Right, View, VirtualPath};

use crate::{
    FtpFrontEnd, Settings, clock,
    data_connection::{DataPath, Ends},
    replies,
};

/// Who is at the other end.
pub(crate) enum Who {
    /// Nobody has logged in.
    Guest(Session<Guest>),
    /// An account.
    User(Session<LoggedIn>),
    /// Only while a login is under way.
    Changing,
}

/// A transfer, or another action that takes its time, beside the control connection.
pub(crate) struct Running {
    /// Gives its outcome; borrowed from nobody.
    pub(crate) work: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    /// How to stop it.
    pub(crate) abort: Arc<Abort>,
    /// How far it is.
    pub(crate) meter: Arc<Meter>,
    /// Since when.
    pub(crate) started: Instant,
    /// Few octets go out: worth a try before the 150 does.
    pub(crate) short: bool,
}

/// What an action came to.
pub(crate) enum Reaction {
    /// It is over.
    Over(Outcome),
    /// It has begun: this outcome now, the other from the running work.
    Begun(Outcome, Running),
    /// Nothing to tell until the running work is over.
    Working(Running),
}

impl From<Outcome> for Reaction {
    fn from(outcome: Outcome) -> Self {
        Self::Over(outcome)
    }
}

/// What a control connection knows.
pub(crate) struct FtpSession {
    pub(crate) front_end: Arc<FtpFrontEnd>,
    /// Of this connection for its whole life; a reload changes the next one's.
    pub(crate) settings: Arc<Settings>,
    pub(crate) who: Who,
    pub(crate) ends: Ends,
    /// Where relative names begin.
    pub(crate) directory: VirtualPath,
    /// When it was last found to be there.
    pub(crate) directory_seen: Option<Instant>,
    pub(crate) data: DataPath,
    /// When a passive listener that nobody used is closed.
    pub(crate) listens_until: Instant,
    /// The mask for new files, 0 to 0o777.
    pub(crate) umask: u32,
    pub(crate) idle_limit: Duration,
    /// What the last transfer came to, for STAT.
    pub(crate) last_transfer: Option<(u64, Duration)>,
    /// TLS of the control connection and of its data connections, once AUTH was said or from the
    /// start; it outlives CCC.
    pub(crate) tls: Option<SessionTls>,
    /// Of the next data connection, as the machine has it.
    pub(crate) protection: Protection,
    /// SHA-256 of the certificate that the account was entered with.
    pub(crate) certificate: Option<[u8; 32]>,
}

impl FtpSession {
    /// What all sessions share.
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        self.front_end.engine()
    }

    /// The account's session.
    ///
    /// # Errors
    /// The machine asked before login, which its table forbids: a refusal, not a panic.
    pub(crate) const fn user(&self) -> Result<&Session<LoggedIn>, Outcome> {
        match &self.who {
            Who::User(session) => Ok(session),
            Who::Guest(_) | Who::Changing => {
                Err(Outcome::Refused(wharf_proto::ftp::server::Refusal {
                    reason: Reason::Denied,
                    name: Vec::new(),
                    detail: String::new(),
                }))
            }
        }
    }

    /// The account's sight of the tree.
    pub(crate) fn view(&self) -> Result<&View, Outcome> {
        Ok(self.user()?.view())
    }

    /// What a pathname means here.
    pub(crate) fn resolve(&self, name: &Pathname) -> Result<VirtualPath, Outcome> {
        VirtualPath::parse(&self.directory, name.as_bytes())
            .map_err(|error| replies::bad_path(&error, name.as_bytes()))
    }

    /// Whose events these are.
    pub(crate) fn origin(&self) -> Origin {
        match &self.who {
            Who::Guest(session) => session.origin(),
            Who::User(session) => session.origin(),
            Who::Changing => Origin {
                service: self.front_end.name(),
                ..Origin::default()
            },
        }
    }

    /// Tells of an event.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.engine().bus.emit(&self.origin(), event);
    }

    /// Tells of a change of the tree.
    pub(crate) fn changed(&self, change: FileChange<'_>) {
        self.tell(&Event::Changed(change));
    }

    /// A refusal; what the back end said goes to the log.
    pub(crate) fn refused(&self, error: &wharf_vfs::Error, name: &[u8]) -> Outcome {
        if let Some(cause) = replies::for_the_log(error) {
            self.tell(&Event::VolumeFailed { cause: &cause });
        }
        replies::refused(error, name)
    }

    /// ANON-03: of SITE and its kin an anonymous user has HELP and IDLE.
    ///
    /// # Errors
    /// A refusal for `name`.
    pub(crate) fn check_somebody(&self, name: &[u8]) -> Result<(), Outcome> {
        if self.user()?.account().account.is_anonymous() {
            return Err(replies::refused_because(Reason::Denied, name, ""));
        }
        Ok(())
    }

    /// What a transfer needs.
    pub(crate) fn transfers(&self) -> Result<Transfers, Outcome> {
        let user = self.user()?;
        Ok(Transfers {
            engine: Arc::clone(self.engine()),
            origin: user.origin(),
            account: Arc::clone(user.account()),
            stall_timeout: self.settings.data.stall_timeout,
            meter: Arc::default(),
            abort: Arc::default(),
            started: clock::now(),
        })
    }

    /// Leaves the account: nothing of it stays.
    pub(crate) fn log_out(&mut self) {
        self.who = match std::mem::replace(&mut self.who, Who::Changing) {
            Who::User(session) => Who::Guest(session.log_out()),
            other => other,
        };
        self.data = DataPath::None;
        self.ends.fxp = false;
        self.directory = VirtualPath::root();
        self.directory_seen = None;
        self.last_transfer = None;
        self.certificate = None;
        self.idle_limit = self.settings.machine.idle_timeout;
    }

    /// Enters an account.
    pub(crate) fn enter(&mut self, session: Session<LoggedIn>) {
        let view = session.view();
        self.directory = view.home().clone();
        self.directory_seen = None;
        self.umask = view.settings().umask;
        // DAT-18: never for anonymous.
        self.ends.fxp = view.rights(&self.directory).has(Right::Fxp)
            && !session.account().account.is_anonymous();
        self.certificate = match session.channel() {
            channel @ Channel::Tls {
                certificate: Some(certificate),
                ..
            } if channel.proves_one_of(&session.account().account.certificates) => {
                Some(certificate.sha256)
            }
            _ => None,
        };
        self.who = Who::User(session);
    }

    /// Tells the login what protects the connection from now on.
    pub(crate) fn set_channel(&mut self, channel: Channel) {
        match &mut self.who {
            Who::Guest(session) => session.set_channel(channel),
            Who::User(session) => session.set_channel(channel),
            Who::Changing => {}
        }
    }

    /// What must be under TLS for the account: what the service asks for, and what the account does.
    pub(crate) fn tls_rules(&self) -> TlsRules {
        let rules = self.settings.machine.tls;
        let Ok(user) = self.user() else {
            return rules;
        };
        let account = user.account().account.require_tls;
        let login = rules.require.login() || account.login();
        let data = rules.require.data() || account.data();
        TlsRules {
            require: match (login, data) {
                (true, true) => RequireTls::Both,
                (true, false) => RequireTls::Login,
                (false, true) => RequireTls::Data,
                (false, false) => RequireTls::No,
            },
            ..rules
        }
    }

    /// Whether the next data connection is under TLS.
    pub(crate) fn is_protected(&self) -> bool {
        self.protection == Protection::Private
    }
}
