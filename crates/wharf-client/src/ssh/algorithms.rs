//! The algorithms that are offered.
//!
//! Post-quantum key exchange first; strict key exchange always (CVE-2023-48795); MACs only in
//! encrypt-then-MAC. What older servers need beyond that is offered on request only.

use russh::{Preferred, cipher, compression, kex, keys::Algorithm, mac};

const KEY_EXCHANGES: [kex::Name; 5] = [
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::DH_G18_SHA512,
    kex::DH_G16_SHA512,
];

/// Weak by their groups, curves or SHA-1; the better ones first.
const OLD_KEY_EXCHANGES: [kex::Name; 6] = [
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G14_SHA256,
    kex::DH_G14_SHA1,
];

const EXTENSIONS: [kex::Name; 2] = [
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

/// AES-GCM first: the fastest wherever the processor knows AES, which is nearly everywhere.
const CIPHERS: [cipher::Name; 6] = [
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

const OLD_CIPHERS: [cipher::Name; 2] = [cipher::AES_256_CBC, cipher::AES_128_CBC];

const MACS: [mac::Name; 2] = [mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM];

const OLD_MACS: [mac::Name; 4] = [
    mac::HMAC_SHA256,
    mac::HMAC_SHA512,
    mac::HMAC_SHA1_ETM,
    mac::HMAC_SHA1,
];

fn joined<T: Copy>(new: &[T], old: &[T], legacy: bool) -> Vec<T> {
    let old = if legacy { old } else { &[] };
    new.iter().chain(old).copied().collect()
}

/// The lists for one connection.
pub(super) fn preferred(
    host_keys: Vec<Algorithm>,
    host_certificates: Vec<Algorithm>,
    legacy: bool,
) -> Preferred {
    let mut key_exchanges = joined(&KEY_EXCHANGES, &OLD_KEY_EXCHANGES, legacy);
    key_exchanges.extend(EXTENSIONS);
    Preferred {
        kex: key_exchanges.into(),
        key: host_keys.into(),
        host_key_certificates: host_certificates.into(),
        cipher: joined(&CIPHERS, &OLD_CIPHERS, legacy).into(),
        mac: joined(&MACS, &OLD_MACS, legacy).into(),
        compression: vec![compression::NONE].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cve_2023_48795_strict_key_exchange_is_asked_for_always() {
        for legacy in [false, true] {
            let lists = preferred(vec![Algorithm::Ed25519], Vec::new(), legacy);
            assert!(
                lists
                    .kex
                    .contains(&kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT)
            );
            assert_eq!(lists.kex.contains(&kex::DH_G14_SHA1), legacy);
            assert_eq!(lists.mac.contains(&mac::HMAC_SHA1), legacy);
        }
    }
}
