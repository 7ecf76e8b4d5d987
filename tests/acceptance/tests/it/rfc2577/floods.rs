//! RFC 2577 5 and 7: guessing and exhausting. Past hole CVE-2021-30047.

use std::net::Ipv4Addr;

use wharf_acceptance_tests::socket::{connect_from, connect_to, reset};
use wharf_acceptance_tests::{Control, Server, noise};

/// Past hole CVE-2021-30047: half-open sessions of one address do not keep another one out.
#[test]
fn silent_connections_do_not_keep_others_out() {
    let server = Server::start();
    let flood: Vec<_> = (0..400)
        .filter_map(|_| connect_to(server.address()).ok())
        .collect();
    assert!(flood.len() > 100, "only {} connections", flood.len());
    let other = Ipv4Addr::new(127, 0, 0, 2);
    let mut control = Control::over(connect_from(other.into(), server.address()).unwrap());
    control.wants(220);
    control.log_in();
    control.in_step();
}

/// Past hole CVE-2021-30047: the slots of a flood come back.
#[test]
fn the_slots_of_dead_connections_come_back() {
    let server = Server::start();
    for _ in 0..5 {
        let flood: Vec<_> = (0..100)
            .filter_map(|_| connect_to(server.address()).ok())
            .collect();
        flood.into_iter().for_each(reset);
    }
    // The server may still be busy with the last of them.
    let patience = std::time::Instant::now() + wharf_acceptance_tests::socket::PATIENCE;
    loop {
        let mut control = Control::open(server.address());
        if control.wants_any(&[220, 421]).code == 220 {
            control.log_in();
            return;
        }
        assert!(
            std::time::Instant::now() < patience,
            "the slots do not come back"
        );
    }
}

/// DAT-11: two thousand PASV without a connection: one listener, one session, no leak.
#[test]
fn two_thousand_pasv_without_a_connection_leak_nothing() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    for round in 0..2000 {
        control.expect(
            if round % 2 == 0 { "PASV" } else { "EPSV" },
            if round % 2 == 0 { 227 } else { 229 },
        );
    }
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// Past hole CVE-2020-9273: a client may vanish at every step; nobody else notices.
#[test]
fn a_client_may_vanish_at_every_step() {
    let server = Server::start();
    server.put("big", noise(7, 4 << 20));
    let script = [
        "USER wharf",
        "PASS se cret",
        "TYPE I",
        "CWD /",
        "EPSV",
        "(connect)",
        "RETR big",
        "(wait)",
        "ABOR",
        "PASV",
        "(connect)",
        "STOR",
        "(wait)",
        "(send)",
        "LIST",
    ];
    for orderly in [true, false] {
        for stop in 0..=script.len() {
            let mut control = Control::open(server.address());
            control.wants(220);
            let mut data = None;
            let mut address = None;
            for step in &script[..stop] {
                match *step {
                    "(connect)" => {
                        data = address.take().and_then(|address| connect_to(address).ok())
                    }
                    "(send)" => {
                        if let Some(stream) = data.as_mut() {
                            let _ = std::io::Write::write_all(stream, b"torn");
                        }
                    }
                    "(wait)" => {
                        control.wants_any(&[150, 125]);
                    }
                    "EPSV" => address = Some(control.epsv()),
                    "PASV" => {
                        control.wants_any(&[426, 226]);
                        control.wants_any(&[226, 225]);
                        address = Some(control.pasv());
                    }
                    // A file of each round's own: the server may still be busy with that of the last.
                    "STOR" => control.send(format!("STOR {stop} {orderly}")),
                    "RETR big" | "ABOR" | "LIST" => control.send(step),
                    line => {
                        control.ask(line);
                    }
                }
                if *step == "ABOR" {
                    data = None;
                }
            }
            if orderly {
                drop(control);
                drop(data);
            } else {
                data.into_iter().for_each(reset);
                reset(control.into_stream());
            }
        }
    }
    server.login().in_step();
}

/// RPL-07: a client that sends nothing sensible is shown the door.
#[test]
fn a_thousand_unknown_verbs_close_the_session() {
    let server = Server::start();
    let mut control = server.login();
    control.raw("FOO\r\n".repeat(1000));
    let mut refused = 0;
    loop {
        match control.try_reply() {
            Ok(Some(reply)) if matches!(reply.code, 500 | 502) => refused += 1,
            Ok(Some(reply)) => assert_eq!(reply.code, 421, "after {refused}"),
            Ok(None) | Err(_) => break,
        }
        assert!(refused < 1000, "a thousand unknown verbs were answered");
    }
    assert!(refused > 10);
    server.login().in_step();
}
