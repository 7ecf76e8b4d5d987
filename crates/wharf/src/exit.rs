//! How the process ends: one documented code per kind of failure, and always a hint.
//!
//! Codes are a promise to scripts (docs/exit-codes.md); they tell the *step* that failed and whether
//! trying again can help. A number is never given a second meaning.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

/// Why the process ends with another code than 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A failure of Wharf itself.
    Internal,
    /// The command line cannot be meant; also the code of the argument parser.
    Usage,
    /// The configuration is wrong.
    Config,
    /// The host refuses what the server needs: a port, a folder, a right.
    Denied,
    /// A failure of the client's work, by the client's kind.
    Remote(wharf_client::Kind),
    /// Ended by the user.
    Interrupted,
}

impl Kind {
    /// The exit code.
    pub(crate) const fn code(self) -> u8 {
        use wharf_client::Kind as Remote;
        match self {
            Self::Usage | Self::Remote(Remote::Usage) => 2,
            Self::Config => 3,
            Self::Denied => 4,
            Self::Remote(Remote::Name) => 10,
            Self::Remote(Remote::Refused) => 11,
            Self::Remote(Remote::TimedOut) => 12,
            Self::Remote(Remote::Protocol) => 13,
            Self::Remote(Remote::Busy) => 14,
            Self::Remote(Remote::Tls) => 15,
            Self::Remote(Remote::Certificate) => 16,
            Self::Remote(Remote::HostKey) => 17,
            Self::Remote(Remote::Authentication) => 20,
            Self::Remote(Remote::NotFound) => 21,
            Self::Remote(Remote::Permission) => 22,
            Self::Remote(Remote::Rejected) => 23,
            Self::Remote(Remote::Data) => 30,
            Self::Remote(Remote::Partial) => 31,
            Self::Remote(Remote::Differs) => 32,
            Self::Remote(Remote::Local) => 40,
            Self::Remote(Remote::SomeFailed) => 50,
            Self::Interrupted => 130,
            // The client's kinds may grow before this table does.
            Self::Internal | Self::Remote(_) => 1,
        }
    }
}

#[derive(Debug)]
enum Cause {
    Own(String),
    Remote(Box<wharf_client::Error>),
}

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    cause: Cause,
    /// It has been told already.
    told: bool,
}

impl Failure {
    fn new(kind: Kind, error: impl Into<String>) -> Self {
        Self {
            kind,
            cause: Cause::Own(error.into()),
            told: false,
        }
    }

    /// The command line cannot be meant.
    pub(crate) fn usage(error: impl Into<String>) -> Self {
        Self::new(Kind::Usage, error)
    }

    /// The configuration is wrong.
    pub(crate) fn config(error: impl Into<String>) -> Self {
        Self::new(Kind::Config, error)
    }

    /// The host refuses what is needed.
    pub(crate) fn denied(error: impl Into<String>) -> Self {
        Self::new(Kind::Denied, error)
    }

    /// A failure of Wharf itself.
    pub(crate) fn internal(error: impl Into<String>) -> Self {
        Self::new(Kind::Internal, error)
    }

    /// Ended by the user.
    pub(crate) fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    /// Not to be told again.
    pub(crate) fn already_told(mut self) -> Self {
        self.told = true;
        self
    }

    /// Whether it has been told already.
    pub(crate) const fn is_told(&self) -> bool {
        self.told
    }

    /// The client's own error, where there is one.
    pub(crate) const fn remote(&self) -> Option<&wharf_client::Error> {
        match &self.cause {
            Cause::Own(_) => None,
            Cause::Remote(error) => Some(error),
        }
    }

    /// The exit code.
    pub(crate) const fn code(&self) -> u8 {
        self.kind.code()
    }

    /// Writes what happened to standard error; gives the code to end with.
    pub(crate) fn report(self) -> ExitCode {
        if !self.told {
            let mut text = format!("wharf: {self}\n");
            for hint in self.remote().map_or(&[][..], |error| error.hints()) {
                text.push_str("  hint: ");
                text.push_str(hint);
                text.push('\n');
            }
            // With nobody to read it there is nothing left to do.
            let _ = io::stderr().lock().write_all(text.as_bytes());
        }
        ExitCode::from(self.code())
    }
}

/// What happened, without the hints.
impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Own(text) => formatter.write_str(text),
            Cause::Remote(error) => write!(formatter, "{}: {error}", error.step().name()),
        }
    }
}

impl From<wharf_client::Error> for Failure {
    fn from(error: wharf_client::Error) -> Self {
        Self {
            kind: Kind::Remote(error.kind()),
            cause: Cause::Remote(Box::new(error)),
            told: false,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::internal(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each code of docs/exit-codes.md stands there with its number.
    #[test]
    fn codes_are_those_of_the_document() {
        use wharf_client::Kind as Remote;
        let document = include_str!("../../../docs/exit-codes.md");
        let kinds = [
            Kind::Internal,
            Kind::Usage,
            Kind::Config,
            Kind::Denied,
            Kind::Remote(Remote::Name),
            Kind::Remote(Remote::Refused),
            Kind::Remote(Remote::TimedOut),
            Kind::Remote(Remote::Protocol),
            Kind::Remote(Remote::Busy),
            Kind::Remote(Remote::Tls),
            Kind::Remote(Remote::Certificate),
            Kind::Remote(Remote::HostKey),
            Kind::Remote(Remote::Authentication),
            Kind::Remote(Remote::NotFound),
            Kind::Remote(Remote::Permission),
            Kind::Remote(Remote::Rejected),
            Kind::Remote(Remote::Data),
            Kind::Remote(Remote::Partial),
            Kind::Remote(Remote::Differs),
            Kind::Remote(Remote::Local),
            Kind::Remote(Remote::SomeFailed),
            Kind::Interrupted,
        ];
        let mut codes: Vec<u8> = kinds.iter().map(|kind| kind.code()).collect();
        for code in &codes {
            assert!(
                document.contains(&format!("| {code} |")),
                "{code} is not documented"
            );
        }
        codes.dedup();
        assert_eq!(codes.len(), kinds.len(), "two kinds share a code");
    }
}
