//! RFC 4217 7 and 10, RFC 5246 7.2.1: how TLS ends, and what an end without close_notify means.
//! TLS-11, TLS-36, TLS-37, TLS-66, DAT-24.

use std::io::Write;

use wharf_acceptance_tests::socket::reset;
use wharf_acceptance_tests::tls::hello::record;
use wharf_acceptance_tests::tls::{Client, End, VERSIONS};
use wharf_acceptance_tests::{Server, Setup, TlsSetup, noise};

/// TLS-11: QUIT ends with 221, close_notify, FIN.
#[test]
fn quit_ends_with_close_notify() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let mut control = server.secured(&Client::only(version));
        control.log_in();
        control.expect("QUIT", 221);
        // `None` is close_notify: an end without it is an error.
        assert!(control.try_reply().unwrap().is_none());
    }
}

/// TLS-11: an end of the control connection without close_notify ends the session quietly.
#[test]
fn a_control_connection_may_end_without_close_notify() {
    let server = Server::with_tls();
    for _ in 0..3 {
        let control = server.secured(&Client::new());
        drop(control);
    }
    server.secured(&Client::new()).log_in();
}

/// TLS-66, DAT-24: some clients never send close_notify; their uploads count.
#[test]
fn an_upload_without_close_notify_counts() {
    let server = Server::with_tls();
    let bytes = noise(3, 100_000);
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let mut data = control.transfer("STOR f", &client).unwrap();
        data.write_all(&bytes).unwrap();
        data.cut().unwrap();
        let _ = data.drain();
        control.wants(226);
        assert!(server.read("f") == bytes);
    }
}

/// TLS-66, DAT-24: unless ALLO has announced more.
#[test]
fn an_upload_cut_below_its_allo_fails() {
    let server = Server::with_tls();
    server.put("f", "the old file");
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        control.expect_any("ALLO 200000", &[200, 202]);
        let mut data = control.transfer("STOR f", &client).unwrap();
        data.write_all(&noise(3, 100_000)).unwrap();
        data.cut().unwrap();
        let _ = data.drain();
        control.wants(426);
        assert_eq!(server.read("f"), b"the old file");
        assert_eq!(server.names(), ["f"]);
    }
}

/// TLS-36: where the policy asks for close_notify, an upload without it was cut off.
#[test]
fn an_upload_without_close_notify_fails_where_it_is_required() {
    let server = Server::with(Setup {
        tls: Some(TlsSetup::default()),
        wharf: "tls.require_close_notify = true\n",
        ..Setup::default()
    });
    server.put("f", "the old file");
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let mut data = control.transfer("STOR f", &client).unwrap();
        data.write_all(&noise(3, 100_000)).unwrap();
        data.cut().unwrap();
        let _ = data.drain();
        control.wants(426);
        assert_eq!(server.read("f"), b"the old file");
        assert_eq!(server.names(), ["f"]);
        control.store("STOR g", b"whole");
        assert_eq!(server.read("g"), b"whole");
        control.expect("DELE g", 250);
    }
}

/// DAT-24: a reset in the middle is a failure, whatever came before.
#[test]
fn a_reset_upload_fails() {
    let server = Server::with_tls();
    server.put("f", "the old file");
    let client = Client::new();
    let mut control = server.private_login(&client);
    let mut data = control.transfer("STOR f", &client).unwrap();
    data.write_all(&noise(3, 300_000)).unwrap();
    reset(data.into_socket());
    // The reset may overtake the end of the handshake.
    control.wants_any(&[426, 522]);
    assert_eq!(server.read("f"), b"the old file");
}

/// RFC 8446 5.2: a record that was touched on its way ends the upload; nothing of it stays.
#[test]
fn a_forged_record_fails_the_upload() {
    let server = Server::with_tls();
    server.put("f", "the old file");
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let mut data = control.transfer("STOR f", &client).unwrap();
        data.write_all(&noise(3, 50_000)).unwrap();
        let mut socket = data.into_socket();
        socket.write_all(&record(23, &noise(9, 1_000))).unwrap();
        socket.write_all(&record(21, &[1, 0])).unwrap();
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = wharf_acceptance_tests::socket::drain(socket);
        control.wants_any(&[426, 451]);
        control.in_step();
        assert_eq!(server.read("f"), b"the old file");
        assert_eq!(server.names(), ["f"]);
    }
}

/// TLS-36: nobody in between can end a file by a close_notify of his own.
#[test]
fn a_close_notify_in_clear_is_no_end_of_a_file() {
    let server = Server::with_tls();
    server.put("f", "the old file");
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let mut data = control.transfer("STOR f", &client).unwrap();
        data.write_all(b"half").unwrap();
        let mut socket = data.into_socket();
        socket.write_all(&record(21, &[1, 0])).unwrap();
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = wharf_acceptance_tests::socket::drain(socket);
        control.wants_any(&[426, 451]);
        assert_eq!(server.read("f"), b"the old file");
    }
}

/// TLS-37, INT-56: a client that closes at once after its close_notify, tickets unread, has uploaded.
#[test]
fn an_upload_may_end_without_reading_tickets() {
    let server = Server::with_tls();
    let bytes = noise(3, 50_000);
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        for _ in 0..5 {
            let mut data = control.transfer("STOR f", &client).unwrap();
            data.write_all(&bytes).unwrap();
            data.finish().unwrap();
            drop(data);
            control.wants(226);
            assert!(server.read("f") == bytes);
        }
    }
}

/// TLS-37: close_notify alone, without a FIN, is the end of an upload.
#[test]
fn an_upload_may_end_with_close_notify_alone() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let mut data = control.transfer("STOR f", &client).unwrap();
        data.write_all(b"hello").unwrap();
        data.notify_close().unwrap();
        let (_, end) = data.drain();
        assert!(matches!(end, End::CloseNotify), "{end:?}");
        control.wants(226);
        assert_eq!(server.read("f"), b"hello");
    }
}

/// TLS-37: a client that never ends its side of a download gets its 226 all the same.
#[test]
fn a_download_is_complete_without_the_clients_end() {
    let server = Server::with_tls();
    server.put("f", "hello");
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let mut data = control.transfer("RETR f", &client).unwrap();
        assert_eq!(data.drain().0, b"hello");
        // Open, and silent.
        control.wants(226);
        drop(data);
    }
}

/// RFC 8446 6.1: close_notify on the control connection, without QUIT, ends the session.
#[test]
fn close_notify_on_the_control_connection_ends_the_session() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let mut control = server.secured(&Client::only(version));
        control.log_in();
        let mut tls = control.drop_tls();
        tls.notify_close().unwrap();
        let (said, _) = tls.drain();
        assert!(said.len() < 200, "{}", said.escape_ascii());
    }
}
