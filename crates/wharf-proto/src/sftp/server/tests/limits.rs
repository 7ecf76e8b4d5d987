//! What is bounded, and what is given back.

use super::*;
use crate::sftp::{MAX_PACKET, packet::put_string};

#[test]
fn sft_33_a_read_never_asks_for_more_than_a_packet_holds() {
    let mut server = open(Settings::default());
    let octets = sent(&[Request::Read {
        handle: b"h",
        offset: 0,
        length: u32::MAX,
    }]);
    let next = server.next_request(&mut &octets[..], &mut Vec::new());
    assert!(matches!(
        next,
        Ok(Some((_, Request::Read { length, .. }))) if length == MAX_DATA
    ));
}

#[test]
fn sft_20_the_longest_packet_is_taken_and_one_octet_more_is_not() {
    let handle = [7; 4];
    let data = vec![0x5a; MAX_PACKET - 5 - 4 - handle.len() - 8 - 4];
    let write = Request::Write {
        handle: &handle,
        offset: 1 << 40,
        data: &data,
    };
    let octets = sent(&[write]);
    assert_eq!(octets.len(), MAX_PACKET + 4);
    let mut server = open(Settings::default());
    let next = server.next_request(&mut &octets[..], &mut Vec::new());
    assert_eq!(next, Ok(Some((RequestId(1), write))));

    let data = [&data[..], b"x"].concat();
    let octets = sent(&[Request::Write {
        handle: &handle,
        offset: 0,
        data: &data,
    }]);
    let mut server = open(Settings::default());
    let next = server.next_request(&mut &octets[..4], &mut Vec::new());
    let length = BadLength::TooLong(262_145);
    assert_eq!(next, Err(Violation::Length(length)), "before the rest came");
}

#[test]
fn a_whole_packet_is_borrowed_from_the_input() {
    let octets = sent(&[Request::Write {
        handle: b"h",
        offset: 0,
        data: b"payload",
    }]);
    let mut server = open(Settings::default());
    let mut input = &octets[..];
    let Ok(Some((_, Request::Write { data, .. }))) =
        server.next_request(&mut input, &mut Vec::new())
    else {
        panic!("a WRITE");
    };
    assert!(octets.as_ptr_range().contains(&data.as_ptr()));
    assert!(input.is_empty());
    assert_eq!(server.held(), 0);
}

#[test]
fn cve_2024_43410_nothing_is_allocated_from_a_length_that_is_only_promised() {
    let mut server = open(Settings::default());
    let promise = u32::try_from(MAX_PACKET).unwrap().to_be_bytes();
    let input = [&promise[..], b"\x06\0\0\0\x01"].concat();
    let next = server.next_request(&mut &input[..], &mut Vec::new());
    assert_eq!(next, Ok(None));
    assert_eq!(server.held(), input.len());
    assert!(server.packets.capacity() < 1_024);
}

#[test]
fn a_large_buffer_is_given_back_when_a_file_is_closed() {
    let data = vec![0; 200_000];
    let upload = sent(&[
        Request::Write {
            handle: b"h",
            offset: 0,
            data: &data,
        },
        Request::Close { handle: b"h" },
    ]);
    let mut server = open(Settings::default());
    let (first, second) = upload.split_at(100_000);
    let mut output = Vec::new();
    assert_eq!(server.next_request(&mut &first[..], &mut output), Ok(None));
    let mut input = second;
    for _ in 0..2 {
        assert!(matches!(
            server.next_request(&mut input, &mut output),
            Ok(Some(_))
        ));
    }
    assert_eq!(server.next_request(&mut input, &mut output), Ok(None));
    assert_eq!(server.packets.capacity(), 0);
}

#[test]
fn what_is_written_for_packets_that_are_no_requests_is_bounded() {
    let mut server = open(Settings::default());
    let nonsense = b"\0\0\0\x05\xff\0\0\0\x01".repeat(usize::try_from(MAX_REFUSED).unwrap());
    let mut output = Vec::new();
    assert_eq!(
        server.next_request(&mut &nonsense[..], &mut output),
        Ok(None)
    );
    assert!(output.len() < 128 * 1_024, "{}", output.len());
    let next = server.next_request(&mut &nonsense[..9], &mut output);
    assert_eq!(next, Err(Violation::TooManyRefused));
}

