//! What a server says it can, read from FEAT (RFC 2389 3.2).
//!
//! FEAT is a promise at best (INT-82, D44): the driver still takes the fallback when a named feature is
//! refused. A missing FEAT means nothing is known, not that nothing is there.

use crate::ftp::{reply::Reply, server::HashAlgorithm};

/// The features that matter to the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Names are UTF-8 (RFC 2640).
    pub utf8: bool,
    /// MLST and MLSD.
    pub facts: bool,
    /// SIZE.
    pub size: bool,
    /// MDTM.
    pub modification_time: bool,
    /// MFMT.
    pub set_modification_time: bool,
    /// REST in stream mode.
    pub restart: bool,
    /// Paths with `/` mean what they mean in Unix (RFC 3659 6).
    pub tvfs: bool,
    /// Algorithms of HASH; the server's choice first.
    pub hashes: Vec<HashAlgorithm>,
    /// XSHA256, XSHA1, XMD5, XCRC, strongest first.
    pub hash_verbs: Vec<HashAlgorithm>,
}

impl Capabilities {
    /// Reads a 211; any other reply tells nothing.
    #[must_use]
    pub fn parse(reply: &Reply) -> Self {
        let mut found = Self::default();
        if reply.code.value() != 211 {
            return found;
        }
        for line in reply.inner_lines() {
            let text = String::from_utf8_lossy(line).trim().to_ascii_uppercase();
            let (name, rest) = text.split_once(' ').unwrap_or((&text, ""));
            match name {
                "UTF8" => found.utf8 = true,
                "MLST" | "MLSD" => found.facts = true,
                "SIZE" => found.size = true,
                "MDTM" => found.modification_time = true,
                "MFMT" => found.set_modification_time = true,
                "REST" => found.restart = rest.contains("STREAM"),
                "TVFS" => found.tvfs = true,
                "HASH" => found.hashes = hash_list(rest),
                "XSHA256" => found.hash_verbs.push(HashAlgorithm::Sha256),
                "XSHA512" => found.hash_verbs.push(HashAlgorithm::Sha512),
                "XSHA1" => found.hash_verbs.push(HashAlgorithm::Sha1),
                "XMD5" => found.hash_verbs.push(HashAlgorithm::Md5),
                "XCRC" => found.hash_verbs.push(HashAlgorithm::Crc32),
                _ => {}
            }
        }
        found
            .hash_verbs
            .sort_by_key(|algorithm| strength(*algorithm));
        found.hash_verbs.dedup();
        found
    }
}

/// `SHA-256*;SHA-512;CRC32`: the starred one is in force.
fn hash_list(list: &str) -> Vec<HashAlgorithm> {
    let mut found: Vec<(bool, HashAlgorithm)> = list
        .split(';')
        .filter_map(|item| {
            let item = item.trim();
            let algorithm = match item.trim_end_matches('*') {
                "SHA-256" => HashAlgorithm::Sha256,
                "SHA-512" => HashAlgorithm::Sha512,
                "SHA-1" => HashAlgorithm::Sha1,
                "MD5" => HashAlgorithm::Md5,
                "CRC32" => HashAlgorithm::Crc32,
                _ => return None,
            };
            Some((!item.ends_with('*'), algorithm))
        })
        .collect();
    found.sort_by_key(|(weaker, algorithm)| (*weaker, strength(*algorithm)));
    found.into_iter().map(|(_, algorithm)| algorithm).collect()
}

const fn strength(algorithm: HashAlgorithm) -> u8 {
    match algorithm {
        HashAlgorithm::Sha256 => 0,
        HashAlgorithm::Sha512 => 1,
        HashAlgorithm::Sha1 => 2,
        HashAlgorithm::Md5 => 3,
        HashAlgorithm::Crc32 => 4,
    }
}
