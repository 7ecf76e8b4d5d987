//! OPEN, CLOSE, READ, WRITE, and attributes of open files (SFT-24, SFT-30 to SFT-36).

use super::*;

#[tokio::test]
async fn sft_21_a_session_begins_with_version_and_its_extensions() {
    let mut peer = House::in_memory().peer().await;
    use wharf_proto::sftp::extension::Name;
    let announced = peer.client.extensions().unwrap();
    for name in [
        Name::PosixRename,
        Name::StatVfs,
        Name::CopyData,
        Name::CheckFile,
        Name::Limits,
    ] {
        assert!(announced.contains(name), "{name:?}");
    }
    assert!(
        !announced.contains(Name::VendorId),
        "SFT-64: only when it may be told"
    );
    let again = peer.put(&[0, 0, 0, 5, 1, 0, 0, 0, 3]);
    assert_eq!(again, Err(Violation::SecondInit));
}

#[tokio::test]
async fn sft_22_paths_begin_at_home_and_the_empty_path_is_home() {
    for house in House::both_with(|plan| plan.home = "/h") {
        house.make_directory("h").await;
        house.make("h/f", b"x").await;
        let mut peer = house.peer().await;
        for (asked, is_there) in [
            ("f", true),
            ("/h/f", true),
            ("/f", false),
            ("../h/./f", true),
        ] {
            let reply = peer.stat(asked).await;
            assert_eq!(
                matches!(reply, Reply::Attributes(_)),
                is_there,
                "{asked}: {reply:?}"
            );
        }
        assert!(
            matches!(peer.stat("").await, Reply::Attributes(a) if a.permissions.unwrap() & 0o170_000 == 0o040_000)
        );
        let bad = peer.ask(&Request::Stat { path: b"a\0b" }).await;
        assert_eq!(bad.code(), StatusCode::BadMessage);
        let long = "x".repeat(256);
        assert_eq!(peer.stat(&long).await.code(), StatusCode::BadMessage);
    }
}

#[tokio::test]
async fn sft_24_handles_are_the_channels_own_and_bounded() {
    for house in House::both_with(|plan| plan.settings.max_handles = 3) {
        house.make("f", b"x").await;
        let mut peer = house.peer().await;
        let mut open = Vec::new();
        for _ in 0..3 {
            open.push(peer.open("f", READ).await);
        }
        assert!(
            matches!(peer.try_open("f", READ).await, Reply::Status(StatusCode::Failure, text) if text == "Too many open files")
        );
        let refused = peer.try_open("g", WRITE | CREATE | TRUNCATE).await;
        assert_eq!(refused.code(), StatusCode::Failure);
        assert_eq!(
            house.names("/").await,
            ["f"],
            "nothing was made for a handle that was not given"
        );
        let directory = peer.ask(&Request::OpenDirectory { path: b"/" }).await;
        assert_eq!(directory.code(), StatusCode::Failure);
        peer.close(&open[0]).await.ok();
        assert_eq!(
            peer.close(&open[0]).await.code(),
            StatusCode::Failure,
            "closed twice"
        );
        let again = peer.open("f", READ).await;
        assert_ne!(again, open[0]);
        let mut other = peer.beside(&house).await;
        other.open("f", READ).await;
        for handle in [
            b"".as_slice(),
            b"xyz",
            b"\xff\xff\xff\xff",
            &[7; 256],
            &open[0],
        ] {
            assert_eq!(peer.read(handle, 0, 1).await.code(), StatusCode::Failure);
            assert_eq!(peer.close(handle).await.code(), StatusCode::Failure);
        }
    }
}

#[tokio::test]
async fn sft_30_opening_needs_reading_or_writing() {
    for house in House::both() {
        let mut peer = house.peer().await;
        for flags in [
            OpenFlags(0),
            CREATE | TRUNCATE,
            APPEND | CREATE,
            OpenFlags(0xffff_ffc0),
        ] {
            assert_eq!(peer.try_open("f", flags).await.code(), StatusCode::Failure);
        }
        assert!(house.names("/").await.is_empty());
    }
}

