//! The answers to an order's challenges: put up for its length, taken down with it.

use std::sync::Arc;

use instant_acme::{ChallengeType, KeyAuthorization};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::{
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};

use super::{Error, responder::Tokens};
use crate::tls::Tls;

/// Where answers are put up.
pub(super) enum Answers {
    /// The challenge slot of the TLS settings (RFC 8737).
    Tls(Arc<Tls>),
    /// The paths of the responder (RFC 8555 8.3).
    Http(Tokens),
}

impl Answers {
    /// The challenge's name in the protocol crate.
    pub(super) fn kind(&self) -> ChallengeType {
        match self {
            Self::Tls(_) => ChallengeType::TlsAlpn01,
            Self::Http(_) => ChallengeType::Http01,
        }
    }

    /// The challenge's name in the standard.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Tls(_) => "tls-alpn-01",
            Self::Http(_) => "http-01",
        }
    }

    /// A failed validation of `domain`, with how to mend it.
    pub(super) fn not_validated(&self, domain: String, detail: String) -> Error {
        Error::NotValidated {
            challenge: self.name(),
            port: match self {
                Self::Tls(_) => "port 443",
                Self::Http(_) => "port 80",
            },
            domain,
            detail,
        }
    }

    /// Answers of one order.
    pub(super) fn begin(&self) -> Given<'_> {
        Given {
            answers: self,
            keys: Vec::new(),
        }
    }
}

/// The answers of one order; dropping them takes them down.
pub(super) struct Given<'a> {
    answers: &'a Answers,
    /// Domain names under TLS, tokens under HTTP.
    keys: Vec<String>,
}

impl Given<'_> {
    /// Puts the answer for `domain` up.
    pub(super) fn put(
        &mut self,
        domain: &str,
        token: &str,
        authorization: &KeyAuthorization,
    ) -> Result<(), Error> {
        match self.answers {
            Answers::Tls(tls) => {
                let key = challenge_certificate(domain, authorization)?;
                tls.set_challenge(domain, Arc::new(key));
                self.keys.push(domain.to_owned());
            }
            Answers::Http(tokens) => {
                tokens.put(token, authorization.as_str());
                self.keys.push(token.to_owned());
            }
        }
        Ok(())
    }
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        for key in &self.keys {
            match self.answers {
                Answers::Tls(tls) => tls.clear_challenge(key),
                Answers::Http(tokens) => tokens.forget(key),
            }
        }
    }
}

/// The self-signed certificate of RFC 8737 3: one name, and the digest of the key authorization.
fn challenge_certificate(
    domain: &str,
    authorization: &KeyAuthorization,
) -> Result<CertifiedKey, Error> {
    let made = || {
        let mut params = CertificateParams::new(vec![domain.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(
            authorization.digest().as_ref(),
        )];
        let key = KeyPair::generate()?;
        Ok((params.self_signed(&key)?, key))
    };
    let (certificate, key) =
        made().map_err(|error: rcgen::Error| Error::Internal(error.to_string()))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|error| Error::Internal(error.to_string()))?;
    Ok(CertifiedKey::new(vec![certificate.into()], key))
}
