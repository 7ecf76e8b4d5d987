//! Logins by a key of SSH, and the question about a key before the signature.
//!
//! A name that nobody has costs what a name with keys costs: its lookup, a look at a file of keys where
//! any account has one, the comparison (CVE-2018-15473). No password is looked at, so an account with a
//! locked one can be entered by its key.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use super::{Accounts, Attempt, Offer, admit, further};
use crate::{
    Account, AccountName, AuthorizedKeys, Channel, Error, KeyFile, KeyFileError, KeyRefusal,
    Proofs, ProvenKey, Refusal,
    public_key::{
        Shown,
        decision::{Circumstances, Listed, decide},
    },
};

/// What a file of keys gave.
type Looked = Result<Arc<AuthorizedKeys>, KeyFileError>;

/// What of a request both ways need.
struct Request<'a> {
    user: &'a [u8],
    shown: &'a Shown,
    peer: IpAddr,
    channel: &'a Channel,
    now: Instant,
    unix_now: u64,
}

impl Accounts {
    /// Whether the key of an offer is worth a signature: it is one of the account's and would open it,
    /// or a certificate may stand behind it that the front end cannot show yet.
    ///
    /// # Errors
    /// [`Refusal`], for the log, and only where it [tells](KeyRefusal::is_telling) something: most
    /// offers are of keys that are for other servers.
    pub async fn knows_key(&self, offer: &Offer<'_>) -> Result<bool, Refusal> {
        let shown = Shown::Key(offer.key.key_data().clone());
        let request = Request {
            user: offer.user,
            shown: &shown,
            peer: offer.peer,
            channel: offer.channel,
            now: offer.now,
            unix_now: offer.unix_now,
        };
        let found = self.holder(&request).await?;
        let known = found.and_then(|account| {
            account.admit(
                Proofs::PUBLIC_KEY,
                offer.peer,
                offer.channel,
                offer.unix_now,
            )
        });
        // The answer is the same for every name then: it must not tell whose account has authorities.
        let may_be_certified = offer.channel.is_ssh()
            && (!self.authorities.is_empty() || self.are_own_authorities.load(Relaxed));
        match known {
            Ok(()) => Ok(true),
            Err(refusal) if refusal.is_ours() => Err(refusal),
            Err(_) if may_be_certified => Ok(true),
            Err(Refusal::Key(cause)) if !cause.is_telling() => Ok(false),
            Err(Refusal::UnknownName | Refusal::Name(_)) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// The account that a proven key opens.
    pub(super) async fn by_key(
        &self,
        user: &[u8],
        key: &ProvenKey,
        attempt: &Attempt<'_>,
    ) -> Result<Arc<Account>, Refusal> {
        let request = Request {
            user,
            shown: key.shown(),
            peer: attempt.peer,
            channel: attempt.channel,
            now: attempt.now,
            unix_now: attempt.unix_now,
        };
        let account = self.holder(&request).await??;
        admit(&account, attempt, Proofs::PUBLIC_KEY)?;
        further(&account, attempt, Proofs::PUBLIC_KEY)?;
        Ok(account)
    }

    /// The account that `request` names, if the key is one of its keys.
    async fn holder(
        &self,
        request: &Request<'_>,
    ) -> Result<Result<Arc<Account>, Refusal>, Refusal> {
        let name = match AccountName::parse(request.user) {
            Ok(name) => name,
            Err(error) => return Ok(Err(error.into())),
        };
        let account = self.passwords.find(&name, request.now).await?;
        let own_file = account
            .as_ref()
            .and_then(|account| account.ssh.key_file.clone());
        let hints = self.passwords.key_hints();
        let is_own = own_file.is_some();
        let looked = match own_file.or(hints.file) {
            Some(file) => Some(look(file).await?).filter(|_| is_own),
            None => None,
        };
        let own = account
            .as_ref()
            .map_or(&[][..], |account| &account.ssh.keys);
        let file = looked.as_ref().and_then(|looked| looked.as_ref().ok());
        let listed = Listed {
            own,
            file: file.map(AsRef::as_ref),
        };
        if hints.authorities || listed.has_authorities() {
            self.are_own_authorities.store(true, Relaxed);
        }
        let at = Circumstances {
            user: name.as_str(),
            peer: request.peer,
            unix_now: request.unix_now,
            authorities: &self.authorities,
        };
        let decided = decide(request.shown, &listed, at);
        Ok(match (account, decided) {
            (None, _) => Err(Refusal::UnknownName),
            (Some(account), _) if account.is_anonymous() => Err(Refusal::UnknownName),
            (Some(_), _) if !request.channel.is_ssh() => Err(KeyRefusal::NotSsh.into()),
            (Some(account), Ok(())) => Ok(account),
            (Some(_), Err(refusal)) => Err(match looked {
                // Where the key is in no list, a list that cannot be read is the cause to tell.
                Some(Err(error)) if !refusal.is_telling() => KeyRefusal::File(error.to_string()),
                _ => refusal,
            }
            .into()),
        })
    }
}

/// Looks at a file on a thread that may wait.
async fn look(file: Arc<KeyFile>) -> Result<Looked, Refusal> {
    tokio::task::spawn_blocking(move || file.look())
        .await
        .map_err(|_| Refusal::Unavailable(Error::Interrupted))
}
