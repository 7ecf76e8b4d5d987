//! curl: blksize, tsize and timeout, always or never, and text as the wire has it (INT-66).

use std::process::Command;

use wharf_acceptance_tests::Kind;

use super::{Ask, Client, Scene, Text, Way, every_size, hundred_mebibytes, in_spite_of, server};

struct Curl;

impl Curl {
    fn command(ask: &Ask) -> Command {
        let mut command = Command::new("curl");
        // Its timer is a third of the patience that it is given for the opening.
        command.args(["-q", "-sS", "--connect-timeout", "3"]);
        if ask.netascii {
            command.arg("--use-ascii");
        }
        match ask.blksize {
            Some(octets) => command.args(["--tftp-blksize", &octets.to_string()]),
            None if !ask.tsize => command.arg("--tftp-no-options"),
            None => &mut command,
        };
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

#[test]
fn curl_bears_a_loss_of_1_percent() {
    in_spite_of(
        &Curl,
        1,
        &[
            (Way::There, Ask::BARE.blksize(8192), 1 << 20),
            (Way::Back, Ask::BARE.blksize(8192), 1 << 20),
            (Way::Both, Ask::TEXT.blksize(1428), 50_000),
            (Way::Both, Ask::BARE, 20_000),
        ],
    );
}

#[test]
fn curl_bears_a_loss_of_10_percent() {
    in_spite_of(
        &Curl,
        10,
        &[
            (Way::There, Ask::BARE.blksize(65_464), 6 * 65_464),
            (Way::Back, Ask::BARE.blksize(65_464), 6 * 65_464),
            (Way::Both, Ask::TEXT.blksize(1428), 3000),
            (Way::Both, Ask::BARE, 0),
            (Way::Both, Ask::BARE, 1024),
        ],
    );
}
