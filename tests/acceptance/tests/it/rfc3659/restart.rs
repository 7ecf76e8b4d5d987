//! RFC 3659 5: REST STREAM.

use wharf_acceptance_tests::{Server, noise};

/// RFC 3659 5; T-01.
#[test]
fn rest_before_retr_skips() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect("REST 2", 350);
    assert_eq!(control.fetch("RETR f"), b"llo");
}

/// RFC 3659 5: REST serves one transfer.
#[test]
fn rest_is_used_up_by_its_transfer() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect("REST 2", 350);
    control.fetch("RETR f");
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// DAT-46: also when the transfer is refused.
#[test]
fn rest_is_forgotten_after_a_refused_retr() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect("REST 2", 350);
    control.refused("RETR missing", &[550]);
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// D-23, DAT-46: clients send PASV and TYPE after REST.
#[test]
fn rest_survives_pasv_and_type() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    control.expect("REST 3", 350);
    control.expect("TYPE I", 200);
    control.expect("NOOP", 200);
    assert_eq!(control.fetch("RETR f"), b"lo");
}

/// DAT-46: another file command clears it.
#[test]
fn rest_is_cleared_by_another_command() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect("REST 3", 350);
    control.expect("CWD /", 250);
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// DAT-47: at the end there is nothing, and that is a success.
#[test]
fn rest_at_the_end_fetches_nothing() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect("REST 5", 350);
    assert_eq!(control.fetch("RETR f"), b"");
}

/// RFC 1123 4.1.3.4; DAT-47, T-02.
#[test]
fn rest_beyond_the_end_is_refused() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect("REST 10", 350);
    control.refused("RETR f", &[554, 550, 551]);
    control.in_step();
}

/// RFC 3659 5.2; past holes ProFTPD 2286, 2141: only numbers that are offsets.
#[test]
fn rest_takes_only_offsets() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    for line in [
        "REST",
        "REST abc",
        "REST -1",
        "REST 1x",
        "REST 99999999999999999999999",
        "REST 0x10",
        "REST 1 2",
    ] {
        let reply = control.ask(line);
        assert!(
            matches!(reply.code, 500 | 501 | 504 | 554),
            "{line}: {}",
            reply.text()
        );
    }
}

/// RFC 3659 5: an upload goes on where it stopped.
#[test]
fn rest_before_stor_resumes() {
    let server = Server::start();
    let bytes = noise(11, 200_000);
    server.put("f", &bytes[..70_000]);
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect("REST 70000", 350);
    control.store("STOR f", &bytes[70_000..]);
    assert!(server.read("f") == bytes);
}

/// DAT-49: no holes.
#[test]
fn rest_beyond_the_end_makes_no_hole() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect("REST 100", 350);
    control.refused("STOR f", &[550, 551, 553, 554]);
    assert_eq!(server.read("f"), b"hello");
}

/// DAT-48: in TYPE A the offset counts what the wire carries.
#[test]
fn rest_in_type_a_counts_the_line_ends() {
    let server = Server::start();
    server.put("t", "ab\ncd\nef\n");
    let mut control = server.login();
    control.expect("TYPE A", 200);
    control.expect("REST 3", 350);
    assert_eq!(control.fetch("RETR t"), b"\ncd\r\nef\r\n");
}

/// RFC 3659 5: REST 0 is no restart.
#[test]
fn rest_0_is_the_whole_file() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect("REST 2", 350);
    control.expect("REST 0", 350);
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// INT-53: REST 0 before an upload is an ordinary upload.
#[test]
fn rest_0_before_stor_replaces() {
    let server = Server::start();
    server.put("f", "the old text");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect("REST 0", 350);
    control.store("STOR f", b"new");
    assert_eq!(server.read("f"), b"new");
}

/// RFC 3659 5: offsets have 64 bits.
#[test]
fn rest_has_64_bits() {
    let server = Server::start();
    server.put("f", "");
    std::fs::File::options()
        .write(true)
        .open(server.path("f"))
        .unwrap()
        .set_len((5 << 40) + 3)
        .unwrap();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect(format!("REST {}", 5_u64 << 40), 350);
    assert_eq!(control.fetch("RETR f"), [0, 0, 0]);
}
