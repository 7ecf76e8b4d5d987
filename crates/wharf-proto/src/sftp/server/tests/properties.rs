//! Properties over arbitrary input: order, one answer each, bounded memory, no panic.

use std::collections::{BTreeMap, HashMap};

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::sftp::{Extended, MAX_PACKET, arbitrary::parts};

/// What a machine said and handed out, whatever the pieces were that it was fed.
#[derive(Debug, Default, PartialEq)]
struct Told {
    requests: Vec<(RequestId, Vec<u8>)>,
    output: Vec<u8>,
    violation: Option<Violation>,
}

/// Feeds a machine that is open, and answers everything at once.
fn feed<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Told {
    let mut server = open(Settings::default());
    let mut told = Told::default();
    for mut piece in pieces {
        loop {
            match server.next_request(&mut piece, &mut told.output) {
                Ok(Some((id, request))) => {
                    let mut encoded = Vec::new();
                    request.encode(id, &mut encoded);
                    told.requests.push((id, encoded));
                }
                Ok(None) => break,
                Err(violation) => {
                    told.violation = Some(violation);
                    return told;
                }
            }
        }
        assert!(piece.is_empty());
        assert!(server.held() < MAX_PACKET + 4, "one packet at most");
    }
    told
}

/// Requests, and now and then what is none.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let request = (parts(), any::<u32>()).prop_map(|(parts, id)| {
        let mut octets = Vec::new();
        parts.request().encode(RequestId(id), &mut octets);
        octets
    });
    let nonsense = vec(any::<u8>(), 5..20).prop_map(|mut body| {
        body[0] |= 1;
        let length = u32::try_from(body.len()).unwrap();
        [&length.to_be_bytes()[..], &body].concat()
    });
    let octets = vec(any::<u8>(), 0..9);
    vec(
        prop_oneof![20 => request, 4 => nonsense, 1 => octets],
        0..20,
    )
    .prop_map(|packets| packets.concat())
}

/// A small world of files, to see in which order requests took effect.
#[derive(Clone, Debug, Default)]
struct World {
    names: BTreeMap<Vec<u8>, usize>,
    files: Vec<Vec<u8>>,
}

impl World {
    /// Three files, open as handles `0`, `1` and `2`, with the names `a`, `b` and `c`.
    fn new() -> Self {
        Self {
            names: (0..3_u8)
                .map(|n| (vec![b'a' + n], usize::from(n)))
                .collect(),
            files: vec![b"0123456789".to_vec(); 3],
        }
    }

    /// Executes a request; what it says must not depend on what was held back.
    fn execute(&mut self, request: &Request<'_>) -> Vec<u8> {
        let open = |handle: &[u8]| usize::from(handle[0] - b'0');
        let place = |offset: u64| usize::try_from(offset).unwrap();
        let resize = |file: &mut Vec<u8>, attributes: &Attributes| {
            file.resize(place(attributes.size.unwrap()), 0);
            Vec::new()
        };
        match *request {
            Request::Read {
                handle,
                offset,
                length,
            } => {
                let octets = self.files[open(handle)].iter().copied();
                octets
                    .skip(place(offset))
                    .take(usize::try_from(length).unwrap())
                    .collect()
            }
            Request::Write {
                handle,
                offset,
                data,
            } => {
                let file = &mut self.files[open(handle)];
                let from = place(offset);
                file.resize(file.len().max(from + data.len()), 0);
                file[from..from + data.len()].copy_from_slice(data);
                Vec::new()
            }
            Request::FStat { handle } => {
                vec![u8::try_from(self.files[open(handle)].len()).unwrap()]
            }
            Request::FSetStat { handle, attributes } => {
                resize(&mut self.files[open(handle)], &attributes)
            }
            Request::Stat { path } => self
                .names
                .get(path)
                .map_or_else(|| b"no".to_vec(), |file| self.files[*file].clone()),
            Request::SetStat { path, attributes } => match self.names.get(path) {
                Some(file) => resize(&mut self.files[*file], &attributes),
                None => b"no".to_vec(),
            },
            Request::Rename { from, to } => match self.names.remove(from) {
                Some(file) => {
                    self.names.insert(to.to_vec(), file);
                    Vec::new()
                }
                None => b"no".to_vec(),
            },
            Request::Extended(Extended::CopyData { source, target, .. }) => {
                self.files[open(target)] = self.files[open(source)].clone();
                Vec::new()
            }
            _ => panic!("not of this world: {request:?}"),
        }
    }
}

/// A request of the world, from numbers.
fn of_the_world(numbers: (u8, u8, u8, u64)) -> Vec<u8> {
    let (which, one, two, offset) = numbers;
    let handle = [b'0' + one % 3];
    let other = [b'0' + two % 3];
    let path = [b'a' + one % 4];
    let to = [b'a' + two % 4];
    let attributes = Attributes {
        size: Some(offset % 20),
        ..Attributes::default()
    };
    let request = match which {
        0..=2 => Request::Read {
            handle: &handle,
            offset,
            length: u32::from(two),
        },
        3..=5 => Request::Write {
            handle: &handle,
            offset,
            data: &b"abcdefgh"[..usize::from(two % 8)],
        },
        6 => Request::FStat { handle: &handle },
        7 => Request::FSetStat {
            handle: &handle,
            attributes,
        },
        8 => Request::Stat { path: &path },
        9 => Request::SetStat {
            path: &path,
            attributes,
        },
        10 => Request::Rename {
            from: &path,
            to: &to,
        },
        _ => Request::Extended(Extended::CopyData {
            source: &handle,
            source_offset: 0,
            length: 0,
            target: &other,
            target_offset: 0,
        }),
    };
    let mut octets = Vec::new();
    request.encode(RequestId(0), &mut octets);
    octets
}

