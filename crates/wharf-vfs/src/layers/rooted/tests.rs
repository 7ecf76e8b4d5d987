//! A subdirectory as a root runs the whole contract.

use super::*;
use crate::{
    contract::{fetch, must, path, put, refused},
    volumes::MemoryVolume,
};

async fn home_in_memory() -> (Arc<dyn Volume>, MemoryVolume) {
    let inner = MemoryVolume::new(1 << 30);
    must(inner.create_directory(&path("/home"), 0o755).await);
    must(inner.create_directory(&path("/home/ann"), 0o755).await);
    (
        must(rooted(Arc::new(inner.clone()), &path("/home/ann")).await),
        inner,
    )
}

crate::volume_contract!(home_in_memory());

mod over_the_top {
    use super::*;

    crate::volume_contract!(async {
        (
            Arc::new(Rooted::new(
                Arc::new(MemoryVolume::new(1 << 30)),
                VirtualPath::root(),
            )) as Arc<dyn Volume>,
            (),
        )
    });
}

#[tokio::test]
async fn a_link_of_the_inner_volume_does_not_lead_out() {
    let (volume, inner) = home_in_memory().await;
    put(&inner, "/home/secret", b"secret").await;
    must(
        inner
            .create_symlink(&path("/home/secret"), &path("/home/ann/file"))
            .await,
    );
    must(
        inner
            .create_symlink(&path("/home"), &path("/home/ann/directory"))
            .await,
    );
    must(
        inner
            .create_symlink(&path("/home/ann/mine"), &path("/home/ann/inside"))
            .await,
    );
    put(&inner, "/home/ann/mine", b"mine").await;
    for text in ["/file", "/directory", "/directory/secret", "/directory/new"] {
        assert_eq!(
            refused(volume.metadata(&path(text), Links::Follow).await),
            ErrorKind::NotFound
        );
        assert_eq!(
            refused(volume.open(&path(text), OpenMode::Read).await),
            ErrorKind::NotFound
        );
        let any = OpenMode::UpdateOrCreate { mode: 0o644 };
        assert_eq!(
            refused(volume.open(&path(text), any).await),
            ErrorKind::NotFound
        );
    }
    assert_eq!(fetch(&*volume, "/inside").await, b"mine");
    let mut reader = must(volume.read_directory(&path("/")).await);
    let batch = must(reader.next_batch(EntryBatch::new()).await);
    let told: Vec<_> = batch
        .iter()
        .filter(|entry| entry.target.is_some())
        .map(|entry| entry.name)
        .collect();
    assert_eq!(told, [b"inside"]);
}

#[tokio::test]
async fn a_file_is_no_top() {
    let inner = MemoryVolume::new(100);
    put(&inner, "/f", b"").await;
    assert_eq!(
        refused(rooted(Arc::new(inner), &path("/f")).await),
        ErrorKind::NotADirectory
    );
}

#[tokio::test]
async fn failures_tell_the_path_below_the_top() {
    let (volume, _inner) = home_in_memory().await;
    let error = volume
        .open(&path("/missing"), OpenMode::Read)
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(error.path, path("/missing"));
}
