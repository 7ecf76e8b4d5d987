//! The composition root: the only room that names every part.
//!
//! A [`Config`] goes in; volumes, accounts, views, the engine's policy and the front ends' settings
//! come out. A reload builds them all again from a new configuration, and nothing here remembers the
//! old one except the volumes that stay open.

pub(crate) mod tftp;

use std::{
    collections::{BTreeMap, HashMap},
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use wharf_accounts::{
    Account, Accounts, CertificateRole, Directory, FileDirectory, MountSpec,
    Settings as AccountSettings, SqliteDirectory, Store, Tree, UserAuthorities,
};
use wharf_engine::{
    AdmissionLimits, LockoutPolicy, Policy, Views,
    acme::{self, Challenge},
    tls::{
        self, CertificateSource, ClientCertificates, ClientTrust, MinVersion, SessionReuse, Tls,
    },
};
use wharf_ftp::{
    Advertised, DataSettings, ListSettings, Owners, PeerCheck, Rule, RuleAddress, Settings,
};
use wharf_proto::ftp::{
    Protection,
    server::{RequireTls, Settings as MachineSettings, TlsRules},
    verb::{Verb, VerbSet},
};
use wharf_ssh::{
    Algorithms, HostKeys, RealPath, Settings as SshSettings, SftpSettings, SymlinkOrder,
};
use wharf_vfs::{
    Mount, MountTable, UploadPolicy, View, VirtualPath, Volume,
    layers::ReadOnly,
    view::ViewSettings,
    volumes::{local::LocalVolume, memory::MemoryVolume},
    writers::Writers,
};

use crate::config::{self, AddressOrHost, Config, VolumeStore};

/// FTP's name in ALPN (RFC 7301 and its registry).
const FTP_PROTOCOL: &[u8] = b"ftp";

/// Volumes that are open, by what they are; they outlive a reload.
#[derive(Default)]
pub(crate) struct OpenVolumes {
    volumes: Mutex<HashMap<Place, Arc<dyn Volume>>>,
    /// One registry for all views: a file has one writer, whoever sees it.
    writers: Arc<Writers>,
}

/// What makes two volumes the same.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Place {
    Directory(PathBuf),
    Memory(String, u64),
}

impl OpenVolumes {
    fn open(&self, place: &Place) -> Result<Arc<dyn Volume>, String> {
        let mut volumes = self.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(volume) = volumes.get(place) {
            return Ok(Arc::clone(volume));
        }
        let volume: Arc<dyn Volume> = match place {
            Place::Directory(path) => Arc::new(LocalVolume::open(path).map_err(|error| {
                let cause = error
                    .source
                    .as_ref()
                    .map_or_else(|| error.to_string(), ToString::to_string);
                format!("cannot open the directory {}: {cause}", path.display())
            })?),
            Place::Memory(_, size) => Arc::new(MemoryVolume::new(*size)),
        };
        volumes.insert(place.clone(), Arc::clone(&volume));
        Ok(volume)
    }
}

/// Builds views from the configuration of one moment.
pub(crate) struct ViewBuilder {
    open: Arc<OpenVolumes>,
    named: BTreeMap<String, (Place, bool)>,
    settings: ViewSettings,
    /// What holds for uploads over TFTP in place of `settings`.
    tftp_keeps_partial: bool,
}

impl ViewBuilder {
    pub(crate) fn new(config: &Config, open: Arc<OpenVolumes>) -> Self {
        let named = config.volumes.iter().map(|volume| {
            let place = match &volume.store {
                VolumeStore::Local(path) => Place::Directory(path.clone()),
                VolumeStore::Memory(size) => Place::Memory(volume.id.clone(), *size),
            };
            (volume.id.clone(), (place, volume.read_only))
        });
        Self {
            open,
            named: named.collect(),
            settings: ViewSettings {
                upload: UploadPolicy {
                    atomic: config.upload.atomic,
                    keep_partial: config.upload.keep_partial,
                    fsync: config.upload.fsync,
                },
                umask: config.upload.umask.0,
                utf8_names: config.upload.utf8_names,
                list_max_entries: config.list.max_entries,
                rename_copy_max: config.rename.copy_max.0,
                home: VirtualPath::root(),
            },
            tftp_keeps_partial: config.tftp.keep_partial,
        }
    }

