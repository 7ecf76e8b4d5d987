//! The ports that a configuration needs, and the rules that let them through.
//!
//! Rules are text to copy, never run: a firewall is its administrator's.

use std::{collections::BTreeSet, fmt::Write as _, net::SocketAddr, ops::RangeInclusive};

use crate::{compose, config::Config};

/// What must be reachable.
pub(super) struct Ports {
    /// Control connections, explicit and implicit, SSH, and an authority's checks.
    pub(super) open: BTreeSet<u16>,
    /// Passive data connections, where FTP is served.
    pub(super) passive: Option<RangeInclusive<u16>>,
    /// Requests of TFTP, over UDP.
    pub(super) tftp: BTreeSet<u16>,
    /// Where transfers of TFTP have their own ports.
    pub(super) tftp_transfers: TftpPorts,
    /// Source ports of active data connections, when allowed.
    pub(super) active_sources: BTreeSet<u16>,
}

/// UDP ports of the transfers of TFTP.
pub(super) enum TftpPorts {
    /// That of the request.
    Same,
    /// One of these each.
    Range(RangeInclusive<u16>),
    /// Any one each.
    Any,
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
        let tftp = config.tftp.listen.iter().flatten();
        Self {
            tftp: tftp.map(SocketAddr::port).collect(),
            tftp_transfers: match &config.tftp.port_range {
                _ if config.tftp.single_port => TftpPorts::Same,
                Some(ports) => TftpPorts::Range(ports.clone()),
                None => TftpPorts::Any,
            },
            open: control.iter().copied().chain(ssh).chain(acme).collect(),
            passive: (!control.is_empty()).then(|| config.data.passive_ports.clone()),
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
        for address in config.tftp.listen.iter().flatten() {
            let _ = writeln!(text, "  {address:<28} udp  in   TFTP requests");
        }
        if !self.tftp.is_empty() {
            match &self.tftp_transfers {
                TftpPorts::Same => {}
                TftpPorts::Range(ports) => {
                    let _ = writeln!(
                        text,
                        "  {:<28} udp  both TFTP transfers (tftp.port_range)",
                        dashed(ports)
                    );
                }
                TftpPorts::Any => {
                    let _ = writeln!(
                        text,
                        "  {:<28} udp  both TFTP transfers: each from a port of its own",
                        "any"
                    );
                }
            }
        }
        if !config.acme.domains.is_empty() {
            let address = compose::acme_address(config).to_string();
            let _ = writeln!(
                text,
                "  {address:<28} tcp  in   the authority's check of names (acme.listen)"
            );
        }
        if let Some(passive) = &self.passive {
            let _ = writeln!(
                text,
                "  {:<28} tcp  in   FTP data, passive (data.passive_ports)",
                dashed(passive)
            );
        }
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
        let (tcp, udp) = (self.tcp(), self.udp());
        let of = |protocol, ports: &[String]| -> Vec<(&str, String)> {
            ports
                .iter()
                .map(|ports| (protocol, ports.clone()))
                .collect()
        };
        let every = [of("tcp", &tcp), of("udp", &udp)].concat();
        let mut text =
            String::from("Firewall rules to copy\n  nftables (table inet filter, chain input):\n");
        for (protocol, ports) in [("tcp", &tcp), ("udp", &udp)] {
            let list = ports.join(", ");
            if !list.is_empty() {
                let _ = writeln!(
                    text,
                    "    nft add rule inet filter input {protocol} dport '{{ {list} }}' accept"
                );
            }
        }
        text.push_str("  ufw:\n");
        for (protocol, ports) in &every {
            let _ = writeln!(text, "    ufw allow {}/{protocol}", ports.replace('-', ":"));
        }
        text.push_str("  firewalld:\n");
        for (protocol, ports) in &every {
            let _ = writeln!(
                text,
                "    firewall-cmd --permanent --add-port={ports}/{protocol}"
            );
        }
        text.push_str("    firewall-cmd --reload\n");
        text.push_str("  Docker (publish ranges one to one):\n    docker run");
        for (protocol, ports) in &every {
            let suffix = if *protocol == "tcp" { "" } else { "/udp" };
            let _ = write!(text, " -p {ports}:{ports}{suffix}");
        }
        text.push_str(" ...\n");
        if self.passive.is_some() {
            text.push_str("  NAT router: forward the same ports one to one, and tell clients the outside address:\n");
            text.push_str("    [[data.external_address]]\n    network = \"0.0.0.0/0\"\n    address = \"203.0.113.7\"   # or a host name\n");
        }
        self.tftp_rules(&mut text);
        text
    }

