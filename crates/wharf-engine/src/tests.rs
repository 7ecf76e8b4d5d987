//! The engine as a whole: a small protocol over real sockets, accounts and a volume in memory.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests are the rim: they stamp the time"
)]

mod door;
mod file_transfer;
mod people;
mod quiet;
mod telling;
mod transfer;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Instant, SystemTime},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use wharf_accounts::{
    Account, AccountKind, AccountLimits, AccountName, Accounts, Credential, FileDirectory, Home,
    RequireTls, Settings, SshAccess, StoredSecret,
};
use wharf_vfs::{
    Grants, Mount, MountTable, OpenMode, Rights, View, VirtualPath, Volume, view::ViewSettings,
    volumes::memory::MemoryVolume, writers::Writers,
};

use crate::{
    Connection, Engine, FrontEnd, Guest, Listener, LoggedIn, LoginFailure, Policy, Session, Views,
    events::{Bus, Event, Level, Origin, Sink, TransferEnd},
};

/// Everybody's tree is one volume; the umask tells which configuration a view is of.
struct OneVolume {
    volume: Arc<dyn Volume>,
    writers: Arc<Writers>,
    umask: u32,
}

impl OneVolume {
    fn new(volume: Arc<dyn Volume>, umask: u32) -> Self {
        Self {
            volume,
            writers: Arc::default(),
            umask,
        }
    }
}

impl Views for OneVolume {
    fn view(&self, account: &Account) -> Result<View, String> {
        let mount = Mount::new(VirtualPath::root(), Arc::clone(&self.volume), "m");
        let table = MountTable::new([mount]).map_err(|error| error.to_string())?;
        let table = table.with_writers(Arc::clone(&self.writers));
        let settings = ViewSettings {
            umask: self.umask,
            ..ViewSettings::default()
        };
        Ok(View::new(
            Arc::new(table),
            Arc::new(account.grants.clone()),
            Arc::new(settings),
        ))
    }
}

fn account(name: &str) -> Account {
    Account {
        name: AccountName::parse(name.as_bytes()).unwrap(),
        kind: AccountKind::User,
        home: Home::directory("/nowhere"),
        grants: Grants::everywhere(Rights::FULL),
        limits: AccountLimits::default(),
        enabled: true,
        expires: None,
        allowed_networks: Vec::new(),
        password: StoredSecret::plain("secret"),
        require_tls: RequireTls::default(),
        certificates: Vec::new(),
        ssh: SshAccess::default(),
    }
}

fn accounts(all: impl IntoIterator<Item = Account>) -> Accounts {
    Accounts::new(vec![Arc::new(FileDirectory::new(all))], Settings::default()).unwrap()
}

/// Every event, as `name` or `name: cause`.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn transfers(&self) -> Vec<String> {
        self.all()
            .into_iter()
            .filter(|event| event.contains("load_"))
            .collect()
    }
}

impl Sink for Heard {
    fn level(&self) -> Level {
        Level::Debug
    }

    fn take(&self, _: SystemTime, _: &Origin, event: &Event<'_>) {
        let cause = match event {
            Event::LoggedIn { key, .. } => *key,
            Event::Refused { cause }
            | Event::LoginFailed { cause, .. }
            | Event::RequestRefused { cause, .. }
            | Event::VolumeFailed { cause } => *cause,
            Event::Transfer(record) => match &record.end {
                TransferEnd::Aborted { cause, .. } => cause,
                TransferEnd::Committed | TransferEnd::SizeOnly => "",
            },
            _ => "",
        };
        let separator = if cause.is_empty() { "" } else { ": " };
        self.0
            .lock()
            .unwrap()
            .push(format!("{}{separator}{cause}", event.name()));
    }
}

struct House {
    engine: Arc<Engine>,
    volume: MemoryVolume,
    heard: Heard,
}

impl House {
    fn new(policy: Policy) -> Self {
        Self::with(policy, [account("anna")], MemoryVolume::new(1 << 20))
    }

    fn with(policy: Policy, all: impl IntoIterator<Item = Account>, volume: MemoryVolume) -> Self {
        let views = OneVolume::new(Arc::new(volume.clone()), 0);
        Self::of(policy, all, volume, Box::new(views), Vec::new())
    }

