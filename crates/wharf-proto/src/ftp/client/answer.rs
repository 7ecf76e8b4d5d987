//! What final replies carry: sizes, times, addresses, paths, hashes.
//!
//! Servers word these freely; each function takes the widest form that cannot be mistaken and gives
//! `None` otherwise.

use std::net::SocketAddrV4;

use crate::ftp::{
    host_port::{HostPortError, parse_extended_reply, parse_passive_reply},
    listing::parse::{self, Entry, Format},
    reply::{Class, Reply, parse_quoted},
    server::HashAlgorithm,
    time::FtpTime,
};

/// The number of a 213 to SIZE.
#[must_use]
pub fn size(reply: &Reply) -> Option<u64> {
    (reply.code.value() == 213).then(|| words(reply.text()).find_map(decimal))?
}

/// The time of a 213 to MDTM.
#[must_use]
pub fn modification_time(reply: &Reply) -> Option<FtpTime> {
    (reply.code.value() == 213)
        .then(|| words(reply.text()).find_map(|word| FtpTime::parse(word).ok()))?
}

/// The path of a 257 (RPL-55).
#[must_use]
pub fn path(reply: &Reply) -> Option<Vec<u8>> {
    (reply.code.value() == 257).then(|| parse_quoted(reply.text()))?
}

/// The address of a 227 (RPL-53). Whether the host part may be used is the caller's to judge.
///
/// # Errors
/// [`HostPortError`].
pub fn passive(reply: &Reply) -> Result<SocketAddrV4, HostPortError> {
    let whole = reply.lines.join(&b' ');
    parse_passive_reply(&whole)
}

/// The port of a 229 (RPL-54).
///
/// # Errors
/// [`HostPortError`].
pub fn extended_passive(reply: &Reply) -> Result<u16, HostPortError> {
    let whole = reply.lines.join(&b' ');
    parse_extended_reply(&whole)
}

/// The entry of a 250 to MLST; its name is as the server wrote it, often a whole path.
#[must_use]
pub fn facts(reply: &Reply) -> Option<Entry> {
    (reply.code.value() == 250).then(|| {
        reply.inner_lines().iter().find_map(|line| {
            let line = line.strip_prefix(b" ").unwrap_or(line);
            // The current directory itself is `cdir`; here it is an answer, not a heading.
            let as_directory = replace_own_type(line);
            parse::line(Format::Facts, as_directory.as_deref().unwrap_or(line), 0)
        })
    })?
}

fn replace_own_type(line: &[u8]) -> Option<Vec<u8>> {
    let lower = line.to_ascii_lowercase();
    let at = [&b"type=cdir;"[..], b"type=pdir;"]
        .iter()
        .find_map(|own| memchr::memmem::find(&lower, own))?;
    let (front, back) = line.split_at_checked(at)?;
    Some([front, b"type=dir;", back.get(10..)?].concat())
}

/// The size that a 150 or 125 announces: `... (1234 bytes)`.
#[must_use]
pub fn announced_size(reply: &Reply) -> Option<u64> {
    if reply.code.class() != Class::Preliminary {
        return None;
    }
    let text = reply.text();
    let open = memchr::memrchr(b'(', text)?;
    let mut inner = words(text.get(open + 1..)?);
    let number = decimal(inner.next()?)?;
    let unit = inner.next()?.to_ascii_lowercase();
    (unit.starts_with(b"byte") || unit.starts_with(b"octet")).then_some(number)
}

/// The hash of a final reply to HASH, XSHA256, XMD5 and so on, in lower case: the only word of the
/// right length that is hexadecimal. `None` when the reply does not tell it, or tells two.
#[must_use]
pub fn hash(reply: &Reply, algorithm: HashAlgorithm) -> Option<String> {
    if reply.code.class() != Class::Completion {
        return None;
    }
    let digits = match algorithm {
        HashAlgorithm::Sha256 => 64,
        HashAlgorithm::Sha512 => 128,
        HashAlgorithm::Sha1 => 40,
        HashAlgorithm::Md5 => 32,
        HashAlgorithm::Crc32 => 8,
    };
    let fits = |word: &[u8]| word.len() == digits && word.iter().all(u8::is_ascii_hexdigit);
    // The hash stands before the name, which a stranger may have chosen; so the first one counts.
    reply
        .lines
        .iter()
        .flat_map(|line| words(line))
        .find(|word| fits(word))
        .map(|word| String::from_utf8_lossy(word).to_ascii_lowercase())
}

/// Whether a refusal means "too many connections or users" (D13) rather than a wrong password.
#[must_use]
pub fn is_too_many(reply: &Reply) -> bool {
    if !matches!(reply.code.value(), 421 | 425 | 450 | 530 | 550) {
        return false;
    }
    let text = reply.lines.join(&b' ').to_ascii_lowercase();
    [&b"too many"[..], b"maximum", b"limit", b"max "]
        .iter()
        .any(|mark| memchr::memmem::find(&text, mark).is_some())
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| matches!(b, b' ' | b'\t' | b')' | b','))
        .filter(|word| !word.is_empty())
}

fn decimal(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word)
        .ok()
        .filter(|w| w.bytes().all(|b| b.is_ascii_digit()))?
        .parse()
        .ok()
}