    /// TCP ports to open, the passive range last.
    fn tcp(&self) -> Vec<String> {
        let ports = self.open.iter().map(u16::to_string);
        ports.chain(self.passive.as_ref().map(dashed)).collect()
    }

    /// UDP ports to open, as ranges where there are some.
    fn udp(&self) -> Vec<String> {
        let mut udp: Vec<_> = self.tftp.iter().map(u16::to_string).collect();
        if let (TftpPorts::Range(ports), false) = (&self.tftp_transfers, udp.is_empty()) {
            udp.push(dashed(ports));
        }
        udp
    }

    /// What TFTP asks of a firewall or NAT between the server and its clients.
    fn tftp_rules(&self, text: &mut String) {
        let Some(port) = self.tftp.first() else {
            return;
        };
        match self.tftp_transfers {
            TftpPorts::Same => text.push_str(
                "  TFTP answers from the port of the request: one UDP port to publish or forward.\n",
            ),
            TftpPorts::Range(_) | TftpPorts::Any => {
                text.push_str("  TFTP behind NAT, in a container or behind a strict firewall: tftp.single_port = true,\n  or the kernel's helper in front of the clients, which follows each transfer to its port:\n");
                let _ = writeln!(
                    text,
                    "    modprobe nf_conntrack_tftp nf_nat_tftp\n    nft 'add ct helper inet filter tftp {{ type \"tftp\" protocol udp; }}'\n    nft add chain inet filter helpers '{{ type filter hook prerouting priority 0; }}'\n    nft add rule inet filter helpers udp dport {port} ct helper set '\"tftp\"'"
                );
            }
        }
    }
}

/// A range as most firewalls write it.
fn dashed(ports: &RangeInclusive<u16>) -> String {
    format!("{}-{}", ports.start(), ports.end())
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

    #[test]
    fn tftp_needs_its_port_and_those_of_its_transfers() {
        let mut config = crate::config::load(None, &[]).unwrap();
        let rules = Ports::of(&config).rules();
        assert!(!rules.contains("udp") && !rules.contains("TFTP"), "{rules}");
        config.tftp.listen = Some(vec!["0.0.0.0:69".parse().unwrap()]);
        let ports = Ports::of(&config);
        assert!(ports.table(&config).contains("udp  in   TFTP requests"));
        let rules = ports.rules();
        for rule in [
            "udp dport '{ 69 }' accept",
            "ufw allow 69/udp",
            "-p 69:69/udp",
            "tftp.single_port = true",
            "nf_conntrack_tftp",
        ] {
            assert!(rules.contains(rule), "{rule} in {rules}");
        }
        config.tftp.port_range = Some(30_000..=30_100);
        let rules = Ports::of(&config).rules();
        for rule in [
            "udp dport '{ 69, 30000-30100 }' accept",
            "ufw allow 30000:30100/udp",
            "-p 30000-30100:30000-30100/udp",
        ] {
            assert!(rules.contains(rule), "{rule} in {rules}");
        }
        config.tftp.port_range = None;
        config.tftp.single_port = true;
        let rules = Ports::of(&config).rules();
        assert!(!rules.contains("nf_conntrack_tftp"), "{rules}");
        config.ftp.listen = Vec::new();
        let rules = Ports::of(&config).rules();
        assert!(
            !rules.contains("tcp") && !rules.contains("NAT router"),
            "{rules}"
        );
    }
}
