//! From a volume's failure to what an ERROR packet can say: one total map (RFC 1350 appendix I).
//!
//! What stands in the text is [`ErrorKind::text`]: nothing of the back end's own words, no host path.

use wharf_proto::tftp::ErrorCode;
use wharf_vfs::ErrorKind;

/// The code for a kind of failure, and words for a person.
pub const fn wire(kind: ErrorKind) -> (ErrorCode, &'static str) {
    let code = match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => ErrorCode::FileNotFound,
        ErrorKind::Denied
        | ErrorKind::ReadOnly
        | ErrorKind::IsADirectory
        | ErrorKind::InvalidName => ErrorCode::AccessViolation,
        ErrorKind::NoSpace | ErrorKind::OverQuota => ErrorCode::DiskFull,
        ErrorKind::Exists => ErrorCode::FileExists,
        // The RFC has no code for the rest, and a kind that is added later has none either.
        _ => ErrorCode::NotDefined,
    };
    (code, kind.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_failure_has_its_code_and_words() {
        use ErrorCode::{AccessViolation, DiskFull, FileExists, FileNotFound, NotDefined};
        for (kind, code) in [
            (ErrorKind::NotFound, FileNotFound),
            (ErrorKind::NotADirectory, FileNotFound),
            (ErrorKind::Denied, AccessViolation),
            (ErrorKind::ReadOnly, AccessViolation),
            (ErrorKind::IsADirectory, AccessViolation),
            (ErrorKind::InvalidName, AccessViolation),
            (ErrorKind::NoSpace, DiskFull),
            (ErrorKind::OverQuota, DiskFull),
            (ErrorKind::Exists, FileExists),
            (ErrorKind::NotEmpty, NotDefined),
            (ErrorKind::Busy, NotDefined),
            (ErrorKind::CrossVolume, NotDefined),
            (ErrorKind::Unsupported, NotDefined),
            (ErrorKind::TimedOut, NotDefined),
            (ErrorKind::Unavailable, NotDefined),
            (ErrorKind::Broken, NotDefined),
        ] {
            assert_eq!(wire(kind), (code, kind.text()), "{kind:?}");
        }
    }
}
