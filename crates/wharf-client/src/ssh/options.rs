//! What the user may choose about SSH.
//!
//! What is set here goes before `~/.ssh/config`, which goes before the defaults.

use std::path::PathBuf;

use super::HostKeyPin;
use crate::Secret;

/// What is done with a host whose key nobody knows yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownHosts {
    /// A person is asked; nobody there, the host is refused.
    #[default]
    Ask,
    /// The key is accepted and remembered; a changed one is refused all the same.
    Accept,
    /// The host is refused.
    Refuse,
}

/// What `scp://` and `host:path` speak (SCP-30).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CopyProtocol {
    /// SFTP; the old protocol where a server has no SFTP.
    #[default]
    Auto,
    /// SFTP and nothing else.
    Sftp,
    /// The protocol of `scp -O`.
    Old,
}

/// Choices about SSH. The defaults know no home directory: no configuration, no keys, no known hosts.
#[derive(Clone, Debug, Default)]
pub struct Ssh {
    /// The home directory: `~` and the default files below `.ssh`.
    pub home: Option<PathBuf>,
    /// Who runs this: the user where nothing else names one.
    pub local_user: Option<String>,
    /// The user to log in as, where the URL names none.
    pub user: Option<String>,
    /// The password, where the URL has none; asked for when needed otherwise.
    pub password: Option<Secret>,
    /// Files of configuration, the first to say something wins; those that do not exist count for
    /// nothing. Default none.
    pub config_files: Vec<PathBuf>,
    /// The file that new host keys are written to, and looked up in first. Default none: what the
    /// configuration says, or `.ssh/known_hosts` and `.ssh/known_hosts2`.
    pub known_hosts: Option<PathBuf>,
    /// The system's files of known hosts. Default none.
    pub system_known_hosts: Vec<PathBuf>,
    /// Key files to log in with, besides those of the configuration.
    pub identities: Vec<PathBuf>,
    /// Certificates of such keys.
    pub certificates: Vec<PathBuf>,
    /// Offer no other keys of the agent than those of the named files. Default: as the configuration
    /// says.
    pub identities_only: bool,
    /// The agent's socket.
    pub agent: Option<PathBuf>,
    /// Hosts to go through, `user@host:port` with commas between; `none` for no way around. Default:
    /// as the configuration says.
    pub jump: Option<String>,
    /// The only host keys that are accepted; they never override a stored one.
    pub pins: Vec<HostKeyPin>,
    /// What is done with unknown hosts. Default: as the configuration says, else a person is asked.
    pub unknown_hosts: Option<UnknownHosts>,
    /// Also offer algorithms that are no longer thought safe. Default no.
    pub legacy: bool,
    /// What `scp://` speaks.
    pub copy: CopyProtocol,
}
