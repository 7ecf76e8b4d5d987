//! First the right peer, then TLS and its session, and only then the file: a data connection that is
//! refused with 522 has changed nothing. TLS-35, TLS-62.

use std::io::Write;

use wharf_acceptance_tests::tls::{Client, VERSIONS};
use wharf_acceptance_tests::{Control, Server, Setup, TlsSetup};

/// Every way to write, and the ways of a data connection to be refused.
const COMMANDS: [&str; 5] = ["STOR f", "STOR new", "APPE f", "APPE new", "STOU"];

#[derive(Clone, Copy, Debug)]
enum Refused {
    NewSession,
    InClear,
    BrokenOff,
    ClosedAtOnce,
}

/// Wharf's two ways to write: aside and then in place of the old file, or into the file itself.
const WAYS: [&str; 2] = ["", "upload.atomic = false\n"];

fn requiring(way: &'static str) -> Server {
    let server = Server::with(Setup {
        tls: Some(TlsSetup {
            reuse: true,
            ..TlsSetup::default()
        }),
        wharf: way,
        ..Setup::default()
    });
    server.put("f", "the old file");
    server
}

/// Opens the data connection of `line` as it must not be, to its 522.
#[track_caller]
fn refuse(control: &mut Control, line: &str, how: Refused) {
    let data = control.passive();
    control.send(line);
    control.wants_any(&[150, 125]);
    match how {
        Refused::NewSession => {
            if let Ok(mut data) = Client::new().forgetful().connect(data) {
                let _ = data.write_all(b"poison");
                let _ = data.finish();
                let _ = data.drain();
            }
        }
        Refused::InClear => {
            let _ = (&data).write_all(b"poison, and enough of it to be no head of a record");
            let _ = data.shutdown(std::net::Shutdown::Write);
            let _ = wharf_acceptance_tests::socket::drain(data);
        }
        Refused::BrokenOff => {
            let hello = Client::new().begin(data.try_clone().unwrap()).outgoing();
            (&data).write_all(&hello[..hello.len() - 1]).unwrap();
            drop(data);
        }
        Refused::ClosedAtOnce => drop(data),
    }
    control.wants(522);
}

/// TLS-35: no file is made, truncated, replaced or left over, however the connection fails.
#[test]
fn a_refused_data_connection_touches_no_file() {
    for way in WAYS {
        let server = requiring(way);
        let long_ago = 1_000_000_000;
        server.touch("f", long_ago);
        let client = Client::new();
        let mut control = server.private_login(&client);
        for how in [
            Refused::NewSession,
            Refused::InClear,
            Refused::BrokenOff,
            Refused::ClosedAtOnce,
        ] {
            for line in COMMANDS {
                refuse(&mut control, line, how);
                assert_eq!(server.names(), ["f"], "{line}, {how:?}");
                assert_eq!(server.read("f"), b"the old file", "{line}, {how:?}");
                assert_eq!(server.modified("f"), long_ago, "{line}, {how:?}");
            }
        }
        control.store("STOR f", b"new");
        assert_eq!(server.read("f"), b"new");
    }
}

/// TLS-35: nor with REST in front, which would write into the file itself.
#[test]
fn a_refused_restart_touches_no_file() {
    for way in WAYS {
        let server = requiring(way);
        let client = Client::new();
        let mut control = server.private_login(&client);
        for how in [Refused::NewSession, Refused::InClear] {
            control.expect("REST 4", 350);
            refuse(&mut control, "STOR f", how);
            assert_eq!(server.read("f"), b"the old file");
            assert_eq!(server.names(), ["f"]);
        }
    }
}

/// The order itself: between the 150 and the end of the handshake the file is as it was.
#[test]
fn until_the_handshake_is_done_the_file_is_as_it_was() {
    for way in WAYS {
        let server = requiring(way);
        for version in VERSIONS {
            let client = Client::only(version);
            let mut control = server.private_login(&client);
            for line in COMMANDS {
                let data = control.passive();
                control.send(line);
                control.wants_any(&[150, 125]);
                let mut secure = client.begin(data.try_clone().unwrap());
                let hello = secure.outgoing();
                (&data).write_all(&hello[..hello.len() / 2]).unwrap();
                // What a server keeps for itself under a name that no client can see is its own affair,
                // until the 522.
                let mut names = server.names();
                names.retain(|name| !name.to_string_lossy().starts_with(".wharf-"));
                assert_eq!(names, ["f"], "{line}");
                assert_eq!(server.read("f"), b"the old file", "{line}");
                drop(secure);
                drop(data);
                control.wants(522);
                assert_eq!(server.names(), ["f"], "{line}");
            }
        }
    }
}

/// The next transfer of the session works as if nothing had been.
#[test]
fn a_refused_data_connection_does_not_end_the_session() {
    for way in WAYS {
        let server = requiring(way);
        let client = Client::new();
        let mut control = server.private_login(&client);
        for how in [
            Refused::NewSession,
            Refused::InClear,
            Refused::BrokenOff,
            Refused::ClosedAtOnce,
        ] {
            refuse(&mut control, "STOR new", how);
            control.in_step();
            assert_eq!(control.fetch("RETR f"), b"the old file");
        }
    }
}
