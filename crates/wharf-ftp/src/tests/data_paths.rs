//! PASV, EPSV, PORT, EPRT: how data connections come about, and who may be at the other end
//! (DAT-01 to DAT-18, CVE-1999-0017, CVE-1999-0351).

use std::time::Duration;

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpSocket, TcpStream},
};

use super::{
    client::{read_all, soon, stop_the_clock},
    *,
};

async fn house_with_a_file() -> (House, Client) {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    client.store("file", b"content").await;
    (house, client)
}

/// Connects from another loopback address: a stranger.
async fn connect_as_stranger(address: std::net::SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    soon(socket.connect(address)).await.unwrap()
}

/// DAT-11: a transfer that is refused before its 150 keeps the listener and an accepted connection.
#[tokio::test]
async fn dat_11_a_refused_transfer_keeps_the_data_path() {
    let (_house, mut client) = house_with_a_file().await;
    let mut data = client.passive().await;
    for refused in [
        "RETR missing",
        "LIST missing",
        "STOR small/none/x",
        "RETR small",
        "NLST missing",
        "MLSD file",
    ] {
        assert!(client.say(refused).await.code >= 500, "{refused}");
    }
    client.ask("REST 8", 350).await;
    client.ask("RETR file", 554).await;
    client.ask("REST 8", 350).await;
    client.ask("STOR file", 554).await;
    client.ask("RETR file", 150).await;
    assert_eq!(read_all(&mut data).await.unwrap(), b"content");
    client.expect(226).await;
    let listener = client.active().await;
    client.ask("RETR missing", 550).await;
    client.ask("RETR file", 150).await;
    let (mut data, _) = soon(listener.accept()).await.unwrap();
    assert_eq!(read_all(&mut data).await.unwrap(), b"content");
    client.expect(226).await;
}

/// DAT-11: one listener per session, closed by whatever sets up another path.
#[tokio::test]
async fn dat_11_a_new_set_up_closes_the_former_listener() {
    let (_house, mut client) = house_with_a_file().await;
    for next in ["PASV", "EPSV", "PORT", "EPRT", "REIN"] {
        let address = client.passive_address().await;
        match next {
            "PORT" => drop(client.active().await),
            "EPRT" => drop(client.ask("EPRT |1|127.0.0.1|4000|", 200).await),
            _ => assert!(client.say(next).await.code < 300),
        }
        assert!(TcpStream::connect(address).await.is_err(), "{next}");
    }
}

/// DAT-06, CVE-1999-0017: a refused target is never connected to and leaves the former set-up.
#[tokio::test]
async fn dat_06_a_refused_target_leaves_the_former_set_up() {
    let (_house, mut client) = house_with_a_file().await;
    let mut data = client.passive().await;
    for (command, code) in [
        ("PORT 127,0,0,2,100,1", 501),
        ("PORT 192,0,2,1,100,1", 501),
        ("PORT 127,0,0,1,0,25", 504),
        ("PORT 127,0,0,1,0,0", 501),
        ("EPRT |1|10.0.0.1|4000|", 501),
        ("EPRT |1|127.0.0.1|1023|", 504),
        ("EPRT |3|127.0.0.1|4000|", 522),
        ("EPSV 2", 522),
    ] {
        client.ask(command, code).await;
    }
    client.ask("RETR file", 150).await;
    assert_eq!(read_all(&mut data).await.unwrap(), b"content");
    client.expect(226).await;
}

/// DAT-01: PORT and EPRT serve one transfer.
#[tokio::test]
async fn dat_01_an_active_target_serves_one_transfer() {
    let (_house, mut client) = house_with_a_file().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    client.ask(&format!("EPRT |1|127.0.0.1|{port}|"), 200).await;
    client.ask("STOR new", 150).await;
    let (mut data, _) = soon(listener.accept()).await.unwrap();
    soon(data.write_all(b"from us")).await.unwrap();
    drop(data);
    client.expect(226).await;
    assert_eq!(client.fetch("RETR new").await, b"from us");
    // Now it is RFC 959's default port, where this client does not listen.
    client.ask("RETR new", 150).await;
    assert!(
        client
            .expect(425)
            .await
            .text
            .contains("use PASV or PORT first")
    );
}

#[tokio::test]
async fn without_a_default_port_an_unprepared_transfer_is_refused_before_the_150() {
    let mut plan = Plan::default();
    plan.settings.data.default_port = false;
    let house = plan.open().await;
    let mut client = Client::login(&house, "anna").await;
    for command in ["LIST", "STOR x", "NLST", "MLSD"] {
        client.ask(command, 425).await;
    }
    assert_eq!(
        client.list("NLST").await,
        ["disk", "small"],
        "STOR made nothing"
    );
}

