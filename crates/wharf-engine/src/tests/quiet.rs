//! Sessions that are one transfer each: entered without a credential, told by their transfer alone.

use std::{future::Future, sync::atomic::Ordering};

use wharf_vfs::Right;

use super::*;
use crate::{
    FileTransfer, LockoutPolicy, LoginError,
    events::{Direction, Format, TransferRecord, XferlogSink, log::line},
};

impl House {
    /// A quiet session of somebody at 192.0.2.`last` whom the door lets in.
    fn quiet_guest(&self, last: u8) -> Session<Guest> {
        let peer = SocketAddr::from(([192, 0, 2, last], 4000));
        let lease = self.engine.admit(peer.ip(), Instant::now()).unwrap();
        let engine = Arc::clone(&self.engine);
        Session::open_quietly(engine, lease, "test", peer, peer, Instant::now())
    }

    async fn enter(&self, account: &Account) -> Result<Session<LoggedIn>, LoginError> {
        self.quiet_guest(1)
            .enter(Arc::new(account.clone()), Instant::now(), 1000)
            .await
            .map_err(|failure| failure.error)
    }

    async fn entered(&self) -> Arc<Session<LoggedIn>> {
        Arc::new(self.enter(&account("boot")).await.unwrap())
    }
}

#[tokio::test]
async fn who_enters_gets_the_accounts_view_and_nobody_is_told() {
    let house = House::new(Policy::default());
    let session = house.entered().await;
    assert_eq!(session.record().account().as_deref(), Some("boot"));
    assert!(
        session
            .view()
            .rights(&VirtualPath::root())
            .has(Right::Overwrite)
    );
    assert_eq!(house.engine.registry.len(), 1, "it can be kicked");
    drop(session);
    assert!(house.engine.registry.is_empty());
    assert_eq!(house.heard.all(), [""; 0]);
}

/// A second transfer of an account waits for nothing: its view is in use already.
#[tokio::test]
async fn an_account_in_use_is_entered_without_a_pause() {
    let house = House::new(Policy::default());
    let wanted = Arc::new(account("boot"));
    let now = Instant::now();
    let first = house.quiet_guest(1).enter(Arc::clone(&wanted), now, 0);
    let first = first.await.map_err(|failure| failure.error).unwrap();
    let mut second = std::pin::pin!(house.quiet_guest(1).enter(wanted, now, 0));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match Future::poll(second.as_mut(), &mut context) {
        std::task::Poll::Ready(Ok(second)) => {
            assert!(Arc::ptr_eq(first.account(), second.account()));
        }
        std::task::Poll::Ready(Err(failure)) => panic!("{:?}", failure.error),
        std::task::Poll::Pending => panic!("it waits"),
    }
}

#[tokio::test]
async fn the_accounts_own_conditions_hold_for_who_enters() {
    let elsewhere = vec!["10.0.0.0/8".parse().unwrap()];
    let refused = [
        Account {
            enabled: false,
            ..account("off")
        },
        Account {
            expires: Some(1000),
            ..account("old")
        },
        Account {
            allowed_networks: elsewhere,
            ..account("far")
        },
        Account {
            require_tls: RequireTls::Login,
            ..account("safe")
        },
    ];
    let house = House::new(Policy::default());
    for account in &refused {
        let name = account.name.as_str();
        assert_eq!(
            house.enter(account).await.err(),
            Some(LoginError::Incorrect),
            "{name}"
        );
    }
    let told = house.heard.all();
    assert_eq!(told.len(), refused.len(), "{told:?}");
    assert!(told.iter().all(|event| event.starts_with("login_failed: ")));
    // They guess nothing, so they are not locked out either.
    house.entered().await;
}

#[tokio::test]
async fn the_number_of_sessions_holds_for_who_enters() {
    let house = House::new(Policy::default());
    let mut narrow = account("boot");
    narrow.limits.max_sessions = Some(1);
    let first = house.enter(&narrow).await.unwrap();
    assert_eq!(
        house.enter(&narrow).await.err(),
        Some(LoginError::TooManySessions)
    );
    drop(first);
    assert!(house.enter(&narrow).await.is_ok());
}

