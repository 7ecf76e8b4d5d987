//! How the process ends: one kind of failure, one exit code, always a sentence that helps.
//!
//! Scripts read the code, people read the sentence; `docs/exit-codes.md` lists both.

use std::{
    fmt, io,
    io::Write as _,
    process::ExitCode,
};

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    error: String,
}

/// Kinds of failure, each with its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// What was typed makes no sense.
    Usage = 2,
    /// The configuration is not valid.
    Config = 3,
    /// This machine does not allow it.
    Denied = 4,
    /// A bug, or a resource of this machine.
    Internal = 70,
}

impl Failure {
    /// What was typed makes no sense.
    pub(crate) fn usage(error: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, error: error.into() }
    }

    /// The configuration is not valid.
    pub(crate) fn config(error: impl Into<String>) -> Self {
        Self { kind: Kind::Config, error: error.into() }
    }

    /// This machine does not allow it.
    pub(crate) fn denied(error: impl Into<String>) -> Self {
        Self { kind: Kind::Denied, error: error.into() }
    }

    /// A bug, or a resource of this machine.
    pub(crate) fn internal(error: impl Into<String>) -> Self {
        Self { kind: Kind::Internal, error: error.into() }
    }

    /// Tells the user and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        // Without a standard error there is nobody to tell.
        let _ = writeln!(io::stderr(), "wharf: {self}");
        ExitCode::from(self.kind as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::internal(error.to_string())
    }
}
