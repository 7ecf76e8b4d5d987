//! Hashes that the server computes, by check-file (SFT-60).
//!
//! A large file is hashed in pieces: each answer shows that the server is alive, and the first
//! difference ends the comparison.

use wharf_proto::sftp::{
    Extended, Request,
    extension::{Check, Name},
};
use wharf_transfer::{Algorithm, Digest};

use super::{Pending, Remote, Sftp, state::Reply};
use crate::{
    Result, Step,
    local::{Local, blocking},
};

/// Octets of one piece.
const PIECE: u64 = 256 * 1024 * 1024;

/// What we compute, the best first; the server takes the first that it knows.
const WANTED: &[u8] = b"sha256,sha512,sha1,md5";

fn algorithm(name: &[u8]) -> Option<Algorithm> {
    Some(match name {
        b"sha256" => Algorithm::Sha256,
        b"sha512" => Algorithm::Sha512,
        b"sha1" => Algorithm::Sha1,
        b"md5" => Algorithm::Md5,
        _ => return None,
    })
}

const fn check(offset: u64, length: u64) -> Check<'static> {
    Check {
        algorithms: WANTED,
        offset,
        length,
        block: 0,
    }
}

/// How a comparison came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The server does not tell.
    Untold,
    /// The same.
    Same(Algorithm),
    /// Not the same.
    Different {
        algorithm: Algorithm,
        ours: String,
        theirs: String,
    },
}

/// A hash that is on its way.
pub(crate) struct Hashing<'a>(Option<Pending<'a>>);

impl Sftp {
    /// Whether the server hashes files.
    pub(crate) fn hashes(&self) -> bool {
        self.offers(Name::CheckFile)
    }

    /// Asks for the hash of a file by its path; a length of zero asks for nothing.
    pub(crate) fn hash_of(&self, path: &[u8], offset: u64, length: u64) -> Hashing<'_> {
        if length == 0 || !self.hashes() {
            return Hashing(None);
        }
        let check = check(offset, length);
        let request = Extended::CheckFileName { path, check };
        Hashing(Some(self.ask(&Request::Extended(request))))
    }

    /// Compares the first `length` octets of a remote file with those of a local one.
    pub(crate) async fn compare(&self, path: &[u8], file: &Local, length: u64) -> Result<Compared> {
        let mut at = 0;
        let mut last = Compared::Untold;
        while at < length {
            let piece = (length - at).min(PIECE);
            let Some((algorithm, theirs)) = self.hash_of(path, at, piece).told().await? else {
                return Ok(Compared::Untold);
            };
            let copy = file.clone();
            let ours = blocking("cannot read the local file", move || {
                copy.hash(algorithm, at, at + piece)
            })
            .await?;
            if ours != theirs {
                return Ok(Compared::Different {
                    algorithm,
                    ours,
                    theirs,
                });
            }
            last = Compared::Same(algorithm);
            at += piece;
        }
        Ok(last)
    }
}

impl<'a> Remote<'a> {
    /// Asks for the hash of a range; a length of zero asks for nothing.
    pub(crate) fn hash(&self, offset: u64, length: u64) -> Hashing<'a> {
        let sftp = self.sftp();
        if length == 0 || !sftp.hashes() {
            return Hashing(None);
        }
        let check = check(offset, length);
        let handle = self.handle();
        let request = Extended::CheckFileHandle { handle, check };
        Hashing(Some(sftp.ask(&Request::Extended(request))))
    }
}

impl Hashing<'_> {
    /// The hash in lower-case hex; `None` when the server does not tell it, or in no form that is
    /// understood.
    pub(crate) async fn told(self) -> Result<Option<(Algorithm, String)>> {
        let Some(pending) = self.0 else {
            return Ok(None);
        };
        match pending.reply().await? {
            Reply::Hashes {
                algorithm: name,
                hashes,
            } => Ok(algorithm(&name)
                .map(|algorithm| (algorithm, data_encoding::HEXLOWER.encode(&hashes)))),
            Reply::Status(_) => Ok(None),
            _ => Err(crate::Error::new(
                Step::Verify,
                crate::Kind::Protocol,
                "the server answered check-file with something else",
            )),
        }
    }
}

/// The hash of octets at hand.
pub(crate) fn of(algorithm: Algorithm, octets: &[u8]) -> String {
    let mut digest = Digest::new(algorithm);
    digest.update(octets);
    digest.finish()
}
