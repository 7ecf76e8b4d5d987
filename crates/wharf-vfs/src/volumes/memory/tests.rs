//! The volume in memory: the contract, its capacity and its faults.

use std::sync::Arc;

use super::*;
use crate::contract::{fetch, must, path, put, refused};

crate::volume_contract!(async { (Arc::new(MemoryVolume::new(1 << 30)) as Arc<dyn Volume>, ()) });

#[tokio::test]
async fn content_is_bounded_by_the_capacity() {
    let volume = MemoryVolume::new(10);
    let file = put(&volume, "/f", b"12345678").await;
    assert_eq!(
        refused(file.write_at(b"abc".to_vec(), 8).await),
        ErrorKind::NoSpace
    );
    assert_eq!(
        refused(file.write_at(b"a".to_vec(), u64::MAX).await),
        ErrorKind::NoSpace
    );
    assert_eq!(refused(file.set_size(11).await), ErrorKind::NoSpace);
    assert_eq!(fetch(&volume, "/f").await, b"12345678");
    let space = must(volume.space(&path("/")).await);
    assert_eq!((space.total, space.free), (10, 2));
}

/// CVE-2021-40524: no number of writers at one time gets more than there is.
#[test]
fn cve_2021_40524_parallel_writers_share_one_capacity() {
    const CAPACITY: u64 = 10_000;
    let volume = MemoryVolume::new(CAPACITY);
    let written: u64 = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|number| {
                let volume = &volume;
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .build()
                        .unwrap();
                    runtime.block_on(async {
                        let file = put(volume, &format!("/{number}"), b"").await;
                        let mut offset = 0;
                        while file.write_at(vec![0; 7], offset).await.is_ok() {
                            offset += 7;
                        }
                        offset
                    })
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum()
    });
    assert!(written <= CAPACITY && written > CAPACITY - 7, "{written}");
}

#[tokio::test]
async fn removed_files_give_their_space_back_once_nobody_has_them_open() {
    let volume = MemoryVolume::new(10);
    let file = put(&volume, "/f", b"1234567890").await;
    must(volume.remove_file(&path("/f")).await);
    assert_eq!(must(volume.space(&path("/")).await).free, 0);
    drop(file);
    assert_eq!(must(volume.space(&path("/")).await).free, 10);
}

#[tokio::test]
async fn replaced_files_give_their_space_back() {
    let volume = MemoryVolume::new(10);
    put(&volume, "/a", b"12345").await;
    put(&volume, "/b", b"123").await;
    must(
        volume
            .rename(&path("/b"), &path("/a"), Replace::Files)
            .await,
    );
    assert_eq!(must(volume.space(&path("/")).await).free, 7);
}

#[tokio::test]
async fn writes_fail_after_as_many_octets_as_was_asked_for() {
    let volume = MemoryVolume::new(100);
    let file = put(&volume, "/f", b"").await;
    volume.fail_after(Some(3));
    must(file.write_at(b"ab".to_vec(), 0).await);
    assert_eq!(
        refused(file.write_at(b"cd".to_vec(), 2).await),
        ErrorKind::Broken
    );
    volume.fail_after(None);
    must(file.write_at(b"cd".to_vec(), 2).await);
}
