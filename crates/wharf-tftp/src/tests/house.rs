//! A service on loopback over a volume in memory.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{Notify, oneshot},
    task::JoinHandle,
};
use wharf_accounts::{
    Account, AccountKind, AccountLimits, AccountName, Accounts, FileDirectory, Home, RequireTls,
    Settings as AccountSettings, SshAccess, StoredSecret,
};
use wharf_engine::{
    Ending, Engine, Policy, Views, Workers,
    events::{Bus, Event, Level, Origin, Sink, TransferEnd},
};
use wharf_proto::tftp::Timing;
use wharf_transfer::datagram;
use wharf_vfs::{
    Grants, Links, Mount, MountTable, OpenMode, Rights, UploadPolicy, View, ViewSettings,
    VirtualPath, Volume, volumes::MemoryVolume,
};

use super::peer::Peer;
use crate::{ClientRule, Settings, TftpFrontEnd, WriteMode, directory::DirectoryPattern};

/// Longer than anything that works takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what must come.
pub(super) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("nothing happened")
}

pub(super) fn path(name: &str) -> VirtualPath {
    VirtualPath::parse(&VirtualPath::root(), name.as_bytes()).unwrap()
}

/// Octets that tell where they stand.
pub(super) fn pattern(octets: usize) -> Vec<u8> {
    (0..octets)
        .map(|at| (at * 7 + at / 251).to_le_bytes()[0])
        .collect()
}

/// What a test wants different.
pub(super) struct Plan {
    pub(super) address: &'static str,
    pub(super) volume: Arc<dyn Volume>,
    pub(super) write: WriteMode,
    pub(super) grants: Grants,
    pub(super) rate: Option<u64>,
    pub(super) settings: Settings,
    pub(super) workers: Option<usize>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:0",
            volume: Arc::new(MemoryVolume::new(1 << 26)),
            write: WriteMode::Overwrite,
            grants: Grants::everywhere(Rights::FULL),
            rate: None,
            settings: Settings {
                timing: Timing {
                    initial: Duration::from_millis(200),
                    ..Timing::default()
                },
                requests_per_second: 0,
                ..Settings::default()
            },
            workers: None,
        }
    }
}

/// Waits so short that a test may sit out all tries.
pub(super) const HASTY: Timing = Timing {
    initial: Duration::from_millis(5),
    shortest: Duration::from_millis(5),
    longest: Duration::from_millis(10),
    tries: 6,
};

pub(super) struct House {
    pub(super) engine: Arc<Engine>,
    pub(super) front_end: Arc<TftpFrontEnd>,
    pub(super) volume: Arc<dyn Volume>,
    pub(super) address: SocketAddr,
    pub(super) settings: Settings,
    pub(super) serving: Option<(oneshot::Sender<()>, JoinHandle<std::io::Result<()>>)>,
    events: Heard,
}

struct OneVolume(Arc<dyn Volume>);

impl Views for OneVolume {
    fn view(&self, account: &Account) -> Result<View, String> {
        let mount = Mount::new(VirtualPath::root(), Arc::clone(&self.0), "v");
        let table = MountTable::new([mount]).map_err(|error| error.to_string())?;
        let grants = Arc::new(account.grants.clone());
        let settings = ViewSettings {
            upload: UploadPolicy::default(),
            ..ViewSettings::default()
        };
        Ok(View::new(Arc::new(table), grants, Arc::new(settings)))
    }
}

#[derive(Clone, Default)]
struct Heard(Arc<(Mutex<Vec<String>>, Notify)>);

impl Sink for Heard {
    fn level(&self) -> Level {
        Level::Debug
    }

    fn take(&self, _: SystemTime, _: &Origin, event: &Event<'_>) {
        let told = match event {
            Event::Transfer(record) => {
                let path = record.path.escape_ascii();
                let end = match &record.end {
                    TransferEnd::Aborted { cause, kept } => format!(" {cause} kept={kept}"),
                    _ => String::new(),
                };
                let ascii = if record.ascii { " ascii" } else { "" };
                format!("{} {path} {}{ascii}{end}", event.name(), record.octets)
            }
            Event::RequestRefused { path, cause, .. } => {
                format!("{} {} {cause}", event.name(), path.escape_ascii())
            }
            Event::Refused { cause } => format!("refused {cause}"),
            Event::Listening(_) => return,
            other => format!("{other:?}"),
        };
        self.0.0.lock().unwrap().push(told);
        self.0.1.notify_waiters();
    }
}

impl House {
    pub(super) async fn usual() -> Self {
        Self::of(Plan::default()).await
    }

    /// A service with these settings.
    pub(super) async fn with(change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = Plan::default();
        change(&mut plan);
        Self::of(plan).await
    }

