//! Datagrams over real loopback sockets, of both families.

use std::{future::Future, time::Duration};

use nix::sys::socket::{getsockopt, sockopt::UdpGsoSegment};

use super::*;

const LOOPBACKS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// Waits for a datagram, or for an ICMP error.
async fn receive(
    socket: &DatagramSocket,
    head: &mut [u8],
    body: &mut [u8],
) -> io::Result<Received> {
    loop {
        socket.readable().await?;
        match socket.try_receive(head, body) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

/// A broken wake-up fails a test instead of hanging it.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work)
        .await
        .expect("nothing woke us")
}

fn on(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, 0)
}

fn listening(address: IpAddr) -> DatagramSocket {
    DatagramSocket::listening(bind(on(address)).unwrap()).unwrap()
}

/// Two sockets that are connected to each other.
fn pair(address: IpAddr) -> (DatagramSocket, DatagramSocket) {
    let first = listening(address);
    let second = DatagramSocket::connected(on(address), first.local_address().unwrap()).unwrap();
    first.connect(second.local_address().unwrap()).unwrap();
    (first, second)
}

/// An address that was somebody's a moment ago.
fn nobody(address: IpAddr) -> SocketAddr {
    let socket = std::net::UdpSocket::bind(on(address)).unwrap();
    socket.local_addr().unwrap()
}

fn pattern(octets: usize) -> Vec<u8> {
    (0..octets)
        .map(|index| u8::try_from(index * 31 % 251).unwrap())
        .collect()
}

/// A socket without checksums cannot segment. Nothing that is safe sets this, so another process does, with
/// the socket as its standard input.
fn forbid_checksums(socket: &DatagramSocket) {
    const SET: &str = "setsockopt(STDIN, 1, 11, pack('i', 1)) or die $!";
    let shared = socket.socket.as_fd().try_clone_to_owned().unwrap();
    let status = std::process::Command::new("perl")
        .args(["-e", SET])
        .stdin(shared)
        .status()
        .unwrap();
    assert!(status.success());
}

fn numbered(index: usize) -> [u8; 4] {
    u32::try_from(index).unwrap().to_be_bytes()
}

/// Receives blocks until a short one; each must have its number before it.
async fn gather(socket: &DatagramSocket, block_size: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut head = [0; 4];
    let mut body = vec![0; block_size + 1];
    for index in 0.. {
        let received = soon(receive(socket, &mut head, &mut body)).await.unwrap();
        assert_eq!(head, numbered(index));
        let length = received.octets - 4;
        all.extend_from_slice(&body[..length]);
        if length < block_size {
            break;
        }
    }
    all
}

#[tokio::test]
async fn a_datagram_is_scattered_over_head_and_body_and_tells_its_sender() {
    for address in LOOPBACKS {
        let (here, there) = pair(address);
        there.try_send(b"headbody").unwrap();
        let (mut head, mut body) = ([0; 4], [0; 10]);
        let received = soon(receive(&here, &mut head, &mut body)).await.unwrap();
        assert_eq!((&head, &body[..4]), (b"head", &b"body"[..]));
        let expected = Received {
            octets: 8,
            from: Some(there.local_address().unwrap()),
        };
        assert_eq!(received, expected);
        there.try_send(b"").unwrap();
        let received = soon(receive(&here, &mut head, &mut body)).await.unwrap();
        assert_eq!(received.octets, 0, "an empty datagram is one");
    }
}

#[tokio::test]
async fn a_truncated_datagram_tells_its_whole_length() {
    for address in LOOPBACKS {
        let (here, there) = pair(address);
        for _ in 0..2 {
            there.try_send(&[7; 100]).unwrap();
        }
        let (mut head, mut body) = ([0; 4], [0; 16]);
        let received = soon(receive(&here, &mut head, &mut body)).await.unwrap();
        assert_eq!(received.octets, 100);
        assert_eq!(body, [7; 16]);
        let mut buffer = [0; 20];
        let routed = soon(here.receive_routed(&mut buffer)).await.unwrap();
        assert_eq!(routed.octets, 100);
    }
}

