//! Local disk: no way out of the folder, and what the host does meanwhile.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests prepare and inspect the host behind the volume's back"
)]

use std::{
    os::unix::fs::symlink,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use rustix::fs::CWD;
use tempfile::TempDir;

use super::*;
use crate::{
    EntryBatch, FileKind,
    contract::{fetch, must, names, path, put, refused},
};

fn fresh() -> TempDir {
    tempfile::tempdir().unwrap()
}

mod confined {
    use super::*;

    crate::volume_contract!(async {
        let directory = fresh();
        (
            Arc::new(LocalVolume::open(directory.path()).unwrap()) as Arc<dyn Volume>,
            directory,
        )
    });
}

mod walking {
    use super::*;

    crate::volume_contract!(async {
        let directory = fresh();
        (
            Arc::new(LocalVolume::open_walking(directory.path()).unwrap()) as Arc<dyn Volume>,
            directory,
        )
    });
}

/// The volume as if its disk were slow, so that every call leaves the thread.
mod pooled {
    use super::*;

    crate::volume_contract!(async {
        let directory = fresh();
        (
            Arc::new(slow(directory.path())) as Arc<dyn Volume>,
            directory,
        )
    });
}

mod subtree {
    use super::*;

    crate::volume_contract!(async {
        let directory = fresh();
        let outer = LocalVolume::open(directory.path()).unwrap();
        must(outer.create_directory(&path("/home"), 0o755).await);
        (
            must(outer.subtree(&path("/home")).await).unwrap(),
            directory,
        )
    });
}

fn slow(directory: &Path) -> LocalVolume {
    let mut volume = LocalVolume::open(directory).unwrap();
    let store = Arc::get_mut(&mut volume.store).unwrap();
    store.pace = Arc::new(Pace::new(true));
    volume
}

/// Both ways to resolve a path.
fn both(directory: &Path) -> [LocalVolume; 2] {
    [
        LocalVolume::open(directory).unwrap(),
        LocalVolume::open_walking(directory).unwrap(),
    ]
}

/// Every way to reach an object that is not there.
async fn is_nowhere(volume: &LocalVolume, text: &str) {
    let object = path(text);
    assert_eq!(
        refused(volume.metadata(&object, Links::Follow).await),
        ErrorKind::NotFound,
        "{text}"
    );
    for mode in [
        OpenMode::Read,
        OpenMode::Update,
        OpenMode::UpdateOrCreate { mode: 0o644 },
    ] {
        assert_eq!(
            refused(volume.open(&object, mode).await),
            ErrorKind::NotFound,
            "{text} {mode:?}"
        );
    }
    assert_eq!(
        refused(volume.read_directory(&object).await),
        ErrorKind::NotFound,
        "{text}"
    );
    let change = AttributeChange {
        mode: Some(0o777),
        ..AttributeChange::default()
    };
    assert_eq!(
        refused(volume.set_attributes(&object, Links::Follow, change).await),
        ErrorKind::NotFound,
        "{text}"
    );
    assert_eq!(
        refused(volume.space(&object).await),
        ErrorKind::NotFound,
        "{text}"
    );
}

/// PATH-03, pyftpdlib 9, 55, 150: traversal by a link and by a rename's target.
#[tokio::test]
async fn links_out_of_the_volume_lead_nowhere() {
    let host = fresh();
    let (top, outside) = (host.path().join("top"), host.path().join("outside"));
    std::fs::create_dir_all(top.join("sub")).unwrap();
    std::fs::create_dir_all(outside.join("deep")).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    symlink("../outside/secret", top.join("file")).unwrap();
    symlink("../outside", top.join("directory")).unwrap();
    symlink("sub/../../outside", top.join("winding")).unwrap();
    symlink("../../outside/secret", top.join("sub/file")).unwrap();
    symlink(outside.join("secret"), top.join("absolute")).unwrap();
    symlink(top.join("sub"), top.join("absolute-inside")).unwrap();
    symlink("/", top.join("slash")).unwrap();
    symlink("/proc/self/root", top.join("magic")).unwrap();
    for volume in both(&top) {
        for text in [
            "/file",
            "/directory",
            "/winding",
            "/sub/file",
            "/absolute",
            "/absolute-inside",
            "/slash",
            "/magic",
        ] {
            is_nowhere(&volume, text).await;
            assert_eq!(
                must(volume.metadata(&path(text), Links::NoFollow).await).kind,
                FileKind::Symlink
            );
        }
        for text in [
            "/directory/secret",
            "/winding/secret",
            "/slash/etc/passwd",
            "/magic/etc/passwd",
        ] {
            is_nowhere(&volume, text).await;
            let object = path(text);
            assert_eq!(
                refused(volume.metadata(&object, Links::NoFollow).await),
                ErrorKind::NotFound
            );
            assert_eq!(
                refused(
                    volume
                        .open(&object, OpenMode::CreateNew { mode: 0o644 })
                        .await
                ),
                ErrorKind::NotFound
            );
            assert_eq!(
                refused(volume.create_directory(&object, 0o755).await),
                ErrorKind::NotFound
            );
            assert_eq!(
                refused(volume.remove_file(&object).await),
                ErrorKind::NotFound
            );
            assert_eq!(
                refused(volume.remove_directory(&object).await),
                ErrorKind::NotFound
            );
            assert_eq!(
                refused(volume.create_symlink(&path("/sub"), &object).await),
                ErrorKind::NotFound
            );
            assert_eq!(
                refused(volume.read_link(&object).await),
                ErrorKind::NotFound
            );
            put(&volume, "/mine", b"mine").await;
            for replace in [Replace::Files, Replace::Never] {
                assert_eq!(
                    refused(volume.rename(&path("/mine"), &object, replace).await),
                    ErrorKind::NotFound
                );
                assert_eq!(
                    refused(volume.rename(&object, &path("/sub/stolen"), replace).await),
                    ErrorKind::NotFound
                );
            }
        }
        let mut reader = must(volume.read_directory(&path("/")).await);
        let batch = must(reader.next_batch(EntryBatch::new()).await);
        assert!(batch.iter().all(|entry| entry.target.is_none()));
    }
    assert_eq!(std::fs::read(outside.join("secret")).unwrap(), b"secret");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 2);
}

