//! Address ranges in CIDR notation.
//!
//! Addresses are compared after un-mapping `::ffff:a.b.c.d`: a dual-stack listener reports IPv4
//! peers in that form, and a rule for `192.0.2.0/24` must hold for them (and no rule can be
//! passed by it). RFC 4632, RFC 4291 2.3 and 2.5.5.2.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// An address with an IPv4-mapped IPv6 address turned into the IPv4 address that it means.
pub const fn normalised(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(v6),
        },
        v4 => v4,
    }
}

/// A range of addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// First address; its host bits are zero.
    base: IpAddr,
    /// Length of the prefix in bits: 0 to 32 or 0 to 128.
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// No address before the slash.
    #[error("`{0}` is no IP address; write it like 192.0.2.0/24 or 2001:db8::/32")]
    Address(String),
    /// The prefix length is none.
    #[error("`{text}` is no prefix length; it must be a number from 0 to {max}")]
    Prefix {
        /// What stands after the slash.
        text: String,
        /// Greatest length for the family.
        max: u8,
    },
    /// Bits are set behind the prefix.
    #[error("the address has bits behind the prefix; did you mean {meant}?")]
    HostBits {
        /// The network with these bits cleared.
        meant: Network,
    },
}

impl Network {
    /// The network of `prefix` bits that `address` lies in, counted in its family after un-mapping;
    /// a longer prefix than the family has means the one address.
    pub fn of(address: IpAddr, prefix: u8) -> Self {
        match normalised(address) {
            IpAddr::V4(v4) => {
                let prefix = prefix.min(32);
                Self {
                    base: IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask32(prefix))),
                    prefix,
                }
            }
            IpAddr::V6(v6) => {
                let prefix = prefix.min(128);
                Self {
                    base: IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask128(prefix))),
                    prefix,
                }
            }
        }
    }

    /// Whether `address` lies in it, after un-mapping.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, normalised(address)) {
            (IpAddr::V4(base), IpAddr::V4(v4)) => {
                v4.to_bits() & mask32(self.prefix) == base.to_bits()
            }
            (IpAddr::V6(base), IpAddr::V6(v6)) => {
                v6.to_bits() & mask128(self.prefix) == base.to_bits()
            }
            _ => false,
        }
    }

    /// The first address.
    pub const fn base(&self) -> IpAddr {
        self.base
    }

    /// The length of the prefix in bits.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }
}

fn mask32(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn mask128(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address
            .parse()
            .map_err(|_| NetworkError::Address(address.to_owned()))?;
        let address = normalised(written);
        // A mapped network, ::ffff:192.0.2.0/120, counts its prefix from the 96 bits of mapping.
        let mapped: u8 = if address == written { 0 } else { 96 };
        let max = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => max,
            Some(digits) => digits
                .parse::<u8>()
                .ok()
                .filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|bits| bits.checked_sub(mapped))
                .filter(|bits| *bits <= max)
                .ok_or_else(|| NetworkError::Prefix {
                    text: digits.to_owned(),
                    max: max + mapped,
                })?,
        };
        let network = Self::of(address, prefix);
        if network.base == address {
            Ok(network)
        } else {
            Err(NetworkError::HostBits { meant: network })
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn mapped_addresses_are_the_ipv4_addresses_that_they_mean() {
        assert!(network("192.0.2.0/24").contains("::ffff:192.0.2.9".parse().unwrap()));
        assert!(network("::ffff:192.0.2.0/120").contains("192.0.2.9".parse().unwrap()));
        assert!(!network("::/0").contains("192.0.2.9".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1/32"));
    }

    #[test]
    fn the_prefix_decides() {
        assert!(network("0.0.0.0/0").contains("203.0.113.7".parse().unwrap()));
        assert!(network("2001:db8::/32").contains("2001:db8:ffff::1".parse().unwrap()));
        assert!(!network("2001:db8::/32").contains("2001:db9::1".parse().unwrap()));
        assert!(!network("192.0.2.0/25").contains("192.0.2.128".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_says_why() {
        for text in [
            "",
            "/",
            "192.0.2.1/",
            "192.0.2.0/33",
            "::/129",
            "192.0.2.0/+8",
            "example.org",
            "::ffff:1.2.3.4/95",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert_eq!(
            "10.1.2.3/8".parse::<Network>(),
            Err(NetworkError::HostBits {
                meant: network("10.0.0.0/8")
            })
        );
    }

    proptest! {
        #[test]
        fn every_network_is_read_back_and_holds_its_own_address(bits: u128, v4: bool, prefix in 0u8..=128) {
            let address = if v4 {
                IpAddr::V4(Ipv4Addr::from_bits((bits & 0xffff_ffff) as u32))
            } else {
                IpAddr::V6(Ipv6Addr::from_bits(bits))
            };
            let network = Network::of(address, prefix);
            prop_assert!(network.contains(address));
            prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
        }
    }
}
