//! A service as the binary composes it: four accounts over the same volumes.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use wharf_accounts::{
    Account, AccountKind, AccountLimits, AccountName, Accounts, Directory, FileDirectory, Home,
    MountSpec, RequireTls, Settings as AccountSettings, SshAccess, StoredSecret, Tree,
};
use wharf_engine::{
    Engine, FrontEnd as _, Listener, LockoutPolicy, Policy, Views,
    events::{Bus, Event, Level, Origin, Sink},
    tls::{self, Tls},
};
use wharf_proto::ftp::server::{Settings as MachineSettings, TlsRules};
use wharf_vfs::{
    Grants, Mount, MountTable, Right, Rights, View, ViewSettings, VirtualPath, Volume,
    volumes::{LocalVolume, MemoryVolume},
};

use crate::{Advertised, DataSettings, FtpFrontEnd, ListSettings, Owners, PeerCheck, Settings};

/// What the small volume holds.
pub(super) const SMALL: u64 = 1000;

/// What a test wants different.
pub(super) struct Plan {
    /// Where it listens.
    pub(super) address: IpAddr,
    pub(super) settings: Settings,
    pub(super) policy: Policy,
    pub(super) view: ViewSettings,
    /// TLS, with a certificate made for the test; then there is an implicit listener, too.
    pub(super) tls: Option<tls::Settings>,
    /// Changes the accounts.
    pub(super) people: fn(&mut Vec<Account>),
}

impl Default for Plan {
    fn default() -> Self {
        let machine = MachineSettings {
            anonymous: true,
            ..MachineSettings::default()
        };
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            settings: Settings {
                machine: Arc::new(machine),
                data: DataSettings {
                    passive_ports: 20_000..=29_999,
                    advertised: Arc::new(Advertised::default()),
                    accept_timeout: Duration::from_secs(60),
                    connect_timeout: Duration::from_secs(30),
                    stall_timeout: Duration::from_secs(300),
                    active: true,
                    default_port: true,
                    peer_check: PeerCheck::Exact,
                },
                list: ListSettings {
                    owners: Owners::Session,
                },
                hash_max_bytes: 1 << 30,
                ascii_size_max: 1 << 20,
                idle_max: Duration::from_secs(7200),
                tls: None,
            },
            policy: Policy {
                per_account: 100,
                lockout: LockoutPolicy {
                    delay: Duration::ZERO,
                    ..LockoutPolicy::default()
                },
                ..Policy::default()
            },
            view: ViewSettings {
                umask: 0o022,
                rename_copy_max: 1 << 30,
                ..ViewSettings::default()
            },
            tls: None,
            people: |_| {},
        }
    }
}

impl Plan {
    /// With TLS.
    pub(super) fn secure() -> Self {
        Self {
            tls: Some(tls::Settings {
                alpn: vec![b"ftp".to_vec()],
                require_close_notify: false,
                ..tls::Settings::default()
            }),
            ..Self::default()
        }
    }

    pub(super) fn tls(&mut self) -> &mut tls::Settings {
        self.tls.as_mut().unwrap()
    }

    pub(super) fn rules(&mut self) -> &mut TlsRules {
        &mut self.machine().tls
    }

    pub(super) fn machine(&mut self) -> &mut MachineSettings {
        Arc::make_mut(&mut self.settings.machine)
    }

    pub(super) async fn open(self) -> House {
        House::open(self).await
    }
}

/// A service that runs, and what stands behind it.
pub(super) struct House {
    pub(super) address: SocketAddr,
    pub(super) engine: Arc<Engine>,
    pub(super) memory: MemoryVolume,
    /// The host directory of `/disk`.
    pub(super) disk: PathBuf,
    /// Where TLS comes first.
    pub(super) implicit: SocketAddr,
    /// The certificate of the service.
    pub(super) certificate: Option<CertificateDer<'static>>,
    events: Arc<Mutex<Vec<String>>>,
    _directory: tempfile::TempDir,
}

impl House {
    /// The usual one.
    pub(super) async fn usual() -> Self {
        Self::open(Plan::default()).await
    }

