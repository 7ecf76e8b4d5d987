//! `wharf user`: the accounts of the embedded store.
//!
//! Passwords are asked for on the terminal or read from a pipe or a file, never taken from the
//! command line, where every process of the host could read them.

use std::{
    io::{self, BufRead as _, IsTerminal as _},
    num::NonZeroU64,
    path::PathBuf,
    sync::Arc,
};

use clap::{Args, Subcommand};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use wharf_accounts::{
    Account, AccountKind, AccountLimits, AccountName, AuthorizedKey, CertificateRule, Home,
    KeyFile, RequireTls, SshAccess, SshLogin, Store, StoredSecret, Tree,
};
use wharf_vfs::{Grants, Right, Rights, VirtualPath};

use super::{environment, say};
use crate::{config, exit::Failure};

/// Administer the accounts of the embedded store.
#[derive(Args)]
pub(super) struct User {
    /// Configuration file, for the place of the store.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Directory of the account store.
    #[arg(long, value_name = "DIR", global = true)]
    state_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Add an account.
    Add {
        /// Name to log in with.
        name: String,
        /// Host directory that is the account's tree.
        #[arg(long)]
        home: PathBuf,
        #[command(flatten)]
        properties: Properties,
        #[command(flatten)]
        password: Password,
    },
    /// List all accounts.
    List,
    /// Show one account.
    Show {
        /// Its name.
        name: String,
    },
    /// Change an account.
    Set {
        /// Its name.
        name: String,
        /// Host directory that is the account's tree.
        #[arg(long)]
        home: Option<PathBuf>,
        #[command(flatten)]
        properties: Properties,
    },
    /// Remove an account; its files stay.
    Remove {
        /// Its name.
        name: String,
    },
    /// Set an account's password.
    Password {
        /// Its name.
        name: String,
        #[command(flatten)]
        password: Password,
    },
}

#[derive(Args)]
struct Properties {
    /// What the account may do: full, read-only, incoming, none, or rights with commas between.
    #[arg(long, value_parser = rights)]
    rights: Option<Rights>,
    /// Rights under one directory, as PATH=RIGHTS; may be given again.
    #[arg(long = "grant", value_name = "PATH=RIGHTS", value_parser = grant)]
    grants: Vec<(VirtualPath, Rights)>,
    /// Sessions at one time.
    #[arg(long)]
    max_sessions: Option<u32>,
    /// Bytes per second to all its sessions together.
    #[arg(long)]
    download_rate: Option<NonZeroU64>,
    /// Bytes per second from all its sessions together.
    #[arg(long)]
    upload_rate: Option<NonZeroU64>,
    /// Network that the account may come from; may be given again.
    #[arg(long = "network")]
    networks: Vec<wharf_accounts::Network>,
    /// What must not go in clear: inherit (as the server says), no, login, data or both.
    #[arg(long, value_name = "WHAT", value_parser = require_tls)]
    require_tls: Option<RequireTls>,
    /// Client certificate that is the account's (sha256:HEX, dns:NAME, email:ADDRESS, uri:URI,
    /// upn:NAME or subject:CN=anna,O=Example); may be given again and replaces those of before.
    #[arg(long = "certificate", value_name = "RULE")]
    certificates: Vec<CertificateRule>,
    /// No client certificate is the account's any more.
    #[arg(long, conflicts_with = "certificates")]
    no_certificates: bool,
    /// Public key that opens the account over SSH: its line as in `id_ed25519.pub`, with options before
    /// it; may be given again and replaces those of before.
    #[arg(long = "authorized-key", value_name = "LINE")]
    authorized_keys: Vec<AuthorizedKey>,
    /// File of such keys, which the server reads again when it changed.
    #[arg(long, value_name = "FILE")]
    authorized_keys_file: Option<PathBuf>,
    /// No key opens the account any more, and no file of keys is read.
    #[arg(long, conflicts_with_all = ["authorized_keys", "authorized_keys_file"])]
    no_authorized_keys: bool,
    /// What opens the account over SSH: any, key, password or key+password.
    #[arg(long, value_name = "PROOFS")]
    ssh_login: Option<SshLogin>,
    /// Let nobody in, but keep the password.
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Let the holder in again.
    #[arg(long)]
    enable: bool,
}

