//! Command lines out of the byte stream of a control connection.
//!
//! One state machine does the line ends, the length cap and the Telnet bytes, because each can stand
//! in the middle of another (`RE` IAC `TR`). A line that lies whole and plain in one read is handed
//! out as a slice of it; only what is cut or odd is copied, and never more than the limit. Between
//! lines no buffer is held. RFC 959 5.3, RFC 2640 3.1 (CR NUL), RPL-01..04, RPL-10..12.

use memchr::{memchr, memchr3};

use super::telnet::{DM, IAC, Step, Telnet};

/// What stands next in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A line without its end; may be empty.
    Line(&'a [u8]),
    /// A line with a NUL or a bare CR in it (RPL-02).
    Malformed {
        /// It stood in the verb.
        in_verb: bool,
    },
    /// A line beyond the limit; it was thrown away to its end (RPL-04).
    TooLong,
    /// A Telnet option was offered or asked for; the refusal to send between two replies (RPL-10).
    Answer([u8; 3]),
}

enum Ending {
    Line,
    Malformed { in_verb: bool },
    TooLong,
    Answer([u8; 3]),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    Malformed {
        in_verb: bool,
    },
    TooLong,
}

/// Cuts a stream into lines.
#[derive(Debug, Default)]
pub struct LineReader {
    line: Vec<u8>,
    telnet: Telnet,
    fault: Fault,
    /// A CR whose successor is not known yet.
    held_cr: bool,
    /// Telnet IP or DM stood at the start of this line (RPL-12).
    interrupted: bool,
    /// `line` was handed out and is to be cleared.
    handed_out: bool,
}

impl LineReader {
    /// A reader at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Octets held of a line that has not ended.
    pub fn held(&self) -> usize {
        if self.handed_out { 0 } else { self.line.len() }
    }

    /// Whether no octet of a next line was taken, nor of a Telnet command.
    pub fn is_between_lines(&self) -> bool {
        self.held() == 0
            && self.telnet == Telnet::Data
            && self.fault == Fault::None
            && !self.held_cr
            && !self.interrupted
    }

