//! Tests of the server machine: golden transcripts, limits, properties.

mod limits;
mod properties;
mod transcript;

use super::*;
use crate::sftp::{Attributes, OpenFlags};

/// A session after INIT.
fn open(settings: Settings) -> Server {
    let mut server = Server::new(settings);
    let mut output = Vec::new();
    let none = server.next_request(&mut &b"\0\0\0\x05\x01\0\0\0\x03"[..], &mut output);
    assert_eq!(none, Ok(None));
    assert_eq!(output.get(4), Some(&kind::VERSION));
    server
}

/// Requests, one behind the other, with identifiers from 1 on.
fn sent(requests: &[Request<'_>]) -> Vec<u8> {
    let mut octets = Vec::new();
    for (id, request) in (1..).zip(requests) {
        request.encode(RequestId(id), &mut octets);
    }
    octets
}
