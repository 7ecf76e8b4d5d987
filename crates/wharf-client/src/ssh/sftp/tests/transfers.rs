//! Files, one at a time: parts, resumption, verification.

use std::path::Path;

use wharf_proto::sftp::{StatusCode, extension::Name};

use super::{
    super::super::super::transfer::{Download, Upload, cat, get, put},
    noise, place, pool,
    server::{Fake, Node, Wish, without},
    with_files,
};
use crate::{Error, Kind, Options, Transferred, Verified, Verify};

fn once() -> Options {
    Options {
        retries: 0,
        ..Options::default()
    }
}

async fn fetch(fake: &Fake, options: Options, target: &Path) -> Result<Transferred, Error> {
    let pool = pool(fake, options).await;
    let download = Download {
        source: place("f"),
        target: target.to_owned(),
        known: None,
    };
    get(&pool, &download).await
}

async fn send(fake: &Fake, options: Options, source: &Path) -> Result<Transferred, Error> {
    let pool = pool(fake, options).await;
    let upload = Upload {
        source: source.to_owned(),
        target: place("f"),
    };
    put(&pool, &upload).await
}

fn left_behind(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn download_has_content_and_time_and_leaves_nothing_beside_it() {
    for length in [0, 1, 100_000, 2_000_000] {
        let data = noise(length);
        let fake = Fake::new(with_files(&[("f", &data)]));
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        let done = fetch(&fake, once(), &target).await.unwrap();
        assert_eq!((done.size, done.kept), (length as u64, 0));
        assert!(std::fs::read(&target).unwrap() == data);
        let modified = std::fs::metadata(&target).unwrap().modified().unwrap();
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(since.as_secs(), 1_700_000_000);
        assert_eq!(left_behind(directory.path()), ["f"]);
    }
}

/// The rungs of the ladder: a hash where the server has one, the size where not.
#[tokio::test]
async fn download_says_how_sure_it_is() {
    let data = noise(50_000);
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let bare = || {
        let mut wish = with_files(&[("f", &data)]);
        wish.extensions = without(&[Name::CheckFile]);
        Fake::new(wish)
    };
    let verify = |verify| Options { verify, ..once() };
    let hashing = Fake::new(with_files(&[("f", &data)]));
    let sure = fetch(&hashing, once(), &target).await.unwrap().verified;
    assert_eq!(sure.name(), "sha256");
    let sure = fetch(&bare(), once(), &target).await.unwrap().verified;
    assert_eq!(sure, Verified::Size);
    let sure = fetch(&hashing, verify(Verify::None), &target).await;
    assert_eq!(sure.unwrap().verified, Verified::Closed);
    let none = fetch(&bare(), verify(Verify::Hash), &target).await;
    assert_eq!(none.unwrap_err().kind(), Kind::Differs);
}

#[tokio::test]
async fn directory_is_not_fetched_as_a_file_and_what_is_missing_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let mut wish = Wish::default();
    let missing = fetch(&Fake::new(Wish::default()), once(), &target).await;
    assert_eq!(missing.unwrap_err().kind(), Kind::NotFound);
    wish.nodes.insert(b"f".to_vec(), Node::Directory);
    let found = fetch(&Fake::new(wish), once(), &target).await;
    assert_eq!(found.unwrap_err().kind(), Kind::Usage);
    assert!(left_behind(directory.path()).is_empty());
}

/// SFT-81, past hole: six clients glued a stale part to a new file.
#[tokio::test]
async fn resumed_download_goes_on_only_from_what_agrees() {
    let data = noise(3_000_000);
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let mut wish = with_files(&[("f", &data)]);
    wish.cut = Some(1_500_000);
    let broken = fetch(&Fake::new(wish), once(), &target).await.unwrap_err();
    assert!(broken.is_retryable(), "{broken}");
    let names = left_behind(directory.path());
    assert_eq!(names, [".f.wharf-part", ".f.wharf-part.json"]);
    let resume = Options {
        resume: true,
        retries: 1,
        ..Options::default()
    };
    let fake = Fake::new(with_files(&[("f", &data)]));
    let done = fetch(&fake, resume.clone(), &target).await.unwrap();
    assert!(done.kept > 0 && done.kept < 3_000_000, "{}", done.kept);
    assert!(std::fs::read(&target).unwrap() == data);
    // The same again: nothing is fetched.
    let again = fetch(&fake, resume.clone(), &target).await.unwrap();
    assert_eq!(again.kept, 3_000_000);
    // A part of something else is thrown away.
    std::fs::remove_file(&target).unwrap();
    let mut wish = with_files(&[("f", &data)]);
    wish.cut = Some(1_500_000);
    let _ = fetch(&Fake::new(wish), once(), &target).await;
    let other: Vec<u8> = data.iter().map(|octet| octet ^ 1).collect();
    let fake = Fake::new(with_files(&[("f", &other)]));
    let done = fetch(&fake, resume, &target).await.unwrap();
    assert_eq!(done.kept, 0);
    assert!(std::fs::read(&target).unwrap() == other);
}

