//! Requests whose volume does not answer at once (SFT-23), throttled accounts, and the end of a
//! channel in the midst of work.

use tokio::sync::Semaphore;

use super::{slow::Slow, *};

const WHOLE: OpenFlags = OpenFlags(0x02 | 0x08 | 0x10);

/// A house on a slow volume, its gate, and the fast volume below.
fn slow_house() -> (House, Arc<Semaphore>, Arc<dyn Volume>) {
    let memory: Arc<dyn Volume> = Arc::new(MemoryVolume::new(64 << 20));
    let (slow, gate) = Slow::new(Arc::clone(&memory));
    let mut house = House::new(Plan::of(slow));
    house.volume = Arc::clone(&memory);
    (house, gate, memory)
}

/// Lets everything that can go on go on.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Opens so many files, each of which holds its number; nothing moves afterwards until there are permits.
async fn slow_files(house: &House, gate: &Semaphore, count: u8) -> (Peer, Vec<Vec<u8>>) {
    for number in 0..count {
        house.make(&format!("f{number}"), &[number; 100]).await;
    }
    gate.add_permits(1_000);
    let mut peer = house.peer().await;
    let mut handles = Vec::new();
    for number in 0..count {
        handles.push(peer.open(&format!("f{number}"), READ).await);
    }
    gate.forget_permits(10_000);
    (peer, handles)
}

/// SFT-23, INT-30: files are read side by side, one file in order.
#[tokio::test]
async fn sft_23_slow_files_are_read_side_by_side_and_each_in_order() {
    let (house, gate, _) = slow_house();
    let (mut peer, handles) = slow_files(&house, &gate, 20).await;
    let ids: Vec<_> = [0, 50]
        .into_iter()
        .flat_map(|offset| handles.iter().map(move |handle| (handle, offset)))
        .map(|(handle, offset)| {
            peer.send(&Request::Read {
                handle,
                offset,
                length: 50,
            })
        })
        .collect();
    settle().await;
    assert!(peer.answered(ids[0]).is_none());
    assert_eq!(
        peer.sftp.0.state().tasks,
        20,
        "one of each file is under way"
    );
    gate.add_permits(1_000);
    for (number, id) in ids.into_iter().enumerate() {
        let number = u8::try_from(number % 20).unwrap();
        assert!(peer.answer(id).await.data() == [number; 50]);
    }
}

#[tokio::test]
async fn sft_23_a_close_waits_for_the_writes_before_it() {
    let (house, gate, _) = slow_house();
    gate.add_permits(100);
    let mut peer = house.peer().await;
    let handle = peer.open("f", WHOLE).await;
    gate.forget_permits(1_000);
    let one = peer.send(&Request::Write {
        handle: &handle,
        offset: 0,
        data: b"one ",
    });
    let two = peer.send(&Request::Write {
        handle: &handle,
        offset: 4,
        data: b"two",
    });
    let close = peer.send(&Request::Close { handle: &handle });
    let stat = peer.send(&Request::Stat { path: b"f" });
    settle().await;
    for id in [one, two, close, stat] {
        assert!(peer.answered(id).is_none());
    }
    gate.add_permits(1_000);
    for id in [one, two, close] {
        peer.answer(id).await.ok();
    }
    assert_eq!(peer.answer(stat).await.attributes().size, Some(7));
    assert_eq!(house.content("f").await.unwrap(), b"one two");
    assert_eq!(house.heard.all(), ["upload_committed /f 7"]);
}

#[tokio::test]
async fn sft_23_requests_on_paths_take_effect_in_the_order_they_came() {
    let (house, gate, _) = slow_house();
    gate.add_permits(10_000);
    let mut peer = house.peer().await;
    let ids = [
        peer.send(&Request::MakeDirectory {
            path: b"a",
            attributes: Attributes::default(),
        }),
        peer.send(&Request::MakeDirectory {
            path: b"a/b",
            attributes: Attributes::default(),
        }),
        peer.send(&Request::Rename {
            from: b"a",
            to: b"c",
        }),
        peer.send(&Request::RemoveDirectory { path: b"c/b" }),
        peer.send(&Request::RemoveDirectory { path: b"c" }),
    ];
    for id in ids {
        peer.answer(id).await.ok();
    }
    assert!(house.names("/").await.is_empty());
}

