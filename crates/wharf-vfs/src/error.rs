//! What can go wrong with a file, in words that no protocol owns.
//!
//! Front ends map [`ErrorKind`] to their own codes with one total `match`; the client maps back. So
//! a kind must say what a *user* can do about it, not which system call failed. The `source` is for
//! the log only: what a peer sees must never hold a host path or a back end's text.

use crate::VirtualPath;

/// The result of a file operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is; neutral to protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object does not exist, or the account may not know that it does.
    NotFound,
    /// Something stands there already and may not be replaced.
    Exists,
    /// A directory was wanted.
    NotADirectory,
    /// A file was wanted.
    IsADirectory,
    /// The directory still holds entries.
    NotEmpty,
    /// The account lacks the right, or the host refuses.
    Denied,
    /// The volume or the view cannot be written at all.
    ReadOnly,
    /// The name is not allowed here (length, bytes, reserved).
    InvalidName,
    /// No space on the device.
    NoSpace,
    /// A quota is used up.
    OverQuota,
    /// The object is in use; trying again later may help.
    Busy,
    /// The operation would cross volumes.
    CrossVolume,
    /// The volume cannot do this.
    Unsupported,
    /// No answer in time.
    TimedOut,
    /// The volume is out of reach for now.
    Unavailable,
    /// The store failed (I/O error), or its answer made no sense.
    Broken,
}

impl ErrorKind {
    /// Whether the same request may succeed later without anybody changing anything.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Busy | Self::TimedOut | Self::Unavailable)
    }

    /// One plain sentence part, fit for any peer.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotFound => "No such file or directory",
            Self::Exists => "File exists",
            Self::NotADirectory => "Not a directory",
            Self::IsADirectory => "Is a directory",
            Self::NotEmpty => "Directory not empty",
            Self::Denied => "Permission denied",
            Self::ReadOnly => "Read-only",
            Self::InvalidName => "Name not allowed",
            Self::NoSpace => "No space left on the volume",
            Self::OverQuota => "Quota exceeded",
            Self::Busy => "In use, try again later",
            Self::CrossVolume => "Source and target lie on different volumes",
            Self::Unsupported => "Not supported by this volume",
            Self::TimedOut => "The volume did not answer in time",
            Self::Unavailable => "The volume is not available now",
            Self::Broken => "Input/output error",
        }
    }
}

/// Which operation failed; for logs and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Looking at an object.
    Metadata,
    /// Opening a file for reading.
    Read,
    /// Opening or writing a file.
    Write,
    /// Reading a directory.
    List,
    /// Making a directory.
    CreateDirectory,
    /// Removing a file or link.
    Remove,
    /// Removing a directory.
    RemoveDirectory,
    /// Renaming.
    Rename,
    /// Changing modes, times or owners.
    SetAttributes,
    /// Making or reading a link.
    Link,
    /// Asking for free space.
    Space,
    /// Making an upload visible.
    Commit,
}

/// A failed operation on a volume or view.
#[derive(Debug, thiserror::Error)]
#[error("{operation:?} {path}: {}", kind.text())]
pub struct Error {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// What was tried.
    pub operation: Operation,
    /// On which object, as the account sees it (or as the volume sees it, below a mount).
    pub path: VirtualPath,
    /// The back end's own words: for the log, never for a peer.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure without a back end's words.
    pub fn new(kind: ErrorKind, operation: Operation, path: &VirtualPath) -> Self {
        Self {
            kind,
            operation,
            path: path.clone(),
            source: None,
        }
    }

    /// A failure with a back end's words for the log.
    pub fn with_source(
        kind: ErrorKind,
        operation: Operation,
        path: &VirtualPath,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            operation,
            path: path.clone(),
            source: Some(source.into()),
        }
    }

    /// The same failure as seen at another path (a volume's path turned into the view's).
    #[must_use]
    pub fn at(mut self, path: &VirtualPath) -> Self {
        self.path = path.clone();
        self
    }
}
