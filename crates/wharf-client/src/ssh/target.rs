//! One host to connect to, with everything that the choices and `~/.ssh/config` say of it.
#![expect(
    clippy::disallowed_methods,
    reason = "the one room that reads the configuration of SSH"
)]

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    HostKeyPin, Ssh, UnknownHosts,
    config::{MOST_VALUES, Reader, Source, Tokens, Values},
    pattern,
};
use crate::{Error, Kind, Location, Result, Secret, Site, Step};

/// A file of configuration is small; what is behind this is not read.
const LIMIT: u64 = 1024 * 1024;

/// Key files that are tried when none is named, best first.
const DEFAULT_KEYS: [&str; 5] = [
    "id_ed25519",
    "id_ecdsa",
    "id_rsa",
    "id_ed25519_sk",
    "id_ecdsa_sk",
];

/// A host to connect to.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Where the connection goes: the name behind the one that was given, and its port.
    pub(super) site: Site,
    /// Who logs in.
    pub(super) user: String,
    /// The name whose host keys are known.
    pub(super) name: String,
    /// Whether that name is one of its own (`HostKeyAlias`), which has no port.
    pub(super) has_alias: bool,
    /// Files of known hosts; new keys go to the first.
    pub(super) known_hosts: Vec<PathBuf>,
    pub(super) system_known_hosts: Vec<PathBuf>,
    pub(super) unknown_hosts: UnknownHosts,
    pub(super) hash_known_hosts: bool,
    pub(super) update_host_keys: bool,
    pub(super) identities: Vec<Identity>,
    pub(super) certificates: Vec<PathBuf>,
    pub(super) identities_only: bool,
    pub(super) agent: Option<PathBuf>,
    pub(super) methods: Methods,
    /// A password that was given beforehand for this very host.
    pub(super) password: Option<Secret>,
    /// The only host keys that are accepted.
    pub(super) pins: Vec<HostKeyPin>,
    /// Hosts to go through, first to last.
    pub(super) jumps: Vec<Jump>,
    pub(super) notes: Vec<String>,
}

/// A key file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) path: PathBuf,
    /// Whether somebody named it: then it is missed when it is not there.
    pub(super) named: bool,
}

/// Ways to log in that are permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Methods {
    pub(super) public_key: bool,
    pub(super) password: bool,
    pub(super) interactive: bool,
}

/// A host on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Jump {
    pub(super) site: Site,
}

impl Target {
    /// Reads the configuration for a site. Waits for a disk.
    pub(super) fn resolve(site: &Site, options: &Ssh, is_jump: bool) -> Result<Self> {
        let named = site.host.to_lowercase();
        let values = read(&named, options)?;
        let home = options.home.as_deref();
        let local_user = options.local_user.clone().unwrap_or_default();
        let port = match values.port {
            Some(port) if !site.port_is_named => port,
            _ => site.port,
        };
        let user = user(site, options, &values, is_jump)?;
        let mut tokens = Tokens {
            host: &named,
            named: &named,
            port,
            remote_user: &user,
            local_user: &local_user,
            home,
        };
        let mut notes = values.notes.clone();
        let host = match &values.host_name {
            Some(name) => tokens
                .expand(name)
                .ok_or_else(|| misread("HostName", name))?,
            None => named.clone(),
        };
        tokens.host = &host;
        let mut path = |keyword: &str, text: &String| {
            let found = tokens.path(text);
            if found.is_none() {
                notes.push(format!("{keyword} {text}: a % in it is not understood"));
            }
            found
        };
        let (known_hosts, system_known_hosts) = known_hosts(options, &values, &mut path);
        let mut identities: Vec<Identity> = Vec::new();
        let of_config = values
            .identities
            .iter()
            .filter(|text| !text.eq_ignore_ascii_case("none"))
            .filter_map(|text| path("IdentityFile", text));
        for path in options.identities.iter().cloned().chain(of_config) {
            if !identities.iter().any(|known| known.path == path) {
                identities.push(Identity { path, named: true });
            }
        }
        if let (true, Some(home)) = (identities.is_empty() && values.identities.is_empty(), home) {
            identities = DEFAULT_KEYS
                .iter()
                .map(|name| Identity {
                    path: home.join(".ssh").join(name),
                    named: false,
                })
                .collect();
        }
        let mut certificates = options.certificates.clone();
        certificates.extend(
            values
                .certificates
                .iter()
                .filter_map(|text| path("CertificateFile", text)),
        );
        let agent = match values.identity_agent.as_deref() {
            Some("none") => None,
            // A variable of the environment is the binary's to read.
            None | Some("SSH_AUTH_SOCK") => options.agent.clone(),
            Some(text) => path("IdentityAgent", &text.to_owned()),
        };
        let jumps = jumps(options, &values, is_jump)?;
        Ok(Self {
            site: Site {
                host: host.clone(),
                port,
                port_is_named: true,
                ..site.clone()
            },
            user,
            has_alias: values.host_key_alias.is_some(),
            name: values
                .host_key_alias
                .as_deref()
                .map_or(host, str::to_lowercase),
            known_hosts,
            system_known_hosts,
            unknown_hosts: options
                .unknown_hosts
                .or(values.unknown_hosts)
                .unwrap_or_default(),
            hash_known_hosts: values.hash_known_hosts.unwrap_or(false),
            update_host_keys: values.update_host_keys.unwrap_or(true),
            identities,
            certificates,
            identities_only: options.identities_only || values.identities_only.unwrap_or(false),
            agent,
            methods: Methods {
                public_key: values.public_key.unwrap_or(true),
                password: values.password.unwrap_or(true),
                interactive: values.interactive.unwrap_or(true),
            },
            password: site
                .password
                .clone()
                .or_else(|| options.password.clone().filter(|_| !is_jump)),
            pins: site
                .fingerprint
                .into_iter()
                .chain(options.pins.iter().copied().filter(|_| !is_jump))
                .collect(),
            jumps,
            notes,
        })
    }

