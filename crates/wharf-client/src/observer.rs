//! Who watches: progress, notes, and the dialogue with the server.
//!
//! Bytes are not reported one by one: a transfer hands out its [`Meter`], which the watcher reads when
//! it likes.

use std::{path::Path, sync::Arc};

use wharf_transfer::Meter;

use crate::{Error, Result, Transferred};

/// Names one transfer among those of an observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransferId(pub u64);

/// What is moved.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The remote file, without its password.
    pub url: &'a str,
    /// The local file.
    pub path: Option<&'a Path>,
}

/// Watches work go on. Every call may come from any thread and must not block.
pub trait Observer: Send + Sync {
    /// A transfer begins. `total` is the size when known; `done` octets were there before (resumed),
    /// `meter` counts those that come on top.
    fn started(
        &self,
        _id: TransferId,
        _subject: Subject<'_>,
        _total: Option<u64>,
        _done: u64,
        _meter: &Arc<Meter>,
    ) {
    }

    /// A transfer ended, for good or ill; it may have failed before it began.
    fn finished(&self, _id: TransferId, _subject: Subject<'_>, _result: &Result<Transferred>) {}

    /// An attempt failed and another is made after `_wait`.
    fn retrying(&self, _error: &Error, _wait: std::time::Duration) {}

    /// Something worth knowing that is no failure.
    fn note(&self, _text: &str) {}

    /// A line to (`>`) or from (`<`) the server; passwords are masked.
    fn dialogue(&self, _direction: char, _line: &str) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
