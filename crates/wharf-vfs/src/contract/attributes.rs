//! Modes, times, identity, space.

use super::{make, must, path, put, refused};
use crate::{AttributeChange, ErrorKind, Links, Metadata, OpenMode, Replace, Timestamp, Volume};

async fn look(volume: &dyn Volume, text: &str) -> Metadata {
    must(volume.metadata(&path(text), Links::Follow).await)
}

async fn change(volume: &dyn Volume, text: &str, change: AttributeChange) {
    must(volume.set_attributes(&path(text), change).await);
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

/// Even a change of nothing.
pub async fn attributes_of_nothing_are_not_found(volume: &dyn Volume) {
    let nothing = AttributeChange::default();
    assert_eq!(
        refused(volume.set_attributes(&path("/missing"), nothing).await),
        ErrorKind::NotFound
    );
}

/// Of the top and of what lies below.
pub async fn space_is_told(volume: &dyn Volume) {
    make(volume, "/d").await;
    for text in ["/", "/d"] {
        let space = must(volume.space(&path(text)).await);
        assert!(space.free <= space.total);
        assert!(space.total > 0);
    }
    assert_eq!(
        refused(volume.space(&path("/missing")).await),
        ErrorKind::NotFound
    );
}
