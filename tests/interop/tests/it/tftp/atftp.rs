//! Advanced TFTP's client: every option, windows included (INT-66).

use std::process::Command;

use wharf_acceptance_tests::Kind;

use super::{Ask, Client, Scene, Way, every_size, hundred_mebibytes, in_spite_of, server};

struct Atftp;

impl Atftp {
    fn command(scene: &Scene, ask: &Ask, verb: &str, local: &str, remote: &str) -> Command {
        let mut command = Command::new("atftp");
        command.args(["--prevent-sas", "--tftp-timeout", "1"]);
        let mode = if ask.netascii { "netascii" } else { "octet" };
        let options = [
            Some(format!("mode {mode}")),
            ask.blksize.map(|octets| format!("blksize {octets}")),
            ask.windowsize.map(|blocks| format!("windowsize {blocks}")),
            ask.timeout.map(|seconds| format!("timeout {seconds}")),
            ask.tsize.then(|| "tsize enable".to_owned()),
        ];
        for option in options.into_iter().flatten() {
            command.args(["--option", &option]);
        }
        command.args([verb, "-l", local, "-r", remote]);
        command.args([scene.host(), scene.port()]);
        command
    }
}

impl Client for Atftp {
    fn put(&self, scene: &Scene, ask: &Ask, local: &str, remote: &str) {
        scene.run(&mut Self::command(scene, ask, "--put", local, remote));
    }

    fn get(&self, scene: &Scene, ask: &Ask, remote: &str, local: &str) {
        scene.run(&mut Self::command(scene, ask, "--get", local, remote));
    }
}

#[test]
fn atftp_moves_files_of_every_size() {
    every_size(
        &Atftp,
        &[
            Ask::BARE,
            Ask::TEXT,
            Ask::BARE.tsize().timeout(2),
            Ask::BARE.blksize(8).windowsize(64),
            Ask::BARE.blksize(1428).windowsize(8).tsize(),
            Ask::BARE.blksize(65_464),
            Ask::TEXT.blksize(1000).tsize(),
        ],
    );
}

#[test]
fn atftp_moves_100_mebibytes() {
    let scene = Scene::new(&server(Kind::chosen(), ""));
    hundred_mebibytes(&Atftp, &scene, &Ask::BARE.blksize(65_464).tsize());
}

/// Block numbers begin again in the middle of windows (TFT-36).
#[test]
fn atftp_moves_100_mebibytes_in_windows() {
    let scene = Scene::new(&server(Kind::chosen(), ""));
    hundred_mebibytes(&Atftp, &scene, &Ask::BARE.blksize(1428).windowsize(16));
}

#[test]
fn atftp_bears_a_loss_of_1_percent() {
    in_spite_of(
        &Atftp,
        1,
        &[
            (Way::There, Ask::BARE.blksize(8192).timeout(1), 1 << 20),
            (Way::Back, Ask::BARE.blksize(8192).timeout(1), 1 << 20),
            (Way::There, Ask::BARE.windowsize(4), 100_000),
            (Way::Back, Ask::BARE.windowsize(4), 100_000),
            (Way::Both, Ask::TEXT.blksize(1428).tsize(), 100_000),
            (Way::Both, Ask::BARE, 30_000),
        ],
    );
}

#[test]
fn atftp_bears_a_loss_of_10_percent() {
    in_spite_of(
        &Atftp,
        10,
        &[
            (
                Way::There,
                Ask::BARE.blksize(65_464).tsize().timeout(1),
                8 * 65_464,
            ),
            (
                Way::Back,
                Ask::BARE.blksize(65_464).tsize().timeout(1),
                8 * 65_464,
            ),
            (
                Way::There,
                Ask::BARE.blksize(1428).windowsize(4).timeout(1),
                30_000,
            ),
            (
                Way::Back,
                Ask::BARE.blksize(1428).windowsize(4).timeout(1),
                30_000,
            ),
            (Way::Both, Ask::TEXT.timeout(1), 2500),
            (Way::Both, Ask::BARE, 0),
            (Way::Both, Ask::BARE, 1024),
        ],
    );
}
