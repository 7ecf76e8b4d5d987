//! Transfers that are handles: each that moved something is told once, whichever way it ends.

use std::time::Duration;

use wharf_transfer::Throttle;

use super::*;
use crate::{FileTransfer, transfers::pay};

fn begin(session: &Arc<Session<LoggedIn>>) -> FileTransfer {
    FileTransfer::new(Arc::clone(session), path("f"), Instant::now())
}

#[tokio::test]
async fn a_handle_through_which_nothing_went_is_not_told() {
    let house = House::new(Policy::default());
    let session = Arc::new(house.anna().await);
    begin(&session).finish(TransferEnd::Committed);
    drop(begin(&session));
    assert!(house.heard.transfers().is_empty());
}

#[tokio::test]
async fn a_handle_is_told_once_with_all_its_octets() {
    let house = House::new(Policy::default());
    let session = Arc::new(house.anna().await);
    let mut down = begin(&session);
    down.sent(3);
    down.sent(4);
    down.finish(TransferEnd::Committed);
    assert_eq!(house.heard.transfers(), ["download_committed"]);
    let mut empty = begin(&session);
    empty.received(0);
    empty.finish(TransferEnd::Committed);
    assert_eq!(house.heard.transfers().last().unwrap(), "upload_committed");
    assert_eq!(house.heard.transfers().len(), 2);
}

#[tokio::test]
async fn a_handle_that_was_read_and_written_is_an_upload() {
    let house = House::new(Policy::default());
    let session = Arc::new(house.anna().await);
    let mut both = begin(&session);
    both.sent(3);
    both.received(4);
    assert_eq!(both.octets_received(), 4);
    drop(both);
    let told = house.heard.transfers();
    assert_eq!(told, ["upload_aborted: the session was dropped"]);
}

/// INT-45: a session with a running transfer is not idle, one with an open file that rests is.
#[tokio::test]
async fn int_45_a_handle_keeps_its_session_from_the_first_octet_to_its_end() {
    let house = House::new(Policy::default());
    let session = Arc::new(house.anna().await);
    let peer = session.record().peer.ip();
    let mut transfer = begin(&session);
    transfer.sent(1);
    assert!(!session.engine().registry.replace_oldest(peer));
    transfer.finish(TransferEnd::Committed);
    let resting = begin(&session);
    assert!(session.engine().registry.replace_oldest(peer));
    drop(resting);
}

/// The waits of two takers are one behind the other; who gives up leaves no debt.
#[tokio::test(start_paused = true)]
async fn paying_waits_for_the_shared_bucket_and_leaves_no_debt() {
    let throttles = [Arc::new(Throttle::new(1000))];
    let start = tokio::time::Instant::now();
    pay(&[], u64::MAX).await;
    pay(&throttles, 1000).await;
    assert!(
        start.elapsed().is_zero(),
        "the first is paid for afterwards"
    );
    let given_up = tokio::time::timeout(Duration::from_millis(1), pay(&throttles, 1_000_000)).await;
    assert!(given_up.is_err());
    pay(&throttles, 1).await;
    assert!(start.elapsed() < Duration::from_millis(1100));
    assert!(start.elapsed() > Duration::from_millis(700));
}
