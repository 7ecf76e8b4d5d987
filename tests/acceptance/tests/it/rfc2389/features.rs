//! RFC 2389 3 and 4: FEAT and OPTS.

use wharf_acceptance_tests::Server;

/// RFC 2389 3.2; RPL 5: one feature a line, one space before it.
#[test]
fn feat_has_its_form() {
    let server = Server::start();
    let reply = server.login().expect("FEAT", 211);
    assert!(
        reply.lines.len() > 2 && reply.lines[0].starts_with(b"211-"),
        "{}",
        reply.text()
    );
    for line in reply.inner() {
        let bytes = line.as_bytes();
        assert!(
            bytes[0] == b' ' && bytes[1].is_ascii_uppercase(),
            "{line:?}"
        );
        assert!(line.is_ascii() && !line.ends_with(' '), "{line:?}");
    }
    assert!(
        reply.text().ends_with("211 End") || reply.text().ends_with("211 End."),
        "{}",
        reply.text()
    );
}

/// RFC 2389 3: FEAT before a login.
#[test]
fn feat_works_before_a_login() {
    let server = Server::start();
    server.connect().expect("FEAT", 211);
}

/// RFC 2389 3.1: FEAT has no argument.
#[test]
fn feat_with_an_argument_is_501() {
    let server = Server::start();
    server.login().expect("FEAT x", 501);
}

/// RFC 2389 3.2: what is listed is there.
#[test]
fn every_feature_is_wired() {
    let server = Server::start();
    server.put("f", "hello");
    let mut control = server.login();
    for line in control.expect("FEAT", 211).inner() {
        let label = line.trim().to_owned();
        let verb = label.split([' ', ';']).next().unwrap_or_default();
        let probe = match verb {
            "REST" => "REST 0".to_owned(),
            "SIZE" | "MDTM" | "MLST" | "HASH" | "XCRC" | "XMD5" | "XSHA" | "XSHA1" | "XSHA256"
            | "XSHA512" => format!("{verb} f"),
            "MFMT" => "MFMT 20200101000000 f".to_owned(),
            "EPSV" | "PASV" => verb.to_owned(),
            "EPRT" => "EPRT |1|127.0.0.1|50000|".to_owned(),
            "CLNT" => "CLNT acceptance".to_owned(),
            "UTF8" => "OPTS UTF8 ON".to_owned(),
            "SITE" => format!("SITE HELP {}", label.split(' ').nth(1).unwrap_or_default()),
            // Properties, not verbs; and what needs a certificate or is tested elsewhere.
            _ => continue,
        };
        let reply = control.ask(&probe);
        assert!(
            (200..400).contains(&reply.code),
            "{label}: {probe}: {}",
            reply.text()
        );
    }
}

/// RFC 2389 3.2, RFC 3659, RFC 2428, RFC 2640: the extensions of today are listed.
#[test]
fn the_usual_features_are_listed() {
    let server = Server::start();
    let text = server.login().expect("FEAT", 211).text();
    for label in [
        "EPRT",
        "EPSV",
        "MDTM",
        "MLST type*;",
        "REST STREAM",
        "SIZE",
        "TVFS",
        "UTF8",
    ] {
        assert!(
            text.contains(&format!("\n {label}")),
            "{label} is not in {text}"
        );
    }
}

/// RFC 2389 4.
#[test]
fn opts_for_an_unknown_feature_is_501() {
    let server = Server::start();
    let mut control = server.login();
    control.expect_any("OPTS FOO bar", &[501, 504]);
    control.expect_any("OPTS", &[500, 501]);
}

/// RFC 2389 4; INT-09, INT-14: Windows sends it before USER and takes nothing but 2yz.
#[test]
fn opts_utf8_on_is_200_before_a_login() {
    let server = Server::start();
    let mut control = server.connect();
    control.expect("OPTS UTF8 ON", 200);
    control.expect("opts utf8 on", 200);
    control.log_in();
}
