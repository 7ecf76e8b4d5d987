//! What a scanner looks for, asked with `openssl`: old versions, weak suites, renegotiation, compression,
//! early data (TLS-04, TLS-05). `scripts/tls-scan` asks sslyze and keeps its answer in docs/tls-scan.md.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use wharf_acceptance_tests::subject::run;
use wharf_acceptance_tests::{Kind, Scratch, Server, Setup, TlsSetup};
use wharf_interop_tests::{hand_over, until};

use super::{Mode, Scene, Version};

/// Wharf as it comes, on both kinds of port.
fn each(check: impl Fn(&Scene)) {
    for mode in [Mode::Explicit, Mode::Implicit] {
        check(&Scene::with(mode, Version::Tls13, TlsSetup::default()));
    }
}

/// `s_client` with these options and this input; it may read until it ends.
fn s_client(scene: &Scene, options: &[&str], input: &str) -> Output {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect"])
        .arg(format!("127.0.0.1:{}", scene.port()))
        .args(options)
        .current_dir(scene.scratch.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if scene.mode == Mode::Explicit {
        command.args(["-starttls", "ftp"]);
    }
    let mut child = command.spawn().unwrap();
    // It may have ended before it read anything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// RFC 8996: no TLS 1.0, no TLS 1.1, whatever suites the client would take. (No OpenSSL of today speaks
/// SSL; the acceptance suite sends such hellos by hand.)
#[test]
fn old_versions_are_refused() {
    each(|scene| {
        for version in ["-tls1", "-tls1_1"] {
            let output = s_client(scene, &[version, "-cipher", "ALL:@SECLEVEL=0"], "");
            let said = text(&output);
            assert!(
                !output.status.success() && said.contains("alert"),
                "{version}: {said}"
            );
            assert!(said.contains("Cipher is (NONE)"), "{version}: {said}");
        }
    });
}

/// The suites of TLS 1.2 that the server takes, of all that OpenSSL has, each offered alone.
fn accepted(scene: &Scene) -> Vec<String> {
    let all = run(Command::new("openssl").args([
        "ciphers",
        "-tls1_2",
        "ALL:COMPLEMENTOFALL:@SECLEVEL=0",
    ]));
    let mut taken = Vec::new();
    // Those of TLS 1.3 stand in the same list.
    for suite in all
        .trim()
        .split(':')
        .filter(|name| !name.starts_with("TLS_"))
    {
        let only = format!("{suite}:@SECLEVEL=0");
        let output = s_client(scene, &["-tls1_2", "-cipher", &only], "");
        if output.status.success() {
            assert!(
                text(&output).contains(&format!("Cipher is {suite}")),
                "{suite}"
            );
            taken.push(suite.to_owned());
        }
    }
    taken.sort();
    taken
}

/// RFC 9325 4.1: forward secrecy and authenticated encryption or nothing: no CBC, no RSA key exchange, no
/// finite-field Diffie-Hellman, nothing anonymous, no PSK, no NULL.
#[test]
fn every_other_suite_is_refused() {
    each(|scene| {
        let strong = [
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
        ];
        assert_eq!(accepted(scene), strong);
    });
}

/// The same with an RSA certificate, which opens the door to RSA key exchange where there is one.
#[test]
fn an_rsa_certificate_brings_no_rsa_key_exchange() {
    let keys = Scratch::new("rsa");
    let (chain, key) = (keys.path().join("rsa.pem"), keys.path().join("rsa.key"));
    run(Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&chain));
    hand_over(keys.path());
    let wharf = format!(
        "tls.certificates = [{{ chain = \"{}\", key = \"{}\" }}]\n",
        chain.display(),
        key.display()
    );
    let scene = Scene {
        server: Server::with(Setup {
            kind: Kind::Wharf,
            // It is read once, when the server starts.
            wharf: wharf.leak(),
            ..Setup::default()
        }),
        scratch: Scratch::new("weak"),
        mode: Mode::Explicit,
        version: Version::Tls12,
    };
    let strong = [
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ];
    assert_eq!(accepted(&scene), strong);
}

/// Past hole CVE-2009-3555, CVE-2011-1473: `R` makes OpenSSL ask for another handshake; it gets none.
#[test]
fn renegotiation_is_refused() {
    each(|scene| {
        // Its line `R` is for itself; what it sends behind it needs the new handshake.
        let output = s_client(scene, &["-tls1_2"], "R\nNOOP\n");
        let said = text(&output);
        assert!(said.contains("Secure Renegotiation IS supported"), "{said}");
        assert!(
            said.contains("RENEGOTIATING") && said.contains("error:"),
            "{said}"
        );
        let count = |text: &str| scene.server.log().matches(text).count();
        until(
            || count("closed after") == count("connection from"),
            || scene.server.log(),
        );
        // The set-up's own session spoke TLS 1.3.
        assert_eq!(
            count("connection under TLSv1_2"),
            1,
            "{}",
            scene.server.log()
        );
    });
}

/// Past hole CVE-2012-4929 (CRIME): no compression, though it is offered.
#[test]
fn compression_is_off() {
    each(|scene| {
        for version in ["-tls1_2", "-tls1_3"] {
            let output = s_client(scene, &[version, "-comp"], "");
            let said = text(&output);
            assert!(
                output.status.success() && said.contains("Compression: NONE"),
                "{said}"
            );
        }
    });
}

/// RFC 8446 8: a ticket allows no early data, and what is sent early all the same is not taken.
#[test]
fn early_data_is_not_taken() {
    each(|scene| {
        let commands = format!("USER {}\r\n", wharf_acceptance_tests::USER);
        let options = ["-tls1_3", "-ign_eof", "-sess_out", "early.pem"];
        // The goodbye ends it, the tickets were there before.
        let said = text(&s_client(scene, &options, "NOOP\r\nQUIT\r\n"));
        assert!(said.contains("Max Early Data: 0"), "{said}");
        fs::write(scene.local("early"), &commands).unwrap();
        let options = ["-tls1_3", "-sess_in", "early.pem", "-early_data", "early"];
        let said = text(&s_client(scene, &options, ""));
        assert!(
            said.contains("Early data was not sent") || said.contains("Early data was rejected"),
            "{said}"
        );
    });
}
