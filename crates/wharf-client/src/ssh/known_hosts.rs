//! Files of known hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): what they say of one host (SFT-82).
//!
//! Names in clear, with wildcards and negation, `[host]:port`, hashed names, the markers
//! `@cert-authority` and `@revoked`. Lines that cannot be read count for nothing: one that names a key
//! type which is not known must not hide the others.
//!
//! New keys are only ever appended, in one write, under a lock against others that do the same.
#![expect(
    clippy::disallowed_methods,
    reason = "the one room of the files of known hosts"
)]

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::{PublicKey, parse_public_key_base64};
use rustix::fs::FlockOperation;
use sha1::Sha1;

use super::pattern;
use crate::site::SSH_PORT;

/// Octets of one file that are read at the most.
const LIMIT: u64 = 16 * 1024 * 1024;

/// Keys of one host that are kept at the most.
const MOST_KEYS: usize = 256;

/// Octets of the salt of a hashed name, as OpenSSH has it.
const SALT: usize = 20;

/// What a line says of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// The host has this key.
    Key,
    /// This authority vouches for the host's key.
    Authority,
    /// This key is never to be trusted.
    Revoked,
}

/// A line about the host.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) marker: Marker,
    pub(super) key: PublicKey,
    pub(super) file: Arc<Path>,
    /// From 1.
    pub(super) line: usize,
}

impl Known {
    /// `file:line`.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// What the files say of one host.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownHosts {
    /// Under its name with its port.
    pub(super) known: Vec<Known>,
    /// Under its bare name, when the port is not the usual one: a key from there is as good, but says
    /// nothing when it differs.
    pub(super) bare: Vec<Known>,
    /// Whether the file that new keys go to has hashed names.
    pub(super) is_hashed: bool,
}

/// The name of a host as the files have it.
pub(super) fn name(host: &str, port: u16) -> String {
    if port == SSH_PORT {
        host.to_owned()
    } else {
        format!("[{host}]:{port}")
    }
}

impl KnownHosts {
    /// Reads files; those that do not exist count for nothing. Waits for a disk.
    ///
    /// `host` is in lower case; `port` is none where an alias stands for host and port.
    pub(super) fn read(
        files: impl Iterator<Item = PathBuf>,
        host: &str,
        port: Option<u16>,
    ) -> io::Result<Self> {
        let mut this = Self::default();
        for (index, path) in files.enumerate() {
            let Some(text) = text_of(&path).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?
            else {
                continue;
            };
            let file: Arc<Path> = path.into();
            let hashed = this.take(&text, &file, host, port);
            this.is_hashed |= index == 0 && hashed;
        }
        Ok(this)
    }

    /// Takes a file's lines about the host; tells whether it has hashed names.
    fn take(&mut self, text: &str, file: &Arc<Path>, host: &str, port: Option<u16>) -> bool {
        let full = port.map_or_else(|| host.to_owned(), |port| name(host, port));
        let has_bare = full != host;
        let mut hashed = false;
        for (index, line) in text.lines().enumerate() {
            let Some(line) = Line::read(line) else {
                continue;
            };
            hashed |= line.hosts.starts_with(HASHED);
            let into = if line.names(&full) {
                &mut self.known
            } else if has_bare && line.names(host) {
                &mut self.bare
            } else {
                continue;
            };
            let Ok(key) = parse_public_key_base64(line.key) else {
                continue;
            };
            // A revoked key that is forgotten would be trusted.
            if into.len() < MOST_KEYS || line.marker == Marker::Revoked {
                into.push(Known {
                    marker: line.marker,
                    key,
                    file: Arc::clone(file),
                    line: index + 1,
                });
            }
        }
        hashed
    }

    /// Lines with a marker, under either name.
    pub(super) fn marked(&self, marker: Marker) -> impl Iterator<Item = &Known> {
        self.known
            .iter()
            .chain(&self.bare)
            .filter(move |known| known.marker == marker)
    }

    /// The line that has this very key for the host. Those of its bare name count only where the name
    /// with the port has no other key of that type: that one would have changed.
    pub(super) fn line_of(&self, key: &PublicKey) -> Option<&Known> {
        let is_key = |known: &&Known| known.marker == Marker::Key;
        let is_it = |known: &&Known| known.key.key_data() == key.key_data();
        let mut own = self.known.iter().filter(is_key);
        if let Some(line) = own.clone().find(is_it) {
            return Some(line);
        }
        if own.any(|known| known.key.algorithm() == key.algorithm()) {
            return None;
        }
        self.bare.iter().filter(is_key).find(is_it)
    }
}

/// What hashed names begin with.
const HASHED: &str = "|1|";

/// A line, taken apart.
struct Line<'a> {
    marker: Marker,
    hosts: &'a str,
    key: &'a str,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let mut hosts = words.next().filter(|word| !word.starts_with('#'))?;
        let marker = match hosts {
            "@cert-authority" => Marker::Authority,
            "@revoked" => Marker::Revoked,
            _ if hosts.starts_with('@') => return None,
            _ => Marker::Key,
        };
        if marker != Marker::Key {
            hosts = words.next()?;
        }
        let _kind = words.next()?;
        Some(Self {
            marker,
            hosts,
            key: words.next()?,
        })
    }

    /// Whether it is about the host of this name, which is in lower case.
    fn names(&self, name: &str) -> bool {
        match self.hosts.strip_prefix(HASHED) {
            Some(hashed) => is_hash_of(hashed, name).unwrap_or(false),
            None => pattern::list_matches(self.hosts.split(','), name),
        }
    }
}

fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let salt = BASE64.decode(salt.as_bytes()).ok()?;
    let hash = BASE64.decode(hash.as_bytes()).ok()?;
    Some(keyed(&salt, name)?.verify_slice(&hash).is_ok())
}

fn keyed(salt: &[u8], name: &str) -> Option<Hmac<Sha1>> {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).ok()?;
    mac.update(name.as_bytes());
    Some(mac)
}

/// A name that tells nobody which host it is.
fn hashed(name: &str) -> io::Result<String> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).map_err(io::Error::other)?;
    let mac = keyed(&salt, name).ok_or_else(|| io::Error::other("no salt of this length"))?;
    let hash = mac.finalize().into_bytes();
    Ok(format!(
        "{HASHED}{}|{}",
        BASE64.encode(&salt),
        BASE64.encode(&hash)
    ))
}

fn text_of(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Appends keys of a host, in one write; makes the file and its directory for their owner alone when
/// they are missing. Waits for a disk.
pub(super) fn append(path: &Path, name: &str, keys: &[PublicKey], hash: bool) -> io::Result<()> {
    let mut text = String::new();
    for key in keys {
        let host = if hash { hashed(name)? } else { name.to_owned() };
        let key = PublicKey::new(key.key_data().clone(), "")
            .to_openssh()
            .map_err(io::Error::other)?;
        text.push_str(&format!("{host} {}\n", key.trim()));
    }
    if let Some(directory) = path.parent().filter(|path| !path.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
    if !ends_in_line(&mut file)? {
        text.insert(0, '\n');
    }
    file.write_all(text.as_bytes())
}

fn ends_in_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests;
