//! The authenticator for passwords that stand in a directory.
//!
//! Its one promise besides being right: a refusal costs one slow check, whether the name is known,
//! unknown, locked or stored in a fast form (CVE-2016-6210, CVE-2018-15473). An unknown name is
//! checked against a decoy with the cost of the stored hashes in use, chosen by a keyed hash of the
//! name so that asking again gives the same time.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use crate::{
    Account, AccountName, Authenticator, BoxFuture, Credential, Directory, Error, HashingCounts,
    KeyHints, Principal, Recall, Refusal, Result, Step, StoredSecret, hashing::Hashing,
    proof::FreshProofs, secret::is_checkable,
};

/// Checks passwords against the directories, in their order: the first that knows a name decides.
pub(crate) struct PasswordAuthenticator {
    directories: Arc<[Arc<dyn Directory>]>,
    hashing: Hashing,
    proofs: FreshProofs,
    /// A hash that nobody knows the password of.
    decoy: OnceLock<StoredSecret>,
}

impl PasswordAuthenticator {
    pub(crate) fn new(
        directories: Arc<[Arc<dyn Directory>]>,
        hashings_at_once: usize,
    ) -> Result<Self> {
        Ok(Self {
            directories,
            hashing: Hashing::new(hashings_at_once),
            proofs: FreshProofs::new()?,
            decoy: OnceLock::new(),
        })
    }

    /// The answer where it needs neither a store nor a slow check: an open account, a plain
    /// password that is right, or a login that was proved within the last minute.
    pub(crate) fn recall(
        &self,
        credential: &Credential,
        now: Instant,
    ) -> Option<(Principal, Arc<Account>)> {
        let name = AccountName::parse(credential.user()).ok()?;
        let password = credential.secret();
        if !is_checkable(password) {
            return None;
        }
        let account = self.directories.iter().find_map(|directory| {
            match directory.recall(&name, now) {
                Recall::Known(account) => Some(Some(account)),
                Recall::Absent => None,
                Recall::Stale => Some(None),
            }
        })??;
        let opened = if account.password.is_slow() {
            let proved = self
                .proofs
                .holds(&account.name, &account.password, password, now);
            if proved {
                self.hashing.count_proof();
            }
            proved
        } else {
            account.password.verify(password)
        };
        opened.then(|| (Principal::proved(account.name.clone()), account))
    }

    /// The account of that name in the first directory that knows it.
    pub(crate) async fn find(
        &self,
        name: &AccountName,
        now: Instant,
    ) -> Result<Option<Arc<Account>>> {
        for directory in self.directories.iter() {
            if let Some(account) = directory.find(name, now).await? {
                return Ok(Some(account));
            }
        }
        Ok(None)
    }

    /// What the directories say of their accounts' keys, together.
    pub(crate) fn key_hints(&self) -> KeyHints {
        let mut all = KeyHints::default();
        for directory in self.directories.iter() {
            let hints = directory.key_hints();
            all.authorities |= hints.authorities;
            all.file = all.file.or(hints.file);
        }
        all
    }

    pub(crate) fn counts(&self) -> HashingCounts {
        self.hashing.counts()
    }

    async fn check(
        &self,
        credential: &Credential,
        now: Instant,
    ) -> std::result::Result<Principal, Refusal> {
        let name = AccountName::parse(credential.user())?;
        let password = credential.secret();
        if !is_checkable(password) {
            return Err(Refusal::Password);
        }
        let Some(account) = self.find(&name, now).await? else {
            self.waste(&name, password).await?;
            return Err(Refusal::UnknownName);
        };
        let stored = &account.password;
        if let Some(lock) = stored.lock() {
            self.waste(&name, password).await?;
            return Err(Refusal::Locked(lock));
        }
        if stored.is_any_text() {
            // That there is an anonymous account is no secret: no work is wasted on hiding it.
            return if stored.verify(password) {
                Ok(Principal::proved(account.name.clone()))
            } else {
                Err(Refusal::EmailWanted)
            };
        }
        if stored.is_slow() {
            let is_proved = || self.proofs.holds(&account.name, stored, password, now);
            if !is_proved() {
                let turn = self.hashing.turn().await?;
                // A client that opens several sessions at once pays for one: the others waited, and
                // the first has proved it meanwhile.
                if !is_proved() {
                    let checking = self.hashing.verify(turn, stored.clone(), password);
                    let (true, _turn) = checking.await? else {
                        return Err(Refusal::WrongPassword);
                    };
                    self.proofs.keep(&account.name, stored, password, now);
                    return Ok(Principal::proved(account.name.clone()));
                }
            }
            self.hashing.count_proof();
            return Ok(Principal::proved(account.name.clone()));
        }
        if stored.verify(password) {
            return Ok(Principal::proved(account.name.clone()));
        }
        self.waste(&name, password).await?;
        Err(Refusal::WrongPassword)
    }

    /// Forgets that the password of `account` was proved: its next check is a slow one.
    pub(crate) fn forget(&self, account: &Account) {
        self.proofs.forget(&account.name);
    }

    /// The rest of what a refusal costs, for somebody whose password was found right by a check of
    /// its own and who may not enter all the same.
    pub(crate) async fn disguise(&self, account: &Account, credential: &Credential) -> Result<()> {
        let stored = &account.password;
        if stored.is_slow() || stored.is_any_text() {
            return Ok(());
        }
        self.waste(&account.name, credential.secret()).await
    }

    /// Spends what a check of a stored hash costs.
    async fn waste(&self, name: &AccountName, password: &[u8]) -> Result<()> {
        let secret = match self.decoy_for(name) {
            Some(secret) => secret,
            None => self.own_decoy().await?,
        };
        let turn = self.hashing.turn().await?;
        self.hashing.verify(turn, secret, password).await.map(drop)
    }

    /// A stored hash of another account, one per cost in use, so that the cost tells nothing.
    pub(crate) fn decoy_for(&self, name: &AccountName) -> Option<StoredSecret> {
        let mut decoys: Vec<StoredSecret> = Vec::new();
        for decoy in self
            .directories
            .iter()
            .flat_map(|directory| directory.decoys())
        {
            if decoy.is_slow() && decoys.iter().all(|other| other.cost() != decoy.cost()) {
                decoys.push(decoy);
            }
        }
        let chosen = self.proofs.pick(name.as_str().as_bytes(), decoys.len());
        (!decoys.is_empty()).then(|| decoys.swap_remove(chosen))
    }

    /// Where no directory has a slow hash: one with the cost of new ones.
    async fn own_decoy(&self) -> Result<StoredSecret> {
        if let Some(decoy) = self.decoy.get() {
            return Ok(decoy.clone());
        }
        let made = tokio::task::spawn_blocking(|| {
            let mut nobody_knows = [0; 16];
            getrandom::fill(&mut nobody_knows).map_err(Error::Random)?;
            StoredSecret::hash_new(&nobody_knows.map(|byte| byte | 1))
        });
        let made = made.await.map_err(|_| Error::Interrupted)??;
        Ok(self.decoy.get_or_init(|| made).clone())
    }
}

impl Authenticator for PasswordAuthenticator {
    fn begin<'a>(&'a self, credential: &'a Credential, now: Instant) -> BoxFuture<'a, Step> {
        Box::pin(async move {
            match self.check(credential, now).await {
                Ok(principal) => Step::Done(principal),
                Err(refusal) => Step::Refused(refusal),
            }
        })
    }
}
