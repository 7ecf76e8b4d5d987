//! From a credential to a session that owns a view.
//!
//! The order is: ban, proof, the account's own conditions, its number of sessions, its view. What the
//! peer learns is one of four things; the true cause goes to the log.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use wharf_accounts::{Account, Attempt, Credential, Refusal};

use crate::{
    Session,
    accounts::ActiveAccount,
    engine::People,
    events::Event,
    session::{Guest, LoggedIn},
};

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
        self,
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
                cause: "the address is shut out (lockout)",
            });
            return Err(self.fail(LoginError::LockedOut, Duration::ZERO));
        }
        let attempt = Attempt {
            credential,
            peer,
            channel: self.channel(),
            now,
            unix_now,
        };
        let people = engine.people.load();
        let account = match people.accounts.log_in(&attempt).await {
            Ok(account) => account,
            Err(Refusal::Certificate | Refusal::Name(_))
                if matches!(credential, Credential::Certificate { .. }) =>
            {
                return Err(self.fail(LoginError::PasswordWanted, Duration::ZERO));
            }
            Err(refusal) => return Err(self.refused(credential, &refusal, now)),
        };
        let active = match engine.active.find(&account, people.generation) {
            Some(active) => active,
            None => match self.activate(account, people).await {
                Ok(active) => active,
                Err(cause) => {
                    self.tell(&Event::VolumeFailed { cause: &cause });
                    return Err(self.fail(LoginError::Unavailable, Duration::ZERO));
                }
            },
        };
        let Some(place) = active.take_place(policy.per_account) else {
            let cause = "the account has as many sessions as it may (max_sessions)";
            self.tell(&Event::LoginFailed {
                user: credential.user(),
                cause,
            });
            return Err(self.fail(LoginError::TooManySessions, Duration::ZERO));
        };
        if !active.account.is_anonymous() {
            // Anybody can log in as anonymous: it proves nothing about who guessed before.
            engine.lockout.succeeded(peer);
        }
        let note = match (credential, active.account.is_anonymous()) {
            (Credential::Anonymous { text }, _) => String::from_utf8_lossy(text).into_owned(),
            (Credential::Password { password, .. }, true) => {
                String::from_utf8_lossy(password.expose()).into_owned()
            }
            _ => String::new(),
        };
        let failures = self.state.failures;
        let session = self.with(LoggedIn::new(active, place, failures));
        session.tell(&Event::LoggedIn { note: &note });
        Ok(session)
    }

    async fn activate(
        &self,
        account: Arc<Account>,
        people: Arc<People>,
    ) -> Result<Arc<ActiveAccount>, String> {
        let engine = Arc::clone(self.engine());
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
