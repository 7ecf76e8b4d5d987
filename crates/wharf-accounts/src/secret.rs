//! A stored password and the one way to check one.
//!
//! Every back end hands its stored text to [`StoredSecret::parse`], which never fails: what is
//! empty, marked as locked or not understood becomes a lock that no password opens (ProFTPD 2275
//! and 2279: an empty stored password let everybody in). Numbers in a stored hash that would cost
//! absurd time or memory lock it too.
//!
//! Known forms: argon2id in PHC form (what this program writes), bcrypt `$2a$ $2b$ $2y$`, md5-crypt
//! `$1$`, SHA-crypt `$5$ $6$`, yescrypt `$y$`, and `{plain}` for passwords that an administrator
//! writes into the configuration.

mod md5_crypt;

use std::{fmt, sync::Arc};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{Error, credential::MAX_PASSWORD};

/// Marks a password that is stored as it is.
const PLAIN: &str = "{plain}";
/// What new hashes cost, after OWASP's password storage advice: 19 MiB, two passes, one lane.
const ARGON2_MEMORY_KIB: u32 = 19 * 1024;
const ARGON2_PASSES: u32 = 2;
const ARGON2_LANES: u32 = 1;
/// Most memory that a stored hash may ask for.
const MAX_MEMORY_KIB: u64 = 1024 * 1024;
/// Most passes that a stored argon2 hash may ask for.
const MAX_PASSES: u32 = 64;
/// Least output of an argon2 hash, in bytes: fewer could be met by chance.
const MIN_OUTPUT: usize = 16;
/// Greatest bcrypt cost (each step doubles the time; 16 is about 5 s).
const MAX_BCRYPT_COST: u32 = 16;
/// Rounds of SHA-crypt when none are given, and the most that are accepted.
const SHA_CRYPT_ROUNDS: u32 = 5_000;
const MAX_SHA_CRYPT_ROUNDS: u32 = 5_000_000;
/// The alphabet of the crypt family.
const CRYPT64: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A password as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSecret {
    scheme: Scheme,
    text: Arc<Zeroizing<String>>,
}

/// How the text is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Locked(Lock),
    AnyText { require_email: bool },
    Plain,
    Argon2,
    Bcrypt,
    Md5Crypt,
    Sha256Crypt,
    Sha512Crypt,
    Yescrypt,
}

/// Why no password opens an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lock {
    /// Nothing is stored.
    #[error("no password is stored")]
    Empty,
    /// It begins with `!` or `*`, or is `x`: the marks of the passwd and shadow files.
    #[error("the stored password is marked as locked")]
    Marked,
    /// The form or its numbers are not understood.
    #[error("the stored hash is not understood or costs too much to check")]
    Unreadable,
}

impl StoredSecret {
    /// Reads what a back end holds. Whatever cannot be checked safely is [locked](Self::lock).
    pub fn parse(text: &str) -> Self {
        let scheme = match text {
            "" | PLAIN => Scheme::Locked(Lock::Empty),
            "x" => Scheme::Locked(Lock::Marked),
            _ if text.starts_with(['!', '*']) => Scheme::Locked(Lock::Marked),
            _ => scheme_of(text).unwrap_or(Scheme::Locked(Lock::Unreadable)),
        };
        Self {
            scheme,
            text: Arc::new(Zeroizing::new(text.to_owned())),
        }
    }

    /// A password that is kept as it is, for the configuration file.
    pub fn plain(password: &str) -> Self {
        Self::parse(&format!("{PLAIN}{password}"))
    }

    /// No password opens it.
    pub fn locked() -> Self {
        Self::parse("!")
    }

    /// Any text opens it, for the anonymous account; with `require_email` it must look like an
    /// e-mail address. No stored text reads as this.
    pub fn any_text(require_email: bool) -> Self {
        Self {
            scheme: Scheme::AnyText { require_email },
            text: Arc::default(),
        }
    }

