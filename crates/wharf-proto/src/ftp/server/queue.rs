//! What came in and waits for its turn.
//!
//! A client may send commands ahead (RFC 1123 4.1.3.3 forbids to lose them). Lines are read as they
//! come, so that ABOR is heard behind them; what is read waits here as commands, a bounded number of
//! them, and behind that as a bounded number of raw octets. The whole thing lives in a box that
//! exists only while something waits.

use std::collections::VecDeque;

use super::Action;
use crate::ftp::{
    command::{Command, CommandError, split},
    verb::Verb,
};

/// Longest part of an unknown verb that is kept for the event log.
const UNKNOWN_WORD: usize = 16;

/// One line, read.
#[derive(Debug)]
pub(super) enum Entry {
    Command(Command),
    /// Not a verb.
    Unknown {
        /// The word, cut, for the event log.
        word: Vec<u8>,
        /// It is a word of another protocol (RPL-08).
        foreign: bool,
    },
    Malformed {
        in_verb: bool,
    },
    TooLong,
}

impl Entry {
    /// Reads a line; `None` when it is empty.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        match Command::parse(line) {
            Ok(command) => Some(Self::Command(command)),
            Err(CommandError::Empty) => None,
            Err(CommandError::UnknownVerb) => {
                let (word, _) = split(line);
                Some(Self::Unknown {
                    word: word.get(..UNKNOWN_WORD).unwrap_or(word).to_vec(),
                    foreign: is_foreign(line),
                })
            }
        }
    }

    pub(super) fn is(&self, verb: Verb) -> bool {
        matches!(self, Self::Command(command) if command.verb == verb)
    }

    /// STAT without a path.
    pub(super) fn asks_status(&self) -> bool {
        matches!(self, Self::Command(command)
            if command.verb == Verb::Stat && command.argument.trim_ascii().is_empty())
    }
}

/// How lines of protocols begin that a browser or a mail program can be made to speak to us
/// (CVE-2021-3618, RPL-08).
const FOREIGN: [&[u8]; 11] = [
    b"GET ",
    b"POST",
    b"PUT ",
    b"HEAD",
    b"OPTIONS",
    b"CONNECT",
    b"Host:",
    b"User-Agent:",
    b"EHLO",
    b"HELO",
    b"SSH-",
];

fn is_foreign(line: &[u8]) -> bool {
    let begins = |word: &&[u8]| {
        line.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    FOREIGN.iter().any(begins)
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Lines, oldest first.
    pub(super) entries: VecDeque<Entry>,
    /// Actions behind the first one.
    pub(super) actions: VecDeque<Action>,
    /// Octets not cut into lines yet, and how many of them are done.
    unread: Vec<u8>,
    done: usize,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.actions.is_empty() && self.unread.is_empty()
    }

    /// Octets not cut into lines yet.
    pub(super) fn unread_len(&self) -> usize {
        self.unread.len() - self.done
    }

    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// Takes the unread octets out, to be given back by [`Self::restore`].
    pub(super) fn take_unread(&mut self) -> (Vec<u8>, usize) {
        (
            std::mem::take(&mut self.unread),
            std::mem::take(&mut self.done),
        )
    }

    /// Gives back octets of which the first `done` are used up.
    pub(super) fn restore(&mut self, unread: Vec<u8>, done: usize) {
        if done < unread.len() {
            self.unread = unread;
            self.done = done;
        }
    }

    /// Takes out the first entry that fits.
    pub(super) fn remove(&mut self, fits: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let at = self.entries.iter().position(fits)?;
        self.entries.remove(at)
    }
}
