//! RETR, STOR, STOU, APPE, REST, ALLO: what becomes of the octets.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    client::{pattern, read_all, reset, soon},
    server::SMALL,
    *,
};

const PLACES: [&str; 2] = ["", "disk/"];

#[tokio::test]
async fn what_was_stored_comes_back() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    for place in PLACES {
        for length in [0, 1, 4096, 65_536, 65_537, 3_000_001] {
            let bytes = pattern(length);
            client.store(&format!("{place}file"), &bytes).await;
            assert_eq!(
                client.ask(&format!("SIZE {place}file"), 213).await.text,
                length.to_string()
            );
            assert_eq!(
                client.fetch(&format!("RETR {place}file")).await,
                bytes,
                "{place}{length}"
            );
        }
    }
    assert_eq!(house.events("Transfer Upload").len(), 12);
    assert_eq!(house.events("Transfer Download").len(), 12);
    assert_eq!(house.events("Committed").len(), 24);
    assert_eq!(house.disk_names(), ["file"]);
}

/// DAT-47, DAT-49: a restart from any place, at the end, and beyond it.
#[tokio::test]
async fn dat_47_and_49_rest_begins_in_the_middle_and_never_behind_the_end() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    for place in PLACES {
        client.store(&format!("{place}file"), b"0123456789").await;
        for (offset, rest) in [(0, "0123456789"), (3, "3456789"), (10, "")] {
            client.ask(&format!("REST {offset}"), 350).await;
            assert_eq!(
                client.fetch(&format!("RETR {place}file")).await,
                rest.as_bytes()
            );
        }
        client.ask("REST 11", 350).await;
        client.ask(&format!("RETR {place}file"), 554).await;
        // DAT-46: used up although it failed.
        assert_eq!(
            client.fetch(&format!("RETR {place}file")).await,
            b"0123456789"
        );
        client.ask("REST 11", 350).await;
        client.ask(&format!("STOR {place}file"), 554).await;
        assert_eq!(
            client.ask(&format!("SIZE {place}file"), 213).await.text,
            "10",
            "no hole, nothing cut"
        );
        // What lies behind the new octets stays.
        client.ask("REST 4", 350).await;
        assert_eq!(
            client.give(&format!("STOR {place}file"), b"xy").await.code,
            226
        );
        assert_eq!(
            client.fetch(&format!("RETR {place}file")).await,
            b"0123xy6789"
        );
        client.ask("REST 10", 350).await;
        assert_eq!(
            client.give(&format!("STOR {place}file"), b"AB").await.code,
            226
        );
        // RFC 3659: REST and APPE is a restart at that place.
        client.ask("REST 1", 350).await;
        assert_eq!(
            client.give(&format!("APPE {place}file"), b"-").await.code,
            226
        );
        assert_eq!(
            client.fetch(&format!("RETR {place}file")).await,
            b"0-23xy6789AB"
        );
        client.ask("REST 1", 350).await;
        assert!(client.say(&format!("STOR {place}missing")).await.code >= 550);
        client.ask("REST 18446744073709551615", 350).await;
        client.ask(&format!("RETR {place}file"), 554).await;
        client.ask("REST 18446744073709551616", 501).await;
        client.ask("REST -1", 501).await;
    }
}

#[tokio::test]
async fn appe_appends_and_makes_what_is_missing() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    for place in PLACES {
        for piece in [&b"one"[..], b"", b" two"] {
            assert_eq!(
                client.give(&format!("APPE {place}log"), piece).await.code,
                226
            );
        }
        assert_eq!(client.fetch(&format!("RETR {place}log")).await, b"one two");
    }
}

