//! Making, reading and removing directories.

use super::{make, must, names, path, put, refused};
use crate::{EntryBatch, ErrorKind, FileKind, Links, Volume};

/// The top always exists.
pub async fn the_top_is_a_directory(volume: &dyn Volume) {
    assert!(must(volume.metadata(&path("/"), Links::Follow).await).is_directory());
    assert!(must(volume.metadata(&path("/"), Links::NoFollow).await).is_directory());
    assert!(names(volume, "/").await.is_empty());
}

/// Neither `.` nor `..` is told, and each entry is looked at.
pub async fn a_listing_tells_names_and_kinds(volume: &dyn Volume) {
    make(volume, "/d").await;
    put(volume, "/d/file", b"12345").await;
    make(volume, "/d/sub").await;
    let mut reader = must(volume.read_directory(&path("/d")).await);
    let batch = must(reader.next_batch(EntryBatch::new()).await);
    let mut found: Vec<_> = batch
        .iter()
        .map(|entry| {
            (
                entry.name.to_vec(),
                entry.metadata.kind,
                entry.target.is_none(),
            )
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        (b"file".to_vec(), FileKind::File, true),
        (b"sub".to_vec(), FileKind::Directory, true),
    ];
    assert_eq!(found, expected);
    let size = batch
        .iter()
        .find(|entry| entry.name == b"file")
        .map(|entry| entry.metadata.size);
    assert_eq!(size, Some(5));
    assert!(must(reader.next_batch(batch).await).is_empty());
}

/// Each entry is told once, at most [`EntryBatch::MAX_ENTRIES`] at a time.
pub async fn a_long_listing_comes_in_bounded_batches(volume: &dyn Volume) {
    let count = 2 * EntryBatch::MAX_ENTRIES + 1;
    for number in 0..count {
        put(volume, &format!("/{number}"), b"").await;
    }
    let mut reader = must(volume.read_directory(&path("/")).await);
    let mut batch = EntryBatch::new();
    let mut seen = std::collections::BTreeSet::new();
    loop {
        batch = must(reader.next_batch(batch).await);
        if batch.is_empty() {
            break;
        }
        assert!(batch.len() <= EntryBatch::MAX_ENTRIES);
        for entry in batch.iter() {
            assert!(seen.insert(entry.name.to_vec()), "told twice");
        }
    }
    assert_eq!(seen.len(), count);
}

/// Listing and removing what does not exist.
pub async fn a_missing_directory_is_not_found(volume: &dyn Volume) {
    assert_eq!(
        refused(volume.read_directory(&path("/d")).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(volume.remove_directory(&path("/d")).await),
        ErrorKind::NotFound
    );
}

/// A file has no entries.
pub async fn a_file_is_not_listed(volume: &dyn Volume) {
    put(volume, "/f", b"").await;
    assert_eq!(
        refused(volume.read_directory(&path("/f")).await),
        ErrorKind::NotADirectory
    );
}

/// Whatever has the name already.
pub async fn making_refuses_what_exists(volume: &dyn Volume) {
    put(volume, "/f", b"").await;
    make(volume, "/d").await;
    for taken in ["/f", "/d", "/"] {
        assert_eq!(
            refused(volume.create_directory(&path(taken), 0o755).await),
            ErrorKind::Exists
        );
    }
}

/// Parents are not made.
pub async fn making_makes_one_level(volume: &dyn Volume) {
    assert_eq!(
        refused(volume.create_directory(&path("/a/b"), 0o755).await),
        ErrorKind::NotFound
    );
    make(volume, "/a").await;
    make(volume, "/a/b").await;
    assert_eq!(names(volume, "/a").await, ["b"]);
}

/// Nothing is removed with its content.
pub async fn removing_refuses_what_is_not_empty(volume: &dyn Volume) {
    make(volume, "/d").await;
    put(volume, "/d/f", b"").await;
    assert_eq!(
        refused(volume.remove_directory(&path("/d")).await),
        ErrorKind::NotEmpty
    );
    must(volume.remove_file(&path("/d/f")).await);
    must(volume.remove_directory(&path("/d")).await);
    assert!(names(volume, "/").await.is_empty());
}

/// Each removal knows its own kind of object.
pub async fn files_and_directories_are_removed_differently(volume: &dyn Volume) {
    make(volume, "/d").await;
    put(volume, "/f", b"").await;
    assert_eq!(
        refused(volume.remove_file(&path("/d")).await),
        ErrorKind::IsADirectory
    );
    assert_eq!(
        refused(volume.remove_directory(&path("/f")).await),
        ErrorKind::NotADirectory
    );
    assert_eq!(names(volume, "/").await, ["d", "f"]);
}

/// The top can be neither removed nor renamed nor replaced.
pub async fn the_top_stays(volume: &dyn Volume) {
    make(volume, "/d").await;
    refused(volume.remove_directory(&path("/")).await);
    refused(volume.remove_file(&path("/")).await);
    for replace in [crate::Replace::Files, crate::Replace::Never] {
        refused(volume.rename(&path("/"), &path("/e"), replace).await);
        refused(volume.rename(&path("/d"), &path("/"), replace).await);
    }
    assert_eq!(names(volume, "/").await, ["d"]);
}
