//! The session itself: what a server may say, and what ends it.

use proptest::prelude::*;
use wharf_proto::sftp::{OpenFlags, StatusCode, extension::Name, response};

use super::{
    super::{Limits, Reading, Sftp, write},
    IDLE, NOTHING, noise,
    server::{Fake, Wish, without},
    session, site, with_files,
};
use crate::{Error, Kind, local::Local};

async fn read_all(sftp: &Sftp, path: &[u8], size: Option<u64>) -> Result<Vec<u8>, Error> {
    let opened = sftp.open(path, OpenFlags::READ, NOTHING);
    let remote = opened.opened("x").await?;
    let mut reading = Reading::new(sftp, remote.handle(), 0, size);
    let mut octets = Vec::new();
    while let Some(run) = reading.next("x").await? {
        octets.extend_from_slice(&run);
        reading.reuse(run);
    }
    Ok(octets)
}

async fn refused(fake: &Fake) -> Error {
    let (incoming, outgoing) = fake.serve();
    let begun = Sftp::begin(&site(), incoming, outgoing, IDLE).await;
    begun.map(drop).unwrap_err()
}

/// S08: the start-up script of an account prints.
#[tokio::test]
async fn text_before_sftp_is_told_and_made_harmless() {
    let fake = Fake::new(Wish {
        banner: Some(b"Welcome\x1b[2J to this host\n"),
        ..Wish::default()
    });
    let error = refused(&fake).await;
    assert_eq!(error.cause(), Some("S08"));
    assert!(error.to_string().contains("Welcome?[2J to"), "{error}");
}

/// SFT-80: version 3 without any extension is enough.
#[tokio::test]
async fn server_without_extensions_gets_blocks_of_32_kib() {
    let data = noise(300_000);
    let mut wish = with_files(&[("f", &data)]);
    wish.extensions = wharf_proto::sftp::extension::Set::NONE;
    let fake = Fake::new(wish);
    let sftp = session(&fake).await;
    assert_eq!((sftp.limits().read, sftp.limits().write), (32_768, 32_768));
    assert_eq!(read_all(&sftp, b"f", Some(300_000)).await.unwrap(), data);
    // Ten blocks, and the octet behind the end.
    assert_eq!(fake.asked("read"), 11);
}

#[test]
fn limits_of_a_server_are_taken_within_reason() {
    let told = |packet, read, write, handles| {
        Limits::told(&response::Limits {
            packet,
            read,
            write,
            handles,
        })
    };
    let usual = told(262_144, 261_120, 261_120, 1019);
    assert_eq!(
        (usual.read, usual.write, usual.files),
        (261_120, 261_120, 256)
    );
    let none = told(0, 0, 0, 0);
    assert_eq!((none.read, none.write, none.files), (32_768, 32_768, 64));
    let absurd = told(u64::MAX, u64::MAX, 1, 1);
    assert_eq!(
        (absurd.read, absurd.write, absurd.files),
        (261_120, 1024, 1)
    );
    assert_eq!(told(34_000, 261_120, 261_120, 8).read, 32_976);
}

/// SFT-80: answers come in any order.
#[tokio::test]
async fn answers_in_any_order_make_the_same_file() {
    let data = noise(5_000_000);
    for backwards in [false, true] {
        let mut wish = with_files(&[("f", &data)]);
        wish.backwards = backwards;
        let sftp = session(&Fake::new(wish)).await;
        let size = Some(data.len() as u64);
        assert!(read_all(&sftp, b"f", size).await.unwrap() == data);
        assert!(read_all(&sftp, b"f", None).await.unwrap() == data);
    }
}

/// SFT-80: short reads are asked for again.
#[tokio::test]
async fn short_answers_are_completed() {
    let data = noise(1_000_000);
    let mut wish = with_files(&[("f", &data)]);
    wish.shorten = Some(10_007);
    let sftp = session(&Fake::new(wish)).await;
    let size = Some(data.len() as u64);
    assert!(read_all(&sftp, b"f", size).await.unwrap() == data);
}

/// SFT-80: what is missing of a block is asked for again though blocks behind it fill the window.
#[tokio::test]
async fn short_first_answer_is_completed_when_the_window_is_full() {
    let data = noise(4_000_000);
    let mut wish = with_files(&[("f", &data)]);
    wish.shorten_first = Some(100_000);
    let sftp = session(&Fake::new(wish)).await;
    let reading = read_all(&sftp, b"f", Some(data.len() as u64));
    let read = tokio::time::timeout(IDLE, reading).await;
    assert!(read.expect("nothing is asked for any more").unwrap() == data);
}

