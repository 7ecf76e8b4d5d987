//! Trees and names: many files in flight, and names that lead elsewhere.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;
use wharf_proto::{
    ftp::listing::parse::Kind as EntryKind,
    sftp::{StatusCode, extension::Name},
};

use super::{
    noise, place, pool,
    server::{Fake, Node, Wish, without},
    with_files,
};
use crate::{
    Error, Kind, Location, Observer, Options, Pool, Subject, TransferId, Transferred,
    tree::{self, Tally},
};

const ROUND_TRIP: Duration = Duration::from_millis(50);

fn tree_of(count: usize) -> Wish {
    let mut wish = Wish {
        round_trip: ROUND_TRIP,
        ..Wish::default()
    };
    wish.nodes.insert(b"t".to_vec(), Node::Directory);
    for index in 0..count {
        let name = format!("t/f{index:03}").into_bytes();
        wish.nodes.insert(name, Node::file(noise(2000 + index)));
    }
    wish
}

fn write_tree(directory: &Path, count: usize) {
    for index in 0..count {
        let name = directory.join(format!("f{index:03}"));
        std::fs::write(name, noise(2000 + index)).unwrap();
    }
}

/// The measured 22 s of others: here it is six round trips, counted on a clock that only they move.
#[tokio::test(start_paused = true)]
async fn hundred_small_files_come_in_a_few_round_trips() {
    let fake = Fake::new(tree_of(100));
    let pool = pool(&fake, Options::default()).await;
    let directory = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    let tally = tree::get_tree(&pool, &place("t/"), directory.path())
        .await
        .unwrap();
    let trips = begin.elapsed().as_millis() / ROUND_TRIP.as_millis();
    assert_eq!((tally.files, tally.failed), (100, 0));
    // OPENDIR, five times eight READDIR of three names each, OPEN, READ and what belongs to it.
    assert!(trips <= 10, "{trips} round trips");
    for index in 0..100 {
        let name = directory.path().join(format!("f{index:03}"));
        assert!(std::fs::read(name).unwrap() == noise(2000 + index));
    }
}

#[tokio::test(start_paused = true)]
async fn hundred_small_files_go_in_a_few_round_trips() {
    let fake = Fake::new(Wish {
        round_trip: ROUND_TRIP,
        ..Wish::default()
    });
    let pool = pool(&fake, Options::default()).await;
    let directory = tempfile::tempdir().unwrap();
    write_tree(directory.path(), 100);
    let begin = Instant::now();
    let tally = tree::put_tree(&pool, directory.path(), &place("t/"))
        .await
        .unwrap();
    let trips = begin.elapsed().as_millis() / ROUND_TRIP.as_millis();
    assert_eq!((tally.files, tally.failed), (100, 0));
    // MKDIR, OPEN, WRITE and what belongs to it, the rename.
    assert!(trips <= 8, "{trips} round trips");
    for index in 0..100 {
        assert!(fake.data(&format!("t/f{index:03}")).unwrap() == noise(2000 + index));
    }
}

/// A server's limit of open handles holds however many files there are.
#[tokio::test]
async fn no_more_files_are_open_than_the_server_bears() {
    let mut wish = tree_of(100);
    wish.round_trip = Duration::ZERO;
    wish.limits.handles = 8;
    let fake = Fake::new(wish);
    let pool = pool(&fake, Options::default()).await;
    let directory = tempfile::tempdir().unwrap();
    let tally = tree::get_tree(&pool, &place("t/"), directory.path())
        .await
        .unwrap();
    assert_eq!((tally.files, tally.failed), (100, 0));
    let most = fake.wish().most_open;
    assert!(most <= 4, "{most} were open");
}

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

