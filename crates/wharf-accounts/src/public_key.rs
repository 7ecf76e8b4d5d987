//! Keys that peers show over SSH: which are good enough, and which open an account (SFT-05, SFT-06).
//!
//! The front end verifies signatures; what it hands on is a [`ProvenKey`], made after the signature of
//! this very request was right. So a login can carry the key that was proven and never one that was
//! merely offered before (CVE-2024-45337). Whether the key is the account's is decided here, by its
//! authorised keys or by a certificate of a trusted authority.
//!
//! This room must not verify a peer's signature (the front end does, over its session's identifier),
//! count failures, or read a clock.

pub(crate) mod decision;

use std::{fmt, net::IpAddr};

use ssh_key::{Algorithm, Certificate, HashAlg, PublicKey, public::KeyData};

/// Least bits of an RSA key.
pub const MIN_RSA_BITS: u32 = 2048;

/// A key whose holder was just proved by a signature over this session.
#[derive(Clone, Debug)]
pub struct ProvenKey {
    algorithm: Algorithm,
    shown: Shown,
}

/// What the peer showed.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    Key(KeyData),
    Certificate(Box<Certificate>),
}

impl ProvenKey {
    /// The plain key that verified the signature of this request, made with `algorithm`. Only for the
    /// front end, straight after it verified.
    pub fn key(algorithm: Algorithm, key: &PublicKey) -> Self {
        Self {
            algorithm,
            shown: Shown::Key(key.key_data().clone()),
        }
    }

    /// The certificate whose key verified the signature of this request, made with `algorithm`. Only
    /// for the front end, straight after it verified; the certificate itself is judged here.
    pub fn certificate(algorithm: Algorithm, certificate: &Certificate) -> Self {
        Self {
            algorithm,
            shown: Shown::Certificate(Box::new(certificate.clone())),
        }
    }

    /// The algorithm of the signature, as the request named it.
    pub const fn algorithm(&self) -> &Algorithm {
        &self.algorithm
    }

    pub(crate) const fn shown(&self) -> &Shown {
        &self.shown
    }
}

impl fmt::Display for ProvenKey {
    /// For the log: `ssh-ed25519 SHA256:...`, and of a certificate its identity, number and authority.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shown {
            Shown::Key(key) => write!(f, "{} {}", self.algorithm, fingerprint(key)),
            Shown::Certificate(certificate) => write!(
                f,
                "{} {} certificate {:?} serial {} by {}",
                self.algorithm,
                fingerprint(certificate.public_key()),
                certificate.key_id(),
                certificate.serial(),
                fingerprint(certificate.signature_key())
            ),
        }
    }
}

/// `SHA256:...`, as every SSH program shows it.
pub(crate) fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Why a key is never accepted, whoever lists it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakKey {
    /// Its modulus is too short.
    #[error(
        "an RSA key of {0} bits is too short; the least is {MIN_RSA_BITS}, make a new key with `ssh-keygen -t ed25519`"
    )]
    Rsa(u32),
    /// A type that is broken or not known.
    #[error("keys of type {0} are not accepted; make a new key with `ssh-keygen -t ed25519`")]
    Kind(String),
}

/// Takes ed25519, ECDSA, RSA of at least [`MIN_RSA_BITS`] and both kinds of security keys.
///
/// # Errors
/// [`WeakKey`] for everything else: DSA, short RSA, certificates where a key is wanted, unknown types.
pub fn check_strength(key: &KeyData) -> Result<(), WeakKey> {
    match key {
        KeyData::Ed25519(_)
        | KeyData::Ecdsa(_)
        | KeyData::SkEcdsaSha2NistP256(_)
        | KeyData::SkEd25519(_) => Ok(()),
        KeyData::Rsa(rsa) => {
            let octets = rsa.n().as_positive_bytes().unwrap_or_default();
            let unused = octets.first().map_or(0, |octet| octet.leading_zeros());
            let bits = rsa.key_size().saturating_sub(unused);
            if bits < MIN_RSA_BITS {
                Err(WeakKey::Rsa(bits))
            } else {
                Ok(())
            }
        }
        other => Err(WeakKey::Kind(other.algorithm().to_string())),
    }
}

/// Why a key opens nothing: for the log only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefusal {
    /// The account does not list it.
    #[error("the key {0} is not among the account's authorised keys")]
    Unlisted(String),
    /// The connection is not SSH.
    #[error("a key opens accounts over SSH only")]
    NotSsh,
    /// No such key is accepted.
    #[error(transparent)]
    Weak(#[from] WeakKey),
    /// It is on the list of revoked keys.
    #[error("the key or certificate is revoked (ssh.revoked_keys)")]
    Revoked,
    /// Its line is there, but says something that is not understood.
    #[error("the key is listed, but its line is refused: {0}")]
    Line(String),
    /// Its line has expired.
    #[error("the key's expiry-time has passed")]
    Expired,
    /// Its line is for other addresses.
    #[error("the key may not be used from {0} (from=)")]
    Address(IpAddr),
    /// The file of authorised keys cannot be used.
    #[error("{0}")]
    File(String),
    /// A certificate that is not one for a user.
    #[error("the certificate is for a host, not for a user")]
    HostCertificate,
    /// A certificate by somebody unknown.
    #[error("the certificate's authority {0} is not trusted here (ssh.user_ca)")]
    Authority(String),
    /// A certificate whose signature is wrong.
    #[error("the certificate's signature is wrong, or by an algorithm that is not accepted")]
    Signature,
    /// A certificate before or after its time.
    #[error("the certificate is not valid now")]
    Validity,
    /// A certificate for others.
    #[error("the certificate does not name the account among its principals")]
    Principal,
    /// A certificate with a condition that cannot be kept or is not met.
    #[error("the certificate's critical option {0} is not met or not known")]
    Critical(String),
}

impl KeyRefusal {
    /// Whether it tells the administrator something even of a mere offer: the key concerns the account.
    pub const fn is_telling(&self) -> bool {
        !matches!(self, Self::Unlisted(_) | Self::NotSsh)
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
