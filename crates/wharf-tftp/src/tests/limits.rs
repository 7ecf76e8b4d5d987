//! How much anybody may cost.

use std::time::Duration;

use super::{
    house::{HASTY, House, soon},
    peer::{Peer, RRQ, Said, WRQ, ack, error, request},
};

/// A packet in anybody's name draws as few answers as there are tries, and small ones.
#[tokio::test]
async fn tft_09_six_packets_at_the_most_go_to_an_address_that_never_answers() {
    for (opcode, options) in [
        (RRQ, &[][..]),
        (RRQ, &[("blksize", "65464"), ("windowsize", "64")]),
        (WRQ, &[]),
        (WRQ, &[("windowsize", "64")]),
    ] {
        let house = House::with(|plan| plan.settings.timing = HASTY).await;
        house.put("f", &[0; 100_000]).await;
        let peer = house.peer().await;
        peer.ask(&request(opcode, "f", "octet", options)).await;
        // Asking again does not help.
        for _ in 0..20 {
            peer.ask(&request(opcode, "f", "octet", options)).await;
        }
        let told = house
            .heard(if opcode == RRQ {
                "download_aborted"
            } else {
                "upload_aborted"
            })
            .await;
        assert!(told.contains("no answer from the client"), "{told}");
        house.emptied().await;
        let heard = peer.heard();
        assert!((2..=6).contains(&heard.len()), "{}", heard.len());
        assert!(heard.iter().all(|said| *said == heard[0]));
    }
}

#[tokio::test]
async fn tft_08_transfers_of_an_address_are_bounded_and_their_places_come_back() {
    let house = House::with(|plan| plan.settings.per_address = 3).await;
    house.put("f", &[0; 2000]).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let peer = house.peer().await;
        let (_, from) = peer.answer(&request(RRQ, "f", "octet", &[])).await;
        open.push((peer, from));
    }
    let late = house.peer().await;
    late.ask(&request(RRQ, "f", "octet", &[])).await;
    let told = house.heard("refused").await;
    assert!(told.contains("tftp.per_address"), "{told}");
    assert_eq!(late.heard(), [], "without a word");
    // Another address has places of its own.
    let other = Peer::at("127.0.0.2:0", house.address).await;
    assert_eq!(other.get("f", "octet", &[]).await.unwrap().len(), 2000);
    for (peer, from) in open {
        peer.say(&error(0, "enough"), from).await;
    }
    house.emptied().await;
    assert_eq!(late.get("f", "octet", &[]).await.unwrap().len(), 2000);
}

/// A flood of openings that nobody goes on with holds so many places and no more.
#[tokio::test]
async fn tft_08_half_open_floods_are_bounded() {
    let house = House::with(|plan| {
        plan.settings.transfers = 20;
        plan.settings.per_address = 1000;
        plan.settings.timing.initial = Duration::from_secs(3600);
    })
    .await;
    house.put("f", &[0; 2000]).await;
    let mut flood = Vec::new();
    for _ in 0..200 {
        let peer = house.peer().await;
        peer.ask(&request(RRQ, "f", "octet", &[("windowsize", "64")]))
            .await;
        flood.push(peer);
    }
    let told = house.heard("refused").await;
    assert!(told.contains("tftp.transfers"), "{told}");
    for peer in &flood[..20] {
        assert!(matches!(peer.hear().await.0, Said::Oack(_)));
    }
    assert_eq!(house.front_end.transactions.count(), 20);
    assert_eq!(house.engine.registry.len(), 20);
    assert!(flood[20..].iter().all(|peer| peer.heard().is_empty()));
    let refusals = house.told();
    let refusals = refusals.iter().filter(|told| told.starts_with("refused"));
    assert!(refusals.count() < 20, "a flood does not flood the log");
}

/// Asks again and again, as a client does, until there is an answer.
async fn insist(peer: &Peer, asked: &[u8]) -> Said {
    soon(async {
        loop {
            peer.ask(asked).await;
            tokio::task::yield_now().await;
            if let Some(said) = peer.heard().into_iter().next() {
                return said;
            }
        }
    })
    .await
}

