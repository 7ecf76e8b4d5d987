//! `scp -t`.

use std::{sync::Arc, time::Duration};

use wharf_vfs::{
    Grants, Right, Rights, UploadPolicy, ViewSettings,
    volumes::{LocalVolume, MemoryVolume},
};

use super::house::{House, Plan, exit};

/// SCP-10, SCP-12, SCP-16.
#[tokio::test]
async fn a_file_goes_into_a_directory_under_its_own_name_and_is_told_once() {
    let house = House::new().await;
    house.make("d", 0o755).await;
    for line in ["scp -t d", "scp -v -d -t d/", "scp -t -- /d"] {
        let (heard, ended) = house.run(line, b"C0644 5 a b\nhello\0").await;
        assert_eq!((heard.as_slice(), ended), (b"\0\0\0".as_slice(), exit(0)));
        assert_eq!(house.content("d/a b").await.unwrap(), b"hello");
    }
    assert_eq!(house.told(), ["upload_committed /d/a b 5"; 3]);
    assert_eq!(house.names("d").await, ["a b"], "no temporary stays");
}

/// SCP-02, SCP-12.
#[tokio::test]
async fn a_target_that_is_no_directory_takes_one_file_itself() {
    let house = House::new().await;
    house.put("old", b"old").await;
    for (line, name) in [
        ("scp -t new", "new"),
        ("scp -t old", "old"),
        ("scp -t 'a b'", "a b"),
    ] {
        let (heard, ended) = house.run(line, b"C0644 1 other\nx\0").await;
        assert_eq!((heard.as_slice(), ended), (b"\0\0\0".as_slice(), exit(0)));
        assert_eq!(house.content(name).await.unwrap(), b"x");
    }
    let (_, ended) = house.run("scp -t -- -x", b"C0644 0 other\n\0").await;
    assert_eq!(ended, exit(0));
    assert_eq!(house.content("-x").await.unwrap(), b"");
    assert_eq!(house.names("/").await, ["-x", "a b", "new", "old"]);
}

/// SCP-02: no path, `~` and `.` are home.
#[tokio::test]
async fn home_is_the_target_of_an_empty_path() {
    let house = House::of(Plan {
        view: ViewSettings {
            home: super::house::path("home"),
            ..ViewSettings::default()
        },
        ..Plan::default()
    })
    .await;
    house.make("home", 0o755).await;
    for (number, line) in ["scp -t ''", "scp -t ~", "scp -t ~/", "scp -t ."]
        .into_iter()
        .enumerate()
    {
        let (_, ended) = house.run(line, format!("C0644 1 f{number}\nx\0")).await;
        assert_eq!(ended, exit(0), "{line}");
    }
    assert_eq!(house.names("home").await, ["f0", "f1", "f2", "f3"]);
}

#[tokio::test]
async fn an_empty_file_is_stored_and_told() {
    let house = House::new().await;
    let (heard, ended) = house.run("scp -t .", b"C0644 0 empty\n\0").await;
    assert_eq!((heard.as_slice(), ended), (b"\0\0\0".as_slice(), exit(0)));
    assert_eq!(house.content("empty").await.unwrap(), b"");
    assert_eq!(house.told(), ["upload_committed /empty 0"]);
}

#[tokio::test]
async fn a_tree_comes_whole_whatever_the_pieces_it_comes_in() {
    let input = b"D0755 0 t\nC0600 3 a\nabc\0D0700 0 s\nC0644 0 e\n\0E\nC0644 1 z\nz\0E\n";
    for size in [1, 2, 7, 1 << 16] {
        let house = House::new().await;
        let (heard, ended) = house.run_through("scp -r -t .", input, size).await;
        assert_eq!((heard, ended), (vec![0; 11], exit(0)), "{size}");
        assert_eq!(house.content("t/a").await.unwrap(), b"abc");
        assert_eq!(house.content("t/s/e").await.unwrap(), b"");
        assert_eq!(house.content("t/z").await.unwrap(), b"z");
        assert_eq!(
            house.told(),
            [
                "made /t",
                "upload_committed /t/a 3",
                "made /t/s",
                "upload_committed /t/s/e 0",
                "upload_committed /t/z 1"
            ]
        );
    }
}

