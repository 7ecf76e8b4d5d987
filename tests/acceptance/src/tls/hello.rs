//! TLS by hand: what no honest library would send.

use std::io::{self, Read};
use std::net::TcpStream;

/// Record types (RFC 8446 B.1).
pub const ALERT: u8 = 21;
/// A handshake message.
pub const HANDSHAKE: u8 = 22;

/// `close_notify` in clear, as a record of its own.
pub const CLOSE_NOTIFY: [u8; 7] = [ALERT, 3, 3, 0, 2, 1, 0];

/// A ClientHello of `version` (0x0300 is SSL 3.0, 0x0303 TLS 1.2) that offers `suites` and nothing
/// newer, in one record.
#[must_use]
pub fn client_hello(version: u16, suites: &[u16]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    // No session; the suites; no compression but "null".
    body.push(0);
    body.extend(length(2, suites.len() * 2));
    body.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
    body.extend([1, 0]);
    let mut extensions = Vec::new();
    // supported_groups: P-256, P-384, X25519; ec_point_formats: uncompressed.
    extensions.extend([0, 10, 0, 8, 0, 6, 0, 23, 0, 24, 0, 29]);
    extensions.extend([0, 11, 0, 2, 1, 0]);
    // signature_algorithms: ECDSA and RSA with SHA-256, RSA-PSS, and SHA-1 for the old.
    extensions.extend([0, 13, 0, 12, 0, 10, 4, 3, 4, 1, 8, 4, 2, 3, 2, 1]);
    // extended_master_secret, renegotiation_info.
    extensions.extend([0, 23, 0, 0, 0xff, 1, 0, 1, 0]);
    body.extend(length(2, extensions.len()));
    body.extend(extensions);
    let mut message = vec![1];
    message.extend(length(3, body.len()));
    message.extend(body);
    record(HANDSHAKE, &message)
}

/// One record in clear.
#[must_use]
pub fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 3, 1];
    bytes.extend(length(2, payload.len()));
    bytes.extend(payload);
    bytes
}

/// The message of a handshake record spread over two records, cut at `at`: legal (RFC 8446 5.1),
/// and rare enough to have been somebody's bug.
#[must_use]
pub fn fragmented(hello: &[u8], at: usize) -> Vec<u8> {
    let (first, second) = hello[5..].split_at(at);
    let mut bytes = record(HANDSHAKE, first);
    bytes.extend(record(HANDSHAKE, second));
    bytes
}

/// The next record: its type and payload, or `None` at the end of the stream.
///
/// # Errors
/// A timeout, a reset, an end in the middle.
pub fn read_record(stream: &mut TcpStream) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut header = [0; 5];
    if stream.read(&mut header[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut header[1..])?;
    let mut payload = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    stream.read_exact(&mut payload)?;
    Ok(Some((header[0], payload)))
}

fn length(octets: usize, value: usize) -> Vec<u8> {
    value.to_be_bytes()[size_of::<usize>() - octets..].to_vec()
}