#[tokio::test]
async fn truncated_download_never_gets_its_name() {
    for length in [1000, 1_000_000] {
        let mut wish = with_files(&[("f", &noise(length))]);
        wish.lie = Some(length as u64 + 7);
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        let error = fetch(&Fake::new(wish), once(), &target).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Partial, "{error}");
        assert!(!target.exists());
    }
}

/// A link that stands at the target's name is replaced, not written through (SCP-33).
#[tokio::test]
async fn download_never_writes_through_a_link() {
    let directory = tempfile::tempdir().unwrap();
    let outside = directory.path().join("outside");
    let target = directory.path().join("f");
    std::fs::write(&outside, "precious").unwrap();
    std::os::unix::fs::symlink(&outside, &target).unwrap();
    let fake = Fake::new(with_files(&[("f", b"data")]));
    fetch(&fake, once(), &target).await.unwrap();
    assert_eq!(std::fs::read(&outside).unwrap(), b"precious");
    assert_eq!(std::fs::read(&target).unwrap(), b"data");
    // Nor does the part go through one.
    let part = directory.path().join(".f.wharf-part");
    std::os::unix::fs::symlink(&outside, &part).unwrap();
    let error = fetch(&fake, once(), &target).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Local);
    assert_eq!(std::fs::read(&outside).unwrap(), b"precious");
}

#[tokio::test]
async fn upload_takes_the_targets_place_when_it_is_whole() {
    for length in [0, 1, 100_000, 2_000_000] {
        let data = noise(length);
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source");
        std::fs::write(&source, &data).unwrap();
        let fake = Fake::new(with_files(&[("f", b"old")]));
        let done = send(&fake, once(), &source).await.unwrap();
        assert_eq!(done.size, length as u64);
        assert!(fake.data("f").unwrap() == data);
        assert_eq!(fake.data("f.wharf-part"), None);
        let (opened, renamed) = (
            fake.asked("open f.wharf-part"),
            fake.asked("posix-rename f"),
        );
        assert_eq!((opened, renamed), (1, 1));
    }
}

#[tokio::test]
async fn upload_keeps_time_and_mode_as_far_as_wanted() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::write(&source, "x").unwrap();
    std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o750)).unwrap();
    let file = std::fs::File::options().write(true).open(&source).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
    file.set_modified(time).unwrap();
    let fake = Fake::new(Wish::default());
    let options = Options {
        keep_permissions: true,
        ..once()
    };
    send(&fake, options, &source).await.unwrap();
    let wish = fake.wish();
    let Some(Node::File { mode, modified, .. }) = wish.nodes.get(&b"f"[..]) else {
        panic!("no file");
    };
    assert_eq!((*mode, *modified), (0o750, 1_600_000_000));
}

/// A directory where no part can be made: the target itself is written.
#[tokio::test]
async fn upload_goes_in_place_where_no_part_can_be_made() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::write(&source, "new").unwrap();
    let mut wish = with_files(&[("f", b"old and longer")]);
    let denied = (StatusCode::PermissionDenied, "");
    wish.once.insert("open", [denied].into());
    let fake = Fake::new(wish);
    send(&fake, once(), &source).await.unwrap();
    assert_eq!(fake.data("f").unwrap(), b"new");
    assert_eq!(fake.asked("posix-rename"), 0);
}

