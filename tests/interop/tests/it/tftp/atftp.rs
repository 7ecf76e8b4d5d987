//! Advanced TFTP's client: every option, windows included (INT-66).

use std::process::Command;

use wharf_acceptance_tests::Kind;

use super::relay::Faults;
use super::{Ask, Client, Scene, Way, every_size, hundred_mebibytes, in_spite_of_faults, server};

struct Atftp;

impl Atftp {
    fn command(scene: &Scene, ask: &Ask, verb: &str, local: &str, remote: &str) -> Command {
        let mut command = Command::new("atftp");
        command.args(["--tftp-timeout", "1"]);
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

/// It gives up when the answer to its options comes twice: with options the network begins to be bad
/// after the opening. And of text, a block that it must send again is another one: it only fetches that.
fn bears(percent: u8, bare: &[(Way, Ask, usize)], with_options: &[(Way, Ask, usize)]) {
    let server = server(Kind::chosen(), "");
    in_spite_of_faults(&Atftp, &server, Faults::of(percent), bare);
    let faults = Faults::after_the_opening(percent);
    in_spite_of_faults(&Atftp, &server, faults, with_options);
}

#[test]
fn atftp_bears_a_loss_of_1_percent() {
    let bare = [
        (Way::Both, Ask::BARE, 30_000),
        (Way::Back, Ask::TEXT, 20_000),
    ];
    let blocks = Ask::BARE.blksize(8192).timeout(1);
    let with_options = [
        (Way::There, blocks, 1 << 20),
        (Way::Back, blocks, 1 << 20),
        (Way::There, Ask::BARE.windowsize(4), 100_000),
        (Way::Back, Ask::BARE.windowsize(4), 100_000),
        (Way::Back, Ask::TEXT.blksize(1428).tsize(), 100_000),
    ];
    bears(1, &bare, &with_options);
}

#[test]
fn atftp_bears_a_loss_of_10_percent() {
    let bare = [
        (Way::Both, Ask::BARE, 0),
        (Way::Both, Ask::BARE, 1024),
        (Way::Back, Ask::TEXT, 2500),
    ];
    let large = Ask::BARE.blksize(65_464).tsize().timeout(1);
    let windows = Ask::BARE.blksize(1428).windowsize(4).timeout(1);
    let with_options = [
        (Way::There, large, 8 * 65_464),
        (Way::Back, large, 8 * 65_464),
        (Way::There, windows, 30_000),
        (Way::Back, windows, 30_000),
        (Way::Back, Ask::TEXT.timeout(1), 2500),
    ];
    bears(10, &bare, &with_options);
}
