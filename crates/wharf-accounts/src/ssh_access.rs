//! What an account says about entering over SSH: by which proofs, and with which keys (SFT-05, SFT-06).
//!
//! [`Proofs`] is what a peer has proved of one account so far, [`SshLogin`] what it must prove. Nothing
//! here concerns the protocols of TLS: their second proof is the certificate.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{AuthorizedKey, KeyFile};

/// A set of proofs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proofs(u8);

impl Proofs {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// The password.
    pub const PASSWORD: Self = Self(1);
    /// The private key of an authorised key or of a certificate.
    pub const PUBLIC_KEY: Self = Self(2);

    /// These and those.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These but not those.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` are among them.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What opens an account over SSH.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SshLogin {
    /// A key or the password.
    #[default]
    Any,
    /// A key alone.
    Key,
    /// The password alone.
    Password,
    /// A key and the password, in either order.
    KeyAndPassword,
}

impl SshLogin {
    /// Every value with its word.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Any, "any"),
        (Self::Key, "key"),
        (Self::Password, "password"),
        (Self::KeyAndPassword, "key+password"),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(value, _)| *value == self)
            .map_or("any", |(_, word)| word)
    }

    /// Whether `proof` is looked at.
    pub const fn takes(self, proof: Proofs) -> bool {
        match self {
            Self::Any | Self::KeyAndPassword => true,
            Self::Key => Proofs::PUBLIC_KEY.has(proof),
            Self::Password => Proofs::PASSWORD.has(proof),
        }
    }

    /// What is still wanted of somebody who gave `proven`, which are proofs that it
    /// [takes](Self::takes).
    pub const fn wanted(self, proven: Proofs) -> Proofs {
        match self {
            Self::KeyAndPassword => Proofs::PASSWORD.with(Proofs::PUBLIC_KEY).without(proven),
            Self::Any | Self::Key | Self::Password => Proofs::NONE,
        }
    }
}

/// A word that is none of [`SshLogin::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one of any, key, password, key+password")]
pub struct SshLoginError(String);

impl FromStr for SshLogin {
    type Err = SshLoginError;

    fn from_str(text: &str) -> Result<Self, SshLoginError> {
        Self::ALL
            .iter()
            .find(|(_, word)| *word == text)
            .map(|(value, _)| *value)
            .ok_or_else(|| SshLoginError(text.to_owned()))
    }
}

impl fmt::Display for SshLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What an account says about SSH.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshAccess {
    /// What opens it.
    pub login: SshLogin,
    /// Its authorised keys, where they stand with the account.
    pub keys: Vec<AuthorizedKey>,
    /// A file of more of them.
    pub key_file: Option<Arc<KeyFile>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_of_two_steps_wants_what_is_missing_in_either_order() {
        let (password, key) = (Proofs::PASSWORD, Proofs::PUBLIC_KEY);
        let both = SshLogin::KeyAndPassword;
        assert_eq!(both.wanted(password), key);
        assert_eq!(both.wanted(key), password);
        assert_eq!(both.wanted(key.with(password)), Proofs::NONE);
        assert!(both.takes(password) && both.takes(key));
        assert!(!SshLogin::Key.takes(password) && SshLogin::Key.takes(key));
        assert!(SshLogin::Password.takes(password) && !SshLogin::Password.takes(key));
    }

    #[test]
    fn words_are_read_back() {
        for (value, word) in SshLogin::ALL {
            assert_eq!(
                (word.parse(), value.to_string().as_str()),
                (Ok(value), word)
            );
        }
        assert!("key,password".parse::<SshLogin>().is_err());
    }
}
