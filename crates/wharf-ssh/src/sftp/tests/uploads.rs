//! Uploads: staged, published, given up.

use super::*;

const WHOLE: OpenFlags = OpenFlags(0x02 | 0x08 | 0x10);

#[tokio::test]
async fn an_upload_is_visible_when_it_is_closed() {
    for house in House::both() {
        house.make("f", b"old").await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", WHOLE).await;
        peer.write(&handle, 0, b"new content").await.ok();
        assert_eq!(
            house.content("f").await.unwrap(),
            b"old",
            "until then what stood there stays"
        );
        let mut other = house.peer().await;
        assert_eq!(
            other.stat("f").await.attributes().size,
            Some(3),
            "for another connection too"
        );
        peer.close(&handle).await.ok();
        assert_eq!(house.content("f").await.unwrap(), b"new content");
        assert_eq!(house.names("/").await, ["f"]);
        assert_eq!(house.heard.all(), ["upload_committed /f 11"]);
    }
}

#[tokio::test]
async fn an_empty_upload_is_an_upload() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let handle = peer.open("f", WHOLE).await;
        peer.close(&handle).await.ok();
        assert_eq!(house.content("f").await.unwrap(), b"");
        assert_eq!(house.heard.all(), ["upload_committed /f 0"]);
    }
}

/// A staged upload has the attributes of its own file, not those of what stands at its path.
#[tokio::test]
async fn an_open_uploads_attributes_are_its_files() {
    for house in House::both() {
        house.make("f", b"old").await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", WHOLE).await;
        peer.write(&handle, 0, b"new content").await.ok();
        let known = peer
            .ask(&Request::FStat { handle: &handle })
            .await
            .attributes();
        assert_eq!(known.size, Some(11));
        let set = Attributes {
            times: Some((5, 6)),
            ..permissions(0o600)
        };
        peer.set_open(&handle, set).await.ok();
        peer.set_open(&handle, size(3)).await.ok();
        assert_eq!(
            house.content("f").await.unwrap(),
            b"old",
            "and none of it publishes it"
        );
        let set = Attributes {
            times: Some((5, 6)),
            ..Attributes::default()
        };
        peer.set_open(&handle, set).await.ok();
        peer.close(&handle).await.ok();
        let now = peer.stat("f").await.attributes();
        assert_eq!(
            (now.size, now.permissions, now.times),
            (Some(3), Some(0o100_600), Some((5, 6)))
        );
        assert_eq!(
            house.heard.all(),
            ["upload_committed /f 11"],
            "and no event but its own"
        );
    }
}

/// Whatever the same connection asks on the path finds the upload there.
#[tokio::test]
async fn a_request_on_the_path_publishes_the_upload_first() {
    for number in 0..9 {
        for house in House::both() {
            house.make_directory("d").await;
            let mut peer = house.peer().await;
            let mut beside = peer.beside(&house).await;
            let handle = peer.open("d/f", WHOLE).await;
            peer.write(&handle, 0, b"one ").await.ok();
            assert_eq!(house.content("d/f").await, None);
            let other = if number % 2 == 0 {
                &mut beside
            } else {
                &mut peer
            };
            let mut name = "d/f";
            match number {
                0 => assert_eq!(other.stat("d/f").await.attributes().size, Some(4)),
                1 => assert_eq!(other.lstat("d/f").await.attributes().size, Some(4)),
                2 => {
                    let reading = other.open("d/f", READ).await;
                    assert_eq!(other.read(&reading, 0, 9).await.data(), b"one ");
                    other.close(&reading).await.ok();
                }
                3 => other.set("d/f", permissions(0o600)).await.ok(),
                4 => {
                    name = "d/g";
                    other.rename("d/f", "d/g").await.ok();
                }
                5 => {
                    name = "d/g";
                    other.posix_rename("d/f", "d/g").await.ok();
                }
                6 => {
                    name = "e/f";
                    other.rename("d", "e").await.ok();
                }
                7 => other
                    .extended(Extended::HardLink {
                        existing: b"d/f",
                        link: b"l",
                    })
                    .await
                    .ok(),
                _ => {
                    let second = other.open("d/f", WRITE).await;
                    other.write(&second, 0, b"ONE").await.ok();
                    other.close(&second).await.ok();
                }
            }
            peer.write(&handle, 4, b"two").await.ok();
            peer.close(&handle).await.ok();
            let content = house.content(name).await.unwrap();
            assert_eq!(content.to_ascii_lowercase(), b"one two", "{number}");
            let told = house.heard.all();
            assert!(
                told.contains(&"upload_committed /d/f 7".into()),
                "{number}: {told:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_removed_upload_stays_removed() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let handle = peer.open("f", READ | WHOLE).await;
        peer.write(&handle, 0, b"x").await.ok();
        peer.remove("f").await.ok();
        peer.write(&handle, 1, b"y").await.ok();
        assert_eq!(
            peer.read(&handle, 0, 9).await.data(),
            b"xy",
            "the open file lives on"
        );
        peer.close(&handle).await.ok();
        assert!(house.names("/").await.is_empty());
    }
}

#[tokio::test]
async fn a_second_upload_of_the_same_connection_goes_on_in_place() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let one = peer.open("f", WHOLE).await;
        peer.write(&one, 0, b"first").await.ok();
        let two = peer.open("f", WHOLE).await;
        assert_eq!(
            house.content("f").await.unwrap(),
            b"",
            "truncated, as it asked"
        );
        peer.write(&two, 0, b"2nd").await.ok();
        peer.close(&one).await.ok();
        peer.close(&two).await.ok();
        assert_eq!(house.content("f").await.unwrap(), b"2nd");
        assert_eq!(house.names("/").await, ["f"]);
    }
}

