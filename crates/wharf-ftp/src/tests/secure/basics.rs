//! Up, down and lists under TLS, on both kinds of listeners.

use super::{super::client::pattern, *};

const PLACES: [&str; 2] = ["", "disk/"];

async fn up_down_and_list(secure: &mut SecureClient) {
    for place in PLACES {
        for length in [0, 1, 4096, 65_537, 3_000_001] {
            let bytes = pattern(length);
            let reply = secure.give(&format!("STOR {place}file"), &bytes).await;
            assert_eq!(reply.code, 226, "{reply:?}");
            let size = secure.client.ask(&format!("SIZE {place}file"), 213).await;
            assert_eq!(size.text, length.to_string());
            assert!(secure.fetch(&format!("RETR {place}file")).await == bytes);
        }
        let reply = secure.give(&format!("APPE {place}file"), b"more").await;
        assert_eq!(reply.code, 226, "{reply:?}");
        secure.client.ask("REST 3000001", 350).await;
        assert_eq!(secure.fetch(&format!("RETR {place}file")).await, b"more");
        secure.client.ask("TYPE A", 200).await;
        let reply = secure
            .give(&format!("STOR {place}text"), b"a\r\nb\r\n")
            .await;
        assert_eq!(reply.code, 226, "{reply:?}");
        assert_eq!(
            secure.fetch(&format!("RETR {place}text")).await,
            b"a\r\nb\r\n"
        );
        secure.client.ask("TYPE I", 200).await;
        assert_eq!(secure.fetch(&format!("RETR {place}text")).await, b"a\nb\n");
        for command in ["LIST", "NLST", "MLSD"] {
            let bytes = secure.fetch(&format!("{command} /{place}")).await;
            let text = String::from_utf8(bytes).unwrap();
            assert!(
                text.contains("file\r\n") && text.contains("text\r\n"),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn tls_01_what_was_stored_comes_back_explicit() {
    for version in VERSIONS {
        let house = Plan::secure().open().await;
        let mut secure = SecureClient::login(&house, version).await;
        up_down_and_list(&mut secure).await;
        secure.client.ask("QUIT", 221).await;
        secure.client.expect_end(&[]).await;
    }
}

#[tokio::test]
async fn tls_01_what_was_stored_comes_back_implicit() {
    for version in VERSIONS {
        let house = Plan::secure().open().await;
        let mut secure = SecureClient::implicit(&house, house.client_config(version)).await;
        secure.enter("anna").await;
        up_down_and_list(&mut secure).await;
        secure.client.ask("QUIT", 221).await;
        secure.client.expect_end(&[]).await;
    }
}
