//! Advanced TFTP's atftpd, in the foreground, a thread per transfer. It retransmits after one second.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Launch, peer};
use crate::USER;

pub(super) fn launch(root: &Path, address: SocketAddr) -> Launch {
    let mut command = Command::new(peer("atftpd/usr/sbin/atftpd"));
    command
        .args(["--daemon", "--no-fork", "--retry-timeout", "1"])
        .args(["--maxthread", "1000", "--logfile", "-", "--user"])
        .arg(format!("{USER}.{USER}"))
        .args(["--port", &address.port().to_string(), "--bind-address"])
        .arg(address.ip().to_string())
        .arg(root);
    Launch {
        command,
        accounts: true,
    }
}
