//! The person at the terminal: a line typed in answer to a prompt.
//!
//! `/dev/tty` and not standard input, which may be a file or a pipe. Without a terminal there is nobody.
//! One question at a time: no answer, and no password, is taken for another question's.
#![expect(
    clippy::disallowed_methods,
    reason = "the terminal is opened where the person is asked"
)]

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::termios::{LocalModes, OptionalActions, isatty, tcgetattr, tcsetattr};

/// The person, who answers one question at a time.
static PERSON: Mutex<()> = Mutex::new(());

/// A terminal, and the person's ear.
pub(super) struct Terminal {
    file: File,
    _ear: MutexGuard<'static, ()>,
}

impl Terminal {
    /// The one that this process belongs to. Waits until no other question is open; the guard ends it.
    pub(super) fn open() -> Option<Self> {
        let ear = PERSON.lock().unwrap_or_else(PoisonError::into_inner);
        let mut options = std::fs::OpenOptions::new();
        let terminal = options.read(true).write(true).open("/dev/tty").ok()?;
        isatty(&terminal).then_some(Self {
            file: terminal,
            _ear: ear,
        })
    }

    /// Asks and reads a line.
    pub(super) fn ask(&mut self, prompt: &str) -> io::Result<String> {
        write!(self.file, "{prompt}")?;
        let mut line = String::new();
        BufReader::new(&self.file).read_line(&mut line)?;
        Ok(line.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// Asks and reads a line that is not shown.
    pub(super) fn ask_secret(&mut self, prompt: &str) -> io::Result<String> {
        let before = tcgetattr(&self.file)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&self.file, OptionalActions::Flush, &silent)?;
        let read = self.ask(prompt);
        tcsetattr(&self.file, OptionalActions::Flush, &before)?;
        writeln!(self.file)?;
        read
    }
}
