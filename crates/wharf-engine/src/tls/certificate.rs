//! What a certificate says: of us to the administrator, of a peer to the accounts.
//!
//! Reading is all that happens here: chain, validity and revocation of a peer's certificate were
//! checked by the handshake before anybody looks at what it says.

use std::{collections::BTreeSet, fmt::Write as _, net::IpAddr};

use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use sha2::{Digest as _, Sha256};
use wharf_accounts::{AlternativeName, Certificate};
use x509_parser::{
    extensions::GeneralName,
    oid_registry::{OidRegistry, asn1_rs::FromDer as _},
    prelude::{X509Certificate, X509Name},
};

use super::{CertificateSource, Error, PemPair, Result};

/// Most names of a certificate that are looked at.
const MAX_NAMES: usize = 100;
/// `otherName` of a user principal name (1.3.6.1.4.1.311.20.2.3).
const PRINCIPAL_NAME: &str = "1.3.6.1.4.1.311.20.2.3";

/// What there is to know of a certificate in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whom it is for: names in lower case, addresses as text. Where it has no alternative name that
    /// is a name, its common name.
    pub names: Vec<String>,
    /// The subject.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// From when it is good, as seconds since 1970 UTC.
    pub not_before: i64,
    /// Until when it is good, as seconds since 1970 UTC.
    pub not_after: i64,
    /// SHA-256 of its DER.
    pub sha256: [u8; 32],
    /// Whether its own key signed it: peers must be told its fingerprint.
    pub self_signed: bool,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether everybody on this host can read its private key, which is a reason to warn.
    pub key_exposed: bool,
}

impl CertificateFacts {
    /// Whether both have the same names; an authority puts them in any order.
    pub(super) fn has_names_of(&self, other: &Self) -> bool {
        let names = |facts: &Self| facts.names.iter().cloned().collect::<BTreeSet<_>>();
        names(self) == names(other)
    }
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Configured files.
    Files(CertificateSource),
    /// [`Tls::install`](super::Tls::install).
    Installed,
}

/// A certificate that can be shown.
#[derive(Debug)]
pub(super) struct Certified {
    pub(super) key: std::sync::Arc<CertifiedKey>,
    pub(super) facts: CertificateFacts,
}

impl Certified {
    /// The reason, where the two do not fit, is for the one who knows the place.
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        origin: Origin,
        key_exposed: bool,
        provider: &CryptoProvider,
    ) -> std::result::Result<Self, String> {
        let leaf = chain.first().ok_or("no certificate")?;
        let facts = facts(leaf, origin, key_exposed)?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                "the private key is not this certificate's; they must be renewed together"
                    .to_owned()
            }
            other => other.to_string(),
        })?;
        Ok(Self {
            key: std::sync::Arc::new(key),
            facts,
        })
    }

    pub(super) fn from_pair(pair: &PemPair, provider: &CryptoProvider) -> Result<Self> {
        let wrong = |error: rustls::pki_types::pem::Error| Error::Pair(error.to_string());
        let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes())
            .collect::<std::result::Result<_, _>>()
            .map_err(wrong)?;
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).map_err(wrong)?;
        Self::new(chain, key, Origin::Installed, false, provider).map_err(Error::Pair)
    }
}

impl PemPair {
    /// What the certificate says, and that the key is its own.
    ///
    /// # Errors
    /// [`Error::Pair`] when the two do not fit or are not understood.
    pub fn facts(&self) -> Result<CertificateFacts> {
        Ok(Certified::from_pair(self, &super::provider())?.facts)
    }
}

fn facts(
    leaf: &CertificateDer<'_>,
    origin: Origin,
    key_exposed: bool,
) -> std::result::Result<CertificateFacts, String> {
    let parsed = parsed(leaf)?;
    let mut names: Vec<String> = Vec::new();
    for name in alternative_names(&parsed) {
        match name {
            GeneralName::DNSName(name) => names.push(name.to_ascii_lowercase()),
            GeneralName::IPAddress(octets) => names.extend(address(octets)),
            _ => {}
        }
    }
    if names.is_empty() {
        let common = parsed.subject().iter_common_name();
        names.extend(common.filter_map(|name| name.as_str().ok().map(str::to_ascii_lowercase)));
    }
    Ok(CertificateFacts {
        names,
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
        sha256: Sha256::digest(leaf).into(),
        self_signed: parsed.subject().as_raw() == parsed.issuer().as_raw(),
        origin,
        key_exposed,
    })
}

