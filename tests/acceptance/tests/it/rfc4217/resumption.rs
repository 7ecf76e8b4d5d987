//! RFC 4217 10.2 and 15.3: data connections that resume the control connection's session. TLS-31 to
//! TLS-34, TLS-62, TLS-63; past hole CVE-1999-0351.

use wharf_acceptance_tests::tls::{Client, TLS12, TLS13, VERSIONS};
use wharf_acceptance_tests::{Control, Server, Setup, TlsSetup, noise};

fn requiring() -> Server {
    Server::with_tls_as(TlsSetup {
        reuse: true,
        ..TlsSetup::default()
    })
}

/// The download is refused with 522, and not a byte of the file comes.
#[track_caller]
fn is_refused(control: &mut Control, client: &Client) {
    if let Ok(mut data) = control.transfer("RETR f", client) {
        let (bytes, _) = data.drain();
        assert!(bytes.is_empty(), "{} bytes came", bytes.len());
    }
    control.wants(522);
    control.in_step();
}

/// RFC 4217 10.2; TLS-31: a client that can resume does.
#[test]
fn data_connections_resume_the_session() {
    let server = Server::with_tls();
    server.put("f", "hello");
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let mut data = control.transfer("RETR f", &client).unwrap();
        assert!(data.is_resumed(), "{version:?}");
        assert_eq!(data.drain().0, b"hello");
        drop(data);
        control.wants(226);
    }
}

/// TLS-33: it is no duty where nobody requires it.
#[test]
fn data_connections_need_not_resume_by_default() {
    let server = Server::with_tls();
    server.put("f", "hello");
    for version in VERSIONS {
        let mut control = server.private_login(&Client::only(version).forgetful());
        assert_eq!(control.fetch("RETR f"), b"hello");
        control.store("STOR g", b"x");
    }
}

/// TLS-62: required and done: downloads, uploads and listings.
#[test]
fn a_resumed_session_is_served_where_it_is_required() {
    let server = requiring();
    server.put("f", "hello");
    for version in VERSIONS {
        let mut control = server.private_login(&Client::only(version));
        assert_eq!(control.fetch("RETR f"), b"hello");
        control.store("STOR g", b"x");
        assert_eq!(server.read("g"), b"x");
        assert!(!control.fetch("NLST").is_empty());
    }
}

/// TLS-62, TLS-33: required and not done.
#[test]
fn a_new_session_is_522_where_resumption_is_required() {
    let server = requiring();
    server.put("f", "hello");
    for version in VERSIONS {
        let mut control = server.private_login(&Client::only(version));
        is_refused(&mut control, &Client::only(version).forgetful());
    }
}

/// TLS-32, TLS-62: a session of another control connection, of the same user from the same address, is
/// no better than none.
#[test]
fn a_session_of_another_control_connection_is_522() {
    let server = requiring();
    server.put("f", "hello");
    for version in VERSIONS {
        let (mine, other) = (Client::only(version), Client::only(version));
        let mut control = server.private_login(&mine);
        let mut second = server.private_login(&other);
        assert_eq!(second.fetch("RETR f"), b"hello");
        is_refused(&mut control, &other);
        assert_eq!(control.fetch("RETR f"), b"hello");
    }
}

/// Past hole CVE-1999-0351 with the thief on the same address: he is first, and gets nothing.
#[test]
fn cve_1999_0351_a_thief_on_the_same_address_gets_nothing() {
    let server = requiring();
    server.put("f", "the secret");
    let client = Client::new();
    let mut control = server.private_login(&client);
    let address = control.pasv();
    let thief = wharf_acceptance_tests::socket::connect_to(address).unwrap();
    control.send("RETR f");
    control.wants_any(&[150, 125]);
    if let Ok(mut data) = Client::new().connect(thief) {
        assert!(data.drain().0.is_empty(), "the thief got the file");
    }
    control.wants(522);
    assert_eq!(control.fetch("RETR f"), b"the secret");
}

/// TLS-33, word by word: clients look for it.
#[test]
fn the_refusal_says_what_is_missing() {
    let server = requiring();
    server.put("f", "hello");
    let mut control = server.private_login(&Client::new());
    if let Ok(mut data) = control.transfer("RETR f", &Client::new().forgetful()) {
        let _ = data.drain();
    }
    assert_eq!(
        control.wants(522).text(),
        "522 TLS session of data connection not resumed."
    );
}

/// TLS-31, TLS-63: twenty transfers and more in a row, each ticket used once.
#[test]
fn a_client_of_single_use_tickets_never_runs_dry() {
    let server = requiring();
    let bytes = noise(3, 50_000);
    server.put("f", &bytes);
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        for _ in 0..25 {
            assert!(control.fetch("RETR f") == bytes);
            control.store("STOR g", &bytes);
            assert!(server.read("g") == bytes);
        }
    }
}