    async fn open(mut plan: Plan) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let disk = directory.path().join("disk");
        rustix::fs::mkdir(&disk, 0o755.into()).unwrap();
        let memory = MemoryVolume::new(1 << 30);
        let volumes: HashMap<&'static str, Arc<dyn Volume>> = HashMap::from([
            ("memory", Arc::new(memory.clone()) as Arc<dyn Volume>),
            ("disk", Arc::new(LocalVolume::open(&disk).unwrap())),
            ("small", Arc::new(MemoryVolume::new(SMALL))),
            ("public", Arc::new(MemoryVolume::new(1 << 30))),
        ]);
        let events = Arc::new(Mutex::new(Vec::new()));
        let bus = Bus::new(vec![Box::new(Witness(Arc::clone(&events)))]);
        let mut people = people();
        (plan.people)(&mut people);
        let directories: Vec<Arc<dyn Directory>> = vec![Arc::new(FileDirectory::new(people))];
        let accounts = Accounts::new(directories, AccountSettings::default()).unwrap();
        let views = Box::new(Trees {
            volumes,
            writers: Arc::default(),
            settings: plan.view,
        });
        let engine = Arc::new(Engine::new(bus, accounts, views, plan.policy));
        let mut certificate = None;
        if let Some(settings) = plan.tls {
            let pair = tls::self_signed(&["localhost".to_owned()], unix_now()).unwrap();
            let tls = Tls::load(settings).unwrap();
            tls.install(&pair).unwrap();
            certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).ok();
            Arc::make_mut(&mut plan.settings.machine).tls.offered = true;
            plan.settings.tls = Some(Arc::new(tls));
        }
        let implicit = FtpFrontEnd::implicit(Arc::clone(&engine), plan.settings.clone());
        let explicit = FtpFrontEnd::new(Arc::clone(&engine), plan.settings);
        let [address, implicit] = [explicit, implicit].map(|front_end| {
            let listener =
                Listener::open((plan.address, 0).into(), front_end.urgent_in_line()).unwrap();
            let address = listener.address();
            let front_end = Arc::new(front_end);
            tokio::spawn(listener.serve(Arc::clone(&engine), front_end, std::future::pending()));
            address
        });
        Self {
            address,
            engine,
            memory,
            disk,
            implicit,
            certificate,
            events,
            _directory: directory,
        }
    }

    /// Every event so far whose text holds `words`.
    pub(super) fn events(&self, words: &str) -> Vec<String> {
        self.events
            .lock()
            .unwrap()
            .iter()
            .filter(|event| event.contains(words))
            .cloned()
            .collect()
    }

    /// What lies in the host directory of `/disk`, temporaries too.
    pub(super) fn disk_names(&self) -> Vec<String> {
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
        let directory = rustix::fs::open(&self.disk, flags, rustix::fs::Mode::empty()).unwrap();
        let entries = rustix::fs::Dir::read_from(directory).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| name != "." && name != "..").collect();
        names.sort();
        names
    }

    /// Waits until no session is left.
    pub(super) async fn emptied(&self) {
        super::client::soon(self.engine.registry.emptied()).await;
    }
}

/// Remembers every event.
struct Witness(Arc<Mutex<Vec<String>>>);

impl Sink for Witness {
    fn level(&self) -> Level {
        Level::Debug
    }

    fn take(&self, _: SystemTime, _: &Origin, event: &Event<'_>) {
        let text = match event {
            // Paths are bytes; the tests read them as text.
            Event::Transfer(record) => format!(
                "Transfer {:?} {} {} {:?}",
                record.direction,
                String::from_utf8_lossy(record.path),
                record.octets,
                record.end
            ),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(text);
    }
}

struct Trees {
    volumes: HashMap<&'static str, Arc<dyn Volume>>,
    writers: Arc<wharf_vfs::writers::Writers>,
    settings: ViewSettings,
}

impl Views for Trees {
    fn view(&self, account: &Account) -> Result<View, String> {
        let Tree::Volumes(specs) = &account.home.tree else {
            return Err("a tree of volumes".into());
        };
        let mounts = specs.iter().map(|spec| {
            let volume = self.volumes.get(spec.volume.as_str()).unwrap();
            Mount::new(spec.path.clone(), Arc::clone(volume), spec.volume.as_str())
        });
        let table = MountTable::new(mounts)
            .unwrap()
            .with_writers(Arc::clone(&self.writers));
        let settings = ViewSettings {
            home: account.home.start.clone(),
            ..self.settings.clone()
        };
        Ok(View::new(
            Arc::new(table),
            Arc::new(account.grants.clone()),
            Arc::new(settings),
        ))
    }
}

/// `anna` may do everything, `fay` also send to others, `rita` may look, `tim` may look and nothing but
/// append and change times, and somebody comes by without a name.
fn people() -> Vec<Account> {
    let mounts = [("/", "memory"), ("/disk", "disk"), ("/small", "small")];
    let user = |name: &str, rights: Rights| {
        account(name, AccountKind::User, &mounts, Grants::everywhere(rights))
    };
    let drop_box = [
        (path("/"), Rights::READ_ONLY),
        (path("/incoming"), Rights::INCOMING),
    ];
    vec![
        user("anna", Rights::FULL),
        user("fay", Rights::FULL.with(Right::Fxp)),
        user("rita", Rights::READ_ONLY),
        user(
            "tim",
            Rights::READ_ONLY.with(Right::Append).with(Right::Times),
        ),
        account(
            "keeper",
            AccountKind::User,
            &[("/", "public")],
            Grants::everywhere(Rights::FULL),
        ),
        account(
            "anonymous",
            AccountKind::Anonymous,
            &[("/", "public")],
            Grants::new(drop_box),
        ),
    ]
}

fn account(name: &str, kind: AccountKind, mounts: &[(&str, &str)], grants: Grants) -> Account {
    let mounts = mounts.iter().map(|(at, volume)| MountSpec {
        path: path(at),
        volume: (*volume).to_owned(),
        read_only: false,
    });
    Account {
        name: AccountName::parse(name.as_bytes()).unwrap(),
        kind,
        home: Home {
            tree: Tree::Volumes(mounts.collect()),
            start: VirtualPath::root(),
        },
        grants,
        limits: AccountLimits::default(),
        enabled: true,
        expires: None,
        allowed_networks: Vec::new(),
        password: match kind {
            AccountKind::User => StoredSecret::plain("secret"),
            AccountKind::Anonymous => StoredSecret::any_text(false),
        },
        require_tls: RequireTls::default(),
        certificates: Vec::new(),
        ssh: SshAccess::default(),
    }
}

/// Seconds since 1970: a certificate is good from now on.
#[expect(
    clippy::disallowed_methods,
    reason = "a certificate's time is the world's"
)]
fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn path(text: &str) -> VirtualPath {
    VirtualPath::parse(&VirtualPath::root(), text.as_bytes()).unwrap()
}