/// SFT-80: data behind an end that was told are no reason to wait.
#[tokio::test]
async fn short_answers_behind_the_end_do_not_hang() {
    let mut wish = with_files(&[("f", &noise(1_000_000))]);
    wish.once.insert("read", [(StatusCode::Eof, "")].into());
    wish.shorten = Some(1000);
    let sftp = session(&Fake::new(wish)).await;
    let reading = read_all(&sftp, b"f", Some(1_000_000));
    let read = tokio::time::timeout(IDLE, reading).await;
    assert!(
        read.expect("nothing is asked for any more")
            .unwrap()
            .is_empty()
    );
}

/// SFT-83: a directory without end ends with an error, whatever its names are, before memory does.
#[tokio::test]
async fn endless_listing_is_stopped_whatever_its_names_are() {
    for name in [b".".to_vec(), vec![b'x'; 60_000]] {
        let fake = Fake::new(Wish {
            endless: Some(name),
            ..Wish::default()
        });
        let sftp = session(&fake).await;
        let listing = tokio::time::timeout(10 * IDLE, sftp.list(b".", "x")).await;
        let error = listing.expect("it goes on for ever").unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol);
    }
}

/// OpenSSH c1cebbc7's kind: a server that answers READ with nothing would be asked for ever.
#[tokio::test]
async fn data_without_octets_end_the_download() {
    let mut wish = with_files(&[("f", &[7; 100])]);
    wish.empty_data = true;
    let sftp = session(&Fake::new(wish)).await;
    let error = read_all(&sftp, b"f", Some(100)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
}

/// SCP-34, SFT-83: a size that lies makes nothing big and nothing hang.
#[tokio::test]
async fn size_that_lies_is_not_believed() {
    let data = noise(70_000);
    let sftp = session(&Fake::new(with_files(&[("f", &data)]))).await;
    let told = Some(u64::MAX / 2);
    assert_eq!(read_all(&sftp, b"f", told).await.unwrap(), data);
    let less = read_all(&sftp, b"f", Some(60_000)).await.unwrap();
    assert_eq!(
        less.len(),
        60_001,
        "one octet more shows that there is more"
    );
}

#[tokio::test]
async fn answers_to_nothing_and_second_answers_end_the_session() {
    for twice in [false, true] {
        let mut wish = with_files(&[("f", b"x")]);
        (wish.twice, wish.unasked) = (twice, !twice);
        wish.extensions = without(&[Name::Limits]);
        let sftp = session(&Fake::new(wish)).await;
        let _ = sftp.stat(b"f", "f").await;
        let error = sftp.stat(b"f", "f").await.unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol, "{error}");
        assert!(!sftp.is_usable());
    }
}

/// The watchdog runs on a clock that stands until nobody has anything to do.
#[tokio::test(start_paused = true)]
async fn server_that_owes_an_answer_is_given_up() {
    let mut wish = with_files(&[("f", b"x")]);
    wish.extensions = without(&[Name::Limits]);
    wish.silent = true;
    let sftp = session(&Fake::new(wish)).await;
    let error = sftp.stat(b"f", "f").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (Kind::TimedOut, true));
}

/// A session without questions may be silent as long as it likes.
#[tokio::test(start_paused = true)]
async fn idle_session_is_not_given_up() {
    let sftp = session(&Fake::new(with_files(&[("f", b"x")]))).await;
    tokio::time::advance(IDLE * 10).await;
    assert!(sftp.stat(b"f", "f").await.is_ok());
}

#[tokio::test]
async fn handles_that_nobody_waits_for_are_closed() {
    let fake = Fake::new(with_files(&[("f", b"x")]));
    let sftp = session(&fake).await;
    drop(sftp.open(b"f", OpenFlags::READ, NOTHING));
    let opened = sftp.open(b"f", OpenFlags::READ, NOTHING);
    drop(opened.opened("f").await.unwrap());
    sftp.stat(b"f", "f").await.unwrap();
    sftp.stat(b"f", "f").await.unwrap();
    assert_eq!((fake.asked("open"), fake.asked("close")), (2, 2));
}

#[tokio::test]
async fn status_codes_and_texts_become_kinds_and_are_made_harmless() {
    for (code, text, kind) in [
        (StatusCode::NoSuchFile, "", Kind::NotFound),
        (StatusCode::PermissionDenied, "no", Kind::Permission),
        (StatusCode::Failure, "quota exceeded", Kind::Rejected),
        (StatusCode::Failure, "No such file", Kind::NotFound),
        (StatusCode::OpUnsupported, "", Kind::Rejected),
        (StatusCode::Failure, "\x1b]0;x\x07", Kind::Rejected),
    ] {
        let mut wish = Wish::default();
        wish.always.insert("stat", (code, text));
        let sftp = session(&Fake::new(wish)).await;
        let error = sftp.stat(b"f", "cannot look").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.to_string().contains('\x1b'), "{error}");
    }
}

