//! Packets as peers send them, well made and not.

use proptest::{collection::vec, prelude::*};

use super::*;

fn read(datagram: &[u8]) -> Request<'_> {
    match Packet::parse(datagram) {
        Ok(Packet::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn malformed(datagram: &[u8]) -> Malformed {
    Packet::parse(datagram).unwrap_err()
}

#[test]
fn the_six_packets_are_read() {
    let request = read(b"\0\x01boot/pxelinux.0\0octet\0tsize\x000\0blksize\x001468\0");
    assert_eq!(request.direction, Direction::Read);
    assert_eq!(request.name, b"boot/pxelinux.0");
    assert_eq!(request.mode, Mode::Octet);
    let options: Vec<_> = request.options.iter().collect();
    assert_eq!(
        options,
        [(&b"tsize"[..], &b"0"[..]), (&b"blksize"[..], &b"1468"[..])]
    );
    assert_eq!(read(b"\0\x02f\0octet\0").direction, Direction::Write);
    assert_eq!(
        Packet::parse(b"\0\x03\xff\xfeabc"),
        Ok(Packet::Data {
            block: 0xfffe,
            data: b"abc"
        })
    );
    assert_eq!(
        Packet::parse(b"\0\x03\0\x01"),
        Ok(Packet::Data {
            block: 1,
            data: b""
        })
    );
    assert_eq!(
        Packet::parse(b"\0\x04\x01\x02"),
        Ok(Packet::Ack { block: 0x102 })
    );
    assert_eq!(
        Packet::parse(b"\0\x05\0\x01File not found\0"),
        Ok(Packet::Error {
            code: 1,
            text: b"File not found"
        })
    );
    let Ok(Packet::Oack(options)) = Packet::parse(b"\0\x06BlkSize\x00512\0") else {
        panic!()
    };
    assert_eq!(options.find("blksize"), Some(&b"512"[..]));
}

#[test]
fn tft_01_a_datagram_under_four_octets_is_answered_only_if_it_asks() {
    for datagram in [
        &b""[..],
        b"\0",
        b"\x01",
        b"\0\x03",
        b"\0\x03\0",
        b"\0\x04\0",
        b"\0\x05\0",
        b"\0\x06",
        b"\0\x06\0",
    ] {
        assert_eq!(malformed(datagram), Malformed::Short, "{datagram:?}");
        assert!(!malformed(datagram).is_request());
    }
    for datagram in [&b"\0\x01"[..], b"\0\x02", b"\0\x01f", b"\0\x02\0"] {
        assert!(malformed(datagram).is_request(), "{datagram:?}");
    }
}

#[test]
fn tft_01_no_other_opcode_is_answered() {
    for opcode in (0..=u16::MAX).filter(|opcode| !(1..=6).contains(opcode)) {
        let datagram = [&opcode.to_be_bytes()[..], b"name\0octet\0"].concat();
        assert_eq!(malformed(&datagram), Malformed::Opcode(opcode));
        assert!(!malformed(&datagram).is_request());
    }
}

#[test]
fn tft_01_unterminated_strings_are_refused() {
    for tail in [
        &b"name"[..],
        b"name\0octet\0blksize",
        b"name\0octet\0blksize\0",
        b"name\0octet\0blksize\x001428",
        b"name\0octet\0tsize\x000\0blksize\x001428",
        b"name\0octet\0tsize\x000\0blksize\0",
        b"name\0octet\0\0x",
    ] {
        let datagram = [b"\0\x01", tail].concat();
        assert_eq!(
            malformed(&datagram),
            Malformed::Request(Defect::Unterminated),
            "{tail:?}"
        );
    }
    let oack = malformed(b"\0\x06blksize\x00512");
    assert_eq!(oack, Malformed::Oack(Defect::Unterminated));
    assert!(!oack.is_request());
}

#[test]
fn tft_01_more_than_2048_octets_are_no_request() {
    for opcode in [1, 2, 6] {
        let head = if opcode == 6 { "" } else { "f\0octet\0" };
        let of = |length: usize| {
            let mut datagram = vec![0, opcode];
            datagram.extend_from_slice(head.as_bytes());
            datagram.extend_from_slice(b"x\0");
            datagram.resize(length - 1, b'y');
            datagram.push(0);
            datagram
        };
        assert!(Packet::parse(&of(REQUEST_LIMIT)).is_ok());
        let longer = of(REQUEST_LIMIT + 1);
        let expected = match opcode {
            6 => Malformed::Oack(Defect::Long),
            _ => Malformed::Request(Defect::Long),
        };
        assert_eq!(malformed(&longer), expected);
        assert_eq!(malformed(&longer).is_request(), opcode != 6);
    }
}

#[test]
fn tft_02_the_mode_is_octet_or_netascii_in_any_case() {
    for (mode, expected) in [
        ("octet", Mode::Octet),
        ("OCTET", Mode::Octet),
        ("NetASCII", Mode::Netascii),
    ] {
        assert_eq!(read(format!("\0\x01f\0{mode}\0").as_bytes()).mode, expected);
        // INT-64; and without its NUL.
        assert_eq!(read(format!("\0\x01f\0{mode}").as_bytes()).mode, expected);
    }
    for mode in ["mail", "MAIL", "binary", "octe", "octets", "", "octet "] {
        for datagram in [format!("\0\x02f\0{mode}\0"), format!("\0\x02f\0{mode}")] {
            assert_eq!(
                malformed(datagram.as_bytes()),
                Malformed::Request(Defect::Mode)
            );
        }
    }
}

#[test]
fn tft_02_a_request_without_name_is_malformed() {
    for datagram in [&b"\0\x01\0octet\0"[..], b"\0\x01\0\0", b"\0\x02\0"] {
        assert_eq!(malformed(datagram), Malformed::Request(Defect::NoName));
    }
}

#[test]
fn the_name_is_kept_as_it_came() {
    let name = b"\\\\server\\..\\flash:/a//b \xff\x01\r\n%MAC%";
    let datagram = [b"\0\x01", &name[..], b"\0octet\0"].concat();
    assert_eq!(read(&datagram).name, name);
}

#[test]
fn int_60_padding_behind_the_options_is_let_pass() {
    let plain = b"\0\x01f\0octet\0tsize\x000\0";
    let mut padded = plain.to_vec();
    padded.resize(REQUEST_LIMIT, 0);
    assert_eq!(read(&padded), read(plain));
    let mut bare = b"\0\x01f\0octet\0".to_vec();
    bare.resize(512, 0);
    assert!(read(&bare).options.is_empty());
    assert_eq!(
        Packet::parse(b"\0\x04\0\x07\0\0\0\0"),
        Ok(Packet::Ack { block: 7 })
    );
}

#[test]
fn an_error_without_nul_ends_with_the_datagram() {
    let error = |datagram| match Packet::parse(datagram) {
        Ok(Packet::Error { code, text }) => (code, text),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        error(b"\0\x05\0\0Early terminate"),
        (0, &b"Early terminate"[..])
    );
    assert_eq!(error(b"\0\x05\0\x02"), (2, &b""[..]));
    assert_eq!(error(b"\0\x05\xff\xffa\0b\0"), (0xffff, &b"a"[..]));
}

/// dnsmasq: an option without value, a name as long as its buffer.
#[test]
fn cve_2009_2957_long_names_and_options_without_value() {
    let mut datagram = b"\0\x01".to_vec();
    datagram.extend(std::iter::repeat_n(b'a', 1500));
    datagram.extend_from_slice(b"\0octet\0");
    assert_eq!(read(&datagram).name.len(), 1500);
    datagram.extend_from_slice(b"blksize\0");
    assert_eq!(
        malformed(&datagram),
        Malformed::Request(Defect::Unterminated)
    );
}

/// atftpd: a multicast option ended the server; here it is one that is not known (TFT-27).
#[test]
fn cve_2020_6097_multicast_and_empty_values_are_well_formed() {
    let request = read(b"\0\x01f\0octet\0multicast\0\0blksize\0\0tsize\x000\0");
    let options: Vec<_> = request.options.iter().collect();
    assert_eq!(
        options,
        [
            (&b"multicast"[..], &b""[..]),
            (b"blksize", b""),
            (b"tsize", b"0")
        ]
    );
}

/// atftpd: options that were copied behind the end of a buffer of 512 octets.
#[test]
fn cve_2021_41054_a_list_of_600_octets_is_read_whole() {
    let mut datagram = b"\0\x01f\0octet\0".to_vec();
    for number in 0..60 {
        datagram.extend_from_slice(format!("opt{number:02}\0{number:03}\0").as_bytes());
    }
    assert!(datagram.len() > 600);
    let request = read(&datagram);
    assert_eq!(request.options.iter().count(), 60);
    assert_eq!(request.options.find("OPT59"), Some(&b"059"[..]));
    assert_eq!(request.options.find("opt60"), None);
}

/// tftp-hpa: utimeout was read into a buffer that was too small for it.
#[test]
fn cve_2011_2199_a_value_of_any_length_is_read() {
    let value = "9".repeat(1900);
    let datagram = format!("\0\x01f\0octet\0utimeout\0{value}\0");
    let request = read(datagram.as_bytes());
    assert_eq!(request.options.find("utimeout"), Some(value.as_bytes()));
}

#[test]
fn tft_29_a_request_has_its_options_in_one_order_and_at_most_512_octets() {
    let offer = Offer {
        block_size: Some(65_464),
        timeout: Some(255),
        size: Some(u64::MAX),
        window: Some(65_535),
    };
    let mut out = b"kept".to_vec();
    request(Direction::Write, b"dir/f", Mode::Netascii, &offer, &mut out).unwrap();
    assert_eq!(
        out,
        b"kept\0\x02dir/f\0netascii\0tsize\x0018446744073709551615\0blksize\x0065464\0timeout\x00255\0windowsize\x0065535\0"
    );
    out.truncate(4);
    let longest = vec![b'n'; REQUEST_SENT_LIMIT - b"\0\x01\0octet\0".len()];
    let bare = Offer::default();
    request(Direction::Read, &longest, Mode::Octet, &bare, &mut out).unwrap();
    assert_eq!(out.len(), 4 + REQUEST_SENT_LIMIT);
    out.truncate(4);
    let sized = Offer {
        size: Some(0),
        ..bare
    };
    for (name, offer, expected) in [
        (&longest[..], sized, Unsendable::Long { over: 8 }),
        (b"", bare, Unsendable::NoName),
        (b"a\0b", bare, Unsendable::Nul),
    ] {
        assert_eq!(
            request(Direction::Read, name, Mode::Octet, &offer, &mut out),
            Err(expected)
        );
        assert_eq!(out, b"kept");
    }
}

#[test]
fn an_error_is_cut_and_never_holds_a_nul() {
    let mut out = Vec::new();
    error(ErrorCode::FileNotFound, "not\0here", &mut out);
    assert_eq!(out, b"\0\x05\0\x01not\0");
    out.clear();
    error(ErrorCode::NotDefined, &"é".repeat(400), &mut out);
    let Ok(Packet::Error { code: 0, text }) = Packet::parse(&out) else {
        panic!()
    };
    assert_eq!(str::from_utf8(text).unwrap(), "é".repeat(127));
    assert_eq!(out.len(), HEADER + 254 + 1);
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(
        write: bool, netascii: bool, name in vec(1_u8.., 1..300), block_size: Option<u16>, timeout: Option<u8>,
        size: Option<u64>, window: Option<u16>,
    ) {
        let direction = if write { Direction::Write } else { Direction::Read };
        let mode = if netascii { Mode::Netascii } else { Mode::Octet };
        let mut out = Vec::new();
        request(direction, &name, mode, &Offer { block_size, timeout, size, window }, &mut out).unwrap();
        let read = read(&out);
        prop_assert_eq!((read.direction, read.name, read.mode), (direction, &name[..], mode));
        let told = |name| read.options.find(name).map(|value| str::from_utf8(value).unwrap().parse::<u64>().unwrap());
        prop_assert_eq!(told("blksize"), block_size.map(u64::from));
        prop_assert_eq!(told("timeout"), timeout.map(u64::from));
        prop_assert_eq!(told("windowsize"), window.map(u64::from));
        prop_assert_eq!(told("tsize"), size);
    }

    #[test]
    fn numbered_packets_are_read_as_they_were_written(block: u16, content in vec(any::<u8>(), 0..40), code: u16, text in "[^\0]{0,60}") {
        let written = ack(block);
        prop_assert_eq!(Packet::parse(&written), Ok(Packet::Ack { block }));
        let datagram = [&data_header(block)[..], &content].concat();
        prop_assert_eq!(Packet::parse(&datagram), Ok(Packet::Data { block, data: &content }));
        let mut out = Vec::new();
        error(ErrorCode::of(code), &text, &mut out);
        prop_assert_eq!(Packet::parse(&out), Ok(Packet::Error { code, text: text.as_bytes() }));
    }

    /// CVE-2009-2957, CVE-2021-41054, CVE-2020-6097, CVE-2011-2199.
    #[test]
    fn no_datagram_panics(
        opcode in 0_u8..8, octets in vec(any::<u8>(), 0..80),
        words in vec(proptest::sample::select(&["f", "octet", "mail", "blksize", "multicast", "", "0", "\0", "\u{ff}"][..]), 0..12),
        cut in 0_usize..80,
    ) {
        let said = words.join("\0");
        for tail in [&octets[..], said.as_bytes(), &said.as_bytes()[..cut.min(said.len())]] {
            let datagram = [&[0, opcode], tail].concat();
            match Packet::parse(&datagram) {
                Ok(Packet::Request(Request { name, options, .. })) => {
                    prop_assert!(!name.is_empty() && !name.contains(&0));
                    let length: usize = options.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
                    prop_assert!(length + name.len() + 3 <= datagram.len());
                }
                Ok(_) => {}
                Err(malformed) => {
                    prop_assert_eq!(malformed.is_request(), matches!(opcode, 1 | 2));
                    prop_assert!(malformed.to_string().is_ascii());
                }
            }
        }
        let _ = Packet::parse(&octets);
    }
}
