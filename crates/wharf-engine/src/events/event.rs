//! The events: one enum for all protocols.
//!
//! An event borrows what it tells; a sink copies what it keeps. No event holds a secret: what was
//! masked before it came here stays masked.

use std::net::{IpAddr, SocketAddr};

use crate::registry::SessionId;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something of ours failed.
    Error,
    /// Somebody should look.
    Warning,
    /// The life of sessions and files.
    Info,
    /// Every command.
    Debug,
}

impl Level {
    /// The word in a log line and in the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Whose event it is.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The session, if it is one's.
    pub session: Option<SessionId>,
    /// The service ("ftp").
    pub service: &'static str,
    /// The peer.
    pub peer: Option<IpAddr>,
    /// The account, once logged in.
    pub account: Option<std::sync::Arc<str>>,
}

/// What a connection of a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Commands and replies.
    Control,
    /// The octets of a transfer.
    Data,
}

impl Purpose {
    /// The word in a log line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Data => "data",
        }
    }
}

/// Which way the bytes of a transfer go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From us to the peer.
    Download,
    /// From the peer to us.
    Upload,
}

impl Direction {
    /// The word in a log line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferEnd {
    /// Whole; an upload is under its final name.
    Committed,
    /// Not whole, with the cause; `kept` says that the part stays for resumption.
    Aborted {
        /// The cause in words.
        cause: String,
        /// The part stays.
        kept: bool,
    },
    /// The peer wanted to know the size and stopped there: nothing failed, and nothing was fetched.
    SizeOnly,
}

/// One finished transfer.
#[derive(Clone, Debug)]
pub struct TransferRecord<'a> {
    /// Which way.
    pub direction: Direction,
    /// Absolute virtual path, raw bytes.
    pub path: &'a [u8],
    /// Octets on the data stream.
    pub octets: u64,
    /// Seconds that it took.
    pub seconds: f64,
    /// Line ends were converted.
    pub ascii: bool,
    /// The account is the anonymous one.
    pub anonymous: bool,
    /// How it ended.
    pub end: TransferEnd,
}

