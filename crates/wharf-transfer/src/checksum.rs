//! Content hashes: of a stream as it passes, or of a part of a file.
//!
//! A file is read on the blocking pool in pieces of one buffer, so that hashing a disk image neither
//! stalls other sessions nor holds a thread for ever.

use sha2::Digest as _;
use wharf_vfs::FileRef;

use crate::{Error, Meter, Result, buffer};

/// Which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-512 (FIPS 180-4).
    Sha512,
    /// SHA-1; for old peers, not for security.
    Sha1,
    /// MD5 (RFC 1321); for old peers, not for security.
    Md5,
    /// CRC-32 (IEEE 802.3).
    Crc32,
}

/// A hash in the making.
#[derive(Clone)]
pub enum Digest {
    /// SHA-256.
    Sha256(sha2::Sha256),
    /// SHA-512.
    Sha512(sha2::Sha512),
    /// SHA-1.
    Sha1(sha1::Sha1),
    /// MD5.
    Md5(md5::Md5),
    /// CRC-32.
    Crc32(crc32fast::Hasher),
}

impl Digest {
    /// A hash of nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::new()),
            Algorithm::Sha1 => Self::Sha1(sha1::Sha1::new()),
            Algorithm::Md5 => Self::Md5(md5::Md5::new()),
            Algorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
        }
    }

    /// Takes in more octets.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Md5(hash) => hash.update(bytes),
            Self::Crc32(hash) => hash.update(bytes),
        }
    }

    /// The hash in lower-case hex.
    pub fn finish(self) -> String {
        match self {
            Self::Sha256(hash) => hex(&hash.finalize()),
            Self::Sha512(hash) => hex(&hash.finalize()),
            Self::Sha1(hash) => hex(&hash.finalize()),
            Self::Md5(hash) => hex(&hash.finalize()),
            Self::Crc32(hash) => hex(&hash.finalize().to_be_bytes()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| DIGITS.get(digit as usize))
        .map(|digit| *digit as char)
        .collect()
}

/// Hashes the octets `start..end` of a file; a file that ends earlier ends the hash earlier.
/// `meter` counts the octets as they are read.
///
/// # Errors
/// [`Error::Store`].
pub async fn of_file(
    file: &FileRef,
    algorithm: Algorithm,
    start: u64,
    end: u64,
    meter: &Meter,
) -> Result<String, Error> {
    let mut digest = Digest::new(algorithm);
    let mut chunk = buffer::borrow();
    let mut offset = start;
    while offset < end {
        chunk = file.read_at(chunk, offset).await?;
        if chunk.is_empty() {
            break;
        }
        let usable = chunk
            .len()
            .min(usize::try_from(end - offset).unwrap_or(usize::MAX));
        offset += usable as u64;
        meter.add(usable as u64);
        // 256 KiB of hashing is a fraction of a millisecond; the reads between it may yield.
        digest.update(chunk.get(..usable).unwrap_or_default());
        tokio::task::yield_now().await;
    }
    buffer::give_back(chunk);
    Ok(digest.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let of = |algorithm| {
            let mut digest = Digest::new(algorithm);
            digest.update(b"a");
            digest.update(b"bc");
            digest.finish()
        };
        assert_eq!(of(Algorithm::Crc32), "352441c2");
        assert_eq!(of(Algorithm::Md5), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            of(Algorithm::Sha1),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(
            of(Algorithm::Sha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
