//! Who comes in, by what, and what the others hear (SFT-05).

use std::sync::Arc;

use russh::{
    MethodKind,
    client::{AuthResult, KeyboardInteractiveAuthResponse},
    keys::PrivateKeyWithHashAlg,
};
use ssh_key::{
    HashAlg, PrivateKey,
    certificate::{Builder, CertType},
    private::Ed25519Keypair,
};
use wharf_accounts::{AuthorizedKeys, SshAccess, SshLogin, UserAuthorities};
use wharf_engine::LockoutPolicy;

use super::house::{House, Plan, settings, soon};
use crate::{HostKey, HostKeyKind};

fn key(seed: u8) -> Arc<PrivateKey> {
    let pair = Ed25519Keypair::from_seed(&[seed; 32]);
    Arc::new(PrivateKey::new(pair.into(), "").unwrap())
}

fn rsa() -> Arc<PrivateKey> {
    let key = HostKey::generate(HostKeyKind::Rsa).unwrap();
    Arc::new(PrivateKey::from_openssh(key.to_openssh().unwrap().as_ref()).unwrap())
}

fn access(key: &PrivateKey, login: SshLogin) -> SshAccess {
    let line = key.public_key().to_openssh().unwrap();
    SshAccess {
        login,
        keys: AuthorizedKeys::parse(line.as_bytes()).keys().to_vec(),
        key_file: None,
    }
}

fn with(key: &Arc<PrivateKey>, hash: Option<HashAlg>) -> PrivateKeyWithHashAlg {
    PrivateKeyWithHashAlg::new(Arc::clone(key), hash)
}

fn failed(answer: &AuthResult) -> (Vec<MethodKind>, bool) {
    match answer {
        AuthResult::Failure {
            remaining_methods,
            partial_success,
        } => (remaining_methods.to_vec(), *partial_success),
        AuthResult::Success => panic!("nobody should come in"),
    }
}

#[tokio::test]
async fn none_is_answered_with_the_methods() {
    let house = House::usual();
    let mut client = house.client().await;
    let answer = soon(client.authenticate_none("anna")).await.unwrap();
    let methods = [
        MethodKind::PublicKey,
        MethodKind::Password,
        MethodKind::KeyboardInteractive,
    ];
    assert_eq!(failed(&answer), (methods.to_vec(), false));
}

/// The account asks for TLS, which SSH is as good as.
#[tokio::test]
async fn a_password_opens_an_account_and_a_wrong_one_may_be_mended() {
    let house = House::usual();
    let mut client = house.client().await;
    let wrong = soon(client.authenticate_password("anna", "wrong")).await;
    let (methods, partial) = failed(&wrong.unwrap());
    assert!(methods.contains(&MethodKind::Password) && !partial);
    let right = soon(client.authenticate_password("anna", "secret")).await;
    assert!(right.unwrap().success());
    assert_eq!(house.events("LoggedIn").len(), 1);
    drop(client);
    house.emptied().await;
    assert_eq!(house.events("Closed").len(), 1);
}

