//! The product, as `wharf serve DIR`, or with a configuration file where a test wants settings.

use std::path::Path;
use std::process::Command;

use super::{
    Launch, Ports, RequireTls, Setup, SshSetup, TftpSetup, TlsSetup, UID, config, make_directory,
    own, wharf_binary,
};
use crate::{PASSWORD, Scratch, USER};

pub(super) fn launch(setup: &Setup, scratch: &Scratch, root: &Path, ports: Ports) -> Launch {
    if let Some(ssh) = &setup.ssh {
        return launch_with_ssh(setup, ssh, scratch, root, ports);
    }
    if let Some(tftp) = &setup.tftp {
        return launch_with_tftp(setup, tftp, scratch, root, ports);
    }
    let mut command = Command::new(wharf_binary());
    command.arg("serve");
    let directory = scratch.path().join("tls").display().to_string();
    let mut text = setup.tls.as_ref().map(keys).unwrap_or_default() + setup.wharf;
    if !text.is_empty() {
        text = text
            .replace("{tls}", &directory)
            .replace("{root}", &root.display().to_string());
        command
            .arg("--config")
            .arg(config(scratch, "wharf.toml", &text));
    }
    command
        .arg(root)
        .arg("--listen")
        .arg(ports.explicit.to_string())
        .arg("--user")
        .arg(format!("{USER}:{PASSWORD}"))
        .arg("--state-dir")
        .arg(scratch.path().join("state"));
    if let Some(address) = ports.implicit {
        command.arg("--listen-implicit").arg(address.to_string());
    }
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

/// With keys, which the short form has no place for.
fn launch_with_ssh(
    setup: &Setup,
    ssh: &SshSetup,
    scratch: &Scratch,
    root: &Path,
    ports: Ports,
) -> Launch {
    let keys = config(scratch, "authorized_keys", &ssh.authorized_keys);
    let state = scratch.path().join("state");
    make_directory(&state);
    own(&keys);
    let listen = ports.ssh.map(|address| address.to_string());
    assert!(!setup.read_only, "say so in the account's own keys");
    let text = format!(
        r#"server.user = "{UID}:{UID}"
server.state_dir = "{}"
ftp.listen = ["{}"]
ftp.listen_implicit = []
ssh.listen = ["{}"]
{}
[[user]]
name = "{USER}"
password = "{PASSWORD}"
home = "{}"
authorized_keys_file = "{}"
{}"#,
        state.display(),
        ports.explicit,
        listen.unwrap_or_default(),
        setup.wharf,
        root.display(),
        keys.display(),
        ssh.account,
    );
    let mut command = Command::new(wharf_binary());
    command
        .args(["serve", "--config"])
        .arg(config(scratch, "wharf.toml", &text));
    Launch {
        command,
        accounts: false,
    }
}

/// TFTP alone, for everybody.
fn launch_with_tftp(
    setup: &Setup,
    tftp: &TftpSetup,
    scratch: &Scratch,
    root: &Path,
    ports: Ports,
) -> Launch {
    let state = scratch.path().join("state");
    make_directory(&state);
    let listen = ports.tftp.map(|address| address.to_string());
    let text = format!(
        r#"server.user = "{UID}:{UID}"
server.state_dir = "{}"
ftp.listen = []
ftp.listen_implicit = []
{}
[tftp]
listen = ["{}"]
root = "{}"
write = "{}"
{}"#,
        state.display(),
        setup.wharf,
        listen.unwrap_or_default(),
        root.display(),
        if setup.read_only { "deny" } else { "overwrite" },
        tftp.section.replace("{root}", &root.display().to_string()),
    );
    let mut command = Command::new(wharf_binary());
    command
        .args(["serve", "--config"])
        .arg(config(scratch, "wharf.toml", &text));
    Launch {
        command,
        accounts: false,
    }
}

fn keys(tls: &TlsSetup) -> String {
    let mut text = r#"tls.certificates = [
    { chain = "{tls}/server.pem", key = "{tls}/server.key" },
    { chain = "{tls}/other.pem", key = "{tls}/other.key" },
]
"#
    .to_owned();
    match tls.require {
        RequireTls::No => {}
        RequireTls::Login => text += "ftp.require_tls = \"login\"\n",
        RequireTls::Data => text += "ftp.require_tls = \"data\"\n",
        RequireTls::Both => text += "ftp.require_tls = \"both\"\n",
    }
    if tls.ccc {
        text += "ftp.ccc = true\n";
    }
    if tls.reuse {
        text += "tls.session_reuse = \"require\"\n";
    }
    if tls.client_certificates {
        text += "tls.client_certificates = \"require\"\ntls.client_ca = \"{tls}/ca.pem\"\n\
                 tls.client_crl = [\"{tls}/crl.pem\"]\n";
    }
    text
}
