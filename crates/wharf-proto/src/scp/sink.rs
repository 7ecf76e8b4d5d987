//! The end that receives: `scp -t` on a server, the downloading end on a client.
//!
//! The driver calls [`Sink::step`] with what came, does what the [`Step`] says, answers with
//! [`Sink::accept`] or [`Sink::refuse`] where an answer is owed, and sends [`Sink::output`]. Octets
//! of a file do not pass through here: on [`Step::Receive`] the driver takes them from its input and
//! tells how many ([`Sink::received`]).
//!
//! The machine checks the order, the names and every number (SCP-10, SCP-11, SCP-32). Where things go
//! and whether they may is the driver's business.

use thiserror::Error;

use super::{
    DEPTH_LIMIT, LINE_LIMIT,
    message::{self, Header, Message, MessageError, Times},
    name::{self, Wanted},
};

/// What a sink takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `-r`: directories may come.
    pub recursive: bool,
    /// Names at the top that were asked for.
    pub wanted: Wanted,
}

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the output, then bring more input.
    NeedInput,
    /// A file comes. An answer is owed; a refusal makes the source skip it.
    File(Header),
    /// A directory comes, what follows lies in it. An answer is owed; a refusal makes the source
    /// skip it with all that it holds.
    Directory(Header),
    /// So many octets of the file are still to come; take what is there and tell how many.
    Receive(u64),
    /// The file's octets are here. An answer is owed.
    Finish {
        /// The source could not read its file, and why: what came is not the file.
        failure: Option<Vec<u8>>,
    },
    /// The directory that was entered last ends. An answer is owed.
    Leave,
    /// The source tells of something that failed on its side.
    Warning(Vec<u8>),
    /// Send the output, then stop. Every later step says the same.
    Stop(Stop),
}

/// Why nothing goes on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Stop {
    /// The source gave up, with these words.
    #[error("the source gave up: {}", message::escape(.0))]
    Fatal(Vec<u8>),
    /// The source did not keep to the protocol.
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// How a source broke the protocol.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Violation {
    /// A line that is no message.
    #[error("protocol error: {error}: '{}'", message::escape(line))]
    Message {
        /// What is wrong with it.
        error: MessageError,
        /// The beginning of the line: often words of a shell that could not run scp.
        line: Vec<u8>,
    },
    /// A line longer than [`LINE_LIMIT`].
    #[error("protocol error: line too long")]
    LineTooLong,
    /// A directory, though none was asked for.
    #[error("protocol error: received directory without -r")]
    NotRecursive,
    /// An `E` without its `D`.
    #[error("protocol error: unexpected end of directory")]
    UnexpectedEnd,
    /// More than [`DEPTH_LIMIT`] directories in each other.
    #[error("protocol error: directories too deep")]
    TooDeep,
    /// Behind the octets of a file stood none of the octets 0, 1 and 2.
    #[error("protocol error: expected the source's answer")]
    Answer,
    /// A name that could lead elsewhere.
    #[error("error: unexpected filename")]
    Name(Vec<u8>),
    /// A name that nobody asked for.
    #[error("error: filename does not match request")]
    Unwanted(Vec<u8>),
}

/// How much of a line an error keeps.
const SHOWN: usize = 200;

#[derive(Debug)]
enum State {
    /// The driver owes an answer; then it goes on with this.
    Owing(Next),
    /// The next message.
    Message,
    /// Octets of a file.
    Data { left: u64 },
    /// The source's answer behind the octets.
    Status,
    /// Nothing goes on.
    Stopped(Stop),
}

#[derive(Clone, Copy, Debug)]
enum Next {
    /// Messages, whatever the answer.
    Message,
    /// A file's octets if it is accepted.
    Data(u64),
    /// A directory if it is accepted.
    Enter,
}

/// The machine.
#[derive(Debug)]
pub struct Sink {
    settings: Settings,
    state: State,
    /// The beginning of a message.
    line: Vec<u8>,
    times: Option<Times>,
    depth: usize,
    output: Vec<u8>,
}

