//! What is a request, who may make it, and what it names.

use std::net::SocketAddr;

use crate::{WriteMode, rewrite::Rewrite};

use super::{
    house::House,
    peer::{Peer, RRQ, Said, WRQ, ack, data, error, request},
};

/// Everything that was answered to `peer` before the answer to a request that is all right.
async fn answers_before_a_request(house: &House, peer: &Peer) -> Vec<Said> {
    peer.ask(&request(RRQ, "sound", "octet", &[])).await;
    let mut answers = Vec::new();
    loop {
        let (said, from) = peer.hear().await;
        if said == Said::Data(1, b"sound".to_vec()) {
            peer.say(&ack(1), from).await;
            house.emptied().await;
            return answers;
        }
        answers.push(said);
    }
}

#[tokio::test]
async fn tft_01_a_request_that_cannot_be_read_gets_error_4() {
    let house = House::usual().await;
    house.put("sound", b"sound").await;
    let peer = house.peer().await;
    let long = [&b"\0\x01"[..], &[b'a'; 3000], b"\0octet\0"].concat();
    let bad: [&[u8]; 9] = [
        b"\0\x01name",
        b"\0\x01",
        b"\0\x02\0octet\0",
        b"\0\x01name\0mail\0",
        b"\0\x01name\0image\0",
        b"\0\x01name\0octet\0blksize\0",
        b"\0\x01name\0octet\0blksize\x00512",
        b"\0\x02name\0\0",
        &long,
    ];
    for datagram in bad {
        peer.ask(datagram).await;
        let answers = answers_before_a_request(&house, &peer).await;
        assert!(
            matches!(answers.as_slice(), [Said::Error(4, _)]),
            "{:?}: {answers:?}",
            datagram.escape_ascii().to_string()
        );
    }
}

/// CVE-2024-2169: two servers that answer each other's packets never come to an end.
#[tokio::test]
async fn cve_2024_2169_an_error_is_never_answered_nor_anything_else_that_is_no_request() {
    for single_port in [false, true] {
        let house = House::with(|plan| plan.settings.single_port = single_port).await;
        house.put("sound", b"sound").await;
        let peer = house.peer().await;
        let strays: [&[u8]; 11] = [
            b"",
            b"\0",
            b"\0\x03",
            b"\0\x00name\0octet\0",
            b"\0\x09name\0octet\0",
            b"\x01\0name\0octet\0",
            &error(0, "what"),
            &error(4, "Illegal operation"),
            &error(5, "Unknown transfer ID"),
            &data(1, b"data"),
            &ack(0),
        ];
        for datagram in strays {
            peer.ask(datagram).await;
        }
        peer.ask(b"\0\x06blksize\x001\0").await;
        assert_eq!(answers_before_a_request(&house, &peer).await, []);
    }
}

/// CVE-2024-2169, TFT-03: neither another server nor ourselves.
#[tokio::test]
async fn cve_2024_2169_requests_from_a_servers_port_are_ignored() {
    let house = House::usual().await;
    house.put("sound", b"sound").await;
    let twin = Peer::at(
        &SocketAddr::from(([127, 0, 0, 2], house.address.port())).to_string(),
        house.address,
    )
    .await;
    twin.ask(&request(RRQ, "sound", "octet", &[])).await;
    twin.ask(b"\0\x01broken").await;
    let peer = house.peer().await;
    assert_eq!(answers_before_a_request(&house, &peer).await, []);
    assert_eq!(twin.heard(), []);
    assert_eq!(house.told(), ["download_committed /sound 5"]);
}

#[tokio::test]
async fn tft_03_requests_to_many_are_ignored() {
    let house = House::with(|plan| plan.address = "0.0.0.0:0").await;
    house.put("sound", b"sound").await;
    let here = SocketAddr::from(([127, 0, 0, 1], house.address.port()));
    let peer = Peer::at("127.0.0.1:0", here).await;
    peer.socket.set_broadcast(true).unwrap();
    let everybody = ([127, 255, 255, 255], house.address.port()).into();
    peer.say(&request(RRQ, "sound", "octet", &[]), everybody)
        .await;
    peer.say(b"\0\x01broken", everybody).await;
    assert_eq!(answers_before_a_request(&house, &peer).await, []);
}

#[tokio::test]
async fn no_datagram_breaks_the_server() {
    let house = House::usual().await;
    house.put("sound", b"sound").await;
    let peer = house.peer().await;
    let mut seed = 1_u32;
    for _ in 0..300 {
        let mut datagram = vec![0, 1 + seed.to_le_bytes()[2] % 6];
        for _ in 0..seed % 97 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let octet = seed.to_be_bytes()[0];
            datagram.push(if octet < 80 { 0 } else { octet });
        }
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        peer.ask(&datagram).await;
        peer.heard();
    }
    let fresh = house.peer().await;
    assert_eq!(answers_before_a_request(&house, &fresh).await, []);
}

/// CVE-2009-2957, CVE-2021-41054, CVE-2020-6097, CVE-2011-2199.
#[tokio::test]
async fn cve_2009_2957_long_names_and_options_of_nonsense_are_answered_in_order() {
    let house = House::usual().await;
    house.put("sound", b"sound").await;
    let peer = house.peer().await;
    let name = "n".repeat(1500);
    let nonsense = [
        ("blksize", "99999999999999999999999"),
        ("blksize2", "-1"),
        ("tsize", "abc"),
        ("timeout", "0"),
        ("utimeout", "1"),
        ("windowsize", "65536000"),
        ("multicast", ""),
        ("", ""),
        ("rollover", "2"),
    ];
    let (said, _) = peer.answer(&request(RRQ, &name, "octet", &nonsense)).await;
    assert!(matches!(said, Said::Error(..)), "{said:?}");
    let (said, from) = peer
        .answer(&request(RRQ, "sound", "octet", &nonsense))
        .await;
    assert!(
        said == Said::Data(1, b"sound".to_vec())
            || said == Said::Oack(vec![("windowsize".into(), "64".into())]),
        "{said:?}"
    );
    peer.say(&error(0, "enough"), from).await;
}