    fn mount(&self, mount: &MountSpec) -> Result<Mount, String> {
        let (place, read_only) = self
            .named
            .get(&mount.volume)
            .ok_or_else(|| format!("there is no volume `{}`", mount.volume))?;
        let mut volume = self.open.open(place)?;
        if *read_only || mount.read_only {
            volume = Arc::new(ReadOnly::new(volume));
        }
        Ok(Mount::new(
            mount.path.clone(),
            volume,
            mount.volume.as_str(),
        ))
    }

    /// Something must stand at `/`; where nothing is configured, an empty folder does.
    fn empty_root() -> Mount {
        let nothing: Arc<dyn Volume> = Arc::new(MemoryVolume::new(0));
        Mount::new(
            VirtualPath::root(),
            Arc::new(ReadOnly::new(nothing)),
            "root",
        )
    }
}

impl Views for ViewBuilder {
    fn view(&self, account: &Account) -> Result<View, String> {
        let mounts = match &account.home.tree {
            Tree::Directory(path) => {
                let volume = self.open.open(&Place::Directory(path.clone()))?;
                vec![Mount::new(VirtualPath::root(), volume, "home")]
            }
            Tree::Volumes(specs) => {
                let mut mounts = specs
                    .iter()
                    .map(|spec| self.mount(spec))
                    .collect::<Result<Vec<_>, _>>()?;
                if !specs.iter().any(|spec| spec.path.is_root()) {
                    mounts.push(Self::empty_root());
                }
                mounts
            }
        };
        let table = MountTable::new(mounts).map_err(|error| error.to_string())?;
        let table = table.with_writers(Arc::clone(&self.open.writers));
        let mut settings = ViewSettings {
            home: account.home.start.clone(),
            ..self.settings.clone()
        };
        if config::is_reserved_name(&account.name) {
            settings.upload.keep_partial = self.tftp_keeps_partial;
        }
        Ok(View::new(
            Arc::new(table),
            Arc::new(account.grants.clone()),
            Arc::new(settings),
        ))
    }
}

/// Everybody who may enter: those of the configuration, then those of the store.
pub(crate) fn accounts(config: &Config, store: Option<&Arc<Store>>) -> Result<Accounts, String> {
    let mut directories: Vec<Arc<dyn Directory>> =
        vec![Arc::new(FileDirectory::new(config.accounts.clone()))];
    if let Some(store) = store {
        directories.push(Arc::new(SqliteDirectory::new(Arc::clone(store))));
    }
    let mut settings = AccountSettings::default();
    if let Some(checks) = config.limits.password_checks {
        settings.hashings_at_once = checks;
    }
    let ssh = &config.ssh;
    let authorities = UserAuthorities::load(&ssh.user_ca, ssh.revoked_keys.as_deref())
        .map_err(|error| format!("ssh.user_ca or ssh.revoked_keys: {error}"))?;
    let accounts = Accounts::new(directories, settings).map_err(|error| error.to_string())?;
    Ok(accounts.with_user_authorities(authorities))
}

/// What the engine decides by.
pub(crate) fn policy(config: &Config) -> Policy {
    Policy {
        admission: AdmissionLimits {
            connections: config.limits.connections,
            per_address: config.limits.per_address,
            unauthenticated: config.limits.unauthenticated,
        },
        replace_oldest: config.limits.replace_oldest,
        lockout: LockoutPolicy {
            failures: config.lockout.failures,
            window: config.lockout.window,
            ban: config.lockout.ban,
            delay: config.lockout.login_delay,
            max_delay: config.lockout.max_login_delay,
            exempt: config.lockout.allow.clone(),
        },
        per_account: config.limits.per_account,
        proxies: config.proxy.networks.clone(),
    }
}

