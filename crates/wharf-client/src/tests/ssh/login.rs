//! Logging in: what is offered, in which order, and what is told when it does not do.

use russh::{
    MethodKind,
    keys::{PublicKey, key::safe_rng},
};

use super::{Case, Person, Server, Wish, private};
use crate::{Answer, Kind, Secret};

/// Made for these tests by `ssh-keygen -t rsa`; opens nothing.
const RSA: &str = include_str!("rsa");

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(russh::keys::HashAlg::Sha256).to_string()
}

#[tokio::test]
async fn key_file_is_offered_and_signs() {
    let key = private();
    let server = Server::start(Wish {
        keys: vec![key.public_key().clone()],
        ..Wish::default()
    })
    .await;
    let case = Case::knowing(&server);
    case.write_key("id_ed25519", &key);
    let connection = case.open(&server.url()).await.unwrap();
    assert!(
        server.has_heard("key ann ssh-ed25519"),
        "{:?}",
        server.heard()
    );
    assert_eq!(connection.server_version(), "SSH-2.0-Test");
    connection.close().await;
}

/// RFC 8332: never SHA-1.
#[tokio::test]
async fn rsa_key_signs_with_sha_2() {
    let mut case = Case::new(Person::default());
    let path = case.write("rsa", RSA);
    let key = russh::keys::decode_secret_key(RSA, None).unwrap();
    let server = Server::start(Wish {
        keys: vec![key.public_key().clone()],
        ..Wish::default()
    })
    .await;
    case.write("known_hosts", &server.line());
    case.options.ssh.identities = vec![path];
    case.open(&server.url()).await.unwrap();
    assert!(
        server.has_heard("key ann rsa-sha2-512"),
        "{:?}",
        server.heard()
    );
}

/// A passphrase is not asked for in vain.
#[tokio::test]
async fn locked_key_is_opened_only_for_a_server_that_takes_it() {
    let key = private();
    let locked = key.encrypt(&mut safe_rng(), "open").unwrap();
    for takes in [true, false] {
        let other = private();
        let accepted = if takes { &key } else { &other };
        let server = Server::start(Wish {
            keys: vec![accepted.public_key().clone()],
            ..Wish::default()
        })
        .await;
        let case = Case::new(Person {
            typed: vec!["open"].into(),
            ..Person::default()
        });
        case.write("known_hosts", &server.line());
        case.write_key("id_ed25519", &locked);
        assert_eq!(case.open(&server.url()).await.is_ok(), takes);
        assert_eq!(case.person.asked().len(), usize::from(takes));
    }
}

#[tokio::test]
async fn certificate_beside_the_key_goes_first() {
    let (key, authority) = (private(), private());
    let server = Server::start(Wish {
        authority: Some(authority.public_key().clone()),
        ..Wish::default()
    })
    .await;
    let case = Case::knowing(&server);
    let path = case.write_key("id_ed25519", &key);
    let public = key.public_key().key_data().clone();
    let mut builder =
        ssh_key::certificate::Builder::new(*b"0123456789abcdef", public, 0, u64::MAX).unwrap();
    builder.valid_principal("ann").unwrap();
    builder.key_id("card-7").unwrap();
    let certificate = builder.sign(&authority).unwrap();
    case.write("id_ed25519-cert.pub", &certificate.to_openssh().unwrap());
    case.open(&server.url()).await.unwrap();
    assert!(
        server.has_heard("certificate ann card-7"),
        "{:?}",
        server.heard()
    );
    assert!(path.ends_with("id_ed25519"));
}

#[tokio::test]
async fn given_password_goes_before_keys_and_questions() {
    let server = Server::start(Wish {
        password: Some("secret"),
        keys: vec![private().public_key().clone()],
        questions: vec![("Code: ", false, "x")],
        ..Wish::default()
    })
    .await;
    let mut case = Case::knowing(&server);
    case.write_key("id_ed25519", &private());
    case.options.ssh.password = Some(Secret::new("secret"));
    case.open(&server.url()).await.unwrap();
    assert_eq!(server.heard(), ["none ann", "password ann secret"]);
    assert!(case.person.asked().is_empty());
}

#[tokio::test]
async fn typed_password_serves_the_next_connection_too() {
    let server = Server::start(Wish {
        password: Some("right"),
        ..Wish::default()
    })
    .await;
    let case = Case::new(Person {
        typed: vec!["wrong", "right"].into(),
        ..Person::default()
    });
    case.write("known_hosts", &server.line());
    let context = case.context(&server.url());
    for _ in 0..2 {
        Box::pin(super::Connection::open(&context)).await.unwrap();
    }
    let asked = case.person.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].contains("again: true"), "{asked:?}");
}

/// A person is not asked the same by every connection of a site.
#[tokio::test]
async fn connections_side_by_side_ask_once() {
    let key = private();
    let server = Server::start(Wish {
        keys: vec![key.public_key().clone()],
        password: Some("secret"),
        steps: vec![MethodKind::PublicKey, MethodKind::Password],
        ..Wish::default()
    })
    .await;
    let case = Case::new(Person {
        trust: Answer::Always,
        typed: vec!["open", "secret"].into(),
        ..Person::default()
    });
    case.write_key("id_ed25519", &key.encrypt(&mut safe_rng(), "open").unwrap());
    let context = case.context(&server.url());
    let open = || Box::pin(super::Connection::open(&context));
    let (one, two, three) = tokio::join!(open(), open(), open());
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    // The host key, the passphrase, the password.
    assert_eq!(case.person.asked().len(), 3, "{:?}", case.person.asked());
    assert_eq!(case.read("known_hosts").lines().count(), 1);
}

