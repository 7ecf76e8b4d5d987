//! Hashes of files: check-file (SFT-60) and md5-hash (SFT-61). Both need the rights `hash` and `read`.
//!
//! A file is read and hashed in slices, the hashing on the blocking pool, so that no other session of
//! the thread waits for it. One request hashes for a bounded time and answers a bounded length.

use std::{sync::Arc, time::Duration};

use sha2::Digest as _;
use wharf_engine::{LoggedIn, Session};
use wharf_proto::sftp::extension::{self, CHECK_FILE_ALGORITHMS, Md5Range};
use wharf_transfer::{Algorithm as Shared, Digest as SharedDigest, buffer};
use wharf_vfs::{Error, ErrorKind, FileRef, Operation, Right, VirtualPath};

use super::{
    context::{ENDED, Result, Work, failure},
    file::OpenFile,
    outcome::Outcome,
};
use crate::clock;

/// Octets of hashes in one reply at the most.
const MAX_REPLY: u64 = 64 * 1024;

/// The smallest block that is hashed for itself.
const MIN_BLOCK: u32 = 256;

/// How long one request may hash.
const MAX_TIME: Duration = Duration::from_secs(30);

/// What an anonymous user may have hashed at the most (ANON-03).
const ANONYMOUS_MAX: u64 = 64 << 20;

/// The octets that the quick check of md5-hash looks at.
const QUICK: u64 = 2048;

/// Octets that the account may have hashed at once, where everybody may have `configured`.
pub(crate) fn limit(session: &Session<LoggedIn>, configured: u64) -> u64 {
    let anonymous = session.account().account.is_anonymous();
    configured.min(if anonymous { ANONYMOUS_MAX } else { u64::MAX })
}

/// What is hashed.
pub(super) enum Subject {
    /// What stands at a path.
    Path(VirtualPath),
    /// An open file.
    File(FileRef, VirtualPath),
}

impl Subject {
    /// An open file.
    pub(super) fn of(file: &OpenFile) -> Self {
        Self::File(Arc::clone(&file.file), file.path.clone())
    }

    async fn open(self, work: &Work) -> Result<FileRef> {
        let path = match &self {
            Self::Path(path) | Self::File(_, path) => path,
        };
        let view = work.view();
        view.authorize(Right::Hash, path, Operation::Read)?;
        match self {
            Self::Path(path) => {
                work.publish(&path).await;
                Ok(view.open_read(&path).await?.0)
            }
            Self::File(file, _) => Ok(file),
        }
    }
}

/// A part of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// The first octet.
    pub(super) offset: u64,
    /// How many; 0: to the end.
    pub(super) length: u64,
}

impl Range {
    /// Where it ends in this file, as far as the account may have it hashed.
    async fn end(self, work: &Work, file: &FileRef) -> Result<u64> {
        let size = file.metadata().await?.size;
        let end = match self.length {
            0 => size,
            length => self.offset.saturating_add(length).min(size),
        };
        let most = limit(&work.session, work.settings.hash_max_bytes);
        if self.offset > size {
            Err(failure("The range begins behind the end of the file"))
        } else if end - self.offset > most {
            Err(failure("The range is longer than may be hashed at once"))
        } else {
            Ok(end)
        }
    }
}

impl From<Md5Range<'_>> for Range {
    fn from(range: Md5Range<'_>) -> Self {
        Self {
            offset: range.offset,
            length: range.length,
        }
    }
}

/// What check-file asks for.
pub(super) struct Check {
    algorithm: Option<&'static Algorithm>,
    range: Range,
    /// Octets for each hash; 0: one hash for all.
    block: u32,
}

impl From<extension::Check<'_>> for Check {
    fn from(asked: extension::Check<'_>) -> Self {
        Self {
            algorithm: Algorithm::first_of(asked.algorithms),
            range: Range {
                offset: asked.offset,
                length: asked.length,
            },
            block: asked.block,
        }
    }
}

/// check-file.
pub(super) async fn check(work: Arc<Work>, subject: Subject, asked: Check) -> Result<Outcome> {
    let Check {
        algorithm,
        range,
        block,
    } = asked;
    let algorithm = algorithm.ok_or_else(|| failure("None of these hash algorithms is known"))?;
    if block != 0 && block < MIN_BLOCK {
        return Err(failure("A block has at least 256 octets"));
    }
    let file = subject.open(&work).await?;
    let end = range.end(&work, &file).await?;
    let block = match block {
        0 => u64::MAX,
        block => block.into(),
    };
    let octets = end - range.offset;
    if octets.div_ceil(block).saturating_mul(algorithm.length) > MAX_REPLY {
        return Err(failure("Too many blocks for one reply"));
    }
    let mut hashes = Vec::new();
    let limit = Limit::new(&work);
    let mut from = range.offset;
    loop {
        let to = from.saturating_add(block).min(end);
        hashes.extend(hash(&file, algorithm, from, to, &limit).await?);
        from = to;
        if from >= end {
            break;
        }
    }
    Ok(Outcome::Hashes {
        algorithm: algorithm.name,
        hashes,
    })
}

