//! What well-known programs do, request by request.

use super::*;

/// WinSCP: into `.filepart`, times by handle, then over the old file by removing it and renaming.
#[tokio::test]
async fn winscp_uploads_into_a_filepart_and_renames_it() {
    for house in House::both() {
        house.make("report.txt", b"old").await;
        let mut peer = house.peer().await;
        assert!(matches!(
            peer.lstat("report.txt").await,
            Reply::Attributes(_)
        ));
        assert_eq!(
            peer.lstat("report.txt.filepart").await.code(),
            StatusCode::NoSuchFile
        );
        let handle = peer
            .open("report.txt.filepart", WRITE | CREATE | TRUNCATE)
            .await;
        peer.write(&handle, 0, b"new ").await.ok();
        peer.write(&handle, 4, b"report").await.ok();
        peer.close(&handle).await.ok();
        peer.remove("report.txt").await.ok();
        peer.rename("report.txt.filepart", "report.txt").await.ok();
        let times = Attributes {
            times: Some((1, 2)),
            ..permissions(0o644)
        };
        peer.set("report.txt", times).await.ok();
        assert_eq!(house.content("report.txt").await.unwrap(), b"new report");
        assert_eq!(house.names("/").await, ["report.txt"]);
    }
}

/// WinSCP resumes by opening the part without truncation behind its end.
#[tokio::test]
async fn winscp_resumes_a_filepart() {
    for house in House::both() {
        house.make("f.filepart", b"0123").await;
        let mut peer = house.peer().await;
        let length = peer.stat("f.filepart").await.attributes().size.unwrap();
        let handle = peer.open("f.filepart", WRITE | CREATE).await;
        peer.write(&handle, length, b"4567").await.ok();
        peer.close(&handle).await.ok();
        peer.rename("f.filepart", "f").await.ok();
        assert_eq!(house.content("f").await.unwrap(), b"01234567");
    }
}

/// rclone: a partial name, STAT before and after, times, then a rename that may replace.
#[tokio::test]
async fn rclone_uploads_to_a_partial_name_and_renames_it_over() {
    for house in House::both() {
        house.make("f", b"old").await;
        let mut peer = house.peer().await;
        let partial = "f.1a2b3c.partial";
        let handle = peer.open(partial, WRITE | CREATE | TRUNCATE).await;
        peer.write(&handle, 0, b"new").await.ok();
        peer.close(&handle).await.ok();
        let times = Attributes {
            times: Some((7, 7)),
            ..Attributes::default()
        };
        peer.set(partial, times).await.ok();
        assert_eq!(peer.stat(partial).await.attributes().size, Some(3));
        peer.posix_rename(partial, "f").await.ok();
        // Before anybody reads the file, which sets the time of access.
        assert_eq!(peer.stat("f").await.attributes().times, Some((7, 7)));
        assert_eq!(house.content("f").await.unwrap(), b"new");
    }
}

/// sshfs: a new file is looked at, read, cut and renamed while it is still open.
#[tokio::test]
async fn sshfs_works_on_a_file_that_it_has_just_made() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let handle = peer.open("tmp_obj", READ | WRITE | CREATE | TRUNCATE).await;
        let looked = peer.lstat("tmp_obj").await.attributes();
        assert_eq!(looked.size, Some(0), "as sshfs does right behind OPEN");
        // Writes in flight together, out of order.
        let requests: Vec<_> = [(4, b"5678"), (0, b"1234"), (8, b"9abc")]
            .map(|(offset, data)| {
                peer.send(&Request::Write {
                    handle: &handle,
                    offset,
                    data,
                })
            })
            .into();
        for id in requests {
            peer.answer(id).await.ok();
        }
        assert_eq!(peer.read(&handle, 2, 4).await.data(), b"3456");
        peer.set("tmp_obj", size(10)).await.ok();
        assert_eq!(peer.stat("tmp_obj").await.attributes().size, Some(10));
        peer.posix_rename("tmp_obj", "pack").await.ok();
        peer.extended(Extended::FSync { handle: &handle })
            .await
            .ok();
        peer.write(&handle, 10, b"end").await.ok();
        peer.close(&handle).await.ok();
        assert_eq!(house.content("pack").await.unwrap(), b"123456789aend");
    }
}

