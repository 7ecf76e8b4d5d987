//! LIST, NLST, MLSD, MLST and STAT of a path (DAT-70 to DAT-98).

use super::*;

async fn house_with_a_tree() -> (House, Client) {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    for place in ["", "disk/"] {
        for directory in ["d", "d/e", "empty"] {
            client.ask(&format!("MKD {place}{directory}"), 257).await;
        }
        for (name, size) in [
            ("b.txt", 20),
            ("a.txt", 10),
            (".hidden", 1),
            ("c d", 30),
            ("d/in.txt", 5),
            ("d/e/deep.txt", 5),
        ] {
            client
                .store(&format!("{place}{name}"), &vec![b'x'; size])
                .await;
        }
        for (name, year) in [("b.txt", 2001), ("a.txt", 2003), ("c d", 2002)] {
            client
                .ask(&format!("MFMT {year}0101000000 {place}{name}"), 213)
                .await;
        }
    }
    (house, client)
}

/// The names in lines of `ls -l`: behind the eighth column.
fn names(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| name_of(line)).collect()
}

fn name_of(line: &str) -> String {
    let mut rest = line;
    for _ in 0..8 {
        rest = rest.trim_start();
        rest = &rest[rest.find(' ').unwrap()..];
    }
    rest[1..].to_owned()
}

#[tokio::test]
async fn dat_75_a_listing_is_of_a_directory_a_file_or_nothing() {
    let (_house, mut client) = house_with_a_tree().await;
    client.ask("CWD disk", 250).await;
    assert_eq!(
        names(&client.list("LIST").await),
        ["a.txt", "b.txt", "c d", "d", "empty"]
    );
    assert_eq!(
        names(&client.list("LIST -la").await),
        [".hidden", "a.txt", "b.txt", "c d", "d", "empty"]
    );
    assert_eq!(names(&client.list("LIST a.txt").await), ["a.txt"]);
    assert_eq!(names(&client.list("LIST c d").await), ["c d"]);
    assert_eq!(names(&client.list("LIST .hidden").await), [".hidden"]);
    assert_eq!(
        names(&client.list("LIST /disk/d/in.txt").await),
        ["/disk/d/in.txt"]
    );
    assert_eq!(names(&client.list("LIST d").await), ["e", "in.txt"]);
    assert_eq!(names(&client.list("LIST -d d").await), ["d"]);
    assert_eq!(names(&client.list("LIST -d").await), ["."]);
    assert!(client.list("LIST empty").await.is_empty());
    for command in [
        "LIST none",
        "NLST none",
        "MLSD none",
        "MLST none",
        "STAT none",
        "LIST d/none",
        "LIST a.txt/x",
    ] {
        client.ask(command, 550).await;
    }
    let line = &client.list("LIST a.txt").await[0];
    assert!(
        line.starts_with("-rw-r--r--   1 anna ") && line.ends_with(" 10 Jan  1  2003 a.txt"),
        "{line}"
    );
}

/// RFC 1123 4.1.2.7: names can be given back as they come.
#[tokio::test]
async fn nlst_gives_names_that_retr_takes() {
    let (_house, mut client) = house_with_a_tree().await;
    for place in ["", "disk/"] {
        assert!(
            client
                .list(&format!("NLST {place}"))
                .await
                .contains(&format!("{place}a.txt"))
        );
        let names = client.list(&format!("NLST {place}d")).await;
        assert_eq!(names, [format!("{place}d/e"), format!("{place}d/in.txt")]);
        assert_eq!(client.fetch(&format!("RETR {}", names[1])).await, b"xxxxx");
        assert_eq!(
            client.list(&format!("NLST {place}a.txt")).await,
            [format!("{place}a.txt")]
        );
        assert!(client.list(&format!("NLST {place}empty")).await.is_empty());
        assert_eq!(
            client.list(&format!("NLST -F {place}d")).await,
            [format!("{place}d/e/"), format!("{place}d/in.txt")]
        );
        assert!(client.list(&format!("NLST -l {place}d")).await[1].starts_with("-rw-"));
    }
}

/// CVE-2019-20176: what never descends exhausts no stack; `-R` is passed over (DAT-76).
#[tokio::test]
async fn cve_2019_20176_no_listing_descends() {
    let (_house, mut client) = house_with_a_tree().await;
    for place in ["", " disk"] {
        for verb in ["LIST", "NLST"] {
            let flat = client.list(&format!("{verb}{place}")).await;
            let deep = client.list(&format!("{verb} -R{place}")).await;
            assert_eq!(deep, flat, "{verb}{place}");
        }
        let flat = client.ask(&format!("STAT -a{place}"), 212).await;
        let deep = client.ask(&format!("STAT -Ra{place}"), 212).await;
        assert_eq!(deep.text, flat.text, "{place}");
    }
}

