//! Which host key is accepted.

use std::{path::Path, sync::Arc};

use russh::keys::{PrivateKey, key::safe_rng};
use ssh_key::certificate::Builder;

use super::*;

/// Whatever the clock says, certificates of the tests hold now.
const FOREVER: u64 = u64::MAX;

fn private(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), algorithm).unwrap()
}

fn key() -> PublicKey {
    private(Algorithm::Ed25519).public_key().clone()
}

fn other_type() -> PublicKey {
    let curve = EcdsaCurve::NistP256;
    private(Algorithm::Ecdsa { curve }).public_key().clone()
}

fn line(marker: Marker, key: &PublicKey) -> Known {
    Known {
        marker,
        key: key.clone(),
        file: Arc::from(Path::new("/home/ann/.ssh/known_hosts")),
        line: 7,
    }
}

fn judge(known: Vec<Known>, unknown_hosts: UnknownHosts) -> Judge {
    Judge {
        name: "[host.org]:2022".to_owned(),
        principal: "host.org".to_owned(),
        known: KnownHosts {
            known,
            ..KnownHosts::default()
        },
        pins: Vec::new(),
        agreed: Vec::new(),
        unknown_hosts,
    }
}

fn verdict(judge: &Judge, key: &PublicKey) -> Verdict {
    judge.judge(&PublicKeyOrCertificate::from(key.clone()))
}

fn refusal(verdict: Verdict) -> Error {
    match verdict {
        Verdict::Refused(error) => error,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn assert_trusted(verdict: &Verdict, ground: &Ground) {
    assert!(
        matches!(verdict, Verdict::Trusted(found) if found == ground),
        "{verdict:?}"
    );
}

#[test]
fn stored_key_is_trusted() {
    let (one, two) = (key(), key());
    let known = vec![line(Marker::Key, &one), line(Marker::Key, &two)];
    for key in [&one, &two] {
        assert_trusted(
            &verdict(&judge(known.clone(), UnknownHosts::Refuse), key),
            &Ground::Stored,
        );
    }
}

/// SFT-82: refuse on change, whatever is accepted otherwise.
#[test]
fn changed_key_is_refused_with_file_line_and_mend() {
    let (stored, shown) = (key(), key());
    for unknown in [
        UnknownHosts::Ask,
        UnknownHosts::Accept,
        UnknownHosts::Refuse,
    ] {
        let mut judge = judge(vec![line(Marker::Key, &stored)], unknown);
        judge.agreed = vec![HostKeyPin::of(&shown)];
        judge.pins = vec![HostKeyPin::of(&shown)];
        let error = refusal(verdict(&judge, &shown));
        assert!(error.to_string().contains("known_hosts:7"), "{error}");
        assert!(error.hints().iter().any(|hint| {
            hint.contains("ssh-keygen -R '[host.org]:2022' -f '/home/ann/.ssh/known_hosts'")
        }));
        assert_eq!(error.cause(), Some("S03"));
    }
}

#[test]
fn unknown_host_is_asked_about_accepted_or_refused_as_told() {
    let key = key();
    assert!(matches!(
        verdict(&judge(vec![], UnknownHosts::Ask), &key),
        Verdict::Ask { .. }
    ));
    let ground = Ground::New(Box::new(key.clone()));
    assert_trusted(
        &verdict(&judge(vec![], UnknownHosts::Accept), &key),
        &ground,
    );
    let error = refusal(verdict(&judge(vec![], UnknownHosts::Refuse), &key));
    let pin = HostKeyPin::of(&key).to_string();
    assert!(error.hints().iter().any(|hint| hint.contains(&pin)));
}

/// A known host must not be able to pass as a new one by another type of key.
#[test]
fn known_host_with_another_type_of_key_is_no_new_host() {
    let shown = other_type();
    let known = vec![line(Marker::Key, &key())];
    let asked = verdict(&judge(known.clone(), UnknownHosts::Accept), &shown);
    assert!(
        matches!(&asked, Verdict::Ask { reason, .. } if reason.contains("another type")),
        "{asked:?}"
    );
    refusal(verdict(&judge(known, UnknownHosts::Refuse), &shown));
}

#[test]
fn pin_narrows_and_never_overrides() {
    let (one, two) = (key(), key());
    let mut judge = judge(vec![], UnknownHosts::Refuse);
    judge.pins = vec![HostKeyPin::of(&one)];
    assert_trusted(&verdict(&judge, &one), &Ground::Named);
    refusal(verdict(&judge, &two));
    judge.known.known = vec![line(Marker::Key, &two)];
    refusal(verdict(&judge, &two));
    refusal(verdict(&judge, &one));
}

#[test]
fn agreement_of_this_run_is_enough() {
    let key = key();
    let mut judge = judge(vec![], UnknownHosts::Ask);
    judge.agreed = vec![HostKeyPin::of(&key)];
    assert_trusted(&verdict(&judge, &key), &Ground::Named);
}

#[test]
fn revoked_key_is_refused_even_when_stored() {
    let key = key();
    let known = vec![line(Marker::Key, &key), line(Marker::Revoked, &key)];
    let error = refusal(verdict(&judge(known, UnknownHosts::Accept), &key));
    assert!(error.to_string().contains("revoked"), "{error}");
}

#[test]
fn key_under_the_bare_name_is_as_good_and_proves_no_change() {
    let (one, two) = (key(), key());
    let mut judge = judge(vec![], UnknownHosts::Ask);
    judge.known.bare = vec![line(Marker::Key, &one)];
    assert_trusted(&verdict(&judge, &one), &Ground::Stored);
    assert!(matches!(verdict(&judge, &two), Verdict::Ask { .. }));
}

struct Wish<'a> {
    kind: CertType,
    principals: &'a [&'a str],
    before: u64,
    critical: bool,
}

