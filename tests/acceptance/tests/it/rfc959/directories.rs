//! RFC 959 4.1.3 and appendix II: CWD, CDUP, PWD, MKD, RMD, DELE.

use wharf_acceptance_tests::Server;

/// RFC 959 appendix II, PWD.
#[test]
fn pwd_is_the_root_in_quotes() {
    let server = Server::start();
    let reply = server.login().expect("PWD", 257);
    assert_eq!(reply.quoted().as_deref(), Some("/"));
    assert!(reply.text().starts_with("257 \"/\"") && reply.is_single_line());
}

/// RFC 959 4.1.1, CWD and CDUP.
#[test]
fn cwd_and_cdup_move() {
    let server = Server::start();
    server.mkdir("a/b");
    let mut control = server.login();
    control.expect("CWD a", 250);
    control.expect("CWD b", 250);
    assert_eq!(control.expect("PWD", 257).quoted().as_deref(), Some("/a/b"));
    control.expect_any("CDUP", &[250, 200]);
    assert_eq!(control.expect("PWD", 257).quoted().as_deref(), Some("/a"));
    control.expect("CWD /a/b", 250);
    control.expect("CWD ..", 250);
    assert_eq!(control.expect("PWD", 257).quoted().as_deref(), Some("/a"));
}

/// RFC 959 4.1.1: a relative path with dots is resolved.
#[test]
fn dots_and_double_slashes_are_resolved() {
    let server = Server::start();
    server.mkdir("a/b");
    let mut control = server.login();
    control.expect("CWD ./a/../a//b/.", 250);
    assert_eq!(control.expect("PWD", 257).quoted().as_deref(), Some("/a/b"));
}

/// RFC 959 5.4, CWD.
#[test]
fn cwd_to_nothing_is_550() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("CWD missing", 550);
    assert_eq!(control.expect("PWD", 257).quoted().as_deref(), Some("/"));
}

/// RFC 959 5.4, CWD.
#[test]
fn cwd_to_a_file_is_550() {
    let server = Server::start();
    server.put("f", "x");
    server.login().expect("CWD f", 550);
}

/// RFC 959 4.1.1; past hole class path traversal: the root has no parent.
#[test]
fn the_root_is_its_own_parent() {
    let server = Server::start();
    let mut control = server.login();
    control.expect_any("CDUP", &[250, 200]);
    control.expect("CWD ../../..", 250);
    assert_eq!(control.expect("PWD", 257).quoted().as_deref(), Some("/"));
}

/// RFC 959 appendix II, MKD: the absolute path comes back.
#[test]
fn mkd_answers_with_the_absolute_path() {
    let server = Server::start();
    server.mkdir("a");
    let mut control = server.login();
    control.expect("CWD a", 250);
    assert_eq!(
        control.expect("MKD b", 257).quoted().as_deref(),
        Some("/a/b")
    );
    assert!(server.path("a/b").is_dir());
}

/// RFC 959 appendix II: quotes in a name are doubled in the reply; T-01.
#[test]
fn quotes_in_names_are_doubled() {
    let server = Server::start();
    let mut control = server.login();
    let reply = control.expect("MKD a \"b\" c", 257);
    assert!(
        reply.text().contains("\"/a \"\"b\"\" c\""),
        "{}",
        reply.text()
    );
    control.expect("CWD a \"b\" c", 250);
    let reply = control.expect("PWD", 257);
    assert!(
        reply.text().contains("\"/a \"\"b\"\" c\""),
        "{}",
        reply.text()
    );
}

/// RFC 959 5.4, MKD; D-07, INT-42: the code and the word that clients look for.
#[test]
fn mkd_of_what_exists_is_550_and_says_so() {
    let server = Server::start();
    server.mkdir("d");
    let reply = server.login().expect_any("MKD d", &[550, 521]);
    assert!(
        reply.text().to_lowercase().contains("exist"),
        "{}",
        reply.text()
    );
}

/// RFC 959 5.4, MKD: parents are not made.
#[test]
fn mkd_below_nothing_is_refused() {
    let server = Server::start();
    server.login().expect_any("MKD a/b", &[550, 553]);
    assert!(!server.has("a"));
}

/// RFC 959 4.1.3, RMD.
#[test]
fn rmd_removes_an_empty_directory() {
    let server = Server::start();
    server.mkdir("d");
    server.login().expect("RMD d", 250);
    assert!(!server.has("d"));
}

/// RFC 959 5.4, RMD.
#[test]
fn rmd_of_a_full_directory_is_550() {
    let server = Server::start();
    server.mkdir("d");
    server.put("d/f", "x");
    server.login().expect("RMD d", 550);
    assert!(server.has("d/f"));
}

/// RFC 959 5.4, RMD.
#[test]
fn rmd_of_nothing_or_of_a_file_is_550() {
    let server = Server::start();
    server.put("f", "x");
    let mut control = server.login();
    control.expect("RMD missing", 550);
    control.expect("RMD f", 550);
    assert!(server.has("f"));
}

/// RFC 959 4.1.3, RMD: the root stays.
#[test]
fn rmd_of_the_root_is_550() {
    let server = Server::start();
    server.login().expect("RMD /", 550);
    assert!(server.root().is_dir());
}

/// RFC 959 4.1.3, DELE.
#[test]
fn dele_removes_a_file() {
    let server = Server::start();
    server.put("f", "x");
    server.login().expect("DELE f", 250);
    assert!(!server.has("f"));
}

/// RFC 959 5.4, DELE.
#[test]
fn dele_of_nothing_or_of_a_directory_is_550() {
    let server = Server::start();
    server.mkdir("d");
    let mut control = server.login();
    control.expect("DELE missing", 550);
    control.expect("DELE d", 550);
    assert!(server.has("d"));
}

/// DAT-81: DELE never takes a pattern.
#[test]
fn dele_knows_no_patterns() {
    let server = Server::start();
    server.put("a.txt", "x");
    server.login().expect("DELE *.txt", 550);
    assert!(server.has("a.txt"));
}

/// RFC 959 5.3.2: a pathname goes to the end of the line, spaces and all.
#[test]
fn names_may_hold_and_end_in_spaces() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("MKD  two  words ", 257);
    assert!(server.path(" two  words ").is_dir());
}

/// RFC 959 5.4: each of these needs its argument.
#[test]
fn a_missing_path_is_501() {
    let server = Server::start();
    let mut control = server.login();
    for verb in [
        "MKD", "RMD", "DELE", "RNFR", "RETR", "STOR", "APPE", "SIZE", "MDTM",
    ] {
        let reply = control.ask(verb);
        assert!(
            matches!(reply.code, 500 | 501 | 550 | 553),
            "{verb}: {}",
            reply.text()
        );
    }
}