#[tokio::test]
async fn sft_30_a_directory_is_not_opened_as_a_file() {
    for house in House::both() {
        house.make_directory("d").await;
        let mut peer = house.peer().await;
        for flags in [
            READ,
            WRITE,
            READ | WRITE,
            WRITE | CREATE | TRUNCATE,
            WRITE | CREATE,
        ] {
            assert_eq!(
                peer.try_open("d", flags).await.code(),
                StatusCode::Failure,
                "{flags:?}"
            );
        }
        assert_eq!(house.names("/").await, ["d"]);
        let missing = peer.try_open("none", READ).await;
        assert_eq!(missing.code(), StatusCode::NoSuchFile);
        let below_a_file = peer.try_open("none/x", WRITE | CREATE).await;
        assert_eq!(below_a_file.code(), StatusCode::NoSuchFile);
    }
}

#[tokio::test]
async fn sft_30_truncate_works_without_create_and_exclusive_does_not_count_without_it() {
    for house in House::both() {
        house.make("f", b"content").await;
        let mut peer = house.peer().await;
        let missing = peer.try_open("g", WRITE | TRUNCATE).await;
        assert_eq!(missing.code(), StatusCode::NoSuchFile);
        let kept = peer.open("f", WRITE | EXCLUSIVE).await;
        peer.close(&kept).await.ok();
        assert_eq!(house.content("f").await.unwrap(), b"content");
        let handle = peer.open("f", WRITE | TRUNCATE).await;
        assert_eq!(
            house.content("f").await.unwrap(),
            b"",
            "at once: it is opened in place"
        );
        peer.write(&handle, 0, b"new").await.ok();
        peer.close(&handle).await.ok();
        assert_eq!(house.content("f").await.unwrap(), b"new");
    }
}

#[tokio::test]
async fn sft_30_exclusive_makes_a_file_or_fails() {
    for house in House::both() {
        house.make("f", b"old").await;
        let mut peer = house.peer().await;
        let flags = WRITE | CREATE | TRUNCATE | EXCLUSIVE;
        assert_eq!(peer.try_open("f", flags).await.code(), StatusCode::Failure);
        assert_eq!(house.content("f").await.unwrap(), b"old");
        let lock = peer.open("lock", flags).await;
        let mut other = house.peer().await;
        let second = other.try_open("lock", flags).await;
        assert_eq!(
            second.code(),
            StatusCode::Failure,
            "it is there at once, as a lock must be"
        );
        peer.close(&lock).await.ok();
    }
}

#[tokio::test]
async fn sft_30_appending_ignores_offsets() {
    for house in House::both() {
        house.make("f", b"one ").await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", WRITE | APPEND).await;
        peer.write(&handle, 0, b"two ").await.ok();
        peer.write(&handle, u64::MAX, b"three").await.ok();
        peer.close(&handle).await.ok();
        assert_eq!(house.content("f").await.unwrap(), b"one two three");
        let new = peer.open("g", WRITE | APPEND | CREATE | TRUNCATE).await;
        peer.write(&new, 99, b"x").await.ok();
        peer.close(&new).await.ok();
        assert_eq!(house.content("g").await.unwrap(), b"x");
    }
}

#[tokio::test]
async fn sft_30_create_without_truncate_goes_on_in_the_file_that_stands_there() {
    for house in House::both() {
        house.make("f", b"0123456789").await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", WRITE | CREATE).await;
        peer.write(&handle, 8, b"abcd").await.ok();
        assert_eq!(
            house.content("f").await.unwrap(),
            b"01234567abcd",
            "in place"
        );
        peer.close(&handle).await.ok();
        let both = peer.open("f", READ | WRITE).await;
        assert_eq!(peer.read(&both, 8, 100).await.data(), b"abcd");
        peer.write(&both, 0, b"X").await.ok();
        assert_eq!(peer.read(&both, 0, 2).await.data(), b"X1");
        peer.close(&both).await.ok();
    }
}

#[tokio::test]
async fn sft_30_permissions_of_a_new_file_are_masked_and_an_old_one_keeps_its_own() {
    for house in House::both() {
        house.make("old", b"x").await;
        let mut peer = house.peer().await;
        peer.set("old", permissions(0o750)).await.ok();
        for (name, flags) in [
            ("a", WRITE | CREATE | TRUNCATE),
            ("b", WRITE | CREATE),
            ("old", WRITE | CREATE | TRUNCATE),
        ] {
            let opened = peer
                .ask(&Request::Open {
                    path: name.as_bytes(),
                    flags,
                    attributes: Attributes {
                        size: Some(1 << 40),
                        ..permissions(0o104_777)
                    },
                })
                .await
                .handle();
            peer.close(&opened).await.ok();
        }
        let mode = async |peer: &mut Peer, name| {
            peer.stat(name).await.attributes().permissions.unwrap() & 0o7777
        };
        assert_eq!(
            mode(&mut peer, "a").await,
            0o755,
            "umask 022, no set-id bit"
        );
        assert_eq!(mode(&mut peer, "b").await, 0o755);
        assert_eq!(
            mode(&mut peer, "old").await,
            0o750,
            "as if it had been truncated"
        );
        assert_eq!(
            peer.stat("a").await.attributes().size,
            Some(0),
            "size is ignored"
        );
    }
}

