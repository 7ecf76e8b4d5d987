//! What every directory of accounts must do, run by each of them.

mod ssh;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use wharf_vfs::{Grants, Rights};

use crate::{
    Account, AccountKind, AccountLimits, AccountName, Accounts, AlternativeName, Attempt,
    Certificate, CertificateRole, Channel, Credential, Directory, HashingCounts, Home, Proofs,
    Refusal, RequireTls, Settings, SshAccess, StoredSecret,
};

/// "right", in forms that are cheap enough for tests: bcrypt at its least cost, md5-crypt.
pub(crate) const BCRYPT_RIGHT: &str =
    "$2b$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC";
pub(crate) const MD5_RIGHT: &str = "$1$abcdefgh$vdBSIIpG7R8DPkuUogsqU0";

/// A moment to count from: no test waits or measures.
#[expect(
    clippy::disallowed_methods,
    reason = "the only way to an Instant; only differences matter"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// Where the peers of the tests come from.
pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
/// The tests' wall clock.
pub(crate) const UNIX_NOW: u64 = 1_700_000_000;

pub(crate) fn name(text: &str) -> AccountName {
    AccountName::parse(text.as_bytes()).unwrap()
}

pub(crate) fn account(user: &str, stored: &str) -> Account {
    Account {
        name: name(user),
        kind: AccountKind::User,
        home: Home::directory("/srv/home"),
        grants: Grants::everywhere(Rights::FULL),
        limits: AccountLimits::default(),
        enabled: true,
        expires: None,
        allowed_networks: Vec::new(),
        password: StoredSecret::parse(stored),
        require_tls: RequireTls::default(),
        certificates: Vec::new(),
        ssh: SshAccess::default(),
    }
}

pub(crate) fn accounts(directory: Arc<dyn Directory>) -> Accounts {
    Accounts::new(vec![directory], Settings::default()).unwrap()
}

pub(crate) async fn log_in_at(
    accounts: &Accounts,
    user: &[u8],
    password: &[u8],
    now: Instant,
) -> Result<Arc<Account>, Refusal> {
    let credential = Credential::password(user, password);
    accounts
        .log_in(&Attempt {
            credential: &credential,
            peer: PEER,
            channel: &Channel::default(),
            now,
            unix_now: UNIX_NOW,
            proven: Proofs::NONE,
        })
        .await
}

async fn log_in_over(
    accounts: &Accounts,
    channel: &Channel,
    credential: &Credential,
) -> Result<Arc<Account>, Refusal> {
    let attempt = Attempt {
        credential,
        peer: PEER,
        channel,
        now: start(),
        unix_now: UNIX_NOW,
        proven: Proofs::NONE,
    };
    accounts.log_in(&attempt).await
}

fn channel(email: Option<&str>, role: CertificateRole) -> Channel {
    let certificate = email.map(|email| {
        Arc::new(Certificate {
            sha256: [7; 32],
            subject: Vec::new(),
            names: vec![AlternativeName::Email(email.to_owned())],
        })
    });
    Channel::Tls { certificate, role }
}

pub(crate) async fn log_in(
    accounts: &Accounts,
    user: &str,
    password: &str,
) -> Result<Arc<Account>, Refusal> {
    log_in_at(accounts, user.as_bytes(), password.as_bytes(), start()).await
}

/// Runs the whole contract on directories that `make` fills with accounts.
pub(crate) async fn run(make: impl Fn(Vec<Account>) -> Arc<dyn Directory>) {
    the_right_password_opens_and_a_wrong_one_does_not(&make).await;
    an_empty_or_unparsable_hash_is_locked_2275_2279(&make).await;
    a_refusal_costs_one_slow_check_of_the_same_kind_cve_2016_6210(&make).await;
    sql_in_a_name_is_a_name_cve_2026_42167(&make).await;
    control_bytes_are_refused_cve_2025_47812(&make).await;
    conditions_are_looked_at_after_the_password(&make).await;
    a_directory_recalls_what_it_found(&make).await;
    tls_09_a_certificate_opens_the_account_that_lists_it(&make).await;
    tls_09_as_second_proof_the_certificate_must_accompany_the_password(&make).await;
    tls_23_plaintext_is_refused_only_to_who_knows_the_password(&make).await;
    ssh::run(&make).await;
}