#[derive(Args)]
struct Password {
    /// File whose first line is the password.
    #[arg(long, value_name = "FILE", conflicts_with = "hash_file")]
    password_file: Option<PathBuf>,
    /// File whose first line is a password hash (argon2id, bcrypt, $1$, $5$, $6$, $y$).
    #[arg(long, value_name = "FILE")]
    hash_file: Option<PathBuf>,
    /// No password: the account is entered by its keys or certificates alone.
    #[arg(long, conflicts_with_all = ["password_file", "hash_file"])]
    no_password: bool,
}

fn rights(text: &str) -> Result<Rights, String> {
    match text {
        "full" => return Ok(Rights::FULL),
        "read-only" => return Ok(Rights::READ_ONLY),
        "incoming" => return Ok(Rights::INCOMING),
        "none" => return Ok(Rights::NONE),
        _ => {}
    }
    text.split(',').try_fold(Rights::NONE, |rights, word| {
        let found = Right::ALL.iter().find(|(_, name)| *name == word.trim());
        found.map(|(right, _)| rights.with(*right)).ok_or_else(|| {
            let words: Vec<_> = Right::ALL.iter().map(|(_, name)| *name).collect();
            format!("`{word}` is no right; the words are {}", words.join(", "))
        })
    })
}

/// The words of the configuration, and `inherit` for what it leaves out.
fn require_tls(text: &str) -> Result<RequireTls, String> {
    match text {
        "inherit" => Ok(RequireTls::Inherit),
        "no" => Ok(RequireTls::No),
        "login" => Ok(RequireTls::Login),
        "data" => Ok(RequireTls::Data),
        "both" => Ok(RequireTls::Both),
        _ => Err("the words are inherit, no, login, data and both".to_owned()),
    }
}

fn grant(text: &str) -> Result<(VirtualPath, Rights), String> {
    let (path, words) = text
        .split_once('=')
        .ok_or("expected PATH=RIGHTS, such as /in=create")?;
    let path = VirtualPath::parse(&VirtualPath::root(), path.as_bytes())
        .map_err(|error| error.to_string())?;
    Ok((path, rights(words)?))
}

impl User {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = config::load(self.config.as_deref(), &environment())
            .map_err(|error| Failure::config(error.to_string()))?;
        let directory = self.state_dir.unwrap_or_else(|| config.state_dir.clone());
        let path = if directory == config.state_dir {
            config.account_store()
        } else {
            directory.join("accounts.db")
        };
        make_directory(&directory)?;
        let store = Store::open(&path)
            .map_err(|error| Failure::denied(format!("{}: {error}", path.display())))?;
        self.action.run(&store)
    }
}

impl Action {
    fn run(self, store: &Store) -> Result<(), Failure> {
        match self {
            Self::Add {
                name,
                home,
                properties,
                password,
            } => {
                let mut account = Account {
                    name: new_name(&name)?,
                    kind: AccountKind::User,
                    home: Home::directory(absolute(&home)?),
                    grants: Grants::everywhere(Rights::FULL),
                    limits: AccountLimits::default(),
                    enabled: true,
                    expires: None,
                    allowed_networks: Vec::new(),
                    password: password.read()?,
                    require_tls: RequireTls::Inherit,
                    certificates: Vec::new(),
                    ssh: SshAccess::default(),
                };
                properties.apply(&mut account)?;
                store.add(&account).map_err(stored)?;
                Ok(say(&format!("Added {name}.\n"))?)
            }
            Self::List => {
                let accounts = store.list().map_err(stored)?;
                let lines: String = accounts
                    .iter()
                    .map(|account| format!("{}\n", summary(account)))
                    .collect();
                Ok(say(&lines)?)
            }
            Self::Show { name } => Ok(say(&details(&store.show(&parse(&name)?).map_err(stored)?))?),
            Self::Set {
                name,
                home,
                properties,
            } => {
                let mut account = store.show(&parse(&name)?).map_err(stored)?;
                if let Some(home) = home {
                    account.home = Home::directory(absolute(&home)?);
                }
                properties.apply(&mut account)?;
                store.set(&account).map_err(stored)?;
                Ok(say(&details(&account))?)
            }
            Self::Remove { name } => {
                store.remove(&parse(&name)?).map_err(stored)?;
                Ok(say(&format!("Removed {name}; its files stay.\n"))?)
            }
            Self::Password { name, password } => {
                let name = parse(&name)?;
                // An unknown name is told before somebody types a password.
                store.show(&name).map_err(stored)?;
                store
                    .set_password(&name, &password.read()?)
                    .map_err(stored)?;
                Ok(say(&format!("The password of {name} is set.\n"))?)
            }
        }
    }
}

