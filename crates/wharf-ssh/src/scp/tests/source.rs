//! `scp -f`.

use std::{sync::Arc, time::Duration};

use wharf_vfs::{Grants, OpenMode, Rights, ViewSettings, volumes::LocalVolume};

use super::house::{House, Plan, exit, path};

/// SCP-20, SCP-21, SCP-22.
#[tokio::test]
async fn a_file_goes_step_by_step_and_is_told_once() {
    let house = House::new().await;
    house.make("d", 0o755).await;
    house.put("d/a b", b"hello").await;
    let ((), ended) = house
        .with_peer("scp -f 'd/a b'", async |peer| {
            peer.say(b"\0").await;
            peer.hear(b"C0644 5 a b\n").await;
            assert!(house.told().is_empty());
            peer.say(b"\0").await;
            peer.hear(b"hello\0").await;
            peer.say(b"\0").await;
        })
        .await;
    assert_eq!(ended, exit(0));
    assert_eq!(house.told(), ["download_committed /d/a b 5"]);
}

#[tokio::test]
async fn a_big_file_and_an_empty_one_go_whole_whatever_the_pieces() {
    let content: Vec<u8> = (0..700_001_u32)
        .map(|number| number.to_le_bytes()[1])
        .collect();
    for size in [1000, 1 << 16] {
        let house = House::new().await;
        house.put("big", &content).await;
        house.put("empty", b"").await;
        let (heard, ended) = house.run_through("scp -f big empty", &[0; 5], size).await;
        let expected = [
            b"C0644 700001 big\n".as_slice(),
            &content,
            b"\0C0644 0 empty\n\0",
        ];
        assert!(heard == expected.concat());
        assert_eq!(ended, exit(0));
    }
}

#[tokio::test]
async fn one_octet_at_a_time_is_enough() {
    let house = House::new().await;
    house.put("f", b"hello").await;
    let (heard, ended) = house.run_through("scp -f f", &[0; 3], 1).await;
    assert_eq!(
        (heard.as_slice(), ended),
        (b"C0644 5 f\nhello\0".as_slice(), exit(0))
    );
}

/// SCP-21.
#[tokio::test]
async fn a_tree_goes_with_its_directories() {
    let house = House::new().await;
    house.make("t", 0o750).await;
    house.make("t/s", 0o700).await;
    house.put("t/s/f", b"x").await;
    let (heard, ended) = house.run("scp -r -f t", [0; 7]).await;
    assert_eq!(heard, b"D0750 0 t\nD0700 0 s\nC0644 1 f\nx\0E\nE\n");
    assert_eq!(ended, exit(0));
}

/// SCP-21.
#[tokio::test]
async fn a_directory_without_recursion_is_left_out() {
    let house = House::new().await;
    house.make("d", 0o755).await;
    house.put("f", b"x").await;
    let (heard, ended) = house.run("scp -f d f", [0; 3]).await;
    assert_eq!(heard, b"\x01scp: d: not a regular file\nC0644 1 f\nx\0");
    assert_eq!(ended, exit(1));
}

/// SCP-24.
#[tokio::test]
async fn what_is_missing_is_told_and_the_rest_goes() {
    let house = House::new().await;
    house.put("f", b"x").await;
    let (heard, ended) = house.run("scp -f none 'no*ne' f/g ../f", [0; 3]).await;
    assert_eq!(
        heard,
        b"\x01scp: none: No such file or directory\n\
          \x01scp: no*ne: No such file or directory\n\
          \x01scp: f/g: Not a directory\n\
          C0644 1 f\nx\0"
            .as_slice()
    );
    assert_eq!(ended, exit(1));
}

