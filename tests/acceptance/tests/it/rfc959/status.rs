//! RFC 959 4.1.3: SYST, STAT, HELP, NOOP, SITE, and verbs that nobody knows.

use std::io::Write;
use std::net::Shutdown;

use wharf_acceptance_tests::Server;

/// RFC 959 4.1.3, SYST; RPL 5: the words that choose a client's list parser.
#[test]
fn syst_is_unix() {
    let server = Server::start();
    assert!(
        server
            .login()
            .expect("SYST", 215)
            .text()
            .starts_with("215 UNIX Type: L8")
    );
}

/// RFC 959 4.1.3, NOOP.
#[test]
fn noop_is_200() {
    let server = Server::start();
    server.login().expect("NOOP", 200);
}

/// RFC 959 4.1.3, HELP.
#[test]
fn help_lists_the_verbs() {
    let server = Server::start();
    let text = server.login().expect("HELP", 214).text();
    for verb in ["USER", "RETR", "STOR", "PASV", "RNFR", "QUIT"] {
        assert!(text.contains(verb), "{verb} is not in {text}");
    }
}

/// RFC 959 4.1.3, HELP with an argument.
#[test]
fn help_explains_one_verb() {
    let server = Server::start();
    let text = server.login().expect("HELP RETR", 214).text();
    assert!(text.contains("RETR"), "{text}");
}

/// RFC 959 5.4, HELP.
#[test]
fn help_for_no_verb_is_refused() {
    let server = Server::start();
    server.login().expect_any("HELP FOO", &[504, 501, 502]);
}

/// RFC 959 4.1.3, STAT; INT-08: SITE's own help is read by ncftp.
#[test]
fn site_help_is_214() {
    let server = Server::start();
    server.login().expect_any("SITE HELP", &[214, 211]);
}

/// RFC 959 5.4, SITE; INT-57.
#[test]
fn an_unknown_site_command_is_refused() {
    let server = Server::start();
    let mut control = server.login();
    for line in ["SITE FOO", "SITE EXEC id", "SITE LRECL=80"] {
        let reply = control.ask(line);
        assert!(matches!(reply.code, 500..=504), "{line}: {}", reply.text());
    }
    control.in_step();
}

/// RFC 959 4.1.3, STAT without an argument.
#[test]
fn stat_is_211() {
    let server = Server::start();
    server.login().expect("STAT", 211);
}

/// RFC 959 4.1.3, STAT with a path: the listing over the control connection.
#[test]
fn stat_of_a_directory_lists_it() {
    let server = Server::start();
    server.mkdir("d");
    server.put("d/file one", "x");
    let reply = server.login().expect_any("STAT d", &[211, 212, 213]);
    assert!(
        reply.inner().iter().any(|line| line.ends_with("file one")),
        "{}",
        reply.text()
    );
}

/// RFC 959 4.1.3, STAT of a file.
#[test]
fn stat_of_a_file_shows_it() {
    let server = Server::start();
    server.put("f", "hello");
    let reply = server.login().expect_any("STAT f", &[211, 213]);
    assert!(
        reply.text().contains(" f") && reply.text().contains('5'),
        "{}",
        reply.text()
    );
}

/// RFC 959 5.4, STAT.
#[test]
fn stat_of_nothing_is_550() {
    let server = Server::start();
    server.login().expect_any("STAT missing", &[450, 550]);
}

/// RFC 959 4.1.3, STAT during a transfer; RPL-30: answered at once. Past hole ProFTPD 2265.
#[test]
fn stat_is_heard_while_bytes_flow() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let mut data = control.passive();
    control.send("STOR f");
    control.wants_any(&[150, 125]);
    data.write_all(b"half").unwrap();
    control.expect_any("STAT", &[211, 213]);
    data.shutdown(Shutdown::Write).unwrap();
    control.wants(226);
    assert_eq!(server.read("f"), b"half");
}

/// RFC 959 5.4: an unknown verb, and the session goes on; T-02.
#[test]
fn an_unknown_verb_is_500() {
    let server = Server::start();
    let mut control = server.login();
    for line in ["FOO", "FOO bar", "RETRX f", "X", "SITEFOO"] {
        control.expect_any(line, &[500, 502]);
    }
    control.in_step();
}

/// Practice, SITE CHMOD: INT-05, INT-08.
#[test]
fn site_chmod_changes_the_mode() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    server.put("f", "x");
    let mut control = server.login();
    control.expect_any("SITE CHMOD 640 f", &[200, 250]);
    assert_eq!(
        server.path("f").metadata().unwrap().permissions().mode() & 0o777,
        0o640
    );
    let reply = control.ask("SITE CHMOD 999 f");
    assert!(reply.code >= 500, "{}", reply.text());
    let reply = control.ask("SITE CHMOD 644 missing");
    assert!(reply.code >= 500, "{}", reply.text());
}

/// Practice, SITE UMASK.
#[test]
fn site_umask_shapes_new_files() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    let mut control = server.login();
    control.expect("SITE UMASK 077", 200);
    control.store("STOR f", b"x");
    assert_eq!(
        server.path("f").metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
}
