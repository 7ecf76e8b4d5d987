//! A session over a volume, and a peer that says exactly what a test tells it to say.

use std::{
    num::NonZeroU64,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use wharf_accounts::{
    Account, AccountKind, AccountLimits, AccountName, Accounts, Credential, FileDirectory, Home,
    RequireTls, Settings, SshAccess, StoredSecret,
};
use wharf_engine::{
    Engine, LockoutPolicy, LoggedIn, Policy, Session, Views,
    events::{Bus, Event, FileChange, Level, Origin, Sink, TransferEnd},
};
use wharf_vfs::{
    AttributeChange, Grants, Links, Metadata, Mount, MountTable, OpenMode, Rights, View,
    ViewSettings, VirtualPath, Volume, volumes::MemoryVolume,
};

use crate::{
    clock,
    exec::{self, Allowed, Ended},
};

/// Octets on their way in one direction before the writer waits.
const ON_THE_WAY: usize = 1 << 16;

pub(crate) struct House {
    pub(crate) volume: Arc<dyn Volume>,
    pub(crate) session: Arc<Session<LoggedIn>>,
    events: Heard,
}

/// What a test wants different.
pub(crate) struct Plan {
    pub(crate) volume: Arc<dyn Volume>,
    pub(crate) grants: Grants,
    pub(crate) view: ViewSettings,
    pub(crate) rate: Option<u64>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            volume: Arc::new(MemoryVolume::new(1 << 24)),
            grants: Grants::everywhere(Rights::FULL),
            view: ViewSettings::default(),
            rate: None,
        }
    }
}

struct OneVolume(Arc<dyn Volume>, Arc<ViewSettings>);

