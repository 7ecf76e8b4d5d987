//! Single lines.

use crate::scp::{
    LINE_LIMIT,
    message::{Message, MessageError, Times, encode_fatal, encode_times, encode_warning, escape},
};

/// SCP-10.
#[test]
fn lines_of_each_kind_are_read() {
    let file = |mode, size, name| Message::File { mode, size, name };
    for (line, message) in [
        (b"C0644 5 a".as_slice(), file(0o644, 5, b"a".as_slice())),
        (b"C7777 0  b c", file(0o7777, 0, b" b c")),
        (b"C0000 4294967296 x", file(0, 1 << 32, b"x")),
        (
            b"C0644 9223372036854775807 x",
            file(0o644, i64::MAX as u64, b"x"),
        ),
        (b"C0644 5 ", file(0o644, 5, b"")),
        (
            b"D0755 0 d",
            Message::Directory {
                mode: 0o755,
                name: b"d",
            },
        ),
        (
            b"D0755 17 d",
            Message::Directory {
                mode: 0o755,
                name: b"d",
            },
        ),
        (b"E", Message::End),
        (b"\x01text", Message::Warning(b"text")),
        (b"\x02", Message::Fatal(b"")),
    ] {
        assert_eq!(Message::parse(line), Ok(message), "{}", line.escape_ascii());
    }
}

/// SCP-10: bad digits, sizes above 2^63-1, microseconds above 999,999, missing separators.
#[test]
fn lines_that_are_no_message_are_told_apart() {
    for (line, error) in [
        (b"".as_slice(), MessageError::Empty),
        (b"X", MessageError::UnknownLetter),
        (b"\0", MessageError::UnknownLetter),
        (b"bash: scp: command not found", MessageError::UnknownLetter),
        (b"C", MessageError::Mode),
        (b"C644 5 a", MessageError::Mode),
        (b"C0648 5 a", MessageError::Mode),
        (b"C00644 5 a", MessageError::Mode),
        (b"C+644 5 a", MessageError::Mode),
        (b"C0644  5 a", MessageError::Size),
        (b"C0644 a", MessageError::Size),
        (b"C0644 5", MessageError::Size),
        (b"C0644 -5 a", MessageError::Size),
        (b"C0644 5a", MessageError::Size),
        (b"C0644 9223372036854775808 a", MessageError::Size),
        (b"C0644 99999999999999999999999999 a", MessageError::Size),
        (b"D0755 d", MessageError::Size),
        (b"E ", MessageError::End),
        (b"T1 0 1", MessageError::Time),
        (b"T1 0 1 ", MessageError::Time),
        (b"T1 0 1 0 ", MessageError::Time),
        (b"T1 1000000 1 0", MessageError::Time),
        (b"T1 0 1 1000000", MessageError::Time),
        (b"T-1 0 1 0", MessageError::Time),
        (b"T9223372036854775808 0 1 0", MessageError::Time),
        (b"T1 0  1 0", MessageError::Time),
        (b"T", MessageError::Time),
    ] {
        assert_eq!(Message::parse(line), Err(error), "{}", line.escape_ascii());
    }
}

#[test]
fn times_are_written_as_they_are_read() {
    let times = Times {
        modified: i64::MAX as u64,
        modified_micros: 999_999,
        accessed: 0,
        accessed_micros: 7,
    };
    let mut line = Vec::new();
    encode_times(&times, &mut line);
    assert_eq!(line, b"T9223372036854775807 999999 0 7\n");
    assert_eq!(
        Message::parse(&line[..line.len() - 1]),
        Ok(Message::Times(times))
    );
}

/// CVE-2019-6109, CVE-2019-6110: names and words of a peer do not write on a terminal.
#[test]
fn text_for_a_peer_holds_no_control_character() {
    let mut line = Vec::new();
    encode_warning(b"scp: a\nb\x1b[2K\x7f\xc2\x9b\xff\0: no", &mut line);
    assert_eq!(
        line,
        b"\x01scp: a\\nb\\u{1b}[2K\\u{7f}\\u{9b}\\xff\\u{0}: no\n"
    );
    assert_eq!(escape("grün".as_bytes()), "grün");
}

/// SCP-03: what one end writes the other end takes.
#[test]
fn long_text_is_cut_to_a_line() {
    for filler in ["x", "ü", "\n"] {
        let mut line = Vec::new();
        encode_fatal(filler.repeat(LINE_LIMIT).as_bytes(), &mut line);
        assert!(line.len() <= LINE_LIMIT + 1 && line.len() > LINE_LIMIT - 4);
        assert!(line.starts_with(b"\x02") && line.ends_with(b"\n"));
        assert!(str::from_utf8(&line).is_ok());
    }
}