/// Full runs, a short last block, a single one, none at all, and blocks that no segmentation can hold.
#[tokio::test]
async fn blocks_arrive_as_they_were_cut_whatever_their_size() {
    for address in LOOPBACKS {
        let (here, there) = pair(address);
        for block_size in [8, 512, 1428, 32_749, 65_464] {
            for blocks in [0, 1, 2, 63, 64, 65, 130] {
                // What the receiving socket is sure to hold.
                if blocks * block_size > 150_000 {
                    continue;
                }
                let content = pattern(blocks * block_size + block_size / 2);
                let sent = there.try_send_blocks(numbered, block_size, &content, None);
                assert_eq!(sent.unwrap(), blocks + 1);
                assert_eq!(gather(&here, block_size).await, content);
            }
        }
        assert_eq!(there.try_send_blocks(numbered, 512, b"", None).unwrap(), 1);
        assert_eq!(gather(&here, 512).await, b"", "one empty block");
    }
}

/// A kernel that segments does it; what it refused once is not asked again.
#[tokio::test]
async fn a_connected_socket_segments_until_that_is_refused() {
    let (here, there) = pair(LOOPBACKS[0]);
    let content = pattern(100 * 512 + 3);
    there
        .try_send_blocks(numbered, 512, &content, None)
        .unwrap();
    assert_eq!(gather(&here, 512).await, content);
    assert_eq!(getsockopt(&there.socket, UdpGsoSegment).unwrap(), 516);
    there.segmentation.refuse(&there.socket).unwrap();
    assert_eq!(getsockopt(&there.socket, UdpGsoSegment).unwrap(), 0);
    there
        .try_send_blocks(numbered, 512, &content, None)
        .unwrap();
    assert_eq!(gather(&here, 512).await, content);
    assert_eq!(getsockopt(&there.socket, UdpGsoSegment).unwrap(), 0);
}

/// TFT-42: segments that do not fit into a packet of the path leave one at a time. Without checksums the
/// kernel segments nothing: a refusal that any host can bring about.
#[tokio::test]
async fn tft_42_where_segmentation_is_refused_each_block_leaves_alone() {
    for is_routed in [false, true] {
        let (here, there) = pair(LOOPBACKS[0]);
        forbid_checksums(&there);
        let content = pattern(70 * 512 + 3);
        let peer = here.local_address().unwrap();
        let route = Route::default();
        let to = is_routed.then_some((peer, &route));
        assert_eq!(
            there.try_send_blocks(numbered, 512, &content, to).unwrap(),
            71
        );
        assert_eq!(gather(&here, 512).await, content);
        assert_eq!(
            there.segmentation.is_refused(),
            !is_routed,
            "another peer's path may differ"
        );
    }
}

/// A segment size that stands from the blocks before must not cut what is longer, such as an error's text
/// after blocks of 8 octets.
#[tokio::test]
async fn a_long_datagram_after_short_blocks_stays_whole() {
    let (here, there) = pair(LOOPBACKS[0]);
    there
        .try_send_blocks(numbered, 8, &pattern(8 * 3 + 2), None)
        .unwrap();
    gather(&here, 8).await;
    there.try_send(&[5; 90]).unwrap();
    let (mut head, mut body) = ([0; 4], [0; 100]);
    let received = soon(receive(&here, &mut head, &mut body)).await.unwrap();
    assert_eq!(received.octets, 90);
    there.try_send_blocks(numbered, 50, &[6; 50], None).unwrap();
    let received = soon(receive(&here, &mut head, &mut body)).await.unwrap();
    assert_eq!(received.octets, 54);
}

/// TFT-42: 65,464 octets behind a header are the largest block there is.
#[tokio::test]
async fn tft_42_the_largest_block_goes_through_and_nothing_is_marked_dont_fragment() {
    for address in LOOPBACKS {
        let (here, there) = pair(address);
        let content = pattern(65_464);
        assert_eq!(
            there
                .try_send_blocks(numbered, 65_464, &content, None)
                .unwrap(),
            1
        );
        let (mut head, mut body) = ([0; 4], vec![0; 65_464]);
        let received = soon(receive(&here, &mut head, &mut body)).await.unwrap();
        assert_eq!(received.octets, 65_468);
        assert_eq!(body, content);
        for socket in [&here, &there] {
            if address.is_ipv4() {
                let setting = sockopt::ip_mtu_discover(&socket.socket).unwrap();
                assert_eq!(setting, Ipv4PathMtuDiscovery::DONT);
            } else {
                let setting = sockopt::ipv6_mtu_discover(&socket.socket).unwrap();
                assert_eq!(setting, Ipv6PathMtuDiscovery::DONT);
            }
        }
    }
}

