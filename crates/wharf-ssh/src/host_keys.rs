//! Host keys: what a server proves itself with.
//!
//! Keys are in OpenSSH's format, without a passphrase. This room reads, makes and names them; which
//! files they lie in, and who may read those, is the binary's business.

use std::fmt;

use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use russh::keys::decode_secret_key;
use ssh_key::{
    Algorithm, HashAlg, LineEnding, PrivateKey,
    private::{Ed25519Keypair, KeypairData},
};

/// Shortest RSA key that is taken, bits.
pub const MIN_RSA_BITS: u32 = 2048;

/// What is wrong with a host key.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// Not a private key in OpenSSH's format.
    #[error(
        "expected a private key in OpenSSH's format (BEGIN OPENSSH PRIVATE KEY): {0}; `ssh-keygen -p -f FILE` converts older ones"
    )]
    Format(ssh_key::Error),
    /// Under a passphrase.
    #[error(
        "the key is under a passphrase that nobody can type here; take it off with `ssh-keygen -p -f FILE`"
    )]
    Encrypted,
    /// Of a kind that cannot be offered.
    #[error(
        "a key of kind {0} cannot prove a host; use ssh-ed25519, ssh-rsa or ecdsa-sha2-nistp256"
    )]
    Kind(String),
    /// Too short.
    #[error(
        "an RSA key of {0} bits is too short: at least {MIN_RSA_BITS} are wanted, 3072 are advised"
    )]
    Short(u32),
    /// Two of one kind.
    #[error("there are two keys of kind {0}: a host has one of each")]
    Twice(String),
    /// No key at all.
    #[error("there is no host key")]
    None,
    /// It could not be made.
    #[error("a host key could not be made: {0}")]
    Generate(String),
}

/// Kinds of host keys that are made at the first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeyKind {
    /// Ed25519 (RFC 8709).
    Ed25519,
    /// RSA of 3072 bits (RFC 8332).
    Rsa,
}

impl HostKeyKind {
    /// Those of the first start, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::Ed25519, Self::Rsa];

    /// Its name, as in file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
        }
    }
}

/// A host key.
#[derive(Clone)]
pub struct HostKey(PrivateKey);

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostKey").field(&self.fingerprint()).finish()
    }
}

impl HostKey {
    /// Reads a key in OpenSSH's format.
    ///
    /// # Errors
    /// [`HostKeyError`] for a key that cannot be used, with the mend.
    pub fn load(text: &str) -> Result<Self, HostKeyError> {
        let key = PrivateKey::from_openssh(text).map_err(HostKeyError::Format)?;
        if key.is_encrypted() {
            return Err(HostKeyError::Encrypted);
        }
        match key.key_data() {
            KeypairData::Ed25519(_) | KeypairData::Ecdsa(_) => {}
            KeypairData::Rsa(rsa) if rsa.key_size() < MIN_RSA_BITS => {
                return Err(HostKeyError::Short(rsa.key_size()));
            }
            KeypairData::Rsa(_) => {}
            _ => return Err(HostKeyError::Kind(key.algorithm().to_string())),
        }
        Ok(Self(key))
    }

