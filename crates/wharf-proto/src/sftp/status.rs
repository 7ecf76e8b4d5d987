//! Status codes (draft section 7; the table of sftp.md section 2).
//!
//! A server of version 3 sends eight codes and no other; a client must bear any number.

/// The code of a STATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusCode {
    /// 0: done.
    Ok,
    /// 1: the end of a file or directory.
    Eof,
    /// 2: no such file, or hidden.
    NoSuchFile,
    /// 3: a right is missing.
    PermissionDenied,
    /// 4: anything else; the message says what.
    Failure,
    /// 5: malformed, or a value that cannot be.
    BadMessage,
    /// 6: local to a client; never sent by a server.
    NoConnection,
    /// 7: local to a client; never sent by a server.
    ConnectionLost,
    /// 8: not supported.
    OpUnsupported,
    /// A code of a later version, or none at all.
    Other(u32),
}

impl StatusCode {
    /// From the wire.
    #[must_use]
    pub fn from_wire(code: u32) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::Eof,
            2 => Self::NoSuchFile,
            3 => Self::PermissionDenied,
            4 => Self::Failure,
            5 => Self::BadMessage,
            6 => Self::NoConnection,
            7 => Self::ConnectionLost,
            8 => Self::OpUnsupported,
            other => Self::Other(other),
        }
    }

    /// What a server sends: codes 6, 7 and those of later versions become FAILURE.
    #[must_use]
    pub fn to_wire(self) -> u32 {
        match self {
            Self::Ok => 0,
            Self::Eof => 1,
            Self::NoSuchFile => 2,
            Self::PermissionDenied => 3,
            Self::Failure | Self::NoConnection | Self::ConnectionLost | Self::Other(_) => 4,
            Self::BadMessage => 5,
            Self::OpUnsupported => 8,
        }
    }

    /// The sentence that goes with the code when nobody knows a better one.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Ok => "Success",
            Self::Eof => "End of file",
            Self::NoSuchFile => "No such file",
            Self::PermissionDenied => "Permission denied",
            Self::Failure => "Failure",
            Self::BadMessage => "Bad message",
            Self::NoConnection => "No connection",
            Self::ConnectionLost => "Connection lost",
            Self::OpUnsupported => "Operation unsupported",
            Self::Other(_) => "Unknown status",
        }
    }
}
