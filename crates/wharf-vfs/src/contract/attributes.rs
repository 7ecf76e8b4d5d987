//! Modes, times, identity, space.

use super::{make, must, path, put, refused};
use crate::{
    AttributeChange, ErrorKind, FileKind, Links, Metadata, OpenMode, Replace, Timestamp, Volume,
};

async fn look(volume: &dyn Volume, text: &str) -> Metadata {
    must(volume.metadata(&path(text), Links::Follow).await)
}

async fn change(volume: &dyn Volume, text: &str, change: AttributeChange) {
    must(
        volume
            .set_attributes(&path(text), Links::Follow, change)
            .await,
    );
}

/// Those of creation (none that every umask leaves) and those that are set.
pub async fn modes_are_kept(volume: &dyn Volume) {
    if !volume.capabilities().modes {
        return;
    }
    must(
        volume
            .open(&path("/f"), OpenMode::CreateNew { mode: 0o600 })
            .await,
    );
    must(volume.create_directory(&path("/d"), 0o700).await);
    assert_eq!(
        (look(volume, "/f").await.mode, look(volume, "/d").await.mode),
        (0o600, 0o700)
    );
    for (text, mode) in [
        ("/f", 0o644),
        ("/f", 0o200),
        ("/f", 0o400),
        ("/d", 0o755),
        ("/d", 0o1700),
    ] {
        change(
            volume,
            text,
            AttributeChange {
                mode: Some(mode),
                ..AttributeChange::default()
            },
        )
        .await;
        assert_eq!(look(volume, text).await.mode, mode);
    }
}

/// Before 1970, after 2038, with a fraction where the volume keeps one.
pub async fn times_are_kept(volume: &dyn Volume) {
    if !volume.capabilities().set_times {
        return;
    }
    put(volume, "/f", b"").await;
    for seconds in [0, 1_000_000_000, 4_000_000_000] {
        let modified = Some(Timestamp {
            seconds,
            nanoseconds: 0,
        });
        change(
            volume,
            "/f",
            AttributeChange {
                modified,
                ..AttributeChange::default()
            },
        )
        .await;
        assert_eq!(Some(look(volume, "/f").await.modified), modified);
    }
}

/// The same under a new name, another for another object.
pub async fn identity_follows_the_object(volume: &dyn Volume) {
    put(volume, "/a", b"").await;
    put(volume, "/b", b"").await;
    let (a, b) = (
        look(volume, "/a").await.identity,
        look(volume, "/b").await.identity,
    );
    assert_ne!(a, b);
    must(
        volume
            .rename(&path("/a"), &path("/c"), Replace::Never)
            .await,
    );
    let file = must(volume.open(&path("/c"), OpenMode::Read).await);
    assert_eq!(
        (
            look(volume, "/c").await.identity,
            must(file.metadata().await).identity
        ),
        (a, a)
    );
}

/// `None` changes nothing.
pub async fn unnamed_attributes_stay(volume: &dyn Volume) {
    let capabilities = volume.capabilities();
    if !(capabilities.modes && capabilities.set_times) {
        return;
    }
    put(volume, "/f", b"").await;
    let modified = Some(Timestamp {
        seconds: 1_000_000_000,
        nanoseconds: 0,
    });
    change(
        volume,
        "/f",
        AttributeChange {
            modified,
            mode: Some(0o640),
            ..AttributeChange::default()
        },
    )
    .await;
    change(
        volume,
        "/f",
        AttributeChange {
            mode: Some(0o600),
            ..AttributeChange::default()
        },
    )
    .await;
    assert_eq!(Some(look(volume, "/f").await.modified), modified);
    let accessed = Some(Timestamp {
        seconds: 5,
        nanoseconds: 0,
    });
    change(
        volume,
        "/f",
        AttributeChange {
            accessed,
            ..AttributeChange::default()
        },
    )
    .await;
    let found = look(volume, "/f").await;
    assert_eq!((Some(found.modified), found.mode), (modified, 0o600));
}

