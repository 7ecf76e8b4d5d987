//! From what was written to what is meant.
//!
//! Here keys are looked at together: contradictions, names that nothing bears, accounts out of
//! users and secrets out of files ([`people`]). Every complaint names the key and how to mend it.

mod people;
mod ssh;
mod tftp;
mod tls;

pub(crate) use tftp::{account_name as tftp_account_name, is_reserved as is_reserved_name};

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use wharf_proto::ftp::verb::{self, Verb};

use super::{
    Config, Volume, VolumeStore,
    raw::{Origin, Report, nearest},
    table::{Root, VolumeEntry},
    types::VolumeKind,
};

/// Capacity of a memory volume that does not say.
const MEMORY_SIZE: u64 = 64 << 20;
/// State of a process that has no home.
const SYSTEM_STATE: &str = "/var/lib/wharf";
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
pub(super) fn resolve(mut root: Root, env: &[(String, String)], report: &mut Report) -> Config {
    check_service(&root, report);
    tls::check(&root, report);
    ssh::check(&root, report);
    tftp::check(&root, report);
    let tftp_rewrites = tftp::rewrites(&root.tftp, report);
    root.tftp.listen = tftp::listen(&root.tftp);
    let volumes = volumes(&root.volume, report);
    let mut accounts = people::users(&root.user, &volumes, report);
    accounts.extend(people::anonymous(&root.anonymous, report));
    let state_dir = root
        .server
        .state_dir
        .clone()
        .unwrap_or_else(|| state_dir(env));
    Config {
        state_dir,
        server: root.server,
        limits: root.limits,
        lockout: root.lockout,
        proxy: root.proxy,
        ftp: root.ftp,
        data: root.data,
        ssh: root.ssh,
        sftp: root.sftp,
        tftp: root.tftp,
        tftp_rewrites,
        tls: root.tls,
        acme: root.acme,
        upload: root.upload,
        rename: root.rename,
        list: root.list,
        hash: root.hash,
        anonymous: root.anonymous,
        volumes,
        accounts,
    }
}

/// Where state goes when nobody says: the service manager's directory, else the XDG one, else the
/// system's.
fn state_dir(env: &[(String, String)]) -> PathBuf {
    let variable = |name: &str| {
        env.iter()
            .find(|(variable, value)| variable == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    };
    // systemd separates several directories with colons.
    if let Some(first) = variable("STATE_DIRECTORY").and_then(|list| list.split(':').next()) {
        return PathBuf::from(first);
    }
    // The XDG specification: a relative path is to be ignored.
    if let Some(state) = variable("XDG_STATE_HOME")
        .map(Path::new)
        .filter(|path| path.is_absolute())
    {
        return state.join("wharf");
    }
    match variable("HOME") {
        Some(home) => Path::new(home).join(".local/state/wharf"),
        None => PathBuf::from(SYSTEM_STATE),
    }
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
    let tftp = tftp::listen(&root.tftp);
    let others = [&root.ftp.listen_implicit, &root.ssh.listen, &tftp];
    if root.ftp.listen.is_empty() && others.iter().all(|list| list.iter().flatten().count() == 0) {
        report.add_at(
            "ftp.listen",
            "`ftp.listen` is empty, and nothing else listens",
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
    for (at, word) in root.ftp.disabled_commands.iter().enumerate() {
        let key = format!("ftp.disabled_commands[{at}]");
        match Verb::find(word.as_bytes()) {
            Some(Verb::User | Verb::Pass | Verb::Quit) => {
                let message = format!("`ftp.disabled_commands`: {word} cannot be disabled");
                report.add_at(&key, message, "nobody could log in or leave; remove it");
            }
            Some(_) => {}
            None => {
                let near = nearest(
                    &word.to_ascii_uppercase(),
                    verb::TABLE.iter().map(|row| row.name),
                );
                let hint = near.map_or_else(
                    || "use verbs such as \"MDTM\" or \"SITE\"".to_owned(),
                    |near| format!("did you mean \"{near}\"?"),
                );
                report.add_at(
                    &key,
                    format!("`ftp.disabled_commands`: {word:?} is no FTP command"),
                    hint,
                );
            }
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
