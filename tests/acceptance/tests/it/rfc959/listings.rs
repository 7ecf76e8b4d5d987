//! RFC 959 4.1.3: LIST and NLST.

use wharf_acceptance_tests::{Server, noise};

/// One line of `ls -l`, taken apart.
struct Line {
    mode: String,
    links: u64,
    size: u64,
    date: Vec<String>,
    name: String,
}

fn parse(line: &str) -> Line {
    let mut rest = line;
    let mut word = || {
        rest = rest.trim_start_matches(' ');
        let (word, tail) = rest
            .split_once(' ')
            .unwrap_or_else(|| panic!("too few fields: {line}"));
        rest = tail;
        word.to_owned()
    };
    let mode = word();
    let links = word().parse().unwrap();
    let (_owner, _group) = (word(), word());
    let size = word().parse().unwrap();
    let (month, day) = (word(), word());
    // A year is set with two spaces before it, a time with one.
    let clock = word();
    let name = rest.to_owned();
    Line {
        mode,
        links,
        size,
        date: vec![month, day, clock],
        name,
    }
}

/// The order of a listing matters to one test only.
fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// RFC 959 4.1.3, LIST; DAT-70, INT-16: the form that every list parser knows.
#[test]
fn list_lines_have_the_unix_form() {
    let server = Server::start();
    server.put("file one", "hello");
    server.mkdir("sub");
    let mut lines = server.login().lines("LIST");
    lines.sort_by_key(|line| line.starts_with('d'));
    assert_eq!(lines.len(), 2, "{lines:?}");
    let (file, dir) = (parse(&lines[0]), parse(&lines[1]));
    assert_eq!((file.name.as_str(), file.size), ("file one", 5));
    assert!(
        file.mode.len() == 10 && file.mode.starts_with("-rw"),
        "{}",
        file.mode
    );
    assert!(file.links >= 1);
    assert_eq!(dir.name, "sub");
    assert!(dir.mode.starts_with("drwx"), "{}", dir.mode);
}

/// DAT-71: a young file shows the time, an old one the year.
#[test]
fn list_shows_time_or_year() {
    let server = Server::start();
    server.put("new", "x");
    server.put("old", "x");
    server.touch("old", 981_173_106); // 2001-02-03 04:05:06 UTC
    let mut lines = server.login().lines("LIST");
    lines.sort_by_key(|line| line.ends_with(" old"));
    let (new, old) = (parse(&lines[0]), parse(&lines[1]));
    assert!(
        new.date[2].len() == 5 && new.date[2].as_bytes()[2] == b':',
        "{:?}",
        new.date
    );
    assert_eq!(
        old.date,
        [
            "Feb",
            if lines[1].contains("Feb 03") {
                "03"
            } else {
                "3"
            },
            "2001"
        ]
    );
}

/// RFC 959 4.1.3, LIST of a file.
#[test]
fn list_of_a_file_is_one_line() {
    let server = Server::start();
    server.put("f", "hello");
    server.put("g", "x");
    let lines = server.login().lines("LIST f");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(parse(&lines[0]).name, "f");
}

/// RFC 959 4.1.3, LIST of a directory: its contents.
#[test]
fn list_of_a_directory_is_its_contents() {
    let server = Server::start();
    server.mkdir("d");
    server.put("d/inside", "x");
    server.put("outside", "x");
    let lines = server.login().lines("LIST d");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with(" inside"));
}

/// D-03: a missing object is 550, before or after the 150 never an empty success.
#[test]
fn list_of_nothing_is_550() {
    let server = Server::start();
    server.login().fails("LIST missing", &[450, 550]);
}

/// RFC 959 4.1.3: an empty directory lists as nothing.
#[test]
fn an_empty_directory_lists_as_nothing() {
    let server = Server::start();
    let mut control = server.login();
    assert!(control.fetch("LIST").is_empty());
    assert!(control.fetch("NLST").is_empty());
}

/// DAT-74, INT-16: options are options, not names.
#[test]
fn list_options_are_accepted() {
    let server = Server::start();
    server.put("f", "x");
    server.put(".hidden", "x");
    let mut control = server.login();
    for line in [
        "LIST -l",
        "LIST -la",
        "LIST -a",
        "LIST -al .",
        "LIST -L",
        "LIST -F",
    ] {
        let lines = control.lines(line);
        assert!(
            lines.iter().any(|line| line.ends_with(" f")),
            "{line}: {lines:?}"
        );
    }
    assert!(
        control
            .lines("LIST -a")
            .iter()
            .any(|line| line.ends_with(" .hidden"))
    );
}

