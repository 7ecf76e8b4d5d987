//! What identifies a host key for people: its type and SHA-256.

use std::{fmt, str::FromStr};

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use russh::keys::{HashAlg, PublicKey};
use ssh_key::Fingerprint;

/// Octets of a SHA-256.
const LENGTH: usize = 32;

/// What `SHA256:` fingerprints begin with, as `ssh-keygen -l` shows them.
const PREFIX: &str = "SHA256:";

/// The fingerprint that a host key must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostKeyPin([u8; LENGTH]);

impl HostKeyPin {
    /// That of a key.
    pub(crate) fn of(key: &PublicKey) -> Self {
        Self(
            key.fingerprint(HashAlg::Sha256)
                .sha256()
                .unwrap_or_default(),
        )
    }

    /// Reads what a URL's `;fingerprint=` has: the key's type, `-`, and the SHA-256 in either
    /// alphabet of base64, or the form with `SHA256:`.
    pub(crate) fn from_url(text: &str) -> Option<Self> {
        if let Ok(pin) = text.parse() {
            return Some(pin);
        }
        // A key's type holds dashes, and so may the hash: its length tells them apart.
        let text = text.trim_end_matches('=');
        let at = text.len().checked_sub(43)?;
        let (kind, hash) = (text.get(..at)?, text.get(at..)?);
        kind.strip_suffix('-').filter(|kind| !kind.is_empty())?;
        hash_of(hash)
    }
}

impl FromStr for HostKeyPin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix(PREFIX)
            .and_then(|hash| hash_of(hash.trim_end_matches('=')))
            .ok_or_else(|| {
                "expected a host key's fingerprint such as SHA256:2ViqsnF..., as ssh-keygen -l shows it"
                    .to_owned()
            })
    }
}

fn hash_of(text: &str) -> Option<HostKeyPin> {
    let bytes = BASE64_NOPAD
        .decode(text.as_bytes())
        .or_else(|_| BASE64URL_NOPAD.decode(text.as_bytes()))
        .ok()?;
    bytes.try_into().ok().map(HostKeyPin)
}

impl fmt::Display for HostKeyPin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Fingerprint::Sha256(self.0).fmt(formatter)
    }
}

/// What a host key says of itself, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKeyFacts {
    /// Its type, such as `ssh-ed25519`.
    pub algorithm: String,
    /// Its SHA-256.
    pub fingerprint: HostKeyPin,
}

impl HostKeyFacts {
    pub(super) fn of(key: &PublicKey) -> Self {
        Self {
            algorithm: key.algorithm().to_string(),
            fingerprint: HostKeyPin::of(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pin_is_read_as_it_is_shown() {
        let pin = HostKeyPin([0xfb; LENGTH]);
        assert_eq!(pin.to_string().parse(), Ok(pin));
        let hash = pin.to_string().split_off(PREFIX.len());
        let safe = hash.replace('+', "-").replace('/', "_");
        assert_ne!(safe, hash);
        for text in [
            format!("ssh-ed25519-{hash}"),
            format!("ssh-ed25519-{safe}="),
            format!("SHA256:{hash}="),
        ] {
            assert_eq!(HostKeyPin::from_url(&text), Some(pin), "{text}");
        }
        for text in [
            "",
            "SHA256:",
            "ssh-rsa-aa-bb",
            "MD5:aa",
            &hash,
            &format!("-{hash}"),
        ] {
            assert_eq!(HostKeyPin::from_url(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = HostKeyPin::from_url(&text);
        }
    }
}