/// SFT-83, CVE-2019-6111: names that lead elsewhere are counted as failures and never written.
#[tokio::test]
async fn names_that_lead_elsewhere_are_refused_and_counted() {
    let mut wish = with_files(&[("good", b"good")]);
    wish.names = [
        &b"../evil"[..],
        b"/etc/evil",
        b"a/b",
        b"",
        b"nul\0evil",
        b"bell\x07",
        b"back\\slash",
    ]
    .map(|name| (name, Node::file(b"evil".to_vec())))
    .into();
    let fake = Fake::new(wish);
    let directory = tempfile::tempdir().unwrap();
    let inside = directory.path().join("inside");
    let failures = Arc::new(Failures::default());
    let sftp = super::session(&fake).await;
    let pool = Pool::with_session(
        super::site(),
        Options::default(),
        Arc::clone(&failures) as Arc<dyn Observer>,
        sftp,
    );
    let tally = tree::get_tree(&pool, &place(""), &inside).await.unwrap();
    assert_eq!((tally.files, tally.failed), (1, 7));
    let told = failures.0.lock().unwrap();
    assert_eq!(told.len(), 7);
    assert!(told.iter().all(|text| !text.contains('\x07')), "{told:?}");
    let names = |path: &Path| {
        let found = std::fs::read_dir(path).unwrap();
        found
            .map(|entry| entry.unwrap().file_name())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&inside), ["good"]);
    assert_eq!(names(directory.path()), ["inside"]);
    let log = &fake.wish().log;
    let opened = log.iter().filter(|line| line.starts_with("open "));
    let opened: Vec<_> = opened.collect();
    assert_eq!(opened, ["open good"], "the others are not even asked for");
}

async fn fetch(fake: &Fake, options: Options, target: &Path) -> Tally {
    let pool = pool(fake, options).await;
    tree::get_tree(&pool, &place("t/"), target).await.unwrap()
}

/// SFT-83.
#[tokio::test]
async fn links_are_followed_unless_wanted_and_never_lead_outside() {
    let mut wish = tree_of(1);
    wish.round_trip = Duration::ZERO;
    for (name, text) in [
        (&b"t/inside"[..], &b"f000"[..]),
        (b"t/absolute", b"/etc/passwd"),
        (b"t/upwards", b"../secret"),
    ] {
        wish.nodes.insert(name.to_vec(), Node::Link(text.to_vec()));
    }
    let fake = Fake::new(wish);
    let directory = tempfile::tempdir().unwrap();
    let links = Options {
        links: true,
        ..Options::default()
    };
    let tally = fetch(&fake, links.clone(), directory.path()).await;
    assert_eq!((tally.files, tally.failed), (1, 0));
    let target = |name: &str| std::fs::read_link(directory.path().join(name));
    assert_eq!(target("inside").unwrap(), Path::new("f000"));
    assert!(target("absolute").is_err() && target("upwards").is_err());
    // Once more: the link that is there is replaced.
    assert_eq!(fetch(&fake, links, directory.path()).await.failed, 0);
    // Without the option what a link leads to is fetched.
    let plain = tempfile::tempdir().unwrap();
    let retries = Options {
        retries: 0,
        ..Options::default()
    };
    fetch(&fake, retries, plain.path()).await;
    assert!(std::fs::read(plain.path().join("inside")).unwrap() == noise(2000));
    let kind = std::fs::symlink_metadata(plain.path().join("inside")).unwrap();
    assert!(kind.is_file());
}

#[tokio::test]
async fn deep_trees_go_and_come_back_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("out/a/b/c");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::create_dir_all(directory.path().join("out/empty")).unwrap();
    std::fs::write(deep.join("x"), noise(300_000)).unwrap();
    std::fs::write(directory.path().join("out/y"), "").unwrap();
    let fake = Fake::new(Wish::default());
    let pool = pool(&fake, Options::default()).await;
    let out = directory.path().join("out");
    let sent = tree::put_tree(&pool, &out, &place("t/u/v/")).await.unwrap();
    assert_eq!((sent.files, sent.failed), (2, 0));
    let back = directory.path().join("back");
    let got = tree::get_tree(&pool, &place("t/u/v/"), &back)
        .await
        .unwrap();
    assert_eq!((got.files, got.failed), (2, 0));
    assert!(std::fs::read(back.join("a/b/c/x")).unwrap() == noise(300_000));
    assert!(back.join("empty").is_dir() && back.join("y").is_file());
}