/// Of a link or of what it leads to, as the caller wishes. A link has no mode of its own: the one
/// that is meant for it changes nothing anywhere (SFT-54).
pub async fn a_link_has_its_own_times_and_no_mode(volume: &dyn Volume) {
    let capabilities = volume.capabilities();
    if !(capabilities.symlinks && capabilities.modes && capabilities.set_times) {
        return;
    }
    put(volume, "/f", b"").await;
    must(volume.create_symlink(&path("/f"), &path("/l")).await);
    must(
        volume
            .create_symlink(&path("/missing"), &path("/dangling"))
            .await,
    );
    let before = look(volume, "/f").await;
    let modified = Some(Timestamp {
        seconds: 1_000_000_000,
        nanoseconds: 0,
    });
    let both = AttributeChange {
        mode: Some(0o604),
        modified,
        ..AttributeChange::default()
    };
    for text in ["/l", "/dangling"] {
        must(
            volume
                .set_attributes(&path(text), Links::NoFollow, both)
                .await,
        );
        let link = must(volume.metadata(&path(text), Links::NoFollow).await);
        assert_eq!(Some(link.modified), modified, "{text}");
        assert_eq!(link.kind, FileKind::Symlink);
    }
    let after = look(volume, "/f").await;
    assert_eq!((after.mode, after.modified), (before.mode, before.modified));
    change(volume, "/l", both).await;
    let after = look(volume, "/f").await;
    assert_eq!((after.mode, Some(after.modified)), (0o604, modified));
    must(
        volume
            .set_attributes(
                &path("/f"),
                Links::NoFollow,
                AttributeChange {
                    mode: Some(0o640),
                    ..both
                },
            )
            .await,
    );
    assert_eq!(look(volume, "/f").await.mode, 0o640);
}

/// Whatever it is called by then, and whether it is open for reading or writing.
pub async fn an_open_file_takes_attributes(volume: &dyn Volume) {
    let capabilities = volume.capabilities();
    if !(capabilities.modes && capabilities.set_times) {
        return;
    }
    put(volume, "/f", b"content").await;
    for (mode, bits, seconds) in [(OpenMode::Update, 0o640, 7), (OpenMode::Read, 0o600, 8)] {
        let file = must(volume.open(&path("/f"), mode).await);
        must(
            volume
                .rename(&path("/f"), &path("/g"), Replace::Files)
                .await,
        );
        put(volume, "/f", b"another").await;
        let time = |seconds| {
            Some(Timestamp {
                seconds,
                nanoseconds: 0,
            })
        };
        let change = AttributeChange {
            mode: Some(bits),
            modified: time(seconds),
            accessed: time(seconds + 1),
            ..AttributeChange::default()
        };
        must(file.set_attributes(change).await);
        let found = look(volume, "/g").await;
        assert_eq!((found.mode, Some(found.modified)), (bits, time(seconds)));
        if found.accessed.is_some() {
            assert_eq!(found.accessed, time(seconds + 1));
        }
        assert_ne!(look(volume, "/f").await.modified.seconds, seconds);
        must(
            volume
                .rename(&path("/g"), &path("/f"), Replace::Files)
                .await,
        );
    }
}

/// Even a change of nothing.
pub async fn attributes_of_nothing_are_not_found(volume: &dyn Volume) {
    let nothing = AttributeChange::default();
    assert_eq!(
        refused(
            volume
                .set_attributes(&path("/missing"), Links::Follow, nothing)
                .await
        ),
        ErrorKind::NotFound
    );
}

/// Of the top and of what lies below.
pub async fn space_is_told(volume: &dyn Volume) {
    make(volume, "/d").await;
    for text in ["/", "/d"] {
        let space = must(volume.space(&path(text)).await);
        assert!(space.free <= space.total);
        assert!(space.total > 0 && space.block_size > 0);
        assert!(space.files_free <= space.files);
    }
    assert_eq!(
        refused(volume.space(&path("/missing")).await),
        ErrorKind::NotFound
    );
}
