//! The kernel's answers, true and made up.
#![expect(
    clippy::disallowed_methods,
    reason = "the kernel's other account of its neighbours is a file"
)]

use proptest::prelude::*;

use super::*;

/// A loopback has no neighbours, and an interface that is not there has none either.
#[test]
fn who_is_no_neighbour_has_no_hardware_address() {
    assert_eq!(find("127.0.0.1".parse().unwrap(), 1), None);
    assert_eq!(find("::1".parse().unwrap(), 1), None);
    assert_eq!(find("192.0.2.1".parse().unwrap(), u32::MAX), None);
}

/// Every neighbour of the machine that runs this, as far as the older table in /proc has it.
#[test]
fn the_kernel_tells_the_hardware_address_of_every_neighbour() {
    let table = std::fs::read_to_string("/proc/net/arp").unwrap_or_default();
    for line in table.lines().skip(1) {
        let columns: Vec<_> = line.split_whitespace().collect();
        let [address, "0x1", flags, mac, _, interface] = columns[..] else {
            continue;
        };
        let index = std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).unwrap();
        let index: u32 = index.trim().parse().unwrap();
        let known = (flags != "0x0").then(|| mac.parse().unwrap());
        let peer: IpAddr = address.parse().unwrap();
        assert_eq!(find(peer, index), known, "{line}");
        if let IpAddr::V4(v4) = peer {
            assert_eq!(find(v4.to_ipv6_mapped().into(), index), known, "{line}");
        }
        assert_eq!(find(peer, index + 1000), None, "{line}");
    }
}

/// An answer as the kernel writes it.
fn told(peer: IpAddr, interface: u32, state: u16, mac: &[u8]) -> Vec<u8> {
    let (family, address) = match peer {
        IpAddr::V4(v4) => (2, v4.octets().to_vec()),
        IpAddr::V6(v6) => (10, v6.octets().to_vec()),
    };
    let mut body = vec![family, 0, 0, 0];
    body.extend(interface.to_ne_bytes());
    body.extend(state.to_ne_bytes());
    body.extend([0, 1]);
    for (kind, value) in [(1_u16, &address[..]), (3, &[0; 16]), (2, mac), (4, &[0; 4])] {
        body.extend(
            u16::try_from(value.len() + 4)
                .unwrap_or_default()
                .to_ne_bytes(),
        );
        body.extend(kind.to_ne_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = u32::try_from(body.len() + 16)
        .unwrap_or_default()
        .to_ne_bytes()
        .to_vec();
    message.extend(28_u16.to_ne_bytes());
    message.extend([0; 10]);
    message.extend(body);
    message
}

const MAC: [u8; 6] = [0, 0x1b, 0xd4, 1, 2, 3];
const REACHABLE: u16 = 2;
const STALE: u16 = 4;

#[test]
fn an_answer_is_believed_only_for_the_peer_the_link_and_a_known_state() {
    let v4: IpAddr = "192.0.2.7".parse().unwrap();
    let v6: IpAddr = "fe80::1".parse().unwrap();
    for peer in [v4, v6] {
        for state in [REACHABLE, STALE, 0x80] {
            let answer = told(peer, 2, state, &MAC);
            assert_eq!(message::answer(&answer, peer, 2), Some(Mac(MAC)));
        }
        for state in [0, 1, 0x20] {
            let answer = told(peer, 2, state, &MAC);
            assert_eq!(message::answer(&answer, peer, 2), None, "{state}");
        }
        let answer = told(peer, 2, REACHABLE, &MAC);
        assert_eq!(message::answer(&answer, peer, 3), None);
        assert_eq!(
            message::answer(&answer, "192.0.2.8".parse().unwrap(), 2),
            None
        );
        assert_eq!(
            message::answer(&answer, "fe80::2".parse().unwrap(), 2),
            None
        );
    }
    for mac in [&[0; 6][..], &[0xff; 6], &MAC[..5], &[], &[2; 20]] {
        assert_eq!(message::answer(&told(v4, 2, REACHABLE, mac), v4, 2), None);
    }
}

#[test]
fn an_answer_cut_anywhere_is_none_and_breaks_nothing() {
    let peer: IpAddr = "192.0.2.7".parse().unwrap();
    let answer = told(peer, 2, REACHABLE, &MAC);
    for length in 0..answer.len() {
        assert_eq!(message::answer(&answer[..length], peer, 2), None);
    }
}

proptest! {
    #[test]
    fn no_answer_breaks_the_reader(
        mut datagram in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((0..80_usize, any::<u8>()), 0..4),
    ) {
        let peer: IpAddr = "192.0.2.7".parse().unwrap();
        let _ = message::answer(&datagram, peer, 2);
        datagram = told(peer, 2, REACHABLE, &MAC);
        for (at, octet) in changes {
            if let Some(place) = datagram.get_mut(at) {
                *place = octet;
            }
        }
        let _ = message::answer(&datagram, peer, 2);
    }
}