    /// The next event, taking bytes from the front of `input`; `None` once all are taken. `limit` is
    /// the longest line in octets; with `strict_crlf` a bare LF belongs to the line.
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
        limit: usize,
        strict_crlf: bool,
    ) -> Option<Event<'s>> {
        if self.handed_out {
            self.handed_out = false;
            self.line.clear();
        }
        if let Some(line) = self.whole_line(input, strict_crlf) {
            return Some(if line.len() > limit {
                Event::TooLong
            } else {
                Event::Line(line)
            });
        }
        let Some(ending) = self.fill(input, limit, strict_crlf) else {
            if self.line.is_empty() {
                self.line = Vec::new();
            }
            return None;
        };
        match ending {
            Ending::Answer(answer) => return Some(Event::Answer(answer)),
            Ending::Malformed { in_verb } => {
                self.line.clear();
                return Some(Event::Malformed { in_verb });
            }
            Ending::TooLong => return Some(Event::TooLong),
            Ending::Line => {}
        }
        self.handed_out = true;
        Some(Event::Line(&self.line))
    }

    /// A line that lies whole in `input` and holds nothing but plain bytes.
    fn whole_line<'i>(&self, input: &mut &'i [u8], strict_crlf: bool) -> Option<&'i [u8]> {
        let fresh = self.line.is_empty()
            && self.telnet == Telnet::Data
            && self.fault == Fault::None
            && !self.held_cr
            && !self.interrupted;
        if !fresh {
            return None;
        }
        let (line, rest) = input.split_at_checked(memchr(b'\n', input)?)?;
        let line = match line.strip_suffix(b"\r") {
            Some(line) => line,
            None if strict_crlf => return None,
            None => line,
        };
        if memchr3(IAC, b'\r', 0, line).is_some() {
            return None;
        }
        *input = rest.get(1..).unwrap_or_default();
        Some(line)
    }

    /// Takes bytes one by one until something is to be told.
    fn fill(&mut self, input: &mut &[u8], limit: usize, strict_crlf: bool) -> Option<Ending> {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            match self.telnet.step(byte) {
                Step::Nothing => {}
                Step::Interrupt => self.interrupted |= self.line.is_empty(),
                Step::Answer(answer) => return Some(Ending::Answer(answer)),
                Step::Data(b'\n') if self.held_cr || !strict_crlf => return Some(self.end()),
                Step::Data(0) if self.held_cr => {
                    self.held_cr = false;
                    self.push(b'\r', limit);
                }
                Step::Data(byte) => {
                    if std::mem::take(&mut self.held_cr) || byte == 0 {
                        self.malformed();
                    }
                    match byte {
                        b'\r' => self.held_cr = true,
                        // The IAC in front of the urgent DM was lost on its way.
                        DM if self.interrupted && self.line.is_empty() => {}
                        0 => {}
                        byte => self.push(byte, limit),
                    }
                }
            }
        }
        None
    }

    fn push(&mut self, byte: u8, limit: usize) {
        if self.fault != Fault::None {
            return;
        }
        if self.line.len() >= limit {
            self.fault = Fault::TooLong;
            self.line = Vec::new();
            return;
        }
        self.line.push(byte);
    }

    fn malformed(&mut self) {
        if self.fault == Fault::None {
            let in_verb = !self.line.trim_ascii_start().contains(&b' ');
            self.fault = Fault::Malformed { in_verb };
        }
    }

    fn end(&mut self) -> Ending {
        self.held_cr = false;
        let interrupted = std::mem::take(&mut self.interrupted);
        match std::mem::take(&mut self.fault) {
            Fault::TooLong => return Ending::TooLong,
            Fault::Malformed { in_verb } => return Ending::Malformed { in_verb },
            Fault::None => {}
        }
        if interrupted && self.line.eq_ignore_ascii_case(b"BOR") {
            self.line.insert(0, b'A');
        }
        Ending::Line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]], limit: usize, strict: bool) -> Vec<String> {
        let mut reader = LineReader::new();
        let mut seen = Vec::new();
        for chunk in chunks {
            let mut input = *chunk;
            while let Some(event) = reader.next(&mut input, limit, strict) {
                seen.push(match event {
                    Event::Line(line) => String::from_utf8_lossy(line).escape_debug().to_string(),
                    other => format!("{other:?}"),
                });
            }
            assert!(input.is_empty());
            assert!(reader.held() <= limit);
        }
        seen
    }

    #[test]
    fn rpl_02_lines_end_with_crlf_or_lf_and_cr_nul_is_a_cr() {
        assert_eq!(
            read(&[b"NOOP\r\nPWD\n\r\nCWD a\r\0b\r\n"], 100, false),
            ["NOOP", "PWD", "", "CWD a\\rb"]
        );
        assert_eq!(read(&[b"CWD a\nb\r\n"], 100, true), ["CWD a\\nb"]);
        assert_eq!(
            read(&[b"CWD a\rb\r\nCW\0D x\r\nCWD \0\r\nNOOP\r\n"], 100, false),
            [
                "Malformed { in_verb: false }",
                "Malformed { in_verb: true }",
                "Malformed { in_verb: false }",
                "NOOP"
            ]
        );
    }

    #[test]
    fn rpl_04_an_over_long_line_is_told_once_and_thrown_away() {
        let long = [&b"CWD "[..], &[b'x'; 500], b"\r\nNOOP\r\n"].concat();
        assert_eq!(read(&[&long], 64, false), ["TooLong", "NOOP"]);
        assert_eq!(
            read(&[&long[..100], &long[100..]], 64, false),
            ["TooLong", "NOOP"]
        );
    }

    #[test]
    fn rpl_12_abor_is_heard_behind_interrupt_and_data_mark() {
        for wire in [
            &b"\xff\xf4\xff\xf2ABOR\r\n"[..],
            b"\xff\xf4\xff\xf2BOR\r\n",
            b"\xff\xf4\xffABOR\r\n",
            b"\xff\xf4\xf2ABOR\r\n",
            b"\xff\xf4ABOR\r\n",
            b"\xff\xf2bor\r\n",
        ] {
            let seen = read(&[wire], 100, false);
            assert!(seen[0].eq_ignore_ascii_case("ABOR"), "{wire:?} {seen:?}");
        }
        assert_eq!(read(&[b"BOR\r\n"], 100, false), ["BOR"]);
    }

    #[test]
    fn between_lines_no_buffer_is_held() {
        let mut reader = LineReader::new();
        for chunk in [&b"CW"[..], b"D x\r\n"] {
            let mut input = chunk;
            while reader.next(&mut input, 100, false).is_some() {}
        }
        assert_eq!(reader.line.capacity(), 0);
    }

    proptest! {
        /// CVE-2010-4221, CVE-2006-5815: Telnet bytes, NULs, CRs and long lines, cut anywhere.
        #[test]
        fn cve_2010_4221_cutting_the_stream_changes_nothing(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), Just(0), Just(0xff), 0xf0_u8..=0xff, Just(b' '), Just(b'A')],
                0..120),
            cuts in proptest::collection::vec(0_usize..120, 0..4),
            limit in 1_usize..20,
            strict: bool,
        ) {
            let whole = read(&[&bytes], limit, strict);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&bytes[from..cut]);
                from = cut;
            }
            chunks.push(&bytes[from..]);
            prop_assert_eq!(read(&chunks, limit, strict), whole);
            let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(read(&bytewise, limit, strict), read(&[&bytes], limit, strict));
        }
    }
}
