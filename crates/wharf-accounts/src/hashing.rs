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

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
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

/// The right to run one check.
pub(crate) struct Turn(OwnedSemaphorePermit);

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

    /// Waits for the right to run a check.
    pub(crate) async fn turn(&self) -> Result<Turn> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        Ok(Turn(turn.map_err(|_| Error::Interrupted)?))
    }

    /// Whether `password` opens `secret`, found out on a blocking thread. The turn comes back: what
    /// the caller makes of it is known before the next one begins.
    pub(crate) async fn verify(
        &self,
        Turn(turn): Turn,
        secret: StoredSecret,
        password: &[u8],
    ) -> Result<(bool, Turn)> {
        let password = Zeroizing::new(password.to_vec());
        let counts = Arc::clone(&self.counts);
        let check = tokio::task::spawn_blocking(move || {
            let matches = secret.verify(&password);
            counts.slow.fetch_add(1, Relaxed);
            // Held until here: a caller that goes away does not free the memory that is in use.
            (matches, Turn(turn))
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
