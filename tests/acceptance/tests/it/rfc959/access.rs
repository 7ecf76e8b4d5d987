//! RFC 959 4.1.1 and 5.4: greeting, USER, PASS, ACCT, REIN, QUIT.

use wharf_acceptance_tests::{Control, PASSWORD, Server, USER};

/// RFC 959 5.4; INT-51.
#[test]
fn the_greeting_is_one_220_line() {
    let server = Server::start();
    let greeting = Control::open(server.address()).wants(220);
    assert!(
        greeting.is_single_line() && greeting.text().len() <= 84,
        "{greeting:?}"
    );
}

/// RFC 2577 6; RPL 5.
#[test]
fn the_greeting_names_no_version() {
    let server = Server::start();
    let text = Control::open(server.address()).wants(220).text();
    assert!(!text[3..].chars().any(|c| c.is_ascii_digit()), "{text}");
}

/// RFC 959 4.1.1, USER, PASS; T-01.
#[test]
fn user_and_pass_log_in() {
    let server = Server::start();
    let mut control = server.connect();
    control.expect(format!("USER {USER}"), 331);
    control.expect(format!("PASS {PASSWORD}"), 230);
    control.expect("PWD", 257);
}

/// RFC 959 5.4, PASS.
#[test]
fn a_wrong_password_is_530() {
    let server = Server::start();
    let mut control = server.connect();
    control.expect(format!("USER {USER}"), 331);
    control.expect("PASS wrong", 530);
    control.expect("PWD", 530);
}

/// RFC 959 4.1.1: a login may be tried again on the same connection.
#[test]
fn a_login_works_after_a_failed_one() {
    let server = Server::start();
    let mut control = server.connect();
    control.expect(format!("USER {USER}"), 331);
    control.expect("PASS wrong", 530);
    control.log_in();
}

/// RFC 2577 6; CVE-2018-15473, CVE-2016-6210: no user enumeration by text.
#[test]
fn an_unknown_user_gets_the_replies_of_a_wrong_password() {
    let server = Server::start();
    let dialogue = |user: &str| {
        let mut control = server.connect();
        let first = control.ask(format!("USER {user}")).text();
        (
            first.replace(user, "X"),
            control.ask("PASS wrong").text().replace(user, "X"),
        )
    };
    assert_eq!(dialogue(USER), dialogue("nobodyknows"));
}

/// RFC 959 5.4, PASS; T-02.
#[test]
fn pass_without_user_is_503() {
    let server = Server::start();
    server.connect().expect("PASS x", 503);
}

/// RFC 959 5.4; past hole CVE-2015-3306: nothing acts before a login.
#[test]
fn every_verb_that_needs_a_login_is_530_before_it() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.connect();
    for line in [
        "CWD /",
        "CDUP",
        "PWD",
        "MKD d",
        "RMD d",
        "DELE f",
        "RNFR f",
        "RNTO g",
        "LIST",
        "NLST",
        "RETR f",
        "STOR g",
        "APPE f",
        "STOU",
        "SIZE f",
        "MDTM f",
        "PASV",
        "EPSV",
        "PORT 127,0,0,1,200,10",
        "REST 1",
        "TYPE I",
        "STRU F",
        "MODE S",
        "ALLO 1",
        "STAT /",
        "MLSD",
        "MLST",
    ] {
        let reply = control.ask(line);
        assert!(matches!(reply.code, 530 | 503), "{line}: {}", reply.text());
    }
    assert_eq!(server.read("f"), b"hello");
    assert_eq!(server.names(), ["f"]);
}

/// Past holes CVE-2015-3306, CVE-2019-12815, CVE-2010-3867: SITE is no door before a login.
#[test]
fn site_is_refused_before_a_login() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.connect();
    for line in [
        "SITE CPFR f",
        "SITE CPTO g",
        "SITE CHMOD 777 f",
        "SITE MKDIR d",
        "SITE UTIME 20200101000000 f",
    ] {
        let reply = control.ask(line);
        assert!(reply.code >= 500, "{line}: {}", reply.text());
    }
    assert_eq!(server.names(), ["f"]);
}

/// RFC 959 4.1.1, USER: a new USER starts the login again.
#[test]
fn user_after_a_login_ends_it() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("USER someone", 331);
    control.expect("PWD", 530);
}

/// RFC 959 4.1.1, USER: before the password the second name counts.
#[test]
fn a_second_user_before_pass_replaces_the_first() {
    let server = Server::start();
    let mut control = server.connect();
    control.expect("USER someone", 331);
    control.expect(format!("USER {USER}"), 331);
    control.expect(format!("PASS {PASSWORD}"), 230);
}

/// RFC 959 5.3.1: an empty password is a wrong password, not a wrong syntax.
#[test]
fn an_empty_password_is_530() {
    let server = Server::start();
    let mut control = server.connect();
    control.expect(format!("USER {USER}"), 331);
    control.expect("PASS", 530);
}

/// RFC 959 5.3.1, USER needs a name; RPL-07.
#[test]
fn user_without_a_name_is_501() {
    let server = Server::start();
    server.connect().expect_any("USER", &[500, 501]);
}

/// RFC 959 5.4, ACCT: superfluous when no account is needed.
#[test]
fn acct_is_superfluous() {
    let server = Server::start();
    server.login().expect("ACCT projects", 202);
}

/// RFC 959 4.1.1, REIN: back to the state after the greeting.
#[test]
fn rein_forgets_the_login() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("REIN", 220);
    control.expect("PWD", 530);
    control.log_in();
    control.expect("PWD", 257);
}

/// RFC 959 4.1.1, REIN: parameters go back to their defaults.
#[test]
fn rein_resets_the_type() {
    let server = Server::start();
    server.put("f", "a\nb\n");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect("REIN", 220);
    control.log_in();
    assert_eq!(control.fetch("RETR f"), b"a\r\nb\r\n");
}

/// RFC 959 4.1.1, QUIT.
#[test]
fn quit_is_221_and_the_end() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("QUIT", 221);
    assert!(control.try_reply().unwrap().is_none());
}

/// RFC 959 4.1.1, QUIT needs no login.
#[test]
fn quit_works_before_a_login() {
    let server = Server::start();
    server.connect().expect("QUIT", 221);
}

/// RFC 2577 5; RPL-39: three failures end the session.
#[test]
fn three_failed_logins_close_the_session() {
    let server = Server::start();
    let mut control = server.connect();
    for _ in 0..2 {
        control.expect(format!("USER {USER}"), 331);
        control.expect("PASS wrong", 530);
    }
    control.expect(format!("USER {USER}"), 331);
    control.expect_any("PASS wrong", &[421, 530]);
    control.closes();
}

/// RFC 959 4.1.1, PASS: names and passwords are case-sensitive.
#[test]
fn the_password_is_case_sensitive() {
    let server = Server::start();
    let mut control = server.connect();
    control.expect(format!("USER {USER}"), 331);
    control.expect(format!("PASS {}", PASSWORD.to_uppercase()), 530);
}