impl Properties {
    fn apply(self, account: &mut Account) -> Result<(), Failure> {
        if self.rights.is_some() || !self.grants.is_empty() {
            let everywhere = self.rights.map(|rights| (VirtualPath::root(), rights));
            let kept = account.grants.rules().iter().rev().cloned();
            account.grants = Grants::new(kept.chain(everywhere).chain(self.grants));
        }
        account.limits.max_sessions = self.max_sessions.or(account.limits.max_sessions);
        account.limits.download_rate = self.download_rate.or(account.limits.download_rate);
        account.limits.upload_rate = self.upload_rate.or(account.limits.upload_rate);
        if !self.networks.is_empty() {
            account.allowed_networks = self.networks;
        }
        account.require_tls = self.require_tls.unwrap_or(account.require_tls);
        if self.no_certificates || !self.certificates.is_empty() {
            account.certificates = self.certificates;
        }
        if self.no_authorized_keys {
            (account.ssh.keys, account.ssh.key_file) = (Vec::new(), None);
        }
        if !self.authorized_keys.is_empty() {
            account.ssh.keys = self.authorized_keys;
        }
        if let Some(path) = &self.authorized_keys_file {
            account.ssh.key_file = Some(Arc::new(key_file(path)?));
        }
        account.ssh.login = self.ssh_login.unwrap_or(account.ssh.login);
        account.enabled = if self.disable {
            false
        } else {
            account.enabled || self.enable
        };
        Ok(())
    }
}

/// A file of keys by its whole path, every line of which is understood now.
fn key_file(path: &std::path::Path) -> Result<KeyFile, Failure> {
    let wrong = |error: String| Failure::usage(format!("{}: {error}", path.display()));
    let file = KeyFile::new(
        path.canonicalize()
            .map_err(|error| wrong(error.to_string()))?,
    );
    let keys = file
        .inspect()
        .map_err(|error| Failure::usage(error.to_string()))?;
    match keys.refused().first() {
        Some(refused) => Err(wrong(refused.to_string())),
        None => Ok(file),
    }
}

impl Password {
    fn read(&self) -> Result<StoredSecret, Failure> {
        if self.no_password {
            return Ok(StoredSecret::locked());
        }
        if let Some(path) = &self.hash_file {
            let text = first_line(path)?;
            let secret = StoredSecret::parse(&text);
            return match secret.lock() {
                Some(lock) => Err(Failure::usage(format!(
                    "{}: no password can match this hash: {lock}",
                    path.display()
                ))),
                None => Ok(secret),
            };
        }
        let password = match &self.password_file {
            Some(path) => first_line(path)?,
            None => ask()?,
        };
        if password.is_empty() {
            return Err(Failure::usage(
                "an empty password would lock the account; give one",
            ));
        }
        StoredSecret::hash_new(password.as_bytes())
            .map_err(|error| Failure::internal(error.to_string()))
    }
}

fn parse(name: &str) -> Result<AccountName, Failure> {
    AccountName::parse(name.as_bytes())
        .map_err(|error| Failure::usage(format!("{name:?}: {error}")))
}

/// A name for a new account.
fn new_name(name: &str) -> Result<AccountName, Failure> {
    let name = parse(name)?;
    if config::is_reserved_name(&name) {
        return Err(Failure::usage(format!(
            "the name {name} is kept for clients of TFTP; choose another"
        )));
    }
    Ok(name)
}

fn stored(error: wharf_accounts::Error) -> Failure {
    Failure::usage(error.to_string())
}

