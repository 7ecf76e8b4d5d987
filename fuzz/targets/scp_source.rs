//! The source against a hostile sink, and feeding an honest one.
//!
//! Holds: no input panics; what goes out is read by a sink without a violation whatever is offered;
//! nothing is offered between an offer and its answer; what is held of the input is one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_proto::scp::{
    DEPTH_LIMIT, Header, LINE_LIMIT, Sink, Source, Times, Wanted,
    sink::{self, Settings},
    source::{OfferError, Step},
};

/// Offers what an octet says.
fn offer(source: &mut Source, what: u8, name: &[u8]) -> Result<(), OfferError> {
    let header = Header {
        name: name.to_vec(),
        mode: u32::from(what) << 4,
        size: u64::from(what % 16),
        times: (what & 8 == 8).then_some(Times {
            modified: u64::from(what),
            ..Times::default()
        }),
    };
    match what % 4 {
        0 | 1 => source.file(header),
        2 => source.directory(header),
        _ => source.leave(),
    }
}

/// What an honest sink makes of everything that was said; it may not find fault with it.
fn listen(sink: &mut Sink, mut said: &[u8]) {
    loop {
        match sink.step(&mut said) {
            sink::Step::NeedInput => return,
            sink::Step::Receive(left) => {
                let count = (said.len() as u64).min(left);
                if count == 0 {
                    return;
                }
                said = &said[usize::try_from(count).unwrap()..];
                sink.received(count);
            }
            sink::Step::Stop(stop) => panic!("{stop}"),
            sink::Step::Warning(_) => {}
            _ => sink.accept(),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&count, rest)) = data.split_first() else {
        return;
    };
    let (offers, answers) = rest.split_at(usize::from(count).min(rest.len()));
    let mut source = Source::new();
    // An honest sink agrees to everything, so it listens only as long as the hostile one did.
    let mut honest = Sink::new(Settings {
        recursive: true,
        wanted: Wanted::anything(),
    });
    honest.accept();
    let mut agreed = true;
    let mut offers = offers.iter();
    let mut input = answers;
    loop {
        let step = source.step(&mut input);
        let mut said = std::mem::take(source.output());
        match step {
            Step::NeedInput | Step::Stop(_) => break,
            Step::Idle => {
                let Some(&what) = offers.next() else {
                    break;
                };
                let name = offers.as_slice();
                let name = &name[..name.len().min(usize::from(what >> 5))];
                if offer(&mut source, what, name).is_ok() {
                    assert_eq!(offer(&mut source, 0, b"x"), Err(OfferError::NotReady));
                } else {
                    source.warn(name).unwrap();
                }
            }
            Step::Send(left) => {
                said.resize(said.len() + usize::try_from(left).unwrap(), b'x');
                source.sent(left);
                source.finish((left % 3 == 2).then_some(b"no\n\x01".as_slice()));
            }
            Step::Refused(_) | Step::Failed(_) => agreed = false,
        }
        said.append(source.output());
        if agreed {
            listen(&mut honest, &said);
        }
        assert!(source.depth() <= DEPTH_LIMIT);
    }
    assert!(source.unfinished_line().len() <= LINE_LIMIT);
});
