//! Logins over SSH: keys, steps, and what counts as a failure (SFT-05).

use wharf_accounts::{Proofs, ProvenKey, SshAccess, SshLogin, ssh_key::PublicKey};

use super::*;

/// The key of Anna's account.
const LISTED: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKDarEXtR9tcG0Dd/cSGqLRQ31u3SXSY0qxGY+4XL0q9";
/// The key of nobody's.
const OTHER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnbYbGXdA3S9C8H63gdGmxm4F03thrwDwlTis20ovvS";

fn parsed(key: &str) -> PublicKey {
    PublicKey::from_openssh(key).unwrap()
}

fn by_key(user: &str, key: &str) -> Credential {
    let key = parsed(key);
    Credential::PublicKey {
        user: user.into(),
        key: ProvenKey::key(key.algorithm(), &key),
    }
}

fn keyed(name: &str, login: SshLogin) -> Account {
    Account {
        ssh: SshAccess {
            login,
            keys: vec![LISTED.parse().unwrap()],
            key_file: None,
        },
        ..account(name)
    }
}

fn house(policy: Policy, login: SshLogin) -> House {
    let all = [keyed("anna", login), account("bert")];
    House::with(policy, all, MemoryVolume::new(0))
}

/// A session of somebody at 192.0.2.1 over SSH.
fn guest(house: &House) -> Session<Guest> {
    let mut session = house.guest(1);
    session.set_channel(Channel::Ssh {
        role: CertificateRole::Login,
    });
    session
}

async fn refused(session: Session<Guest>, credential: &Credential) -> Box<LoginFailure> {
    match session.log_in(credential, Instant::now(), 0).await {
        Ok(_) => panic!("logged in"),
        Err(failure) => failure,
    }
}

async fn entered(session: Session<Guest>, credential: &Credential) -> Session<LoggedIn> {
    session
        .log_in(credential, Instant::now(), 0)
        .await
        .unwrap_or_else(|failure| panic!("{:?}", failure.error))
}

async fn accepts(session: &Session<Guest>, user: &str, key: &str) -> bool {
    session
        .would_accept_key(user.as_bytes(), &parsed(key), Instant::now(), 0)
        .await
}

fn notes(house: &House) -> Vec<String> {
    let all = house.heard.all();
    let notes = all.iter().filter(|event| event.starts_with("logged_in"));
    notes.cloned().collect()
}

/// CVE-2024-45337: the keys that were asked about before the signature mean nothing to the result.
#[tokio::test]
async fn the_login_carries_the_proven_key_and_never_an_offered_one_cve_2024_45337() {
    let house = house(Policy::default(), SshLogin::Any);
    let session = guest(&house);
    assert!(accepts(&session, "anna", LISTED).await);
    // Proven is another one than the one that was accepted for a signature.
    let failure = refused(session, &by_key("anna", OTHER)).await;
    assert_eq!(failure.error, LoginError::Incorrect);
    // And the other way round: the last offer is another one than the proven key.
    assert!(!accepts(&failure.session, "anna", OTHER).await);
    let session = entered(failure.session, &by_key("anna", LISTED)).await;
    assert_eq!(&*session.account().name, "anna");
    let print = parsed(LISTED).fingerprint(Default::default()).to_string();
    let [note] = &notes(&house)[..] else {
        panic!("{:?}", house.heard.all())
    };
    assert!(note.contains(&print), "{note}");
}

/// CVE-2018-15473, CVE-2016-6210: neither the offer nor the refusal tells whether there is such a name.
#[tokio::test]
async fn keys_tell_nothing_about_names_cve_2018_15473_cve_2016_6210() {
    let house = house(Policy::default(), SshLogin::Any);
    for user in ["anna", "bert", "nobody", "a\0b", ""] {
        let session = guest(&house);
        assert!(!accepts(&session, user, OTHER).await, "{user:?}");
        let failure = refused(session, &by_key(user, OTHER)).await;
        assert_eq!(
            (failure.error, failure.delay),
            (LoginError::Incorrect, Duration::ZERO),
            "{user:?}"
        );
    }
}