/// What TLS is told; `None` where nothing provides a certificate.
pub(crate) fn tls(config: &Config) -> Option<tls::Settings> {
    let tls = &config.tls;
    let certificates = match config.self_signed() {
        Some(files) => vec![CertificateSource {
            certificate: files.chain,
            key: files.key,
        }],
        None => tls
            .certificates
            .iter()
            .map(|entry| CertificateSource {
                certificate: entry.chain.clone(),
                key: entry.key.clone(),
            })
            .collect(),
    };
    if certificates.is_empty() && config.acme.domains.is_empty() {
        return None;
    }
    let trust = || ClientTrust {
        authorities: tls.client_ca.iter().cloned().collect(),
        revocations: tls.client_crl.clone(),
        role: certificate_role(config),
    };
    Some(tls::Settings {
        certificates,
        min_version: match tls.min_version {
            config::TlsVersion::Tls12 => MinVersion::Tls12,
            config::TlsVersion::Tls13 => MinVersion::Tls13,
        },
        alpn: vec![FTP_PROTOCOL.to_vec()],
        client_certificates: match tls.client_certificates {
            config::ClientCertificates::Off => ClientCertificates::Off,
            config::ClientCertificates::Request => ClientCertificates::Request(trust()),
            config::ClientCertificates::Require => ClientCertificates::Require(trust()),
        },
        session_reuse: match tls.session_reuse {
            config::SessionReuse::Off => SessionReuse::Off,
            config::SessionReuse::Prefer => SessionReuse::Prefer,
            config::SessionReuse::Require => SessionReuse::Require,
        },
        require_close_notify: tls.require_close_notify,
    })
}

const fn certificate_role(config: &Config) -> CertificateRole {
    match config.tls.client_certificate_role {
        config::CertificateRole::Login => CertificateRole::Login,
        config::CertificateRole::Second => CertificateRole::Second,
    }
}

/// What the certificates of an authority are ordered by; `None` where none are wanted.
pub(crate) fn acme(config: &Config) -> Option<acme::Settings> {
    let acme = &config.acme;
    if acme.domains.is_empty() {
        return None;
    }
    Some(acme::Settings {
        directory: acme.directory.clone(),
        contact: acme.contact.clone(),
        domains: acme.domains.clone(),
        challenge: match acme.challenge {
            config::AcmeChallenge::TlsAlpn01 => Challenge::TlsAlpn01 {
                listen: acme_address(config),
            },
            config::AcmeChallenge::Http01 => Challenge::Http01 {
                listen: acme_address(config),
            },
        },
        storage: config.state_dir.clone(),
        root_ca: acme.root_ca.clone(),
        renew_before: acme.renew_before,
    })
}

/// Where the authority's check is answered. One socket of IPv6 takes IPv4 as well.
pub(crate) fn acme_address(config: &Config) -> SocketAddr {
    let port = match config.acme.challenge {
        config::AcmeChallenge::TlsAlpn01 => 443,
        config::AcmeChallenge::Http01 => 80,
    };
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    config.acme.listen.unwrap_or(everywhere)
}