/// DAT-77: by name, and by what the options say.
#[test]
fn list_is_ordered() {
    let server = Server::start();
    for (name, size, time) in [
        ("b", 30, 1_000_000_000),
        ("a", 10, 1_100_000_000),
        ("c", 20, 900_000_000),
    ] {
        server.put(name, noise(1, size));
        server.touch(name, time);
    }
    let mut control = server.login();
    let mut order = |line: &str| {
        control
            .lines(line)
            .iter()
            .map(|line| parse(line).name)
            .collect::<String>()
    };
    assert_eq!(order("LIST"), "abc");
    assert_eq!(order("LIST -r"), "cba");
    assert_eq!(order("LIST -t"), "abc");
    assert_eq!(order("LIST -S"), "bca");
}

/// RFC 959 4.1.3, NLST: names, one a line.
#[test]
fn nlst_is_names_only() {
    let server = Server::start();
    server.put("file one", "x");
    server.put("two", "x");
    assert_eq!(sorted(server.login().lines("NLST")), ["file one", "two"]);
}

/// RFC 959 4.1.3, NLST of nothing.
#[test]
fn nlst_of_nothing_is_550() {
    let server = Server::start();
    server.login().fails("NLST missing", &[450, 550]);
}

/// DAT-75, DAT-82: patterns in LIST and NLST.
#[test]
fn patterns_choose_names() {
    let server = Server::start();
    for name in ["a.txt", "b.txt", "c.bin", ".d.txt", "e1", "e2"] {
        server.put(name, "x");
    }
    let mut control = server.login();
    assert_eq!(sorted(control.lines("NLST *.txt")), ["a.txt", "b.txt"]);
    assert_eq!(sorted(control.lines("NLST e?")), ["e1", "e2"]);
    assert_eq!(sorted(control.lines("NLST [ab].txt")), ["a.txt", "b.txt"]);
    assert_eq!(control.lines("LIST *.bin").len(), 1);
}

/// DAT-75: a pattern that matches nothing is an empty list.
#[test]
fn a_pattern_without_a_match_is_an_empty_list() {
    let server = Server::start();
    server.put("f", "x");
    assert!(server.login().fetch("LIST *.none").is_empty());
}

/// DAT-81: a name that looks like a pattern is first a name.
#[test]
fn a_literal_name_wins_over_its_pattern() {
    let server = Server::start();
    server.put("[ab]", "literal");
    server.put("a", "x");
    assert_eq!(server.login().lines("NLST [ab]"), ["[ab]"]);
}

/// DAT-73: a link shows where it leads.
#[test]
fn a_link_is_shown_as_one() {
    let server = Server::start();
    server.put("target", "x");
    std::os::unix::fs::symlink("target", server.path("link")).unwrap();
    let lines = server.login().lines("LIST");
    assert!(
        lines[0].starts_with('l') && lines[0].ends_with(" link -> target"),
        "{}",
        lines[0]
    );
}

/// DAT-45: a listing ends its lines in CR LF in TYPE I, too.
#[test]
fn list_in_type_i_still_ends_lines_in_crlf() {
    let server = Server::start();
    server.put("f", "x");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    assert_eq!(control.lines("LIST").len(), 1);
    assert_eq!(control.lines("NLST"), ["f"]);
}

/// DAT-98: ten thousand names come whole.
#[test]
fn a_large_directory_lists_whole() {
    let server = Server::start();
    server.mkdir("d");
    for number in 0..1500 {
        server.put(format!("d/{number:05}"), "");
    }
    let mut control = server.login();
    let names = sorted(control.lines("NLST d"));
    assert_eq!(names.len(), 1500);
    assert!(names[1499].ends_with("01499"));
    assert_eq!(control.lines("LIST d").len(), 1500);
}

/// DAT-78: a listing does not stumble over what it cannot look at.
#[test]
fn a_dangling_link_does_not_stop_a_listing() {
    let server = Server::start();
    std::os::unix::fs::symlink("nowhere", server.path("a")).unwrap();
    server.put("b", "x");
    assert!(
        server
            .login()
            .lines("LIST")
            .iter()
            .any(|line| line.ends_with(" b"))
    );
}
