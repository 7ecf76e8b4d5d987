//! Keys that open an account, as OpenSSH's `authorized_keys` writes them, and RFC 4716 blocks (SFT-06).
//!
//! A line is `[options] type base64 [comment]`. Options restrict: one that is not understood refuses its
//! key, with the line, since it may have forbidden something. Options that speak of what is not served
//! (forwarding, terminals) are taken as they are.
//!
//! This room must not read files, and must not accept a key that is too weak, whatever its options say.

mod addresses;
mod options;
mod rfc4716;

use std::{fmt, net::IpAddr, str::FromStr};

use ssh_key::{PublicKey, public::KeyData};

pub use self::options::OptionError;
use self::options::Options;
pub(crate) use self::{addresses::AddressPatterns, options::INTERNAL_SFTP};
use crate::{WeakKey, public_key::check_strength};

/// Longest line, in bytes; a key of 16384 bits takes some 3 KiB.
pub const MAX_LINE: usize = 16 * 1024;
/// Most keys of one account's list.
pub const MAX_KEYS: usize = 1000;

/// One key that opens an account, or whose certificates do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizedKey {
    key: KeyData,
    options: Options,
    /// The options as they were written.
    written: String,
    comment: String,
    line: usize,
}

impl AuthorizedKey {
    /// The key.
    pub const fn key(&self) -> &KeyData {
        &self.key
    }

    /// Its options as they were written; empty: none.
    pub fn options(&self) -> &str {
        &self.written
    }

    /// What stands behind the key, for people.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// The line that it began on, counted from 1.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// `SHA256:...`, as every SSH program shows it.
    pub fn fingerprint(&self) -> String {
        crate::public_key::fingerprint(&self.key)
    }

    /// Whether it is no key to log in with but one that signs certificates (`cert-authority`).
    pub const fn is_authority(&self) -> bool {
        self.options.is_authority
    }

    /// The principals of which a certificate must name one; empty: the account's name.
    pub fn principals(&self) -> &[String] {
        &self.options.principals
    }

    /// From this second on it is good no more, as seconds since 1970 UTC.
    pub const fn expires(&self) -> Option<u64> {
        self.options.expires
    }

    /// Whether it may be used from `peer`.
    pub fn may_come_from(&self, peer: IpAddr) -> bool {
        self.options
            .from
            .as_ref()
            .is_none_or(|patterns| patterns.matches(peer))
    }
}

impl fmt::Display for AuthorizedKey {
    /// The line that means this key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.written.is_empty() {
            write!(f, "{} ", self.written)?;
        }
        let key = PublicKey::from(self.key.clone());
        f.write_str(&key.to_openssh().map_err(|_| fmt::Error)?)?;
        if !self.comment.is_empty() {
            write!(f, " {}", self.comment)?;
        }
        Ok(())
    }
}

impl FromStr for AuthorizedKey {
    type Err = KeyError;

    /// Exactly one key.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut list = AuthorizedKeys::parse(text.as_bytes());
        if let Some(refused) = list.refused.pop() {
            return Err(refused.error);
        }
        match (list.keys.pop(), list.keys.is_empty()) {
            (Some(key), true) => Ok(key),
            _ => Err(KeyError::Form),
        }
    }
}

/// Why a line gives no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not built like a key.
    #[error(
        "not a public key; expected `[options] type base64 [comment]`, such as the line in ~/.ssh/id_ed25519.pub"
    )]
    Form,
    /// Type and content do not fit, or the base64 is broken.
    #[error("the key is damaged, or of a type that is not known: {0}")]
    Key(String),
    /// The line is too long.
    #[error("longer than {MAX_LINE} bytes")]
    TooLong,
    /// There are more keys than one account may have.
    #[error("more than {MAX_KEYS} keys")]
    TooMany,
    /// No such key is accepted.
    #[error(transparent)]
    Weak(#[from] WeakKey),
    /// An option is not understood.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// A block of RFC 4716 that is not whole.
    #[error("a block that begins with `---- BEGIN SSH2 PUBLIC KEY ----` is damaged: {0}")]
    Block(&'static str),
    /// A certificate stands where its authority's key belongs.
    #[error(
        "a certificate cannot be authorised; list its authority's key with the option cert-authority"
    )]
    Certificate,
    /// A private key.
    #[error(
        "this is a private key: keep it to yourself, and list the public one (the file with .pub)"
    )]
    Private,
}

/// A line that gives no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedKey {
    line: usize,
    error: KeyError,
    /// The key, where it was understood and the rest was not.
    key: Option<KeyData>,
}

impl RefusedKey {
    /// The line that it began on, counted from 1.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// What is wrong with it.
    pub const fn error(&self) -> &KeyError {
        &self.error
    }

    /// Whether `key` is the one that was meant.
    pub(crate) fn is_of(&self, key: &KeyData) -> bool {
        self.key.as_ref() == Some(key)
    }
}

impl fmt::Display for RefusedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.error)
    }
}

