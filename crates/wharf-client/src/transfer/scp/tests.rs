//! The old protocol against another end that says what a test wants.
#![expect(
    clippy::disallowed_methods,
    reason = "a test looks at the files that a transfer made"
)]

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    super::{Course, Download, Upload},
    command,
    get::{receive_one, receive_tree},
    put::{send_one, send_tree},
};
use crate::{
    Credentials, Error, Kind, Location, Observer, Options, Pool, Subject, TransferId, Transferred,
    ssh::{
        scp::{Pipe, Told},
        sftp::tests::noise,
    },
    tally::Tally,
};

/// Keeps what failed.
#[derive(Default)]
struct Failures(Mutex<Vec<String>>);

impl Observer for Failures {
    fn finished(&self, _: TransferId, _: Subject<'_>, result: &Result<Transferred, Error>) {
        if let Err(error) = result {
            self.0.lock().unwrap().push(error.to_string());
        }
    }
}

fn place(path: &str) -> Location {
    Location::parse(&format!("scp://h/{path}")).unwrap()
}

fn pool(options: Options) -> (Pool, Arc<Failures>) {
    let failures = Arc::new(Failures::default());
    let observer = Arc::clone(&failures) as Arc<dyn Observer>;
    let site = place("").site;
    let pool = Pool::new(site, Credentials::anonymous(), options, observer);
    (pool, failures)
}

type Ends = Pipe<mpsc::Receiver<Bytes>, mpsc::Sender<Bytes>>;

/// A pipe whose other end says all of `script` in pieces of `piece` octets and then ends; and what it
/// heard.
fn scripted(script: &[u8], piece: usize) -> (Ends, JoinHandle<Vec<u8>>) {
    let (to_us, incoming) = mpsc::channel(1024);
    let (outgoing, mut from_us) = mpsc::channel::<Bytes>(1024);
    let script = script.to_vec();
    let heard = tokio::spawn(async move {
        for piece in script.chunks(piece) {
            if to_us.send(Bytes::copy_from_slice(piece)).await.is_err() {
                break;
            }
        }
        drop(to_us);
        let mut heard = Vec::new();
        while let Some(octets) = from_us.recv().await {
            heard.extend_from_slice(&octets);
        }
        heard
    });
    let idle = Duration::from_secs(20);
    let site = place("").site;
    (
        Pipe::new(incoming, outgoing, &site, idle, Told::default()),
        heard,
    )
}

async fn fetch(script: &[u8], piece: usize, target: &Path) -> Result<Transferred, Error> {
    let (pipe, _heard) = scripted(script, piece);
    let (pool, _) = pool(Options::default());
    let download = Download {
        source: place("dir/wanted"),
        target: target.to_owned(),
        known: None,
    };
    let mut course = Course::new(&pool, &download.source, &download.target);
    receive_one(pipe, &mut course, &download, b"dir/wanted").await
}

async fn fetch_tree(script: &[u8], target: &Path) -> (Result<Tally, Error>, Vec<String>) {
    let (pipe, _heard) = scripted(script, 7);
    let (pool, failures) = pool(Options::default());
    let source = place("dir/top");
    let result = receive_tree(pipe, &pool, &source, target, b"dir/top").await;
    let told = std::mem::take(&mut *failures.0.lock().unwrap());
    (result, told)
}

fn names(directory: &Path) -> Vec<String> {
    let found = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = found
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn file_comes_with_its_time_however_it_is_cut() {
    for piece in [1, 3, 1000] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        let script = b"T1600000000 0 1600000000 0\nC0644 5 wanted\nhello\0";
        let done = fetch(script, piece, &target).await.unwrap();
        assert_eq!((done.size, done.verified.name()), (5, "size"));
        assert_eq!(std::fs::read(&target).unwrap(), b"hello");
        let modified = std::fs::metadata(&target).unwrap().modified().unwrap();
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(since.as_secs(), 1_600_000_000);
        assert_eq!(names(directory.path()), ["f"]);
    }
}

#[tokio::test]
async fn empty_file_is_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    fetch(b"C0644 0 wanted\n\0", 1, &target).await.unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), b"");
}