#[tokio::test]
async fn sft_33_reading_ends_at_the_end() {
    for house in House::both() {
        house.make("f", b"0123456789").await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", READ).await;
        assert_eq!(peer.read(&handle, 0, 4).await.data(), b"0123");
        assert_eq!(
            peer.read(&handle, 8, 4).await.data(),
            b"89",
            "short at the end"
        );
        assert_eq!(peer.read(&handle, 3, 0).await.data(), b"");
        for offset in [10, 11, i64::MAX as u64, 1 << 63, u64::MAX] {
            let reply = peer.read(&handle, offset, u32::MAX).await;
            assert_eq!(reply.code(), StatusCode::Eof, "{offset}");
        }
        let refused = peer.write(&handle, 0, b"x").await;
        assert_eq!(refused.code(), StatusCode::PermissionDenied);
        peer.close(&handle).await.ok();
        let handle = peer.open("f", WRITE).await;
        assert_eq!(
            peer.read(&handle, 0, 1).await.code(),
            StatusCode::PermissionDenied
        );
        peer.close(&handle).await.ok();
        assert_eq!(
            house.heard.all(),
            ["download_committed /f 6"],
            "one event for the one that moved octets"
        );
    }
}

#[tokio::test]
async fn sft_33_a_read_brings_no_more_than_the_limit() {
    for house in House::both() {
        let content: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        house.make("f", &content).await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", READ).await;
        let data = peer.read(&handle, 0, u32::MAX).await.data();
        assert_eq!(data.len(), 261_120);
        assert_eq!(data, content[..data.len()]);
    }
}

#[tokio::test]
async fn sft_34_writes_may_leave_holes_and_have_an_end() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let handle = peer.open("f", READ | WRITE | CREATE | TRUNCATE).await;
        peer.write(&handle, 5, b"x").await.ok();
        peer.write(&handle, 2, b"").await.ok();
        assert_eq!(peer.read(&handle, 0, 9).await.data(), b"\0\0\0\0\0x");
        for offset in [i64::MAX as u64, 1 << 63, u64::MAX] {
            let reply = peer.write(&handle, offset, b"x").await;
            assert!(
                matches!(&reply, Reply::Status(StatusCode::Failure, text) if text == "File too large"),
                "{reply:?}"
            );
        }
    }
}

#[tokio::test]
async fn sft_34_beyond_the_space_a_write_fails_and_closing_tells_so_again() {
    let house = House::new(Plan::of(Arc::new(MemoryVolume::new(10))));
    let mut peer = house.peer().await;
    let handle = peer.open("f", WRITE | CREATE | TRUNCATE).await;
    peer.write(&handle, 0, b"12345678").await.ok();
    let full = peer.write(&handle, 8, b"12345678").await;
    assert!(
        matches!(&full, Reply::Status(StatusCode::Failure, text) if text.contains("space")),
        "{full:?}"
    );
    let closed = peer.close(&handle).await;
    assert_eq!(closed, full, "SFT-32");
    assert!(
        house.names("/").await.is_empty(),
        "an upload that lost octets is not published"
    );
    let told = house.heard.all();
    assert!(
        told.len() == 1 && told[0].starts_with("upload_aborted /f 8"),
        "{told:?}"
    );
}

#[tokio::test]
async fn sft_35_attributes_are_always_complete() {
    for house in House::both() {
        house.make("f", b"12345").await;
        house.make_directory("d").await;
        let mut peer = house.peer().await;
        peer.ask(&Request::Symlink {
            target: b"f",
            link: b"l",
        })
        .await
        .ok();
        let handle = peer.open("f", READ).await;
        let of_file = peer.stat("f").await;
        assert_eq!(peer.ask(&Request::FStat { handle: &handle }).await, of_file);
        assert_eq!(peer.lstat("f").await, of_file);
        assert_eq!(peer.stat("l").await, of_file, "followed");
        let kinds = [("f", 0o100_000), ("d", 0o040_000), ("l", 0o120_000)];
        for (name, kind) in kinds {
            let attributes = peer.lstat(name).await.attributes();
            assert_eq!(attributes.permissions.unwrap() & 0o170_000, kind, "{name}");
            assert!(
                attributes.size.is_some()
                    && attributes.owner.is_some()
                    && attributes.times.is_some()
            );
        }
        assert_eq!(of_file.attributes().size, Some(5));
        peer.ask(&Request::Symlink {
            target: b"none",
            link: b"dangling",
        })
        .await
        .ok();
        assert_eq!(peer.stat("dangling").await.code(), StatusCode::NoSuchFile);
        assert!(matches!(peer.lstat("dangling").await, Reply::Attributes(_)));
    }
}

