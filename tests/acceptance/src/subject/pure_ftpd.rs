//! Pure-FTPd, standalone, everybody chrooted. It has no configuration file, only options.

use std::net::SocketAddr;
use std::process::Command;

use super::{Launch, RequireTls, Setup, peer};
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
    if let Some(tls) = &setup.tls {
        assert!(
            !tls.implicit,
            "Pure-FTPd has no port on which TLS comes first"
        );
        // It knows nothing of logins in clear with private data; nor of sessions that must be resumed.
        command.args([
            "-Y",
            match tls.require {
                RequireTls::No | RequireTls::Data => "1",
                RequireTls::Login => "2",
                RequireTls::Both => "3",
            },
        ]);
    }
    Launch {
        command,
        accounts: true,
    }
}