/// A list of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorizedKeys {
    keys: Vec<AuthorizedKey>,
    refused: Vec<RefusedKey>,
}

impl AuthorizedKeys {
    /// Reads a list: OpenSSH lines and RFC 4716 blocks, empty lines and `#` comments between them. What
    /// is not understood is among the [refused](Self::refused) and opens nothing.
    pub fn parse(text: &[u8]) -> Self {
        let mut list = Self::default();
        let mut lines = (1..).zip(text.split(|octet| *octet == b'\n'));
        while let Some((line, content)) = lines.next() {
            let content = content.trim_ascii();
            if content.is_empty() || content.starts_with(b"#") {
                continue;
            }
            let parsed = if list.keys.len() + list.refused.len() >= MAX_KEYS {
                Err(Failed::without_key(KeyError::TooMany))
            } else if content == rfc4716::BEGIN {
                rfc4716::parse(lines.by_ref().map(|(_, content)| content), line)
            } else {
                parse_line(content, line)
            };
            match parsed {
                Ok(key) => list.keys.push(key),
                Err(failed) => {
                    let Failed { error, key } = *failed;
                    let is_end = error == KeyError::TooMany;
                    list.refused.push(RefusedKey { line, error, key });
                    if is_end {
                        break;
                    }
                }
            }
        }
        list
    }

    /// The keys, in their order.
    pub fn keys(&self) -> &[AuthorizedKey] {
        &self.keys
    }

    /// The lines that gave none.
    pub fn refused(&self) -> &[RefusedKey] {
        &self.refused
    }
}

/// A key, or why there is none.
type Parsed = Result<AuthorizedKey, Box<Failed>>;

/// Why there is no key, and the key that was meant where that much was understood.
struct Failed {
    error: KeyError,
    key: Option<KeyData>,
}

impl Failed {
    fn without_key(error: KeyError) -> Box<Self> {
        Box::new(Self { error, key: None })
    }
}

fn parse_line(content: &[u8], line: usize) -> Parsed {
    if content.len() > MAX_LINE {
        return Err(Failed::without_key(KeyError::TooLong));
    }
    if content.starts_with(b"-----BEGIN") && content.ends_with(b"PRIVATE KEY-----") {
        return Err(Failed::without_key(KeyError::Private));
    }
    // As OpenSSH does: a line that begins with a key has no options.
    let bare = split_key(content);
    let (written, key) = match bare {
        Ok(found) => (&b""[..], Ok(found)),
        Err(error) => {
            let (written, rest) = options::split(content);
            if rest.is_empty() {
                return Err(Failed::without_key(error));
            }
            // The word in front was no options: tell of the key.
            let found = split_key(rest);
            let is_type = is_key_type(first_word(content).0);
            (written, if is_type { Err(error) } else { found })
        }
    };
    let (key, comment) = key.map_err(Failed::without_key)?;
    finish(key, written, comment, line)
}

fn finish(key: KeyData, written: &[u8], comment: String, line: usize) -> Parsed {
    let refuse = |error: KeyError, key| {
        let key = Some(key);
        Err(Box::new(Failed { error, key }))
    };
    if let Err(weak) = check_strength(&key) {
        return refuse(weak.into(), key);
    }
    let Ok(written) = std::str::from_utf8(written) else {
        return refuse(OptionError::Form.into(), key);
    };
    match Options::parse(written) {
        Ok(options) => Ok(AuthorizedKey {
            key,
            options,
            written: written.to_owned(),
            comment,
            line,
        }),
        Err(error) => refuse(error.into(), key),
    }
}

/// The first word and what follows it.
fn first_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|octet| octet.is_ascii_whitespace())
        .unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, b""));
    (word, rest.trim_ascii_start())
}

/// Whether a word can be nothing but the type of a key.
fn is_key_type(word: &[u8]) -> bool {
    [&b"ssh-"[..], b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-"]
        .iter()
        .any(|prefix| word.starts_with(prefix))
}

/// `type base64 [comment]`.
fn split_key(text: &[u8]) -> Result<(KeyData, String), KeyError> {
    let (kind, rest) = first_word(text);
    let (base64, comment) = first_word(rest);
    if !is_key_type(kind) || base64.is_empty() {
        return Err(KeyError::Form);
    }
    let (Ok(kind), Ok(base64)) = (std::str::from_utf8(kind), std::str::from_utf8(base64)) else {
        return Err(KeyError::Form);
    };
    if kind.ends_with("-cert-v01@openssh.com") {
        return Err(KeyError::Certificate);
    }
    let key = PublicKey::from_openssh(&format!("{kind} {base64}"))
        .map_err(|error| KeyError::Key(error.to_string()))?;
    Ok((key.key_data().clone(), readable(comment)))
}

/// A comment without control characters.
fn readable(comment: &[u8]) -> String {
    String::from_utf8_lossy(comment)
        .chars()
        .filter(|letter| !letter.is_control())
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests;
