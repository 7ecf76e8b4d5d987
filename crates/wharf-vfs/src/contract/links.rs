//! Symbolic links, where the volume has them (PATH-03).

use super::{fetch, make, must, names, path, put, refused};
use crate::{EntryBatch, ErrorKind, FileKind, Links, OpenMode, Replace, Volume};

async fn link(volume: &dyn Volume, text: &str, target: &str) {
    must(volume.create_symlink(&path(target), &path(text)).await);
}

/// As the caller wishes.
pub async fn a_link_is_followed_or_looked_at(volume: &dyn Volume) {
    if !volume.capabilities().symlinks {
        return;
    }
    put(volume, "/f", b"12345").await;
    link(volume, "/l", "/f").await;
    let followed = must(volume.metadata(&path("/l"), Links::Follow).await);
    assert_eq!((followed.kind, followed.size), (FileKind::File, 5));
    assert_eq!(
        must(volume.metadata(&path("/l"), Links::NoFollow).await).kind,
        FileKind::Symlink
    );
    assert_eq!(must(volume.read_link(&path("/l")).await), b"f");
    assert_eq!(fetch(volume, "/l").await, b"12345");
    put(volume, "/l", b"through").await;
    assert_eq!(fetch(volume, "/f").await, b"through");
}

/// A link in the middle of a path, and one that leads upwards.
pub async fn a_link_leads_through_directories(volume: &dyn Volume) {
    if !volume.capabilities().symlinks {
        return;
    }
    make(volume, "/a").await;
    make(volume, "/a/b").await;
    make(volume, "/c").await;
    put(volume, "/c/f", b"here").await;
    link(volume, "/a/b/l", "/c").await;
    assert_eq!(must(volume.read_link(&path("/a/b/l")).await), b"../../c");
    assert_eq!(fetch(volume, "/a/b/l/f").await, b"here");
    assert_eq!(names(volume, "/a/b/l").await, ["f"]);
    put(volume, "/a/b/l/g", b"there").await;
    make(volume, "/a/b/l/d").await;
    must(
        volume
            .rename(&path("/a/b/l/g"), &path("/a/b/l/d/g"), Replace::Never)
            .await,
    );
    assert_eq!(fetch(volume, "/c/d/g").await, b"there");
    must(volume.remove_file(&path("/a/b/l/f")).await);
    assert_eq!(names(volume, "/c").await, ["d"]);
}

