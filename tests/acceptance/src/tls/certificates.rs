//! The suite's certificates, made once a process: the server's two, an authority, and clients that
//! it knows, has revoked, and has never heard of.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::LazyLock;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate with its key.
#[derive(Debug)]
pub struct Identity {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key: KeyPair,
}

impl Identity {
    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    fn write(&self, directory: &Path, name: &str) {
        let (certificate, key) = (&self.certificate_pem, self.key.serialize_pem());
        write(directory, &format!("{name}.pem"), certificate);
        write(directory, &format!("{name}.key"), &key);
        write(
            directory,
            &format!("{name}.both.pem"),
            &format!("{key}{certificate}"),
        );
    }
}

/// All of them.
#[derive(Debug)]
pub struct Certificates {
    /// The server's: `localhost`, `ftp.test`, the loopback addresses.
    pub server: Identity,
    /// The server's other one: `other.test`.
    pub other: Identity,
    /// A client `CN=wharf` of the authority.
    pub client: Identity,
    /// A client `CN=someone` of the authority.
    pub someone: Identity,
    /// A client `CN=wharf` of the authority that stands on its revocation list.
    pub revoked: Identity,
    /// A client `CN=wharf` that signed its certificate itself.
    pub stranger: Identity,
    authority_pem: String,
    revocations_pem: String,
}

/// The process's own.
pub static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(Certificates::make);

impl Certificates {
    fn make() -> Self {
        let mut parameters = named("Acceptance authority", &[]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(parameters, key()).expect("an authority");
        let client = |name: &str, serial: u64| {
            let mut parameters = named(name, &[]);
            parameters.serial_number = Some(SerialNumber::from(serial));
            parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            parameters.use_authority_key_identifier_extension = true;
            let key = key();
            let certificate = parameters
                .signed_by(&key, &authority)
                .expect("a client's certificate");
            identity(certificate, key)
        };
        let revocations = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(103),
                revocation_time: date_time_ymd(2024, 1, 1),
                reason_code: Some(RevocationReason::KeyCompromise),
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Self {
            server: self_signed("localhost", &["localhost", "ftp.test", "127.0.0.1", "::1"]),
            other: self_signed("other.test", &["other.test"]),
            client: client("wharf", 101),
            someone: client("someone", 102),
            revoked: client("wharf", 103),
            stranger: self_signed("wharf", &[]),
            authority_pem: authority.pem(),
            revocations_pem: revocations
                .signed_by(&authority)
                .and_then(|list| list.pem())
                .expect("a revocation list"),
        }
    }

    /// Writes what servers read: `server` and `other`, each as `.pem` (certificate), `.key` and
    /// `.both.pem` (key, certificate), `ca.pem`, `crl.pem`.
    pub fn write(&self, directory: &Path) {
        fs::create_dir_all(directory).expect("a directory for certificates");
        self.server.write(directory, "server");
        self.other.write(directory, "other");
        write(directory, "ca.pem", &self.authority_pem);
        write(directory, "crl.pem", &self.revocations_pem);
    }
}

fn key() -> KeyPair {
    // P-256: every subject has it, and it costs next to nothing.
    KeyPair::generate().expect("a key")
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let mut parameters = CertificateParams::new(hosts).expect("names of hosts");
    parameters.not_before = date_time_ymd(2024, 1, 1);
    parameters.not_after = date_time_ymd(2100, 1, 1);
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

fn self_signed(name: &str, hosts: &[&str]) -> Identity {
    let key = key();
    let certificate = named(name, hosts).self_signed(&key).expect("a certificate");
    identity(certificate, key)
}

fn identity(certificate: rcgen::Certificate, key: KeyPair) -> Identity {
    Identity {
        certificate_pem: certificate.pem(),
        certificate: certificate.into(),
        key,
    }
}

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    fs::write(&path, text).expect("a file of the certificates");
    // ProFTPD refuses a key that others can read.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
}
