//! OpenSSH's sshd with the SFTP server that is built into it, everybody in a directory of his own.

use std::fs;
use std::process::Command;

use super::{Launch, Ports, Setup, config, peer, run};
use crate::Scratch;

pub(super) fn launch(setup: &Setup, scratch: &Scratch, ports: Ports) -> Launch {
    let ssh = setup.ssh.clone().unwrap_or_default();
    let key = scratch.path().join("host_key");
    if !key.exists() {
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key));
    }
    let keys = config(scratch, "authorized_keys", &ssh.authorized_keys);
    let text = format!(
        "ListenAddress {}\nHostKey {}\nPidFile none\nUsePAM no\nUseDNS no\nStrictModes no\n\
         PasswordAuthentication yes\nPubkeyAuthentication yes\nAuthorizedKeysFile {}\nLogLevel ERROR\n\
         MaxStartups 1000\nMaxSessions 100\nPrintMotd no\nSubsystem sftp internal-sftp{}\n",
        ports.explicit,
        key.display(),
        keys.display(),
        if setup.read_only { " -R" } else { "" },
    );
    let mut command = Command::new(peer("openssh-server/usr/sbin/sshd"));
    command
        .args(["-D", "-e", "-f"])
        .arg(config(scratch, "sshd_config", &text));
    // Its sessions read their keys as the account.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&keys, readable).expect("mode");
    Launch {
        command,
        accounts: true,
    }
}
