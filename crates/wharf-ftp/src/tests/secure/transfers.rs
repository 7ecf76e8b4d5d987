//! Transfers under TLS: the ways that data connections come about and the ways that they end.

use rustls::version::TLS13;
use tokio::io::AsyncWriteExt as _;

use super::{
    super::client::{pattern, reset},
    *,
};

const BIG: usize = 16 << 20;

/// TLS-64: we connect, and are the TLS server all the same (RFC 4217 7).
#[tokio::test]
async fn tls_64_active_mode() {
    let house = Plan::secure().open().await;
    for version in VERSIONS {
        let explicit = SecureClient::login(&house, version).await;
        let mut implicit = SecureClient::implicit(&house, house.client_config(version)).await;
        implicit.enter("anna").await;
        for mut secure in [explicit, implicit] {
            for command in ["STOR file", "RETR file", "NLST disk"] {
                let listener = secure.client.active().await;
                secure.client.ask(command, 150).await;
                let (socket, _) = soon(listener.accept()).await.unwrap();
                let mut data = Data {
                    socket,
                    layer: Layer::new(&secure.config),
                };
                soon(data.layer.shake_hands(&mut data.socket))
                    .await
                    .unwrap();
                if command.starts_with("STOR") {
                    data.write(&pattern(100_000)).await;
                    data.finish().await;
                } else {
                    let bytes = data.read_all().await.unwrap();
                    assert!(!command.starts_with("RETR") || bytes == pattern(100_000));
                }
                secure.client.expect(226).await;
            }
        }
    }
}

/// DAT-21: some clients shake hands before they read the 150, some behind it.
#[tokio::test]
async fn dat_21_a_client_may_begin_its_handshake_before_the_150() {
    let house = Plan::secure().open().await;
    for version in VERSIONS {
        let mut secure = SecureClient::login(&house, version).await;
        for length in [5, 100_000] {
            let bytes = pattern(length);
            for command in ["STOR file", "RETR file", "LIST"] {
                let mut data = secure.passive().await;
                let handshake = data.layer.shake_hands(&mut data.socket);
                let (shaken, _) =
                    soon(async { tokio::join!(handshake, secure.client.ask(command, 150)) }).await;
                shaken.unwrap();
                if command.starts_with("STOR") {
                    data.write(&bytes).await;
                    data.finish().await;
                } else {
                    let sent = data.read_all().await.unwrap();
                    assert!(!command.starts_with("RETR") || sent == bytes);
                }
                secure.client.expect(226).await;
            }
        }
    }
}

#[tokio::test]
async fn stat_and_abor_are_heard_while_a_transfer_runs_under_tls() {
    let house = Plan::secure().open().await;
    for version in VERSIONS {
        let mut secure = SecureClient::login(&house, version).await;
        for place in ["", "disk/"] {
            let big = format!("{place}big");
            assert_eq!(
                secure
                    .give(&format!("STOR {big}"), &pattern(BIG))
                    .await
                    .code,
                226
            );
            let mut data = secure.begin(&format!("RETR {big}")).await;
            secure.client.await_octets(1).await;
            // As `lftp` says it, under TLS.
            secure.client.send(b"\xff\xf4\xff\xf2ABOR\r\n").await;
            secure.client.expect(426).await;
            secure.client.expect(226).await;
            // DAT-33: nobody takes it for whole.
            assert!(data.read_all().await.is_err());
            let mut data = secure.begin(&format!("STOR {big}")).await;
            data.write(&pattern(300_000)).await;
            secure.client.await_octets(300_000).await;
            secure.client.ask("ABOR", 426).await;
            secure.client.expect(226).await;
            drop(data);
            assert!(secure.fetch(&format!("RETR {big}")).await == pattern(BIG));
            let data = secure.begin(&format!("STOR {place}new")).await;
            secure.client.ask("ABOR", 426).await;
            secure.client.expect(226).await;
            drop(data);
        }
        assert_eq!(house.disk_names(), ["big"]);
        // DAT-61: before the handshake, too.
        let data = secure.passive().await;
        secure.client.ask("RETR big", 150).await;
        secure.client.ask("ABOR", 426).await;
        secure.client.expect(226).await;
        drop(data);
        secure.client.ask("DELE disk/big", 250).await;
    }
}

/// RPL-12: the end of the record of an ABOR that was sent as urgent data.
#[tokio::test]
async fn rpl_12_an_urgent_abor_under_tls() {
    use std::io::Write as _;
    let house = Plan::secure().open().await;
    let mut secure = SecureClient::login(&house, &TLS13).await;
    assert_eq!(secure.give("STOR big", &pattern(BIG)).await.code, 226);
    for urgent in [1, 5, usize::MAX] {
        let data = secure.begin("RETR big").await;
        let layer = secure.client.tls.as_mut().unwrap();
        layer.tls.writer().write_all(b"ABOR\r\n").unwrap();
        let mut record = Vec::new();
        layer.tls.write_tls(&mut record).unwrap();
        let (ahead, urgent) = record.split_at(record.len().saturating_sub(urgent));
        let tls = secure.client.tls.take();
        if !ahead.is_empty() {
            secure.client.send(ahead).await;
        }
        secure.client.send_urgent(urgent).await;
        secure.client.tls = tls;
        secure.client.line("NOOP").await;
        for code in [426, 226, 200] {
            secure.client.expect(code).await;
        }
        drop(data);
    }
}

