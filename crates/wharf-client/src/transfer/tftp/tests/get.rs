//! Files from a server.

use std::time::Duration;

use super::{Case, noise, options, server::Session, whole};
use crate::{Kind, Options, Verified, transfer};

/// Answers a request with these terms, sends the file, and goes.
async fn serve(case: &Case, terms: &[(&str, &str)], content: &[u8], block: usize, window: u64) {
    let (session, _) = case.server.accept().await;
    open(&session, terms).await;
    session.send(content, block, window).await;
}

async fn open(session: &Session, terms: &[(&str, &str)]) {
    session.oack(terms).await;
    session.until_ack(0).await;
}

/// TFT-31, TFT-51: a server may grant less; empty files and exact multiples end with an empty block.
#[tokio::test]
async fn tft_31_files_of_every_length_arrive_whole() {
    for (length, window) in [
        (0, 1),
        (1, 16),
        (511, 4),
        (512, 1),
        (512 * 16, 16),
        (512 * 17 + 5, 16),
        (300_000, 16),
        (1_000_000, 5),
    ] {
        let case = Case::new(options()).await;
        let content = noise(length);
        let (size, blocks) = (length.to_string(), window.to_string());
        let terms = [
            ("tsize", size.as_str()),
            ("blksize", "512"),
            ("windowsize", blocks.as_str()),
        ];
        let (result, ()) = tokio::join!(case.get("f"), serve(&case, &terms, &content, 512, window));
        assert_eq!(result.unwrap(), whole(length, Verified::Size), "{length}");
        assert!(case.content() == content, "{length} octets differ");
        assert_eq!(case.names(), ["f"]);
    }
}

/// RFC 2348: the largest block there is.
#[tokio::test]
async fn largest_blocks_arrive_whole() {
    let mut options = options();
    options.tftp.block_size = 65_464;
    let case = Case::new(options).await;
    let content = noise(65_464 * 9 + 1);
    let terms = [("blksize", "65464"), ("windowsize", "2")];
    let (result, ()) = tokio::join!(case.get("f"), serve(&case, &terms, &content, 65_464, 2));
    assert_eq!(result.unwrap(), whole(content.len(), Verified::Closed));
    assert!(case.content() == content);
}

/// TFT-36, D-26: the block after 65535 is 0.
#[tokio::test]
async fn tft_36_block_numbers_begin_again_at_zero() {
    let case = Case::new(options()).await;
    let content = noise(8 * 65_600 + 3);
    let terms = [("blksize", "8"), ("windowsize", "16")];
    let (result, ()) = tokio::join!(case.get("f"), serve(&case, &terms, &content, 8, 16));
    assert_eq!(result.unwrap(), whole(content.len(), Verified::Closed));
    assert!(case.content() == content);
}

/// TFT-52: nothing here changes before the first block; TFT-39's like on this side: nothing half stays.
#[tokio::test]
async fn tft_52_error_at_any_step_leaves_the_local_file_as_it_was() {
    for step in 0..4 {
        let case = Case::new(options()).await;
        std::fs::write(case.path(), b"old").unwrap();
        let script = async {
            let (session, _) = case.server.accept().await;
            if step > 0 {
                open(&session, &[("blksize", "512")]).await;
            }
            for block in 1..step {
                session.data(block, &noise(512)).await;
                session.until_ack(block).await;
            }
            session.error(3).await;
        };
        let (result, ()) = tokio::join!(case.get("f"), script);
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Rejected, Some(3)));
        assert_eq!(
            (case.content(), case.names()),
            (b"old".to_vec(), vec!["f".into()])
        );
    }
}

/// TFT-52: size check with tsize.
#[tokio::test]
async fn tft_52_other_length_than_told_is_no_success() {
    for (told, kind) in [("2000", Kind::Partial), ("900", Kind::Differs)] {
        let case = Case::new(options()).await;
        let script = async {
            let (session, _) = case.server.accept().await;
            open(&session, &[("tsize", told), ("blksize", "512")]).await;
            session.data(1, &noise(512)).await;
            session.until_ack(1).await;
            session.data(2, &noise(488)).await;
            assert_eq!(session.hear_error().await, 0);
        };
        let (result, ()) = tokio::join!(case.get("f"), script);
        let error = result.unwrap_err();
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (kind, true),
            "{error}"
        );
        assert_eq!(case.names(), [""; 0]);
    }
}

/// A server that answers every tsize with 0 has told nothing.
#[tokio::test]
async fn size_of_zero_for_a_file_that_is_not_empty_proves_nothing() {
    let case = Case::new(options()).await;
    let terms = [("tsize", "0")];
    let (result, ()) = tokio::join!(case.get("f"), serve(&case, &terms, b"abc", 512, 1));
    assert_eq!(result.unwrap(), whole(3, Verified::Closed));
}

