//! Where a key may be used from: the patterns of `from=` and of a certificate's `source-address`.
//!
//! A list with commas: addresses, networks in CIDR notation, and wildcards (`*`, `?`) over the address as
//! text. `!` before a pattern forbids what it matches, whatever else matches (ssh_config(5), PATTERNS).
//! Names of hosts are refused: they would be believed from whoever answers for the peer's address in
//! the DNS.

use std::net::IpAddr;

use crate::{Network, normalised};

/// Longest list, in patterns.
const MAX_PATTERNS: usize = 256;

/// A list of patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressPatterns(Vec<(Sense, Pattern)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    Allowed,
    Forbidden,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Network(Network),
    Wildcard(String),
}

impl AddressPatterns {
    /// Reads the patterns of `from=`; `Err` has the pattern that is none.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut patterns = Vec::new();
        for written in text.split(',') {
            let (sense, pattern) = match written.strip_prefix('!') {
                Some(rest) => (Sense::Forbidden, rest),
                None => (Sense::Allowed, written),
            };
            let is_wildcard = pattern.contains(['*', '?'])
                && pattern
                    .chars()
                    .all(|letter| letter.is_ascii_hexdigit() || ".:*?".contains(letter));
            let pattern = match pattern.parse() {
                Ok(network) => Pattern::Network(network),
                Err(_) if is_wildcard => Pattern::Wildcard(pattern.to_ascii_lowercase()),
                Err(_) => return Err(written.to_owned()),
            };
            if patterns.len() == MAX_PATTERNS {
                return Err(written.to_owned());
            }
            patterns.push((sense, pattern));
        }
        Ok(Self(patterns))
    }

    /// Reads a certificate's `source-address`: addresses and networks alone.
    pub(crate) fn parse_networks(text: &str) -> Option<Self> {
        let patterns: Vec<_> = text
            .split(',')
            .take(MAX_PATTERNS + 1)
            .map(|written| Some((Sense::Allowed, Pattern::Network(written.parse().ok()?))))
            .collect::<Option<_>>()?;
        (patterns.len() <= MAX_PATTERNS).then_some(Self(patterns))
    }

    /// Whether `peer` is allowed: some pattern allows it and none forbids it.
    pub(crate) fn matches(&self, peer: IpAddr) -> bool {
        let text = normalised(peer).to_string();
        let matched = |wanted| {
            self.0.iter().any(|(sense, pattern)| {
                *sense == wanted
                    && match pattern {
                        Pattern::Network(network) => network.contains(peer),
                        Pattern::Wildcard(pattern) => is_like(text.as_bytes(), pattern.as_bytes()),
                    }
            })
        };
        matched(Sense::Allowed) && !matched(Sense::Forbidden)
    }
}

/// Whether `text` is like `pattern`, in time bounded by the product of their lengths.
fn is_like(text: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut of) = (0, 0);
    // Where the last star stands and how much it has taken.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match (pattern.get(of), text.get(at)) {
            (Some(b'*'), _) => {
                star = Some((of, at));
                of += 1;
            }
            (Some(b'?'), Some(_)) => (at, of) = (at + 1, of + 1),
            (Some(wanted), Some(is)) if wanted == is => (at, of) = (at + 1, of + 1),
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, of) = (taken + 1, place + 1);
                }
                None => return false,
            },
        }
    }
    pattern
        .get(of..)
        .unwrap_or_default()
        .iter()
        .all(|octet| *octet == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(patterns: &str, peer: &str) -> bool {
        AddressPatterns::parse(patterns)
            .unwrap()
            .matches(peer.parse().unwrap())
    }

    #[test]
    fn sft_06_from_takes_addresses_networks_wildcards_and_their_negation() {
        assert!(allows("192.0.2.7", "192.0.2.7"));
        assert!(allows("192.0.2.7", "::ffff:192.0.2.7"), "mapped");
        assert!(!allows("192.0.2.7", "192.0.2.70"));
        assert!(allows("10.0.0.0/8,192.0.2.0/24", "192.0.2.9"));
        assert!(!allows("192.0.2.0/24,!192.0.2.9", "192.0.2.9"));
        assert!(!allows("!192.0.2.9,192.0.2.0/24", "192.0.2.9"), "any order");
        assert!(!allows("!192.0.2.9", "192.0.2.8"), "nothing allows");
        assert!(allows("*,!192.0.2.9", "192.0.2.8"));
        assert!(allows("192.0.2.*", "192.0.2.8") && !allows("192.0.2.*", "192.0.20.8"));
        assert!(allows("192.0.2.?", "192.0.2.8") && !allows("192.0.2.?", "192.0.2.80"));
        assert!(allows("2001:db8::/32", "2001:db8::1"));
        assert!(allows("2001:DB8::*", "2001:db8::1"));
        assert!(!allows("2001:db8::/32", "192.0.2.1"));
        assert!(allows("*2*0*8", "192.0.2.8") && !allows("*2*0*9", "192.0.2.8"));
    }

    #[test]
    fn names_of_hosts_and_broken_networks_are_refused() {
        for wrong in [
            "example.org",
            "*.example.org",
            "192.0.2.0/33",
            "192.0.2.1/24",
            "",
            "a,",
            "!",
        ] {
            assert!(AddressPatterns::parse(wrong).is_err(), "{wrong}");
        }
        let many = vec!["192.0.2.1"; MAX_PATTERNS + 1].join(",");
        assert!(AddressPatterns::parse(&many).is_err());
        assert!(AddressPatterns::parse_networks(&many).is_none());
    }

    #[test]
    fn a_certificates_source_address_has_no_wildcards() {
        let matches = |text: &str| {
            AddressPatterns::parse_networks(text)
                .map(|patterns| patterns.matches([192, 0, 2, 1].into()))
        };
        assert_eq!(matches("192.0.2.0/24,::1/128"), Some(true));
        assert_eq!(matches("10.0.0.0/8"), Some(false));
        assert_eq!(matches("192.0.2.*"), None);
        assert_eq!(matches("!10.0.0.0/8"), None);
    }
}
