//! The clock of TFTP's transactions; the machines are told the time and never ask for it.

use std::time::Instant;

/// Now.
#[expect(
    clippy::disallowed_methods,
    reason = "the rim: retransmission is timed here"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
