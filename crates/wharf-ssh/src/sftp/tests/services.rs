//! Extensions (SFT-50 to SFT-65).

use std::fmt::Write as _;

use super::*;
use wharf_proto::sftp::extension::{Check, Ids, Md5Range, Vendor};

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[tokio::test]
async fn sft_50_posix_rename_replaces() {
    for house in House::both() {
        house.make("a", b"a").await;
        house.make("b", b"b").await;
        let mut peer = house.peer().await;
        peer.posix_rename("a", "b").await.ok();
        assert_eq!(house.content("b").await.unwrap(), b"a");
        assert_eq!(house.names("/").await, ["b"]);
        assert_eq!(
            peer.posix_rename("none", "b").await.code(),
            StatusCode::NoSuchFile
        );
        peer.posix_rename("b", "b").await.ok();
    }
    let grants = Grants::everywhere(Rights::FULL.without(wharf_vfs::Right::Overwrite));
    for house in House::both_with(|plan| plan.grants = grants.clone()) {
        house.make("a", b"a").await;
        house.make("b", b"b").await;
        let mut peer = house.peer().await;
        assert_eq!(
            peer.posix_rename("a", "b").await.code(),
            StatusCode::Failure
        );
        peer.posix_rename("a", "c").await.ok();
        assert_eq!(house.content("b").await.unwrap(), b"b");
    }
}

#[tokio::test]
async fn sft_50_posix_rename_does_not_cross_volumes() {
    let other: Arc<dyn Volume> = Arc::new(MemoryVolume::new(1 << 20));
    let mut plan = Plan::of(Arc::new(MemoryVolume::new(1 << 20)));
    plan.mounts.push(("/o", other));
    let house = House::new(plan);
    house.make("a", b"a").await;
    let mut peer = house.peer().await;
    let refused = peer.posix_rename("a", "o/a").await;
    assert!(
        matches!(&refused, Reply::Status(StatusCode::Failure, text) if text.contains("different volumes")),
        "{refused:?}"
    );
    let linked = peer
        .extended(Extended::HardLink {
            existing: b"a",
            link: b"o/h",
        })
        .await;
    assert_eq!(linked.code(), StatusCode::Failure, "SFT-52");
    assert_eq!(
        peer.posix_rename("none", "o/a").await.code(),
        StatusCode::NoSuchFile
    );
}

#[tokio::test]
async fn sft_51_file_systems_are_told_in_eleven_numbers() {
    for house in House::both() {
        house.make("f", b"x").await;
        let mut peer = house.peer().await;
        let Reply::FileSystem(system) = peer.extended(Extended::StatVfs { path: b"f" }).await
        else {
            panic!("no file system");
        };
        assert!(system.block_size > 0 && system.blocks >= system.blocks_free);
        assert_eq!(system.fragment_size, system.block_size);
        assert_eq!(
            (system.flags, system.longest_name),
            (FileSystem::NO_SET_UID, 255)
        );
        let handle = peer.open("f", READ).await;
        let by_handle = peer.extended(Extended::FStatVfs { handle: &handle }).await;
        assert!(
            matches!(by_handle, Reply::FileSystem(same) if same.id == system.id && same.blocks == system.blocks)
        );
        let missing = peer.extended(Extended::StatVfs { path: b"none" }).await;
        assert_eq!(missing.code(), StatusCode::NoSuchFile);
    }
    let house = House::on_disk_with(|plan| plan.grants = Grants::everywhere(Rights::READ_ONLY));
    let reply = house
        .peer()
        .await
        .extended(Extended::StatVfs { path: b"/" })
        .await;
    assert!(
        matches!(reply, Reply::FileSystem(system) if system.flags & FileSystem::READ_ONLY != 0)
    );
}

