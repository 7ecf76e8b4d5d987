//! What the TFTP front end is told, and the accounts behind its clients.
//!
//! Nobody logs in over TFTP, so every rule has an account of its own, which no directory of accounts
//! knows: it has a tree, rights and rates, and no way in but the rule.

use std::{path::Path, sync::Arc};

use wharf_accounts::{
    Account, AccountKind, AccountLimits, Home, MountSpec, RequireTls, SshAccess, StoredSecret, Tree,
};
use wharf_proto::tftp::{Rollover, Timing};
use wharf_tftp::{ClientRule, MtuCap, Settings, WriteMode};
use wharf_vfs::{Grants, Right, Rights, VirtualPath};

use crate::config::{self, Config, TftpClient, TftpWrite, tftp_account_name};

/// What the TFTP front end is told.
pub(crate) fn settings(config: &Config) -> Settings {
    let tftp = &config.tftp;
    Settings {
        clients: rules(config),
        rewrites: config.tftp_rewrites.clone(),
        max_block_size: tftp.max_blksize,
        max_window: tftp.max_windowsize,
        timing: Timing {
            initial: tftp.timeout,
            longest: tftp.max_timeout,
            tries: tftp.tries,
            ..Timing::default()
        },
        rollover: rollover(tftp.rollover),
        single_port: tftp.single_port,
        port_range: tftp.port_range.clone(),
        per_address: tftp.per_address,
        transfers: tftp.transfers,
        requests_per_second: tftp.requests_per_second,
        max_upload: tftp.max_upload.0,
        cache: usize::try_from(tftp.cache.0).unwrap_or(usize::MAX),
        keep_partial: tftp.keep_partial,
        ignore_case: tftp.ignore_case,
        mtu_cap: match tftp.mtu_cap {
            config::MtuCap::Off => MtuCap::Off,
            config::MtuCap::Ipv6 => MtuCap::Ipv6,
            config::MtuCap::Both => MtuCap::Both,
        },
    }
}

/// The accounts whose trees clients of TFTP get.
pub(crate) fn accounts(config: &Config) -> impl Iterator<Item = Arc<Account>> {
    rules(config).into_iter().map(|rule| rule.account)
}

/// Whether some client can store files.
pub(crate) fn takes_files(config: &Config) -> bool {
    let mut rules = rules(config).into_iter();
    rules.any(|rule| rule.write != WriteMode::Deny)
}

/// The entries in their order, then what holds for everybody else.
fn rules(config: &Config) -> Vec<ClientRule> {
    let tftp = &config.tftp;
    let entries = (1..).zip(&tftp.client);
    let mut rules: Vec<_> = entries
        .filter_map(|(number, entry)| rule(config, Some((number, entry))))
        .collect();
    rules.extend(rule(config, None));
    rules
}

/// One rule: what an entry says, and the section where it is silent. `None` where nothing is served.
fn rule(config: &Config, entry: Option<(usize, &TftpClient)>) -> Option<ClientRule> {
    let tftp = &config.tftp;
    let number = entry.map(|(number, _)| number);
    let entry = entry.map(|(_, entry)| entry);
    let own = entry.and_then(|entry| tree(entry.root.as_deref(), entry.volume.as_deref()));
    let tree = own.or_else(|| tree(tftp.root.as_deref(), tftp.volume.as_deref()))?;
    let read = entry.and_then(|entry| entry.read).unwrap_or(tftp.read);
    let write = entry.and_then(|entry| entry.write).unwrap_or(tftp.write);
    let (download_rate, upload_rate) = match entry {
        Some(entry) => (entry.download_rate, entry.upload_rate),
        None => (tftp.download_rate, tftp.upload_rate),
    };
    let account = Account {
        name: tftp_account_name(number)?,
        // Whoever comes from the right network: it proves nothing about who guesses passwords.
        kind: AccountKind::Anonymous,
        home: Home {
            tree,
            start: VirtualPath::root(),
        },
        grants: Grants::everywhere(rights(read, write)),
        limits: AccountLimits {
            // The front end counts transfers, in all and of each address.
            max_sessions: Some(u32::try_from(tftp.transfers).unwrap_or(u32::MAX)),
            download_rate: download_rate.map(|rate| rate.0),
            upload_rate: upload_rate.map(|rate| rate.0),
        },
        enabled: true,
        expires: None,
        allowed_networks: Vec::new(),
        password: StoredSecret::locked(),
        require_tls: RequireTls::Inherit,
        certificates: Vec::new(),
        ssh: SshAccess::default(),
    };
    Some(ClientRule {
        networks: entry.map_or_else(Vec::new, |entry| entry.networks.clone()),
        macs: entry.map_or_else(Vec::new, |entry| entry.macs.clone()),
        account: Arc::new(account),
        read,
        write: match write {
            TftpWrite::Deny => WriteMode::Deny,
            TftpWrite::Existing => WriteMode::Existing,
            TftpWrite::Create => WriteMode::Create,
            TftpWrite::Overwrite => WriteMode::Overwrite,
        },
        directory: entry
            .and_then(|entry| entry.directory.clone())
            .unwrap_or_else(|| tftp.directory.clone()),
        rollover: entry.and_then(|entry| entry.rollover).map(rollover),
        max_block_size: entry.and_then(|entry| entry.max_blksize),
    })
}

