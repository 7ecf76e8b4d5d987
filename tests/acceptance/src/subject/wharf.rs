//! The product, as `wharf serve DIR`, or with a configuration file where a test wants settings.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Launch, Setup, config, wharf_binary};
use crate::{PASSWORD, Scratch, USER};

pub(super) fn launch(setup: &Setup, scratch: &Scratch, root: &Path, address: SocketAddr) -> Launch {
    let mut command = Command::new(wharf_binary());
    command.arg("serve");
    if !setup.wharf.is_empty() {
        command
            .arg("--config")
            .arg(config(scratch, "wharf.toml", setup.wharf));
    }
    command
        .arg(root)
        .arg("--listen")
        .arg(address.to_string())
        .arg("--user")
        .arg(format!("{USER}:{PASSWORD}"))
        .arg("--state-dir")
        .arg(scratch.path().join("state"));
    if setup.anonymous {
        command.arg("--anonymous");
    }
    if setup.read_only {
        command.arg("--read-only");
    }
    if let Some((low, high)) = setup.passive_ports {
        command.arg("--passive-ports").arg(format!("{low}-{high}"));
    }
    Launch {
        command,
        accounts: false,
    }
}
