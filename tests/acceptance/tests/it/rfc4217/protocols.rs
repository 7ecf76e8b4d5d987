//! RFC 7301 and the ALPACA attack: which protocol TLS was made for. TLS-07; past hole CVE-2021-3618.

use wharf_acceptance_tests::tls::{Client, VERSIONS, alert};
use wharf_acceptance_tests::{Server, TlsSetup};

/// TLS-07: most FTP clients name no protocol.
#[test]
fn a_client_without_alpn_is_served() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let control = server.secured(&Client::only(version));
        assert_eq!(control.tls().unwrap().protocol(), None);
    }
}

/// RFC 7301 3.2; TLS-07: whoever asks for FTP is told that it is FTP, on data connections too.
#[test]
fn ftp_is_chosen_when_it_is_offered() {
    let server = Server::with_tls();
    server.put("f", "hello");
    for version in VERSIONS {
        for offer in [&["ftp"][..], &["http/1.1", "ftp"], &["h2", "ftp", "x"]] {
            let client = Client::only(version).offering(offer);
            let mut control = server.private_login(&client);
            assert_eq!(control.tls().unwrap().protocol(), Some(&b"ftp"[..]));
            let mut data = control.transfer("RETR f", &client).unwrap();
            assert_eq!(data.protocol(), Some(&b"ftp"[..]));
            assert_eq!(data.drain().0, b"hello");
            drop(data);
            control.wants(226);
        }
    }
}

/// TLS-07; past hole CVE-2021-3618: a browser that was sent here gets no session at all.
#[test]
fn cve_2021_3618_an_offer_of_http_alone_is_refused() {
    let server = Server::with_tls();
    for version in VERSIONS {
        for offer in [&["http/1.1"][..], &["h2"], &["h2", "http/1.1"]] {
            let mut control = server.connect();
            control.expect("AUTH TLS", 234);
            let error = control
                .try_start_tls(&Client::only(version).offering(offer))
                .expect_err("a handshake for HTTP");
            let alert = alert(&error).unwrap_or_else(|| panic!("no alert: {error}"));
            assert_eq!(format!("{alert:?}"), "NoApplicationProtocol");
        }
    }
    server.secured(&Client::new()).log_in();
}

/// Past hole CVE-2021-3618: the same on the port where TLS comes first, where browsers are sent.
#[test]
fn cve_2021_3618_an_offer_of_http_alone_is_refused_on_the_implicit_port() {
    let server = Server::with_tls_as(TlsSetup {
        implicit: true,
        ..TlsSetup::default()
    });
    for offer in [&["http/1.1"][..], &["h2", "http/1.1"]] {
        let socket = wharf_acceptance_tests::socket::connect_to(server.implicit()).unwrap();
        assert!(Client::new().offering(offer).connect(socket).is_err());
    }
    server.implicit_connect(&Client::new()).log_in();
}

/// Past hole CVE-2021-3618: a data connection is no door for a browser either.
#[test]
fn cve_2021_3618_a_data_connection_for_http_is_refused() {
    let server = Server::with_tls();
    server.put("f", "<script>alert(1)</script>");
    let client = Client::new();
    let mut control = server.private_login(&client);
    let browser = Client::new().offering(&["h2", "http/1.1"]);
    if let Ok(mut data) = control.transfer("RETR f", &browser) {
        assert!(data.drain().0.is_empty(), "a browser got the file");
    }
    control.wants(522);
    control.in_step();
}

/// Past hole CVE-2021-3618: a request inside TLS is not answered as FTP, and nothing of it comes back.
#[test]
fn cve_2021_3618_a_web_request_under_tls_ends_the_session() {
    let server = Server::with_tls_as(TlsSetup {
        implicit: true,
        ..TlsSetup::default()
    });
    for request in [
        "GET /<script>alert(1)</script> HTTP/1.1\r\nHost: ftp.test\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nUSER wharf\r\n",
    ] {
        let mut control = server.implicit_connect(&Client::new());
        control.raw(request);
        for _ in 0..20 {
            match control.try_reply() {
                Ok(Some(reply)) => {
                    assert!(!reply.text().contains("script"), "{}", reply.text());
                    assert!(reply.code >= 400, "{}", reply.text());
                }
                Ok(None) => break,
                Err(error) => {
                    assert_ne!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock,
                        "the session goes on"
                    );
                    break;
                }
            }
        }
    }
}