/// SCP-02, DAT-82: old clients rely on the remote side for patterns.
#[tokio::test]
async fn unquoted_patterns_are_expanded_and_quoted_ones_are_not() {
    let house = House::new().await;
    for directory in ["d", "e"] {
        house.make(directory, 0o755).await;
    }
    for name in ["b.txt", "a.txt", ".c.txt", "x.c", "d/1.h", "e/2.h", "e/*.h"] {
        house.put(name, b"").await;
    }
    let sent = async |line: &str| {
        let (heard, ended) = house.run(line, [0; 20]).await;
        let heard = String::from_utf8(heard).unwrap();
        let names = heard
            .split('\n')
            .filter_map(|line| line.strip_prefix(['\0', 'C']));
        let names = names.map(|line| {
            line.trim_start_matches("C0644 0 ")
                .trim_start_matches("0644 0 ")
        });
        let names: Vec<String> = names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        (names.join(" "), ended.status)
    };
    assert_eq!(sent("scp -f *.txt").await, ("a.txt b.txt".into(), 0));
    assert_eq!(sent("scp -f [ax].*").await, ("a.txt x.c".into(), 0));
    assert_eq!(sent("scp -f ./?.c").await, ("x.c".into(), 0));
    assert_eq!(sent("scp -f ~/*.c").await, ("x.c".into(), 0));
    assert_eq!(sent("scp -f .*.txt").await, (".c.txt".into(), 0));
    assert_eq!(sent("scp -f */*.h").await, ("1.h *.h 2.h".into(), 0));
    assert_eq!(sent("scp -f [e]/'*'.h").await, ("*.h".into(), 0));
    assert_eq!(
        sent("scp -f e/*.h").await,
        ("*.h".into(), 0),
        "an object of that name"
    );
    assert_eq!(sent("scp -f '*.txt'").await.1, 1);
    assert_eq!(sent("scp -f */*/x").await.1, 1);
    let (heard, _) = house.run("scp -f a*b*c*d*e*", [0; 20]).await;
    assert_eq!(
        heard,
        b"\x01scp: a*b*c*d*e*: the pattern would cost too much\n"
    );
    let (heard, _) = house.run("scp -f */*/x", [0; 20]).await;
    assert!(heard.starts_with(b"\x01scp: */*/x: patterns are taken in the last two"));
}

/// SCP-02: home, and the top of a tree whose name is no name.
#[tokio::test]
async fn home_goes_by_its_name_and_the_top_by_its_entries() {
    let house = House::of(Plan {
        view: ViewSettings {
            home: path("home"),
            ..ViewSettings::default()
        },
        ..Plan::default()
    })
    .await;
    house.make("home", 0o755).await;
    house.put("home/f", b"x").await;
    for line in [
        "scp -r -f .",
        "scp -r -f ~",
        "scp -r -f ''",
        "scp -r -f ../home/",
    ] {
        let (heard, ended) = house.run(line, [0; 6]).await;
        assert_eq!(heard, b"D0755 0 home\nC0644 1 f\nx\0E\n", "{line}");
        assert_eq!(ended, exit(0));
    }
    for line in ["scp -r -f /", "scp -r -f .."] {
        let (heard, ended) = house.run(line, [0; 6]).await;
        assert_eq!(heard, b"D0755 0 home\nC0644 1 f\nx\0E\n", "{line}");
        assert_eq!(ended, exit(0));
    }
}

/// SCP-23.
#[tokio::test]
async fn links_are_followed_and_their_loops_end() {
    let house = House::new().await;
    house.make("t", 0o755).await;
    house.make("t/s", 0o755).await;
    house.put("f", b"x").await;
    house.link("f", "link").await;
    let (heard, ended) = house.run("scp -f link", [0; 3]).await;
    assert_eq!(
        (heard.as_slice(), ended),
        (b"C0644 1 link\nx\0".as_slice(), exit(0))
    );
    house.link("t", "t/s/loop").await;
    let (heard, ended) = house.run("scp -r -f t", [0; 9]).await;
    assert_eq!(
        heard,
        b"D0755 0 t\nD0755 0 s\n\x01scp: loop: a link leads back to where it stands\nE\nE\n"
    );
    assert_eq!(ended, exit(1));
}

/// SCP-23: the view decides how far a link leads.
#[tokio::test]
async fn a_link_that_leads_outside_is_not_followed() {
    let top = tempfile::tempdir().unwrap();
    let inside = top.path().join("in");
    make_on_host(&inside);
    std::os::unix::fs::symlink("/etc/passwd", inside.join("absolute")).unwrap();
    std::os::unix::fs::symlink("..", inside.join("above")).unwrap();
    let house = House::of(Plan {
        volume: Arc::new(LocalVolume::open(&inside).unwrap()),
        ..Plan::default()
    })
    .await;
    let (heard, ended) = house.run("scp -r -f absolute above above/x", [0; 9]).await;
    assert_eq!(heard.iter().filter(|&&octet| octet == 1).count(), 3);
    assert!(
        !heard.contains(&b'C') && !heard.contains(&b'D'),
        "{}",
        heard.escape_ascii()
    );
    assert_eq!(ended, exit(1));
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test is the host's owner here"
)]
fn make_on_host(directory: &std::path::Path) {
    std::fs::create_dir_all(directory).unwrap();
}

