//! The hot path and its bounds: replies gathered, windows of nothing, lengths that lie (SFT-09, SFT-20).

use super::*;

/// A request as octets, with an identifier that the client knows.
fn octets(peer: &mut Peer, request: &Request<'_>) -> (RequestId, Vec<u8>) {
    let mut octets = Vec::new();
    let id = peer.client.request(request, &mut octets);
    (id, octets)
}

/// Short replies share a packet while more input is at hand; nothing is kept when it is not.
#[tokio::test]
async fn short_replies_wait_for_the_next_while_more_is_at_hand() {
    let house = House::both().into_iter().next().unwrap();
    house.make("f", &vec![1; 100_000]).await;
    let mut peer = house.peer().await;
    let handle = peer.open("f", READ).await;
    peer.outbox.has_more = true;
    peer.outbox.sends = 0;
    let stat = Request::FStat { handle: &handle };
    let first = peer.send(&stat);
    let second = peer.send(&stat);
    assert_eq!(peer.outbox.sends, 0);
    // What is long takes them along.
    let read = Request::Read {
        handle: &handle,
        offset: 0,
        length: 32_768,
    };
    let third = peer.send(&read);
    assert_eq!(peer.outbox.sends, 1);
    for id in [first, second, third] {
        assert!(peer.answered(id).is_some());
    }
    let fourth = peer.send(&stat);
    assert!(peer.answered(fourth).is_none());
    // The input ran dry: by the late way, whose octets are counted, and which nothing overtakes.
    peer.outbox.has_more = false;
    peer.sftp.go_on().await;
    assert!(!peer.sent_late.lock().unwrap().is_empty());
    assert_eq!(peer.outbox.sends, 1);
    assert!(peer.answered(fourth).is_some());
}

#[tokio::test]
async fn replies_of_one_input_are_sent_together() {
    for house in House::both() {
        house.make("f", &vec![1; 1 << 20]).await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", READ).await;
        let (mut all, mut ids) = (Vec::new(), Vec::new());
        for number in 0..32 {
            let read = Request::Read {
                handle: &handle,
                offset: number * 32_768,
                length: 32_768,
            };
            let (id, request) = octets(&mut peer, &read);
            all.extend(request);
            ids.push(id);
        }
        peer.outbox.sends = 0;
        peer.put(&all).unwrap();
        assert!(
            peer.outbox.sends <= 4,
            "{} for a mebioctet",
            peer.outbox.sends
        );
        assert!(
            peer.outbox.largest < 256 * 1024 + 32_768 + 13,
            "{}",
            peer.outbox.largest
        );
        for id in ids {
            assert_eq!(peer.answered(id).unwrap().data().len(), 32_768);
        }
    }
}

/// SFT-09: without room nothing is taken up, and all of it once there is room.
#[tokio::test]
async fn sft_09_a_window_of_nothing_stops_the_taking_of_requests() {
    for house in House::both() {
        house.make("f", &vec![1; 100_000]).await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", READ).await;
        peer.outbox.room = 0;
        let ids: Vec<_> = (0..500)
            .map(|number| {
                peer.send(&Request::Read {
                    handle: &handle,
                    offset: number,
                    length: 50_000,
                })
            })
            .collect();
        let made = peer.send(&Request::MakeDirectory {
            path: b"d",
            attributes: Attributes::default(),
        });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(peer.outbox.sent.is_empty() && house.names("/").await == ["f"]);
        let mut answered = 0;
        for id in ids {
            while !peer.answers.contains_key(&id) {
                // Little by little: each time one reply at the most beyond the room.
                peer.outbox.room = 60_000;
                peer.sftp.handle_room(&mut peer.outbox).unwrap();
                assert!(
                    peer.outbox.sent.len() <= 60_000 + 50_013,
                    "{}",
                    peer.outbox.sent.len()
                );
                peer.collect();
            }
            answered += 1;
        }
        assert_eq!(answered, 500);
        peer.outbox.room = usize::MAX;
        peer.sftp.handle_room(&mut peer.outbox).unwrap();
        peer.answer(made).await.ok();
    }
}

