//! Bounded memory: what a listing, a flood or a crowd may cost.

use std::io::Read;

use wharf_acceptance_tests::socket::{connect_to, reset};
use wharf_acceptance_tests::{Kind, Server, Setup, noise};

fn wharf() -> Server {
    Server::with(Setup {
        kind: Kind::Wharf,
        ..Setup::default()
    })
}

/// DAT-98: a hundred thousand entries may cost 32 MiB once, and nothing more the next time.
#[test]
fn listing_a_hundred_thousand_files_costs_bounded_memory() {
    let server = wharf();
    server.mkdir("d");
    for number in 0..100_000 {
        std::fs::File::create(server.path(format!("d/file number {number:06}.txt"))).unwrap();
    }
    let mut control = server.login();
    control.lines("LIST");
    let before = server.resident_kib();
    for line in ["LIST d", "NLST d", "MLSD d"] {
        assert!(control.lines(line).len() >= 100_000, "{line}");
    }
    let once = server.resident_kib().saturating_sub(before);
    assert!(once < 32 * 1024, "{once} KiB more");
    for _ in 0..3 {
        control.fetch("LIST d");
        control.fetch("MLSD d");
    }
    let again = server.resident_kib().saturating_sub(before);
    assert!(again < 40 * 1024, "{again} KiB more after three rounds");
}

/// Downloads and uploads of any size go through buffers of fixed size.
#[test]
fn large_transfers_cost_bounded_memory() {
    let server = wharf();
    let bytes = noise(1, 64 << 20);
    server.put("f", &bytes);
    let mut control = server.login();
    control.fetch("RETR f");
    let before = server.resident_kib();
    for kind in ["TYPE I", "TYPE A"] {
        control.expect(kind, 200);
        control.fetch("RETR f");
        control.store("STOR g", &bytes);
    }
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB more");
}

/// A crowd of sessions that do nothing, and one of connections that die at once.
#[test]
fn a_crowd_costs_bounded_memory() {
    let server = wharf();
    server.login().in_step();
    let before = server.resident_kib();
    let sessions: Vec<_> = (0..80).map(|_| server.login()).collect();
    let held = server.resident_kib().saturating_sub(before);
    assert!(
        held < 8 * 1024,
        "{held} KiB for {} idle sessions",
        sessions.len()
    );
    drop(sessions);
    for _ in 0..5000 {
        if let Ok(mut stream) = connect_to(server.address()) {
            let _ = stream.read(&mut [0; 1]);
            reset(stream);
        }
    }
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 12 * 1024, "{grown} KiB more after 5000 connections");
    server.login().in_step();
}

/// Thousands of data set-ups, transfers and refusals on one session.
#[test]
fn a_long_session_costs_bounded_memory() {
    let server = wharf();
    server.put("f", "hello");
    let mut control = server.login();
    let mut round = || {
        control.fetch("RETR f");
        control.lines("NLST");
        control.expect("PASV", 227);
        control.expect("SIZE missing", 550);
        control.expect("MLST f", 250);
    };
    (0..50).for_each(|_| round());
    let before = server.resident_kib();
    (0..1000).for_each(|_| round());
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 4 * 1024, "{grown} KiB more");
}
