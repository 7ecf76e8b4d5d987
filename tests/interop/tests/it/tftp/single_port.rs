//! The server that answers from the port it was asked at (TFT-06): what devices behind strict firewalls
//! and servers behind address translation need.

use std::sync::atomic::Ordering;

use wharf_acceptance_tests::Kind;

use super::relay::Faults;
use super::{Ask, Scene, Way, in_spite_of_faults, own_client, server, there_and_back};

/// Through a network that passes nothing but that port.
fn one_port(percent: u8) -> Faults {
    Faults {
        one_port: true,
        ..Faults::of(percent)
    }
}

#[test]
fn one_port_is_enough_in_single_port_mode() {
    let server = server(Kind::Wharf, "single_port = true");
    let scene = Scene::behind(&server, one_port(0), 1);
    for size in [0, 1, 1428, 1 << 20] {
        there_and_back(&own_client::Own, &scene, &Ask::BARE, size);
        let ask = Ask::BARE.blksize(1428).windowsize(16);
        there_and_back(&own_client::Own, &scene, &ask, size);
    }
    assert_eq!(scene.counts().blocked.load(Ordering::Relaxed), 0);
}

#[test]
fn single_port_mode_bears_a_loss_of_10_percent() {
    let ask = Ask::BARE.blksize(1428).windowsize(16);
    let cells = [
        (Way::Both, ask, 1 << 20),
        (Way::Both, Ask::BARE, 100_000),
        (Way::Both, Ask::TEXT, 50_000),
        (Way::Both, Ask::BARE, 0),
    ];
    let server = server(Kind::Wharf, "single_port = true");
    in_spite_of_faults(&own_client::Own, &server, one_port(10), &cells);
}
