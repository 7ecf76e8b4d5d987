//! Who gets what, and what may be sent.

use std::cell::Cell;

use wharf_vfs::{FileKind, Timestamp};

use super::*;
use crate::settings::tests::anybody;

const PHONE: Mac = Mac([0, 0x1b, 0xd4, 1, 2, 3]);

fn rule(networks: &[&str], macs: &[&str]) -> ClientRule {
    ClientRule {
        networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
        macs: macs.iter().map(|text| text.parse().unwrap()).collect(),
        ..anybody()
    }
}

fn settings(clients: Vec<ClientRule>) -> Settings {
    Settings {
        clients,
        ..Settings::default()
    }
}

/// The number of the rule that holds for a client.
fn which(settings: &Settings, peer: &str, mac: Option<Mac>) -> Option<usize> {
    let rule = find(settings, peer.parse().unwrap(), || mac)?;
    settings
        .clients
        .iter()
        .position(|other| std::ptr::eq(other, rule))
}

#[test]
fn tft_05_the_first_rule_that_matches_decides() {
    let settings = settings(vec![
        rule(&["192.0.2.0/24"], &["00:1b:d4:*"]),
        rule(&["192.0.2.0/24", "2001:db8::/32"], &[]),
        rule(&[], &["00:1b:d4:01:02:03"]),
    ]);
    assert_eq!(which(&settings, "192.0.2.7", Some(PHONE)), Some(0));
    assert_eq!(which(&settings, "::ffff:192.0.2.7", Some(PHONE)), Some(0));
    assert_eq!(which(&settings, "192.0.2.7", None), Some(1));
    assert_eq!(which(&settings, "2001:db8::1", None), Some(1));
    assert_eq!(which(&settings, "198.51.100.1", Some(PHONE)), Some(2));
}

#[test]
fn tft_05_whom_no_rule_names_gets_nothing() {
    assert_eq!(which(&settings(Vec::new()), "192.0.2.7", Some(PHONE)), None);
    let settings = settings(vec![
        rule(&["192.0.2.0/24"], &[]),
        rule(&[], &["00:1b:d4:*"]),
    ]);
    assert_eq!(which(&settings, "198.51.100.1", None), None);
    assert_eq!(which(&settings, "2001:db8::1", Some(Mac([2; 6]))), None);
}

#[test]
fn a_hardware_address_is_asked_for_once_and_only_where_it_matters() {
    let asked = Cell::new(0);
    let mac = || {
        asked.set(asked.get() + 1);
        None
    };
    let peer = "192.0.2.7".parse().unwrap();
    let plain = settings(vec![rule(&["10.0.0.0/8"], &["00:*"]), rule(&[], &[])]);
    assert!(find(&plain, peer, mac).is_some());
    assert_eq!(asked.get(), 0);
    let strict = settings(vec![rule(&[], &["00:*"]), rule(&[], &["02:*"])]);
    assert!(find(&strict, peer, mac).is_none());
    assert_eq!(asked.get(), 1);
}

#[test]
fn settings_tell_whether_anything_depends_on_a_hardware_address() {
    assert!(!settings(vec![rule(&["192.0.2.0/24"], &[])]).wants_mac());
    assert!(settings(vec![rule(&[], &["00:*"])]).wants_mac());
    let own = ClientRule {
        directory: "/%MAC%".parse().unwrap(),
        ..anybody()
    };
    assert!(settings(vec![own]).wants_mac());
    let rewrites = vec![crate::rewrite::Rewrite::new("*", "%MAC%/$1", Vec::new(), false).unwrap()];
    assert!(
        Settings {
            rewrites,
            ..settings(vec![anybody()])
        }
        .wants_mac()
    );
}

fn existing(kind: FileKind, mode: u32) -> Metadata {
    Metadata {
        kind,
        size: 1,
        modified: Timestamp::default(),
        accessed: None,
        changed: None,
        created: None,
        mode,
        owner: 0,
        group: 0,
        links: 1,
        identity: 1,
    }
}

#[test]
fn tft_05_what_may_be_sent_is_what_the_mode_says() {
    use ErrorCode::{AccessViolation, FileExists, FileNotFound};
    let open = existing(FileKind::File, 0o666);
    let closed = existing(FileKind::File, 0o664);
    let directory = existing(FileKind::Directory, 0o777);
    for (mode, target, refused) in [
        (WriteMode::Deny, None, Some(AccessViolation)),
        (WriteMode::Deny, Some(&open), Some(AccessViolation)),
        (WriteMode::Existing, None, Some(FileNotFound)),
        (WriteMode::Existing, Some(&open), None),
        (WriteMode::Existing, Some(&closed), Some(AccessViolation)),
        (WriteMode::Existing, Some(&directory), Some(AccessViolation)),
        (WriteMode::Create, None, None),
        (WriteMode::Create, Some(&open), Some(FileExists)),
        (WriteMode::Create, Some(&directory), Some(AccessViolation)),
        (WriteMode::Overwrite, None, None),
        (WriteMode::Overwrite, Some(&closed), None),
        (
            WriteMode::Overwrite,
            Some(&directory),
            Some(AccessViolation),
        ),
    ] {
        let told = may_write(mode, target).err().map(|(code, _)| code);
        assert_eq!(told, refused, "{mode:?} {target:?}");
    }
}
