//! curl: blksize, tsize and timeout, always or never, and text as the wire has it (INT-66).

use std::process::Command;

use wharf_acceptance_tests::Kind;

use super::relay::Faults;
use super::{
    Ask, Client, Scene, Text, Way, every_size, hundred_mebibytes, in_spite_of_faults, server,
};

struct Curl;

impl Curl {
    fn command(ask: &Ask) -> Command {
        let mut command = Command::new("curl");
        // Six seconds for each loss, but for ever where there is no bound for the whole.
        command.args(["-q", "-sS", "--max-time", "60"]);
        if ask.netascii {
            command.arg("--use-ascii");
        }
        if ask.blksize.is_none() && !ask.tsize {
            command.arg("--tftp-no-options");
            return command;
        }
        // It asks for a third of this as the server's timer, and asks but twice in it.
        command.args(["--connect-timeout", "6"]);
        if let Some(octets) = ask.blksize {
            command.args(["--tftp-blksize", &octets.to_string()]);
        }
        command
    }

    fn url(scene: &Scene, remote: &str) -> String {
        format!("tftp://{}/{remote}", scene.address())
    }
}

impl Client for Curl {
    fn text(&self) -> Text {
        Text::AsOnTheWire
    }

    fn put(&self, scene: &Scene, ask: &Ask, local: &str, remote: &str) {
        let url = Self::url(scene, remote);
        scene.run(Self::command(ask).args(["-T", local, &url]));
    }

    fn get(&self, scene: &Scene, ask: &Ask, remote: &str, local: &str) {
        let url = Self::url(scene, remote);
        scene.run(Self::command(ask).args(["-o", local, &url]));
        // It makes no file where nothing came.
        if !scene.local(local).exists() {
            std::fs::write(scene.local(local), "").unwrap();
        }
    }
}

#[test]
fn curl_moves_files_of_every_size() {
    every_size(
        &Curl,
        &[
            Ask::BARE,
            Ask::TEXT,
            Ask::BARE.tsize(),
            Ask::BARE.blksize(8),
            Ask::BARE.blksize(1428),
            Ask::BARE.blksize(65_464),
            Ask::TEXT.blksize(1000),
        ],
    );
}

#[test]
fn curl_moves_100_mebibytes() {
    let scene = Scene::new(&server(Kind::chosen(), ""));
    hundred_mebibytes(&Curl, &scene, &Ask::BARE.blksize(65_464));
}

/// It takes the answer to its options for the acknowledgement of a block when it comes twice, and leaves
/// the block out: with options the network begins to be bad after the opening.
fn bears(percent: u8, bare: &[(Way, Ask, usize)], with_options: &[(Way, Ask, usize)]) {
    let server = server(Kind::chosen(), "");
    in_spite_of_faults(&Curl, &server, Faults::of(percent), bare);
    let faults = Faults::after_the_opening(percent);
    in_spite_of_faults(&Curl, &server, faults, with_options);
}

#[test]
fn curl_bears_a_loss_of_1_percent() {
    let bare = [
        (Way::Both, Ask::BARE, 20_000),
        (Way::Both, Ask::TEXT, 20_000),
    ];
    let with_options = [
        (Way::There, Ask::BARE.blksize(8192), 600_000),
        (Way::Back, Ask::BARE.blksize(8192), 600_000),
        (Way::Both, Ask::TEXT.blksize(1428), 50_000),
    ];
    bears(1, &bare, &with_options);
}

#[test]
fn curl_bears_a_loss_of_10_percent() {
    let bare = [
        (Way::Both, Ask::BARE, 0),
        (Way::Both, Ask::BARE, 1024),
        (Way::Both, Ask::TEXT, 1500),
    ];
    let with_options = [
        (Way::There, Ask::BARE.blksize(65_464), 6 * 65_464),
        (Way::Back, Ask::BARE.blksize(65_464), 6 * 65_464),
        (Way::Both, Ask::TEXT.blksize(1428), 3000),
    ];
    bears(10, &bare, &with_options);
}