async fn the_right_password_opens_and_a_wrong_one_does_not(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let stored = account("ann", BCRYPT_RIGHT);
    let accounts = accounts(make(vec![stored.clone(), account("bob", "{plain}other")]));
    assert_eq!(*log_in(&accounts, "ann", "right").await.unwrap(), stored);
    assert_eq!(
        log_in(&accounts, "bob", "other").await.unwrap().name,
        name("bob")
    );
    for (user, password) in [
        ("ann", "wrong"),
        ("ann", ""),
        ("ann", "right "),
        ("bob", "right"),
        ("bob", ""),
    ] {
        assert!(
            matches!(
                log_in(&accounts, user, password).await,
                Err(Refusal::WrongPassword)
            ),
            "{user} {password:?}"
        );
    }
    assert!(matches!(
        log_in(&accounts, "Ann", "right").await,
        Err(Refusal::UnknownName)
    ));
}

/// ProFTPD 2275 and 2279: an empty stored password let everybody in.
async fn an_empty_or_unparsable_hash_is_locked_2275_2279(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let marks = [
        "",
        "!",
        "*",
        "x",
        "!!",
        "{plain}",
        "right",
        "$1$",
        "$2b$",
        "$6$salt$",
        "$y$j9T$salt$",
        "$argon2id$",
        "$9$a$b",
    ];
    for stored in marks {
        let accounts = accounts(make(vec![account("ann", stored)]));
        for password in ["", "!", "*", "x", stored, "right"] {
            let refused = log_in(&accounts, "ann", password).await;
            assert!(
                matches!(refused, Err(Refusal::Locked(_))),
                "{stored:?} opened by {password:?}: {refused:?}"
            );
        }
    }
}

/// CVE-2016-6210, CVE-2018-15473: the work is counted, not timed.
async fn a_refusal_costs_one_slow_check_of_the_same_kind_cve_2016_6210(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let accounts = accounts(make(vec![
        account("ann", BCRYPT_RIGHT),
        account("locked", "!"),
        account("bob", "{plain}pw"),
    ]));
    for (count, user) in (1..).zip(
        ["ann", "nobody", "locked", "bob", "", "nobody"]
            .iter()
            .filter(|user| !user.is_empty()),
    ) {
        log_in(&accounts, user, "wrong").await.unwrap_err();
        assert_eq!(
            accounts.counts(),
            HashingCounts {
                slow: count,
                proved: 0
            },
            "{user}"
        );
    }
    let stored = StoredSecret::parse(BCRYPT_RIGHT);
    for user in ["nobody", "somebody", "root"] {
        let decoy = accounts.passwords().decoy_for(&name(user)).unwrap();
        assert_eq!(
            (decoy.scheme(), decoy.cost()),
            (stored.scheme(), stored.cost()),
            "{user}"
        );
    }
}

/// CVE-2026-42167, CVE-2026-44331, ProFTPD 2188: what is SQL elsewhere is a name here, and nobody's.
async fn sql_in_a_name_is_a_name_cve_2026_42167(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let hostile = [
        "' OR '1'='1",
        "ann'--",
        "ann'; DROP TABLE account; --",
        "\" OR 1=1 --",
        "%",
        "_nn",
        "ann\\",
    ];
    let lookups = accounts(make(vec![account("ann", "{plain}right")]));
    for user in hostile {
        assert!(
            matches!(
                log_in(&lookups, user, "right").await,
                Err(Refusal::UnknownName)
            ),
            "{user}"
        );
    }
    log_in(&lookups, "ann", "right").await.unwrap();
    let stored = accounts(make(
        hostile
            .iter()
            .map(|user| account(user, "{plain}right"))
            .collect(),
    ));
    for user in hostile {
        assert_eq!(
            log_in(&stored, user, "right").await.unwrap().name,
            name(user)
        );
    }
}