const GOOD: Wish<'static> = Wish {
    kind: CertType::Host,
    principals: &["other.org", "*.org"],
    before: FOREVER,
    critical: false,
};

fn certificate(authority: &PrivateKey, wish: &Wish<'_>) -> PublicKeyOrCertificate {
    let key = key();
    let mut builder =
        Builder::new(*b"0123456789abcdef", key.key_data().clone(), 0, wish.before).unwrap();
    builder.cert_type(wish.kind).unwrap();
    for principal in wish.principals {
        builder.valid_principal(*principal).unwrap();
    }
    if wish.principals.is_empty() {
        builder.all_principals_valid().unwrap();
    }
    if wish.critical {
        builder.critical_option("force-command", "x").unwrap();
    }
    builder.sign(authority).unwrap().into()
}

#[test]
fn certificate_of_a_known_authority_is_trusted() {
    let authority = private(Algorithm::Ed25519);
    let known = vec![line(Marker::Authority, authority.public_key())];
    let judge = judge(known, UnknownHosts::Refuse);
    assert_trusted(
        &judge.judge(&certificate(&authority, &GOOD)),
        &Ground::Authority,
    );
    // The authority's key alone is nobody's host key.
    refusal(verdict(&judge, authority.public_key()));
}

#[test]
fn certificate_that_does_not_fit_is_refused() {
    let authority = private(Algorithm::Ed25519);
    let known = vec![line(Marker::Authority, authority.public_key())];
    let judge = judge(known, UnknownHosts::Accept);
    for (wish, expected) in [
        (
            Wish {
                kind: CertType::User,
                ..GOOD
            },
            "for users",
        ),
        (
            Wish {
                principals: &["else.com"],
                ..GOOD
            },
            "not for host.org",
        ),
        (
            Wish {
                principals: &[],
                ..GOOD
            },
            "not for host.org",
        ),
        (Wish { before: 1, ..GOOD }, "not valid now"),
        (
            Wish {
                critical: true,
                ..GOOD
            },
            "not understood",
        ),
    ] {
        let error = refusal(judge.judge(&certificate(&authority, &wish)));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn certificate_of_a_stranger_or_a_revoked_authority_is_none() {
    let (authority, stranger) = (private(Algorithm::Ed25519), private(Algorithm::Ed25519));
    let known = vec![line(Marker::Authority, authority.public_key())];
    let one = judge(known.clone(), UnknownHosts::Refuse);
    refusal(one.judge(&certificate(&stranger, &GOOD)));
    let revoked = [known, vec![line(Marker::Revoked, authority.public_key())]].concat();
    refusal(judge(revoked, UnknownHosts::Accept).judge(&certificate(&authority, &GOOD)));
}

#[test]
fn types_of_known_keys_are_asked_for_first() {
    let lists = judge(vec![], UnknownHosts::Ask).preferred(false);
    assert_eq!(lists.key.first(), Some(&Algorithm::Ed25519));
    assert!(lists.host_key_certificates.is_empty());
    let ecdsa = other_type();
    let lists = judge(vec![line(Marker::Key, &ecdsa)], UnknownHosts::Ask).preferred(false);
    assert_eq!(lists.key.first(), Some(&ecdsa.algorithm()));
    assert_eq!(lists.key.len(), HOST_KEYS.len());
    let lists = judge(vec![line(Marker::Authority, &key())], UnknownHosts::Ask).preferred(true);
    assert_eq!(lists.host_key_certificates.len(), HOST_KEYS.len());
    assert_eq!(lists.key.last(), Some(&Algorithm::Rsa { hash: None }));
}

/// SFT-82, as ssh: the key of the host's usual port serves a port of which nothing is known, and does
/// not make good a key that changed.
#[test]
fn key_of_the_usual_port_does_not_replace_one_that_changed() {
    let (stored, usual) = (key(), key());
    let with_usual = |known| {
        let mut judge = judge(known, UnknownHosts::Ask);
        judge.known.bare = vec![line(Marker::Key, &usual)];
        judge
    };
    assert_trusted(&verdict(&with_usual(vec![]), &usual), &Ground::Stored);
    let changed = with_usual(vec![line(Marker::Key, &stored)]);
    let error = refusal(verdict(&changed, &usual));
    assert_eq!(error.cause(), Some("S03"));
}
