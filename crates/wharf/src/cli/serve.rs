//! `wharf serve`: prepare what only root or only this moment can do, then run.
//!
//! The order matters: configuration, sockets, state directory, descriptors, identity; and only then
//! threads. Nothing that a peer sends is looked at before the last of them.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wharf_engine::{Listener, acme::Acme, tls::Tls};
use wharf_ssh::HostKey;

use super::{
    announce::{self, Announcement},
    environment, listeners, quick_start,
    quick_start::Wish,
    say,
};
use crate::{
    compose,
    config::{self, Config, LogFormat, LogLevel, TftpWrite},
    exit::Failure,
    host_keys,
    privileges::{self, Identity},
    service::Service,
};

/// Serve a folder, or a whole site with --config.
#[derive(Args)]
pub(super) struct Serve {
    /// Folder to serve. Without it the configuration or the account store must name some.
    directory: Option<PathBuf>,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Account for the folder; may be given again. A password on the command line is seen by others
    /// on this machine: prefer WHARF_PASSWORD or --password-file, or let one be invented.
    #[arg(long = "user", value_name = "NAME[:PASSWORD]", requires = "directory")]
    users: Vec<String>,
    /// File whose first line is the password of the accounts given without one.
    #[arg(long, value_name = "FILE", requires = "directory")]
    password_file: Option<PathBuf>,
    /// Let anybody read the folder as `anonymous`.
    #[arg(long, requires = "directory")]
    anonymous: bool,
    /// Nobody may change anything in the folder.
    #[arg(long, requires = "directory")]
    read_only: bool,
    /// Address and port to listen on; may be given again.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// Address and port where TLS comes first (implicit FTPS); may be given again.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen_implicit: Vec<SocketAddr>,
    /// Address and port for SFTP and SCP over SSH; may be given again.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen_ssh: Vec<SocketAddr>,
    /// Serve the folder by TFTP as well, without any login, read only.
    #[arg(long, requires = "directory")]
    tftp: bool,
    /// Let clients of TFTP store files in the folder and replace those that are there.
    #[arg(long, requires = "tftp", conflicts_with = "read_only")]
    tftp_write: bool,
    /// Address and UDP port for TFTP, with --tftp or a configuration that serves it; may be given
    /// again.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen_tftp: Vec<SocketAddr>,
    /// Listen on the standard ports (21, 22 for SFTP, 990 with TLS first, and 69 for TFTP where it is
    /// served) instead of 2121, 2022, 2990 and 6969; needs root, which is given up at once. Where
    /// another SSH server has port 22, name another one with --listen-ssh.
    #[arg(long, conflicts_with_all = ["listen", "listen_implicit"])]
    standard_ports: bool,
    /// Ports of passive data connections.
    #[arg(long, value_name = "FIRST-LAST", value_parser = port_range)]
    passive_ports: Option<RangeInclusive<u16>>,
    /// Directory of the account store.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// User to become when started as root (NAME or UID:GID).
    #[arg(long, value_name = "USER")]
    run_as: Option<String>,
    /// Least important events in the log.
    #[arg(long, value_name = "LEVEL", value_parser = ["error", "warning", "info", "debug"])]
    log_level: Option<String>,
    /// Log as JSON, one object per line.
    #[arg(long)]
    json: bool,
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first > 0 && first <= last => Ok(first..=last),
        _ => Err("expected two ports, such as 50000-50100".into()),
    }
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let environment = environment();
        let (mut config, logins) = self.configure(&environment)?;
        if self.directory.is_none()
            && config.accounts.is_empty()
            && config.tftp.listen.is_none()
            && !exists(&config.account_store())
        {
            return Err(Failure::usage(
                "nothing to serve: name a folder (wharf serve DIR), a configuration (--config FILE) or add accounts (wharf user add)",
            ));
        }
        raise_descriptor_limit();
        // Each account's mask is applied by its view; the process adds none of its own.
        rustix::process::umask(rustix::fs::Mode::empty());
        // What a reload is compared with; `config` goes on with the addresses that were really opened.
        let written = config.clone();
        let explicit = listeners::connections(&config.ftp.listen, "ftp.listen")?;
        let implicit = config.ftp.listen_implicit.take().unwrap_or_default();
        let implicit = listeners::connections(&implicit, "ftp.listen_implicit")?;
        let ssh = config.ssh.listen.take().unwrap_or_default();
        let ssh = listeners::connections(&ssh, "ssh.listen")?;
        let tftp = config.tftp.listen.take().unwrap_or_default();
        let tftp = listeners::datagrams(&tftp, "tftp.listen")?;
        config.ftp.listen = explicit.iter().map(Listener::address).collect();
        config.ftp.listen_implicit = Some(implicit.iter().map(Listener::address).collect());
        config.ssh.listen = Some(ssh.iter().map(Listener::address).collect());
        config.tftp.listen = Some(bound(&tftp)?);
        let identity = self.identity(&config)?;
        make_state_directory(&config.state_dir)?;
        let tls = prepare_tls(&config)?;
        let acme = prepare_acme(&config, tls.as_ref())?;
        let host_keys = (!ssh.is_empty())
            .then(|| host_keys::ensure(&config))
            .transpose()
            .map_err(|error| Failure::config(error.to_string()))?;
        if let Some(identity) = identity {
            hand_over(&config.state_dir, identity)?;
            // Active data come from the port below the listener's: 20 and 989.
            let listeners = explicit.iter().chain(&implicit);
            let below_1024 = listeners.map(Listener::address).any(|at| at.port() <= 1024);
            privileges::drop_to(identity, below_1024 && config.data.active)
                .map_err(|error| Failure::denied(error.to_string()))?;
        }
        let host_key = host_keys
            .as_ref()
            .and_then(|keys| keys.iter().next().cloned());
        let lines = self.announcement(&config, &logins, tls.as_deref(), host_key, identity);
        let service = Service {
            config: written,
            explicit,
            implicit,
            ssh,
            tftp,
            host_keys,
            tls,
            acme,
            ready: Box::new(move || say(&lines)),
            reread: Box::new(move || {
                self.configure(&environment)
                    .map(|(config, _)| config)
                    .map_err(|failure| failure.to_string())
            }),
        };
        service.run().map_err(Failure::config)
    }

    /// File, environment and command line, in this order.
    fn configure(
        &self,
        environment: &[(String, String)],
    ) -> Result<(Config, Vec<quick_start::Login>), Failure> {
        let mut config = config::load(self.config.as_deref(), environment)
            .map_err(|error| Failure::config(error.to_string()))?;
        self.choose_ports(&mut config)?;
        self.choose_tftp_ports(&mut config)?;
        if let Some(ports) = &self.passive_ports {
            config.data.passive_ports = ports.clone();
        }
        if let Some(directory) = &self.state_dir {
            config.state_dir.clone_from(directory);
        }
        match self.log_level.as_deref() {
            Some("error") => config.server.log_level = LogLevel::Error,
            Some("warning") => config.server.log_level = LogLevel::Warning,
            Some("info") => config.server.log_level = LogLevel::Info,
            Some("debug") => config.server.log_level = LogLevel::Debug,
            _ => {}
        }
        if self.json {
            config.server.log_format = LogFormat::Json;
        }
        let logins = match &self.directory {
            Some(directory) => {
                quick_start::furnish(&mut config, &self.wish(directory, environment)?)?
            }
            None => Vec::new(),
        };
        Ok((config, logins))
    }

    /// The command line, else the configuration, else (for a folder) the ports of the quick start.
    fn choose_ports(&self, config: &mut Config) -> Result<(), Failure> {
        let has_tls = config.has_tls();
        if self.standard_ports {
            config.ftp.listen = everywhere(21);
            config.ftp.listen_implicit = Some(everywhere(990)).filter(|_| has_tls);
            config.ssh.listen = Some(everywhere(22));
        } else {
            if !self.listen.is_empty() {
                config.ftp.listen.clone_from(&self.listen);
            }
            // Who names a port does not expect another one to open.
            let ports_are_named = config.ftp.listen != everywhere(quick_start::PORT);
            if !self.listen_implicit.is_empty() {
                if !has_tls {
                    return Err(Failure::usage(
                        "--listen-implicit needs a certificate: name one in [[tls.certificates]], or let the server make one (tls.auto_self_signed = true)",
                    ));
                }
                config.ftp.listen_implicit = Some(self.listen_implicit.clone());
            } else if config.ftp.listen_implicit.is_none()
                && self.directory.is_some()
                && !ports_are_named
                && has_tls
            {
                config.ftp.listen_implicit = Some(everywhere(quick_start::IMPLICIT_PORT));
            }
            if config.ssh.listen.is_none() && self.directory.is_some() && !ports_are_named {
                config.ssh.listen = Some(everywhere(quick_start::SSH_PORT));
            }
        }
        if !self.listen_ssh.is_empty() {
            config.ssh.listen = Some(self.listen_ssh.clone());
        }
        Ok(())
    }

    /// As [`Self::choose_ports`], for TFTP, which nobody gets who did not ask for it.
    fn choose_tftp_ports(&self, config: &mut Config) -> Result<(), Failure> {
        let is_served = self.tftp || config.tftp.listen.is_some();
        if !self.listen_tftp.is_empty() {
            if !is_served {
                return Err(Failure::usage(
                    "--listen-tftp without anything to serve there: add --tftp for the folder, or set tftp.root",
                ));
            }
            config.tftp.listen = Some(self.listen_tftp.clone());
        } else if self.standard_ports && is_served {
            config.tftp.listen = Some(everywhere(69));
        } else if self.tftp && config.tftp.listen.is_none() {
            config.tftp.listen = Some(everywhere(quick_start::TFTP_PORT));
        }
        Ok(())
    }

    fn wish(&self, directory: &Path, environment: &[(String, String)]) -> Result<Wish, Failure> {
        let given = match &self.password_file {
            Some(path) => Some(first_line(path)?),
            None => environment
                .iter()
                .find(|(name, _)| name == "WHARF_PASSWORD")
                .map(|(_, value)| value.clone()),
        };
        let mut users: Vec<_> = self
            .users
            .iter()
            .map(|user| match user.split_once(':') {
                Some((name, password)) => (name.to_owned(), Some(password.to_owned())),
                None => (user.clone(), given.clone()),
            })
            .collect();
        if users.is_empty() && !self.anonymous {
            users.push((quick_start::DEFAULT_USER.to_owned(), given));
        }
        Ok(Wish {
            directory: directory.to_owned(),
            users,
            anonymous: self.anonymous,
            read_only: self.read_only,
            tftp: self.tftp.then_some(if self.tftp_write {
                TftpWrite::Overwrite
            } else {
                TftpWrite::Deny
            }),
        })
    }

    /// Whom to become: as configured; else the owner of the folder; `None` when not root.
    fn identity(&self, config: &Config) -> Result<Option<Identity>, Failure> {
        if !privileges::is_root() {
            return match self.run_as.as_ref().or(config.server.user.as_ref()) {
                Some(user) => {
                    let wanted = privileges::find(user, config.server.group.as_deref())
                        .map_err(|error| Failure::config(error.to_string()))?;
                    if wanted.user == rustix::process::geteuid().as_raw() {
                        return Ok(None);
                    }
                    Err(Failure::denied(format!(
                        "only root can become {user}; start as root or leave out server.user"
                    )))
                }
                None => Ok(None),
            };
        }
        let group = config.server.group.as_deref();
        match (
            self.run_as.as_ref().or(config.server.user.as_ref()),
            &self.directory,
        ) {
            (Some(user), _) => privileges::find(user, group)
                .map(Some)
                .map_err(|error| Failure::config(error.to_string())),
            (None, Some(directory)) => privileges::owner(directory).map(Some).map_err(|error| {
                Failure::usage(format!("cannot look at {}: {error}", directory.display()))
            }),
            (None, None) => Err(Failure::config(
                "started as root without a user to become: set server.user (or --run-as), for example to `wharf` after `adduser --system wharf`",
            )),
        }
    }

    /// What is printed at the start.
    fn announcement(
        &self,
        config: &Config,
        logins: &[quick_start::Login],
        tls: Option<&Tls>,
        host_key: Option<HostKey>,
        identity: Option<Identity>,
    ) -> String {
        let certificate = tls.and_then(|tls| tls.certificates().into_iter().next());
        Announcement {
            directory: self.directory.as_deref(),
            read_only: self.read_only,
            logins,
            anonymous: self.anonymous,
            explicit: &config.ftp.listen,
            implicit: config.ftp.listen_implicit.as_deref().unwrap_or_default(),
            ssh: config.ssh.listen.as_deref().unwrap_or_default(),
            tftp: config.tftp.listen.as_deref().unwrap_or_default(),
            tftp_writes: compose::tftp::takes_files(config),
            host_key: host_key.map(|key| (key.kind(), key.fingerprint())),
            certificate: certificate.map(|facts| announce::Certificate {
                sha256: facts.sha256,
                self_signed: config.self_signed().map(|files| files.chain),
                ordered: config.acme.domains.clone(),
            }),
            tls_only: config.ftp.require_tls.covers_login(),
            stays_root: identity.is_some_and(|identity| identity.user == 0),
        }
        .text()
    }
}

