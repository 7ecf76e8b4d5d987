//! How a transaction begins, and what becomes of it when it does not.

use tokio::net::UdpSocket;

use super::{Case, FOREVER, asked, noise, options, whole};
use crate::{Kind, Options, Verified, Verify, tftp::Tftp, transfer, tree};

/// TFT-50.
#[tokio::test]
async fn tft_50_request_asks_for_size_block_size_and_window() {
    let case = Case::new(options()).await;
    let script = async {
        let (session, request) = case.server.accept().await;
        assert!(request.starts_with(b"\0\x01pxe/boot img\0octet\0"));
        let expected = "octet tsize 0 blksize 1428 windowsize 16";
        assert_eq!(asked(&request).join(" "), expected);
        session.error(1).await;
    };
    let (result, ()) = tokio::join!(case.get("pxe/boot%20img"), script);
    let error = result.unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), error.cause()),
        (Kind::NotFound, Some(1), Some("T03"))
    );
    let heard = case.heard();
    assert!(heard[0].starts_with("> RRQ pxe/boot img octet tsize=0 blksize=1428"));
    assert_eq!(heard[1], "< ERROR 1 the server's words");
}

/// TFT-50, T04: codes 0, 4 and 8 may mean the options; the next file is asked for as the server likes it.
#[tokio::test]
async fn tft_50_refused_options_are_left_out_and_stay_out() {
    for code in [0, 4, 8] {
        let case = Case::new(options()).await;
        let script = async {
            let (session, request) = case.server.accept().await;
            assert!(asked(&request).len() > 1);
            session.error(code).await;
            for _ in 0..2 {
                let (session, request) = case.server.accept().await;
                assert_eq!(asked(&request), ["octet"]);
                session.send(b"content", 512, 1).await;
            }
        };
        let gets = async {
            case.get("f").await.unwrap();
            case.get("f").await.unwrap()
        };
        let (done, ()) = tokio::join!(gets, script);
        assert_eq!(done, whole(7, Verified::Closed));
        assert_eq!(case.content(), b"content");
    }
}

/// A server that refuses the file with and without options is believed.
#[tokio::test]
async fn refusal_without_options_is_the_one_that_is_told() {
    let case = Case::new(options()).await;
    let script = async {
        case.server.accept().await.0.error(0).await;
        case.server.accept().await.0.error(4).await;
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Protocol, Some(4)));
    assert!(!case.server.was_asked_again());
}

/// TFT-50: old servers drop requests that they cannot read.
#[tokio::test]
async fn tft_50_silence_on_options_is_followed_by_a_request_without() {
    let limit = std::time::Duration::from_millis(200);
    let case = Case::new(Options {
        connect_timeout: limit,
        ..options()
    })
    .await;
    let script = async {
        loop {
            let (session, request) = case.server.accept().await;
            if asked(&request).len() == 1 {
                return session.send(&noise(1000), 512, 1).await;
            }
        }
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap(), whole(1000, Verified::Closed));
    assert_eq!(case.content(), noise(1000));
}

/// TFT-08 drops requests beyond a rate: where options were granted before, silence is no word against them,
/// and a copy is not made without its check.
#[tokio::test]
async fn silence_of_a_server_that_granted_options_is_not_about_them() {
    let limit = std::time::Duration::from_millis(300);
    let case = Case::new(Options {
        connect_timeout: limit,
        retries: 1,
        ..options()
    })
    .await;
    let script = async {
        let (session, _) = case.server.accept().await;
        session.oack(&[("tsize", "3")]).await;
        session.until_ack(0).await;
        session.data(1, b"end").await;
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap(), whole(3, Verified::Size));
    let error = case.get("g").await.unwrap_err();
    assert!(error.to_string().contains("no answer in 0.3 s"), "{error}");
    let mut requests = 0;
    while let Some(request) = case.server.try_hear() {
        assert!(asked(&request).len() > 1);
        requests += 1;
    }
    assert!(requests > 0);
}

/// T02.
#[tokio::test]
async fn silence_is_told_with_firewalls_and_may_be_tried_again() {
    let limit = std::time::Duration::from_millis(100);
    let case = Case::new(Options {
        connect_timeout: limit,
        ..options()
    })
    .await;
    let error = case.get("f").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.cause(), error.is_retryable()),
        (Kind::TimedOut, Some("T02"), true)
    );
    assert!(error.to_string().contains("no answer in 0.1 s"), "{error}");
    assert_eq!(case.names(), [""; 0]);
}

/// T01: a closed port is known by ICMP, whatever the timeouts are.
#[tokio::test]
async fn closed_port_is_told_at_once() {
    let case = Case::new(options()).await;
    assert_eq!(case.pool.options().connect_timeout, FOREVER);
    let closed = {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.local_addr().unwrap().port()
    };
    let mut site = case.pool.site().clone();
    site.port = closed;
    let pool = crate::Pool::new(
        site,
        crate::Credentials::anonymous(),
        options(),
        std::sync::Arc::new(crate::Silent),
    );
    let source = crate::Location::parse(&format!("tftp://127.0.0.1:{closed}/f")).unwrap();
    for get in [true, false] {
        let error = if get {
            let download = transfer::Download {
                source: source.clone(),
                target: case.path(),
                known: None,
            };
            transfer::get(&pool, &download).await.unwrap_err()
        } else {
            std::fs::write(case.path(), b"x").unwrap();
            let upload = transfer::Upload {
                source: case.path(),
                target: source.clone(),
            };
            transfer::put(&pool, &upload).await.unwrap_err()
        };
        assert_eq!(
            (error.kind(), error.cause(), error.is_retryable()),
            (Kind::Refused, Some("T01"), false)
        );
    }
}