/// Clients show every key that they have; passwords are guesses, in one count with FTP's.
#[tokio::test]
async fn sft_05_offers_and_unlisted_keys_are_no_failures_and_wrong_passwords_are() {
    let lockout = LockoutPolicy {
        failures: 2,
        ..LockoutPolicy::default()
    };
    let policy = Policy {
        lockout,
        ..Policy::default()
    };
    let house = house(policy, SshLogin::Any);
    let mut session = guest(&house);
    for _ in 0..5 {
        assert!(!accepts(&session, "anna", OTHER).await);
        session = refused(session, &by_key("anna", OTHER)).await.session;
    }
    let wrong = Credential::password("anna", "wrong");
    let failure = refused(session, &wrong).await;
    assert_eq!(
        (failure.error, failure.delay.as_secs()),
        (LoginError::Incorrect, 2)
    );
    // The second one comes over FTP from the same address, and shuts it out of SSH too.
    let over_ftp = house.log_in(1, "anna", "wrong").await;
    assert_eq!(super::failure(over_ftp), (LoginError::Incorrect, 4));
    let session = failure.session;
    assert!(!accepts(&session, "anna", LISTED).await, "shut out");
    let failure = refused(session, &by_key("anna", LISTED)).await;
    assert_eq!(failure.error, LoginError::LockedOut);
}

/// Several steps: right so far is no failure, and the session remembers it in either order.
#[tokio::test]
async fn sft_05_two_steps_in_either_order() {
    let house = house(Policy::default(), SshLogin::KeyAndPassword);
    let (key, password) = (
        by_key("anna", LISTED),
        Credential::password("anna", "secret"),
    );
    for (first, second, wanted) in [
        (&key, &password, Proofs::PASSWORD),
        (&password, &key, Proofs::PUBLIC_KEY),
    ] {
        let partial = refused(guest(&house), first).await;
        assert_eq!(partial.error, LoginError::FurtherProof { wanted });
        assert_eq!(partial.delay, Duration::ZERO);
        // A wrong step in between is a failure and forgets nothing.
        let wrong = Credential::password("anna", "wrong");
        let failure = refused(partial.session, &wrong).await;
        assert_eq!(failure.error, LoginError::Incorrect);
        entered(failure.session, second).await;
    }
    let print = parsed(LISTED).fingerprint(Default::default()).to_string();
    assert!(
        notes(&house).iter().all(|note| note.contains(&print)),
        "{:?}",
        notes(&house)
    );
}

/// What was proved under one name opens nothing under another, nor after a return to the first.
#[tokio::test]
async fn sft_05_another_name_forgets_what_was_proved() {
    let all = [
        keyed("anna", SshLogin::KeyAndPassword),
        keyed("bert", SshLogin::KeyAndPassword),
    ];
    let house = House::with(Policy::default(), all, MemoryVolume::new(0));
    let further = |wanted| LoginError::FurtherProof { wanted };
    let partial = refused(guest(&house), &by_key("anna", LISTED)).await;
    let password = |user: &str| Credential::password(user, "secret");
    let other = refused(partial.session, &password("bert")).await;
    assert_eq!(
        other.error,
        further(Proofs::PUBLIC_KEY),
        "anna's key is not bert's"
    );
    let back = refused(other.session, &password("anna")).await;
    assert_eq!(back.error, further(Proofs::PUBLIC_KEY));
    // A failure under another name forgets as well.
    let failed = refused(back.session, &Credential::password("nobody", "x")).await;
    let again = refused(failed.session, &by_key("anna", LISTED)).await;
    assert_eq!(again.error, further(Proofs::PASSWORD));
    let session = entered(again.session, &password("anna")).await;
    // And so does the end of the session.
    let guest = session.log_out();
    let anew = refused(guest, &password("anna")).await;
    assert_eq!(anew.error, further(Proofs::PUBLIC_KEY));
}

/// CVE-2018-10933: nothing but a whole login gives a session that owns a view; partial success does not.
#[tokio::test]
async fn partial_success_is_no_login_cve_2018_10933() {
    let house = house(Policy::default(), SshLogin::KeyAndPassword);
    let partial = refused(guest(&house), &by_key("anna", LISTED)).await;
    assert_eq!(partial.session.record().account(), None);
    assert!(notes(&house).is_empty());
    // The same proof twice is not two proofs.
    let again = refused(partial.session, &by_key("anna", LISTED)).await;
    assert_eq!(
        again.error,
        LoginError::FurtherProof {
            wanted: Proofs::PASSWORD
        }
    );
}

/// A key of the account that may not be used is told to the log already when it is offered.
#[tokio::test]
async fn an_offer_of_a_listed_key_that_is_refused_is_told_to_the_log() {
    let mut anna = keyed("anna", SshLogin::Any);
    anna.ssh.keys = vec![format!("from=\"10.0.0.0/8\" {LISTED}").parse().unwrap()];
    let house = House::with(Policy::default(), [anna], MemoryVolume::new(0));
    let session = guest(&house);
    assert!(!accepts(&session, "anna", LISTED).await);
    let told = house.heard.all();
    assert!(told.iter().any(|event| event.contains("from=")), "{told:?}");
    assert!(!accepts(&session, "anna", OTHER).await);
    assert_eq!(
        house.heard.all().len(),
        told.len(),
        "of other keys nothing is told"
    );
}
