//! From what was written to what is meant.
//!
//! Here keys are looked at together: contradictions, names that nothing bears, accounts out of
//! users, secrets out of files. Every complaint names the key and how to mend it.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use wharf_accounts::{
    Account, AccountKind, AccountLimits, AccountName, Home, Lock, MountSpec, Secret, StoredSecret,
    Tree,
};
use wharf_vfs::{Grants, Rights, VirtualPath};

use super::{
    Config, Volume, VolumeStore,
    raw::{Origin, Report, nearest},
    read_file,
    table::{Anonymous, Root, UserEntry, VolumeEntry},
    types::VolumeKind,
};

/// Capacity of a memory volume that does not say.
const MEMORY_SIZE: u64 = 64 << 20;
/// Most lines of a greeting (RPL-28).
const MAX_GREETING_LINES: usize = 40;
/// Replies to MKD of a directory that exists.
const MKD_CODES: [u16; 2] = [521, 550];

/// Sorts out the variables that override keys.
pub(super) fn take_environment(env: &[(String, String)], report: &mut Report) {
    for (variable, text) in env {
        let Some(rest) = variable.strip_prefix("WHARF_") else {
            continue;
        };
        let section = Root::KEYS.iter().find(|section| {
            rest.strip_prefix(&section.name.to_ascii_uppercase())
                .is_some_and(|rest| rest.starts_with('_'))
        });
        let Some(section) = section else { continue };
        let origin = Origin::Variable(variable.clone());
        let key = rest
            .get(section.name.len() + 1..)
            .unwrap_or_default()
            .to_ascii_lowercase();
        if section.default == super::section::Default::Toml("[]") {
            let hint = format!(
                "write [[{}]] into the file; users can also be added with `wharf user add`",
                section.name
            );
            report.add(
                origin.place(None),
                "a list of tables cannot be set by a variable",
                Some(hint),
            );
        } else if section.fields.iter().any(|known| known.name == key) {
            report
                .overrides
                .insert(format!("{}.{key}", section.name), (origin, text.clone()));
        } else {
            let near = nearest(&key, section.fields.iter().map(|known| known.name));
            let hint = near.map(|near| {
                format!("did you mean WHARF_{}_{}?", section.name, near).to_ascii_uppercase()
            });
            report.add(
                origin.place(None),
                format!("unknown key `{}.{key}`", section.name),
                hint,
            );
        }
    }
}

/// Makes a [`Config`] of the sections.
pub(super) fn resolve(
    root: Root,
    path: Option<&Path>,
    env: &[(String, String)],
    report: &mut Report,
) -> Option<Config> {
    check_service(&root, report);
    let volumes = volumes(&root.volume, report);
    let mut accounts = users(&root.user, &volumes, report);
    accounts.extend(anonymous(&root.anonymous, report));
    let state_dir = root.server.state_dir.clone().or_else(|| state_dir(env));
    if state_dir.is_none() {
        let hint = "set it, or give the process a HOME or XDG_STATE_HOME";
        report.add_at(
            "server.state_dir",
            "`server.state_dir`: there is no place for state",
            hint,
        );
    }
    Some(Config {
        path: path.map(Path::to_owned),
        state_dir: state_dir?,
        server: root.server,
        limits: root.limits,
        lockout: root.lockout,
        proxy: root.proxy,
        ftp: root.ftp,
        data: root.data,
        upload: root.upload,
        rename: root.rename,
        list: root.list,
        hash: root.hash,
        anonymous: root.anonymous,
        volumes,
        accounts,
    })
}