/// Key, then password (RFC 4252 5.1).
#[tokio::test]
async fn server_that_wants_two_proofs_gets_both() {
    let key = private();
    let server = Server::start(Wish {
        keys: vec![key.public_key().clone()],
        password: Some("secret"),
        steps: vec![MethodKind::PublicKey, MethodKind::Password],
        ..Wish::default()
    })
    .await;
    let mut case = Case::knowing(&server);
    case.write_key("id_ed25519", &key);
    // Without the password: it says what is missing.
    let error = case.open(&server.url()).await.err().unwrap();
    assert!(error.to_string().contains("wants another"), "{error}");
    case.options.ssh.password = Some(Secret::new("secret"));
    case.open(&server.url()).await.unwrap();
    assert!(server.has_heard("password ann secret"));
}

#[tokio::test]
async fn questions_of_the_server_are_put_to_the_person_without_control_characters() {
    let server = Server::start(Wish {
        questions: vec![("Code\u{1b}[31m: ", true, "42"), ("PIN: ", false, "0000")],
        ..Wish::default()
    })
    .await;
    let case = Case::new(Person {
        typed: vec!["42", "0000"].into(),
        ..Person::default()
    });
    case.write("known_hosts", &server.line());
    case.open(&server.url()).await.unwrap();
    let asked = case.person.asked().join("\n");
    assert!(!asked.contains("\\u{1b}"), "{asked}");
    assert!(
        asked.contains("speak?[2J friend") && asked.contains("echo: true"),
        "{asked}"
    );
}

#[tokio::test]
async fn given_password_answers_the_one_hidden_question() {
    let server = Server::start(Wish {
        questions: vec![("Password: ", false, "secret")],
        ..Wish::default()
    })
    .await;
    let mut case = Case::knowing(&server);
    case.options.ssh.password = Some(Secret::new("secret"));
    case.open(&server.url()).await.unwrap();
    assert!(case.person.asked().is_empty());
}

#[tokio::test]
async fn refused_login_tells_what_was_tried_and_what_the_server_takes() {
    let server = Server::start(Wish {
        keys: vec![private().public_key().clone()],
        ..Wish::default()
    })
    .await;
    let case = Case::knowing(&server);
    let error = case.open(&server.url()).await.err().unwrap();
    assert_eq!(
        (error.kind(), error.cause()),
        (Kind::Authentication, Some("S06"))
    );
    assert!(error.to_string().contains("publickey"), "{error}");
    case.write_key("id_ed25519", &private());
    let error = case.open(&server.url()).await.err().unwrap();
    assert_eq!(error.cause(), Some("S04"));
    assert!(error.to_string().contains("1 key(s) refused"), "{error}");
}

/// S05.
#[tokio::test]
async fn at_most_six_keys_are_offered() {
    let server = Server::start(Wish {
        keys: vec![private().public_key().clone()],
        ..Wish::default()
    })
    .await;
    let mut case = Case::knowing(&server);
    let names: Vec<_> = (0..8).map(|number| format!("key{number}")).collect();
    case.options.ssh.identities = names
        .iter()
        .map(|name| case.write_key(name, &private()))
        .collect();
    let error = case.open(&server.url()).await.err().unwrap();
    let offers = server
        .heard()
        .iter()
        .filter(|line| line.starts_with("offer"))
        .count();
    assert_eq!(offers, 6);
    assert!(
        error
            .hints()
            .iter()
            .any(|hint| hint.contains("2 more key(s)")),
        "{:?}",
        error.hints()
    );
}

#[tokio::test]
async fn banner_is_shown_without_control_characters() {
    let server = Server::start(Wish {
        password: Some("x"),
        banner: Some("Welcome\r\n\u{1b}]0;title\u{7}to the server\n"),
        ..Wish::default()
    })
    .await;
    let mut case = Case::knowing(&server);
    case.options.ssh.password = Some(Secret::new("x"));
    case.open(&server.url()).await.unwrap();
    let told = case.person.told();
    assert!(told.contains("Welcome\n?]0;title?to the server"), "{told}");
}

#[tokio::test]
async fn configuration_chooses_key_user_and_port() {
    let (right, wrong) = (private(), private());
    let server = Server::start(Wish {
        keys: vec![right.public_key().clone()],
        ..Wish::default()
    })
    .await;
    let case = Case::knowing(&server);
    case.write_key("id_ed25519", &wrong);
    case.write_key("work", &right);
    case.write(
        "config",
        &format!(
            "Host work\n  HostName 127.0.0.1\n  Port {}\n  User bob\n  IdentityFile ~/.ssh/work\n",
            server.address.port()
        ),
    );
    case.open("work:").await.unwrap();
    assert!(server.has_heard("none bob"));
    assert!(!server.has_heard(&format!("offer {}", fingerprint(wrong.public_key()))));
}
