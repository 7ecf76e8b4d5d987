//! A service in memory, and clients that do what they should.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use russh::{
    client::{self, Handle},
    keys::PublicKeyOrCertificate,
};
use tokio::{io::DuplexStream, task::JoinHandle};
use wharf_accounts::{
    Account, AccountKind, AccountLimits, AccountName, Accounts, CertificateRole, FileDirectory,
    Home, RequireTls, Settings as AccountSettings, SshAccess, StoredSecret, UserAuthorities,
};
use wharf_engine::{
    Engine, LockoutPolicy, Policy, Session, Views,
    events::{Bus, Event, Level, Origin, Sink},
};
use wharf_vfs::{
    Grants, Mount, MountTable, Rights, View, ViewSettings, VirtualPath, Volume,
    volumes::MemoryVolume,
};

use crate::{
    Algorithms, HostKey, HostKeyKind, HostKeys, Settings, SftpSettings, SshFrontEnd, clock,
    connection::converse,
};

/// Octets on their way in one direction before the writer waits.
const ON_THE_WAY: usize = 1 << 16;

pub(super) fn settings() -> Settings {
    let key = HostKey::generate(HostKeyKind::Ed25519).unwrap();
    Settings {
        host_keys: Arc::new(HostKeys::new(vec![key]).unwrap()),
        algorithms: Algorithms::default(),
        login_timeout: Duration::from_secs(60),
        max_auth_attempts: 6,
        idle_timeout: Duration::from_secs(900),
        rekey_bytes: 1 << 30,
        rekey_time: Duration::from_secs(3600),
        max_channels: 10,
        packet_size: 256 << 10,
        banner: None,
        reveal: false,
        scp: true,
        exec_helpers: true,
        certificate_role: CertificateRole::Login,
        sftp: Arc::new(SftpSettings::default()),
    }
}

/// What a test wants different.
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) ssh: SshAccess,
    pub(super) authorities: UserAuthorities,
    pub(super) lockout: LockoutPolicy,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            settings: settings(),
            ssh: SshAccess::default(),
            authorities: UserAuthorities::default(),
            lockout: LockoutPolicy {
                delay: Duration::ZERO,
                ..LockoutPolicy::default()
            },
        }
    }
}

pub(super) struct House {
    pub(super) engine: Arc<Engine>,
    pub(super) front_end: Arc<SshFrontEnd>,
    events: Heard,
}

struct OneVolume(Arc<dyn Volume>);

impl Views for OneVolume {
    fn view(&self, account: &Account) -> Result<View, String> {
        let mount = Mount::new(VirtualPath::root(), Arc::clone(&self.0), "v");
        let table = MountTable::new([mount]).map_err(|error| error.to_string())?;
        let grants = Arc::new(account.grants.clone());
        Ok(View::new(
            Arc::new(table),
            grants,
            Arc::new(ViewSettings::default()),
        ))
    }
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Sink for Heard {
    fn level(&self) -> Level {
        Level::Debug
    }

    fn take(&self, _: SystemTime, _: &Origin, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

impl House {
    pub(super) fn usual() -> Self {
        Self::of(Plan::default())
    }

    pub(super) fn of(plan: Plan) -> Self {
        let account = Account {
            name: AccountName::parse(b"anna").unwrap(),
            kind: AccountKind::User,
            home: Home::directory("/nowhere"),
            grants: Grants::everywhere(Rights::FULL),
            limits: AccountLimits::default(),
            enabled: true,
            expires: None,
            allowed_networks: Vec::new(),
            password: StoredSecret::plain("secret"),
            require_tls: RequireTls::Both,
            certificates: Vec::new(),
            ssh: plan.ssh,
        };
        let directory = Arc::new(FileDirectory::new([account]));
        let accounts = Accounts::new(vec![directory], AccountSettings::default())
            .unwrap()
            .with_user_authorities(plan.authorities);
        let events = Heard::default();
        let bus = Bus::new(vec![Box::new(events.clone())]);
        let views = OneVolume(Arc::new(MemoryVolume::new(1 << 26)));
        let policy = Policy {
            lockout: plan.lockout,
            ..Policy::default()
        };
        let engine = Arc::new(Engine::new(bus, accounts, Box::new(views), policy));
        let front_end = Arc::new(SshFrontEnd::new(Arc::clone(&engine), plan.settings));
        Self {
            engine,
            front_end,
            events,
        }
    }

    /// A peer's end of a new connection, and the task that serves the other.
    pub(super) fn call(&self) -> (DuplexStream, JoinHandle<()>) {
        let (ours, theirs) = tokio::io::duplex(ON_THE_WAY);
        let peer = SocketAddr::from(([192, 0, 2, 1], 4000));
        let engine = Arc::clone(&self.engine);
        let now = clock::now();
        let lease = engine.admit(peer.ip(), now).unwrap();
        let guest = Session::open(engine, lease, "ssh", peer, peer, now);
        let serving = tokio::spawn(converse(Arc::clone(&self.front_end), guest, ours));
        (theirs, serving)
    }

    /// A client before login.
    pub(super) async fn client(&self) -> Handle<Client> {
        self.client_with(client::Config::default()).await
    }

    pub(super) async fn client_with(&self, config: client::Config) -> Handle<Client> {
        let (stream, _) = self.call();
        soon(client::connect_stream(Arc::new(config), stream, Client))
            .await
            .unwrap()
    }

    /// A client in its account.
    pub(super) async fn user(&self) -> Handle<Client> {
        self.user_with(client::Config::default()).await
    }

    pub(super) async fn user_with(&self, config: client::Config) -> Handle<Client> {
        let mut client = self.client_with(config).await;
        let answer = soon(client.authenticate_password("anna", "secret")).await;
        assert!(answer.unwrap().success());
        client
    }

    /// Every event so far whose text holds `words`.
    pub(super) fn events(&self, words: &str) -> Vec<String> {
        let events = self.events.0.lock().unwrap();
        let found = events.iter().filter(|event| event.contains(words));
        found.cloned().collect()
    }

    /// Waits until no session is left.
    pub(super) async fn emptied(&self) {
        soon(self.engine.registry.emptied()).await;
    }
}

/// A client that believes every host.
pub(super) struct Client;

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// What must come, comes within a time that is long for every machine.
pub(super) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), Box::pin(what))
        .await
        .unwrap_or_else(|_| panic!("it never came"))
}