/// CVE-2012-6095, CVE-2017-7418: a directory that becomes a link out of the volume, and back, while
/// it is used.
#[tokio::test]
async fn a_directory_swapped_for_a_link_never_lets_anyone_out() {
    let host = fresh();
    let (top, outside) = (host.path().join("top"), host.path().join("outside"));
    std::fs::create_dir_all(top.join("real")).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(top.join("real/f"), "inside").unwrap();
    std::fs::write(outside.join("f"), "outside").unwrap();
    symlink("../outside", top.join("link")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (top, stop) = (top.clone(), Arc::clone(&stop));
        move || {
            while !stop.load(Relaxed) {
                let exchange = fs::RenameFlags::EXCHANGE;
                fs::renameat_with(CWD, top.join("real"), CWD, top.join("link"), exchange).unwrap();
            }
        }
    });
    let mut reached = 0;
    for volume in both(&top) {
        for round in 0..2_000 {
            if let Ok(file) = volume.open(&path("/real/f"), OpenMode::Read).await {
                assert_eq!(crate::contract::content_of(&file).await, b"inside");
                reached += 1;
            }
            let name = format!("/real/new-{round}");
            let _ = volume.create_directory(&path(&name), 0o755).await;
            let _ = volume
                .open(
                    &path(&format!("{name}-file")),
                    OpenMode::UpdateOrCreate { mode: 0o644 },
                )
                .await;
            let _ = volume
                .rename(
                    &path(&name),
                    &path(&format!("{name}-moved")),
                    Replace::Never,
                )
                .await;
            let _ = volume
                .set_attributes(
                    &path("/real/f"),
                    Links::Follow,
                    AttributeChange {
                        mode: Some(0o600),
                        ..AttributeChange::default()
                    },
                )
                .await;
        }
    }
    stop.store(true, Relaxed);
    swapper.join().unwrap();
    assert!(reached > 0);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(outside.join("f")).unwrap());
    assert_ne!(mode & 0o777, 0o600);
}

