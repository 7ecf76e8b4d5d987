//! Both machines over a network that loses, doubles, delays and reorders, in simulated time.
//!
//! Every block carries its true number beside the one on the wire, so an order that only looks right is
//! found. The drivers are as plain as a driver can be: they tell the end of the file when they come to
//! it, and settle as soon as the last block is stored.
#![expect(
    clippy::disallowed_methods,
    reason = "simulated time begins at some instant"
)]

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use crate::tftp::{
    Direction, Mode, Offer, Outcome, Packet, Receiver, Rollover, Sender, ServerLimits, Terms,
    Timing, option, packet, receiver::Arrival, sender::Transmit,
};

/// A path, the same in both directions.
#[derive(Clone, Copy, Debug)]
struct Path {
    /// Of 1000 datagrams so many are lost.
    lost: u64,
    /// Of 1000 so many arrive twice.
    doubled: u64,
    /// One way, microseconds.
    delay: u64,
    /// At most this much is added at random, microseconds: more than the distance of two datagrams
    /// reorders them.
    jitter: u64,
}

impl Path {
    const CLEAN: Self = Self {
        lost: 0,
        doubled: 0,
        delay: 500,
        jitter: 0,
    };
}

/// What begins the transaction.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// RRQ: the receiver asks.
    Read(Offer),
    /// WRQ: the sender asks.
    Write(Offer),
    /// Both hold these terms already; the receiver begins with ACK 0.
    Agreed(Terms),
}

/// xorshift64*.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % limit
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Datagram {
    ToSender(Vec<u8>),
    ToReceiver(Vec<u8>),
    Block {
        block: u64,
        number: u16,
        length: usize,
    },
}

/// What a run came to.
#[derive(Debug)]
struct Report {
    sent: Outcome,
    received: Outcome,
    /// DATA that the sender's driver sent.
    blocks: u64,
    /// Datagrams that the receiver's driver sent.
    acks: u64,
    /// Until both ends are over but for lingering.
    took: Duration,
}

struct Network {
    path: Path,
    chance: Chance,
    start: Instant,
    now: Instant,
    order: u64,
    flights: BinaryHeap<Reverse<(Instant, u64, Datagram)>>,
    size: u64,
    sender: Option<Sender>,
    receiver: Option<Receiver>,
    stored: u64,
    blocks: u64,
    acks: u64,
    settled: Option<Instant>,
}

const LIMITS: ServerLimits = ServerLimits {
    max_block_size: 65_464,
    max_window: u16::MAX,
    rollover: Rollover::Zero,
};

/// The distance of two datagrams that are sent in one go.
const SPACING: Duration = Duration::from_micros(2);

impl Network {
    fn new(path: Path, seed: u64, size: u64) -> Self {
        let start = Instant::now();
        Self {
            path,
            chance: Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            start,
            now: start,
            order: 0,
            flights: BinaryHeap::new(),
            size,
            sender: None,
            receiver: None,
            stored: 0,
            blocks: 0,
            acks: 0,
            settled: None,
        }
    }

    fn send(&mut self, datagram: Datagram, after: Duration) {
        if self.chance.below(1000) < self.path.lost {
            return;
        }
        let copies = 1 + u64::from(self.chance.below(1000) < self.path.doubled);
        for _ in 0..copies {
            let jitter = self.chance.below(self.path.jitter + 1);
            let at = self.now + after + Duration::from_micros(self.path.delay + jitter);
            self.order += 1;
            self.flights
                .push(Reverse((at, self.order, datagram.clone())));
        }
    }

    /// The last block's number.
    fn last(&self, terms: &Terms) -> u64 {
        self.size / u64::from(terms.block_size) + 1
    }

