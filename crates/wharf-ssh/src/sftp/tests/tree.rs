//! Directories, names, links and paths (SFT-31, SFT-37 to SFT-42).

use super::*;
use crate::settings::{RealPath, SymlinkOrder as Order};

#[tokio::test]
async fn sft_31_a_link_keeps_its_text_and_never_leaves() {
    for house in House::both() {
        house.make_directory("d").await;
        house.make("f", b"x").await;
        let mut peer = house.peer().await;
        for (target, link) in [("../f", "d/up"), ("./f", "l"), ("none", "dangling")] {
            let (target, link) = (target.as_bytes(), link.as_bytes());
            peer.ask(&Request::Symlink { target, link }).await.ok();
            let told = peer.ask(&Request::ReadLink { path: link }).await;
            assert_eq!(told.name().as_bytes(), target, "SFT-42: as it was given");
        }
        assert_eq!(peer.stat("d/up").await.attributes().size, Some(1));
        for target in [
            "/f",
            "/etc/passwd",
            "../f",
            "../../etc/passwd",
            "d/../../x",
            "d/../f",
        ] {
            let reply = peer
                .ask(&Request::Symlink {
                    target: target.as_bytes(),
                    link: b"bad",
                })
                .await;
            assert_eq!(reply.code(), StatusCode::PermissionDenied, "{target}");
        }
        let taken = peer
            .ask(&Request::Symlink {
                target: b"f",
                link: b"l",
            })
            .await;
        assert_eq!(taken.code(), StatusCode::Failure);
        assert_eq!(peer.list("/").await, [".", "..", "d", "dangling", "f", "l"]);
    }
}

#[tokio::test]
async fn sft_31_the_drafts_order_of_arguments_can_be_chosen() {
    for house in House::both_with(|plan| plan.settings.symlink_order = Order::Draft) {
        let mut peer = house.peer().await;
        // As a client of the draft sends it: the link first.
        peer.ask(&Request::Symlink {
            target: b"link",
            link: b"target",
        })
        .await
        .ok();
        assert_eq!(
            peer.ask(&Request::ReadLink { path: b"link" }).await.name(),
            "target"
        );
        assert_eq!(house.heard.all(), ["linked /link target"]);
    }
}

#[tokio::test]
async fn sft_37_a_directory_is_told_in_pages_with_dots_and_lines_for_people() {
    for house in House::both() {
        house.make_directory("d").await;
        for number in 0..250 {
            house.make(&format!("d/{number:03}"), b"12").await;
        }
        let mut peer = house.peer().await;
        let pages = peer.pages("d").await;
        assert!(
            pages.iter().all(|page| page.len() <= 100),
            "{:?}",
            pages.iter().map(Vec::len)
        );
        let all: Vec<_> = pages.into_iter().flatten().collect();
        assert_eq!(all.len(), 252);
        assert_eq!((all[0].0.as_str(), all[1].0.as_str()), (".", ".."));
        for (name, line, attributes) in &all {
            assert!(line.ends_with(name.as_str()), "{line}");
            let is_directory = name.starts_with('.');
            assert_eq!(line.starts_with('d'), is_directory, "{line}");
            assert_eq!(
                attributes.permissions.unwrap() & 0o170_000,
                if is_directory { 0o040_000 } else { 0o100_000 }
            );
            assert!(
                attributes.times.is_some()
                    && attributes.owner.is_some()
                    && attributes.size.is_some()
            );
        }
        assert_eq!(
            peer.ask(&Request::OpenDirectory { path: b"d/000" })
                .await
                .code(),
            StatusCode::NoSuchFile
        );
        assert_eq!(
            peer.ask(&Request::OpenDirectory { path: b"none" })
                .await
                .code(),
            StatusCode::NoSuchFile
        );
        let file = peer.open("d/000", READ).await;
        let wrong = peer.ask(&Request::ReadDirectory { handle: &file }).await;
        assert_eq!(wrong.code(), StatusCode::Failure);
        let directory = peer
            .ask(&Request::OpenDirectory { path: b"d" })
            .await
            .handle();
        assert_eq!(
            peer.read(&directory, 0, 1).await.code(),
            StatusCode::Failure
        );
        let known = peer
            .ask(&Request::FStat { handle: &directory })
            .await
            .attributes();
        assert_eq!(Reply::Attributes(known), peer.stat("d").await);
    }
}

