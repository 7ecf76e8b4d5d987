//! RFC 3659 7: MLST and MLSD.

use wharf_acceptance_tests::Server;

/// A fact line: the facts in lower case, and the name.
fn parse(line: &str) -> (Vec<(String, String)>, String) {
    let (facts, name) = line
        .split_once(' ')
        .unwrap_or_else(|| panic!("no space: {line}"));
    let facts = facts
        .split_terminator(';')
        .map(|fact| {
            fact.split_once('=')
                .unwrap_or_else(|| panic!("no fact: {line}"))
        })
        .map(|(key, value)| (key.to_lowercase(), value.to_owned()))
        .collect();
    (facts, name.to_owned())
}

fn fact<'a>(facts: &'a [(String, String)], key: &str) -> &'a str {
    facts
        .iter()
        .find(|(k, _)| k == key)
        .map_or("", |(_, value)| value)
}

/// RFC 3659 7.2, MLST; T-07.
#[test]
fn mlst_shows_one_object() {
    let server = Server::start();
    server.put("f", "hello");
    server.touch("f", 1_026_940_035);
    let reply = server.login().expect("MLST f", 250);
    let inner = reply.inner();
    assert_eq!(inner.len(), 1, "{}", reply.text());
    assert!(
        inner[0].starts_with(' ') && !inner[0].starts_with("  "),
        "{}",
        reply.text()
    );
    let (facts, name) = parse(&inner[0][1..]);
    assert!(name == "/f" || name == "f", "{name}");
    assert_eq!(fact(&facts, "type").to_lowercase(), "file");
    assert_eq!(fact(&facts, "size"), "5");
    assert_eq!(fact(&facts, "modify").get(..14), Some("20020717210715"));
}

/// RFC 3659 7.2: without an argument the current directory.
#[test]
fn mlst_alone_shows_the_current_directory() {
    let server = Server::start();
    server.mkdir("d");
    let mut control = server.login();
    control.expect("CWD d", 250);
    let inner = control.expect("MLST", 250).inner();
    let (facts, _) = parse(&inner[0][1..]);
    assert!(
        fact(&facts, "type").to_lowercase().ends_with("dir"),
        "{inner:?}"
    );
}

/// RFC 3659 7.2.
#[test]
fn mlst_of_nothing_is_550() {
    let server = Server::start();
    server.login().expect("MLST missing", 550);
}

/// RFC 3659 7.2, MLSD; DAT-97.
#[test]
fn mlsd_shows_a_directory() {
    let server = Server::start();
    server.put("file one", "hello");
    server.mkdir("sub");
    let lines = server.login().lines("MLSD");
    let entries: Vec<_> = lines.iter().map(|line| parse(line)).collect();
    let by = |wanted: &str| {
        entries
            .iter()
            .find(|(_, name)| name == wanted)
            .map(|(facts, _)| facts.as_slice())
    };
    let file = by("file one").unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!((fact(file, "type"), fact(file, "size")), ("file", "5"));
    assert_eq!(fact(by("sub").unwrap_or_default(), "type"), "dir");
    assert!(
        fact(file, "modify").len() >= 14 && !fact(file, "unique").is_empty(),
        "{lines:?}"
    );
    for (facts, name) in &entries {
        if matches!(fact(facts, "type"), "file" | "dir") {
            assert!(name == "file one" || name == "sub", "{name}");
        }
    }
}

/// RFC 3659 7.2; D-08, T-02.
#[test]
fn mlsd_of_a_file_is_refused() {
    let server = Server::start();
    server.put("f", "x");
    server.login().refused("MLSD f", &[501, 550]);
}

/// RFC 3659 7.2.
#[test]
fn mlsd_of_nothing_is_550() {
    let server = Server::start();
    server.login().refused("MLSD missing", &[550]);
}

/// RFC 3659 7.2: MLSD has no options and no patterns.
#[test]
fn mlsd_takes_names_literally() {
    let server = Server::start();
    server.mkdir("d");
    let mut control = server.login();
    control.refused("MLSD *", &[550, 501]);
    control.refused("MLSD -la", &[550, 501]);
}

