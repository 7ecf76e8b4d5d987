//! Certificates of the test servers, and the files that name them.

use std::{path::PathBuf, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};

use crate::tls::Fingerprint;

/// Both versions.
pub(super) const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// An authority with a folder for its files.
pub(super) struct Authority {
    pub(super) folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A server's certificate with its key.
pub(super) struct Identity {
    pub(super) certificate: CertificateDer<'static>,
    key: KeyPair,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    Expired,
    NotYetValid,
    OtherName,
}

/// The serial number of every certificate here; one is revoked at the most.
const SERIAL: u64 = 7;

fn params(fault: Fault) -> CertificateParams {
    let name = if fault == Fault::OtherName {
        "other.example"
    } else {
        "127.0.0.1"
    };
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "a server");
    params.serial_number = Some(SerialNumber::from(SERIAL));
    match fault {
        Fault::Expired => {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 2, 3);
        }
        Fault::NotYetValid => params.not_before = date_time_ymd(2999, 1, 1),
        Fault::None | Fault::OtherName => {}
    }
    params
}

impl Identity {
    /// Nobody but itself vouches for it.
    pub(super) fn self_signed(as_authority: bool) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(Fault::None);
        if as_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, key }
    }

    /// A server of these versions that shows it.
    pub(super) fn config(&self, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.private_key())
            .unwrap()
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.serialize_pem().as_bytes()).unwrap()
    }
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(
            DnType::CommonName,
            Fingerprint::of(key.public_key_raw()).to_string(),
        );
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            folder: tempfile::tempdir().unwrap(),
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    pub(super) fn identity(&self, fault: Fault) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params(fault).signed_by(&key, &self.issuer).unwrap();
        Identity {
            certificate: certificate.der().clone(),
            key,
        }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Its certificate, for `--ca`.
    pub(super) fn path(&self) -> PathBuf {
        self.file("ca.pem", &pem(&self.certificate))
    }

    /// A list that revokes every certificate of [`Authority::identity`].
    pub(super) fn revocations(&self) -> PathBuf {
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2999, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(SERIAL),
                revocation_time: date_time_ymd(2020, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).unwrap();
        self.file("crl.pem", &list.pem().unwrap())
    }

    /// A certificate and its key in one file, for `--cert`.
    pub(super) fn client(&self) -> PathBuf {
        let Identity { certificate, key } = self.identity(Fault::None);
        self.file(
            "client.pem",
            &format!("{}{}", pem(&certificate), key.serialize_pem()),
        )
    }

    /// A server that wants clients to show a certificate of this authority.
    pub(super) fn asking(
        &self,
        identity: &Identity,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConfig {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![identity.certificate.clone()], identity.private_key())
            .unwrap()
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = data_encoding::BASE64.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
