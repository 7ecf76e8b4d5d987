//! Random requests against a model: exactly one reply to each, and the files that the model has.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{slow::Slow, *};

#[derive(Clone, Debug)]
enum Step {
    Open {
        name: u8,
        flags: u32,
    },
    Close {
        handle: usize,
    },
    Read {
        handle: usize,
        offset: u64,
        length: u32,
    },
    Write {
        handle: usize,
        offset: u64,
        data: Vec<u8>,
    },
    Cut {
        handle: usize,
        size: u64,
    },
    Stat {
        name: u8,
    },
    Remove {
        name: u8,
    },
    Rename {
        from: u8,
        to: u8,
        replaces: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let handle = || 0..4_usize;
    let name = || 0..3_u8;
    prop_oneof![
        3 => (name(), 1..0x40_u32).prop_map(|(name, flags)| Step::Open { name, flags }),
        2 => handle().prop_map(|handle| Step::Close { handle }),
        3 => (handle(), 0..40_u64, 0..40_u32).prop_map(|(handle, offset, length)| Step::Read { handle, offset, length }),
        4 => (handle(), 0..40_u64, prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(handle, offset, data)| Step::Write { handle, offset, data }),
        1 => (handle(), 0..40_u64).prop_map(|(handle, size)| Step::Cut { handle, size }),
        2 => name().prop_map(|name| Step::Stat { name }),
        1 => name().prop_map(|name| Step::Remove { name }),
        1 => (name(), name(), any::<bool>()).prop_map(|(from, to, replaces)| Step::Rename { from, to, replaces }),
    ]
}

/// What a plain file system would do. Whether an upload is visible already is not modelled: whoever
/// looks publishes it.
#[derive(Default)]
struct Model {
    files: Vec<Vec<u8>>,
    names: BTreeMap<u8, usize>,
    open: Vec<Option<(usize, u32)>>,
}

impl Model {
    fn resize(content: &mut Vec<u8>, size: usize) {
        content.resize(size, 0);
    }