#[tokio::test]
async fn sft_35_times_outside_of_what_can_be_said_are_the_nearest() {
    let house = House::in_memory();
    house.make("f", b"").await;
    let mut peer = house.peer().await;
    for (seconds, told) in [(-1, 0), (5, 5), (1 << 33, u32::MAX)] {
        let change = wharf_vfs::AttributeChange {
            modified: Some(wharf_vfs::Timestamp {
                seconds,
                nanoseconds: 0,
            }),
            accessed: Some(wharf_vfs::Timestamp {
                seconds,
                nanoseconds: 0,
            }),
            ..wharf_vfs::AttributeChange::default()
        };
        let file = path("f");
        let set = house
            .volume
            .set_attributes(&file, wharf_vfs::Links::Follow, change);
        set.await.unwrap();
        assert_eq!(peer.stat("f").await.attributes().times.unwrap().1, told);
    }
}

#[tokio::test]
async fn sft_36_size_permissions_and_times_are_set_by_path_and_by_handle() {
    for house in House::both() {
        house.make("f", b"0123456789").await;
        let mut peer = house.peer().await;
        let all = Attributes {
            size: Some(4),
            permissions: Some(0o100_640),
            times: Some((1_000_000_000, 1_100_000_000)),
            owner: None,
        };
        peer.set("f", all).await.ok();
        let now = peer.stat("f").await.attributes();
        assert_eq!(
            (now.size, now.times),
            (all.size, all.times),
            "the size first, then the times"
        );
        assert_eq!(now.permissions, Some(0o100_640));
        let handle = peer.open("f", WRITE).await;
        let more = Attributes {
            size: Some(6),
            permissions: Some(0o600),
            times: Some((7, 8)),
            owner: None,
        };
        peer.set_open(&handle, more).await.ok();
        let now = peer
            .ask(&Request::FStat { handle: &handle })
            .await
            .attributes();
        assert_eq!(
            (now.size, now.times, now.permissions),
            (Some(6), Some((7, 8)), Some(0o100_600))
        );
        assert_eq!(house.content("f").await.unwrap(), b"0123\0\0");
        peer.close(&handle).await.ok();
        let reading = peer.open("f", READ).await;
        assert_eq!(
            peer.set_open(&reading, size(0)).await.code(),
            StatusCode::PermissionDenied
        );
        peer.set_open(&reading, permissions(0o644)).await.ok();
        assert_eq!(
            peer.set("f", size(1 << 63)).await.code(),
            StatusCode::Failure
        );
        assert_eq!(
            peer.set("none", permissions(0o644)).await.code(),
            StatusCode::NoSuchFile
        );
        assert_eq!(
            peer.set("none", Attributes::default()).await.code(),
            StatusCode::NoSuchFile
        );
        peer.set("f", Attributes::default()).await.ok();
        let told = house.heard.all();
        assert_eq!(
            told,
            [
                "attributes_changed /f",
                "attributes_changed /f",
                "attributes_changed /f"
            ]
        );
    }
}

#[tokio::test]
async fn two_handles_of_one_file_see_each_other() {
    for house in House::both() {
        house.make("f", b"....").await;
        let mut peer = house.peer().await;
        let (one, two) = (
            peer.open("f", READ | WRITE).await,
            peer.open("f", READ | WRITE).await,
        );
        peer.write(&one, 0, b"a").await.ok();
        peer.write(&two, 1, b"b").await.ok();
        assert_eq!(peer.read(&one, 0, 9).await.data(), b"ab..");
        peer.set_open(&two, size(2)).await.ok();
        assert_eq!(peer.read(&one, 2, 9).await.code(), StatusCode::Eof);
        peer.close(&one).await.ok();
        peer.write(&two, 2, b"c").await.ok();
        peer.close(&two).await.ok();
        assert_eq!(house.content("f").await.unwrap(), b"abc");
    }
}
