//! `wharf check`: is this configuration whole, what does it open, and what is risky about it?
//!
//! It exits with an error for what `wharf serve` would refuse and for a certificate that has expired; a
//! risk is told and left to its owner.

mod certificates;
mod host_keys;

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::Args;
use wharf_accounts::{Network, Tree};
use wharf_vfs::Right;

use self::certificates::{
    certificate_risks, certificate_table, expired, load_certificates, now, watch_risks,
};
use super::{environment, ports::Ports, say};
use crate::{
    compose,
    config::{
        self, ClientCertificates, Config, PeerCheck, RequireTls, SessionReuse, TftpWrite,
        VolumeStore,
    },
    exit::Failure,
};

/// Check a configuration; show its ports, its risks and the firewall rules that it needs.
#[derive(Args)]
pub(super) struct Check {
    /// Configuration file (TOML); without it the defaults are checked.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Something that an administrator should know.
#[derive(Debug, PartialEq, Eq)]
struct Risk {
    key: &'static str,
    text: String,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = config::load(self.config.as_deref(), &environment())
            .map_err(|error| Failure::config(error.to_string()))?;
        let missing = missing_directories(&config);
        if !missing.is_empty() {
            return Err(Failure::config(missing.join("\n")));
        }
        let certificates = load_certificates(&config)?;
        let now = now();
        let ports = Ports::of(&config);
        let mut text = format!("The configuration is valid.\n\n{}\n", ports.table(&config));
        text.push_str(&certificate_table(&config, &certificates));
        text.push_str(&host_keys::table(&config)?);
        let mut risks = risks(&config);
        risks.extend(certificate_risks(&certificates, now));
        risks.extend(watch_risks(&config));
        text.push_str(if risks.is_empty() {
            "No risky settings.\n"
        } else {
            "Risky settings\n"
        });
        for risk in risks {
            text.push_str(&format!("  {:<24} {}\n", risk.key, risk.text));
        }
        text.push('\n');
        text.push_str(&ports.rules());
        say(&text)?;
        let expired = expired(&certificates, now);
        if expired.is_empty() {
            Ok(())
        } else {
            Err(Failure::config(expired.join("\n")))
        }
    }
}

fn missing_directories(config: &Config) -> Vec<String> {
    let volumes = config
        .volumes
        .iter()
        .filter_map(|volume| match &volume.store {
            VolumeStore::Local(path) => Some((format!("volume {}", volume.id), path)),
            VolumeStore::Memory(_) => None,
        });
    let homes = config
        .accounts
        .iter()
        .filter_map(|account| match &account.home.tree {
            Tree::Directory(path) => Some((format!("home of {}", account.name), path)),
            Tree::Volumes(_) => None,
        });
    let tftp: Vec<_> = compose::tftp::accounts(config).collect();
    let of_tftp = tftp.iter().filter_map(|account| match &account.home.tree {
        Tree::Directory(path) => Some(("root of tftp".to_owned(), path)),
        Tree::Volumes(_) => None,
    });
    volumes
        .chain(homes)
        .chain(of_tftp)
        .filter(|(_, path)| !Path::is_dir(path))
        .map(|(what, path)| {
            format!(
                "{what}: expected a directory at {}; make it, or correct the path",
                path.display()
            )
        })
        .collect()
}

