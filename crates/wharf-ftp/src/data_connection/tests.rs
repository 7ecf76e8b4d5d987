//! Who may be at the other end, and what is said when nobody is.

use std::{net::Ipv4Addr, sync::Arc};

use super::*;
use crate::{Advertised, passive_ports};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn settings() -> DataSettings {
    DataSettings {
        passive_ports: 42_000..=42_099,
        advertised: Arc::new(Advertised::default()),
        accept_timeout: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(30),
        stall_timeout: Duration::from_secs(300),
        active: true,
        default_port: true,
        peer_check: PeerCheck::Exact,
    }
}

fn ends(peer: IpAddr) -> Ends {
    let local = SocketAddr::from(([192, 0, 2, 1], 21));
    Ends {
        peer: SocketAddr::new(peer, 4000),
        local,
        bound: local,
        fxp: false,
    }
}

fn check(target: &str, ends: &Ends) -> Result<(), DataRefusal> {
    check_target(target.parse().unwrap(), ends, &settings())
}

/// CVE-1999-0017 (DAT-04): refused before anything is connected to.
#[test]
fn cve_1999_0017_a_third_party_is_no_target() {
    let ends = ends(PEER);
    assert_eq!(check("192.0.2.7:1024", &ends), Ok(()));
    assert!(matches!(
        check("192.0.2.8:4000", &ends),
        Err(DataRefusal::ForeignAddress { .. })
    ));
    assert!(matches!(
        check("[2001:db8::1]:4000", &ends),
        Err(DataRefusal::ForeignAddress { .. })
    ));
    assert_eq!(check("192.0.2.7:25", &ends), Err(DataRefusal::LowPort(25)));
}

/// ProFTPD 2272: the mapped form of an address is the address.
#[test]
fn proftpd_2272_a_mapped_address_is_the_address() {
    assert_eq!(check("[::ffff:192.0.2.7]:4000", &ends(PEER)), Ok(()));
    assert!(matches!(
        check("[::ffff:192.0.2.8]:4000", &ends(PEER)),
        Err(DataRefusal::ForeignAddress { .. })
    ));
}

/// DAT-05, also with the right to send elsewhere.
#[test]
fn nobody_is_sent_to_loopback_or_to_ourselves() {
    let ends = Ends {
        fxp: true,
        ..ends(PEER)
    };
    assert_eq!(check("198.51.100.1:4000", &ends), Ok(()));
    for target in [
        "127.0.0.1:4000",
        "169.254.1.1:4000",
        "224.0.0.1:4000",
        "255.255.255.255:4000",
        "0.0.0.0:4000",
        "192.0.2.1:4000",
    ] {
        assert!(
            matches!(check(target, &ends), Err(DataRefusal::BadAddress(_))),
            "{target}"
        );
    }
    assert_eq!(
        check("198.51.100.1:80", &ends),
        Err(DataRefusal::LowPort(80))
    );
    let local = Ends {
        peer: "127.0.0.1:4000".parse().unwrap(),
        ..ends
    };
    assert_eq!(
        check("127.0.0.1:4001", &local),
        Ok(()),
        "a client on this host is its own peer"
    );
}

#[test]
fn active_mode_can_be_switched_off() {
    let settings = DataSettings {
        active: false,
        ..settings()
    };
    let refused = check_target("192.0.2.7:4000".parse().unwrap(), &ends(PEER), &settings);
    assert_eq!(refused, Err(DataRefusal::ActiveDisabled));
}

fn local_ends(peer: IpAddr) -> Ends {
    let local = SocketAddr::new(LOOPBACK, 2121);
    Ends {
        peer: SocketAddr::new(peer, 4000),
        local,
        bound: local,
        fxp: false,
    }
}

fn connect_from(source: [u8; 4], port: u16) -> std::net::TcpStream {
    let flags = SocketFlags::CLOEXEC;
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from((source, 0))).unwrap();
    rustix::net::connect(&socket, &SocketAddr::new(LOOPBACK, port)).unwrap();
    socket.into()
}

