//! The end that sends: `scp -f` on a server, the uploading end on a client.
//!
//! The driver calls [`Source::step`] with what came. At [`Step::Idle`] it offers the next file or
//! directory, or ends; at [`Step::Send`] it sends so many octets behind [`Source::output`] and tells
//! how many, then [`Source::finish`]. The machine waits for every answer (SCP-20) and tells what the
//! sink thinks of it.

use thiserror::Error;

use super::{
    DEPTH_LIMIT, LINE_LIMIT,
    message::{self, Header},
    name::{self, NameError},
};

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the output, then bring more input.
    NeedInput,
    /// Offer the next, or end.
    Idle,
    /// Send the output and so many octets of the file, tell how many, then finish it.
    Send(u64),
    /// The sink does not want the file or directory that was offered, and why: skip it.
    Refused(Vec<u8>),
    /// The sink could not store the file that was sent or end the directory, and why.
    Failed(Vec<u8>),
    /// Stop. Every later step says the same.
    Stop(Stop),
}

/// Why nothing goes on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Stop {
    /// The sink would not even start, with these words.
    #[error("{}", message::escape(.0))]
    Unwilling(Vec<u8>),
    /// The sink gave up, with these words.
    #[error("the sink gave up: {}", message::escape(.0))]
    Fatal(Vec<u8>),
    /// The sink's answer was none: the octets, up to a line feed.
    #[error("protocol error: expected an answer, got '{}'", message::escape(.0))]
    Answer(Vec<u8>),
    /// An answer longer than [`LINE_LIMIT`].
    #[error("protocol error: line too long")]
    LineTooLong,
}

/// Why something cannot be offered.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum OfferError {
    /// An answer is awaited, or a file is on its way, or all is over.
    #[error("the sink is not ready for the next")]
    NotReady,
    /// Its name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// More than [`DEPTH_LIMIT`] directories in each other.
    #[error("directories too deep")]
    TooDeep,
    /// No directory is open.
    #[error("no directory is open")]
    NotInside,
}

#[derive(Clone, Debug)]
enum State {
    Waiting(Awaited),
    Idle,
    Data {
        left: u64,
    },
    /// Every octet is sent, the source's own word is not.
    Sent,
    Stopped(Stop),
}

/// What the next answer is about.
#[derive(Clone, Debug)]
enum Awaited {
    Start,
    /// The times; then this is offered.
    Times(Header, Kind),
    File(u64),
    Directory,
    Stored,
    Left,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    File,
    Directory,
}

/// The machine.
#[derive(Debug)]
pub struct Source {
    state: State,
    /// The beginning of an answer in words.
    line: Vec<u8>,
    depth: usize,
    output: Vec<u8>,
}

impl Default for Source {
    fn default() -> Self {
        Self::new()
    }
}

