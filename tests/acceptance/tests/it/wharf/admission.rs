//! Many sessions, long queues, memory.

use wharf_acceptance_tests::{Kind, Server, noise};

/// INT-01: one client opens many sessions at once.
#[test]
fn ten_sessions_of_one_address_work_side_by_side() {
    let server = Server::start();
    let bytes = noise(3, 100_000);
    server.put("f", &bytes);
    let mut sessions: Vec<_> = (0..10).map(|_| server.login()).collect();
    for session in &mut sessions {
        session.expect("TYPE I", 200);
        assert!(session.fetch("RETR f") == bytes);
    }
}

/// RPL-32: a client that only writes is not read for ever, and costs no memory.
#[test]
fn a_client_that_never_reads_costs_no_memory() {
    let server = Server::start();
    let control = server.login();
    control
        .stream()
        .set_write_timeout(Some(std::time::Duration::from_secs(1)))
        .unwrap();
    let before = (server.kind() == Kind::Wharf).then(|| server.resident_kib());
    let chunk = "HELP\r\n".repeat(10_000);
    let mut sent = 0;
    while sent < 64 << 20 {
        match std::io::Write::write(&mut control.stream(), chunk.as_bytes()) {
            Ok(count) => sent += count,
            Err(_) => break,
        }
    }
    assert!(
        sent < 64 << 20,
        "the server swallowed {sent} bytes of commands without an end"
    );
    if let Some(before) = before {
        let grown = server.resident_kib().saturating_sub(before);
        assert!(grown < 8 * 1024, "{grown} KiB more");
    }
    server.login().in_step();
}

/// RPL-04: a line without an end is not kept.
#[test]
fn an_endless_line_costs_no_memory() {
    let server = Server::start();
    let mut control = server.login();
    let before = (server.kind() == Kind::Wharf).then(|| server.resident_kib());
    let chunk = vec![b'a'; 1 << 20];
    for _ in 0..32 {
        control.raw(&chunk);
    }
    if let Some(before) = before {
        let grown = server.resident_kib().saturating_sub(before);
        assert!(grown < 4 * 1024, "{grown} KiB more");
    }
    control.raw("\r\n");
    control.wants_any(&[500, 501]);
    server.login().in_step();
}