/// TFT-06: the answer leaves from the address that was asked, whichever the kernel would prefer.
#[tokio::test]
async fn tft_06_an_answer_comes_from_the_address_that_was_asked() {
    let server = listening(Ipv4Addr::UNSPECIFIED.into());
    let port = server.local_address().unwrap().port();
    for last in [1, 2] {
        let asked = SocketAddr::from(([127, 0, 0, last], port));
        let client = DatagramSocket::unconnected(asked).unwrap();
        client
            .try_send_to(b"read", asked, &Route::default())
            .unwrap();
        let mut request = [0; 16];
        let routed = soon(server.receive_routed(&mut request)).await.unwrap();
        assert_eq!(&request[..routed.octets], b"read");
        assert_eq!(routed.route.local, Some(asked.ip()));
        assert!(routed.route.interface != 0 && !routed.route.is_to_many());
        server
            .try_send_to(b"one", routed.from, &routed.route)
            .unwrap();
        server
            .try_send_blocks(numbered, 2, b"abc", Some((routed.from, &routed.route)))
            .unwrap();
        for expected in [&b"one"[..], b"\0\0\0\0ab", b"\0\0\0\x01c"] {
            let (mut head, mut body) = ([0; 4], [0; 9]);
            let received = soon(receive(&client, &mut head, &mut body)).await.unwrap();
            let whole = [&head[..], &body[..]].concat();
            assert_eq!(&whole[..received.octets], expected);
            assert_eq!(received.from, Some(asked));
        }
    }
}

#[tokio::test]
async fn tft_06_an_answer_over_ipv6_has_its_route_too() {
    let server = listening(Ipv6Addr::UNSPECIFIED.into());
    let asked = SocketAddr::new(LOOPBACKS[1], server.local_address().unwrap().port());
    let client = DatagramSocket::unconnected(asked).unwrap();
    soon(client.send_to(b"read", asked, &Route::default()))
        .await
        .unwrap();
    let mut request = [0; 16];
    let routed = soon(server.receive_routed(&mut request)).await.unwrap();
    assert_eq!(routed.route.local, Some(asked.ip()));
    assert!(!routed.route.is_to_many());
    soon(server.send_blocks(numbered, 4, &pattern(4 * 70 + 1), {
        Some((routed.from, &routed.route))
    }))
    .await
    .unwrap();
    assert_eq!(gather(&client, 4).await, pattern(4 * 70 + 1));
}

/// TFT-03: whoever answers a broadcast multiplies it.
#[tokio::test]
async fn tft_03_a_datagram_to_many_is_told_as_such() {
    let server = listening(Ipv4Addr::UNSPECIFIED.into());
    let port = server.local_address().unwrap().port();
    let sender = std::net::UdpSocket::bind(on(LOOPBACKS[0])).unwrap();
    sender.set_broadcast(true).unwrap();
    let everybody = SocketAddr::from(([127, 255, 255, 255], port));
    sender.send_to(b"?", everybody).unwrap();
    let mut buffer = [0; 4];
    let routed = soon(server.receive_routed(&mut buffer)).await.unwrap();
    assert!(routed.route.is_to_many(), "{routed:?}");

    // A loopback interface carries no multicast: the kernel's words alone.
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let route = Route::v6(&nix::libc::in6_pktinfo {
        ipi6_addr: nix::libc::in6_addr {
            s6_addr: group.octets(),
        },
        ipi6_ifindex: 3,
    });
    assert!(route.is_to_many());
    assert_eq!(
        (route.local, route.interface),
        (None, 3),
        "nothing can be sent from there"
    );
}

