//! Properties of the codecs.

use proptest::{collection::vec, prelude::*};

use super::{
    arbitrary::{attributes, parts},
    extension::{Ids, Name, Set, TABLE},
    packet::{Reader, put_string, put_u32},
    *,
};

#[test]
fn every_extension_has_one_row_and_a_name_of_its_own() {
    for (place, row) in TABLE.iter().enumerate() {
        assert_eq!(row.name as usize, place, "{}", row.wire);
        assert_eq!(Name::from_wire(row.wire.as_bytes()), Some(row.name));
        assert_eq!(row.name.row().wire, row.wire);
        assert!(Set::ALL.contains(row.name));
        assert!(!Set::ALL.without(row.name).contains(row.name));
        assert!(Set::NONE.with(row.name).contains(row.name));
        assert!(!Set::NONE.contains(row.name));
    }
    assert_eq!(Name::from_wire(b"statvfs"), None);
}

#[test]
fn sft_35_times_are_clamped() {
    assert_eq!(Attributes::wire_time(i64::MIN), 0);
    assert_eq!(Attributes::wire_time(-1), 0);
    assert_eq!(Attributes::wire_time(1), 1);
    assert_eq!(Attributes::wire_time(4_294_967_296), u32::MAX);
}

#[test]
fn file_types_have_their_bits() {
    for kind in [
        FileType::Regular,
        FileType::Directory,
        FileType::Symlink,
        FileType::Special,
    ] {
        assert_eq!(FileType::of(kind.bits() | 0o7777), Some(kind));
    }
    assert_eq!(FileType::of(0o644), None);
    assert_eq!(Attributes::default().file_type(), None);
}

#[test]
fn a_count_of_extended_pairs_that_lies_ends_with_the_packet() {
    let mut octets = Vec::new();
    put_u32(0x8000_0000, &mut octets);
    put_u32(u32::MAX, &mut octets);
    put_string(b"name", &mut octets);
    put_string(b"value", &mut octets);
    assert!(Attributes::parse(&mut Reader::new(&octets)).is_err());
    octets[4..8].copy_from_slice(&[0, 0, 0, 1]);
    let parsed = Attributes::parse(&mut Reader::new(&octets));
    assert_eq!(parsed, Ok(Attributes::default()));
}

#[test]
fn numbers_of_users_come_in_fours() {
    assert!(Ids::new(&[0; 5]).is_err());
    let ids = Ids::new(&[0, 0, 0, 7, 0, 1, 0, 0]).unwrap();
    assert_eq!(ids.iter().collect::<Vec<_>>(), [7, 65_536]);
}

#[test]
fn sft_83_a_longname_tells_its_links_and_nothing_else() {
    let line = b"drwxr-xr-x   12 root     root         4096 Jan  1 10:00 a 7 b";
    assert_eq!(longname::links(line), Some(12));
    for other in [
        &b""[..],
        b"total 5",
        b"-rw 5",
        b"drwxr-xr-x",
        b"-rw-r--r-- x a",
        b"xrw-r--r-- 5 a",
    ] {
        assert_eq!(longname::links(other), None);
    }
}

#[test]
fn sft_83_a_name_with_a_slash_is_no_child() {
    for (name, child) in [
        (&b"a"[..], true),
        (b"...", true),
        (b"a\n\xff", true),
        (b"", false),
        (b".", false),
        (b"..", false),
        (b"/etc", false),
        (b"../x", false),
        (b"a/b", false),
        (b"a\0b", false),
    ] {
        let entry = response::Name {
            name,
            longname: b"",
            attributes: Attributes::default(),
        };
        assert_eq!(entry.child(), child.then_some(name));
    }
}

proptest! {
    #[test]
    fn a_request_is_what_it_was(parts in parts(), id in any::<u32>()) {
        let request = parts.request();
        let mut octets = b"before".to_vec();
        request.encode(RequestId(id), &mut octets);
        let packet = &octets[6..];
        let length = u32::try_from(packet.len() - 4).unwrap();
        prop_assert_eq!(&packet[..4], length.to_be_bytes());
        prop_assert_eq!(Request::parse(&packet[4..], Set::ALL), Ok((RequestId(id), request)));
    }

    #[test]
    fn a_request_that_is_cut_is_malformed_and_keeps_its_identifier(
        parts in parts(),
        id in any::<u32>(),
        cut in any::<proptest::sample::Index>(),
    ) {
        let request = parts.request();
        let mut octets = Vec::new();
        request.encode(RequestId(id), &mut octets);
        let body = &octets[4..];
        let cut = cut.index(body.len());
        let expected = if cut < 5 {
            request::NoRequest::NoId
        } else {
            request::NoRequest::Malformed(RequestId(id))
        };
        prop_assert_eq!(Request::parse(&body[..cut], Set::ALL), Err(expected));
    }

    #[test]
    fn attributes_are_what_they_were(attributes in attributes()) {
        let mut octets = Vec::new();
        attributes.encode(&mut octets);
        let mut reader = Reader::new(&octets);
        prop_assert_eq!(Attributes::parse(&mut reader), Ok(attributes));
        prop_assert!(reader.rest().is_empty());
    }

    #[test]
    fn no_octets_make_a_codec_panic(kind in any::<u8>(), octets in vec(any::<u8>(), 0..80)) {
        let body = [&[kind % 24, 0, 0, 0, 1][..], &octets].concat();
        let _ = Request::parse(&body, Set::ALL);
        let extended = [&[200, 0, 0, 0, 1][..], &octets].concat();
        let _ = Request::parse(&extended, Set::ALL);
        let _ = longname::links(&octets);
        use response::ExtendedBody::*;
        for body in [Limits, FileSystem, UsersAndGroups, CheckFile, Md5Hash, SpaceAvailable] {
            let _ = Response::parse(201, &octets, Some(body));
        }
        for kind in 100..106 {
            if let Ok(Some(Response::Names(names))) = Response::parse(kind, &octets, None) {
                prop_assert_eq!(names.len(), names.count());
            }
        }
    }
}
