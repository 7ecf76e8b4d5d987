//! How a transaction ends.

use super::{ErrorCode, option::Violation, packet};

/// Octets of the peer's words that are kept.
pub const TEXT_LIMIT: usize = 512;

/// How it ended, as this end knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole file is at the receiver, and the sender knows.
    Complete,
    /// A sender sent everything, but the last ACK never came: probably it is there (TFT-37).
    Unconfirmed,
    /// The peer ended it with an ERROR.
    Refused {
        /// Why, as it numbered it.
        code: ErrorCode,
        /// Why, in its words: raw octets, cut to [`TEXT_LIMIT`].
        text: Vec<u8>,
        /// It asked for the size alone: an answer of 0 or 8 to an OACK that told it (TFT-38).
        sized_only: bool,
    },
    /// Nothing came any more.
    TimedOut {
        /// Whether the peer ever said anything.
        answered: bool,
    },
    /// This end gave up; an ERROR with this code went out.
    Failed {
        /// Why.
        code: ErrorCode,
    },
    /// The server's OACK grants what it may not; ERROR 8 went out (TFT-51).
    Violation(Violation),
}

impl Outcome {
    /// What the peer's ERROR means.
    pub(super) fn refused(code: u16, text: &[u8], size_was_told: bool) -> Self {
        let code = ErrorCode::of(code);
        Self::Refused {
            code,
            text: text.get(..TEXT_LIMIT).unwrap_or(text).to_vec(),
            sized_only: size_was_told
                && matches!(code, ErrorCode::NotDefined | ErrorCode::OptionRefused),
        }
    }
}

/// The text of the ERROR after the last try (TFT-33).
pub(super) const TIMEOUT: &str = "timeout";

/// Puts an ERROR where the packet that goes out next lies.
pub(super) fn farewell(packet: &mut Vec<u8>, code: ErrorCode, text: &str) {
    packet.clear();
    packet::error(code, text, packet);
}