    fn drain(&mut self) {
        let mut out = Vec::new();
        if let Some(sender) = &mut self.sender {
            let mut after = Duration::ZERO;
            loop {
                let terms = sender.terms().copied();
                match sender.poll_transmit() {
                    None => break,
                    Some(Transmit::Packet(octets)) => {
                        out.push((Datagram::ToReceiver(octets.to_vec()), after));
                    }
                    Some(Transmit::Blocks { first, count }) => {
                        let terms = terms.unwrap();
                        let size = u64::from(terms.block_size);
                        let last = self.size / size + 1;
                        assert!(first <= last, "asked for what is behind the end");
                        if first + u64::from(count) > last {
                            sender.set_last(last);
                        }
                        for block in first..(first + u64::from(count)).min(last + 1) {
                            let length = if block == last {
                                self.size % size
                            } else {
                                size
                            };
                            let datagram = Datagram::Block {
                                block,
                                number: terms.rollover.wire(block),
                                length: usize::try_from(length).unwrap(),
                            };
                            out.push((datagram, after));
                            self.blocks += 1;
                            after += SPACING;
                        }
                    }
                }
            }
        }
        if let Some(receiver) = &mut self.receiver {
            while let Some(octets) = receiver.poll_transmit() {
                self.acks += 1;
                out.push((Datagram::ToSender(octets.to_vec()), Duration::ZERO));
            }
        }
        for (datagram, after) in out {
            self.send(datagram, after);
        }
    }

    fn deliver(&mut self, datagram: &Datagram) {
        match datagram {
            Datagram::ToSender(octets) => {
                match (Packet::parse(octets).unwrap(), &mut self.sender) {
                    (Packet::Request(_), Some(sender)) => sender.repeat_opening(self.now),
                    (Packet::Request(request), none) => {
                        let (terms, oack) = option::answer(&request, &LIMITS, Some(self.size));
                        *none = Some(Sender::serving(terms, oack, Timing::default(), self.now));
                    }
                    (packet, Some(sender)) => sender.handle_packet(&packet, self.now),
                    (packet, None) => panic!("{packet:?} without a transaction"),
                }
            }
            Datagram::ToReceiver(octets) => {
                match (Packet::parse(octets).unwrap(), &mut self.receiver) {
                    (Packet::Request(_), Some(receiver)) => receiver.repeat_opening(self.now),
                    (Packet::Request(request), none) => {
                        let (terms, oack) = option::answer(&request, &LIMITS, None);
                        let receiver = Receiver::serving(terms, oack, Timing::default(), self.now);
                        *none = Some(receiver);
                    }
                    (packet, Some(receiver)) => receiver.handle_packet(&packet, self.now),
                    (packet, None) => panic!("{packet:?} without a transaction"),
                }
            }
            &Datagram::Block {
                block,
                number,
                length,
            } => {
                let receiver = self.receiver.as_mut().unwrap();
                match receiver.handle_data(number, length, self.now) {
                    Arrival::Ignore => {}
                    Arrival::Store {
                        block: told,
                        is_last,
                    } => {
                        assert_eq!((told, told), (block, self.stored + 1), "wrong block");
                        self.stored = told;
                        let terms = *receiver.terms().unwrap();
                        if is_last {
                            receiver.settle(self.now);
                        }
                        assert_eq!(is_last, block == self.last(&terms));
                    }
                }
            }
        }
    }

    fn run(mut self, start: Start) -> Report {
        let (now, timing) = (self.now, Timing::default());
        let request = |direction, offer: &Offer| {
            let mut request = Vec::new();
            packet::request(direction, b"f", Mode::Octet, offer, &mut request).unwrap();
            request
        };
        match start {
            Start::Read(offer) => {
                let request = request(Direction::Read, &offer);
                self.receiver = Some(Receiver::asking(request, offer, timing, now));
            }
            Start::Write(mut offer) => {
                offer.size = offer.size.map(|_| self.size);
                let request = request(Direction::Write, &offer);
                self.sender = Some(Sender::asking(request, offer, timing, now));
            }
            Start::Agreed(terms) => {
                let oack = Some(b"\0\x06blksize\x008\0".to_vec());
                self.sender = Some(Sender::serving(terms, oack, timing, now));
                self.receiver = Some(Receiver::serving(terms, None, timing, now));
            }
        }
        loop {
            self.drain();
            let sent = self.sender.as_ref().and_then(Sender::outcome);
            let receiver = self.receiver.as_ref();
            let received = receiver.and_then(Receiver::outcome);
            let is_settled = receiver.is_some_and(Receiver::is_settled);
            if (sent.is_some() || received.is_some()) && is_settled && self.settled.is_none() {
                self.settled = Some(self.now);
            }
            if let (Some(sent), Some(received)) = (sent, received) {
                return Report {
                    sent: sent.clone(),
                    received: received.clone(),
                    blocks: self.blocks,
                    acks: self.acks,
                    took: self.settled.unwrap_or(self.now) - self.start,
                };
            }
            let timers = [
                self.sender.as_ref().and_then(Sender::poll_timeout),
                receiver.and_then(Receiver::poll_timeout),
            ];
            let timer = timers.into_iter().flatten().min();
            let flight = self.flights.peek().map(|Reverse((at, ..))| *at);
            let next = timer.into_iter().chain(flight).min();
            self.now = next.expect("nothing is under way and nobody waits");
            if flight == next {
                let Reverse((.., datagram)) = self.flights.pop().unwrap();
                self.deliver(&datagram);
            } else {
                if let Some(sender) = &mut self.sender {
                    sender.handle_timeout(self.now);
                }
                if let Some(receiver) = &mut self.receiver {
                    receiver.handle_timeout(self.now);
                }
            }
        }
    }
}

