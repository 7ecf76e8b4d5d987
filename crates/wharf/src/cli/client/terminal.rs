//! The person at the terminal: a line typed in answer to a prompt.
//!
//! `/dev/tty` and not standard input, which may be a file or a pipe. Without a terminal there is nobody.
#![expect(
    clippy::disallowed_methods,
    reason = "the terminal is opened where the person is asked"
)]

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
};

use rustix::termios::{LocalModes, OptionalActions, isatty, tcgetattr, tcsetattr};

/// A terminal.
pub(super) struct Terminal(File);

impl Terminal {
    /// The one that this process belongs to.
    pub(super) fn open() -> Option<Self> {
        let mut options = std::fs::OpenOptions::new();
        let terminal = options.read(true).write(true).open("/dev/tty").ok()?;
        isatty(&terminal).then_some(Self(terminal))
    }

    /// Asks and reads a line.
    pub(super) fn ask(&mut self, prompt: &str) -> io::Result<String> {
        write!(self.0, "{prompt}")?;
        let mut line = String::new();
        BufReader::new(&self.0).read_line(&mut line)?;
        Ok(line.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// Asks and reads a line that is not shown.
    pub(super) fn ask_secret(&mut self, prompt: &str) -> io::Result<String> {
        let before = tcgetattr(&self.0)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&self.0, OptionalActions::Flush, &silent)?;
        let read = self.ask(prompt);
        tcsetattr(&self.0, OptionalActions::Flush, &before)?;
        writeln!(self.0)?;
        read
    }
}
