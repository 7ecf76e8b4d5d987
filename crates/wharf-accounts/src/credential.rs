//! What a peer claims, before anybody believes it.
//!
//! Secrets are wiped when they are dropped and never printed.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::ProvenKey;

/// Longest password that is looked at, in bytes. The crypt schemes take time that grows with the
/// length, so a longer one is wrong without being hashed.
pub const MAX_PASSWORD: usize = 1024;

/// Secret bytes: wiped on drop, not shown by `Debug`.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes secret bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, for the one who checks them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Secret {
    /// In the same time whatever differs, as far as the lengths are equal.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a peer gives to be let in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credential {
    /// A name and a password, as sent.
    Password {
        /// The name, not yet checked in any way.
        user: Vec<u8>,
        /// The password.
        password: Secret,
    },
    /// No name: the protocol or the user asks for the anonymous account.
    Anonymous {
        /// What was given in place of a password (RFC 1635 asks for an e-mail address).
        text: Vec<u8>,
    },
    /// A name, and the certificate of the connection in place of a password.
    Certificate {
        /// The name, not yet checked in any way.
        user: Vec<u8>,
    },
    /// A name, and a key of SSH whose holder the front end has just proved.
    PublicKey {
        /// The name, not yet checked in any way.
        user: Vec<u8>,
        /// The key of this request's signature.
        key: ProvenKey,
    },
}

impl Credential {
    /// A name and a password.
    pub fn password(user: impl Into<Vec<u8>>, password: impl Into<Vec<u8>>) -> Self {
        Self::Password {
            user: user.into(),
            password: Secret::new(password),
        }
    }

    /// The name that is claimed.
    pub fn user(&self) -> &[u8] {
        match self {
            Self::Password { user, .. }
            | Self::Certificate { user }
            | Self::PublicKey { user, .. } => user,
            Self::Anonymous { .. } => b"anonymous",
        }
    }

    /// What was given as the password.
    pub(crate) fn secret(&self) -> &[u8] {
        match self {
            Self::Password { password, .. } => password.expose(),
            Self::Anonymous { text } => text,
            Self::Certificate { .. } | Self::PublicKey { .. } => b"",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Credential;

    #[test]
    fn a_password_is_not_printed() {
        let shown = format!("{:?}", Credential::password("ann", "hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
