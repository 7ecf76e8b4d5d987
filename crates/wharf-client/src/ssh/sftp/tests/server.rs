//! A small SFTP server that does what a test tells it to do wrong.
//!
//! It is right by default: files, directories and links in memory, the extensions that the test leaves
//! to it, every answer in the order of the requests. It speaks through the protocol's own machine. What
//! comes while it answers waits for the next flight, so the number of flights is that of round trips.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::mpsc;
use wharf_proto::sftp::{
    Attributes, Extended, Request, RequestId, StatusCode,
    extension::{Name, Set},
    response,
    server::{Server, Settings},
};
use wharf_transfer::{Algorithm, Digest};

use super::super::wire::{Gone, Incoming, Outgoing};

impl Incoming for mpsc::Receiver<Bytes> {
    async fn next(&mut self) -> Option<Bytes> {
        self.recv().await
    }
}

impl Outgoing for mpsc::Sender<Bytes> {
    async fn send(&mut self, octets: Bytes) -> Result<(), Gone> {
        Self::send(self, octets).await.map_err(|_| Gone)
    }

    async fn finish(&mut self) {}

    async fn end(&mut self) {}
}

/// Something in the server's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    File {
        data: Vec<u8>,
        mode: u32,
        modified: u32,
    },
    Directory,
    Link(Vec<u8>),
}

impl Node {
    pub(crate) fn file(data: impl Into<Vec<u8>>) -> Self {
        Self::File {
            data: data.into(),
            mode: 0o644,
            modified: 1_700_000_000,
        }
    }

    fn attributes(&self) -> Attributes {
        let (kind, size, mode, time) = match self {
            Self::File {
                data,
                mode,
                modified,
            } => (0o100_000, data.len() as u64, *mode, *modified),
            Self::Directory => (0o040_000, 4096, 0o755, 1_700_000_000),
            Self::Link(text) => (0o120_000, text.len() as u64, 0o777, 1_700_000_000),
        };
        Attributes {
            size: Some(size),
            owner: Some((1000, 1000)),
            permissions: Some(kind | mode),
            times: Some((time, time)),
        }
    }
}

/// What a test wants.
pub(crate) struct Wish {
    pub(crate) nodes: BTreeMap<Vec<u8>, Node>,
    pub(crate) extensions: Set,
    pub(crate) limits: response::Limits,
    /// Octets of one DATA at the most.
    pub(crate) shorten: Option<usize>,
    /// Octets of the first DATA at the most.
    pub(crate) shorten_first: Option<usize>,
    /// READ is answered with no data.
    pub(crate) empty_data: bool,
    /// READDIR is answered with a NAME of nothing.
    pub(crate) empty_names: bool,
    /// READDIR is answered with this name, as often as it fits, for ever.
    pub(crate) endless: Option<Vec<u8>>,
    /// The answers of one flight come last first.
    pub(crate) backwards: bool,
    /// An answer to nothing is sent behind the first flight.
    pub(crate) unasked: bool,
    /// Each answer is sent twice.
    pub(crate) twice: bool,
    /// What STAT, FSTAT and READDIR say of every file's size.
    pub(crate) lie: Option<u64>,
    /// What the first FSTAT says of the size.
    pub(crate) lie_first: Option<u64>,
    /// Sent before anything else.
    pub(crate) banner: Option<&'static [u8]>,
    /// Names that READDIR tells besides those that are there.
    pub(crate) names: Vec<(&'static [u8], Node)>,
    /// Answers to a request by its verb, in order, before the right ones.
    pub(crate) once: HashMap<&'static str, VecDeque<(StatusCode, &'static str)>>,
    /// Answers to a request by its verb, always.
    pub(crate) always: HashMap<&'static str, (StatusCode, &'static str)>,
    /// The session ends behind so many octets of DATA.
    pub(crate) cut: Option<u64>,
    /// Nothing is answered after INIT.
    pub(crate) silent: bool,
    /// Time of one flight.
    pub(crate) round_trip: Duration,
    /// Requests, as `verb path`.
    pub(crate) log: Vec<String>,
    pub(crate) flights: usize,
    /// The most files that were open at once.
    pub(crate) most_open: usize,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            nodes: BTreeMap::from([(b".".to_vec(), Node::Directory)]),
            extensions: Set::ALL,
            limits: response::Limits {
                packet: 262_144,
                read: 261_120,
                write: 261_120,
                handles: 256,
            },
            shorten: None,
            shorten_first: None,
            empty_data: false,
            empty_names: false,
            endless: None,
            backwards: false,
            unasked: false,
            twice: false,
            lie: None,
            lie_first: None,
            banner: None,
            names: Vec::new(),
            once: HashMap::new(),
            always: HashMap::new(),
            cut: None,
            silent: false,
            round_trip: Duration::ZERO,
            log: Vec::new(),
            flights: 0,
            most_open: 0,
        }
    }
}