fn parsed(packet: &[u8]) -> Request<'_> {
    Request::parse(&packet[4..], Set::ALL).unwrap().1
}

proptest! {
    #[test]
    fn splitting_the_input_changes_nothing(
        octets in stream(),
        cuts in vec(any::<Index>(), 0..8),
    ) {
        let whole = feed([&octets[..]].into_iter());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len() + 1)).collect();
        cuts.extend([0, octets.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &octets[cut[0]..cut[1]]);
        prop_assert_eq!(&feed(pieces), &whole);
        prop_assert_eq!(&feed(octets.chunks(1)), &whole);
    }

    #[test]
    fn every_request_gets_one_answer_and_nothing_is_held_in_the_end(
        all in vec(parts(), 1..60),
        choices in vec(any::<u8>(), 1..60),
        chunk in 1..200_usize,
    ) {
        let requests: Vec<Request<'_>> = all.iter().map(|parts| parts.request()).collect();
        let octets = sent(&requests);
        let mut server = open(Settings { max_deferred: 5, ..Settings::default() });
        let mut answered: HashMap<RequestId, u32> = HashMap::new();
        let mut deferred: Vec<RequestId> = Vec::new();
        let mut output = Vec::new();
        let mut choices = choices.iter().cycle();
        let settle = |server: &mut Server, deferred: &mut Vec<RequestId>,
                      answered: &mut HashMap<RequestId, u32>, choice: u8| {
            if !deferred.is_empty() {
                let id = deferred.swap_remove(usize::from(choice) % deferred.len());
                server.settle(id);
                *answered.entry(id).or_default() += 1;
            }
        };
        let mut pieces = octets.chunks(chunk);
        loop {
            let piece = pieces.next();
            let mut input = piece.unwrap_or_default();
            loop {
                let next = server.next_request(&mut input, &mut output);
                let Some((id, _)) = next.unwrap() else { break };
                if choices.next().unwrap() % 2 == 0 {
                    server.defer(id);
                    deferred.push(id);
                } else {
                    *answered.entry(id).or_default() += 1;
                }
                prop_assert!(server.deferred() <= 5);
            }
            prop_assert!(input.is_empty());
            if piece.is_none() && deferred.is_empty() {
                break;
            }
            if piece.is_none() || choices.next().unwrap() % 3 == 0 {
                settle(&mut server, &mut deferred, &mut answered, *choices.next().unwrap());
            }
        }
        prop_assert!(output.is_empty(), "the machine answered nothing of its own");
        prop_assert_eq!(server.held(), 0);
        prop_assert_eq!(answered.len(), requests.len());
        prop_assert!(answered.values().all(|times| *times == 1));
    }

    #[test]
    fn sft_23_results_are_those_of_one_request_after_the_other(
        all in vec((0..12_u8, any::<u8>(), any::<u8>(), 0..15_u64), 1..40),
        choices in vec(any::<u8>(), 1..80),
    ) {
        let packets: Vec<Vec<u8>> = all.into_iter().map(of_the_world).collect();
        let mut world = World::new();
        let expected: Vec<Vec<u8>> =
            packets.iter().map(|packet| world.execute(&parsed(packet))).collect();

        let requests: Vec<Request<'_>> = packets.iter().map(|packet| parsed(packet)).collect();
        let octets = sent(&requests);
        let mut server = open(Settings::default());
        let mut world = World::new();
        let mut got: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        let mut deferred: Vec<RequestId> = Vec::new();
        let mut choices = choices.iter().cycle();
        let mut input = &octets[..];
        let done = |world: &mut World, got: &mut BTreeMap<u32, Vec<u8>>, id: RequestId| {
            let place = usize::try_from(id.0).unwrap() - 1;
            got.insert(id.0, world.execute(&requests[place]));
        };
        while got.len() < requests.len() {
            while let Some((id, _)) = server.next_request(&mut input, &mut Vec::new()).unwrap() {
                if choices.next().unwrap() % 4 == 0 {
                    done(&mut world, &mut got, id);
                } else {
                    server.defer(id);
                    deferred.push(id);
                }
            }
            if deferred.is_empty() {
                break;
            }
            // Deferred requests take effect in any order.
            let id = deferred.swap_remove(usize::from(*choices.next().unwrap()) % deferred.len());
            done(&mut world, &mut got, id);
            server.settle(id);
        }
        prop_assert_eq!(got.into_values().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_octets_make_the_machine_panic_or_hold_more_than_its_cap(
        pieces in vec(vec(any::<u8>(), 0..60), 0..20),
        is_open in any::<bool>(),
        defers in vec(any::<bool>(), 1..9),
    ) {
        let settings = Settings { max_held: 100, ..Settings::default() };
        let mut server = if is_open { open(settings) } else { Server::new(settings) };
        let mut output = Vec::new();
        let mut defers = defers.iter().cycle();
        for piece in &pieces {
            let mut input = &piece[..];
            loop {
                match server.next_request(&mut input, &mut output) {
                    Ok(Some((id, _))) => {
                        if *defers.next().unwrap() {
                            server.defer(id);
                        }
                    }
                    Ok(None) => break,
                    Err(_) => return Ok(()),
                }
            }
            if server.deferred() > 0 {
                prop_assert!(server.held() <= 100 + 60);
            }
        }
    }
}
