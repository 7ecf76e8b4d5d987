//! RFC 959 4.1.3: RETR, STOR, STOU, APPE, ALLO, and the order of replies around them.

use std::io::{Read, Write};
use std::net::Shutdown;

use wharf_acceptance_tests::{Server, noise};

/// RFC 959 4.1.3, STOR and RETR.
#[test]
fn a_megabyte_survives_the_round_trip() {
    let server = Server::start();
    let bytes = noise(2, 1 << 20);
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.store("STOR f", &bytes);
    assert!(server.read("f") == bytes, "the stored file differs");
    assert!(control.fetch("RETR f") == bytes, "the fetched file differs");
}

/// RFC 959 4.1.3; DAT-34: nothing is a file, too.
#[test]
fn an_empty_file_is_stored_and_fetched() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.store("STOR f", b"");
    assert_eq!(server.read("f"), b"");
    assert_eq!(control.fetch("RETR f"), b"");
}

/// RFC 959 4.1.3, STOR: the old contents are replaced as a whole.
#[test]
fn stor_replaces_a_longer_file() {
    let server = Server::start();
    server.put("f", "a long old text");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.store("STOR f", b"new");
    assert_eq!(server.read("f"), b"new");
}

/// RFC 959 4.1.3, APPE.
#[test]
fn appe_adds_at_the_end() {
    let server = Server::start();
    server.put("f", "one ");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.store("APPE f", b"two");
    assert_eq!(server.read("f"), b"one two");
}

/// RFC 959 4.1.3, APPE; INT-53.
#[test]
fn appe_makes_a_missing_file() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.store("APPE f", b"new");
    assert_eq!(server.read("f"), b"new");
}

/// RFC 959 4.1.3, STOU: two uploads, two names.
#[test]
fn stou_never_overwrites() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.store("STOU", b"first");
    control.store("STOU", b"second");
    let names = server.names();
    assert_eq!(names.len(), 2, "{names:?}");
    let mut contents: Vec<_> = names.iter().map(server_read(&server)).collect();
    contents.sort();
    assert_eq!(contents, [b"first".to_vec(), b"second".to_vec()]);
}

fn server_read(server: &Server) -> impl Fn(&std::ffi::OsString) -> Vec<u8> {
    move |name| server.read(name)
}

/// RFC 959 5.4, RETR: the refusal comes before any 150 (DAT-30).
#[test]
fn retr_of_nothing_is_550() {
    let server = Server::start();
    let mut control = server.login();
    control.refused("RETR missing", &[550]);
    control.in_step();
}

/// RFC 959 5.4, RETR.
#[test]
fn retr_of_a_directory_is_550() {
    let server = Server::start();
    server.mkdir("d");
    server.login().refused("RETR d", &[550]);
}

/// RFC 959 5.4, STOR.
#[test]
fn stor_into_no_directory_is_refused() {
    let server = Server::start();
    server.login().refused("STOR no/such/f", &[550, 553]);
    assert!(server.names().is_empty());
}

/// RFC 959 5.4, STOR.
#[test]
fn stor_onto_a_directory_is_refused() {
    let server = Server::start();
    server.mkdir("d");
    server.login().refused("STOR d", &[550, 553]);
    assert!(server.path("d").is_dir());
}

/// RFC 959 5.2, 5.4: without a data set-up there is no transfer.
#[test]
fn a_transfer_without_a_data_connection_is_425() {
    let server = Server::start();
    server.put("f", "x");
    let mut control = server.login();
    let reply = control.ask("RETR f");
    if reply.code == 150 {
        control.wants_any(&[425, 426]);
    } else {
        assert!(matches!(reply.code, 425 | 503), "{}", reply.text());
    }
    control.in_step();
}

/// DAT-11: a refused transfer leaves the data set-up alone.
#[test]
fn a_refused_retr_keeps_the_data_connection() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    let data = control.passive();
    control.expect("RETR missing", 550);
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    assert_eq!(wharf_acceptance_tests::socket::drain(data), b"hello");
    control.wants(226);
}

/// DAT-31: when 226 is out, the file is there, for everybody.
#[test]
fn an_upload_can_be_used_as_soon_as_226_is_out() {
    let server = Server::start();
    let mut one = server.login();
    let mut two = server.login();
    one.expect("TYPE I", 200);
    two.expect("TYPE I", 200);
    for round in 0..20 {
        let bytes = noise(round, 5000);
        one.store("STOR f", &bytes);
        assert!(two.fetch("RETR f") == bytes, "round {round}");
        one.expect("RNFR f", 350);
        one.expect("RNTO g", 250);
        two.expect("DELE g", 250);
    }
}

/// RFC 959 3.2: each transfer has its own data connection, many in a row on one session.
#[test]
fn many_transfers_follow_each_other() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    for number in 0..100 {
        control.store(format!("STOR f{number}"), format!("{number}").as_bytes());
    }
    for number in 0..100 {
        assert_eq!(
            control.fetch(format!("RETR f{number}")),
            format!("{number}").as_bytes()
        );
    }
}

/// INT-06: a client that has read enough closes; the session stays usable.
#[test]
fn a_download_that_the_client_cuts_is_426() {
    let server = Server::start();
    server.put("big", noise(3, 16 << 20));
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let mut data = control.passive();
    control.send("RETR big");
    control.wants_any(&[150, 125]);
    data.read_exact(&mut [0; 1000]).unwrap();
    wharf_acceptance_tests::socket::reset(data);
    control.wants_any(&[426, 451]);
    control.in_step();
}

/// DAT-32, INT-56: a reset is not an end: the upload failed.
#[test]
fn an_upload_that_ends_in_a_reset_is_426() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let mut data = control.passive();
    control.send("STOR f");
    control.wants_any(&[150, 125]);
    data.write_all(&noise(4, 100_000)).unwrap();
    wharf_acceptance_tests::socket::reset(data);
    control.wants_any(&[426, 451]);
    control.in_step();
}

/// RFC 959 4.1.3, ALLO; INT-53.
#[test]
fn allo_is_accepted() {
    let server = Server::start();
    let mut control = server.login();
    control.expect_any("ALLO 1000", &[200, 202]);
    control.expect_any("ALLO 1000 R 80", &[200, 202]);
    control.expect_any("ALLO 0", &[200, 202]);
}

/// RFC 959 5.3.1, ALLO.
#[test]
fn allo_without_a_number_is_501() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("ALLO", 501);
    control.expect("ALLO many", 501);
}

/// RFC 959 4.1.3: sessions do not wait for each other.
#[test]
fn a_transfer_does_not_stop_another_session() {
    let server = Server::start();
    server.put("f", "hello");
    let mut slow = server.login();
    let mut data = slow.passive();
    slow.send("STOR g");
    slow.wants_any(&[150, 125]);
    data.write_all(b"part one, ").unwrap();
    assert_eq!(server.login().fetch("RETR f"), b"hello");
    data.write_all(b"part two").unwrap();
    data.shutdown(Shutdown::Write).unwrap();
    slow.wants(226);
    assert_eq!(server.read("g"), b"part one, part two");
}

/// RFC 959 5.4; interop: `150 ... (n bytes)` is what ftplib, wget and curl read.
#[test]
fn the_150_of_a_download_tells_its_size() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let data = control.passive();
    control.send("RETR f");
    let reply = control.wants_any(&[150, 125]);
    assert!(reply.text().contains("(5 bytes)"), "{}", reply.text());
    assert_eq!(wharf_acceptance_tests::socket::drain(data), b"hello");
    control.wants(226);
}