#[tokio::test]
async fn tft_04_names_come_in_every_usual_form_and_lead_nowhere_else() {
    let house = House::usual().await;
    house.make_directory("boot").await;
    house.put("boot/image", b"content").await;
    let peer = house.peer().await;
    for name in [
        "boot/image",
        "/boot/image",
        "//boot///image",
        "\\boot\\image",
        "./boot/./image",
    ] {
        assert_eq!(
            peer.get(name, "octet", &[]).await.unwrap(),
            b"content",
            "{name}"
        );
    }
    for (name, code) in [
        ("../boot/image", 2),
        ("boot/../../etc/passwd", 2),
        ("boot\\..\\image", 2),
        ("boot", 2),
        ("/", 2),
        ("boot/none", 1),
        ("none/image", 1),
        ("BOOT/IMAGE", 1),
    ] {
        let (got, _) = peer.get(name, "octet", &[]).await.unwrap_err();
        assert_eq!(got, code, "{name}");
    }
    house.heard("request_refused none/image").await;
    house.heard("request_refused ../boot/image").await;
}

#[tokio::test]
async fn tft_04_names_are_found_in_any_case_where_that_is_wanted() {
    let house = House::with(|plan| plan.settings.ignore_case = true).await;
    house.make_directory("Boot").await;
    house.put("Boot/Image.Bin", b"content").await;
    let peer = house.peer().await;
    assert_eq!(
        peer.get("BOOT/image.bin", "octet", &[]).await.unwrap(),
        b"content"
    );
}

#[tokio::test]
async fn tft_04_names_are_rewritten() {
    let rewrite = Rewrite::new("flash:*", "/images/$1", Vec::new(), false).unwrap();
    let house = House::with(|plan| plan.settings.rewrites = vec![rewrite]).await;
    house.make_directory("images").await;
    house.put("images/ios.bin", b"content").await;
    let peer = house.peer().await;
    assert_eq!(
        peer.get("flash:ios.bin", "octet", &[]).await.unwrap(),
        b"content"
    );
    let refused = peer.get("flash:..", "octet", &[]).await.unwrap_err();
    assert_eq!(refused.0, 2);
}

#[tokio::test]
async fn tft_05_whom_no_rule_knows_hears_nothing() {
    let house = House::usual().await;
    house.put("sound", b"sound").await;
    let mut settings = house.settings.clone();
    settings.clients[0].networks = vec!["127.0.0.1/32".parse().unwrap()];
    house.front_end.reload(settings);
    let stranger = Peer::at("127.0.0.2:0", house.address).await;
    stranger.ask(&request(RRQ, "sound", "octet", &[])).await;
    let told = house.heard("refused").await;
    assert!(told.contains("tftp.client"), "{told}");
    let peer = house.peer().await;
    assert_eq!(answers_before_a_request(&house, &peer).await, []);
    assert_eq!(stranger.heard(), []);
}

#[tokio::test]
async fn tft_05_each_client_gets_what_its_rule_says() {
    let house = House::usual().await;
    house.make_directory("by").await;
    house.make_directory("by/127.0.0.2").await;
    house.put("by/127.0.0.2/f", b"yours").await;
    house.put("f", b"everybody's").await;
    let mut settings = house.settings.clone();
    let mut own = settings.clients[0].clone();
    own.networks = vec!["127.0.0.2/32".parse().unwrap()];
    own.directory = "/by/%IP%".parse().unwrap();
    own.write = WriteMode::Deny;
    let mut silent = settings.clients[0].clone();
    silent.networks = vec!["127.0.0.3/32".parse().unwrap()];
    silent.read = false;
    settings.clients.splice(0..0, [own, silent]);
    house.front_end.reload(settings);
    let second = Peer::at("127.0.0.2:0", house.address).await;
    assert_eq!(second.get("/f", "octet", &[]).await.unwrap(), b"yours");
    assert_eq!(second.get("../f", "octet", &[]).await.unwrap_err().0, 2);
    assert_eq!(second.put("/g", "octet", &[], b"x").await.unwrap_err().0, 2);
    let third = Peer::at("127.0.0.3:0", house.address).await;
    assert_eq!(third.get("/f", "octet", &[]).await.unwrap_err().0, 2);
    let first = house.peer().await;
    assert_eq!(first.get("/f", "octet", &[]).await.unwrap(), b"everybody's");
    assert_eq!(house.content("g").await, None);
}

#[tokio::test]
async fn a_refusal_leaves_nobody_behind() {
    let house = House::with(|plan| plan.write = WriteMode::Deny).await;
    let peer = house.peer().await;
    for opcode in [RRQ, WRQ] {
        let (said, _) = peer.answer(&request(opcode, "none", "octet", &[])).await;
        let code = if opcode == RRQ { 1 } else { 2 };
        assert!(
            matches!(said, Said::Error(got, _) if got == code),
            "{said:?}"
        );
    }
    house.emptied().await;
    assert_eq!(house.told().len(), 2);
    assert!(
        house
            .told()
            .iter()
            .all(|told| told.starts_with("request_refused none"))
    );
}
