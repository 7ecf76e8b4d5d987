//! Who is there: USER, PASS, ACCT, REIN, QUIT.
//!
//! Nothing here knows an account. Every refusal that depends on the name reads the same (RFC 2577 5);
//! the delay after a failure and the equal timing are the session's. RFC 959 4.1.1.

use super::{
    Action, CloseReason, LoginRefusal, Outcome, Representation, Server, texts,
    work::{Question, Sequence, Work},
};
use crate::ftp::facts::FactSet;

/// Longest user name in octets.
const USER_LIMIT: usize = 256;

/// How far a login is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// No USER yet.
    AwaitUser,
    /// USER was accepted.
    AwaitPassword {
        /// Its argument.
        user: Vec<u8>,
    },
    /// The session checks.
    Authenticating {
        /// The argument of USER.
        user: Vec<u8>,
    },
    /// PASS was accepted.
    LoggedIn {
        /// The argument of USER.
        user: Vec<u8>,
    },
}

impl Server {
    pub(super) fn user(&mut self, user: Vec<u8>) {
        if user.len() > USER_LIMIT || user.iter().any(u8::is_ascii_control) {
            self.say(texts::BAD_USER_NAME);
        } else if self.is_logged_in() {
            self.forget_login();
            self.ask(Action::Logout, Question::NextUser(user));
        } else {
            self.identify(user);
        }
    }

    /// Who has shown a certificate may need no password (TLS-09).
    fn identify(&mut self, user: Vec<u8>) {
        if self.shows_certificate() {
            self.login = Login::Authenticating { user: user.clone() };
            self.ask(Action::IdentifyByCertificate { user }, Question::Identify);
        } else {
            self.await_password(user);
        }
    }

    fn await_password(&mut self, user: Vec<u8>) {
        self.say(if self.is_anonymous(&user) {
            texts::ANONYMOUS_PASSWORD
        } else {
            texts::PASSWORD_REQUIRED
        });
        self.login = Login::AwaitPassword { user };
    }

    /// RFC 1635 has both names.
    pub(super) fn is_anonymous(&self, user: &[u8]) -> bool {
        self.settings.anonymous
            && (user.eq_ignore_ascii_case(b"anonymous") || user.eq_ignore_ascii_case(b"ftp"))
    }

    pub(super) fn password(&mut self, password: Vec<u8>) {
        match std::mem::replace(&mut self.login, Login::AwaitUser) {
            Login::AwaitPassword { user } => {
                self.login = Login::Authenticating { user: user.clone() };
                self.ask(Action::Authenticate { user, password }, Question::Login);
            }
            // The table lets nobody else come here.
            login => {
                self.login = login;
                self.say(texts::USER_FIRST);
            }
        }
    }

    pub(super) fn account(&mut self) {
        self.say(if self.is_logged_in() {
            texts::NO_ACCOUNT_NEEDED
        } else {
            texts::USER_FIRST
        });
    }

    pub(super) fn reinitialize(&mut self) {
        let was_logged_in = self.is_logged_in();
        self.forget_login();
        self.forget_parameters();
        if was_logged_in {
            self.ask(Action::Logout, Question::Reinitialize);
        } else {
            self.reinitialized();
        }
    }

    /// What was set is as at the start.
    pub(super) fn forget_parameters(&mut self) {
        self.representation = Representation::Ascii;
        self.facts = FactSet::DEFAULT;
        self.hash = super::HashAlgorithm::Sha256;
        self.idle_timeout = self.settings.idle_timeout;
        self.forget_protection();
    }

    /// Back to before USER; what belongs to the account goes, TYPE stays (RFC 959 4.1.1, USER).
    pub(super) fn forget_login(&mut self) {
        if self.is_logged_in() {
            // Who never was logged in has no more time for it than from the start.
            self.login_since = self.quiet_since;
        }
        self.login = Login::AwaitUser;
        self.sequence = Sequence::Free;
        self.announced = None;
        self.extended_only = false;
        self.tls_rules = self.settings.tls;
    }

    pub(super) fn quit(&mut self) {
        self.say(texts::GOODBYE);
        self.close(CloseReason::Quit);
    }

    pub(super) fn handle_login_outcome(&mut self, question: &Question, outcome: Outcome) {
        let by_certificate = matches!(question, Question::Identify);
        let user = match std::mem::replace(&mut self.login, Login::AwaitUser) {
            Login::Authenticating { user } => user,
            _ => Vec::new(),
        };
        match outcome {
            Outcome::LoggedIn { message } => {
                texts::logged_in(&mut self.output, by_certificate, &user, &message);
                self.login = Login::LoggedIn { user };
                self.login_failures = 0;
            }
            Outcome::PasswordNeeded if by_certificate => self.await_password(user),
            Outcome::LoginRefused(refusal @ (LoginRefusal::Incorrect | LoginRefusal::InClear)) => {
                self.login_failures += 1;
                if self.login_failures >= self.settings.max_login_failures {
                    self.say(texts::TOO_MANY_FAILURES);
                    self.close(CloseReason::LoginFailures);
                } else {
                    texts::login_refused(&mut self.output, refusal);
                }
            }
            Outcome::LoginRefused(refusal) => {
                texts::login_refused(&mut self.output, refusal);
                if refusal == LoginRefusal::LockedOut {
                    self.close(CloseReason::LoginFailures);
                }
            }
            _ => self.say(texts::OUT_OF_STEP),
        }
    }

    pub(super) fn handle_logout_outcome(&mut self, next: Option<Vec<u8>>) {
        match next {
            Some(user) => self.identify(user),
            None => self.reinitialized(),
        }
    }

    /// Gives an action out and remembers what its outcome answers.
    pub(super) fn ask(&mut self, action: Action, question: Question) {
        self.emit(action);
        self.work = Work::Asking(question);
    }
}
