//! What is asked, granted and accepted.

use proptest::prelude::*;

use super::*;
use crate::tftp::{Mode, Packet};

const LIMITS: ServerLimits = ServerLimits {
    max_block_size: LARGEST_BLOCK,
    max_window: 64,
    rollover: Rollover::Zero,
};

/// A datagram of options as `name value name value`; `~` is the empty value.
fn listed(head: &[u8], options: &str) -> Vec<u8> {
    let mut out = head.to_vec();
    for word in options.split_whitespace() {
        out.extend_from_slice(word.trim_matches('~').as_bytes());
        out.push(0);
    }
    out
}

fn with_request<T>(datagram: &[u8], then: impl FnOnce(&Request<'_>) -> T) -> T {
    match Packet::parse(datagram) {
        Ok(Packet::Request(request)) => then(&request),
        other => panic!("{other:?}"),
    }
}

/// The terms and the OACK's options in words.
fn answered(
    direction: Direction,
    options: &str,
    limits: &ServerLimits,
    size: Option<u64>,
) -> (Terms, String) {
    let opcode = direction.opcode().to_be_bytes();
    let datagram = listed(&[&opcode[..], b"f\0octet\0"].concat(), options);
    let (terms, oack) = with_request(&datagram, |request| answer(request, limits, size));
    let words = oack.map_or(String::new(), |oack| {
        assert!(oack.starts_with(&[0, 6]) && oack.ends_with(&[0]));
        let words: Vec<_> = oack[2..oack.len() - 1]
            .split(|&octet| octet == 0)
            .map(|word| str::from_utf8(word).unwrap())
            .collect();
        words.join(" ")
    });
    (terms, words)
}

fn granted(options: &str) -> String {
    answered(Direction::Read, options, &LIMITS, Some(1000)).1
}

fn accepted(asked: &Offer, options: &str) -> Result<Terms, Violation> {
    match Packet::parse(&listed(&[0, 6], options)) {
        Ok(Packet::Oack(options)) => accept(asked, &options),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tft_20_blksize_is_granted_from_8_to_what_the_server_allows() {
    for (asked, expected) in [
        ("8", 8),
        ("512", 512),
        ("1468", 1468),
        ("65464", 65_464),
        ("65465", 65_464),
        ("4294967808", 65_464),
        ("0008", 8),
    ] {
        let asked = format!("blksize {asked}");
        let (terms, oack) = answered(Direction::Read, &asked, &LIMITS, None);
        assert_eq!(oack, format!("blksize {expected}"));
        assert_eq!(terms.block_size, expected);
    }
    let capped = ServerLimits {
        max_block_size: 1428,
        ..LIMITS
    };
    let (terms, oack) = answered(Direction::Write, "blksize 65464", &capped, None);
    assert_eq!((terms.block_size, &oack[..]), (1428, "blksize 1428"));
    // A limit of nonsense does not come out of the range.
    for (max_block_size, expected) in [(0, 8), (u16::MAX, LARGEST_BLOCK)] {
        let limits = ServerLimits {
            max_block_size,
            ..LIMITS
        };
        let (terms, _) = answered(Direction::Read, "blksize 65464", &limits, None);
        assert_eq!(terms.block_size, expected);
    }
}

#[test]
fn tft_20_nonsense_of_blksize_is_left_out() {
    for asked in [
        "0",
        "7",
        "-8",
        "+512",
        "0x200",
        "~",
        "512x",
        "99999999999999999999999",
    ] {
        let asked = format!("blksize {asked}");
        let (terms, oack) = answered(Direction::Read, &asked, &LIMITS, None);
        assert_eq!((terms, &oack[..]), (Terms::default(), ""), "{asked}");
    }
}

#[test]
fn tft_21_timeout_is_echoed_or_left_out() {
    let (terms, oack) = answered(Direction::Read, "timeout 255", &LIMITS, None);
    assert_eq!(oack, "timeout 255");
    assert_eq!(terms.interval, Some(Duration::from_secs(255)));
    for asked in ["0", "256", "~", "-1", "1.5"] {
        let (terms, oack) = answered(Direction::Read, &format!("timeout {asked}"), &LIMITS, None);
        assert_eq!((terms.interval, &oack[..]), (None, ""));
    }
}

#[test]
fn tft_22_tsize_tells_the_size_of_what_is_fetched() {
    let (terms, oack) = answered(Direction::Read, "tsize 0", &LIMITS, Some(5_000_000_000));
    assert_eq!(oack, "tsize 5000000000");
    assert_eq!(terms.size, Some(5_000_000_000));
    let (terms, oack) = answered(Direction::Read, "tsize 0", &LIMITS, None);
    assert_eq!((terms.size, &oack[..]), (None, ""));
    assert_eq!(granted("tsize ~"), "");
    // curl ends at a size of 0.
    let (terms, oack) = answered(Direction::Read, "tsize 0", &LIMITS, Some(0));
    assert_eq!((terms.size, &oack[..]), (None, ""));
}

#[test]
fn tft_22_tsize_of_an_upload_is_echoed() {
    let largest = format!("tsize {}", u64::MAX);
    let (terms, oack) = answered(Direction::Write, &largest, &LIMITS, Some(7));
    assert_eq!((terms.size, oack), (Some(u64::MAX), largest));
    let (terms, oack) = answered(
        Direction::Write,
        "tsize 18446744073709551616",
        &LIMITS,
        None,
    );
    assert_eq!((terms.size, &oack[..]), (None, ""));
}

#[test]
fn tft_23_windowsize_is_granted_from_1_to_what_the_server_allows() {
    for (asked, expected) in [("1", 1), ("16", 16), ("65535", 64), ("65536", 64)] {
        let asked = format!("windowsize {asked}");
        let (terms, oack) = answered(Direction::Read, &asked, &LIMITS, None);
        assert_eq!(
            (terms.window, oack),
            (expected, format!("windowsize {expected}"))
        );
    }
    for asked in ["0", "~", "x"] {
        let asked = format!("windowsize {asked}");
        let (terms, oack) = answered(Direction::Read, &asked, &LIMITS, None);
        assert_eq!((terms.window, &oack[..]), (1, ""));
    }
    let none = ServerLimits {
        max_window: 0,
        ..LIMITS
    };
    let (terms, oack) = answered(Direction::Read, "windowsize 9", &none, None);
    assert_eq!((terms.window, &oack[..]), (1, "windowsize 1"));
}

#[test]
fn tft_24_rollover_is_echoed_and_else_the_servers_own_holds() {
    let one = ServerLimits {
        rollover: Rollover::One,
        ..LIMITS
    };
    for (limits, asked, expected, oack) in [
        (LIMITS, "", Rollover::Zero, ""),
        (one, "", Rollover::One, ""),
        (LIMITS, "rollover 1", Rollover::One, "rollover 1"),
        (one, "rollover 0", Rollover::Zero, "rollover 0"),
        (one, "rollover 2", Rollover::One, ""),
    ] {
        let answered = answered(Direction::Read, asked, &limits, None);
        assert_eq!((answered.0.rollover, &answered.1[..]), (expected, oack));
    }
}

#[test]
fn tft_24_the_block_after_65535_is_numbered_as_agreed() {
    for (rollover, numbers) in [
        (Rollover::Zero, [65_535, 0, 1]),
        (Rollover::One, [65_535, 1, 2]),
    ] {
        assert_eq!(rollover.wire(0), 0);
        assert_eq!(rollover.wire(1), 1);
        assert_eq!(
            [65_535, 65_536, 65_537].map(|block| rollover.wire(block)),
            numbers
        );
    }
    assert_eq!(Rollover::Zero.wire(2 * 65_536), 0);
    assert_eq!(Rollover::One.wire(2 * 65_535 + 1), 1);
}

#[test]
fn tft_25_utimeout_counts_microseconds_where_timeout_is_not_asked() {
    let interval = |options: &str| {
        let (terms, oack) = answered(Direction::Read, options, &LIMITS, None);
        (terms.interval, oack)
    };
    assert_eq!(
        interval("utimeout 10000"),
        (Some(Duration::from_millis(10)), "utimeout 10000".to_owned())
    );
    assert_eq!(
        interval("utimeout 255000000").0,
        Some(Duration::from_secs(255))
    );
    for nonsense in ["9999", "255000001", "~"] {
        assert_eq!(
            interval(&format!("utimeout {nonsense}")),
            (None, String::new())
        );
    }
    for both in ["utimeout 20000 timeout 3", "timeout 3 utimeout 20000"] {
        assert_eq!(
            interval(both),
            (Some(Duration::from_secs(3)), "timeout 3".to_owned())
        );
    }
}

#[test]
fn tft_26_blksize2_is_a_power_of_two_and_gives_way_to_blksize() {
    for (asked, most, expected) in [
        ("1024", LARGEST_BLOCK, 1024),
        ("65536", LARGEST_BLOCK, 32_768),
        ("1500", LARGEST_BLOCK, 1024),
        ("8192", 1428, 1024),
        ("8", LARGEST_BLOCK, 8),
    ] {
        let limits = ServerLimits {
            max_block_size: most,
            ..LIMITS
        };
        let asked = format!("blksize2 {asked}");
        let (terms, oack) = answered(Direction::Read, &asked, &limits, None);
        assert_eq!(
            (terms.block_size, oack),
            (expected, format!("blksize2 {expected}"))
        );
    }
    assert_eq!(granted("blksize2 4"), "");
    assert_eq!(granted("blksize2 2048 blksize 1468"), "blksize 1468");
    assert_eq!(granted("blksize 1468 blksize2 2048"), "blksize 1468");
}

/// INT-65: Windows asks msftwindow.
#[test]
fn tft_27_other_options_are_left_out() {
    assert_eq!(
        granted("msftwindow 31416 multicast ~ x-vendor 1 tsize 0"),
        "tsize 1000"
    );
    assert_eq!(granted("msftwindow 31416"), "");
}

#[test]
fn tft_28_names_are_answered_as_spelt_and_the_first_of_duplicates_counts() {
    assert_eq!(
        granted("BlkSize 1024 TSIZE 0 blksize 8 WindowSize 4"),
        "BlkSize 1024 TSIZE 1000 WindowSize 4"
    );
    assert_eq!(granted("blksize 7 blksize 1024"), "");
    let (terms, _) = answered(Direction::Read, "windowsize 2 windowsize 9", &LIMITS, None);
    assert_eq!(terms.window, 2);
}

/// INT-60: PXE refuses what it did not ask for.
#[test]
fn tft_28_nothing_that_was_not_asked_is_answered() {
    let (terms, oack) = answered(Direction::Read, "", &LIMITS, Some(1000));
    assert_eq!((terms, &oack[..]), (Terms::default(), ""));
    assert_eq!(granted("tsize 0 blksize 1468"), "tsize 1000 blksize 1468");
}

#[test]
fn tft_29_an_oack_has_the_order_asked_and_at_most_512_octets() {
    assert_eq!(
        granted("windowsize 8 utimeout 50000 rollover 0 tsize 0 blksize2 512"),
        "windowsize 8 utimeout 50000 rollover 0 tsize 1000 blksize2 512"
    );
    // The longest request there is, full of what is granted.
    let mut options = String::new();
    while options.len() < 1800 {
        options.push_str("tsize 0 blksize 65464 timeout 255 windowsize 65535 rollover 1 x y ");
    }
    let limits = ServerLimits {
        max_window: u16::MAX,
        ..LIMITS
    };
    let (_, oack) = answered(Direction::Read, &options, &limits, Some(u64::MAX));
    assert!(oack.len() < 510, "{oack}");
    assert_eq!(oack.split(' ').count(), 10);
}

/// INT-66: curl, tftp-hpa and busybox as they ask.
#[test]
fn int_66_clients_get_what_they_ask() {
    assert_eq!(
        granted("tsize 0 blksize 512 timeout 6"),
        "tsize 1000 blksize 512 timeout 6"
    );
    assert_eq!(granted("blksize 65464 tsize 0"), "blksize 65464 tsize 1000");
}

const OFFER: Offer = Offer {
    block_size: Some(1428),
    timeout: Some(2),
    size: Some(0),
    window: Some(16),
};

#[test]
fn tft_51_what_was_asked_or_less_is_accepted() {
    let terms = accepted(&OFFER, "tsize 77 BLKSIZE 1428 timeout 2 windowsize 16").unwrap();
    let expected = Terms {
        block_size: 1428,
        window: 16,
        interval: Some(Duration::from_secs(2)),
        size: Some(77),
        rollover: Rollover::Zero,
    };
    assert_eq!(terms, expected);
    let terms = accepted(&OFFER, "windowsize 1 blksize 8 timeout 1").unwrap();
    assert_eq!(
        (terms.window, terms.block_size, terms.interval, terms.size),
        (1, 8, Some(Duration::from_secs(1)), None)
    );
    assert_eq!(
        accepted(&OFFER, "tsize 0"),
        Ok(Terms {
            size: Some(0),
            ..Terms::default()
        })
    );
}

#[test]
fn tft_51_larger_values_are_refused() {
    for (oack, option, asked, granted) in [
        ("blksize 1429", "blksize", 1428, 1429),
        ("blksize 66964", "blksize", 1428, 66_964),
        ("tsize 1 windowsize 17", "windowsize", 16, 17),
        ("timeout 3", "timeout", 2, 3),
    ] {
        assert_eq!(
            accepted(&OFFER, oack),
            Err(Violation::Larger {
                option,
                asked,
                granted
            })
        );
    }
}

#[test]
fn tft_51_unasked_options_are_refused() {
    for name in [
        "windowsize",
        "rollover",
        "blksize2",
        "utimeout",
        "multicast",
        "tsize",
    ] {
        let asked = Offer {
            block_size: Some(1428),
            ..Offer::default()
        };
        assert_eq!(
            accepted(&asked, &format!("blksize 1428 {name} 0")),
            Err(Violation::Unasked {
                name: name.to_owned()
            })
        );
    }
    let spoilt = format!("\u{1b}[2J{} 1", "x".repeat(99));
    let Err(Violation::Unasked { name }) = accepted(&OFFER, &spoilt) else {
        panic!()
    };
    assert_eq!(name, format!("[2J{}", "x".repeat(29)));
}

#[test]
fn tft_51_values_that_are_none_are_refused() {
    for (oack, option, least) in [
        ("blksize 7", "blksize", 8),
        ("blksize ~", "blksize", 8),
        ("blksize -1", "blksize", 8),
        ("windowsize 0", "windowsize", 1),
        ("timeout 0", "timeout", 1),
        ("timeout x", "timeout", 1),
    ] {
        assert_eq!(
            accepted(&OFFER, oack),
            Err(Violation::Value { option, least })
        );
    }
}

#[test]
fn tft_51_a_size_that_is_no_number_is_none() {
    for oack in ["tsize -2147483648", "tsize ~", "tsize 99999999999999999999"] {
        assert_eq!(accepted(&OFFER, oack).unwrap().size, None);
    }
}

#[test]
fn tft_51_the_size_of_an_upload_comes_back() {
    let asked = Offer {
        size: Some(500),
        ..Offer::default()
    };
    assert_eq!(accepted(&asked, "tsize 500").unwrap().size, Some(500));
    // Some answer nought to whatever was told, which agrees on nothing.
    assert_eq!(accepted(&asked, "tsize 0").unwrap().size, Some(0));
    assert_eq!(
        accepted(&asked, "tsize 501"),
        Err(Violation::Larger {
            option: "tsize",
            asked: 500,
            granted: 501
        })
    );
}

#[test]
fn tft_51_of_duplicates_the_first_counts() {
    let terms = accepted(&OFFER, "windowsize 4 windowsize 99").unwrap();
    assert_eq!(terms.window, 4);
}

proptest! {
    #[test]
    fn what_the_server_grants_the_client_accepts(
        write: bool, block_size in proptest::option::of(8_u16..), timeout in proptest::option::of(1_u8..),
        told in proptest::option::of(any::<u64>()), window in proptest::option::of(1_u16..),
        size: Option<u64>, max_block_size: u16, max_window: u16,
    ) {
        let direction = if write { Direction::Write } else { Direction::Read };
        let offer = Offer { block_size, timeout, size: told.map(|told| if write { told } else { 0 }), window };
        let mut datagram = Vec::new();
        packet::request(direction, b"f", Mode::Octet, &offer, &mut datagram).unwrap();
        let limits = ServerLimits { max_block_size, max_window, rollover: Rollover::Zero };
        let (terms, oack) = with_request(&datagram, |request| answer(request, &limits, size));
        let Some(oack) = oack else {
            prop_assert_eq!(terms, Terms::default());
            return Ok(());
        };
        prop_assert!(oack.len() <= 512);
        let Ok(Packet::Oack(options)) = Packet::parse(&oack) else {
            panic!("{oack:?}")
        };
        prop_assert_eq!(accept(&offer, &options), Ok(terms));
    }
}