    /// `user@host:port`, for people and as the key of what was learnt.
    pub(super) fn login(&self) -> String {
        format!("{}@{}", self.user, self.site.host)
    }
}

fn user(site: &Site, options: &Ssh, values: &Values, is_jump: bool) -> Result<String> {
    let named = match &site.user {
        Some(user) => Some(String::from_utf8(user.clone()).map_err(|_| {
            Error::new(
                Step::Login,
                Kind::Usage,
                "SSH's user names are UTF-8, this one is not",
            )
        })?),
        None if is_jump => None,
        None => options.user.clone(),
    };
    named
        .or_else(|| values.user.clone())
        .or_else(|| options.local_user.clone())
        .filter(|user| !user.is_empty())
        .ok_or_else(|| {
            Error::new(
                Step::Login,
                Kind::Usage,
                format!("nobody says who logs in at {}", site.host),
            )
            .hint("put a user into the URL (sftp://user@host/), or add --user NAME")
        })
}

/// The user's files and the system's.
fn known_hosts(
    options: &Ssh,
    values: &Values,
    path: &mut dyn FnMut(&str, &String) -> Option<PathBuf>,
) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let mut expanded = |keyword: &str, list: &[String]| -> Vec<PathBuf> {
        list.iter()
            .filter(|text| !text.eq_ignore_ascii_case("none"))
            .filter_map(|text| path(keyword, text))
            .collect()
    };
    let own = match (&options.known_hosts, &values.known_hosts) {
        (Some(file), _) => vec![file.clone()],
        (None, Some(list)) => expanded("UserKnownHostsFile", list),
        (None, None) => options.home.as_ref().map_or_else(Vec::new, |home| {
            let directory = home.join(".ssh");
            vec![
                directory.join("known_hosts"),
                directory.join("known_hosts2"),
            ]
        }),
    };
    let system = match &values.system_known_hosts {
        Some(list) => expanded("GlobalKnownHostsFile", list),
        None => options.system_known_hosts.clone(),
    };
    (own, system)
}

fn misread(keyword: &str, text: &str) -> Error {
    Error::new(
        Step::Local,
        Kind::Usage,
        format!("the SSH configuration's {keyword} {text} cannot be read"),
    )
}

fn jumps(options: &Ssh, values: &Values, is_jump: bool) -> Result<Vec<Jump>> {
    let own = if is_jump { None } else { options.jump.as_ref() };
    if own.is_none()
        && let Some(command) = &values.proxy_command
        && !command.eq_ignore_ascii_case("none")
    {
        return Err(Error::new(
            Step::Connect,
            Kind::Usage,
            "the SSH configuration wants a ProxyCommand for this host, and no programs are run here",
        )
        .hint("use ProxyJump, or --jump HOST; --jump none goes straight there"));
    }
    let Some(text) = own.or(values.jump.as_ref()) else {
        return Ok(Vec::new());
    };
    if text.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    text.split(',')
        .take(MOST_VALUES)
        .map(|hop| jump(hop.trim()).ok_or_else(|| misread("ProxyJump", text)))
        .collect()
}

/// `[user@]host[:port]` or `ssh://[user@]host[:port]`.
fn jump(text: &str) -> Option<Jump> {
    let text = text.strip_prefix("ssh://").unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.is_empty() || text.contains(['/', '?', '#']) {
        return None;
    }
    // Percent signs mean nothing here.
    let place = Location::parse(&format!("sftp://{}", text.replace('%', "%25"))).ok()?;
    Some(Jump { site: place.site })
}

fn read(host: &str, options: &Ssh) -> Result<Values> {
    let mut reader = Reader::new(host, options.home.as_deref(), &Disk);
    for path in &options.config_files {
        match text_of(path) {
            Ok(text) => reader.read(path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Error::local(
                    &format!("cannot read the SSH configuration {}", path.display()),
                    &error,
                ));
            }
        }
    }
    Ok(reader.values)
}

/// A file of configuration; one that others may write is none, as for ssh.
fn text_of(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.mode() & 0o022 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others may write to it: run chmod go-w on it",
        ));
    }
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Files of this machine.
struct Disk;

impl Source for Disk {
    fn files(&self, wanted: &Path) -> Vec<(PathBuf, String)> {
        let name = wanted.file_name().and_then(|name| name.to_str());
        let mut paths = match (wanted.parent(), name) {
            (Some(directory), Some(name)) if name.contains(['*', '?']) => {
                let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
                entries
                    .filter(|entry| {
                        entry.file_name().to_str().is_some_and(|found| {
                            !found.starts_with('.') && pattern::matches(name, found)
                        })
                    })
                    .map(|entry| entry.path())
                    .take(MOST_VALUES)
                    .collect()
            }
            _ => vec![wanted.to_owned()],
        };
        paths.sort();
        let with_text = paths
            .into_iter()
            .map(|path| text_of(&path).map(|text| (path, text)));
        with_text.filter_map(Result::ok).collect()
    }
}

#[cfg(test)]
mod tests;
