//! CCC with the clients that have it (TLS-40 to TLS-42): the control connection leaves TLS after the login,
//! the data stay private.
//!
//! lftp has `ftp:ssl-use-ccc`, too, but takes a `close_notify` that reaches it together with the 200 for the
//! end of the connection, from whatever server: no test can hold it to either outcome.

use std::fs;
use std::process::Command;

use wharf_acceptance_tests::{RequireTls, TlsSetup};
use wharf_interop_tests::content;

use super::curl::Curl;
use super::ftplib::Ftplib;
use super::{Mode, Scene, Version};

/// A server that allows CCC and demands private data, in each mode and version; `transfers` sends `sent` as
/// `f` and fetches it as `got`.
fn each(transfers: impl Fn(&Scene)) {
    for mode in [Mode::Explicit, Mode::Implicit] {
        for version in Version::ALL {
            let tls = TlsSetup {
                ccc: true,
                require: RequireTls::Data,
                ..TlsSetup::default()
            };
            let scene = Scene::with(mode, version, tls);
            let bytes = content(4, 1_000_000);
            fs::write(scene.local("sent"), &bytes).unwrap();
            transfers(&scene);
            assert!(
                scene.server.read("f") == bytes,
                "{mode:?} {version:?}: upload"
            );
            let got = fs::read(scene.local("got")).unwrap();
            assert!(got == bytes, "{mode:?} {version:?}: download");
        }
    }
}

/// Asserts that every CCC of a dialogue was answered with 200, and that there is one: clients go on in
/// silence where they are refused.
#[track_caller]
fn is_cleared(dialogue: &str) {
    let mut lines = dialogue.lines();
    let mut cleared = 0;
    while lines.any(|line| line.ends_with("> CCC")) {
        let reply = lines.find(|line| line.starts_with('<')).unwrap_or_default();
        assert!(reply.contains(" 200 "), "{dialogue}");
        cleared += 1;
    }
    assert!(cleared > 0, "no CCC:\n{dialogue}");
}

fn curl(scene: &Scene, options: &[&str]) {
    let url = Curl::url(scene, "f");
    let command = |way: &[&str]| -> Command {
        let mut command = Curl::command(scene);
        command
            .args(["-v", "--stderr", "-"])
            .args(options)
            .args(way)
            .arg(&url);
        command
    };
    is_cleared(&scene.run(&mut command(&["-T", "sent"])));
    is_cleared(&scene.run(&mut command(&["-o", "got"])));
}

/// `--ftp-ssl-ccc`: curl waits for the server's `close_notify`.
#[test]
fn curl_clears_the_control_connection() {
    each(|scene| curl(scene, &["--ftp-ssl-ccc"]));
}

/// `--ftp-ssl-ccc-mode active`: curl says `close_notify` first.
#[test]
fn curl_clears_the_control_connection_actively() {
    each(|scene| curl(scene, &["--ftp-ssl-ccc", "--ftp-ssl-ccc-mode", "active"]));
}

/// `FTP_TLS.ccc()`, which fails unless it is allowed.
#[test]
fn ftplib_clears_the_control_connection() {
    each(|scene| {
        Ftplib::Forgetful.run(scene, &["cleared", "sent", "f", "got"]);
    });
}
