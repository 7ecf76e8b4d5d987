//! `wharf serve DIR` without anything else: a configuration out of thin air.
//!
//! One account, the folder as its tree, unprivileged ports. When no password is given one is
//! invented, shown once and kept nowhere.

use std::path::{Path, PathBuf};

use wharf_accounts::{
    Account, AccountKind, AccountLimits, AccountName, Home, RequireTls, SshAccess, StoredSecret,
};
use wharf_vfs::{Grants, Rights};

use crate::{
    config::{self, Config, TftpWrite},
    exit::Failure,
};

/// The account that is made when none is named.
pub(super) const DEFAULT_USER: &str = "wharf";

/// Where connections begin in clear when nobody names a port: 21, out of the range that needs root.
pub(super) const PORT: u16 = 2121;
/// Where TLS comes first when nobody names a port: 990, out of the range that needs root.
pub(super) const IMPLICIT_PORT: u16 = 2990;

/// Where SSH is when nobody names a port: 22, out of the range that needs root.
pub(super) const SSH_PORT: u16 = 2022;

/// Where TFTP is when nobody names a port: 69, out of the range that needs root.
pub(super) const TFTP_PORT: u16 = 6969;

/// Letters and digits that cannot be taken for one another.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";

/// Length of an invented password: 20 letters of 32 are 100 bits.
const INVENTED: usize = 20;

/// Who shall be served.
pub(super) struct Wish {
    /// The folder.
    pub(super) directory: PathBuf,
    /// Name and, where it was given, password of each account.
    pub(super) users: Vec<(String, Option<String>)>,
    /// Anybody may read.
    pub(super) anonymous: bool,
    /// Nobody may change anything.
    pub(super) read_only: bool,
    /// Devices get it by TFTP as well.
    pub(super) tftp: Option<TftpWrite>,
}

/// An account of the quick start, with its password when that was invented.
pub(super) struct Login {
    pub(super) name: String,
    pub(super) invented: Option<String>,
}

/// Adds the accounts of a wish to a configuration.
pub(super) fn furnish(config: &mut Config, wish: &Wish) -> Result<Vec<Login>, Failure> {
    let directory = absolute(&wish.directory)?;
    let rights = if wish.read_only {
        Rights::READ_ONLY
    } else {
        Rights::FULL
    };
    let mut logins = Vec::new();
    for (name, password) in &wish.users {
        let invented = match password {
            Some(_) => None,
            None => Some(invent()?),
        };
        let password = password
            .as_ref()
            .or(invented.as_ref())
            .map_or("", String::as_str);
        let name = AccountName::parse(name.as_bytes())
            .map_err(|error| Failure::usage(format!("--user {name:?}: {error}")))?;
        if config::is_reserved_name(&name) {
            return Err(Failure::usage(format!(
                "--user: the name {name} is kept for clients of TFTP"
            )));
        }
        config.accounts.retain(|account| account.name != name);
        config.accounts.push(account(
            name.clone(),
            AccountKind::User,
            rights,
            &directory,
            StoredSecret::plain(password),
        ));
        logins.push(Login {
            name: name.to_string(),
            invented,
        });
    }
    if wish.anonymous {
        config.anonymous.enabled = true;
        let name = AccountName::parse(b"anonymous")
            .map_err(|error| Failure::internal(error.to_string()))?;
        let secret = StoredSecret::any_text(false);
        config.accounts.push(account(
            name,
            AccountKind::Anonymous,
            Rights::READ_ONLY,
            &directory,
            secret,
        ));
    }
    if let Some(write) = wish.tftp {
        config.tftp.root = Some(directory);
        config.tftp.volume = None;
        config.tftp.read = true;
        config.tftp.write = write;
    }
    Ok(logins)
}

fn account(
    name: AccountName,
    kind: AccountKind,
    rights: Rights,
    directory: &Path,
    password: StoredSecret,
) -> Account {
    Account {
        name,
        kind,
        home: Home::directory(directory),
        grants: Grants::everywhere(rights),
        limits: AccountLimits::default(),
        enabled: true,
        expires: None,
        allowed_networks: Vec::new(),
        password,
        require_tls: RequireTls::Inherit,
        certificates: Vec::new(),
        ssh: SshAccess::default(),
    }
}

fn absolute(directory: &Path) -> Result<PathBuf, Failure> {
    let shown = directory.display();
    let path = directory.canonicalize().map_err(|error| {
        Failure::usage(format!(
            "cannot serve {shown}: {error}; name a folder that exists"
        ))
    })?;
    if path.is_dir() {
        Ok(path)
    } else {
        Err(Failure::usage(format!("{shown} is not a folder")))
    }
}

/// A password from the system's random numbers.
fn invent() -> Result<String, Failure> {
    let mut random = [0; INVENTED];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::internal(format!("no random numbers: {error}")))?;
    Ok(random
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)))
        .map(|letter| *letter as char)
        .collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn invented_passwords_are_long_and_differ() {
        let invented: HashSet<_> = (0..100).map(|_| invent().unwrap()).collect();
        assert_eq!(invented.len(), 100);
        assert!(invented.iter().all(|password| password.len() == INVENTED));
        assert_eq!(
            ALPHABET.iter().collect::<HashSet<_>>().len(),
            32,
            "no letter twice"
        );
    }
}
