//! A source that feeds a sink, with trees of any shape and a wire that cuts anywhere.

use proptest::prelude::*;

use crate::scp::{
    Header, Sink, Source, Times, Wanted,
    sink::{self, Settings},
    source,
};

#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    name: Vec<u8>,
    mode: u32,
    times: Option<Times>,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    File(Vec<u8>),
    /// What could not be read: its octets do not count.
    Broken(u64),
    Directory(Vec<Node>),
}

impl Node {
    fn header(&self) -> Header {
        Header {
            name: self.name.clone(),
            mode: self.mode,
            size: match &self.content {
                Content::File(octets) => octets.len() as u64,
                Content::Broken(size) => *size,
                Content::Directory(_) => 0,
            },
            times: self.times,
        }
    }
}

/// What a driver of the source does next.
enum Task {
    Offer(Node),
    Leave,
}

/// The source's driver.
struct Sender {
    machine: Source,
    tasks: Vec<Task>,
    /// The file that is offered or on its way.
    current: Option<Node>,
    done: bool,
}

impl Sender {
    fn new(tree: &[Node]) -> Self {
        Self {
            machine: Source::new(),
            tasks: tree.iter().rev().cloned().map(Task::Offer).collect(),
            current: None,
            done: false,
        }
    }

    fn feed(&mut self, mut input: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            let step = self.machine.step(&mut input);
            out.append(self.machine.output());
            match step {
                source::Step::NeedInput => return out,
                source::Step::Idle => {
                    if let Some(Node {
                        content: Content::Directory(nodes),
                        ..
                    }) = self.current.take()
                    {
                        self.tasks.push(Task::Leave);
                        self.tasks.extend(nodes.into_iter().rev().map(Task::Offer));
                    }
                    match self.tasks.pop() {
                        None => {
                            self.done = true;
                            return out;
                        }
                        Some(Task::Leave) => self.machine.leave().unwrap(),
                        Some(Task::Offer(node)) => {
                            match node.content {
                                Content::Directory(_) => self.machine.directory(node.header()),
                                _ => self.machine.file(node.header()),
                            }
                            .unwrap();
                            self.current = Some(node);
                        }
                    }
                }
                source::Step::Send(left) => {
                    let failure: Option<&[u8]> =
                        match self.current.as_ref().map(|node| &node.content) {
                            Some(Content::File(octets)) => {
                                out.extend_from_slice(octets);
                                None
                            }
                            _ => {
                                out.resize(out.len() + usize::try_from(left).unwrap(), 0);
                                Some(b"cannot be read")
                            }
                        };
                    self.machine.sent(left);
                    self.machine.finish(failure);
                }
                source::Step::Refused(_) | source::Step::Failed(_) => self.current = None,
                source::Step::Stop(stop) => panic!("{stop}"),
            }
        }
    }
}

/// The sink's driver; refuses what `refused` names.
struct Receiver {
    machine: Sink,
    /// The directories that are open, each with what came into it; the top is nobody's.
    open: Vec<Node>,
    refused: Vec<u8>,
    current: Option<Header>,
    octets: Vec<u8>,
}

impl Receiver {
    fn new(refused: &[u8]) -> Self {
        let mut machine = Sink::new(Settings {
            recursive: true,
            wanted: Wanted::anything(),
        });
        machine.accept();
        let top = Node {
            name: Vec::new(),
            mode: 0,
            times: None,
            content: Content::Directory(Vec::new()),
        };
        Self {
            machine,
            open: vec![top],
            refused: refused.to_vec(),
            current: None,
            octets: Vec::new(),
        }
    }

    fn put(&mut self, node: Node) {
        match &mut self.open.last_mut().unwrap().content {
            Content::Directory(nodes) => nodes.push(node),
            other => panic!("{other:?}"),
        }
    }

    fn feed(&mut self, mut input: &[u8]) -> Vec<u8> {
        loop {
            match self.machine.step(&mut input) {
                sink::Step::NeedInput => break,
                sink::Step::Receive(left) => {
                    let count = input.len().min(usize::try_from(left).unwrap());
                    if count == 0 {
                        break;
                    }
                    self.octets.extend_from_slice(&input[..count]);
                    input = &input[count..];
                    self.machine.received(count as u64);
                }
                sink::Step::File(header) | sink::Step::Directory(header)
                    if header.name == self.refused =>
                {
                    self.machine.refuse(b"not this one");
                }
                sink::Step::File(header) => {
                    self.current = Some(header);
                    self.machine.accept();
                }
                sink::Step::Finish { failure } => {
                    let octets = std::mem::take(&mut self.octets);
                    let header = self.current.take().unwrap();
                    assert_eq!(header.size, octets.len() as u64);
                    match failure {
                        None => {
                            self.put(Node {
                                name: header.name,
                                mode: header.mode,
                                times: header.times,
                                content: Content::File(octets),
                            });
                            self.machine.accept();
                        }
                        Some(_) => self.machine.refuse(b"not stored"),
                    }
                }
                sink::Step::Directory(header) => {
                    self.open.push(Node {
                        name: header.name,
                        mode: header.mode,
                        times: header.times,
                        content: Content::Directory(Vec::new()),
                    });
                    self.machine.accept();
                }
                sink::Step::Leave => {
                    let node = self.open.pop().unwrap();
                    self.put(node);
                    self.machine.accept();
                }
                sink::Step::Warning(text) => panic!("{}", text.escape_ascii()),
                sink::Step::Stop(stop) => panic!("{stop}"),
            }
        }
        std::mem::take(self.machine.output())
    }
}

