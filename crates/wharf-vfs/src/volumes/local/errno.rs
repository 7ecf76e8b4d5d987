//! From the host's error numbers to kinds of failure: one total match.

use rustix::io::Errno;

use crate::{Error, ErrorKind, Operation, VirtualPath};

/// The failure of `operation` on `path`. The number's text is kept for the log, except where the
/// kind says it all.
pub(super) fn failure(errno: Errno, operation: Operation, path: &VirtualPath) -> Error {
    match kind(errno) {
        kind @ (ErrorKind::NotFound | ErrorKind::Exists) => Error::new(kind, operation, path),
        kind => Error::with_source(kind, operation, path, std::io::Error::from(errno)),
    }
}

const fn kind(errno: Errno) -> ErrorKind {
    match errno {
        // A loop of links leads nowhere, and so does a link out of the volume (PATH-03), which
        // `Root::open` reports as NOENT.
        Errno::NOENT | Errno::LOOP => ErrorKind::NotFound,
        Errno::EXIST => ErrorKind::Exists,
        Errno::NOTDIR => ErrorKind::NotADirectory,
        Errno::ISDIR => ErrorKind::IsADirectory,
        Errno::NOTEMPTY => ErrorKind::NotEmpty,
        // NXIO, NODEV: a FIFO, socket or device that nobody serves (PATH-04).
        // BADF: a handle that was opened for less.
        Errno::ACCESS | Errno::PERM | Errno::NXIO | Errno::NODEV | Errno::BADF => ErrorKind::Denied,
        Errno::ROFS => ErrorKind::ReadOnly,
        // INVAL: a name that the file system cannot store, or a directory moved into itself.
        Errno::NAMETOOLONG | Errno::ILSEQ | Errno::INVAL => ErrorKind::InvalidName,
        Errno::NOSPC | Errno::FBIG | Errno::MLINK => ErrorKind::NoSpace,
        Errno::DQUOT => ErrorKind::OverQuota,
        Errno::BUSY | Errno::TXTBSY | Errno::AGAIN | Errno::INTR | Errno::DEADLK => ErrorKind::Busy,
        Errno::XDEV => ErrorKind::CrossVolume,
        Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOTTY => ErrorKind::Unsupported,
        Errno::TIMEDOUT => ErrorKind::TimedOut,
        Errno::MFILE
        | Errno::NFILE
        | Errno::NOMEM
        | Errno::STALE
        | Errno::NOTCONN
        | Errno::HOSTDOWN
        | Errno::HOSTUNREACH
        | Errno::NETDOWN
        | Errno::NETUNREACH
        | Errno::CONNREFUSED => ErrorKind::Unavailable,
        _ => ErrorKind::Broken,
    }
}