#[tokio::test]
async fn sft_30_slow_appends_do_not_overwrite_each_other() {
    let (house, gate, _) = slow_house();
    gate.add_permits(100_000);
    let mut peer = house.peer().await;
    let handle = peer.open("f", WRITE | CREATE | APPEND).await;
    let ids: Vec<_> = (0..50_u8)
        .map(|number| {
            peer.send(&Request::Write {
                handle: &handle,
                offset: 0,
                data: &[number; 3],
            })
        })
        .collect();
    for id in ids {
        peer.answer(id).await.ok();
    }
    let expected: Vec<u8> = (0..50).flat_map(|number| [number; 3]).collect();
    assert_eq!(house.content("f").await.unwrap(), expected);
}

/// SFT-23: many more requests than may wait at a time, and none is lost.
#[tokio::test]
async fn sft_23_more_requests_than_may_wait_are_all_answered() {
    let (house, gate, _) = slow_house();
    let (mut peer, handles) = slow_files(&house, &gate, 100).await;
    let ids: Vec<_> = (0..1_000)
        .map(|number| {
            peer.send(&Request::Read {
                handle: &handles[number % 100],
                offset: 7,
                length: 1,
            })
        })
        .collect();
    settle().await;
    assert_eq!(peer.sftp.0.state().tasks, 64);
    gate.add_permits(10_000);
    for (number, id) in ids.into_iter().enumerate() {
        let number = u8::try_from(number % 100).unwrap();
        assert_eq!(peer.answer(id).await.data(), [number]);
    }
    assert_eq!(peer.sftp.0.state().waiting, 0);
}

#[tokio::test]
async fn handles_that_are_being_opened_count() {
    let memory: Arc<dyn Volume> = Arc::new(MemoryVolume::new(1 << 20));
    let (slow, gate) = Slow::new(Arc::clone(&memory));
    let mut plan = Plan::of(slow);
    plan.settings.max_handles = 2;
    let mut house = House::new(plan);
    house.volume = memory;
    house.make("f", b"x").await;
    let mut peer = house.peer().await;
    let ids: Vec<_> = (0..5)
        .map(|_| {
            peer.send(&Request::Open {
                path: b"f",
                flags: READ,
                attributes: Attributes::default(),
            })
        })
        .collect();
    gate.add_permits(1_000);
    let mut given = 0;
    for id in ids {
        match peer.answer(id).await {
            Reply::Handle(_) => given += 1,
            refused => assert_eq!(refused.code(), StatusCode::Failure),
        }
    }
    assert_eq!(given, 2);
}

/// Octets that wait are bounded: what came beyond stays held, and the connection is held back.
#[tokio::test]
async fn sft_09_no_more_octets_wait_than_may() {
    let (house, gate, _) = slow_house();
    gate.add_permits(100);
    let mut peer = house.peer().await;
    let mut handles = Vec::new();
    for number in 0..30 {
        handles.push(peer.open(&format!("f{number}"), WHOLE).await);
    }
    gate.forget_permits(1_000);
    let data = vec![1; 200_000];
    // Those of one file would wait for each other.
    let ids: Vec<_> = handles
        .iter()
        .map(|handle| {
            peer.send(&Request::Write {
                handle,
                offset: 0,
                data: &data,
            })
        })
        .collect();
    {
        let state = peer.sftp.0.state();
        assert!(
            state.waiting >= 4 << 20 && state.waiting < (4 << 20) + 200_000,
            "{}",
            state.waiting
        );
        assert!(state.brake.is_some(), "nothing more is read meanwhile");
    }
    gate.add_permits(1_000);
    for id in ids {
        peer.answer(id).await.ok();
    }
    assert!(peer.sftp.0.state().brake.is_none());
    for (number, handle) in handles.iter().enumerate() {
        peer.close(handle).await.ok();
        let content = house.content(&format!("f{number}")).await;
        assert_eq!(content.unwrap().len(), 200_000);
    }
}

