//! From a name and a password to a session, and what a reload changes.

mod ssh;

use std::{
    num::NonZeroU64,
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use wharf_accounts::{AlternativeName, Certificate, CertificateRole, Channel};
use wharf_vfs::Right;

use super::*;
use crate::{LockoutPolicy, LoginError};

fn failure<T>(result: Result<T, Box<LoginFailure>>) -> (LoginError, u64) {
    match result {
        Ok(_) => panic!("logged in"),
        Err(failure) => (failure.error, failure.delay.as_secs()),
    }
}

#[tokio::test]
async fn a_login_gives_the_accounts_view() {
    let house = House::new(Policy::default());
    let session = house.anna().await;
    assert_eq!(&*session.account().name, "anna");
    assert!(
        session
            .view()
            .rights(&VirtualPath::root())
            .has(Right::Overwrite)
    );
    assert_eq!(session.record().account().as_deref(), Some("anna"));
    assert_eq!(house.heard.all(), ["opened", "logged_in"]);
    let guest = session.log_out();
    assert_eq!(guest.record().account(), None);
}

/// RPL-39: 2 s, doubling, per address over its sessions; the caller waits, so nobody else does.
#[tokio::test]
async fn rpl_39_each_failure_doubles_the_delay_of_the_address() {
    let house = House::new(Policy::default());
    for delay in [2, 4, 8, 16, 16] {
        assert_eq!(
            failure(house.log_in(1, "anna", "wrong").await),
            (LoginError::Incorrect, delay)
        );
    }
    assert_eq!(
        failure(house.log_in(2, "anna", "wrong").await),
        (LoginError::Incorrect, 2)
    );
    house.anna().await;
    assert_eq!(
        failure(house.log_in(1, "anna", "wrong").await).1,
        2,
        "a success forgives"
    );
}

/// CVE-2018-15473: the peer cannot tell an unknown name from a wrong password, nor from an account
/// that may not enter; the log can.
#[tokio::test]
async fn cve_2018_15473_unknown_wrong_and_disabled_look_the_same() {
    let disabled = Account {
        enabled: false,
        ..account("dora")
    };
    let elsewhere = Account {
        allowed_networks: vec!["10.0.0.0/8".parse().unwrap()],
        ..account("emil")
    };
    let expired = Account {
        expires: Some(0),
        ..account("fred")
    };
    let all = [account("anna"), disabled, elsewhere, expired];
    let house = House::with(Policy::default(), all, MemoryVolume::new(0));
    let attempts = [
        ("anna", "wrong"),
        ("nobody", "secret"),
        ("dora", "secret"),
        ("emil", "secret"),
        ("fred", "secret"),
        ("a\0b", "x"),
    ];
    for (last, (name, password)) in (1..).zip(attempts) {
        assert_eq!(
            failure(house.log_in(last, name, password).await),
            (LoginError::Incorrect, 2),
            "{name}"
        );
    }
    let causes: Vec<_> = house
        .heard
        .all()
        .into_iter()
        .filter(|event| event.starts_with("login_failed"))
        .collect();
    assert!(
        causes[0].contains("wrong password") && causes[1].contains("unknown name"),
        "{causes:?}"
    );
}

/// ADM-04: from the limit on not even the right password helps, and other addresses are not concerned.
#[tokio::test]
async fn adm_04_an_address_that_failed_too_often_is_locked_out() {
    let lockout = LockoutPolicy {
        failures: 2,
        ..LockoutPolicy::default()
    };
    let house = House::new(Policy {
        lockout,
        ..Policy::default()
    });
    let mut session = house.guest(1);
    for _ in 0..2 {
        let attempt = session
            .log_in(&Credential::password("anna", "wrong"), Instant::now(), 0)
            .await;
        let Err(failed) = attempt else {
            panic!("logged in")
        };
        assert_eq!(failed.error, LoginError::Incorrect);
        session = failed.session;
    }
    let right = Credential::password("anna", "secret");
    let failed = session.log_in(&right, Instant::now(), 0).await;
    assert_eq!(failure(failed), (LoginError::LockedOut, 0));
    assert!(
        house
            .engine
            .admit([192, 0, 2, 1].into(), Instant::now())
            .is_err()
    );
    assert!(house.log_in(2, "anna", "secret").await.is_ok());
    let later = Instant::now() + Duration::from_secs(600);
    assert!(
        house.engine.admit([192, 0, 2, 1].into(), later).is_ok(),
        "10 min later"
    );
}

/// Else anybody could guess for ever, with an anonymous login after every few guesses.
#[tokio::test]
async fn an_anonymous_login_forgives_nothing() {
    let anonymous = Account {
        kind: AccountKind::Anonymous,
        password: StoredSecret::any_text(false),
        ..account("anonymous")
    };
    let house = House::with(
        Policy::default(),
        [account("anna"), anonymous],
        MemoryVolume::new(0),
    );
    assert_eq!(failure(house.log_in(1, "anna", "wrong").await).1, 2);
    let credential = Credential::Anonymous {
        text: b"me@example.org".to_vec(),
    };
    assert!(
        house
            .guest(1)
            .log_in(&credential, Instant::now(), 0)
            .await
            .is_ok()
    );
    assert_eq!(failure(house.log_in(1, "anna", "wrong").await).1, 4);
}

/// ProFTPD 2158: a cap that is set holds, and one that is not set is the default, not none.
#[tokio::test]
async fn an_account_has_no_more_sessions_than_it_may() {
    let limited = AccountLimits {
        max_sessions: Some(1),
        ..AccountLimits::default()
    };
    let one = Account {
        limits: limited,
        ..account("anna")
    };
    let house = House::with(
        Policy {
            per_account: 2,
            ..Policy::default()
        },
        [one, account("bert")],
        MemoryVolume::new(0),
    );
    let anna = house.anna().await;
    assert_eq!(
        failure(house.log_in(2, "anna", "secret").await),
        (LoginError::TooManySessions, 0)
    );
    let _berts = [
        house.log_in(3, "bert", "secret").await.ok().unwrap(),
        house.log_in(3, "bert", "secret").await.ok().unwrap(),
    ];
    assert_eq!(
        failure(house.log_in(3, "bert", "secret").await).0,
        LoginError::TooManySessions,
        "the default holds"
    );
    // A place is free as soon as its session has logged out, though the connection stays.
    let _guest = anna.log_out();
    let anna = house.anna().await;
    drop(anna);
    house.anna().await;
}

/// A failed view is our fault: no delay, no step towards a ban, and the next login tries again.
#[tokio::test]
async fn a_tree_that_cannot_be_opened_is_our_failure() {
    struct Broken;
    impl Views for Broken {
        fn view(&self, _: &Account) -> Result<View, String> {
            Err("no such disk".into())
        }
    }
    let lockout = LockoutPolicy {
        failures: 1,
        ..LockoutPolicy::default()
    };
    let volume = MemoryVolume::new(0);
    let policy = Policy {
        lockout,
        ..Policy::default()
    };
    let house = House::of(
        policy.clone(),
        [account("anna")],
        volume.clone(),
        Box::new(Broken),
        Vec::new(),
    );
    assert_eq!(
        failure(house.log_in(1, "anna", "secret").await),
        (LoginError::Unavailable, 0)
    );
    assert!(
        house
            .heard
            .all()
            .contains(&"volume_failed: no such disk".to_owned())
    );
    house.engine.reload(
        accounts([account("anna")]),
        Box::new(OneVolume::new(Arc::new(volume), 0)),
        policy,
    );
    house.anna().await;
}

#[tokio::test]
async fn a_reload_changes_the_next_login_and_no_present_session() {
    let house = House::new(Policy::default());
    let before = house.anna().await;
    let reduced = Account {
        grants: Grants::everywhere(Rights::READ_ONLY),
        ..account("anna")
    };
    let views = OneVolume::new(Arc::new(house.volume.clone()), 0o077);
    house
        .engine
        .reload(accounts([reduced]), Box::new(views), Policy::default());
    let after = house.anna().await;
    let may_write = |session: &Session<LoggedIn>| {
        session
            .view()
            .rights(&VirtualPath::root())
            .has(Right::Overwrite)
    };
    assert_eq!((may_write(&before), may_write(&after)), (true, false));
    assert_eq!(
        (
            before.view().settings().umask,
            after.view().settings().umask
        ),
        (0, 0o077)
    );
}

/// The account is the same and only the volumes changed: the next view is new all the same.
#[tokio::test]
async fn a_reload_renews_the_view_of_an_unchanged_account() {
    let house = House::new(Policy::default());
    let first = house.anna().await;
    let views = OneVolume::new(Arc::new(house.volume.clone()), 0o077);
    house.engine.reload(
        accounts([account("anna")]),
        Box::new(views),
        Policy::default(),
    );
    let second = house.anna().await;
    assert_eq!(
        (
            first.view().settings().umask,
            second.view().settings().umask
        ),
        (0, 0o077)
    );
    assert!(
        Arc::ptr_eq(second.account(), house.anna().await.account()),
        "and then it is kept"
    );
}

/// What sessions share outlives a reload: their number and their rate.
#[tokio::test]
async fn a_reload_forgets_neither_who_is_here_nor_how_fast() {
    let limits = AccountLimits {
        max_sessions: Some(2),
        download_rate: NonZeroU64::new(1000),
        upload_rate: None,
    };
    let limited = Account {
        limits,
        ..account("anna")
    };
    let house = House::with(Policy::default(), [limited.clone()], MemoryVolume::new(0));
    let first = house.anna().await;
    let views = OneVolume::new(Arc::new(house.volume.clone()), 0);
    house
        .engine
        .reload(accounts([limited]), Box::new(views), Policy::default());
    let second = house.anna().await;
    assert!(
        Arc::ptr_eq(&first.account().download[0], &second.account().download[0]),
        "one bucket"
    );
    assert_eq!(
        failure(house.log_in(1, "anna", "secret").await).0,
        LoginError::TooManySessions
    );
    drop((first, second));
    house.anna().await;
}

/// A login that began before a reload and ends after it must not leave its old view to the next.
#[tokio::test]
async fn a_view_of_the_old_configuration_is_not_given_to_the_next_session() {
    struct Slow(OneVolume, Sender<()>, Mutex<Receiver<()>>);
    impl Views for Slow {
        fn view(&self, account: &Account) -> Result<View, String> {
            self.1.send(()).unwrap();
            self.2.lock().unwrap().recv().unwrap();
            self.0.view(account)
        }
    }
    let volume = MemoryVolume::new(0);
    let one = |umask| OneVolume::new(Arc::new(volume.clone()), umask);
    let ((asked, is_asked), (go, wait)) = (channel(), channel());
    let slow = Slow(one(0), asked, Mutex::new(wait));
    let house = House::of(
        Policy::default(),
        [account("anna")],
        volume.clone(),
        Box::new(slow),
        Vec::new(),
    );
    let reloading = async {
        until(|| is_asked.try_recv().is_ok()).await;
        house.engine.reload(
            accounts([account("anna")]),
            Box::new(one(0o077)),
            Policy::default(),
        );
        go.send(()).unwrap();
    };
    let (old, ()) = tokio::join!(house.anna(), reloading);
    assert_eq!(old.view().settings().umask, 0);
    assert_eq!(house.anna().await.view().settings().umask, 0o077);
}

/// A session of somebody at 192.0.2.1 who showed a certificate with this address in TLS.
fn secured(house: &House, email: &str, role: CertificateRole) -> Session<Guest> {
    let mut session = house.guest(1);
    let certificate = Certificate {
        sha256: [0; 32],
        subject: Vec::new(),
        names: vec![AlternativeName::Email(email.to_owned())],
    };
    session.set_channel(Channel::Tls {
        certificate: Some(Arc::new(certificate)),
        role,
    });
    session
}

fn mapped() -> Account {
    Account {
        certificates: vec!["email:anna@example.org".parse().unwrap()],
        ..account("anna")
    }
}

/// TLS-09, mode `login`: the certificate stands for the password of the account that lists it. For
/// another name the password is asked, whether there is such an account or not, and nothing counts
/// as a failure.
#[tokio::test]
async fn tls_09_a_mapped_certificate_logs_in_without_a_password() {
    let house = House::with(
        Policy::default(),
        [mapped(), account("bert")],
        MemoryVolume::new(0),
    );
    let claim = |user: &str| Credential::Certificate { user: user.into() };
    let guest = |email| secured(&house, email, CertificateRole::Login);
    for (user, email) in [
        ("bert", "anna@example.org"),
        ("nobody", "anna@example.org"),
        ("a\0b", "anna@example.org"),
        ("anna", "bert@example.org"),
    ] {
        let attempt = guest(email).log_in(&claim(user), Instant::now(), 0).await;
        assert_eq!(failure(attempt), (LoginError::PasswordWanted, 0), "{user}");
    }
    let plain = house
        .guest(1)
        .log_in(&claim("anna"), Instant::now(), 0)
        .await;
    assert_eq!(failure(plain), (LoginError::PasswordWanted, 0));
    assert!(
        house
            .heard
            .all()
            .iter()
            .all(|event| !event.starts_with("login_failed"))
    );
    let session = guest("anna@example.org")
        .log_in(&claim("anna"), Instant::now(), 0)
        .await
        .unwrap_or_else(|failure| panic!("{:?}", failure.error));
    assert_eq!(&*session.account().name, "anna");
    let guest = session.log_out();
    assert!(guest.channel().is_secure(), "the connection stays as it is");
}

/// TLS-09, mode `second`: the password alone is refused like a wrong one, at the password.
#[tokio::test]
async fn tls_09_as_second_proof_a_certificate_of_another_user_is_refused() {
    let house = House::with(Policy::default(), [mapped()], MemoryVolume::new(0));
    let password = Credential::password("anna", "secret");
    let over = |email| {
        secured(&house, email, CertificateRole::Second).log_in(&password, Instant::now(), 0)
    };
    assert_eq!(
        failure(over("bert@example.org").await),
        (LoginError::Incorrect, 2)
    );
    assert!(over("anna@example.org").await.is_ok());
}

/// TLS-23: who knows the password hears that TLS is required, everybody else what they always hear.
#[tokio::test]
async fn tls_23_an_account_for_tls_alone_is_not_entered_in_plaintext() {
    let strict = Account {
        require_tls: RequireTls::Login,
        ..account("anna")
    };
    let house = House::with(Policy::default(), [strict], MemoryVolume::new(0));
    for (name, password, error) in [
        ("anna", "wrong", LoginError::Incorrect),
        ("nobody", "secret", LoginError::Incorrect),
        ("anna", "secret", LoginError::TlsRequired),
    ] {
        assert_eq!(failure(house.log_in(1, name, password).await).0, error);
    }
    let session = secured(&house, "x@y", CertificateRole::Login);
    let password = Credential::password("anna", "secret");
    assert!(session.log_in(&password, Instant::now(), 0).await.is_ok());
}