/// What the FTP front end is told.
pub(crate) fn ftp(config: &Config, tls: Option<&Arc<Tls>>) -> Settings {
    let (ftp, data) = (&config.ftp, &config.data);
    let disabled = ftp
        .disabled_commands
        .iter()
        .filter_map(|name| Verb::find(name.as_bytes()))
        .fold(VerbSet::EMPTY, VerbSet::with);
    let machine = MachineSettings {
        greeting: ftp.greeting.clone(),
        line_limit: ftp.line_limit,
        idle_timeout: ftp.idle_timeout,
        login_timeout: ftp.login_timeout,
        max_login_failures: ftp.max_login_failures,
        max_pipelined: ftp.max_pipelined,
        strict_crlf: ftp.strict_crlf,
        mkd_exists_code: ftp.mkd_exists_code,
        disabled,
        anonymous: config.anonymous.enabled,
        command_events: config.server.log_level == config::LogLevel::Debug,
        transfer_already_open_reply: data.use_125,
        tls: TlsRules {
            offered: tls.is_some(),
            require: match ftp.require_tls {
                config::RequireTls::No => RequireTls::No,
                config::RequireTls::Login => RequireTls::Login,
                config::RequireTls::Data => RequireTls::Data,
                config::RequireTls::Both => RequireTls::Both,
            },
            implicit_protection: match config.tls.implicit_default_prot {
                config::DataProtection::Clear => Protection::Clear,
                config::DataProtection::Private => Protection::Private,
            },
            ccc: ftp.ccc,
        },
        ..MachineSettings::default()
    };
    let rules = data.external_address.iter().map(|rule| Rule {
        clients: rule.network,
        address: match &rule.address {
            AddressOrHost::Address(address) => RuleAddress::Fixed(*address),
            AddressOrHost::Host(host) => RuleAddress::named(host.clone()),
        },
    });
    Settings {
        machine: Arc::new(machine),
        tls: tls.cloned(),
        data: DataSettings {
            passive_ports: data.passive_ports.clone(),
            advertised: Arc::new(Advertised::new(rules.collect())),
            accept_timeout: data.accept_timeout,
            connect_timeout: data.connect_timeout,
            stall_timeout: data.stall_timeout,
            active: data.active,
            default_port: data.default_port,
            peer_check: match data.peer_check {
                config::PeerCheck::Exact => PeerCheck::Exact,
                config::PeerCheck::Prefix { v4, v6 } => PeerCheck::Prefix(v4, v6),
                config::PeerCheck::Off => PeerCheck::Off,
            },
        },
        list: ListSettings {
            owners: match &config.list.owners {
                config::Owners::Session => Owners::Session,
                config::Owners::Numeric => Owners::Numeric,
                config::Owners::Fixed { owner, group } => {
                    Owners::Fixed(owner.clone(), group.clone())
                }
            },
        },
        hash_max_bytes: config.hash.max_bytes.0,
        ascii_size_max: ftp.ascii_size_max.0,
        idle_max: ftp.idle_max,
    }
}

/// What the SSH front end is told.
pub(crate) fn ssh(config: &Config, host_keys: &Arc<HostKeys>) -> SshSettings {
    let (ssh, sftp) = (&config.ssh, &config.sftp);
    let usual = Algorithms::default();
    let or_usual = |names: &Option<Vec<String>>, usual: Vec<String>| names.clone().unwrap_or(usual);
    SshSettings {
        host_keys: Arc::clone(host_keys),
        algorithms: Algorithms {
            kex: or_usual(&ssh.kex, usual.kex),
            ciphers: or_usual(&ssh.ciphers, usual.ciphers),
            macs: or_usual(&ssh.macs, usual.macs),
            signatures: or_usual(&ssh.signatures, usual.signatures),
            compression: if ssh.compression {
                usual.compression
            } else {
                vec!["none".to_owned()]
            },
        },
        login_timeout: ssh.login_timeout,
        max_auth_attempts: ssh.max_auth_attempts,
        idle_timeout: ssh.idle_timeout,
        rekey_bytes: usize::try_from(ssh.rekey_bytes.0).unwrap_or(usize::MAX),
        rekey_time: ssh.rekey_time,
        max_channels: ssh.max_channels,
        packet_size: u32::try_from(ssh.packet_size.0).unwrap_or(u32::MAX),
        banner: ssh.banner.clone(),
        reveal: ssh.reveal,
        scp: ssh.scp,
        exec_helpers: ssh.exec_helpers,
        certificate_role: certificate_role(config),
        sftp: Arc::new(SftpSettings {
            max_handles: sftp.max_handles,
            atomic: sftp.atomic,
            realpath: match sftp.realpath {
                config::RealPath::Lexical => RealPath::Lexical,
                config::RealPath::Posix => RealPath::Posix,
            },
            ignore_setstat_errors: sftp.ignore_setstat_errors,
            symlink_order: match sftp.symlink_order {
                config::SymlinkOrder::OpenSsh => SymlinkOrder::OpenSsh,
                config::SymlinkOrder::Draft => SymlinkOrder::Draft,
            },
            hash_max_bytes: config.hash.max_bytes.0,
            reveal: ssh.reveal,
        }),
    }
}