#[derive(Clone)]
pub(crate) struct Fake(Arc<Mutex<Wish>>);

/// The client's ends.
pub(crate) type Ends = (mpsc::Receiver<Bytes>, mpsc::Sender<Bytes>);

impl Fake {
    pub(crate) fn new(wish: Wish) -> Self {
        Self(Arc::new(Mutex::new(wish)))
    }

    pub(crate) fn wish(&self) -> MutexGuard<'_, Wish> {
        self.0.lock().unwrap()
    }

    pub(crate) fn data(&self, path: &str) -> Option<Vec<u8>> {
        match self.wish().nodes.get(path.as_bytes()) {
            Some(Node::File { data, .. }) => Some(data.clone()),
            _ => None,
        }
    }

    pub(crate) fn asked(&self, verb: &str) -> usize {
        let wish = self.wish();
        wish.log
            .iter()
            .filter(|line| line.starts_with(verb))
            .count()
    }

    /// Serves one session.
    pub(crate) fn serve(&self) -> Ends {
        let (to_client, incoming) = mpsc::channel(64);
        let (outgoing, from_client) = mpsc::channel(64);
        tokio::spawn(run(self.clone(), from_client, to_client));
        (incoming, outgoing)
    }
}

enum Handle {
    File(Vec<u8>),
    Directory(VecDeque<(Vec<u8>, Node)>),
}

struct Session {
    handles: HashMap<Vec<u8>, Handle>,
    next: u32,
    sent: u64,
}

async fn run(fake: Fake, mut input: mpsc::Receiver<Bytes>, output: mpsc::Sender<Bytes>) {
    let extensions = fake.wish().extensions;
    let mut machine = Server::new(Settings {
        extensions,
        ..Settings::default()
    });
    let mut session = Session {
        handles: HashMap::new(),
        next: 0,
        sent: 0,
    };
    if let Some(banner) = fake.wish().banner.take() {
        let _ = output.try_send(Bytes::from_static(banner));
    }
    while let Some(first) = input.recv().await {
        let round_trip = fake.wish().round_trip;
        if !round_trip.is_zero() {
            tokio::time::sleep(round_trip).await;
        }
        let mut octets = first.to_vec();
        while let Ok(more) = input.try_recv() {
            octets.extend_from_slice(&more);
        }
        let (answers, ends) = session.answer(&fake, &mut machine, &octets);
        // Odd pieces: packets are cut anywhere.
        for piece in answers.chunks(30_011) {
            if output.send(Bytes::copy_from_slice(piece)).await.is_err() {
                return;
            }
        }
        if ends {
            return;
        }
    }
}

impl Session {
    fn answer(&mut self, fake: &Fake, machine: &mut Server, octets: &[u8]) -> (Vec<u8>, bool) {
        let mut wish = fake.wish();
        wish.flights += 1;
        let mut input = octets;
        let mut machines = Vec::new();
        let mut packets: Vec<Vec<u8>> = Vec::new();
        let mut ends = false;
        while let Some((id, request)) = machine.next_request(&mut input, &mut machines).unwrap() {
            if wish.silent {
                continue;
            }
            let mut packet = Vec::new();
            self.act(&mut wish, id, &request, &mut packet);
            if wish.cut.is_some_and(|cut| self.sent > cut) {
                ends = true;
                break;
            }
            if wish.twice {
                packets.push(packet.clone());
            }
            packets.push(packet);
        }
        if wish.backwards {
            packets.reverse();
        }
        if wish.unasked && !packets.is_empty() {
            let mut packet = Vec::new();
            response::status(RequestId(77_777), StatusCode::Ok, "", &mut packet);
            packets.push(packet);
        }
        let mut answers = machines;
        answers.extend(packets.concat());
        (answers, ends)
    }

