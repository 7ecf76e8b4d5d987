//! Lists of authorities and of what is revoked.

use proptest::prelude::*;

use super::*;
use crate::public_key::samples::*;

fn authorities(text: &str) -> Result<UserAuthorities, String> {
    let mut all = UserAuthorities::default();
    all.add_authorities(text.as_bytes())
        .map(|()| all)
        .map_err(|error| error.to_string())
}

fn revoked(text: &[u8]) -> Result<(), String> {
    UserAuthorities::default()
        .revoke(text)
        .map_err(|error| error.to_string())
}

#[test]
fn authorities_are_plain_keys_that_are_good_enough() {
    let two = authorities(&format!("{AUTHORITY} ca\n\n# next\n{ECDSA}\n")).unwrap();
    assert!(!two.is_empty() && authorities("").unwrap().is_empty());
    for (text, part) in [
        (
            format!("{AUTHORITY}\n{RSA_1024}\n"),
            "line 2: an RSA key of 1024 bits",
        ),
        (
            format!("cert-authority {AUTHORITY}"),
            "line 1: an authority has no options",
        ),
        (CERTIFICATE.to_owned(), "line 1: a certificate cannot"),
        ("nonsense".to_owned(), "line 1: not a public key"),
    ] {
        let error = authorities(&text).unwrap_err();
        assert!(error.starts_with(part), "{error}");
    }
}

#[test]
fn a_line_of_the_revoked_that_is_not_understood_is_an_error() {
    for (text, part) in [
        (&b"serial: x"[..], "line 1: `x` is no serial number"),
        (b"\nserial: 9-7", "line 2: `9-7` runs backwards"),
        (b"sha256: abc", "line 1: `abc` is no SHA256:"),
        (b"ssh-ed25519 AAAA", "line 1: neither a public key"),
        (b"\xff\xfe", "line 1: neither"),
        (
            b"SSHKRL\n\0\0\0\0\x01",
            "line 1: this is a binary revocation list",
        ),
    ] {
        let error = revoked(text).unwrap_err();
        assert!(error.starts_with(part), "{error}");
    }
    revoked(b"").unwrap();
}

#[test]
fn files_are_named_where_they_are_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pub");
    write(&path, b"no key\n");
    let error = UserAuthorities::load(std::slice::from_ref(&path), None).unwrap_err();
    assert!(error.to_string().contains("ca.pub: line 1:"), "{error}");
    write(&path, AUTHORITY.as_bytes());
    let missing = directory.path().join("revoked");
    let error = UserAuthorities::load(std::slice::from_ref(&path), Some(&missing)).unwrap_err();
    assert!(
        error.to_string().contains("revoked: No such file"),
        "{error}"
    );
    assert!(!UserAuthorities::load(&[path], None).unwrap().is_empty());
}

#[expect(clippy::disallowed_methods, reason = "writes the file that is read")]
fn write(path: &Path, text: &[u8]) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

proptest! {
    #[test]
    fn whatever_is_listed_nothing_panics(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut all = UserAuthorities::default();
        let _ = all.add_authorities(&text);
        let _ = all.revoke(&text);
    }
}