/// CVE-2018-15473, CVE-2016-6210.
#[tokio::test]
async fn a_name_that_nobody_has_hears_what_a_wrong_password_does() {
    let house = House::usual();
    let mut answers = Vec::new();
    for (user, password) in [("anna", "wrong"), ("nobody", "secret")] {
        let mut client = house.client().await;
        let answer = soon(client.authenticate_password(user, password)).await;
        answers.push(failed(&answer.unwrap()));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn keyboard_interactive_asks_for_the_password_once() {
    let house = House::usual();
    let mut client = house.client().await;
    let asked = soon(client.authenticate_keyboard_interactive_start("anna", None)).await;
    let KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } = asked.unwrap() else {
        panic!("a question was expected");
    };
    assert_eq!(prompts.len(), 1);
    assert_eq!(
        (prompts[0].prompt.as_str(), prompts[0].echo),
        ("Password: ", false)
    );
    let answers = vec!["secret".to_owned()];
    let answer = soon(client.authenticate_keyboard_interactive_respond(answers)).await;
    assert!(matches!(
        answer.unwrap(),
        KeyboardInteractiveAuthResponse::Success
    ));
}

#[tokio::test]
async fn more_answers_than_questions_open_nothing() {
    let house = House::usual();
    let mut client = house.client().await;
    let asked = client.authenticate_keyboard_interactive_start("anna", None);
    soon(asked).await.unwrap();
    let answers = vec!["secret".to_owned(), "secret".to_owned()];
    let answer = soon(client.authenticate_keyboard_interactive_respond(answers)).await;
    assert!(matches!(
        answer.unwrap(),
        KeyboardInteractiveAuthResponse::Failure { .. }
    ));
}

#[tokio::test]
async fn an_authorised_key_opens_an_account_and_another_does_not() {
    let house = House::of(Plan {
        ssh: access(&key(1), SshLogin::Any),
        ..Plan::default()
    });
    let mut client = house.client().await;
    let other = soon(client.authenticate_publickey("anna", with(&key(2), None))).await;
    failed(&other.unwrap());
    let right = soon(client.authenticate_publickey("anna", with(&key(1), None))).await;
    assert!(right.unwrap().success());
}

/// RFC 8332: the key is the same, the hash decides.
#[tokio::test]
async fn an_rsa_key_signs_with_sha2_or_not_at_all() {
    let rsa = rsa();
    let house = House::of(Plan {
        ssh: access(&rsa, SshLogin::Any),
        ..Plan::default()
    });
    let mut client = house.client().await;
    let sha1 = soon(client.authenticate_publickey("anna", with(&rsa, None))).await;
    failed(&sha1.unwrap());
    let sha2 = with(&rsa, Some(HashAlg::Sha256));
    let answer = soon(client.authenticate_publickey("anna", sha2)).await;
    assert!(answer.unwrap().success());
}

#[tokio::test]
async fn two_steps_lead_in_and_one_is_a_partial_success() {
    let house = House::of(Plan {
        ssh: access(&key(1), SshLogin::KeyAndPassword),
        ..Plan::default()
    });
    let mut client = house.client().await;
    let first = soon(client.authenticate_publickey("anna", with(&key(1), None))).await;
    let (methods, partial) = failed(&first.unwrap());
    assert!(partial && !methods.contains(&MethodKind::PublicKey));
    let second = soon(client.authenticate_password("anna", "secret")).await;
    assert!(second.unwrap().success());
}

/// What was proved of one name is worth nothing for another (CVE-2024-45337's kind).
#[tokio::test]
async fn a_partial_success_is_forgotten_with_the_name() {
    let house = House::of(Plan {
        ssh: access(&key(1), SshLogin::KeyAndPassword),
        ..Plan::default()
    });
    let mut client = house.client().await;
    let first = soon(client.authenticate_publickey("anna", with(&key(1), None))).await;
    assert!(failed(&first.unwrap()).1);
    let other = soon(client.authenticate_password("nobody", "secret")).await;
    failed(&other.unwrap());
    let second = soon(client.authenticate_password("anna", "secret")).await;
    let (methods, partial) = failed(&second.unwrap());
    assert!(partial && methods.contains(&MethodKind::PublicKey));
}

fn certificate(authority: &PrivateKey, holder: &PrivateKey, name: &str) -> ssh_key::Certificate {
    let nonce = vec![7; 16];
    let public = holder.public_key().key_data().clone();
    let mut builder = Builder::new(nonce, public, 0, u64::MAX - 1).unwrap();
    builder.cert_type(CertType::User).unwrap();
    builder.key_id("anna's").unwrap();
    builder.valid_principal(name).unwrap();
    builder.sign(authority).unwrap()
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_opens_the_account_that_it_names() {
    let (authority, holder) = (key(8), key(9));
    let mut authorities = UserAuthorities::default();
    let line = authority.public_key().to_openssh().unwrap();
    authorities.add_authorities(line.as_bytes()).unwrap();
    let house = House::of(Plan {
        authorities,
        ..Plan::default()
    });
    for (signer, name, opens) in [
        (&authority, "anna", true),
        (&authority, "berta", false),
        (&key(7), "anna", false),
    ] {
        let mut client = house.client().await;
        let certificate = certificate(signer, &holder, name);
        let login = client.authenticate_openssh_cert("anna", Arc::clone(&holder), certificate);
        assert_eq!(soon(login).await.unwrap().success(), opens, "{name}");
    }
}

/// SFT-05: six attempts, then the connection ends.
#[tokio::test]
async fn attempts_are_counted() {
    let house = House::usual();
    let mut client = house.client().await;
    for _ in 0..=6 {
        let answer = soon(client.authenticate_password("anna", "wrong")).await;
        failed(&answer.unwrap());
    }
    let answer = soon(client.authenticate_password("anna", "secret")).await;
    assert!(!matches!(answer, Ok(AuthResult::Success)), "{answer:?}");
    house.emptied().await;
}

#[tokio::test]
async fn an_address_that_is_shut_out_is_told_so_and_sent_away() {
    let house = House::of(Plan {
        lockout: LockoutPolicy {
            failures: 2,
            delay: std::time::Duration::ZERO,
            ..LockoutPolicy::default()
        },
        ..Plan::default()
    });
    let mut client = house.client().await;
    for _ in 0..2 {
        let answer = soon(client.authenticate_password("anna", "wrong")).await;
        failed(&answer.unwrap());
    }
    let _ = soon(client.authenticate_password("anna", "secret")).await;
    house.emptied().await;
    assert!(house.events("LoggedIn").is_empty());
    assert_eq!(house.events("too many failed logins").len(), 1);
}

#[tokio::test]
async fn a_banner_is_shown_before_login() {
    struct Reader(tokio::sync::mpsc::UnboundedSender<String>);
    impl russh::client::Handler for Reader {
        type Error = russh::Error;
        async fn check_server_key(
            &mut self,
            _: &russh::keys::PublicKeyOrCertificate,
        ) -> Result<bool, Self::Error> {
            Ok(true)
        }
        async fn auth_banner(
            &mut self,
            banner: &str,
            _: &mut russh::client::Session,
        ) -> Result<(), Self::Error> {
            let _ = self.0.send(banner.to_owned());
            Ok(())
        }
    }
    let mut settings = settings();
    settings.banner = Some("Members only.\n".to_owned());
    let house = House::of(Plan {
        settings,
        ..Plan::default()
    });
    let (stream, _) = house.call();
    let (sender, mut banners) = tokio::sync::mpsc::unbounded_channel();
    let connecting = russh::client::connect_stream(Arc::default(), stream, Reader(sender));
    let mut client = soon(connecting).await.unwrap();
    soon(client.authenticate_none("anna")).await.unwrap();
    assert_eq!(soon(banners.recv()).await.unwrap(), "Members only.\n");
}
