//! How connections end that do not end by themselves. Time stands still here but for what is waited
//! for.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_engine::Ending;

use super::house::{House, soon};
use crate::clock;

/// A slow loris is a deadline's, not a limit's. CVE-2024-6387: the deadline is a timer of the runtime,
/// and nothing is done in it but to end the connection.
#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_or_next_to_nothing_is_sent_away() {
    let house = House::usual();
    let (_silent, serving) = house.call();
    serving.await.unwrap();
    let (mut slow, serving) = house.call();
    let drip = async {
        while slow.write_all(b"S").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    };
    tokio::select! {
        () = drip => {}
        ended = serving => ended.unwrap(),
    }
    let (mut half, serving) = house.call();
    half.write_all(b"SSH-2.0-half\r\n").await.unwrap();
    serving.await.unwrap();
    assert_eq!(house.events("not logged in in time").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_logs_in_is_told_to_go() {
    let house = House::usual();
    let client = house.client().await;
    house.emptied().await;
    assert!(client.is_closed() || house.events("not logged in in time").len() == 1);
}

/// SFT-10.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends() {
    let house = House::usual();
    let client = house.user().await;
    let _channel = client.channel_open_session().await.unwrap();
    let before = clock::now();
    house.engine.registry.emptied().await;
    assert!(clock::now() - before >= Duration::from_secs(899));
    assert_eq!(house.events("idle for too long").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn pings_keep_nobody_from_being_idle() {
    let house = House::usual();
    let client = house.user().await;
    let ping = async {
        while client.send_keepalive(true).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    };
    tokio::select! {
        () = ping => {}
        () = house.engine.registry.emptied() => {}
    }
    assert_eq!(house.events("idle for too long").len(), 1);
}

#[tokio::test]
async fn a_kick_ends_a_session_at_once() {
    let house = House::usual();
    let _client = house.user().await;
    let [record] = &house.engine.registry.sessions()[..] else {
        panic!("one session");
    };
    assert!(house.engine.registry.kick(record.id));
    house.emptied().await;
    assert_eq!(house.events("ended by us").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_kick_does_not_wait_for_a_peer_that_hears_nothing() {
    let house = House::usual();
    let (mut stream, serving) = house.call();
    let mut id = [0; 15];
    stream.read_exact(&mut id).await.unwrap();
    stream.write_all(b"SSH-2.0-deaf\r\n").await.unwrap();
    tokio::task::yield_now().await;
    house.engine.registry.end_all(Ending::Now);
    serving.await.unwrap();
    assert_eq!(house.events("Closed").len(), 1);
}

#[tokio::test]
async fn a_drain_ends_who_transfers_nothing() {
    let house = House::usual();
    let client = house.user().await;
    let _channel = soon(client.channel_open_session()).await.unwrap();
    house.engine.registry.end_all(Ending::AfterTransfer);
    house.emptied().await;
}

/// SFT-01: what is not SSH ends there, and is told as what it is.
#[tokio::test]
async fn other_protocols_are_hung_up_on() {
    let house = House::usual();
    let long = [b'A'; 4096];
    let words: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and more of it\r\n",
        b"SSH-1.5-old\r\n",
        b"USER anonymous\r\n",
        b"\r\n\r\n\r\n\r\n",
        &long,
    ];
    for word in words {
        let (mut stream, serving) = house.call();
        let _ = stream.write_all(word).await;
        soon(serving).await.unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
        assert_eq!(heard, b"SSH-2.0-Wharf\r\n", "{}", word.escape_ascii());
    }
    assert_eq!(house.events("speaks another protocol").len(), words.len());
}

/// A place at the door is kept as long as the connection, and no longer.
#[tokio::test]
async fn a_connection_that_is_over_leaves_the_door_free() {
    let house = House::usual();
    for _ in 0..20 {
        let (stream, serving) = house.call();
        drop(stream);
        soon(serving).await.unwrap();
    }
    assert_eq!(house.engine.registry.len(), 0);
    let client = house.user().await;
    drop(client);
    house.emptied().await;
}
