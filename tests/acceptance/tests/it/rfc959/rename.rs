//! RFC 959 4.1.3: RNFR and RNTO.

use wharf_acceptance_tests::Server;

/// RFC 959 4.1.3, RNFR, RNTO.
#[test]
fn a_file_gets_a_new_name() {
    let server = Server::start();
    server.put("a", "hello");
    let mut control = server.login();
    control.expect("RNFR a", 350);
    control.expect("RNTO b", 250);
    assert_eq!(server.names(), ["b"]);
    assert_eq!(server.read("b"), b"hello");
}

/// RFC 959 4.1.3: a directory can be renamed, with what it holds.
#[test]
fn a_directory_gets_a_new_name() {
    let server = Server::start();
    server.mkdir("a");
    server.put("a/f", "x");
    let mut control = server.login();
    control.expect("RNFR a", 350);
    control.expect("RNTO b", 250);
    assert!(server.has("b/f") && !server.has("a"));
}

/// RFC 959 4.1.3: a rename may move.
#[test]
fn a_rename_moves_between_directories() {
    let server = Server::start();
    server.mkdir("x");
    server.mkdir("y");
    server.put("x/f", "data");
    let mut control = server.login();
    control.expect("CWD x", 250);
    control.expect("RNFR f", 350);
    control.expect("RNTO ../y/g", 250);
    assert_eq!(server.read("y/g"), b"data");
}

/// RFC 959 5.4, RNFR; T-02.
#[test]
fn rnfr_of_nothing_is_550() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("RNFR missing", 550);
    control.expect("RNTO y", 503);
}

/// RFC 959 5.4, RNTO; T-02.
#[test]
fn rnto_without_rnfr_is_503() {
    let server = Server::start();
    server.login().expect("RNTO y", 503);
}

/// RFC 959 4.1.3: RNTO must follow at once.
#[test]
fn another_command_between_cancels_the_rename() {
    let server = Server::start();
    server.put("a", "x");
    let mut control = server.login();
    control.expect("RNFR a", 350);
    control.expect("PWD", 257);
    control.expect("RNTO b", 503);
    assert!(server.has("a"));
}

/// RFC 959 4.1.3: one RNFR serves one RNTO.
#[test]
fn a_rename_is_used_up_by_its_first_rnto() {
    let server = Server::start();
    server.put("a", "x");
    let mut control = server.login();
    control.expect("RNFR a", 350);
    control.expect_any("RNTO no/such/place", &[550, 553]);
    control.expect("RNTO b", 503);
    assert!(server.has("a"));
}

/// INT-54: upload under another name, rename onto the old file.
#[test]
fn a_rename_replaces_a_file() {
    let server = Server::start();
    server.put("f.tmp", "new");
    server.put("f", "old");
    let mut control = server.login();
    control.expect("RNFR f.tmp", 350);
    control.expect("RNTO f", 250);
    assert_eq!(server.names(), ["f"]);
    assert_eq!(server.read("f"), b"new");
}

/// RFC 959 5.4, RNTO: a file never replaces a directory.
#[test]
fn a_rename_onto_a_directory_is_refused() {
    let server = Server::start();
    server.put("f", "x");
    server.mkdir("d");
    let mut control = server.login();
    control.expect("RNFR f", 350);
    control.expect_any("RNTO d", &[550, 553]);
    assert!(server.has("f") && server.path("d").is_dir());
}

/// RFC 959 5.4, RNTO.
#[test]
fn a_directory_does_not_move_into_itself() {
    let server = Server::start();
    server.mkdir("d");
    let mut control = server.login();
    control.expect("RNFR d", 350);
    control.expect_any("RNTO d/e", &[550, 553]);
    assert!(server.path("d").is_dir());
}

/// RFC 959 5.4, RNFR: the root has no other name.
#[test]
fn the_root_cannot_be_renamed() {
    let server = Server::start();
    let mut control = server.login();
    if control.ask("RNFR /").code == 350 {
        control.expect_any("RNTO elsewhere", &[550, 553, 451]);
    }
    assert!(server.root().is_dir());
}

/// Past hole pyftpdlib 9, 55, 150: both ends of a rename stay inside the root.
#[test]
fn a_rename_does_not_leave_the_root() {
    let server = Server::start();
    let outside = server.outside();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    server.put("f", "x");
    let mut control = server.login();
    control.expect("RNFR ../outside/secret", 550);
    control.expect("RNFR f", 350);
    control.expect_any("RNTO ../outside/f", &[550, 553]);
    assert!(!outside.join("f").exists() && outside.join("secret").exists());
    assert!(server.has("f"));
}