/// git over sshfs: a lock file made exclusively, written, then renamed over the real one.
#[tokio::test]
async fn git_takes_a_lock_and_renames_it_over() {
    for house in House::both() {
        house.make("index", b"old").await;
        let mut peer = house.peer().await;
        let flags = READ | WRITE | CREATE | EXCLUSIVE;
        let lock = peer.open("index.lock", flags).await;
        assert_eq!(
            peer.try_open("index.lock", flags).await.code(),
            StatusCode::Failure
        );
        peer.write(&lock, 0, b"new").await.ok();
        peer.close(&lock).await.ok();
        peer.posix_rename("index.lock", "index").await.ok();
        assert_eq!(house.content("index").await.unwrap(), b"new");
    }
}

/// git over sshfs: objects get their name by a hard link, then lose the first.
#[tokio::test]
async fn git_links_an_object_under_its_name() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let handle = peer
            .open("tmp_obj_x", READ | WRITE | CREATE | EXCLUSIVE)
            .await;
        peer.write(&handle, 0, b"object").await.ok();
        peer.close(&handle).await.ok();
        peer.extended(Extended::HardLink {
            existing: b"tmp_obj_x",
            link: b"abcdef",
        })
        .await
        .ok();
        peer.remove("tmp_obj_x").await.ok();
        assert_eq!(house.content("abcdef").await.unwrap(), b"object");
    }
}

/// OpenSSH's client: OPEN, WRITEs in flight, FSETSTAT, CLOSE, all without waiting in between.
#[tokio::test]
async fn openssh_puts_a_file_with_everything_in_flight() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let handle = peer.open("f", WRITE | CREATE | TRUNCATE).await;
        let content: Vec<u8> = (0..2_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut ids = Vec::new();
        for (number, data) in content.chunks(32_768).enumerate() {
            let offset = number as u64 * 32_768;
            ids.push(peer.send(&Request::Write {
                handle: &handle,
                offset,
                data,
            }));
        }
        let attributes = Attributes {
            times: Some((3, 4)),
            ..permissions(0o640)
        };
        ids.push(peer.send(&Request::FSetStat {
            handle: &handle,
            attributes,
        }));
        ids.push(peer.send(&Request::Close { handle: &handle }));
        for id in ids {
            peer.answer(id).await.ok();
        }
        let now = peer.stat("f").await.attributes();
        assert_eq!(
            (now.permissions, now.times),
            (Some(0o100_640), Some((3, 4)))
        );
        assert!(house.content("f").await.unwrap() == content);
    }
}

/// OpenSSH's `get` of many small files: OPENs together, then READ and CLOSE together.
#[tokio::test]
async fn many_small_files_are_fetched_in_flight() {
    for house in House::both() {
        for number in 0..100 {
            house
                .make(&format!("{number}"), format!("content {number}").as_bytes())
                .await;
        }
        let mut peer = house.peer().await;
        let opens: Vec<_> = (0..100)
            .map(|number| {
                let name = format!("{number}");
                peer.send(&Request::Open {
                    path: name.as_bytes(),
                    flags: READ,
                    attributes: Attributes::default(),
                })
            })
            .collect();
        let mut waiting = Vec::new();
        for id in opens {
            let handle = peer.answer(id).await.handle();
            let read = peer.send(&Request::Read {
                handle: &handle,
                offset: 0,
                length: 32_768,
            });
            let close = peer.send(&Request::Close { handle: &handle });
            waiting.push((read, close));
        }
        for (number, (read, close)) in waiting.into_iter().enumerate() {
            assert_eq!(
                peer.answer(read).await.data(),
                format!("content {number}").as_bytes()
            );
            peer.answer(close).await.ok();
        }
        assert_eq!(house.heard.all().len(), 100);
    }
}