/// SCP-03.
#[tokio::test]
async fn a_tree_goes_64_directories_deep() {
    let house = House::new().await;
    let mut name = String::new();
    for _ in 0..70 {
        name.push_str("/d");
        house.make(&name, 0o755).await;
    }
    let (heard, ended) = house.run("scp -r -f d", [0; 200]).await;
    let text = "D0755 0 d\n".repeat(64) + "\x01scp: d: directories too deep\n" + &"E\n".repeat(64);
    assert_eq!((heard.as_slice(), ended), (text.as_bytes(), exit(1)));
}

/// SCP-20.
#[tokio::test]
async fn what_the_sink_refuses_is_skipped() {
    let house = House::new().await;
    house.make("t", 0o755).await;
    house.put("t/f", b"x").await;
    house.put("g", b"g").await;
    let (heard, ended) = house.run("scp -r -f t g", b"\0\x01scp: t: no\n\0\0").await;
    assert_eq!(
        (heard.as_slice(), ended),
        (b"D0755 0 t\nC0644 1 g\ng\0".as_slice(), exit(1))
    );
    let (heard, ended) = house
        .run("scp -p -f g g", b"\0\x01no times\n\0\x01no\n")
        .await;
    let heard = String::from_utf8(heard).unwrap();
    let letters: Vec<&str> = heard.lines().map(|line| &line[..1]).collect();
    assert_eq!((letters, ended), (vec!["T", "T", "C"], exit(1)));
    assert_eq!(house.told(), ["download_committed /g 1"]);
}

/// SCP-20: a sink that could not store it is believed.
#[tokio::test]
async fn a_file_that_the_sink_could_not_store_is_told_as_aborted() {
    let house = House::new().await;
    house.put("f", b"abc").await;
    let (_, ended) = house.run("scp -f f", b"\0\0\x01scp: f: No space\n").await;
    assert_eq!(ended, exit(1));
    assert_eq!(house.told(), ["download_aborted /f 3"]);
}

/// SCP-20, and the first response is `\x01`.
#[tokio::test]
async fn a_sink_that_gives_up_or_will_not_start_ends_the_run() {
    let house = House::new().await;
    house.put("f", b"abc").await;
    for (answers, heard) in [
        (b"\x01scp: x: Not a directory\n".as_slice(), b"".as_slice()),
        (b"\x02gone\n", b""),
        (b"\0\x02gone\n", b"C0644 3 f\n"),
        (b"\0\0\x02gone\n", b"C0644 3 f\nabc\0"),
        (b"bash: scp: command not found\n", b""),
    ] {
        let (found, ended) = house.run("scp -f f f", answers).await;
        assert_eq!(
            (found.as_slice(), ended),
            (heard, exit(1)),
            "{}",
            answers.escape_ascii()
        );
    }
}

/// EOF in every state.
#[tokio::test]
async fn an_end_in_the_middle_fails_the_run() {
    let house = House::new().await;
    house.make("t", 0o755).await;
    house.put("t/f", b"abc").await;
    for count in 0..5 {
        let (_, ended) = house.run("scp -p -r -f t", vec![0; count]).await;
        assert_eq!(ended, exit(1), "{count}");
    }
    for input in [b"\x01unfinished".as_slice(), b"\0\0\0\0\0\x01unfinished"] {
        assert_eq!(house.run("scp -p -r -f t", input).await.1, exit(1));
    }
    assert_eq!(
        house.run("scp -p -r -f t", [0; 6]).await.1,
        exit(1),
        "before the end of t"
    );
    assert_eq!(house.run("scp -p -r -f t", [0; 7]).await.1, exit(0));
}

