//! Hardware addresses, and patterns of them: one device, or all of a maker.

use std::{fmt, str::FromStr};

/// A hardware address of six octets (Ethernet, Wi-Fi). Shown as `00-1b-d4-aa-bb-cc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// One address, or all that begin alike: `00:1b:d4:aa:bb:cc`, `00-1b-d4-*`, `001b.d4aa.bbcc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MacPattern {
    octets: [u8; 6],
    /// How many of them count, 1 to 6.
    length: usize,
}

/// Why a text is no hardware address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MacError {
    /// No six octets.
    #[error("`{0}` is no hardware address; write it like 00:1b:d4:aa:bb:cc")]
    Address(String),
    /// Neither six octets nor a beginning of them.
    #[error(
        "`{0}` is no hardware address and no beginning of one; write 00:1b:d4:aa:bb:cc, or 00:1b:d4:* for all that begin so"
    )]
    Pattern(String),
}

impl Mac {
    /// Whether it can be a device's own: neither nothing nor a group (the lowest bit of the first octet,
    /// IEEE 802).
    pub const fn is_unicast(self) -> bool {
        let [first, ..] = self.0;
        first & 1 == 0 && u64::from_be_bytes(self.widened()) != 0
    }

    const fn widened(self) -> [u8; 8] {
        let [a, b, c, d, e, f] = self.0;
        [0, 0, a, b, c, d, e, f]
    }
}

impl MacPattern {
    /// Whether the address is one of those that are meant.
    pub fn matches(&self, mac: Mac) -> bool {
        self.octets
            .iter()
            .zip(mac.0)
            .take(self.length)
            .all(|(wanted, octet)| *wanted == octet)
    }
}

/// The octets of a text that is hexadecimal digits with `:`, `-` or (in fours) `.` between.
fn octets(text: &str) -> Option<Vec<u8>> {
    let (separator, digits) = match text.bytes().find(|octet| b":-.".contains(octet))? {
        b'.' => ('.', 4),
        other => (char::from(other), 2),
    };
    let mut octets = Vec::with_capacity(6);
    for group in text.split(separator) {
        if group.len() != digits || octets.len() >= 6 {
            return None;
        }
        for pair in group.as_bytes().chunks_exact(2) {
            let pair = str::from_utf8(pair).ok()?;
            if !pair.bytes().all(|octet| octet.is_ascii_hexdigit()) {
                return None;
            }
            octets.push(u8::from_str_radix(pair, 16).ok()?);
        }
    }
    Some(octets)
}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        octets(text)
            .and_then(|octets| octets.try_into().ok())
            .map(Self)
            .ok_or_else(|| MacError::Address(text.to_owned()))
    }
}

impl FromStr for MacPattern {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let wrong = || MacError::Pattern(text.to_owned());
        let begin = text.strip_suffix(":*").or_else(|| text.strip_suffix("-*"));
        let Some(begin) = begin else {
            let Mac(octets) = text.parse().map_err(|_| wrong())?;
            return Ok(Self { octets, length: 6 });
        };
        // One octet has no separator of its own: it is read with the star's.
        let separated = match begin.len() {
            2 => octets(&format!("{begin}:00")).map(|mut both| {
                both.truncate(1);
                both
            }),
            _ => octets(begin),
        };
        let known = separated
            .filter(|known| known.len() < 6)
            .ok_or_else(wrong)?;
        let mut octets = [0; 6];
        for (place, octet) in octets.iter_mut().zip(&known) {
            *place = *octet;
        }
        Ok(Self {
            octets,
            length: known.len(),
        })
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(formatter, "{a:02x}-{b:02x}-{c:02x}-{d:02x}-{e:02x}-{f:02x}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_in_every_usual_form() {
        let mac = Mac([0x00, 0x1b, 0xd4, 0xaa, 0xbb, 0xcc]);
        for text in ["00:1b:d4:aa:bb:cc", "00-1B-D4-AA-BB-CC", "001b.d4aa.bbcc"] {
            assert_eq!(text.parse::<Mac>(), Ok(mac), "{text}");
        }
        assert_eq!(mac.to_string(), "00-1b-d4-aa-bb-cc");
    }

    #[test]
    fn a_pattern_is_one_address_or_a_beginning() {
        let mac = Mac([0x00, 0x1b, 0xd4, 0xaa, 0xbb, 0xcc]);
        for text in [
            "00:1b:d4:aa:bb:cc",
            "00:1b:d4:*",
            "00-1b-d4-aa-bb-*",
            "00:*",
        ] {
            assert!(text.parse::<MacPattern>().unwrap().matches(mac), "{text}");
        }
        for text in ["00:1b:d4:aa:bb:cd", "00:1b:d5:*", "02:*"] {
            assert!(!text.parse::<MacPattern>().unwrap().matches(mac), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "*",
            ":*",
            "-*",
            "00",
            "00:1b:d4:aa:bb",
            "00:1b:d4:aa:bb:cc:dd",
            "00:1b-d4:aa:bb:cc",
            "0:1b:d4:aa:bb:cc",
            "+0:1b:d4:aa:bb:cc",
            "00:1b:d4:aa:bb:cc:*",
            "001b.d4aa.*",
            "00:1b:d4:aa:bb:c*",
            "ä:1b:d4:aa:bb:cc",
        ] {
            assert!(text.parse::<MacPattern>().is_err(), "{text}");
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn groups_and_nothing_are_no_device() {
        assert!(!Mac([0; 6]).is_unicast());
        assert!(!Mac([0xff; 6]).is_unicast());
        assert!(!Mac([0x01, 0, 0x5e, 0, 0, 1]).is_unicast());
        assert!(Mac([0x02, 0, 0, 0, 0, 0]).is_unicast());
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in any::<String>()) {
            let _ = text.parse::<Mac>();
            let _ = text.parse::<MacPattern>();
        }

        #[test]
        fn every_address_is_read_back(octets: [u8; 6]) {
            let mac = Mac(octets);
            prop_assert_eq!(mac.to_string().parse::<Mac>(), Ok(mac));
            prop_assert!(mac.to_string().parse::<MacPattern>().unwrap().matches(mac));
        }
    }
}
