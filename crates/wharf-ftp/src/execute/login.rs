//! USER and PASS: from a name and a password, or a certificate, to an account's session.

use wharf_accounts::Credential;
use wharf_engine::{LoginError, LoginFailure};
use wharf_proto::ftp::server::{LoginRefusal, Outcome};

use crate::{
    clock,
    session::{FtpSession, Who},
};

impl FtpSession {
    pub(super) async fn authenticate(&mut self, user: Vec<u8>, password: Vec<u8>) -> Outcome {
        let credential = if self.settings.machine.anonymous && is_anonymous(&user) {
            Credential::Anonymous { text: password }
        } else {
            Credential::password(user, password)
        };
        self.log_in(&credential).await
    }

    /// TLS-09: the certificate of the control connection may be enough.
    pub(super) async fn identify(&mut self, user: Vec<u8>) -> Outcome {
        self.log_in(&Credential::Certificate { user }).await
    }

    async fn log_in(&mut self, credential: &Credential) -> Outcome {
        let Who::Guest(session) = std::mem::replace(&mut self.who, Who::Changing) else {
            // The machine logs out first; whoever is here is asked to do it again.
            return Outcome::LoginRefused(LoginRefusal::Incorrect);
        };
        // TLS-23: in clear a wrong password and an account that asks for TLS get one answer, else
        // everybody on the way could find out by guessing which password is right.
        let is_clear = self.settings.tls.is_some() && !session.channel().is_secure();
        let failure = match session
            .log_in(credential, clock::now(), clock::unix_now())
            .await
        {
            Ok(session) => {
                self.enter(session);
                return Outcome::LoggedIn {
                    message: String::new(),
                };
            }
            Err(failure) => *failure,
        };
        let LoginFailure {
            session,
            error,
            delay,
        } = failure;
        let record = std::sync::Arc::clone(session.record());
        self.who = Who::Guest(session);
        if !delay.is_zero() {
            // RPL-39: only this session waits, and it still hears that it shall end.
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = record.ended() => {}
            }
        }
        Outcome::LoginRefused(match error {
            LoginError::Incorrect | LoginError::TlsRequired if is_clear => LoginRefusal::InClear,
            // No account wants a further proof but over SSH.
            LoginError::Incorrect | LoginError::TlsRequired | LoginError::FurtherProof { .. } => {
                LoginRefusal::Incorrect
            }
            LoginError::PasswordWanted => return Outcome::PasswordNeeded,
            LoginError::TooManySessions => LoginRefusal::TooManySessions,
            LoginError::LockedOut => LoginRefusal::LockedOut,
            LoginError::Unavailable => LoginRefusal::Unavailable,
        })
    }
}

/// RFC 1635 names both.
fn is_anonymous(user: &[u8]) -> bool {
    user.eq_ignore_ascii_case(b"anonymous") || user.eq_ignore_ascii_case(b"ftp")
}
