//! Accounts out of the users of the file and the anonymous section.

use std::{collections::HashSet, path::Path, sync::Arc};

use wharf_accounts::{
    Account, AccountKind, AccountLimits, AccountName, AuthorizedKey, Home, KeyFile, Lock,
    MountSpec, RequireTls, Secret, SshAccess, SshLogin, StoredSecret, Tree,
};
use wharf_vfs::{Grants, Rights, VirtualPath};

use super::tftp::is_reserved;
use crate::config::{
    Volume,
    raw::{Report, nearest},
    read_file,
    table::{Anonymous, UserEntry},
    types::{RequireTls as Word, SshLogin as SshWord},
};

/// The accounts of the users.
pub(super) fn users(
    entries: &[UserEntry],
    volumes: &[Volume],
    report: &mut Report,
) -> Vec<Account> {
    let mut names = HashSet::new();
    let mut accounts = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let key = format!("user[{at}]");
        if !names.insert(&entry.name) {
            let message = format!("there are two users named `{}`", entry.name);
            report.add_at(
                &format!("{key}.name"),
                message,
                "rename or remove one of them",
            );
        }
        if is_reserved(&entry.name) {
            report.add_at(
                &format!("{key}.name"),
                format!("the name `{}` is kept for clients of TFTP", entry.name),
                "rename the user",
            );
        }
        let (tree, password) = (
            tree(entry, &key, volumes, report),
            password(entry, &key, report),
        );
        let ssh = ssh_access(entry, &key, report);
        let (Some(tree), Some(password)) = (tree, password) else {
            continue;
        };
        accounts.push(Account {
            name: entry.name.clone(),
            kind: AccountKind::User,
            home: Home {
                tree,
                start: entry.start.clone(),
            },
            grants: grants(entry),
            limits: AccountLimits {
                max_sessions: entry.max_sessions,
                download_rate: entry.download_rate.map(|rate| rate.0),
                upload_rate: entry.upload_rate.map(|rate| rate.0),
            },
            enabled: entry.enabled,
            expires: entry.expires.map(|moment| moment.0),
            allowed_networks: entry.networks.clone(),
            password,
            require_tls: asked_for(entry.require_tls),
            certificates: entry.certificates.clone(),
            ssh,
        });
    }
    accounts
}

/// The keys of a user, all of which must be understood, and what they are good for.
fn ssh_access(entry: &UserEntry, key: &str, report: &mut Report) -> SshAccess {
    let mut keys = Vec::with_capacity(entry.authorized_keys.len());
    for (at, text) in entry.authorized_keys.iter().enumerate() {
        let place = format!("{key}.authorized_keys[{at}]");
        match text.parse::<AuthorizedKey>() {
            Ok(key) => keys.push(key),
            Err(error) => {
                let message = format!("a key of user `{}` is refused: {error}", entry.name);
                report.add_at(&place, message, "mend or remove it; one key to each text");
            }
        }
    }
    let key_file = entry.authorized_keys_file.as_ref().map(|path| {
        let file = KeyFile::new(path);
        check_key_file(&file, key, report);
        Arc::new(file)
    });
    let login = match entry.ssh_login {
        SshWord::Any => SshLogin::Any,
        SshWord::Key => SshLogin::Key,
        SshWord::Password => SshLogin::Password,
        SshWord::KeyAndPassword => SshLogin::KeyAndPassword,
    };
    SshAccess {
        login,
        keys,
        key_file,
    }
}

/// What is wrong with a file of keys now is told now; what becomes wrong later is for the log.
fn check_key_file(file: &KeyFile, key: &str, report: &mut Report) {
    let place = format!("{key}.authorized_keys_file");
    match file.inspect() {
        Ok(keys) => {
            for refused in keys.refused() {
                let message = format!("{}: {refused}", file.path().display());
                report.add_at(&place, message, "mend or remove the line");
            }
        }
        Err(error) => {
            let hint = "the file must be there, and readable by the user who starts the server";
            report.add_at(&place, error.to_string(), hint);
        }
    }
}