#[tokio::test]
async fn sft_52_hard_links_are_second_names() {
    for house in House::both() {
        house.make("f", b"x").await;
        house.make_directory("d").await;
        let mut peer = house.peer().await;
        peer.extended(Extended::HardLink {
            existing: b"f",
            link: b"d/g",
        })
        .await
        .ok();
        assert_eq!(house.heard.all(), ["linked /d/g /f"]);
        let handle = peer.open("f", WRITE).await;
        peer.write(&handle, 0, b"y").await.ok();
        assert_eq!(house.content("d/g").await.unwrap(), b"y");
        let taken = peer
            .extended(Extended::HardLink {
                existing: b"f",
                link: b"d/g",
            })
            .await;
        assert_eq!(taken.code(), StatusCode::Failure);
        peer.close(&handle).await.ok();
        // Truncating through one name must not part the two.
        peer.upload("f", b"new").await;
        assert_eq!(house.content("d/g").await.unwrap(), b"new");
    }
}

#[tokio::test]
async fn sft_53_fsync_is_for_files_that_are_written() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let handle = peer.open("f", WRITE | CREATE | TRUNCATE).await;
        peer.write(&handle, 0, b"x").await.ok();
        peer.extended(Extended::FSync { handle: &handle })
            .await
            .ok();
        peer.close(&handle).await.ok();
        let handle = peer.open("f", READ).await;
        let refused = peer.extended(Extended::FSync { handle: &handle }).await;
        assert_eq!(refused.code(), StatusCode::PermissionDenied);
        let closed = peer.extended(Extended::FSync { handle: b"none" }).await;
        assert_eq!(closed.code(), StatusCode::Failure);
    }
}

#[tokio::test]
async fn sft_54_attributes_of_a_link_itself() {
    for house in House::both() {
        house.make("f", b"x").await;
        let mut peer = house.peer().await;
        peer.ask(&Request::Symlink {
            target: b"f",
            link: b"l",
        })
        .await
        .ok();
        let before = peer.stat("f").await;
        let set = |attributes| Extended::LSetStat {
            path: b"l",
            attributes,
        };
        let times = Attributes {
            times: Some((11, 12)),
            ..Attributes::default()
        };
        peer.extended(set(times)).await.ok();
        assert_eq!(peer.lstat("l").await.attributes().times, Some((11, 12)));
        peer.extended(set(permissions(0o600))).await.ok();
        assert_eq!(peer.stat("f").await, before, "what it leads to stays");
        assert_eq!(
            peer.extended(set(size(0))).await.code(),
            StatusCode::BadMessage
        );
    }
}

#[tokio::test]
async fn sft_55_limits_are_told() {
    let house = House::in_memory();
    let reply = house.peer().await.extended(Extended::Limits).await;
    let limits = Limits {
        packet: 262_144,
        read: 261_120,
        write: 261_120,
        handles: 256,
    };
    assert_eq!(reply, Reply::Limits(limits));
}

#[tokio::test]
async fn sft_56_expand_path_knows_ones_own_home() {
    for house in House::both_with(|plan| plan.home = "/h") {
        house.make_directory("h").await;
        let mut peer = house.peer().await;
        for (asked, told) in [
            ("~", "/h"),
            ("~/", "/h"),
            ("~/a/../b", "/h/b"),
            ("~//x", "/h/x"),
            ("~anna", "/h"),
            ("~anna/x", "/h/x"),
            ("x", "/h/x"),
            ("/~", "/~"),
        ] {
            let reply = peer
                .extended(Extended::ExpandPath {
                    path: asked.as_bytes(),
                })
                .await;
            assert_eq!(reply.name(), told, "{asked}");
        }
        for asked in ["~root", "~ann/x", "~annaa"] {
            let reply = peer
                .extended(Extended::ExpandPath {
                    path: asked.as_bytes(),
                })
                .await;
            assert_eq!(reply.code(), StatusCode::NoSuchFile, "{asked}");
        }
    }
}

