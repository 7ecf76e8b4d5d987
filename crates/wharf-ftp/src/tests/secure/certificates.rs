//! Client certificates: instead of a password, besides it, and on data connections (TLS-09, DAT-22).

use std::{io::Write as _, path::PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer},
    version::TLS13,
};
use wharf_accounts::CertificateRole;
use wharf_engine::tls::{ClientCertificates, ClientTrust};

use super::*;

/// An authority whose certificates the service trusts.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: tempfile::NamedTempFile,
}

type Identity = (CertificateDer<'static>, Vec<u8>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(certificate.pem().as_bytes()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            file,
        }
    }

    fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }

    fn issue(&self, email: &str) -> Identity {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .subject_alt_names
            .push(SanType::Rfc822Name(email.try_into().unwrap()));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), key.serialize_der())
    }

    async fn house(&self, role: CertificateRole) -> House {
        let mut plan = Plan::secure();
        plan.tls().client_certificates = ClientCertificates::Request(ClientTrust {
            authorities: vec![self.path()],
            revocations: Vec::new(),
            role,
        });
        plan.people = |people| {
            people[0].certificates = vec!["email:anna@example.org".parse().unwrap()];
        };
        plan.open().await
    }
}

fn showing(
    house: &House,
    version: &'static SupportedProtocolVersion,
    (certificate, key): &Identity,
) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(house.certificate.clone().unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![certificate.clone()],
            PrivateKeyDer::Pkcs8(key.clone().into()),
        )
        .unwrap()
}

#[tokio::test]
async fn tls_09_a_certificate_that_an_account_lists_is_a_login() {
    let authority = Authority::new();
    let house = authority.house(CertificateRole::Login).await;
    let anna = authority.issue("anna@example.org");
    for version in VERSIONS {
        let config = showing(&house, version, &anna);
        let mut secure = SecureClient::explicit(&house, config).await;
        secure.client.ask("USER anna", 232).await;
        secure.client.ask("TYPE I", 200).await;
        assert_eq!(secure.give("STOR file", b"x").await.code, 226);
        assert_eq!(secure.fetch("RETR file").await, b"x");
        // Others, and anonymous, are asked for a password as ever.
        secure.enter("rita").await;
        secure.client.ask("USER anonymous", 331).await;
        secure.client.ask("USER nobody", 331).await;
        secure.client.ask("PASS secret", 530).await;
        // On the implicit port the certificate is known before the 220.
        let config = showing(&house, version, &anna);
        let mut secure = SecureClient::implicit(&house, config).await;
        secure.client.ask("USER anna", 232).await;
    }
    // Without a certificate nothing has changed.
    SecureClient::login(&house, &TLS13).await;
}

#[tokio::test]
async fn tls_09_as_second_proof_it_stands_beside_the_password() {
    let authority = Authority::new();
    let house = authority.house(CertificateRole::Second).await;
    let anna = authority.issue("anna@example.org");
    let other = authority.issue("other@example.org");
    for version in VERSIONS {
        let config = showing(&house, version, &anna);
        let mut secure = SecureClient::explicit(&house, config).await;
        secure.enter("anna").await;
        for config in [
            showing(&house, version, &other),
            house.client_config(version),
        ] {
            let mut secure = SecureClient::explicit(&house, config).await;
            secure.client.ask("USER anna", 331).await;
            secure.client.ask("PASS secret", 530).await;
        }
    }
}

/// Whoever stole the password would else leave TLS out.
#[tokio::test]
async fn tls_09_as_second_proof_it_is_missing_in_clear_as_well() {
    let authority = Authority::new();
    let house = authority.house(CertificateRole::Second).await;
    let mut client = Client::connect(&house).await;
    client.ask("USER anna", 331).await;
    client.ask("PASS secret", 530).await;
    // Nor does leaving TLS by REIN help.
    let config = house.client_config(&TLS13);
    let mut secure = SecureClient::explicit(&house, config).await;
    secure.client.ask("REIN", 220).await;
    let mut layer = secure.client.tls.take().unwrap();
    layer.close(&mut secure.client.control).await.unwrap();
    soon(layer.read_all(&mut secure.client.control))
        .await
        .unwrap();
    secure.client.ask("USER anna", 331).await;
    secure.client.ask("PASS secret", 530).await;
    // An account without certificates enters as ever.
    client.ask("USER rita", 331).await;
    client.ask("PASS secret", 230).await;
}

/// DAT-22.
#[tokio::test]
async fn dat_22_the_data_connection_shows_the_certificate_of_the_login() {
    let authority = Authority::new();
    let house = authority.house(CertificateRole::Login).await;
    let anna = authority.issue("anna@example.org");
    let other = authority.issue("other@example.org");
    for version in VERSIONS {
        let config = showing(&house, version, &anna);
        let mut secure = SecureClient::explicit(&house, config).await;
        secure.client.ask("USER anna", 232).await;
        secure.client.ask("TYPE I", 200).await;
        assert_eq!(secure.give("STOR disk/file", b"x").await.code, 226);
        for wrong in [
            showing(&house, version, &other),
            house.client_config(version),
        ] {
            let wrong = Arc::new(wrong);
            for command in ["STOR disk/file", "APPE disk/new", "RETR disk/file", "LIST"] {
                let reply = secure.refused(command, &wrong).await;
                assert_eq!(reply.code, 522, "{reply:?}");
            }
        }
        // The same without resumption is the same.
        secure.config = Arc::new(showing(&house, version, &anna));
        assert_eq!(secure.fetch("RETR disk/file").await, b"x");
        assert_eq!(house.disk_names(), ["file"]);
        // Who entered by a password needs none.
        let mut secure = SecureClient::login(&house, version).await;
        assert_eq!(secure.fetch("RETR disk/file").await, b"x");
    }
}
