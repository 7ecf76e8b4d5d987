//! Authorities whose certificates open accounts, and what was revoked (SFT-05).
//!
//! Authorities are public keys, one per line, as OpenSSH's `TrustedUserCAKeys` has them. What is revoked
//! is a list of lines: a public key or certificate as it is (`key:` before it is allowed),
//! `sha256: SHA256:...` for a key by its fingerprint, `serial: 7` or `serial: 7-9` and `id: NAME` for
//! certificates, after the specification of revocation lists in ssh-keygen(1). OpenSSH's binary lists
//! (KRL) are not read and refused with a word.
//!
//! This room must not forgive: a line that is not understood makes the whole list unusable.

use std::{
    collections::HashSet,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use ssh_key::{Certificate, PublicKey, public::KeyData};

use crate::{
    AuthorizedKeys,
    key_file::{self, KeyFileError},
    public_key::fingerprint,
};

/// Most lines of one list.
const MAX_LINES: usize = 100_000;

/// Who may sign certificates for users, and which keys and certificates are good no more.
#[derive(Clone, Debug, Default)]
pub struct UserAuthorities {
    authorities: Vec<KeyData>,
    revoked: Revoked,
}

#[derive(Clone, Debug, Default)]
struct Revoked {
    /// Fingerprints, of users' keys and of authorities.
    keys: HashSet<String>,
    serials: Vec<RangeInclusive<u64>>,
    identities: HashSet<String>,
}

/// Why authorities or revoked keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthoritiesError {
    /// The file cannot be read or may be changed by others.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// A line is not understood.
    #[error("{}line {line}: {reason}", place(path.as_deref()))]
    Line {
        /// The file, where it is one.
        path: Option<PathBuf>,
        /// Counted from 1.
        line: usize,
        /// What is wrong and how to mend it.
        reason: String,
    },
}

fn place(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!("{}: ", path.display()))
}

impl UserAuthorities {
    /// Authorities out of their files, and what `revoked` lists.
    ///
    /// # Errors
    /// [`AuthoritiesError`]: a file that cannot be read or that others may write, a line that is not
    /// understood, a key that is too weak.
    pub fn load(files: &[PathBuf], revoked: Option<&Path>) -> Result<Self, AuthoritiesError> {
        let mut all = Self::default();
        for path in files {
            let text = key_file::read_once(path)?;
            all.add_authorities(&text).map_err(|error| error.of(path))?;
        }
        if let Some(path) = revoked {
            let text = key_file::read_once(path)?;
            all.revoke(&text).map_err(|error| error.of(path))?;
        }
        Ok(all)
    }

    /// Trusts the public keys of `text`, one per line.
    ///
    /// # Errors
    /// [`AuthoritiesError::Line`] for the first line that is none, has options or is too weak.
    pub fn add_authorities(&mut self, text: &[u8]) -> Result<(), AuthoritiesError> {
        let keys = AuthorizedKeys::parse(text);
        if let Some(refused) = keys.refused().first() {
            return Err(wrong(refused.line(), refused.error().to_string()));
        }
        for key in keys.keys() {
            if !key.options().is_empty() {
                let reason = "an authority has no options here; a key that stands for one account alone is `cert-authority` in its authorized keys";
                return Err(wrong(key.line(), reason.to_owned()));
            }
            self.authorities.push(key.key().clone());
        }
        Ok(())
    }

    /// Revokes what `text` lists, one per line.
    ///
    /// # Errors
    /// [`AuthoritiesError::Line`] for the first line that is not understood.
    pub fn revoke(&mut self, text: &[u8]) -> Result<(), AuthoritiesError> {
        if text.starts_with(b"SSHKRL\n\0") {
            let reason = "this is a binary revocation list (KRL); write the list as text, with the lines that `ssh-keygen -k` takes";
            return Err(wrong(1, reason.to_owned()));
        }
        for (line, content) in (1..=MAX_LINES).zip(text.split(|octet| *octet == b'\n')) {
            let content = String::from_utf8_lossy(content);
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            self.revoked
                .add(content)
                .map_err(|reason| wrong(line, reason))?;
        }
        if text.split(|octet| *octet == b'\n').count() > MAX_LINES {
            return Err(wrong(MAX_LINES, format!("more than {MAX_LINES} lines")));
        }
        Ok(())
    }

    /// Whether there are no authorities at all.
    pub const fn is_empty(&self) -> bool {
        self.authorities.is_empty()
    }

    pub(crate) fn trusts(&self, authority: &KeyData) -> bool {
        self.authorities.contains(authority)
    }

    pub(crate) fn is_revoked_key(&self, key: &KeyData) -> bool {
        !self.revoked.keys.is_empty() && self.revoked.keys.contains(&fingerprint(key))
    }

    pub(crate) fn is_revoked(&self, certificate: &Certificate) -> bool {
        self.is_revoked_key(certificate.public_key())
            || self.is_revoked_key(certificate.signature_key())
            || self.revoked.identities.contains(certificate.key_id())
            || self
                .revoked
                .serials
                .iter()
                .any(|range| range.contains(&certificate.serial()))
    }
}

impl Revoked {
    fn add(&mut self, line: &str) -> Result<(), String> {
        match line.split_once(':') {
            Some(("serial", numbers)) => {
                let numbers = numbers.trim();
                let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
                let number = |text: &str| {
                    text.trim()
                        .parse::<u64>()
                        .map_err(|_| format!("`{text}` is no serial number"))
                };
                let range = number(first)?..=number(last)?;
                if range.is_empty() {
                    return Err(format!("`{numbers}` runs backwards"));
                }
                self.serials.push(range);
            }
            Some(("id", identity)) => {
                self.identities.insert(identity.trim().to_owned());
            }
            Some(("sha256", print)) => {
                let print = print.trim();
                let parsed: Result<ssh_key::Fingerprint, _> = print.parse();
                let parsed =
                    parsed.map_err(|_| format!("`{print}` is no SHA256:... fingerprint"))?;
                self.keys.insert(parsed.to_string());
            }
            Some(("key", key)) => self.add_key(key.trim())?,
            _ => self.add_key(line)?,
        }
        Ok(())
    }

    fn add_key(&mut self, text: &str) -> Result<(), String> {
        let key = match (
            PublicKey::from_openssh(text),
            Certificate::from_openssh(text),
        ) {
            (Ok(key), _) => key.key_data().clone(),
            (_, Ok(certificate)) => certificate.public_key().clone(),
            _ => {
                return Err(
                    "neither a public key nor one of key:, sha256:, serial:, id:".to_owned(),
                );
            }
        };
        self.keys.insert(fingerprint(&key));
        Ok(())
    }
}

impl AuthoritiesError {
    fn of(self, file: &Path) -> Self {
        match self {
            Self::Line { line, reason, .. } => Self::Line {
                path: Some(file.to_owned()),
                line,
                reason,
            },
            other => other,
        }
    }
}

const fn wrong(line: usize, reason: String) -> AuthoritiesError {
    AuthoritiesError::Line {
        path: None,
        line,
        reason,
    }
}

#[cfg(test)]
mod tests;