#[tokio::test]
async fn sft_57_copy_data_copies_between_two_files() {
    for house in House::both() {
        let content: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        house.make("a", &content).await;
        let mut peer = house.peer().await;
        let source = peer.open("a", READ).await;
        let target = peer.open("b", READ | WRITE | CREATE | TRUNCATE).await;
        let copy = |source_offset, length, target_offset| {
            Request::Extended(Extended::CopyData {
                source: &source,
                source_offset,
                length,
                target: &target,
                target_offset,
            })
        };
        peer.ask(&copy(0, 0, 0)).await.ok();
        peer.ask(&copy(10, 5, 1_000_000)).await.ok();
        let short = peer.ask(&copy(999_990, 100, 0)).await;
        assert_eq!(short.code(), StatusCode::Eof, "less than was asked for");
        peer.ask(&copy(u64::MAX, 0, 0)).await.ok();
        assert_eq!(
            peer.ask(&copy(0, 0, u64::MAX - 5)).await.code(),
            StatusCode::Failure
        );
        peer.close(&target).await.ok();
        let mut expected = content.clone();
        expected.extend_from_slice(&content[10..15]);
        expected[..10].copy_from_slice(&content[999_990..]);
        assert_eq!(house.content("b").await.unwrap(), expected);
        peer.close(&source).await.ok();
        assert_eq!(
            house.heard.all(),
            ["upload_committed /b 1000015"],
            "of the copy alone, not of the source"
        );
    }
}

/// OpenSSH 5a5e4774: by one handle, by two, and by another name, which never ended there.
#[tokio::test]
async fn sft_57_copy_data_onto_itself_is_refused() {
    for house in House::both() {
        house.make("a", b"content").await;
        let mut peer = house.peer().await;
        peer.extended(Extended::HardLink {
            existing: b"a",
            link: b"b",
        })
        .await
        .ok();
        let one = peer.open("a", READ | WRITE).await;
        let two = peer.open("a", READ | WRITE).await;
        let three = peer.open("b", READ | WRITE).await;
        for target in [&one, &two, &three] {
            let copy = Extended::CopyData {
                source: &one,
                source_offset: 0,
                length: 0,
                target,
                target_offset: 7,
            };
            assert_eq!(peer.extended(copy).await.code(), StatusCode::Failure);
        }
        assert_eq!(house.content("a").await.unwrap(), b"content");
        let reading = peer.open("a", READ).await;
        let writing = peer.open("c", WRITE | CREATE | TRUNCATE).await;
        for (source, target) in [(&reading, &reading), (&writing, &writing), (&writing, &one)] {
            let copy = Extended::CopyData {
                source,
                source_offset: 0,
                length: 0,
                target,
                target_offset: 0,
            };
            assert_ne!(peer.extended(copy).await.code(), StatusCode::Ok);
        }
        let copy = Extended::CopyData {
            source: b"none",
            source_offset: 0,
            length: 0,
            target: &one,
            target_offset: 0,
        };
        assert_eq!(peer.extended(copy).await.code(), StatusCode::Failure);
    }
}

#[tokio::test]
async fn sft_58_home_is_told_to_its_owner() {
    for house in House::both_with(|plan| plan.home = "/h") {
        house.make_directory("h").await;
        let mut peer = house.peer().await;
        for user in [b"".as_slice(), b"anna"] {
            assert_eq!(
                peer.extended(Extended::HomeDirectory { user }).await.name(),
                "/h"
            );
        }
        let other = peer
            .extended(Extended::HomeDirectory { user: b"root" })
            .await;
        assert_eq!(other.code(), StatusCode::PermissionDenied);
    }
}

#[tokio::test]
async fn sft_59_numbers_have_no_names_here() {
    let mut peer = House::in_memory().peer().await;
    let users = Ids::new(&[0, 0, 0, 0, 0, 0, 3, 232]).unwrap();
    let groups = Ids::new(&[0, 0, 0, 0]).unwrap();
    let reply = peer
        .extended(Extended::UsersGroupsById { users, groups })
        .await;
    assert_eq!(reply, Reply::UsersAndGroups(2, 1));
}

fn check(algorithms: &[u8], offset: u64, length: u64, block: u32) -> Check<'_> {
    Check {
        algorithms,
        offset,
        length,
        block,
    }
}

