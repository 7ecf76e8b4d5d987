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

use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

/// The person, who answers one question at a time.
static PERSON: Mutex<()> = Mutex::new(());

/// The terminal that shows nothing now, and how it was before.
static HIDDEN: Mutex<Option<(File, Termios)>> = Mutex::new(None);

/// Lets the terminal show again what is typed; for an end in the middle of a question, too.
pub(super) fn restore() {
    let hidden = HIDDEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((terminal, before)) = hidden {
        // A terminal that is gone shows nothing anyway.
        let _ = tcsetattr(&terminal, OptionalActions::Flush, &before);
    }
}

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
        let hidden = (self.file.try_clone()?, before);
        *HIDDEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(hidden);
        tcsetattr(&self.file, OptionalActions::Flush, &silent)?;
        let read = self.ask(prompt);
        restore();
        writeln!(self.file)?;
        read
    }
}

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    /// Ctrl-C at a password leaves no terminal that shows nothing.
    #[test]
    fn interrupted_question_leaves_the_terminal_as_it_was() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let slave = rustix::fs::open(path, flags, rustix::fs::Mode::empty()).unwrap();
        let slave = File::from(slave);
        let shows = |file: &File| {
            let modes = tcgetattr(file).unwrap().local_modes;
            modes.contains(LocalModes::ECHO)
        };
        let watched = slave.try_clone().unwrap();
        assert!(shows(&watched));
        let asking = std::thread::spawn(move || {
            let mut terminal = Terminal {
                file: slave,
                _ear: PERSON.lock().unwrap_or_else(PoisonError::into_inner),
            };
            terminal.ask_secret("Password: ")
        });
        while shows(&watched) {
            std::thread::yield_now();
        }
        restore();
        assert!(shows(&watched));
        let mut master = File::from(master);
        master.write_all(b"secret\n").unwrap();
        assert_eq!(asking.join().unwrap().unwrap(), "secret");
    }
}
