//! Addresses in commands and replies: PORT, 227, EPRT, EPSV, 229.
//!
//! Commands are read strictly, because a server decides on them whom to connect to (RFC 2577);
//! replies are read as widely as servers write them (RFC 1123 4.1.2.6: scan for the digits). Whether
//! an address may be *used* is not judged here. RFC 959 5.3.2, RFC 2428.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use thiserror::Error;

use super::{decimal, sink::Sink};

/// Why an address could not be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HostPortError {
    /// Not six numbers.
    #[error("expected six numbers from 0 to 255 separated by commas: h1,h2,h3,h4,p1,p2")]
    SixNumbers,
    /// Port zero.
    #[error("port 0 cannot be connected to")]
    PortZero,
    /// The delimiters or the number of fields are wrong.
    #[error("expected |1|IPv4 address|port| or |2|IPv6 address|port|")]
    ExtendedForm,
    /// A family that RFC 2428 does not number 1 or 2.
    #[error("network protocol not supported, use 1 (IPv4) or 2 (IPv6)")]
    UnknownFamily,
    /// The address is not one of its family, carries a zone or is IPv4-mapped.
    #[error("the address does not belong to the network protocol in front of it")]
    Address,
    /// The EPSV argument is neither 1, 2 nor ALL.
    #[error("EPSV takes nothing, 1, 2 or ALL")]
    PassiveArgument,
    /// No `(|||port|)` in the reply.
    #[error("expected (|||port|) in the reply")]
    ExtendedReply,
}

/// The argument of EPSV (RFC 2428 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendedPassive {
    /// None: the family of the control connection.
    Default,
    /// This family, 1 (IPv4) or 2 (IPv6).
    Family(u8),
    /// From now on nothing but EPSV.
    All,
}

/// A decimal number without sign, at most `limit`, of at most ten digits.
fn number(text: &[u8], limit: u32) -> Option<u32> {
    if text.is_empty() || text.len() > 10 {
        return None;
    }
    let mut sum = 0_u64;
    for &byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        sum = sum * 10 + u64::from(byte - b'0');
    }
    u32::try_from(sum).ok().filter(|&sum| sum <= limit)
}

fn octet(text: &[u8]) -> Option<u8> {
    number(text, 255).and_then(|value| u8::try_from(value).ok())
}

fn port(text: &[u8]) -> Option<u16> {
    number(text, 65_535).and_then(|value| u16::try_from(value).ok())
}

fn from_six([h1, h2, h3, h4, p1, p2]: [u8; 6]) -> Result<SocketAddrV4, HostPortError> {
    match u16::from_be_bytes([p1, p2]) {
        0 => Err(HostPortError::PortZero),
        port => Ok(SocketAddrV4::new(Ipv4Addr::new(h1, h2, h3, h4), port)),
    }
}

/// Reads the argument of PORT: decimal numbers and commas, nothing else; leading zeros are fine.
///
/// # Errors
/// [`HostPortError::SixNumbers`] or [`HostPortError::PortZero`].
pub fn parse_port(argument: &[u8]) -> Result<SocketAddrV4, HostPortError> {
    let mut six = [0_u8; 6];
    let mut fields = argument.split(|&byte| byte == b',');
    for place in &mut six {
        let field = fields.next().ok_or(HostPortError::SixNumbers)?;
        *place = octet(field).ok_or(HostPortError::SixNumbers)?;
    }
    if fields.next().is_some() {
        return Err(HostPortError::SixNumbers);
    }
    from_six(six)
}

/// Writes `h1,h2,h3,h4,p1,p2`, for PORT and inside the parentheses of 227.
pub fn encode_port(address: SocketAddrV4, out: &mut impl Sink) {
    for octet in address.ip().octets() {
        decimal::push(out, octet.into());
        out.put(b",");
    }
    let [high, low] = address.port().to_be_bytes();
    decimal::push(out, high.into());
    out.put(b",");
    decimal::push(out, low.into());
}

/// Finds the address in the text of a 227 reply: the first six comma-separated numbers from 0 to 255,
/// with or without parentheses (RFC 1123 4.1.2.6).
///
/// # Errors
/// [`HostPortError::SixNumbers`] or [`HostPortError::PortZero`].
pub fn parse_passive_reply(text: &[u8]) -> Result<SocketAddrV4, HostPortError> {
    let mut start = 0;
    while let Some(rest) = text.get(start..) {
        let Some(skip) = rest.iter().position(u8::is_ascii_digit) else {
            break;
        };
        let candidate = rest.get(skip..).unwrap_or_default();
        if let Some(six) = six_at(candidate) {
            return from_six(six);
        }
        let digits = candidate.iter().take_while(|byte| byte.is_ascii_digit());
        start += skip + digits.count();
    }
    Err(HostPortError::SixNumbers)
}