/// TLS-66, DAT-24: an upload that ends without close_notify, as the policy and ALLO have it.
#[tokio::test]
async fn tls_66_an_upload_cut_without_close_notify() {
    for required in [false, true] {
        let mut plan = Plan::secure();
        plan.tls().require_close_notify = required;
        let house = plan.open().await;
        for version in VERSIONS {
            let mut secure = SecureClient::login(&house, version).await;
            for place in ["", "disk/"] {
                for announced in [None, Some(10), Some(11)] {
                    assert_eq!(
                        secure
                            .give(&format!("STOR {place}file"), b"before")
                            .await
                            .code,
                        226
                    );
                    if let Some(octets) = announced {
                        secure.client.ask(&format!("ALLO {octets}"), 200).await;
                    }
                    let mut data = secure.begin(&format!("STOR {place}file")).await;
                    data.write(&pattern(10)).await;
                    data.socket.shutdown().await.unwrap();
                    let is_whole = !required && announced != Some(11);
                    secure.client.expect(if is_whole { 226 } else { 426 }).await;
                    drop(data);
                    let expected = if is_whole {
                        pattern(10)
                    } else {
                        b"before".to_vec()
                    };
                    assert_eq!(secure.fetch(&format!("RETR {place}file")).await, expected);
                    // With its close_notify the same upload is whole, whatever was announced.
                    secure.client.ask("ALLO 11", 200).await;
                    let reply = secure
                        .give(&format!("STOR {place}file"), &pattern(10))
                        .await;
                    assert_eq!(reply.code, 226, "{reply:?}");
                }
            }
        }
        assert_eq!(house.disk_names(), ["file"]);
    }
}

/// DAT-33 under TLS: a reset is never an end.
#[tokio::test]
async fn a_reset_under_tls_aborts_the_upload() {
    let house = Plan::secure().open().await;
    for version in VERSIONS {
        let mut secure = SecureClient::login(&house, version).await;
        let mut data = secure.begin("STOR disk/file").await;
        data.write(&pattern(1000)).await;
        secure.client.await_octets(1000).await;
        reset(data.socket);
        secure.client.expect(426).await;
        secure.client.ask("DELE disk/file", 250).await;
    }
}

/// TLS-37: a client that sends a file and never reads (lftp) finds no tickets in its way: closing with
/// them unread would be a reset, which destroys what of the file still waits in the client.
#[tokio::test]
async fn tls_37_an_upload_of_a_client_that_reads_no_tickets_is_whole() {
    let house = Plan::secure().open().await;
    for version in VERSIONS {
        let mut secure = SecureClient::login(&house, version).await;
        for length in [0, 1, 1000, 3_000_000] {
            let mut data = secure.begin("STOR disk/file").await;
            data.write(&pattern(length)).await;
            data.layer.close(&mut data.socket).await.unwrap();
            drop(data);
            let reply = secure.client.reply().await;
            assert_eq!(reply.code, 226, "{length} {version:?} {reply:?}");
            assert!(secure.fetch("RETR disk/file").await == pattern(length));
        }
    }
}

/// PROT C under TLS: the control connection is secure, the data are not.
#[tokio::test]
async fn prot_c_leaves_data_connections_as_they_are() {
    let house = Plan::secure().open().await;
    let mut secure = SecureClient::login(&house, &TLS13).await;
    secure.client.ask("PROT C", 200).await;
    secure.client.store("file", b"plain").await;
    assert_eq!(secure.client.fetch("RETR file").await, b"plain");
    secure.client.ask("PROT P", 200).await;
    assert_eq!(secure.fetch("RETR file").await, b"plain");
}

/// DAT-30: what is known before the 150 is said before it, under TLS too.
#[tokio::test]
async fn dat_30_refusals_come_before_the_150() {
    for atomic in [true, false] {
        let mut plan = Plan::secure();
        plan.view.upload.atomic = atomic;
        let house = plan.open().await;
        let mut anna = SecureClient::login(&house, &TLS13).await;
        anna.client.ask("MKD dir", 257).await;
        assert_eq!(anna.give("STOR file", b"x").await.code, 226);
        for command in [
            "STOR dir",
            "APPE dir",
            "STOR none/x",
            "APPE none/x",
            "APPE file/x",
            "RETR none",
        ] {
            anna.client.passive_address().await;
            let code = anna.client.say(command).await.code;
            assert!(code >= 450, "{command}: {code}");
        }
        let mut rita = SecureClient::explicit(&house, house.client_config(&TLS13)).await;
        rita.enter("rita").await;
        for command in ["STOR file", "STOR new", "APPE file", "APPE new", "STOU"] {
            rita.client.passive_address().await;
            let code = rita.client.say(command).await.code;
            assert!(code >= 550, "{command}: {code}");
        }
    }
}
