//! Runs the golden transcripts (`transcripts/README.txt` tells their form) against the machine.

use std::path::Path;

use super::*;
use crate::sftp::{
    extension::Set,
    longname, response,
    response::{FileSystem, Limits, SpaceAvailable},
    transcript::{ALL, fields, packet, shown, split},
};

macro_rules! transcripts {
    ($($test:ident = $name:literal;)*) => {
        $(#[test]
        fn $test() {
            let (name, text) = ALL.iter().find(|(name, _)| *name == $name).unwrap();
            run(name, text);
        })*

        const RUN: &[&str] = &[$($name),*];
    };
}

transcripts! {
    sft_30_and_33_a_download = "download";
    sft_50_to_65_every_extension = "extensions";
    sft_21_version_three_and_nothing_else = "init";
    sft_37_and_40_a_listing = "listing";
    sft_20_and_43_what_is_malformed_or_unknown = "malformed";
    sft_23_conflicts_keep_their_order = "order";
    sft_31_to_42_paths_are_octets = "paths";
    sft_32_and_34_an_upload = "upload";
}

#[test]
fn every_transcript_is_run() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sftp/server/transcripts");
    let mut found: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "README")
        .collect();
    found.sort();
    assert_eq!(found, ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    assert_eq!(found, RUN);
}

/// One session that a transcript tells of.
struct Run {
    server: Server,
    input: Vec<u8>,
    output: Vec<u8>,
    is_over: bool,
}

fn run(name: &str, text: &str) {
    let mut run = Run::new("");
    for (line, number) in text.lines().zip(1..) {
        let at = format!("{name}.txt:{number}: {line}");
        match line.split_once(' ').unwrap_or((line, "")) {
            ("%", settings) => {
                run.end(&at);
                run = Run::new(settings);
            }
            ("C:", said) => run.input.extend(packet(said)),
            ("C=", said) => run.input.extend(fields(said)),
            ("!", expected) => {
                let (id, request) = run.next(&at).expect(&at).expect(&at);
                assert_eq!(shown(&request), shown(&packet(expected)), "{at}: {id:?}");
            }
            ("X", why) => {
                assert_eq!(run.next(&at).expect_err(&at).to_string(), why, "{at}");
                run.is_over = true;
            }
            ("S:", expected) => run.hear(expected, &at),
            ("<", told) => run.tell(told),
            ("--", "") => run.rest(&at),
            ("#", _) => {}
            _ => panic!("{at}: no line of a transcript"),
        }
    }
    run.end(name);
}

impl Run {
    fn new(settings: &str) -> Self {
        let mut made = Settings::default();
        for word in settings.split(' ') {
            match word.split_once('=').unwrap_or((word, "0")) {
                ("new" | "", _) => {}
                ("plain", _) => made.extensions = Set::NONE,
                ("draft", _) => made.symlink_order = SymlinkOrder::Draft,
                ("deferred", number) => made.max_deferred = number.parse().unwrap(),
                ("held", number) => made.max_held = number.parse().unwrap(),
                ("reveal", _) => {
                    made.vendor = Some(Vendor {
                        vendor: b"Wharf",
                        product: b"wharf",
                        version: b"1",
                        build: 7,
                    });
                }
                _ => panic!("no setting: {word}"),
            }
        }
        Self {
            server: Server::new(made),
            input: Vec::new(),
            output: Vec::new(),
            is_over: false,
        }
    }

    fn end(&mut self, at: &str) {
        if !self.is_over {
            self.rest(at);
            assert_eq!(self.server.deferred(), 0, "{at}");
        }
        assert!(self.output.is_empty(), "{at}: {}", shown(&self.output));
    }

    /// The next request, encoded again.
    fn next(&mut self, at: &str) -> Result<Option<(RequestId, Vec<u8>)>, Violation> {
        let mut input = &self.input[..];
        let next = self
            .server
            .next_request(&mut input, &mut self.output)?
            .map(|(id, request)| {
                let mut encoded = Vec::new();
                request.encode(id, &mut encoded);
                (id, encoded)
            });
        assert!(
            next.is_some() || input.is_empty(),
            "{at}: all input is taken"
        );
        self.input = input.to_vec();
        Ok(next)
    }