#[tokio::test]
async fn active_mode_can_be_switched_off() {
    let mut plan = Plan::default();
    plan.settings.data.active = false;
    let house = plan.open().await;
    let mut client = Client::login(&house, "anna").await;
    client.ask("PORT 127,0,0,1,100,1", 502).await;
    client.ask("LIST", 425).await;
    client.list("LIST").await;
}

/// The texts of 425 name port, peer and time, so that the cause can be found.
#[tokio::test]
async fn the_425_of_a_wait_names_port_peer_and_time() {
    let (house, mut client) = house_with_a_file().await;
    let address = client.passive_address().await;
    client.ask("RETR file", 150).await;
    stop_the_clock();
    let text = client.expect(425).await.text;
    for part in [&format!("port {}", address.port()), "127.0.0.1", "60 s"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(house.events("DataConnection").len(), 1);
    client.ask("NOOP", 200).await;
}

#[tokio::test]
async fn the_425_of_a_refused_connection_names_the_target() {
    let (_house, mut client) = house_with_a_file().await;
    let listener = client.active().await;
    let address = listener.local_addr().unwrap();
    drop(listener);
    client.ask("RETR file", 150).await;
    let text = client.expect(425).await.text;
    assert!(
        text.contains(&address.to_string()) && text.contains("passive mode"),
        "{text}"
    );
}

/// DAT-11: a listener that nobody uses is closed in time, unless the client waits on it already.
#[tokio::test]
async fn dat_11_an_unused_listener_is_closed_in_time() {
    let (_house, mut client) = house_with_a_file().await;
    let mut waiting = client.passive().await;
    stop_the_clock();
    tokio::time::advance(Duration::from_secs(61)).await;
    client.ask("NOOP", 200).await;
    client.ask("RETR file", 150).await;
    assert_eq!(read_all(&mut waiting).await.unwrap(), b"content");
    client.expect(226).await;
    let address = client.passive_address().await;
    tokio::time::advance(Duration::from_secs(59)).await;
    client.ask("NOOP", 200).await;
    drop(soon(TcpStream::connect(address)).await.unwrap());
    let address = client.passive_address().await;
    tokio::time::advance(Duration::from_secs(61)).await;
    client.ask("NOOP", 200).await;
    assert!(TcpStream::connect(address).await.is_err());
    client.ask("RETR file", 150).await;
    client.expect(425).await;
}

/// RFC 2428: over IPv6 there is no PASV and no PORT, but EPSV and EPRT.
#[tokio::test]
async fn rfc_2428_ipv6_has_epsv_and_eprt() {
    let house = Plan {
        address: "::1".parse().unwrap(),
        ..Plan::default()
    }
    .open()
    .await;
    let mut client = Client::login(&house, "anna").await;
    assert!(client.ask("PASV", 522).await.text.contains("(2)"));
    client.ask("EPSV 1", 522).await;
    client.ask("PORT 127,0,0,1,100,1", 501).await;
    client.ask("EPRT |1|127.0.0.1|4000|", 501).await;
    client.ask("EPRT |2|2001:db8::1|4000|", 501).await;
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    client
        .ask(
            &format!("EPRT |2|::1|{}|", listener.local_addr().unwrap().port()),
            200,
        )
        .await;
    client.ask("STOR file", 150).await;
    let (mut data, _) = soon(listener.accept()).await.unwrap();
    data.write_all(b"content").await.unwrap();
    drop(data);
    client.expect(226).await;
    let text = client.ask("EPSV 2", 229).await.text;
    let port: u16 = text.split('|').nth(3).unwrap().parse().unwrap();
    let mut data = soon(TcpStream::connect(("::1", port))).await.unwrap();
    client.ask("RETR file", 150).await;
    assert_eq!(read_all(&mut data).await.unwrap(), b"content");
    client.expect(226).await;
}

/// INT-43, DAT-15: a data connection that is there before the command, even one that is over.
#[tokio::test]
async fn dat_15_data_may_come_before_the_command() {
    let (_house, mut client) = house_with_a_file().await;
    let mut data = client.passive().await;
    data.write_all(b"early").await.unwrap();
    drop(data);
    client.ask("STOR early", 150).await;
    client.expect(226).await;
    let address = client.passive_address().await;
    let mut data = soon(TcpStream::connect(address)).await.unwrap();
    client.ask("RETR early", 150).await;
    assert_eq!(read_all(&mut data).await.unwrap(), b"early");
    client.expect(226).await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "the listener closes behind one connection"
    );
}

