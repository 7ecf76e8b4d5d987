//! Names that an upload chooses itself.

use std::{collections::hash_map::RandomState, hash::BuildHasher};

use crate::{Operation, Result, VirtualPath};

/// The name itself, then with `.1`, `.2`...
pub(super) fn numbered(
    directory: &VirtualPath,
    name: &[u8],
    number: u32,
) -> Result<VirtualPath, crate::PathError> {
    if number == 0 {
        directory.join_name(name)
    } else {
        directory.join_name(&[name, format!(".{number}").as_bytes()].concat())
    }
}

pub(super) fn temporary_name(directory: &VirtualPath, target: &VirtualPath) -> Result<VirtualPath> {
    let name = [
        VirtualPath::RESERVED_PREFIX,
        &random_letters::<16>(),
        b".part",
    ]
    .concat();
    directory
        .join_name(&name)
        .map_err(|error| error.into_error(Operation::Write, target))
}

/// Random letters and digits (base 32, 5 bits each). They keep names apart and are no secret: the
/// randomly keyed hasher of the standard library gives them without a system call.
pub(super) fn random_letters<const LENGTH: usize>() -> [u8; LENGTH] {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let state = RandomState::new();
    std::array::from_fn(|index| {
        let [byte, ..] = state.hash_one(index).to_le_bytes();
        // The remainder is below 32, so the fallback is never taken.
        ALPHABET
            .get(usize::from(byte % 32))
            .copied()
            .unwrap_or(b'a')
    })
}
