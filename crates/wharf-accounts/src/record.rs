//! The form in which the embedded store keeps an account, and in which it is shown as JSON.
//!
//! A record is the account without name and password, in words: rights and networks as the
//! configuration writes them. Unknown fields are errors, since a field that this program does not
//! know might forbid something.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};
use wharf_vfs::{Grants, Right, Rights, VirtualPath};

use crate::{
    Account, AccountKind, AccountLimits, AccountName, Error, Home, MountSpec, Result, StoredSecret,
    Tree,
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
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HomeRecord {
    #[serde(flatten)]
    tree: TreeRecord,
    start: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TreeRecord {
    Directory(String),
    Mounts(Vec<MountRecord>),
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
    pub(crate) fn of(account: &Account) -> std::result::Result<Self, String> {
        if account.is_anonymous() {
            return Err("the anonymous account is set in the configuration".to_owned());
        }
        let tree = match &account.home.tree {
            Tree::Directory(path) => {
                TreeRecord::Directory(utf8(path.as_os_str().as_encoded_bytes())?)
            }
            Tree::Volumes(mounts) => TreeRecord::Mounts(
                mounts
                    .iter()
                    .map(|mount| {
                        let path = utf8(mount.path.as_bytes())?;
                        Ok(MountRecord {
                            path,
                            volume: mount.volume.clone(),
                            read_only: mount.read_only,
                        })
                    })
                    .collect::<std::result::Result<_, String>>()?,
            ),
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
            home: HomeRecord {
                tree,
                start: utf8(account.home.start.as_bytes())?,
            },
            grants: grants.collect::<std::result::Result<_, String>>()?,
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
    ) -> std::result::Result<Account, String> {
        let tree = match self.home.tree {
            TreeRecord::Directory(path) => Tree::Directory(path.into()),
            TreeRecord::Mounts(mounts) => Tree::Volumes(
                mounts
                    .into_iter()
                    .map(|mount| {
                        let path = virtual_path(&mount.path)?;
                        Ok(MountSpec {
                            path,
                            volume: mount.volume,
                            read_only: mount.read_only,
                        })
                    })
                    .collect::<std::result::Result<_, String>>()?,
            ),
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
            allowed_networks: networks.collect::<std::result::Result<_, String>>()?,
            password,
        })
    }
}

impl Account {
    /// The account as JSON, without its password: only the scheme of that is told.
    ///
    /// # Errors
    /// [`Error::Record`] for a path that is not UTF-8.
    pub fn to_json(&self) -> Result<serde_json::Value> {
        let wrong = |reason: String| Error::Record {
            name: self.name.clone(),
            reason,
        };
        let record = Record::of(self).map_err(wrong)?;
        let mut value = serde_json::to_value(record).map_err(|error| wrong(error.to_string()))?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("name".to_owned(), self.name.as_str().into());
            fields.insert("password".to_owned(), self.password.scheme().into());
        }
        Ok(value)
    }
}

fn utf8(bytes: &[u8]) -> std::result::Result<String, String> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| "a path is not UTF-8".to_owned())
}

fn virtual_path(text: &str) -> std::result::Result<VirtualPath, String> {
    VirtualPath::parse(&VirtualPath::root(), text.as_bytes())
        .map_err(|error| format!("`{text}`: {error}"))
}