    /// Makes a key. RSA takes about a second: not for a runtime's thread.
    ///
    /// # Errors
    /// [`HostKeyError::Generate`] when there is no randomness.
    pub fn generate(kind: HostKeyKind) -> Result<Self, HostKeyError> {
        let failed = |error: &dyn fmt::Display| HostKeyError::Generate(error.to_string());
        match kind {
            HostKeyKind::Ed25519 => {
                let mut seed = [0; 32];
                getrandom::fill(&mut seed).map_err(|error| failed(&error))?;
                let pair = Ed25519Keypair::from_seed(&seed);
                let key = PrivateKey::new(pair.into(), "").map_err(|error| failed(&error))?;
                Ok(Self(key))
            }
            HostKeyKind::Rsa => {
                // The crypto provider makes it some ten times faster than the key's own crate.
                let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072)
                    .map_err(|error| failed(&error))?;
                let key = decode_secret_key(&pair.serialize_pem(), None)
                    .map_err(|error| failed(&error))?;
                Ok(Self(key))
            }
        }
    }

    /// The key in OpenSSH's format, to be kept.
    ///
    /// # Errors
    /// [`HostKeyError::Generate`].
    pub fn to_openssh(&self) -> Result<impl AsRef<str> + use<>, HostKeyError> {
        let text = self
            .0
            .to_openssh(LineEnding::LF)
            .map_err(|error| HostKeyError::Generate(error.to_string()))?;
        Ok(Text(text))
    }

    /// Its kind, as over the wire: `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256`.
    pub fn kind(&self) -> String {
        self.0.public_key().algorithm().to_string()
    }

    /// `SHA256:` and the hash of the public key in base64, as OpenSSH shows it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The line of a `known_hosts` file without the names: kind and public key.
    ///
    /// # Errors
    /// [`HostKeyError::Format`].
    pub fn public_line(&self) -> Result<String, HostKeyError> {
        self.0
            .public_key()
            .to_openssh()
            .map(|line| line.trim_end().to_owned())
            .map_err(HostKeyError::Format)
    }

    /// The data of its SSHFP record (RFC 4255, RFC 6594, RFC 7479): algorithm, SHA-256, hash.
    pub fn sshfp(&self) -> Option<String> {
        let number = match self.0.algorithm() {
            Algorithm::Rsa { .. } => 1,
            Algorithm::Ecdsa { .. } => 3,
            Algorithm::Ed25519 => 4,
            _ => return None,
        };
        let fingerprint = self.0.fingerprint(HashAlg::Sha256);
        let mut record = format!("{number} 2 ");
        for octet in fingerprint.as_bytes() {
            record.push_str(&format!("{octet:02x}"));
        }
        Some(record)
    }
}

/// A private key as text, wiped on drop.
struct Text<T>(T);

impl<T: AsRef<str>> AsRef<str> for Text<T> {
    fn as_ref(&self) -> &str {
        self.0.as_ref()
    }
}

/// The keys of a host, one of each kind.
#[derive(Clone, Debug)]
pub struct HostKeys(Vec<HostKey>);

impl HostKeys {
    /// Keys in the order in which they are offered.
    ///
    /// # Errors
    /// [`HostKeyError::None`], [`HostKeyError::Twice`].
    pub fn new(keys: Vec<HostKey>) -> Result<Self, HostKeyError> {
        if keys.is_empty() {
            return Err(HostKeyError::None);
        }
        for (index, key) in keys.iter().enumerate() {
            if keys
                .iter()
                .take(index)
                .any(|other| other.kind() == key.kind())
            {
                return Err(HostKeyError::Twice(key.kind()));
            }
        }
        Ok(Self(keys))
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &HostKey> {
        self.0.iter()
    }

    pub(crate) fn private(&self) -> Vec<PrivateKey> {
        self.0.iter().map(|key| key.0.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_is_read_again_and_says_the_same() {
        for kind in HostKeyKind::ALL {
            let key = HostKey::generate(kind).unwrap();
            let text = key.to_openssh().unwrap();
            let again = HostKey::load(text.as_ref()).unwrap();
            assert_eq!(key.fingerprint(), again.fingerprint());
            assert!(key.fingerprint().starts_with("SHA256:"));
            assert!(again.public_line().unwrap().starts_with(&key.kind()));
            assert!(key.sshfp().unwrap().contains(" 2 "));
        }
    }

    #[test]
    fn a_host_has_one_key_of_each_kind_and_at_least_one() {
        assert!(matches!(HostKeys::new(Vec::new()), Err(HostKeyError::None)));
        let key = || HostKey::generate(HostKeyKind::Ed25519).unwrap();
        assert!(matches!(
            HostKeys::new(vec![key(), key()]),
            Err(HostKeyError::Twice(_))
        ));
    }

    #[test]
    fn what_is_no_key_is_told_with_its_mend() {
        let error = HostKey::load("-----BEGIN PRIVATE KEY-----").unwrap_err();
        assert!(error.to_string().contains("ssh-keygen"), "{error}");
    }

    #[test]
    fn a_private_key_is_not_printed() {
        let key = HostKey::generate(HostKeyKind::Ed25519).unwrap();
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }
}
