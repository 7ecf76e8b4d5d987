//! Transfers by the old protocol of scp: one command on the server for a file or a whole tree.
//!
//! The protocol has no sizes to ask for, no resumption and no hash: what arrived is counted against what
//! was announced, and that is all that can be said of it. Nothing is made bigger before its octets came
//! (SCP-34).

mod get;
mod put;
#[cfg(test)]
mod tests;

pub(super) use get::get;
pub(crate) use get::get_tree;
pub(super) use put::put;
pub(crate) use put::put_tree;

use wharf_proto::scp::quote;

use super::Verified;
use crate::{Error, Kind, Location, Options, Result, Step, Verify, site::UrlType};

/// Octets that are moved at once.
const RUN: usize = 1024 * 1024;

/// The command line of the other end (SCP-31).
fn command(options: &str, path: &[u8]) -> Vec<u8> {
    [b"scp ", options.as_bytes(), b" ", &quote::path(path)].concat()
}

/// The path of a place.
fn path(place: &Location, options: &Options) -> Result<Vec<u8>> {
    check(place, options)?;
    Ok(place.path())
}

/// The path of the directory that a place is in.
fn parent(place: &Location, options: &Options) -> Result<Vec<u8>> {
    check(place, options)?;
    let segments = place.parents().to_vec();
    let parent = Location {
        segments,
        ..place.clone()
    };
    Ok(parent.path())
}

fn check(place: &Location, options: &Options) -> Result<()> {
    let usage = |text: &str| Err(Error::new(Step::Command, Kind::Usage, text));
    if place.kind == Some(UrlType::Text) {
        return usage("scp has no text type; leave out ;type=a");
    }
    if options.verify == Verify::Hash {
        return usage("the old protocol of scp has no hash to compare with");
    }
    Ok(())
}

/// How sure a copy is whose octets were counted.
fn counted(options: &Options) -> Verified {
    if options.verify == Verify::None {
        Verified::Closed
    } else {
        Verified::Size
    }
}
