//! What an account may not do it cannot do by any request.

use super::*;

/// Every request that could change something, on a file `f`, a directory `d` and a link `l`.
async fn changes(peer: &mut Peer) -> Vec<(String, Reply)> {
    let mut all = Vec::new();
    for bits in 1..0x40 {
        let flags = OpenFlags(bits);
        // Reading alone, and bits that mean nothing without others.
        let is_change = bits & 0x02 != 0 || bits & 0x08 != 0 || bits & 0x10 != 0;
        if bits & 0x03 == 0 || !is_change {
            continue;
        }
        for name in ["f", "new", "l"] {
            let reply = peer.try_open(name, flags).await;
            all.push((format!("OPEN {name} {bits:#x}"), reply));
        }
    }
    for (name, attributes) in [
        ("size", size(0)),
        ("permissions", permissions(0o777)),
        (
            "times",
            Attributes {
                times: Some((1, 2)),
                ..Attributes::default()
            },
        ),
        (
            "owner",
            Attributes {
                owner: Some((4_000, 4_000)),
                ..Attributes::default()
            },
        ),
    ] {
        for place in ["f", "d", "l"] {
            if (place, name) == ("d", "size") {
                continue;
            }
            all.push((
                format!("SETSTAT {place} {name}"),
                peer.set(place, attributes).await,
            ));
        }
        // A size is none that a link could have.
        if name != "size" {
            let links = Extended::LSetStat {
                path: b"f",
                attributes,
            };
            all.push((format!("lsetstat {name}"), peer.extended(links).await));
        }
        let open = peer.open("f", READ).await;
        all.push((
            format!("FSETSTAT {name}"),
            peer.set_open(&open, attributes).await,
        ));
        peer.close(&open).await.ok();
    }
    let open = peer.open("f", READ).await;
    let second = peer.open("f", READ).await;
    let handle = open.as_slice();
    let extended = [
        (
            "posix-rename",
            Extended::PosixRename {
                from: b"f",
                to: b"g",
            },
        ),
        (
            "posix-rename over",
            Extended::PosixRename {
                from: b"f",
                to: b"l",
            },
        ),
        (
            "hardlink",
            Extended::HardLink {
                existing: b"f",
                link: b"h",
            },
        ),
        ("fsync", Extended::FSync { handle }),
        (
            "copy-data",
            Extended::CopyData {
                source: handle,
                source_offset: 0,
                length: 0,
                target: &second,
                target_offset: 0,
            },
        ),
        (
            "copy-file",
            Extended::CopyFile {
                source: b"f",
                target: b"c",
                overwrite: false,
            },
        ),
        (
            "copy-file over",
            Extended::CopyFile {
                source: b"f",
                target: b"l",
                overwrite: true,
            },
        ),
    ];
    for (name, request) in extended {
        all.push((name.into(), peer.extended(request).await));
    }
    let requests = [
        (
            "WRITE",
            Request::Write {
                handle,
                offset: 0,
                data: b"x",
            },
        ),
        ("REMOVE", Request::Remove { path: b"f" }),
        ("REMOVE link", Request::Remove { path: b"l" }),
        (
            "MKDIR",
            Request::MakeDirectory {
                path: b"m",
                attributes: Attributes::default(),
            },
        ),
        ("RMDIR", Request::RemoveDirectory { path: b"d" }),
        (
            "RENAME",
            Request::Rename {
                from: b"f",
                to: b"g",
            },
        ),
        (
            "SYMLINK",
            Request::Symlink {
                target: b"f",
                link: b"s",
            },
        ),
    ];
    for (name, request) in requests {
        all.push((name.into(), peer.ask(&request).await));
    }
    all
}

async fn furnish(house: &House) {
    house.make("f", b"content").await;
    house.make_directory("d").await;
    house
        .volume
        .create_symlink(&path("f"), &path("l"))
        .await
        .unwrap();
}

/// CVE-2017-15906: read-only means that not even an empty file is made.
#[tokio::test]
async fn cve_2017_15906_a_read_only_account_changes_nothing_by_any_request() {
    for house in House::both_with(|plan| plan.grants = Grants::everywhere(Rights::READ_ONLY)) {
        furnish(&house).await;
        let mut peer = house.peer().await;
        let before = (
            peer.stat("f").await,
            peer.stat("d").await,
            peer.lstat("l").await,
        );
        for (what, reply) in changes(&mut peer).await {
            let code = reply.code();
            assert_eq!(code, StatusCode::PermissionDenied, "{what}: {reply:?}");
        }
        assert_eq!(house.names("/").await, ["d", "f", "l"]);
        assert_eq!(house.content("f").await.unwrap(), b"content");
        let after = (
            peer.stat("f").await,
            peer.stat("d").await,
            peer.lstat("l").await,
        );
        assert_eq!(before, after);
        assert_eq!(house.heard.all(), Vec::<String>::new());
    }
}