impl Source {
    /// A source that waits for the sink to be ready.
    pub const fn new() -> Self {
        Self {
            state: State::Waiting(Awaited::Start),
            line: Vec::new(),
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
    pub fn step(&mut self, input: &mut &[u8]) -> Step {
        loop {
            match &self.state {
                State::Idle => return Step::Idle,
                State::Data { left } => return Step::Send(*left),
                State::Sent => return Step::Send(0),
                State::Stopped(stop) => return Step::Stop(stop.clone()),
                State::Waiting(_) => {}
            }
            match self.answer(input) {
                Ok(None) => return Step::NeedInput,
                Ok(Some(Answer::Yes)) => self.go_on(),
                Ok(Some(Answer::No(text))) => return self.refused(text),
                Err(stop) => return self.stop(stop),
            }
        }
    }

    /// Offers a file: its times if it has any, then the file itself.
    ///
    /// # Errors
    /// [`OfferError`]; nothing has changed then.
    pub fn file(&mut self, header: Header) -> Result<(), OfferError> {
        self.offer(header, Kind::File)
    }

    /// Offers a directory; what is offered after it lies in it, until [`Source::leave`].
    ///
    /// # Errors
    /// [`OfferError`]; nothing has changed then.
    pub fn directory(&mut self, header: Header) -> Result<(), OfferError> {
        if self.depth >= DEPTH_LIMIT {
            return Err(OfferError::TooDeep);
        }
        self.offer(header, Kind::Directory)
    }

    /// Ends the directory that was entered last.
    ///
    /// # Errors
    /// [`OfferError`]; nothing has changed then.
    pub fn leave(&mut self) -> Result<(), OfferError> {
        self.check_idle()?;
        self.depth = self.depth.checked_sub(1).ok_or(OfferError::NotInside)?;
        self.output.extend_from_slice(b"E\n");
        self.state = State::Waiting(Awaited::Left);
        Ok(())
    }

    /// Tells that `octets` of the file were sent: never more than [`Step::Send`] said, more are not
    /// counted.
    pub fn sent(&mut self, octets: u64) {
        if let State::Data { left } = &mut self.state {
            *left = left.saturating_sub(octets);
            if *left == 0 {
                self.state = State::Sent;
            }
        }
    }

    /// Ends a file of which every octet was sent; `failure`: they were not the file's, and why.
    /// Does nothing while octets are missing.
    pub fn finish(&mut self, failure: Option<&[u8]>) {
        if let State::Sent = self.state {
            match failure {
                None => self.output.push(0),
                Some(text) => message::encode_warning(text, &mut self.output),
            }
            self.state = State::Waiting(Awaited::Stored);
        }
    }

    /// Tells the sink of something that failed; no answer comes.
    ///
    /// # Errors
    /// [`OfferError::NotReady`].
    pub fn warn(&mut self, text: &[u8]) -> Result<(), OfferError> {
        self.check_idle()?;
        message::encode_warning(text, &mut self.output);
        Ok(())
    }

    /// Whether the input may end here: the sink answered everything.
    pub const fn may_end(&self) -> bool {
        matches!(self.state, State::Idle) && self.depth == 0
    }

    /// The beginning of an answer in words that the input ended in.
    pub fn unfinished_line(&self) -> &[u8] {
        &self.line
    }

    const fn check_idle(&self) -> Result<(), OfferError> {
        match self.state {
            State::Idle => Ok(()),
            _ => Err(OfferError::NotReady),
        }
    }

    fn offer(&mut self, header: Header, kind: Kind) -> Result<(), OfferError> {
        self.check_idle()?;
        name::check(&header.name)?;
        match &header.times {
            Some(times) => {
                message::encode_times(times, &mut self.output);
                self.state = State::Waiting(Awaited::Times(header, kind));
            }
            None => self.tell(&header, kind),
        }
        Ok(())
    }

    fn tell(&mut self, header: &Header, kind: Kind) {
        self.state = State::Waiting(match kind {
            Kind::File => {
                message::encode_file(header, &mut self.output);
                Awaited::File(header.size)
            }
            Kind::Directory => {
                message::encode_directory(header, &mut self.output);
                Awaited::Directory
            }
        });
    }

    /// The sink agrees.
    fn go_on(&mut self) {
        let State::Waiting(awaited) = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        match awaited {
            Awaited::Start | Awaited::Stored | Awaited::Left => {}
            Awaited::Times(header, kind) => self.tell(&header, kind),
            Awaited::File(0) => self.state = State::Sent,
            Awaited::File(left) => self.state = State::Data { left },
            Awaited::Directory => self.depth += 1,
        }
    }

    fn refused(&mut self, text: Vec<u8>) -> Step {
        let State::Waiting(awaited) = std::mem::replace(&mut self.state, State::Idle) else {
            return Step::NeedInput;
        };
        match awaited {
            Awaited::Start => self.stop(Stop::Unwilling(text)),
            Awaited::Times(..) | Awaited::File(_) | Awaited::Directory => Step::Refused(text),
            Awaited::Stored | Awaited::Left => Step::Failed(text),
        }
    }

    fn answer(&mut self, input: &mut &[u8]) -> Result<Option<Answer>, Stop> {
        if self.line.is_empty()
            && let Some((0, rest)) = input.split_first()
        {
            *input = rest;
            return Ok(Some(Answer::Yes));
        }
        let end = memchr::memchr(b'\n', input);
        let (part, rest) = input
            .split_at_checked(end.unwrap_or(input.len()))
            .unwrap_or((input, b""));
        if self.line.len() + part.len() > LINE_LIMIT {
            return Err(Stop::LineTooLong);
        }
        self.line.extend_from_slice(part);
        *input = rest.get(usize::from(end.is_some())..).unwrap_or_default();
        if end.is_none() {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        match line.split_first() {
            Some((1, text)) => Ok(Some(Answer::No(text.to_vec()))),
            Some((2, text)) => Err(Stop::Fatal(text.to_vec())),
            _ => Err(Stop::Answer(line)),
        }
    }

    fn stop(&mut self, stop: Stop) -> Step {
        self.state = State::Stopped(stop.clone());
        Step::Stop(stop)
    }
}

enum Answer {
    Yes,
    No(Vec<u8>),
}
