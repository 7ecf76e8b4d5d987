//! What is left, here and at the server, when a transfer does not come to its end.

use std::sync::{Arc, Mutex};

use wharf_transfer::Meter;

use super::{Case, noise, options, server::Session, whole};
use crate::{
    Kind, Location, Observer, Options, Pool, Subject, TransferId, Verified,
    transfer::{self, Upload},
};

/// Agrees on windows of 4 blocks of 512.
async fn agree(session: &Session) {
    session
        .oack(&[("blksize", "512"), ("windowsize", "4")])
        .await;
}

/// T03: a server says why and goes; what meets its closed port then must not be heard before its words.
#[tokio::test]
async fn servers_last_words_count_more_than_its_closed_port() {
    let case = Case::new(options()).await;
    let script = async {
        let (session, _) = case.server.accept().await;
        agree(&session).await;
        for _ in 0..4 {
            session.hear().await;
        }
        session.ack(4).await;
        session.error(3).await;
    };
    let content = noise(512 * 40);
    let (result, ()) = tokio::join!(case.put("f", &content), script);
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Rejected, Some(3)));
}

/// Ctrl-C drops what is under way: the server need not wait, and nothing half stays.
#[tokio::test]
async fn download_that_is_dropped_tells_the_server_and_leaves_nothing() {
    let case = Case::new(options()).await;
    std::fs::write(case.path(), b"old").unwrap();
    let script = async {
        let (session, _) = case.server.accept().await;
        agree(&session).await;
        session.until_ack(0).await;
        for block in 1..=4 {
            session.data(block, &noise(512)).await;
        }
        session.until_ack(4).await;
        session
    };
    let session = tokio::select! {
        result = case.get("f") => panic!("{result:?}"),
        session = script => session,
    };
    assert_eq!(session.hear_error().await, 0);
    assert_eq!(
        (case.content(), case.names()),
        (b"old".to_vec(), vec!["f".into()])
    );
}

/// The same for uploads: a server keeps what is half here until it is told or its patience is over.
#[tokio::test]
async fn upload_that_is_dropped_tells_the_server() {
    let case = Case::new(options()).await;
    let script = async {
        let (session, _) = case.server.accept().await;
        agree(&session).await;
        for _ in 0..4 {
            session.hear().await;
        }
        session
    };
    let content = noise(512 * 40);
    let session = tokio::select! {
        result = case.put("f", &content) => panic!("{result:?}"),
        session = script => session,
    };
    assert_eq!(session.hear_error().await, 0);
}

/// A disk that is full, or a directory that may not be written, shows with the first block.
#[tokio::test]
async fn download_that_cannot_begin_leaves_nothing() {
    let case = Case::new(options()).await;
    std::fs::create_dir(case.folder.path().join(".f.wharf-part.json")).unwrap();
    let script = async {
        let (session, _) = case.server.accept().await;
        session.data(1, &noise(512)).await;
        assert_eq!(session.hear_error().await, 0);
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap_err().kind(), Kind::Local);
    assert_eq!(case.names(), [".f.wharf-part.json"]);
}

/// `wharf get tftp://h/f /dev/null` as root: the device must stay one.
#[tokio::test]
async fn what_is_no_plain_file_is_not_replaced() {
    let case = Case::new(options()).await;
    let made = std::process::Command::new("mkfifo")
        .arg(case.path())
        .status();
    assert!(made.unwrap().success());
    let script = async {
        let (session, _) = case.server.accept().await;
        session.data(1, b"content").await;
        assert_eq!(session.hear_error().await, 0);
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Local);
    assert!(error.to_string().contains("not a plain file"), "{error}");
    assert_eq!(case.names(), ["f"]);
}

/// A pipe has no size to begin with, and was sent as an empty file.
#[tokio::test]
async fn what_is_no_plain_file_is_not_sent() {
    let case = Case::new(options()).await;
    let made = std::process::Command::new("mkfifo")
        .arg(case.path())
        .status();
    assert!(made.unwrap().success());
    // Somebody writes, or the pipe could not be opened at all.
    let _writer = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(case.path())
        .unwrap();
    let upload = Upload {
        source: case.path(),
        target: case.place("f"),
    };
    let script = async {
        let (session, _) = case.server.accept().await;
        session.ack(0).await;
        session.receive(512, 1).await
    };
    let error = tokio::select! {
        result = transfer::put(&case.pool, &upload) => result.unwrap_err(),
        received = script => panic!("{} octets came", received.len()),
    };
    assert_eq!(error.kind(), Kind::Local);
}