/// TFT-42: the peer's host says that nobody listens, and who waits hears it at once.
#[tokio::test]
async fn tft_42_port_unreachable_wakes_a_connected_and_an_unconnected_socket() {
    for address in LOOPBACKS {
        let nobody = nobody(address);
        let (mut head, mut body) = ([0; 4], [0; 9]);
        let connected = DatagramSocket::connected(on(address), nobody).unwrap();
        connected.try_send(b"anybody?").unwrap();
        let error = soon(receive(&connected, &mut head, &mut body))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);

        let unconnected = DatagramSocket::unconnected(nobody).unwrap();
        for _ in 0..3 {
            unconnected
                .try_send_to(b"anybody?", nobody, &Route::default())
                .unwrap();
            let error = soon(receive(&unconnected, &mut head, &mut body))
                .await
                .unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        }
        // An error does not outlive its telling.
        let here = listening(address);
        let asked = here.local_address().unwrap();
        unconnected
            .try_send_to(b"you?", asked, &Route::default())
            .unwrap();
        let routed = soon(here.receive_routed(&mut body)).await.unwrap();
        here.try_send_to(b"me", routed.from, &routed.route).unwrap();
        let received = soon(receive(&unconnected, &mut head, &mut body))
            .await
            .unwrap();
        assert_eq!(received.octets, 2);
    }
}

#[tokio::test]
async fn the_error_of_a_peer_that_is_gone_is_an_error_of_sending_too() {
    for address in LOOPBACKS {
        let nobody = nobody(address);
        let socket = DatagramSocket::connected(on(address), nobody).unwrap();
        socket.try_send(b"anybody?").unwrap();
        // Over loopback the answer is here when the call returns.
        let error = soon(socket.send(b"anybody?")).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}

#[tokio::test]
async fn a_connected_socket_does_not_hear_strangers() {
    for address in LOOPBACKS {
        let (here, there) = pair(address);
        let stranger = DatagramSocket::unconnected(on(address)).unwrap();
        let to = there.local_address().unwrap();
        stranger.try_send_to(b"me", to, &Route::default()).unwrap();
        here.try_send(b"friend").unwrap();
        let (mut head, mut body) = ([0; 4], [0; 9]);
        let received = soon(receive(&there, &mut head, &mut body)).await.unwrap();
        assert_eq!(received.from, Some(here.local_address().unwrap()));
        let error = there.try_receive(&mut head, &mut body).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}

/// A socket at rest does not ask the kernel, and the next datagram wakes it.
#[tokio::test]
async fn a_socket_that_rested_is_woken_by_the_answer() {
    let (here, there) = pair(LOOPBACKS[0]);
    let (mut head, mut body) = ([0; 4], [0; 9]);
    for round in 0..100 {
        there.try_send(b"question").unwrap();
        soon(receive(&here, &mut head, &mut body)).await.unwrap();
        here.rest();
        let error = here.try_receive(&mut head, &mut body).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "round {round}");
        here.try_send(b"answer").unwrap();
        soon(receive(&there, &mut head, &mut body)).await.unwrap();
    }
}

#[tokio::test]
async fn the_listening_socket_is_of_one_family_alone() {
    let v6 = bind(on(Ipv6Addr::UNSPECIFIED.into())).unwrap();
    let port = v6.local_addr().unwrap().port();
    let v4 = bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)).unwrap();
    assert_eq!(v4.local_addr().unwrap().port(), port);
    let taken = bind(v4.local_addr().unwrap()).unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn blocks_of_no_octets_are_refused() {
    let (_here, there) = pair(LOOPBACKS[0]);
    let error = there.try_send_blocks(numbered, 0, b"a", None).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

/// Between bind and connect the kernel takes everybody's datagrams: they are no part of the transaction.
#[test]
fn what_strangers_sent_before_a_socket_had_its_peer_is_forgotten() {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let [peer, stranger] = [(); 2].map(|()| std::net::UdpSocket::bind(anywhere).unwrap());
    let socket = open(anywhere).unwrap();
    rustix::net::bind(&socket, &anywhere).unwrap();
    let socket = std::net::UdpSocket::from(socket);
    for _ in 0..3 {
        let address = socket.local_addr().unwrap();
        stranger.send_to(b"\0\x05\0\0forged\0", address).unwrap();
    }
    let socket = OwnedFd::from(socket);
    keep_to(&socket, peer.local_addr().unwrap()).unwrap();
    let got = rustix::net::recv(&socket, &mut [0; 99][..], RecvFlags::DONTWAIT);
    assert_eq!(got.unwrap_err(), Errno::WOULDBLOCK);
}