/// RFC 1123 4.1.2.9, INT-41: the name stands in the 150 and in the 226.
#[tokio::test]
async fn stou_finds_a_free_name_and_tells_it() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    client.ask("MKD d", 257).await;
    let mut names = Vec::new();
    for command in [
        "STOU scan",
        "STOU scan",
        "STOU scan",
        "STOU d/scan",
        "STOU d/scan",
        "STOU",
        "STOU",
    ] {
        let mut data = client.passive().await;
        let announced = client.ask(command, 150).await.text;
        let name = announced.strip_prefix("FILE: ").unwrap().to_owned();
        data.write_all(name.as_bytes()).await.unwrap();
        drop(data);
        assert!(
            client
                .expect(226)
                .await
                .text
                .ends_with(&format!("FILE: {name}"))
        );
        names.push(name);
    }
    assert_eq!(
        names[..5],
        ["scan", "scan.1", "scan.2", "d/scan", "d/scan.1"]
    );
    assert!(
        names[5].starts_with("ftp.") && names[5] != names[6],
        "{names:?}"
    );
    for name in names {
        assert_eq!(client.fetch(&format!("RETR {name}")).await, name.as_bytes());
    }
    client.ask("REST 5", 350).await;
    client.ask("STOU scan", 554).await;
}

/// What was announced and cannot fit is refused before its first octet; ALLO holds for one upload.
#[tokio::test]
async fn allo_of_more_than_there_is_refuses_early() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    client.ask("CWD small", 250).await;
    client.ask(&format!("ALLO {}", SMALL + 1), 452).await;
    client.ask(&format!("ALLO {SMALL}"), 200).await;
    client.store("fits", &pattern(400)).await;
    client.ask("ALLO 600", 200).await;
    client.ask("CWD /", 250).await;
    client.ask("ALLO 5000", 200).await;
    client.ask("STOR small/large", 452).await;
    client.store("small/second", &pattern(500)).await;
    client.ask("ALLO 4611686018427387905", 504).await;
}

/// A full device is told as such, and nothing of the file stays that could pass for whole.
#[tokio::test]
async fn a_full_device_in_the_middle_of_an_upload_is_452_and_leaves_what_stood_there() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    client.store("small/old", b"as it was").await;
    let reply = client.give("STOR small/old", &pattern(5000)).await;
    assert!(matches!(reply.code, 451 | 452), "{reply:?}");
    assert_eq!(client.fetch("RETR small/old").await, b"as it was");
    assert_eq!(client.list("NLST -a small").await, ["small/old"]);
    client.store("small/next", &pattern(900)).await;
}

/// What the back end says goes to the log, never to the peer.
#[tokio::test]
async fn a_broken_volume_is_451_without_its_words() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    house.memory.fail_after(Some(100));
    let reply = client.give("STOR broken", &pattern(5000)).await;
    assert_eq!(
        (reply.code, reply.text.as_str()),
        (451, "broken: Input/output error.")
    );
    house.memory.fail_after(None);
    client.store("mended", b"x").await;
}

#[tokio::test]
async fn two_writers_of_one_file_do_not_meet() {
    let house = House::usual().await;
    let mut one = Client::login(&house, "anna").await;
    let mut other = Client::login(&house, "anna").await;
    for place in PLACES {
        let mut data = one.passive().await;
        one.ask(&format!("STOR {place}file"), 150).await;
        let _other_data = other.passive().await;
        for command in ["STOR", "APPE"] {
            other.ask(&format!("{command} {place}file"), 450).await;
        }
        data.write_all(b"one").await.unwrap();
        drop(data);
        one.expect(226).await;
        other.store(&format!("{place}file"), b"other").await;
        assert_eq!(one.fetch(&format!("RETR {place}file")).await, b"other");
    }
}

/// What is being uploaded is seen only once it is whole.
#[tokio::test]
async fn readers_see_the_old_file_until_the_new_one_is_whole() {
    let house = House::usual().await;
    let mut writer = Client::login(&house, "anna").await;
    let mut reader = Client::login(&house, "rita").await;
    for place in PLACES {
        writer.store(&format!("{place}file"), b"old").await;
        let mut data = writer.passive().await;
        writer.ask(&format!("STOR {place}file"), 150).await;
        data.write_all(b"new, and longer").await.unwrap();
        writer.await_octets(15).await;
        assert_eq!(reader.fetch(&format!("RETR {place}file")).await, b"old");
        assert!(
            !reader
                .list(&format!("NLST -a {place}"))
                .await
                .iter()
                .any(|name| name.contains(".wharf"))
        );
        drop(data);
        writer.expect(226).await;
        assert_eq!(
            reader.fetch(&format!("RETR {place}file")).await,
            b"new, and longer"
        );
    }
}