    /// The reply's code, and data where there are some.
    fn apply(&mut self, step: &Step) -> (StatusCode, Vec<u8>) {
        use StatusCode::{Eof, Failure, NoSuchFile, Ok, PermissionDenied};
        let say = |code| (code, Vec::new());
        match *step {
            Step::Open { name, flags } => {
                let (read, write) = (flags & 1 != 0, flags & 2 != 0);
                let (create, truncate) = (flags & 8 != 0, flags & 16 != 0);
                if !read && !write {
                    return say(Failure);
                }
                let file = match self.names.get(&name) {
                    Some(_) if create && flags & 32 != 0 => return say(Failure),
                    Some(file) => *file,
                    None if !create => return say(NoSuchFile),
                    None => {
                        self.files.push(Vec::new());
                        self.names.insert(name, self.files.len() - 1);
                        self.files.len() - 1
                    }
                };
                if truncate {
                    self.files[file].clear();
                }
                let flags = if write { flags } else { flags & !4 };
                self.open.push(Some((file, flags)));
                say(Ok)
            }
            Step::Close { handle } => match self.open.get_mut(handle).and_then(Option::take) {
                Some(_) => say(Ok),
                None => say(Failure),
            },
            Step::Read {
                handle,
                offset,
                length,
            } => {
                let Some(Some((file, flags))) = self.open.get(handle) else {
                    return say(Failure);
                };
                if flags & 1 == 0 {
                    return say(PermissionDenied);
                }
                let content = &self.files[*file];
                let from = usize::try_from(offset).unwrap().min(content.len());
                let to = (from + length as usize).min(content.len());
                if length > 0 && from == to {
                    return say(Eof);
                }
                (Ok, content[from..to].to_vec())
            }
            Step::Write {
                handle,
                offset,
                ref data,
            } => {
                let Some(Some((file, flags))) = self.open.get(handle) else {
                    return say(Failure);
                };
                if flags & 2 == 0 {
                    return say(PermissionDenied);
                }
                let content = &mut self.files[*file];
                let offset = if flags & 4 != 0 {
                    content.len()
                } else {
                    usize::try_from(offset).unwrap()
                };
                if !data.is_empty() {
                    if content.len() < offset + data.len() {
                        Self::resize(content, offset + data.len());
                    }
                    content[offset..][..data.len()].copy_from_slice(data);
                }
                say(Ok)
            }
            Step::Cut { handle, size } => {
                let Some(Some((file, flags))) = self.open.get(handle) else {
                    return say(Failure);
                };
                if flags & 2 == 0 {
                    return say(PermissionDenied);
                }
                Self::resize(&mut self.files[*file], usize::try_from(size).unwrap());
                say(Ok)
            }
            Step::Stat { name } => match self.names.get(&name) {
                Some(file) => (Ok, self.files[*file].len().to_be_bytes().to_vec()),
                None => say(NoSuchFile),
            },
            Step::Remove { name } => match self.names.remove(&name) {
                Some(_) => say(Ok),
                None => say(NoSuchFile),
            },
            Step::Rename { from, to, replaces } => {
                let Some(file) = self.names.get(&from).copied() else {
                    return say(NoSuchFile);
                };
                if !replaces && self.names.contains_key(&to) {
                    return say(Failure);
                }
                self.names.remove(&from);
                self.names.insert(to, file);
                say(Ok)
            }
        }
    }
}

fn name(number: u8) -> String {
    format!("f{number}")
}

/// Sends a step; handles are numbered in the order in which they were given.
fn send(peer: &mut Peer, handles: &[Vec<u8>], step: &Step) -> RequestId {
    let none = Vec::new();
    let handle = |number: usize| handles.get(number).unwrap_or(&none);
    match step {
        Step::Open { name: file, flags } => peer.send(&Request::Open {
            path: name(*file).as_bytes(),
            flags: OpenFlags(*flags),
            attributes: Attributes::default(),
        }),
        Step::Close { handle: number } => peer.send(&Request::Close {
            handle: handle(*number),
        }),
        Step::Read {
            handle: number,
            offset,
            length,
        } => peer.send(&Request::Read {
            handle: handle(*number),
            offset: *offset,
            length: *length,
        }),
        Step::Write {
            handle: number,
            offset,
            data,
        } => peer.send(&Request::Write {
            handle: handle(*number),
            offset: *offset,
            data,
        }),
        Step::Cut {
            handle: number,
            size: to,
        } => peer.send(&Request::FSetStat {
            handle: handle(*number),
            attributes: size(*to),
        }),
        Step::Stat { name: file } => peer.send(&Request::Stat {
            path: name(*file).as_bytes(),
        }),
        Step::Remove { name: file } => peer.send(&Request::Remove {
            path: name(*file).as_bytes(),
        }),
        Step::Rename { from, to, replaces } => {
            let (from, to) = (name(*from), name(*to));
            let (from, to) = (from.as_bytes(), to.as_bytes());
            if *replaces {
                peer.send(&Request::Extended(Extended::PosixRename { from, to }))
            } else {
                peer.send(&Request::Rename { from, to })
            }
        }
    }
}

fn check(reply: &Reply, expected: &(StatusCode, Vec<u8>), step: &Step) {
    let (code, data) = match reply {
        Reply::Status(code, _) => (*code, Vec::new()),
        Reply::Handle(_) => (StatusCode::Ok, Vec::new()),
        Reply::Data(data) => (StatusCode::Ok, data.clone()),
        Reply::Attributes(attributes) => (
            StatusCode::Ok,
            attributes.size.unwrap().to_be_bytes().to_vec(),
        ),
        other => panic!("{other:?}"),
    };
    assert_eq!((&code, &data), (&expected.0, &expected.1), "{step:?}");
}

/// Whether two steps touch octets by two handles, which are like two programs: which of them is first
/// is nobody's promise.
fn may_meet(one: &Step, two: &Step) -> bool {
    let handle = |step: &Step| match step {
        Step::Close { handle }
        | Step::Read { handle, .. }
        | Step::Write { handle, .. }
        | Step::Cut { handle, .. } => Some(*handle),
        // Cutting away by name is like a second handle.
        Step::Open { flags, .. } if flags & 16 != 0 => Some(usize::MAX),
        _ => None,
    };
    matches!((handle(one), handle(two)), (Some(one), Some(two)) if one != two)
}

/// Runs the steps, as many in flight together as have one meaning, and compares the files at the end.
async fn run(house: House, steps: &[Step]) {
    let mut model = Model::default();
    let mut peer = house.peer().await;
    let mut handles = Vec::new();
    let mut flight: Vec<(RequestId, &Step)> = Vec::new();
    for step in steps {
        if flight.iter().any(|(_, other)| may_meet(other, step)) {
            for (id, step) in flight.drain(..) {
                let reply = peer.answer(id).await;
                check(&reply, &model.apply(step), step);
            }
        }
        let id = send(&mut peer, &handles, step);
        flight.push((id, step));
        if matches!(step, Step::Open { .. }) {
            // Its handle is needed by what follows.
            for (id, step) in flight.drain(..) {
                let reply = peer.answer(id).await;
                check(&reply, &model.apply(step), step);
                if let Reply::Handle(handle) = reply {
                    handles.push(handle);
                }
            }
        }
    }
    for (id, step) in flight {
        let reply = peer.answer(id).await;
        check(&reply, &model.apply(step), step);
    }
    for (number, open) in model.open.iter().enumerate() {
        if open.is_some() {
            peer.close(&handles[number]).await.ok();
        }
    }
    assert_eq!(peer.client.in_flight(), 0, "one reply to each");
    let names: Vec<_> = model.names.keys().map(|number| name(*number)).collect();
    assert_eq!(house.names("/").await, names);
    for (number, file) in &model.names {
        assert_eq!(
            house.content(&name(*number)).await.unwrap(),
            model.files[*file]
        );
    }
    peer.sftp.end().await;
}

fn check_all(steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for house in House::both() {
            run(house, steps).await;
        }
        let memory: Arc<dyn Volume> = Arc::new(MemoryVolume::new(64 << 20));
        let slow = Slow::open_gate(Arc::clone(&memory));
        let mut house = House::new(Plan::of(slow));
        house.volume = memory;
        run(house, steps).await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// SFT-23: whatever is in flight, the results are those of one request after the other.
    #[test]
    fn sft_23_random_requests_equal_a_plain_file_system(steps in prop::collection::vec(step(), 1..60)) {
        check_all(&steps);
    }
}
