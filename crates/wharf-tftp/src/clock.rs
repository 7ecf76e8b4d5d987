//! The rim's clock: the one place of this crate that reads the time.
#![expect(
    clippy::disallowed_methods,
    reason = "the rim: machines and layers take time as a parameter"
)]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The monotonic time, by the clock of the runtime, so that a test that stops it stops deadlines too.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Seconds since 1970-01-01 UTC.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
