//! The login path over several directories, and the anonymous account.

use std::sync::Arc;

use crate::{
    Account, AccountKind, Accounts, Attempt, Channel, Credential, FileDirectory, Proofs, Refusal,
    RequireTls, Settings, StoredSecret,
    contract::{MD5_RIGHT, PEER, UNIX_NOW, account, log_in, log_in_at, name, start},
};

fn over(directories: Vec<Vec<Account>>) -> Accounts {
    let directories = directories
        .into_iter()
        .map(|accounts| Arc::new(FileDirectory::new(accounts)) as _)
        .collect();
    Accounts::new(
        directories,
        Settings {
            hashings_at_once: 1,
        },
    )
    .unwrap()
}

fn anonymous(require_email: bool) -> Account {
    let password = StoredSecret::any_text(require_email);
    Account {
        kind: AccountKind::Anonymous,
        password,
        ..account("anonymous", "")
    }
}

#[tokio::test]
async fn the_first_directory_that_knows_a_name_decides_alone() {
    let accounts = over(vec![
        vec![account("ann", "{plain}first")],
        vec![account("ann", "{plain}second"), account("bob", "{plain}b")],
    ]);
    log_in(&accounts, "ann", "first").await.unwrap();
    assert!(matches!(
        log_in(&accounts, "ann", "second").await,
        Err(Refusal::WrongPassword)
    ));
    log_in(&accounts, "bob", "b").await.unwrap();
}

#[tokio::test]
async fn a_failure_is_never_remembered() {
    let now = start();
    let accounts = over(vec![vec![account("ann", MD5_RIGHT)]]);
    log_in_at(&accounts, b"ann", b"wrong", now)
        .await
        .unwrap_err();
    log_in_at(&accounts, b"ann", b"wrong", now)
        .await
        .unwrap_err();
    assert_eq!((accounts.counts().slow, accounts.counts().proved), (2, 0));
}

#[tokio::test]
async fn without_any_slow_hash_a_refusal_costs_what_a_new_hash_costs_cve_2016_6210() {
    let accounts = over(vec![vec![account("bob", "{plain}pw")]]);
    assert!(accounts.passwords().decoy_for(&name("nobody")).is_none());
    log_in(&accounts, "nobody", "pw").await.unwrap_err();
    log_in(&accounts, "bob", "wrong").await.unwrap_err();
    assert_eq!(accounts.counts().slow, 2);
}

/// ANON-01: off unless there is such an account; both names; any password.
#[tokio::test]
async fn anon_01_any_password_opens_the_anonymous_account_under_both_names() {
    let without = over(vec![vec![account("ann", MD5_RIGHT)]]);
    assert!(matches!(
        log_in(&without, "anonymous", "x@y").await,
        Err(Refusal::UnknownName)
    ));
    let with = over(vec![vec![anonymous(false)]]);
    for (user, password) in [
        ("anonymous", "me@example.org"),
        ("ftp", "mozilla@"),
        ("ftp", ""),
    ] {
        let account = log_in(&with, user, password).await.unwrap();
        assert!(account.is_anonymous(), "{user}");
        assert_eq!(account.name, name("anonymous"));
    }
    let credential = Credential::Anonymous {
        text: b"me".to_vec(),
    };
    let attempt = Attempt {
        credential: &credential,
        peer: PEER,
        channel: &Channel::default(),
        now: start(),
        unix_now: UNIX_NOW,
        proven: Proofs::NONE,
    };
    with.recall(&attempt).expect("no slow check");
}

#[tokio::test]
async fn anon_01_an_e_mail_address_may_be_required() {
    let accounts = over(vec![vec![anonymous(true)]]);
    log_in(&accounts, "ftp", "me@example.org").await.unwrap();
    for text in ["", "me", "@", "me@", "@host", "a@b@c", "a b@c"] {
        assert!(
            matches!(
                log_in(&accounts, "ftp", text).await,
                Err(Refusal::EmailWanted)
            ),
            "{text:?}"
        );
    }
}

#[tokio::test]
async fn a_user_named_ftp_is_not_hidden_by_the_anonymous_account() {
    let accounts = over(vec![vec![account("ftp", "{plain}pw"), anonymous(false)]]);
    assert!(matches!(
        log_in(&accounts, "ftp", "anything").await,
        Err(Refusal::WrongPassword)
    ));
    assert!(
        log_in(&accounts, "anonymous", "anything")
            .await
            .unwrap()
            .is_anonymous()
    );
}

/// A client that opens several sessions at once pays for one slow check.
#[tokio::test]
async fn logins_that_come_together_cost_one_slow_check() {
    let accounts = over(vec![vec![account("ann", MD5_RIGHT)]]);
    let enter = || log_in(&accounts, "ann", "right");
    let (one, two, three, four) = tokio::join!(enter(), enter(), enter(), enter());
    for login in [one, two, three, four] {
        login.unwrap();
    }
    assert_eq!((accounts.counts().slow, accounts.counts().proved), (1, 3));
}

/// TLS-23, RPL-39: who guesses at an account that he may not enter from where he is must not hear by
/// the time that he guessed right, however often he tries.
#[tokio::test]
async fn tls_23_a_right_password_that_opens_nothing_costs_what_a_wrong_one_costs() {
    for password in [MD5_RIGHT, "{plain}right"] {
        let strict = Account {
            require_tls: RequireTls::Login,
            ..account("ann", password)
        };
        let accounts = over(vec![vec![strict]]);
        for tries in 1..=3 {
            let refused = log_in(&accounts, "ann", "right").await;
            assert!(matches!(refused, Err(Refusal::TlsRequired)), "{refused:?}");
            assert_eq!(accounts.counts().slow, tries, "{password}");
        }
        assert_eq!(accounts.counts().proved, 0, "{password}");
    }
}
