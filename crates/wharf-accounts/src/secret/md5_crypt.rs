//! Poul-Henning Kamp's md5-crypt (`$1$`), for accounts that come from old systems.
//!
//! It is weak by today's measure and only ever checked, never written. The steps are numbered by
//! nobody but the original source (FreeBSD, crypt-md5.c); the odd ones are its, and must stay.

use md5::{Digest, Md5};

use super::CRYPT64;

/// Characters of an encoded digest.
const ENCODED: usize = 22;
/// Which bytes of the digest make which group of four characters.
const GROUPS: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];

/// The last field of `$1$salt$...` for `password`.
pub(super) fn encoded(password: &[u8], salt: &[u8]) -> [u8; ENCODED] {
    let digest = digest(password, salt);
    let byte = |at: usize| u32::from(digest.get(at).copied().unwrap_or_default());
    let mut text = [0; ENCODED];
    let mut places = text.iter_mut();
    let mut put = |mut value: u32, characters: usize| {
        for place in places.by_ref().take(characters) {
            *place = CRYPT64
                .get((value & 0x3f) as usize)
                .copied()
                .unwrap_or_default();
            value >>= 6;
        }
    };
    for [a, b, c] in GROUPS {
        put(byte(a) << 16 | byte(b) << 8 | byte(c), 4);
    }
    put(byte(11), 2);
    text
}

fn digest(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner: [u8; 16] = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    let mut outer = Md5::new()
        .chain_update(password)
        .chain_update(b"$1$")
        .chain_update(salt);
    outer.update(
        inner
            .iter()
            .cycle()
            .take(password.len())
            .copied()
            .collect::<Vec<_>>(),
    );
    let mut length = password.len();
    while length > 0 {
        // The original clears the buffer first, so a set bit adds a zero byte.
        let first = password.get(..1).unwrap_or_default();
        outer.update(if length & 1 == 1 { b"\0" } else { first });
        length >>= 1;
    }
    let mut digest: [u8; 16] = outer.finalize().into();
    for round in 0..1000 {
        let mut hash = Md5::new();
        if round % 2 == 1 {
            hash.update(password)
        } else {
            hash.update(digest)
        }
        if round % 3 != 0 {
            hash.update(salt);
        }
        if round % 7 != 0 {
            hash.update(password);
        }
        if round % 2 == 1 {
            hash.update(digest)
        } else {
            hash.update(password)
        }
        digest = hash.finalize().into();
    }
    digest
}
