//! RFC 2577 4 and 8: strangers on the data connection. Past holes CVE-1999-0351, ProFTPD 2272.

use std::net::{Ipv4Addr, SocketAddr};

use wharf_acceptance_tests::socket::{connect_from, connect_to, drain};
use wharf_acceptance_tests::{Control, Server, noise};

const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A stranger comes first; the owner still gets the file, and the stranger not a byte.
fn the_owner_wins(mut control: Control, address: SocketAddr) {
    let thief = connect_from(STRANGER.into(), address).unwrap();
    let data = connect_to(address).unwrap();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    assert_eq!(drain(data), b"the secret");
    control.wants(226);
    assert!(drain(thief).is_empty(), "the stranger got the file");
}

/// RFC 2577 4; past hole CVE-1999-0351: a stranger on the PASV port is dropped, the wait goes on.
#[test]
fn a_stranger_does_not_get_the_file_of_a_pasv() {
    let server = Server::start();
    server.put("f", "the secret");
    let mut control = server.login();
    let address = control.pasv();
    the_owner_wins(control, address);
}

/// Past holes CVE-1999-0351, ProFTPD 2272: the same for EPSV.
#[test]
fn a_stranger_does_not_get_the_file_of_an_epsv() {
    let server = Server::start();
    server.put("f", "the secret");
    let mut control = server.login();
    let address = control.epsv();
    the_owner_wins(control, address);
}

/// Past hole CVE-1999-0351: a stranger cannot write either.
#[test]
fn a_stranger_does_not_write_the_file() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let address = control.pasv();
    let mut thief = connect_from(STRANGER.into(), address).unwrap();
    let _ = std::io::Write::write_all(&mut thief, b"poison");
    let mut data = connect_to(address).unwrap();
    control.send("STOR f");
    control.wants_any(&[150, 125]);
    std::io::Write::write_all(&mut data, b"good").unwrap();
    drop(data);
    control.wants(226);
    assert_eq!(server.read("f"), b"good");
}

/// RFC 2577 8: the next port cannot be guessed from the last one.
#[test]
fn passive_ports_are_not_in_sequence() {
    let server = Server::start();
    let mut control = server.login();
    let ports: Vec<i32> = (0..20).map(|_| control.pasv().port().into()).collect();
    let near = ports
        .windows(2)
        .filter(|pair| (pair[1] - pair[0]).abs() <= 2)
        .count();
    assert!(near < 5, "{ports:?}");
}

/// RFC 2577 4: the end of a stranger's connection is not the end of the file.
#[test]
fn a_stranger_that_leaves_does_not_end_the_transfer() {
    let server = Server::start();
    let bytes = noise(9, 100_000);
    server.put("f", &bytes);
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let address = control.pasv();
    for _ in 0..5 {
        drop(connect_from(STRANGER.into(), address).unwrap());
    }
    let data = connect_to(address).unwrap();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    assert!(drain(data) == bytes);
    control.wants(226);
}
