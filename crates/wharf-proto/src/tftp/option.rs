//! Options: what a client asks, what a server grants, what then holds (RFC 2347, 2348, 2349, 7440).

use std::time::Duration;

/// Block size where nothing else was agreed on (RFC 1350).
pub const DEFAULT_BLOCK_SIZE: u16 = 512;

/// The options of a request or an OACK as they came: pairs of name and value, each ended by NUL. Well
/// formed by construction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionList<'a> {
    /// The raw pairs.
    pub(super) raw: &'a [u8],
}

/// What a client asks for; `None`: not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// blksize, 8 to 65464 octets.
    pub block_size: Option<u16>,
    /// timeout, 1 to 255 s.
    pub timeout: Option<u8>,
    /// tsize: 0 asks for the size of a file, in a WRQ it tells it.
    pub size: Option<u64>,
    /// windowsize, 1 to 65535 blocks.
    pub window: Option<u16>,
}

/// The block after 65535 (TFT-24, TFT-36).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rollover {
    /// 0, as nearly everybody has it.
    #[default]
    Zero,
    /// 1.
    One,
}

/// What holds for a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Octets of a full block, 8 to 65464.
    pub block_size: u16,
    /// Blocks that may be under way, 1 to 65535.
    pub window: u16,
    /// The fixed time before a retransmission, where one was agreed on.
    pub interval: Option<Duration>,
    /// The size of the file as told by tsize, octets.
    pub size: Option<u64>,
    /// The block after 65535.
    pub rollover: Rollover,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            block_size: DEFAULT_BLOCK_SIZE,
            window: 1,
            interval: None,
            size: None,
            rollover: Rollover::Zero,
        }
    }
}

impl Rollover {
    /// The number on the wire of the block with this number from the beginning; 0 is what is
    /// acknowledged before the first block.
    pub const fn wire(self, block: u64) -> u16 {
        let wrapped = match self {
            Self::Zero => block % 65_536,
            Self::One if block == 0 => 0,
            Self::One => (block - 1) % 65_535 + 1,
        };
        // Below 65536 by the remainder.
        let [low, high, ..] = wrapped.to_le_bytes();
        u16::from_le_bytes([low, high])
    }
}
