//! Listings of every dialect, as a client reads them, and patterns, as a server matches them.
//!
//! Holds: no input panics; where it is cut changes nothing; no more entries than the limit; a name
//! that is called plain cannot lead out of a directory; a pattern is matched in linear time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_proto::ftp::listing::glob::Pattern;
use wharf_proto::ftp::listing::parse::{Format, Limits, ListingParser};

fuzz_target!(|data: &[u8]| {
    let Some((&first, input)) = data.split_first() else {
        return;
    };
    let format = [Format::Facts, Format::Detect, Format::Names][usize::from(first % 3)];
    let limits = Limits {
        line: 1024,
        entries: 100,
    };
    let read = |size: usize| {
        let mut parser = ListingParser::new(format, 1_800_000_000, limits);
        let mut entries = Vec::new();
        for piece in input.chunks(size) {
            parser.handle_input(piece);
            entries.extend(std::iter::from_fn(|| parser.poll_entry()));
        }
        parser.handle_end();
        entries.extend(std::iter::from_fn(|| parser.poll_entry()));
        entries
    };
    let whole = read(input.len().max(1));
    assert_eq!(whole, read(1), "cut at every octet");
    assert!(whole.len() <= limits.entries);
    for entry in &whole {
        if entry.is_plain_name() {
            assert!(!entry.name.is_empty() && entry.name != b"." && entry.name != b"..");
            assert!(
                !entry
                    .name
                    .iter()
                    .any(|byte| matches!(byte, b'/' | b'\\' | 0..=31 | 127))
            );
        }
    }
    let (pattern, name) = input.split_at(input.len() / 2);
    if let Ok(pattern) = Pattern::parse(pattern) {
        let _ = pattern.matches(name);
    }
});