/// SFT-81: without posix-rename a target is removed first, and only when it was in the way.
#[tokio::test]
async fn replacing_without_posix_rename_removes_what_is_in_the_way() {
    let mut wish = with_files(&[("new", b"new"), ("old", b"old")]);
    wish.extensions = without(&[Name::PosixRename]);
    let fake = Fake::new(wish);
    let sftp = session(&fake).await;
    sftp.replace(b"new", b"old", "x").await.unwrap();
    assert_eq!(fake.data("old").unwrap(), b"new");
    sftp.replace(b"old", b"free", "x").await.unwrap();
    assert_eq!((fake.data("old"), fake.asked("remove")), (None, 1));
    let error = sftp.replace(b"none", b"nowhere", "x").await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

#[tokio::test]
async fn upload_of_many_frames_arrives_whole() {
    let data = noise(9_000_001);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    std::fs::write(&path, &data).unwrap();
    for extensions in [without(&[]), without(&[Name::Limits])] {
        let mut wish = with_files(&[("f", b"")]);
        wish.extensions = extensions;
        let fake = Fake::new(wish);
        let sftp = session(&fake).await;
        let opened = sftp.open(b"f", OpenFlags::WRITE, NOTHING);
        let remote = opened.opened("f").await.unwrap();
        let file = Local::open(&path).unwrap();
        let meter = std::sync::Arc::default();
        let range = 0..data.len() as u64;
        write(&sftp, remote.handle(), &file, range, &meter, "f")
            .await
            .unwrap();
        assert_eq!(meter.octets(), data.len() as u64);
        assert!(fake.data("f").unwrap() == data);
    }
}

#[tokio::test]
async fn refused_write_ends_the_upload_with_the_servers_words() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    std::fs::write(&path, noise(3_000_000)).unwrap();
    let mut wish = with_files(&[("f", b"")]);
    let full = (StatusCode::Failure, "quota exceeded");
    wish.once.insert("write", [full].into());
    let sftp = session(&Fake::new(wish)).await;
    let opened = sftp.open(b"f", OpenFlags::WRITE, NOTHING);
    let remote = opened.opened("f").await.unwrap();
    let file = Local::open(&path).unwrap();
    let meter = std::sync::Arc::default();
    let error = write(&sftp, remote.handle(), &file, 0..3_000_000, &meter, "f")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Rejected);
    assert!(error.to_string().contains("quota exceeded"), "{error}");
}

/// The local file is shorter than it was: its heads are made, so the session is of no more use.
#[tokio::test]
async fn local_file_that_shrinks_ends_the_upload() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    std::fs::write(&path, noise(1000)).unwrap();
    let sftp = session(&Fake::new(with_files(&[("f", b"")]))).await;
    let opened = sftp.open(b"f", OpenFlags::WRITE, NOTHING);
    let remote = opened.opened("f").await.unwrap();
    let file = Local::open(&path).unwrap();
    let meter = std::sync::Arc::default();
    let result = write(&sftp, remote.handle(), &file, 0..500_000, &meter, "f").await;
    assert_eq!(result.unwrap_err().kind(), Kind::Local);
    assert!(!sftp.is_usable());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the sizes, the shortening, the order and the limits: the same octets.
    #[test]
    fn any_file_is_read_as_it_is(
        length in 0_usize..400_000,
        shorten in proptest::option::of(500_usize..50_000),
        backwards: bool,
        told: bool,
        limits: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let data = noise(length);
            let mut wish = with_files(&[("f", &data)]);
            (wish.shorten, wish.backwards) = (shorten, backwards);
            if !limits {
                wish.extensions = without(&[Name::Limits]);
            }
            let sftp = session(&Fake::new(wish)).await;
            let size = told.then_some(length as u64);
            prop_assert!(read_all(&sftp, b"f", size).await.unwrap() == data);
            Ok(())
        })?;
    }
}

/// A frame whose requests are numbered already is sent though the upload has failed: else the server
/// would owe answers for ever, and the session would be given up.
#[tokio::test]
async fn refused_upload_leaves_no_request_unsent() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), noise(8_000_000)).unwrap();
    for round in 1..20 {
        let mut wish = with_files(&[("f", b"")]);
        let refusals = vec![(StatusCode::Failure, "disk full"); round];
        wish.once.insert("write", refusals.into());
        let sftp = session(&Fake::new(wish)).await;
        let opened = sftp.open(b"f", OpenFlags::WRITE, NOTHING);
        let remote = opened.opened("x").await.unwrap();
        let local = Local::open(file.path()).unwrap();
        let meter = std::sync::Arc::new(wharf_transfer::Meter::new());
        let sending = write(&sftp, remote.handle(), &local, 0..8_000_000, &meter, "x");
        sending.await.unwrap_err();
        sftp.stat(b"f", "x").await.unwrap();
        assert!(!sftp.shared.progress().1, "answers are due");
    }
}
