//! Where TLS begins and where it ends: AUTH, the implicit port, CCC, REIN, and what does not belong.

use std::time::Duration;

use rustls::version::TLS13;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    super::client::{read_all, stop_the_clock},
    *,
};

async fn ccc_house() -> House {
    let mut plan = Plan::secure();
    plan.rules().ccc = true;
    plan.machine().command_events = true;
    plan.open().await
}

/// What comes until the end, whatever it is.
async fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = soon(socket.read_to_end(&mut bytes)).await;
    bytes
}

fn has(bytes: &[u8], words: &str) -> bool {
    bytes
        .windows(words.len())
        .any(|window| window == words.as_bytes())
}

/// CVE-2011-1575, RPL-33, TLS-60.
#[tokio::test]
async fn tls_60_what_is_sent_ahead_behind_auth_ends_the_session() {
    let house = ccc_house().await;
    for ahead in ["USER anna\r\n", "US", "\r\n", "\0"] {
        let mut client = Client::connect(&house).await;
        client.send(format!("AUTH TLS\r\n{ahead}")).await;
        client.expect_end(&[421]).await;
    }
    assert!(house.events("verb: \"USER\"").is_empty());
    assert!(house.events("Secured").is_empty());
}

/// TLS-60: in segments of one octet it is a 421 or a handshake of garbage, and never a command.
#[tokio::test]
async fn tls_60_what_is_sent_ahead_octet_by_octet_is_never_a_command() {
    let house = ccc_house().await;
    let mut client = Client::connect(&house).await;
    client.control.set_nodelay(true).unwrap();
    for octet in b"AUTH TLS\r\nUSER anna\r\nPASS secret\r\n" {
        if client.control.write_all(&[*octet]).await.is_err() {
            break;
        }
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
    let answer = rest(&mut client.control).await;
    assert!(!has(&answer, "331") && !has(&answer, "230"), "{answer:?}");
    assert!(house.events("verb: \"USER\"").is_empty());
    house.emptied().await;
}

/// TLS-03: the ClientHello in two reads, cut at every place.
#[tokio::test]
async fn tls_03_a_client_hello_may_be_cut_anywhere() {
    let house = Plan::secure().open().await;
    let config = Arc::new(house.client_config(&TLS13));
    let mut probe = Layer::new(&config);
    let mut hello = Vec::new();
    probe.tls.write_tls(&mut hello).unwrap();
    for cut in 1..hello.len() {
        let mut client = Client::connect(&house).await;
        client.control.set_nodelay(true).unwrap();
        client.ask("AUTH TLS", 234).await;
        let mut layer = Layer::cut_at(&config, cut);
        soon(layer.shake_hands(&mut client.control)).await.unwrap();
        client.tls = Some(layer);
        client.ask("NOOP", 200).await;
    }
}

/// The same with every octet alone, the commands behind it too, on both listeners.
#[tokio::test]
async fn tls_03_octet_by_octet() {
    let house = Plan::secure().open().await;
    for version in VERSIONS {
        let config = Arc::new(house.client_config(version));
        for address in [house.address, house.implicit] {
            let mut client = Client::connect_to(address).await;
            client.control.set_nodelay(true).unwrap();
            if address == house.address {
                client.expect(220).await;
                client.ask("AUTH TLS", 234).await;
            }
            let mut layer = Layer::in_octets(&config);
            soon(layer.shake_hands(&mut client.control)).await.unwrap();
            client.tls = Some(layer);
            if address == house.implicit {
                client.expect(220).await;
            }
            client.ask("USER anna", 331).await;
            client.ask("PASS secret", 230).await;
            client.ask("QUIT", 221).await;
        }
    }
}

/// TLS-03: 15 s, the alert or nothing, and an event with the reason.
#[tokio::test]
async fn tls_03_a_handshake_that_never_ends_is_ended() {
    let house = Plan::secure().open().await;
    let mut silent = Client::connect(&house).await;
    silent.ask("AUTH TLS", 234).await;
    let mut half = Client::connect(&house).await;
    half.ask("AUTH TLS", 234).await;
    half.send([0x16, 3, 1, 0, 200, 1, 0, 0]).await;
    let mut implicit = Client::connect_to(house.implicit).await;
    stop_the_clock();
    let before = crate::clock::now();
    for client in [&mut silent, &mut half, &mut implicit] {
        assert_eq!(rest(&mut client.control).await, b"");
    }
    let took = crate::clock::now() - before;
    assert!(
        took >= Duration::from_secs(14) && took < Duration::from_secs(20),
        "{took:?} by the stopped clock"
    );
    drop((silent, half, implicit));
    house.emptied().await;
    assert_eq!(house.events("no handshake within 15 s").len(), 3);
}

/// DAT-21: 30 s on a data connection, then 522; the session goes on.
#[tokio::test]
async fn dat_21_a_data_handshake_that_never_ends_is_522() {
    let house = Plan::secure().open().await;
    let mut secure = SecureClient::login(&house, &TLS13).await;
    for command in ["RETR file", "STOR new", "LIST"] {
        if command.starts_with("RETR") {
            secure.give("STOR file", b"x").await;
        }
        let data = secure.passive().await;
        secure.client.ask(command, 150).await;
        stop_the_clock();
        secure.client.expect(522).await;
        tokio::time::resume();
        drop(data);
    }
    assert_eq!(secure.fetch("NLST").await, b"disk\r\nfile\r\nsmall\r\n");
}

/// TLS-65: on the implicit port plain words get no words back.
#[tokio::test]
async fn tls_65_plaintext_on_the_implicit_port_gets_no_reply_text() {
    let house = Plan::secure().open().await;
    for words in [
        "USER anna\r\nPASS secret\r\n",
        "AUTH TLS\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\r\n",
    ] {
        let mut client = Client::connect_to(house.implicit).await;
        client.send(words).await;
        client.control.shutdown().await.unwrap();
        let answer = rest(&mut client.control).await;
        // An alert, at the most.
        assert!(
            answer.is_empty() || answer.first() == Some(&0x15) && answer.len() <= 7,
            "{answer:?}"
        );
    }
    house.emptied().await;
    assert_eq!(house.events("TlsFailed").len(), 4);
}

/// TLS-03: garbage instead of a handshake; nothing falls back to the clear.
#[tokio::test]
async fn tls_03_garbage_behind_the_234_ends_the_connection() {
    let house = ccc_house().await;
    let mut client = Client::connect(&house).await;
    client.ask("AUTH TLS", 234).await;
    client.send("USER anna\r\n").await;
    let answer = rest(&mut client.control).await;
    assert!(
        answer.is_empty() || answer.first() == Some(&0x15),
        "{answer:?}"
    );
    assert!(house.events("verb: \"USER\"").is_empty());
}

/// TLS-65, TLS-30, TLS-12: PBSZ is implied, PROT is P, AUTH is 503, REIN keeps TLS.
#[tokio::test]
async fn tls_65_the_implicit_port_is_private_from_the_start_and_after_rein() {
    let house = Plan::secure().open().await;
    for version in VERSIONS {
        let mut secure = SecureClient::implicit(&house, house.client_config(version)).await;
        secure.client.ask("AUTH TLS", 503).await;
        for _ in 0..2 {
            secure.enter("anna").await;
            assert_eq!(secure.give("STOR file", b"x").await.code, 226);
            secure.client.ask("PROT C", 200).await;
            assert_eq!(secure.client.fetch("RETR file").await, b"x");
            secure.client.ask("REIN", 220).await;
        }
    }
}

/// TLS-41, TLS-42: in order, and data connections go on as they were.
#[tokio::test]
async fn tls_41_ccc_ends_tls_and_data_connections_keep_theirs() {
    let house = ccc_house().await;
    for version in VERSIONS {
        let mut secure = SecureClient::login(&house, version).await;
        secure.client.ask("CCC", 200).await;
        let mut layer = secure.client.tls.take().unwrap();
        layer.close(&mut secure.client.control).await.unwrap();
        // Its close_notify comes although the connection goes on.
        let rest = soon(layer.read_all(&mut secure.client.control)).await;
        assert_eq!(rest.unwrap(), b"");
        secure.client.ask("NOOP", 200).await;
        assert_eq!(secure.give("STOR file", b"x").await.code, 226);
        let mut data = secure.begin("RETR file").await;
        assert!(data.layer.is_resumed());
        assert_eq!(data.read_all().await.unwrap(), b"x");
        secure.client.expect(226).await;
        secure.client.ask("USER anna", 534).await;
        secure.client.ask("PROT C", 503).await;
        secure.client.ask("REIN", 220).await;
        secure.auth().await;
        secure.client.ask("PBSZ 0", 200).await;
        secure.client.ask("PROT P", 200).await;
        secure.enter("anna").await;
        assert_eq!(secure.fetch("RETR file").await, b"x");
    }
}

/// TLS-41: clients that never say close_notify are heard in the clear.
#[tokio::test]
async fn tls_41_ccc_takes_plain_words_for_a_close_notify() {
    let house = ccc_house().await;
    let mut secure = SecureClient::login(&house, &TLS13).await;
    secure.client.ask("CCC", 200).await;
    let mut layer = secure.client.tls.take().unwrap();
    assert_eq!(
        soon(layer.read_all(&mut secure.client.control))
            .await
            .unwrap(),
        b""
    );
    secure.client.ask("NOOP", 200).await;
    assert_eq!(secure.fetch("NLST").await, b"disk\r\nsmall\r\n");
}

/// TLS-41: close_notify and the first plain command in one segment; and nothing for 5 s.
#[tokio::test]
async fn tls_41_what_comes_behind_the_close_notify_is_plain() {
    let house = ccc_house().await;
    let mut secure = SecureClient::login(&house, &TLS13).await;
    secure.client.ask("CCC", 200).await;
    let mut layer = secure.client.tls.take().unwrap();
    layer.tls.send_close_notify();
    let mut both = Vec::new();
    layer.tls.write_tls(&mut both).unwrap();
    both.extend_from_slice(b"NOOP\r\nPW");
    secure.client.send(both).await;
    assert_eq!(
        soon(layer.read_all(&mut secure.client.control))
            .await
            .unwrap(),
        b"",
    );
    // What the client's TLS has read behind the close_notify is lost to this test, if anything.
    secure.client.send("D\r\nNOOP\r\n").await;
    while secure.client.reply().await.code != 257 {}
    secure.client.expect(200).await;

    let mut secure = SecureClient::login(&house, &TLS13).await;
    secure.client.ask("CCC", 200).await;
    let mut layer = secure.client.tls.take().unwrap();
    soon(layer.read_all(&mut secure.client.control))
        .await
        .unwrap();
    stop_the_clock();
    tokio::time::sleep(Duration::from_secs(6)).await;
    secure.client.ask("NOOP", 200).await;
}

/// RPL-35: what comes under TLS behind CCC is never executed.
#[tokio::test]
async fn rpl_35_what_is_sent_ahead_behind_ccc_ends_the_session() {
    use std::io::Write as _;
    let house = ccc_house().await;
    for version in VERSIONS {
        // In one record the machine finds it before its 200.
        let mut secure = SecureClient::login(&house, version).await;
        secure.client.send("CCC\r\nMKD never\r\n").await;
        secure.client.expect_end(&[421]).await;
        // In a record of its own it comes behind the 200.
        let mut secure = SecureClient::login(&house, version).await;
        let layer = secure.client.tls.as_mut().unwrap();
        layer.tls.writer().write_all(b"CCC\r\n").unwrap();
        layer.tls.writer().write_all(b"MKD never\r\n").unwrap();
        layer.flush(&mut secure.client.control).await.unwrap();
        secure.client.expect_end(&[200]).await;
    }
    assert!(house.events("verb: \"MKD\"").is_empty());
    assert!(house.events("DirectoryMade").is_empty());
    house.emptied().await;
}

/// TLS-44.
#[tokio::test]
async fn tls_44_rein_ends_tls_on_an_explicit_connection() {
    let house = ccc_house().await;
    for version in VERSIONS {
        let mut secure = SecureClient::login(&house, version).await;
        secure.client.ask("REIN", 220).await;
        let mut layer = secure.client.tls.take().unwrap();
        layer.close(&mut secure.client.control).await.unwrap();
        soon(layer.read_all(&mut secure.client.control))
            .await
            .unwrap();
        secure.client.ask("PROT P", 503).await;
        secure.client.ask("USER anna", 331).await;
        secure.client.ask("PASS secret", 230).await;
        assert_eq!(secure.client.fetch("NLST").await, b"disk\r\nsmall\r\n");
        // AUTH after a login in the clear logs out (TLS-12).
        secure.auth().await;
        secure.client.ask("PWD", 530).await;
        secure.client.ask("PBSZ 0", 200).await;
        secure.client.ask("PROT P", 200).await;
        secure.enter("anna").await;
        assert_eq!(secure.fetch("NLST").await, b"disk\r\nsmall\r\n");
    }
}

/// TLS-11: every end under TLS is said.
#[tokio::test]
async fn tls_11_close_notify_comes_before_the_end() {
    let house = Plan::secure().open().await;
    let mut quits = SecureClient::login(&house, &TLS13).await;
    quits.client.ask("QUIT", 221).await;
    let kicked = SecureClient::login(&house, &TLS13).await;
    house.engine.registry.end_all(wharf_engine::Ending::Now);
    for mut secure in [quits, kicked] {
        let mut layer = secure.client.tls.take().unwrap();
        // An end without close_notify would be an error.
        soon(layer.read_all(&mut secure.client.control))
            .await
            .unwrap();
    }
}

/// TLS broken in the middle: the alert, and the end.
#[tokio::test]
async fn tls_03_broken_records_end_the_session() {
    let house = Plan::secure().open().await;
    let mut secure = SecureClient::login(&house, &TLS13).await;
    secure.client.tls = None;
    secure.client.send("NOOP\r\n").await;
    let answer = read_all(&mut secure.client.control).await.unwrap();
    assert_eq!(
        answer.first(),
        Some(&0x17),
        "an alert, encrypted: {answer:?}"
    );
    house.emptied().await;
    assert_eq!(house.events("TlsFailed").len(), 1);
}

/// TLS-13: without a certificate nothing is offered.
#[tokio::test]
async fn tls_13_without_a_certificate_there_is_no_tls() {
    let mut plan = Plan::default();
    plan.rules().offered = true;
    let house = plan.open().await;
    let mut client = Client::connect(&house).await;
    let features = client.ask("FEAT", 211).await.text;
    assert!(!features.contains("AUTH"), "{features}");
    assert!(client.say("AUTH TLS").await.code >= 431);
    client.ask("NOOP", 200).await;
    let mut implicit = Client::connect_to(house.implicit).await;
    assert_eq!(rest(&mut implicit.control).await, b"");
}