/// What may not be seen is not there, and behaves so for every request.
#[tokio::test]
async fn what_is_hidden_is_not_found_by_any_request() {
    let grants = || Grants::new([(path("/"), Rights::FULL), (path("/h"), Rights::NONE)]);
    for house in House::both_with(|plan| plan.grants = grants()) {
        house.make_directory("h").await;
        house.make("h/f", b"secret").await;
        house.make("mine", b"x").await;
        let mut peer = house.peer().await;
        let requests = [
            Request::Open {
                path: b"h/f",
                flags: READ,
                attributes: Attributes::default(),
            },
            Request::Open {
                path: b"h/new",
                flags: WRITE | CREATE | TRUNCATE,
                attributes: Attributes::default(),
            },
            Request::Open {
                path: b"h/new",
                flags: WRITE | CREATE,
                attributes: Attributes::default(),
            },
            Request::Stat { path: b"h/f" },
            Request::LStat { path: b"h/f" },
            Request::SetStat {
                path: b"h/f",
                attributes: permissions(0o777),
            },
            Request::OpenDirectory { path: b"h" },
            Request::Remove { path: b"h/f" },
            Request::MakeDirectory {
                path: b"h/d",
                attributes: Attributes::default(),
            },
            Request::RemoveDirectory { path: b"h" },
            Request::Rename {
                from: b"h/f",
                to: b"taken",
            },
            Request::Rename {
                from: b"mine",
                to: b"h/mine",
            },
            Request::ReadLink { path: b"h/f" },
            Request::Symlink {
                target: b"f",
                link: b"h/l",
            },
            Request::Extended(Extended::PosixRename {
                from: b"h/f",
                to: b"taken",
            }),
            Request::Extended(Extended::HardLink {
                existing: b"h/f",
                link: b"taken",
            }),
            Request::Extended(Extended::StatVfs { path: b"h/f" }),
            Request::Extended(Extended::CopyFile {
                source: b"h/f",
                target: b"taken",
                overwrite: true,
            }),
            Request::Extended(Extended::CheckFileName {
                path: b"h/f",
                check: wharf_proto::sftp::extension::Check {
                    algorithms: b"md5",
                    offset: 0,
                    length: 0,
                    block: 0,
                },
            }),
        ];
        for request in requests {
            let reply = peer.ask(&request).await;
            assert_eq!(
                reply.code(),
                StatusCode::NoSuchFile,
                "{request:?}: {reply:?}"
            );
        }
        assert_eq!(peer.list("/").await, [".", "..", "mine"]);
        assert_eq!(house.names("h").await, ["f"]);
    }
}

/// SFT-36: what is so already is not refused.
#[tokio::test]
async fn sft_36_a_refused_change_that_changes_nothing_is_no_failure() {
    let grants = Grants::everywhere(Rights::FULL.without(wharf_vfs::Right::Chmod));
    for house in House::both_with(|plan| plan.grants = grants.clone()) {
        house.make("f", b"x").await;
        let mut peer = house.peer().await;
        let now = peer.stat("f").await.attributes();
        peer.set("f", permissions(now.permissions.unwrap()))
            .await
            .ok();
        peer.set(
            "f",
            Attributes {
                owner: now.owner,
                ..Attributes::default()
            },
        )
        .await
        .ok();
        let other = peer.set("f", permissions(0o777)).await;
        assert_eq!(other.code(), StatusCode::PermissionDenied);
        let other = peer
            .set(
                "f",
                Attributes {
                    owner: Some((4_000, 1)),
                    ..Attributes::default()
                },
            )
            .await;
        assert_eq!(other.code(), StatusCode::PermissionDenied);
        // As OpenSSH's client ends an upload.
        let handle = peer.open("g", WRITE | CREATE | TRUNCATE).await;
        peer.write(&handle, 0, b"x").await.ok();
        peer.set_open(&handle, permissions(0o644)).await.ok();
        peer.close(&handle).await.ok();
    }
}

/// SFT-36: `ignore_setstat_errors`.
#[tokio::test]
async fn sft_36_refused_modes_and_owners_are_passed_over_when_the_settings_say_so() {
    for house in House::both_with(|plan| {
        plan.grants = Grants::everywhere(Rights::READ_ONLY);
        plan.settings.ignore_setstat_errors = true;
    }) {
        house.make("f", b"x").await;
        let mut peer = house.peer().await;
        let before = peer.stat("f").await;
        peer.set("f", permissions(0o777)).await.ok();
        peer.set(
            "f",
            Attributes {
                owner: Some((4_000, 1)),
                ..Attributes::default()
            },
        )
        .await
        .ok();
        assert_eq!(
            peer.set("f", size(0)).await.code(),
            StatusCode::PermissionDenied
        );
        let times = Attributes {
            times: Some((1, 2)),
            ..Attributes::default()
        };
        assert_eq!(
            peer.set("f", times).await.code(),
            StatusCode::PermissionDenied
        );
        assert_eq!(
            peer.set("none", permissions(0o777)).await.code(),
            StatusCode::NoSuchFile
        );
        assert_eq!(peer.stat("f").await, before);
    }
}

