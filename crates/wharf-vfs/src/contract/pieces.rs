//! Reading and writing at once, and copying ranges from file to file.

use super::{content_of, must, path, put, refused};
use crate::{ErrorKind, FileRef, OpenMode, Result, Volume};

async fn read(file: &FileRef, limit: usize, offset: u64) -> Vec<u8> {
    let mut buffer = b"head".to_vec();
    let Some(read) = file.try_read_at(&mut buffer, limit, offset) else {
        assert_eq!(buffer, b"head", "what was not had must leave no trace");
        return must(file.read_at(Vec::with_capacity(limit), offset).await);
    };
    assert!(buffer.starts_with(b"head"));
    let found = buffer.split_off(4);
    assert_eq!(must(read), found.len());
    assert!(found.len() <= limit);
    found
}

async fn write(file: &FileRef, data: &[u8], offset: u64) -> Result<()> {
    match file.try_write_at(data, offset) {
        Some(written) => written,
        None => file.write_at(data.to_vec(), offset).await.map(drop),
    }
}

/// Behind what the buffer holds, from any offset, never beyond the limit or the end.
pub async fn what_is_had_at_once_is_appended(volume: &dyn Volume) {
    put(volume, "/f", b"0123456789").await;
    let file = must(volume.open(&path("/f"), OpenMode::Read).await);
    for (limit, offset, expected) in [
        (4, 0, b"0123".as_slice()),
        (4, 8, b"89"),
        (100_000, 3, b"3456789"),
        (4, 10, b""),
        (4, u64::MAX >> 1, b""),
        (4, u64::MAX, b""),
        (0, 0, b""),
    ] {
        assert_eq!(
            read(&file, limit, offset).await,
            expected,
            "{limit} at {offset}"
        );
    }
}

/// Also where the file was short, or empty, when it was opened.
pub async fn what_grows_is_read_to_its_new_end(volume: &dyn Volume) {
    let writer = put(volume, "/f", b"").await;
    let file = must(volume.open(&path("/f"), OpenMode::Read).await);
    assert_eq!(read(&file, 300_000, 0).await, b"");
    let content: Vec<u8> = (0..300_000_u32)
        .flat_map(|n| [n.to_le_bytes()[0]])
        .collect();
    must(write(&writer, &content, 0).await);
    let mut found = Vec::new();
    loop {
        let piece = read(&file, 100_000, found.len() as u64).await;
        if piece.is_empty() {
            break;
        }
        found.extend(piece);
    }
    assert!(found == content);
}

/// All of it, over what stands there, behind the end, and in a file that may not be written: not.
pub async fn what_is_written_at_once_is_there(volume: &dyn Volume) {
    let file = put(volume, "/f", b"abcdef").await;
    must(write(&file, b"XY", 2).await);
    must(write(&file, b"", 100).await);
    assert_eq!(content_of(&file).await, b"abXYef");
    if volume.capabilities().random_write {
        must(write(&file, b"Z", 8).await);
        assert_eq!(content_of(&file).await, b"abXYef\0\0Z");
    }
    let before = content_of(&file).await;
    assert_eq!(
        refused(write(&file, b"no", u64::MAX - 1).await),
        ErrorKind::NoSpace
    );
    assert_eq!(refused(file.set_size(u64::MAX).await), ErrorKind::NoSpace);
    let reader = must(volume.open(&path("/f"), OpenMode::Read).await);
    assert!(write(&reader, b"no", 0).await.is_err());
    assert_eq!(content_of(&file).await, before);
}

/// SFT-57: as much as there is, to any place, and the rest of the target stays.
pub async fn a_range_is_copied(volume: &dyn Volume) {
    let content: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    put(volume, "/from", &content).await;
    let source = must(volume.open(&path("/from"), OpenMode::Read).await);
    let target = put(volume, "/to", b"0123456789").await;
    assert_eq!(must(target.copy_range(&source, 5, 2, 3).await), 3);
    let (before, copied) = (b"01".iter(), content.iter().skip(5).take(3));
    let expected: Vec<u8> = before.chain(copied).chain(b"56789").copied().collect();
    assert_eq!(content_of(&target).await, expected);
    assert_eq!(
        must(target.copy_range(&source, 1, 0, u64::MAX).await),
        699_999
    );
    assert!(content_of(&target).await.iter().eq(content.iter().skip(1)));
    assert_eq!(must(target.copy_range(&source, 700_000, 0, 5).await), 0);
    assert_eq!(
        must(target.copy_range(&source, u64::MAX, 0, u64::MAX).await),
        0
    );
    assert_eq!(must(target.copy_range(&source, 0, 0, 0).await), 0);
    assert!(content_of(&source).await == content);
}

/// Of one file into itself: what comes by the copy is not copied, so it ends.
pub async fn a_copy_into_itself_ends(volume: &dyn Volume) {
    let file = put(volume, "/f", b"0123456789").await;
    let again = must(volume.open(&path("/f"), OpenMode::Read).await);
    assert_eq!(must(file.copy_range(&again, 0, 10, u64::MAX).await), 10);
    assert_eq!(content_of(&file).await, b"01234567890123456789");
    match file.copy_range(&again, 0, 5, 20).await {
        Ok(copied) => assert!(copied <= 20),
        Err(error) => assert_eq!(error.kind, ErrorKind::Unsupported),
    }
    assert!(content_of(&file).await.len() <= 25);
}

/// However it was opened.
pub async fn a_file_for_reading_takes_no_copy(volume: &dyn Volume) {
    let source = put(volume, "/from", b"new").await;
    put(volume, "/to", b"old").await;
    let target = must(volume.open(&path("/to"), OpenMode::Read).await);
    refused(target.copy_range(&source, 0, 0, 3).await);
    assert_eq!(content_of(&target).await, b"old");
}
