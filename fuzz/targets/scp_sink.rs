//! The sink against a hostile source: a client's, with names that were asked for, and a server's.
//!
//! Holds: no input panics; what is held of it is one line; a name that comes out is one component, and
//! at the top one that was asked for (CVE-2018-20685, CVE-2019-6111); the octets of a file are as many
//! as were announced; enters and leaves match; every step that wants an answer gets one, and one
//! answer only goes out. However the input is cut, the steps are the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_proto::scp::{
    DEPTH_LIMIT, LINE_LIMIT, Sink, Wanted,
    sink::{Settings, Step},
};

fn run(first: u8, input: &[u8], cut: usize) -> (Vec<Step>, Vec<u8>) {
    let asked = [b"a b".as_slice(), b"d/*.c", b"big"];
    let wanted = if first & 2 == 2 {
        Wanted::patterns(asked)
    } else {
        Wanted::anything()
    };
    let mut sink = Sink::new(Settings {
        recursive: first & 1 == 1,
        wanted: wanted.clone(),
    });
    sink.accept();
    let (mut steps, mut said) = (Vec::new(), Vec::new());
    let (mut depth, mut expected, mut answers) = (0, None, 0_u32);
    for mut piece in input.chunks(cut) {
        loop {
            let step = sink.step(&mut piece);
            // Every second question is answered with no where the first octet says so.
            let refuses = |count: u32| first & 4 == 4 && count % 2 == 1;
            match &step {
                Step::NeedInput => break,
                Step::Receive(left) => {
                    let announced: u64 = expected.expect("octets of no file");
                    assert!(*left > 0 && *left <= announced);
                    let count = (piece.len() as u64).min(*left);
                    if count == 0 {
                        break;
                    }
                    piece = &piece[usize::try_from(count).unwrap()..];
                    sink.received(count);
                    expected = Some(*left - count).filter(|left| *left > 0);
                    continue;
                }
                Step::File(header) | Step::Directory(header) => {
                    let name = header.name.as_slice();
                    assert!(!matches!(name, b"" | b"." | b".."));
                    assert!(!name.iter().any(|byte| b"/\0\n".contains(byte)));
                    assert!(depth > 0 || wanted.includes(name));
                    assert!(header.mode <= 0o7777 && header.size <= i64::MAX as u64);
                    let is_directory = matches!(step, Step::Directory(_));
                    assert!(!is_directory || first & 1 == 1);
                    answers += 1;
                    if refuses(answers) {
                        sink.refuse(name);
                    } else {
                        sink.accept();
                        depth += usize::from(is_directory);
                        expected = (header.size > 0).then_some(header.size);
                    }
                }
                Step::Finish { .. } => {
                    assert_eq!(expected, None, "octets are missing");
                    answers += 1;
                    sink.accept();
                }
                Step::Leave => {
                    depth -= 1;
                    answers += 1;
                    sink.accept();
                }
                Step::Warning(_) => {}
                Step::Stop(_) => {
                    said.append(sink.output());
                    steps.push(step);
                    assert!(!sink.may_end());
                    return (steps, said);
                }
            }
            assert!(depth == sink.depth() && depth <= DEPTH_LIMIT);
            steps.push(step);
            said.append(sink.output());
        }
        assert!(sink.unfinished_line().len() <= LINE_LIMIT);
        said.append(sink.output());
    }
    (steps, said)
}

fuzz_target!(|data: &[u8]| {
    let Some((&first, input)) = data.split_first() else {
        return;
    };
    let whole = run(first, input, usize::MAX);
    assert!(
        whole
            .1
            .iter()
            .all(|&byte| byte <= 2 || byte == b'\n' || byte >= b' ')
    );
    assert_eq!(run(first, input, 1 + usize::from(first >> 4)), whole);
});
