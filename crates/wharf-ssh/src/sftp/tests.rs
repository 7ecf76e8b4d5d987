//! SFTP sessions from the wire to the volume: every row of the specification, in memory and on disk.

mod files;
mod limits;
mod model;
mod programs;
mod rights;
mod services;
mod slow;
mod tree;
mod uploads;
mod waiting;

use std::{
    collections::HashMap,
    net::SocketAddr,
    num::NonZeroU64,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use tempfile::TempDir;
use wharf_accounts::{
    Account, AccountKind, AccountLimits, AccountName, Accounts, Credential, FileDirectory, Home,
    RequireTls, Settings as AccountSettings, SshAccess, StoredSecret,
};
use wharf_engine::{
    Engine, LoggedIn, Policy, Session, Views,
    events::{Bus, Event, FileChange, Level, Origin, Sink, TransferEnd},
};
use wharf_proto::sftp::{
    Attributes, Extended, OpenFlags, Request, RequestId, Response, StatusCode, SymlinkOrder,
    client::Client,
    response::{FileSystem, Limits, SpaceAvailable},
};
use wharf_vfs::{
    FileRef, Grants, Mount, MountTable, OpenMode, Rights, UploadPolicy, View, VirtualPath, Volume,
    view::ViewSettings,
    volumes::{local::LocalVolume, memory::MemoryVolume},
    writers::Writers,
};

use super::{Context, Sftp, Uploads, Violation};
use crate::{
    channel::{Gone, LateOutbox, Outbox},
    clock,
    settings::SftpSettings,
};

const READ: OpenFlags = OpenFlags::READ;
const WRITE: OpenFlags = OpenFlags::WRITE;
const APPEND: OpenFlags = OpenFlags::APPEND;
const CREATE: OpenFlags = OpenFlags::CREATE;
const TRUNCATE: OpenFlags = OpenFlags::TRUNCATE;
const EXCLUSIVE: OpenFlags = OpenFlags::EXCLUSIVE;

/// How long anything may take before a test gives it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// An account's tree: volumes at their places.
#[derive(Clone)]
struct Plan {
    mounts: Vec<(&'static str, Arc<dyn Volume>)>,
    grants: Grants,
    home: &'static str,
    upload: UploadPolicy,
    download_rate: Option<u64>,
    upload_rate: Option<u64>,
    settings: SftpSettings,
}

impl Plan {
    fn of(volume: Arc<dyn Volume>) -> Self {
        Self {
            mounts: vec![("/", volume)],
            grants: Grants::everywhere(Rights::FULL),
            home: "/",
            upload: UploadPolicy::default(),
            download_rate: None,
            upload_rate: None,
            settings: SftpSettings::default(),
        }
    }
}

impl Views for Plan {
    fn view(&self, account: &Account) -> Result<View, String> {
        let mounts = self
            .mounts
            .iter()
            .enumerate()
            .map(|(number, (at, volume))| {
                Mount::new(path(at), Arc::clone(volume), &*format!("v{number}"))
            });
        let table = MountTable::new(mounts).map_err(|error| error.to_string())?;
        let table = table.with_writers(Arc::<Writers>::default());
        let settings = ViewSettings {
            home: path(self.home),
            upload: self.upload,
            ..ViewSettings::default()
        };
        Ok(View::new(
            Arc::new(table),
            Arc::new(account.grants.clone()),
            Arc::new(settings),
        ))
    }
}

/// Every event that tells of files.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Sink for Heard {
    fn level(&self) -> Level {
        Level::Debug
    }

    fn take(&self, _: SystemTime, _: &Origin, event: &Event<'_>) {
        let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        let line = match event {
            Event::Transfer(record) => {
                let end = match &record.end {
                    TransferEnd::Committed | TransferEnd::SizeOnly => String::new(),
                    TransferEnd::Aborted { cause, kept } => format!(" ({cause}, kept: {kept})"),
                };
                let (path, octets) = (shown(record.path), record.octets);
                format!("{} {path} {octets}{end}", event.name())
            }
            Event::Changed(FileChange::Renamed(from, to)) => {
                format!("renamed {} {}", shown(from), shown(to))
            }
            Event::Changed(FileChange::Linked(path, to)) => {
                format!("linked {} {}", shown(path), shown(to))
            }
            Event::Changed(
                FileChange::Removed(path)
                | FileChange::DirectoryMade(path)
                | FileChange::DirectoryRemoved(path)
                | FileChange::Attributes(path),
            ) => format!("{} {}", event.name(), shown(path)),
            Event::ClientName(name) => format!("client {}", shown(name)),
            Event::VolumeFailed { cause } => format!("failed {cause}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Heard {
    fn all(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A server with one account.
struct House {
    engine: Arc<Engine>,
    volume: Arc<dyn Volume>,
    heard: Heard,
    settings: SftpSettings,
    directory: Option<TempDir>,
}

impl House {
    fn new(plan: Plan) -> Self {
        let heard = Heard::default();
        let account = Account {
            name: AccountName::parse(b"anna").unwrap(),
            kind: AccountKind::User,
            home: Home::directory("/nowhere"),
            grants: plan.grants.clone(),
            limits: AccountLimits {
                download_rate: plan.download_rate.and_then(NonZeroU64::new),
                upload_rate: plan.upload_rate.and_then(NonZeroU64::new),
                ..AccountLimits::default()
            },
            enabled: true,
            expires: None,
            allowed_networks: Vec::new(),
            password: StoredSecret::plain("secret"),
            require_tls: RequireTls::default(),
            certificates: Vec::new(),
            ssh: SshAccess::default(),
        };
        let accounts = Accounts::new(
            vec![Arc::new(FileDirectory::new([account]))],
            AccountSettings::default(),
        );
        let volume = Arc::clone(&plan.mounts[0].1);
        let settings = plan.settings.clone();
        let bus = Bus::new(vec![Box::new(heard.clone())]);
        let engine = Engine::new(bus, accounts.unwrap(), Box::new(plan), Policy::default());
        Self {
            engine: Arc::new(engine),
            volume,
            heard,
            settings,
            directory: None,
        }
    }

    fn in_memory() -> Self {
        Self::new(Plan::of(Arc::new(MemoryVolume::new(64 << 20))))
    }

    /// On disk, with a change of the plan.
    fn on_disk_with(change: impl FnOnce(&mut Plan)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let volume = LocalVolume::open(directory.path()).unwrap();
        let mut plan = Plan::of(Arc::new(volume));
        change(&mut plan);
        Self {
            directory: Some(directory),
            ..Self::new(plan)
        }
    }

    /// The same tree in memory and on disk, with a change of the plan.
    fn both_with(change: impl Fn(&mut Plan)) -> [Self; 2] {
        let mut plan = Plan::of(Arc::new(MemoryVolume::new(64 << 20)));
        change(&mut plan);
        [Self::new(plan), Self::on_disk_with(change)]
    }

    fn both() -> [Self; 2] {
        Self::both_with(|_| {})
    }

    /// A logged-in connection.
    async fn connection(&self) -> Arc<Session<LoggedIn>> {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4000));
        let lease = self.engine.admit(peer.ip(), clock::now()).unwrap();
        let engine = Arc::clone(&self.engine);
        let guest = Session::open(engine, lease, "ssh", peer, peer, clock::now());
        let credential = Credential::password("anna", "secret");
        let login = guest.log_in(&credential, clock::now(), 0);
        Arc::new(
            login
                .await
                .unwrap_or_else(|failure| panic!("{:?}", failure.error)),
        )
    }

    /// A connection with one channel.
    async fn peer(&self) -> Peer {
        let session = self.connection().await;
        self.channel(session, Uploads::default()).await
    }

    async fn channel(&self, session: Arc<Session<LoggedIn>>, uploads: Uploads) -> Peer {
        let (late, sent_late) = LateOutbox::collecting();
        let sftp = Sftp::new(Context {
            session: Arc::clone(&session),
            settings: Arc::new(self.settings.clone()),
            uploads: uploads.clone(),
            late,
        });
        let mut hello = Vec::new();
        let mut peer = Peer {
            client: Client::new(SymlinkOrder::OpenSsh, &mut hello),
            sftp,
            outbox: Collecting::default(),
            sent_late,
            answers: HashMap::new(),
            session,
            uploads,
        };
        peer.put(&hello).unwrap();
        peer.collect();
        assert!(peer.client.extensions().is_some());
        peer
    }

    async fn make(&self, name: &str, bytes: &[u8]) {
        let mode = OpenMode::CreateNew { mode: 0o644 };
        let file = self.volume.open(&path(name), mode).await.unwrap();
        file.write_at(bytes.to_vec(), 0).await.unwrap();
    }

    async fn make_directory(&self, name: &str) {
        self.volume
            .create_directory(&path(name), 0o755)
            .await
            .unwrap();
    }

    /// What lies in the volume, whoever may see it.
    async fn content(&self, name: &str) -> Option<Vec<u8>> {
        let file: FileRef = self.volume.open(&path(name), OpenMode::Read).await.ok()?;
        let size = file.metadata().await.unwrap().size;
        let buffer = Vec::with_capacity(usize::try_from(size).unwrap() + 1);
        Some(file.read_at(buffer, 0).await.unwrap())
    }

    /// The names in a directory, temporaries as well.
    async fn names(&self, name: &str) -> Vec<String> {
        let mut reader = self.volume.read_directory(&path(name)).await.unwrap();
        let mut names = Vec::new();
        loop {
            let batch = reader
                .next_batch(wharf_vfs::EntryBatch::default())
                .await
                .unwrap();
            if batch.is_empty() {
                break;
            }
            names.extend(
                batch
                    .iter()
                    .map(|entry| String::from_utf8_lossy(entry.name).into_owned()),
            );
        }
        names.sort();
        names
    }
}

fn path(text: &str) -> VirtualPath {
    VirtualPath::parse(&VirtualPath::root(), text.as_bytes()).unwrap()
}

/// An outbox that keeps what is sent, with as much room as a test gives.
struct Collecting {
    room: usize,
    sent: Vec<u8>,
    /// The most that was sent at once.
    largest: usize,
    sends: usize,
    /// Whether more of the peer's octets are at hand.
    has_more: bool,
}

impl Default for Collecting {
    fn default() -> Self {
        Self {
            room: usize::MAX,
            sent: Vec::new(),
            largest: 0,
            sends: 0,
            has_more: false,
        }
    }
}

impl Outbox for Collecting {
    fn room(&self) -> usize {
        self.room
    }

    fn may_wait(&mut self) -> bool {
        self.has_more
    }

    fn send(&mut self, octets: Bytes) -> Result<(), Gone> {
        self.room = self.room.saturating_sub(octets.len());
        self.largest = self.largest.max(octets.len());
        self.sends += 1;
        self.sent.extend_from_slice(&octets);
        Ok(())
    }
}

/// A reply that owns what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reply {
    Status(StatusCode, String),
    Handle(Vec<u8>),
    Data(Vec<u8>),
    Names(Vec<(String, String, Attributes)>),
    Attributes(Attributes),
    Limits(Limits),
    FileSystem(FileSystem),
    UsersAndGroups(usize, usize),
    CheckFile(String, Vec<u8>),
    Md5(Vec<u8>),
    Space(SpaceAvailable),
}

impl Reply {
    fn of(response: Response<'_>) -> Self {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        match response {
            Response::Status { code, message } => Self::Status(code, text(message)),
            Response::Handle(handle) => Self::Handle(handle.to_vec()),
            Response::Data(data) => Self::Data(data.to_vec()),
            Response::Names(names) => Self::Names(
                names
                    .map(|name| (text(name.name), text(name.longname), name.attributes))
                    .collect(),
            ),
            Response::Attributes(attributes) => Self::Attributes(attributes),
            Response::Limits(limits) => Self::Limits(limits),
            Response::FileSystem(system) => Self::FileSystem(system),
            Response::UsersAndGroups { users, groups } => {
                Self::UsersAndGroups(users.count(), groups.count())
            }
            Response::CheckFile { algorithm, hashes } => {
                Self::CheckFile(text(algorithm), hashes.to_vec())
            }
            Response::Md5Hash(hash) => Self::Md5(hash.to_vec()),
            Response::SpaceAvailable(room) => Self::Space(room),
        }
    }

    #[track_caller]
    fn code(&self) -> StatusCode {
        match self {
            Self::Status(code, _) => *code,
            other => panic!("no status: {other:?}"),
        }
    }

    #[track_caller]
    fn ok(self) {
        assert_eq!(self.code(), StatusCode::Ok, "{self:?}");
    }

    #[track_caller]
    fn handle(self) -> Vec<u8> {
        match self {
            Self::Handle(handle) => handle,
            other => panic!("no handle: {other:?}"),
        }
    }

    #[track_caller]
    fn data(self) -> Vec<u8> {
        match self {
            Self::Data(data) => data,
            other => panic!("no data: {other:?}"),
        }
    }

    #[track_caller]
    fn attributes(self) -> Attributes {
        match self {
            Self::Attributes(attributes) => attributes,
            other => panic!("no attributes: {other:?}"),
        }
    }

    #[track_caller]
    fn name(self) -> String {
        match self {
            Self::Names(names) if names.len() == 1 => names[0].0.clone(),
            other => panic!("not one name: {other:?}"),
        }
    }
}

/// A client on one channel.
struct Peer {
    client: Client,
    sftp: Sftp,
    outbox: Collecting,
    sent_late: Arc<Mutex<Vec<u8>>>,
    answers: HashMap<RequestId, Reply>,
    session: Arc<Session<LoggedIn>>,
    uploads: Uploads,
}

impl Peer {
    /// Another channel of the same connection.
    async fn beside(&self, house: &House) -> Self {
        house
            .channel(Arc::clone(&self.session), self.uploads.clone())
            .await
    }

    fn put(&mut self, octets: &[u8]) -> Result<(), Violation> {
        self.sftp.handle_input(octets, &mut self.outbox)
    }

    /// Sends a request without waiting for the answer.
    fn send(&mut self, request: &Request<'_>) -> RequestId {
        let mut octets = Vec::new();
        let id = match *request {
            Request::Write {
                handle,
                offset,
                data,
            } => {
                let length = u32::try_from(data.len()).unwrap();
                let id = self
                    .client
                    .write_header(handle, offset, length, &mut octets);
                octets.extend_from_slice(data);
                id
            }
            _ => self.client.request(request, &mut octets),
        };
        self.put(&octets).unwrap();
        id
    }

    /// Takes in what was sent. The client refuses a second answer to anything.
    fn collect(&mut self) {
        let late = std::mem::take(&mut *self.sent_late.lock().unwrap());
        for octets in [std::mem::take(&mut self.outbox.sent), late] {
            let mut input = octets.as_slice();
            while let Some((id, response)) = self.client.next_response(&mut input).unwrap() {
                self.answers.insert(id, Reply::of(response));
            }
        }
        assert_eq!(self.client.held(), 0, "packets are sent whole");
    }

    /// The answer, if it is there.
    fn answered(&mut self, id: RequestId) -> Option<Reply> {
        self.collect();
        self.answers.remove(&id)
    }

    async fn answer(&mut self, id: RequestId) -> Reply {
        let waiting = async {
            loop {
                if let Some(reply) = self.answered(id) {
                    return reply;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("no answer")
    }

    async fn ask(&mut self, request: &Request<'_>) -> Reply {
        let id = self.send(request);
        self.answer(id).await
    }

    async fn extended(&mut self, extended: Extended<'_>) -> Reply {
        self.ask(&Request::Extended(extended)).await
    }

    async fn try_open(&mut self, path: &str, flags: OpenFlags) -> Reply {
        self.ask(&Request::Open {
            path: path.as_bytes(),
            flags,
            attributes: Attributes::default(),
        })
        .await
    }

    async fn open(&mut self, path: &str, flags: OpenFlags) -> Vec<u8> {
        self.try_open(path, flags).await.handle()
    }

    async fn close(&mut self, handle: &[u8]) -> Reply {
        self.ask(&Request::Close { handle }).await
    }

    async fn read(&mut self, handle: &[u8], offset: u64, length: u32) -> Reply {
        self.ask(&Request::Read {
            handle,
            offset,
            length,
        })
        .await
    }

    async fn write(&mut self, handle: &[u8], offset: u64, data: &[u8]) -> Reply {
        self.ask(&Request::Write {
            handle,
            offset,
            data,
        })
        .await
    }

    /// Uploads a whole file as most clients do.
    async fn upload(&mut self, path: &str, data: &[u8]) {
        let handle = self.open(path, WRITE | CREATE | TRUNCATE).await;
        self.write(&handle, 0, data).await.ok();
        self.close(&handle).await.ok();
    }

    async fn stat(&mut self, path: &str) -> Reply {
        let path = path.as_bytes();
        self.ask(&Request::Stat { path }).await
    }

    async fn lstat(&mut self, path: &str) -> Reply {
        let path = path.as_bytes();
        self.ask(&Request::LStat { path }).await
    }

    async fn set(&mut self, path: &str, attributes: Attributes) -> Reply {
        let path = path.as_bytes();
        self.ask(&Request::SetStat { path, attributes }).await
    }

    async fn set_open(&mut self, handle: &[u8], attributes: Attributes) -> Reply {
        self.ask(&Request::FSetStat { handle, attributes }).await
    }

    async fn remove(&mut self, path: &str) -> Reply {
        let path = path.as_bytes();
        self.ask(&Request::Remove { path }).await
    }

    async fn rename(&mut self, from: &str, to: &str) -> Reply {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        self.ask(&Request::Rename { from, to }).await
    }

    async fn posix_rename(&mut self, from: &str, to: &str) -> Reply {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        self.extended(Extended::PosixRename { from, to }).await
    }

    /// The names of a directory, page by page.
    async fn pages(&mut self, path: &str) -> Vec<Vec<(String, String, Attributes)>> {
        let path = path.as_bytes();
        let handle = self.ask(&Request::OpenDirectory { path }).await.handle();
        let mut pages = Vec::new();
        loop {
            match self.ask(&Request::ReadDirectory { handle: &handle }).await {
                Reply::Names(names) => pages.push(names),
                end => {
                    assert_eq!(end.code(), StatusCode::Eof);
                    break;
                }
            }
        }
        self.close(&handle).await.ok();
        pages
    }

    async fn list(&mut self, path: &str) -> Vec<String> {
        let pages = self.pages(path).await;
        let mut names: Vec<_> = pages.into_iter().flatten().map(|(name, ..)| name).collect();
        names.sort();
        names
    }
}

fn size(size: u64) -> Attributes {
    Attributes {
        size: Some(size),
        ..Attributes::default()
    }
}

fn permissions(bits: u32) -> Attributes {
    Attributes {
        permissions: Some(bits),
        ..Attributes::default()
    }
}
