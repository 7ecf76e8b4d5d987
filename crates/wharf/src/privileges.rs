//! Giving up root: once, on the main thread, before any other thread exists.
//!
//! Root is needed to open ports below 1024 and nothing else. After that the process is an ordinary
//! user with at most one capability, to bind source port 20 for active data connections. The kernel
//! keeps identities per thread, so this must run before the runtime starts its threads; it refuses
//! to go on when it finds any.
//!
//! Without an account to become (a root-owned folder served by root) every capability goes instead:
//! the process then may do to root's own files what an owner may, and to nobody else's anything.
#![expect(
    clippy::disallowed_methods,
    reason = "reads the system's own account files at start"
)]

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::{
    process::{Gid, Uid, getegid, geteuid, getgroups},
    thread::{
        CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities, set_no_new_privs,
        set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    },
};

/// Whom to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// Why an identity was not found or not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrivilegeError {
    /// No such account here.
    #[error(
        "there is no user `{0}` in /etc/passwd; create it (adduser --system {0}) or give numbers as UID:GID"
    )]
    UnknownUser(String),
    /// No such group here.
    #[error("there is no group `{0}` in /etc/group; create it or give a number")]
    UnknownGroup(String),
    /// Too late.
    #[error("privileges must be dropped before the first thread starts, {0} threads are running")]
    Threads(usize),
    /// The kernel refused.
    #[error("cannot {action}: {source}")]
    Refused {
        action: &'static str,
        source: io::Error,
    },
    /// What the kernel did is not what was asked for.
    #[error("the system still reports {0} after privileges were dropped; refusing to go on")]
    StillThere(String),
}

/// Whether the process is root.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// Finds a user (name or number, or `uid:gid`) and a group (default: the user's own).
pub(crate) fn find(user: &str, group: Option<&str>) -> Result<Identity, PrivilegeError> {
    let (user, group) = match user.split_once(':') {
        Some((user, own)) if group.is_none() => (user, Some(own)),
        _ => (user, group),
    };
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let (uid, primary) = match user.parse::<u32>() {
        Ok(uid) => (
            uid,
            entry(&passwd, |fields| fields.get(2) == Some(&user))
                .and_then(|fields| number(&fields, 3)),
        ),
        Err(_) => {
            let found = entry(&passwd, |fields| fields.first() == Some(&user));
            let fields = found.ok_or_else(|| PrivilegeError::UnknownUser(user.into()))?;
            let uid = number(&fields, 2).ok_or_else(|| PrivilegeError::UnknownUser(user.into()))?;
            (uid, number(&fields, 3))
        }
    };
    let gid = match group {
        None => primary.unwrap_or(uid),
        Some(group) => match group.parse() {
            Ok(gid) => gid,
            Err(_) => {
                let groups = fs::read_to_string("/etc/group").unwrap_or_default();
                entry(&groups, |fields| fields.first() == Some(&group))
                    .and_then(|fields| number(&fields, 2))
                    .ok_or_else(|| PrivilegeError::UnknownGroup(group.into()))?
            }
        },
    };
    Ok(Identity {
        user: uid,
        group: gid,
    })
}

fn entry(table: &str, wanted: impl Fn(&[&str]) -> bool) -> Option<Vec<&str>> {
    table
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| wanted(fields))
}

fn number(fields: &[&str], index: usize) -> Option<u32> {
    fields.get(index)?.parse().ok()
}

/// The owner of a folder.
pub(crate) fn owner(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(path)?;
    Ok(Identity {
        user: metadata.uid(),
        group: metadata.gid(),
    })
}

/// Becomes `identity` for good. `keep_ports`: the capability to bind ports below 1024 stays.
pub(crate) fn drop_to(identity: Identity, keep_ports: bool) -> Result<(), PrivilegeError> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(PrivilegeError::Threads(threads));
    }
    set_keep_capabilities(keep_ports).map_err(refused("keep a capability"))?;
    become_on_this_thread(identity)?;
    let kept = if keep_ports {
        CapabilitySet::NET_BIND_SERVICE
    } else {
        CapabilitySet::empty()
    };
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(refused("give up capabilities"))?;
    set_no_new_privs(true).map_err(refused("forbid new privileges"))?;
    verify(identity)
}