impl Views for OneVolume {
    fn view(&self, account: &Account) -> Result<View, String> {
        let mount = Mount::new(VirtualPath::root(), Arc::clone(&self.0), "v");
        let table = MountTable::new([mount]).map_err(|error| error.to_string())?;
        let grants = Arc::new(account.grants.clone());
        Ok(View::new(Arc::new(table), grants, Arc::clone(&self.1)))
    }
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Sink for Heard {
    fn level(&self) -> Level {
        Level::Debug
    }

    fn take(&self, _: SystemTime, _: &Origin, event: &Event<'_>) {
        let told = match event {
            Event::Transfer(record) => {
                let path = record.path.escape_ascii();
                let kept = match record.end {
                    TransferEnd::Aborted { kept: true, .. } => " kept",
                    _ => "",
                };
                format!("{} {path} {}{kept}", event.name(), record.octets)
            }
            Event::Changed(FileChange::DirectoryMade(path)) => {
                format!("made {}", path.escape_ascii())
            }
            _ => return,
        };
        self.0.lock().unwrap().push(told);
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::of(Plan::default()).await
    }

    pub(crate) async fn of(plan: Plan) -> Self {
        let rate = plan.rate.map(|rate| NonZeroU64::new(rate).unwrap());
        let account = Account {
            name: AccountName::parse(b"anna").unwrap(),
            kind: AccountKind::User,
            home: Home::directory("/nowhere"),
            grants: plan.grants,
            limits: AccountLimits {
                max_sessions: None,
                download_rate: rate,
                upload_rate: rate,
            },
            enabled: true,
            expires: None,
            allowed_networks: Vec::new(),
            password: StoredSecret::plain("secret"),
            require_tls: RequireTls::default(),
            certificates: Vec::new(),
            ssh: SshAccess::default(),
        };
        let directory = Arc::new(FileDirectory::new([account]));
        let accounts = Accounts::new(vec![directory], Settings::default()).unwrap();
        let events = Heard::default();
        let views = OneVolume(Arc::clone(&plan.volume), Arc::new(plan.view));
        let policy = Policy {
            lockout: LockoutPolicy::default(),
            ..Policy::default()
        };
        let bus = Bus::new(vec![Box::new(events.clone())]);
        let engine = Arc::new(Engine::new(bus, accounts, Box::new(views), policy));
        let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 4000));
        let now = clock::now();
        let lease = engine.admit(peer.ip(), now).unwrap();
        let guest = Session::open(engine, lease, "ssh", peer, peer, now);
        let credential = Credential::password("anna", "secret");
        let session = guest.log_in(&credential, now, 0).await;
        let session = session.unwrap_or_else(|failure| panic!("{:?}", failure.error));
        Self {
            volume: plan.volume,
            session: Arc::new(session),
            events,
        }
    }

    /// What the bus heard, oldest first.
    pub(crate) fn told(&self) -> Vec<String> {
        self.events.0.lock().unwrap().clone()
    }

    pub(crate) async fn put(&self, name: &str, content: &[u8]) {
        self.put_with(name, content, 0o644).await;
    }

    pub(crate) async fn put_with(&self, name: &str, content: &[u8], mode: u32) {
        let open = OpenMode::CreateNew { mode };
        let file = self.volume.open(&path(name), open).await.unwrap();
        if !content.is_empty() {
            file.write_at(content.to_vec(), 0).await.unwrap();
        }
    }

    pub(crate) async fn make(&self, name: &str, mode: u32) {
        let made = self.volume.create_directory(&path(name), mode).await;
        made.unwrap();
    }

    pub(crate) async fn link(&self, target: &str, name: &str) {
        let made = self.volume.create_symlink(&path(target), &path(name)).await;
        made.unwrap();
    }

    pub(crate) async fn set(&self, name: &str, change: AttributeChange) {
        let path = path(name);
        let set = self.volume.set_attributes(&path, Links::Follow, change);
        set.await.unwrap();
    }

    pub(crate) async fn content(&self, name: &str) -> Option<Vec<u8>> {
        let file = self.volume.open(&path(name), OpenMode::Read).await.ok()?;
        let mut content = Vec::new();
        loop {
            let room = Vec::with_capacity(1 << 16);
            let piece = file.read_at(room, content.len() as u64).await.unwrap();
            if piece.is_empty() {
                return Some(content);
            }
            content.extend(piece);
        }
    }

    pub(crate) async fn metadata(&self, name: &str) -> Option<Metadata> {
        let found = self.volume.metadata(&path(name), Links::NoFollow).await;
        found.ok()
    }

    pub(crate) async fn mode(&self, name: &str) -> u32 {
        self.metadata(name).await.unwrap().mode
    }

    /// The names in a directory, temporaries included, sorted.
    pub(crate) async fn names(&self, name: &str) -> Vec<String> {
        let mut reader = self.volume.read_directory(&path(name)).await.unwrap();
        let batch = reader
            .next_batch(wharf_vfs::EntryBatch::new())
            .await
            .unwrap();
        let names = batch
            .iter()
            .map(|entry| String::from_utf8_lossy(entry.name).into_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Runs a command whose peer says all of `input` without listening, then hangs up.
    pub(crate) async fn run(&self, line: &str, input: impl AsRef<[u8]>) -> (Vec<u8>, Ended) {
        self.run_through(line, input.as_ref(), ON_THE_WAY).await
    }

    /// The same with `size` octets on their way at the most.
    pub(crate) async fn run_through(
        &self,
        line: &str,
        input: &[u8],
        size: usize,
    ) -> (Vec<u8>, Ended) {
        let (ours, theirs) = tokio::io::duplex(size);
        let (mut reader, mut writer) = tokio::io::split(theirs);
        let say = async {
            // The other side may hang up early.
            let _ = writer.write_all(input).await;
            let _ = writer.shutdown().await;
        };
        let hear = async {
            let mut heard = Vec::new();
            reader.read_to_end(&mut heard).await.unwrap();
            heard
        };
        let (ended, (), heard) = tokio::join!(Box::pin(self.serve(ours, line)), say, hear);
        (heard, ended)
    }

    /// Runs a command with a peer that listens.
    pub(crate) async fn with_peer<T>(
        &self,
        line: &str,
        talk: impl AsyncFnOnce(&mut Peer) -> T,
    ) -> (T, Ended) {
        let (ours, theirs) = tokio::io::duplex(ON_THE_WAY);
        let talk = async {
            let mut peer = Peer(theirs);
            talk(&mut peer).await
        };
        let (ended, said) = tokio::join!(Box::pin(self.serve(ours, line)), talk);
        (said, ended)
    }

    async fn serve(&self, stream: DuplexStream, line: &str) -> Ended {
        let allowed = Allowed {
            scp: true,
            helpers: true,
            hash_max_bytes: 1 << 30,
        };
        let session = Arc::clone(&self.session);
        exec::run(
            stream,
            line.as_bytes(),
            allowed,
            session,
            std::future::pending(),
        )
        .await
    }
}

/// The other end of the channel.
pub(crate) struct Peer(DuplexStream);

impl Peer {
    pub(crate) async fn say(&mut self, octets: impl AsRef<[u8]>) {
        self.0.write_all(octets.as_ref()).await.unwrap();
    }

    /// Hears exactly this.
    pub(crate) async fn hear(&mut self, octets: impl AsRef<[u8]>) {
        let mut heard = vec![0; octets.as_ref().len()];
        self.0.read_exact(&mut heard).await.unwrap();
        let shown = heard.escape_ascii();
        assert_eq!(heard, octets.as_ref(), "heard: {shown}");
    }

    /// Hears the rest.
    pub(crate) async fn hear_all(&mut self) -> Vec<u8> {
        self.0.shutdown().await.unwrap();
        let mut heard = Vec::new();
        self.0.read_to_end(&mut heard).await.unwrap();
        heard
    }
}

pub(crate) fn path(name: &str) -> VirtualPath {
    VirtualPath::parse(&VirtualPath::root(), name.as_bytes()).unwrap()
}

/// How a run of scp ends.
pub(crate) const fn exit(status: u32) -> Ended {
    Ended {
        status,
        stderr: Vec::new(),
    }
}