/// DAT-77.
#[tokio::test]
async fn dat_77_options_choose_the_order() {
    let (_house, mut client) = house_with_a_tree().await;
    for place in ["", "/disk"] {
        client.ask(&format!("CWD /{place}"), 250).await;
        for (options, order) in [
            ("", ["a.txt", "b.txt", "c d"]),
            ("-r", ["c d", "b.txt", "a.txt"]),
            ("-t", ["a.txt", "c d", "b.txt"]),
            ("-tr", ["b.txt", "c d", "a.txt"]),
            ("-S", ["c d", "b.txt", "a.txt"]),
            ("-S -r", ["a.txt", "b.txt", "c d"]),
        ] {
            let listed = names(&client.list(&format!("LIST {options}")).await);
            let files: Vec<_> = listed
                .iter()
                .filter(|name| order.contains(&name.as_str()))
                .collect();
            assert_eq!(files, order.iter().collect::<Vec<_>>(), "{options}");
        }
        let mut unsorted = client.list("NLST -U").await;
        unsorted.sort();
        assert_eq!(unsorted, client.list("NLST").await);
        assert!(client.list("NLST -f").await.contains(&".hidden".to_owned()));
    }
}

/// DAT-81 to DAT-84; CVE-2011-0762, CVE-2011-0418: what costs too much is refused.
#[tokio::test]
async fn dat_82_patterns_match_in_the_last_two_components() {
    let (_house, mut client) = house_with_a_tree().await;
    for place in ["/", "/disk/"] {
        client.ask(&format!("CWD {place}"), 250).await;
        for (pattern, expected) in [
            ("*.txt", &["a.txt", "b.txt"][..]),
            ("./*.txt", &["./a.txt", "./b.txt"]),
            ("../*/.h*x", &[]),
            ("?.txt", &["a.txt", "b.txt"]),
            ("[!a].txt", &["b.txt"]),
            (".h*", &[".hidden"]),
            ("*hidden", &[]),
            ("d/*", &["d/e", "d/in.txt"]),
            ("*/*.txt", &["d/in.txt"]),
            ("d/*/*.txt", &["d/e/deep.txt"]),
            ("z*", &[]),
            ("{a,b}.txt", &[]),
        ] {
            let reply = client.say(&format!("STAT {pattern}")).await;
            if expected.is_empty() && !pattern.contains('*') {
                assert_eq!(reply.code, 550, "{pattern}: {reply:?}");
                continue;
            }
            let listed = client.list(&format!("NLST {pattern}")).await;
            // From the top `disk` matches a star, too.
            if place == "/disk/" || !pattern.starts_with("*/") {
                assert_eq!(listed, expected, "{pattern}");
            }
            let long = names(&client.list(&format!("LIST {pattern}")).await);
            assert_eq!(long, listed, "{pattern}");
        }
        assert!(client.say("LIST *a*a*a*a*a*b").await.code == 450);
        // DAT-81: a literal name is no pattern.
        client.store("lit*.txt", b"").await;
        client.store("literal.txt", b"").await;
        assert_eq!(client.list("NLST lit*.txt").await, ["lit*.txt"]);
        // Never in anything but listings.
        for command in [
            "CWD d*", "RETR a.*", "DELE a.*", "MLST a.*", "SIZE a.*", "MLSD d*",
        ] {
            client.ask(command, 550).await;
        }
    }
}

/// RFC 3659 7: facts of the directory itself, its parent and each entry; no options.
#[tokio::test]
async fn dat_97_mlsd_lists_facts() {
    let (_house, mut client) = house_with_a_tree().await;
    let lines = client.list("MLSD disk/d").await;
    assert!(
        lines[0].starts_with("type=cdir;") && lines[0].ends_with("; ."),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("type=pdir;") && lines[1].ends_with("; .."),
        "{lines:?}"
    );
    let file = lines
        .iter()
        .find(|line| line.ends_with("; in.txt"))
        .unwrap();
    assert!(file.contains("type=file;size=5;modify=2"), "{file}");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("type=dir;") && line.ends_with("; e"))
    );
    assert_eq!(lines.len(), 4);
    client.ask("MLSD a.txt", 501).await;
    client.ask("MLSD -a", 550).await;
    assert!(
        client
            .list("MLSD")
            .await
            .iter()
            .any(|line| line.ends_with("; .hidden"))
    );
    client.ask("OPTS MLST size;", 200).await;
    assert!(
        client
            .list("MLSD disk/d")
            .await
            .contains(&"size=5; in.txt".to_owned())
    );
    client.ask("OPTS MLST type;size;", 200).await;
    let reply = client.ask("MLST disk/d/in.txt", 250).await;
    assert_eq!(
        reply.text,
        "250-Listing disk/d/in.txt\n type=file;size=5; /disk/d/in.txt\nEnd"
    );
    assert!(
        client
            .ask("MLST", 250)
            .await
            .text
            .contains(" type=dir; /\n")
    );
}