/// More than one buffer, and not a whole number of them.
#[tokio::test]
async fn a_big_file_comes_whole() {
    let house = House::new().await;
    let content: Vec<u8> = (0..700_001_u32)
        .map(|number| number.to_le_bytes()[1])
        .collect();
    let input = [
        b"C0644 700001 big\n".as_slice(),
        &content,
        b"\0C0644 1 b\nb\0",
    ]
    .concat();
    let (heard, ended) = house.run("scp -t .", input).await;
    assert_eq!((heard, ended), (vec![0; 5], exit(0)));
    assert!(house.content("big").await.unwrap() == content);
    assert_eq!(house.content("b").await.unwrap(), b"b");
}

/// SCP-12: a tree that goes to a new name, into a directory that is there, and over a file.
#[tokio::test]
async fn a_tree_goes_where_its_target_says() {
    let house = House::new().await;
    let tree = b"D0755 0 t\nC0644 1 a\na\0E\n";
    assert_eq!(house.run("scp -r -t new/", tree).await.1, exit(0));
    assert_eq!(house.content("new/a").await.unwrap(), b"a");
    assert_eq!(house.run("scp -r -t new", tree).await.1, exit(0));
    assert_eq!(house.content("new/t/a").await.unwrap(), b"a");
    house.put("file", b"old").await;
    let (heard, ended) = house.run("scp -r -t file", b"D0755 0 t\n").await;
    assert_eq!(heard, b"\0\x01scp: t: Not a directory\n");
    assert_eq!(ended, exit(1));
    assert_eq!(house.content("file").await.unwrap(), b"old");
}

/// SCP-12.
#[tokio::test]
async fn a_target_that_must_be_a_directory_and_is_not_ends_the_run() {
    let house = House::new().await;
    house.put("file", b"old").await;
    for (line, text) in [
        ("scp -d -t file", "\x01scp: file: Not a directory\n"),
        (
            "scp -d -t none",
            "\x01scp: none: No such file or directory\n",
        ),
        (
            "scp -d -t ../../none/x",
            "\x01scp: ../../none/x: No such file or directory\n",
        ),
    ] {
        let (heard, ended) = house.run(line, b"C0644 1 a\na\0").await;
        assert_eq!((heard.as_slice(), ended), (text.as_bytes(), exit(1)));
    }
    assert_eq!(house.names("/").await, ["file"]);
    let (heard, ended) = house.run("scp -t none/", b"C0644 1 a\n").await;
    assert_eq!(heard, b"\0\x01scp: a: Not a directory\n");
    assert_eq!(ended, exit(1));
}

/// SCP-12: nothing of a run replaces something else of it.
#[tokio::test]
async fn two_files_of_one_run_do_not_land_on_one_path() {
    let house = House::new().await;
    let two = b"C0644 1 a\n1\0C0644 1 a\n";
    for line in ["scp -t .", "scp -t plain"] {
        let (heard, ended) = house.run(line, two).await;
        assert_eq!(
            heard,
            b"\0\0\0\x01scp: a: another file of this run is there\n"
        );
        assert_eq!(ended, exit(1));
    }
    assert_eq!(house.content("a").await.unwrap(), b"1");
    assert_eq!(house.content("plain").await.unwrap(), b"1");
    let (heard, _) = house
        .run("scp -t plain", b"C0644 1 a\n1\0C0644 1 b\n")
        .await;
    assert!(heard.starts_with(b"\0\0\0\x01"));
    let twice = b"D0755 0 t\nE\nD0755 0 u\n";
    let (heard, ended) = house.run("scp -r -t tree", twice).await;
    assert_eq!(
        heard,
        b"\0\0\0\x01scp: u: another file of this run is there\n"
    );
    assert_eq!(ended, exit(1));
    let merged = b"D0755 0 m\nE\nD0755 0 m\nC0644 0 x\n\0E\n";
    assert_eq!(
        house.run("scp -r -t .", merged).await.1,
        exit(0),
        "trees are merged"
    );
}