    /// Hashes a new password with argon2id and a fresh salt. Takes some 20 ms and 19 MiB: not for a
    /// thread that serves sessions.
    ///
    /// # Errors
    /// [`Error::Password`] when it is empty, too long or holds a NUL; [`Error::Random`] when the
    /// system gives no salt.
    pub fn hash_new(password: &[u8]) -> crate::Result<Self> {
        if password.is_empty() || !is_checkable(password) {
            return Err(Error::Password);
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(Error::Random)?;
        let hash = hasher()
            .hash_password_with_salt(password, &salt)
            .map_err(|_| Error::Password)?;
        Ok(Self::parse(&hash.to_string()))
    }

    /// Why it is locked, when it is.
    pub const fn lock(&self) -> Option<Lock> {
        match self.scheme {
            Scheme::Locked(lock) => Some(lock),
            _ => None,
        }
    }

    /// The text to store; empty for the anonymous account's.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme's usual name.
    pub const fn scheme(&self) -> &'static str {
        match self.scheme {
            Scheme::Locked(_) => "locked",
            Scheme::AnyText { .. } => "any text",
            Scheme::Plain => "plain",
            Scheme::Argon2 => "argon2id",
            Scheme::Bcrypt => "bcrypt",
            Scheme::Md5Crypt => "md5-crypt",
            Scheme::Sha256Crypt => "sha256-crypt",
            Scheme::Sha512Crypt => "sha512-crypt",
            Scheme::Yescrypt => "yescrypt",
        }
    }

    /// Whether a check takes milliseconds and memory, and so belongs on a blocking thread.
    pub const fn is_slow(&self) -> bool {
        !matches!(
            self.scheme,
            Scheme::Locked(_) | Scheme::AnyText { .. } | Scheme::Plain
        )
    }

    /// Whether it is the anonymous account's.
    pub(crate) const fn is_any_text(&self) -> bool {
        matches!(self.scheme, Scheme::AnyText { .. })
    }

    /// The part of the text that decides what a check costs: scheme and parameters, no salt.
    pub(crate) fn cost(&self) -> &str {
        let fields = match self.scheme {
            Scheme::Locked(_) | Scheme::AnyText { .. } | Scheme::Plain => return "",
            Scheme::Argon2 if self.text.contains("$v=") => 3,
            Scheme::Argon2 | Scheme::Bcrypt | Scheme::Yescrypt => 2,
            Scheme::Sha256Crypt | Scheme::Sha512Crypt if self.text.contains("$rounds=") => 2,
            Scheme::Md5Crypt | Scheme::Sha256Crypt | Scheme::Sha512Crypt => 1,
        };
        let end = self.text.match_indices('$').nth(fields);
        end.and_then(|(at, _)| self.text.get(..at))
            .unwrap_or_default()
    }

    /// Whether `password` opens it. Slow where [`is_slow`](Self::is_slow) says so; comparisons take
    /// the same time whatever differs.
    pub fn verify(&self, password: &[u8]) -> bool {
        if !is_checkable(password) {
            return false;
        }
        match self.scheme {
            Scheme::Locked(_) => false,
            Scheme::AnyText { require_email } => !require_email || looks_like_email(password),
            Scheme::Plain => self
                .text
                .strip_prefix(PLAIN)
                .is_some_and(|plain| bool::from(digest(plain.as_bytes()).ct_eq(&digest(password)))),
            Scheme::Argon2 => PasswordHash::new(&self.text)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok()),
            Scheme::Bcrypt => bcrypt::verify(password, &self.text).unwrap_or(false),
            Scheme::Md5Crypt => self.split_salt().is_some_and(|(salt, expected)| {
                md5_crypt::encoded(password, salt.as_bytes())
                    .as_slice()
                    .ct_eq(expected.as_bytes())
                    .into()
            }),
            Scheme::Sha256Crypt | Scheme::Sha512Crypt => sha_crypt::ShaCrypt::default()
                .verify_password(password, self.text.as_str())
                .is_ok(),
            Scheme::Yescrypt => yescrypt::Yescrypt::default()
                .verify_password(password, self.text.as_str())
                .is_ok(),
        }
    }

    /// Salt and hash of `$1$salt$hash`.
    fn split_salt(&self) -> Option<(&str, &str)> {
        self.text.strip_prefix("$1$")?.split_once('$')
    }
}

impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredSecret({})", self.scheme())
    }
}

/// Whether `password` is one that any scheme can tell apart: bcrypt and crypt(3) stop at a NUL.
pub(crate) fn is_checkable(password: &[u8]) -> bool {
    password.len() <= MAX_PASSWORD && !password.contains(&0)
}