/// Where state goes when nobody says: the service manager's directory, else the XDG one.
fn state_dir(env: &[(String, String)]) -> Option<PathBuf> {
    let variable = |name: &str| {
        env.iter()
            .find(|(variable, value)| variable == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    };
    // systemd separates several directories with colons.
    if let Some(first) = variable("STATE_DIRECTORY").and_then(|list| list.split(':').next()) {
        return Some(PathBuf::from(first));
    }
    // The XDG specification: a relative path is to be ignored.
    if let Some(state) = variable("XDG_STATE_HOME")
        .map(Path::new)
        .filter(|path| path.is_absolute())
    {
        return Some(state.join("wharf"));
    }
    variable("HOME").map(|home| Path::new(home).join(".local/state/wharf"))
}

/// Contradictions between keys of the server.
fn check_service(root: &Root, report: &mut Report) {
    if root.server.group.is_some() && root.server.user.is_none() {
        report.add_at(
            "server.group",
            "`server.group` without `server.user`",
            "set both, or neither",
        );
    }
    if root.ftp.listen.is_empty() {
        report.add_at(
            "ftp.listen",
            "`ftp.listen` is empty",
            "name at least one address, such as \"0.0.0.0:2121\"",
        );
    }
    let mut seen = HashSet::new();
    for (at, address) in root.ftp.listen.iter().enumerate() {
        if !seen.insert(address) {
            report.add_at(
                &format!("ftp.listen[{at}]"),
                format!("`ftp.listen`: {address} stands twice"),
                "remove one",
            );
        }
    }
    if root.ftp.idle_max < root.ftp.idle_timeout {
        let message = "`ftp.idle_max` is shorter than `ftp.idle_timeout`";
        report.add_at(
            "ftp.idle_max",
            message,
            "SITE IDLE can only lengthen the time; raise idle_max",
        );
    }
    if !MKD_CODES.contains(&root.ftp.mkd_exists_code) {
        let message = format!(
            "`ftp.mkd_exists_code`: {} is no reply to MKD",
            root.ftp.mkd_exists_code
        );
        report.add_at("ftp.mkd_exists_code", message, "use 550 or 521");
    }
    let greeting = &root.ftp.greeting;
    if greeting.lines().count() > MAX_GREETING_LINES
        || greeting.chars().any(|c| c.is_control() && c != '\n')
    {
        let message = format!(
            "`ftp.greeting` has more than {MAX_GREETING_LINES} lines or control characters"
        );
        report.add_at("ftp.greeting", message, "shorten it to plain lines");
    }
    for (at, verb) in root.ftp.disabled_commands.iter().enumerate() {
        if !(3..=4).contains(&verb.len()) || !verb.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            let message = format!("`ftp.disabled_commands`: {verb:?} is no FTP command");
            report.add_at(
                &format!("ftp.disabled_commands[{at}]"),
                message,
                "use verbs such as \"MDTM\" or \"SITE\"",
            );
        }
    }
    let lockout = &root.lockout;
    if lockout.max_login_delay < lockout.login_delay {
        let message = "`lockout.max_login_delay` is shorter than `lockout.login_delay`";
        report.add_at("lockout.max_login_delay", message, "raise it");
    }
}

/// Volumes with unique names and what their kind needs.
fn volumes(entries: &[VolumeEntry], report: &mut Report) -> Vec<Volume> {
    let mut volumes: Vec<Volume> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let key = |field: &str| format!("volume[{at}].{field}");
        if entry.id.is_empty() || entry.id.chars().any(char::is_control) {
            report.add_at(
                &key("id"),
                "a volume's id is text without control characters",
                "name it, such as \"www\"",
            );
        }
        if volumes.iter().any(|volume| volume.id == entry.id) {
            report.add_at(
                &key("id"),
                format!("there are two volumes named `{}`", entry.id),
                "rename one of them",
            );
            continue;
        }
        let store = match (entry.kind, &entry.path, entry.size) {
            (VolumeKind::Local, Some(path), None) => VolumeStore::Local(path.clone()),
            (VolumeKind::Memory, None, size) => {
                VolumeStore::Memory(size.map_or(MEMORY_SIZE, |size| size.0))
            }
            (VolumeKind::Local, None, _) => {
                let message = format!("volume `{}` has no `path`", entry.id);
                report.add_at(
                    &key("id"),
                    message,
                    "a local volume needs its host directory",
                );
                continue;
            }
            (VolumeKind::Local, Some(_), Some(_)) => {
                report.add_at(
                    &key("size"),
                    "a local volume has no `size`",
                    "remove it; only memory volumes have one",
                );
                continue;
            }
            (VolumeKind::Memory, Some(_), _) => {
                report.add_at(
                    &key("path"),
                    "a memory volume has no `path`",
                    "remove it, or make the kind \"local\"",
                );
                continue;
            }
        };
        volumes.push(Volume {
            id: entry.id.clone(),
            store,
            read_only: entry.read_only,
        });
    }
    volumes
}

/// The accounts of the users.
fn users(entries: &[UserEntry], volumes: &[Volume], report: &mut Report) -> Vec<Account> {
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
        let (tree, password) = (
            tree(entry, &key, volumes, report),
            password(entry, &key, report),
        );
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
        });
    }
    accounts
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

/// The password from the one place where it is given.
fn password(entry: &UserEntry, key: &str, report: &mut Report) -> Option<StoredSecret> {
    let name = &entry.name;
    let (field, stored) = match (&entry.password, &entry.password_hash, &entry.password_file) {
        (Some(password), None, None) => ("password", StoredSecret::plain(text_of(password))),
        (None, Some(hash), None) => ("password_hash", StoredSecret::parse(text_of(hash))),
        (None, None, Some(file)) => ("password_file", from_file(file, key, report)?),
        (None, None, None) => {
            let message = format!("user `{name}` has no password");
            let hint = "set password_hash (password_hash = \"!\" locks the account), password_file or password";
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
fn anonymous(anonymous: &Anonymous, report: &mut Report) -> Option<Account> {
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
    })
}