/// CVE-2025-47812 (Wing FTP): a NUL in the name or password.
async fn control_bytes_are_refused_cve_2025_47812(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let accounts = accounts(make(vec![account("ann", BCRYPT_RIGHT)]));
    for user in [
        &b"ann\0"[..],
        b"ann\0]]x",
        b"\nann",
        b"ann\x1b[0m",
        b"",
        b"\xff",
        &[b'a'; 300],
    ] {
        assert!(
            matches!(
                log_in_at(&accounts, user, b"right", start()).await,
                Err(Refusal::Name(_))
            ),
            "{user:?}"
        );
    }
    for password in [&b"right\0"[..], b"right\0wrong", &[b'a'; 1025]] {
        let refused = log_in_at(&accounts, b"ann", password, start()).await;
        assert!(matches!(refused, Err(Refusal::Password)), "{password:?}");
    }
}

async fn conditions_are_looked_at_after_the_password(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let disabled = Account {
        enabled: false,
        ..account("disabled", MD5_RIGHT)
    };
    let expired = Account {
        expires: Some(UNIX_NOW),
        ..account("expired", MD5_RIGHT)
    };
    let last_second = Account {
        expires: Some(UNIX_NOW + 1),
        ..account("last", MD5_RIGHT)
    };
    let elsewhere = Account {
        allowed_networks: vec!["203.0.113.0/24".parse().unwrap()],
        ..account("away", MD5_RIGHT)
    };
    let here = Account {
        allowed_networks: vec!["192.0.2.0/24".parse().unwrap()],
        ..account("here", MD5_RIGHT)
    };
    let accounts = accounts(make(vec![disabled, expired, last_second, elsewhere, here]));
    for user in ["disabled", "expired", "away"] {
        assert!(
            matches!(
                log_in(&accounts, user, "wrong").await,
                Err(Refusal::WrongPassword)
            ),
            "{user}"
        );
    }
    for again in ["by the hash", "by the proof"] {
        assert!(
            matches!(
                log_in(&accounts, "disabled", "right").await,
                Err(Refusal::Disabled)
            ),
            "{again}"
        );
        assert!(
            matches!(
                log_in(&accounts, "expired", "right").await,
                Err(Refusal::Expired { .. })
            ),
            "{again}"
        );
        assert!(
            matches!(
                log_in(&accounts, "away", "right").await,
                Err(Refusal::Network(PEER))
            ),
            "{again}"
        );
        log_in(&accounts, "last", "right").await.unwrap();
        log_in(&accounts, "here", "right").await.unwrap();
    }
}

async fn tls_09_a_certificate_opens_the_account_that_lists_it(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let by_certificate = |user: &str, stored| Account {
        certificates: vec!["email:ann@example.org".parse().unwrap()],
        ..account(user, stored)
    };
    let disabled = Account {
        enabled: false,
        ..by_certificate("disabled", "!")
    };
    let accounts = accounts(make(vec![
        by_certificate("ann", "!"),
        disabled,
        account("bob", "{plain}pw"),
    ]));
    let shown = channel(Some("ann@example.org"), CertificateRole::Login);
    let claim = |user: &str| Credential::Certificate { user: user.into() };
    let opened = log_in_over(&accounts, &shown, &claim("ann")).await.unwrap();
    assert_eq!(opened.name, name("ann"));
    assert_eq!(accounts.counts().slow, 0, "no password was looked at");
    assert!(matches!(
        log_in_over(&accounts, &shown, &claim("disabled")).await,
        Err(Refusal::Disabled)
    ));
    for user in ["bob", "nobody"] {
        let refused = log_in_over(&accounts, &shown, &claim(user)).await;
        assert!(matches!(refused, Err(Refusal::Certificate)), "{user}");
    }
    for other in [
        Channel::default(),
        channel(None, CertificateRole::Login),
        channel(Some("eve@example.org"), CertificateRole::Login),
        channel(Some("ann@example.org"), CertificateRole::Second),
    ] {
        let refused = log_in_over(&accounts, &other, &claim("ann")).await;
        assert!(matches!(refused, Err(Refusal::Certificate)), "{other:?}");
    }
    let password = Credential::password("bob", "pw");
    log_in_over(&accounts, &shown, &password).await.unwrap();
}