#[test]
fn a_request_between_them_lets_more_be_refused() {
    let mut server = open(Settings::default());
    let nonsense = b"\0\0\0\x05\xff\0\0\0\x01".repeat(usize::try_from(MAX_REFUSED).unwrap());
    let octets = [&nonsense[..], &sent(&[Request::Stat { path: b"/" }])].concat();
    let mut output = Vec::new();
    for _ in 0..3 {
        let mut input = &octets[..];
        assert!(matches!(
            server.next_request(&mut input, &mut output),
            Ok(Some(_))
        ));
        assert!(input.is_empty());
    }
}

#[test]
fn sft_23_sixty_four_requests_are_in_flight() {
    let mut server = open(Settings::default());
    let handles: Vec<[u8; 1]> = (0..65).map(|handle| [handle]).collect();
    let reads: Vec<Request<'_>> = handles
        .iter()
        .map(|handle| Request::Read {
            handle,
            offset: 0,
            length: 1,
        })
        .collect();
    let octets = sent(&reads);
    let mut input = &octets[..];
    let mut output = Vec::new();
    for id in 1..=64 {
        let next = server.next_request(&mut input, &mut output).unwrap();
        assert_eq!(next.unwrap().0, RequestId(id));
        server.defer(RequestId(id));
    }
    assert_eq!(server.next_request(&mut input, &mut output), Ok(None));
    assert_eq!(server.deferred(), 64);
    server.settle(RequestId(40));
    let next = server.next_request(&mut input, &mut output).unwrap();
    assert_eq!(next.unwrap().0, RequestId(65));
}

#[test]
fn only_what_was_handed_out_last_can_be_deferred() {
    let mut server = open(Settings::default());
    let octets = sent(&[Request::Remove { path: b"f" }]);
    let next = server.next_request(&mut &octets[..], &mut Vec::new());
    assert!(matches!(next, Ok(Some(_))));
    server.defer(RequestId(2));
    assert_eq!(server.deferred(), 0);
    server.defer(RequestId(1));
    server.defer(RequestId(1));
    assert_eq!(server.deferred(), 1);
    server.settle(RequestId(9));
    assert_eq!(server.deferred(), 1);
    server.settle(RequestId(1));
    assert_eq!(server.deferred(), 0);
}

#[test]
fn what_the_driver_holds_back_comes_later_in_order() {
    let mut server = open(Settings::default());
    let octets = sent(&[
        Request::Stat { path: b"a" },
        Request::Stat { path: b"b" },
        Request::Open {
            path: b"c",
            flags: OpenFlags::READ,
            attributes: Attributes::default(),
        },
    ]);
    let (one, two) = octets.split_at(7);
    server.hold(&mut &one[..]).unwrap();
    server.hold(&mut &two[..]).unwrap();
    let mut output = Vec::new();
    for id in 1..=3 {
        let next = server.next_request(&mut &[][..], &mut output).unwrap();
        assert_eq!(next.unwrap().0, RequestId(id));
    }
    assert_eq!(server.held(), 0);
}

#[test]
fn sft_25_a_status_has_a_bounded_message_and_a_language() {
    let mut output = Vec::new();
    let long = "ä".repeat(2_000);
    response::status(RequestId(7), StatusCode::Failure, &long, &mut output);
    let mut expected = vec![kind::STATUS, 0, 0, 0, 7, 0, 0, 0, 4];
    put_string(&long.as_bytes()[..1_024], &mut expected);
    put_string(b"en", &mut expected);
    assert_eq!(output[4..], expected);
}

#[test]
fn codes_that_a_server_must_not_send_become_failure() {
    for code in [
        StatusCode::NoConnection,
        StatusCode::ConnectionLost,
        StatusCode::Other(9),
    ] {
        assert_eq!(code.to_wire(), 4);
    }
    for code in [0, 1, 2, 3, 4, 5, 8] {
        assert_eq!(StatusCode::from_wire(code).to_wire(), code);
    }
}

