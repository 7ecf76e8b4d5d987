//! A certificate for the first start, when nobody has brought one (TLS-13).
//!
//! It is trusted by its fingerprint alone, so it lives long: a new one would look like an attack to
//! everybody who has remembered the old one.

use std::{fmt, time::Duration};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};

use super::Result;

/// How long a self-signed certificate is good: ten years.
pub const SELF_SIGNED_LIFETIME: Duration = Duration::from_secs(3650 * 86_400);
/// It is good since an hour before, for peers whose clocks are late.
const BEFORE: Duration = Duration::from_secs(3600);
/// What every self-signed certificate is for besides the names given.
const ALWAYS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate with those above it, and its private key, both in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct PemPair {
    /// `CERTIFICATE` blocks.
    pub certificate: String,
    /// One `PRIVATE KEY` block.
    pub key: String,
}

impl fmt::Debug for PemPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemPair")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// A new self-signed certificate (ECDSA P-256) for host names and addresses, and for localhost, good
/// from `now` (seconds since 1970 UTC) for [`SELF_SIGNED_LIFETIME`].
///
/// # Errors
/// [`Error::Generate`](super::Error::Generate) for a name that is not ASCII, or when there is no
/// randomness.
pub fn self_signed(names: &[String], now: u64) -> Result<PemPair> {
    let mut all: Vec<String> = Vec::with_capacity(names.len() + ALWAYS.len());
    for name in names.iter().map(String::as_str).chain(ALWAYS) {
        if !all.iter().any(|other| other == name) {
            all.push(name.to_owned());
        }
    }
    let title = all.first().cloned().unwrap_or_default();
    let mut params = CertificateParams::new(all)?;
    let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(now);
    params.not_before = now - BEFORE;
    params.not_after = now + SELF_SIGNED_LIFETIME;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, title);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    Ok(PemPair {
        certificate: params.self_signed(&key)?.pem(),
        key: key.serialize_pem(),
    })
}
