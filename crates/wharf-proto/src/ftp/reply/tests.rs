//! Replies both ways: what is written is read again, and what servers write is borne.

use proptest::prelude::*;

use super::*;

fn code(value: u16) -> Code {
    Code::new(value).unwrap()
}

fn read_all(chunks: &[&[u8]]) -> Result<Vec<Reply>, ReplyError> {
    let mut parser = ReplyParser::new();
    let mut replies = Vec::new();
    for chunk in chunks {
        let mut rest = *chunk;
        while !rest.is_empty() {
            let (taken, reply) = parser.parse(rest)?;
            replies.extend(reply);
            rest = &rest[taken..];
        }
    }
    Ok(replies)
}

#[test]
fn rpl_50_the_end_is_only_the_first_code_and_a_space() {
    let text = b"250-first\n\n 550 x\n550 x\r\n250-inner\r\n250 end\r\n226\r\n331 \r\n";
    let replies = read_all(&[text]).unwrap();
    assert_eq!(replies.len(), 3);
    assert_eq!(
        replies[0].lines,
        [&b"first"[..], b"", b" 550 x", b"550 x", b"inner", b"end"]
    );
    assert_eq!(replies[0].inner_lines().len(), 4);
    assert_eq!(replies[1], Reply::new(code(226), ""));
    assert_eq!(replies[2], Reply::new(code(331), ""));
}

#[test]
fn rpl_51_lines_and_replies_are_bounded() {
    let mut endless = b"220 ".to_vec();
    endless.resize(LINE_LIMIT + 1, b'x');
    assert_eq!(read_all(&[&endless]), Err(ReplyError::LineTooLong));
    let many = [&b"220-x\r\n"[..], &b" 0123456789abcdef\r\n".repeat(70_000)].concat();
    assert_eq!(read_all(&[&many]), Err(ReplyError::TooLarge));
    let empty = [&b"220-x\r\n"[..], &b"\n".repeat(REPLY_LIMIT + 1), b"x"].concat();
    assert_eq!(read_all(&[&empty]), Err(ReplyError::TooLarge));
}

#[test]
fn something_else_than_ftp_is_an_error() {
    assert_eq!(read_all(&[b"SSH-2.0-x\r\n"]), Err(ReplyError::NoCode));
    assert_eq!(read_all(&[b"099 x\r\n"]), Err(ReplyError::NoCode));
}

#[test]
fn telnet_commands_are_dropped_and_a_doubled_iac_is_a_byte() {
    let replies = read_all(&[b"257 \"/\xff\xff\"\xff\xfb\x01 x\r\n"]).unwrap();
    assert_eq!(replies[0].text(), b"\"/\xff\" x");
}

#[test]
fn rpl_55_quotes_are_undone() {
    assert_eq!(
        parse_quoted(b"\"/a \"\"b\"\"\" created.").unwrap(),
        b"/a \"b\""
    );
    assert_eq!(parse_quoted(b"/plain is it").unwrap(), b"/plain");
    assert_eq!(parse_quoted(b"\"/open").unwrap(), b"/open");
    assert_eq!(parse_quoted(b"  "), None);
}

#[test]
fn rpl_25_names_with_line_ends_forge_no_reply() {
    let mut out = Vec::new();
    push_quoted(b"/a\r\n226 \"x\"\xff", &mut out);
    assert_eq!(out, b"\"/a??226 \"\"x\"\"\xff\xff\"");
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        value in 100_u16..700,
        lines in proptest::collection::vec("[ -~äß]{0,20}", 1..6),
        cut in 0_usize..120,
    ) {
        let reply = Reply { code: code(value), lines: lines.into_iter().map(String::into_bytes).collect() };
        let mut wire = Vec::new();
        reply.encode(&mut wire);
        reply.encode(&mut wire);
        let (left, right) = wire.split_at(cut.min(wire.len()));
        prop_assert_eq!(read_all(&[left, right]), Ok(vec![reply.clone(), reply]));
    }

    #[test]
    fn quoted_paths_are_read_again(path in proptest::collection::vec(any::<u8>(), 0..40)) {
        let mut out = Vec::new();
        push_quoted(&path, &mut out);
        let clean: Vec<u8> = path.iter().map(|b| if matches!(b, 0 | b'\r' | b'\n') { b'?' } else { *b }).collect();
        let wire = [b"257 ", &out[..], b"\r\n"].concat();
        let replies = read_all(&[&wire]).unwrap();
        prop_assert_eq!(parse_quoted(replies[0].text()), Some(clean));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_all(&[&bytes]);
    }
}
