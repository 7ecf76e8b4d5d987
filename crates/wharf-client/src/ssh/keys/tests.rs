//! Which key files are used, and when a passphrase is asked for.
#![expect(
    clippy::disallowed_methods,
    reason = "tests write the files that are read"
)]

use std::{
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicUsize, Ordering},
};

use russh::keys::key::safe_rng;
use ssh_key::LineEnding;

use super::*;
use crate::{Location, Observer, Options, Secret};

/// Types what it was told, and counts how often it was asked.
#[derive(Default)]
struct Person {
    answers: Vec<&'static str>,
    asked: AtomicUsize,
}

impl Observer for Person {
    fn answer(&self, _: &Prompt) -> Option<Secret> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        self.answers.get(turn).map(|text| Secret::new(*text))
    }
}

struct Case {
    folder: tempfile::TempDir,
    person: Arc<Person>,
    context: Context,
}

fn case(answers: &[&'static str]) -> Case {
    let person = Arc::new(Person {
        answers: answers.to_vec(),
        ..Person::default()
    });
    let site = Location::parse("sftp://h/").unwrap().site;
    Case {
        folder: tempfile::tempdir().unwrap(),
        context: Context::new(site, Options::default(), person.clone()),
        person,
    }
}

impl Case {
    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    }

    async fn load(&self, path: &Path) -> Option<Result<KeyFile, Unused>> {
        let identity = Identity {
            path: path.to_owned(),
            named: true,
        };
        Box::pin(KeyFile::load(&self.context, identity))
            .await
            .unwrap()
    }
}

fn fresh() -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
}

fn pem(key: &PrivateKey) -> String {
    key.to_openssh(LineEnding::LF).unwrap().to_string()
}

#[tokio::test]
async fn plain_key_is_open_and_has_its_certificate_beside_it() {
    let case = case(&[]);
    let (key, authority) = (fresh(), fresh());
    let path = case.write("id", &pem(&key), 0o600);
    let mut builder = ssh_key::certificate::Builder::new(
        *b"0123456789abcdef",
        key.public_key().key_data().clone(),
        0,
        9,
    )
    .unwrap();
    builder.valid_principal("ann").unwrap();
    let certificate = builder.sign(&authority).unwrap().to_openssh().unwrap();
    case.write("id-cert.pub", &certificate, 0o644);
    let found = case.load(&path).await.unwrap().unwrap();
    assert!(matches!(found.half, Half::Open(_)));
    assert!(found.certificate.is_some());
    // A certificate of another key is none of this one's.
    let path = case.write("other", &pem(&fresh()), 0o600);
    case.write("other-cert.pub", &certificate, 0o644);
    assert!(
        case.load(&path)
            .await
            .unwrap()
            .unwrap()
            .certificate
            .is_none()
    );
}

#[tokio::test]
async fn key_that_others_can_read_is_not_used() {
    let case = case(&[]);
    let path = case.write("id", &pem(&fresh()), 0o644);
    let why = case.load(&path).await.unwrap().unwrap_err();
    assert!(why.contains("chmod 600"), "{why}");
}

#[tokio::test]
async fn passphrase_is_asked_for_only_when_it_is_needed_and_once() {
    let case = case(&["wrong", "right"]);
    let key = fresh();
    let locked = key.encrypt(&mut safe_rng(), "right").unwrap();
    let path = case.write("id", &pem(&locked), 0o600);
    let found = case.load(&path).await.unwrap().unwrap();
    assert_eq!(found.public.key_data(), key.public_key().key_data());
    assert_eq!(case.person.asked.load(Ordering::Relaxed), 0);
    for _ in 0..2 {
        let opened = found.private(&case.context).await.unwrap().unwrap();
        assert_eq!(opened.public_key().key_data(), key.public_key().key_data());
    }
    assert_eq!(case.person.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn nobody_there_leaves_the_key_locked_without_asking_again() {
    let case = case(&[]);
    let locked = fresh().encrypt(&mut safe_rng(), "x").unwrap();
    let path = case.write("id", &pem(&locked), 0o600);
    let found = case.load(&path).await.unwrap().unwrap();
    assert!(found.private(&case.context).await.unwrap().is_none());
    assert!(found.private(&case.context).await.unwrap().is_none());
    assert_eq!(case.person.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn public_file_stands_for_the_key_of_the_agent() {
    let case = case(&[]);
    let text = fresh().public_key().to_openssh().unwrap();
    let path = case.write("id.pub", &text, 0o644);
    let found = case.load(&path).await.unwrap().unwrap();
    assert!(matches!(found.half, Half::Elsewhere));
    case.write("gone.pub", &text, 0o644);
    let found = case
        .load(&case.folder.path().join("gone"))
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(found.half, Half::Elsewhere));
}

#[tokio::test]
async fn missing_file_is_missed_only_when_it_was_named() {
    let case = case(&[]);
    let path = case.folder.path().join("none");
    assert!(
        case.load(&path)
            .await
            .unwrap()
            .unwrap_err()
            .contains("no such file")
    );
    let identity = Identity { path, named: false };
    let found = Box::pin(KeyFile::load(&case.context, identity))
        .await
        .unwrap();
    assert!(found.is_none());
}

/// Made by `puttygen -t ed25519`; opens nothing.
const PUTTY: &str = include_str!("putty.ppk");

/// The same, with the passphrase `secret`.
const PUTTY_LOCKED: &str = include_str!("putty-locked.ppk");

#[tokio::test]
async fn keys_of_putty_are_read_and_their_public_half_without_the_passphrase() {
    let case = case(&["secret"]);
    let path = case.write("open.ppk", PUTTY, 0o600);
    let open = case.load(&path).await.unwrap().unwrap();
    assert!(matches!(open.half, Half::Open(_)));
    let path = case.write("locked.ppk", PUTTY_LOCKED, 0o600);
    let locked = case.load(&path).await.unwrap().unwrap();
    assert_eq!(locked.public.key_data(), open.public.key_data());
    assert_eq!(case.person.asked.load(Ordering::Relaxed), 0);
    assert!(locked.private(&case.context).await.unwrap().is_some());
}

#[tokio::test]
async fn pem_that_hides_its_public_half_is_opened_at_once() {
    let key = fresh();
    for answers in [&["x"][..], &[]] {
        let case = case(answers);
        let mut text = Vec::new();
        russh::keys::encode_pkcs8_pem_encrypted(&key, b"x", 1000, &mut text).unwrap();
        let path = case.write("id", std::str::from_utf8(&text).unwrap(), 0o600);
        let found = case.load(&path).await.unwrap();
        assert_eq!(found.is_ok(), !answers.is_empty());
    }
}

#[tokio::test]
async fn what_is_no_key_is_told() {
    let case = case(&[]);
    for text in [
        "",
        "nonsense",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
    ] {
        let path = case.write("id", text, 0o600);
        assert!(
            case.load(&path)
                .await
                .unwrap()
                .unwrap_err()
                .contains("no private key")
        );
    }
}