/// DAT-73, DAT-90: links.
#[tokio::test]
async fn dat_73_links_show_where_they_lead() {
    let (house, mut client) = house_with_a_tree().await;
    for (target, link) in [
        ("a.txt", "to-file"),
        ("d", "to-directory"),
        ("nowhere", "dangling"),
        ("../a.txt", "d/up"),
    ] {
        rustix::fs::symlink(target, house.disk.join(link)).unwrap();
    }
    client.ask("CWD disk", 250).await;
    let lines = client.list("LIST").await;
    let line = |end: &str| {
        lines
            .iter()
            .find(|line| line.ends_with(end))
            .unwrap_or_else(|| panic!("{end}: {lines:?}"))
    };
    assert!(line("to-file -> a.txt").starts_with('l'));
    assert!(line("to-directory -> d").starts_with('l'));
    assert!(line("dangling").starts_with('l'));
    let followed = client.list("LIST -L").await;
    assert!(
        followed
            .iter()
            .any(|line| line.starts_with("-rw") && line.ends_with(" to-file")),
        "{followed:?}"
    );
    assert!(
        followed
            .iter()
            .any(|line| line.starts_with('d') && line.ends_with(" to-directory"))
    );
    // One link by its name, with and without a path before it.
    for name in [
        "to-file -> a.txt",
        "/disk/to-file -> a.txt",
        "d/up -> ../a.txt",
    ] {
        let asked = name.split(" -> ").next().unwrap();
        assert_eq!(names(&client.list(&format!("LIST {asked}")).await), [name]);
    }
    assert_eq!(names(&client.list("LIST d/u*").await), ["d/up -> ../a.txt"]);
    assert_eq!(names(&client.list("LIST dangling").await), ["dangling"]);
    assert_eq!(
        names(&client.list("LIST to-directory").await),
        ["e", "in.txt", "up -> ../a.txt"]
    );
    assert_eq!(
        names(&client.list("LIST -d to-directory").await),
        ["to-directory -> d"]
    );
    let lines = client.list("MLSD").await;
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("type=file;size=10;") && line.ends_with("; to-file")),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("type=OS.unix=symlink;") && line.ends_with("; dangling"))
    );
    assert!(
        client
            .ask("MLST dangling", 250)
            .await
            .text
            .contains("type=OS.unix=symlink;")
    );
}

/// STAT of a path: LIST over the control connection, each line led by a space.
#[tokio::test]
async fn stat_of_a_path_lists_on_the_control_connection() {
    let (_house, mut client) = house_with_a_tree().await;
    client.ask("MKD trailing ", 257).await;
    let directory = client.ask("STAT disk", 212).await.text;
    assert!(
        directory.lines().nth(1).unwrap().starts_with(" -rw-r--r--"),
        "{directory}"
    );
    assert!(client.ask("STAT a.txt", 213).await.text.contains("a.txt"));
    let top = client.ask("STAT -a /", 212).await.text;
    assert!(
        top.contains(".hidden\n") && top.contains("trailing \n"),
        "{top}"
    );
}

/// DAT-80, DAT-98: a large directory streams, and ends at the limit with a note.
#[tokio::test]
async fn dat_80_a_large_directory_is_cut_with_a_note() {
    let mut plan = Plan::default();
    plan.view.list_max_entries = 4200;
    let house = plan.open().await;
    let mut client = Client::login(&house, "anna").await;
    client.ask("CWD disk", 250).await;
    for (count, note) in [(4096, ""), (4097, ""), (4200, ""), (4201, "4200")] {
        for number in house.disk_names().len()..count {
            rustix::fs::mkdir(house.disk.join(format!("entry{number:05}")), 0o755.into()).unwrap();
        }
        for command in ["NLST", "LIST", "MLSD", "LIST -U", "LIST -t"] {
            let mut data = client.passive().await;
            client.ask(command, 150).await;
            let bytes = client::read_all(&mut data).await.unwrap();
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
            let head = if command == "MLSD" { 2 } else { 0 };
            assert_eq!(lines, count.min(4200) + head, "{command}");
            let text = client.expect(226).await.text;
            assert!(
                if note.is_empty() {
                    !text.contains("trunc")
                } else {
                    text.contains(note)
                },
                "{command}: {text}"
            );
        }
    }
    let status = client.ask("STAT .", 212).await.text;
    assert_eq!(
        status.lines().count(),
        2003,
        "2000 entries, a note, a head and an end"
    );
}

/// A name that lists of another session could tear apart: nothing of one listing leaks into another.
#[tokio::test]
async fn listings_of_two_sessions_stay_apart() {
    let (house, mut client) = house_with_a_tree().await;
    let mut other = Client::login(&house, "rita").await;
    let (one, two) = tokio::join!(client.list("NLST disk/d"), other.list("NLST empty"));
    assert_eq!(one.len(), 2);
    assert!(two.is_empty());
}