/// RFC 3659 7.5.5: perm says what may be done.
#[test]
fn perm_fits_the_object() {
    let server = Server::start();
    server.put("f", "x");
    server.mkdir("d");
    let mut control = server.login();
    let perm = |inner: Vec<String>| fact(&parse(&inner[0][1..]).0, "perm").to_owned();
    let file = perm(control.expect("MLST f", 250).inner());
    let dir = perm(control.expect("MLST d", 250).inner());
    assert!(
        ['r', 'w', 'a', 'd', 'f'].iter().all(|&c| file.contains(c)),
        "{file}"
    );
    assert!(
        ['c', 'e', 'l', 'm', 'p'].iter().all(|&c| dir.contains(c)),
        "{dir}"
    );
}

/// RFC 3659 7.5.2: unique is the same for the same object, and only for it.
#[test]
fn unique_tells_objects_apart() {
    let server = Server::start();
    server.put("a", "x");
    server.put("b", "x");
    std::fs::hard_link(server.path("a"), server.path("c")).unwrap();
    let mut control = server.login();
    let mut unique = |name: &str| {
        let inner = control.expect(format!("MLST {name}"), 250).inner();
        fact(&parse(&inner[0][1..]).0, "unique").to_owned()
    };
    let (a, b, c) = (unique("a"), unique("b"), unique("c"));
    assert!(!a.is_empty() && a == c && a != b, "{a} {b} {c}");
}

/// RFC 3659 7.9; T-07: OPTS MLST chooses facts.
#[test]
fn opts_mlst_chooses_the_facts() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    let text = control
        .expect("OPTS MLST size;type;bogus;", 200)
        .text()
        .to_lowercase();
    assert!(
        text.contains("mlst opts")
            && text.contains("size;")
            && text.contains("type;")
            && !text.contains("bogus"),
        "{text}"
    );
    let inner = control.expect("MLST f", 250).inner();
    let (mut facts, _) = parse(&inner[0][1..]);
    facts.sort();
    assert_eq!(
        facts,
        [("size".into(), "5".into()), ("type".into(), "file".into())]
    );
    control.expect("OPTS MLST", 200);
    let inner = control.expect("MLST f", 250).inner();
    assert!(parse(&inner[0][1..]).0.is_empty(), "{inner:?}");
}

/// RFC 3659 7.8: FEAT marks the facts in use.
#[test]
fn feat_marks_the_chosen_facts() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("OPTS MLST size;", 200);
    let text = control.expect("FEAT", 211).text();
    let line = text
        .lines()
        .find(|line| line.starts_with(" MLST"))
        .unwrap_or_else(|| panic!("{text}"));
    assert!(
        line.to_lowercase().contains("size*;") && !line.to_lowercase().contains("type*;"),
        "{line}"
    );
}

/// RFC 3659 7.2: MLSD is the same in every TYPE.
#[test]
fn mlsd_ends_lines_in_crlf_in_every_type() {
    let server = Server::start();
    server.put("f", "x");
    let mut control = server.login();
    control.expect("TYPE A", 200);
    let ascii = control.lines("MLSD");
    control.expect("TYPE I", 200);
    assert_eq!(control.lines("MLSD"), ascii);
}

/// Past holes ProFTPD 2146, CVE-2024-48208: the longest name that there is.
#[test]
fn mlsd_shows_the_longest_names() {
    let server = Server::start();
    let name = "n".repeat(255);
    server.put(&name, "x");
    let mut control = server.login();
    assert!(
        control
            .lines("MLSD")
            .iter()
            .any(|line| line.ends_with(&format!(" {name}")))
    );
    assert!(
        control
            .expect(format!("MLST {name}"), 250)
            .text()
            .contains(&name)
    );
}

/// DAT-80: an empty directory has no entries but itself and its parent.
#[test]
fn mlsd_of_an_empty_directory_has_no_entries() {
    let server = Server::start();
    for line in server.login().lines("MLSD") {
        let (facts, _) = parse(&line);
        assert!(matches!(fact(&facts, "type"), "cdir" | "pdir"), "{line}");
    }
}

/// RFC 3659 7.5.1; INT-18: clients (rclone) descend into every entry of a name that they do not know.
#[test]
fn mlsd_names_itself_with_dots_only() {
    let server = Server::start();
    server.mkdir("d");
    let mut control = server.login();
    for line in ["MLSD", "MLSD d", "MLSD /d"] {
        for entry in control.lines(line) {
            let (facts, name) = parse(&entry);
            match fact(&facts, "type") {
                "cdir" => assert_eq!(name, ".", "{line}: {entry}"),
                "pdir" => assert_eq!(name, "..", "{line}: {entry}"),
                _ => assert_eq!(name, "d", "{line}: {entry}"),
            }
        }
    }
}