/// md5-hash.
pub(super) async fn md5(
    work: Arc<Work>,
    subject: Subject,
    range: Range,
    quick_check: Vec<u8>,
) -> Result<Outcome> {
    let file = subject.open(&work).await?;
    let end = range.end(&work, &file).await?;
    let limit = Limit::new(&work);
    if !quick_check.is_empty() {
        let quick = range.offset.saturating_add(QUICK).min(end);
        if hash(&file, &MD5, range.offset, quick, &limit).await? != quick_check {
            return Ok(Outcome::Md5(Vec::new()));
        }
    }
    let hash = hash(&file, &MD5, range.offset, end, &limit).await?;
    Ok(Outcome::Md5(hash))
}

/// When a request must stop hashing.
struct Limit<'a> {
    work: &'a Work,
    until: std::time::Instant,
}

impl<'a> Limit<'a> {
    fn new(work: &'a Work) -> Self {
        Self {
            work,
            until: clock::now() + MAX_TIME,
        }
    }

    fn look(&self) -> Result<()> {
        if self.work.is_ending() {
            Err(failure(ENDED))
        } else if clock::now() >= self.until {
            Err(failure("Hashing takes too long; ask for a smaller part"))
        } else {
            Ok(())
        }
    }
}

/// The hash of the octets `from..to`.
async fn hash(
    file: &FileRef,
    algorithm: &Algorithm,
    mut from: u64,
    to: u64,
    limit: &Limit<'_>,
) -> Result<Vec<u8>> {
    let mut digest = Digest::new(algorithm.kind);
    let mut chunk = buffer::borrow();
    while from < to {
        limit.look()?;
        chunk = file.read_at(chunk, from).await?;
        let most = usize::try_from(to - from).unwrap_or(usize::MAX);
        chunk.truncate(most);
        if chunk.is_empty() {
            break;
        }
        from += chunk.len() as u64;
        let slice = move || {
            digest.update(&chunk);
            (digest, chunk)
        };
        (digest, chunk) = tokio::task::spawn_blocking(slice).await.map_err(|_| {
            // The pool is being shut down.
            let nothing = VirtualPath::root();
            Error::new(ErrorKind::Unavailable, Operation::Read, &nothing)
        })?;
    }
    buffer::give_back(chunk);
    Ok(digest.finish())
}

/// A hash algorithm by its name on the wire.
#[derive(Debug)]
struct Algorithm {
    name: &'static str,
    kind: Kind,
    /// Octets of a hash.
    length: u64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Shared(Shared),
    Sha224,
    Sha384,
}

const fn algorithm(name: &'static str, kind: Kind, length: u64) -> Algorithm {
    Algorithm { name, kind, length }
}

static MD5: Algorithm = algorithm("md5", Kind::Shared(Shared::Md5), 16);

static OTHERS: [Algorithm; 6] = [
    algorithm("sha1", Kind::Shared(Shared::Sha1), 20),
    algorithm("sha224", Kind::Sha224, 28),
    algorithm("sha256", Kind::Shared(Shared::Sha256), 32),
    algorithm("sha384", Kind::Sha384, 48),
    algorithm("sha512", Kind::Shared(Shared::Sha512), 64),
    algorithm("crc32", Kind::Shared(Shared::Crc32), 4),
];

impl Algorithm {
    /// The first of a list that is known here.
    fn first_of(list: &[u8]) -> Option<&'static Self> {
        debug_assert_eq!(CHECK_FILE_ALGORITHMS.split(',').count(), 1 + OTHERS.len());
        list.split(|&byte| byte == b',').find_map(|name| {
            let mut known = std::iter::once(&MD5).chain(&OTHERS);
            known.find(|algorithm| algorithm.name.as_bytes() == name)
        })
    }
}

/// A hash in the making.
enum Digest {
    Shared(SharedDigest),
    Sha224(sha2::Sha224),
    Sha384(sha2::Sha384),
}

impl Digest {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Shared(algorithm) => Self::Shared(SharedDigest::new(algorithm)),
            Kind::Sha224 => Self::Sha224(sha2::Sha224::new()),
            Kind::Sha384 => Self::Sha384(sha2::Sha384::new()),
        }
    }

    fn update(&mut self, octets: &[u8]) {
        match self {
            Self::Shared(digest) => digest.update(octets),
            Self::Sha224(digest) => digest.update(octets),
            Self::Sha384(digest) => digest.update(octets),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Shared(digest) => unhex(&digest.finish()),
            Self::Sha224(digest) => digest.finalize().to_vec(),
            Self::Sha384(digest) => digest.finalize().to_vec(),
        }
    }
}

/// The octets of lower-case hex of our own making.
fn unhex(hex: &str) -> Vec<u8> {
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    pairs
        .iter()
        .filter_map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sft_60_every_algorithm_that_is_announced_is_known_by_its_length() {
        for name in CHECK_FILE_ALGORITHMS.split(',') {
            let algorithm = Algorithm::first_of(name.as_bytes()).unwrap();
            assert_eq!(algorithm.name, name);
            let digest = Digest::new(algorithm.kind);
            assert_eq!(digest.finish().len() as u64, algorithm.length, "{name}");
        }
    }

    #[test]
    fn sft_60_the_first_known_algorithm_of_the_list_wins() {
        let first = |list: &[u8]| Algorithm::first_of(list).map(|algorithm| algorithm.name);
        assert_eq!(first(b"tiger,sha256,md5"), Some("sha256"));
        assert_eq!(first(b"tiger"), None);
        assert_eq!(first(b""), None);
    }
}
