//! tftp-hpa's in.tftpd, standalone in the foreground, below its own root. It knows no `windowsize`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Launch, peer};
use crate::USER;

pub(super) fn launch(root: &Path, address: SocketAddr) -> Launch {
    let mut command = Command::new(peer("tftpd-hpa/usr/sbin/in.tftpd"));
    command
        .args(["--foreground", "--secure", "--create", "--address"])
        .arg(address.to_string())
        .args(["--user", USER])
        .arg(root);
    Launch {
        command,
        accounts: true,
    }
}
