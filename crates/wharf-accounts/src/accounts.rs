//! The one login path of every protocol.
//!
//! [`Accounts`] holds the directories in their order, the authenticator, and the order of checks:
//! name, password or key, then the account's own conditions (switched off, expired, network, what it
//! takes over SSH). The last are looked at only after the proof was right, so that they tell nothing
//! to somebody who guesses.
//!
//! This room must not count sessions or failures, nor remember what a session proved before: caps,
//! lockout and sessions are the engine's.

mod keys;

use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use ssh_key::PublicKey;

use crate::{
    Account, AccountName, Authenticator, CertificateRole, Channel, Credential, Directory,
    HashingCounts, Proofs, Refusal, Result, Step, UserAuthorities, password::PasswordAuthenticator,
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
    /// What this session proved before under this very name.
    pub proven: Proofs,
}

/// A key that a peer asks about before it signs with it.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The name, not yet checked in any way.
    pub user: &'a [u8],
    /// The key; of a certificate its own key, since that is all that the front end hears of it.
    pub key: &'a PublicKey,
    /// Where the peer comes from.
    pub peer: IpAddr,
    /// What protects the connection.
    pub channel: &'a Channel,
    /// The monotonic time.
    pub now: Instant,
    /// The wall clock in seconds since 1970 UTC.
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
    authorities: UserAuthorities,
    /// Whether an account was seen that trusts an authority of its own.
    are_own_authorities: AtomicBool,
}

impl Accounts {
    /// Accounts from `directories`; where two know a name, the earlier one decides alone.
    ///
    /// # Errors
    /// [`crate::Error::Random`] when the system gives no random key.
    pub fn new(directories: Vec<Arc<dyn Directory>>, settings: Settings) -> Result<Self> {
        Ok(Self {
            passwords: PasswordAuthenticator::new(directories.into(), settings.hashings_at_once)?,
            authorities: UserAuthorities::default(),
            are_own_authorities: AtomicBool::new(false),
        })
    }

    /// Believes the certificates of `authorities` for every account that they name (SFT-05), and no
    /// key that they revoke.
    #[must_use]
    pub fn with_user_authorities(mut self, authorities: UserAuthorities) -> Self {
        self.authorities = authorities;
        self
    }

    /// The account, where that needs no waiting: the way of most logins. `None` says nothing about
    /// the credential; ask [`log_in`](Self::log_in) then.
    pub fn recall(&self, attempt: &Attempt<'_>) -> Option<Arc<Account>> {
        if !is_password(attempt.credential) {
            // `log_in` looks it up, from memory where that is fresh.
            return None;
        }
        let (_, account) = self.passwords.recall(attempt.credential, attempt.now)?;
        if admit(&account, attempt, Proofs::PASSWORD).is_err() {
            // A refusal is never quick.
            self.passwords.forget(&account);
            return None;
        }
        further(&account, attempt, Proofs::PASSWORD).ok()?;
        Some(account)
    }

    /// Lets somebody in, or says why not.
    ///
    /// # Errors
    /// [`Refusal`], for the log; the peer gets one text for all, except where
    /// [`Refusal::is_ours`], and hears [`Refusal::FurtherProof`].
    pub async fn log_in(
        &self,
        attempt: &Attempt<'_>,
    ) -> std::result::Result<Arc<Account>, Refusal> {
        if let Some(account) = self.recall(attempt) {
            return Ok(account);
        }
        match attempt.credential {
            Credential::Certificate { user } => return self.by_certificate(user, attempt).await,
            Credential::PublicKey { user, key } => return self.by_key(user, key, attempt).await,
            Credential::Password { .. } | Credential::Anonymous { .. } => {}
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
        if let Err(refusal) = admit(&account, attempt, Proofs::PASSWORD) {
            // It takes the time of a wrong password, now and when it is tried again.
            self.passwords.forget(&account);
            self.passwords
                .disguise(&account, attempt.credential)
                .await?;
            return Err(refusal);
        }
        further(&account, attempt, Proofs::PASSWORD)?;
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
        admit(&account, attempt, Proofs::NONE).map(|()| account)
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

const fn is_password(credential: &Credential) -> bool {
    matches!(
        credential,
        Credential::Password { .. } | Credential::Anonymous { .. }
    )
}

fn admit(
    account: &Account,
    attempt: &Attempt<'_>,
    proof: Proofs,
) -> std::result::Result<(), Refusal> {
    account.admit(proof, attempt.peer, attempt.channel, attempt.unix_now)
}

/// Whether nothing is wanted besides `proof` and what was proven before.
fn further(
    account: &Account,
    attempt: &Attempt<'_>,
    proof: Proofs,
) -> std::result::Result<(), Refusal> {
    if !attempt.channel.is_ssh() {
        return Ok(());
    }
    let proven = attempt.proven.with(proof);
    let wanted = account.ssh.login.wanted(proven);
    if wanted.is_empty() {
        Ok(())
    } else {
        Err(Refusal::FurtherProof { proven, wanted })
    }
}

#[cfg(test)]
mod tests;
