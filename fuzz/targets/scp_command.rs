//! Command lines that a client asks to be run.
//!
//! Holds: no input panics; what is read is quoted and read again as the same; a pattern has the same
//! octets as its path; a refusal is one printable line. CVE-2020-15778: an unquoted octet that means
//! something to a shell is never part of a path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_proto::scp::{Command, SinkCommand, command::parse, quote};

fuzz_target!(|line: &[u8]| {
    match parse(line) {
        Ok(Command::Sink(command)) => {
            if command.target.is_empty() || command.target.starts_with(b"-") {
                return;
            }
            let again = [b"scp -t ".as_slice(), &quote::word(&command.target)].concat();
            if again.len() <= quote::LINE_LIMIT {
                let target = command.target;
                let plain = SinkCommand {
                    target,
                    ..SinkCommand::default()
                };
                assert_eq!(parse(&again), Ok(Command::Sink(plain)));
            }
        }
        Ok(Command::Source(command)) => {
            assert!(!command.paths.is_empty());
            for operand in command.paths {
                if let Some(pattern) = operand.pattern {
                    let escaped = pattern.len() - operand.path.len();
                    assert!(escaped <= operand.path.len());
                }
            }
        }
        Ok(Command::Helper(_)) => {}
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(
                text.bytes()
                    .all(|byte| byte == b' ' || byte.is_ascii_graphic())
            );
            assert!(matches!(refusal.exit_status(), 1 | 127));
        }
    }
});