/// CVE-1999-0351 (DAT-14): a stranger who is first is dropped, and the client is still served.
#[tokio::test]
async fn cve_1999_0351_a_stranger_does_not_end_the_wait() {
    let settings = settings();
    for waits_first in [false, true] {
        let listener = passive_ports::open(LOOPBACK, &settings.passive_ports)
            .unwrap()
            .unwrap();
        let port = listener.address.port();
        let accepting = connect(DataPath::Passive(listener), local_ends(LOOPBACK), &settings);
        let connecting = async {
            if waits_first {
                tokio::task::yield_now().await;
            }
            let stranger = connect_from([127, 0, 0, 2], port);
            (stranger, connect_from([127, 0, 0, 1], port))
        };
        let (accepted, (stranger, client)) = if waits_first {
            tokio::join!(accepting, connecting)
        } else {
            let connected = connecting.await;
            (accepting.await, connected)
        };
        let mut stream = accepted.unwrap();
        stream.write_all(b"for the client").await.unwrap();
        stream.finish();
        let read = |mut socket: std::net::TcpStream| {
            let mut text = String::new();
            let end = io::Read::read_to_string(&mut socket, &mut text);
            (end.is_ok(), text)
        };
        assert_eq!(read(client), (true, "for the client".into()));
        assert_eq!(read(stranger).1, "", "a stranger gets nothing");
    }
}

#[tokio::test]
async fn too_many_strangers_end_the_wait() {
    let settings = settings();
    let listener = passive_ports::open(LOOPBACK, &settings.passive_ports)
        .unwrap()
        .unwrap();
    let port = listener.address.port();
    let strangers: Vec<_> = (0..MAX_STRANGERS)
        .map(|_| connect_from([127, 0, 0, 2], port))
        .collect();
    let refused = connect(DataPath::Passive(listener), local_ends(LOOPBACK), &settings)
        .await
        .unwrap_err();
    assert!(
        refused.contains("other addresses than 127.0.0.1") && refused.contains(&port.to_string()),
        "{refused}"
    );
    drop(strangers);
}

#[tokio::test]
async fn a_network_can_be_let_in_as_a_whole() {
    let settings = DataSettings {
        peer_check: PeerCheck::Prefix(24, 64),
        ..settings()
    };
    let listener = passive_ports::open(LOOPBACK, &settings.passive_ports)
        .unwrap()
        .unwrap();
    let neighbour = connect_from([127, 0, 0, 2], listener.address.port());
    assert!(
        connect(DataPath::Passive(listener), local_ends(LOOPBACK), &settings)
            .await
            .is_ok()
    );
    drop(neighbour);
}

/// Every failure says which port, which peer and how long.
#[tokio::test(start_paused = true)]
async fn a_wait_for_nobody_says_so() {
    let settings = settings();
    let listener = passive_ports::open(LOOPBACK, &settings.passive_ports)
        .unwrap()
        .unwrap();
    let port = listener.address.port();
    let refused = connect(DataPath::Passive(listener), local_ends(LOOPBACK), &settings)
        .await
        .unwrap_err();
    assert!(
        refused.starts_with(&format!(
            "no connection to port {port} from 127.0.0.1 within 60 s"
        )),
        "{refused}"
    );
}

#[tokio::test]
async fn an_active_target_is_reached_and_a_closed_one_is_named() {
    let settings = settings();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let mut stream = connect(DataPath::Active(target), local_ends(LOOPBACK), &settings)
        .await
        .unwrap();
    stream.write_all(b"x").await.unwrap();
    drop(listener);
    let refused = connect(DataPath::Active(target), local_ends(LOOPBACK), &settings)
        .await
        .unwrap_err();
    assert!(
        refused.contains(&target.to_string()) && refused.contains("refused"),
        "{refused}"
    );
}

/// CVE-1999-0017: the target is checked again when it is dialled.
#[tokio::test]
async fn a_target_is_checked_again_when_it_is_dialled() {
    let refused = connect(
        DataPath::Active("127.0.0.9:4000".parse().unwrap()),
        local_ends(LOOPBACK),
        &settings(),
    )
    .await;
    assert!(refused.unwrap_err().contains("127.0.0.9"));
}