    pub(super) async fn of(plan: Plan) -> Self {
        let rate = plan.rate.and_then(std::num::NonZeroU64::new);
        let account = Arc::new(Account {
            name: AccountName::parse(b"tftp").unwrap(),
            kind: AccountKind::User,
            home: Home::directory("/nowhere"),
            grants: plan.grants,
            limits: AccountLimits {
                max_sessions: Some(10_000),
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
        });
        let directory = Arc::new(FileDirectory::new([]));
        let accounts = Accounts::new(vec![directory], AccountSettings::default()).unwrap();
        let events = Heard::default();
        let bus = Bus::new(vec![Box::new(events.clone())]);
        let views = OneVolume(Arc::clone(&plan.volume));
        let engine = Arc::new(Engine::new(
            bus,
            accounts,
            Box::new(views),
            Policy::default(),
        ));
        let mut settings = plan.settings;
        if settings.clients.is_empty() {
            settings.clients.push(ClientRule {
                networks: Vec::new(),
                macs: Vec::new(),
                account,
                read: true,
                write: plan.write,
                directory: DirectoryPattern::default(),
                rollover: None,
                max_block_size: None,
            });
        }
        let front_end = Arc::new(TftpFrontEnd::new(Arc::clone(&engine), settings.clone()));
        let mut house = Self {
            engine,
            front_end,
            volume: plan.volume,
            address: ([127, 0, 0, 1], 9).into(),
            settings,
            serving: None,
            events,
        };
        house.listen(plan.address, plan.workers);
        house
    }

    fn listen(&mut self, address: &str, workers: Option<usize>) {
        let socket = datagram::bind(address.parse().unwrap()).unwrap();
        self.address = socket.local_addr().unwrap();
        let workers = match workers {
            Some(count) => Workers::start(count).unwrap(),
            None => Workers::here(),
        };
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&self.front_end).serve(socket, Arc::new(workers), async {
            let _ = stopped.await;
        });
        self.serving = Some((stop, tokio::spawn(serving)));
    }

    /// Stops to hear requests.
    pub(super) fn stop(&mut self) -> JoinHandle<std::io::Result<()>> {
        let (stop, serving) = self.serving.take().unwrap();
        stop.send(()).unwrap();
        serving
    }

    /// A peer with a port of its own.
    pub(super) async fn peer(&self) -> Peer {
        Peer::at("127.0.0.1:0", self.address).await
    }

    pub(super) async fn put(&self, name: &str, content: &[u8]) {
        self.put_with(name, content, 0o644).await;
    }

    pub(super) async fn put_with(&self, name: &str, content: &[u8], mode: u32) {
        let open = OpenMode::CreateNew { mode };
        let file = self.volume.open(&path(name), open).await.unwrap();
        if !content.is_empty() {
            file.write_at(content.to_vec(), 0).await.unwrap();
        }
    }

    pub(super) async fn make_directory(&self, name: &str) {
        let path = path(name);
        self.volume.create_directory(&path, 0o755).await.unwrap();
    }

    pub(super) async fn content(&self, name: &str) -> Option<Vec<u8>> {
        let file = self.volume.open(&path(name), OpenMode::Read).await.ok()?;
        let size = usize::try_from(file.metadata().await.unwrap().size).unwrap();
        let mut content = Vec::new();
        while content.len() < size {
            let offset = content.len() as u64;
            let part = file.read_at(Vec::with_capacity(1 << 20), offset).await;
            content.extend_from_slice(&part.unwrap());
        }
        Some(content)
    }

    pub(super) async fn mode(&self, name: &str) -> u32 {
        let metadata = self.volume.metadata(&path(name), Links::Follow).await;
        metadata.unwrap().mode
    }

    /// Names of the files at the top.
    pub(super) async fn names(&self) -> Vec<String> {
        let reader = self.volume.read_directory(&VirtualPath::root()).await;
        let mut reader = reader.unwrap();
        let mut batch = wharf_vfs::EntryBatch::new();
        let mut names = Vec::new();
        loop {
            batch = reader.next_batch(batch).await.unwrap();
            if batch.is_empty() {
                return names;
            }
            names.extend(
                batch
                    .iter()
                    .map(|entry| String::from_utf8_lossy(entry.name).into_owned()),
            );
        }
    }

    /// What was told so far.
    pub(super) fn told(&self) -> Vec<String> {
        self.events.0.0.lock().unwrap().clone()
    }

    /// Waits until something is told whose text begins so.
    pub(super) async fn heard(&self, words: &str) -> String {
        soon(async {
            loop {
                let told = self.events.0.1.notified();
                let found = self.told().into_iter().find(|told| told.starts_with(words));
                match found {
                    Some(found) => return found,
                    None => told.await,
                }
            }
        })
        .await
    }

    /// Waits until nobody is here any more. Who has his file and only lingers is sent away.
    pub(super) async fn emptied(&self) {
        soon(async {
            while !self.engine.registry.is_empty() || self.front_end.transactions.count() > 0 {
                for session in self.engine.registry.sessions() {
                    if !session.is_busy() {
                        session.end(Ending::AfterTransfer);
                    }
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
