//! Opening, reading and writing files.

use super::{content_of, fetch, make, must, names, path, put, refused};
use crate::{ErrorKind, Links, OpenMode, Volume};

const NEW: OpenMode = OpenMode::CreateNew { mode: 0o644 };
const ANY: OpenMode = OpenMode::UpdateOrCreate { mode: 0o644 };

/// Looking at, opening and removing what does not exist.
pub async fn a_missing_file_is_not_found(volume: &dyn Volume) {
    let missing = path("/missing");
    assert_eq!(
        refused(volume.metadata(&missing, Links::Follow).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(volume.metadata(&missing, Links::NoFollow).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(volume.open(&missing, OpenMode::Read).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(volume.remove_file(&missing).await),
        ErrorKind::NotFound
    );
}

/// What was written is read, from any offset.
pub async fn a_file_reads_back_as_written(volume: &dyn Volume) {
    let file = must(volume.open(&path("/f"), NEW).await);
    must(file.write_at(b"hello ".to_vec(), 0).await);
    must(file.write_at(b"world".to_vec(), 6).await);
    must(file.sync().await);
    assert_eq!(must(file.metadata().await).size, 11);
    assert_eq!(fetch(volume, "/f").await, b"hello world");
    assert_eq!(must(file.read_at(Vec::with_capacity(5), 6).await), b"world");
    assert!(must(volume.metadata(&path("/f"), Links::Follow).await).is_file());
}

/// The end is an empty buffer, and beyond it, too.
pub async fn reading_stops_at_the_end(volume: &dyn Volume) {
    let file = put(volume, "/f", b"abc").await;
    assert_eq!(must(file.read_at(Vec::with_capacity(16), 1).await), b"bc");
    assert!(must(file.read_at(Vec::with_capacity(16), 3).await).is_empty());
    assert!(must(file.read_at(Vec::with_capacity(16), 1 << 40).await).is_empty());
}

/// `CreateNew` is the one that takes a name for itself.
pub async fn create_new_refuses_what_exists(volume: &dyn Volume) {
    put(volume, "/f", b"old").await;
    make(volume, "/d").await;
    assert_eq!(
        refused(volume.open(&path("/f"), NEW).await),
        ErrorKind::Exists
    );
    assert_eq!(
        refused(volume.open(&path("/d"), NEW).await),
        ErrorKind::Exists
    );
    assert_eq!(fetch(volume, "/f").await, b"old");
}

/// `Update` makes nothing.
pub async fn update_refuses_what_is_missing(volume: &dyn Volume) {
    assert_eq!(
        refused(volume.open(&path("/f"), OpenMode::Update).await),
        ErrorKind::NotFound
    );
    assert!(names(volume, "/").await.is_empty());
}

/// `UpdateOrCreate` does not cut.
pub async fn update_or_create_keeps_what_exists(volume: &dyn Volume) {
    put(volume, "/f", b"old").await;
    let file = must(volume.open(&path("/f"), ANY).await);
    assert_eq!(content_of(&file).await, b"old");
}

/// No mode opens a directory.
pub async fn a_directory_is_no_file(volume: &dyn Volume) {
    make(volume, "/d").await;
    for mode in [OpenMode::Read, OpenMode::Update, ANY] {
        assert_eq!(
            refused(volume.open(&path("/d"), mode).await),
            ErrorKind::IsADirectory
        );
        assert_eq!(
            refused(volume.open(&path("/"), mode).await),
            ErrorKind::IsADirectory
        );
    }
}

/// Writing beyond the end leaves a hole.
pub async fn a_gap_reads_as_zeros(volume: &dyn Volume) {
    if volume.capabilities().random_write {
        let file = put(volume, "/f", b"ab").await;
        must(file.write_at(b"z".to_vec(), 4).await);
        assert_eq!(fetch(volume, "/f").await, b"ab\0\0z");
    }
}

/// `set_size` works both ways.
pub async fn a_file_is_cut_and_extended(volume: &dyn Volume) {
    let file = put(volume, "/f", b"abcdef").await;
    must(file.set_size(2).await);
    must(file.set_size(4).await);
    assert_eq!(fetch(volume, "/f").await, b"ab\0\0");
}

/// Removing or replacing a name does not take the file from those who have it open.
pub async fn an_open_file_outlives_its_name(volume: &dyn Volume) {
    let file = put(volume, "/f", b"still here").await;
    must(volume.remove_file(&path("/f")).await);
    assert_eq!(content_of(&file).await, b"still here");
    assert!(names(volume, "/").await.is_empty());
}

/// What was opened for reading cannot be changed through it.
pub async fn a_file_opened_for_reading_refuses_writes(volume: &dyn Volume) {
    put(volume, "/f", b"old").await;
    let file = must(volume.open(&path("/f"), OpenMode::Read).await);
    refused(file.write_at(b"new".to_vec(), 0).await);
    refused(file.set_size(0).await);
    assert_eq!(fetch(volume, "/f").await, b"old");
}

/// Nothing is made below what does not exist.
pub async fn a_missing_parent_is_not_found(volume: &dyn Volume) {
    assert_eq!(
        refused(volume.open(&path("/d/f"), NEW).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(volume.metadata(&path("/d/f"), Links::Follow).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(volume.remove_file(&path("/d/f")).await),
        ErrorKind::NotFound
    );
}

/// A path through a file leads nowhere, and says why.
pub async fn a_file_is_no_parent(volume: &dyn Volume) {
    put(volume, "/f", b"").await;
    assert_eq!(
        refused(volume.open(&path("/f/g"), NEW).await),
        ErrorKind::NotADirectory
    );
    assert_eq!(
        refused(volume.metadata(&path("/f/g"), Links::Follow).await),
        ErrorKind::NotADirectory
    );
    assert_eq!(
        refused(volume.create_directory(&path("/f/g"), 0o755).await),
        ErrorKind::NotADirectory
    );
}

/// After the removal the name is free.
pub async fn removing_takes_the_name_away(volume: &dyn Volume) {
    put(volume, "/f", b"one").await;
    must(volume.remove_file(&path("/f")).await);
    assert_eq!(
        refused(volume.open(&path("/f"), OpenMode::Read).await),
        ErrorKind::NotFound
    );
    must(volume.open(&path("/f"), NEW).await);
    assert!(fetch(volume, "/f").await.is_empty());
}
