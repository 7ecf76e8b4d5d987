//! The form in which the embedded store keeps an account.
//!
//! A record is the account without name and password, in words: rights and networks as the
//! configuration writes them. Unknown fields are errors, since a field that this program does not
//! know might forbid something.

use std::{num::NonZeroU64, sync::Arc};

use serde::{Deserialize, Serialize};
use wharf_vfs::{Grants, Right, Rights, VirtualPath};

use crate::{
    Account, AccountKind, AccountLimits, AccountName, Home, KeyFile, MountSpec, RequireTls,
    RequireTlsError, SshAccess, SshLogin, SshLoginError, StoredSecret, Tree,
};

/// The stored form.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    home: HomeRecord,
    grants: Vec<GrantRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_sessions: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    download_rate: Option<NonZeroU64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upload_rate: Option<NonZeroU64>,
    enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    networks: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    require_tls: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ssh_login: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    authorized_keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorized_keys_file: Option<String>,
}

/// One of `directory` and `mounts`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HomeRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mounts: Option<Vec<MountRecord>>,
    start: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MountRecord {
    path: String,
    volume: String,
    read_only: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantRecord {
    path: String,
    rights: Vec<String>,
}

impl Record {
    /// The record of `account`.
    ///
    /// # Errors
    /// A path that is not UTF-8, or the anonymous account: that one lives in the configuration.
    pub(crate) fn of(account: &Account) -> Result<Self, String> {
        if account.is_anonymous() {
            return Err("the anonymous account is set in the configuration".to_owned());
        }
        let start = utf8(account.home.start.as_bytes())?;
        let home = match &account.home.tree {
            Tree::Directory(path) => {
                let directory = Some(utf8(path.as_os_str().as_encoded_bytes())?);
                HomeRecord {
                    directory,
                    mounts: None,
                    start,
                }
            }
            Tree::Volumes(mounts) => {
                let mounts = mounts.iter().map(|mount| {
                    Ok(MountRecord {
                        path: utf8(mount.path.as_bytes())?,
                        volume: mount.volume.clone(),
                        read_only: mount.read_only,
                    })
                });
                let mounts = Some(mounts.collect::<Result<_, String>>()?);
                HomeRecord {
                    directory: None,
                    mounts,
                    start,
                }
            }
        };
        let grants = account.grants.rules().iter().map(|(path, rights)| {
            let words = Right::ALL
                .iter()
                .filter(|(right, _)| rights.has(*right))
                .map(|(_, word)| (*word).to_owned());
            Ok(GrantRecord {
                path: utf8(path.as_bytes())?,
                rights: words.collect(),
            })
        });
        Ok(Self {
            home,
            grants: grants.collect::<Result<_, String>>()?,
            max_sessions: account.limits.max_sessions,
            download_rate: account.limits.download_rate,
            upload_rate: account.limits.upload_rate,
            enabled: account.enabled,
            expires: account.expires,
            networks: account
                .allowed_networks
                .iter()
                .map(ToString::to_string)
                .collect(),
            require_tls: (account.require_tls != RequireTls::Inherit)
                .then(|| account.require_tls.to_string()),
            certificates: account
                .certificates
                .iter()
                .map(ToString::to_string)
                .collect(),
            ssh_login: (account.ssh.login != SshLogin::default())
                .then(|| account.ssh.login.to_string()),
            authorized_keys: account.ssh.keys.iter().map(ToString::to_string).collect(),
            authorized_keys_file: match &account.ssh.key_file {
                Some(file) => Some(utf8(file.path().as_os_str().as_encoded_bytes())?),
                None => None,
            },
        })
    }

    /// The account that the record is of.
    ///
    /// # Errors
    /// What in it is not understood.
    pub(crate) fn into_account(
        self,
        name: AccountName,
        password: StoredSecret,
    ) -> Result<Account, String> {
        let tree = match (self.home.directory, self.home.mounts) {
            (Some(path), None) => Tree::Directory(path.into()),
            (None, Some(mounts)) => {
                let mounts = mounts.into_iter().map(|mount| {
                    let path = virtual_path(&mount.path)?;
                    Ok(MountSpec {
                        path,
                        volume: mount.volume,
                        read_only: mount.read_only,
                    })
                });
                Tree::Volumes(mounts.collect::<Result<_, String>>()?)
            }
            _ => return Err("the home is neither a directory nor mounts, or both".to_owned()),
        };
        let mut grants = Vec::with_capacity(self.grants.len());
        for grant in self.grants {
            let mut rights = Rights::NONE;
            for word in &grant.rights {
                let known = Right::ALL.iter().find(|(_, name)| name == word);
                rights = rights.with(known.ok_or_else(|| format!("`{word}` is no right"))?.0);
            }
            grants.push((virtual_path(&grant.path)?, rights));
        }
        let networks = self
            .networks
            .iter()
            .map(|text| text.parse().map_err(|error| format!("{error}")));
        let require_tls = self.require_tls.as_deref().map(str::parse).transpose();
        let certificates = self
            .certificates
            .iter()
            .map(|text| text.parse().map_err(|error| format!("{error}")));
        let ssh = ssh_access(
            self.ssh_login.as_deref(),
            &self.authorized_keys,
            self.authorized_keys_file,
        );
        Ok(Account {
            name,
            kind: AccountKind::User,
            home: Home {
                tree,
                start: virtual_path(&self.home.start)?,
            },
            grants: Grants::new(grants),
            limits: AccountLimits {
                max_sessions: self.max_sessions,
                download_rate: self.download_rate,
                upload_rate: self.upload_rate,
            },
            enabled: self.enabled,
            expires: self.expires,
            allowed_networks: networks.collect::<Result<_, String>>()?,
            password,
            require_tls: require_tls
                .map_err(|error: RequireTlsError| error.to_string())?
                .unwrap_or_default(),
            certificates: certificates.collect::<Result<_, String>>()?,
            ssh: ssh?,
        })
    }
}

fn ssh_access(
    login: Option<&str>,
    keys: &[String],
    file: Option<String>,
) -> Result<SshAccess, String> {
    let login = login.map(str::parse).transpose();
    let keys = keys.iter().map(|line| {
        line.parse()
            .map_err(|error: crate::KeyError| format!("a key: {error}"))
    });
    Ok(SshAccess {
        login: login
            .map_err(|error: SshLoginError| error.to_string())?
            .unwrap_or_default(),
        keys: keys.collect::<Result<_, String>>()?,
        key_file: file.map(|path| Arc::new(KeyFile::new(path))),
    })
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| "a path is not UTF-8".to_owned())
}

fn virtual_path(text: &str) -> Result<VirtualPath, String> {
    VirtualPath::parse(&VirtualPath::root(), text.as_bytes())
        .map_err(|error| format!("`{text}`: {error}"))
}
