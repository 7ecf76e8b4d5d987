//! tftp-hpa's client: no options at all, blocks of 512 octets, a second for each lost datagram (INT-66).

use std::fs;
use std::process::Command;

use wharf_acceptance_tests::Kind;

use super::{Ask, Client, Scene, Way, every_size, hundred_mebibytes, in_spite_of, server};

struct TftpHpa;

impl TftpHpa {
    /// It takes its patience from its prompt alone, and ends well whatever happens: what it says and the
    /// bytes tell.
    fn talk(scene: &Scene, ask: &Ask, line: &str) {
        let mode = if ask.netascii { "ascii" } else { "binary" };
        let name = format!("script-{}", scene.port());
        fs::write(
            scene.local(&name),
            format!("rexmt 1\ntimeout 30\n{mode}\n{line}\nquit\n"),
        )
        .unwrap();
        let output = scene
            .at_home(Command::new("tftp").args([&scene.host(), &scene.port()]))
            .stdin(fs::File::open(scene.local(&name)).unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        assert!(
            output.status.success() && !said.contains("error") && !said.contains("timed out"),
            "{line}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Client for TftpHpa {
    fn put(&self, scene: &Scene, ask: &Ask, local: &str, remote: &str) {
        Self::talk(scene, ask, &format!("put {local} {remote}"));
    }

    fn get(&self, scene: &Scene, ask: &Ask, remote: &str, local: &str) {
        Self::talk(scene, ask, &format!("get {remote} {local}"));
    }
}

#[test]
fn tftp_hpa_moves_files_of_every_size() {
    every_size(&TftpHpa, &[Ask::BARE, Ask::TEXT]);
}

/// Block numbers begin again twice on the way (TFT-36).
#[test]
fn tftp_hpa_moves_100_mebibytes() {
    let scene = Scene::new(&server(Kind::chosen(), ""));
    hundred_mebibytes(&TftpHpa, &scene, &Ask::BARE);
}

#[test]
fn tftp_hpa_bears_a_loss_of_1_percent() {
    in_spite_of(
        &TftpHpa,
        1,
        &[
            (Way::There, Ask::BARE, 60_000),
            (Way::Back, Ask::BARE, 60_000),
            (Way::Both, Ask::TEXT, 20_000),
            (Way::Both, Ask::BARE, 1024),
        ],
    );
}

#[test]
fn tftp_hpa_bears_a_loss_of_10_percent() {
    in_spite_of(
        &TftpHpa,
        10,
        &[
            (Way::There, Ask::BARE, 8 * 512),
            (Way::Back, Ask::BARE, 8 * 512),
            (Way::There, Ask::TEXT, 2500),
            (Way::Back, Ask::TEXT, 2500),
            (Way::Both, Ask::BARE, 0),
            (Way::Both, Ask::BARE, 513),
        ],
    );
}
