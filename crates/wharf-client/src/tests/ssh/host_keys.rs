//! Which servers are trusted (SFT-82).

use russh::keys::PublicKey;
use ssh_key::certificate::{Builder, CertType};

use super::{Answer, Case, Person, Server, Wish, exists, private};
use crate::{
    Kind, Secret,
    ssh::{HostKeyPin, UnknownHosts},
};

fn open_to_all() -> Wish {
    Wish {
        password: Some("secret"),
        ..Wish::default()
    }
}

fn person(trust: Answer) -> Case {
    let mut case = Case::new(Person {
        trust,
        ..Person::default()
    });
    case.options.ssh.password = Some(Secret::new("secret"));
    case
}

#[tokio::test]
async fn nothing_is_said_to_a_host_that_nobody_trusts() {
    let server = Server::start(open_to_all()).await;
    for trust in [Answer::Nobody, Answer::No] {
        let case = person(trust);
        let error = case.open(&server.url()).await.err().unwrap();
        assert_eq!((error.kind(), error.cause()), (Kind::HostKey, Some("S03")));
        assert!(!exists(&case.path("known_hosts")));
    }
    assert_eq!(server.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn agreed_host_is_remembered_and_not_asked_about_again() {
    let server = Server::start(open_to_all()).await;
    let case = person(Answer::Always);
    case.open(&server.url()).await.unwrap();
    let key = server.host_keys[0].to_openssh().unwrap();
    let asked = case.person.asked();
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].contains(&format!("[127.0.0.1]:{}", server.address.port())),
        "{asked:?}"
    );
    assert!(case.read("known_hosts").contains(key.trim()));
    case.open(&server.url()).await.unwrap();
    assert_eq!(case.person.asked().len(), 1);
}

#[tokio::test]
async fn agreement_for_once_holds_for_this_run_and_is_not_written() {
    let server = Server::start(open_to_all()).await;
    let case = person(Answer::Once);
    let context = case.context(&server.url());
    for _ in 0..2 {
        Box::pin(super::Connection::open(&context)).await.unwrap();
    }
    assert_eq!(case.person.asked().len(), 1);
    assert!(!exists(&case.path("known_hosts")));
}

#[tokio::test]
async fn changed_key_is_refused_and_nobody_is_asked() {
    let server = Server::start(open_to_all()).await;
    let case = person(Answer::Always);
    let other = Server::start(Wish::default()).await.host_keys[0]
        .to_openssh()
        .unwrap();
    case.write(
        "known_hosts",
        &format!("[127.0.0.1]:{} {other}\n", server.address.port()),
    );
    let error = case.open(&server.url()).await.err().unwrap();
    assert!(error.to_string().contains("CHANGED"), "{error}");
    assert!(error.to_string().contains("known_hosts:1"), "{error}");
    assert_eq!((case.person.asked().len(), server.heard().len()), (0, 0));
}

#[tokio::test]
async fn new_hosts_are_accepted_when_told_so_and_their_names_hashed_like_the_others() {
    let server = Server::start(open_to_all()).await;
    let mut case = person(Answer::Nobody);
    case.options.ssh.unknown_hosts = Some(UnknownHosts::Accept);
    case.write(
        "known_hosts",
        "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 AAAA\n",
    );
    case.open(&server.url()).await.unwrap();
    let file = case.read("known_hosts");
    assert_eq!(
        file.lines().filter(|line| line.starts_with("|1|")).count(),
        2,
        "{file}"
    );
    assert!(case.person.told().contains("is trusted from now on"));
    case.options.ssh.unknown_hosts = Some(UnknownHosts::Refuse);
    case.open(&server.url()).await.unwrap();
}

#[tokio::test]
async fn pinned_key_is_accepted_without_asking_and_another_is_not() {
    let server = Server::start(open_to_all()).await;
    let mut case = person(Answer::Nobody);
    case.options.ssh.pins = vec![HostKeyPin::of(&server.host_keys[0])];
    case.open(&server.url()).await.unwrap();
    assert!(!exists(&case.path("known_hosts")));
    case.options.ssh.pins = vec![HostKeyPin::of(private().public_key())];
    let error = case.open(&server.url()).await.err().unwrap();
    assert_eq!(error.kind(), Kind::HostKey);
}

/// Section 3 of the specification.
#[tokio::test]
async fn fingerprint_in_the_url_is_a_pin() {
    let server = Server::start(open_to_all()).await;
    let case = person(Answer::Nobody);
    let pin = HostKeyPin::of(&server.host_keys[0]).to_string();
    let hash = pin
        .trim_start_matches("SHA256:")
        .replace('+', "-")
        .replace('/', "_");
    let url = |hash: &str| {
        format!(
            "sftp://ann;fingerprint=ssh-ed25519-{hash}@127.0.0.1:{}/",
            server.address.port()
        )
    };
    case.open(&url(&hash)).await.unwrap();
    assert!(case.open(&url(&"A".repeat(43))).await.is_err());
}

/// The server has two keys, the client knows the one that would not be chosen.
#[tokio::test]
async fn key_of_a_known_type_is_asked_for() {
    let curve = russh::keys::EcdsaCurve::NistP256;
    let algorithm = russh::keys::Algorithm::Ecdsa { curve };
    let mut rng = russh::keys::key::safe_rng();
    let ecdsa = russh::keys::PrivateKey::random(&mut rng, algorithm).unwrap();
    let server = Server::start(Wish {
        host_keys: vec![ecdsa, private()],
        ..open_to_all()
    })
    .await;
    let case = person(Answer::Nobody);
    case.write("known_hosts", &server.line());
    case.open(&server.url()).await.unwrap();
}

#[tokio::test]
async fn host_certificate_of_a_known_authority_is_enough() {
    let (host, authority) = (private(), private());
    let certificate = |principal: &str| {
        let key = host.public_key().key_data().clone();
        let mut builder = Builder::new(*b"0123456789abcdef", key, 0, u64::MAX).unwrap();
        builder.cert_type(CertType::Host).unwrap();
        builder.valid_principal(principal).unwrap();
        builder.sign(&authority).unwrap()
    };
    for (principal, trusted) in [("127.0.0.1", true), ("else.org", false)] {
        let server = Server::start(Wish {
            host_keys: vec![host.clone()],
            host_certificates: vec![certificate(principal)],
            ..open_to_all()
        })
        .await;
        let case = person(Answer::Nobody);
        let line = PublicKey::to_openssh(authority.public_key()).unwrap();
        case.write(
            "known_hosts",
            &format!("@cert-authority [127.0.0.1]:* {line}\n"),
        );
        let opened = case.open(&server.url()).await;
        assert_eq!(opened.is_ok(), trusted, "{:?}", opened.err());
    }
}
