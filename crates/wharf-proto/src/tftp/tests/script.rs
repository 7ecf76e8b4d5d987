//! Runs a machine along a script, one line for each step.
//!
//! `> ack 3`, `> oack blksize 1024`, `> error 8 text`, `> request`: the peer says; `> data 3 512 keep`
//! (or `last`, `drop`): a block comes, and what becomes of it. `< ack 3`, `< oack`, `< request`,
//! `< error 0 text`, `< blocks 1-8`: what goes out; nothing else may. `@ 1000`: so many milliseconds
//! pass, and the timer is served. `! last 7`, `! settle`, `! repeat`, `! fail 3 text`: the driver's
//! calls. `= Complete`: the outcome; `= -`: none yet. `# `: a comment.
#![expect(clippy::disallowed_methods, reason = "a script begins at some instant")]

use std::time::{Duration, Instant};

use crate::tftp::{
    Direction, ErrorCode, Mode, Offer, Outcome, Packet, Receiver, Sender, Terms, Timing, packet,
    receiver::Arrival, sender::Transmit,
};

/// What a machine is called with here.
trait Machine {
    fn packet(&mut self, packet: &Packet<'_>, now: Instant);
    fn data(&mut self, number: u16, length: usize, now: Instant) -> Arrival;
    fn call(&mut self, call: &[&str], now: Instant);
    fn timeout(&mut self, now: Instant);
    fn transmit(&mut self) -> Option<String>;
    fn outcome(&self) -> Option<&Outcome>;
}

fn shown(datagram: &[u8]) -> String {
    match Packet::parse(datagram).unwrap() {
        Packet::Request(_) => "request".to_owned(),
        Packet::Ack { block } => format!("ack {block}"),
        Packet::Oack(_) => "oack".to_owned(),
        Packet::Error { code, text } => format!("error {code} {}", String::from_utf8_lossy(text)),
        Packet::Data { .. } => panic!("a machine has no content"),
    }
}

impl Machine for Sender {
    fn packet(&mut self, packet: &Packet<'_>, now: Instant) {
        self.handle_packet(packet, now);
    }

    fn data(&mut self, block: u16, _length: usize, now: Instant) -> Arrival {
        self.handle_packet(&Packet::Data { block, data: b"x" }, now);
        Arrival::Ignore
    }