#[tokio::test]
async fn failed_upload_leaves_the_target_and_no_part() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::write(&source, "new").unwrap();
    for verb in ["write", "close", "posix-rename"] {
        let mut wish = with_files(&[("f", b"old")]);
        let full = (StatusCode::Failure, "disk full");
        wish.once.insert(verb, [full].into());
        let fake = Fake::new(wish);
        let error = send(&fake, once(), &source).await.unwrap_err();
        assert!(error.to_string().contains("disk full"), "{verb}: {error}");
        assert_eq!(fake.data("f").unwrap(), b"old", "{verb}");
        assert_eq!(fake.data("f.wharf-part"), None, "{verb}");
    }
}

#[tokio::test]
async fn upload_that_arrived_otherwise_is_not_called_done() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::write(&source, noise(1000)).unwrap();
    let wish = Wish {
        lie: Some(999),
        ..Wish::default()
    };
    let error = send(&Fake::new(wish), once(), &source).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Partial);
}

/// SFT-81: by the hash of what is there; without one the last window is sent again.
#[tokio::test]
async fn resumed_upload_goes_on_from_what_is_proved() {
    let data = noise(20_000_000);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::write(&source, &data).unwrap();
    let resume = Options {
        resume: true,
        ..once()
    };
    for (hashes, name, kept) in [
        (true, "f.wharf-part", 19_000_000),
        (true, "f", 19_000_000),
        (
            false,
            "f.wharf-part",
            19_000_000 - super::super::CEILING as u64,
        ),
    ] {
        let mut wish = with_files(&[(name, &data[..19_000_000])]);
        if !hashes {
            wish.extensions = without(&[Name::CheckFile]);
        }
        let fake = Fake::new(wish);
        let done = send(&fake, resume.clone(), &source).await.unwrap();
        assert_eq!(done.kept, kept, "{name} {hashes}");
        assert!(fake.data("f").unwrap() == data);
        assert_eq!(fake.data("f.wharf-part"), None);
    }
    // What stands there is another file: everything is sent.
    for hashes in [true, false] {
        let mut wish = with_files(&[("f", &noise(18_000_000)[1..])]);
        if !hashes {
            wish.extensions = without(&[Name::CheckFile]);
        }
        let fake = Fake::new(wish);
        let done = send(&fake, resume.clone(), &source).await.unwrap();
        assert_eq!(done.kept, 0);
        assert!(fake.data("f").unwrap() == data);
    }
}

#[tokio::test]
async fn cat_gives_every_octet_once() {
    let data = noise(3_000_000);
    let fake = Fake::new(with_files(&[("f", &data)]));
    let pool = pool(&fake, once()).await;
    let mut seen = Vec::new();
    let mut sink = |octets: &[u8]| {
        seen.extend_from_slice(octets);
        Ok(())
    };
    let done = cat(&pool, &place("f"), &mut sink).await.unwrap();
    assert_eq!(done.verified, Verified::Size);
    assert!(seen == data);
}

/// An attempt that failed after everything was sent must not take an old file of the same size and end
/// for what it sent.
#[tokio::test]
async fn next_attempt_never_takes_the_old_target_for_what_was_sent() {
    let data = noise(1_000_000);
    let mut old = data.clone();
    old[0] ^= 1;
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::write(&source, &data).unwrap();
    let mut wish = with_files(&[("f", &old)]);
    wish.extensions = without(&[Name::CheckFile]);
    wish.lie_first = Some(999_999);
    let fake = Fake::new(wish);
    let options = Options {
        retries: 1,
        retry_wait: std::time::Duration::ZERO,
        ..Options::default()
    };
    send(&fake, options, &source).await.unwrap();
    assert!(fake.data("f").unwrap() == data, "the old content is there");
}

/// SFT-81: size and end alone do not prove that a file is there already; its time must agree, too.
#[tokio::test]
async fn file_of_another_time_is_sent_though_its_size_and_end_agree() {
    let data = noise(1_000_000);
    let mut old = data.clone();
    old[0] ^= 1;
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::write(&source, &data).unwrap();
    let mut wish = with_files(&[("f", &old)]);
    wish.extensions = without(&[Name::CheckFile]);
    let fake = Fake::new(wish);
    let resume = Options {
        resume: true,
        ..once()
    };
    let done = send(&fake, resume.clone(), &source).await.unwrap();
    assert_eq!(done.kept, 0);
    assert!(fake.data("f").unwrap() == data);
    // What was sent bears the time: the same again sends nothing.
    let again = send(&fake, resume, &source).await.unwrap();
    assert_eq!(again.kept, 1_000_000);
}