#[tokio::test]
async fn sft_37_no_page_is_longer_than_64_kib() {
    for house in House::both() {
        for number in 0..200 {
            house.make(&format!("{number:0250}"), b"").await;
        }
        let mut peer = house.peer().await;
        peer.outbox.largest = 0;
        assert_eq!(peer.list("/").await.len(), 202);
        assert!(peer.outbox.largest < 65_536 + 4, "{}", peer.outbox.largest);
    }
}

#[tokio::test]
async fn sft_37_names_are_octets() {
    let house = House::on_disk_with(|_| {});
    let name = {
        use std::os::unix::ffi::OsStrExt as _;
        std::ffi::OsStr::from_bytes(b"caf\xe9").to_os_string()
    };
    let place = house.directory.as_ref().unwrap().path().join(name);
    #[expect(
        clippy::disallowed_methods,
        reason = "the test makes what only a host can make"
    )]
    std::fs::write(place, b"x").unwrap();
    let mut peer = house.peer().await;
    let stat = peer.ask(&Request::Stat { path: b"caf\xe9" }).await;
    assert_eq!(stat.attributes().size, Some(1));
}

#[tokio::test]
async fn sft_38_remove_takes_files_and_links_alone() {
    for house in House::both() {
        house.make("f", b"x").await;
        house.make_directory("d").await;
        let mut peer = house.peer().await;
        peer.ask(&Request::Symlink {
            target: b"d",
            link: b"l",
        })
        .await
        .ok();
        assert_eq!(peer.remove("d").await.code(), StatusCode::Failure);
        assert_eq!(peer.remove("none").await.code(), StatusCode::NoSuchFile);
        peer.remove("l").await.ok();
        peer.remove("f").await.ok();
        assert_eq!(house.names("/").await, ["d"]);
        assert_eq!(
            house.heard.all(),
            ["linked /l d", "removed /l", "removed /f"]
        );
    }
}

#[tokio::test]
async fn sft_39_directories_are_made_and_removed() {
    for house in House::both() {
        let mut peer = house.peer().await;
        let make = |attributes| Request::MakeDirectory {
            path: b"d",
            attributes,
        };
        peer.ask(&make(permissions(0o777))).await.ok();
        let mode = peer.stat("d").await.attributes().permissions.unwrap();
        assert_eq!(mode, 0o040_755, "the mask holds");
        assert_eq!(
            peer.ask(&make(Attributes::default())).await.code(),
            StatusCode::Failure
        );
        house.make("d/f", b"").await;
        let remove = Request::RemoveDirectory { path: b"d" };
        assert_eq!(
            peer.ask(&remove).await.code(),
            StatusCode::Failure,
            "not empty"
        );
        peer.remove("d/f").await.ok();
        peer.ask(&remove).await.ok();
        assert_eq!(peer.ask(&remove).await.code(), StatusCode::NoSuchFile);
        peer.ask(&make(permissions(0o700))).await.ok();
        assert_eq!(
            peer.stat("d").await.attributes().permissions,
            Some(0o040_700)
        );
        assert_eq!(
            house.heard.all(),
            [
                "directory_made /d",
                "removed /d/f",
                "directory_removed /d",
                "directory_made /d"
            ]
        );
    }
}

async fn real(peer: &mut Peer, path: &str) -> Reply {
    peer.ask(&Request::RealPath {
        path: path.as_bytes(),
    })
    .await
}

