//! draft-somers-ftp-mfxx (MFMT) and the customs around MDTM.

use wharf_acceptance_tests::Server;

const MOMENT: u64 = 1_026_940_035;

/// draft-somers-ftp-mfxx 3.1; T-07.
#[test]
fn mfmt_sets_the_time() {
    let server = Server::start();
    server.put("f", "x");
    let mut control = server.login();
    let text = control.expect("MFMT 20020717210715 f", 213).text();
    assert_eq!(text.to_lowercase(), "213 modify=20020717210715; f");
    assert_eq!(server.modified("f"), MOMENT);
    assert_eq!(control.expect("MDTM f", 213).text(), "213 20020717210715");
}

/// draft-somers-ftp-mfxx 3.1; T-07: there was no 29th of February 2001.
#[test]
fn mfmt_refuses_what_is_no_date() {
    let server = Server::start();
    server.put("f", "x");
    let before = server.modified("f");
    let mut control = server.login();
    for line in [
        "MFMT 20010229000000 f",
        "MFMT 20021301000000 f",
        "MFMT 2002 f",
        "MFMT f",
        "MFMT",
        "MFMT 20020717250000 f",
    ] {
        let reply = control.ask(line);
        assert!(
            matches!(reply.code, 500 | 501 | 550),
            "{line}: {}",
            reply.text()
        );
    }
    assert_eq!(server.modified("f"), before);
}

/// draft-somers-ftp-mfxx 3.1.
#[test]
fn mfmt_of_nothing_is_550() {
    let server = Server::start();
    server.login().expect("MFMT 20020717210715 missing", 550);
}

/// Practice: MDTM with a time in front sets it.
#[test]
fn mdtm_with_a_time_sets_it() {
    let server = Server::start();
    server.put("f", "x");
    server
        .login()
        .expect_any("MDTM 20020717210715 f", &[213, 253]);
    assert_eq!(server.modified("f"), MOMENT);
}

/// RFC 3659 3: unless there is a file of that very name.
#[test]
fn mdtm_of_a_name_that_looks_like_a_time_asks() {
    let server = Server::start();
    server.put("20020717210715 f", "x");
    server.touch("20020717210715 f", MOMENT);
    server.put("f", "x");
    let before = server.modified("f");
    assert_eq!(
        server.login().expect("MDTM 20020717210715 f", 213).text(),
        "213 20020717210715"
    );
    assert_eq!(server.modified("f"), before);
}

/// Practice, SITE UTIME: lftp and old WinSCP.
#[test]
fn site_utime_sets_the_time_where_feat_names_it() {
    let server = Server::start();
    server.put("f", "x");
    let mut control = server.login();
    let known = control.expect("FEAT", 211).text().contains("SITE UTIME");
    let reply = control.ask("SITE UTIME 20020717210715 f");
    if known {
        assert_eq!(reply.code, 200, "{}", reply.text());
        assert_eq!(server.modified("f"), MOMENT);
    } else {
        assert!(reply.code == 200 || reply.code >= 500, "{}", reply.text());
    }
}