/// Thousands of files may be named at once; those that wait are not open.
#[tokio::test]
async fn file_is_opened_when_its_turn_comes() {
    let case = Case::new(options()).await;
    let other = case.folder.path().join("g");
    std::fs::write(&other, b"old").unwrap();
    let upload = Upload {
        source: other.clone(),
        target: case.place("g"),
    };
    let script = async {
        let (session, _) = case.server.accept().await;
        session.ack(0).await;
        let first = session.hear().await;
        // The second has had time to be opened while the first block was sent.
        for _ in 0..100 {
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        }
        std::fs::remove_file(&other).unwrap();
        std::fs::write(&other, b"newer").unwrap();
        session.ack(1).await;
        let (session, _) = case.server.accept().await;
        session.ack(0).await;
        (first, session.receive(512, 1).await)
    };
    let (first, second, (_, received)) = tokio::join!(
        case.put("f", b"first"),
        transfer::put(&case.pool, &upload),
        script
    );
    assert_eq!(first.unwrap().size, 5);
    assert_eq!(second.unwrap().size, 5);
    assert_eq!(received, b"newer");
}

/// What was counted before a transfer began anew is not counted twice.
#[derive(Default)]
struct Counts(Mutex<Option<Arc<Meter>>>);

impl Observer for Counts {
    fn started(&self, _: TransferId, _: Subject<'_>, _: Option<u64>, _: u64, meter: &Arc<Meter>) {
        *self.0.lock().unwrap() = Some(Arc::clone(meter));
    }
}

#[tokio::test]
async fn progress_is_of_one_file_whatever_the_attempts() {
    let mut case = Case::new(options()).await;
    let counts = Arc::new(Counts::default());
    let site = Location::parse(&case.server.url("")).unwrap().site;
    case.pool = Pool::new(
        site,
        crate::Credentials::anonymous(),
        Options {
            retries: 1,
            ..options()
        },
        Arc::clone(&counts) as Arc<dyn Observer>,
    );
    let octets = || counts.0.lock().unwrap().take().unwrap().octets();
    let content = noise(512 * 3 + 1);
    let script = async {
        let (session, _) = case.server.accept().await;
        session.data(1, &content[..512]).await;
        session.until_ack(1).await;
        session.error(5).await;
        let (session, _) = case.server.accept().await;
        session.send(&content, 512, 1).await;
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    assert_eq!(result.unwrap(), whole(content.len(), Verified::Closed));
    assert_eq!(octets(), content.len() as u64);
    let script = async {
        let (session, _) = case.server.accept().await;
        session.ack(0).await;
        session.hear().await;
        session.ack(1).await;
        session.error(5).await;
        let (session, _) = case.server.accept().await;
        session.ack(0).await;
        session.receive(512, 1).await
    };
    let (result, received) = tokio::join!(case.put("f", &content), script);
    result.unwrap();
    assert!(received == content);
    assert_eq!(octets(), content.len() as u64);
}

/// A shorter file than was told: there is no data connection to blame, and nothing to go on from.
#[tokio::test]
async fn advice_is_of_this_protocol() {
    let case = Case::new(options()).await;
    let script = async {
        let (session, _) = case.server.accept().await;
        session.oack(&[("tsize", "900")]).await;
        session.until_ack(0).await;
        session.data(1, &noise(100)).await;
    };
    let (result, ()) = tokio::join!(case.get("f"), script);
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Partial);
    assert!(error.to_string().contains("100 of 900 octets"), "{error}");
    for hint in error.hints() {
        assert!(
            !hint.contains("-c") && !hint.contains("data connection"),
            "{hint}"
        );
    }
}

/// RFC 2347: a request has 512 octets; a long name leaves no room for options, but goes without.
#[tokio::test]
async fn long_name_is_asked_for_without_options() {
    let case = Case::new(options()).await;
    let name = "n".repeat(495);
    let script = async {
        let (session, request) = case.server.accept().await;
        assert_eq!(super::asked(&request), ["octet"]);
        session.send(b"content", 512, 1).await;
        // That says nothing of other files.
        let (session, request) = case.server.accept().await;
        assert!(super::asked(&request).len() > 1);
        session.send(b"content", 512, 1).await;
    };
    let gets = async {
        case.get(&name).await.unwrap();
        case.get("f").await.unwrap()
    };
    let (done, ()) = tokio::join!(gets, script);
    assert_eq!(done.size, 7);
}
