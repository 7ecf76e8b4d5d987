//! RFC 4217 10.1, 10.3: the client's certificate. TLS-09.

use wharf_acceptance_tests::tls::certificates::CERTIFICATES;
use wharf_acceptance_tests::tls::{Client, VERSIONS};
use wharf_acceptance_tests::{Server, TlsSetup};

fn requiring() -> Server {
    Server::with_tls_as(TlsSetup {
        client_certificates: true,
        ..TlsSetup::default()
    })
}

/// The connection comes to nothing: the handshake fails, or the first read after it (TLS 1.3 tells a
/// client late).
#[track_caller]
fn is_refused(server: &Server, client: &Client) {
    let mut control = server.connect();
    control.expect("AUTH TLS", 234);
    if control.try_start_tls(client).is_ok() {
        control.send("NOOP");
        assert!(
            !matches!(control.try_reply(), Ok(Some(_))),
            "{}",
            control.dialogue()
        );
    }
}

/// TLS-09: whoever shows a certificate of the right authority may go on to log in.
#[test]
fn a_certificate_of_the_authority_is_taken() {
    let server = requiring();
    server.put("f", "hello");
    for version in VERSIONS {
        let client = Client::only(version).identified_by(&CERTIFICATES.client);
        let mut control = server.private_login(&client);
        assert_eq!(control.fetch("RETR f"), b"hello");
    }
}

/// TLS-09: no certificate, no session.
#[test]
fn no_certificate_is_refused_where_one_is_required() {
    let server = requiring();
    for version in VERSIONS {
        is_refused(&server, &Client::only(version));
    }
}

/// TLS-09: everybody can sign for himself.
#[test]
fn a_strangers_certificate_is_refused() {
    let server = requiring();
    for version in VERSIONS {
        let client = Client::only(version).identified_by(&CERTIFICATES.stranger);
        is_refused(&server, &client);
    }
}

/// TLS-09: what was revoked is refused.
#[test]
fn a_revoked_certificate_is_refused() {
    let server = requiring();
    for version in VERSIONS {
        let client = Client::only(version).identified_by(&CERTIFICATES.revoked);
        is_refused(&server, &client);
    }
}

/// TLS-09: a certificate is no password; its name alone opens nothing.
#[test]
fn a_certificate_does_not_replace_the_password_of_itself() {
    let server = requiring();
    let client = Client::new().identified_by(&CERTIFICATES.client);
    let mut control = server.secured(&client);
    control.expect(format!("USER {}", wharf_acceptance_tests::USER), 331);
    control.expect("PASS wrong", 530);
}

/// TLS-09, RFC 4217 10.3: data connections of a certified session need their certificate, too, or its
/// session.
#[test]
fn a_data_connection_without_the_certificate_is_refused() {
    let server = requiring();
    server.put("f", "hello");
    for version in VERSIONS {
        let client = Client::only(version).identified_by(&CERTIFICATES.client);
        let mut control = server.private_login(&client);
        if let Ok(mut data) = control.transfer("RETR f", &Client::only(version)) {
            assert!(data.drain().0.is_empty(), "the file went to nobody known");
        }
        control.wants(522);
        control.in_step();
    }
}
