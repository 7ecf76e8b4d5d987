//! Wharf's own client, against Wharf and against the reference servers (TFT-50..53).

use std::fs;
use std::process::Command;

use wharf_acceptance_tests::subject::wharf_binary;
use wharf_acceptance_tests::{Kind, noise};

use super::relay::Faults;
use super::{
    Ask, Client, Scene, Way, back, every_size, hundred_mebibytes, in_spite_of_faults, is_long_run,
    server, there_and_back,
};

pub(super) struct Own;

impl Own {
    fn command(verb: &str, ask: &Ask) -> Command {
        let mut command = Command::new(wharf_binary());
        command.arg(verb);
        if let Some(octets) = ask.blksize {
            command.args(["--blksize", &octets.to_string()]);
        }
        if let Some(blocks) = ask.windowsize {
            command.args(["--windowsize", &blocks.to_string()]);
        }
        command
    }

    fn url(scene: &Scene, ask: &Ask, remote: &str) -> String {
        let mode = if ask.netascii { ";mode=netascii" } else { "" };
        format!("tftp://{}/{remote}{mode}", scene.address())
    }
}

impl Client for Own {
    fn put(&self, scene: &Scene, ask: &Ask, local: &str, remote: &str) {
        let url = Self::url(scene, ask, remote);
        scene.run(Self::command("put", ask).args([local, &url]));
    }

    fn get(&self, scene: &Scene, ask: &Ask, remote: &str, local: &str) {
        let url = Self::url(scene, ask, remote);
        scene.run(Self::command("get", ask).args([&url, local]));
    }
}

#[test]
fn wharf_moves_files_of_every_size() {
    every_size(
        &Own,
        &[
            Ask::BARE,
            Ask::TEXT,
            Ask::BARE.blksize(8).windowsize(1000),
            Ask::BARE.blksize(512).windowsize(1),
            Ask::BARE.blksize(65_464).windowsize(4),
            Ask::TEXT.blksize(1000).windowsize(5),
        ],
    );
}

#[test]
fn wharf_moves_100_mebibytes() {
    let scene = Scene::new(&server(Kind::chosen(), ""));
    hundred_mebibytes(&Own, &scene, &Ask::BARE.blksize(65_464).windowsize(8));
    hundred_mebibytes(&Own, &scene, &Ask::BARE);
}

/// Block numbers begin again three times in the middle of windows (TFT-36).
#[test]
fn wharf_moves_100_mebibytes_in_blocks_of_512_octets() {
    let scene = Scene::new(&server(Kind::chosen(), ""));
    let ask = Ask::BARE.blksize(512).windowsize(64);
    hundred_mebibytes(&Own, &scene, &ask);
}

/// What Wharf is asked for.
const CELLS: [(Way, Ask, usize); 7] = [
    (Way::Both, Ask::BARE, 0),
    (Way::Both, Ask::BARE, 1428),
    (Way::Both, Ask::BARE, 1 << 20),
    (Way::Both, Ask::TEXT, 50_000),
    (Way::Both, Ask::BARE.blksize(512).windowsize(1), 6000),
    (Way::Both, Ask::BARE.blksize(65_464).windowsize(4), 1 << 20),
    (Way::Both, Ask::BARE.blksize(512).windowsize(64), 1 << 20),
];

/// What other servers are asked for: some know no windows, and lose seconds with each datagram.
fn cells_of_others(kind: Kind, percent: u8) -> Vec<(Way, Ask, usize)> {
    // That many blocks make about two losses.
    let blocks = 100 / usize::from(percent);
    let small = Ask::BARE.blksize(512);
    let large = Ask::BARE.blksize(65_464);
    let (way, large_block) = match kind {
        // It grants about 4 KiB, and only sends.
        Kind::Dnsmasq => (Way::Back, 4000),
        // It does not stay for a sender that has not got the last ACK, who then tries for half a minute.
        Kind::Atftpd if percent == 10 && !is_long_run() => (Way::Back, 65_464),
        _ => (Way::Both, 65_464),
    };
    let mut cells = vec![
        (way, Ask::BARE, 0),
        (way, Ask::BARE, 1428),
        (way, Ask::BARE, blocks * 1428),
        (way, small.windowsize(1), blocks * 512),
        (way, small.windowsize(64), blocks * 512),
        (way, large, blocks * large_block),
    ];
    // For the other two, a block of text that they must send again is another one.
    if kind == Kind::TftpdHpa {
        cells.push((way, Ask::TEXT, blocks * 1000));
    }
    cells
}

