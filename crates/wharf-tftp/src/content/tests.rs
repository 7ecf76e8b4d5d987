//! What is kept of files, for how long, and how much of it.
#![expect(
    clippy::disallowed_methods,
    reason = "writes and renames the files that are read"
)]

use std::{fs, path::Path, sync::Arc};

use wharf_vfs::{FileRef, OpenMode, VirtualPath, Volume as _, volumes::local::LocalVolume};

use super::*;

/// Long after anything that a test writes.
const LATER: u64 = u64::MAX / 2;

async fn open(directory: &Path, name: &str) -> FileRef {
    let volume = LocalVolume::open(directory).unwrap();
    let path = VirtualPath::root().join_name(name.as_bytes()).unwrap();
    volume.open(&path, OpenMode::Read).await.unwrap()
}

fn directory_with(files: &[(&str, usize)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, size) in files {
        fs::write(directory.path().join(name), vec![7; *size]).unwrap();
    }
    directory
}

fn fill(contents: &Contents, content: &Arc<Content>) -> bool {
    (0..content.chunks.len()).all(|number| {
        let chunk = vec![7; content.length(number)];
        contents.keep(content, number, &chunk)
    })
}

#[tokio::test]
async fn whoever_has_the_same_file_open_shares_its_content() {
    let directory = directory_with(&[("boot", 3 * CHUNK + 5)]);
    let contents = Contents::new(64 * CHUNK);
    let first = contents
        .of(&open(directory.path(), "boot").await, LATER)
        .unwrap();
    assert!(!first.is_wanted(), "most files are fetched once");
    assert_eq!(first.from(CHUNK as u64), None, "nobody has read it");
    assert_eq!(
        first.chunk(CHUNK as u64 + 9),
        Some((1, CHUNK as u64, CHUNK))
    );
    assert_eq!(
        first.chunk(3 * CHUNK as u64),
        Some((3, 3 * CHUNK as u64, 5))
    );
    assert!(fill(&contents, &first));
    let second = contents
        .of(&open(directory.path(), "boot").await, LATER)
        .unwrap();
    assert!(first.is_wanted());
    assert_eq!(second.from(CHUNK as u64 + 9).unwrap().len(), CHUNK - 9);
    assert_eq!(second.from(3 * CHUNK as u64).unwrap(), [7; 5]);
    assert_eq!(second.from(second.size()), Some([].as_slice()));
    assert_eq!(second.chunk(second.size()), None);
}

#[tokio::test]
async fn a_changed_file_is_another_one() {
    let directory = directory_with(&[("boot", 9)]);
    let contents = Contents::new(CHUNK);
    let old = contents
        .of(&open(directory.path(), "boot").await, LATER)
        .unwrap();
    assert!(fill(&contents, &old));
    // The same size and the same name, another file.
    fs::write(directory.path().join("new"), [8; 9]).unwrap();
    fs::rename(directory.path().join("new"), directory.path().join("boot")).unwrap();
    let new = contents
        .of(&open(directory.path(), "boot").await, LATER)
        .unwrap();
    assert_eq!(new.from(0), None, "the old content is not the new file's");
}

#[tokio::test]
async fn a_file_that_changed_just_now_is_not_kept() {
    let directory = directory_with(&[("boot", 9)]);
    let contents = Contents::new(CHUNK);
    let file = open(directory.path(), "boot").await;
    let stat = fstat(file.descriptor().unwrap()).unwrap();
    let changed = u64::try_from(stat.st_ctime).unwrap();
    assert!(contents.of(&file, changed + 1).is_none());
    assert!(contents.of(&file, changed + 3).is_some());
}

#[tokio::test]
async fn what_is_held_is_bounded() {
    let directory = directory_with(&[("a", 2 * CHUNK), ("b", 2 * CHUNK), ("c", 4 * CHUNK)]);
    let contents = Contents::new(3 * CHUNK);
    let open = |name| open(directory.path(), name);
    assert!(
        contents.of(&open("c").await, LATER).is_none(),
        "too large ever to be whole"
    );
    let a = contents.of(&open("a").await, LATER).unwrap();
    assert!(fill(&contents, &a));
    let b = contents.of(&open("b").await, LATER).unwrap();
    assert!(
        !fill(&contents, &b),
        "somebody fetches the other one: there is no room"
    );
    drop(a);
    assert!(fill(&contents, &b), "now nobody does");
    assert_eq!(contents.held.load(Ordering::Relaxed), 2 * CHUNK);
    drop((b, contents));
}

#[tokio::test]
async fn what_is_dropped_is_no_longer_held() {
    let directory = directory_with(&[("a", 2 * CHUNK)]);
    let contents = Contents::new(3 * CHUNK);
    let held = Arc::clone(&contents.held);
    let a = contents
        .of(&open(directory.path(), "a").await, LATER)
        .unwrap();
    assert!(fill(&contents, &a));
    assert_eq!(held.load(Ordering::Relaxed), 2 * CHUNK);
    drop((a, contents));
    assert_eq!(held.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_file_that_shrank_is_not_kept() {
    let directory = directory_with(&[("a", 2 * CHUNK)]);
    let contents = Contents::new(3 * CHUNK);
    let a = contents
        .of(&open(directory.path(), "a").await, LATER)
        .unwrap();
    assert!(!contents.keep(&a, 1, &[7; CHUNK - 1]));
    assert!(!contents.keep(&a, 2, &[7; CHUNK]), "no such chunk");
    assert_eq!(contents.held.load(Ordering::Relaxed), 0);
}