/// TFT-34: a gap is told at once by the last block in order, and the sender goes on from there.
#[tokio::test]
async fn tft_34_lost_block_of_a_window_is_asked_for() {
    let case = Case::new(options()).await;
    let content = noise(512 * 3 + 7);
    let script = async {
        let (session, _) = case.server.accept().await;
        open(&session, &[("blksize", "512"), ("windowsize", "4")]).await;
        session.data(1, &content[..512]).await;
        session.data(3, &content[1024..1536]).await;
        session.data(4, &content[1536..]).await;
        session.until_ack(1).await;
        for block in 2..5_u16 {
            let from = usize::from(block - 1) * 512;
            let to = content.len().min(from + 512);
            session.data(block, &content[from..to]).await;
        }
        session.until_ack(4).await;
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap().size, content.len() as u64);
    assert!(case.content() == content);
}

/// Numbers that a hostile or confused server may send where block 1 or 2 is due; and all that is no packet.
#[tokio::test]
async fn hostile_block_numbers_and_datagrams_change_nothing() {
    let case = Case::new(options()).await;
    let script = async {
        let (session, _) = case.server.accept().await;
        session.say(b"").await;
        session.say(b"\0\x03").await;
        session.say(b"\0\x09\0\0").await;
        session.say(&[0xff; 600]).await;
        session.say(b"\0\x06unterminated").await;
        open(&session, &[("blksize", "512"), ("windowsize", "4")]).await;
        for block in [0, 65_535, 6, 40_000, 0] {
            session.data(block, &noise(512)).await;
        }
        session.oack(&[("blksize", "8")]).await;
        session.data(1, &[1; 512]).await;
        for block in [1, 0, 65_535, 9, 32_769, 1] {
            session.data(block, &noise(512)).await;
        }
        session.say(b"\0\x03\0").await;
        session.ack(2).await;
        session.data(2, b"end").await;
        session.until_ack(2).await;
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap().size, 515);
    assert_eq!(case.content(), [&[1; 512][..], b"end"].concat());
}

/// RFC 2348: a block is never longer than agreed on.
#[tokio::test]
async fn block_longer_than_agreed_on_ends_the_transfer() {
    for length in [513, 60_000] {
        let case = Case::new(options()).await;
        let script = async {
            let (session, _) = case.server.accept().await;
            open(&session, &[("blksize", "512")]).await;
            session.data(1, &noise(length)).await;
            assert_eq!(session.hear_error().await, 4);
        };
        let (result, ()) = tokio::join!(case.get("f"), script);
        assert_eq!(result.unwrap_err().kind(), Kind::Protocol);
        assert_eq!(case.names(), [""; 0]);
    }
}

/// TFT-35.
#[tokio::test]
async fn tft_35_stranger_hears_error_5_and_disturbs_nothing() {
    let case = Case::new(options()).await;
    let script = async {
        let (session, _) = case.server.accept().await;
        open(&session, &[("blksize", "512")]).await;
        session.data(1, &[1; 512]).await;
        session.until_ack(1).await;
        for _ in 0..3 {
            let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let stranger = Session {
                socket,
                client: session.client,
            };
            // An ERROR is never answered.
            stranger.error(1).await;
            stranger.data(2, b"of a stranger").await;
            assert_eq!(stranger.hear_error().await, 5);
            let again = stranger.socket.try_recv_from(&mut [0; 8]);
            assert!(again.is_err(), "the stranger's ERROR was answered");
            stranger.error(1).await;
            // Its port closes: what comes of that disturbs nothing, either.
        }
        session.data(2, b"end").await;
        session.until_ack(2).await;
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap().size, 515);
}

/// A server that goes away in the middle is known by ICMP, whatever the timeouts are.
#[tokio::test]
async fn port_that_closes_in_the_middle_is_told_at_once() {
    let case = Case::new(options()).await;
    let script = async {
        let (session, _) = case.server.accept().await;
        open(&session, &[("blksize", "512")]).await;
        session.data(1, &noise(512)).await;
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (Kind::Data, true));
    assert_eq!(case.names(), [""; 0]);
}

/// A server that falls silent is left, and the file is fetched anew.
#[tokio::test]
async fn file_that_broke_off_is_fetched_from_the_start() {
    let case = Case::new(Options {
        retries: 1,
        ..options()
    })
    .await;
    let content = noise(3000);
    let script = async {
        let (silent, _) = case.server.accept().await;
        open(&silent, &[("blksize", "512")]).await;
        silent.data(1, &noise(512)).await;
        serve(
            &case,
            &[("tsize", "3000"), ("blksize", "512")],
            &content,
            512,
            1,
        )
        .await;
        silent
    };
    let (result, _) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap(), whole(3000, Verified::Size));
    assert!(case.content() == content);
}