#[tokio::test]
async fn directories_are_no_files() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    client.ask("MKD d", 257).await;
    for (command, code) in [
        ("RETR d", 550),
        ("RETR disk", 550),
        ("RETR /", 550),
        ("STOR d", 553),
        ("STOR disk", 553),
        ("STOR /", 553),
        ("APPE d", 553),
        ("STOR none/x", 553),
        ("SIZE d", 550),
        ("RETR none", 550),
    ] {
        let reply = client.say(command).await;
        assert_eq!(reply.code, code, "{command}: {reply:?}");
    }
}

/// INT-06: who has seen enough closes the data connection; the session goes on.
#[tokio::test]
async fn int_06_a_data_connection_closed_early_is_426_and_the_session_goes_on() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    for place in PLACES {
        client
            .store(&format!("{place}big"), &pattern(16 << 20))
            .await;
        let mut data = client.passive().await;
        client.ask(&format!("RETR {place}big"), 150).await;
        let mut piece = [0; 1000];
        soon(data.read_exact(&mut piece)).await.unwrap();
        drop(data);
        client.expect(426).await;
        client.store(&format!("{place}little"), b"x").await;
    }
}

/// DAT-32, upload rule: an upload whose connection breaks is no file, or the part where none stood.
#[tokio::test]
async fn an_upload_whose_connection_breaks_replaces_nothing() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    for place in PLACES {
        client.store(&format!("{place}old"), b"as it was").await;
        for name in ["old", "new"] {
            let mut data = client.passive().await;
            client.ask(&format!("STOR {place}{name}"), 150).await;
            data.write_all(b"part").await.unwrap();
            client.await_octets(4).await;
            reset(data);
            client.expect(426).await;
        }
        assert_eq!(
            client.fetch(&format!("RETR {place}old")).await,
            b"as it was"
        );
        assert_eq!(client.fetch(&format!("RETR {place}new")).await, b"part");
    }
    assert_eq!(house.disk_names(), ["new", "old"]);
}

/// INT-56: what ALLO announced and came is whole, however the connection ends.
#[tokio::test]
async fn int_56_an_upload_that_reached_its_announced_size_is_whole() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    for (announced, code) in [(5, 226), (6, 426)] {
        client.store("file", b"old").await;
        client.ask(&format!("ALLO {announced}"), 200).await;
        let mut data = client.passive().await;
        client.ask("STOR file", 150).await;
        data.write_all(b"whole").await.unwrap();
        client.await_octets(5).await;
        reset(data);
        client.expect(code).await;
        let stands: &[u8] = if code == 226 { b"whole" } else { b"old" };
        assert_eq!(client.fetch("RETR file").await, stands);
    }
}

/// Many sessions on two threads share their buffers and do not disturb one another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_transfers_at_once_keep_their_octets_apart() {
    let house = std::sync::Arc::new(House::usual().await);
    let tasks: Vec<_> = (0..24_usize)
        .map(|number| {
            let house = std::sync::Arc::clone(&house);
            tokio::spawn(async move {
                let mut client = Client::login(&house, "anna").await;
                let place = PLACES[number % 2];
                let bytes = pattern(600_000)[number..300_000 + number * 999].to_vec();
                for _ in 0..3 {
                    client.store(&format!("{place}file{number}"), &bytes).await;
                    assert!(
                        client.fetch(&format!("RETR {place}file{number}")).await == bytes,
                        "{number}"
                    );
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// 150 and 226 of a small file go out in two writes, whatever the transfer's speed (INT-50): the
/// reader below sees both, in order.
#[tokio::test]
async fn an_empty_file_has_both_replies() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    client.store("empty", b"").await;
    let mut data = client.passive().await;
    assert!(
        client
            .ask("RETR empty", 150)
            .await
            .text
            .contains("(0 bytes)")
    );
    client.expect(226).await;
    assert!(read_all(&mut data).await.unwrap().is_empty());
}
