//! Data connections that must resume the control connection's session (`tls.session_reuse = "require"`;
//! TLS-33, TLS-62, DAT-22): every client that can is served, one that cannot gets 522 and touches nothing.

use std::collections::BTreeMap;
use std::fs;

use wharf_acceptance_tests::TlsSetup;
use wharf_interop_tests::harvest;

use super::curl::Curl;
use super::ftplib::Ftplib;
use super::lftp::Lftp;
use super::openssl::Openssl;
use super::rclone::Rclone;
use super::{Client, Mode, Scene, Version, transfers};

fn requiring(mode: Mode, version: Version) -> Scene {
    let tls = TlsSetup {
        reuse: true,
        ..TlsSetup::default()
    };
    Scene::with(mode, version, tls)
}

/// Every cell of both modes and both versions.
fn each(check: impl Fn(&Scene)) {
    for mode in [Mode::Explicit, Mode::Implicit] {
        for version in Version::ALL {
            check(&requiring(mode, version));
        }
    }
}

fn is_served(client: &dyn Client) {
    each(|scene| transfers(scene, client));
}

/// TLS-62.
#[test]
fn ftplib_that_resumes_is_served_where_it_is_required() {
    is_served(&Ftplib::Resuming);
}

/// TLS-62.
#[test]
fn curl_is_served_where_resumption_is_required() {
    is_served(&Curl);
}

/// TLS-62.
#[test]
fn lftp_is_served_where_resumption_is_required() {
    is_served(&Lftp);
}

/// TLS-62.
#[test]
fn rclone_is_served_where_resumption_is_required() {
    is_served(&Rclone);
}

/// TLS-62.
#[test]
fn openssl_that_resumes_is_served_where_it_is_required() {
    is_served(&Openssl::Resuming);
}

/// What a client could have changed: every file with its bytes and its time.
fn state(scene: &Scene) -> BTreeMap<std::path::PathBuf, (Vec<u8>, u64)> {
    harvest(scene.server.root())
        .into_iter()
        .map(|(path, bytes)| {
            let time = scene.server.modified(&path);
            (path, (bytes, time))
        })
        .collect()
}

/// Plain `ftplib.FTP_TLS` never resumes: 522 to downloads, listings and every kind of upload, and every
/// file is as it was; a new one is not there.
#[test]
fn ftplib_that_does_not_resume_gets_522_and_no_file_is_touched() {
    each(|scene| {
        scene.server.put("old", "as it was");
        scene.server.touch("old", 1_000_000_000);
        let before = state(scene);
        let verbs = [
            "RETR old", "STOR old", "APPE old", "STOR new", "APPE new", "STOU", "LIST", "NLST",
            "MLSD",
        ];
        let mut arguments = vec!["refused"];
        arguments.extend(verbs);
        Ftplib::Forgetful.run(scene, &arguments);
        assert_eq!(state(scene), before, "{:?} {:?}", scene.mode, scene.version);
        assert!(
            !scene.server.log().contains(" whole ("),
            "a transfer went through"
        );
    });
}

/// The same refusal, seen by `s_client`, and the session goes on.
#[test]
fn openssl_that_does_not_resume_gets_522_and_no_file_is_touched() {
    each(|scene| {
        scene.server.put("old", "as it was");
        let before = state(scene);
        let mut session = Openssl::Forgetful.log_in(scene);
        for line in ["RETR old", "STOR old", "STOR new", "LIST"] {
            let mut data = session.begin(line, 150);
            session.wants(522);
            data.kill().unwrap();
            let said = data.wait_with_output().unwrap().stdout;
            assert!(said.is_empty(), "{line}: {} octets came", said.len());
        }
        session.ask("NOOP", 200);
        assert_eq!(state(scene), before);
    });
}

/// TLS-63: tickets do not run dry.
#[test]
fn twenty_transfers_in_a_row_resume() {
    for version in Version::ALL {
        let scene = requiring(Mode::Explicit, version);
        let mut session = Openssl::Resuming.log_in(&scene);
        let bytes = wharf_interop_tests::content(1, 100_000);
        for number in 0..10 {
            session.send(&format!("STOR f{number}"), &bytes);
            assert!(
                session.fetch(&format!("RETR f{number}")) == bytes,
                "f{number}"
            );
        }
        assert_eq!(fs::read_dir(scene.server.root()).unwrap().count(), 10);
    }
}