fn bears(kind: Kind, percent: u8) {
    let faults = Faults::of(percent);
    match kind {
        Kind::Wharf => in_spite_of_faults(&Own, &server(kind, ""), faults, &CELLS),
        _ => {
            let cells = cells_of_others(kind, percent);
            in_spite_of_faults(&Own, &server(kind, ""), faults, &cells);
        }
    }
}

#[test]
fn wharf_bears_a_loss_of_1_percent() {
    bears(Kind::Wharf, 1);
}

#[test]
fn wharf_bears_a_loss_of_10_percent() {
    bears(Kind::Wharf, 10);
}

/// 100 MiB over a bad network, in windows.
#[test]
fn wharf_moves_100_mebibytes_in_spite_of_losses() {
    let server = server(Kind::Wharf, "");
    let percents: &[u8] = if is_long_run() { &[1, 10] } else { &[1] };
    for percent in percents {
        let scene = Scene::behind(&server, Faults::of(*percent), 1);
        let ask = Ask::BARE.blksize(65_464).windowsize(16);
        hundred_mebibytes(&Own, &scene, &ask);
        if is_long_run() {
            hundred_mebibytes(&Own, &scene, &Ask::BARE.blksize(512).windowsize(64));
        }
    }
}

fn every_size_with(kind: Kind) {
    let server = server(kind, "");
    let scene = Scene::new(&server);
    for ask in [
        Ask::BARE,
        Ask::TEXT,
        Ask::BARE.blksize(512).windowsize(1),
        Ask::BARE.blksize(65_464).windowsize(4),
    ] {
        for size in [0, 1, 511, 512, 513, 1428, 5 * 1428, 1 << 20] {
            there_and_back(&Own, &scene, &ask, size);
        }
    }
    hundred_mebibytes(&Own, &scene, &Ask::BARE.blksize(65_464));
}

/// tftp-hpa's server knows no windows.
#[test]
fn wharf_with_tftpd_hpa() {
    every_size_with(Kind::TftpdHpa);
}

#[test]
fn wharf_with_tftpd_hpa_bears_a_loss_of_1_percent() {
    bears(Kind::TftpdHpa, 1);
}

#[test]
fn wharf_with_tftpd_hpa_bears_a_loss_of_10_percent() {
    bears(Kind::TftpdHpa, 10);
}

#[test]
fn wharf_with_atftpd() {
    every_size_with(Kind::Atftpd);
}

#[test]
fn wharf_with_atftpd_bears_a_loss_of_1_percent() {
    bears(Kind::Atftpd, 1);
}

#[test]
fn wharf_with_atftpd_bears_a_loss_of_10_percent() {
    bears(Kind::Atftpd, 10);
}

/// dnsmasq only sends, and knows no windows.
#[test]
fn wharf_fetches_from_dnsmasq() {
    let scene = Scene::new(&server(Kind::Dnsmasq, ""));
    for ask in [
        Ask::BARE,
        Ask::TEXT,
        Ask::BARE.blksize(512).windowsize(1),
        Ask::BARE.blksize(65_464),
    ] {
        for size in [0, 1, 511, 512, 513, 1428, 5 * 1428, 1 << 20] {
            back(&Own, &scene, &ask, size);
        }
    }
    let large = noise(1, 100 << 20);
    scene.server.put("large", &large);
    let ask = Ask::BARE.blksize(65_464);
    Own.get(&scene, &ask, "large", "large");
    assert!(fs::read(scene.local("large")).unwrap() == large, "differs");
}

#[test]
fn wharf_with_dnsmasq_bears_a_loss_of_1_percent() {
    bears(Kind::Dnsmasq, 1);
}

#[test]
fn wharf_with_dnsmasq_bears_a_loss_of_10_percent() {
    bears(Kind::Dnsmasq, 10);
}
