//! When something is sent again, and when that is given up (TFT-33).

use std::time::Duration;

/// How patient a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Before the first retransmission, while nothing was measured.
    pub initial: Duration,
    /// The shortest wait, however fast the peer has answered so far.
    pub shortest: Duration,
    /// The longest wait that backing off comes to.
    pub longest: Duration,
    /// Times that one thing is sent, the first included; at least 1.
    pub tries: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            shortest: Duration::from_millis(200),
            longest: Duration::from_secs(8),
            tries: 6,
        }
    }
}
