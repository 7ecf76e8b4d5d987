//! The sections about SSH and what runs over it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::config::{
    section::section,
    types::{Bytes, RealPath, SymlinkOrder},
};

section! {
    /// SSH, the transport of SFTP and SCP. Nobody gets a shell, a terminal or a forwarded port.
    Ssh {
        /// Addresses and ports to listen on. Port 22 is the standard one; without the key
        /// `wharf serve DIR` takes 2022, a configured site none.
        listen: Option<Vec<SocketAddr>> = none, Restart;
        /// Files of the host's private keys in OpenSSH's format, one of each kind, the preferred one
        /// first. Without any, an Ed25519 and an RSA key are made at the first start and kept in the
        /// state directory as `ssh_host_ed25519_key` and `ssh_host_rsa_key`.
        host_keys: Vec<PathBuf> = "[]", Restart;
        /// Files of the authorities whose certificates open the accounts that they name; public keys,
        /// one per line.
        user_ca: Vec<PathBuf> = "[]", Live;
        /// File of the keys, serial numbers and identities that open nothing any more, as text.
        revoked_keys: Option<PathBuf> = none, Live;
        /// Time from connect to login.
        login_timeout: Duration = "60" in 1..=3600, Live;
        /// Failed attempts to log in that end a connection.
        max_auth_attempts: usize = "6" in 1..=100, Live;
        /// A connection without an octet on any channel for this long is closed.
        idle_timeout: Duration = "900" in 60..=604800, Live;
        /// Channels of one connection at one time.
        max_channels: usize = "10" in 1..=1000, Live;
        /// Octets in one direction after which new keys are agreed on.
        rekey_bytes: Bytes = "\"1 GiB\"", Live;
        /// Time after which new keys are agreed on.
        rekey_time: Duration = "3600" in 60..=86400, Live;
        /// Largest packet that a client may send.
        packet_size: Bytes = "\"256 KiB\"", Live;
        /// Key exchanges, the preferred one first; without it, those that nothing is known against.
        /// The strict key exchange is always offered.
        kex: Option<Vec<String>> = none, Live;
        /// Ciphers, the preferred one first.
        ciphers: Option<Vec<String>> = none, Live;
        /// MACs, the preferred one first, for ciphers that bring none.
        macs: Option<Vec<String>> = none, Live;
        /// Signatures of host keys and of users' keys. `ssh-rsa`, which is SHA-1, is for clients that
        /// know nothing else.
        signatures: Option<Vec<String>> = none, Live;
        /// Whether a client that asks for compression gets it.
        compression: bool = "true", Live;
        /// Whether the old protocol of scp is served (`scp -O`); newer clients use SFTP.
        scp: bool = "true", Live;
        /// Whether the few commands are answered by which some clients find out about a server:
        /// `md5sum`, `sha1sum`, `sha256sum`, `df`, `pwd`, `echo`. No program is ever run.
        exec_helpers: bool = "true", Live;
        /// Text that clients show before the login.
        banner: Option<String> = none, Live;
        /// Tell the server's version.
        reveal: bool = "false", Live;
    }
}

section! {
    /// SFTP.
    Sftp {
        /// Open files and directories of one channel.
        max_handles: u32 = "256" in 1..=65536, Live;
        /// An upload that creates or empties its file appears in one step when it is closed, or as
        /// soon as its client looks at it.
        atomic: bool = "true", Live;
        /// What REALPATH does with links: nothing, or follow them.
        realpath: RealPath = "\"lexical\"", Live;
        /// A change of mode or owner that is refused is answered as if it had been made, for clients
        /// that give up over it.
        ignore_setstat_errors: bool = "false", Live;
        /// Which argument of SYMLINK comes first: the target, as OpenSSH has it, or the link.
        symlink_order: SymlinkOrder = "\"openssh\"", Live;
    }
}
