//! RFC 959 4.1.3 and 5.4: ABOR, and what a session survives in the middle of a transfer.

use std::io::{Read, Write};

use wharf_acceptance_tests::socket::{connect_to, drain, reset, send_urgent};
use wharf_acceptance_tests::{Control, Server, noise};

/// So long that no server has sent it all before it hears the next command, octets.
const LONG: u64 = 512 << 20;

/// A session with a download under way that cannot end by itself: nobody reads the data.
fn running(server: &Server) -> (Control, std::net::TcpStream) {
    server.put("big", "");
    std::fs::File::options()
        .write(true)
        .open(server.path("big"))
        .unwrap()
        .set_len(LONG)
        .unwrap();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let data = control.passive();
    control.send("RETR big");
    control.wants_any(&[150, 125]);
    (control, data)
}

/// RFC 959 4.1.3, ABOR with nothing to abort; T-03, D-02.
#[test]
fn an_idle_abor_is_226() {
    let server = Server::start();
    let mut control = server.login();
    control.expect_any("ABOR", &[226, 225]);
    control.in_step();
}

/// ABOR is harmless before a login.
#[test]
fn abor_works_before_a_login() {
    let server = Server::start();
    let mut control = server.connect();
    control.expect_any("ABOR", &[226, 225, 530]);
    control.log_in();
}

/// RFC 959 4.1.3; DAT-60: 426 for the transfer, 226 for the ABOR.
#[test]
fn abor_ends_a_download() {
    let server = Server::start();
    let (mut control, data) = running(&server);
    control.send("ABOR");
    let rest = drain(data);
    control.wants(426);
    control.wants_any(&[226, 225]);
    control.in_step();
    assert!((rest.len() as u64) < LONG);
}

/// RFC 959 4.1.3, RFC 854; T-03, RPL-12: IP and Synch in front, urgent.
#[test]
fn abor_with_an_urgent_synch_ends_a_download() {
    let server = Server::start();
    let (mut control, data) = running(&server);
    send_urgent(control.stream(), b"\xff\xf4\xff").unwrap();
    control.raw(b"\xf2ABOR\r\n");
    reset_later(&mut control, data);
}

/// RPL-12: the urgent byte is the DM.
#[test]
fn abor_with_an_urgent_data_mark_ends_a_download() {
    let server = Server::start();
    let (mut control, data) = running(&server);
    control.raw(b"\xff\xf4\xff");
    send_urgent(control.stream(), b"\xf2").unwrap();
    control.raw(b"ABOR\r\n");
    reset_later(&mut control, data);
}

/// INT-12: ftplib sends the whole `ABOR` as urgent data.
#[test]
fn abor_as_ftplib_sends_it_ends_a_download() {
    let server = Server::start();
    let (mut control, data) = running(&server);
    send_urgent(control.stream(), b"ABOR\r\n").unwrap();
    reset_later(&mut control, data);
}

/// RPL-12: Telnet bytes in line, no urgency.
#[test]
fn abor_with_plain_telnet_bytes_ends_a_download() {
    let server = Server::start();
    let (mut control, data) = running(&server);
    control.raw(b"\xff\xf4\xff\xf2ABOR\r\n");
    reset_later(&mut control, data);
}

fn reset_later(control: &mut Control, data: std::net::TcpStream) {
    // The server may only notice when its writes move on: drain until it lets go.
    let _ = drain(data);
    control.wants_any(&[426, 226]);
    control.wants_any(&[226, 225]);
    control.in_step();
}

/// DAT-61: the 150 is out, nobody connects.
#[test]
fn abor_ends_the_wait_for_a_data_connection() {
    let server = Server::start();
    server.put("f", "x");
    let mut control = server.login();
    let address = control.pasv();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    control.send("ABOR");
    control.wants_any(&[426, 425]);
    control.wants_any(&[226, 225]);
    control.in_step();
    assert!(connect_to(address).is_err(), "the listener still accepts");
}

/// DAT-63: ABOR closes an idle listener.
#[test]
fn an_idle_abor_closes_the_passive_listener() {
    let server = Server::start();
    let mut control = server.login();
    let address = control.pasv();
    control.expect_any("ABOR", &[226, 225]);
    assert!(connect_to(address).is_err(), "the listener still accepts");
}

/// RFC 959 4.1.3: an aborted upload is not a success.
#[test]
fn abor_ends_an_upload() {
    let server = Server::start();
    server.put("f", "the old file");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let mut data = control.passive();
    control.send("STOR f");
    control.wants_any(&[150, 125]);
    data.write_all(b"half of the n").unwrap();
    control.send("ABOR");
    control.wants(426);
    control.wants_any(&[226, 225]);
    control.in_step();
}

/// DAT-62: an ABOR that comes too late still gets its own reply.
#[test]
fn an_abor_after_the_end_gets_its_own_reply() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    control.fetch("RETR f");
    control.expect_any("ABOR", &[226, 225]);
    control.in_step();
}

/// RFC 959 4.1.3: after an ABOR the next transfer works.
#[test]
fn a_transfer_works_after_an_abort() {
    let server = Server::start();
    server.put("f", "hello");
    let (mut control, data) = running(&server);
    control.send("ABOR");
    drop(data);
    control.wants(426);
    control.wants_any(&[226, 225]);
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// RFC 959 4.1.1, QUIT: a running transfer ends first, then 221.
#[test]
fn quit_waits_for_the_transfer() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let mut data = control.passive();
    control.send("STOR f");
    control.wants_any(&[150, 125]);
    data.write_all(b"one ").unwrap();
    control.send("QUIT");
    data.write_all(b"two").unwrap();
    drop(data);
    control.wants(226);
    control.wants(221);
    assert_eq!(server.read("f"), b"one two");
}

/// RPL-30: what is no ABOR, STAT or QUIT waits for the transfer's end.
#[test]
fn other_commands_wait_for_the_transfer() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let mut data = control.passive();
    control.send("STOR f");
    control.wants_any(&[150, 125]);
    control.raw("SIZE f\r\nPWD\r\n");
    data.write_all(b"hello").unwrap();
    drop(data);
    control.wants(226);
    assert_eq!(control.wants(213).text(), "213 5");
    control.wants(257);
}

/// DAT-37; past holes CVE-2020-9273, ProFTPD 2265: the control connection dies in a transfer.
#[test]
fn a_lost_control_connection_ends_its_transfer() {
    let server = Server::start();
    let (control, data) = running(&server);
    reset(control.into_stream());
    assert!(
        (drain(data).len() as u64) < LONG,
        "the whole file came after the session had died"
    );
    server.login().in_step();
}

/// Past hole CVE-2020-9273: a hundred aborts at different points harm nobody.
#[test]
fn the_server_survives_a_hundred_aborts() {
    let server = Server::start();
    server.put("big", noise(6, 4 << 20));
    let mut control = server.login();
    control.expect("TYPE I", 200);
    for round in 0..100 {
        let mut data = control.passive();
        control.send("RETR big");
        control.wants_any(&[150, 125]);
        data.read_exact(&mut vec![0; round * 997 + 1]).unwrap();
        control.send("ABOR");
        if round % 2 == 0 {
            drop(data);
        } else {
            let _ = drain(data);
        }
        control.wants_any(&[426, 226]);
        control.wants_any(&[226, 225]);
    }
    control.in_step();
}