/// CVE-1999-0351, ProFTPD 2272: a stranger gets nothing and does not end the wait, whether he comes
/// before the command or behind it; ten of them do.
#[tokio::test]
async fn cve_1999_0351_strangers_on_a_passive_port_get_nothing() {
    let (_house, mut client) = house_with_a_file().await;
    for command in ["PASV", "EPSV"] {
        let address = if command == "PASV" {
            client.passive_address().await
        } else {
            let text = client.ask("EPSV", 229).await.text;
            let port = text.split('|').nth(3).unwrap().parse().unwrap();
            std::net::SocketAddr::from(([127, 0, 0, 1], port))
        };
        let mut early = connect_as_stranger(address).await;
        client.ask("RETR file", 150).await;
        let mut late = connect_as_stranger(address).await;
        let mut data = soon(TcpStream::connect(address)).await.unwrap();
        assert_eq!(read_all(&mut data).await.unwrap(), b"content");
        client.expect(226).await;
        for stranger in [&mut early, &mut late] {
            assert!(
                read_all(stranger).await.unwrap_or_default().is_empty(),
                "{command}"
            );
        }
    }
    let address = client.passive_address().await;
    client.ask("RETR file", 150).await;
    for _ in 0..10 {
        drop(connect_as_stranger(address).await);
    }
    let text = client.expect(425).await.text;
    assert!(
        text.contains("127.0.0.1") && text.contains(&address.port().to_string()),
        "{text}"
    );
}

/// DAT-18: with the right `fxp` a third host may fetch.
#[tokio::test]
async fn dat_18_the_right_fxp_lets_a_third_host_connect() {
    let (house, mut client) = house_with_a_file().await;
    client.ask("QUIT", 221).await;
    let mut client = Client::login(&house, "fay").await;
    let address = client.passive_address().await;
    let mut stranger = connect_as_stranger(address).await;
    client.ask("RETR file", 150).await;
    assert_eq!(read_all(&mut stranger).await.unwrap(), b"content");
    client.expect(226).await;
    // DAT-05: not to this very host, right or not. DAT-04: not to a low port.
    client.ask("PORT 127,0,0,2,100,1", 501).await;
    client.ask("PORT 192,0,2,1,0,25", 504).await;
    client.ask("PORT 224,0,0,1,100,1", 501).await;
    client.ask("PORT 192,0,2,1,100,1", 200).await;
    // The right is the account's, not the connection's.
    client.ask("USER anna", 331).await;
    client.ask("PASS secret", 230).await;
    client.ask("PORT 192,0,2,1,100,1", 501).await;
}

/// RFC 2428 4: after EPSV ALL only EPSV, until the next login.
#[tokio::test]
async fn epsv_all_leaves_only_epsv() {
    let (_house, mut client) = house_with_a_file().await;
    client.ask("EPSV ALL", 200).await;
    for command in ["PASV", "PORT 127,0,0,1,100,1", "EPRT |1|127.0.0.1|4000|"] {
        client.ask(command, 503).await;
    }
    client.ask("EPSV", 229).await;
    client.ask("EPSV 1", 229).await;
    client.ask("USER anna", 331).await;
    client.ask("PASS secret", 230).await;
    client.ask("PASV", 227).await;
}

/// Ports of sessions that never connect are freed, and none lies outside the range.
#[tokio::test]
async fn thousands_of_pasv_stay_in_the_range_and_exhaustion_is_told_and_mended() {
    let range = 30_400..=30_407;
    let mut plan = Plan::default();
    plan.settings.data.passive_ports = range.clone();
    let house = plan.open().await;
    let mut client = Client::login(&house, "anna").await;
    for _ in 0..2000 {
        assert!(range.contains(&client.passive_address().await.port()));
    }
    let mut others = Vec::new();
    let refused = loop {
        let mut other = Client::login(&house, "anna").await;
        let reply = other.say("PASV").await;
        others.push(other);
        if reply.code != 227 {
            break reply;
        }
        assert!(others.len() <= 8, "more listeners than ports");
    };
    assert_eq!(refused.code, 425, "{refused:?}");
    let mut last = others.pop().unwrap();
    last.ask("EPSV", 425).await;
    client.ask("ABOR", 226).await;
    last.ask("PASV", 227).await;
    drop(last);
    drop(others);
    for _ in 0..100 {
        client.passive_address().await;
    }
    assert_eq!(client.list("NLST").await, ["disk", "small"]);
}
