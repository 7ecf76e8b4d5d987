//! What all front ends share, in one place: built once by the binary, changed by a reload.
//!
//! Policies that a reload may change stand behind [`Current`]: a session reads the pointer of now
//! and keeps it for one decision, never across its life.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
    time::Instant,
};

use wharf_accounts::{Accounts, Network};

use crate::{
    accounts::{ActiveAccounts, Views},
    admission::{Admission, AdmissionLimits},
    events::{Bus, Event, Origin},
    lockout::{Lockout, LockoutPolicy},
    registry::{Ending, Registry},
};

/// What a reload may change.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Limits at the door.
    pub admission: AdmissionLimits,
    /// At the limit of an address, end its longest silent session instead of turning the new one
    /// away (INT-45).
    pub replace_oldest: bool,
    /// Delays and bans.
    pub lockout: LockoutPolicy,
    /// Sessions of one account that sets no number of its own.
    pub per_account: u32,
    /// Proxies whose connections begin with a PROXY header.
    pub proxies: Vec<Network>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            admission: AdmissionLimits::default(),
            replace_oldest: false,
            lockout: LockoutPolicy::default(),
            per_account: 100,
            proxies: Vec::new(),
        }
    }
}

/// A value that is replaced as a whole.
#[derive(Debug)]
pub struct Current<T>(RwLock<Arc<T>>);

impl<T> Current<T> {
    /// Holds `value`.
    pub fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// The value of now.
    pub fn load(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces it; who holds the old one keeps it.
    pub fn store(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

/// Everything that holds over all sessions.
pub struct Engine {
    /// The door.
    pub admission: Arc<Admission>,
    /// Who failed too often.
    pub lockout: Lockout,
    /// Who is here.
    pub registry: Arc<Registry>,
    /// What happened.
    pub bus: Bus,
    /// What a reload may change.
    pub policy: Current<Policy>,
    pub(crate) people: Current<People>,
    pub(crate) active: ActiveAccounts,
}

/// Who may log in and what they see then: of one configuration, so always taken together.
pub(crate) struct People {
    pub(crate) accounts: Accounts,
    pub(crate) views: Box<dyn Views>,
    /// Counts the configurations: a view of an older one is not given to a new session.
    pub(crate) generation: u64,
}

impl Engine {
    /// An engine at rest.
    pub fn new(bus: Bus, accounts: Accounts, views: Box<dyn Views>, policy: Policy) -> Self {
        Self {
            admission: Arc::default(),
            lockout: Lockout::default(),
            registry: Arc::default(),
            bus,
            policy: Current::new(policy),
            people: Current::new(People {
                accounts,
                views,
                generation: 0,
            }),
            active: ActiveAccounts::default(),
        }
    }

    /// Takes over a new configuration: sessions that are here keep their views, the next logins get
    /// new ones.
    pub fn reload(&self, accounts: Accounts, views: Box<dyn Views>, policy: Policy) {
        self.policy.store(policy);
        let generation = self.people.load().generation + 1;
        self.people.store(People {
            accounts,
            views,
            generation,
        });
        self.active.forget_absent();
        self.bus.emit(&Origin::default(), &Event::Reloaded);
    }

    /// Lets a connection from `peer` in, or says why not, before a byte of it is parsed.
    ///
    /// # Errors
    /// The text for the log.
    pub fn admit(&self, peer: IpAddr, now: Instant) -> Result<crate::Lease, &'static str> {
        let policy = self.policy.load();
        self.check_door(peer, now, &policy)?;
        match self.admission.admit(peer, &policy.admission) {
            Err(turned @ crate::Turned::Address) if policy.replace_oldest => {
                // One above the limit until the old session has left. The place comes first, so that
                // nobody is ended in vain.
                let roomier = AdmissionLimits {
                    per_address: policy.admission.per_address.saturating_add(1),
                    ..policy.admission
                };
                let lease = self
                    .admission
                    .admit(peer, &roomier)
                    .map_err(crate::Turned::cause)?;
                self.registry
                    .replace_oldest(peer)
                    .then_some(lease)
                    .ok_or_else(|| turned.cause())
            }
            answer => answer.map_err(crate::Turned::cause),
        }
    }

    /// Lets in what a single datagram asks for. It may come in anybody's name, so it takes no place
    /// that a connection could need, and nobody's session ends for it: who serves it counts what it takes.
    ///
    /// # Errors
    /// The text for the log.
    pub fn admit_request(&self, peer: IpAddr, now: Instant) -> Result<crate::Lease, &'static str> {
        self.check_door(peer, now, &self.policy.load())?;
        Ok(crate::Lease::uncounted())
    }

    fn check_door(&self, peer: IpAddr, now: Instant, policy: &Policy) -> Result<(), &'static str> {
        if self.registry.is_draining() {
            return Err("the service is shutting down");
        }
        if self.lockout.is_banned(peer, now, &policy.lockout) {
            return Err("this address failed to log in too often (lockout)");
        }
        Ok(())
    }

    /// Tells of an event that is no session's.
    pub fn tell(&self, service: &'static str, event: &Event<'_>) {
        self.bus.emit(
            &Origin {
                service,
                ..Origin::default()
            },
            event,
        );
    }

    /// Ends everything: first lets transfers finish, for at most `grace`, then not.
    pub async fn drain(&self, grace: std::time::Duration) {
        self.tell("", &Event::Draining);
        self.registry.end_all(Ending::AfterTransfer);
        if tokio::time::timeout(grace, self.registry.emptied())
            .await
            .is_err()
        {
            self.registry.end_all(Ending::Now);
            // Aborting an upload takes a rename at the most.
            let patience = std::time::Duration::from_secs(10);
            let _ = tokio::time::timeout(patience, self.registry.emptied()).await;
        }
    }
}

/// `address` with an IPv4-mapped IPv6 address turned into IPv4.
pub fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(wharf_accounts::normalised(address.ip()), address.port())
}