/// A change of the tree that is not an upload.
#[derive(Clone, Copy, Debug)]
pub enum FileChange<'a> {
    /// A file was removed.
    Removed(&'a [u8]),
    /// A directory was made.
    DirectoryMade(&'a [u8]),
    /// A directory was removed.
    DirectoryRemoved(&'a [u8]),
    /// An object got another name.
    Renamed(&'a [u8], &'a [u8]),
    /// Modes, times or owners changed.
    Attributes(&'a [u8]),
    /// A link was made: where it stands, and the file or the text that it leads to.
    Linked(&'a [u8], &'a [u8]),
}

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A listener is open.
    Listening(SocketAddr),
    /// A connection was let in.
    Opened {
        /// The peer's whole address.
        peer: SocketAddr,
    },
    /// A connection was turned away at the door.
    Refused {
        /// Why.
        cause: &'a str,
    },
    /// A login succeeded.
    LoggedIn {
        /// What an anonymous user gave as a password, escaped; otherwise empty.
        note: &'a str,
        /// The key that was proven, with its fingerprint, and of a certificate its identity; empty where
        /// the login was by something else.
        key: &'a str,
    },
    /// A login failed.
    LoginFailed {
        /// The name as given.
        user: &'a [u8],
        /// The true cause: for the log only.
        cause: &'a str,
    },
    /// A command came (masked).
    Command {
        /// The verb.
        verb: &'a str,
        /// The argument, masked.
        argument: &'a [u8],
    },
    /// A client told its name.
    ClientName(&'a [u8]),
    /// A transfer ended.
    Transfer(TransferRecord<'a>),
    /// A transfer was asked for and refused before it began.
    RequestRefused {
        /// Which way the octets would have gone.
        direction: Direction,
        /// The name as it was asked for, raw bytes.
        path: &'a [u8],
        /// The true cause: for the log only.
        cause: &'a str,
    },
    /// The tree changed.
    Changed(FileChange<'a>),
    /// A data connection was refused or did not come about.
    DataConnection {
        /// What happened.
        cause: &'a str,
    },
    /// TLS is up on a connection (TLS-14).
    Secured {
        /// Which connection.
        purpose: Purpose,
        /// The version of TLS.
        version: &'a str,
        /// The cipher suite.
        suite: &'a str,
        /// An earlier TLS session was resumed.
        resumed: bool,
    },
    /// TLS did not come up on a control connection, or broke there.
    TlsFailed {
        /// Why.
        cause: &'a str,
    },
    /// A volume failed in a way that the user was not told in full.
    VolumeFailed {
        /// The back end's words.
        cause: &'a str,
    },
    /// A session ended.
    Closed {
        /// Why.
        cause: &'a str,
        /// Seconds that it lived.
        seconds: u64,
    },
    /// The configuration was read again.
    Reloaded,
    /// The new configuration was refused and the old one stays.
    ReloadFailed {
        /// Why.
        cause: &'a str,
    },
    /// No new connections; running transfers may finish.
    Draining,
    /// Anything that an administrator should know.
    Notice {
        /// How much it matters.
        level: Level,
        /// What.
        text: &'a str,
    },
}

impl Event<'_> {
    /// How much it matters.
    pub const fn level(&self) -> Level {
        match self {
            Self::VolumeFailed { .. } | Self::ReloadFailed { .. } => Level::Error,
            Self::LoginFailed { .. }
            | Self::Refused { .. }
            | Self::DataConnection { .. }
            | Self::TlsFailed { .. } => Level::Warning,
            Self::Command { .. } | Self::ClientName(_) => Level::Debug,
            // As it should be, on every transfer.
            Self::Secured {
                purpose: Purpose::Data,
                resumed: true,
                ..
            } => Level::Debug,
            Self::Notice { level, .. } => *level,
            Self::Transfer(record) => match record.end {
                TransferEnd::Committed | TransferEnd::SizeOnly => Level::Info,
                TransferEnd::Aborted { .. } => Level::Warning,
            },
            _ => Level::Info,
        }
    }

    /// A stable name for machines.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Listening(_) => "listening",
            Self::Opened { .. } => "opened",
            Self::Refused { .. } => "refused",
            Self::LoggedIn { .. } => "logged_in",
            Self::LoginFailed { .. } => "login_failed",
            Self::Command { .. } => "command",
            Self::ClientName(_) => "client_name",
            Self::Transfer(record) => match (record.direction, &record.end) {
                (_, TransferEnd::SizeOnly) => "size_asked",
                (Direction::Download, TransferEnd::Committed) => "download_committed",
                (Direction::Download, TransferEnd::Aborted { .. }) => "download_aborted",
                (Direction::Upload, TransferEnd::Committed) => "upload_committed",
                (Direction::Upload, TransferEnd::Aborted { .. }) => "upload_aborted",
            },
            Self::RequestRefused { .. } => "request_refused",
            Self::Changed(change) => match change {
                FileChange::Removed(_) => "removed",
                FileChange::DirectoryMade(_) => "directory_made",
                FileChange::DirectoryRemoved(_) => "directory_removed",
                FileChange::Renamed(..) => "renamed",
                FileChange::Linked(..) => "linked",
                FileChange::Attributes(_) => "attributes_changed",
            },
            Self::DataConnection { .. } => "data_connection",
            Self::Secured { .. } => "secured",
            Self::TlsFailed { .. } => "tls_failed",
            Self::VolumeFailed { .. } => "volume_failed",
            Self::Closed { .. } => "closed",
            Self::Reloaded => "reloaded",
            Self::ReloadFailed { .. } => "reload_failed",
            Self::Draining => "draining",
            Self::Notice { .. } => "notice",
        }
    }
}