/// It can still be looked at, and removed.
pub async fn a_dangling_link_leads_nowhere(volume: &dyn Volume) {
    if !volume.capabilities().symlinks {
        return;
    }
    link(volume, "/l", "/missing").await;
    assert_eq!(
        refused(volume.metadata(&path("/l"), Links::Follow).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(volume.open(&path("/l"), OpenMode::Read).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        must(volume.metadata(&path("/l"), Links::NoFollow).await).kind,
        FileKind::Symlink
    );
    must(volume.remove_file(&path("/l")).await);
}

/// The walk ends.
pub async fn a_loop_of_links_leads_nowhere(volume: &dyn Volume) {
    if !volume.capabilities().symlinks {
        return;
    }
    link(volume, "/a", "/b").await;
    link(volume, "/b", "/a").await;
    assert_eq!(
        refused(volume.metadata(&path("/a"), Links::Follow).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(volume.open(&path("/b/f"), OpenMode::Read).await),
        ErrorKind::NotFound
    );
    assert_eq!(names(volume, "/").await, ["a", "b"]);
}

/// The link itself goes, also one to a directory.
pub async fn removing_a_link_keeps_its_target(volume: &dyn Volume) {
    if !volume.capabilities().symlinks {
        return;
    }
    make(volume, "/d").await;
    put(volume, "/f", b"kept").await;
    link(volume, "/to-d", "/d").await;
    link(volume, "/to-f", "/f").await;
    assert_eq!(
        refused(volume.remove_directory(&path("/to-d")).await),
        ErrorKind::NotADirectory
    );
    must(volume.remove_file(&path("/to-d")).await);
    must(volume.remove_file(&path("/to-f")).await);
    assert_eq!(names(volume, "/").await, ["d", "f"]);
    assert_eq!(fetch(volume, "/f").await, b"kept");
}

/// At both ends: a link at the target is replaced, not written through.
pub async fn renaming_a_link_moves_the_link(volume: &dyn Volume) {
    if !volume.capabilities().symlinks {
        return;
    }
    put(volume, "/f", b"kept").await;
    put(volume, "/g", b"new").await;
    link(volume, "/l", "/f").await;
    must(
        volume
            .rename(&path("/l"), &path("/m"), Replace::Never)
            .await,
    );
    assert_eq!(
        must(volume.metadata(&path("/m"), Links::NoFollow).await).kind,
        FileKind::Symlink
    );
    must(
        volume
            .rename(&path("/g"), &path("/m"), Replace::Files)
            .await,
    );
    assert_eq!(
        must(volume.metadata(&path("/m"), Links::NoFollow).await).kind,
        FileKind::File
    );
    assert_eq!(fetch(volume, "/f").await, b"kept");
}

/// The name itself is a link; what it leads to is told beside it.
pub async fn a_listing_tells_link_and_target(volume: &dyn Volume) {
    if !volume.capabilities().symlinks {
        return;
    }
    make(volume, "/d").await;
    put(volume, "/f", b"12345").await;
    link(volume, "/d/good", "/f").await;
    link(volume, "/d/dangling", "/missing").await;
    let mut reader = must(volume.read_directory(&path("/d")).await);
    let batch = must(reader.next_batch(EntryBatch::new()).await);
    assert_eq!(batch.len(), 2);
    for entry in batch.iter() {
        assert_eq!(entry.metadata.kind, FileKind::Symlink);
        let expected = (entry.name == b"good").then_some((FileKind::File, 5));
        assert_eq!(
            entry.target.map(|target| (target.kind, target.size)),
            expected
        );
    }
}

/// Not even a dangling one: the name is taken.
pub async fn a_new_file_does_not_follow_a_link(volume: &dyn Volume) {
    if !volume.capabilities().symlinks {
        return;
    }
    link(volume, "/l", "/missing").await;
    let mode = OpenMode::CreateNew { mode: 0o644 };
    assert_eq!(
        refused(volume.open(&path("/l"), mode).await),
        ErrorKind::Exists
    );
    assert_eq!(
        refused(volume.create_directory(&path("/l"), 0o755).await),
        ErrorKind::Exists
    );
    assert_eq!(names(volume, "/").await, ["l"]);
}

/// The text is kept octet by octet, and followed as long as it stays inside (SFT-31).
pub async fn a_links_text_is_stored_as_given(volume: &dyn Volume) {
    if !volume.capabilities().symlinks {
        return;
    }
    make(volume, "/d").await;
    put(volume, "/f", b"here").await;
    for (name, text) in [
        ("/d/a", "../f"),
        ("/d/b", ".././/f"),
        ("/d/c", "not/there/"),
    ] {
        must(
            volume
                .create_symlink_text(text.as_bytes(), &path(name))
                .await,
        );
        assert_eq!(must(volume.read_link(&path(name)).await), text.as_bytes());
    }
    assert_eq!(fetch(volume, "/d/a").await, b"here");
    assert_eq!(fetch(volume, "/d/b").await, b"here");
    for taken in ["/f", "/d", "/d/a"] {
        assert_eq!(
            refused(volume.create_symlink_text(b"x", &path(taken)).await),
            ErrorKind::Exists
        );
    }
}

/// Its text may say what it likes: nothing outside is found.
pub async fn a_links_text_does_not_lead_out(volume: &dyn Volume) {
    if !volume.capabilities().symlinks {
        return;
    }
    make(volume, "/d").await;
    for (name, text) in [
        ("/up", ".."),
        ("/d/up", "../.."),
        ("/d/far", "../../../etc/passwd"),
    ] {
        must(
            volume
                .create_symlink_text(text.as_bytes(), &path(name))
                .await,
        );
        assert_eq!(
            refused(volume.metadata(&path(name), Links::Follow).await),
            ErrorKind::NotFound
        );
        assert_eq!(
            refused(
                volume
                    .open(&path(name), OpenMode::UpdateOrCreate { mode: 0o644 })
                    .await
            ),
            ErrorKind::NotFound
        );
    }
}

/// Whatever has the name already.
pub async fn a_link_replaces_nothing(volume: &dyn Volume) {
    if !volume.capabilities().symlinks {
        return;
    }
    put(volume, "/f", b"").await;
    for taken in ["/f", "/"] {
        assert_eq!(
            refused(volume.create_symlink(&path("/x"), &path(taken)).await),
            ErrorKind::Exists
        );
    }
}

/// Nor is a directory.
pub async fn a_file_is_no_link(volume: &dyn Volume) {
    put(volume, "/f", b"").await;
    assert_eq!(
        refused(volume.read_link(&path("/f")).await),
        ErrorKind::Unsupported
    );
    assert_eq!(
        refused(volume.read_link(&path("/")).await),
        ErrorKind::Unsupported
    );
    if volume.capabilities().symlinks {
        assert_eq!(
            refused(volume.read_link(&path("/missing")).await),
            ErrorKind::NotFound
        );
    }
}

/// The top is inside.
pub async fn a_link_reaches_the_top(volume: &dyn Volume) {
    if !volume.capabilities().symlinks {
        return;
    }
    make(volume, "/d").await;
    put(volume, "/f", b"top").await;
    link(volume, "/here", "/").await;
    link(volume, "/d/up", "/").await;
    assert_eq!(fetch(volume, "/here/f").await, b"top");
    assert_eq!(fetch(volume, "/d/up/d/up/f").await, b"top");
    assert_eq!(names(volume, "/d/up").await, ["d", "f", "here"]);
}
