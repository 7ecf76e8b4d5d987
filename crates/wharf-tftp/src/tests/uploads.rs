//! WRQ: what may be stored, when it is there, and what is left when it is not.

use std::sync::Arc;

use wharf_vfs::{Grants, Rights, volumes::MemoryVolume};

use super::{
    house::{HASTY, House, pattern},
    peer::{Said, WRQ, ack, data, error, request},
};
use crate::WriteMode;

#[tokio::test]
async fn tft_30_files_of_every_length_arrive_whole() {
    let house = House::usual().await;
    for (number, octets) in [0, 1, 511, 512, 513, 1024, 65_464, 700_000]
        .into_iter()
        .enumerate()
    {
        let content = pattern(octets);
        for (turn, options) in [
            &[][..],
            &[("blksize", "8"), ("windowsize", "16")],
            &[("blksize", "1428"), ("windowsize", "8")],
            &[("blksize", "65464"), ("tsize", "0")],
        ]
        .into_iter()
        .enumerate()
        {
            let peer = house.peer().await;
            let name = format!("f{number}-{turn}");
            peer.put(&name, "octet", options, &content).await.unwrap();
            assert!(
                house.content(&name).await.unwrap() == content,
                "{octets} {options:?}"
            );
            house
                .heard(&format!("upload_committed /{name} {octets}"))
                .await;
        }
    }
}

#[tokio::test]
async fn tft_37_the_last_ack_says_that_the_file_is_there_and_is_said_again() {
    let house = House::usual().await;
    let peer = house.peer().await;
    let (said, from) = peer.answer(&request(WRQ, "f", "octet", &[])).await;
    assert_eq!(said, Said::Ack(0));
    assert_eq!(house.content("f").await, None, "not before it is whole");
    peer.say(&data(1, &[7; 512]), from).await;
    assert_eq!(peer.hear().await.0, Said::Ack(1));
    assert_eq!(house.content("f").await, None);
    for _ in 0..3 {
        peer.say(&data(2, b"end"), from).await;
        assert_eq!(peer.hear().await.0, Said::Ack(2));
        assert_eq!(house.content("f").await.unwrap().len(), 515);
    }
    house.emptied().await;
    assert_eq!(house.told(), ["upload_committed /f 515"]);
}

#[tokio::test]
async fn tft_32_each_duplicate_block_is_acknowledged_again() {
    let house = House::usual().await;
    let peer = house.peer().await;
    let (_, from) = peer.answer(&request(WRQ, "f", "octet", &[])).await;
    for _ in 0..4 {
        peer.say(&data(1, &[1; 512]), from).await;
        assert_eq!(peer.hear().await.0, Said::Ack(1));
    }
    peer.say(&data(2, b"2"), from).await;
    assert_eq!(peer.hear().await.0, Said::Ack(2));
    assert_eq!(house.content("f").await.unwrap().len(), 513);
}

#[tokio::test]
async fn tft_34_a_gap_in_a_window_is_told_once_and_mended() {
    let house = House::usual().await;
    let peer = house.peer().await;
    let options = [("blksize", "8"), ("windowsize", "4")];
    let (said, from) = peer.answer(&request(WRQ, "f", "octet", &options)).await;
    assert!(matches!(said, Said::Oack(_)));
    for block in [1, 2, 4] {
        peer.say(&data(block, &[block.to_le_bytes()[0]; 8]), from)
            .await;
    }
    assert_eq!(peer.hear().await.0, Said::Ack(2));
    for block in [3, 4, 5] {
        peer.say(&data(block, &[block.to_le_bytes()[0]; 8]), from)
            .await;
    }
    peer.say(&data(6, b"end"), from).await;
    assert_eq!(peer.hear().await.0, Said::Ack(6));
    let content = house.content("f").await.unwrap();
    assert_eq!(content[..24], [[1; 8], [2; 8], [3; 8]].concat());
    assert_eq!(content.len(), 43);
}

#[tokio::test]
async fn tft_05_what_may_be_stored_is_the_modes_to_say() {
    for (write, new, old, writable) in [
        (WriteMode::Deny, Err(2), Err(2), Err(2)),
        (WriteMode::Existing, Err(1), Err(2), Ok(())),
        (WriteMode::Create, Ok(()), Err(6), Err(6)),
        (WriteMode::Overwrite, Ok(()), Ok(()), Ok(())),
    ] {
        let house = House::with(|plan| plan.write = write).await;
        house.put_with("old", b"before", 0o644).await;
        house.put_with("writable", b"before", 0o666).await;
        for (name, expected) in [("new", new), ("old", old), ("writable", writable)] {
            let peer = house.peer().await;
            let done = peer.put(name, "octet", &[], b"after").await;
            assert_eq!(done.map_err(|(code, _)| code), expected, "{write:?} {name}");
            let content = house.content(name).await;
            match (expected, name) {
                (Ok(()), _) => assert_eq!(content.unwrap(), b"after"),
                (Err(_), "new") => assert_eq!(content, None),
                (Err(_), _) => assert_eq!(content.unwrap(), b"before"),
            }
        }
        if write == WriteMode::Existing {
            assert_eq!(
                house.mode("writable").await,
                0o666,
                "or it was the last time"
            );
        }
    }
}