/// Sends a tree through a wire that brings `cuts` octets at a time; gives what came.
fn copy(tree: &[Node], refused: &[u8], cuts: &[usize]) -> Vec<Node> {
    let mut sender = Sender::new(tree);
    let mut receiver = Receiver::new(refused);
    let mut cuts = cuts.iter().copied().cycle();
    let mut to_source = receiver.feed(b"");
    while !sender.done {
        let mut to_sink = Vec::new();
        while !to_source.is_empty() {
            let count = cuts.next().unwrap().min(to_source.len());
            let rest = to_source.split_off(count);
            to_sink.extend(sender.feed(&to_source));
            to_source = rest;
        }
        let mut answers = Vec::new();
        while !to_sink.is_empty() {
            let count = cuts.next().unwrap().min(to_sink.len());
            let rest = to_sink.split_off(count);
            answers.extend(receiver.feed(&to_sink));
            to_sink = rest;
        }
        assert!(sender.done || !answers.is_empty(), "both wait");
        to_source = answers;
    }
    assert!(sender.machine.may_end() && receiver.machine.may_end());
    match receiver.open.pop().unwrap().content {
        Content::Directory(nodes) => nodes,
        other => panic!("{other:?}"),
    }
}

/// The tree without what is refused and what could not be read.
fn expected(tree: &[Node], refused: &[u8]) -> Vec<Node> {
    let kept = |node: &&Node| node.name != refused && !matches!(node.content, Content::Broken(_));
    let inner = |node: &Node| match &node.content {
        Content::Directory(nodes) => Node {
            content: Content::Directory(expected(nodes, refused)),
            ..node.clone()
        },
        _ => node.clone(),
    };
    tree.iter().filter(kept).map(inner).collect()
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[a-c]".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 1..20).prop_map(|mut name| {
            name.retain(|byte| !b"/\n\0\\".contains(byte));
            if name.iter().all(|&byte| byte == b'.') {
                name.push(b'x');
            }
            name
        }),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let times = proptest::option::of(
        (
            0..=i64::MAX as u64,
            0..1_000_000_u32,
            0..=i64::MAX as u64,
            0..1_000_000_u32,
        )
            .prop_map(
                |(modified, modified_micros, accessed, accessed_micros)| Times {
                    modified,
                    modified_micros,
                    accessed,
                    accessed_micros,
                },
            ),
    );
    let leaf = prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..300).prop_map(Content::File),
        1 => (0..100_u64).prop_map(Content::Broken),
    ];
    let content = (name(), 0..=0o7777_u32, times.clone(), leaf);
    let leaf = content.prop_map(|(name, mode, times, content)| Node {
        name,
        mode,
        times,
        content,
    });
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let inside = proptest::collection::vec(inner, 0..6).prop_map(Content::Directory);
        (name(), 0..=0o7777_u32, times.clone(), inside).prop_map(|(name, mode, times, content)| {
            Node {
                name,
                mode,
                times,
                content,
            }
        })
    })
}

proptest! {
    /// Whatever the tree and wherever the wire cuts, what came is what was sent.
    #[test]
    fn a_source_that_feeds_a_sink_reproduces_the_tree(
        tree in proptest::collection::vec(node(), 0..6),
        cuts in proptest::collection::vec(1..50_usize, 1..10),
    ) {
        prop_assert_eq!(copy(&tree, b"", &cuts), expected(&tree, b""));
    }

    /// What is refused is skipped with all that it holds, and nothing else is.
    #[test]
    fn a_refusal_costs_what_was_refused_only(tree in proptest::collection::vec(node(), 0..6)) {
        prop_assert_eq!(copy(&tree, b"a", &[usize::MAX]), expected(&tree, b"a"));
    }

    /// No input makes a sink panic, hold more than a line, or hand out a name that leads elsewhere.
    #[test]
    fn a_sink_survives_any_input(
        input in proptest::collection::vec(prop_oneof![
            4 => Just(b"C0644 3 a\n".to_vec()), 2 => Just(b"D0755 0 d\n".to_vec()), 2 => Just(b"E\n".to_vec()),
            2 => Just(b"\0".to_vec()), 2 => Just(b"abc".to_vec()), 1 => Just(b"T1 0 1 0\n".to_vec()),
            1 => Just(b"\x01x\n".to_vec()), 1 => Just(b"C0644 0 ../x\n".to_vec()),
            1 => proptest::collection::vec(any::<u8>(), 0..30),
        ], 0..30),
        size in 1..40_usize,
    ) {
        let input = input.concat();
        let mut sink = Sink::new(Settings { recursive: true, wanted: Wanted::anything() });
        sink.accept();
        for mut piece in input.chunks(size) {
            loop {
                match sink.step(&mut piece) {
                    sink::Step::NeedInput => break,
                    sink::Step::Receive(left) => {
                        let count = piece.len().min(usize::try_from(left).unwrap());
                        if count == 0 {
                            break;
                        }
                        piece = &piece[count..];
                        sink.received(count as u64);
                    }
                    sink::Step::File(header) | sink::Step::Directory(header) => {
                        prop_assert!(!header.name.contains(&b'/') && header.name != b"..");
                        sink.accept();
                    }
                    sink::Step::Stop(_) => return Ok(()),
                    sink::Step::Finish { .. } | sink::Step::Leave => sink.accept(),
                    sink::Step::Warning(_) => {}
                }
            }
            prop_assert!(sink.unfinished_line().len() <= crate::scp::LINE_LIMIT);
        }
    }
}
