//! The configuration: one TOML file and the environment, turned into plain values.
//!
//! What was written ([`raw`]) is read through the table of keys ([`table`]) into typed sections and
//! then resolved into a [`Config`], which is what is meant: volumes by name, accounts ready for
//! login, paths absolute. Whatever is wrong is told at once, each with file, line, column and a hint;
//! there is never half a configuration.
//!
//! Only this room reads TOML, the environment and files of secrets. It must not open a port or a
//! volume: whether the machine can do what is configured is the composition's to find out.

mod raw;
mod reference;
mod resolve;
mod section;
mod table;
mod types;

use std::path::{Path, PathBuf};

use wharf_accounts::Account;
use wharf_tftp::rewrite::Rewrite;

pub(crate) use raw::Problem;
pub(crate) use reference::{markdown, schema};
pub(crate) use resolve::{is_reserved_name, tftp_account_name};
pub(crate) use table::{
    Acme, Anonymous, Data, Ftp, Hash, Limits, List, Lockout, Proxy, Rename, Server, Sftp, Ssh,
    Tftp, TftpClient, Tls, Upload,
};
pub(crate) use types::{
    AcmeChallenge, AddressOrHost, CertificateRole, ClientCertificates, DataProtection, LogFormat,
    LogLevel, MtuCap, Owners, PeerCheck, RealPath, RequireTls, SessionReuse, SymlinkOrder,
    TftpWrite, TlsVersion,
};

use crate::self_signed::Files;
use section::Setting as _;

/// Everything that is configured, checked as far as it can be without touching the machine.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Directory of the account store and other state; not necessarily there yet.
    pub(crate) state_dir: PathBuf,
    /// The process.
    pub(crate) server: Server,
    /// How many at one time.
    pub(crate) limits: Limits,
    /// Addresses that fail to log in.
    pub(crate) lockout: Lockout,
    /// Proxies in front.
    pub(crate) proxy: Proxy,
    /// The control connection.
    pub(crate) ftp: Ftp,
    /// Data connections.
    pub(crate) data: Data,
    /// SSH.
    pub(crate) ssh: Ssh,
    /// SFTP.
    pub(crate) sftp: Sftp,
    /// TFTP.
    pub(crate) tftp: Tftp,
    /// What names requested over TFTP become.
    pub(crate) tftp_rewrites: Vec<Rewrite>,
    /// TLS.
    pub(crate) tls: Tls,
    /// Certificates from an authority.
    pub(crate) acme: Acme,
    /// Uploads.
    pub(crate) upload: Upload,
    /// Renames.
    pub(crate) rename: Rename,
    /// Listings.
    pub(crate) list: List,
    /// Hashes.
    pub(crate) hash: Hash,
    /// Anonymous access, as written; its account is among `accounts`.
    pub(crate) anonymous: Anonymous,
    /// Volumes by name; the names are unique and every mount of an account names one of them.
    pub(crate) volumes: Vec<Volume>,
    /// The users in the order of the file, then the anonymous account where it is enabled.
    pub(crate) accounts: Vec<Account>,
}

/// A volume that is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Volume {
    /// Its name in the configuration.
    pub(crate) id: String,
    /// Where its bytes rest.
    pub(crate) store: VolumeStore,
    /// Nothing can be changed on it.
    pub(crate) read_only: bool,
}

/// Where a volume's bytes rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VolumeStore {
    /// In this host directory.
    Local(PathBuf),
    /// In memory, at most so many bytes.
    Memory(u64),
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// It does not say what it must; every problem that was found.
    #[error("{}", listed(_0))]
    Invalid(Vec<Problem>),
}

fn listed(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Reads the configuration from `path` (all defaults where there is none) and `env`.
///
/// A variable `WHARF_SECTION_KEY` overrides the key `section.key` of the file; lists are separated
/// by commas, or written as in TOML. Variables that begin with `WHARF_` and no section's name are
/// somebody else's.
///
/// # Errors
/// [`ConfigError`], with everything that is wrong.
pub(crate) fn load(path: Option<&Path>, env: &[(String, String)]) -> Result<Config, ConfigError> {
    let text = match path {
        Some(path) => Some((path.to_owned(), read_file(path)?)),
        None => None,
    };
    let mut report = raw::Report::default();
    resolve::take_environment(env, &mut report);
    let root = read_text(text.as_ref(), &mut report);
    let resolved = root.map(|root| resolve::resolve(root, env, &mut report));
    match resolved {
        Some(config) if report.is_clean() => Ok(config),
        _ => Err(ConfigError::Invalid(report.into_problems())),
    }
}

fn read_text(file: Option<&(PathBuf, String)>, report: &mut raw::Report) -> Option<table::Root> {
    let Some((path, text)) = file else {
        let empty = toml_edit::Table::new();
        return table::Root::read(
            &raw::Node::table(String::new(), &empty, &raw::Origin::Default),
            report,
        );
    };
    let origin = raw::Origin::File {
        path: path.clone(),
        text: text.clone(),
    };
    match toml_edit::Document::parse(text.as_str()) {
        Ok(document) => table::Root::read(
            &raw::Node::table(String::new(), document.as_table(), &origin),
            report,
        ),
        Err(error) => {
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            report.add(
                origin.place(error.span().as_ref()),
                message,
                Some("the file must be TOML 1.0".to_owned()),
            );
            None
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the configuration file and files of secrets are read here"
)]
fn read_file(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })
}

impl Config {
    /// Where the embedded account store lies.
    pub(crate) fn account_store(&self) -> PathBuf {
        self.state_dir.join("accounts.db")
    }

    /// Files of the certificate that the server makes itself; `None` where another is configured, or
    /// none is wanted.
    pub(crate) fn self_signed(&self) -> Option<Files> {
        (self.tls.auto_self_signed && self.tls.certificates.is_empty())
            .then(|| Files::of(&self.state_dir))
    }

    /// Whether there is a certificate, or will be one.
    pub(crate) fn has_tls(&self) -> bool {
        self.tls.auto_self_signed
            || !self.tls.certificates.is_empty()
            || !self.acme.domains.is_empty()
    }

    /// Names of the keys that differ in `new` and take effect with a restart only.
    pub(crate) fn restart_changes(&self, new: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        self.server
            .restart_changes(&new.server, "server", &mut changes);
        self.limits
            .restart_changes(&new.limits, "limits", &mut changes);
        self.ftp.restart_changes(&new.ftp, "ftp", &mut changes);
        self.data.restart_changes(&new.data, "data", &mut changes);
        self.ssh.restart_changes(&new.ssh, "ssh", &mut changes);
        self.tftp.restart_changes(&new.tftp, "tftp", &mut changes);
        self.tls.restart_changes(&new.tls, "tls", &mut changes);
        self.acme.restart_changes(&new.acme, "acme", &mut changes);
        changes
    }
}

#[cfg(test)]
mod tests;
