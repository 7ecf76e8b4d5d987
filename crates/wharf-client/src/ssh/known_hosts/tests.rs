//! What the files of known hosts say, and how they grow.
#![expect(
    clippy::disallowed_methods,
    reason = "tests write the files that are read"
)]

use std::os::unix::fs::MetadataExt;

use russh::keys::{Algorithm, PrivateKey, key::safe_rng};

use super::*;

fn key() -> PublicKey {
    let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
    PublicKey::new(key.public_key().key_data().clone(), "")
}

fn text(key: &PublicKey) -> String {
    key.to_openssh().unwrap()
}

fn known(file: &str, host: &str, port: u16) -> KnownHosts {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("known_hosts");
    std::fs::write(&path, file).unwrap();
    KnownHosts::read([path].into_iter(), host, Some(port)).unwrap()
}

fn lines(file: &str, host: &str, port: u16) -> Vec<usize> {
    known(file, host, port)
        .known
        .iter()
        .map(|known| known.line)
        .collect()
}

#[test]
fn names_are_found_alone_in_lists_and_by_wildcards() {
    let key = text(&key());
    let file = format!(
        "# a comment\n\nhost {key}\nother,host,1.2.3.4 {key} comment\n*.org {key}\nh?st,!host {key}\nHOST {key}\n"
    );
    assert_eq!(lines(&file, "host", 22), [3, 4, 7]);
    assert_eq!(lines(&file, "1.2.3.4", 22), [4]);
    assert_eq!(lines(&file, "x.org", 22), [5]);
    assert_eq!(lines(&file, "hast", 22), [6]);
}

#[test]
fn port_belongs_to_the_name() {
    let key = text(&key());
    let file = format!("[host]:2022 {key}\nhost {key}\n[*.org]:2022 {key}\n");
    assert_eq!(lines(&file, "host", 2022), [1]);
    assert_eq!(lines(&file, "host", 22), [2]);
    assert_eq!(lines(&file, "x.org", 2022), [3]);
    let found = known(&file, "host", 2022);
    assert_eq!(found.bare.len(), 1);
    assert_eq!(known(&file, "host", 23).known.len(), 0);
}

/// The vector was made by `ssh-keygen -H`.
#[test]
fn hashed_names_are_found() {
    let key = text(&key());
    let line = format!("{} {key}\n", hashed("[host]:2022").unwrap());
    assert_eq!(lines(&line, "host", 2022), [1]);
    assert!(lines(&line, "host2", 2022).is_empty());
    assert!(known(&line, "host", 2022).is_hashed);
    let salt = BASE64.decode(b"H2C+hvdJxRk1GPmOtpihaQJsDWQ=").unwrap();
    let expected = BASE64.decode(b"yS3Y1GKhHX3fvPnR7WPugAKbFb0=").unwrap();
    assert!(
        keyed(&salt, "192.168.1.61")
            .unwrap()
            .verify_slice(&expected)
            .is_ok()
    );
}

#[test]
fn markers_are_told_apart_and_unknown_ones_passed_over() {
    let key = text(&key());
    let file = format!("@cert-authority *.org {key}\n@revoked * {key}\n@new * {key}\n");
    let found = known(&file, "x.org", 22);
    assert_eq!(
        found
            .known
            .iter()
            .map(|known| known.marker)
            .collect::<Vec<_>>(),
        [Marker::Authority, Marker::Revoked]
    );
}

#[test]
fn lines_that_cannot_be_read_hide_no_others() {
    let key = text(&key());
    let file = format!(
        "host ssh-new AAAA\nhost\nhost ssh-ed25519\nhost ssh-ed25519 %%%\n|1|x|y ssh-ed25519 AAAA\n|1| {key}\nhost {key}"
    );
    assert_eq!(lines(&file, "host", 22), [7]);
}

#[test]
fn missing_file_says_nothing() {
    let found = KnownHosts::read(["/does/not/exist".into()].into_iter(), "h", Some(22)).unwrap();
    assert!(found.known.is_empty());
}

#[test]
fn alias_has_no_port() {
    let key = text(&key());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    std::fs::write(&path, format!("alias {key}\n")).unwrap();
    let found = KnownHosts::read([path].into_iter(), "alias", None).unwrap();
    assert_eq!(found.known.len(), 1);
}

#[test]
fn new_key_is_appended_on_a_line_of_its_own_for_the_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/known_hosts");
    let (one, two) = (key(), key());
    append(&path, "host", std::slice::from_ref(&one), false).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(
        std::fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777,
        0o700
    );
    // Somebody's editor left no end of line.
    let mut file = std::fs::read_to_string(&path).unwrap();
    file.pop();
    std::fs::write(&path, &file).unwrap();
    append(&path, "[host]:2022", std::slice::from_ref(&two), true).unwrap();
    let found = KnownHosts::read([path.clone()].into_iter(), "host", Some(2022)).unwrap();
    assert_eq!(found.known.len(), 1);
    assert!(found.line_of(&two).is_some());
    assert_eq!(found.bare.len(), 1);
    let file = std::fs::read_to_string(&path).unwrap();
    assert!(file.lines().nth(1).unwrap().starts_with(HASHED), "{file}");
    assert_eq!(file.lines().count(), 2);
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "([ \\t\\n@|,!*?\\[\\]:a-z0-9]|@revoked |ssh-ed25519 |AAAA|\\|1\\|){0,120}") {
        let mut found = KnownHosts::default();
        let file: Arc<Path> = Path::new("x").into();
        found.take(&text, &file, "host", Some(2022));
    }
}

/// SFT-82: however many keys are revoked for all hosts, none is forgotten.
#[test]
fn every_revoked_key_counts() {
    let mut file = String::new();
    let line = format!("@revoked * {}\n", text(&key()));
    for _ in 0..MOST_KEYS {
        file.push_str(&line);
    }
    let last = key();
    file.push_str(&format!("@revoked * {}\n", text(&last)));
    let found = known(&file, "host", 22);
    let mut revoked = found.marked(Marker::Revoked);
    assert!(revoked.any(|line| line.key.key_data() == last.key_data()));
}
