//! Read-only service and anonymous login.

use wharf_acceptance_tests::{Server, Setup};

fn nothing_changes(server: &Server, control: &mut wharf_acceptance_tests::Control) {
    let before = server.modified("f");
    for line in ["STOR f", "STOR new", "APPE f", "APPE new", "STOU"] {
        control.refused(line, &[450, 452, 532, 550, 552, 553]);
    }
    for line in [
        "MKD new",
        "RMD d",
        "DELE f",
        "MFMT 20020717210715 f",
        "MDTM 20020717210715 f",
        "SITE CHMOD 777 f",
        "SITE MKDIR new",
        "SITE UTIME 20020717210715 f",
        "SITE SYMLINK f new",
        "SITE CPFR f",
        "XMKD new",
        "XRMD d",
    ] {
        let reply = control.ask(line);
        assert!(reply.code >= 500, "{line}: {}", reply.text());
    }
    if control.ask("RNFR f").code == 350 {
        let reply = control.ask("RNTO new");
        assert!(reply.code >= 500, "RNTO new: {}", reply.text());
    }
    control.expect_any("REST 2", &[350, 501]);
    control.refused("STOR f", &[450, 452, 532, 550, 552, 553]);
    assert_eq!(server.names(), ["d", "f"]);
    assert_eq!(server.read("f"), b"hello");
    assert_eq!(server.modified("f"), before);
}

/// Past holes CVE-2017-15906, CVE-2010-3867, ProFTPD 2175, 2180: no verb writes when nobody may.
#[test]
fn a_read_only_server_is_not_changed_by_any_verb() {
    let server = Server::with(Setup {
        read_only: true,
        ..Setup::default()
    });
    server.put("f", "hello");
    server.mkdir("d");
    let mut control = server.login();
    nothing_changes(&server, &mut control);
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// DAT-93: the facts of a read-only view promise no writing.
#[test]
fn a_read_only_view_shows_no_writing() {
    let server = Server::with(Setup {
        read_only: true,
        ..Setup::default()
    });
    server.put("f", "hello");
    let mut control = server.login();
    let text = control.expect("MLST f", 250).text();
    let perm = text
        .split("perm=")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .unwrap_or_else(|| panic!("{text}"));
    assert_eq!(perm, "r", "{text}");
    assert!(!control.lines("LIST")[0][..10].contains('w'));
}

fn enter(control: &mut wharf_acceptance_tests::Control, name: &str) {
    if control.expect_any(format!("USER {name}"), &[331, 230]).code == 331 {
        control.expect("PASS guest@example.net", 230);
    }
}

/// RFC 1635; ANON-01: any password, both names.
#[test]
fn anonymous_users_read() {
    let server = Server::with(Setup {
        anonymous: true,
        ..Setup::default()
    });
    server.put("f", "hello");
    for name in ["anonymous", "ftp", "Anonymous"] {
        let mut control = server.connect();
        enter(&mut control, name);
        assert_eq!(control.fetch("RETR f"), b"hello");
    }
}

/// ANON-02: anonymous users change nothing.
#[test]
fn anonymous_users_do_not_write() {
    let server = Server::with(Setup {
        anonymous: true,
        ..Setup::default()
    });
    server.put("f", "hello");
    server.mkdir("d");
    let mut control = server.connect();
    enter(&mut control, "anonymous");
    nothing_changes(&server, &mut control);
}

/// ANON-01: off means a wrong password, not another reply.
#[test]
fn anonymous_is_refused_by_default() {
    let server = Server::start();
    let mut control = server.connect();
    control.expect_any("USER anonymous", &[331, 530]);
    control.expect_any("PASS guest@example.net", &[530, 503]);
}
