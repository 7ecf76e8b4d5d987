//! The flags of TFTP.

use wharf_client::tftp::Tftp;

/// TFTP of every client command.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct TftpFlags {
    /// Ask for blocks of so many octets; a server may grant less. Above 1468 they travel as fragments.
    #[arg(long, value_name = "OCTETS", default_value_t = Tftp::default().block_size, value_parser = clap::value_parser!(u16).range(8..=65464), help_heading = "TFTP")]
    blksize: u16,
    /// Ask for so many blocks at once, before the other end answers; a server may grant less.
    #[arg(long, value_name = "BLOCKS", default_value_t = Tftp::default().window, value_parser = clap::value_parser!(u16).range(1..), help_heading = "TFTP")]
    windowsize: u16,
    /// Ask the server to send again what is not answered after so many seconds, instead of adapting.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u8).range(1..), help_heading = "TFTP")]
    tftp_timeout: Option<u8>,
    /// Take answers from another address than the one that was asked.
    #[arg(long, help_heading = "TFTP")]
    any_source: bool,
}

impl TftpFlags {
    /// What holds.
    pub(super) fn choices(self) -> Tftp {
        Tftp {
            block_size: self.blksize,
            window: self.windowsize,
            timeout: self.tftp_timeout,
            any_source: self.any_source,
            ..Tftp::default()
        }
    }
}
