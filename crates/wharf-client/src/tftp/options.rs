//! Choices that hold for TFTP alone.

use wharf_proto::tftp::{Offer, Timing};

/// Choices of TFTP; the defaults suit most (TFT-50).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tftp {
    /// The block size that is asked for, 8 to 65464 octets. Default 1428: a datagram of it passes
    /// Ethernet unfragmented by IPv6, through a tunnel or two.
    pub block_size: u16,
    /// The window that is asked for, 1 to 65535 blocks. Default 16.
    pub window: u16,
    /// The time before a retransmission that is asked for, 1 to 255 s. Default `None`: a server that has
    /// agreed on a time no longer adapts to the path, and each loss that only it can mend costs that time.
    /// At 1 % loss and a window of 1, 8 MiB from a Wharf server take 4 s without it and 190 s with 2 s.
    pub timeout: Option<u8>,
    /// Take answers from another address than the one that was asked (TFT-53). Default no.
    pub any_source: bool,
    /// How patient a transaction is once the server has answered.
    pub timing: Timing,
}

impl Default for Tftp {
    fn default() -> Self {
        Self {
            block_size: 1428,
            window: 16,
            timeout: None,
            any_source: false,
            timing: Timing::default(),
        }
    }
}

impl Tftp {
    /// What is asked for in a request; `size` is 0 when the file is fetched.
    pub(crate) fn offer(&self, size: u64) -> Offer {
        Offer {
            block_size: Some(self.block_size),
            timeout: self.timeout,
            size: Some(size),
            window: (self.window > 1).then_some(self.window),
        }
    }
}
