//! The sender against a hostile receiver and a clock that jumps.
//!
//! Holds: no input panics; one call sends one thing; blocks asked for follow what is acknowledged, fill
//! at most a window and never lie behind the end; what is acknowledged never goes back and was asked for
//! before; without news the peer gets a bounded count of things, and at most six before it says
//! anything (TFT-09, TFT-33); an end is final and only complete when the last block is acknowledged.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use wharf_proto::tftp::{
    ErrorCode, Offer, Outcome, Packet, Rollover, Sender, Terms, Timing, sender::Transmit,
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
    let [kind, last] = take(&mut input);
    let window = u16::from_be_bytes(take(&mut input)).max(1);
    let last = 1 + (u64::from(last) << (kind >> 4));
    let mut now = Instant::now();
    let terms = Terms {
        window,
        size: (kind & 1 == 1).then_some(5),
        interval: (kind & 2 == 2).then_some(Duration::from_millis(10)),
        rollover: if kind & 4 == 4 {
            Rollover::One
        } else {
            Rollover::Zero
        },
        ..Terms::default()
    };
    let asked = Offer {
        block_size: Some(8),
        window: Some(window),
        ..Offer::default()
    };
    let timing = Timing::default();
    let mut sender = match kind & 8 {
        0 => Sender::serving(terms, (kind & 16 == 0).then(|| vec![0, 6]), timing, now),
        _ => Sender::asking(vec![0, 2], asked, timing, now),
    };
    let mut is_told = false;
    let mut ended: Option<Outcome> = None;
    let (mut acknowledged, mut highest, mut without_news) = (0, 0, 0);
    loop {
        let held = sender.acknowledged();
        if let Some(transmit) = sender.poll_transmit() {
            without_news += 1;
            match transmit {
                Transmit::Packet(packet) => assert!(packet.len() >= 2),
                Transmit::Blocks { first, count } => {
                    let end = first + u64::from(count) - 1;
                    assert!(ended.is_none() && count >= 1 && count <= window.min(32_767));
                    assert_eq!(first, held + 1);
                    assert!(!is_told || end <= last);
                    highest = highest.max(if end >= last {
                        sender.set_last(last);
                        is_told = true;
                        last
                    } else {
                        end
                    });
                }
            }
            assert_eq!(sender.poll_transmit(), None);
        }
        if sender.acknowledged() != acknowledged || !sender.peer_has_answered() {
            assert!(sender.acknowledged() >= acknowledged && sender.acknowledged() <= highest);
            assert!(sender.peer_has_answered() || without_news <= 6 || sender.outcome().is_some());
        }
        if sender.acknowledged() > acknowledged {
            (acknowledged, without_news) = (sender.acknowledged(), 1);
        }
        // Opening and window: twelve tries each, each hastened once, and the ERROR.
        assert!(without_news <= 52, "{without_news}");
        assert_eq!(sender.outcome().is_some(), sender.poll_timeout().is_none());
        if let Some(outcome) = &ended {
            assert_eq!(sender.outcome(), Some(outcome));
        } else if let Some(outcome) = sender.outcome() {
            assert!(*outcome != Outcome::Complete || is_told && acknowledged == last);
            assert!(*outcome != Outcome::Unconfirmed || is_told && highest == last);
            ended = Some(outcome.clone());
        }
        let [step, argument] = take(&mut input);
        if input.is_empty() {
            break;
        }
        match step % 8 {
            0 => {
                let block = acknowledged.saturating_add_signed(i64::from(argument.cast_signed()));
                let block = terms.rollover.wire(block);
                sender.handle_packet(&Packet::Ack { block }, now);
            }
            1 => {
                let [low] = take(&mut input);
                let block = u16::from_be_bytes([argument, low]);
                sender.handle_packet(&Packet::Ack { block }, now);
            }
            2 => {
                let (datagram, rest) = input.split_at(usize::from(argument).min(input.len()));
                input = rest;
                if let Ok(packet) = Packet::parse(datagram) {
                    sender.handle_packet(&packet, now);
                }
            }
            3 => {
                now += Duration::from_millis(1 << (argument % 16));
                sender.handle_timeout(now);
            }
            4 => {
                now = sender.poll_timeout().unwrap_or(now).max(now);
                sender.handle_timeout(now);
            }
            5 => sender.repeat_opening(now),
            6 if argument == 0 => sender.fail(ErrorCode::DiskFull, "full"),
            6 => {
                sender.set_last(last);
                is_told = true;
            }
            _ => sender.transmitted(now),
        }
    }
});
