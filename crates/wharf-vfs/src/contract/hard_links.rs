//! Hard links, where the volume has them (SFT-52).

use super::{fetch, make, must, names, path, put, refused};
use crate::{AttributeChange, ErrorKind, Links, Replace, Volume};

async fn link(volume: &dyn Volume, existing: &str, text: &str) {
    must(volume.create_hard_link(&path(existing), &path(text)).await);
}

/// One object, one content, one set of attributes.
pub async fn a_second_name_is_the_same_file(volume: &dyn Volume) {
    let capabilities = volume.capabilities();
    if !capabilities.hard_links {
        return;
    }
    make(volume, "/d").await;
    put(volume, "/f", b"old").await;
    link(volume, "/f", "/d/g").await;
    let one = must(volume.metadata(&path("/f"), Links::NoFollow).await);
    let other = must(volume.metadata(&path("/d/g"), Links::NoFollow).await);
    assert_eq!((one.identity, one.links), (other.identity, 2));
    put(volume, "/d/g", b"new content").await;
    assert_eq!(fetch(volume, "/f").await, b"new content");
    if capabilities.modes {
        let change = AttributeChange {
            mode: Some(0o604),
            ..AttributeChange::default()
        };
        must(
            volume
                .set_attributes(&path("/f"), Links::Follow, change)
                .await,
        );
        assert_eq!(
            must(volume.metadata(&path("/d/g"), Links::Follow).await).mode,
            0o604
        );
    }
}

/// And the content goes with the last.
pub async fn a_file_outlives_its_first_name(volume: &dyn Volume) {
    if !volume.capabilities().hard_links {
        return;
    }
    put(volume, "/f", b"kept").await;
    link(volume, "/f", "/g").await;
    must(volume.remove_file(&path("/f")).await);
    assert_eq!(fetch(volume, "/g").await, b"kept");
    assert_eq!(
        must(volume.metadata(&path("/g"), Links::Follow).await).links,
        1
    );
    put(volume, "/f", b"other").await;
    must(
        volume
            .rename(&path("/f"), &path("/g"), Replace::Files)
            .await,
    );
    assert_eq!(fetch(volume, "/g").await, b"other");
    assert_eq!(names(volume, "/").await, ["g"]);
}

/// Not even the name of the same file.
pub async fn a_hard_link_replaces_nothing(volume: &dyn Volume) {
    if !volume.capabilities().hard_links {
        return;
    }
    make(volume, "/d").await;
    put(volume, "/f", b"old").await;
    put(volume, "/g", b"kept").await;
    for taken in ["/g", "/f", "/d", "/"] {
        assert_eq!(
            refused(volume.create_hard_link(&path("/f"), &path(taken)).await),
            ErrorKind::Exists,
            "{taken}"
        );
    }
    assert_eq!(fetch(volume, "/g").await, b"kept");
}

/// A link is not followed, and is not moved to where its text means something else.
pub async fn only_a_regular_file_gets_a_second_name(volume: &dyn Volume) {
    let capabilities = volume.capabilities();
    if !capabilities.hard_links {
        return;
    }
    make(volume, "/d").await;
    put(volume, "/f", b"").await;
    for (existing, expected) in [
        ("/d", ErrorKind::IsADirectory),
        ("/", ErrorKind::IsADirectory),
        ("/missing", ErrorKind::NotFound),
        ("/f/below", ErrorKind::NotADirectory),
    ] {
        assert_eq!(
            refused(volume.create_hard_link(&path(existing), &path("/n")).await),
            expected,
            "{existing}"
        );
    }
    assert_eq!(
        refused(
            volume
                .create_hard_link(&path("/f"), &path("/missing/n"))
                .await
        ),
        ErrorKind::NotFound
    );
    if capabilities.symlinks {
        must(volume.create_symlink(&path("/f"), &path("/l")).await);
        assert_eq!(
            refused(volume.create_hard_link(&path("/l"), &path("/n")).await),
            ErrorKind::Denied
        );
        must(volume.create_symlink(&path("/d"), &path("/way")).await);
        link(volume, "/f", "/way/n").await;
        assert_eq!(names(volume, "/d").await, ["n"]);
    }
}

/// Without them it says so and does nothing.
pub async fn what_has_no_hard_links_says_so(volume: &dyn Volume) {
    if volume.capabilities().hard_links {
        return;
    }
    put(volume, "/f", b"").await;
    assert_eq!(
        refused(volume.create_hard_link(&path("/f"), &path("/g")).await),
        ErrorKind::Unsupported
    );
    assert_eq!(names(volume, "/").await, ["f"]);
}