    fn call(&mut self, call: &[&str], now: Instant) {
        match call {
            ["last", block] => self.set_last(block.parse().unwrap()),
            ["repeat"] => self.repeat_opening(now),
            ["transmitted"] => self.transmitted(now),
            ["fail", code, text] => self.fail(ErrorCode::of(code.parse().unwrap()), text),
            other => panic!("{other:?}"),
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn transmit(&mut self) -> Option<String> {
        Some(match self.poll_transmit()? {
            Transmit::Packet(octets) => shown(octets),
            Transmit::Blocks { first, count } => {
                format!("blocks {first}-{}", first + u64::from(count) - 1)
            }
        })
    }

    fn outcome(&self) -> Option<&Outcome> {
        Self::outcome(self)
    }
}

impl Machine for Receiver {
    fn packet(&mut self, packet: &Packet<'_>, now: Instant) {
        self.handle_packet(packet, now);
    }

    fn data(&mut self, block: u16, length: usize, now: Instant) -> Arrival {
        self.handle_data(block, length, now)
    }

    fn call(&mut self, call: &[&str], now: Instant) {
        match call {
            ["settle"] => self.settle(now),
            ["repeat"] => self.repeat_opening(now),
            ["fail", code, text] => self.fail(ErrorCode::of(code.parse().unwrap()), text),
            other => panic!("{other:?}"),
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn transmit(&mut self) -> Option<String> {
        self.poll_transmit().map(shown)
    }

    fn outcome(&self) -> Option<&Outcome> {
        Self::outcome(self)
    }
}

/// The peer's words of a line.
fn said(words: &[&str], now: Instant, machine: &mut impl Machine) {
    match words {
        ["data", number, length, expected] => {
            let number = number.parse().unwrap();
            let became = match machine.data(number, length.parse().unwrap(), now) {
                Arrival::Store { is_last: false, .. } => "keep",
                Arrival::Store { is_last: true, .. } => "last",
                Arrival::Ignore => "drop",
            };
            assert_eq!(became, *expected, "{words:?}");
        }
        ["ack", number] => {
            let block = number.parse().unwrap();
            machine.packet(&Packet::Ack { block }, now);
        }
        ["oack", options @ ..] => {
            let mut octets = vec![0, 6];
            for word in options {
                octets.extend_from_slice(word.as_bytes());
                octets.push(0);
            }
            machine.packet(&Packet::parse(&octets).unwrap(), now);
        }
        ["error", code, text @ ..] => {
            let (code, text) = (code.parse().unwrap(), text.join(" "));
            let text = text.as_bytes();
            machine.packet(&Packet::Error { code, text }, now);
        }
        ["request"] => machine.packet(&Packet::parse(&request(&Offer::default())).unwrap(), now),
        other => panic!("{other:?}"),
    }
}

fn run(mut machine: impl Machine, start: Instant, script: &str) {
    let mut now = start;
    for line in script.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [kind, words @ ..] = words.as_slice() else {
            continue;
        };
        if matches!(*kind, ">" | "@" | "=") {
            assert_eq!(machine.transmit(), None, "before {line:?}");
        }
        match *kind {
            "#" => {}
            ">" => said(words, now, &mut machine),
            "<" => assert_eq!(machine.transmit(), Some(words.join(" ")), "at {line:?}"),
            "!" => machine.call(words, now),
            "@" => {
                now += Duration::from_millis(words.concat().parse().unwrap());
                machine.timeout(now);
            }
            "=" => {
                let outcome = machine.outcome().map(|outcome| format!("{outcome:?}"));
                assert_eq!(outcome.as_deref().unwrap_or("-"), words.join(" "));
            }
            _ => panic!("{line:?}"),
        }
    }
    assert_eq!(machine.transmit(), None);
}

/// An RRQ with these options; a machine does not look into it.
pub(in crate::tftp) fn request(offer: &Offer) -> Vec<u8> {
    let mut request = Vec::new();
    packet::request(Direction::Read, b"f", Mode::Octet, offer, &mut request).unwrap();
    request
}

/// Some OACK, where terms were agreed on.
fn oack(terms: &Terms) -> Option<Vec<u8>> {
    (*terms != Terms::default()).then(|| b"\0\x06blksize\x001024\0".to_vec())
}

/// An RRQ is answered; OACK where the terms are not the default ones.
pub(in crate::tftp) fn serving_sender(terms: Terms, script: &str) {
    let now = Instant::now();
    let sender = Sender::serving(terms, oack(&terms), Timing::default(), now);
    run(sender, now, script);
}

/// A WRQ goes out.
pub(in crate::tftp) fn asking_sender(offer: Offer, script: &str) {
    let now = Instant::now();
    let sender = Sender::asking(request(&offer), offer, Timing::default(), now);
    run(sender, now, script);
}

/// A WRQ is answered; OACK where the terms are not the default ones.
pub(in crate::tftp) fn serving_receiver(terms: Terms, script: &str) {
    let now = Instant::now();
    let receiver = Receiver::serving(terms, oack(&terms), Timing::default(), now);
    run(receiver, now, script);
}

/// An RRQ goes out.
pub(in crate::tftp) fn asking_receiver(offer: Offer, script: &str) {
    let now = Instant::now();
    let receiver = Receiver::asking(request(&offer), offer, Timing::default(), now);
    run(receiver, now, script);
}

/// Terms with this window and a size.
pub(in crate::tftp) fn window(window: u16) -> Terms {
    Terms {
        window,
        size: Some(1_000_000),
        ..Terms::default()
    }
}