/// SCP-32: CVE-2019-6111, CVE-2018-20685.
#[tokio::test]
async fn nothing_is_written_that_was_not_asked_for() {
    for script in [
        &b"C0644 4 other\nevil\0"[..],
        b"C0644 4 ../wanted\nevil\0",
        b"C0644 4 /etc/wanted\nevil\0",
        b"C0644 4 .\nevil\0",
        b"C0644 4 ..\nevil\0",
        b"C0644 4 \nevil\0",
        b"D0777 0 wanted\nC0644 4 x\nevil\0E\n",
        b"D0777 0 .\nE\n",
        b"C0644 99999999999999999999 wanted\n",
        b"Welcome to this host\n",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        let error = fetch(script, 5, &target).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol, "{error}");
        assert!(!error.is_retryable());
        assert!(names(directory.path()).is_empty(), "{error}");
    }
}

/// A second file would take the first one's place.
#[tokio::test]
async fn one_file_is_taken_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let script = b"C0644 4 wanted\ngood\0C0644 4 wanted\n";
    let done = fetch(script, 100, &target).await.unwrap();
    assert_eq!(done.size, 4);
    assert_eq!(std::fs::read(&target).unwrap(), b"good");
}

/// SCP-34: what is announced is not believed.
#[tokio::test]
async fn huge_size_makes_nothing_huge() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let script = b"C0644 9000000000000000 wanted\nlittle";
    let error = fetch(script, 100, &target).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (Kind::Partial, true));
    assert!(!target.exists());
    let part = std::fs::metadata(directory.path().join(".f.wharf-part")).unwrap();
    assert_eq!(part.len(), 6);
}

/// SCP-24, CVE-2019-6109.
#[tokio::test]
async fn words_of_the_source_become_kinds_and_are_made_harmless() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    for (script, kind) in [
        (
            &b"\x01scp: wanted: No such file or directory\n"[..],
            Kind::NotFound,
        ),
        (b"\x01scp: wanted: Permission denied\n", Kind::Permission),
        (b"\x02\x1b[2Jbroken\n", Kind::Rejected),
        (b"C0644 4 wanted\nhalf\x01read error\n", Kind::Rejected),
        (b"", Kind::Protocol),
    ] {
        let error = fetch(script, 100, &target).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.to_string().contains('\x1b'), "{error}");
        assert!(!target.exists());
    }
}

#[tokio::test]
async fn tree_goes_into_the_target_whatever_it_is_called() {
    let directory = tempfile::tempdir().unwrap();
    let script = b"D0755 0 top\nC0644 1 a\nx\0D0755 0 sub\nC0644 2 b\nyy\0E\nE\n";
    let (result, told) = fetch_tree(script, directory.path()).await;
    let tally = result.unwrap();
    assert_eq!((tally.files, tally.octets, tally.failed), (2, 3, 0));
    assert!(told.is_empty());
    assert_eq!(std::fs::read(directory.path().join("a")).unwrap(), b"x");
    assert_eq!(
        std::fs::read(directory.path().join("sub/b")).unwrap(),
        b"yy"
    );
}

#[tokio::test]
async fn names_in_a_tree_never_lead_out_of_it() {
    for script in [
        &b"D0755 0 top\nC0644 4 ../x\nevil\0E\n"[..],
        b"D0755 0 top\nD0755 0 ..\nC0644 4 x\nevil\0E\nE\n",
        b"D0755 0 top\nD0777 0 .\nE\nE\n",
        b"D0755 0 other\nE\n",
        b"D0755 0 top\nE\nE\n",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("target");
        std::fs::create_dir(&target).unwrap();
        let (result, _) = fetch_tree(script, &target).await;
        assert_eq!(result.unwrap_err().kind(), Kind::Protocol);
        assert_eq!(names(directory.path()), ["target"]);
        assert!(names(&target).is_empty());
    }
}

/// SCP-33: a link that stands in the way is replaced by the file, not followed; one in the place of a
/// directory that leads elsewhere was there before, and is the user's.
#[tokio::test]
async fn tree_is_not_written_through_links() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("target");
    std::fs::create_dir(&target).unwrap();
    let outside = directory.path().join("outside");
    std::fs::write(&outside, "precious").unwrap();
    std::os::unix::fs::symlink(&outside, target.join("a")).unwrap();
    let (result, _) = fetch_tree(b"D0755 0 top\nC0644 1 a\nx\0E\n", &target).await;
    result.unwrap();
    assert_eq!(std::fs::read(&outside).unwrap(), b"precious");
    assert_eq!(std::fs::read(target.join("a")).unwrap(), b"x");
}