/// SCP-13.
#[tokio::test]
async fn a_directory_that_was_not_asked_for_ends_the_run() {
    let house = House::new().await;
    let (heard, ended) = house.run("scp -t .", b"D0755 0 d\nE\n").await;
    assert_eq!(
        heard,
        b"\0\x02protocol error: received directory without -r\n"
    );
    assert_eq!(ended, exit(1));
    assert!(house.names("/").await.is_empty());
}

/// SCP-10.
#[tokio::test]
async fn every_protocol_error_is_said_and_ends_the_run() {
    let house = House::new().await;
    for (input, text) in [
        (b"\n".as_slice(), "unexpected <newline>"),
        (b"X0644 1 a\n", "expected control record"),
        (b"C0648 1 a\n", "bad mode"),
        (b"C0644 9223372036854775808 a\n", "bad size"),
        (b"C0644 1\n", "bad size"),
        (b"T1 1000000 1 0\n", "bad time"),
        (b"E\n", "unexpected end of directory"),
        (&[b'C'; 8193], "line too long"),
    ] {
        let (heard, ended) = house.run("scp -r -t .", input).await;
        assert_eq!(heard, format!("\0\x02protocol error: {text}\n").as_bytes());
        assert_eq!(ended, exit(1));
    }
    assert!(house.names("/").await.is_empty() && house.told().is_empty());
}

/// SCP-11, CVE-2018-20685.
#[tokio::test]
async fn names_that_lead_elsewhere_end_the_run_and_make_nothing() {
    let house = House::new().await;
    house.make("d", 0o700).await;
    for name in ["", ".", "..", "/x", "../x", "a/b", "a\0b"] {
        for letter in ["C0644 1", "D0777 0"] {
            let input = format!("{letter} {name}\nx\0E\n");
            let (heard, ended) = house.run("scp -r -p -t d", input).await;
            assert_eq!(heard, b"\0\x01error: unexpected filename\n", "{name:?}");
            assert_eq!(ended, exit(1));
        }
    }
    assert!(house.names("d").await.is_empty() && house.mode("d").await == 0o700);
    assert_eq!(house.names("/").await, ["d"]);
}

/// SCP-11 by the rules of paths: what may not be made is refused, the rest comes.
#[tokio::test]
async fn names_that_may_not_be_made_are_refused_one_by_one() {
    let house = House::new().await;
    let long = "n".repeat(256);
    for name in [
        b"a\x1bb".as_slice(),
        b"\xff",
        b".wharf-x.part",
        long.as_bytes(),
    ] {
        let input = [b"C0644 1 ".as_slice(), name, b"\nC0644 1 good\ng\0"].concat();
        let (heard, ended) = house.run("scp -t .", input).await;
        assert!(heard.starts_with(b"\0\x01scp: ") && heard.ends_with(b"\n\0\0"));
        assert_eq!(ended, exit(1));
    }
    assert_eq!(house.names("/").await, ["good"]);
}

