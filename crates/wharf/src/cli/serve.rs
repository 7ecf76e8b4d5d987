//! `wharf serve`: prepare what only root or only this moment can do, then run.
//!
//! The order matters: configuration, sockets, state directory, descriptors, identity; and only then
//! threads. Nothing that a peer sends is looked at before the last of them.

use std::{
    io,
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wharf_engine::Listener;

use super::{environment, quick_start, quick_start::Wish, say};
use crate::{
    config::{self, Config, LogFormat, LogLevel},
    exit::Failure,
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
    /// Listen on the standard port (21) instead of 2121; needs root, which is given up at once.
    #[arg(long, conflicts_with = "listen")]
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
            && !exists(&config.account_store())
        {
            return Err(Failure::usage(
                "nothing to serve: name a folder (wharf serve DIR), a configuration (--config FILE) or add accounts (wharf user add)",
            ));
        }
        raise_descriptor_limit();
        // Each account's mask is applied by its view; the process adds none of its own.
        rustix::process::umask(rustix::fs::Mode::empty());
        let listeners = config
            .ftp
            .listen
            .iter()
            .map(|address| open_listener(*address, &config))
            .collect::<Result<Vec<_>, _>>()?;
        let listeners: Vec<_> = listeners.into_iter().flatten().collect();
        let Some(first) = listeners.first().map(Listener::address) else {
            return Err(Failure::denied(
                "none of the addresses of ftp.listen can be listened on",
            ));
        };
        let identity = self.identity(&config)?;
        make_state_directory(&config.state_dir, identity)?;
        if let Some(identity) = identity {
            let keep_ports = first.port() <= 1024 && config.data.active;
            privileges::drop_to(identity, keep_ports)
                .map_err(|error| Failure::denied(error.to_string()))?;
        }
        let lines = self.lines(&logins, &listeners, identity);
        config.ftp.listen = listeners.iter().map(Listener::address).collect();
        let service = Service {
            config,
            listeners,
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
        if self.standard_ports {
            config.ftp.listen = vec!["0.0.0.0:21".parse(), "[::]:21".parse()]
                .into_iter()
                .flatten()
                .collect();
        } else if !self.listen.is_empty() {
            config.ftp.listen.clone_from(&self.listen);
        }
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

    /// What is printed at the start: lines to paste.
    fn lines(
        &self,
        logins: &[quick_start::Login],
        listeners: &[Listener],
        identity: Option<Identity>,
    ) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        let Some(address) = listeners
            .iter()
            .map(Listener::address)
            .find(SocketAddr::is_ipv4)
            .or_else(|| listeners.first().map(Listener::address))
        else {
            return text;
        };
        let host = if address.ip().is_unspecified() {
            "localhost".to_owned()
        } else {
            address.ip().to_string()
        };
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        let port = if address.port() == 21 {
            String::new()
        } else {
            format!(":{}", address.port())
        };
        if let Some(directory) = &self.directory {
            let _ = writeln!(
                text,
                "Serving {}{}",
                directory.display(),
                if self.read_only { ", read only" } else { "" }
            );
        }
        for login in logins {
            // A password that somebody chose is his to know.
            let secret = login
                .invented
                .as_ref()
                .map_or_else(String::new, |password| format!(":{password}"));
            let _ = writeln!(text, "FTP   ftp://{}{secret}@{host}{port}/", login.name);
            if let Some(password) = &login.invented {
                let _ = writeln!(
                    text,
                    "      curl -u '{}:{password}' ftp://{host}{port}/",
                    login.name
                );
            }
        }
        if self.anonymous {
            let _ = writeln!(text, "FTP   ftp://{host}{port}/ (anonymous, read only)");
        }
        if identity.is_some_and(|identity| identity.user == 0) {
            let _ = writeln!(
                text,
                "Note: the folder belongs to root, so the server stays user 0 without any other privilege; --run-as USER is safer"
            );
        }
        let _ = writeln!(
            text,
            "Stop with Ctrl-C. Plain FTP sends passwords in clear: use it in networks that you trust."
        );
        text
    }
}

fn exists(path: &Path) -> bool {
    path.try_exists().unwrap_or(false)
}

/// A wildcard of a family that this host does not have is passed over; anything else is an error.
fn open_listener(address: SocketAddr, config: &Config) -> Result<Option<Listener>, Failure> {
    let several = config.ftp.listen.len() > 1;
    match Listener::open(address, true) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if several && address.ip().is_unspecified() && is_no_family(&error) => Ok(None),
        Err(error) => {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program listens there: stop it, or choose another port with --listen"
                }
                io::ErrorKind::PermissionDenied => {
                    "ports below 1024 need root: start as root (it is given up at once) or use --listen 0.0.0.0:2121"
                }
                io::ErrorKind::AddrNotAvailable => "this host does not have that address",
                _ => "choose another address with --listen",
            };
            Err(Failure::denied(format!(
                "cannot listen on {address}: {error}; {hint}"
            )))
        }
    }
}

fn is_no_family(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
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
fn make_state_directory(path: &Path, identity: Option<Identity>) -> Result<(), Failure> {
    use std::os::unix::fs::{DirBuilderExt as _, lchown};
    let failed = |error: io::Error| {
        Failure::denied(format!(
            "cannot make the state directory {}: {error}; choose another with --state-dir",
            path.display()
        ))
    };
    if !exists(path) {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
    }
    // What root made there (`wharf user add`) is handed over as well; links are not followed.
    if let Some(identity) = identity {
        let own = |path: &Path| lchown(path, Some(identity.user), Some(identity.group));
        own(path).map_err(failed)?;
        for entry in path.read_dir().map_err(failed)?.flatten() {
            own(&entry.path()).map_err(failed)?;
        }
    }
    Ok(())
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
