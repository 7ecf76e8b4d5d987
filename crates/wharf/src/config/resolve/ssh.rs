//! What the keys about SSH mean together.

use std::{collections::HashSet, ops::RangeInclusive};

use wharf_ssh::Algorithms;

use crate::config::{
    raw::Report,
    table::{Root, Ssh},
};

/// What the transport can do, octets.
const PACKET_SIZE: RangeInclusive<u64> = 32 << 10..=256 << 10;
/// Above it a cipher's nonces would come again (RFC 4344, RFC 5647).
const REKEY_BYTES: RangeInclusive<u64> = 1 << 20..=1 << 30;
/// Longest banner, octets.
const MAX_BANNER: usize = 16 << 10;

/// Contradictions between keys of SSH and of others.
pub(super) fn check(root: &Root, report: &mut Report) {
    let ssh = &root.ssh;
    let mut seen: HashSet<_> = root
        .ftp
        .listen
        .iter()
        .chain(root.ftp.listen_implicit.iter().flatten())
        .collect();
    for (at, address) in ssh.listen.iter().flatten().enumerate() {
        // Port 0 is another one each time.
        if address.port() != 0 && !seen.insert(address) {
            report.add_at(
                &format!("ssh.listen[{at}]"),
                format!("`ssh.listen`: {address} stands twice, here or in `ftp`"),
                "SSH needs a port of its own, such as 22 or 2022",
            );
        }
    }
    if !PACKET_SIZE.contains(&ssh.packet_size.0) {
        report.add_at(
            "ssh.packet_size",
            "`ssh.packet_size` is out of range",
            "use \"32 KiB\" to \"256 KiB\"",
        );
    }
    if !REKEY_BYTES.contains(&ssh.rekey_bytes.0) {
        report.add_at(
            "ssh.rekey_bytes",
            "`ssh.rekey_bytes` is out of range",
            "use \"1 MiB\" to \"1 GiB\": more would weaken the ciphers",
        );
    }
    if let Some(banner) = &ssh.banner
        && (banner.len() > MAX_BANNER
            || banner
                .chars()
                .any(|c| c.is_control() && !matches!(c, '\n' | '\t')))
    {
        report.add_at(
            "ssh.banner",
            format!("`ssh.banner` has more than {MAX_BANNER} octets or control characters"),
            "shorten it to plain lines",
        );
    }
    if ssh.revoked_keys.is_some()
        && ssh.user_ca.is_empty()
        && root.user.is_empty()
        && ssh.listen.is_none()
    {
        report.add_at(
            "ssh.revoked_keys",
            "`ssh.revoked_keys` is set but nobody listens for SSH",
            "set ssh.listen, or remove it",
        );
    }
    check_algorithms(ssh, report);
}

fn check_algorithms(ssh: &Ssh, report: &mut Report) {
    let given = [
        ("kex", &ssh.kex),
        ("ciphers", &ssh.ciphers),
        ("macs", &ssh.macs),
        ("signatures", &ssh.signatures),
    ];
    for (key, names) in given {
        let Some(names) = names else { continue };
        let key = format!("ssh.{key}");
        if names.is_empty() {
            let message = format!("`{key}` is empty");
            report.add_at(&key, message, "name at least one, or remove the key");
            continue;
        }
        // One key at a time, so that the complaint stands at the right one.
        let mut alone = Algorithms::default();
        match key.as_str() {
            "ssh.kex" => alone.kex.clone_from(names),
            "ssh.ciphers" => alone.ciphers.clone_from(names),
            "ssh.macs" => alone.macs.clone_from(names),
            _ => alone.signatures.clone_from(names),
        }
        if let Err(error) = alone.check() {
            report.add_at(&key, format!("`{key}`: {error}"), "correct the name");
        }
    }
}