/// No path leads out of the tree, however it is written and whatever links stand in it.
#[tokio::test]
async fn no_path_leads_out_of_the_tree() {
    let outside = tempfile::tempdir().unwrap();
    let house = House::on_disk_with(|_| {});
    let place = house.directory.as_ref().unwrap().path();
    std::os::unix::fs::symlink(outside.path(), place.join("out")).unwrap();
    std::os::unix::fs::symlink("..", place.join("up")).unwrap();
    let mut peer = house.peer().await;
    // Names that nobody else has above the tree.
    let own = place.file_name().unwrap().to_str().unwrap();
    let names = ["x", "y"].map(|letter| format!("{own}{letter}"));
    let [x, y] = &names;
    for name in [
        format!("out/{x}"),
        format!("up/{x}"),
        format!("up/../{x}/../../{y}"),
        format!("out/../out/{x}"),
    ] {
        let name = name.as_str();
        for flags in [
            WRITE | CREATE | TRUNCATE,
            WRITE | CREATE,
            READ | WRITE | CREATE | EXCLUSIVE,
        ] {
            let reply = peer.try_open(name, flags).await;
            if let Reply::Handle(handle) = reply {
                peer.close(&handle).await;
            }
        }
        let make = Request::MakeDirectory {
            path: name.as_bytes(),
            attributes: Attributes::default(),
        };
        peer.ask(&make).await.code();
        peer.ask(&Request::Symlink {
            target: b"a",
            link: name.as_bytes(),
        })
        .await
        .code();
        peer.rename("out", name).await.code();
    }
    let listed = peer.ask(&Request::OpenDirectory { path: b"out" }).await;
    assert_ne!(listed.code(), StatusCode::Ok);
    let entries = std::fs::read_dir(outside.path()).unwrap().count();
    assert_eq!(entries, 0);
    let above = place.parent().unwrap();
    assert!(names.iter().all(|name| !above.join(name).exists()));
}

/// CVE-2010-3867's kind: a directory that becomes a link between two requests leads nowhere else.
#[tokio::test]
async fn a_directory_that_becomes_a_link_does_not_lead_out() {
    let outside = tempfile::tempdir().unwrap();
    let house = House::on_disk_with(|_| {});
    let place = house.directory.as_ref().unwrap().path();
    house.make_directory("d").await;
    let mut peer = house.peer().await;
    let handle = peer.open("d/f", WRITE | CREATE | TRUNCATE).await;
    peer.write(&handle, 0, b"x").await.ok();
    #[expect(clippy::disallowed_methods, reason = "somebody on the host does it")]
    std::fs::rename(place.join("d"), place.join("e")).unwrap();
    std::os::unix::fs::symlink(outside.path(), place.join("d")).unwrap();
    // Into the directory that it was, or nowhere.
    peer.close(&handle).await.code();
    assert!(std::fs::read_dir(outside.path()).unwrap().next().is_none());
    peer.try_open("d/f", WRITE | CREATE).await.code();
    assert!(std::fs::read_dir(outside.path()).unwrap().next().is_none());
}

/// SFT-30, SFT-57, SFT-36: a handle for appending is no way to what stands in the file already.
#[tokio::test]
async fn who_may_only_append_overwrites_and_cuts_nothing_by_any_request() {
    let grants = Grants::everywhere(Rights::READ_ONLY.with(wharf_vfs::Right::Append));
    for house in House::both_with(|plan| plan.grants = grants.clone()) {
        house.make("f", b"content").await;
        house.make("s", b"xyz").await;
        let mut peer = house.peer().await;
        let source = peer.open("s", READ).await;
        let target = peer.open("f", WRITE | APPEND).await;
        let copy = Extended::CopyData {
            source: &source,
            source_offset: 0,
            length: 0,
            target: &target,
            target_offset: 0,
        };
        peer.extended(copy).await.ok();
        peer.write(&target, 0, b"!").await.ok();
        for octets in [0, 3, 100] {
            let cut = peer.set_open(&target, size(octets)).await;
            assert_eq!(cut.code(), StatusCode::PermissionDenied);
        }
        peer.close(&target).await.ok();
        assert_eq!(house.content("f").await.unwrap(), b"contentxyz!");
    }
}

/// SFT-36: set-id and sticky bits are nobody's to give, by whatever request.
#[tokio::test]
async fn set_id_bits_are_dropped() {
    for house in House::both() {
        house.make("f", b"x").await;
        let mut peer = house.peer().await;
        let mode =
            async |peer: &mut Peer| peer.stat("f").await.attributes().permissions.unwrap() & 0o7777;
        peer.set("f", permissions(0o7751)).await.ok();
        assert_eq!(mode(&mut peer).await, 0o751);
        let handle = peer.open("f", WRITE).await;
        peer.set_open(&handle, permissions(0o6711)).await.ok();
        assert_eq!(mode(&mut peer).await, 0o711);
    }
}