    fn hear(&mut self, expected: &str, at: &str) {
        if self.output.is_empty() {
            // INIT is answered by the machine.
            assert_eq!(self.next(at), Ok(None), "{at}");
        }
        assert!(!self.output.is_empty(), "{at}: nothing was written");
        let (heard, rest) = split(&self.output);
        if let Some(start) = expected.strip_suffix(" ...") {
            assert!(heard[4..].starts_with(&packet(start)[4..]), "{at}");
        } else {
            assert_eq!(shown(heard), shown(&packet(expected)), "{at}");
        }
        self.output = rest.to_vec();
    }

    /// What was written and not read yet is left for `S:` lines.
    fn rest(&mut self, at: &str) {
        let next = self.next(at).expect(at).map(|(_, request)| shown(&request));
        assert_eq!(next, None, "{at}");
    }

    fn tell(&mut self, told: &str) {
        let mut words = told.splitn(3, ' ');
        let what = words.next().unwrap();
        let id = RequestId(words.next().unwrap().parse().unwrap());
        let rest = words.next().unwrap_or_default();
        let text = || fields(rest).get(4..).unwrap_or_default().to_vec();
        let numbers: Vec<u64> = rest
            .split(' ')
            .map_while(|word| word.parse().ok())
            .collect();
        let small = |place: usize| u32::try_from(numbers[place]).unwrap();
        let output = &mut self.output;
        match what {
            "defer" => self.server.defer(id),
            "close" => self.server.defer_close(id, Spelling::of(&text())),
            "settle" => self.server.settle(id),
            "status" => {
                let (code, message) = rest.split_once(' ').unwrap();
                let code = StatusCode::from_wire(code.parse().unwrap());
                response::status(id, code, message, output);
            }
            "handle" => response::handle(id, &text(), output),
            "name" => response::name(id, &text(), output),
            "data" => {
                let data = response::Data::begin(id, output);
                output.extend(text());
                data.finish(output);
            }
            "attributes" => {
                let attributes = Attributes {
                    size: Some(numbers[0]),
                    permissions: Some(small(1)),
                    owner: Some((small(2), small(3))),
                    times: Some((small(4), small(5))),
                };
                response::attributes(id, &attributes, output);
            }
            "names" => {
                let mut names = response::Names::begin(id, output);
                for name in rest.split_inclusive("\" ") {
                    let name = &fields(name)[4..];
                    let attributes = Attributes {
                        permissions: Some(0o100_644),
                        ..Attributes::default()
                    };
                    let line = longname::Entry {
                        kind: longname::Kind::File,
                        mode: 0o644,
                        links: 1,
                        owner: b"0",
                        group: b"0",
                        size: 5,
                        modified: crate::ftp::time::FtpTime::new(0, 0),
                        name,
                        target: None,
                    };
                    let push = |output: &mut Vec<u8>| longname::push(&line, i64::MAX, output);
                    assert!(names.push(name, push, &attributes, output));
                }
                names.finish(output);
            }
            "limits" => {
                let limits = Limits {
                    packet: 262_144,
                    read: MAX_DATA.into(),
                    write: MAX_DATA.into(),
                    handles: numbers[0],
                };
                response::limits(id, &limits, output);
            }
            "statvfs" => {
                let system = FileSystem {
                    block_size: 1,
                    fragment_size: 2,
                    blocks: 3,
                    blocks_free: 4,
                    blocks_available: 5,
                    files: 6,
                    files_free: 7,
                    files_available: 8,
                    id: 9,
                    flags: FileSystem::READ_ONLY | FileSystem::NO_SET_UID,
                    longest_name: 255,
                };
                response::file_system(id, &system, output);
            }
            "users" => response::users_and_groups(
                id,
                [&b""[..], b"u1000"].into_iter(),
                [&b"g7"[..]].into_iter(),
                output,
            ),
            "check" => {
                let (algorithm, hashes) = rest.split_once(' ').unwrap();
                let hashes = fields(hashes);
                response::check_file(id, algorithm.as_bytes(), &hashes[4..], output);
            }
            "md5" => response::md5_hash(id, &text(), output),
            "space" => {
                let room = SpaceAvailable {
                    device: 1,
                    unused: 2,
                    user: 3,
                    unused_by_user: 4,
                    unit: 4_096,
                };
                response::space_available(id, &room, output);
            }
            _ => panic!("nothing to tell: {told}"),
        }
    }
}
