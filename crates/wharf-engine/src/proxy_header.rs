//! The PROXY protocol header, versions 1 and 2, as HAProxy specifies it.
//!
//! It is read only from proxies that the configuration names; from them it must come, whole and
//! well-formed, or the connection is closed (ADM-03). Whoever else sends it is talking nonsense to
//! the protocol behind.
//!
//! Pure: bytes in, verdict out. It must not read past the header: what follows is the peer's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest header that is read: version 1 has at most 107 octets, version 2 a length field.
pub const MAX_HEADER: usize = 536;

/// What the first octets of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// More octets are needed.
    Incomplete,
    /// A header of so many octets. `None`: the proxy speaks for itself (LOCAL, UNKNOWN).
    Header {
        /// Octets of the header.
        length: usize,
        /// Source and destination as the proxy saw them.
        addresses: Option<(SocketAddr, SocketAddr)>,
    },
    /// No header.
    Malformed,
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Looks at the first octets of a connection.
pub fn parse(bytes: &[u8]) -> Parsed {
    let signature = bytes
        .get(..SIGNATURE.len().min(bytes.len()))
        .unwrap_or_default();
    if SIGNATURE.starts_with(signature) && !bytes.is_empty() {
        return parse_binary(bytes);
    }
    parse_text(bytes)
}

fn parse_text(bytes: &[u8]) -> Parsed {
    const WORD: &[u8] = b"PROXY ";
    /// "PROXY TCP6 " with two full addresses and ports, CRLF included.
    const LONGEST: usize = 107;
    let start = bytes.get(..WORD.len().min(bytes.len())).unwrap_or_default();
    if !WORD.starts_with(start) {
        return Parsed::Malformed;
    }
    let Some(end) = bytes
        .windows(2)
        .take(LONGEST - 1)
        .position(|pair| pair == b"\r\n")
    else {
        return if bytes.len() < LONGEST {
            Parsed::Incomplete
        } else {
            Parsed::Malformed
        };
    };
    let length = end + 2;
    let line = bytes
        .get(WORD.len()..end)
        .and_then(|line| std::str::from_utf8(line).ok());
    let Some(line) = line else {
        return Parsed::Malformed;
    };
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Parsed::Header {
            length,
            addresses: None,
        };
    }
    parse_text_addresses(line).map_or(Parsed::Malformed, |addresses| Parsed::Header {
        length,
        addresses: Some(addresses),
    })
}

fn parse_text_addresses(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let mut words = line.split(' ');
    let is_v4 = match words.next()? {
        "TCP4" => true,
        "TCP6" => false,
        _ => return None,
    };
    let source: IpAddr = words.next()?.parse().ok()?;
    let destination: IpAddr = words.next()?.parse().ok()?;
    // `parse` alone would take a sign.
    let mut port = || {
        words
            .next()
            .filter(|word| !word.starts_with('+'))?
            .parse::<u16>()
            .ok()
    };
    let (source_port, destination_port) = (port()?, port()?);
    let fits =
        words.next().is_none() && source.is_ipv4() == is_v4 && destination.is_ipv4() == is_v4;
    fits.then(|| {
        (
            SocketAddr::new(source, source_port),
            SocketAddr::new(destination, destination_port),
        )
    })
}

/// ```text
/// signature (12) | version 2 and command (1) | family and transport (1) | length (2) | addresses
/// ```
fn parse_binary(bytes: &[u8]) -> Parsed {
    let Some(&[version_command, family, high, low]) =
        bytes.get(12..16).and_then(|head| head.first_chunk())
    else {
        return Parsed::Incomplete;
    };
    let body_length = u16::from_be_bytes([high, low]) as usize;
    let length = 16 + body_length;
    if version_command >> 4 != 2 || version_command & 15 > 1 || length > MAX_HEADER {
        return Parsed::Malformed;
    }
    let Some(body) = bytes.get(16..length) else {
        return Parsed::Incomplete;
    };
    if version_command & 15 == 0 {
        return Parsed::Header {
            length,
            addresses: None,
        };
    }
    let addresses = match family {
        0x11 => parse_v4(body),
        0x21 => parse_v6(body),
        // UNSPEC, datagrams and Unix sockets tell no TCP peer.
        _ => {
            return Parsed::Header {
                length,
                addresses: None,
            };
        }
    };
    addresses.map_or(Parsed::Malformed, |addresses| Parsed::Header {
        length,
        addresses: Some(addresses),
    })
}

fn parse_v4(body: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let &[a, b, c, d, e, f, g, h, p, q, r, s] = body.first_chunk::<12>()?;
    let source = SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([p, q]));
    let destination = SocketAddr::new(Ipv4Addr::new(e, f, g, h).into(), u16::from_be_bytes([r, s]));
    Some((source, destination))
}

fn parse_v6(body: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let source = *body.get(..16)?.first_chunk::<16>()?;
    let destination = *body.get(16..32)?.first_chunk::<16>()?;
    let &[p, q, r, s] = body.get(32..36)?.first_chunk::<4>()?;
    Some((
        SocketAddr::new(Ipv6Addr::from(source).into(), u16::from_be_bytes([p, q])),
        SocketAddr::new(
            Ipv6Addr::from(destination).into(),
            u16::from_be_bytes([r, s]),
        ),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_versions_tell_the_same_peer() {
        let text = b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 21\r\nUSER x\r\n";
        let mut binary = SIGNATURE.to_vec();
        binary.extend([
            0x21, 0x11, 0, 12, 192, 0, 2, 7, 192, 0, 2, 1, 0x0f, 0xa0, 0, 21,
        ]);
        let addresses = Some((([192, 0, 2, 7], 4000).into(), ([192, 0, 2, 1], 21).into()));
        assert_eq!(
            parse(text),
            Parsed::Header {
                length: 40,
                addresses
            }
        );
        assert_eq!(
            parse(&binary),
            Parsed::Header {
                length: 28,
                addresses
            }
        );
        for cut in 1..28 {
            assert_eq!(parse(&binary[..cut]), Parsed::Incomplete, "cut at {cut}");
        }
    }

    #[test]
    fn a_proxy_may_speak_for_itself() {
        let mut local = SIGNATURE.to_vec();
        local.extend([0x20, 0, 0, 0]);
        assert_eq!(
            parse(&local),
            Parsed::Header {
                length: 16,
                addresses: None
            }
        );
        assert_eq!(
            parse(b"PROXY UNKNOWN\r\n"),
            Parsed::Header {
                length: 15,
                addresses: None
            }
        );
    }

    #[test]
    fn anything_else_is_malformed() {
        for bytes in [
            &b"USER anna\r\n"[..],
            b"PROXY TCP4 2001:db8::1 192.0.2.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 99999\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 21 x\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 +4000 21\r\n",
            b"PROXY TCP4 192.0.2.7\r\n",
            b"PROXY UDP4 192.0.2.7 192.0.2.1 4000 21\r\n",
            b"PROXY \r\n",
            b"PROXY\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04\0\0\0\0",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        ] {
            assert_eq!(parse(bytes), Parsed::Malformed, "{}", bytes.escape_ascii());
        }
        let endless = [b"PROXY ".as_slice(), &[b'1'; 200]].concat();
        assert_eq!(parse(&endless), Parsed::Malformed);
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic_and_none_are_read_beyond_the_cap(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
            if let Parsed::Header { length, .. } = parse(&bytes) {
                prop_assert!(length <= bytes.len().min(MAX_HEADER));
            }
        }
    }
}