async fn tls_09_as_second_proof_the_certificate_must_accompany_the_password(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    let two = Account {
        certificates: vec!["email:ann@example.org".parse().unwrap()],
        ..account("ann", MD5_RIGHT)
    };
    let accounts = accounts(make(vec![two, account("bob", "{plain}pw")]));
    let right = Credential::password("ann", "right");
    let shown = channel(Some("ann@example.org"), CertificateRole::Second);
    for again in ["by the hash", "by the proof"] {
        log_in_over(&accounts, &shown, &right).await.expect(again);
        for email in [None, Some("bob@example.org")] {
            let other = channel(email, CertificateRole::Second);
            let refused = log_in_over(&accounts, &other, &right).await;
            assert!(matches!(refused, Err(Refusal::Certificate)), "{again}");
        }
    }
    let wrong = Credential::password("ann", "wrong");
    assert!(matches!(
        log_in_over(&accounts, &shown, &wrong).await,
        Err(Refusal::WrongPassword)
    ));
    let plain = Channel::Plain {
        role: CertificateRole::Second,
    };
    let refused = log_in_over(&accounts, &plain, &right).await;
    assert!(matches!(refused, Err(Refusal::Certificate)));
    let bob = Credential::password("bob", "pw");
    for none in [channel(None, CertificateRole::Second), plain] {
        log_in_over(&accounts, &none, &bob).await.unwrap();
    }
}

async fn tls_23_plaintext_is_refused_only_to_who_knows_the_password(
    make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>,
) {
    for (require_tls, enters) in [
        (RequireTls::Inherit, true),
        (RequireTls::No, true),
        (RequireTls::Login, false),
        (RequireTls::Data, true),
        (RequireTls::Both, false),
    ] {
        let ann = Account {
            require_tls,
            ..account("ann", MD5_RIGHT)
        };
        let accounts = accounts(make(vec![ann]));
        let wrong = log_in(&accounts, "ann", "wrong").await;
        assert!(matches!(wrong, Err(Refusal::WrongPassword)));
        let right = log_in(&accounts, "ann", "right").await;
        assert_eq!(right.is_ok(), enters, "{require_tls}");
        assert!(enters || matches!(right, Err(Refusal::TlsRequired)));
        let tls = channel(None, CertificateRole::Login);
        let right = Credential::password("ann", "right");
        log_in_over(&accounts, &tls, &right).await.unwrap();
    }
}

async fn a_directory_recalls_what_it_found(make: &impl Fn(Vec<Account>) -> Arc<dyn Directory>) {
    let accounts = accounts(make(vec![account("ann", MD5_RIGHT)]));
    let now = start();
    log_in_at(&accounts, b"ann", b"right", now).await.unwrap();
    let credential = Credential::password("ann", "right");
    let attempt = Attempt {
        credential: &credential,
        peer: PEER,
        channel: &Channel::default(),
        now,
        unix_now: UNIX_NOW,
        proven: Proofs::NONE,
    };
    accounts
        .recall(&attempt)
        .expect("the second login needs no waiting");
    assert_eq!(accounts.counts(), HashingCounts { slow: 1, proved: 1 });
    let wrong = Credential::password("ann", "wrong");
    assert!(
        accounts
            .recall(&Attempt {
                credential: &wrong,
                ..attempt
            })
            .is_none()
    );
    let late = Attempt {
        now: now + Duration::from_secs(61),
        ..attempt
    };
    assert!(accounts.recall(&late).is_none());
}