/// What an account asks for; where nothing is written, what the service does.
const fn asked_for(word: Option<Word>) -> RequireTls {
    match word {
        None => RequireTls::Inherit,
        Some(Word::No) => RequireTls::No,
        Some(Word::Login) => RequireTls::Login,
        Some(Word::Data) => RequireTls::Data,
        Some(Word::Both) => RequireTls::Both,
    }
}

/// A host directory or mounted volumes, one of the two.
fn tree(entry: &UserEntry, key: &str, volumes: &[Volume], report: &mut Report) -> Option<Tree> {
    let name = &entry.name;
    match (&entry.home, entry.mounts.is_empty()) {
        (Some(home), true) => return Some(Tree::Directory(home.clone())),
        (Some(_), false) => {
            let message = format!("user `{name}` has both `home` and `mounts`");
            report.add_at(
                &format!("{key}.home"),
                message,
                "keep one; a directory can be a volume mounted at \"/\"",
            );
            return None;
        }
        (None, true) => {
            let message = format!("user `{name}` has neither `home` nor `mounts`");
            report.add_at(
                &format!("{key}.name"),
                message,
                "give the user a host directory: home = \"...\"",
            );
            return None;
        }
        (None, false) => {}
    }
    let mut specs: Vec<MountSpec> = Vec::with_capacity(entry.mounts.len());
    for (at, mount) in entry.mounts.iter().enumerate() {
        let mount_key = |field: &str| format!("{key}.mounts[{at}].{field}");
        if volumes.iter().all(|volume| volume.id != mount.volume) {
            let hint = match nearest(
                &mount.volume,
                volumes.iter().map(|volume| volume.id.as_str()),
            ) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "add a [[volume]] with that id".to_owned(),
            };
            report.add_at(
                &mount_key("volume"),
                format!("there is no volume `{}`", mount.volume),
                hint,
            );
        }
        if specs.iter().any(|spec| spec.path == mount.path) {
            let message = format!(
                "two volumes are mounted at {} for user `{name}`",
                mount.path
            );
            report.add_at(
                &mount_key("path"),
                message,
                "choose another path for one of them",
            );
        }
        specs.push(MountSpec {
            path: mount.path.clone(),
            volume: mount.volume.clone(),
            read_only: mount.read_only,
        });
    }
    Some(Tree::Volumes(specs))
}

/// `rights` for the whole tree and `grants` for parts of it.
fn grants(entry: &UserEntry) -> Grants {
    let everywhere = match (entry.rights, entry.grants.is_empty()) {
        (Some(rights), _) => rights,
        (None, true) => Rights::FULL,
        (None, false) => Rights::NONE,
    };
    let parts = entry
        .grants
        .iter()
        .map(|grant| (grant.path.clone(), grant.rights));
    Grants::new(std::iter::once((VirtualPath::root(), everywhere)).chain(parts))
}

fn has_keys(entry: &UserEntry) -> bool {
    !entry.authorized_keys.is_empty() || entry.authorized_keys_file.is_some()
}