#[tokio::test]
async fn sft_60_files_are_hashed_whole_and_in_blocks() {
    for house in House::both() {
        house.make("f", b"abc").await;
        house.make("big", &vec![7; 600_000]).await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", READ).await;
        for (algorithm, known) in [
            ("md5", "900150983cd24fb0d6963f7d28e17f72"),
            ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "sha224",
                "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
            ),
            (
                "sha256",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                "sha384",
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
                 8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                "sha512",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
            ("crc32", "352441c2"),
        ] {
            let list = format!("tiger,{algorithm},md5");
            let check = check(list.as_bytes(), 0, 0, 0);
            let by_name = peer
                .extended(Extended::CheckFileName { path: b"f", check })
                .await;
            let Reply::CheckFile(told, hash) = &by_name else {
                panic!("{by_name:?}")
            };
            assert_eq!((told.as_str(), hex(hash).as_str()), (algorithm, known));
            let by_handle = peer
                .extended(Extended::CheckFileHandle {
                    handle: &handle,
                    check,
                })
                .await;
            assert_eq!(by_handle, by_name);
        }
        let blocks = check(b"md5", 100, 1_000, 256);
        let reply = peer
            .extended(Extended::CheckFileName {
                path: b"big",
                check: blocks,
            })
            .await;
        let Reply::CheckFile(_, hashes) = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(hashes.len(), 4 * 16);
        assert_eq!(hashes[..16], hashes[16..32]);
        assert_ne!(hashes[..16], hashes[48..], "the last block is shorter");
        for (path, check) in [
            ("f", check(b"md5", 0, 0, 255)),
            ("f", check(b"tiger", 0, 0, 0)),
            ("f", check(b"md5", 4, 0, 0)),
            ("big", check(b"sha512", 0, 0, 256)),
        ] {
            let request = Extended::CheckFileName {
                path: path.as_bytes(),
                check,
            };
            assert_eq!(
                peer.extended(request).await.code(),
                StatusCode::Failure,
                "{check:?}"
            );
        }
        let whole = check(b"crc32", 0, u64::MAX, 0);
        let reply = peer
            .extended(Extended::CheckFileName {
                path: b"f",
                check: whole,
            })
            .await;
        assert!(matches!(reply, Reply::CheckFile(_, hash) if hex(&hash) == "352441c2"));
        let directory = Extended::CheckFileName {
            path: b"/",
            check: whole,
        };
        assert_eq!(peer.extended(directory).await.code(), StatusCode::Failure);
    }
}

#[tokio::test]
async fn sft_60_hashing_needs_its_right_and_a_bounded_part() {
    let grants = Grants::everywhere(Rights::FULL.without(wharf_vfs::Right::Hash));
    let house = House::on_disk_with(|plan| plan.grants = grants);
    house.make("f", b"abc").await;
    let mut peer = house.peer().await;
    let check = check(b"md5", 0, 0, 0);
    let refused = peer
        .extended(Extended::CheckFileName { path: b"f", check })
        .await;
    assert_eq!(refused.code(), StatusCode::PermissionDenied);
    let handle = peer.open("f", READ).await;
    let refused = peer
        .extended(Extended::CheckFileHandle {
            handle: &handle,
            check,
        })
        .await;
    assert_eq!(refused.code(), StatusCode::PermissionDenied);
    let house = House::on_disk_with(|plan| plan.settings.hash_max_bytes = 2);
    house.make("f", b"abc").await;
    let mut peer = house.peer().await;
    let refused = peer
        .extended(Extended::CheckFileName { path: b"f", check })
        .await;
    assert_eq!(refused.code(), StatusCode::Failure);
    let part = Check { length: 2, ..check };
    let told = peer
        .extended(Extended::CheckFileName {
            path: b"f",
            check: part,
        })
        .await;
    assert!(matches!(told, Reply::CheckFile(..)));
}

#[tokio::test]
async fn sft_61_md5_hash_looks_first_when_it_is_asked_to() {
    for house in House::both() {
        house.make("f", b"xabc").await;
        let mut peer = house.peer().await;
        let handle = peer.open("f", READ).await;
        let known = "900150983cd24fb0d6963f7d28e17f72";
        let md5: Vec<u8> = (0..16)
            .map(|n| u8::from_str_radix(&known[2 * n..2 * n + 2], 16).unwrap())
            .collect();
        for (quick_check, told) in [
            (b"".as_slice(), md5.as_slice()),
            (&md5, &md5),
            (&[0; 16], b""),
        ] {
            let range = Md5Range {
                offset: 1,
                length: 0,
                quick_check,
            };
            let by_name = peer.extended(Extended::Md5Hash { path: b"f", range }).await;
            assert_eq!(by_name, Reply::Md5(told.to_vec()));
            let by_handle = peer
                .extended(Extended::Md5HashHandle {
                    handle: &handle,
                    range,
                })
                .await;
            assert_eq!(by_handle, by_name);
        }
    }
}