/// What goes in clear, and what TLS does not hold together.
fn tls_risks(config: &Config, add: &mut impl FnMut(&'static str, String)) {
    let explicit = &config.ftp.listen;
    let public = explicit.iter().any(|address| !address.ip().is_loopback());
    let has_tls = compose::tls(config).is_some();
    if public && !has_tls {
        add("ftp.listen", "plain FTP sends passwords and files in clear: only for trusted networks or public files".into());
    } else if public {
        let in_clear = match config.ftp.require_tls {
            RequireTls::No => Some(
                "a client that does not ask for TLS sends passwords and files in clear; \"login\" or \"both\" forbids it",
            ),
            RequireTls::Data => Some("passwords may go in clear; \"both\" forbids it"),
            RequireTls::Login if config.anonymous.enabled => None,
            RequireTls::Login => Some("files may go in clear; \"both\" forbids it"),
            RequireTls::Both => None,
        };
        if let Some(text) = in_clear {
            add("ftp.require_tls", text.into());
        }
    }
    if config.anonymous.enabled && config.ftp.require_tls.covers_login() {
        add("ftp.require_tls", "anonymous users need TLS as well; without it in front of public files, ask for it per account (user.require_tls)".into());
    }
    if has_tls && config.tls.session_reuse == SessionReuse::Off {
        add("tls.session_reuse", "data connections cannot prove whose they are, and each costs a full handshake; prefer \"prefer\"".into());
    }
    if has_tls
        && config.tls.session_reuse != SessionReuse::Require
        && config.data.peer_check == PeerCheck::Off
    {
        add("tls.session_reuse", "nothing binds a data connection to its client: data.peer_check is off and resumption is not required".into());
    }
    if config.tls.client_certificates == ClientCertificates::Require
        && !config.ftp.require_tls.covers_login()
    {
        add("tls.client_certificates", "who leaves TLS out shows no certificate and may log in all the same; ftp.require_tls = \"login\" or \"both\" closes that door".into());
    }
    if config.ftp.ccc {
        add(
            "ftp.ccc",
            "after CCC commands go in clear and can be changed on the way".into(),
        );
    }
}

/// Over TFTP nobody proves who he is.
fn tftp_risks(config: &Config, add: &mut impl FnMut(&'static str, String)) {
    let tftp = &config.tftp;
    if tftp.listen.iter().flatten().next().is_none() {
        return;
    }
    let is_open = |networks: &[Network], macs: bool| networks.is_empty() && !macs;
    let for_all = tftp.root.is_some() || tftp.volume.is_some();
    let storing = tftp.client.iter().any(|client| {
        is_open(&client.networks, !client.macs.is_empty())
            && client.write.unwrap_or(tftp.write) != TftpWrite::Deny
    });
    if storing || (for_all && tftp.write != TftpWrite::Deny) {
        add("tftp.write", "whoever reaches the port stores files, without any login; give the right to networks ([[tftp.client]])".into());
    }
    let public = |address: &SocketAddr| match address.ip() {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_private() && !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unique_local() && !ip.is_unicast_link_local(),
    };
    let reading = tftp.client.iter().any(|client| {
        is_open(&client.networks, !client.macs.is_empty()) && client.read.unwrap_or(tftp.read)
    });
    if (reading || (for_all && tftp.read)) && tftp.listen.iter().flatten().any(public) {
        add("tftp.listen", "whoever reaches the port fetches files, without any login and in clear; listen on inner addresses, or name the clients' networks".into());
    }
    if tftp.client.iter().any(|client| !client.macs.is_empty()) {
        add("tftp.client", "hardware addresses can be forged by every machine of the link: they tell devices apart, they keep nobody out".into());
    }
}

fn risks(config: &Config) -> Vec<Risk> {
    let mut risks = Vec::new();
    let mut add = |key, text: String| risks.push(Risk { key, text });
    tls_risks(config, &mut add);
    tftp_risks(config, &mut add);
    if config.data.peer_check == PeerCheck::Off {
        add(
            "data.peer_check",
            "anybody who guesses a port can steal a transfer; prefer net/24".into(),
        );
    }
    let width = config.data.passive_ports.end() - config.data.passive_ports.start() + 1;
    if width < 100 {
        add(
            "data.passive_ports",
            format!(
                "only {width} ports: more transfers at one time than that are refused; a listing is one, too"
            ),
        );
    }
    let privately = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    };
    if config.data.external_address.is_empty()
        && config
            .ftp
            .listen
            .iter()
            .any(|address| privately(address.ip()))
    {
        add("data.external_address", "the server listens on a private address and names no outside one: clients from outside cannot use PASV".into());
    }
    if !config.upload.atomic {
        add("upload.atomic", "readers see files while they are uploaded, and a broken upload destroys what stood there".into());
    }
    if config.lockout.failures == 0 {
        add(
            "lockout.failures",
            "passwords can be guessed without end".into(),
        );
    }
    if config.server.user.is_none() {
        add(
            "server.user",
            "started as root the server refuses to run a site; name a service user".into(),
        );
    }
    for account in &config.accounts {
        if account.password.scheme() == "plain" {
            add(
                "user.password",
                format!(
                    "{} has a password in clear; use password_hash or password_file",
                    account.name
                ),
            );
        }
        if let Some(lock) = account.password.lock() {
            add(
                "user.password",
                format!("{} cannot log in: {lock}", account.name),
            );
        }
        if account
            .grants
            .rules()
            .iter()
            .any(|(_, rights)| rights.has(Right::Fxp))
        {
            add(
                "user.rights",
                format!(
                    "{} may send data connections to third hosts (fxp)",
                    account.name
                ),
            );
        }
    }
    if config.anonymous.enabled && config.anonymous.max_sessions.is_none() {
        add(
            "anonymous.max_sessions",
            "anonymous users have no limit of their own".into(),
        );
    }
    risks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(config: &Config) -> Vec<&'static str> {
        risks(config).into_iter().map(|risk| risk.key).collect()
    }

    #[test]
    fn what_may_go_in_clear_is_told_by_its_key() {
        let mut config = config::load(None, &[]).unwrap();
        for (require_tls, told) in [
            (RequireTls::No, true),
            (RequireTls::Login, true),
            (RequireTls::Data, true),
            (RequireTls::Both, false),
        ] {
            config.ftp.require_tls = require_tls;
            assert_eq!(named(&config).contains(&"ftp.require_tls"), told);
        }
        config.ftp.require_tls = RequireTls::No;
        config.ftp.listen = vec!["127.0.0.1:2121".parse().unwrap()];
        assert!(!named(&config).contains(&"ftp.require_tls"));
        config.ftp.listen = vec!["0.0.0.0:2121".parse().unwrap()];
        config.tls.auto_self_signed = false;
        assert!(named(&config).contains(&"ftp.listen"));
        config.ftp.ccc = true;
        assert!(named(&config).contains(&"ftp.ccc"));
    }

    /// TLS-09: a demand of the handshake is none where nobody has to make one.
    #[test]
    fn certificates_that_are_required_of_who_comes_under_tls_alone_are_told() {
        let mut config = config::load(None, &[]).unwrap();
        config.tls.client_certificates = ClientCertificates::Require;
        for (require_tls, told) in [
            (RequireTls::No, true),
            (RequireTls::Data, true),
            (RequireTls::Login, false),
            (RequireTls::Both, false),
        ] {
            config.ftp.require_tls = require_tls;
            assert_eq!(named(&config).contains(&"tls.client_certificates"), told);
        }
    }

    #[test]
    fn risky_settings_are_named() {
        let mut config = config::load(None, &[]).unwrap();
        config.data.peer_check = PeerCheck::Off;
        config.data.passive_ports = 50_000..=50_009;
        config.lockout.failures = 0;
        let named: Vec<_> = risks(&config).into_iter().map(|risk| risk.key).collect();
        for key in [
            "ftp.require_tls",
            "tls.session_reuse",
            "data.peer_check",
            "data.passive_ports",
            "lockout.failures",
        ] {
            assert!(named.contains(&key), "{key} in {named:?}");
        }
    }
}
