//! TYPE A: line ends both ways, sizes, restarts (DAT-41, DAT-47, DAT-48).

use super::*;

async fn house_with_text() -> (House, Client) {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    client.ask("TYPE A", 200).await;
    (house, client)
}

#[tokio::test]
async fn dat_41_line_ends_are_lf_in_the_file_and_crlf_on_the_wire() {
    let (_house, mut client) = house_with_text().await;
    for (wire, file) in [
        (&b"one\r\ntwo\r\n"[..], &b"one\ntwo\n"[..]),
        (b"", b""),
        (b"lone\rcr\r\n", b"lone\rcr\n"),
        (b"cr at the end\r", b"cr at the end\r"),
        (b"\r\r\n", b"\r\n"),
    ] {
        for place in ["", "disk/"] {
            client.store(&format!("{place}text"), wire).await;
            client.ask("TYPE I", 200).await;
            assert_eq!(client.fetch(&format!("RETR {place}text")).await, file);
            client.ask("TYPE A", 200).await;
            assert_eq!(client.fetch(&format!("RETR {place}text")).await, wire);
            assert_eq!(
                client.ask(&format!("SIZE {place}text"), 213).await.text,
                wire.len().to_string()
            );
        }
    }
}

/// A restart may lie between CR and LF of a line end when it is fetched; when it is stored it may not.
#[tokio::test]
async fn dat_48_restarts_count_octets_of_the_wire() {
    let (_house, mut client) = house_with_text().await;
    let wire = b"one\r\ntwo\r\nthree\r\n";
    for place in ["", "disk/"] {
        let name = format!("{place}text");
        client.store(&name, wire).await;
        for offset in 0..=wire.len() {
            client.ask(&format!("REST {offset}"), 350).await;
            assert_eq!(
                client.fetch(&format!("RETR {name}")).await,
                &wire[offset..],
                "{offset}"
            );
        }
        client.ask(&format!("REST {}", wire.len() + 1), 350).await;
        client.ask(&format!("RETR {name}"), 554).await;
        for offset in 0..=wire.len() {
            client.store(&name, wire).await;
            client.ask(&format!("REST {offset}"), 350).await;
            let splits = offset > 0 && wire[offset - 1] == b'\r';
            if splits {
                client.ask(&format!("STOR {name}"), 554).await;
            } else {
                assert_eq!(
                    client
                        .give(&format!("STOR {name}"), &wire[offset..])
                        .await
                        .code,
                    226,
                    "{offset}"
                );
            }
            assert_eq!(
                client.fetch(&format!("RETR {name}")).await,
                wire,
                "{offset}"
            );
        }
    }
}

#[tokio::test]
async fn a_size_that_would_have_to_be_counted_for_long_is_refused() {
    let (_house, mut client) = house_with_text().await;
    client.ask("TYPE I", 200).await;
    client.store("large", &vec![b'\n'; (1 << 20) + 1]).await;
    client.ask("SIZE large", 213).await;
    client.ask("TYPE A", 200).await;
    client.ask("SIZE large", 550).await;
    let mut data = client.passive().await;
    let text = client.ask("RETR large", 150).await.text;
    assert!(
        !text.contains("bytes)"),
        "no size that nobody knows: {text}"
    );
    assert_eq!(
        client::read_all(&mut data).await.unwrap().len(),
        2 * ((1 << 20) + 1)
    );
    client.expect(226).await;
}
