//! Renaming.

use super::{content_of, fetch, make, must, names, path, put, refused};
use crate::{ErrorKind, Replace, Volume};

const BOTH: [Replace; 2] = [Replace::Files, Replace::Never];

/// Also into another directory.
pub async fn a_file_gets_another_name(volume: &dyn Volume) {
    make(volume, "/d").await;
    put(volume, "/a", b"content").await;
    must(
        volume
            .rename(&path("/a"), &path("/b"), Replace::Never)
            .await,
    );
    must(
        volume
            .rename(&path("/b"), &path("/d/c"), Replace::Files)
            .await,
    );
    assert_eq!(fetch(volume, "/d/c").await, b"content");
    assert_eq!(names(volume, "/").await, ["d"]);
}

/// In one step: who has the old file open keeps it.
pub async fn a_file_replaces_a_file_if_it_may(volume: &dyn Volume) {
    let old = put(volume, "/old", b"old").await;
    put(volume, "/new", b"new").await;
    must(
        volume
            .rename(&path("/new"), &path("/old"), Replace::Files)
            .await,
    );
    assert_eq!(fetch(volume, "/old").await, b"new");
    assert_eq!(content_of(&old).await, b"old");
    assert_eq!(names(volume, "/").await, ["old"]);
}

/// Both ends stay as they are.
pub async fn nothing_is_replaced_if_it_may_not(volume: &dyn Volume) {
    put(volume, "/old", b"old").await;
    put(volume, "/new", b"new").await;
    assert_eq!(
        refused(
            volume
                .rename(&path("/new"), &path("/old"), Replace::Never)
                .await
        ),
        ErrorKind::Exists
    );
    assert_eq!(fetch(volume, "/old").await, b"old");
    assert_eq!(fetch(volume, "/new").await, b"new");
}

/// Everything below is found under the new name.
pub async fn a_directory_moves_with_its_content(volume: &dyn Volume) {
    make(volume, "/a").await;
    make(volume, "/a/b").await;
    put(volume, "/a/b/f", b"deep").await;
    must(
        volume
            .rename(&path("/a"), &path("/c"), Replace::Files)
            .await,
    );
    assert_eq!(fetch(volume, "/c/b/f").await, b"deep");
    assert_eq!(names(volume, "/").await, ["c"]);
}

/// Not even an empty directory.
pub async fn a_directory_replaces_nothing(volume: &dyn Volume) {
    make(volume, "/a").await;
    make(volume, "/empty").await;
    put(volume, "/f", b"").await;
    for replace in BOTH {
        for target in ["/empty", "/f"] {
            assert_eq!(
                refused(volume.rename(&path("/a"), &path(target), replace).await),
                ErrorKind::Exists
            );
        }
    }
    assert_eq!(names(volume, "/").await, ["a", "empty", "f"]);
}

/// However empty the directory is.
pub async fn a_file_replaces_no_directory(volume: &dyn Volume) {
    make(volume, "/d").await;
    put(volume, "/f", b"").await;
    let kind = refused(
        volume
            .rename(&path("/f"), &path("/d"), Replace::Files)
            .await,
    );
    assert_eq!(kind, ErrorKind::IsADirectory);
    assert_eq!(
        refused(
            volume
                .rename(&path("/f"), &path("/d"), Replace::Never)
                .await
        ),
        ErrorKind::Exists
    );
    assert_eq!(names(volume, "/").await, ["d", "f"]);
}

/// At any depth.
pub async fn a_directory_does_not_move_into_itself(volume: &dyn Volume) {
    make(volume, "/a").await;
    make(volume, "/a/b").await;
    for (replace, target) in BOTH.into_iter().zip(["/a/c", "/a/b/c"]) {
        assert_eq!(
            refused(volume.rename(&path("/a"), &path(target), replace).await),
            ErrorKind::InvalidName
        );
    }
    assert_eq!(names(volume, "/a").await, ["b"]);
}

/// And the target stays.
pub async fn a_missing_source_is_not_found(volume: &dyn Volume) {
    put(volume, "/f", b"old").await;
    assert_eq!(
        refused(
            volume
                .rename(&path("/a"), &path("/b"), Replace::Never)
                .await
        ),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(
            volume
                .rename(&path("/a"), &path("/f"), Replace::Files)
                .await
        ),
        ErrorKind::NotFound
    );
    assert_eq!(fetch(volume, "/f").await, b"old");
}

/// Parents are not made.
pub async fn a_missing_target_directory_is_not_found(volume: &dyn Volume) {
    put(volume, "/f", b"").await;
    for replace in BOTH {
        assert_eq!(
            refused(volume.rename(&path("/f"), &path("/d/f"), replace).await),
            ErrorKind::NotFound
        );
    }
    assert_eq!(names(volume, "/").await, ["f"]);
}

/// Nothing happens, nothing is lost.
pub async fn a_name_may_replace_itself(volume: &dyn Volume) {
    put(volume, "/f", b"same").await;
    must(
        volume
            .rename(&path("/f"), &path("/f"), Replace::Files)
            .await,
    );
    assert_eq!(fetch(volume, "/f").await, b"same");
}
