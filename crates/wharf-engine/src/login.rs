//! From a credential to a session that owns a view.
//!
//! The order is: ban, proof, the account's own conditions, whether another proof is wanted, its number
//! of sessions, its view. What the peer learns is one of a few things; the true cause goes to the log.
//!
//! A proof that is right and not enough stays with the session, bound to its name. Keys are no guesses:
//! one that opens nothing is refused without a delay and counts towards no ban, since clients try
//! every key that they have; wrong passwords count for all protocols alike.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use wharf_accounts::{Account, Attempt, Credential, Offer, Proofs, Refusal, ssh_key::PublicKey};

use crate::{
    Session,
    accounts::ActiveAccount,
    engine::People,
    events::Event,
    session::{Guest, LoggedIn, Partial},
};

const BANNED: &str = "the address is shut out (lockout)";
const CROWDED: &str = "the account has as many sessions as it may (max_sessions)";

/// What the peer may learn of a failed login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// Name, password or conditions: one answer for all.
    Incorrect,
    /// The account has as many sessions as it may.
    TooManySessions,
    /// The address is shut out now.
    LockedOut,
    /// The password was right, and the account is for connections under TLS only.
    TlsRequired,
    /// The certificate does not open an account of that name: ask for the password. It counts as
    /// no failure and tells nothing about the name.
    PasswordWanted,
    /// What was given is right, and the account wants more of it. It counts as no failure; the session
    /// remembers what was given for as long as no other name is tried.
    FurtherProof {
        /// What is still wanted.
        wanted: Proofs,
    },
    /// We failed, not the peer.
    Unavailable,
}

/// A failed login.
pub struct LoginFailure {
    /// The session, still nobody's.
    pub session: Session<Guest>,
    /// What the peer may learn.
    pub error: LoginError,
    /// How long to wait before telling it.
    pub delay: Duration,
}

impl Session<Guest> {
    /// Logs in. `now` is the monotonic time, `unix_now` the wall clock in seconds since 1970.
    ///
    /// [`Credential::Certificate`] is believed for the certificate of the session's
    /// [channel](Session::channel) alone; [`LoginError::PasswordWanted`] says that it opens nothing.
    ///
    /// A login whose proof is fresh is answered without a hop to another thread.
    ///
    /// # Errors
    /// [`LoginFailure`], which gives the session back.
    pub async fn log_in(
        mut self,
        credential: &Credential,
        now: Instant,
        unix_now: u64,
    ) -> Result<Session<LoggedIn>, Box<LoginFailure>> {
        let engine = Arc::clone(self.engine());
        let policy = engine.policy.load();
        let peer = self.record().peer.ip();
        if engine.lockout.is_banned(peer, now, &policy.lockout) {
            self.tell(&Event::LoginFailed {
                user: credential.user(),
                cause: BANNED,
            });
            return Err(self.fail(LoginError::LockedOut, Duration::ZERO));
        }
        let user = credential.user();
        let proven = self.state.proven(user);
        if proven.is_empty() {
            self.state.partial = None;
        }
        let attempt = Attempt {
            credential,
            peer,
            channel: self.channel(),
            now,
            unix_now,
            proven,
        };
        let people = engine.people.load();
        let account = match people.accounts.log_in(&attempt).await {
            Ok(account) => account,
            Err(Refusal::Certificate | Refusal::Name(_))
                if matches!(credential, Credential::Certificate { .. }) =>
            {
                return Err(self.fail(LoginError::PasswordWanted, Duration::ZERO));
            }
            Err(Refusal::FurtherProof { proven, wanted }) => {
                self.remember(credential, proven);
                return Err(self.fail(LoginError::FurtherProof { wanted }, Duration::ZERO));
            }
            Err(refusal) => return Err(self.refused(credential, &refusal, now)),
        };
        let active = match self.find_or_activate(account, people).await {
            Ok(active) => active,
            Err(cause) => {
                self.tell(&Event::VolumeFailed { cause: &cause });
                return Err(self.fail(LoginError::Unavailable, Duration::ZERO));
            }
        };
        let Some(place) = active.take_place(policy.per_account) else {
            self.tell(&Event::LoginFailed {
                user: credential.user(),
                cause: CROWDED,
            });
            return Err(self.fail(LoginError::TooManySessions, Duration::ZERO));
        };
        if !active.account.is_anonymous() {
            // Anybody can log in as anonymous: it proves nothing about who guessed before.
            engine.lockout.succeeded(peer);
        }
        let partial = self.state.partial.take();
        let note = match (credential, active.account.is_anonymous()) {
            (Credential::Anonymous { text }, _) => String::from_utf8_lossy(text).into_owned(),
            (Credential::Password { password, .. }, true) => {
                String::from_utf8_lossy(password.expose()).into_owned()
            }
            _ => String::new(),
        };
        let key = match credential {
            // CVE-2024-45337: the key of the signature, never one that was merely offered.
            Credential::PublicKey { key, .. } => key.to_string(),
            _ => partial.and_then(|partial| partial.key).unwrap_or_default(),
        };
        let failures = self.state.failures;
        let session = self.with(LoggedIn::new(active, place, failures));
        session.tell(&Event::LoggedIn {
            note: &note,
            key: &key,
        });
        Ok(session)
    }

