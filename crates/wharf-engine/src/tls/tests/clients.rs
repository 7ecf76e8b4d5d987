//! TLS-09: which client certificates are good, and what accounts see of them.

use rustls::CertificateError;
use wharf_accounts::{AlternativeName, CertificateRole, CertificateRule};

use super::*;

fn settings(
    authority: &Authority,
    policy: impl Fn(ClientTrust) -> ClientCertificates,
    revoked: Option<&[u64]>,
) -> Settings {
    let trust = ClientTrust {
        authorities: vec![authority.write("ca.pem", &authority.certificate.pem())],
        revocations: revoked
            .map(|serials| authority.write("revoked.pem", &authority.revoke(serials)))
            .into_iter()
            .collect(),
        role: CertificateRole::Second,
    };
    Settings {
        client_certificates: policy(trust),
        ..authority.settings(&["a.example"])
    }
}

#[test]
fn tls_09_request_takes_nothing_or_a_good_one_and_require_a_good_one() {
    let authority = Authority::new();
    let good = authority.issue(&Leaf::client("anna@example.org", 7));
    let evil = Authority::new().issue(&Leaf::client("anna@example.org", 7));
    let request = Tls::load(settings(&authority, ClientCertificates::Request, None)).unwrap();
    let require = Tls::load(settings(&authority, ClientCertificates::Require, None)).unwrap();
    assert_eq!(
        request.session().certificate_role(),
        CertificateRole::Second
    );
    for version in VERSIONS {
        let bare = Arc::new(authority.client(version));
        let showing = Arc::new(authority.client_showing(version, &good));
        let stranger = Arc::new(authority.client_showing(version, &evil));
        let shake = |client, tls: &Tls| shake(client, "a.example", tls.session().config());
        let ends = shake(&bare, &request).unwrap();
        assert!(ends.server.peer_certificates().is_none());
        assert_eq!(
            shake(&bare, &require).unwrap_err().server,
            Some(rustls::Error::NoCertificatesPresented)
        );
        for tls in [&request, &require] {
            let ends = shake(&showing, tls).unwrap();
            assert_eq!(ends.server.peer_certificates().unwrap()[0], leaf_of(&good));
            assert!(matches!(
                shake(&stranger, tls).unwrap_err().server,
                Some(rustls::Error::InvalidCertificate(_))
            ));
        }
    }
}

/// A resumed data connection tells of the same certificate, and of none when there was none.
#[test]
fn a_resumed_session_still_knows_the_clients_certificate() {
    let authority = Authority::new();
    let good = authority.issue(&Leaf::client("anna@example.org", 7));
    let tls = Tls::load(settings(&authority, ClientCertificates::Require, None)).unwrap();
    for version in VERSIONS {
        let client = Arc::new(authority.client_showing(version, &good));
        let session = tls.session();
        shake(&client, "a.example", session.config()).unwrap();
        let data = shake(&client, "a.example", session.config()).unwrap();
        assert!(data.resumed());
        assert_eq!(data.server.peer_certificates().unwrap()[0], leaf_of(&good));
    }
}

fn refusal(tls: &Tls, authority: &Authority, pair: &PemPair) -> CertificateError {
    let client = Arc::new(authority.client_showing(&version::TLS13, pair));
    let failed = shake(&client, "a.example", tls.session().config()).unwrap_err();
    match failed.server {
        Some(rustls::Error::InvalidCertificate(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tls_09_expired_revoked_and_misused_certificates_are_refused() {
    let authority = Authority::new();
    let expired = Leaf {
        expired: true,
        ..Leaf::client("anna@example.org", 7)
    };
    let expired = authority.issue(&expired);
    let revoked = authority.issue(&Leaf::client("bert@example.org", 8));
    let good = authority.issue(&Leaf::client("cleo@example.org", 9));
    let servers = authority.issue(&Leaf::server(&["a.example"]));
    let asked = settings(&authority, ClientCertificates::Request, Some(&[8]));
    let tls = Tls::load(asked).unwrap();
    assert!(matches!(
        refusal(&tls, &authority, &expired),
        CertificateError::Expired | CertificateError::ExpiredContext { .. }
    ));
    assert_eq!(
        refusal(&tls, &authority, &revoked),
        CertificateError::Revoked
    );
    assert!(matches!(
        refusal(&tls, &authority, &servers),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. }
    ));
    let client = Arc::new(authority.client_showing(&version::TLS13, &good));
    shake(&client, "a.example", tls.session().config()).unwrap();

    // The list is watched like the certificates.
    authority.write("revoked.pem", &authority.revoke(&[8, 9]));
    assert!(tls.refresh().unwrap());
    assert_eq!(refusal(&tls, &authority, &good), CertificateError::Revoked);
}

#[test]
fn trust_that_cannot_be_used_is_refused_with_its_file() {
    let authority = Authority::new();
    let with = |change: &dyn Fn(&mut ClientTrust)| {
        let mut settings = settings(&authority, ClientCertificates::Require, Some(&[]));
        if let ClientCertificates::Require(trust) = &mut settings.client_certificates {
            change(trust);
        }
        Tls::load(settings).err().unwrap().to_string()
    };
    let text = with(&|trust| trust.authorities = vec![authority.write("none.pem", "")]);
    assert!(
        text.contains("none.pem") && text.contains("no certificate"),
        "{text}"
    );
    let text = with(&|trust| trust.revocations = vec![authority.write("none.pem", "")]);
    assert!(
        text.contains("none.pem") && text.contains("X509 CRL"),
        "{text}"
    );
    let text = with(&|trust| trust.authorities.clear());
    assert!(text.contains("client certificates"), "{text}");
}

/// TLS-09: fingerprint, alternative name and subject as accounts compare them.
#[test]
fn tls_09_a_verified_certificate_says_its_names_subject_and_fingerprint() {
    let authority = Authority::new();
    let leaf = leaf_of(&authority.issue(&Leaf::client("anna@example.org", 7)));
    let certificate = client_certificate(&leaf).unwrap();
    assert_eq!(
        certificate.names,
        [AlternativeName::Email("anna@example.org".to_owned())]
    );
    let hex: String = certificate
        .sha256
        .map(|octet| format!("{octet:02x}"))
        .concat();
    for rule in [
        format!("sha256:{hex}"),
        format!("sha256:{}", fingerprint(&certificate.sha256)),
        "email:anna@example.org".to_owned(),
        r"subject:O=Example\, Inc.,CN=anna@example.org".to_owned(),
    ] {
        let rule: CertificateRule = rule.parse().unwrap();
        assert!(rule.matches(&certificate), "{rule}");
    }
    assert!(client_certificate(&CertificateDer::from(vec![1, 2, 3])).is_err());
}