/// However wide the window: one input brings a bounded amount of replies at once, and the others soon.
#[tokio::test]
async fn sft_09_a_window_without_end_does_not_make_replies_without_end() {
    for house in House::both() {
        house.make("f", &vec![1; 300_000]).await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", READ).await;
        let (mut all, mut ids) = (Vec::new(), Vec::new());
        for number in 0..100 {
            let read = Request::Read {
                handle: &handle,
                offset: number,
                length: 261_120,
            };
            let (id, request) = octets(&mut peer, &read);
            all.extend(request);
            ids.push(id);
        }
        peer.put(&all).unwrap();
        let at_once = peer.outbox.sent.len();
        assert!(at_once <= (4 << 20) + 2 * 262_144, "{at_once}");
        for id in ids {
            assert_eq!(peer.answer(id).await.data().len(), 261_120);
        }
    }
}

/// A client that sends without end while it takes nothing is cut off, with bounded memory.
#[tokio::test]
async fn sft_09_a_flood_without_room_ends_the_channel() {
    let house = House::in_memory();
    let mut peer = house.peer().await;
    let handle = peer.open("f", WRITE | CREATE | TRUNCATE).await;
    peer.outbox.room = 0;
    let mut packet = Vec::new();
    peer.client.write_header(&handle, 0, 200_000, &mut packet);
    packet.extend_from_slice(&[0; 200_000]);
    let mut sent = 0;
    let violation = loop {
        match peer.put(&packet) {
            Ok(()) => sent += packet.len(),
            Err(violation) => break violation,
        }
        assert!(sent <= 5 << 20);
    };
    assert!(matches!(violation, Violation::TooMuchHeld(_)));
    peer.sftp.end().await;
    assert!(house.names("/").await.is_empty());
}

/// SFT-20: the length decides before anything is kept.
#[tokio::test]
async fn sft_20_lengths_that_cannot_be_end_the_channel() {
    for (octets, is_over) in [
        (vec![0, 0, 0, 0], true),
        (vec![0xff; 4], true),
        (vec![0, 4, 0, 1], true),
        (vec![0, 4, 0, 0], false),
        (vec![0, 0, 0, 1, 5], true),
        (vec![0, 0, 0, 4, 5, 0, 0, 0], true),
    ] {
        let mut peer = House::in_memory().peer().await;
        assert_eq!(peer.put(&octets).is_err(), is_over, "{octets:?}");
        peer.sftp.end().await;
    }
}

/// SFT-20: an inner length that lies is a bad message, not the end.
#[tokio::test]
async fn sft_20_a_field_that_reaches_too_far_is_a_bad_message() {
    let mut peer = House::in_memory().peer().await;
    for kind in [
        3_u8, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 200,
    ] {
        let id = peer
            .client
            .request(&Request::RealPath { path: b"" }, &mut Vec::new());
        let [a, b, c, d] = id.0.to_be_bytes();
        peer.put(&[0, 0, 0, 10, kind, a, b, c, d, 0xff, 0xff, 0xff, 0xff, 0])
            .unwrap();
        assert_eq!(
            peer.answer(id).await.code(),
            StatusCode::BadMessage,
            "{kind}"
        );
    }
}

/// Requests that are cut anywhere are the same requests.
#[tokio::test]
async fn requests_may_come_octet_by_octet() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let handle = peer.open("f", READ | WRITE | CREATE).await;
        let mut all = Vec::new();
        let write = peer.client.write_header(&handle, 0, 5, &mut all);
        all.extend_from_slice(b"hello");
        let (read, request) = octets(
            &mut peer,
            &Request::Read {
                handle: &handle,
                offset: 1,
                length: 3,
            },
        );
        all.extend(request);
        for octet in all {
            peer.put(&[octet]).unwrap();
        }
        peer.answer(write).await.ok();
        assert_eq!(peer.answer(read).await.data(), b"ell");
    }
}

/// A channel that rests keeps no large buffer.
#[tokio::test]
async fn a_channel_without_open_files_lets_its_memory_go() {
    for house in House::both() {
        house.make("f", &vec![1; 1 << 20]).await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", READ).await;
        for number in 0..4 {
            peer.read(&handle, number * 200_000, 261_120).await.data();
        }
        peer.close(&handle).await.ok();
        assert!(peer.sftp.0.state().output.capacity() <= 16 * 1024);
    }
}
