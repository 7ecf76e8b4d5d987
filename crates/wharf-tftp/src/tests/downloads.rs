//! RRQ: what goes out, when, and from where.

use std::time::Duration;

use wharf_vfs::OpenMode;

use super::{
    house::{HASTY, House, path, pattern, soon},
    peer::{Peer, RRQ, Said, ack, data, error, request},
};

fn oack(pairs: &[(&str, &str)]) -> Said {
    let pairs = pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    Said::Oack(pairs.collect())
}

#[tokio::test]
async fn tft_31_files_of_every_length_end_with_a_short_block() {
    let house = House::usual().await;
    let peer = house.peer().await;
    for (number, octets) in [0, 1, 511, 512, 513, 1024, 65_464, 200_000]
        .into_iter()
        .enumerate()
    {
        let name = format!("f{number}");
        let content = pattern(octets);
        house.put(&name, &content).await;
        for options in [
            &[][..],
            &[("blksize", "8"), ("windowsize", "64")],
            &[("blksize", "1428"), ("windowsize", "4")],
            &[("blksize", "65464"), ("windowsize", "2"), ("tsize", "0")],
        ] {
            let got = peer.get(&name, "octet", options).await.unwrap();
            assert!(got == content, "{octets} {options:?}");
        }
        house
            .heard(&format!("download_committed /{name} {octets}"))
            .await;
    }
    house.emptied().await;
}

#[tokio::test]
async fn tft_28_the_oack_answers_in_the_clients_words_and_order() {
    let house = House::usual().await;
    house.put("f", &pattern(700)).await;
    let peer = house.peer().await;
    let asked = [
        ("TSize", "0"),
        ("multicast", ""),
        ("WindowSize", "900"),
        ("blkSIZE", "600"),
        ("timeout", "3"),
        ("blksize", "100"),
        ("windowsize", "0"),
    ];
    let (said, from) = peer.answer(&request(RRQ, "f", "OcTeT", &asked)).await;
    let granted = [
        ("TSize", "700"),
        ("WindowSize", "64"),
        ("blkSIZE", "600"),
        ("timeout", "3"),
    ];
    assert_eq!(said, oack(&granted));
    peer.say(&ack(0), from).await;
    assert_eq!(peer.hear().await.0, Said::Data(1, pattern(600)));
}

#[tokio::test]
async fn tft_30_without_options_block_1_answers() {
    let house = House::usual().await;
    house.put("f", b"short").await;
    let peer = house.peer().await;
    let (said, from) = peer
        .answer(&request(RRQ, "f", "octet", &[("x", "1"), ("blksize", "7")]))
        .await;
    assert_eq!(said, Said::Data(1, b"short".to_vec()));
    assert_ne!(from.port(), house.address.port(), "a port of its own");
    peer.say(&ack(1), from).await;
    house.heard("download_committed /f 5").await;
}

#[tokio::test]
async fn tft_32_an_ack_that_comes_twice_sends_nothing_twice() {
    let house = House::usual().await;
    house.put("f", &pattern(2000)).await;
    let peer = house.peer().await;
    let (_, from) = peer.answer(&request(RRQ, "f", "octet", &[])).await;
    for block in 1..=3 {
        for _ in 0..5 {
            peer.say(&ack(block), from).await;
        }
        let Said::Data(got, _) = peer.hear().await.0 else {
            panic!("expected a block");
        };
        assert_eq!(got, block + 1);
    }
    peer.say(&ack(4), from).await;
    house.heard("download_committed").await;
    assert_eq!(peer.heard(), []);
}

#[tokio::test]
async fn tft_34_an_ack_inside_of_the_window_moves_it_forward() {
    let house = House::usual().await;
    house.put("f", &pattern(64)).await;
    let peer = house.peer().await;
    let options = [("blksize", "8"), ("windowsize", "4")];
    let (_, from) = peer.answer(&request(RRQ, "f", "octet", &options)).await;
    peer.say(&ack(0), from).await;
    let window = async |first: u16, last: u16| {
        for block in first..=last {
            let at = usize::from(block - 1) * 8;
            let content = pattern(64)[at.min(64)..(at + 8).min(64)].to_vec();
            assert_eq!(peer.hear().await.0, Said::Data(block, content));
        }
    };
    window(1, 4).await;
    // Blocks 3 and 4 were lost.
    peer.say(&ack(2), from).await;
    window(3, 6).await;
    // Older than the window: nothing.
    peer.say(&ack(1), from).await;
    peer.say(&ack(6), from).await;
    window(7, 9).await;
    peer.say(&ack(9), from).await;
    house.heard("download_committed /f 64").await;
}

