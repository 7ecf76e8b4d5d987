//! Files to a server.

use wharf_proto::tftp::{Packet, packet};

use super::{Case, asked, noise, options, server::wire, whole};
use crate::{Kind, Options, Verified};

/// TFT-30, TFT-31, TFT-34: empty files, exact multiples, several runs; the size is told before.
#[tokio::test]
async fn tft_31_files_of_every_length_are_sent_whole() {
    for (length, window) in [
        (0, 1),
        (1, 16),
        (511, 4),
        (512, 1),
        (512 * 16, 16),
        (512 * 512, 16),
        (512 * 17 + 5, 16),
        (1_000_000, 5),
    ] {
        let case = Case::new(options()).await;
        let content = noise(length);
        let size = length.to_string();
        let script = async {
            let (session, request) = case.server.accept().await;
            assert!(request.starts_with(b"\0\x02d/f\0octet\0"));
            assert_eq!(asked(&request)[1..3], ["tsize", size.as_str()]);
            let blocks = window.to_string();
            session
                .oack(&[
                    ("tsize", &size),
                    ("blksize", "512"),
                    ("windowsize", &blocks),
                ])
                .await;
            session.receive(512, window).await
        };
        let (result, received) = tokio::join!(case.put("d/f", &content), script);
        assert_eq!(result.unwrap(), whole(length, Verified::Size), "{length}");
        assert!(received == content, "{length} octets differ");
    }
}

/// RFC 2348: the largest block there is, and windows of it.
#[tokio::test]
async fn largest_blocks_are_sent_whole() {
    let mut options = options();
    options.tftp.block_size = 65_464;
    let case = Case::new(options).await;
    let content = noise(65_464 * 9);
    let script = async {
        let (session, _) = case.server.accept().await;
        session
            .oack(&[("blksize", "65464"), ("windowsize", "2")])
            .await;
        session.receive(65_464, 2).await
    };
    let (result, received) = tokio::join!(case.put("f", &content), script);
    assert_eq!(result.unwrap(), whole(content.len(), Verified::Closed));
    assert!(received == content);
}

/// TFT-36, D-26.
#[tokio::test]
async fn tft_36_block_numbers_of_an_upload_begin_again_at_zero() {
    let case = Case::new(options()).await;
    let content = noise(8 * 65_600 + 3);
    let script = async {
        let (session, _) = case.server.accept().await;
        session
            .oack(&[("blksize", "8"), ("windowsize", "16")])
            .await;
        session.receive(8, 16).await
    };
    let (result, received) = tokio::join!(case.put("f", &content), script);
    assert_eq!(result.unwrap().size, content.len() as u64);
    assert!(received == content);
}

/// A server that answers every tsize with 0, or with a size cut to 32 bits, has not agreed on it.
#[tokio::test]
async fn size_that_does_not_come_back_proves_nothing() {
    let case = Case::new(options()).await;
    let content = noise(2000);
    let script = async {
        let (session, _) = case.server.accept().await;
        session.oack(&[("tsize", "0")]).await;
        session.receive(512, 1).await
    };
    let (result, received) = tokio::join!(case.put("f", &content), script);
    assert_eq!(result.unwrap(), whole(2000, Verified::Closed));
    assert!(received == content);
}

/// RFC 1350: a server that knows no options answers with ACK 0.
#[tokio::test]
async fn ack_0_means_blocks_of_512_one_at_a_time() {
    let case = Case::new(options()).await;
    let content = noise(2000);
    let script = async {
        let (session, _) = case.server.accept().await;
        session.ack(0).await;
        session.receive(512, 1).await
    };
    let (result, received) = tokio::join!(case.put("f", &content), script);
    assert_eq!(result.unwrap(), whole(2000, Verified::Closed));
    assert!(received == content);
}

/// TFT-34: an ACK inside the window moves it, and what follows comes again.
#[tokio::test]
async fn tft_34_sender_goes_on_behind_the_acknowledged_block() {
    let case = Case::new(options()).await;
    let content = noise(512 * 5 + 1);
    let script = async {
        let (session, _) = case.server.accept().await;
        session
            .oack(&[("blksize", "512"), ("windowsize", "4")])
            .await;
        for block in 1..=4 {
            let datagram = session.hear().await;
            assert_eq!(datagram[..4], packet::data_header(block));
        }
        // Block 3 was lost.
        session.ack(2).await;
        let mut rest = content[..1024].to_vec();
        for block in 3..=6 {
            let datagram = session.hear().await;
            assert_eq!(datagram[..4], packet::data_header(block));
            rest.extend_from_slice(&datagram[4..]);
        }
        session.ack(6).await;
        rest
    };
    let (result, received) = tokio::join!(case.put("f", &content), script);
    result.unwrap();
    assert!(received == content);
}

/// TFT-33: a lost block comes again when its time is over, though nobody asks.
#[tokio::test]
async fn tft_33_block_without_an_answer_comes_again() {
    let case = Case::new(options()).await;
    let script = async {
        let (session, _) = case.server.accept().await;
        session.ack(0).await;
        let lost = session.hear().await;
        assert_eq!(session.hear().await, lost);
        session.ack(1).await;
    };
    let (result, ()) = tokio::join!(case.put("f", b"abc"), script);
    result.unwrap();
}

