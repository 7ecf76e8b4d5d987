//! Whole handshakes in memory, rustls against rustls, with an authority made for each test.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests write the files that a configuration names"
)]

mod certificates;
mod clients;
mod resumption;

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion,
    RootCertStore, ServerConnection, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use wharf_transfer::tls::Side;

use super::*;

/// An authority, and a directory in which its files lie.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
    pub(super) directory: tempfile::TempDir,
}

/// What a leaf should be.
pub(super) struct Leaf {
    names: Vec<&'static str>,
    serial: u64,
    expired: bool,
    for_clients: bool,
}

impl Leaf {
    fn server(names: &[&'static str]) -> Self {
        Self {
            names: names.to_vec(),
            serial: 1,
            expired: false,
            for_clients: false,
        }
    }

    fn client(name: &'static str, serial: u64) -> Self {
        Self {
            names: vec![name],
            serial,
            expired: false,
            for_clients: true,
        }
    }
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn issue(&self, leaf: &Leaf) -> PemPair {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        for name in &leaf.names {
            params.subject_alt_names.push(if name.contains('@') {
                SanType::Rfc822Name((*name).try_into().unwrap())
            } else {
                SanType::DnsName((*name).try_into().unwrap())
            });
        }
        params
            .distinguished_name
            .push(DnType::CommonName, leaf.names[0]);
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Example, Inc.");
        params.serial_number = Some(SerialNumber::from(leaf.serial));
        params.use_authority_key_identifier_extension = true;
        if leaf.expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2001, 12, 31);
        }
        params.extended_key_usages = vec![if leaf.for_clients {
            ExtendedKeyUsagePurpose::ClientAuth
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        }];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        PemPair {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    fn revoke(&self, serials: &[u64]) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2124, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes a pair as `<name>.crt` and `<name>.key`.
    fn store(&self, name: &str, pair: &PemPair) -> CertificateSource {
        CertificateSource {
            certificate: self.write(&format!("{name}.crt"), &pair.certificate),
            key: self.write(&format!("{name}.key"), &pair.key),
        }
    }

    /// A listener with one certificate for each of `names`, `ftp` as its protocol.
    fn settings(&self, names: &[&'static str]) -> Settings {
        let certificates = names
            .iter()
            .map(|name| self.store(name, &self.issue(&Leaf::server(&[name]))));
        Settings {
            certificates: certificates.collect(),
            alpn: vec![b"ftp".to_vec()],
            ..Settings::default()
        }
    }

    fn tls(&self) -> Tls {
        Tls::load(self.settings(&["a.example"])).unwrap()
    }

    /// A client that trusts this authority and remembers sessions.
    fn client(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        self.client_builder(version).with_no_client_auth()
    }

    fn client_showing(
        &self,
        version: &'static SupportedProtocolVersion,
        pair: &PemPair,
    ) -> ClientConfig {
        let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
        self.client_builder(version)
            .with_client_auth_cert(chain.map(std::result::Result::unwrap).collect(), key)
            .unwrap()
    }

    fn client_builder(
        &self,
        version: &'static SupportedProtocolVersion,
    ) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
    }
}

/// Both ends of a stream, for tests of what goes through it.
pub(crate) fn sides() -> (Side, Side) {
    let authority = Authority::new();
    let name = ServerName::try_from("a.example").unwrap();
    (
        Side::Server(authority.tls().session().config()),
        Side::Client(Arc::new(authority.client(&version::TLS13)), name),
    )
}

/// Both ends after a handshake.
#[derive(Debug)]
pub(super) struct Ends {
    client: ClientConnection,
    server: ServerConnection,
}

impl Ends {
    fn resumed(&self) -> bool {
        assert_eq!(self.client.handshake_kind(), self.server.handshake_kind());
        self.server.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The certificate that the client saw.
    fn shown(&self) -> CertificateDer<'static> {
        self.client.peer_certificates().unwrap()[0].clone()
    }
}

/// What each end said when a handshake failed.
#[derive(Debug)]
pub(super) struct Failed {
    client: Option<rustls::Error>,
    server: Option<rustls::Error>,
}

/// A whole handshake, with the tickets that follow it.
pub(super) fn shake(
    client: &Arc<ClientConfig>,
    name: &str,
    server: Arc<ServerConfig>,
) -> std::result::Result<Ends, Box<Failed>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    let mut failed = Failed {
        client: None,
        server: None,
    };
    while client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() && failed.server.is_none() {
            server.read_tls(&mut rest).unwrap();
            failed.server = server.process_new_packets().err();
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() && failed.client.is_none() {
            client.read_tls(&mut rest).unwrap();
            failed.client = client.process_new_packets().err();
        }
    }
    if failed.client.is_some() || failed.server.is_some() {
        return Err(Box::new(failed));
    }
    Ok(Ends { client, server })
}