/// T05.
#[tokio::test]
async fn stall_of_large_blocks_names_their_size() {
    for (size, advice) in [("8192", "--blksize 1428"), ("1428", "--blksize 512")] {
        let mut options = options();
        options.tftp.block_size = 8192;
        options.idle_timeout = Duration::from_millis(100);
        let case = Case::new(options).await;
        let script = async {
            let (session, _) = case.server.accept().await;
            open(&session, &[("blksize", size)]).await;
            session
        };
        let (result, _session) = tokio::join!(case.get("f"), script);
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.cause()), (Kind::TimedOut, Some("T05")));
        assert!(error.hints()[0].contains(advice));
    }
}

/// TFT-40: pairs that a block's end splits, CR alone, CR at the end.
#[tokio::test]
async fn tft_40_netascii_becomes_text_of_this_machine() {
    let case = Case::new(options()).await;
    let wire = [
        &[b'a'; 7][..],
        b"\r\nb\r\0c\r",
        b"d\ne",
        &[b'\r', b'\n'].repeat(40),
        b"\r",
    ]
    .concat();
    let host = [&[b'a'; 7][..], b"\nb\rc\rd\ne", &[b'\n'; 40], b"\r"].concat();
    let size = host.len().to_string();
    let script = async {
        let (session, request) = case.server.accept().await;
        assert!(request.starts_with(b"\0\x01f\0netascii\0tsize\x000\0"));
        open(&session, &[("blksize", "8"), ("tsize", &size)]).await;
        session.send(&wire, 8, 1).await;
    };
    let (result, ()) = tokio::join!(case.get("f;mode=netascii"), script);
    // This server told the size of its file; others tell that on the wire.
    assert_eq!(result.unwrap(), whole(host.len(), Verified::Size));
    assert_eq!(case.content(), host);
}

/// TFT-52: whoever did not hear the last ACK hears it again, after `get` is done.
#[tokio::test]
async fn tft_52_last_block_is_acknowledged_again() {
    let case = Case::new(options()).await;
    let script = async {
        let (session, _) = case.server.accept().await;
        session.data(1, b"end").await;
        // More often than the ACK is said again unasked.
        for _ in 0..8 {
            session.until_ack(1).await;
            session.data(1, b"end").await;
        }
        session
    };
    let (result, session) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap().size, 3);
    drop(session);
    case.pool.close().await;
}

/// The last ACK is said only when the file bears its name.
#[tokio::test]
async fn last_ack_is_sent_when_the_file_is_there() {
    let case = Case::new(options()).await;
    let script = async {
        let (session, _) = case.server.accept().await;
        session.data(1, b"end").await;
        session.until_ack(1).await;
        assert_eq!(
            (case.content(), case.names()),
            (b"end".to_vec(), vec!["f".into()])
        );
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    result.unwrap();
}

/// A file that cannot be written here: the server need not wait.
#[tokio::test]
async fn server_hears_of_a_failure_on_this_side() {
    let case = Case::new(options()).await;
    std::fs::create_dir(case.folder.path().join(".f.wharf-part")).unwrap();
    let script = async {
        let (session, _) = case.server.accept().await;
        session.data(1, &noise(512)).await;
        assert_eq!(session.hear_error().await, 0);
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap_err().kind(), Kind::Local);
}

/// What was given out is not given twice, and there is no asking for the rest.
#[tokio::test]
async fn stream_that_broke_off_is_not_begun_again() {
    let case = Case::new(Options {
        retries: 5,
        ..options()
    })
    .await;
    let blocks = noise(512 * 600);
    let script = async {
        let (session, _) = case.server.accept().await;
        open(&session, &[("blksize", "512")]).await;
        for (index, block) in blocks.chunks(512).enumerate() {
            let number = u16::try_from(index + 1).unwrap();
            session.data(number, block).await;
            session.until_ack(number).await;
        }
    };
    let mut out = Vec::new();
    let source = case.place("f");
    let mut sink = |octets: &[u8]| {
        out.extend_from_slice(octets);
        Ok(())
    };
    let (result, ()) = tokio::join!(transfer::cat(&case.pool, &source, &mut sink), script);
    assert!(result.unwrap_err().is_retryable());
    assert!(!out.is_empty() && blocks.starts_with(&out));
    assert!(!case.server.was_asked_again());
}

/// A stream that comes whole.
#[tokio::test]
async fn stream_gives_every_octet_once() {
    let case = Case::new(options()).await;
    let content = noise(700_000);
    let terms = [
        ("tsize", "700000"),
        ("windowsize", "16"),
        ("blksize", "1428"),
    ];
    let mut out = Vec::new();
    let source = case.place("f");
    let mut sink = |octets: &[u8]| {
        out.extend_from_slice(octets);
        Ok(())
    };
    let (result, ()) = tokio::join!(
        transfer::cat(&case.pool, &source, &mut sink),
        serve(&case, &terms, &content, 1428, 16)
    );
    assert_eq!(result.unwrap(), whole(700_000, Verified::Size));
    assert!(out == content);
}
