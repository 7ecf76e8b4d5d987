//! The section about TLS: certificates, versions, what is asked of clients.

use std::path::PathBuf;

use crate::config::{
    section::section,
    types::{CertificateRole, ClientCertificates, DataProtection, SessionReuse, TlsVersion},
};

section! {
    /// TLS, for every protocol that has it.
    Tls {
        /// Certificates; a client gets the first whose names have the name that it asked for (SNI),
        /// and else the first of all. The files are watched: a new certificate holds for new
        /// sessions at once, running ones keep theirs.
        certificates: Vec<CertificateEntry> = "[]", Live;
        /// Where no certificate is configured, one is made at the first start, signed by itself, and
        /// kept in the state directory. Clients can trust it by its fingerprint only.
        auto_self_signed: bool = "true", Restart;
        /// Oldest version of TLS. There is none below 1.2.
        min_version: TlsVersion = "\"1.2\"", Live;
        /// Whether a data connection has to resume the TLS session of its control connection, which
        /// proves that both come from the same client. `require` refuses those that do not (522)
        /// before a file is touched; `prefer` leaves it to `data.peer_check`; `off` issues no
        /// tickets.
        session_reuse: SessionReuse = "\"prefer\"", Live;
        /// An upload whose data connection ends without close_notify was cut off: it fails. Some
        /// clients never send one.
        require_close_notify: bool = "false", Live;
        /// Protection of data connections on `ftp.listen_implicit` before the client says PROT: P is
        /// private, C is clear.
        implicit_default_prot: DataProtection = "\"P\"", Live;
        /// Whether clients are asked for a certificate; `require` ends the handshake without one.
        client_certificates: ClientCertificates = "\"off\"", Live;
        /// What a client's certificate is good for: `login` stands for the password of a user whose
        /// `certificates` name it (a password opens the account as well), `second` is needed besides
        /// the password.
        client_certificate_role: CertificateRole = "\"login\"", Live;
        /// PEM file of the authorities whose client certificates are believed.
        client_ca: Option<PathBuf> = none, Live;
        /// PEM files of revocation lists; a certificate on one is refused. Where there are any, each
        /// authority needs one: without its word its certificates are refused.
        client_crl: Vec<PathBuf> = "[]", Live;
    }
}

section! {
    /// One certificate.
    CertificateEntry {
        /// PEM file: the certificate, then those between it and the authority.
        chain: PathBuf = required, Live;
        /// PEM file of its private key; nobody but the service's user and root should read it.
        key: PathBuf = required, Live;
    }
}