    /// Takes up an account that is known by where the peer comes from: there is no credential, and no
    /// login is told. The ban, the account's own conditions, its number of sessions and its view hold as
    /// for a login; an account whose tree is in use already is answered without a hop to another thread.
    ///
    /// # Errors
    /// [`LoginFailure`], which gives the session back; why is told, and nothing counts towards a ban.
    pub async fn enter(
        self,
        account: Arc<Account>,
        now: Instant,
        unix_now: u64,
    ) -> Result<Session<LoggedIn>, Box<LoginFailure>> {
        let engine = Arc::clone(self.engine());
        let policy = engine.policy.load();
        let peer = self.record().peer.ip();
        let wanted = Arc::clone(&account);
        let refuse = |session: Self, cause: &str, error| {
            let user = wanted.name.as_str().as_bytes();
            session.tell(&Event::LoginFailed { user, cause });
            session.fail(error, Duration::ZERO)
        };
        if engine.lockout.is_banned(peer, now, &policy.lockout) {
            return Err(refuse(self, BANNED, LoginError::LockedOut));
        }
        if let Err(refusal) = account.admit(Proofs::NONE, peer, self.channel(), unix_now) {
            return Err(refuse(self, &refusal.to_string(), LoginError::Incorrect));
        }
        let people = engine.people.load();
        let active = self.find_or_activate(account, people).await;
        let active = match active {
            Ok(active) => active,
            Err(cause) => {
                self.tell(&Event::VolumeFailed { cause: &cause });
                return Err(self.fail(LoginError::Unavailable, Duration::ZERO));
            }
        };
        let Some(place) = active.take_place(policy.per_account) else {
            return Err(refuse(self, CROWDED, LoginError::TooManySessions));
        };
        Ok(self.with(LoggedIn::new(active, place, 0)))
    }

    /// Whether the peer may sign with `key` to log in as `user`: the answer to an offer without a
    /// signature, which proves nothing and counts as nothing. For a certificate `key` is its own key; where
    /// certificates may be accepted the answer is yes for every key and name, since the front end cannot
    /// show the certificate before its signature.
    ///
    /// The same work is done and the same answer given for names that nobody has (CVE-2018-15473).
    pub async fn would_accept_key(
        &self,
        user: &[u8],
        key: &PublicKey,
        now: Instant,
        unix_now: u64,
    ) -> bool {
        let engine = self.engine();
        let peer = self.record().peer.ip();
        if engine
            .lockout
            .is_banned(peer, now, &engine.policy.load().lockout)
        {
            return false;
        }
        let offer = Offer {
            user,
            key,
            peer,
            channel: self.channel(),
            now,
            unix_now,
        };
        let people = engine.people.load();
        match people.accounts.knows_key(&offer).await {
            Ok(is_known) => is_known,
            Err(refusal) => {
                let cause = refusal.to_string();
                self.tell(&Event::LoginFailed {
                    user,
                    cause: &cause,
                });
                false
            }
        }
    }

    fn remember(&mut self, credential: &Credential, proven: Proofs) {
        let key = match credential {
            Credential::PublicKey { key, .. } => Some(key.to_string()),
            _ => self.state.partial.take().and_then(|partial| partial.key),
        };
        self.state.partial = Some(Box::new(Partial {
            user: credential.user().to_owned(),
            proven,
            key,
        }));
    }

    /// The account in use; its view is made first where there is none.
    async fn find_or_activate(
        &self,
        account: Arc<Account>,
        people: Arc<People>,
    ) -> Result<Arc<ActiveAccount>, String> {
        let engine = Arc::clone(self.engine());
        if let Some(active) = engine.active.find(&account, people.generation) {
            return Ok(active);
        }
        tokio::task::spawn_blocking(move || {
            let view = people.views.view(&account)?;
            Ok(engine.active.insert(account, view, people.generation))
        })
        .await
        .map_err(|error| error.to_string())?
    }

    fn refused(
        mut self,
        credential: &Credential,
        refusal: &Refusal,
        now: Instant,
    ) -> Box<LoginFailure> {
        let cause = refusal.to_string();
        self.tell(&Event::LoginFailed {
            user: credential.user(),
            cause: &cause,
        });
        if refusal.is_ours() {
            return self.fail(LoginError::Unavailable, Duration::ZERO);
        }
        if matches!(credential, Credential::PublicKey { .. }) {
            return self.fail(LoginError::Incorrect, Duration::ZERO);
        }
        self.state.failures += 1;
        let policy = self.engine().policy.load();
        let peer = self.record().peer.ip();
        let delay = self
            .engine()
            .lockout
            .failed(peer, now, self.state.failures, &policy.lockout);
        let error = match refusal {
            Refusal::TlsRequired => LoginError::TlsRequired,
            _ => LoginError::Incorrect,
        };
        self.fail(error, delay)
    }

    fn fail(self, error: LoginError, delay: Duration) -> Box<LoginFailure> {
        Box::new(LoginFailure {
            session: self,
            error,
            delay,
        })
    }
}