    fn of(
        policy: Policy,
        all: impl IntoIterator<Item = Account>,
        volume: MemoryVolume,
        views: Box<dyn Views>,
        mut sinks: Vec<Box<dyn Sink>>,
    ) -> Self {
        let heard = Heard::default();
        sinks.push(Box::new(heard.clone()));
        Self {
            engine: Arc::new(Engine::new(Bus::new(sinks), accounts(all), views, policy)),
            volume,
            heard,
        }
    }

    /// A session of somebody at 192.0.2.`last` whom the door lets in.
    fn guest(&self, last: u8) -> Session<Guest> {
        let peer = SocketAddr::from(([192, 0, 2, last], 4000));
        let lease = self.engine.admit(peer.ip(), Instant::now()).unwrap();
        Session::open(
            Arc::clone(&self.engine),
            lease,
            "test",
            peer,
            peer,
            Instant::now(),
        )
    }

    async fn log_in(
        &self,
        last: u8,
        name: &str,
        password: &str,
    ) -> Result<Session<LoggedIn>, Box<LoginFailure>> {
        self.guest(last)
            .log_in(&Credential::password(name, password), Instant::now(), 0)
            .await
    }

    async fn anna(&self) -> Session<LoggedIn> {
        self.log_in(1, "anna", "secret")
            .await
            .unwrap_or_else(|failure| panic!("{:?}", failure.error))
    }

    async fn put(&self, name: &str, bytes: &[u8]) {
        let file = self
            .volume
            .open(&path(name), OpenMode::CreateNew { mode: 0o600 })
            .await
            .unwrap();
        file.write_at(bytes.to_vec(), 0).await.unwrap();
    }

    async fn content(&self, name: &str) -> Option<Vec<u8>> {
        let file = self.volume.open(&path(name), OpenMode::Read).await.ok()?;
        Some(file.read_at(Vec::with_capacity(1 << 20), 0).await.unwrap())
    }

    /// How many objects there are, temporaries included.
    async fn objects(&self) -> usize {
        let root = VirtualPath::root();
        let mut reader = self.volume.read_directory(&root).await.unwrap();
        reader
            .next_batch(wharf_vfs::EntryBatch::default())
            .await
            .unwrap()
            .len()
    }

    /// Serves the small protocol on loopback until the house is gone.
    fn open(&self) -> SocketAddr {
        let listener = Listener::open(([127, 0, 0, 1], 0).into(), false).unwrap();
        let address = listener.address();
        let front_end = Arc::new(Small {
            engine: Arc::clone(&self.engine),
        });
        tokio::spawn(listener.serve(Arc::clone(&self.engine), front_end, std::future::pending()));
        address
    }
}

fn path(name: &str) -> VirtualPath {
    VirtualPath::parse(&VirtualPath::root(), name.as_bytes()).unwrap()
}

/// Greets with the addresses, says back what is said, tells of requests to end and obeys the hard one.
struct Small {
    engine: Arc<Engine>,
}

impl FrontEnd for Small {
    fn service(&self) -> &'static str {
        "test"
    }

    fn refusal(&self) -> &[u8] {
        b"no place\n"
    }

    async fn serve(self: Arc<Self>, connection: Connection) {
        let Connection {
            mut socket,
            peer,
            local,
            lease,
            ..
        } = connection;
        let session = Session::open(
            Arc::clone(&self.engine),
            lease,
            "test",
            peer,
            local,
            Instant::now(),
        );
        let mut said = [0; 64];
        let mut answer = format!("hello {}\n", peer.ip()).into_bytes();
        loop {
            if socket.write_all(&answer).await.is_err() {
                return;
            }
            tokio::select! {
                ending = session.record().ended() => {
                    answer = format!("{ending:?}\n").into_bytes();
                    if ending == crate::Ending::Now {
                        let _ = socket.write_all(&answer).await;
                        return;
                    }
                }
                count = socket.read(&mut said) => match count {
                    Ok(count @ 1..) => answer = said[..count].to_vec(),
                    _ => return,
                },
            }
        }
    }
}

/// The other end of the small protocol.
struct Caller(TcpStream);

impl Caller {
    async fn call(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next line; empty at the end of the connection.
    async fn hear(&mut self) -> String {
        let mut line = Vec::new();
        while let Ok(octet) = self.0.read_u8().await {
            if octet == b'\n' {
                break;
            }
            line.push(octet);
        }
        String::from_utf8(line).unwrap()
    }
}

/// Lets the others go on until `done`.
async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}
