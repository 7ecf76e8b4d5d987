//! Replies, as a client reads them from a server that it cannot trust.
//!
//! Holds: no input panics; where it is cut changes nothing; a reply that was parsed encodes to one
//! that parses to the same; the parsers of what replies carry take anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_proto::ftp::client::{Capabilities, answer};
use wharf_proto::ftp::reply::{Reply, ReplyParser};
use wharf_proto::ftp::server::HashAlgorithm;

fn read(pieces: &mut dyn Iterator<Item = &[u8]>) -> (Vec<Reply>, bool) {
    let mut parser = ReplyParser::new();
    let mut replies = Vec::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            match parser.parse(piece) {
                Ok((taken, reply)) => {
                    assert!(taken <= piece.len() && (reply.is_some() || taken == piece.len()));
                    replies.extend(reply);
                    piece = &piece[taken..];
                }
                Err(_) => return (replies, true),
            }
        }
    }
    (replies, false)
}

fuzz_target!(|data: &[u8]| {
    let whole = read(&mut std::iter::once(data));
    assert_eq!(whole, read(&mut data.chunks(1)), "cut at every octet");
    for reply in whole.0 {
        let _ = Capabilities::parse(&reply);
        let _ = answer::size(&reply);
        let _ = answer::modification_time(&reply);
        let _ = answer::path(&reply);
        let _ = answer::passive(&reply);
        let _ = answer::extended_passive(&reply);
        let _ = answer::facts(&reply);
        let _ = answer::announced_size(&reply);
        let _ = answer::hash(&reply, HashAlgorithm::Sha256);
        let mut encoded = Vec::new();
        reply.encode(&mut encoded);
        let (again, failed) = read(&mut std::iter::once(&encoded[..]));
        assert!(
            !failed && again.len() == 1,
            "{} became {again:?}",
            encoded.escape_ascii()
        );
        assert_eq!(again[0].code, reply.code);
    }
});
