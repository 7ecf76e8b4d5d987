//! What an SSH listener is told: plain, validated values. Only the binary knows where they come from.

use std::{sync::Arc, time::Duration};

use wharf_accounts::CertificateRole;

use crate::host_keys::HostKeys;

/// Settings of one SSH service.
#[derive(Clone)]
pub struct Settings {
    /// What the server proves itself with.
    pub host_keys: Arc<HostKeys>,
    /// What is offered, most preferred first.
    pub algorithms: Algorithms,
    /// From the connection to the end of the login.
    pub login_timeout: Duration,
    /// Failed attempts before the connection ends, at least 1.
    pub max_auth_attempts: usize,
    /// No octet on any channel for so long ends a connection.
    pub idle_timeout: Duration,
    /// Octets in one direction after which new keys are agreed on.
    pub rekey_bytes: usize,
    /// Time after which new keys are agreed on.
    pub rekey_time: Duration,
    /// Channels of one connection at a time.
    pub max_channels: usize,
    /// Largest packet that a peer may send, octets; 32 KiB to 256 KiB.
    pub packet_size: u32,
    /// Shown before login.
    pub banner: Option<String>,
    /// Whether the version is in the identification.
    pub reveal: bool,
    /// Whether SCP is served.
    pub scp: bool,
    /// Whether the commands of SFT-70 are.
    pub exec_helpers: bool,
    /// What a certificate of TLS would be good for: where it is a second proof, a password alone does
    /// not do here either.
    pub certificate_role: CertificateRole,
    /// What SFTP sessions are told.
    pub sftp: Arc<SftpSettings>,
}

/// Names of algorithms as they go over the wire, most preferred first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Algorithms {
    /// Key exchange.
    pub kex: Vec<String>,
    /// Ciphers.
    pub ciphers: Vec<String>,
    /// MACs of ciphers that bring none.
    pub macs: Vec<String>,
    /// Signatures, of host keys (as far as there is such a key) and of users' keys.
    pub signatures: Vec<String>,
    /// Compression.
    pub compression: Vec<String>,
}

/// Settings of SFTP sessions.
#[derive(Clone, Debug)]
pub struct SftpSettings {
    /// Open files and directories of one channel.
    pub max_handles: u32,
    /// Whether an upload that creates or truncates its file is staged until it is closed.
    pub atomic: bool,
    /// What REALPATH does with links.
    pub realpath: RealPath,
    /// Whether a change of mode or owner that is refused is answered with OK.
    pub ignore_setstat_errors: bool,
    /// Which argument of SYMLINK comes first.
    pub symlink_order: SymlinkOrder,
    /// Largest part of a file that is hashed for one request, octets.
    pub hash_max_bytes: u64,
    /// Whether vendor and version are told.
    pub reveal: bool,
}

impl Default for SftpSettings {
    fn default() -> Self {
        Self {
            max_handles: 256,
            atomic: true,
            realpath: RealPath::Lexical,
            ignore_setstat_errors: false,
            symlink_order: SymlinkOrder::OpenSsh,
            hash_max_bytes: u64::MAX,
            reveal: false,
        }
    }
}

/// What REALPATH does with symbolic links (SFT-40).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RealPath {
    /// Names only: nothing is looked at.
    Lexical,
    /// Links are followed.
    Posix,
}

/// Which argument of SYMLINK comes first (SFT-31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymlinkOrder {
    /// The target, then the link, as OpenSSH has it.
    OpenSsh,
    /// The link, then the target, as the draft has it.
    Draft,
}