/// PATH-04: listed, never opened, and nothing waits for the other end.
#[tokio::test]
async fn devices_fifos_and_sockets_are_never_opened() {
    let host = fresh();
    fs::mkfifoat(CWD, host.path().join("fifo"), Mode::from_raw_mode(0o666)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(host.path().join("socket")).unwrap();
    for volume in both(host.path()) {
        for text in ["/fifo", "/socket"] {
            let object = path(text);
            assert_eq!(
                must(volume.metadata(&object, Links::Follow).await).kind,
                FileKind::Special
            );
            for mode in [
                OpenMode::Read,
                OpenMode::Update,
                OpenMode::UpdateOrCreate { mode: 0o644 },
            ] {
                assert_eq!(
                    refused(volume.open(&object, mode).await),
                    ErrorKind::Denied,
                    "{text} {mode:?}"
                );
            }
        }
        assert_eq!(names(&volume, "/").await, ["fifo", "socket"]);
    }
}

/// A subtree is its own top: what lies beside it in the same volume is out of it.
#[tokio::test]
async fn a_link_does_not_leave_a_subtree() {
    let host = fresh();
    std::fs::create_dir_all(host.path().join("ann")).unwrap();
    std::fs::create_dir_all(host.path().join("bob")).unwrap();
    std::fs::write(host.path().join("bob/secret"), "secret").unwrap();
    symlink("../bob/secret", host.path().join("ann/link")).unwrap();
    for volume in both(host.path()) {
        assert_eq!(fetch(&volume, "/ann/link").await, b"secret");
        let ann = must(volume.subtree(&path("/ann")).await).unwrap();
        assert_eq!(
            refused(ann.open(&path("/link"), OpenMode::Read).await),
            ErrorKind::NotFound
        );
        assert_eq!(
            refused(volume.subtree(&path("/bob/secret")).await.map(drop)),
            ErrorKind::NotADirectory
        );
    }
}

#[tokio::test]
async fn names_of_any_bytes_are_listed_and_reached() {
    let host = fresh();
    let volume = LocalVolume::open(host.path()).unwrap();
    let name = b"caf\xe9\r\n.txt";
    let object = VirtualPath::root().join_name(name).unwrap();
    must(
        volume
            .open(&object, OpenMode::CreateNew { mode: 0o644 })
            .await,
    );
    let mut reader = must(volume.read_directory(&VirtualPath::root()).await);
    let batch = must(reader.next_batch(EntryBatch::new()).await);
    assert_eq!(
        batch.iter().map(|entry| entry.name).collect::<Vec<_>>(),
        [name]
    );
    must(volume.remove_file(&object).await);
}

/// The longest names fill the small buffer with few records.
#[tokio::test]
async fn the_longest_names_are_listed() {
    let host = fresh();
    let volume = LocalVolume::open(host.path()).unwrap();
    for number in 0..100 {
        put(&volume, &format!("/{number:0255}"), b"").await;
    }
    assert_eq!(names(&volume, "/").await.len(), 100);
}

#[tokio::test]
async fn a_local_file_offers_its_descriptor() {
    let host = fresh();
    let volume = LocalVolume::open(host.path()).unwrap();
    let file = put(&volume, "/f", b"12345").await;
    assert_eq!(fs::fstat(file.descriptor().unwrap()).unwrap().st_size, 5);
}

#[tokio::test]
async fn a_file_in_memory_never_waits() {
    let Ok(directory) = tempfile::tempdir_in("/dev/shm") else {
        return;
    };
    let volume = LocalVolume::open(directory.path()).unwrap();
    if volume.store.root.file_system().memory {
        assert!(!put(&volume, "/f", b"").await.may_wait());
    }
}

#[tokio::test]
async fn a_quick_disk_is_asked_on_the_callers_thread_and_a_slow_one_is_not() {
    let host = fresh();
    let quick = LocalVolume::open(host.path()).unwrap();
    assert!(matches!(
        quick.metadata(&VirtualPath::root(), Links::Follow),
        Answer::Now(_)
    ));
    let slow = slow(host.path());
    assert!(matches!(
        slow.metadata(&VirtualPath::root(), Links::Follow),
        Answer::Later(_)
    ));
}

#[test]
fn a_missing_directory_is_no_volume_and_its_host_path_is_not_told() {
    let host = fresh();
    let error = LocalVolume::open(&host.path().join("missing")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(!format!("{error:?}").contains("missing"));
}

/// A parent that was looked into a moment ago must not outlive its name.
#[tokio::test]
async fn a_kept_parent_ends_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (directory.path().join("a"), directory.path().join("b"));
    std::fs::create_dir(&a).unwrap();
    std::fs::write(a.join("f"), "1").unwrap();
    let volume = LocalVolume::open(directory.path()).unwrap();
    let at = |path: &str| VirtualPath::parse(&VirtualPath::root(), path.as_bytes()).unwrap();
    for _ in 0..100 {
        assert_eq!(
            volume
                .metadata(&at("/a/f"), Links::Follow)
                .await
                .unwrap()
                .size,
            1
        );
        volume
            .rename(&at("/a"), &at("/b"), Replace::Never)
            .await
            .unwrap();
        let gone = volume
            .metadata(&at("/a/f"), Links::Follow)
            .await
            .unwrap_err();
        assert_eq!(gone.kind, ErrorKind::NotFound);
        volume
            .rename(&at("/b"), &at("/a"), Replace::Never)
            .await
            .unwrap();
    }
    // What others do to the folder: nothing is "not there" only because it was not there before.
    assert!(volume.metadata(&at("/a/g"), Links::Follow).await.is_err());
    std::fs::rename(&a, &b).unwrap();
    std::fs::create_dir(&a).unwrap();
    std::fs::write(a.join("g"), "22").unwrap();
    assert_eq!(
        volume
            .metadata(&at("/a/g"), Links::Follow)
            .await
            .unwrap()
            .size,
        2
    );
}

/// A link out of the volume, or in place of a directory, gives no file of the host a second name.
#[tokio::test]
async fn a_hard_link_reaches_nothing_outside() {
    let host = fresh();
    let (top, outside) = (host.path().join("top"), host.path().join("outside"));
    std::fs::create_dir_all(&top).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    std::fs::write(top.join("f"), "mine").unwrap();
    symlink("../outside/secret", top.join("file")).unwrap();
    symlink("../outside", top.join("directory")).unwrap();
    for volume in both(&top) {
        for (from, to, expected) in [
            ("/file", "/x", ErrorKind::Denied),
            ("/directory", "/x", ErrorKind::Denied),
            ("/directory/secret", "/x", ErrorKind::NotFound),
            ("/f", "/directory/x", ErrorKind::NotFound),
        ] {
            assert_eq!(
                refused(volume.create_hard_link(&path(from), &path(to)).await),
                expected,
                "{from} {to}"
            );
        }
        assert_eq!(names(&volume, "/").await, ["directory", "f", "file"]);
    }
    assert_eq!(std::fs::read_dir(outside).unwrap().count(), 1);
}

/// PATH-04: neither is anything that is no regular file.
#[tokio::test]
async fn a_fifo_gets_no_second_name() {
    let host = fresh();
    fs::mknodat(
        CWD,
        host.path().join("fifo"),
        fs::FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    for volume in both(host.path()) {
        assert_eq!(
            refused(volume.create_hard_link(&path("/fifo"), &path("/x")).await),
            ErrorKind::Denied
        );
    }
}

/// CVE-2012-6095's lesson: a name that is swapped all the time never gets a link its second name.
#[tokio::test]
async fn a_name_that_is_swapped_for_a_link_gets_no_hard_link() {
    let host = fresh();
    let top = host.path().to_path_buf();
    symlink("../secret", top.join("link")).unwrap();
    std::fs::write(top.join("f"), "mine").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = {
        let (stop, top) = (Arc::clone(&stop), top.clone());
        std::thread::spawn(move || {
            while !stop.load(Relaxed) {
                let (one, other) = (top.join("link"), top.join("f"));
                fs::renameat_with(CWD, one, CWD, other, fs::RenameFlags::EXCHANGE).unwrap();
            }
        })
    };
    for volume in both(&top) {
        for _ in 0..500 {
            if volume
                .create_hard_link(&path("/f"), &path("/second"))
                .await
                .is_ok()
            {
                let made = must(volume.metadata(&path("/second"), Links::NoFollow).await);
                assert_eq!(made.kind, FileKind::File);
                must(volume.remove_file(&path("/second")).await);
            }
        }
    }
    stop.store(true, Relaxed);
    swapper.join().unwrap();
}

/// Where there is no `/proc` the name is checked again when the link is made.
#[test]
fn a_link_by_name_is_taken_back_if_the_name_was_swapped() {
    let host = fresh();
    std::fs::write(host.path().join("looked-at"), "").unwrap();
    std::fs::write(host.path().join("there-now"), "").unwrap();
    let directory = fs::open(host.path(), OFlags::PATH, Mode::empty()).unwrap();
    let found = root::look_at(&directory, "looked-at").unwrap();
    let parent = || root::Parent::Below(directory.try_clone().unwrap());
    let link = |old: &[u8]| links::link_name(&parent(), old, &found, &parent(), b"second");
    assert_eq!(link(b"there-now"), Err(Errno::BUSY));
    assert!(!host.path().join("second").exists());
    assert_eq!(link(b"looked-at"), Ok(()));
    assert!(host.path().join("second").exists());
}

/// With and without a kernel that can be told not to wait; nothing is allocated where there is room.
#[tokio::test]
async fn a_quick_disk_is_read_and_written_at_once() {
    let host = fresh();
    let volume = LocalVolume::open(host.path()).unwrap();
    let file = put(&volume, "/f", b"0123456789").await;
    for no_nowait in [false, true] {
        volume.store.promptness.set(no_nowait);
        let mut buffer = Vec::with_capacity(32 * 1024);
        let (room, place) = (buffer.capacity(), buffer.as_ptr());
        buffer.extend_from_slice(b"head");
        assert_eq!(must(file.try_read_at(&mut buffer, 32_000, 2).unwrap()), 8);
        assert_eq!(buffer, b"head23456789");
        assert_eq!((buffer.capacity(), buffer.as_ptr()), (room, place));
        if let Some(written) = file.try_write_at(b"ab", 0) {
            must(written);
            assert_eq!(fetch(&volume, "/f").await, b"ab23456789");
        } else {
            assert!(!no_nowait);
        }
        must(file.write_at(b"01".to_vec(), 0).await);
    }
}

/// Clients take less than they asked for as the end of the file: where the cache ends is none.
#[tokio::test]
async fn what_is_cached_in_part_is_read_whole_or_not_at_once() {
    let host = fresh();
    let volume = LocalVolume::open(host.path()).unwrap();
    let content: Vec<u8> = (0..=u8::MAX).cycle().take(200_000).collect();
    let file = put(&volume, "/f", &content).await;
    must(file.sync().await);
    let descriptor = file.descriptor().unwrap();
    let length = std::num::NonZeroU64::new(100_000);
    fs::fadvise(descriptor, 65_536, length, fs::Advice::DontNeed).unwrap();
    let mut buffer = Vec::new();
    match file.try_read_at(&mut buffer, content.len(), 0) {
        Some(read) => assert_eq!(must(read), content.len()),
        None => assert!(buffer.is_empty()),
    }
}

/// What may stall is handed over, untouched.
#[tokio::test]
async fn a_slow_disk_is_neither_read_nor_written_at_once() {
    let host = fresh();
    let file = put(&slow(host.path()), "/f", b"0123456789").await;
    let mut buffer = b"head".to_vec();
    assert!(file.try_read_at(&mut buffer, 100, 0).is_none());
    assert_eq!(buffer, b"head");
    assert!(file.try_write_at(b"x", 0).is_none());
}

/// Copies of any size go piece by piece; the kernel's way and the way through memory agree.
#[tokio::test]
async fn a_range_is_copied_between_a_disk_and_memory() {
    let host = fresh();
    let disk = LocalVolume::open(host.path()).unwrap();
    let memory = crate::volumes::MemoryVolume::new(1 << 20);
    let content: Vec<u8> = (0..600_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let one = put(&disk, "/f", &content).await;
    let other = put(&memory, "/f", b"").await;
    assert_eq!(must(other.copy_range(&one, 0, 0, u64::MAX).await), 600_000);
    let back = put(&disk, "/g", b"").await;
    assert_eq!(must(back.copy_range(&other, 0, 3, 500_000).await), 500_000);
    assert!(fetch(&disk, "/g").await[3..] == content[..500_000]);
}
