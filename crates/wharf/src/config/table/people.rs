//! The sections about who may enter and where their bytes rest.

use std::path::PathBuf;

use wharf_accounts::{AccountName, CertificateRule, Network, Secret};
use wharf_vfs::{Rights, VirtualPath};

use crate::config::{
    section::section,
    types::{Bytes, Moment, Rate, RequireTls, SshLogin, VolumeKind},
};

section! {
    /// Anonymous access: the names `anonymous` and `ftp` with any password.
    Anonymous {
        /// Whether there is any.
        enabled: bool = "false", Live;
        /// Host directory that is shown, read only.
        root: Option<PathBuf> = none, Live;
        /// Directories under the root that take uploads: new files only, which nobody can list or
        /// read until somebody moves them.
        incoming: Vec<VirtualPath> = "[]", Live;
        /// Refuse a password that does not look like an e-mail address.
        require_email: bool = "false", Live;
        /// What must not go in clear for them; without it, as `ftp.require_tls`.
        require_tls: Option<RequireTls> = none, Live;
        /// Anonymous sessions at one time.
        max_sessions: Option<u32> = none, Live;
        /// Rate to all anonymous sessions together.
        download_rate: Option<Rate> = none, Live;
        /// Rate from all anonymous sessions together.
        upload_rate: Option<Rate> = none, Live;
    }
}

section! {
    /// A named place where bytes rest.
    VolumeEntry {
        /// Its name.
        id: String = required, Live;
        /// What kind of place it is.
        kind: VolumeKind = "\"local\"", Live;
        /// Host directory of a local volume.
        path: Option<PathBuf> = none, Live;
        /// Capacity of a memory volume; without it, 64 MiB.
        size: Option<Bytes> = none, Live;
        /// Nothing can be changed on it, by anybody.
        read_only: bool = "false", Live;
    }
}

section! {
    /// A user who stands in the configuration.
    UserEntry {
        /// Name to log in with.
        name: AccountName = required, Live;
        /// Password as it is. Prefer `password_hash` or `password_file`. A user with authorized keys
        /// needs none.
        password: Option<Secret> = none, Live;
        /// Hash of the password: argon2id, bcrypt, $1$, $5$, $6$ or $y$; `!` locks the account.
        password_hash: Option<Secret> = none, Live;
        /// File whose first line is the password or its hash.
        password_file: Option<PathBuf> = none, Live;
        /// Host directory that is the user's whole tree. Either this or `mounts`.
        home: Option<PathBuf> = none, Live;
        /// Volumes that make up the user's tree.
        mounts: Vec<MountEntry> = "[]", Live;
        /// Directory in which sessions begin.
        start: VirtualPath = "\"/\"", Live;
        /// What the user may do everywhere. Without it: `full` where there are no `grants`, nothing
        /// where there are.
        rights: Option<Rights> = none, Live;
        /// What the user may do under a directory; the longest path that matches decides alone.
        grants: Vec<GrantEntry> = "[]", Live;
        /// Sessions at one time; without it, `limits.per_account`.
        max_sessions: Option<u32> = none, Live;
        /// Rate to all of the user's sessions together.
        download_rate: Option<Rate> = none, Live;
        /// Rate from all of the user's sessions together.
        upload_rate: Option<Rate> = none, Live;
        /// Networks that the user may come from; empty: from anywhere.
        networks: Vec<Network> = "[]", Live;
        /// What must not go in clear for this user; without it, as `ftp.require_tls`. A login in
        /// clear is refused after the password; only a right one hears why.
        require_tls: Option<RequireTls> = none, Live;
        /// Client certificates that are this user's; what one is good for says
        /// `tls.client_certificate_role`.
        certificates: Vec<CertificateRule> = "[]", Live;
        /// Public keys that open the account over SSH: lines as in OpenSSH's `authorized_keys`, or
        /// blocks as in RFC 4716. Options before a key: `from=`, `expiry-time=` (in UTC),
        /// `cert-authority` with `principals=`, `restrict`, `no-*`, `command="internal-sftp"`.
        authorized_keys: Vec<String> = "[]", Live;
        /// File of such keys, which is read again when it changed. It must belong to root or to the
        /// user that the server runs as, and nobody else may write it.
        authorized_keys_file: Option<PathBuf> = none, Live;
        /// What opens the account over SSH.
        ssh_login: SshLogin = "\"any\"", Live;
        /// Moment from which on the user cannot log in.
        expires: Option<Moment> = none, Live;
        /// Whether the user may log in.
        enabled: bool = "true", Live;
    }
}

section! {
    /// A volume in a user's tree.
    MountEntry {
        /// Where it appears.
        path: VirtualPath = required, Live;
        /// The volume's `id`.
        volume: String = required, Live;
        /// This user can change nothing on it.
        read_only: bool = "false", Live;
    }
}

section! {
    /// Rights under a directory.
    GrantEntry {
        /// The directory.
        path: VirtualPath = required, Live;
        /// What may be done there.
        rights: Rights = required, Live;
    }
}
