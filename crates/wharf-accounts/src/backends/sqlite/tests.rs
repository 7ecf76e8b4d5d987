//! The embedded store: what it keeps, what it refuses, and what a login asks of it.

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use wharf_vfs::{Grants, Rights, VirtualPath};

use super::*;
use crate::{
    AccountLimits, Accounts, Directory, Home, KeyFile, MountSpec, Recall, RequireTls, Settings,
    SshAccess, SshLogin, Tree,
    contract::{self, MD5_RIGHT, account, log_in_at, name, start},
    public_key::samples,
};

fn at(path: &str) -> VirtualPath {
    VirtualPath::parse(&VirtualPath::root(), path.as_bytes()).unwrap()
}

fn filled(directory: &tempfile::TempDir, accounts: &[Account]) -> Arc<Store> {
    let store = Store::open(&directory.path().join("accounts.db")).unwrap();
    for account in accounts {
        store.add(account).unwrap();
    }
    Arc::new(store)
}

#[tokio::test]
async fn the_embedded_store_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    contract::run(|accounts| {
        number.set(number.get() + 1);
        let store = Store::open(&directory.path().join(format!("{}.db", number.get()))).unwrap();
        for account in &accounts {
            store.add(account).unwrap();
        }
        Arc::new(SqliteDirectory::new(Arc::new(store)))
    })
    .await;
}

#[test]
fn an_account_is_read_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let whole = Account {
        home: Home {
            tree: Tree::Volumes(vec![MountSpec {
                path: at("/site"),
                volume: "www".to_owned(),
                read_only: true,
            }]),
            start: at("/site/html"),
        },
        grants: Grants::new([(at("/"), Rights::READ_ONLY), (at("/site/up"), Rights::FULL)]),
        limits: AccountLimits {
            max_sessions: Some(3),
            download_rate: NonZeroU64::new(1_000_000),
            upload_rate: NonZeroU64::new(1),
        },
        enabled: false,
        expires: Some(4_102_444_800),
        allowed_networks: vec![
            "192.0.2.0/24".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ],
        require_tls: RequireTls::Both,
        certificates: vec![
            "email:anna@example.org".parse().unwrap(),
            r"subject:O=Example\, Inc.,CN=anna".parse().unwrap(),
        ],
        ssh: SshAccess {
            login: SshLogin::KeyAndPassword,
            keys: vec![
                format!("from=\"192.0.2.*\",restrict {} anna", samples::ED25519)
                    .parse()
                    .unwrap(),
                samples::ECDSA.parse().unwrap(),
            ],
            key_file: Some(Arc::new(KeyFile::new("/etc/wharf/keys/anna"))),
        },
        ..account("whole", MD5_RIGHT)
    };
    let store = filled(&directory, &[whole.clone(), account("ann", "")]);
    let again = Store::open(&directory.path().join("accounts.db")).unwrap();
    assert_eq!(again.show(&name("whole")).unwrap(), whole);
    assert_eq!(store.list().unwrap(), [account("ann", ""), whole]);
}

#[test]
fn changes_reach_only_the_account_they_name() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(
        &directory,
        &[account("ann", MD5_RIGHT), account("bob", MD5_RIGHT)],
    );
    assert!(matches!(
        store.add(&account("ann", "!")),
        Err(Error::Exists(_))
    ));
    store
        .set(&Account {
            enabled: false,
            ..account("ann", "")
        })
        .unwrap();
    let ann = store.show(&name("ann")).unwrap();
    assert!(!ann.enabled);
    assert_eq!(
        ann.password,
        StoredSecret::parse(MD5_RIGHT),
        "`set` keeps the password"
    );
    store
        .set_password(
            &name("ann"),
            &StoredSecret::parse("$1$abc$1234567890123456789012"),
        )
        .unwrap();
    assert_eq!(store.show(&name("bob")).unwrap(), account("bob", MD5_RIGHT));
    store.remove(&name("ann")).unwrap();
    assert!(matches!(store.show(&name("ann")), Err(Error::NotFound(_))));
    assert!(matches!(
        store.remove(&name("ann")),
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        store.set(&account("ann", "")),
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        store.set_password(&name("ann"), &StoredSecret::locked()),
        Err(Error::NotFound(_))
    ));
}

#[test]
fn a_database_of_another_program_or_of_a_newer_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let foreign = directory.path().join("foreign.db");
    Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE cookies (a)")
        .unwrap();
    assert!(matches!(Store::open(&foreign), Err(Error::ForeignStore(0))));
    let newer = directory.path().join("newer.db");
    drop(Store::open(&newer).unwrap());
    Connection::open(&newer)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(matches!(
        Store::open(&newer),
        Err(Error::NewerSchema {
            found: 99,
            known: 3
        })
    ));
}