/// ADM-04: who guessed passwords elsewhere is shut out here too.
#[tokio::test]
async fn adm_04_a_banned_address_does_not_enter() {
    let house = House::new(Policy {
        lockout: LockoutPolicy {
            failures: 1,
            ..LockoutPolicy::default()
        },
        ..Policy::default()
    });
    let guest = house.quiet_guest(1);
    assert!(house.log_in(1, "anna", "wrong").await.is_err());
    let entered = guest.enter(Arc::new(account("boot")), Instant::now(), 0);
    let error = entered.await.map_err(|failure| failure.error).err();
    assert_eq!(error, Some(LoginError::LockedOut));
}

/// An empty file that was fetched whole is a download as any other.
#[tokio::test]
async fn a_request_is_told_even_if_nothing_moved() {
    let house = House::new(Policy::default());
    let session = house.entered().await;
    let asked = |direction| {
        let session = Arc::clone(&session);
        FileTransfer::asked(session, path("f"), direction, false, Instant::now())
    };
    asked(Direction::Download).finish(TransferEnd::Committed);
    asked(Direction::Upload).finish(TransferEnd::Committed);
    asked(Direction::Download).finish(TransferEnd::SizeOnly);
    drop(asked(Direction::Download));
    assert_eq!(
        house.heard.all(),
        [
            "download_committed",
            "upload_committed",
            "size_asked",
            "download_aborted: the session was dropped"
        ]
    );
}

#[tokio::test]
async fn a_request_keeps_its_session_busy_from_the_start() {
    let house = House::new(Policy::default());
    let session = house.entered().await;
    let transfer = FileTransfer::asked(
        Arc::clone(&session),
        path("f"),
        Direction::Download,
        false,
        Instant::now(),
    );
    assert!(session.record().is_busy());
    transfer.finish(TransferEnd::Committed);
    assert!(!session.record().is_busy());
}

/// TFT-38: who asks for the size alone neither fetched a file nor broke one off.
#[tokio::test]
async fn tft_38_a_size_that_was_asked_counts_as_neither_whole_nor_aborted() {
    let house = House::new(Policy::default());
    let counters = house.engine.bus.counters();
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let record = |end, ascii| {
        Event::Transfer(TransferRecord {
            direction: Direction::Download,
            path: b"/f",
            octets: 0,
            seconds: 0.0,
            ascii,
            anonymous: false,
            end,
        })
    };
    let asked = record(TransferEnd::SizeOnly, false);
    assert_eq!((asked.level(), asked.name()), (Level::Info, "size_asked"));
    house.engine.tell("test", &asked);
    assert_eq!(
        (
            count(&counters.sizes_asked),
            count(&counters.downloads),
            count(&counters.downloads_aborted)
        ),
        (1, 0, 0)
    );
    let told = line(
        Format::Human,
        SystemTime::UNIX_EPOCH,
        &Origin::default(),
        &asked,
    );
    assert!(
        told.ends_with("info size of /f asked, nothing fetched"),
        "{told}"
    );

    let page = telling::Page::default();
    let xferlog = XferlogSink::new(page.writer());
    xferlog.take(SystemTime::UNIX_EPOCH, &Origin::default(), &asked);
    let ascii = record(TransferEnd::Committed, true);
    xferlog.take(SystemTime::UNIX_EPOCH, &Origin::default(), &ascii);
    drop(xferlog);
    let lines = page.lines();
    assert!(
        lines.len() == 1 && lines[0].contains(" /f a _ o "),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_refused_request_tells_what_was_asked_for_and_why_it_was_not_given() {
    let house = House::new(Policy::default());
    let refused = Event::RequestRefused {
        direction: Direction::Upload,
        path: b"../\xff",
        cause: "write is denied",
    };
    let session = house.entered().await;
    session.tell(&refused);
    assert_eq!(refused.level(), Level::Info);
    assert_eq!(house.heard.all(), ["request_refused: write is denied"]);
    let counters = house.engine.bus.counters();
    assert_eq!(counters.requests_refused.load(Ordering::Relaxed), 1);
    let in_form = |format| line(format, SystemTime::UNIX_EPOCH, &session.origin(), &refused);
    let human = in_form(Format::Human);
    assert!(
        human.ends_with(r"192.0.2.1 boot upload of ../\xff refused: write is denied"),
        "{human}"
    );
    let json: serde_json::Value = serde_json::from_str(&in_form(Format::Json)).unwrap();
    assert_eq!(
        (&json["event"], &json["direction"], &json["cause"]),
        (
            &"request_refused".into(),
            &"upload".into(),
            &"write is denied".into()
        )
    );
}