fn tree(root: Option<&Path>, volume: Option<&str>) -> Option<Tree> {
    let mounted = |volume: &str| {
        Tree::Volumes(vec![MountSpec {
            path: VirtualPath::root(),
            volume: volume.to_owned(),
            read_only: false,
        }])
    };
    let directory = |root: &Path| Tree::Directory(root.to_owned());
    root.map(directory).or_else(|| volume.map(mounted))
}

/// The least that the front end needs for it: the gate below holds whatever is asked above.
const fn rights(read: bool, write: TftpWrite) -> Rights {
    let look = Rights::NONE.with(Right::List);
    let rights = if read { look.with(Right::Read) } else { look };
    match write {
        TftpWrite::Deny => rights,
        TftpWrite::Existing => rights.with(Right::Overwrite),
        TftpWrite::Create => rights.with(Right::Create),
        TftpWrite::Overwrite => rights.with(Right::Create).with(Right::Overwrite),
    }
}

const fn rollover(number: u16) -> Rollover {
    match number {
        0 => Rollover::Zero,
        _ => Rollover::One,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_tftp_have_no_right_that_their_mode_does_not_need() {
        assert!(!rights(true, TftpWrite::Deny).can_change());
        assert!(!rights(false, TftpWrite::Create).has(Right::Read));
        assert!(!rights(true, TftpWrite::Create).has(Right::Overwrite));
        assert!(!rights(true, TftpWrite::Existing).has(Right::Create));
        for write in [TftpWrite::Create, TftpWrite::Overwrite] {
            assert!(!rights(true, write).has(Right::Delete));
        }
    }

    fn client(root: Option<&str>, write: Option<TftpWrite>) -> TftpClient {
        TftpClient {
            networks: vec!["192.0.2.0/24".parse().unwrap()],
            macs: Vec::new(),
            root: root.map(Into::into),
            volume: None,
            directory: None,
            read: None,
            write,
            rollover: None,
            max_blksize: Some(1428),
            download_rate: None,
            upload_rate: None,
        }
    }

    #[test]
    fn entries_come_first_and_take_what_they_leave_out_from_the_section() {
        let mut config = config::load(None, &[]).unwrap();
        assert!(rules(&config).is_empty());
        config.tftp.root = Some("/srv/tftp".into());
        config.tftp.directory = "/boot".parse().unwrap();
        config.tftp.client = vec![
            client(Some("/srv/phones"), None),
            client(None, Some(TftpWrite::Create)),
        ];
        let rules = rules(&config);
        let names: Vec<_> = rules
            .iter()
            .map(|rule| rule.account.name.as_str())
            .collect();
        assert_eq!(names, ["[tftp-1]", "[tftp-2]", "[tftp]"]);
        let trees: Vec<_> = rules
            .iter()
            .map(|rule| rule.account.home.tree.clone())
            .collect();
        let directory = |path: &str| Tree::Directory(path.into());
        assert_eq!(trees[0], directory("/srv/phones"));
        assert_eq!(trees[1..], [directory("/srv/tftp"), directory("/srv/tftp")]);
        let writes: Vec<_> = rules.iter().map(|rule| rule.write).collect();
        assert_eq!(
            writes,
            [WriteMode::Deny, WriteMode::Create, WriteMode::Deny]
        );
        assert!(
            rules
                .iter()
                .all(|rule| rule.directory == config.tftp.directory)
        );
        assert!(rules[2].networks.is_empty() && rules[2].max_block_size.is_none());
        assert!(takes_files(&config));
    }

    /// Nothing opens these accounts but the rule: no directory knows them, no password is right.
    #[test]
    fn nobody_can_log_in_as_a_client_of_tftp() {
        let mut config = config::load(None, &[]).unwrap();
        config.tftp.root = Some("/srv/tftp".into());
        for account in accounts(&config) {
            assert!(account.password.lock().is_some());
            assert!(
                config
                    .accounts
                    .iter()
                    .all(|other| other.name != account.name)
            );
            assert_eq!(account.limits.max_sessions, Some(1024));
        }
    }
}