#[tokio::test]
async fn sft_62_room_is_told() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let Reply::Space(room) = peer.extended(Extended::SpaceAvailable { path: b"/" }).await
        else {
            panic!("no room");
        };
        assert!(room.device >= room.unused && room.unused == room.unused_by_user && room.unit > 0);
        let missing = peer
            .extended(Extended::SpaceAvailable { path: b"none" })
            .await;
        assert_eq!(missing.code(), StatusCode::NoSuchFile);
    }
}

#[tokio::test]
async fn sft_63_files_are_copied_by_path() {
    for house in House::both() {
        house.make("a", b"content").await;
        house.make("b", b"old").await;
        house.make_directory("d").await;
        let mut peer = house.peer().await;
        let copy = |source: &'static str, target: &'static str, overwrite| {
            Request::Extended(Extended::CopyFile {
                source: source.as_bytes(),
                target: target.as_bytes(),
                overwrite,
            })
        };
        assert_eq!(
            peer.ask(&copy("a", "b", false)).await.code(),
            StatusCode::Failure
        );
        assert_eq!(house.content("b").await.unwrap(), b"old");
        peer.ask(&copy("a", "b", true)).await.ok();
        peer.ask(&copy("a", "c", false)).await.ok();
        for name in ["b", "c"] {
            assert_eq!(house.content(name).await.unwrap(), b"content");
        }
        for (source, target, overwrite) in [("a", "a", true), ("a", "d", true), ("d", "e", false)] {
            let reply = peer.ask(&copy(source, target, overwrite)).await;
            assert_eq!(reply.code(), StatusCode::Failure, "{source} {target}");
        }
        assert_eq!(
            peer.ask(&copy("none", "x", true)).await.code(),
            StatusCode::NoSuchFile
        );
        assert_eq!(house.names("/").await, ["a", "b", "c", "d"]);
        let told = house.heard.all();
        assert_eq!(
            told[..2],
            ["upload_committed /b 7", "upload_committed /c 7"]
        );
    }
}

#[tokio::test]
async fn sft_64_vendors_are_heard_and_told_only_when_the_settings_say_so() {
    let house = House::in_memory();
    let mut peer = house.peer().await;
    let vendor = Vendor {
        vendor: b"Acme",
        product: b"Fetch",
        version: b"9",
        build: 1,
    };
    peer.extended(Extended::VendorId(vendor)).await.ok();
    assert_eq!(house.heard.all(), ["client Acme Fetch 9"]);
    // No log is filled so.
    let long = Vendor {
        vendor: &[b'a'; 9_999],
        ..vendor
    };
    peer.extended(Extended::VendorId(long)).await.ok();
    assert_eq!(house.heard.all()[0].len(), "client ".len() + 255);
    let house = House::on_disk_with(|plan| plan.settings.reveal = true);
    let peer = house.peer().await;
    let announced = peer.client.extensions().unwrap();
    assert!(announced.contains(wharf_proto::sftp::extension::Name::VendorId));
}

#[tokio::test]
async fn sft_65_unknown_extensions_and_types_are_unsupported() {
    let mut peer = House::in_memory().peer().await;
    let unknown = peer
        .extended(Extended::Unknown {
            name: b"reboot@example.org",
        })
        .await;
    assert_eq!(unknown.code(), StatusCode::OpUnsupported);
    // SFT-43: of type 99, with identifier 1 as the client counts.
    let expected = peer
        .client
        .request(&Request::RealPath { path: b"" }, &mut Vec::new());
    let [a, b, c, d] = expected.0.to_be_bytes();
    peer.put(&[0, 0, 0, 5, 99, a, b, c, d]).unwrap();
    assert_eq!(
        peer.answer(expected).await.code(),
        StatusCode::OpUnsupported
    );
}