/// SCP-15.
#[tokio::test]
async fn an_account_that_may_not_write_is_refused_after_the_announcement() {
    let house = House::of(Plan {
        grants: Grants::everywhere(Rights::READ_ONLY),
        ..Plan::default()
    })
    .await;
    house.make("d", 0o755).await;
    house.put("d/f", b"old").await;
    let input = b"C0644 1 f\nC0644 1 new\nD0755 0 sub\nC0644 0 x\n";
    let (heard, ended) = house.run("scp -r -p -t d", input).await;
    let denied = |name: &str| format!("\x01scp: {name}: Permission denied\n");
    let all = [
        "\0".to_owned(),
        denied("f"),
        denied("new"),
        denied("sub"),
        denied("x"),
    ]
    .concat();
    assert_eq!((heard.as_slice(), ended), (all.as_bytes(), exit(1)));
    let (heard, _) = house
        .run("scp -p -r -t .", b"D0777 0 d\nT0 0 0 0\nE\n")
        .await;
    assert_eq!(
        heard, b"\0\0\0\0",
        "nothing was wanted of a directory without times"
    );
    let (heard, ended) = house
        .run("scp -p -r -t .", b"T0 0 0 0\nD0777 0 d\nE\n")
        .await;
    assert_eq!(
        heard,
        b"\0\0\0\x01scp: d: set attributes: Permission denied\n"
    );
    assert_eq!(ended, exit(1));
    assert_eq!(house.mode("d").await, 0o755);
    assert_eq!(house.content("d/f").await.unwrap(), b"old");
    assert_eq!(house.names("d").await, ["f"]);
}

/// A drop box: files go in, nothing is seen.
#[tokio::test]
async fn who_may_only_make_files_can_leave_one() {
    let house = House::of(Plan {
        grants: Grants::new([
            (super::house::path("/"), Rights::READ_ONLY),
            (super::house::path("/in"), Rights::INCOMING),
        ]),
        ..Plan::default()
    })
    .await;
    house.make("in", 0o755).await;
    let (heard, ended) = house.run("scp -t in", b"C0644 1 f\nx\0").await;
    assert_eq!((heard.as_slice(), ended), (b"\0\0\0".as_slice(), exit(0)));
    let (heard, ended) = house.run("scp -t in", b"C0644 1 f\n").await;
    assert_eq!(
        (heard.as_slice(), ended),
        (b"\0\x01scp: f: Permission denied\n".as_slice(), exit(1))
    );
}

/// SCP-15: too big to fit is known before an octet comes.
#[tokio::test]
async fn a_file_that_cannot_fit_is_refused_before_it_comes() {
    let house = House::of(Plan {
        volume: Arc::new(MemoryVolume::new(1 << 20)),
        ..Plan::default()
    })
    .await;
    let (heard, ended) = house
        .run("scp -t .", b"C0644 1048577 f\nC0644 1 g\ng\0")
        .await;
    assert_eq!(heard, b"\0\x01scp: f: No space left on the volume\n\0\0");
    assert_eq!(ended, exit(1));
    assert_eq!(house.names("/").await, ["g"]);
}

/// SCP-15: a store that fails in the middle does not stop the source; what stood there stays.
#[tokio::test]
async fn an_error_during_the_data_is_told_behind_it() {
    let volume = MemoryVolume::new(1 << 24);
    let house = House::of(Plan {
        volume: Arc::new(volume.clone()),
        ..Plan::default()
    })
    .await;
    house.put("f", b"old").await;
    volume.fail_after(Some(1000));
    let data = vec![b'x'; 600_000];
    let input = [b"C0644 600000 f\n".as_slice(), &data, b"\0"].concat();
    let (heard, ended) = house.run("scp -t .", input).await;
    assert_eq!(heard, b"\0\0\x01scp: f: Input/output error\n");
    assert_eq!(ended, exit(1));
    volume.fail_after(None);
    assert_eq!(house.content("f").await.unwrap(), b"old");
    assert_eq!(house.told(), ["upload_aborted /f 600000"]);
    assert_eq!(house.names("/").await, ["f"]);
}

/// What a source could not read is not the file: its padding never stands under the name.
#[tokio::test]
async fn a_file_that_its_source_could_not_read_is_not_stored() {
    let house = House::new().await;
    house.put("f", b"old").await;
    let input = b"C0644 3 f\n\0\0\0\x01scp: f: Input/output error\nC0644 1 g\ng\0";
    let (heard, ended) = house.run("scp -t .", input).await;
    let text = b"\0\0\x01scp: f: not stored, the source could not read all of it\n\0\0";
    assert_eq!((heard.as_slice(), ended), (text.as_slice(), exit(1)));
    assert_eq!(house.content("f").await.unwrap(), b"old");
    assert_eq!(
        house.told(),
        ["upload_aborted /f 3", "upload_committed /g 1"]
    );
}