fn offer(block_size: u16, window: u16) -> Offer {
    Offer {
        block_size: Some(block_size),
        window: Some(window),
        size: Some(0),
        timeout: None,
    }
}

/// Runs, and holds that the file came over whole.
fn whole(path: Path, seed: u64, size: u64, start: Start) -> Report {
    let report = Network::new(path, seed, size).run(start);
    assert_eq!(report.received, Outcome::Complete, "{report:?}");
    // The last ACK may be lost each time that the receiver is still there.
    let is_known = report.sent == Outcome::Complete;
    assert!(
        is_known || path.lost > 0 && report.sent == Outcome::Unconfirmed,
        "{report:?}"
    );
    report
}

#[test]
fn a_clean_network_carries_each_block_once_and_one_ack_for_each_window() {
    for window in [1, 2, 7, 64, 1000] {
        for blocks in [0, 1, 63, 64, 65, 500] {
            for rest in [0, 1, 99] {
                let size = blocks * 100 + rest;
                for start in [
                    Start::Read(offer(100, window)),
                    Start::Write(offer(100, window)),
                ] {
                    let report = whole(Path::CLEAN, 1, size, start);
                    assert_eq!(report.blocks, blocks + 1);
                    let acks = (blocks + 1).div_ceil(u64::from(window)) + 1;
                    let request = u64::from(matches!(start, Start::Read(_)));
                    assert_eq!(report.acks, acks + request, "{window} {size} {start:?}");
                    assert_eq!(report.sent, Outcome::Complete);
                }
            }
        }
    }
}

#[test]
fn tft_30_plain_transfers_without_options() {
    for size in [0, 1, 511, 512, 513, 51_200] {
        for start in [
            Start::Read(Offer::default()),
            Start::Write(Offer::default()),
        ] {
            let report = whole(Path::CLEAN, 1, size, start);
            assert_eq!(report.blocks, size / 512 + 1);
        }
    }
}

#[test]
fn tft_32_sorcerers_apprentice_nothing_is_sent_twice_because_something_arrived_twice() {
    let path = Path {
        doubled: 1000,
        ..Path::CLEAN
    };
    for start in [Start::Read(offer(512, 1)), Start::Write(offer(512, 1))] {
        let report = whole(path, 3, 512 * 2000, start);
        assert_eq!(report.blocks, 2001);
    }
    for window in [2, 16, 64] {
        for start in [
            Start::Read(offer(512, window)),
            Start::Write(offer(512, window)),
        ] {
            let report = whole(path, 3, 512 * 2000, start);
            // Hints may be taken up until the round trip is known well.
            assert!(report.blocks < 2001 + 4 * u64::from(window), "{report:?}");
        }
    }
}

#[test]
fn tft_36_over_65536_blocks_with_both_rollovers_and_loss() {
    let path = Path {
        lost: 2,
        doubled: 2,
        ..Path::CLEAN
    };
    for rollover in [Rollover::Zero, Rollover::One] {
        for window in [1, 64, 4096] {
            let terms = Terms {
                block_size: 8,
                window,
                rollover,
                ..Terms::default()
            };
            whole(path, 5, 8 * 131_100, Start::Agreed(terms));
        }
    }
}

