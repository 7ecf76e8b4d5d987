//! THE TABLE: every key of the configuration, said once.
//!
//! From these sections come the structs that the rest of the program reads, the checks, the
//! reference (`wharf config reference`) and the JSON schema (`wharf config schema`). Scope follows
//! from the section: `[[user]]` holds for one account, `[[volume]]` for one volume, all others for
//! the server. Key names follow the specification.
//!
//! This room must not read a file or look at two keys at once: contradictions are `resolve`'s.

mod acme;
mod people;
mod service;
mod ssh;
mod tftp;
mod tls;

pub(crate) use acme::Acme;
pub(crate) use people::{Anonymous, UserEntry, VolumeEntry};
pub(crate) use service::{Data, Ftp, Hash, Limits, List, Lockout, Proxy, Rename, Server, Upload};
pub(crate) use ssh::{Sftp, Ssh};
pub(crate) use tftp::{Tftp, TftpClient};
pub(crate) use tls::Tls;

use super::section::section;

section! {
    /// The whole file.
    Root {
        /// The process: whom it runs as, where it keeps its state, what it tells.
        server: Server = "{}", Live;
        /// How many at one time. Every count holds over all sessions and protocols.
        limits: Limits = "{}", Live;
        /// What happens to an address that fails to log in again and again.
        lockout: Lockout = "{}", Live;
        /// Proxies and load balancers in front of the server.
        proxy: Proxy = "{}", Live;
        /// The FTP control connection.
        ftp: Ftp = "{}", Live;
        /// FTP data connections.
        data: Data = "{}", Live;
        /// SSH, the transport of SFTP and SCP.
        ssh: Ssh = "{}", Live;
        /// SFTP.
        sftp: Sftp = "{}", Live;
        /// TFTP, for devices: firmware, network boot, backups of their configurations. Nobody logs in;
        /// the client's network, or its hardware address, decides what it gets. Off until `root` or
        /// `volume` says what is served.
        tftp: Tftp = "{}", Live;
        /// TLS, for every protocol that has it.
        tls: Tls = "{}", Live;
        /// Certificates from an authority, ordered and renewed by the server itself (ACME). Until the
        /// first one is there, what `tls` has serves.
        acme: Acme = "{}", Live;
        /// How uploads become files.
        upload: Upload = "{}", Live;
        /// Renaming.
        rename: Rename = "{}", Live;
        /// Directory listings.
        list: List = "{}", Live;
        /// Content hashes on request.
        hash: Hash = "{}", Live;
        /// Anonymous access: the names `anonymous` and `ftp` with any password.
        anonymous: Anonymous = "{}", Live;
        /// A named place where bytes rest, to be mounted in the trees of users.
        volume: Vec<VolumeEntry> = "[]", Live;
        /// A user who stands in the configuration. Others are kept in the account store; see
        /// `wharf user`. Where both have a name, the configuration decides.
        user: Vec<UserEntry> = "[]", Live;
    }
}
