//! Each machine with a peer that is a list of octets.

use crate::scp::{
    DEPTH_LIMIT, Header, LINE_LIMIT, Sink, Source, Times, Wanted,
    message::MessageError,
    name::NameError,
    sink::{self, Settings, Violation},
    source::{self, OfferError},
};

fn recursive() -> Sink {
    with(Settings {
        recursive: true,
        wanted: Wanted::anything(),
    })
}

/// A sink that has said it is ready.
fn with(settings: Settings) -> Sink {
    let mut sink = Sink::new(settings);
    sink.accept();
    assert_eq!(said(&mut sink), b"\0");
    sink
}

fn said(sink: &mut Sink) -> Vec<u8> {
    std::mem::take(sink.output())
}

/// Feeds everything and gives the next step.
fn step(sink: &mut Sink, mut input: &[u8]) -> sink::Step {
    let step = sink.step(&mut input);
    assert!(input.is_empty(), "left: {}", input.escape_ascii());
    step
}

fn header(name: &str, mode: u32, size: u64) -> Header {
    Header {
        name: name.into(),
        mode,
        size,
        times: None,
    }
}

fn stopped(step: sink::Step) -> Violation {
    match step {
        sink::Step::Stop(sink::Stop::Violation(violation)) => violation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sink_says_first_that_it_is_ready_or_that_its_target_will_not_do() {
    let mut sink = Sink::new(Settings::default());
    assert_eq!(
        sink.step(&mut b"C0644 0 a\n".as_slice()),
        sink::Step::NeedInput
    );
    assert!(said(&mut sink).is_empty() && !sink.may_end());
    sink.refuse(b"scp: x: Not a directory");
    assert_eq!(said(&mut sink), b"\x01scp: x: Not a directory\n");
}

#[test]
fn a_sink_takes_a_file_with_its_times() {
    let mut sink = recursive();
    assert_eq!(step(&mut sink, b"T1 2 3 4\n"), sink::Step::NeedInput);
    assert_eq!(said(&mut sink), b"\0");
    let times = Times {
        modified: 1,
        modified_micros: 2,
        accessed: 3,
        accessed_micros: 4,
    };
    let expected = Header {
        times: Some(times),
        ..header("a b", 0o640, 5)
    };
    assert_eq!(
        step(&mut sink, b"C0640 5 a b\n"),
        sink::Step::File(expected)
    );
    assert!(said(&mut sink).is_empty(), "the answer is the driver's");
    sink.accept();
    assert_eq!(said(&mut sink), b"\0");
    assert_eq!(step(&mut sink, b""), sink::Step::Receive(5));
    sink.received(3);
    assert_eq!(step(&mut sink, b""), sink::Step::Receive(2));
    sink.received(2);
    assert_eq!(step(&mut sink, b""), sink::Step::NeedInput);
    assert_eq!(step(&mut sink, b"\0"), sink::Step::Finish { failure: None });
    assert!(!sink.may_end());
    sink.accept();
    assert_eq!(said(&mut sink), b"\0");
    assert!(sink.may_end());
    // The times were that file's alone.
    assert_eq!(
        step(&mut sink, b"C0644 0 c\n"),
        sink::Step::File(header("c", 0o644, 0))
    );
}

#[test]
fn a_file_without_octets_has_only_its_end() {
    let mut sink = recursive();
    assert_eq!(
        step(&mut sink, b"C0644 0 a\n"),
        sink::Step::File(header("a", 0o644, 0))
    );
    sink.accept();
    assert_eq!(step(&mut sink, b""), sink::Step::NeedInput);
    assert_eq!(step(&mut sink, b"\0"), sink::Step::Finish { failure: None });
}

/// SCP-34: the size is counted, nothing is held for it.
#[test]
fn a_file_of_more_than_4_gib_is_counted_exactly() {
    let size = (1 << 40) + 7;
    let mut sink = recursive();
    let line = format!("C0644 {size} a\n");
    assert_eq!(
        step(&mut sink, line.as_bytes()),
        sink::Step::File(header("a", 0o644, size))
    );
    sink.accept();
    assert_eq!(step(&mut sink, b""), sink::Step::Receive(size));
    sink.received(size - 1);
    assert_eq!(step(&mut sink, b""), sink::Step::Receive(1));
    sink.received(1);
    assert_eq!(step(&mut sink, b"\0"), sink::Step::Finish { failure: None });
}

/// SCP-15: after a refusal the source goes on with the next.
#[test]
fn a_refused_file_is_skipped_by_its_source() {
    let mut sink = recursive();
    step(&mut sink, b"C0644 5 a\n");
    sink.refuse(b"scp: a: Permission denied");
    assert_eq!(said(&mut sink), b"\x01scp: a: Permission denied\n");
    assert_eq!(
        step(&mut sink, b"C0644 1 b\n"),
        sink::Step::File(header("b", 0o644, 1))
    );
}

#[test]
fn a_source_that_could_not_read_is_heard_behind_the_octets() {
    let mut sink = recursive();
    step(&mut sink, b"C0644 1 a\n");
    sink.accept();
    sink.received(1);
    assert_eq!(step(&mut sink, b"\x01sc"), sink::Step::NeedInput);
    let failure = Some(b"scp: a: Input/output error".to_vec());
    assert_eq!(
        step(&mut sink, b"p: a: Input/output error\n"),
        sink::Step::Finish { failure }
    );
    sink.accept();
    step(&mut sink, b"C0644 0 b\n");
    sink.accept();
    let stop = sink::Step::Stop(sink::Stop::Fatal(b"gone".to_vec()));
    assert_eq!(step(&mut sink, b"\x02gone\n"), stop);
}

#[test]
fn what_is_not_an_answer_behind_a_file_is_a_violation() {
    let mut sink = recursive();
    step(&mut sink, b"C0644 1 a\n");
    sink.accept();
    sink.received(1);
    let violation = stopped(sink.step(&mut b"C0644 1 b\n".as_slice()));
    assert_eq!(violation, Violation::Answer);
    assert!(said(&mut sink).ends_with(b"\x02protocol error: expected the source's answer\n"));
}

#[test]
fn warnings_and_the_end_of_everything_are_told_from_each_other() {
    let mut sink = recursive();
    assert_eq!(
        step(&mut sink, b"\x01scp: x: no\n"),
        sink::Step::Warning(b"scp: x: no".to_vec())
    );
    assert!(said(&mut sink).is_empty(), "no answer is due");
    let stop = sink::Step::Stop(sink::Stop::Fatal(b"lost".to_vec()));
    assert_eq!(step(&mut sink, b"\x02lost\n"), stop);
    assert_eq!(
        sink.step(&mut b"C0644 1 a\n".as_slice()),
        stop,
        "nothing goes on"
    );
}

#[test]
fn directories_are_entered_and_left() {
    let mut sink = recursive();
    assert_eq!(
        step(&mut sink, b"D0755 0 d\n"),
        sink::Step::Directory(header("d", 0o755, 0))
    );
    assert_eq!(sink.depth(), 0);
    sink.accept();
    assert_eq!(sink.depth(), 1);
    step(&mut sink, b"D0755 0 e\n");
    sink.refuse(b"no");
    assert_eq!(sink.depth(), 1, "a refused directory is not entered");
    assert!(!sink.may_end());
    assert_eq!(step(&mut sink, b"E\n"), sink::Step::Leave);
    sink.accept();
    assert!(sink.may_end());
    assert_eq!(stopped(step(&mut sink, b"E\n")), Violation::UnexpectedEnd);
}

/// SCP-13.
#[test]
fn a_directory_without_recursion_is_a_violation() {
    let mut sink = with(Settings::default());
    assert_eq!(
        stopped(step(&mut sink, b"D0755 0 d\n")),
        Violation::NotRecursive
    );
    assert_eq!(
        said(&mut sink),
        b"\x02protocol error: received directory without -r\n"
    );
}

/// SCP-03.
#[test]
fn directories_are_64_deep_at_the_most() {
    let mut sink = recursive();
    for _ in 0..DEPTH_LIMIT {
        assert!(matches!(
            step(&mut sink, b"D0755 0 d\n"),
            sink::Step::Directory(_)
        ));
        sink.accept();
    }
    assert_eq!(stopped(step(&mut sink, b"D0755 0 d\n")), Violation::TooDeep);
}

/// SCP-03, SCP-10.
#[test]
fn a_line_has_8192_octets_at_the_most() {
    let name = "n".repeat(LINE_LIMIT - "C0644 1 ".len());
    let line = format!("C0644 1 {name}");
    assert_eq!(line.len(), LINE_LIMIT);
    let mut sink = recursive();
    assert_eq!(step(&mut sink, line.as_bytes()), sink::Step::NeedInput);
    assert_eq!(
        step(&mut sink, b"\n"),
        sink::Step::File(header(&name, 0o644, 1))
    );
    let mut sink = recursive();
    assert_eq!(step(&mut sink, line.as_bytes()), sink::Step::NeedInput);
    assert_eq!(
        stopped(sink.step(&mut b"n".as_slice())),
        Violation::LineTooLong
    );
}

/// SCP-10.
#[test]
fn every_bad_line_is_answered_with_its_reason_and_ends_the_run() {
    for (line, error, text) in [
        (
            b"\n".as_slice(),
            MessageError::Empty,
            "unexpected <newline>",
        ),
        (
            b"Z\n",
            MessageError::UnknownLetter,
            "expected control record",
        ),
        (
            b"\0C0644 1 a\n",
            MessageError::UnknownLetter,
            "expected control record",
        ),
        (b"C0999 1 a\n", MessageError::Mode, "bad mode"),
        (
            b"C0644 9223372036854775808 a\n",
            MessageError::Size,
            "bad size",
        ),
        (b"T1 1000000 1 0\n", MessageError::Time, "bad time"),
        (b"Ex\n", MessageError::End, "bad end of directory"),
    ] {
        let mut sink = recursive();
        let Violation::Message { error: found, .. } = stopped(step(&mut sink, line)) else {
            panic!("{}", line.escape_ascii());
        };
        assert_eq!(found, error);
        assert_eq!(
            said(&mut sink),
            format!("\x02protocol error: {text}\n").as_bytes()
        );
        assert!(!sink.may_end());
    }
}

/// A client sees what the other side's shell had to say.
#[test]
fn words_of_a_shell_in_place_of_a_message_are_kept_and_escaped() {
    let mut sink = recursive();
    let violation = stopped(step(&mut sink, b"bash: scp: command not \x1b[31mfound\n"));
    assert_eq!(
        violation.to_string(),
        "protocol error: expected control record: 'bash: scp: command not \\u{1b}[31mfound'"
    );
}

/// SCP-11, SCP-32, CVE-2018-20685 (a `D` with the name `.` or none changes the target's own mode).
#[test]
fn names_that_could_lead_elsewhere_stop_the_run() {
    for name in [
        b"".as_slice(),
        b".",
        b"..",
        b"/etc/passwd",
        b"../x",
        b"a/b",
        b"a/",
        b"a\0b",
    ] {
        for letter in ["C0644 1 ", "D0777 0 "] {
            let mut sink = recursive();
            let line = [letter.as_bytes(), name, b"\n"].concat();
            let violation = stopped(step(&mut sink, &line));
            assert_eq!(violation, Violation::Name(name.to_vec()));
            assert_eq!(said(&mut sink), b"\x01error: unexpected filename\n");
        }
    }
    let mut sink = recursive();
    for name in [
        "...", "..a", "a b", " ", "-rf", "~", "a\\b", "\u{fc}", "a\x1bb",
    ] {
        let line = format!("C0644 0 {name}\n");
        assert_eq!(
            step(&mut sink, line.as_bytes()),
            sink::Step::File(header(name, 0o644, 0))
        );
        sink.refuse(b"x");
    }
}

/// SCP-32, CVE-2019-6111: a server may not choose what is written at the top; below it may.
#[test]
fn a_file_that_nobody_asked_for_stops_the_run() {
    let wanted = Settings {
        recursive: true,
        wanted: Wanted::paths([b"dir".as_slice()]),
    };
    for line in [b"C0644 1 .bashrc\n".as_slice(), b"D0755 0 .ssh\n"] {
        let mut sink = with(wanted.clone());
        assert!(matches!(
            stopped(step(&mut sink, line)),
            Violation::Unwanted(_)
        ));
        assert_eq!(
            said(&mut sink),
            b"\x01error: filename does not match request\n"
        );
    }
    let mut sink = with(wanted);
    step(&mut sink, b"D0755 0 dir\n");
    sink.accept();
    assert!(matches!(
        step(&mut sink, b"C0644 1 free\n"),
        sink::Step::File(_)
    ));
    sink.refuse(b"x");
    step(&mut sink, b"E\n");
    sink.accept();
    assert!(matches!(
        stopped(step(&mut sink, b"C0644 1 free\n")),
        Violation::Unwanted(_)
    ));
}

/// EOF in every state.
#[test]
fn a_sinks_input_may_end_between_messages_at_the_top_only() {
    let mut sink = Sink::new(Settings {
        recursive: true,
        ..Settings::default()
    });
    assert!(!sink.may_end(), "before its first word");
    sink.accept();
    assert!(sink.may_end());
    step(&mut sink, b"C06");
    assert!(
        !sink.may_end() && sink.unfinished_line() == b"C06",
        "inside a line"
    );
    step(&mut sink, b"44 1 a\n");
    assert!(!sink.may_end(), "before the answer");
    sink.accept();
    assert!(!sink.may_end(), "inside a file");
    sink.received(1);
    assert!(!sink.may_end(), "before the source's word");
    step(&mut sink, b"\x01x");
    assert!(!sink.may_end(), "inside the source's word");
    step(&mut sink, b"\n");
    sink.accept();
    assert!(sink.may_end());
    step(&mut sink, b"D0755 0 d\n");
    sink.accept();
    assert!(!sink.may_end(), "inside a directory");
}

#[test]
fn a_flood_of_times_costs_one_answer_each_and_no_depth() {
    let mut sink = recursive();
    let flood = b"T0 0 0 0\n".repeat(100_000);
    assert_eq!(step(&mut sink, &flood), sink::Step::NeedInput);
    assert_eq!(said(&mut sink), vec![0; 100_000]);
}

// --- the source -------------------------------------------------------------------------------

/// A source whose sink is ready.
fn source() -> Source {
    let mut source = Source::new();
    assert_eq!(answer(&mut source, b""), source::Step::NeedInput);
    assert_eq!(answer(&mut source, b"\0"), source::Step::Idle);
    source
}

fn answer(source: &mut Source, mut input: &[u8]) -> source::Step {
    let step = source.step(&mut input);
    assert!(input.is_empty(), "left: {}", input.escape_ascii());
    step
}

fn sent(source: &mut Source) -> Vec<u8> {
    std::mem::take(source.output())
}

/// SCP-20, SCP-21.
#[test]
fn a_source_waits_for_every_answer() {
    let mut source = source();
    let times = Times {
        modified: 1,
        modified_micros: 0,
        accessed: 2,
        accessed_micros: 0,
    };
    source
        .file(Header {
            times: Some(times),
            ..header("a b", 0o644, 3)
        })
        .unwrap();
    assert_eq!(sent(&mut source), b"T1 0 2 0\n");
    assert_eq!(answer(&mut source, b""), source::Step::NeedInput);
    assert_eq!(source.file(header("c", 0, 0)), Err(OfferError::NotReady));
    assert_eq!(source.warn(b"x"), Err(OfferError::NotReady));
    assert_eq!(answer(&mut source, b"\0"), source::Step::NeedInput);
    assert_eq!(sent(&mut source), b"C0644 3 a b\n");
    assert_eq!(answer(&mut source, b"\0"), source::Step::Send(3));
    source.finish(None);
    assert!(sent(&mut source).is_empty(), "octets are missing");
    source.sent(3);
    source.finish(None);
    assert_eq!(sent(&mut source), b"\0");
    assert_eq!(answer(&mut source, b""), source::Step::NeedInput);
    assert_eq!(answer(&mut source, b"\0"), source::Step::Idle);
    assert!(source.may_end());
}

/// SCP-20.
#[test]
fn a_refusal_skips_the_file_and_a_fatal_answer_stops() {
    for refused_after in [0, 1] {
        let mut source = source();
        let times = Some(Times::default());
        source
            .file(Header {
                times,
                ..header("a", 0o644, 3)
            })
            .unwrap();
        let answers = [vec![0; refused_after], b"\x01scp: a: no\n".to_vec()].concat();
        assert_eq!(
            answer(&mut source, &answers),
            source::Step::Refused(b"scp: a: no".to_vec())
        );
        assert_eq!(answer(&mut source, b""), source::Step::Idle);
        assert_eq!(source.depth(), 0);
    }
    let mut source = source();
    source.directory(header("d", 0o755, 0)).unwrap();
    let stop = source::Step::Stop(source::Stop::Fatal(b"over".to_vec()));
    assert_eq!(answer(&mut source, b"\x02over\n"), stop);
    assert_eq!(answer(&mut source, b""), stop);
    assert_eq!(source.file(header("a", 0, 0)), Err(OfferError::NotReady));
}

/// Section 3 of the specification: the first response is `\x01`.
#[test]
fn a_sink_that_will_not_start_stops_the_source_before_any_file() {
    let mut source = Source::new();
    assert_eq!(
        answer(&mut source, b"\x01scp: x: Not a "),
        source::Step::NeedInput
    );
    let text = b"scp: x: Not a directory".to_vec();
    let stop = source::Step::Stop(source::Stop::Unwilling(text));
    assert_eq!(answer(&mut source, b"directory\n"), stop);
    assert!(sent(&mut source).is_empty() && !source.may_end());
}

#[test]
fn a_failure_to_store_is_told_from_a_refusal() {
    let mut source = source();
    source.file(header("a", 0o644, 0)).unwrap();
    assert_eq!(answer(&mut source, b"\0"), source::Step::Send(0));
    source.finish(Some(b"scp: a: Input/output error"));
    assert_eq!(
        sent(&mut source),
        b"C0644 0 a\n\x01scp: a: Input/output error\n"
    );
    assert_eq!(
        answer(&mut source, b"\x01full\n"),
        source::Step::Failed(b"full".to_vec())
    );
    assert_eq!(answer(&mut source, b""), source::Step::Idle);
}

#[test]
fn directories_are_offered_entered_and_ended() {
    let mut source = source();
    source.directory(header("d", 0o755, 0)).unwrap();
    assert_eq!(answer(&mut source, b"\0"), source::Step::Idle);
    assert_eq!(source.depth(), 1);
    source.directory(header("e", 0o700, 0)).unwrap();
    assert!(matches!(
        answer(&mut source, b"\x01no\n"),
        source::Step::Refused(_)
    ));
    assert_eq!(source.depth(), 1, "not entered, so not ended");
    source.warn(b"scp: x: no such").unwrap();
    assert!(!source.may_end());
    source.leave().unwrap();
    assert_eq!(answer(&mut source, b"\0"), source::Step::Idle);
    assert_eq!(
        sent(&mut source),
        b"D0755 0 d\nD0700 0 e\n\x01scp: x: no such\nE\n"
    );
    assert_eq!(source.leave(), Err(OfferError::NotInside));
    for _ in 0..DEPTH_LIMIT {
        source.directory(header("d", 0o755, 0)).unwrap();
        assert_eq!(answer(&mut source, b"\0"), source::Step::Idle);
    }
    assert_eq!(
        source.directory(header("d", 0o755, 0)),
        Err(OfferError::TooDeep)
    );
}

/// SCP-22 and the attacks of SCP-32 from the other side: a line feed in a name would be a message.
#[test]
fn names_that_no_message_can_carry_are_not_sent() {
    for (name, error) in [
        ("", NameError::Special),
        (".", NameError::Special),
        ("..", NameError::Special),
        ("a/b", NameError::Separator),
        ("a\nC0644 0 x", NameError::ControlByte),
        ("a\0", NameError::ControlByte),
    ] {
        let mut source = source();
        assert_eq!(
            source.file(header(name, 0o644, 1)),
            Err(OfferError::Name(error))
        );
        assert_eq!(
            source.directory(header(name, 0o755, 0)),
            Err(OfferError::Name(error))
        );
        assert!(sent(&mut source).is_empty());
        assert_eq!(answer(&mut source, b""), source::Step::Idle);
    }
}

#[test]
fn an_answer_that_is_none_stops_the_source() {
    let mut source = Source::new();
    assert_eq!(
        answer(&mut source, b"sh: scp: \x1bnot found\n"),
        source::Step::Stop(source::Stop::Answer(b"sh: scp: \x1bnot found".to_vec()))
    );
    let source::Step::Stop(stop) = answer(&mut source, b"") else {
        panic!("goes on");
    };
    assert!(stop.to_string().ends_with("'sh: scp: \\u{1b}not found'"));
    let mut source = Source::new();
    let endless = vec![1; LINE_LIMIT + 1];
    assert_eq!(
        source.step(&mut endless.as_slice()),
        source::Step::Stop(source::Stop::LineTooLong)
    );
}

/// EOF in every state.
#[test]
fn a_sources_input_may_end_when_everything_is_answered() {
    let mut source = Source::new();
    assert!(!source.may_end());
    assert_eq!(answer(&mut source, b"\0"), source::Step::Idle);
    assert!(source.may_end());
    source.directory(header("d", 0o755, 0)).unwrap();
    assert!(!source.may_end());
    assert_eq!(answer(&mut source, b"\0"), source::Step::Idle);
    assert!(!source.may_end(), "inside a directory");
    source.file(header("a", 0o644, 1)).unwrap();
    assert_eq!(answer(&mut source, b"\0"), source::Step::Send(1));
    assert!(!source.may_end(), "inside a file");
    source.sent(1);
    source.finish(None);
    assert_eq!(answer(&mut source, b"\x01no"), source::Step::NeedInput);
    assert!(!source.may_end() && source.unfinished_line() == b"\x01no");
    assert!(matches!(
        answer(&mut source, b"\n"),
        source::Step::Failed(_)
    ));
    source.leave().unwrap();
    assert_eq!(answer(&mut source, b"\0"), source::Step::Idle);
    assert!(source.may_end());
}