fn six_at(mut text: &[u8]) -> Option<[u8; 6]> {
    let mut six = [0_u8; 6];
    for (index, place) in six.iter_mut().enumerate() {
        if index > 0 {
            text = text.strip_prefix(b",")?;
            while let Some(rest) = text.strip_prefix(b" ") {
                text = rest;
            }
        }
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (field, rest) = text.split_at_checked(digits)?;
        *place = octet(field)?;
        text = rest;
    }
    Some(six)
}

/// Reads the argument of EPRT. Zones (`fe80::1%eth0`) and IPv4-mapped addresses are refused: the
/// first mean nothing to the other end, the second hide what they are.
///
/// # Errors
/// [`HostPortError::ExtendedForm`], `UnknownFamily`, `Address` or `PortZero`.
pub fn parse_eprt(argument: &[u8]) -> Result<SocketAddr, HostPortError> {
    let (&delimiter, rest) = argument.split_first().ok_or(HostPortError::ExtendedForm)?;
    if !(33..=126).contains(&delimiter) {
        return Err(HostPortError::ExtendedForm);
    }
    let mut fields = rest.split(|&byte| byte == delimiter);
    let mut next = || fields.next().ok_or(HostPortError::ExtendedForm);
    let (family, address, digits, end) = (next()?, next()?, next()?, next()?);
    if !end.is_empty() || fields.next().is_some() {
        return Err(HostPortError::ExtendedForm);
    }
    let family = number(family, u32::MAX).ok_or(HostPortError::ExtendedForm)?;
    if family != 1 && family != 2 {
        return Err(HostPortError::UnknownFamily);
    }
    let address = std::str::from_utf8(address).map_err(|_| HostPortError::Address)?;
    let ip = if family == 1 {
        IpAddr::V4(address.parse().map_err(|_| HostPortError::Address)?)
    } else {
        let ip: Ipv6Addr = address.parse().map_err(|_| HostPortError::Address)?;
        if ip.to_ipv4_mapped().is_some() {
            return Err(HostPortError::Address);
        }
        IpAddr::V6(ip)
    };
    match port(digits).ok_or(HostPortError::ExtendedForm)? {
        0 => Err(HostPortError::PortZero),
        port => Ok(SocketAddr::new(ip, port)),
    }
}

/// Writes the argument of EPRT. An IPv4-mapped address is written as the IPv4 address that it is.
pub fn encode_eprt(address: SocketAddr, out: &mut impl Sink) {
    let ip = address.ip().to_canonical();
    let family = if ip.is_ipv4() { 1 } else { 2 };
    out.put(format!("|{family}|{ip}|{}|", address.port()).as_bytes());
}

/// Reads the argument of EPSV.
///
/// # Errors
/// [`HostPortError::PassiveArgument`]; [`HostPortError::UnknownFamily`] for another number.
pub fn parse_epsv(argument: &[u8]) -> Result<ExtendedPassive, HostPortError> {
    let argument = argument.trim_ascii();
    if argument.is_empty() {
        return Ok(ExtendedPassive::Default);
    }
    if argument.eq_ignore_ascii_case(b"ALL") {
        return Ok(ExtendedPassive::All);
    }
    match number(argument, u32::MAX) {
        Some(1) => Ok(ExtendedPassive::Family(1)),
        Some(2) => Ok(ExtendedPassive::Family(2)),
        Some(_) => Err(HostPortError::UnknownFamily),
        None => Err(HostPortError::PassiveArgument),
    }
}