/// TFT-51.
#[tokio::test]
async fn tft_51_oack_that_grants_what_was_not_asked_is_answered_by_error_8() {
    for options_granted in [
        [("blksize", "1428"), ("multicast", "")],
        [("blksize", "1429"), ("tsize", "5")],
        [("windowsize", "17"), ("tsize", "5")],
        [("windowsize", "0"), ("tsize", "5")],
        [("blksize", "7"), ("tsize", "5")],
        [("timeout", "3"), ("tsize", "5")],
    ] {
        let mut options = options();
        options.tftp.timeout = Some(2);
        let case = Case::new(options).await;
        let script = async {
            let (session, _) = case.server.accept().await;
            session.oack(&options_granted).await;
            assert_eq!(session.hear_error().await, 8, "{options_granted:?}");
        };
        let (result, ()) = tokio::join!(case.get("f"), script);
        assert_eq!(result.unwrap_err().kind(), Kind::Protocol);
        assert_eq!(case.names(), [""; 0]);
    }
}

/// TFT-53.
#[tokio::test]
async fn tft_53_answer_of_another_address_is_refused() {
    let limit = std::time::Duration::from_millis(200);
    let case = Case::new(Options {
        connect_timeout: limit,
        ..options()
    })
    .await;
    let script = async {
        let (session, _) = case.server.accept_at("127.0.0.2").await;
        session.data(1, b"not asked").await;
        assert_eq!(session.hear_error().await, 5);
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().contains("127.0.0.2 answered"), "{error}");
    assert!(error.hints()[0].contains("--any-source"));
    assert_eq!(case.names(), [""; 0]);
}

/// TFT-53.
#[tokio::test]
async fn tft_53_any_source_takes_it() {
    let mut options = options();
    options.tftp.any_source = true;
    let case = Case::new(options).await;
    let script = async {
        let (session, _) = case.server.accept_at("127.0.0.2").await;
        session.data(1, b"asked").await;
        session.until_ack(1).await;
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap(), whole(5, Verified::Closed));
}

/// What TFTP cannot do is said before anything is sent.
#[tokio::test]
async fn what_there_is_none_of_is_a_usage_error() {
    let case = Case::new(options()).await;
    let (pool, place) = (&case.pool, case.place("d/"));
    let errors = [
        tree::list(pool, &place).await.unwrap_err(),
        tree::stat(pool, &place).await.unwrap_err(),
        tree::is_tree(pool, &place).await.unwrap_err(),
        tree::make_directory(pool, &place, true).await.unwrap_err(),
        tree::rename(pool, &case.place("a"), &case.place("b"))
            .await
            .unwrap_err(),
        tree::remove(pool, &case.place("a"), true, &mut |_| {})
            .await
            .unwrap_err(),
        tree::get_tree(pool, &place, &case.path())
            .await
            .unwrap_err(),
        tree::put_tree(pool, case.folder.path(), &place)
            .await
            .unwrap_err(),
        case.get("d/").await.unwrap_err(),
        case.get("").await.unwrap_err(),
        case.get(&"n".repeat(600)).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), Kind::Usage, "{error}");
    }
    assert_eq!(case.names(), [""; 0]);
    let hashing = Case::new(Options {
        verify: Verify::Hash,
        ..options()
    })
    .await;
    assert_eq!(hashing.get("f").await.unwrap_err().kind(), Kind::Usage);
    assert!(!case.server.was_asked_again() && !hashing.server.was_asked_again());
}

/// RFC 2349: the time binds the server; what is lost is asked for again as soon as this end's own time is
/// over.
#[tokio::test]
async fn tft_50_granted_timeout_is_the_servers() {
    let mut options = options();
    options.tftp.timeout = Some(255);
    let case = Case::new(options).await;
    let script = async {
        let (session, request) = case.server.accept().await;
        let expected = "octet tsize 0 blksize 1428 timeout 255 windowsize 16";
        assert_eq!(asked(&request).join(" "), expected);
        session.oack(&[("Timeout", "255"), ("tsize", "3")]).await;
        for _ in 0..2 {
            assert_eq!(session.hear_ack().await, 0);
        }
        session.data(1, b"end").await;
        session.until_ack(1).await;
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap(), whole(3, Verified::Size));
}

/// A window of one is what every server has anyway: it is not asked for.
#[tokio::test]
async fn window_of_one_is_not_asked_for() {
    let mut options = options();
    options.tftp = Tftp {
        block_size: 512,
        window: 1,
        ..options.tftp
    };
    let case = Case::new(options).await;
    let script = async {
        let (session, request) = case.server.accept().await;
        let expected = "octet tsize 0 blksize 512";
        assert_eq!(asked(&request).join(" "), expected);
        session.send(&noise(1024), 512, 1).await;
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap().size, 1024);
}