/// 33 packets a second in anybody's names would else keep everybody out.
#[tokio::test]
async fn tft_08_who_never_answers_gives_way_to_who_asks() {
    for (opcode, told) in [(RRQ, "download_aborted"), (WRQ, "upload_aborted")] {
        let house = House::with(|plan| {
            plan.settings.transfers = 3;
            plan.settings.timing = HASTY;
            plan.settings.timing.tries = u32::MAX;
        })
        .await;
        house.put("f", &[0; 100]).await;
        let mut flood = Vec::new();
        for number in 0..3 {
            let peer = house.peer().await;
            let name = if opcode == RRQ {
                "f".to_owned()
            } else {
                number.to_string()
            };
            peer.ask(&request(opcode, &name, "octet", &[])).await;
            flood.push(peer);
        }
        for peer in &flood {
            peer.hear().await;
        }
        let peer = house.peer().await;
        let said = insist(&peer, &request(RRQ, "f", "octet", &[])).await;
        assert_eq!(said, Said::Data(1, vec![0; 100]));
        let told = house.heard(told).await;
        assert!(told.contains("others needed its place"), "{told}");
    }
}

/// A device that stores one file after the other does not fill its own places with files that are there.
#[tokio::test]
async fn tft_37_who_lingers_gives_way_to_who_asks() {
    let house = House::with(|plan| {
        plan.settings.per_address = 3;
        plan.settings.timing.initial = Duration::from_secs(3600);
    })
    .await;
    for number in 0..9 {
        let name = format!("f{number}");
        // No request is in vain: this one is sent once.
        let peer = house.peer().await;
        peer.put(&name, "octet", &[], b"content").await.unwrap();
        soon(async {
            while house.front_end.transactions.count() > 2 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    let told = house.told();
    assert!(told.len() == 9 && told.iter().all(|told| told.starts_with("upload_committed")));
}

/// Who sends requests in another's name keeps nobody out of FTP or SSH, and ends nobody's session there.
#[tokio::test]
async fn requests_take_no_places_of_connections() {
    let house = House::usual().await;
    house.put("f", &[0; 2000]).await;
    let peer = house.peer().await;
    peer.answer(&request(RRQ, "f", "octet", &[])).await;
    assert_eq!(house.front_end.transactions.count(), 1);
    assert_eq!(house.engine.admission.connections(), 0);
}

#[tokio::test]
async fn tft_08_requests_of_an_address_are_bounded() {
    let house = House::with(|plan| plan.settings.requests_per_second = 5).await;
    let peer = house.peer().await;
    for _ in 0..100 {
        peer.ask(b"\0\x01broken").await;
    }
    house.heard("refused too many requests").await;
    let other = Peer::at("127.0.0.2:0", house.address).await;
    let (said, _) = other.answer(&request(RRQ, "none", "octet", &[])).await;
    assert!(matches!(said, Said::Error(1, _)), "{said:?}");
    let answers = peer.heard().len();
    assert!((5..50).contains(&answers), "{answers}");
}

#[tokio::test]
async fn tft_06_answers_stay_within_the_port_range() {
    let range = 61_400..=61_402;
    let house = House::with(|plan| plan.settings.port_range = Some(range.clone())).await;
    house.put("f", &[0; 2000]).await;
    let mut open = Vec::new();
    let refused = loop {
        let peer = house.peer().await;
        let (said, from) = peer.answer(&request(RRQ, "f", "octet", &[])).await;
        match said {
            Said::Data(..) => {
                assert!(range.contains(&from.port()));
                open.push((peer, from));
            }
            other => break other,
        }
    };
    assert!(matches!(refused, Said::Error(0, _)), "{refused:?}");
    assert!(!open.is_empty() && open.len() <= 3);
    let told = house.heard("request_refused").await;
    assert!(told.contains("cannot open a port"), "{told}");
    for (peer, from) in open {
        peer.say(&ack(4), from).await;
        peer.say(&error(0, "enough"), from).await;
    }
    house.emptied().await;
}