/// SCP-22: what was announced comes, and that it is not the file is told.
#[tokio::test]
async fn a_file_that_shrinks_is_padded_and_one_that_grows_is_cut() {
    let house = House::new().await;
    house.put("f", b"abcdef").await;
    let ((), ended) = house
        .with_peer("scp -f f", async |peer| {
            peer.say(b"\0").await;
            peer.hear(b"C0644 6 f\n").await;
            let file = house
                .volume
                .open(&path("f"), OpenMode::Update)
                .await
                .unwrap();
            file.set_size(2).await.unwrap();
            peer.say(b"\0").await;
            peer.hear(b"ab\0\0\0\0\x01scp: f: the file shrank while it was read\n")
                .await;
            peer.say(b"\0").await;
        })
        .await;
    assert_eq!(ended, exit(1));
    assert_eq!(house.told(), ["download_aborted /f 6"]);
    let ((), ended) = house
        .with_peer("scp -f f", async |peer| {
            peer.say(b"\0").await;
            peer.hear(b"C0644 2 f\n").await;
            let file = house
                .volume
                .open(&path("f"), OpenMode::Update)
                .await
                .unwrap();
            file.set_size(9).await.unwrap();
            peer.say(b"\0").await;
            peer.hear(b"ab\0").await;
            peer.say(b"\0").await;
            assert!(peer.hear_all().await.is_empty());
        })
        .await;
    assert_eq!(ended, exit(0));
}

/// A name with a line feed would be a message of its own.
#[tokio::test]
async fn a_name_with_a_line_feed_is_left_out() {
    let house = House::new().await;
    house.make("t", 0o755).await;
    house.put("t/a\nC0777 4 .bashrc", b"evil").await;
    let (heard, ended) = house.run("scp -r -f t", [0; 9]).await;
    assert_eq!(
        heard,
        b"D0755 0 t\n\x01scp: a\\nC0777 4 .bashrc: SCP cannot carry a name with a line feed or NUL\nE\n"
            .as_slice()
    );
    assert_eq!(ended, exit(1));
}

#[tokio::test]
async fn temporaries_and_what_may_not_be_read_do_not_go() {
    let house = House::of(Plan {
        grants: Grants::new([
            (path("/"), Rights::READ_ONLY),
            (path("/t/secret"), Rights::NONE),
        ]),
        ..Plan::default()
    })
    .await;
    house.make("t", 0o755).await;
    house.make("t/secret", 0o755).await;
    house.put("t/secret/f", b"x").await;
    house.put("t/.wharf-x.part", b"x").await;
    let (heard, ended) = house.run("scp -r -f t", [0; 9]).await;
    assert_eq!(
        (heard.as_slice(), ended),
        (b"D0755 0 t\nE\n".as_slice(), exit(0))
    );
    let (heard, _) = house.run("scp -f t/secret/f t/.wharf-x.part", [0; 9]).await;
    assert_eq!(
        heard,
        b"\x01scp: t/secret/f: No such file or directory\n\
          \x01scp: t/.wharf-x.part: No such file or directory\n"
            .as_slice()
    );
}

/// A copy that lacks something says so.
#[tokio::test]
async fn a_directory_with_too_many_entries_is_not_taken_for_whole() {
    let house = House::of(Plan {
        view: ViewSettings {
            list_max_entries: 1,
            ..ViewSettings::default()
        },
        ..Plan::default()
    })
    .await;
    house.make("t", 0o755).await;
    house.put("t/a", b"").await;
    house.put("t/b", b"").await;
    let (heard, ended) = house.run("scp -r -f t", [0; 9]).await;
    assert!(heard.ends_with(b"\x01scp: /t: too many entries, not all were sent\nE\n"));
    assert_eq!(ended, exit(1));
}

/// The account's rate holds here as everywhere.
#[tokio::test(start_paused = true)]
async fn a_download_keeps_to_the_accounts_rate() {
    let house = House::of(Plan {
        rate: Some(10_000),
        ..Plan::default()
    })
    .await;
    house.put("f", &vec![b'x'; 100_000]).await;
    let before = crate::clock::now();
    let (_, ended) = house.run("scp -f f", [0; 3]).await;
    assert_eq!(ended, exit(0));
    let virtual_time = crate::clock::now() - before;
    assert!(virtual_time > Duration::from_secs(9), "{virtual_time:?}");
}