#[test]
fn rfc_7440_windows_near_65536_never_mix_up_blocks() {
    let path = Path {
        lost: 0,
        doubled: 5,
        ..Path::CLEAN
    };
    for rollover in [Rollover::Zero, Rollover::One] {
        for window in [32_767, 32_768, 65_534, 65_535] {
            let terms = Terms {
                block_size: 8,
                window,
                rollover,
                ..Terms::default()
            };
            whole(Path::CLEAN, 7, 8 * 132_000, Start::Agreed(terms));
            whole(path, 8, 8 * 66_000, Start::Agreed(terms));
        }
    }
}

#[test]
fn loss_costs_a_window_and_a_short_wait_for_each_loss_and_no_more() {
    let blocks = 5000;
    // Lost of 1000, window; times that each block is sent, of 100; milliseconds for each 1000 blocks.
    for (lost, window, most_sent, most_millis) in [
        (10, 1, 104, 900),
        (10, 8, 112, 160),
        (10, 64, 170, 25),
        (100, 1, 135, 9000),
        (100, 8, 200, 1200),
        (100, 64, 900, 400),
    ] {
        let path = Path {
            lost,
            delay: 100,
            jitter: 2,
            doubled: 0,
        };
        for start in [
            Start::Read(offer(8, window)),
            Start::Write(offer(8, window)),
        ] {
            let report = whole(path, 11, 8 * (blocks - 1), start);
            assert!(
                report.blocks * 100 < blocks * most_sent,
                "{start:?} {path:?} {report:?}"
            );
            let most = Duration::from_millis(most_millis * blocks / 1000 + 5000);
            assert!(report.took < most, "{start:?} {path:?} {report:?}");
        }
    }
}

/// Also where the opening was lost, so that nothing was measured while all went well.
#[test]
fn the_round_trip_is_learnt_where_hardly_a_window_arrives_whole() {
    let blocks = 2000;
    let path = Path {
        lost: 100,
        doubled: 10,
        delay: 100,
        jitter: 2,
    };
    for seed in 0..60 {
        for start in [Start::Read(offer(8, 64)), Start::Write(offer(8, 64))] {
            let report = whole(path, seed, 8 * (blocks - 1), start);
            // At the end only: the last ACK may be lost as often as the last block is tried.
            let most = Duration::from_secs(30);
            assert!(report.took < most, "{seed} {start:?} {report:?}");
        }
    }
}

#[test]
fn reordering_is_no_cascade() {
    for window in [1, 8, 64] {
        let path = Path {
            lost: 0,
            doubled: 10,
            delay: 500,
            // Half a window's length: nearly each one is shuffled.
            jitter: u64::from(window),
        };
        let blocks = 3000;
        let report = whole(path, 4, 8 * (blocks - 1), Start::Read(offer(8, window)));
        assert!(report.blocks < blocks * u64::from(window) * 2, "{report:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn any_network_and_any_terms_bring_the_file_whole_and_in_order(
        seed: u64,
        lost in 0_u64..100,
        doubled in 0_u64..300,
        delay in 1_u64..200_000,
        jitter in prop_oneof![2 => Just(0), 1 => 1_u64..8, 1 => 1_u64..100_000],
        block_size in prop_oneof![Just(8_u16), 8_u16..2000, Just(65_464)],
        window in prop_oneof![Just(1_u16), 1_u16..70, 1_u16..1000],
        blocks in 0_u64..400,
        rest in 0_u64..8,
        way in 0..3,
        rollover in prop_oneof![Just(Rollover::Zero), Just(Rollover::One)],
        timeout in proptest::option::weighted(0.2, 1_u8..6),
    ) {
        let path = Path { lost, doubled, delay, jitter };
        let timeout = timeout.filter(|_| lost < 20);
        let offer = Offer { timeout, ..offer(block_size, window) };
        let start = match way {
            0 => Start::Read(offer),
            1 => Start::Write(offer),
            _ => Start::Agreed(Terms { block_size, window, rollover, ..Terms::default() }),
        };
        let report = Network::new(path, seed, blocks * u64::from(block_size) + rest).run(start);
        // Where the ends have no measure yet, all six tries may be lost.
        let never_met = matches!(report.received, Outcome::TimedOut { answered: false });
        prop_assert!(report.received == Outcome::Complete || lost > 0 && never_met, "{report:?}");
    }
}
