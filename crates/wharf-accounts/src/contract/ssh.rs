//! The part of the contract that is about SSH: keys, files of keys, logins of two steps.

use std::{os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use ssh_key::PublicKey;

use super::{PEER, UNIX_NOW, account, accounts, name, start};
use crate::{
    Account, Accounts, Attempt, CertificateRole, Channel, Credential, Directory, KeyFile,
    KeyRefusal, Offer, Proofs, ProvenKey, Refusal, SshAccess, SshLogin, UserAuthorities,
    public_key::samples::{Draft, ECDSA, ED25519, RSA_2048, SK_ED25519, certified, line, proven},
};

const SSH: Channel = Channel::Ssh {
    role: CertificateRole::Login,
};

pub(super) async fn run(make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>) {
    sft_06_a_listed_key_opens_its_account_over_ssh_alone(make).await;
    sft_06_a_file_of_keys_opens_its_account_and_follows_its_changes(make).await;
    an_offer_is_answered_alike_for_names_that_nobody_has_cve_2018_15473(make).await;
    a_name_without_keys_costs_the_look_of_one_with_a_file_cve_2016_6210(make).await;
    conditions_hold_for_keys_too(make).await;
    sft_05_ssh_login_says_which_proofs_open(make).await;
    sft_05_a_login_of_two_steps_takes_them_in_either_order(make).await;
    sft_05_certificates_open_the_account_that_they_name(make).await;
    as_second_proof_a_tls_certificate_is_not_spared_by_a_password_over_ssh(make).await;
    the_rule_of_ssh_is_not_the_rule_of_other_protocols(make).await;
}

fn keyed(user: &str, stored: &str, keys: &[&str]) -> Account {
    Account {
        ssh: SshAccess {
            keys: keys.iter().map(|key| key.parse().unwrap()).collect(),
            ..SshAccess::default()
        },
        ..account(user, stored)
    }
}

fn ruled(user: &str, login: SshLogin) -> Account {
    let mut account = keyed(user, "{plain}right", &[ED25519]);
    account.ssh.login = login;
    account
}

fn filed(user: &str, path: &Path) -> Account {
    Account {
        ssh: SshAccess {
            key_file: Some(Arc::new(KeyFile::new(path))),
            ..SshAccess::default()
        },
        ..account(user, "!")
    }
}

#[expect(clippy::disallowed_methods, reason = "writes the file that is read")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

async fn enter(
    accounts: &Accounts,
    channel: &Channel,
    credential: &Credential,
    proven: Proofs,
) -> Result<Arc<Account>, Refusal> {
    let attempt = Attempt {
        credential,
        peer: PEER,
        channel,
        now: start(),
        unix_now: UNIX_NOW,
        proven,
    };
    accounts.log_in(&attempt).await
}

fn by(user: &str, key: ProvenKey) -> Credential {
    Credential::PublicKey {
        user: user.into(),
        key,
    }
}

async fn by_key(accounts: &Accounts, user: &str, key: &str) -> Result<Arc<Account>, Refusal> {
    enter(accounts, &SSH, &by(user, proven(key)), Proofs::NONE).await
}

async fn offered(accounts: &Accounts, user: &str, key: &str) -> Result<bool, Refusal> {
    let offer = Offer {
        user: user.as_bytes(),
        key: &PublicKey::from_openssh(key).unwrap(),
        peer: PEER,
        channel: &SSH,
        now: start(),
        unix_now: UNIX_NOW,
    };
    accounts.knows_key(&offer).await
}

async fn sft_06_a_listed_key_opens_its_account_over_ssh_alone(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let accounts = accounts(make(vec![
        keyed("ann", "!", &[ED25519, SK_ED25519]),
        keyed("bob", "{plain}pw", &[RSA_2048]),
    ]));
    for (user, key) in [("ann", ED25519), ("ann", SK_ED25519), ("bob", RSA_2048)] {
        assert!(offered(&accounts, user, key).await.unwrap(), "{user}");
        assert_eq!(by_key(&accounts, user, key).await.unwrap().name, name(user));
    }
    for (user, key) in [("ann", RSA_2048), ("bob", ED25519), ("bob", ECDSA)] {
        assert!(!offered(&accounts, user, key).await.unwrap(), "{user}");
        let refused = by_key(&accounts, user, key).await;
        assert!(
            matches!(refused, Err(Refusal::Key(KeyRefusal::Unlisted(_)))),
            "{user}: {refused:?}"
        );
    }
    let (plain, key) = (Channel::default(), by("ann", proven(ED25519)));
    let elsewhere = enter(&accounts, &plain, &key, Proofs::NONE).await;
    assert!(matches!(elsewhere, Err(Refusal::Key(KeyRefusal::NotSsh))));
    assert_eq!(accounts.counts().slow, 0, "no password was looked at");
}

async fn sft_06_a_file_of_keys_opens_its_account_and_follows_its_changes(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    write(&path, &format!("{ED25519} me\nverify-required {ECDSA}\n"));
    let accounts = accounts(make(vec![filed("ann", &path)]));
    by_key(&accounts, "ann", ED25519).await.unwrap();
    let Err(refused) = offered(&accounts, "ann", ECDSA).await else {
        panic!("accepted")
    };
    let told = refused.to_string();
    assert!(
        told.contains("line 2: the option `verify-required`"),
        "{told}"
    );
    write(&path, RSA_2048);
    by_key(&accounts, "ann", RSA_2048).await.unwrap();
    by_key(&accounts, "ann", ED25519).await.unwrap_err();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let refused = by_key(&accounts, "ann", RSA_2048).await.unwrap_err();
    assert!(refused.to_string().contains("chmod go-w"), "{refused}");
}

/// The answer to an offer and the refusal of a login name no name.
async fn an_offer_is_answered_alike_for_names_that_nobody_has_cve_2018_15473(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let accounts = accounts(make(vec![
        keyed("ann", "!", &[ED25519]),
        account("bob", "{plain}pw"),
    ]));
    for user in ["ann", "bob", "nobody", "", "a\0b"] {
        assert!(!offered(&accounts, user, ECDSA).await.unwrap(), "{user:?}");
        let refused = by_key(&accounts, user, ECDSA).await.unwrap_err();
        assert!(!refused.is_ours(), "{user:?}");
    }
    let mut authorities = UserAuthorities::default();
    authorities.add_authorities(line(1).as_bytes()).unwrap();
    let certified = super::accounts(make(vec![keyed("ann", "!", &[ED25519])]))
        .with_user_authorities(authorities);
    let own = super::accounts(make(vec![
        keyed("ann", "!", &[&format!("cert-authority {}", line(1))]),
        account("bob", "{plain}pw"),
    ]));
    for accounts in [certified, own] {
        for user in ["ann", "bob", "nobody"] {
            assert!(offered(&accounts, user, ECDSA).await.unwrap(), "{user}");
        }
    }
}

/// The work is counted, not timed.
async fn a_name_without_keys_costs_the_look_of_one_with_a_file_cve_2016_6210(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    write(&path, ED25519);
    let store = make(vec![filed("ann", &path), keyed("bob", "!", &[ECDSA])]);
    let accounts = accounts(Arc::clone(&store));
    by_key(&accounts, "ann", ED25519).await.unwrap();
    let file = store.key_hints().file.unwrap();
    for user in ["ann", "bob", "nobody", "somebody"] {
        let before = file.looks();
        by_key(&accounts, user, RSA_2048).await.unwrap_err();
        offered(&accounts, user, RSA_2048).await.unwrap();
        assert_eq!(file.looks() - before, 2, "{user}");
    }
}

async fn conditions_hold_for_keys_too(make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>) {
    let disabled = Account {
        enabled: false,
        ..keyed("disabled", "!", &[ED25519])
    };
    let expired = Account {
        expires: Some(UNIX_NOW),
        ..keyed("expired", "!", &[ED25519])
    };
    let elsewhere = Account {
        allowed_networks: vec!["203.0.113.0/24".parse().unwrap()],
        ..keyed("away", "!", &[ED25519])
    };
    let strict = Account {
        require_tls: crate::RequireTls::Both,
        ..keyed("strict", "!", &[ED25519])
    };
    let from = format!("from=\"10.0.0.0/8\" {ED25519}");
    let accounts = accounts(make(vec![
        disabled,
        expired,
        elsewhere,
        strict,
        keyed("from", "!", &[&from]),
    ]));
    for user in ["disabled", "expired", "away", "from"] {
        by_key(&accounts, user, ED25519).await.unwrap_err();
        offered(&accounts, user, ED25519)
            .await
            .expect_err("told, since the key is the account's");
    }
    by_key(&accounts, "strict", ED25519)
        .await
        .expect("SSH is as good as TLS");
}

async fn sft_05_ssh_login_says_which_proofs_open(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    for (login, takes_key, takes_password) in [
        (SshLogin::Any, true, true),
        (SshLogin::Key, true, false),
        (SshLogin::Password, false, true),
    ] {
        let accounts = accounts(make(vec![ruled("ann", login)]));
        let key = by_key(&accounts, "ann", ED25519).await;
        assert_eq!(key.is_ok(), takes_key, "{login}");
        let offer = offered(&accounts, "ann", ED25519).await;
        assert_eq!(offer.is_ok_and(|known| known), takes_key, "{login}");
        let before = accounts.counts().slow;
        let right = Credential::password("ann", "right");
        let password = enter(&accounts, &SSH, &right, Proofs::NONE).await;
        assert_eq!(password.is_ok(), takes_password, "{login}");
        let wrong = Credential::password("ann", "wrong");
        enter(&accounts, &SSH, &wrong, Proofs::NONE)
            .await
            .unwrap_err();
        // A right password that is not taken costs what a wrong one costs.
        let slow = accounts.counts().slow - before;
        assert_eq!(slow, if takes_password { 1 } else { 2 }, "{login}");
    }
}

async fn sft_05_a_login_of_two_steps_takes_them_in_either_order(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let two = SshLogin::KeyAndPassword;
    let off = Account {
        enabled: false,
        ..ruled("off", two)
    };
    let accounts = accounts(make(vec![ruled("ann", two), off]));
    let (key, password) = (Proofs::PUBLIC_KEY, Proofs::PASSWORD);
    let by_password = |text: &str| Credential::password("ann", text);
    for (credential, first, second) in [
        (by("ann", proven(ED25519)), key, password),
        (by_password("right"), password, key),
    ] {
        let partial = enter(&accounts, &SSH, &credential, Proofs::NONE).await;
        assert!(
            matches!(partial, Err(Refusal::FurtherProof { proven, wanted }) if proven == first && wanted == second),
            "{partial:?}"
        );
        // The same again is no other proof.
        let again = enter(&accounts, &SSH, &credential, first).await;
        assert!(matches!(again, Err(Refusal::FurtherProof { .. })));
        enter(&accounts, &SSH, &credential, second).await.unwrap();
    }
    let wrong = enter(&accounts, &SSH, &by_password("wrong"), key).await;
    assert!(matches!(wrong, Err(Refusal::WrongPassword)));
    let unlisted = enter(&accounts, &SSH, &by("ann", proven(ECDSA)), password).await;
    assert!(matches!(unlisted, Err(Refusal::Key(_))));
    let off = by_key(&accounts, "off", ED25519).await;
    assert!(matches!(off, Err(Refusal::Disabled)), "{off:?}");
    assert!(offered(&accounts, "ann", ED25519).await.unwrap());
}

async fn sft_05_certificates_open_the_account_that_they_name(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let mut authorities = UserAuthorities::default();
    authorities.add_authorities(line(1).as_bytes()).unwrap();
    let accounts = accounts(make(vec![account("ann", "!"), account("bob", "!")]))
        .with_user_authorities(authorities);
    let certificate = certified(&Draft::default().sign());
    let opened = enter(
        &accounts,
        &SSH,
        &by("ann", certificate.clone()),
        Proofs::NONE,
    )
    .await;
    assert_eq!(opened.unwrap().name, name("ann"));
    let other = enter(
        &accounts,
        &SSH,
        &by("bob", certificate.clone()),
        Proofs::NONE,
    )
    .await;
    assert!(matches!(other, Err(Refusal::Key(KeyRefusal::Principal))));
    let nobody = enter(&accounts, &SSH, &by("nobody", certificate), Proofs::NONE).await;
    assert!(matches!(nobody, Err(Refusal::UnknownName)));
    // Its key without it is only a key.
    by_key(&accounts, "ann", &line(2)).await.unwrap_err();
}

async fn as_second_proof_a_tls_certificate_is_not_spared_by_a_password_over_ssh(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let second = Channel::Ssh {
        role: CertificateRole::Second,
    };
    let mapped = |login| Account {
        certificates: vec!["email:ann@example.org".parse().unwrap()],
        ..ruled("ann", login)
    };
    let password = Credential::password("ann", "right");
    let key = by("ann", proven(ED25519));
    let any = accounts(make(vec![mapped(SshLogin::Any)]));
    let alone = enter(&any, &second, &password, Proofs::NONE).await;
    assert!(matches!(alone, Err(Refusal::Certificate)), "{alone:?}");
    enter(&any, &second, &key, Proofs::NONE).await.unwrap();
    enter(&any, &SSH, &password, Proofs::NONE).await.unwrap();
    let both = accounts(make(vec![mapped(SshLogin::KeyAndPassword)]));
    let first = enter(&both, &second, &password, Proofs::NONE).await;
    assert!(matches!(first, Err(Refusal::FurtherProof { .. })));
    enter(&both, &second, &key, Proofs::PASSWORD).await.unwrap();
}

async fn the_rule_of_ssh_is_not_the_rule_of_other_protocols(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    for login in [SshLogin::Key, SshLogin::KeyAndPassword] {
        let accounts = accounts(make(vec![ruled("ann", login)]));
        let right = Credential::password("ann", "right");
        enter(&accounts, &Channel::default(), &right, Proofs::NONE)
            .await
            .unwrap();
    }
}