/// tftp-hpa 5.4: whatever a rule says, the account's rights hold as for every other protocol.
#[tokio::test]
async fn tftp_hpa_5_4_the_accounts_rights_hold_whatever_a_rule_says() {
    let house = House::with(|plan| plan.grants = Grants::everywhere(Rights::READ_ONLY)).await;
    house.put("f", b"before").await;
    let peer = house.peer().await;
    for name in ["f", "g"] {
        let (code, _) = peer.put(name, "octet", &[], b"after").await.unwrap_err();
        assert_eq!(code, 2);
    }
    assert_eq!(house.content("f").await.unwrap(), b"before");
}

#[tokio::test]
async fn tft_22_a_file_that_is_told_to_be_too_large_is_refused_before_it_begins() {
    let house = House::with(|plan| plan.settings.max_upload = 1000).await;
    let peer = house.peer().await;
    let (said, _) = peer
        .answer(&request(WRQ, "f", "octet", &[("tsize", "1001")]))
        .await;
    assert!(matches!(said, Said::Error(3, _)), "{said:?}");
    let told = house.heard("request_refused f").await;
    assert!(told.contains("tftp.max_upload"), "{told}");
    let options = [("tsize", "1000"), ("blksize", "1000")];
    let (said, from) = peer.answer(&request(WRQ, "f", "octet", &options)).await;
    assert!(matches!(said, Said::Oack(_)));
    peer.say(&data(1, &[0; 1000]), from).await;
    assert_eq!(peer.hear().await.0, Said::Ack(1));
    // It was told wrongly: the limit holds all the same.
    peer.say(&data(2, b"x"), from).await;
    assert!(matches!(peer.hear().await.0, Said::Error(3, _)));
    house.emptied().await;
    assert_eq!(house.names().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_volume_that_is_full_is_error_3_and_leaves_nothing() {
    let house = House::with(|plan| plan.volume = Arc::new(MemoryVolume::new(10_000))).await;
    let peer = house.peer().await;
    let options = [("blksize", "1000"), ("windowsize", "4")];
    let refused = peer.put("f", "octet", &options, &pattern(20_000)).await;
    assert_eq!(refused.unwrap_err().0, 3);
    house.heard("upload_aborted /f").await;
    house.emptied().await;
    assert_eq!(house.names().await, Vec::<String>::new());
}

#[tokio::test]
async fn tft_39_what_broke_off_is_removed_unless_it_shall_be_kept() {
    for (keep_partial, mode) in [(false, "octet"), (true, "octet"), (true, "netascii")] {
        let house = House::with(|plan| plan.settings.keep_partial = keep_partial).await;
        let peer = house.peer().await;
        let (_, from) = peer.answer(&request(WRQ, "f", mode, &[])).await;
        peer.say(&data(1, &[b'x'; 512]), from).await;
        assert_eq!(peer.hear().await.0, Said::Ack(1));
        peer.say(&error(3, "no more"), from).await;
        let told = house.heard("upload_aborted /f 512").await;
        assert!(told.ends_with(&format!("kept={keep_partial}")), "{told}");
        house.emptied().await;
        let left: &[&str] = if keep_partial { &["f"] } else { &[] };
        assert_eq!(house.names().await, left);
        if keep_partial {
            assert_eq!(house.content("f").await.unwrap(), [b'x'; 512]);
        }
    }
}

#[tokio::test]
async fn tft_33_a_client_that_falls_silent_is_given_up() {
    let house = House::with(|plan| plan.settings.timing = HASTY).await;
    let peer = house.peer().await;
    let (_, from) = peer.answer(&request(WRQ, "f", "octet", &[])).await;
    peer.say(&data(1, &[0; 512]), from).await;
    let told = house.heard("upload_aborted /f 512").await;
    assert!(told.contains("fell silent after block 1"), "{told}");
    house.emptied().await;
    assert_eq!(house.names().await, Vec::<String>::new());
}

#[tokio::test]
async fn tft_40_text_gets_the_hosts_line_ends_also_over_block_borders() {
    let house = House::usual().await;
    for (number, (wire, host)) in [
        (&b"a\r\nb"[..], &b"a\nb"[..]),
        (b"a\r\0b", b"a\rb"),
        (b"1234567\r\n12345\r\0", b"1234567\n12345\r"),
        (b"1234567\r", b"1234567\r"),
        (b"1234567\rx", b"1234567\rx"),
        (b"\r", b"\r"),
        (b"", b""),
    ]
    .into_iter()
    .enumerate()
    {
        for options in [
            &[][..],
            &[("blksize", "8")],
            &[("blksize", "8"), ("windowsize", "2")],
        ] {
            let peer = house.peer().await;
            let name = format!("f{number}");
            peer.put(&name, "NetASCII", options, wire).await.unwrap();
            assert_eq!(house.content(&name).await.unwrap(), host, "{options:?}");
        }
    }
    let peer = house.peer().await;
    let options = [("blksize", "1000"), ("windowsize", "8")];
    let wire = b"line\r\n\r\0".repeat(80_000);
    peer.put("long", "netascii", &options, &wire).await.unwrap();
    assert!(house.content("long").await.unwrap() == b"line\n\r".repeat(80_000));
    house.heard("upload_committed /long 640000 ascii").await;
}

/// INT-67: the same request comes again before its answer is there.
#[tokio::test]
async fn tft_07_a_repeated_wrq_repeats_the_ack_and_a_new_one_begins_anew() {
    let house = House::usual().await;
    let peer = house.peer().await;
    let asked = request(WRQ, "f", "octet", &[]);
    let (_, from) = peer.answer(&asked).await;
    assert_eq!(peer.answer(&asked).await, (Said::Ack(0), from));
    peer.say(&data(1, b"first"), from).await;
    assert_eq!(peer.hear().await.0, Said::Ack(1));
    // The old one lingers, but its client is elsewhere.
    let (said, again) = peer.answer(&asked).await;
    assert_eq!(said, Said::Ack(0));
    assert_ne!(from, again);
    peer.say(&data(1, b"second"), again).await;
    assert_eq!(peer.hear().await.0, Said::Ack(1));
    assert_eq!(house.content("f").await.unwrap(), b"second");
    peer.ask(&request(WRQ, "g", "octet", &[])).await;
    assert_eq!(peer.hear().await.0, Said::Ack(0));
}

/// Anybody can ask in anybody's name: nothing is made, and no name is held, before a block has come.
#[tokio::test]
async fn a_request_that_no_block_follows_holds_no_name() {
    let house = House::usual().await;
    let (forged, other) = (house.peer().await, house.peer().await);
    for options in [&[][..], &[("windowsize", "8")]] {
        let (said, _) = forged.answer(&request(WRQ, "f", "octet", options)).await;
        assert!(matches!(said, Said::Ack(0) | Said::Oack(_)));
        assert_eq!(house.names().await, Vec::<String>::new());
    }
    other.put("f", "octet", &[], b"x").await.unwrap();
    assert_eq!(house.content("f").await.unwrap(), b"x");
}

#[tokio::test]
async fn a_file_that_somebody_writes_is_busy() {
    let house = House::usual().await;
    let (one, other) = (house.peer().await, house.peer().await);
    let (_, from) = one.answer(&request(WRQ, "f", "octet", &[])).await;
    one.say(&data(1, &[b'1'; 512]), from).await;
    assert_eq!(one.hear().await.0, Said::Ack(1));
    let (code, text) = other.put("f", "octet", &[], b"x").await.unwrap_err();
    assert_eq!((code, text.as_str()), (0, "In use, try again later"));
    one.say(&data(2, b""), from).await;
    assert_eq!(one.hear().await.0, Said::Ack(2));
    assert_eq!(house.content("f").await.unwrap(), [b'1'; 512]);
}

#[tokio::test]
async fn what_makes_no_sense_in_an_upload_is_ignored() {
    let house = House::usual().await;
    let peer = house.peer().await;
    let (_, from) = peer.answer(&request(WRQ, "f", "octet", &[])).await;
    for datagram in [
        Vec::new(),
        vec![0, 3],
        vec![0, 3, 0],
        ack(0),
        ack(7),
        data(0, b"x"),
        data(9, b"x"),
        request(WRQ, "g", "octet", &[]),
        vec![9; 600],
    ] {
        peer.say(&datagram, from).await;
    }
    peer.say(&data(1, b"end"), from).await;
    while peer.hear().await.0 != Said::Ack(1) {}
    assert_eq!(house.content("f").await.unwrap(), b"end");
    assert_eq!(house.names().await, ["f"]);
}

#[tokio::test]
async fn a_block_larger_than_agreed_on_ends_an_upload_and_is_told() {
    let house = House::usual().await;
    let peer = house.peer().await;
    let (_, from) = peer.answer(&request(WRQ, "f", "octet", &[])).await;
    peer.say(&data(1, &[0; 513]), from).await;
    assert!(matches!(peer.hear().await.0, Said::Error(4, _)));
    let told = house.heard("upload_aborted /f 0").await;
    assert!(told.contains("larger than agreed on"), "{told}");
    house.emptied().await;
}

#[tokio::test]
async fn a_rate_limit_holds_for_uploads_and_the_file_comes_whole() {
    let house = House::with(|plan| plan.rate = Some(1 << 20)).await;
    let peer = house.peer().await;
    let content = pattern(300_000);
    let options = [("blksize", "1428"), ("windowsize", "8")];
    peer.put("f", "octet", &options, &content).await.unwrap();
    assert!(house.content("f").await.unwrap() == content);
}
