//! What an administrator decides about TLS, as plain data.
//!
//! Reading it from a configuration is the binary's work, obeying it is the other rooms'.

use std::path::PathBuf;

use wharf_accounts::CertificateRole;

/// The TLS of the listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The certificates; the first is the default for a peer that names none of them.
    pub certificates: Vec<CertificateSource>,
    /// The oldest version that is spoken.
    pub min_version: MinVersion,
    /// Protocol names for ALPN (RFC 7301), the preferred one first. A peer that offers names but
    /// none of these gets `no_application_protocol` (TLS-07, CVE-2021-3618); one that offers none at
    /// all is welcome. Empty: ALPN is not looked at.
    pub alpn: Vec<Vec<u8>>,
    /// Whether peers are asked for certificates.
    pub client_certificates: ClientCertificates,
    /// Whether data connections resume the session of their control connection.
    pub session_reuse: SessionReuse,
    /// Whether an upload that ends without close_notify is an aborted one.
    pub require_close_notify: bool,
}

impl Default for Settings {
    /// TLS 1.2 and later, no certificate of the peer, resumption offered, a truncated upload aborted.
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            min_version: MinVersion::Tls12,
            alpn: Vec::new(),
            client_certificates: ClientCertificates::Off,
            session_reuse: SessionReuse::Prefer,
            require_close_notify: true,
        }
    }
}

/// Two PEM files that belong together. They may be the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSource {
    /// The certificate, then those between it and a root.
    pub certificate: PathBuf,
    /// Its private key (PKCS #8, PKCS #1 or SEC1; not encrypted).
    pub key: PathBuf,
}

/// A version of TLS. Older ones than these are not spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinVersion {
    /// TLS 1.2 (RFC 5246) and 1.3.
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446) alone.
    Tls13,
}

/// Whether peers are asked for certificates (TLS-09).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    Off,
    /// They are asked and may have none; a bad one ends the handshake.
    Request(ClientTrust),
    /// Without a good one the handshake fails.
    Require(ClientTrust),
}

impl ClientCertificates {
    /// Whom to trust; `None` when nobody is asked.
    pub const fn trust(&self) -> Option<&ClientTrust> {
        match self {
            Self::Off => None,
            Self::Request(trust) | Self::Require(trust) => Some(trust),
        }
    }

    /// What a good one is good for.
    pub fn role(&self) -> CertificateRole {
        self.trust()
            .map_or(CertificateRole::Login, |trust| trust.role)
    }
}

/// Which client certificates are good, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTrust {
    /// PEM files with the certificates of the authorities; at least one certificate in all.
    pub authorities: Vec<PathBuf>,
    /// PEM files with lists of revoked certificates. When there are any, every authority that issues
    /// client certificates needs one: a certificate on which no list speaks is refused.
    pub revocations: Vec<PathBuf>,
    /// What a good certificate is good for.
    pub role: CertificateRole,
}

/// Whether a data connection resumes the TLS session of its control connection (TLS-33).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionReuse {
    /// Resumption is not offered: every handshake is a full one.
    Off,
    /// It is offered and not asked for.
    #[default]
    Prefer,
    /// A data connection that does not resume is refused.
    Require,
}
