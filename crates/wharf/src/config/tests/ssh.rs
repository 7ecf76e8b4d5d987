//! Keys about SSH and SFTP: each one read, each one written wrongly, each contradiction.

use std::time::Duration;

use super::{
    super::types::{RealPath, SymlinkOrder},
    *,
};

#[test]
fn ssh_listens_where_somebody_says_so() {
    let config = load_text("").unwrap();
    assert_eq!(config.ssh.listen, None);
    assert!(config.ssh.host_keys.is_empty() && config.ssh.scp && config.ssh.exec_helpers);
    assert_eq!(config.ssh.max_auth_attempts, 6);
    assert_eq!(config.ssh.idle_timeout, Duration::from_secs(900));
    assert_eq!((config.sftp.max_handles, config.sftp.atomic), (256, true));
}

#[test]
fn every_key_of_ssh_is_read() {
    let text = "[ssh]\nlisten = [\"0.0.0.0:22\", \"[::]:22\"]\nhost_keys = [\"/etc/ssh/key\"]\n\
        user_ca = [\"/ca.pub\"]\nrevoked_keys = \"/revoked\"\nlogin_timeout = 30\n\
        max_auth_attempts = 3\nidle_timeout = 600\nmax_channels = 5\nrekey_bytes = \"64 MiB\"\n\
        rekey_time = 600\npacket_size = \"64 KiB\"\nkex = [\"curve25519-sha256\"]\n\
        ciphers = [\"aes128-gcm@openssh.com\"]\nmacs = [\"hmac-sha2-256\"]\n\
        signatures = [\"ssh-ed25519\", \"ssh-rsa\"]\ncompression = false\nscp = false\n\
        exec_helpers = false\nbanner = \"Members only\"\nreveal = true\n\
        [sftp]\nmax_handles = 10\natomic = false\nrealpath = \"posix\"\n\
        ignore_setstat_errors = true\nsymlink_order = \"draft\"\n";
    let config = load_text(text).unwrap();
    let (ssh, sftp) = (&config.ssh, &config.sftp);
    assert_eq!(ssh.listen.as_ref().map(Vec::len), Some(2));
    assert_eq!(ssh.host_keys, [PathBuf::from("/etc/ssh/key")]);
    assert_eq!((ssh.rekey_bytes.0, ssh.packet_size.0), (64 << 20, 64 << 10));
    assert_eq!(ssh.signatures.as_ref().map(Vec::len), Some(2));
    assert!(!ssh.compression && !ssh.scp && !ssh.exec_helpers && ssh.reveal);
    assert_eq!((sftp.max_handles, sftp.atomic), (10, false));
    assert_eq!(sftp.realpath, RealPath::Posix);
    assert_eq!(sftp.symlink_order, SymlinkOrder::Draft);
    assert!(sftp.ignore_setstat_errors);
}

#[test]
fn what_ssh_cannot_do_is_told_with_the_mend() {
    for (text, told) in [
        ("packet_size = \"1 MiB\"", "ssh.packet_size"),
        ("rekey_bytes = \"2 GiB\"", "ssh.rekey_bytes"),
        ("rekey_bytes = \"1 KiB\"", "ssh.rekey_bytes"),
        ("kex = []", "ssh.kex"),
        ("kex = [\"diffie-hellman-group1-sha1\"]", "ssh.kex"),
        ("ciphers = [\"none\"]", "mlkem|aes256-gcm"),
        ("ciphers = [\"3des-cbc\"]", "ssh.ciphers"),
        ("macs = [\"none\"]", "ssh.macs"),
        ("signatures = [\"ssh-dss\"]", "ssh.signatures"),
        ("banner = \"\\u001b[2J\"", "ssh.banner"),
        ("listen = [\"0.0.0.0:2121\"]", "ssh.listen"),
        ("listen = [\"0.0.0.0:22\", \"0.0.0.0:22\"]", "ssh.listen"),
    ] {
        let error = load_text(&format!("[ssh]\n{text}\n")).unwrap_err();
        let found = told.split('|').any(|told| error.to_string().contains(told));
        assert!(found, "{text}: {error}");
    }
}

/// SFTP alone is a whole service.
#[test]
fn ftp_may_listen_nowhere_where_ssh_does() {
    assert!(load_text("[ftp]\nlisten = []\n").is_err());
    let config = load_text("[ftp]\nlisten = []\n[ssh]\nlisten = [\"0.0.0.0:22\"]\n").unwrap();
    assert!(config.ftp.listen.is_empty());
}

#[test]
fn where_ssh_listens_and_its_keys_take_a_restart() {
    let old = load_text("[ssh]\nlisten = [\"0.0.0.0:22\"]\n").unwrap();
    let new = load_text("[ssh]\nlisten = [\"0.0.0.0:2222\"]\nscp = false\n").unwrap();
    assert_eq!(old.restart_changes(&new), ["ssh.listen"]);
}