#[tokio::test]
async fn tft_33_what_was_lost_is_sent_again_and_one_day_given_up() {
    let house = House::with(|plan| plan.settings.timing = HASTY).await;
    house.put("f", &pattern(600)).await;
    let peer = house.peer().await;
    let (said, from) = peer.answer(&request(RRQ, "f", "octet", &[])).await;
    assert_eq!(peer.hear().await.0, said, "again");
    peer.say(&ack(1), from).await;
    loop {
        match peer.hear().await.0 {
            Said::Data(..) => {}
            Said::Error(code, text) => {
                assert_eq!((code, text.as_str()), (0, "timeout"));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    // All was sent: probably it is there (TFT-37).
    house.heard("download_committed /f 600").await;
    house.emptied().await;
}

#[tokio::test]
async fn tft_36_block_numbers_wrap_as_agreed_on() {
    let house = House::usual().await;
    let content = pattern(8 * 66_000);
    house.put("f", &content).await;
    let peer = house.peer().await;
    for rollover in [&[][..], &[("rollover", "0")], &[("rollover", "1")]] {
        let options = [&[("blksize", "8"), ("windowsize", "64")], rollover].concat();
        let got = peer.get("f", "octet", &options).await.unwrap();
        assert!(got == content, "{rollover:?}");
    }
}

#[tokio::test]
async fn tft_38_who_asks_for_the_size_alone_is_told_so() {
    let house = House::usual().await;
    house.put("f", &pattern(600)).await;
    for (code, text) in [(0, "Early terminate"), (8, "User aborted the transfer")] {
        let peer = house.peer().await;
        let options = [("tsize", "0"), ("blksize", "1468")];
        let (said, from) = peer.answer(&request(RRQ, "f", "octet", &options)).await;
        assert_eq!(said, oack(&[("tsize", "600"), ("blksize", "1468")]));
        peer.say(&error(code, text), from).await;
        house.emptied().await;
        assert_eq!(house.told().pop().unwrap(), "size_asked /f 0");
        assert_eq!(peer.heard(), [], "an ERROR is never answered");
    }
    let peer = house.peer().await;
    let (_, from) = peer.answer(&request(RRQ, "f", "octet", &[])).await;
    peer.say(&error(3, "no room\x1b[0m"), from).await;
    let told = house.heard("download_aborted").await;
    assert!(told.contains("error 3: no room\\x1b[0m"), "{told}");
}

/// INT-60, INT-63: boot ROMs ask for the size, end it, and ask again from the same port at once.
#[tokio::test]
async fn tft_07_who_ended_it_may_ask_again_from_the_same_port_at_once() {
    let house = House::usual().await;
    house.put("f", &pattern(600)).await;
    let peer = house.peer().await;
    let asked = request(RRQ, "f", "octet", &[("tsize", "0"), ("blksize", "1468")]);
    for again in [
        asked.clone(),
        request(RRQ, "f", "octet", &[("blksize", "1468")]),
    ] {
        let (_, from) = peer.answer(&asked).await;
        // Both are under way at once.
        peer.say(&error(8, "enough"), from).await;
        peer.ask(&again).await;
        let (said, second) = peer.hear().await;
        assert!(matches!(said, Said::Oack(_)), "{said:?}");
        assert_ne!(from, second, "another transfer");
        peer.say(&ack(0), second).await;
        assert_eq!(peer.hear().await.0, Said::Data(1, pattern(600)));
        peer.say(&ack(1), second).await;
        house.emptied().await;
        assert!(
            house
                .told()
                .ends_with(&["download_committed /f 600".to_owned()])
        );
    }
    assert_eq!(
        house
            .told()
            .iter()
            .filter(|told| told.starts_with("size_asked"))
            .count(),
        2
    );
}

#[tokio::test]
async fn tft_07_the_same_request_again_repeats_the_opening_and_begins_nothing() {
    let house = House::usual().await;
    house.put("f", &pattern(600)).await;
    house.put("g", b"other").await;
    let peer = house.peer().await;
    let asked = request(RRQ, "f", "octet", &[("tsize", "0")]);
    let (first, from) = peer.answer(&asked).await;
    let (second, again) = peer.answer(&asked).await;
    assert_eq!((&first, from), (&second, again));
    assert_eq!(house.front_end.transactions.count(), 1);
    peer.say(&ack(0), from).await;
    assert_eq!(peer.hear().await.0, Said::Data(1, pattern(512)));
    // An old one that was long on its way disturbs nothing.
    peer.ask(&asked).await;
    // Another name: the old transfer is forgotten without a word.
    let (said, other) = peer.answer(&request(RRQ, "g", "octet", &[])).await;
    assert_eq!(said, Said::Data(1, b"other".to_vec()));
    peer.say(&ack(1), from).await;
    peer.say(&ack(1), other).await;
    house.heard("download_committed /g 5").await;
    house
        .heard("download_aborted /f 512 the client asked for something else")
        .await;
    house.emptied().await;
    assert_eq!(peer.heard(), []);
}

/// INT-67: gear that was switched off in between asks again from the same port.
#[tokio::test]
async fn tft_07_a_client_that_began_anew_is_served_anew() {
    let house = House::usual().await;
    house.put("f", &pattern(2000)).await;
    let peer = house.peer().await;
    let asked = request(RRQ, "f", "octet", &[]);
    let (_, from) = peer.answer(&asked).await;
    peer.say(&ack(1), from).await;
    assert_eq!(
        peer.hear().await.0,
        Said::Data(2, pattern(1024)[512..].to_vec())
    );
    peer.ask(&asked).await;
    // It was heard when what is under way comes again.
    assert!(matches!(peer.hear().await.0, Said::Data(2, _)));
    peer.ask(&asked).await;
    let again = loop {
        let (said, again) = peer.hear().await;
        if again != from {
            assert_eq!(said, Said::Data(1, pattern(512)));
            break again;
        }
    };
    for block in 1..=4 {
        peer.say(&ack(block), again).await;
    }
    house
        .heard("download_aborted /f 1024 the client has begun anew")
        .await;
}

#[tokio::test]
async fn tft_35_strangers_disturb_nothing() {
    for single_port in [false, true] {
        let house = House::with(|plan| plan.settings.single_port = single_port).await;
        house.put("f", &pattern(700)).await;
        let (peer, stranger) = (house.peer().await, house.peer().await);
        let (_, from) = peer.answer(&request(RRQ, "f", "octet", &[])).await;
        for datagram in [ack(1), error(0, "stop"), data(1, b"x"), vec![0; 3]] {
            stranger.say(&datagram, from).await;
        }
        peer.say(&ack(1), from).await;
        assert_eq!(
            peer.hear().await.0,
            Said::Data(2, pattern(700)[512..].to_vec())
        );
        peer.say(&ack(2), from).await;
        house.heard("download_committed /f 700").await;
        assert_eq!(peer.heard(), []);
    }
}

#[tokio::test]
async fn tft_06_the_answer_comes_from_the_address_that_was_asked() {
    for single_port in [false, true] {
        let house = House::with(|plan| {
            plan.address = "0.0.0.0:0";
            plan.settings.single_port = single_port;
        })
        .await;
        house.put("f", &pattern(3000)).await;
        let server = ([127, 0, 0, 5], house.address.port()).into();
        let peer = Peer::at("127.0.0.1:0", server).await;
        let (_, from) = peer.answer(&request(RRQ, "f", "octet", &[])).await;
        assert_eq!(from.ip(), server.ip());
        assert_eq!(from.port() == house.address.port(), single_port);
        peer.say(&error(0, "enough"), from).await;
        house.emptied().await;
        let got = peer
            .get("f", "octet", &[("windowsize", "3")])
            .await
            .unwrap();
        assert!(got == pattern(3000));
        let (said, from) = peer.answer(&request(RRQ, "none", "octet", &[])).await;
        assert!(matches!(said, Said::Error(1, _)));
        assert_eq!(from.ip(), server.ip());
    }
}

#[tokio::test]
async fn files_go_out_over_ipv6_too() {
    let house = House::with(|plan| plan.address = "[::1]:0").await;
    house.put("f", &pattern(3000)).await;
    let peer = Peer::at("[::1]:0", house.address).await;
    let options = [("blksize", "1000"), ("windowsize", "2")];
    assert!(peer.get("f", "octet", &options).await.unwrap() == pattern(3000));
}

/// The client has all and has closed its port; only its last word was lost.
#[tokio::test]
async fn tft_37_a_client_that_is_gone_after_the_last_block_has_the_file() {
    for (mode, content, octets) in [
        ("octet", pattern(700), 700),
        ("netascii", vec![b'x'; 1024], 1024),
    ] {
        let house = House::usual().await;
        house.put("f", &content).await;
        let peer = house.peer().await;
        let (said, from) = peer.answer(&request(RRQ, "f", mode, &[])).await;
        assert!(matches!(said, Said::Data(1, _)));
        let last = u16::try_from(octets / 512 + 1).unwrap();
        for block in 1..last {
            peer.say(&ack(block), from).await;
            assert!(matches!(peer.hear().await.0, Said::Data(got, _) if got == block + 1));
        }
        drop(peer);
        house
            .heard(&format!("download_committed /f {octets}"))
            .await;
        house.emptied().await;
    }
}

/// A window of blocks that the way swallows is no file at the client.
#[tokio::test]
async fn tft_37_a_client_that_never_acknowledged_a_block_has_no_file() {
    let house = House::with(|plan| plan.settings.timing = HASTY).await;
    house.put("f", &pattern(5000)).await;
    let peer = house.peer().await;
    let options = [("blksize", "2000"), ("windowsize", "64")];
    let (_, from) = peer.answer(&request(RRQ, "f", "octet", &options)).await;
    peer.say(&ack(0), from).await;
    let told = house.heard("download_aborted /f").await;
    assert!(told.contains("fell silent after block 0"), "{told}");
    assert!(told.contains("tftp.max_blksize"), "{told}");
    house.emptied().await;
}

#[tokio::test]
async fn tft_42_a_client_that_is_gone_ends_the_transfer_at_once() {
    let house = House::with(|plan| plan.settings.timing.initial = Duration::from_secs(3600)).await;
    house.put("f", &pattern(7000)).await;
    let peer = house.peer().await;
    let options = [("windowsize", "4")];
    let (_, from) = peer.answer(&request(RRQ, "f", "octet", &options)).await;
    let Peer { socket, .. } = peer;
    socket.send_to(&ack(0), from).await.unwrap();
    drop(socket);
    let told = house.heard("download_aborted /f").await;
    assert!(told.contains("the client is gone"), "{told}");
    house.emptied().await;
}

#[tokio::test]
async fn tft_41_a_file_that_shrinks_ends_with_error_0_and_growth_is_not_sent() {
    let house = House::usual().await;
    house.put("f", &pattern(2000)).await;
    let peer = house.peer().await;
    let (_, from) = peer.answer(&request(RRQ, "f", "octet", &[])).await;
    let file = house
        .volume
        .open(&path("f"), OpenMode::Update)
        .await
        .unwrap();
    file.write_at(pattern(4000), 0).await.unwrap();
    for block in 1..=2 {
        peer.say(&ack(block), from).await;
        assert!(matches!(peer.hear().await.0, Said::Data(got, _) if got == block + 1));
    }
    file.set_size(1000).await.unwrap();
    peer.say(&ack(3), from).await;
    let (said, _) = peer.hear().await;
    assert!(matches!(said, Said::Error(0, _)), "{said:?}");
    let told = house.heard("download_aborted /f 1536").await;
    assert!(told.contains("shorter"), "{told}");
}

#[tokio::test]
async fn tft_40_text_has_the_line_ends_of_the_wire_also_over_block_borders() {
    let house = House::usual().await;
    for (name, host, wire) in [
        ("plain", &b"a\nb"[..], &b"a\r\nb"[..]),
        ("cr", b"a\rb\r", b"a\r\0b\r\0"),
        ("border", b"1234567\n2345678\r", b"1234567\r\n2345678\r\0"),
        ("exact", b"12345678", b"12345678"),
        ("pair at the end", b"123456\n", b"123456\r\n"),
        ("empty", b"", b""),
    ] {
        house.put(name, host).await;
        let peer = house.peer().await;
        for options in [
            &[("blksize", "8")][..],
            &[("blksize", "8"), ("windowsize", "3")],
            &[],
        ] {
            let got = peer.get(name, "netascii", options).await.unwrap();
            assert_eq!(got, wire, "{name} {options:?}");
        }
        house
            .heard(&format!(
                "download_committed /{} {} ascii",
                name,
                wire.len()
            ))
            .await;
    }
    let text = b"line\n\r".repeat(40_000);
    house.put("long", &text).await;
    let peer = house.peer().await;
    let options = [("blksize", "1000"), ("windowsize", "64")];
    let got = peer.get("long", "netascii", &options).await.unwrap();
    assert!(got == b"line\r\n\r\0".repeat(40_000));
}

/// A window of text stands in one buffer while it waits for the socket or a rate, so it has no more than that.
#[tokio::test]
async fn tft_40_a_window_of_text_fits_into_a_buffer() {
    let house = House::usual().await;
    house.put("f", &pattern(700_000)).await;
    for (block_size, window) in [("65464", "4"), ("1428", "64"), ("8", "64")] {
        let peer = house.peer().await;
        let options = [("windowsize", "64"), ("blksize", block_size)];
        let asked = request(RRQ, "f", "netascii", &options);
        let granted = [("windowsize", window), ("blksize", block_size)];
        assert_eq!(peer.answer(&asked).await.0, oack(&granted));
    }
}

#[tokio::test]
async fn tft_40_a_block_of_text_that_goes_out_again_is_the_same() {
    let house = House::usual().await;
    house.put("f", b"a\nb\nc\nd\ne\nf\ng\nh\n").await;
    let wire = b"a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\n";
    let peer = house.peer().await;
    let options = [("blksize", "8"), ("windowsize", "3"), ("tsize", "0")];
    let (said, from) = peer.answer(&request(RRQ, "f", "netascii", &options)).await;
    // The size as it goes out (TFT-22).
    assert_eq!(
        said,
        oack(&[("blksize", "8"), ("windowsize", "3"), ("tsize", "24")])
    );
    let window = async |first: usize| {
        for block in first..=4 {
            let at = (block - 1) * 8;
            let content = wire[at.min(24)..(at + 8).min(24)].to_vec();
            assert_eq!(
                peer.hear().await.0,
                Said::Data(u16::try_from(block).unwrap(), content)
            );
            if block == first + 2 {
                break;
            }
        }
    };
    peer.say(&ack(0), from).await;
    window(1).await;
    peer.say(&ack(1), from).await;
    window(2).await;
    peer.say(&ack(2), from).await;
    window(3).await;
    peer.say(&ack(4), from).await;
    house.heard("download_committed /f 24 ascii").await;
}

#[tokio::test]
async fn a_rate_limit_holds_and_the_file_comes_whole() {
    let house = House::with(|plan| plan.rate = Some(1 << 20)).await;
    house.put("f", &pattern(300_000)).await;
    let peer = house.peer().await;
    let options = [("blksize", "65464"), ("windowsize", "64")];
    let (said, from) = peer.answer(&request(RRQ, "f", "octet", &options)).await;
    // A window takes no longer than a quarter of a second.
    assert_eq!(said, oack(&[("blksize", "65464"), ("windowsize", "4")]));
    peer.say(&error(0, "enough"), from).await;
    house.emptied().await;
    let got = soon(peer.get("f", "octet", &[("blksize", "1428"), ("windowsize", "64")])).await;
    assert!(got.unwrap() == pattern(300_000));
}