    fn act(&mut self, wish: &mut Wish, id: RequestId, request: &Request<'_>, out: &mut Vec<u8>) {
        let (verb, subject) = named(request);
        wish.log
            .push(format!("{verb} {}", String::from_utf8_lossy(subject)));
        let told = wish.once.get_mut(verb).and_then(VecDeque::pop_front);
        if let Some((code, text)) = told.or_else(|| wish.always.get(verb).copied()) {
            response::status(id, code, text, out);
            return;
        }
        let result = self.execute(wish, id, request, out);
        if let Err(code) = result {
            response::status(id, code, code.text(), out);
        }
    }

    fn open(&mut self, wish: &mut Wish, handle: Handle) -> Vec<u8> {
        self.next += 1;
        let name = self.next.to_be_bytes().to_vec();
        self.handles.insert(name.clone(), handle);
        wish.most_open = wish.most_open.max(self.handles.len());
        name
    }

    fn path(&self, handle: &[u8]) -> Result<Vec<u8>, StatusCode> {
        match self.handles.get(handle) {
            Some(Handle::File(path)) => Ok(path.clone()),
            _ => Err(StatusCode::Failure),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each request")]
    fn execute(
        &mut self,
        wish: &mut Wish,
        id: RequestId,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), StatusCode> {
        let ok = |out: &mut Vec<u8>| response::status(id, StatusCode::Ok, "", out);
        let lie = wish.lie;
        let attributes = |node: &Node| {
            let mut attributes = node.attributes();
            if matches!(node, Node::File { .. }) && lie.is_some() {
                attributes.size = lie;
            }
            attributes
        };
        match *request {
            Request::Open {
                path,
                flags,
                attributes,
            } => {
                let path = resolved(wish, path);
                let creates = flags.0 & 0x08 != 0;
                match wish.nodes.get_mut(&path) {
                    None if creates => {
                        let parent = parent(&path);
                        if !matches!(wish.nodes.get(&parent), Some(Node::Directory)) {
                            return Err(StatusCode::NoSuchFile);
                        }
                        let node = Node::File {
                            data: Vec::new(),
                            mode: attributes.permissions.unwrap_or(0o644),
                            modified: 0,
                        };
                        wish.nodes.insert(path.clone(), node);
                    }
                    None => return Err(StatusCode::NoSuchFile),
                    Some(_) if creates && flags.0 & 0x20 != 0 => return Err(StatusCode::Failure),
                    Some(Node::File { data, .. }) if flags.0 & 0x10 != 0 => data.clear(),
                    Some(Node::Directory) if flags.0 & 0x02 != 0 => {
                        return Err(StatusCode::Failure);
                    }
                    Some(_) => {}
                }
                let handle = self.open(wish, Handle::File(path));
                response::handle(id, &handle, out);
            }
            Request::Close { handle } => {
                self.handles.remove(handle).ok_or(StatusCode::Failure)?;
                ok(out);
            }
            Request::Read {
                handle,
                offset,
                length,
            } => {
                let path = self.path(handle)?;
                let Some(Node::File { data, .. }) = wish.nodes.get(&path) else {
                    return Err(StatusCode::Failure);
                };
                let from = usize::try_from(offset).unwrap().min(data.len());
                let rest = &data[from..];
                let shorten = wish.shorten_first.take().or(wish.shorten);
                let length = (length as usize).min(shorten.unwrap_or(usize::MAX));
                let part = &rest[..length.min(rest.len())];
                if part.is_empty() && !wish.empty_data {
                    return Err(StatusCode::Eof);
                }
                let packet = response::Data::begin(id, out);
                if !wish.empty_data {
                    out.extend_from_slice(part);
                }
                packet.finish(out);
                self.sent += part.len() as u64;
            }
            Request::Write {
                handle,
                offset,
                data: piece,
            } => {
                let path = self.path(handle)?;
                let Some(Node::File { data, .. }) = wish.nodes.get_mut(&path) else {
                    return Err(StatusCode::Failure);
                };
                let from = usize::try_from(offset).unwrap();
                let end = from + piece.len();
                if data.len() < end {
                    data.resize(end, 0);
                }
                data[from..end].copy_from_slice(piece);
                ok(out);
            }
            Request::LStat { path } => {
                let node = wish.nodes.get(path).ok_or(StatusCode::NoSuchFile)?;
                response::attributes(id, &attributes(node), out);
            }
            Request::Stat { path } => {
                let path = resolved(wish, path);
                let node = wish.nodes.get(&path).ok_or(StatusCode::NoSuchFile)?;
                response::attributes(id, &attributes(node), out);
            }
            Request::FStat { handle } => {
                let path = self.path(handle)?;
                let node = wish.nodes.get(&path).ok_or(StatusCode::NoSuchFile)?;
                let mut told = attributes(node);
                told.size = wish.lie_first.take().or(told.size);
                response::attributes(id, &told, out);
            }
            Request::FSetStat {
                handle,
                attributes: wanted,
            } => {
                let path = self.path(handle)?;
                if let Some(Node::File { mode, modified, .. }) = wish.nodes.get_mut(&path) {
                    *mode = wanted.permissions.unwrap_or(*mode);
                    *modified = wanted.times.map_or(*modified, |(_, time)| time);
                }
                ok(out);
            }
            Request::OpenDirectory { path } => {
                if !matches!(wish.nodes.get(path), Some(Node::Directory)) {
                    return Err(StatusCode::NoSuchFile);
                }
                let mut names: VecDeque<_> = [&b"."[..], b".."]
                    .map(|name| (name.to_vec(), Node::Directory))
                    .into();
                let inside = wish
                    .nodes
                    .iter()
                    .filter(|(name, _)| name.as_slice() != b"." && parent(name) == path);
                names.extend(inside.map(|(name, node)| (last(name), node.clone())));
                if path == b"." || path == b"t" {
                    let more = wish.names.iter();
                    names.extend(more.map(|(name, node)| (name.to_vec(), node.clone())));
                }
                let handle = self.open(wish, Handle::Directory(names));
                response::handle(id, &handle, out);
            }
            Request::ReadDirectory { handle } => {
                let Some(Handle::Directory(names)) = self.handles.get_mut(handle) else {
                    return Err(StatusCode::Failure);
                };
                if wish.empty_names {
                    response::Names::begin(id, out).finish(out);
                    return Ok(());
                }
                if let Some(name) = &wish.endless {
                    let mut packet = response::Names::begin(id, out);
                    while packet.push(name, |_| {}, &Attributes::default(), out) {}
                    packet.finish(out);
                    return Ok(());
                }
                if names.is_empty() {
                    return Err(StatusCode::Eof);
                }
                let mut packet = response::Names::begin(id, out);
                // Three at a time: listings of several answers are the rule.
                for _ in 0..3 {
                    if let Some((name, node)) = names.pop_front() {
                        let told = attributes(&node);
                        assert!(packet.push(&name, |line| line.extend(b"?"), &told, out));
                    }
                }
                packet.finish(out);
            }
            Request::Remove { path } => match wish.nodes.get(path) {
                Some(Node::Directory) => return Err(StatusCode::Failure),
                Some(_) => {
                    wish.nodes.remove(path);
                    ok(out);
                }
                None => return Err(StatusCode::NoSuchFile),
            },
            Request::MakeDirectory { path, .. } => {
                if wish.nodes.contains_key(path) {
                    return Err(StatusCode::Failure);
                }
                if !wish.nodes.contains_key(&parent(path)) {
                    return Err(StatusCode::NoSuchFile);
                }
                wish.nodes.insert(path.to_vec(), Node::Directory);
                ok(out);
            }
            Request::RemoveDirectory { path } => {
                if wish
                    .nodes
                    .keys()
                    .any(|name| parent(name) == path && name != path)
                {
                    return Err(StatusCode::Failure);
                }
                wish.nodes.remove(path).ok_or(StatusCode::NoSuchFile)?;
                ok(out);
            }
            Request::RealPath { path } => {
                let whole = [b"/home/ann/", path].concat();
                response::name(id, &whole, out);
            }
            Request::Rename { from, to } => {
                if wish.nodes.contains_key(to) {
                    return Err(StatusCode::Failure);
                }
                let node = wish.nodes.remove(from).ok_or(StatusCode::NoSuchFile)?;
                wish.nodes.insert(to.to_vec(), node);
                ok(out);
            }
            Request::ReadLink { path } => match wish.nodes.get(path) {
                Some(Node::Link(text)) => response::name(id, text, out),
                _ => {
                    let extra = wish.names.iter().find(|(name, _)| *name == last(path));
                    match extra {
                        Some((_, Node::Link(text))) => response::name(id, text, out),
                        _ => return Err(StatusCode::NoSuchFile),
                    }
                }
            },
            Request::Extended(Extended::Limits) => response::limits(id, &wish.limits, out),
            Request::Extended(Extended::PosixRename { from, to }) => {
                let node = wish.nodes.remove(from).ok_or(StatusCode::NoSuchFile)?;
                wish.nodes.insert(to.to_vec(), node);
                ok(out);
            }
            Request::Extended(Extended::CheckFileName { path, check }) => {
                hash(wish, path, &check, id, out)?;
            }
            Request::Extended(Extended::CheckFileHandle { handle, check }) => {
                let path = self.path(handle)?;
                hash(wish, &path, &check, id, out)?;
            }
            _ => return Err(StatusCode::OpUnsupported),
        }
        Ok(())
    }
}

fn hash(
    wish: &Wish,
    path: &[u8],
    check: &wharf_proto::sftp::extension::Check<'_>,
    id: RequestId,
    out: &mut Vec<u8>,
) -> Result<(), StatusCode> {
    let Some(Node::File { data, .. }) = wish.nodes.get(path) else {
        return Err(StatusCode::NoSuchFile);
    };
    let from = usize::try_from(check.offset).unwrap().min(data.len());
    let end = match check.length {
        0 => data.len(),
        length => (from + usize::try_from(length).unwrap()).min(data.len()),
    };
    let mut digest = Digest::new(Algorithm::Sha256);
    digest.update(&data[from..end]);
    let hex = digest.finish();
    let octets = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    response::check_file(id, b"sha256", &octets, out);
    Ok(())
}

fn named<'a>(request: &Request<'a>) -> (&'static str, &'a [u8]) {
    match *request {
        Request::Open { path, .. } => ("open", path),
        Request::Close { .. } => ("close", b""),
        Request::Read { .. } => ("read", b""),
        Request::Write { .. } => ("write", b""),
        Request::LStat { path } => ("lstat", path),
        Request::Stat { path } => ("stat", path),
        Request::FStat { .. } => ("fstat", b""),
        Request::FSetStat { .. } => ("fsetstat", b""),
        Request::OpenDirectory { path } => ("opendir", path),
        Request::ReadDirectory { .. } => ("readdir", b""),
        Request::Remove { path } => ("remove", path),
        Request::MakeDirectory { path, .. } => ("mkdir", path),
        Request::RemoveDirectory { path } => ("rmdir", path),
        Request::Rename { to, .. } => ("rename", to),
        Request::Extended(Extended::PosixRename { to, .. }) => ("posix-rename", to),
        Request::Extended(Extended::CheckFileName { .. } | Extended::CheckFileHandle { .. }) => {
            ("hash", b"")
        }
        _ => ("other", b""),
    }
}

fn parent(path: &[u8]) -> Vec<u8> {
    match path.iter().rposition(|octet| *octet == b'/') {
        Some(at) => path[..at].to_vec(),
        None => b".".to_vec(),
    }
}

fn last(path: &[u8]) -> Vec<u8> {
    path.rsplit(|octet| *octet == b'/').next().unwrap().to_vec()
}

fn resolved(wish: &Wish, path: &[u8]) -> Vec<u8> {
    match wish.nodes.get(path) {
        Some(Node::Link(text)) => [parent(path).as_slice(), b"/", text].concat(),
        _ => path.to_vec(),
    }
}

/// A set without some extensions.
pub(crate) fn without(names: &[Name]) -> Set {
    names.iter().fold(Set::ALL, |set, name| set.without(*name))
}
