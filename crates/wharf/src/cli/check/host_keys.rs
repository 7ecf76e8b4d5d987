//! Host keys, as `wharf check` tells of them: fingerprints to compare, and records for the DNS.

use std::fmt::Write as _;

use wharf_ssh::HostKey;

use crate::{config::Config, exit::Failure, host_keys};

/// The keys that are there; nothing where nobody listens for SSH.
///
/// # Errors
/// A configured key that `wharf serve` would refuse.
pub(super) fn table(config: &Config) -> Result<String, Failure> {
    if config.ssh.listen.iter().flatten().next().is_none() {
        return Ok(String::new());
    }
    let mut text = String::from("Host keys of SSH\n");
    let files = host_keys::files(config);
    if config.ssh.host_keys.is_empty() && !files.iter().all(|path| path.is_file()) {
        let _ = writeln!(
            text,
            "  none yet: they are made at the first start, in {}\n",
            config.state_dir.display()
        );
        return Ok(text);
    }
    let keys = host_keys::load(config).map_err(|error| Failure::config(error.to_string()))?;
    for (key, path) in keys.iter().zip(&files) {
        let kind = key.kind();
        let _ = writeln!(
            text,
            "  {kind:<24} {} {}",
            key.fingerprint(),
            path.display()
        );
    }
    text.push_str("  Records for the DNS (sshfp), so that clients can ask there:\n");
    for record in keys.iter().filter_map(HostKey::sshfp) {
        let _ = writeln!(text, "    IN SSHFP {record}");
    }
    text.push('\n');
    Ok(text)
}