#[tokio::test]
async fn who_has_the_file_open_already_sees_what_is_written() {
    for house in House::both() {
        house.make("f", b"old").await;
        let mut peer = house.peer().await;
        let reading = peer.open("f", READ).await;
        let writing = peer.open("f", WHOLE).await;
        peer.write(&writing, 0, b"new content").await.ok();
        assert_eq!(peer.read(&reading, 0, 99).await.data(), b"new content");
        peer.close(&writing).await.ok();
        // Under another name as well.
        peer.rename("f", "g").await.ok();
        let writing = peer.open("g", WHOLE).await;
        peer.write(&writing, 0, b"newer").await.ok();
        assert_eq!(peer.read(&reading, 0, 99).await.data(), b"newer");
        peer.close(&writing).await.ok();
    }
}

#[tokio::test]
async fn two_connections_do_not_upload_one_file_at_a_time() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let mut other = house.peer().await;
        let handle = peer.open("f", WHOLE).await;
        for flags in [WHOLE, WRITE | CREATE, WRITE | APPEND | CREATE] {
            let busy = other.try_open("f", flags).await;
            assert!(
                matches!(&busy, Reply::Status(StatusCode::Failure, text) if text.contains("In use")),
                "{busy:?}"
            );
        }
        peer.close(&handle).await.ok();
        let handle = other.open("f", WHOLE).await;
        other.close(&handle).await.ok();
    }
}

#[tokio::test]
async fn an_upload_whose_channel_ends_is_given_up() {
    for (keep_partial, before, kept) in [
        (false, None, false),
        (true, None, true),
        (true, Some(b"old"), false),
    ] {
        for house in House::both_with(|plan| plan.upload.keep_partial = keep_partial) {
            if let Some(old) = before {
                house.make("f", old).await;
            }
            let mut peer = house.peer().await;
            let handle = peer.open("f", WHOLE).await;
            peer.write(&handle, 0, b"half").await.ok();
            peer.sftp.end().await;
            let expected = match (before, kept) {
                (Some(old), _) => Some(old.to_vec()),
                (None, true) => Some(b"half".to_vec()),
                (None, false) => None,
            };
            assert_eq!(house.content("f").await, expected);
            assert!(
                house.names("/").await.iter().all(|name| name == "f"),
                "no temporary stays"
            );
            let told = house.heard.all();
            assert_eq!(
                told,
                [format!(
                    "upload_aborted /f 4 (the file was not closed, kept: {kept})"
                )]
            );
            let late = peer.write(&handle, 4, b"x").await;
            assert_eq!(late.code(), StatusCode::Failure);
        }
    }
}

#[tokio::test]
async fn the_end_of_a_channel_closes_every_handle() {
    for house in House::both() {
        house.make("r", b"xyz").await;
        house.make("w", b"xyz").await;
        let mut peer = house.peer().await;
        let reading = peer.open("r", READ).await;
        peer.read(&reading, 0, 2).await.data();
        let writing = peer.open("w", WRITE).await;
        peer.write(&writing, 0, b"A").await.ok();
        peer.open("r", READ).await;
        peer.sftp.end().await;
        let mut told = house.heard.all();
        told.sort();
        assert_eq!(
            told,
            [
                "download_aborted /r 2 (the file was not closed, kept: false)",
                "upload_aborted /w 1 (the file was not closed, kept: true)",
            ]
        );
        let mut other = house.peer().await;
        let handle = other.open("w", WHOLE).await;
        other.close(&handle).await.ok();
    }
}