fn absolute(path: &std::path::Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| {
        Failure::usage(format!(
            "{}: {error}; make the folder first",
            path.display()
        ))
    })
}

fn home(account: &Account) -> String {
    match &account.home.tree {
        Tree::Directory(path) => path.display().to_string(),
        Tree::Volumes(mounts) => {
            let mounts: Vec<_> = mounts
                .iter()
                .map(|mount| format!("{}={}", mount.path, mount.volume))
                .collect();
            mounts.join(" ")
        }
    }
}

fn summary(account: &Account) -> String {
    let state = if account.enabled { "" } else { "  (disabled)" };
    format!("{:<20} {}{state}", account.name, home(account))
}

fn details(account: &Account) -> String {
    let words = |rights: Rights| {
        let words: Vec<_> = Right::ALL
            .iter()
            .filter(|(right, _)| rights.has(*right))
            .map(|(_, word)| *word)
            .collect();
        if words.is_empty() {
            "none".to_owned()
        } else {
            words.join(",")
        }
    };
    let number = |number: Option<u64>| {
        number.map_or_else(
            || "no limit of its own".to_owned(),
            |number| number.to_string(),
        )
    };
    let mut text = format!(
        "name           {}\nhome           {}\nenabled        {}\npassword       {}\n",
        account.name,
        home(account),
        account.enabled,
        account.password.lock().map_or_else(
            || account.password.scheme().to_owned(),
            |lock| format!("locked: {lock}")
        ),
    );
    for (path, rights) in account.grants.rules().iter().rev() {
        text.push_str(&format!("rights         {path}  {}\n", words(*rights)));
    }
    text.push_str(&format!(
        "max sessions   {}\ndownload rate  {}\nupload rate    {}\n",
        number(account.limits.max_sessions.map(u64::from)),
        number(account.limits.download_rate.map(NonZeroU64::get)),
        number(account.limits.upload_rate.map(NonZeroU64::get)),
    ));
    for network in &account.allowed_networks {
        text.push_str(&format!("network        {network}\n"));
    }
    let required = match account.require_tls {
        RequireTls::Inherit => "as the server says",
        RequireTls::No => "no",
        RequireTls::Login => "login",
        RequireTls::Data => "data",
        RequireTls::Both => "both",
    };
    text.push_str(&format!("require TLS    {required}\n"));
    for rule in &account.certificates {
        text.push_str(&format!("certificate    {rule}\n"));
    }
    text.push_str(&format!("SSH login      {}\n", account.ssh.login));
    for key in &account.ssh.keys {
        text.push_str(&format!(
            "authorized key {} {} {}",
            key.key().algorithm(),
            key.fingerprint(),
            key.comment()
        ));
        text.truncate(text.trim_end().len());
        if !key.options().is_empty() {
            text.push_str(&format!("  ({})", key.options()));
        }
        text.push('\n');
    }
    if let Some(file) = &account.ssh.key_file {
        text.push_str(&format!("keys in file   {}\n", file.path().display()));
    }
    text
}

/// From a terminal unseen and twice; from a pipe its first line.
fn ask() -> Result<String, Failure> {
    let mut input = io::stdin().lock();
    let mut read = || -> Result<String, Failure> {
        let mut line = String::new();
        input.read_line(&mut line)?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    };
    if !io::stdin().is_terminal() {
        return read();
    }
    let terminal = io::stdin();
    let before = tcgetattr(&terminal).map_err(io::Error::from)?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&terminal, OptionalActions::Now, &hidden).map_err(io::Error::from)?;
    let answers = say("Password: ")
        .map_err(Failure::from)
        .and_then(|()| read())
        .and_then(|first| {
            say("\nAgain: ")?;
            let second = read()?;
            say("\n")?;
            Ok((first, second))
        });
    tcsetattr(&terminal, OptionalActions::Now, &before).map_err(io::Error::from)?;
    let (first, second) = answers?;
    if first == second {
        Ok(first)
    } else {
        Err(Failure::usage("the two passwords differ"))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a file of secrets that the command line names"
)]
fn first_line(path: &std::path::Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn make_directory(path: &std::path::Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.map_err(|error| Failure::denied(format!("cannot make {}: {error}", path.display())))
}

#[cfg(test)]
mod tests;