/// TFT-40: line ends grow, pairs are split by blocks, and the size that is told is that on the wire.
#[tokio::test]
async fn tft_40_text_goes_out_as_netascii() {
    for length in [0, 5, 8, 100, 200_000] {
        let case = Case::new(options()).await;
        let host: Vec<u8> = b"ab\nc\rd\n\n\r\r\n"
            .iter()
            .copied()
            .cycle()
            .take(length)
            .collect();
        let mut expected = Vec::new();
        for octet in &host {
            match octet {
                b'\n' => expected.extend_from_slice(b"\r\n"),
                b'\r' => expected.extend_from_slice(b"\r\0"),
                other => expected.push(*other),
            }
        }
        let size = expected.len().to_string();
        let script = async {
            let (session, request) = case.server.accept().await;
            assert_eq!(asked(&request)[..3], ["netascii", "tsize", size.as_str()]);
            session
                .oack(&[("tsize", &size), ("blksize", "9"), ("windowsize", "8")])
                .await;
            session.receive(9, 8).await
        };
        let (result, received) = tokio::join!(case.put("f;mode=netascii", &host), script);
        assert_eq!(result.unwrap(), whole(length, Verified::Size));
        assert!(received == expected, "{length} octets differ");
    }
}

/// T03; TFT-38's like on this side: an ERROR ends it at once, at any step.
#[tokio::test]
async fn error_at_any_step_ends_an_upload() {
    for step in 0..3 {
        let case = Case::new(options()).await;
        let script = async {
            let (session, _) = case.server.accept().await;
            for block in 0..step {
                session.ack(wire(block)).await;
                session.hear().await;
            }
            session.error(6).await;
        };
        let content = noise(5000);
        let (result, ()) = tokio::join!(case.put("f", &content), script);
        let error = result.unwrap_err();
        assert_eq!(
            (error.kind(), error.code(), error.cause()),
            (Kind::Rejected, Some(6), Some("T03"))
        );
        assert!(!case.server.was_asked_again());
    }
}

/// TFT-37: without the last ACK nobody knows, and success is not claimed.
#[tokio::test]
async fn tft_37_missing_last_ack_is_no_success() {
    let case = Case::new(options()).await;
    let script = async {
        let (session, _) = case.server.accept().await;
        session.ack(0).await;
        while let Ok(Packet::Data { .. }) = Packet::parse(&session.hear().await) {}
    };
    let (result, ()) = tokio::join!(case.put("f", b"abc"), script);
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (Kind::Partial, true));
}

/// TFT-41's like on this side: the server hears that the file is not what it was.
#[tokio::test]
async fn file_that_shrinks_while_it_is_sent_ends_the_upload() {
    let case = Case::new(options()).await;
    let script = async {
        let (session, _) = case.server.accept().await;
        std::fs::write(case.path(), b"less").unwrap();
        session.ack(0).await;
        assert_eq!(session.hear_error().await, 0);
    };
    let content = noise(5000);
    let (result, ()) = tokio::join!(case.put("f", &content), script);
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Local);
    assert!(error.to_string().contains("changed"), "{error}");
}

/// A text's size on the wire is told before it is sent: one that needs more by then would lose its end.
#[tokio::test]
async fn text_that_gains_lines_while_it_is_sent_ends_the_upload() {
    for (before, after) in [("abcdef", "a\n\n\nef"), ("a\n\n\nef", "abcdef")] {
        let case = Case::new(options()).await;
        let script = async {
            let (session, _) = case.server.accept().await;
            std::fs::write(case.path(), after).unwrap();
            session.ack(0).await;
            assert_eq!(session.hear_error().await, 0);
        };
        let sent = case.put("f;mode=netascii", before.as_bytes());
        let (result, ()) = tokio::join!(sent, script);
        let error = result.unwrap_err();
        assert_eq!(error.kind(), Kind::Local);
        assert!(error.to_string().contains("changed"), "{error}");
    }
}

/// Strange ACKs: of blocks that never went out, of earlier windows, and packets that no sender gets.
#[tokio::test]
async fn hostile_acks_change_nothing() {
    let case = Case::new(options()).await;
    let content = noise(512 * 6);
    let script = async {
        let (session, _) = case.server.accept().await;
        session
            .oack(&[("blksize", "512"), ("windowsize", "2")])
            .await;
        for number in [5, 40_000, 65_535, 0] {
            session.ack(number).await;
        }
        session.data(1, &noise(600)).await;
        session.oack(&[("blksize", "8")]).await;
        session.receive(512, 2).await
    };
    let (result, received) = tokio::join!(case.put("f", &content), script);
    result.unwrap();
    assert!(received == content);
}

/// TFT-50 for uploads; each attempt is a whole one.
#[tokio::test]
async fn upload_is_tried_again_from_the_start() {
    let case = Case::new(Options {
        retries: 1,
        ..options()
    })
    .await;
    let content = noise(3000);
    let script = async {
        let (session, _) = case.server.accept().await;
        session.error(5).await;
        let (session, _) = case.server.accept().await;
        session.ack(0).await;
        session.receive(512, 1).await
    };
    let (result, received) = tokio::join!(case.put("f", &content), script);
    result.unwrap();
    assert!(received == content);
}
