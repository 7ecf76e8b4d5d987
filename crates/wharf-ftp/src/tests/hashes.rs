//! HASH and the X-verbs: ranges, limits and forms.

use super::*;

#[tokio::test]
async fn hashes_are_right_for_every_volume_and_range() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    for place in ["", "disk/"] {
        client.store(&format!("{place}abc"), b"abc").await;
        client.store(&format!("{place}two words"), b"abcabc").await;
        client.store(&format!("{place}empty"), b"").await;
        let hash = client.ask(&format!("HASH {place}abc"), 213).await.text;
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash, format!("SHA-256 0-2 {digest} {place}abc"));
        assert!(
            client
                .ask(&format!("HASH {place}empty"), 213)
                .await
                .text
                .starts_with("SHA-256 0-0 e3b0c442")
        );
        for (algorithm, start) in [
            ("MD5", "900150983cd24fb0"),
            ("CRC32", "352441c2"),
            ("SHA-1", "a9993e36"),
            ("SHA-512", "ddaf35a1"),
        ] {
            client.ask(&format!("OPTS HASH {algorithm}"), 200).await;
            let hash = client.ask(&format!("HASH {place}abc"), 213).await.text;
            assert!(
                hash.starts_with(&format!("{algorithm} 0-2 {start}")),
                "{hash}"
            );
        }
        client.ask("OPTS HASH SHA-256", 200).await;
        let crc = "352441C2";
        for form in [
            "abc",
            "\"{}abc\"",
            "abc 0 3",
            "abc 0",
            "two words 0 3",
            "\"{}two words\" 3 6",
            "\"{}two words\" 3",
        ] {
            let argument = if form.contains("{}") {
                form.replace("{}", place)
            } else {
                format!("{place}{form}")
            };
            assert!(
                client
                    .ask(&format!("XCRC {argument}"), 250)
                    .await
                    .text
                    .ends_with(crc),
                "{argument}"
            );
        }
        for range in ["4", "0 4", "4 4"] {
            client.ask(&format!("XCRC {place}abc {range}"), 550).await;
        }
        client.ask(&format!("XMD5 \"{place}abc\" 2 1"), 501).await;
        for (command, code) in [
            ("HASH {}none", 550),
            ("HASH {}", 553),
            ("XSHA1 {}none", 550),
            ("HASH", 501),
        ] {
            let reply = client
                .say(&command.replace("{}", if place.is_empty() { "/" } else { place }))
                .await;
            assert_eq!(reply.code, code, "{command}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn what_is_too_large_to_hash_is_556() {
    let mut plan = Plan::default();
    plan.settings.hash_max_bytes = 10;
    let house = plan.open().await;
    let mut client = Client::login(&house, "anna").await;
    client.store("eleven", b"01234567890").await;
    client.ask("HASH eleven", 556).await;
    client.ask("XCRC eleven", 550).await;
    client.ask("XCRC eleven 1 11", 250).await;
}