/// SFT-81: where a rename must remove the old file first, what was sent is not removed as well.
#[tokio::test]
async fn upload_that_cannot_be_renamed_loses_not_both() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::write(&source, "new").unwrap();
    let with = |answers: &[StatusCode]| {
        let mut wish = with_files(&[("f", b"old")]);
        wish.extensions = without(&[Name::PosixRename]);
        let answers = answers.iter().map(|code| (*code, "no"));
        wish.once.insert("rename", answers.collect());
        Fake::new(wish)
    };
    // A server that knows no rename: the old file stays.
    let fake = with(&[StatusCode::OpUnsupported]);
    send(&fake, once(), &source).await.unwrap_err();
    assert_eq!(fake.data("f").unwrap(), b"old");
    // One that refuses when the old file is gone: the new one stays, and is named.
    let fake = with(&[StatusCode::Failure, StatusCode::Failure]);
    let error = send(&fake, once(), &source).await.unwrap_err();
    assert_eq!(fake.data("f.wharf-part").unwrap(), b"new");
    let named = |hint: &String| hint.contains("f.wharf-part");
    assert!(error.hints().iter().any(named), "{:?}", error.hints());
}

/// A refusal that has nothing to do with the part does not cost the old file.
#[tokio::test]
async fn target_is_not_emptied_when_the_part_is_refused_without_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::write(&source, "new").unwrap();
    let mut wish = with_files(&[("f", b"old")]);
    let full = (StatusCode::Failure, "too many open files");
    wish.once.insert("open", [full].into());
    let fake = Fake::new(wish);
    let error = send(&fake, once(), &source).await.unwrap_err();
    assert!(error.to_string().contains("too many"), "{error}");
    assert_eq!(fake.data("f").unwrap(), b"old");
}

/// Hundreds of uploads may wait; none of them holds a file or its content meanwhile.
#[tokio::test]
async fn upload_opens_its_file_when_its_turn_has_come() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    let mut wish = Wish::default();
    wish.limits.handles = 2;
    let fake = Fake::new(wish);
    let sftp = super::session(&fake).await;
    let pool = crate::Pool::with_session(
        super::site(),
        once(),
        std::sync::Arc::new(crate::Silent),
        sftp.clone(),
    );
    let turn = sftp.file().await.unwrap();
    let upload = Upload {
        source: source.clone(),
        target: place("f"),
    };
    let sending = tokio::spawn(async move { put(&pool, &upload).await });
    for _ in 0..50 {
        tokio::task::yield_now().await;
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    }
    std::fs::write(&source, "made late").unwrap();
    drop(turn);
    sending.await.unwrap().unwrap();
    assert_eq!(fake.data("f").unwrap(), b"made late");
}

/// A file that changed since it was listed is looked at anew before the next attempt.
#[tokio::test]
async fn file_that_changed_since_the_listing_is_looked_at_anew() {
    for (length, told) in [(1000, 500), (1000, 1500), (1_000_000, 900_000)] {
        let data = noise(length);
        let fake = Fake::new(with_files(&[("f", &data)]));
        let options = Options {
            retries: 1,
            retry_wait: std::time::Duration::ZERO,
            ..Options::default()
        };
        let pool = pool(&fake, options).await;
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        let listed = super::NOTHING;
        let listed = wharf_proto::sftp::Attributes {
            size: Some(told),
            permissions: Some(0o100_644),
            ..listed
        };
        let download = Download {
            source: place("f"),
            target: target.clone(),
            known: Some(super::super::entry(b"f", &listed)),
        };
        get(&pool, &download).await.unwrap();
        assert!(std::fs::read(&target).unwrap() == data, "{told}");
    }
}

/// What was given out cannot be taken back: the rest of another file is not put behind it.
#[tokio::test]
async fn cat_does_not_go_on_in_a_file_that_changed() {
    let fake = Fake::new(with_files(&[("f", &noise(6_000_000))]));
    let options = Options {
        retries: 1,
        retry_wait: std::time::Duration::ZERO,
        ..Options::default()
    };
    let pool = pool(&fake, options).await;
    let mut given = 0;
    let mut sink = |octets: &[u8]| {
        given += octets.len();
        fake.wish()
            .nodes
            .insert(b"f".to_vec(), Node::file(noise(5_000_000)));
        Ok(())
    };
    let error = cat(&pool, &place("f"), &mut sink).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Differs, "{error}");
}
