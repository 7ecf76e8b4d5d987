//! The ports that a configuration needs, and the rules that let them through.
//!
//! Rules are text to copy, never run: a firewall is its administrator's.

use std::{collections::BTreeSet, fmt::Write as _, net::SocketAddr, ops::RangeInclusive};

use crate::{compose, config::Config};

/// What must be reachable.
pub(super) struct Ports {
    /// Control connections, explicit and implicit, SSH, and an authority's checks.
    pub(super) open: BTreeSet<u16>,
    /// Passive data connections.
    pub(super) passive: RangeInclusive<u16>,
    /// Source ports of active data connections, when allowed.
    pub(super) active_sources: BTreeSet<u16>,
}

impl Ports {
    pub(super) fn of(config: &Config) -> Self {
        let implicit = config.ftp.listen_implicit.as_deref().unwrap_or_default();
        let control: BTreeSet<_> = config
            .ftp
            .listen
            .iter()
            .chain(implicit)
            .map(SocketAddr::port)
            .collect();
        let acme = (!config.acme.domains.is_empty()).then(|| compose::acme_address(config).port());
        let ssh = config.ssh.listen.iter().flatten().map(SocketAddr::port);
        let active_sources = if config.data.active {
            control.iter().map(|port| port.saturating_sub(1)).collect()
        } else {
            BTreeSet::new()
        };
        Self {
            open: control.iter().copied().chain(ssh).chain(acme).collect(),
            passive: config.data.passive_ports.clone(),
            active_sources,
        }
    }

    /// The table of ports.
    pub(super) fn table(&self, config: &Config) -> String {
        let mut text = String::from("Ports\n");
        for address in &config.ftp.listen {
            let _ = writeln!(
                text,
                "  {address:<28} tcp  in   FTP control connections (AUTH TLS)"
            );
        }
        for address in config.ftp.listen_implicit.iter().flatten() {
            let _ = writeln!(
                text,
                "  {address:<28} tcp  in   FTPS control connections, implicit TLS"
            );
        }
        for address in config.ssh.listen.iter().flatten() {
            let _ = writeln!(text, "  {address:<28} tcp  in   SSH: SFTP and SCP");
        }
        if !config.acme.domains.is_empty() {
            let address = compose::acme_address(config).to_string();
            let _ = writeln!(
                text,
                "  {address:<28} tcp  in   the authority's check of names (acme.listen)"
            );
        }
        let passive = format!("{}-{}", self.passive.start(), self.passive.end());
        let _ = writeln!(
            text,
            "  {passive:<28} tcp  in   FTP data, passive (data.passive_ports)"
        );
        for port in &self.active_sources {
            let _ = writeln!(
                text,
                "  {port:<28} tcp  out  FTP data, active (source port; data.active)"
            );
        }
        text
    }

    /// Rules for the usual firewalls, and the ports to publish behind NAT or from a container.
    pub(super) fn rules(&self) -> String {
        let (first, last) = (self.passive.start(), self.passive.end());
        let control: Vec<_> = self.open.iter().map(u16::to_string).collect();
        let list = control.join(", ");
        let mut text =
            String::from("Firewall rules to copy\n  nftables (table inet filter, chain input):\n");
        let _ = writeln!(
            text,
            "    nft add rule inet filter input tcp dport '{{ {list}, {first}-{last} }}' accept"
        );
        text.push_str("  ufw:\n");
        for port in &control {
            let _ = writeln!(text, "    ufw allow {port}/tcp");
        }
        let _ = writeln!(text, "    ufw allow {first}:{last}/tcp");
        text.push_str("  firewalld:\n");
        for port in &control {
            let _ = writeln!(text, "    firewall-cmd --permanent --add-port={port}/tcp");
        }
        let _ = writeln!(
            text,
            "    firewall-cmd --permanent --add-port={first}-{last}/tcp && firewall-cmd --reload"
        );
        text.push_str("  Docker (publish the passive range one to one):\n    docker run");
        for port in &control {
            let _ = write!(text, " -p {port}:{port}");
        }
        let _ = writeln!(text, " -p {first}-{last}:{first}-{last} ...");
        text.push_str("  NAT router: forward the same ports one to one, and tell clients the outside address:\n");
        text.push_str("    [[data.external_address]]\n    network = \"0.0.0.0/0\"\n    address = \"203.0.113.7\"   # or a host name\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_name_every_port() {
        let mut config = crate::config::load(None, &[]).unwrap();
        config.ftp.listen = vec!["0.0.0.0:21".parse().unwrap(), "[::]:21".parse().unwrap()];
        config.data.passive_ports = 50_000..=50_100;
        config.ftp.listen_implicit = Some(vec!["0.0.0.0:990".parse().unwrap()]);
        config.ssh.listen = Some(vec!["0.0.0.0:22".parse().unwrap()]);
        let ports = Ports::of(&config);
        assert_eq!(
            ports.active_sources,
            BTreeSet::from([20, 989]),
            "active data come from the port below"
        );
        assert!(
            ports.table(&config).contains("20 ") && ports.table(&config).contains("50000-50100")
        );
        let rules = ports.rules();
        for rule in [
            "tcp dport '{ 21, 22, 990, 50000-50100 }' accept",
            "ufw allow 50000:50100/tcp",
            "--add-port=21/tcp",
            "-p 21:21 -p 22:22 -p 990:990 -p 50000-50100:50000-50100",
        ] {
            assert!(rules.contains(rule), "{rule} in {rules}");
        }
    }
}