#[tokio::test]
async fn the_end_waits_for_work_under_way() {
    let (house, gate, _) = slow_house();
    gate.add_permits(100);
    let mut peer = house.peer().await;
    let handle = peer.open("f", WRITE | CREATE).await;
    gate.forget_permits(1_000);
    let id = peer.send(&Request::Write {
        handle: &handle,
        offset: 0,
        data: b"x",
    });
    let sftp = peer.sftp.clone();
    let ending = tokio::spawn(async move { sftp.end().await });
    settle().await;
    assert!(!ending.is_finished());
    gate.add_permits(1_000);
    ending.await.unwrap();
    peer.answer(id).await.ok();
    assert_eq!(house.content("f").await.unwrap(), b"x");
    assert_eq!(
        house.heard.all(),
        ["upload_aborted /f 1 (the file was not closed, kept: true)"]
    );
}

#[tokio::test]
async fn sft_57_a_copy_ends_with_its_channel() {
    let (house, gate, _) = slow_house();
    house.make("a", &vec![1; 32 << 20]).await;
    gate.add_permits(1_000);
    let mut peer = house.peer().await;
    let source = peer.open("a", READ).await;
    let target = peer.open("b", WRITE | CREATE).await;
    gate.forget_permits(2_000);
    let copy = Extended::CopyData {
        source: &source,
        source_offset: 0,
        length: 0,
        target: &target,
        target_offset: 0,
    };
    let id = peer.send(&Request::Extended(copy));
    let sftp = peer.sftp.clone();
    let ending = tokio::spawn(async move { sftp.end().await });
    settle().await;
    gate.add_permits(1_000);
    ending.await.unwrap();
    assert_eq!(peer.answer(id).await.code(), StatusCode::Failure);
    let copied = house.content("b").await.unwrap().len();
    assert!(copied <= 8 << 20, "a piece at the most: {copied}");
}

#[tokio::test]
async fn sft_60_hashing_ends_with_its_channel() {
    let (house, gate, _) = slow_house();
    house.make("a", &vec![1; 1 << 20]).await;
    gate.add_permits(1_000);
    let mut peer = house.peer().await;
    let handle = peer.open("a", READ).await;
    gate.forget_permits(2_000);
    let check = wharf_proto::sftp::extension::Check {
        algorithms: b"md5",
        offset: 0,
        length: 0,
        block: 0,
    };
    let id = peer.send(&Request::Extended(Extended::CheckFileHandle {
        handle: &handle,
        check,
    }));
    let sftp = peer.sftp.clone();
    let ending = tokio::spawn(async move { sftp.end().await });
    settle().await;
    gate.add_permits(1_000);
    ending.await.unwrap();
    assert_eq!(peer.answer(id).await.code(), StatusCode::Failure);
}

/// SFT-11: an account's rates hold for SFTP.
#[tokio::test(start_paused = true)]
async fn sft_11_throttled_accounts_wait_for_their_octets() {
    let mut plan = Plan::of(Arc::new(MemoryVolume::new(1 << 20)));
    (plan.download_rate, plan.upload_rate) = (Some(1_000), Some(1_000));
    let house = House::new(plan);
    let mut peer = house.peer().await;
    let handle = peer.open("f", READ | WRITE | CREATE).await;
    let first = peer.send(&Request::Write {
        handle: &handle,
        offset: 0,
        data: &[1; 1_000],
    });
    settle().await;
    peer.answered(first)
        .expect("the first is paid for afterwards")
        .ok();
    let second = peer.send(&Request::Write {
        handle: &handle,
        offset: 1_000,
        data: &[2; 1_000],
    });
    settle().await;
    tokio::time::advance(Duration::from_millis(600)).await;
    settle().await;
    assert!(peer.answered(second).is_none());
    tokio::time::advance(Duration::from_millis(200)).await;
    settle().await;
    peer.answered(second).unwrap().ok();
    let reads: Vec<_> = [0, 1_000]
        .map(|offset| {
            peer.send(&Request::Read {
                handle: &handle,
                offset,
                length: 1_000,
            })
        })
        .into();
    settle().await;
    assert!(peer.answered(reads[0]).is_some() && peer.answered(reads[1]).is_none());
    tokio::time::advance(Duration::from_secs(1)).await;
    settle().await;
    assert!(peer.answered(reads[1]).is_some());
    // Who waits for his octets does not hold up the end.
    let third = peer.send(&Request::Write {
        handle: &handle,
        offset: 0,
        data: &[3; 100_000],
    });
    let fourth = peer.send(&Request::Write {
        handle: &handle,
        offset: 100_000,
        data: &[3; 100_000],
    });
    peer.sftp.end().await;
    for id in [third, fourth] {
        peer.answered(id).expect("each is answered");
    }
}

