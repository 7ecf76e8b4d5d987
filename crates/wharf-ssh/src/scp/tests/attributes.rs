//! Modes and times, both ways (SCP-13, SCP-14, SCP-21).

use wharf_vfs::{AttributeChange, Grants, Right, Rights, Timestamp};

use super::house::{House, Plan, exit};

const fn at(seconds: i64, nanoseconds: u32) -> Timestamp {
    Timestamp {
        seconds,
        nanoseconds,
    }
}

/// SCP-14.
#[tokio::test]
async fn without_p_the_umask_takes_bits_away_and_set_id_bits_never_come() {
    let house = House::new().await;
    let input = b"C0777 0 a\n\0C6777 0 b\n\0D7777 0 d\nE\n";
    let (_, ended) = house.run("scp -r -t .", input).await;
    assert_eq!(ended, exit(0));
    assert_eq!(house.mode("a").await, 0o755);
    assert_eq!(house.mode("b").await, 0o755);
    assert_eq!(house.mode("d").await, 0o755);
}

/// SCP-14.
#[tokio::test]
async fn with_p_modes_and_times_are_kept() {
    let house = House::new().await;
    let input = b"T1000000000 5 1100000000 7\nC0777 1 a\na\0C4711 0 b\n\0\
        T1 0 2 0\nD0777 0 d\nT3 0 4 0\nC0600 1 x\nx\0E\n";
    let (heard, ended) = house.run("scp -r -p -t .", input).await;
    assert_eq!((heard, ended), (vec![0; 12], exit(0)));
    let a = house.metadata("a").await.unwrap();
    assert_eq!((a.mode, a.modified), (0o777, at(1_000_000_000, 5000)));
    assert_eq!(a.accessed, Some(at(1_100_000_000, 7000)));
    assert_eq!(house.mode("b").await, 0o711, "set-id bits never come");
    let d = house.metadata("d").await.unwrap();
    assert_eq!(
        (d.mode, d.modified),
        (0o777, at(1, 0)),
        "set at its end, not before"
    );
    assert_eq!(house.metadata("d/x").await.unwrap().modified, at(3, 0));
}

/// SCP-14: who may not choose modes gets those of every new object, and no error for it.
#[tokio::test]
async fn without_the_right_modes_are_masked_and_set_id_bits_dropped() {
    let house = House::of(Plan {
        grants: Grants::everywhere(Rights::FULL.without(Right::Chmod)),
        ..Plan::default()
    })
    .await;
    let (heard, ended) = house
        .run("scp -r -p -t .", b"C6777 0 a\n\0D7777 0 d\nE\n")
        .await;
    assert_eq!((heard, ended), (vec![0; 5], exit(0)));
    assert_eq!(house.mode("a").await, 0o755);
    assert_eq!(house.mode("d").await, 0o755);
}

/// SCP-14: times that may not be set are told; the file is stored.
#[tokio::test]
async fn without_the_right_times_are_refused_and_the_file_stays() {
    let house = House::of(Plan {
        grants: Grants::everywhere(Rights::FULL.without(Right::Times)),
        ..Plan::default()
    })
    .await;
    let (heard, ended) = house.run("scp -p -t .", b"T1 0 1 0\nC0644 1 a\na\0").await;
    assert_eq!(
        heard,
        b"\0\0\0\x01scp: a: set attributes: Permission denied\n"
    );
    assert_eq!(ended, exit(1));
    assert_eq!(house.content("a").await.unwrap(), b"a");
    assert_eq!(house.told(), ["upload_committed /a 1"]);
}

/// SCP-13: a tree of directories that nobody may write into still comes.
#[tokio::test]
async fn a_new_directory_gets_its_mode_at_its_end() {
    let house = House::new().await;
    let ((), ended) = house
        .with_peer("scp -r -p -t .", async |peer| {
            peer.hear(b"\0").await;
            peer.say(b"D0555 0 d\n").await;
            peer.hear(b"\0").await;
            assert_eq!(house.mode("d").await, 0o755);
            peer.say(b"C0444 0 f\n\0E\n").await;
            peer.hear(b"\0\0\0").await;
            assert_eq!(house.mode("d").await, 0o555);
            assert_eq!(house.mode("d/f").await, 0o444);
        })
        .await;
    assert_eq!(ended, exit(0));
}

/// A directory that was there keeps its mode, unless it is to be preserved.
#[tokio::test]
async fn a_directory_that_was_there_changes_with_p_only() {
    let house = House::new().await;
    house.make("d", 0o700).await;
    assert_eq!(house.run("scp -r -t .", b"D0755 0 d\nE\n").await.1, exit(0));
    assert_eq!(house.mode("d").await, 0o700);
    assert_eq!(
        house.run("scp -r -p -t .", b"D0755 0 d\nE\n").await.1,
        exit(0)
    );
    assert_eq!(house.mode("d").await, 0o755);
    assert!(house.told().is_empty(), "nothing was made");
}

/// SCP-21: with `-p` the times go first; modes go always.
#[tokio::test]
async fn a_source_tells_modes_and_with_p_times() {
    let house = House::new().await;
    house.put_with("f", b"abc", 0o4640).await;
    let change = |modified, accessed| AttributeChange {
        modified: Some(modified),
        accessed: Some(accessed),
        ..AttributeChange::default()
    };
    house
        .set("f", change(at(1_000_000_000, 5_999), at(7, 0)))
        .await;
    let (heard, ended) = house.run("scp -f f", b"\0\0\0").await;
    assert_eq!(
        (heard.as_slice(), ended),
        (b"C0640 3 f\nabc\0".as_slice(), exit(0))
    );
    let (heard, ended) = house.run("scp -p -f f", b"\0\0\0\0").await;
    assert_eq!(heard, b"T1000000000 5 7 0\nC0640 3 f\nabc\0");
    assert_eq!(ended, exit(0));
    house.set("f", change(at(-5, 0), at(-5, 0))).await;
    let (heard, _) = house.run("scp -p -f f", b"\0\0\0\0").await;
    assert!(
        heard.starts_with(b"T0 0 0 0\n"),
        "nothing before 1970 can be told"
    );
}