#[tokio::test]
async fn failures_within_a_tree_are_counted_and_the_rest_comes() {
    let directory = tempfile::tempdir().unwrap();
    let script =
        b"D0755 0 top\n\x01scp: top/locked: Permission denied\nC0644 4 bell\x07\nC0644 1 a\nx\0\
        C0644 2 torn\n??\x01read error\nC0644 1 b\ny\0E\n";
    let (result, told) = fetch_tree(script, directory.path()).await;
    let tally = result.unwrap();
    assert_eq!((tally.files, tally.failed), (2, 3), "{told:?}");
    assert!(told.iter().all(|text| !text.contains('\x07')), "{told:?}");
    assert!(directory.path().join("b").exists());
    assert!(!directory.path().join("torn").exists());
}

async fn send(answers: &[u8], content: &[u8]) -> (Result<Transferred, Error>, Vec<u8>) {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("local");
    std::fs::write(&source, content).unwrap();
    std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o640)).unwrap();
    let file = std::fs::File::options().write(true).open(&source).unwrap();
    let time = std::time::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    file.set_modified(time).unwrap();
    let (pipe, heard) = scripted(answers, 100);
    let (pool, _) = pool(Options::default());
    let upload = Upload {
        source,
        target: place("dir/name"),
    };
    let mut course = Course::new(&pool, &upload.target, &upload.source);
    let result = send_one(pipe, &mut course, &upload).await;
    (result, heard.await.unwrap())
}

#[tokio::test]
async fn file_is_offered_with_time_mode_and_the_name_that_was_asked_for() {
    let (result, heard) = send(b"\0\0\0\0", b"hello").await;
    assert_eq!(result.unwrap().size, 5);
    assert_eq!(heard, b"T1600000000 0 1600000000 0\nC0640 5 name\nhello\0");
    let (result, heard) = send(b"\0\0\0\0", b"").await;
    result.unwrap();
    assert_eq!(heard, b"T1600000000 0 1600000000 0\nC0640 0 name\n\0");
}

/// SCP-15.
#[tokio::test]
async fn refusal_of_the_sink_is_told_at_every_place() {
    for answers in [
        &b"\x01scp: dir: No such file or directory\n"[..],
        b"\0\0\x01scp: dir/name: No such file or directory\n",
        b"\0\0\0\x01scp: dir/name: No such file or directory\n",
        b"\0\0\x02scp: No such file or directory\n",
    ] {
        let (result, _) = send(answers, b"hello").await;
        assert_eq!(result.unwrap_err().kind(), Kind::NotFound, "{answers:?}");
    }
    let (result, _) = send(b"\0\0", b"hello").await;
    assert!(result.unwrap_err().is_retryable(), "an end in between");
    let (result, _) = send(b"?", b"hello").await;
    assert_eq!(result.unwrap_err().kind(), Kind::Protocol);
}

#[tokio::test]
async fn tree_is_sent_in_order_and_goes_on_behind_a_refusal() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    std::fs::write(directory.path().join("a"), "x").unwrap();
    std::fs::write(directory.path().join("sub/b"), noise(3)).unwrap();
    // The top (T, D), `a` refused, the directory (T, D), `b` (T, C, data), two ends.
    let answers = b"\0\0\0\0\x01no\n\0\0\0\0\0\0\0";
    let (pipe, heard) = scripted(answers, 1);
    let (pool, failures) = pool(Options::default());
    let sent = send_tree(pipe, &pool, directory.path(), &place("dir/top/")).await;
    let tally = sent.unwrap();
    assert_eq!((tally.files, tally.failed), (1, 1));
    assert_eq!(failures.0.lock().unwrap().len(), 1);
    let heard = String::from_utf8_lossy(&heard.await.unwrap()).into_owned();
    let letters: String = heard
        .lines()
        .filter_map(|line| line.trim_start_matches('\0').chars().next())
        .filter(|letter| "CDE".contains(*letter))
        .collect();
    assert!(letters.starts_with("DCDC"), "{heard:?}");
    assert!(
        heard.contains(" 0 top\n") && heard.contains(" 1 a\n"),
        "{heard:?}"
    );
}

/// SCP-31, CVE-2020-15778: a shell on the other side sees one word.
#[test]
fn path_is_one_word_for_the_remote_shell() {
    assert_eq!(command("-f", b"a b;id"), b"scp -f 'a b;id'");
    assert_eq!(command("-f", b"-x"), b"scp -f './-x'");
    assert_eq!(command("-f", b"it's"), b"scp -f 'it'\\''s'");
}