/// A store of the first version keeps its accounts, and older programs leave the new one alone.
#[test]
fn a_store_of_version_1_is_brought_to_version_3() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("accounts.db");
    let record = r#"{"home":{"directory":"/srv/home","start":"/"},"grants":[{"path":"/","rights":[]}],"enabled":true}"#;
    let old = Connection::open(&path).unwrap();
    old.execute_batch(SCHEMA).unwrap();
    old.pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.execute(
        "INSERT INTO account VALUES ('ann', ?1, ?2)",
        [MD5_RIGHT, record],
    )
    .unwrap();
    drop(old);
    let store = Store::open(&path).unwrap();
    let ann = store.show(&name("ann")).unwrap();
    assert_eq!(ann.require_tls, RequireTls::Inherit);
    assert_eq!(ann.certificates, []);
    assert_eq!(ann.ssh, SshAccess::default());
    let version = store
        .lock()
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 3);
}

#[cfg(unix)]
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "looks at the mode of the store's file"
)]
fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let _store = filled(&directory, &[account("ann", MD5_RIGHT)]);
    for file in ["accounts.db", "accounts.db-wal", "accounts.db-shm"] {
        let mode = std::fs::metadata(directory.path().join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_row_that_is_not_understood_is_a_locked_account() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(&directory, &[account("ann", MD5_RIGHT)]);
    for record in [
        "",
        "{}",
        r#"{"home":{"directory":"/","start":"/"},"grants":[],"enabled":true,"require_tls":"yes"}"#,
        r#"{"home":{"directory":"/","start":"/"},"grants":[],"enabled":true,"certificates":["CN=ann"]}"#,
        r#"{"home":{"directory":"/","start":"/"},"grants":[],"enabled":true,"only_at_night":true}"#,
    ] {
        store
            .lock()
            .execute("UPDATE account SET record = ?1", [record])
            .unwrap();
        assert!(
            matches!(store.show(&name("ann")), Err(Error::Record { .. })),
            "{record}"
        );
        let accounts = contract::accounts(Arc::new(SqliteDirectory::new(Arc::clone(&store))));
        let refused = contract::log_in(&accounts, "ann", "right").await;
        assert!(
            matches!(refused, Err(crate::Refusal::Locked(_))),
            "{refused:?}"
        );
    }
}

/// CVE-2021-40524: -1 is not "without a limit". A record with such a limit opens nothing.
#[tokio::test]
async fn cve_2021_40524_a_limit_below_one_locks_the_account() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(&directory, &[account("ann", MD5_RIGHT)]);
    for (limit, enters) in [
        ("max_sessions\":-1", false),
        ("download_rate\":-1", false),
        ("upload_rate\":-1", false),
        ("upload_rate\":0", false),
        ("upload_rate\":1", true),
    ] {
        let record = format!(
            r#"{{"home":{{"directory":"/","start":"/"}},"grants":[],"enabled":true,"{limit}}}"#
        );
        store
            .lock()
            .execute("UPDATE account SET record = ?1", [record])
            .unwrap();
        let accounts = contract::accounts(Arc::new(SqliteDirectory::new(Arc::clone(&store))));
        let outcome = contract::log_in(&accounts, "ann", "right").await;
        assert_eq!(outcome.is_ok(), enters, "{limit}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_known_account_is_answered_without_the_disk_and_a_change_is_seen_within_a_second() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(&directory, &[account("ann", MD5_RIGHT)]);
    let logins = SqliteDirectory::new(Arc::clone(&store));
    let (ann, bob, now) = (name("ann"), name("bob"), start());
    assert!(
        matches!(logins.recall(&ann, now), Recall::Stale),
        "nothing was read yet"
    );
    assert!(logins.find(&ann, now).await.unwrap().is_some());

    let elsewhere = Store::open(&directory.path().join("accounts.db")).unwrap();
    elsewhere.remove(&ann).unwrap();
    elsewhere.add(&account("bob", "")).unwrap();
    let just_before = now + RECHECK - Duration::from_nanos(1);
    assert!(matches!(logins.recall(&ann, just_before), Recall::Known(_)));
    assert!(matches!(logins.recall(&bob, just_before), Recall::Absent));
    assert!(matches!(logins.recall(&bob, now + RECHECK), Recall::Stale));
    assert!(logins.find(&bob, now + RECHECK).await.unwrap().is_some());
    assert!(matches!(logins.recall(&ann, now + RECHECK), Recall::Absent));

    store.remove(&bob).unwrap();
    assert!(
        logins
            .find(&bob, now + RECHECK * 2)
            .await
            .unwrap()
            .is_none(),
        "its own connection's change"
    );
}

#[tokio::test]
async fn a_changed_password_ends_the_proof_of_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(&directory, &[account("ann", MD5_RIGHT)]);
    let logins = Arc::new(SqliteDirectory::new(Arc::clone(&store)));
    let accounts = Accounts::new(vec![logins], Settings::default()).unwrap();
    let now = start();
    log_in_at(&accounts, b"ann", b"right", now).await.unwrap();
    store
        .set_password(
            &name("ann"),
            &StoredSecret::parse("$1$abc$1234567890123456789012"),
        )
        .unwrap();
    log_in_at(&accounts, b"ann", b"right", now + RECHECK)
        .await
        .unwrap_err();
    assert_eq!(accounts.counts().proved, 0);
}