#[tokio::test]
async fn a_warning_of_the_source_costs_the_exit_status_and_its_end_the_rest() {
    let house = House::new().await;
    let (heard, ended) = house
        .run("scp -t .", b"\x01scp: x: gone\nC0644 1 a\na\0")
        .await;
    assert_eq!((heard.as_slice(), ended), (b"\0\0\0".as_slice(), exit(1)));
    let (heard, ended) = house.run("scp -t .", b"\x02lost\nC0644 1 b\nb\0").await;
    assert_eq!((heard.as_slice(), ended), (b"\0".as_slice(), exit(1)));
    assert_eq!(house.names("/").await, ["a"]);
}

/// SCP-16; EOF in every state.
#[tokio::test]
async fn an_end_in_the_middle_fails_the_run_and_never_shows_half_a_file() {
    for (input, told) in [
        (b"C0".as_slice(), None),
        (b"C0644 3 old\n", Some("upload_aborted /old 0")),
        (b"C0644 3 old\nab", Some("upload_aborted /old 2")),
        (b"C0644 3 old\nabc", Some("upload_aborted /old 3")),
        (b"C0644 3 old\nabc\x01sc", Some("upload_aborted /old 3")),
        (b"C0644 3 old\nabc\x02gone\n", Some("upload_aborted /old 3")),
        (b"C0644 3 old\nabcX", Some("upload_aborted /old 3")),
        (b"T1 0 1 0\nC", None),
        (b"\x01never en", None),
    ] {
        let house = House::new().await;
        house.put("old", b"old").await;
        let (_, ended) = house.run("scp -r -t .", input).await;
        assert_eq!(ended, exit(1), "{}", input.escape_ascii());
        assert_eq!(
            house.told(),
            told.map(str::to_owned).into_iter().collect::<Vec<_>>()
        );
        assert_eq!(house.names("/").await, ["old"]);
        assert_eq!(house.content("old").await.unwrap(), b"old");
    }
    let house = House::new().await;
    assert_eq!(house.run("scp -t .", b"").await.1, exit(0), "nothing to do");
    assert_eq!(house.run("scp -r -t .", b"D0755 0 d\n").await.1, exit(1));
}

/// SCP-16: what came of a new file is kept for a restart, as in every protocol; nothing more is there
/// than came (SCP-34: a size is a promise, nothing is reserved for it).
#[tokio::test]
async fn a_cut_new_file_keeps_what_came_and_a_huge_size_reserves_nothing() {
    let house = House::of(Plan {
        volume: Arc::new(MemoryVolume::new(1 << 42)),
        ..Plan::default()
    })
    .await;
    let (heard, ended) = house.run("scp -t .", b"C0644 1099511627776 new\nabc").await;
    assert_eq!((heard.as_slice(), ended), (b"\0\0".as_slice(), exit(1)));
    assert_eq!(house.content("new").await.unwrap(), b"abc");
    assert_eq!(house.told(), ["upload_aborted /new 3 kept"]);
    let (_, ended) = house.run("scp -t .", b"C0644 5368709120 big\nabc").await;
    assert_eq!(ended, exit(1));
    assert_eq!(house.metadata("big").await.unwrap().size, 3);
}