fn become_on_this_thread(identity: Identity) -> Result<(), PrivilegeError> {
    let (uid, gid) = (Uid::from_raw(identity.user), Gid::from_raw(identity.group));
    // CVE-2024-48651: no group of root's may stay, whatever the account's source says.
    set_thread_groups(&[gid]).map_err(refused("set the groups"))?;
    set_thread_res_gid(gid, gid, gid).map_err(refused("set the group"))?;
    set_thread_res_uid(uid, uid, uid).map_err(refused("set the user"))
}

fn refused(action: &'static str) -> impl Fn(rustix::io::Errno) -> PrivilegeError {
    move |source| PrivilegeError::Refused {
        action,
        source: source.into(),
    }
}

/// Which of `files` root can read and `identity` cannot: tried by a thread that becomes it, sees what
/// [`drop_to`] would leave, and ends. Needs root.
pub(crate) fn unreadable_to(
    identity: Identity,
    files: &[PathBuf],
) -> Result<Vec<PathBuf>, PrivilegeError> {
    let is_denied = |file: &&PathBuf| {
        fs::File::open(file).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    let attempt = || {
        become_on_this_thread(identity)?;
        Ok(files.iter().filter(is_denied).cloned().collect())
    };
    std::thread::scope(|scope| scope.spawn(attempt).join()).unwrap_or_else(|_| Ok(Vec::new()))
}

/// Believes the kernel's report, not its return codes.
fn verify(identity: Identity) -> Result<(), PrivilegeError> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    if (user, group) != (identity.user, identity.group) {
        return Err(PrivilegeError::StillThere(format!(
            "user {user}, group {group}"
        )));
    }
    let groups = getgroups().unwrap_or_default();
    if groups.iter().any(|other| other.as_raw() != identity.group) {
        return Err(PrivilegeError::StillThere(format!("the groups {groups:?}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_found() {
        assert_eq!(find("root", None).unwrap(), Identity { user: 0, group: 0 });
        assert_eq!(
            find("4711:4712", None).unwrap(),
            Identity {
                user: 4711,
                group: 4712
            }
        );
        assert_eq!(
            find("4711", Some("root")).unwrap(),
            Identity {
                user: 4711,
                group: 0
            }
        );
        assert!(matches!(
            find("no-such-user", None),
            Err(PrivilegeError::UnknownUser(_))
        ));
    }

    /// What only root can read, and what the service could; without root nobody can be asked.
    #[test]
    fn what_a_service_user_cannot_read_is_found_by_being_him() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), open).unwrap();
        let files: Vec<_> = [("secret", 0o600), ("shared", 0o640), ("public", 0o644)]
            .into_iter()
            .map(|(name, mode)| {
                let file = directory.path().join(name);
                fs::write(&file, "x").unwrap();
                fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
                file
            })
            .collect();
        let identity = Identity {
            user: 4711,
            group: 4712,
        };
        let found = unreadable_to(identity, &files);
        if !is_root() {
            assert!(matches!(found, Err(PrivilegeError::Refused { .. })));
            return;
        }
        assert_eq!(found.unwrap(), files[..2]);
        std::os::unix::fs::chown(&files[1], None, Some(4712)).unwrap();
        assert_eq!(unreadable_to(identity, &files).unwrap(), files[..1]);
        let shut = fs::Permissions::from_mode(0o700);
        fs::set_permissions(directory.path(), shut).unwrap();
        assert_eq!(unreadable_to(identity, &files).unwrap(), files);
        assert!(is_root(), "only the other thread was somebody else");
    }

    /// A test runs on a thread of its own: the very case that must be refused.
    #[test]
    fn a_process_with_threads_keeps_its_identity() {
        assert!(matches!(
            drop_to(
                Identity {
                    user: 4711,
                    group: 4711
                },
                false
            ),
            Err(PrivilegeError::Threads(_))
        ));
    }
}
