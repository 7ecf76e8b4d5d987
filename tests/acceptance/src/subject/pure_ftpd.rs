//! Pure-FTPd, standalone, everybody chrooted. It has no configuration file, only options.

use std::net::SocketAddr;
use std::process::Command;

use super::{Launch, Setup, peer};
use crate::Scratch;

pub(super) fn launch(setup: &Setup, scratch: &Scratch, address: SocketAddr) -> Launch {
    let mut command = Command::new(peer("pure-ftpd/usr/sbin/pure-ftpd"));
    command
        .arg("-S")
        .arg(format!("{},{}", address.ip(), address.port()))
        .args([
            "-c", "1000", "-C", "1000", "-l", "unix", "-A", "-H", "-f", "none", "-I", "15",
        ])
        .args(["-L", "200000:10", "-U", "133:022", "-g"])
        .arg(scratch.path().join("pid"))
        .arg(if address.is_ipv4() { "-4" } else { "-6" });
    command.arg(if setup.anonymous { "-i" } else { "-E" });
    if setup.read_only {
        // It has no read-only switch: a full disk from the first byte on comes nearest.
        command.args(["-k", "0"]);
    }
    if let Some((low, high)) = setup.passive_ports {
        command.arg("-p").arg(format!("{low}:{high}"));
    }
    Launch {
        command,
        accounts: true,
    }
}