/// A run that is dropped leaves no temporary and is told.
#[tokio::test]
async fn a_dropped_run_leaves_nothing_and_is_told() {
    let house = House::new().await;
    let talk = house.with_peer("scp -t .", async |peer| {
        peer.hear(b"\0").await;
        peer.say(b"C0644 3 f\na").await;
        peer.hear(b"\0").await;
    });
    let mut talk = Box::pin(talk);
    // The peer's last word is heard before the run waits for more of the file.
    while house.names("/").await.is_empty() {
        tokio::select! {
            biased;
            _ = &mut talk => panic!("ended"),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(talk);
    while !house.names("/").await.is_empty() {
        tokio::task::yield_now().await;
    }
    let told = house.told();
    assert!(
        told.len() == 1 && told[0].starts_with("upload_aborted /f "),
        "{told:?}"
    );
}

/// The account's rate holds here as everywhere.
#[tokio::test(start_paused = true)]
async fn an_upload_keeps_to_the_accounts_rate() {
    let house = House::of(Plan {
        rate: Some(10_000),
        ..Plan::default()
    })
    .await;
    let before = crate::clock::now();
    let data = vec![b'x'; 100_000];
    let input = [b"C0644 100000 f\n".as_slice(), &data, b"\0"].concat();
    let (_, ended) = house.run("scp -t .", input).await;
    assert_eq!(ended, exit(0));
    let virtual_time = crate::clock::now() - before;
    assert!(virtual_time > Duration::from_secs(9), "{virtual_time:?}");
    assert_eq!(house.content("f").await.unwrap(), data);
}

/// Without staging a file is written in place and gets its bits all the same.
#[tokio::test]
async fn a_service_without_staging_writes_in_place() {
    let house = House::of(Plan {
        view: ViewSettings {
            upload: UploadPolicy {
                atomic: false,
                ..UploadPolicy::default()
            },
            ..ViewSettings::default()
        },
        ..Plan::default()
    })
    .await;
    house.put_with("f", b"longer than new", 0o600).await;
    let (heard, ended) = house.run("scp -p -t .", b"C0755 3 f\nnew\0").await;
    assert_eq!((heard.as_slice(), ended), (b"\0\0\0".as_slice(), exit(0)));
    assert_eq!(house.content("f").await.unwrap(), b"new");
    assert_eq!(house.mode("f").await, 0o755);
}

/// A link that takes the place of a directory during the run leads nowhere outside of the volume.
#[tokio::test]
async fn a_link_that_appears_during_the_run_is_not_followed_outside() {
    let top = tempfile::tempdir().unwrap();
    let (inside, outside) = (top.path().join("in"), top.path().join("out"));
    make_on_host(&inside);
    make_on_host(&outside);
    let house = House::of(Plan {
        volume: Arc::new(LocalVolume::open(&inside).unwrap()),
        ..Plan::default()
    })
    .await;
    let ((), ended) = house
        .with_peer("scp -r -t .", async |peer| {
            peer.hear(b"\0").await;
            peer.say(b"D0755 0 d\n").await;
            peer.hear(b"\0").await;
            let renamed = inside.join("moved");
            rename_on_host(&inside.join("d"), &renamed);
            std::os::unix::fs::symlink(&outside, inside.join("d")).unwrap();
            peer.say(b"C0644 1 f\nD0755 0 e\nC0644 1 g\nE\n").await;
            let heard = peer.hear_all().await;
            let refusals = heard.iter().filter(|&&octet| octet == 1).count();
            assert_eq!(refusals, 3, "{}", heard.escape_ascii());
        })
        .await;
    assert_eq!(ended, exit(1));
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test is the host's owner here"
)]
fn make_on_host(directory: &std::path::Path) {
    std::fs::create_dir_all(directory).unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test is the host's owner here"
)]
fn rename_on_host(from: &std::path::Path, to: &std::path::Path) {
    std::fs::rename(from, to).unwrap();
}

/// Replacing needs the right to replace.
#[tokio::test]
async fn a_file_is_replaced_only_with_the_right_to() {
    let house = House::of(Plan {
        grants: Grants::everywhere(Rights::FULL.without(Right::Overwrite)),
        ..Plan::default()
    })
    .await;
    house.put("f", b"old").await;
    for line in ["scp -t f", "scp -t ."] {
        let (heard, ended) = house.run(line, b"C0644 1 f\n").await;
        assert_eq!(
            (heard.as_slice(), ended),
            (b"\0\x01scp: f: Permission denied\n".as_slice(), exit(1))
        );
    }
    assert_eq!(house.content("f").await.unwrap(), b"old");
}
