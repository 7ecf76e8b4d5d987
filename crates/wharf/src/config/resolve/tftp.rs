//! What the keys about TFTP mean together.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use wharf_accounts::AccountName;
use wharf_tftp::rewrite::Rewrite;

use crate::config::{
    raw::{Report, nearest},
    table::{Root, Tftp, VolumeEntry},
    types::TftpWrite,
};

/// The standard port.
const PORT: u16 = 69;
/// Below it a port is for root, who is gone when a transfer takes one.
const FIRST_FREE_PORT: u16 = 1024;
/// What the names of TFTP's own accounts begin with.
const ACCOUNTS: &str = "[tftp";

/// The name of the account that stands for clients of TFTP: those of one entry, counted from 1, or
/// those that no entry matches. Nobody else may have it ([`is_reserved`]).
pub(crate) fn account_name(entry: Option<usize>) -> Option<AccountName> {
    let name = match entry {
        Some(number) => format!("{ACCOUNTS}-{number}]"),
        None => format!("{ACCOUNTS}]"),
    };
    AccountName::parse(name.as_bytes()).ok()
}

/// Whether a name is kept for TFTP's own accounts.
pub(crate) fn is_reserved(name: &AccountName) -> bool {
    name.as_str().starts_with(ACCOUNTS)
}

/// Whether anything is served.
fn serves(tftp: &Tftp) -> bool {
    let has_tree = |root: &Option<_>, volume: &Option<_>| root.is_some() || volume.is_some();
    has_tree(&tftp.root, &tftp.volume)
        || tftp
            .client
            .iter()
            .any(|client| has_tree(&client.root, &client.volume))
}

/// Where TFTP listens: as written, else the standard port where anything is served.
pub(super) fn listen(tftp: &Tftp) -> Option<Vec<SocketAddr>> {
    let standard = || {
        vec![
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)),
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)),
        ]
    };
    tftp.listen.clone().or_else(|| serves(tftp).then(standard))
}

/// Contradictions between keys of TFTP and of others.
pub(super) fn check(root: &Root, report: &mut Report) {
    let tftp = &root.tftp;
    check_addresses(tftp, report);
    check_tree(
        "tftp",
        tftp.root.as_deref(),
        tftp.volume.as_deref(),
        &root.volume,
        report,
    );
    check_clients(root, report);
    if tftp.max_timeout < tftp.timeout {
        report.add_at(
            "tftp.max_timeout",
            "`tftp.max_timeout` is shorter than `tftp.timeout`",
            "raise it: the wait only grows",
        );
    }
    if let Some(ports) = &tftp.port_range {
        if tftp.single_port {
            report.add_at(
                "tftp.port_range",
                "`tftp.port_range` is set, and so is `tftp.single_port`",
                "keep one: with a single port no transfer has its own",
            );
        }
        if *ports.start() < FIRST_FREE_PORT {
            report.add_at(
                "tftp.port_range",
                format!("`tftp.port_range` begins below {FIRST_FREE_PORT}"),
                "those ports need root, which is given up at the start; choose higher ones",
            );
        }
    }
}

fn check_addresses(tftp: &Tftp, report: &mut Report) {
    let listen = tftp.listen.as_deref().unwrap_or_default();
    if !listen.is_empty() && !serves(tftp) {
        report.add_at(
            "tftp.listen",
            "`tftp.listen` is set but nothing is served there",
            "set tftp.root to a host directory, or tftp.volume",
        );
    }
    let mut seen = HashSet::new();
    for (at, address) in listen.iter().enumerate() {
        // Port 0 is another one each time.
        if address.port() != 0 && !seen.insert(address) {
            report.add_at(
                &format!("tftp.listen[{at}]"),
                format!("`tftp.listen`: {address} stands twice"),
                "remove one",
            );
        }
    }
}

/// A host directory or a volume that there is, one of the two.
fn check_tree(
    key: &str,
    root: Option<&Path>,
    volume: Option<&str>,
    volumes: &[VolumeEntry],
    report: &mut Report,
) {
    let Some(volume) = volume else { return };
    if root.is_some() {
        report.add_at(
            &format!("{key}.volume"),
            format!("`{key}` has both `root` and `volume`"),
            "keep one",
        );
    }
    if volumes.iter().all(|entry| entry.id != volume) {
        let hint = match nearest(volume, volumes.iter().map(|entry| entry.id.as_str())) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "add a [[volume]] with that id".to_owned(),
        };
        report.add_at(
            &format!("{key}.volume"),
            format!("there is no volume `{volume}`"),
            hint,
        );
    }
}

fn check_clients(root: &Root, report: &mut Report) {
    let tftp = &root.tftp;
    for (at, client) in tftp.client.iter().enumerate() {
        let key = format!("tftp.client[{at}]");
        check_tree(
            &key,
            client.root.as_deref(),
            client.volume.as_deref(),
            &root.volume,
            report,
        );
        let own = client.root.is_some() || client.volume.is_some();
        if !own && tftp.root.is_none() && tftp.volume.is_none() {
            report.add_at(
                &key,
                format!("`{key}` gets neither `root` nor `volume`, and `tftp` has none"),
                "set root to a host directory",
            );
        }
        let is_for_all = client.networks.is_empty() && client.macs.is_empty();
        let is_last = at + 1 == tftp.client.len();
        if is_for_all && !is_last {
            report.add_at(
                &key,
                format!("`{key}` matches every client, so what follows it holds for nobody"),
                "set networks or macs, or move it to the end",
            );
        }
        let reads = client.read.unwrap_or(tftp.read);
        if !reads && client.write.unwrap_or(tftp.write) == TftpWrite::Deny {
            report.add_at(
                &key,
                format!("`{key}` lets its clients neither fetch nor store"),
                "set read or write",
            );
        }
    }
    let is_last_rule = tftp.root.is_some() || tftp.volume.is_some();
    if is_last_rule && !tftp.read && tftp.write == TftpWrite::Deny && tftp.client.is_empty() {
        report.add_at(
            "tftp.read",
            "`tftp` lets clients neither fetch nor store",
            "set read or write",
        );
    }
}

/// The rules of names, all of which must be understood.
pub(super) fn rewrites(tftp: &Tftp, report: &mut Report) -> Vec<Rewrite> {
    let mut rewrites = Vec::with_capacity(tftp.rewrite.len());
    for (at, rule) in tftp.rewrite.iter().enumerate() {
        match Rewrite::new(
            &rule.from,
            &rule.to,
            rule.networks.clone(),
            rule.ignore_case,
        ) {
            Ok(rewrite) => rewrites.push(rewrite),
            Err(error) => {
                let key = format!("tftp.rewrite[{at}]");
                report.add_at(&key, format!("`{key}`: {error}"), "mend or remove the rule");
            }
        }
    }
    rewrites
}