/// Replies to what waited go out late; when the transport has enough of them, the next ones wait
/// until it has sent some, and then come of themselves.
#[tokio::test]
async fn sft_09_late_replies_wait_for_room_and_come_of_themselves() {
    let (house, gate, _) = slow_house();
    let (mut peer, handles) = slow_files(&house, &gate, 100).await;
    let ids: Vec<_> = handles
        .iter()
        .map(|handle| {
            peer.send(&Request::Read {
                handle,
                offset: 0,
                length: 100,
            })
        })
        .collect();
    // What the transport has and the peer does not take.
    let buffers = Arc::clone(&peer.sftp.0.buffers);
    let kept = buffers.lend_late(vec![0; 1 << 20]);
    gate.add_permits(1_000);
    settle().await;
    peer.collect();
    assert_eq!(
        peer.answers.len(),
        64,
        "those under way are answered, no more is taken up"
    );
    assert!(peer.sftp.0.state().is_pumping);
    drop(kept);
    for id in ids {
        peer.answer(id).await.data();
    }
    assert!(!peer.sftp.0.state().is_pumping && !buffers.has_late());
}

/// After late replies nobody but they tell when the peer has taken them.
#[tokio::test]
async fn sft_09_requests_behind_late_replies_are_taken_up_without_a_call() {
    let house = House::in_memory();
    house.make("f", b"x").await;
    let mut peer = house.peer().await;
    let kept = peer.sftp.0.buffers.lend_late(vec![0; 10]);
    peer.outbox.room = 0;
    let id = peer.send(&Request::Stat { path: b"f" });
    assert!(peer.answered(id).is_none());
    assert!(matches!(peer.answer(id).await, Reply::Attributes(_)));
    drop(kept);
}

/// Nobody waits for a peer that takes nothing when its channel has ended.
#[tokio::test]
async fn the_end_does_not_wait_for_room() {
    let (house, gate, _) = slow_house();
    house.make("f", &[7; 100]).await;
    gate.add_permits(100);
    let mut peer = house.peer().await;
    let handle = peer.open("f", READ).await;
    let kept = peer.sftp.0.buffers.lend_late(vec![0; 1 << 20]);
    let read = Request::Read {
        handle: &handle,
        offset: 0,
        length: 100,
    };
    for _ in 0..100 {
        peer.send(&read);
    }
    gate.add_permits(1_000);
    settle().await;
    tokio::time::timeout(PATIENCE, peer.sftp.end())
        .await
        .expect("it waits for ever");
    drop(kept);
}

/// INT-30: what is answered at once does not overtake what was answered late and is still on its way.
#[tokio::test]
async fn late_answers_are_not_overtaken() {
    let house = House::both().into_iter().next().unwrap();
    house.make("f", b"x").await;
    let mut peer = house.peer().await;
    let handle = peer.open("f", READ).await;
    let on_its_way = peer.sftp.0.buffers.lend_late(vec![0; 10]);
    peer.outbox.sends = 0;
    let ids = [(); 3].map(|()| peer.send(&Request::FStat { handle: &handle }));
    settle().await;
    assert_eq!(peer.outbox.sends, 0, "not by the short way");
    assert!(!peer.sent_late.lock().unwrap().is_empty(), "but behind it");
    drop(on_its_way);
    for id in ids {
        peer.answer(id).await;
    }
    peer.stat("f").await;
    assert_eq!(peer.outbox.sends, 1, "and by the short way again");
}
