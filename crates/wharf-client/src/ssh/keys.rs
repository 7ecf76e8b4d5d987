//! Key files: OpenSSH's, PEM, PKCS#8 and PuTTY's, encrypted or not, and the certificates beside them.
//!
//! A key that others could read is none, as for ssh. The passphrase is asked for only when the server
//! has said that it would take the key, wherever the public half can be read without it.
#![expect(
    clippy::disallowed_methods,
    reason = "the one room that reads key files"
)]

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use russh::keys::{
    Algorithm, Certificate, PrivateKey, PublicKey, decode_secret_key, parse_public_key_base64,
};
use zeroize::Zeroizing;

use super::{Context, target::Identity};
use crate::{Prompt, Result, local::blocking_result};

/// A key file is small; what is behind this is not read.
const LIMIT: u64 = 256 * 1024;

/// Passphrases that are asked for at the most.
const MOST_PASSPHRASES: usize = 3;

/// What a key file is good for.
#[derive(Debug)]
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    pub(super) public: PublicKey,
    pub(super) half: Half,
    pub(super) certificate: Option<Certificate>,
}

/// The private half.
#[derive(Debug)]
pub(super) enum Half {
    /// At hand.
    Open(Arc<PrivateKey>),
    /// Behind a passphrase.
    Locked(Zeroizing<String>),
    /// Not here: an agent may have it.
    Elsewhere,
}

/// Why a key file is not used, for people.
pub(super) type Unused = String;

impl KeyFile {
    /// Reads a key file; nothing when it is missing and nobody named it. One whose public half is
    /// hidden too needs its passphrase at once. May ask a person.
    pub(super) async fn load(
        context: &Context,
        identity: Identity,
    ) -> Result<Option<Result<Self, Unused>>> {
        let path = identity.path.clone();
        let read = blocking_result(move || Ok(Look::of(&identity))).await?;
        let (public, half) = match read {
            Look::Missing => return Ok(None),
            Look::Unused(why) => return Ok(Some(Err(format!("{}: {why}", path.display())))),
            Look::Found(public, half) => (public, half),
            Look::Hidden(text) => match unlock(context, &path, &text).await? {
                Some(key) => (key.public_key().clone(), Half::Open(key)),
                None => {
                    return Ok(Some(Err(format!(
                        "{}: nobody gave its passphrase",
                        path.display()
                    ))));
                }
            },
        };
        let beside = with_suffix(&path, "-cert.pub");
        let certificate = blocking_result(move || Ok(certificate(&beside).ok())).await?;
        Ok(Some(Ok(Self {
            path,
            certificate: certificate.filter(|found| found.public_key() == public.key_data()),
            public,
            half,
        })))
    }

    /// The private key, opened by a person where it is locked; none when nobody can.
    pub(super) async fn private(&self, context: &Context) -> Result<Option<Arc<PrivateKey>>> {
        match &self.half {
            Half::Open(key) => Ok(Some(Arc::clone(key))),
            Half::Locked(text) => unlock(context, &self.path, text).await,
            Half::Elsewhere => Ok(None),
        }
    }
}

/// What a look at a file found.
enum Look {
    Missing,
    Unused(&'static str),
    Found(PublicKey, Half),
    /// Encrypted, the public half too.
    Hidden(Zeroizing<String>),
}

impl Look {
    fn of(identity: &Identity) -> Self {
        let path = &identity.path;
        let public = || {
            text_of(&with_suffix(path, ".pub"), false)
                .ok()
                .and_then(|text| public_line(&text))
        };
        let text = match text_of(path, true) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return match public() {
                    Some(key) => Self::Found(key, Half::Elsewhere),
                    None if identity.named => Self::Unused("there is no such file"),
                    None => Self::Missing,
                };
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Self::Unused("others can read it, or you cannot: run chmod 600 on it");
            }
            Err(_) => return Self::Unused("it cannot be read"),
        };
        // `IdentityFile key.pub` stands for the key of the agent.
        if let Some(key) = public_line(&text) {
            return Self::Found(key, Half::Elsewhere);
        }
        if let Ok(key) = decode_secret_key(&text, None) {
            if matches!(
                key.algorithm(),
                Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256
            ) {
                return Self::Found(key.public_key().clone(), Half::Elsewhere);
            }
            return Self::Found(key.public_key().clone(), Half::Open(Arc::new(key)));
        }
        if let Ok(key) = PrivateKey::from_openssh(text.as_bytes())
            && key.is_encrypted()
        {
            return Self::Found(key.public_key().clone(), Half::Locked(text));
        }
        if !is_encrypted(&text) {
            return Self::Unused("it is no private key that is understood");
        }
        match public().or_else(|| putty_public(&text)) {
            Some(key) => Self::Found(key, Half::Locked(text)),
            None => Self::Hidden(text),
        }
    }
}

/// PEM and PuTTY's files say it in words.
fn is_encrypted(text: &str) -> bool {
    text.contains("ENCRYPTED")
        || text
            .lines()
            .any(|line| line.starts_with("Encryption: ") && !line.ends_with("none"))
}

/// The public half in PuTTY's file.
fn putty_public(text: &str) -> Option<PublicKey> {
    let mut lines = text.lines();
    let count = lines
        .find_map(|line| line.strip_prefix("Public-Lines: "))?
        .trim()
        .parse()
        .ok()?;
    let base64: String = lines.take(count).map(str::trim).collect();
    parse_public_key_base64(&base64).ok()
}

/// The first line of a public key file.
fn public_line(text: &str) -> Option<PublicKey> {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))?;
    PublicKey::from_openssh(line).ok()
}

/// Reads a certificate.
pub(super) fn certificate(path: &Path) -> io::Result<Certificate> {
    let text = text_of(path, false)?;
    Certificate::from_openssh(text.trim()).map_err(io::Error::other)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn text_of(path: &Path, private: bool) -> io::Result<Zeroizing<String>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut text = Zeroizing::new(String::new());
    file.take(LIMIT).read_to_string(&mut text)?;
    // A public key may be read by all.
    if private && metadata.mode() & 0o077 != 0 && public_line(&text).is_none() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(text)
}

/// Opens a locked key; the answer is kept for the connections that follow.
async fn unlock(
    context: &Context,
    path: &PathBuf,
    text: &Zeroizing<String>,
) -> Result<Option<Arc<PrivateKey>>> {
    let _in_turn = context.unlocking.lock().await;
    if let Some(known) = context.opened(path) {
        return Ok(known);
    }
    for attempt in 0..MOST_PASSPHRASES {
        let prompt = Prompt::Passphrase {
            key: path.display().to_string(),
            again: attempt > 0,
        };
        let Some(passphrase) = context.answer(prompt).await? else {
            break;
        };
        let text = text.clone();
        // Deriving the key takes a while, on purpose.
        let opened = blocking_result(move || {
            let passphrase = std::str::from_utf8(passphrase.expose()).ok();
            Ok(passphrase.and_then(|words| decode_secret_key(&text, Some(words)).ok()))
        })
        .await?;
        if let Some(key) = opened {
            let key = Arc::new(key);
            context.open(path.clone(), Some(Arc::clone(&key)));
            return Ok(Some(key));
        }
    }
    context.open(path.clone(), None);
    Ok(None)
}

#[cfg(test)]
mod tests;
