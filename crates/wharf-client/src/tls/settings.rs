//! What the user may choose about TLS.

use std::path::PathBuf;

use super::Pin;

/// Whether there is TLS, and how it begins (TLS-50).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// None at all: everything in clear, and permitted to be.
    Plain,
    /// AUTH TLS; when the server refuses it, in clear, but no password without a person's word.
    #[default]
    Auto,
    /// AUTH TLS; a server that refuses it is an error.
    Explicit,
    /// The handshake comes first.
    Implicit,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// TLS 1.2 (RFC 5246).
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// A certificate of the client's own, PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key; may be the same file.
    pub key: PathBuf,
}

/// Choices about TLS; the defaults suit most.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Whether there is TLS, and how it begins. Default: when the server offers it.
    pub mode: Mode,
    /// Oldest version that is accepted. Default TLS 1.2.
    pub minimum: Version,
    /// PEM files of the only authorities that are trusted. Default none: the system's.
    pub authorities: Vec<PathBuf>,
    /// PEM files of certificate revocation lists.
    pub revocations: Vec<PathBuf>,
    /// The only certificates or keys that are accepted; chain, name and dates no longer matter then.
    pub pins: Vec<Pin>,
    /// A certificate to show when the server asks for one.
    pub identity: Option<Identity>,
    /// Where certificates stand that a person agreed to, one line per host and port. Default none:
    /// the agreement holds as long as the pool.
    pub trust_store: Option<PathBuf>,
    /// Move data in clear when the server refuses to protect it (TLS-53). Default no.
    pub clear_data: bool,
    /// Leave TLS on the control connection after the login (CCC, TLS-56). Default no.
    pub clear_control: bool,
}