/// A port on every address of both families.
fn everywhere(port: u16) -> Vec<SocketAddr> {
    vec![
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    ]
}

/// Where the sockets of TFTP are.
fn bound(sockets: &[UdpSocket]) -> Result<Vec<SocketAddr>, Failure> {
    let addresses = sockets.iter().map(UdpSocket::local_addr);
    addresses
        .collect::<io::Result<_>>()
        .map_err(|error| Failure::internal(format!("a socket without an address: {error}")))
}

fn exists(path: &Path) -> bool {
    path.try_exists().unwrap_or(false)
}

/// A session needs a descriptor or two; the usual soft limit of 1024 is for programs with `select`.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // What is not granted shows when a connection cannot be accepted, with its own message.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "the state directory is the service's own, not a volume's"
)]
fn make_state_directory(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    let failed = |error| state_failed(path, &error);
    if !exists(path) {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
    }
    Ok(())
}

/// What root made in the state directory (`wharf user add`, the certificate of the first start)
/// becomes the service's own; links are not followed.
fn hand_over(path: &Path, identity: Identity) -> Result<(), Failure> {
    let failed = |error| state_failed(path, &error);
    let own =
        |path: &Path| std::os::unix::fs::lchown(path, Some(identity.user), Some(identity.group));
    own(path).map_err(failed)?;
    for entry in path.read_dir().map_err(failed)?.flatten() {
        own(&entry.path()).map_err(failed)?;
    }
    Ok(())
}

