//! One datagram of TFTP as either end reads it, and text through netascii.
//!
//! Holds: no input panics (CVE-2009-2957, CVE-2011-2199, CVE-2020-6097, CVE-2021-41054); what was read is
//! the same when it was written and read again; only a request is worth an answer; an OACK fits into 512
//! octets, grants nothing that was not asked and nothing out of range; text comes back as it was sent,
//! wherever blocks end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_proto::tftp::{
    Direction, ErrorCode, Offer, OptionList, Packet, Request, Rollover, ServerLimits, netascii,
    option, packet,
};

fuzz_target!(|datagram: &[u8]| {
    match Packet::parse(datagram) {
        Ok(Packet::Request(request)) => {
            again(&request);
            served(&request);
        }
        Ok(Packet::Data { block, data }) => {
            assert_eq!([&packet::data_header(block), data].concat(), datagram);
        }
        Ok(Packet::Ack { block }) => assert!(datagram.starts_with(&packet::ack(block))),
        Ok(Packet::Error { code, text }) => {
            assert!(!text.contains(&0));
            assert_eq!(ErrorCode::of(code).number(), code);
            if let Ok(words) = str::from_utf8(text)
                && words.len() <= packet::ERROR_TEXT_LIMIT
            {
                let mut written = Vec::new();
                packet::error(ErrorCode::of(code), words, &mut written);
                assert_eq!(Packet::parse(&written), Ok(Packet::Error { code, text }));
            }
        }
        Ok(Packet::Oack(options)) => accepted(&options),
        Err(malformed) => {
            let asks = matches!(datagram, [0, 1 | 2, ..]);
            assert_eq!(malformed.is_request(), asks);
            assert!(malformed.to_string().is_ascii());
        }
    }
    text(datagram);
});

/// Written once more, a request is the same.
fn again(request: &Request<'_>) {
    let opcode = if request.direction == Direction::Read {
        1
    } else {
        2
    };
    let mut written = vec![0, opcode];
    for string in [request.name, request.mode.name().as_bytes()] {
        written.extend_from_slice(string);
        written.push(0);
    }
    for (name, value) in request.options.iter() {
        assert!(
            request
                .options
                .find(str::from_utf8(name).unwrap_or(""))
                .is_some()
                || !name.is_ascii()
        );
        for string in [name, value] {
            written.extend_from_slice(string);
            written.push(0);
        }
    }
    // A mode that came without its NUL is one octet longer.
    if written.len() <= packet::REQUEST_LIMIT {
        assert_eq!(Packet::parse(&written), Ok(Packet::Request(*request)));
    }
}

fn served(request: &Request<'_>) {
    for (max_block_size, max_window, size) in [
        (65_464, 64, Some(u64::MAX)),
        (1428, 1, None),
        (0, 0, Some(0)),
        (u16::MAX, u16::MAX, Some(5)),
    ] {
        let limits = ServerLimits {
            max_block_size,
            max_window,
            rollover: Rollover::One,
        };
        let (terms, oack) = option::answer(request, &limits, size);
        assert!((option::SMALLEST_BLOCK..=option::LARGEST_BLOCK).contains(&terms.block_size));
        assert!(terms.block_size <= max_block_size.max(option::DEFAULT_BLOCK_SIZE));
        assert!(terms.window >= 1 && terms.window <= max_window.max(1));
        let Some(oack) = oack else { continue };
        assert!(oack.len() <= 512);
        let Ok(Packet::Oack(granted)) = Packet::parse(&oack) else {
            panic!("{oack:?}");
        };
        let mut asked = request.options.iter().map(|(name, _)| name);
        for (name, _) in granted.iter() {
            // In the order asked, as it was spelt.
            assert!(asked.any(|asked| asked == name));
        }
    }
}

fn accepted(options: &OptionList<'_>) {
    let most = Offer {
        block_size: Some(option::LARGEST_BLOCK),
        timeout: Some(u8::MAX),
        size: Some(0),
        window: Some(u16::MAX),
    };
    match option::accept(&most, options) {
        Ok(terms) => {
            assert!((option::SMALLEST_BLOCK..=option::LARGEST_BLOCK).contains(&terms.block_size));
            assert!(terms.window >= 1);
        }
        Err(violation) => assert!(violation.to_string().is_ascii()),
    }
    assert_eq!(
        option::accept(&Offer::default(), options).is_ok(),
        options.is_empty()
    );
}

/// The first octet is the size of a block.
fn text(octets: &[u8]) {
    let Some((&block_size, file)) = octets.split_first() else {
        return;
    };
    let block_size = usize::from(block_size).max(1);
    let (mut encoder, mut decoder) = <(netascii::Encoder, netascii::Decoder)>::default();
    let (mut rest, mut received) = (file, Vec::new());
    loop {
        let mut block = Vec::new();
        rest = &rest[encoder.encode(rest, &mut block, block_size)..];
        decoder.decode(&block, &mut received);
        if block.len() < block_size {
            break;
        }
    }
    decoder.finish(&mut received);
    assert!(rest.is_empty() && !encoder.pending());
    assert_eq!(received, file);
    let mut stored = Vec::new();
    let mut decoder = netascii::Decoder::default();
    for wire in octets.chunks(block_size) {
        decoder.decode(wire, &mut stored);
    }
    decoder.finish(&mut stored);
    assert!(stored.len() <= octets.len());
}