/// What accounts compare of a client certificate that a handshake has verified.
///
/// # Errors
/// [`Error::ClientTrust`] when it is not understood; nobody is known by it then.
pub fn client_certificate(leaf: &CertificateDer<'_>) -> Result<Certificate> {
    let parsed = parsed(leaf).map_err(Error::ClientTrust)?;
    let names = alternative_names(&parsed).filter_map(|name| {
        Some(match name {
            GeneralName::DNSName(name) => AlternativeName::Dns((*name).to_owned()),
            GeneralName::RFC822Name(name) => AlternativeName::Email((*name).to_owned()),
            GeneralName::URI(name) => AlternativeName::Uri((*name).to_owned()),
            GeneralName::OtherName(kind, value) if kind.to_id_string() == PRINCIPAL_NAME => {
                AlternativeName::Principal(principal(value)?)
            }
            _ => return None,
        })
    });
    Ok(Certificate {
        sha256: Sha256::digest(leaf).into(),
        subject: attributes(parsed.subject()),
        names: names.collect(),
    })
}

/// A SHA-256 as people compare it: upper case, colons between the octets.
pub fn fingerprint(sha256: &[u8; 32]) -> String {
    let mut text = String::with_capacity(95);
    for (index, octet) in sha256.iter().enumerate() {
        let before = if index == 0 { "" } else { ":" };
        let _ = write!(text, "{before}{octet:02X}");
    }
    text
}

fn parsed<'a>(leaf: &'a CertificateDer<'_>) -> std::result::Result<X509Certificate<'a>, String> {
    match X509Certificate::from_der(leaf) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) => Err("octets after the certificate".to_owned()),
        Err(error) => Err(format!("not an X.509 certificate: {error}")),
    }
}

fn alternative_names<'a>(
    parsed: &'a X509Certificate<'_>,
) -> impl Iterator<Item = &'a GeneralName<'a>> {
    let extension = parsed.subject_alternative_name().ok().flatten();
    extension
        .into_iter()
        .flat_map(|extension| &extension.value.general_names)
        .take(MAX_NAMES)
}

fn address(octets: &[u8]) -> Option<String> {
    let address = match octets.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
    };
    Some(address.to_string())
}

/// The UTF8String of a principal name: `[0]` around it, each with a length of one octet or more.
fn principal(value: &[u8]) -> Option<String> {
    use x509_parser::der_parser::asn1_rs::{Any, Utf8String};
    let (_, outer) = Any::from_der(value).ok()?;
    let (_, text) = Utf8String::from_der(outer.data).ok()?;
    Some(text.string())
}

fn attributes(name: &X509Name<'_>) -> Vec<(String, String)> {
    let registry = OidRegistry::default().with_x509();
    name.iter_attributes()
        .filter_map(|attribute| {
            let value = attribute.as_str().ok()?.to_owned();
            let kind = attribute.attr_type();
            let dotted = kind.to_id_string();
            let short = match dotted.as_str() {
                // The names of RFC 4514 and of the trade; the registry has long ones for some.
                "2.5.4.3" => "CN",
                "2.5.4.4" => "SN",
                "2.5.4.5" => "serialNumber",
                "2.5.4.6" => "C",
                "2.5.4.7" => "L",
                "2.5.4.8" => "ST",
                "2.5.4.10" => "O",
                "2.5.4.11" => "OU",
                "0.9.2342.19200300.100.1.1" => "UID",
                "0.9.2342.19200300.100.1.25" => "DC",
                "1.2.840.113549.1.9.1" => "emailAddress",
                _ => registry
                    .get(kind)
                    .map_or(dotted.as_str(), |entry| entry.sn()),
            };
            Some((short.to_owned(), value))
        })
        .take(MAX_NAMES)
        .collect()
}
