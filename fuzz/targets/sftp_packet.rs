//! One SFTP packet, as either end reads it.
//!
//! Holds: no input panics; a request that was read is the same when it was written and read again;
//! lists of a response are as long as they say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_proto::sftp::extension::{Extended, Set};
use wharf_proto::sftp::{Request, Response, longname, request, response};

fuzz_target!(|data: &[u8]| {
    if let Ok((id, request)) = Request::parse(data, Set::ALL) {
        let mut octets = Vec::new();
        request.encode(id, &mut octets);
        assert_eq!(
            octets.len() - 4,
            u32::from_be_bytes(*octets.first_chunk().unwrap()) as usize
        );
        assert_eq!(Request::parse(&octets[4..], Set::ALL), Ok((id, request)));
        if let Request::Write {
            handle,
            offset,
            data,
        } = request
        {
            let mut parts = Vec::new();
            request::encode_write_header(id, handle, offset, data.len() as u32, &mut parts);
            parts.extend_from_slice(data);
            assert_eq!(parts, octets);
        }
        if let Request::Extended(Extended::UsersGroupsById { users, groups }) = request {
            assert_eq!(users.iter().len(), users.iter().count());
            assert_eq!(groups.iter().len(), groups.iter().count());
        }
    }
    let Some((&kind, fields)) = data.split_first() else {
        return;
    };
    use response::ExtendedBody::*;
    for body in [
        Limits,
        FileSystem,
        UsersAndGroups,
        CheckFile,
        Md5Hash,
        SpaceAvailable,
    ] {
        match Response::parse(kind, fields, Some(body)) {
            Ok(Some(Response::Names(names))) => {
                let count = names.len();
                assert!(count * 12 <= fields.len());
                let mut seen = 0;
                for name in names {
                    let _ = longname::links(name.longname);
                    if let Some(child) = name.child() {
                        assert!(!child.is_empty() && !child.contains(&b'/'));
                    }
                    seen += 1;
                }
                assert_eq!(seen, count);
            }
            Ok(Some(Response::UsersAndGroups { users, groups })) => {
                assert!(users.chain(groups).count() * 4 <= fields.len());
            }
            Ok(Some(Response::Data(octets))) => assert!(octets.len() + 4 <= fields.len()),
            _ => {}
        }
    }
});