fn state_failed(path: &Path, error: &io::Error) -> Failure {
    Failure::denied(format!(
        "cannot make the state directory {}: {error}; choose another with --state-dir",
        path.display()
    ))
}

/// Certificates are read while the process can still read them; the one of the first start is made.
fn prepare_tls(config: &Config) -> Result<Option<Arc<Tls>>, Failure> {
    if let Some(files) = config.self_signed() {
        let implicit = config.ftp.listen_implicit.as_deref().unwrap_or_default();
        let addresses: Vec<_> = config.ftp.listen.iter().chain(implicit).copied().collect();
        files
            .ensure(&addresses)
            .map_err(|error| Failure::denied(error.to_string()))?;
    }
    compose::tls(config)
        .map(|settings| Tls::load(settings).map(Arc::new))
        .transpose()
        .map_err(|error| Failure::config(error.to_string()))
}

/// The port of the authority's check is opened while the process can still do it.
fn prepare_acme(config: &Config, tls: Option<&Arc<Tls>>) -> Result<Option<Acme>, Failure> {
    let (Some(settings), Some(tls)) = (compose::acme(config), tls) else {
        return Ok(None);
    };
    Acme::open(settings, Arc::clone(tls))
        .map(Some)
        .map_err(|error| Failure::denied(format!("certificates by ACME: {error}")))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a file of secrets that the command line names"
)]
fn first_line(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
