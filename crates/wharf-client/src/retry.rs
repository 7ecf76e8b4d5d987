//! Trying again: how often, and how long to wait before.

use std::{sync::Arc, time::Duration};

use crate::{Error, Kind, Observer, Result};

const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A server that is full needs longer than a broken line.
const BUSY_FACTOR: u32 = 4;

/// The attempts of one piece of work.
pub(crate) struct Retry {
    left: u32,
    wait: Duration,
    observer: Arc<dyn Observer>,
}

impl Retry {
    pub(crate) const fn new(retries: u32, wait: Duration, observer: Arc<dyn Observer>) -> Self {
        Self {
            left: retries,
            wait,
            observer,
        }
    }

    /// Waits before the next attempt, or gives the error back when there shall be none.
    pub(crate) async fn after(&mut self, error: Error) -> Result<()> {
        if error.is_mended() {
            return Ok(());
        }
        if !error.is_retryable() || self.left == 0 {
            return Err(error);
        }
        self.left -= 1;
        let factor = if error.kind() == Kind::Busy {
            BUSY_FACTOR
        } else {
            1
        };
        let wait = (self.wait * factor).min(LONGEST_WAIT);
        self.wait *= 2;
        self.observer.retrying(&error, wait);
        tokio::time::sleep(wait).await;
        Ok(())
    }
}
