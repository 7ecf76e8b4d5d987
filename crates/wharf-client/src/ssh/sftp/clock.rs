//! The clock by which a transfer measures how fast its window moves. Nothing else looks at it.

use std::{sync::LazyLock, time::Duration};

use tokio::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "the rim: how long a flight takes is measured here"
)]
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Time since the first question for it.
pub(super) fn now() -> Duration {
    BEGIN.elapsed()
}
