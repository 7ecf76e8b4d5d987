//! The one login path of every protocol.
//!
//! [`Accounts`] holds the directories in their order, the authenticator, and the order of checks:
//! name, password, then the account's own conditions (switched off, expired, network). The last are
//! looked at only after the password was right, so that they tell nothing to somebody who guesses.
//!
//! This room must not count sessions or failures: caps and lockout are the engine's.

use std::{net::IpAddr, sync::Arc, time::Instant};

use crate::{
    Account, AccountName, Authenticator, CertificateRole, Channel, Credential, Directory,
    HashingCounts, Refusal, Result, Step, password::PasswordAuthenticator,
};

/// One attempt to log in.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// What the peer claims.
    pub credential: &'a Credential,
    /// Where it comes from (after the PROXY header, where one is used).
    pub peer: IpAddr,
    /// What protects the connection, with the certificate that the peer showed.
    pub channel: &'a Channel,
    /// The monotonic time, for proofs and memories.
    pub now: Instant,
    /// The wall clock in seconds since 1970 UTC, for expiry.
    pub unix_now: u64,
}

/// How [`Accounts`] work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Slow password checks at one time; each takes some 19 MiB.
    pub hashings_at_once: usize,
}

impl Default for Settings {
    /// As many checks at once as there are cores.
    fn default() -> Self {
        Self {
            hashings_at_once: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// Everybody who may enter.
pub struct Accounts {
    passwords: PasswordAuthenticator,
}

impl Accounts {
    /// Accounts from `directories`; where two know a name, the earlier one decides alone.
    ///
    /// # Errors
    /// [`crate::Error::Random`] when the system gives no random key.
    pub fn new(directories: Vec<Arc<dyn Directory>>, settings: Settings) -> Result<Self> {
        Ok(Self {
            passwords: PasswordAuthenticator::new(directories.into(), settings.hashings_at_once)?,
        })
    }

    /// The account, where that needs no waiting: the way of most logins. `None` says nothing about
    /// the credential; ask [`log_in`](Self::log_in) then.
    pub fn recall(&self, attempt: &Attempt<'_>) -> Option<Arc<Account>> {
        if matches!(attempt.credential, Credential::Certificate { .. }) {
            // Not a password: `log_in` looks it up, from memory where that is fresh.
            return None;
        }
        let (_, account) = self.passwords.recall(attempt.credential, attempt.now)?;
        if admit(&account, attempt).is_err() {
            // A refusal is never quick.
            self.passwords.forget(&account);
            return None;
        }
        Some(account)
    }

    /// Lets somebody in, or says why not.
    ///
    /// # Errors
    /// [`Refusal`], for the log; the peer gets one text for all, except where
    /// [`Refusal::is_ours`].
    pub async fn log_in(
        &self,
        attempt: &Attempt<'_>,
    ) -> std::result::Result<Arc<Account>, Refusal> {
        if let Some(account) = self.recall(attempt) {
            return Ok(account);
        }
        if let Credential::Certificate { user } = attempt.credential {
            return self.by_certificate(user, attempt).await;
        }
        let principal = match self.passwords.begin(attempt.credential, attempt.now).await {
            Step::Done(principal) => principal,
            Step::Refused(refusal) => return Err(refusal),
            Step::Ask { prompts, .. } => return Err(Refusal::NeedsConversation(prompts.len())),
        };
        // An account that was removed while its password was checked is gone.
        let account = self
            .passwords
            .find(principal.name(), attempt.now)
            .await?
            .ok_or(Refusal::UnknownName)?;
        if let Err(refusal) = admit(&account, attempt) {
            // It takes the time of a wrong password, now and when it is tried again.
            self.passwords.forget(&account);
            self.passwords
                .disguise(&account, attempt.credential)
                .await?;
            return Err(refusal);
        }
        Ok(account)
    }

    /// TLS-09: the certificate of the connection opens the account that lists it and that `user`
    /// names. Nobody's password is looked at, so an account with a locked one can be entered so.
    async fn by_certificate(
        &self,
        user: &[u8],
        attempt: &Attempt<'_>,
    ) -> std::result::Result<Arc<Account>, Refusal> {
        let name = AccountName::parse(user)?;
        let account = self.passwords.find(&name, attempt.now).await?;
        let account = account.ok_or(Refusal::Certificate)?;
        if attempt.channel.role() != CertificateRole::Login
            || !attempt.channel.proves_one_of(&account.certificates)
        {
            return Err(Refusal::Certificate);
        }
        admit(&account, attempt).map(|()| account)
    }

    /// How many checks were slow, and how many a proof answered.
    pub fn counts(&self) -> HashingCounts {
        self.passwords.counts()
    }

    #[cfg(test)]
    pub(crate) const fn passwords(&self) -> &PasswordAuthenticator {
        &self.passwords
    }
}

fn admit(account: &Account, attempt: &Attempt<'_>) -> std::result::Result<(), Refusal> {
    account.admit(attempt.peer, attempt.channel, attempt.unix_now)
}

#[cfg(test)]
mod tests;