impl Sink {
    /// A sink that owes its first answer: [`Sink::accept`] starts the source, [`Sink::refuse`] tells
    /// that the target will not do.
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Owing(Next::Message),
            line: Vec::new(),
            times: None,
            depth: 0,
            output: Vec::new(),
        }
    }

    /// What is to be sent; the driver sends and clears it.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// How many directories are open.
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Goes on with what came; takes from `input` what it used.
    ///
    /// While an answer is owed this takes nothing and says [`Step::NeedInput`].
    pub fn step(&mut self, input: &mut &[u8]) -> Step {
        match &self.state {
            State::Owing(_) => Step::NeedInput,
            State::Data { left } => Step::Receive(*left),
            State::Stopped(stop) => Step::Stop(stop.clone()),
            State::Status => self.status(input),
            State::Message => self.message(input),
        }
    }

    /// Tells that `octets` of the file were taken from the input: never more than
    /// [`Step::Receive`] said, more are not counted.
    pub fn received(&mut self, octets: u64) {
        if let State::Data { left } = &mut self.state {
            *left = left.saturating_sub(octets);
            if *left == 0 {
                self.state = State::Status;
            }
        }
    }

    /// Answers yes. Does nothing when no answer is owed.
    pub fn accept(&mut self) {
        let State::Owing(next) = self.state else {
            return;
        };
        self.output.push(0);
        self.state = match next {
            Next::Message => State::Message,
            Next::Data(0) => State::Status,
            Next::Data(left) => State::Data { left },
            Next::Enter => {
                self.depth += 1;
                State::Message
            }
        };
    }

    /// Answers no, and why. Does nothing when no answer is owed.
    pub fn refuse(&mut self, text: &[u8]) {
        if let State::Owing(_) = self.state {
            message::encode_warning(text, &mut self.output);
            self.state = State::Message;
        }
    }

    /// Whether the input may end here: between messages, with every directory ended.
    pub fn may_end(&self) -> bool {
        matches!(self.state, State::Message) && self.line.is_empty() && self.depth == 0
    }

    /// The beginning of a message that the input ended in.
    pub fn unfinished_line(&self) -> &[u8] {
        &self.line
    }

    fn message(&mut self, input: &mut &[u8]) -> Step {
        loop {
            match self.take_line(input) {
                Ok(false) => return Step::NeedInput,
                Ok(true) => {}
                Err(violation) => return self.stop(violation),
            }
            let mut line = std::mem::take(&mut self.line);
            let step = match Message::parse(&line) {
                Ok(message) => self.act(message),
                Err(error) => Err(Violation::Message {
                    error,
                    line: line.get(..SHOWN).unwrap_or(&line).to_vec(),
                }),
            };
            // The memory is worth keeping from line to line.
            line.clear();
            self.line = line;
            match step {
                Ok(None) => {}
                Ok(Some(step)) => return step,
                Err(violation) => return self.stop(violation),
            }
        }
    }

    /// `None`: nothing for the driver, the next message please.
    fn act(&mut self, message: Message<'_>) -> Result<Option<Step>, Violation> {
        let times = self.times.take();
        match message {
            Message::Times(times) => {
                self.times = Some(times);
                self.output.push(0);
                Ok(None)
            }
            Message::File { mode, size, name } => {
                self.check(name)?;
                self.state = State::Owing(Next::Data(size));
                Ok(Some(Step::File(Header {
                    name: name.to_vec(),
                    mode,
                    size,
                    times,
                })))
            }
            Message::Directory { mode, name } => {
                if !self.settings.recursive {
                    return Err(Violation::NotRecursive);
                }
                self.check(name)?;
                if self.depth >= DEPTH_LIMIT {
                    return Err(Violation::TooDeep);
                }
                self.state = State::Owing(Next::Enter);
                Ok(Some(Step::Directory(Header {
                    name: name.to_vec(),
                    mode,
                    size: 0,
                    times,
                })))
            }
            Message::End => {
                self.depth = self.depth.checked_sub(1).ok_or(Violation::UnexpectedEnd)?;
                self.state = State::Owing(Next::Message);
                Ok(Some(Step::Leave))
            }
            Message::Warning(text) => Ok(Some(Step::Warning(text.to_vec()))),
            Message::Fatal(text) => {
                let stop = Stop::Fatal(text.to_vec());
                self.state = State::Stopped(stop.clone());
                Ok(Some(Step::Stop(stop)))
            }
        }
    }

    fn check(&self, name: &[u8]) -> Result<(), Violation> {
        name::check(name).map_err(|_| Violation::Name(name.to_vec()))?;
        if self.depth == 0 && !self.settings.wanted.includes(name) {
            return Err(Violation::Unwanted(name.to_vec()));
        }
        Ok(())
    }

    fn status(&mut self, input: &mut &[u8]) -> Step {
        let failure = if self.line.is_empty() {
            match input.split_first() {
                None => return Step::NeedInput,
                Some((0, rest)) => {
                    *input = rest;
                    None
                }
                Some((1 | 2, _)) => Some(()),
                Some(_) => return self.stop(Violation::Answer),
            }
        } else {
            Some(())
        };
        let mut text = None;
        if failure.is_some() {
            match self.take_line(input) {
                Ok(false) => return Step::NeedInput,
                Ok(true) => {}
                Err(violation) => return self.stop(violation),
            }
            let line = std::mem::take(&mut self.line);
            if let Some((2, fatal)) = line.split_first() {
                let stop = Stop::Fatal(fatal.to_vec());
                self.state = State::Stopped(stop.clone());
                return Step::Stop(stop);
            }
            text = Some(line.get(1..).unwrap_or_default().to_vec());
        }
        self.state = State::Owing(Next::Message);
        Step::Finish { failure: text }
    }

    /// Whether `line` now holds a whole line, without its line feed.
    fn take_line(&mut self, input: &mut &[u8]) -> Result<bool, Violation> {
        let end = memchr::memchr(b'\n', input);
        let (part, rest) = input
            .split_at_checked(end.unwrap_or(input.len()))
            .unwrap_or((input, b""));
        if self.line.len() + part.len() > LINE_LIMIT {
            return Err(Violation::LineTooLong);
        }
        self.line.extend_from_slice(part);
        *input = rest.get(usize::from(end.is_some())..).unwrap_or_default();
        Ok(end.is_some())
    }

    fn stop(&mut self, violation: Violation) -> Step {
        let text = match &violation {
            // The beginning of the line is for us; the source knows what it said.
            Violation::Message { error, .. } => format!("protocol error: {error}"),
            other => other.to_string(),
        };
        match violation {
            Violation::Name(_) | Violation::Unwanted(_) => {
                message::encode_warning(text.as_bytes(), &mut self.output);
            }
            _ => message::encode_fatal(text.as_bytes(), &mut self.output),
        }
        let stop = Stop::Violation(violation);
        self.state = State::Stopped(stop.clone());
        Step::Stop(stop)
    }
}
