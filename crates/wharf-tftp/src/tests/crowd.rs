//! Many at once.

use std::sync::Arc;

use tokio::task::JoinSet;
use wharf_vfs::volumes::local::LocalVolume;

use super::{
    house::{House, pattern, soon},
    peer::Peer,
};

async fn crowd(house: &House, peers: usize, options: &'static [(&str, &str)]) {
    let content = Arc::new(pattern(100_000));
    house.put("boot", &content).await;
    let mut crowd = JoinSet::new();
    for number in 0..peers {
        let (server, content) = (house.address, Arc::clone(&content));
        crowd.spawn(async move {
            let local = format!("127.0.0.{}:0", 2 + number % 100);
            let peer = Peer::at(&local, server).await;
            for _ in 0..2 {
                let got = peer.get("boot", "octet", options).await.unwrap();
                assert!(got == *content);
            }
            let name = format!("from-{number}");
            let sent = &content[..number * 100];
            peer.put(&name, "octet", options, sent).await.unwrap();
            (name, number * 100)
        });
    }
    while let Some(done) = soon(crowd.join_next()).await {
        let (name, octets) = done.unwrap();
        assert!(house.content(&name).await.unwrap() == content[..octets]);
    }
    house.emptied().await;
    let told = house.told();
    let broken: Vec<_> = told
        .iter()
        .filter(|told| !told.contains("_committed"))
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
    assert_eq!(told.len(), 3 * peers);
}

#[tokio::test]
async fn tft_06_many_share_one_port() {
    let house = House::with(|plan| plan.settings.single_port = true).await;
    crowd(&house, 60, &[("blksize", "1428"), ("windowsize", "4")]).await;
}

#[tokio::test]
async fn many_are_served_by_two_workers() {
    for single_port in [false, true] {
        let house = House::with(|plan| {
            plan.settings.single_port = single_port;
            plan.workers = Some(2);
        })
        .await;
        crowd(&house, 60, &[("blksize", "1428"), ("windowsize", "8")]).await;
    }
}

/// TFT-43: what many fetch is read once, and is the same for all.
#[tokio::test]
async fn tft_43_many_fetch_one_file_of_a_disk() {
    let directory = tempfile::tempdir().unwrap();
    let volume = Arc::new(LocalVolume::open(directory.path()).unwrap());
    let house = House::with(|plan| {
        plan.volume = volume;
        plan.workers = Some(2);
    })
    .await;
    let content = Arc::new(pattern(1_000_000));
    house.put("boot", &content).await;
    let mut crowd = JoinSet::new();
    for number in 0..30_usize {
        let (server, content) = (house.address, Arc::clone(&content));
        crowd.spawn(async move {
            let block_size = ["512", "1428", "65464", "8000"][number % 4];
            let options = [("blksize", block_size), ("windowsize", "2")];
            let peer = Peer::at("127.0.0.1:0", server).await;
            assert!(peer.get("boot", "octet", &options).await.unwrap() == *content);
        });
    }
    while let Some(done) = soon(crowd.join_next()).await {
        done.unwrap();
    }
    house.emptied().await;
}