/// The password from the one place where it is given; a user with keys needs none.
fn password(entry: &UserEntry, key: &str, report: &mut Report) -> Option<StoredSecret> {
    let name = &entry.name;
    let (field, stored) = match (&entry.password, &entry.password_hash, &entry.password_file) {
        (Some(password), None, None) => ("password", StoredSecret::plain(text_of(password))),
        (None, Some(hash), None) => ("password_hash", StoredSecret::parse(text_of(hash))),
        (None, None, Some(file)) => ("password_file", from_file(file, key, report)?),
        (None, None, None) if has_keys(entry) => {
            if matches!(entry.ssh_login, SshWord::Password | SshWord::KeyAndPassword) {
                let message = format!("`ssh_login` wants a password, and user `{name}` has none");
                report.add_at(
                    &format!("{key}.ssh_login"),
                    message,
                    "set password_hash, or ssh_login = \"key\"",
                );
            }
            return Some(StoredSecret::locked());
        }
        (None, None, None) => {
            let message = format!("user `{name}` has no password");
            let hint = "set password_hash (password_hash = \"!\" locks the account), password_file, password or authorized_keys";
            report.add_at(&format!("{key}.name"), message, hint);
            return None;
        }
        _ => {
            let message = format!(
                "user `{name}` has more than one of password, password_hash and password_file"
            );
            report.add_at(&format!("{key}.name"), message, "keep one of them");
            return None;
        }
    };
    match stored.lock() {
        None | Some(Lock::Marked) => Some(stored),
        // The text itself is never shown.
        Some(Lock::Empty) => {
            report.add_at(
                &format!("{key}.{field}"),
                format!("the password of user `{name}` is empty"),
                "set one",
            );
            None
        }
        Some(Lock::Unreadable) => {
            let message = format!("the {field} of user `{name}` is not understood");
            let hint = "known are argon2id, bcrypt ($2a$, $2b$, $2y$), $1$, $5$, $6$ and $y$; `wharf user password` makes one";
            report.add_at(&format!("{key}.{field}"), message, hint);
            None
        }
    }
}

/// The first line of a file: a hash where it reads as one, else the password.
fn from_file(file: &Path, key: &str, report: &mut Report) -> Option<StoredSecret> {
    let text = match read_file(file) {
        Ok(text) => Secret::new(text),
        Err(error) => {
            let hint = "the file must be readable by the user who starts the server";
            report.add_at(&format!("{key}.password_file"), error.to_string(), hint);
            return None;
        }
    };
    let line = text_of(&text).lines().next().unwrap_or_default();
    Some(if line.starts_with(['$', '!', '*', '{']) {
        StoredSecret::parse(line)
    } else {
        StoredSecret::plain(line)
    })
}

/// Secrets of the configuration come from TOML or a text file, so they are UTF-8.
fn text_of(secret: &Secret) -> &str {
    std::str::from_utf8(secret.expose()).unwrap_or_default()
}

/// The anonymous account (ANON-01 to ANON-04).
pub(super) fn anonymous(anonymous: &Anonymous, report: &mut Report) -> Option<Account> {
    if !anonymous.enabled {
        for key in ["anonymous.root", "anonymous.incoming"] {
            if report.is_set(key) {
                let message = format!("`{key}` is set but anonymous access is not enabled");
                report.add_at(key, message, "add enabled = true, or remove it");
            }
        }
        return None;
    }
    let Some(root) = &anonymous.root else {
        let message = "anonymous access is enabled without `anonymous.root`";
        report.add_at(
            "anonymous.enabled",
            message,
            "name the host directory that is shown",
        );
        return None;
    };
    for (at, incoming) in anonymous.incoming.iter().enumerate() {
        if incoming.is_root() {
            let key = format!("anonymous.incoming[{at}]");
            let hint =
                "name a directory such as \"/incoming\"; what stands at the top must stay readable";
            report.add_at(
                &key,
                "`anonymous.incoming`: the root itself takes no uploads",
                hint,
            );
        }
    }
    let incoming = anonymous
        .incoming
        .iter()
        .map(|path| (path.clone(), Rights::INCOMING));
    Some(Account {
        name: AccountName::parse(b"anonymous").ok()?,
        kind: AccountKind::Anonymous,
        home: Home::directory(root),
        grants: Grants::new(
            std::iter::once((VirtualPath::root(), Rights::READ_ONLY)).chain(incoming),
        ),
        limits: AccountLimits {
            max_sessions: anonymous.max_sessions,
            download_rate: anonymous.download_rate.map(|rate| rate.0),
            upload_rate: anonymous.upload_rate.map(|rate| rate.0),
        },
        enabled: true,
        expires: None,
        allowed_networks: Vec::new(),
        password: StoredSecret::any_text(anonymous.require_email),
        require_tls: asked_for(anonymous.require_tls),
        certificates: Vec::new(),
        ssh: SshAccess::default(),
    })
}
