//! What can be told of a certificate that came over the wire.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::Fingerprint;

/// What a person needs to decide about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// SHA-256 of all of it.
    pub fingerprint: Fingerprint,
    /// The host names that it is for; no address and none that is not ASCII. At most
    /// [`CertificateFacts::MOST_NAMES`].
    pub names: Vec<String>,
    /// It is signed with its own key.
    pub self_signed: bool,
}

impl CertificateFacts {
    /// Names that are told.
    pub const MOST_NAMES: usize = 8;

    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        let fingerprint = Fingerprint::of(certificate);
        let Ok(parsed) = EndEntityCert::try_from(certificate) else {
            return Self {
                fingerprint,
                names: Vec::new(),
                self_signed: false,
            };
        };
        Self {
            fingerprint,
            names: parsed
                .valid_dns_names()
                .take(Self::MOST_NAMES)
                .map(str::to_owned)
                .collect(),
            self_signed: parsed.issuer() == parsed.subject(),
        }
    }

    /// The SubjectPublicKeyInfo of a certificate that can be read.
    pub(super) fn key(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
        let parsed = EndEntityCert::try_from(certificate).ok()?;
        Some(parsed.subject_public_key_info().to_vec())
    }
}