/// TLS-31: two tickets for the control connection, and each data connection brings at least what it
/// costs.
#[test]
fn every_data_connection_brings_new_tickets() {
    let server = Server::with_tls();
    server.put("f", "hello");
    let client = Client::only(TLS13);
    let mut control = server.private_login(&client);
    let mut left = client.tickets();
    assert!(left >= 2, "{left} tickets for the control connection");
    for _ in 0..5 {
        assert_eq!(control.fetch("RETR f"), b"hello");
        assert!(client.tickets() >= left, "{} of {left}", client.tickets());
        left = client.tickets();
    }
}

/// TLS-37: an upload whose client reads to the end brings tickets as well.
#[test]
fn uploads_bring_new_tickets_too() {
    let server = Server::with_tls();
    let client = Client::only(TLS13);
    let mut control = server.private_login(&client);
    let left = client.tickets();
    for _ in 0..5 {
        control.store("STOR f", b"hello");
        assert!(client.tickets() >= left, "{} of {left}", client.tickets());
    }
}

/// TLS-31: a client that resumes only the control connection's own tickets: 2, then full handshakes.
#[test]
fn a_client_without_tickets_makes_a_full_handshake() {
    let server = Server::with_tls();
    server.put("f", "hello");
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        client.forget();
        let mut data = control.transfer("RETR f", &client).unwrap();
        assert!(!data.is_resumed());
        assert_eq!(data.drain().0, b"hello");
        drop(data);
        control.wants(226);
    }
}

/// TLS-34: not across versions.
#[test]
fn a_session_is_not_resumed_in_another_version() {
    let server = requiring();
    server.put("f", "hello");
    for (of_control, of_data) in [(TLS12, TLS13), (TLS13, TLS12)] {
        let client = Client::only(of_control);
        let mut control = server.private_login(&client);
        is_refused(&mut control, &client.speaking(of_data));
    }
}

/// TLS-34: not under another name.
#[test]
fn a_session_is_not_resumed_under_another_name() {
    let server = requiring();
    server.put("f", "hello");
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        is_refused(&mut control, &client.clone().named("other.test"));
        is_refused(&mut control, &client.clone().nameless());
    }
}

/// TLS-32: a new control connection may offer an old one's ticket; it is a stranger's, no more.
#[test]
fn an_old_ticket_does_not_hinder_a_new_control_connection() {
    let server = requiring();
    server.put("f", "hello");
    for version in VERSIONS {
        let client = Client::only(version);
        for _ in 0..4 {
            let mut control = server.private_login(&client);
            assert_eq!(control.fetch("RETR f"), b"hello");
            control.expect("QUIT", 221);
        }
    }
}

/// A ticket dies with its control connection.
#[test]
fn a_ticket_of_an_ended_session_is_522() {
    let server = requiring();
    server.put("f", "hello");
    for version in VERSIONS {
        let old = Client::only(version);
        let mut control = server.private_login(&old);
        assert_eq!(control.fetch("RETR f"), b"hello");
        control.expect("QUIT", 221);
        control.closes();
        let mut control = server.private_login(&Client::only(version));
        is_refused(&mut control, &old);
    }
}

/// TLS-33: where resumption is off nobody gets a ticket, and everybody is served.
#[test]
fn resumption_can_be_off() {
    let server = Server::with(Setup {
        tls: Some(TlsSetup::default()),
        wharf: "tls.session_reuse = \"off\"\n",
        ..Setup::default()
    });
    server.put("f", "hello");
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        for _ in 0..3 {
            let mut data = control.transfer("RETR f", &client).unwrap();
            assert!(!data.is_resumed());
            assert_eq!(data.drain().0, b"hello");
            drop(data);
            control.wants(226);
        }
        assert_eq!(client.tickets(), 0);
    }
}

/// TLS-44: REIN begins a new session; the old one's tickets are no duty and no obstacle.
#[test]
fn after_rein_the_new_session_counts() {
    let server = requiring();
    server.put("f", "hello");
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        assert_eq!(control.fetch("RETR f"), b"hello");
        control.expect("REIN", 220);
        control.leave_tls();
        let client = Client::only(version);
        control.secure(&client);
        control.protect(&client);
        control.log_in();
        control.expect("TYPE I", 200);
        assert_eq!(control.fetch("RETR f"), b"hello");
    }
}

/// TLS-33: PROT C has no session to resume.
#[test]
fn clear_data_are_served_where_resumption_is_required() {
    let server = requiring();
    server.put("f", "hello");
    let mut control = server.private_login(&Client::new());
    control.expect("PROT C", 200);
    control.clear_data();
    assert_eq!(control.fetch("RETR f"), b"hello");
}
