//! Transfers over SFTP: many files in flight on one channel, each in as few round trips as it takes.
//!
//! A small file costs two to fetch (OPEN; then READ, FSTAT, the hash and CLOSE together) and three to
//! send (OPEN; then WRITE, FSETSTAT, FSTAT, CLOSE and the hash together; then the rename). A large one
//! fills the path with an adaptive window. The ladder is FTP's: the size always, a hash where the
//! server offers check-file; unless a hash is asked for, large files go without, because the transport
//! has proved every octet already and hashing would take as long as the transfer.

mod cat;
mod get;
mod put;

pub(super) use cat::{Seen, cat};
pub(super) use get::get;
pub(super) use put::put;

use wharf_transfer::Algorithm;

use super::{Verified, differs};
use crate::{Error, Kind, Location, Options, Result, Step, Verify, site::UrlType};

/// Octets up to which a file is moved whole, in memory.
const SMALL: u64 = 256 * 1024;

/// Octets up to which a hash is compared unasked.
const CHEAP_TO_HASH: u64 = 8 * 1024 * 1024;

/// Whether a file of that size is to be hashed.
fn wants_hash(options: &Options, size: u64) -> bool {
    match options.verify {
        Verify::Auto => size <= CHEAP_TO_HASH,
        Verify::Hash => true,
        Verify::Size | Verify::None => false,
    }
}

/// The path of a file, which must be named.
fn file_path(place: &Location) -> Result<Vec<u8>> {
    let usage = |text: String| Error::new(Step::Command, Kind::Usage, text);
    if place.name().is_none_or(|name| name == b"/") {
        return Err(usage(format!("{place} names no file")));
    }
    if place.kind == Some(UrlType::Text) {
        return Err(usage("SFTP has no text type; leave out ;type=a".to_owned()));
    }
    Ok(place.path())
}

/// How sure a copy is whose size is `size` here and `remote` there, if that was told, and whose hashes
/// are `hashes`, if the server told one.
fn judge(
    options: &Options,
    what: &str,
    size_is_known: bool,
    hashes: Option<(Algorithm, String, String)>,
) -> Result<Verified> {
    if options.verify == Verify::None {
        return Ok(Verified::Closed);
    }
    match hashes {
        Some((algorithm, ours, theirs)) if ours != theirs => {
            Err(differs(what, algorithm, &ours, &theirs))
        }
        Some((algorithm, ..)) => Ok(Verified::Hash(algorithm)),
        None if options.verify == Verify::Hash => Err(no_hash(what)),
        None if size_is_known => Ok(Verified::Size),
        None => Ok(Verified::Closed),
    }
}

fn no_hash(what: &str) -> Error {
    Error::new(
        Step::Verify,
        Kind::Differs,
        format!("{what}: the server offers no hash to compare with"),
    )
    .hint("use --verify=auto or --verify=size")
}
