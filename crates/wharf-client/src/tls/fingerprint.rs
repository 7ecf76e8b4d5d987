//! Certificates and keys by their SHA-256: what a person compares and what a pin says.

use std::{fmt, str::FromStr};

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use thiserror::Error;
use wharf_transfer::{Algorithm, Digest};

/// SHA-256 of a certificate (DER), shown as `sha256:` and hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of these octets.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut digest = Digest::new(Algorithm::Sha256);
        digest.update(bytes);
        let mut hash = [0; 32];
        // The digest gives hexadecimal digits of the right number; anything else matches nothing.
        if let Ok(octets) = HEXLOWER.decode(digest.finish().as_bytes())
            && let Ok(octets) = octets.try_into()
        {
            hash = octets;
        }
        Self(hash)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// Why a text is no pin.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "expected sha256:HEX (64 digits, the certificate's fingerprint) or sha256//BASE64 (44 characters, its public key's)"
)]
pub struct PinError;

/// What a server's certificate has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pin {
    /// This very certificate: `sha256:HEX`, colons between octets allowed.
    Certificate(Fingerprint),
    /// Any certificate of this key: `sha256//BASE64` of the SubjectPublicKeyInfo (RFC 7469 2.4), as
    /// curl writes it; survives a renewal.
    Key(Fingerprint),
}

impl Pin {
    /// Whether a certificate is the one; one that cannot be read has no key.
    pub(super) fn fits(self, certificate: &[u8], key: Option<&[u8]>) -> bool {
        match self {
            Self::Certificate(pinned) => pinned == Fingerprint::of(certificate),
            Self::Key(pinned) => key.is_some_and(|key| pinned == Fingerprint::of(key)),
        }
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let exact = |octets: Vec<u8>| octets.try_into().map(Fingerprint).map_err(|_| PinError);
        if let Some(base64) = text.strip_prefix("sha256//") {
            let octets = BASE64
                .decode(base64.as_bytes())
                .or_else(|_| BASE64_NOPAD.decode(base64.as_bytes()))
                .map_err(|_| PinError)?;
            return exact(octets).map(Self::Key);
        }
        let hex = text.strip_prefix("sha256:").ok_or(PinError)?;
        let digits: String = hex.chars().filter(|c| *c != ':').collect();
        let octets = HEXLOWER_PERMISSIVE
            .decode(digits.as_bytes())
            .map_err(|_| PinError)?;
        exact(octets).map(Self::Certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pin_is_a_fingerprint_or_a_key_and_nothing_else() {
        let fingerprint = Fingerprint::of(b"abc");
        assert_eq!(
            fingerprint.to_string(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let pin = Pin::Certificate(fingerprint);
        assert_eq!(fingerprint.to_string().parse(), Ok(pin));
        let colons = "sha256:BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD";
        assert_eq!(colons.parse(), Ok(pin));
        let key = "sha256//ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        assert_eq!(key.parse(), Ok(Pin::Key(fingerprint)));
        for nonsense in [
            "",
            "sha256:",
            "sha256:ba78",
            "sha256//ba78",
            "md5:00",
            "sha256:é",
        ] {
            assert_eq!(nonsense.parse::<Pin>(), Err(PinError), "{nonsense}");
        }
    }

    #[test]
    fn key_pin_needs_a_readable_key() {
        let pin = Pin::Key(Fingerprint::of(b"key"));
        assert!(pin.fits(b"any", Some(b"key")));
        assert!(!pin.fits(b"key", Some(b"other")));
        assert!(!pin.fits(b"key", None));
    }
}