/// The same for names: CVE-2019-6111's family, loops without progress.
#[tokio::test]
async fn listing_without_names_does_not_go_on_for_ever() {
    let fake = Fake::new(Wish {
        empty_names: true,
        ..Wish::default()
    });
    let pool = pool(&fake, Options::default()).await;
    let error = tree::list(&pool, &place("")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
}

#[tokio::test]
async fn names_are_listed_looked_at_renamed_made_and_removed() {
    let mut wish = with_files(&[("f", b"content")]);
    wish.nodes.insert(b"l".to_vec(), Node::Link(b"f".to_vec()));
    let fake = Fake::new(wish);
    let pool = pool(&fake, Options::default()).await;
    let mut entries = tree::list(&pool, &place("")).await.unwrap();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::File, EntryKind::Link]);
    assert_eq!(entries[0].size, Some(7));
    assert_eq!(entries[1].link_target.as_deref(), Some(&b"f"[..]));
    let found = tree::stat(&pool, &place("l")).await.unwrap();
    assert_eq!(found.link_target.as_deref(), Some(&b"f"[..]));
    let home = tree::stat(&pool, &place("")).await.unwrap();
    assert_eq!(home.name, b"/home/ann/.");
    tree::make_directory(&pool, &place("a/b/c"), true)
        .await
        .unwrap();
    tree::make_directory(&pool, &place("a/b/c"), true)
        .await
        .unwrap();
    let taken = tree::make_directory(&pool, &place("a"), false).await;
    assert_eq!(taken.unwrap_err().kind(), Kind::Rejected);
    tree::rename(&pool, &place("f"), &place("a/b/c/g"))
        .await
        .unwrap();
    assert_eq!(fake.data("a/b/c/g").unwrap(), b"content");
    let mut gone = Vec::new();
    let mut told = |place: &Location| gone.push(place.to_string());
    let only_files = tree::remove(&pool, &place("a"), false, &mut told).await;
    assert!(only_files.is_err());
    tree::remove(&pool, &place("a"), true, &mut told)
        .await
        .unwrap();
    assert_eq!(
        gone,
        ["a/b/c/g", "a/b/c/", "a/b/", "a"].map(|name| format!("sftp://h/~/{name}"))
    );
    assert_eq!(fake.wish().nodes.len(), 2, "{:?}", fake.wish().nodes.keys());
}

/// mv never removes a target by itself: without posix-rename the server's refusal is told.
#[tokio::test]
async fn rename_replaces_only_in_one_step() {
    let mut wish = with_files(&[("f", b"new"), ("g", b"old")]);
    wish.extensions = without(&[Name::PosixRename]);
    let fake = Fake::new(wish);
    let pool = pool(&fake, Options::default()).await;
    let refused = tree::rename(&pool, &place("f"), &place("g")).await;
    assert_eq!(refused.unwrap_err().code(), Some(4));
    assert_eq!(fake.data("g").unwrap(), b"old");
}

#[tokio::test]
async fn one_file_that_fails_is_counted_and_the_others_go_on() {
    let mut wish = tree_of(5);
    wish.round_trip = Duration::ZERO;
    let denied = (StatusCode::PermissionDenied, "");
    wish.once.insert("open", [denied].into());
    let directory = tempfile::tempdir().unwrap();
    let tally = fetch(&Fake::new(wish), Options::default(), directory.path()).await;
    assert_eq!((tally.files, tally.failed), (4, 1));
}

/// A link that leads into a circle, or nowhere, is left out; what stands beside it goes.
#[tokio::test]
async fn link_that_leads_nowhere_does_not_keep_its_directory_back() {
    let directory = tempfile::tempdir().unwrap();
    write_tree(directory.path(), 2);
    for (name, text) in [
        ("circle", "circle"),
        ("nowhere", "f000/x"),
        ("gone", "gone2"),
    ] {
        std::os::unix::fs::symlink(text, directory.path().join(name)).unwrap();
    }
    let pool = pool(&Fake::new(Wish::default()), Options::default()).await;
    let tally = tree::put_tree(&pool, directory.path(), &place("t/"))
        .await
        .unwrap();
    assert_eq!((tally.files, tally.failed), (2, 0));
}
