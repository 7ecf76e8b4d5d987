//! The receiver against a hostile sender and a clock that jumps.
//!
//! Holds: no input panics; one call sends one datagram; blocks are kept in order, each once, by their
//! numbers on the wire, and none behind the last; an ACK tells what is here; the last one goes out only
//! after the file was stored (TFT-37); without news the peer gets a bounded count of datagrams, and at
//! most six before it says anything (TFT-09, TFT-33); an end is final.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use wharf_proto::tftp::{
    ErrorCode, Offer, Outcome, Packet, Receiver, Rollover, Terms, Timing, receiver::Arrival,
};

/// Takes octets off the front; zeros behind the end.
fn take<const COUNT: usize>(input: &mut &[u8]) -> [u8; COUNT] {
    let mut taken = [0; COUNT];
    for octet in &mut taken {
        if let Some((&first, rest)) = input.split_first() {
            *octet = first;
            *input = rest;
        }
    }
    taken
}

fuzz_target!(|data: &[u8]| {
    let mut input = data;
    let [kind] = take(&mut input);
    let window = u16::from_be_bytes(take(&mut input)).max(1);
    let mut now = Instant::now();
    let terms = Terms {
        window,
        interval: (kind & 2 == 2).then_some(Duration::from_millis(10)),
        rollover: if kind & 4 == 4 {
            Rollover::One
        } else {
            Rollover::Zero
        },
        ..Terms::default()
    };
    let asked = Offer {
        block_size: Some(1024),
        window: Some(window),
        ..Offer::default()
    };
    let timing = Timing::default();
    let mut receiver = match kind & 8 {
        0 => Receiver::serving(terms, (kind & 16 == 0).then(|| vec![0, 6]), timing, now),
        _ => Receiver::asking(vec![0, 1], asked, timing, now),
    };
    let (mut stored, mut is_whole, mut is_settled) = (0, false, false);
    // Sent because of the clock, or of a request that came again.
    let (mut unasked, mut was_data) = (0, false);
    let mut ended: Option<Outcome> = None;
    loop {
        if let Some(datagram) = receiver.poll_transmit() {
            let datagram = datagram.to_vec();
            unasked += u32::from(!was_data);
            match Packet::parse(&datagram) {
                Ok(Packet::Ack { block }) => {
                    assert!(!is_whole || is_settled, "told before it was stored");
                    let rollover = receiver.terms().map(|terms| terms.rollover);
                    assert_eq!(Some(block), rollover.map(|rollover| rollover.wire(stored)));
                }
                Ok(Packet::Error { .. }) => assert!(receiver.outcome().is_some()),
                _ => assert!(stored == 0),
            }
            assert_eq!(receiver.poll_transmit(), None);
        }
        assert_eq!(receiver.received(), stored);
        assert!(receiver.peer_has_answered() || unasked <= 6 || receiver.outcome().is_some());
        // Opening and window: twelve tries each, each hastened once, and the ERROR.
        assert!(unasked <= 52, "{unasked}");
        let waits = receiver.outcome().is_none() && (!is_whole || is_settled);
        assert_eq!(waits, receiver.poll_timeout().is_some());
        if let Some(outcome) = &ended {
            assert_eq!(receiver.outcome(), Some(outcome));
        } else if let Some(outcome) = receiver.outcome() {
            assert_eq!(*outcome == Outcome::Complete, is_settled);
            ended = Some(outcome.clone());
        }
        let [step, argument] = take(&mut input);
        if input.is_empty() {
            break;
        }
        was_data = matches!(step % 8, 0..=2);
        match step % 8 {
            distance @ 0..=1 => {
                let [low] = take(&mut input);
                let number = if distance == 0 {
                    let next =
                        (stored + 1).saturating_add_signed(i64::from(argument.cast_signed()));
                    terms.rollover.wire(next)
                } else {
                    u16::from_be_bytes([argument, low])
                };
                let size = receiver.terms().map_or(512, |terms| terms.block_size);
                // Mostly full ones; now and then the last, or one that is too large.
                let length = match low {
                    0 => usize::from(size) + 1,
                    1..8 => usize::from(size) - usize::from(low),
                    _ => usize::from(size),
                };
                if let Arrival::Store { block, is_last } = receiver.handle_data(number, length, now)
                {
                    assert!(ended.is_none() && !is_whole);
                    assert_eq!(block, stored + 1);
                    let held = receiver.terms().expect("an answer came");
                    assert_eq!(held.rollover.wire(block), number);
                    assert_eq!(is_last, length < usize::from(held.block_size));
                    (stored, is_whole, unasked) = (block, is_last, 0);
                }
            }
            2 => {
                let (datagram, rest) = input.split_at(usize::from(argument).min(input.len()));
                input = rest;
                match Packet::parse(datagram) {
                    Ok(Packet::Data { .. }) | Err(_) => {}
                    Ok(packet) => receiver.handle_packet(&packet, now),
                }
            }
            3 => {
                now += Duration::from_millis(1 << (argument % 16));
                receiver.handle_timeout(now);
            }
            4 => {
                now = receiver.poll_timeout().unwrap_or(now).max(now);
                receiver.handle_timeout(now);
            }
            5 => receiver.repeat_opening(now),
            6 if argument == 0 => receiver.fail(ErrorCode::DiskFull, "full"),
            _ => {
                receiver.settle(now);
                if receiver.is_settled() {
                    is_settled = true;
                }
            }
        }
    }
});
