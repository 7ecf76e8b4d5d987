//! Where slow password checks run: on blocking threads, a bounded number at once.
//!
//! Argon2 takes 19 MiB and some 20 ms a check. Unbounded, a burst of logins would take the
//! machine's memory and every blocking thread; here the rest waits its turn, and the front end's
//! login deadline bounds the wait. The counters tell how often a check ran and how often a fresh
//! proof saved one.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::{Error, Result, StoredSecret};

/// How logins were answered since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashingCounts {
    /// Slow checks that ran to their end.
    pub slow: u64,
    /// Logins that a proof of the last minute answered.
    pub proved: u64,
}

/// Runs slow checks.
pub(crate) struct Hashing {
    turns: Arc<Semaphore>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    slow: AtomicU64,
    proved: AtomicU64,
}

impl Hashing {
    /// At most `at_once` checks at one time (at least one).
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS))),
            counts: Arc::default(),
        }
    }

    /// Whether `password` opens `secret`, found out on a blocking thread.
    pub(crate) async fn verify(&self, secret: StoredSecret, password: &[u8]) -> Result<bool> {
        let password = Zeroizing::new(password.to_vec());
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| Error::Interrupted)?;
        let counts = Arc::clone(&self.counts);
        let check = tokio::task::spawn_blocking(move || {
            let matches = secret.verify(&password);
            counts.slow.fetch_add(1, Relaxed);
            // Held until here: a caller that goes away does not free the memory that is in use.
            drop(turn);
            matches
        });
        check.await.map_err(|_| Error::Interrupted)
    }

    /// Notes that a proof stood in for a check.
    pub(crate) fn count_proof(&self) {
        self.counts.proved.fetch_add(1, Relaxed);
    }

    /// The counters.
    pub(crate) fn counts(&self) -> HashingCounts {
        HashingCounts {
            slow: self.counts.slow.load(Relaxed),
            proved: self.counts.proved.load(Relaxed),
        }
    }
}