/// `local@host`, with nothing that a log line could choke on. RFC 1635 asks for no more.
fn looks_like_email(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    !text.contains(|c: char| c.is_control() || c.is_whitespace())
        && text.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !host.contains('@')
        })
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

fn hasher() -> Argon2<'static> {
    // The constants are inside the algorithm's ranges; a test hashes with them.
    let params =
        Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Which scheme the text is in, if it is well-formed and its cost bearable.
fn scheme_of(text: &str) -> Option<Scheme> {
    if let Some(plain) = text.strip_prefix(PLAIN) {
        return is_checkable(plain.as_bytes()).then_some(Scheme::Plain);
    }
    match text.strip_prefix('$')?.split('$').next()? {
        "argon2id" => argon2_is_sound(text).then_some(Scheme::Argon2),
        "2a" | "2b" | "2y" => {
            let cost = text.parse::<bcrypt::HashParts>().ok()?.get_cost();
            (4..=MAX_BCRYPT_COST)
                .contains(&cost)
                .then_some(Scheme::Bcrypt)
        }
        "1" => {
            let (salt, hash) = text.strip_prefix("$1$")?.split_once('$')?;
            (salt.len() <= 8 && is_crypt64(hash, 22)).then_some(Scheme::Md5Crypt)
        }
        "5" => sha_crypt_is_sound(text.strip_prefix("$5$")?, 43).then_some(Scheme::Sha256Crypt),
        "6" => sha_crypt_is_sound(text.strip_prefix("$6$")?, 86).then_some(Scheme::Sha512Crypt),
        "y" => yescrypt_is_sound(text.strip_prefix("$y$")?).then_some(Scheme::Yescrypt),
        _ => None,
    }
}

fn argon2_is_sound(text: &str) -> bool {
    let Ok(hash) = PasswordHash::new(text) else {
        return false;
    };
    let Ok(params) = Params::try_from(&hash) else {
        return false;
    };
    hash.salt.is_some()
        && hash.hash.is_some_and(|output| output.len() >= MIN_OUTPUT)
        && u64::from(params.m_cost()) <= MAX_MEMORY_KIB
        && params.t_cost() <= MAX_PASSES
}

/// `[rounds=N$]salt$hash` with a hash of `length` characters. A short hash would match too easily.
fn sha_crypt_is_sound(rest: &str, length: usize) -> bool {
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        Some(rest) => match rest
            .split_once('$')
            .map(|(rounds, rest)| (rounds.parse::<u32>(), rest))
        {
            Some((Ok(rounds), rest)) => (rounds, rest),
            _ => return false,
        },
        None => (SHA_CRYPT_ROUNDS, rest),
    };
    rest.split_once('$').is_some_and(|(salt, hash)| {
        (1..=16).contains(&salt.len())
            && salt.bytes().all(|b| CRYPT64.contains(&b))
            && is_crypt64(hash, length)
            && (sha_crypt::Params::ROUNDS_MIN..=MAX_SHA_CRYPT_ROUNDS).contains(&rounds)
    })
}

/// `params$salt$hash`: the hash has 43 characters (256 bits), and the parameters' first three
/// characters (flavour, log2 N - 1, r - 1) ask for bearable memory: 128 N r bytes. Extended forms
/// of the numbers begin above what is bearable and are refused.
fn yescrypt_is_sound(rest: &str) -> bool {
    let mut fields = rest.split('$');
    let (Some(params), Some(salt), Some(hash), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return false;
    };
    let value = |at: usize| {
        params
            .as_bytes()
            .get(at)
            .and_then(|b| CRYPT64.iter().position(|c| c == b))
    };
    let (Some(log2_n), Some(r)) = (value(1), value(2)) else {
        return false;
    };
    let kib = 1u64
        .checked_shl(u32::try_from(log2_n + 1).unwrap_or(u32::MAX))
        .map(|n| n.saturating_mul(r as u64 + 1) / 8);
    params.len() == 3
        && log2_n < 30
        && r < 48
        && kib.is_some_and(|kib| kib <= MAX_MEMORY_KIB)
        && params.parse::<yescrypt::Params>().is_ok()
        && (1..=86).contains(&salt.len())
        && salt.bytes().all(|b| CRYPT64.contains(&b))
        && is_crypt64(hash, 43)
}

fn is_crypt64(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| CRYPT64.contains(&b))
}

#[cfg(test)]
mod tests;