/// A session that is dropped without an end discards what was staged.
#[tokio::test]
async fn a_dropped_channel_leaves_no_temporary() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let handle = peer.open("f", WHOLE).await;
        peer.write(&handle, 0, b"x").await.ok();
        drop(peer);
        let clean = async {
            while !house.names("/").await.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, clean).await.unwrap();
        assert_eq!(
            house.heard.all(),
            ["upload_aborted /f 1 (the session was dropped, kept: false)"]
        );
    }
}

#[tokio::test]
async fn uploads_that_are_not_atomic_are_written_in_place() {
    for house in House::both_with(|plan| plan.settings.atomic = false) {
        house.make("f", b"old").await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", WHOLE).await;
        peer.write(&handle, 0, b"n").await.ok();
        assert_eq!(house.content("f").await.unwrap(), b"n");
        peer.close(&handle).await.ok();
        assert_eq!(house.heard.all(), ["upload_committed /f 1"]);
    }
}

/// An upload through a link changes what the link leads to, as `open(2)` does.
#[tokio::test]
async fn an_upload_through_a_link_goes_where_it_leads() {
    for house in House::both() {
        house.make("f", b"old").await;
        let mut peer = house.peer().await;
        peer.ask(&Request::Symlink {
            target: b"f",
            link: b"l",
        })
        .await
        .ok();
        peer.upload("l", b"new").await;
        assert_eq!(house.content("f").await.unwrap(), b"new");
        let kind = peer.lstat("l").await.attributes().permissions.unwrap() & 0o170_000;
        assert_eq!(kind, 0o120_000);
    }
}

/// SFT-32: what cannot be published is told at CLOSE, and nothing stays.
#[tokio::test]
async fn sft_32_closing_tells_when_an_upload_cannot_be_published() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let handle = peer.open("f", WHOLE).await;
        peer.write(&handle, 0, b"x").await.ok();
        house.make_directory("f").await;
        assert_eq!(peer.close(&handle).await.code(), StatusCode::Failure);
        assert_eq!(house.names("/").await, ["f"]);
        let told = house.heard.all();
        assert!(
            told.len() == 1 && told[0].starts_with("upload_aborted /f 1"),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn fsync_by_policy_holds_for_files_in_place_too() {
    for house in House::both_with(|plan| plan.upload.fsync = true) {
        let mut peer = house.peer().await;
        peer.upload("f", b"x").await;
        let handle = peer.open("f", WRITE).await;
        peer.write(&handle, 0, b"y").await.ok();
        peer.close(&handle).await.ok();
        assert_eq!(house.content("f").await.unwrap(), b"y");
    }
}

/// SFT-32, SFT-34: a write beyond every file is a write that failed.
#[tokio::test]
async fn sft_34_an_upload_that_lost_a_write_at_a_huge_offset_is_not_published() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let handle = peer.open("f", WHOLE).await;
        peer.write(&handle, 0, b"x").await.ok();
        let beyond = peer.write(&handle, u64::MAX - 9, b"x").await;
        assert_eq!(beyond.code(), StatusCode::Failure);
        assert_eq!(peer.close(&handle).await.code(), StatusCode::Failure);
        assert!(house.names("/").await.is_empty());
    }
}

/// A client goes on behind the end of a part that was kept, so one with a hole in it is not kept.
#[tokio::test]
async fn a_part_that_lacks_octets_before_its_end_is_not_kept() {
    let beyond = u64::MAX - 9;
    for (offsets, failing, kept) in [
        (&[0, 4][..], None, true),
        (&[0, 8], None, false),
        (&[0, 4], Some(beyond), false),
    ] {
        for house in House::both() {
            let mut peer = house.peer().await;
            let handle = peer.open("f", WHOLE).await;
            for &offset in offsets {
                peer.write(&handle, offset, b"four").await.ok();
            }
            if let Some(offset) = failing {
                let refused = peer.write(&handle, offset, b"four").await;
                assert_eq!(refused.code(), StatusCode::Failure);
            }
            peer.sftp.end().await;
            assert_eq!(house.content("f").await.is_some(), kept);
            let told = house.heard.all();
            assert!(told[0].contains(&format!("kept: {kept}")), "{told:?}");
        }
    }
}

/// What was visible already stays when a later write fails, and the event says so.
#[tokio::test]
async fn a_published_upload_that_lost_a_write_is_told_as_kept() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let handle = peer.open("f", WHOLE).await;
        peer.write(&handle, 0, b"x").await.ok();
        peer.stat("f").await.attributes();
        peer.write(&handle, u64::MAX - 9, b"x").await.code();
        assert_eq!(peer.close(&handle).await.code(), StatusCode::Failure);
        assert_eq!(house.content("f").await.unwrap(), b"x");
        let told = house.heard.all();
        assert!(told[0].contains("kept: true"), "{told:?}");
    }
}
