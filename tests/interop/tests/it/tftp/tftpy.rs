//! tftpy, the TFTP of Python programs: octets alone, blksize and tsize, one packet at a time.

use std::process::Command;

use wharf_acceptance_tests::Kind;
use wharf_acceptance_tests::subject::peer;

use super::{Ask, Client, Scene, Way, every_size, hundred_mebibytes, in_spite_of, server};

struct Tftpy;

impl Tftpy {
    fn verb(scene: &Scene, ask: &Ask, arguments: [&str; 3]) {
        let [verb, remote, local] = arguments;
        let mut command = Command::new(peer("python/bin/python"));
        command.args(["-W", "ignore", "-c", include_str!("tftpy.py"), verb]);
        command.args([&scene.host(), &scene.port(), remote, local]);
        command.args(ask.blksize.map(|octets| format!("blksize={octets}")));
        command.args(ask.tsize.then_some("tsize=0"));
        scene.run(&mut command);
    }
}

impl Client for Tftpy {
    fn put(&self, scene: &Scene, ask: &Ask, local: &str, remote: &str) {
        Self::verb(scene, ask, ["put", remote, local]);
    }

    fn get(&self, scene: &Scene, ask: &Ask, remote: &str, local: &str) {
        Self::verb(scene, ask, ["get", remote, local]);
    }
}

#[test]
fn tftpy_moves_files_of_every_size() {
    every_size(
        &Tftpy,
        &[
            Ask::BARE,
            Ask::BARE.tsize(),
            Ask::BARE.blksize(1428).tsize(),
            Ask::BARE.blksize(65_464),
        ],
    );
}

#[test]
fn tftpy_moves_100_mebibytes() {
    let scene = Scene::new(&server(Kind::chosen(), ""));
    hundred_mebibytes(&Tftpy, &scene, &Ask::BARE.blksize(65_464));
}

/// It gives up a download when the answer to its options comes twice, so those go bare.
#[test]
fn tftpy_bears_a_loss_of_1_percent() {
    in_spite_of(
        &Tftpy,
        1,
        &[
            (Way::There, Ask::BARE.blksize(8192), 1 << 20),
            (Way::Both, Ask::BARE, 100_000),
        ],
    );
}

#[test]
fn tftpy_bears_a_loss_of_10_percent() {
    in_spite_of(
        &Tftpy,
        10,
        &[
            (Way::There, Ask::BARE.blksize(65_464).tsize(), 10 * 65_464),
            (Way::Both, Ask::BARE, 5000),
            (Way::Both, Ask::BARE, 0),
        ],
    );
}
