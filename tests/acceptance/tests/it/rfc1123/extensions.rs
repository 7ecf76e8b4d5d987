//! RFC 1123 4.1.2 and 4.1.3: what hosts had to mend in RFC 959.

use wharf_acceptance_tests::Server;

/// RFC 1123 4.1.2.9, STOU: the name comes in the 150.
#[test]
fn stou_tells_its_name_in_the_150() {
    let server = Server::start();
    let mut control = server.login();
    let data = control.passive();
    control.send("STOU");
    let reply = control.wants_any(&[150, 125]);
    let name = reply.text()[4..].strip_prefix("FILE: ").map(str::to_owned);
    drop(data);
    control.wants(226);
    let name = name.unwrap_or_else(|| panic!("{}", reply.text()));
    assert!(server.has(&name), "{name}");
}

/// RFC 1123 4.1.2.7: NLST's names can be given to RETR as they are.
#[test]
fn every_name_of_nlst_can_be_retrieved() {
    let server = Server::start();
    server.mkdir("d");
    server.put("d/file one", "1");
    server.put("d/two", "2");
    let mut control = server.login();
    let names = control.lines("NLST d");
    assert_eq!(names.len(), 2);
    for name in names {
        assert_eq!(control.fetch(format!("RETR {name}")).len(), 1, "{name}");
    }
}

/// RFC 1123 4.1.2.2, 4.1.2.3: TYPE A T is accepted, and STRU R may be refused but not confused.
#[test]
fn type_a_t_is_accepted() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE A T", 200);
    control.expect_any("STRU R", &[200, 504]);
    control.in_step();
}

/// RFC 1123 4.1.3.1 and RFC 775: the X verbs.
#[test]
fn the_x_verbs_are_aliases() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("XMKD d", 257);
    control.expect("XCWD d", 250);
    assert_eq!(control.expect("XPWD", 257).quoted().as_deref(), Some("/d"));
    control.expect_any("XCUP", &[250, 200]);
    control.expect("XRMD d", 250);
    assert!(!server.has("d"));
}

/// RFC 1123 4.1.2.5: the commands every server must have.
#[test]
fn the_minimum_implementation_is_there() {
    let server = Server::start();
    let mut control = server.login();
    for line in [
        "TYPE A", "MODE S", "STRU F", "PASV", "PWD", "NOOP", "STAT", "HELP", "SYST", "CWD /",
        "CDUP", "ALLO 1", "TYPE I", "ABOR",
    ] {
        let reply = control.ask(line);
        assert!((200..300).contains(&reply.code), "{line}: {}", reply.text());
    }
}

/// RFC 1123 4.1.2.6: PASV before each of many transfers gives each its own port.
#[test]
fn pasv_answers_anew_each_time() {
    let server = Server::start();
    let mut control = server.login();
    let mut ports: Vec<_> = (0..20).map(|_| control.pasv().port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert!(ports.len() > 15, "{ports:?}");
}

/// RFC 1123 4.1.2.11; RPL-28: a password that begins with a dash is a password.
#[test]
fn a_dash_before_the_password_is_part_of_it() {
    let server = Server::start();
    let mut control = server.connect();
    control.expect(format!("USER {}", wharf_acceptance_tests::USER), 331);
    control.expect(format!("PASS -{}", wharf_acceptance_tests::PASSWORD), 530);
}

/// RFC 1123 4.1.4.1; DAT-69: with HELP nobody must be logged in.
#[test]
fn help_works_before_a_login() {
    let server = Server::start();
    server.connect().expect("HELP", 214);
}