/// Finds the port in the text of a 229 reply. The delimiter is any byte from 33 to 126, the network
/// fields are ignored (RFC 2428 3: use the address of the control connection).
///
/// # Errors
/// [`HostPortError::ExtendedReply`] or [`HostPortError::PortZero`].
pub fn parse_extended_reply(text: &[u8]) -> Result<u16, HostPortError> {
    let mut found = Err(HostPortError::ExtendedReply);
    for (index, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'(') {
        let inside = text.get(index + 1..).unwrap_or_default();
        let Some((&delimiter, rest)) = inside.split_first() else {
            break;
        };
        if !(33..=126).contains(&delimiter) {
            continue;
        }
        let mut fields = rest.split(|&byte| byte == delimiter);
        if let (Some(_), Some(_), Some(digits), Some(_)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
            && let Some(port) = port(digits)
        {
            if port != 0 {
                return Ok(port);
            }
            found = Err(HostPortError::PortZero);
        }
    }
    found
}

/// Writes `|||port|`, for inside the parentheses of 229.
pub fn encode_extended_port(port: u16, out: &mut impl Sink) {
    out.put(b"|||");
    decimal::push(out, port.into());
    out.put(b"|");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn port_takes_digits_and_commas_only() {
        assert_eq!(
            parse_port(b"192,0,2,7,4,1").unwrap(),
            "192.0.2.7:1025".parse().unwrap()
        );
        assert_eq!(
            parse_port(b"010,000,2,07,4,1").unwrap(),
            "10.0.2.7:1025".parse().unwrap()
        );
        for bad in [
            "1,2,3,4,5",
            "1,2,3,4,5,6,7",
            "1,2,3,4,5,256",
            "1, 2,3,4,5,6",
            "-1,2,3,4,5,6",
            "1,2,3,4,5,",
            "",
            "1,2,3,4,5,0x6",
        ] {
            assert_eq!(
                parse_port(bad.as_bytes()),
                Err(HostPortError::SixNumbers),
                "{bad}"
            );
        }
        assert_eq!(parse_port(b"1,2,3,4,0,0"), Err(HostPortError::PortZero));
    }

    #[test]
    fn rpl_53_a_227_is_scanned_for_six_numbers() {
        for text in [
            "Entering Passive Mode (192,0,2,1,200,10).",
            "Entering Passive Mode 192,0,2,1,200,10",
            "=192,0,2,1,200,10",
            "mode 2 (192, 0, 2, 1, 200, 10)",
        ] {
            assert_eq!(
                parse_passive_reply(text.as_bytes()).unwrap(),
                "192.0.2.1:51210".parse().unwrap(),
                "{text}"
            );
        }
        assert!(parse_passive_reply(b"Entering Passive Mode (1,2,3)").is_err());
    }

    #[test]
    fn eprt_refuses_zones_mapped_addresses_and_other_families() {
        assert_eq!(
            parse_eprt(b"|2|2001:db8::7|5282|").unwrap(),
            "[2001:db8::7]:5282".parse().unwrap()
        );
        assert_eq!(
            parse_eprt(b"!1!192.0.2.7!5282!").unwrap(),
            "192.0.2.7:5282".parse().unwrap()
        );
        assert_eq!(parse_eprt(b"|3|x|1|"), Err(HostPortError::UnknownFamily));
        assert_eq!(
            parse_eprt(b"|2|fe80::1%1|1024|"),
            Err(HostPortError::Address)
        );
        assert_eq!(
            parse_eprt(b"|2|::ffff:192.0.2.7|1024|"),
            Err(HostPortError::Address)
        );
        assert_eq!(
            parse_eprt(b"|1|192.0.2.7|1024"),
            Err(HostPortError::ExtendedForm)
        );
        assert_eq!(
            parse_eprt(b"|1|192.0.2.7|1024||"),
            Err(HostPortError::ExtendedForm)
        );
        assert_eq!(parse_eprt(b"|1|192.0.2.7|0|"), Err(HostPortError::PortZero));
    }

    #[test]
    fn epsv_arguments() {
        assert_eq!(parse_epsv(b""), Ok(ExtendedPassive::Default));
        assert_eq!(parse_epsv(b"all"), Ok(ExtendedPassive::All));
        assert_eq!(parse_epsv(b"2"), Ok(ExtendedPassive::Family(2)));
        assert_eq!(parse_epsv(b"3"), Err(HostPortError::UnknownFamily));
        assert_eq!(parse_epsv(b"x"), Err(HostPortError::PassiveArgument));
    }

    #[test]
    fn rpl_54_a_229_may_use_any_delimiter() {
        assert_eq!(
            parse_extended_reply(b"Entering Extended Passive Mode (|||6446|)"),
            Ok(6446)
        );
        assert_eq!(
            parse_extended_reply(b"ok (see) (!1!192.0.2.9!6446!)"),
            Ok(6446)
        );
        assert_eq!(
            parse_extended_reply(b"(|||0|)"),
            Err(HostPortError::PortZero)
        );
        assert_eq!(
            parse_extended_reply(b"(|||65536|)"),
            Err(HostPortError::ExtendedReply)
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(ip: [u8; 4], six: [u16; 8], port in 1_u16..) {
            let v4 = SocketAddrV4::new(ip.into(), port);
            let mut out = Vec::new();
            encode_port(v4, &mut out);
            prop_assert_eq!(parse_port(&out), Ok(v4));
            prop_assert_eq!(parse_passive_reply(&out), Ok(v4));
            let address: IpAddr = Ipv6Addr::from(six).into();
            for address in [v4.into(), SocketAddr::new(address.to_canonical(), port)] {
                out.clear();
                encode_eprt(address, &mut out);
                prop_assert_eq!(parse_eprt(&out), Ok(address));
            }
            out.clear();
            out.push(b'(');
            encode_extended_port(port, &mut out);
            prop_assert_eq!(parse_extended_reply(&out), Ok(port));
        }

        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (parse_port(&bytes), parse_eprt(&bytes), parse_epsv(&bytes));
            let _ = (parse_passive_reply(&bytes), parse_extended_reply(&bytes));
        }
    }
}
