//! What a server's FEAT means for the client (RFC 2389 3.2).
//!
//! FEAT is a promise at best (INT-82, D44): the driver still takes the fallback when a named feature is
//! refused. A missing FEAT means nothing is known, not that nothing is there.

use crate::ftp::{feature::Features, reply::Reply, server::HashAlgorithm};

/// The features that matter to the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// AUTH TLS (RFC 4217).
    pub tls: bool,
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
    /// Algorithms of HASH; the one in force first, then from strong to weak.
    pub hashes: Vec<HashAlgorithm>,
    /// XSHA256, XSHA512, XSHA1, XMD5, XCRC, from strong to weak.
    pub hash_verbs: Vec<HashAlgorithm>,
}

impl Capabilities {
    /// Reads a 211; any other reply tells nothing.
    #[must_use]
    pub fn parse(reply: &Reply) -> Self {
        if reply.code.value() != 211 {
            return Self::default();
        }
        let features = Features::parse(reply.inner_lines());
        let (mut hashes, in_force) = features.hashes();
        hashes.sort_by_key(|algorithm| {
            let rank = HashAlgorithm::ALL
                .iter()
                .position(|other| other == algorithm);
            (Some(*algorithm) != in_force, rank)
        });
        let with_verb = |algorithm: &HashAlgorithm| features.has(hash_verb(*algorithm));
        Self {
            tls: features.has_with("AUTH", "TLS") || features.has_with("AUTH", "TLS-C"),
            utf8: features.has("UTF8"),
            facts: features.has("MLST") || features.has("MLSD"),
            size: features.has("SIZE"),
            modification_time: features.has("MDTM"),
            set_modification_time: features.has("MFMT"),
            restart: features.has_with("REST", "STREAM"),
            tvfs: features.has("TVFS"),
            hashes,
            hash_verbs: HashAlgorithm::ALL.into_iter().filter(with_verb).collect(),
        }
    }
}

/// The verb of an algorithm outside HASH.
pub(super) const fn hash_verb(algorithm: HashAlgorithm) -> &'static str {
    match algorithm {
        HashAlgorithm::Sha256 => "XSHA256",
        HashAlgorithm::Sha512 => "XSHA512",
        HashAlgorithm::Sha1 => "XSHA1",
        HashAlgorithm::Md5 => "XMD5",
        HashAlgorithm::Crc32 => "XCRC",
    }
}