#[tokio::test]
async fn sft_40_real_paths_are_canonical_and_need_not_exist() {
    for house in House::both_with(|plan| plan.home = "/h") {
        house.make_directory("h").await;
        let mut peer = house.peer().await;
        for (asked, told) in [
            ("", "/h"),
            (".", "/h"),
            ("/", "/"),
            ("x", "/h/x"),
            ("a/../b/./c", "/h/b/c"),
            ("/../../..", "/"),
            ("/a//b/", "/a/b"),
        ] {
            let reply = real(&mut peer, asked).await;
            assert!(matches!(&reply, Reply::Names(names) if names[0].2 == Attributes::default()));
            assert_eq!(reply.name(), told, "{asked}");
        }
    }
}

#[tokio::test]
async fn sft_40_links_are_resolved_when_the_settings_say_so() {
    for house in House::both_with(|plan| plan.settings.realpath = RealPath::Posix) {
        house.make_directory("d").await;
        house.make_directory("d/e").await;
        let mut peer = house.peer().await;
        for (target, link) in [("d/e", "l"), ("../l", "d/m"), ("loop", "loop")] {
            let (target, link) = (target.as_bytes(), link.as_bytes());
            peer.ask(&Request::Symlink { target, link }).await.ok();
        }
        assert_eq!(real(&mut peer, "l").await.name(), "/d/e");
        assert_eq!(real(&mut peer, "d/m/new").await.name(), "/d/e/new");
        assert_eq!(
            real(&mut peer, "none/x").await.code(),
            StatusCode::NoSuchFile
        );
        assert_eq!(real(&mut peer, "loop").await.code(), StatusCode::NoSuchFile);
        assert_eq!(real(&mut peer, "/").await.name(), "/");
    }
}

#[tokio::test]
async fn sft_41_rename_never_replaces() {
    for house in House::both() {
        house.make("a", b"a").await;
        house.make("b", b"b").await;
        house.make_directory("d").await;
        let mut peer = house.peer().await;
        for to in ["b", "d", "a"] {
            assert_eq!(
                peer.rename("a", to).await.code(),
                StatusCode::Failure,
                "{to}"
            );
        }
        peer.rename("a", "d/a").await.ok();
        assert_eq!(peer.rename("d", "d/x").await.code(), StatusCode::BadMessage);
        peer.rename("d", "e").await.ok();
        assert_eq!(house.content("e/a").await.unwrap(), b"a");
        assert_eq!(house.content("b").await.unwrap(), b"b");
        assert_eq!(
            peer.rename("none", "x").await.code(),
            StatusCode::NoSuchFile
        );
        assert_eq!(house.heard.all(), ["renamed /a /d/a", "renamed /d /e"]);
    }
}

#[tokio::test]
async fn sft_42_a_link_that_leads_out_leads_nowhere() {
    let house = House::on_disk_with(|_| {});
    let place = house.directory.as_ref().unwrap().path();
    for (target, name) in [
        ("/etc/passwd", "abs"),
        ("../secret", "up"),
        ("a/../../x", "winding"),
    ] {
        std::os::unix::fs::symlink(target, place.join(name)).unwrap();
    }
    std::os::unix::fs::symlink("f", place.join("inside")).unwrap();
    let mut peer = house.peer().await;
    for name in ["abs", "up", "winding"] {
        let reply = peer
            .ask(&Request::ReadLink {
                path: name.as_bytes(),
            })
            .await;
        assert!(
            matches!(&reply, Reply::Status(StatusCode::NoSuchFile, text) if !text.contains("secret")),
            "{name}: {reply:?}"
        );
        assert_eq!(peer.stat(name).await.code(), StatusCode::NoSuchFile);
        let opened = peer.try_open(name, READ).await;
        assert_ne!(opened.code(), StatusCode::Ok);
    }
    assert_eq!(
        peer.ask(&Request::ReadLink { path: b"inside" })
            .await
            .name(),
        "f"
    );
    house.make("f", b"").await;
    assert_ne!(
        peer.ask(&Request::ReadLink { path: b"f" }).await.code(),
        StatusCode::Ok
    );
}