#[test]
fn sft_37_a_name_packet_holds_a_hundred_entries_and_64_kib() {
    let mut output = b"before".to_vec();
    let mut names = response::Names::begin(RequestId(1), &mut output);
    let attributes = Attributes::default();
    while names.push(b"n", |_| {}, &attributes, &mut output) {}
    assert_eq!(names.count(), 100);
    names.finish(&mut output);

    let start = output.len();
    let mut names = response::Names::begin(RequestId(1), &mut output);
    let name = [b'n'; 1_000];
    let line = |output: &mut Vec<u8>| output.extend_from_slice(&name);
    while names.push(&name, line, &attributes, &mut output) {}
    assert_eq!(names.count(), 32);
    names.finish(&mut output);
    assert!(output.len() - start <= response::MAX_NAMES_OCTETS);

    let long = vec![b'n'; 100_000];
    let before = output.len();
    let mut names = response::Names::begin(RequestId(1), &mut output);
    assert!(names.push(&long, |_| {}, &attributes, &mut output));
    assert!(!names.push(b"n", |_| {}, &attributes, &mut output));
    assert_eq!(names.count(), 1);
    names.cancel(&mut output);
    assert_eq!(output.len(), before);

    let mut names = response::Names::begin(RequestId(1), &mut output);
    let endless = vec![b'n'; MAX_PACKET];
    assert!(!names.push(&endless, |_| {}, &attributes, &mut output));
    names.finish(&mut output);
}

#[test]
fn data_is_read_straight_behind_its_header() {
    let mut output = Vec::new();
    let data = response::Data::begin(RequestId(3), &mut output);
    assert_eq!(output.len(), response::DATA_HEADER);
    output.extend_from_slice(b"abc");
    assert_eq!(data.length(&output), 3);
    data.finish(&mut output);
    assert_eq!(output, b"\0\0\0\x0c\x67\0\0\0\x03\0\0\0\x03abc");
    let data = response::Data::begin(RequestId(4), &mut output);
    output.extend_from_slice(b"half");
    data.cancel(&mut output);
    assert_eq!(output.len(), 16);
}

/// SFT-23, draft 4.1: what is asked of one file keeps its order, through whatever handles.
#[test]
fn handles_of_one_file_wait_for_each_other() {
    let write = Request::Write {
        handle: b"one",
        offset: 100,
        data: b"data",
    };
    let read = Request::Read {
        handle: b"two",
        offset: 0,
        length: 10,
    };
    for (files, waits) in [([1, 2], false), ([1, 1], true)] {
        let mut server = open(Settings::default());
        server.is_file(b"one", files[0]);
        server.is_file(b"two", files[1]);
        let octets = sent(&[write, read]);
        let (mut input, mut output) = (&octets[..], Vec::new());
        let next = server.next_request(&mut input, &mut output);
        assert_eq!(next, Ok(Some((RequestId(1), write))));
        server.defer(RequestId(1));
        let next = server.next_request(&mut input, &mut output).unwrap();
        assert_eq!(next.is_none(), waits);
        server.settle(RequestId(1));
        if waits {
            let next = server.next_request(&mut &[][..], &mut output).unwrap();
            assert_eq!(next.unwrap().0, RequestId(2));
        }
    }
}

/// INT-30: OpenSSH's scp truncates the file at the first answer that came before its turn.
#[test]
fn one_file_is_read_and_written_in_order() {
    let write = |handle: &'static [u8], offset| Request::Write {
        handle,
        offset,
        data: b"data",
    };
    let read = |handle: &'static [u8], offset| Request::Read {
        handle,
        offset,
        length: 4,
    };
    for requests in [
        [write(b"one", 0), write(b"two", 0), write(b"one", 4)],
        [read(b"one", 0), read(b"two", 0), read(b"one", 4)],
    ] {
        let mut server = open(Settings::default());
        let octets = sent(&requests);
        let (mut input, mut output) = (&octets[..], Vec::new());
        for id in [1, 2] {
            let next = server.next_request(&mut input, &mut output).unwrap();
            let next = next.unwrap().0;
            assert_eq!(next, RequestId(id), "files do not wait for each other");
            server.defer(RequestId(id));
        }
        assert_eq!(server.next_request(&mut input, &mut output), Ok(None));
        server.settle(RequestId(1));
        let next = server.next_request(&mut &[][..], &mut output).unwrap();
        assert_eq!(next.unwrap().0, RequestId(3));
    }
}