fn leaf_of(pair: &PemPair) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// TLS-04, TLS-05: nothing but ECDHE with an AEAD; the order suits the processor.
#[test]
fn tls_05_only_ecdhe_with_an_aead_is_offered() {
    for (aes, first) in [
        (true, "TLS13_AES_128_GCM_SHA256"),
        (false, "TLS13_CHACHA20_POLY1305_SHA256"),
    ] {
        let names: Vec<_> = suites(aes)
            .iter()
            .map(|suite| format!("{:?}", suite.suite()))
            .collect();
        assert_eq!(names[0], first);
        assert_eq!(names.len(), 9);
        for name in names {
            let aead = name.contains("_GCM_") || name.contains("_POLY1305_");
            let forward = name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_");
            assert!(aead && forward, "{name}");
        }
    }
}

#[test]
fn the_preferred_suite_is_chosen_against_the_clients_order() {
    let authority = Authority::new();
    let tls = authority.tls();
    let expected = suites(has_aes())[0].suite();
    let client = Arc::new(authority.client(&version::TLS13));
    let ends = shake(&client, "a.example", tls.session().config()).unwrap();
    assert_eq!(
        ends.server.negotiated_cipher_suite().unwrap().suite(),
        expected
    );
}

/// TLS-04: below the least version there is an alert and no session.
#[test]
fn tls_04_an_older_version_than_the_least_is_refused() {
    let authority = Authority::new();
    let only_13 = Settings {
        min_version: MinVersion::Tls13,
        ..authority.settings(&["a.example"])
    };
    let tls = Tls::load(only_13).unwrap();
    let client = Arc::new(authority.client(&version::TLS12));
    let failed = shake(&client, "a.example", tls.session().config()).unwrap_err();
    assert_eq!(
        failed.client,
        Some(rustls::Error::AlertReceived(
            AlertDescription::ProtocolVersion
        ))
    );
}

/// CVE-2021-3618 (ALPACA): a browser's handshake that was led to us ends here, and so does every
/// other that is for a protocol which is not ours (RFC 7301 section 3.2).
#[test]
fn tls_07_cve_2021_3618_an_offer_without_our_protocol_is_refused() {
    let authority = Authority::new();
    let tls = authority.tls();
    for version in VERSIONS {
        let with = |offer: &[&[u8]]| {
            let mut client = authority.client(version);
            client.alpn_protocols = offer.iter().map(|name| name.to_vec()).collect();
            shake(&Arc::new(client), "a.example", tls.session().config())
        };
        for offer in [
            &[&b"http/1.1"[..]][..],
            &[b"h2", b"http/1.1"],
            &[b"imap"],
            &[b"acme-tls/1"],
        ] {
            let failed = with(offer).unwrap_err();
            assert_eq!(
                failed.client,
                Some(rustls::Error::AlertReceived(
                    AlertDescription::NoApplicationProtocol
                ))
            );
        }
        assert_eq!(with(&[]).unwrap().server.alpn_protocol(), None);
        for offer in [
            &[&b"ftp"[..]][..],
            &[b"x-filezilla-ftp", b"ftp"],
            &[b"h2", b"ftp"],
        ] {
            let ends = with(offer).unwrap();
            assert_eq!(ends.client.alpn_protocol(), Some(&b"ftp"[..]));
        }
    }
}

/// A challenge is answered on a configuration of its own, for its domain alone, and until it is
/// cleared (RFC 8737 section 3).
#[test]
fn acme_tls_1_gets_the_certificate_of_the_challenge() {
    let authority = Authority::new();
    let tls = authority.tls();
    let pair = authority.issue(&Leaf::server(&["b.example"]));
    let certified = Certified::from_pair(&pair, &provider()).unwrap();
    let answered = |name: &str, offer: &[&[u8]]| {
        let mut client = authority.client(&version::TLS13);
        client.alpn_protocols = offer.iter().map(|name| name.to_vec()).collect();
        shake(&Arc::new(client), name, tls.challenge_config().unwrap())
    };
    assert!(answered("b.example", &[b"acme-tls/1"]).is_err());
    tls.set_challenge("B.example", certified.key);
    let ends = answered("b.example", &[b"acme-tls/1"]).unwrap();
    assert_eq!(ends.shown(), leaf_of(&pair));
    assert_eq!(ends.client.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    assert!(answered("a.example", &[b"acme-tls/1"]).is_err());
    assert!(answered("b.example", &[b"acme-tls/1", b"h2"]).is_err());
    assert!(answered("b.example", &[]).is_err());
    tls.clear_challenge("b.EXAMPLE");
    assert!(answered("b.example", &[b"acme-tls/1"]).is_err());
}

/// RFC 7627 is used where the peer offers it: rustls's client does, and can demand it.
#[test]
fn tls_05_the_extended_master_secret_is_used_when_offered() {
    let authority = Authority::new();
    let mut client = authority.client(&version::TLS12);
    client.require_ems = true;
    let ends = shake(
        &Arc::new(client),
        "a.example",
        authority.tls().session().config(),
    );
    assert_eq!(
        ends.unwrap().server.protocol_version(),
        Some(ProtocolVersion::TLSv1_2)
    );
}
