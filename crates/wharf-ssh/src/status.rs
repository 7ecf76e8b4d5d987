//! From a volume's failure to what SFTP can say: one total map (SFT-26's table of errno).
//!
//! Codes 6 and 7 are the client's own and never sent; codes of later drafts are unknown in version 3.
//! Nothing of the back end's own words goes further than the log.

use wharf_proto::sftp::StatusCode;
use wharf_vfs::{Error, ErrorKind};

/// The code for a kind of failure, and words for a person.
pub(crate) const fn status(kind: ErrorKind) -> (StatusCode, &'static str) {
    let code = match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => StatusCode::NoSuchFile,
        ErrorKind::Denied | ErrorKind::ReadOnly => StatusCode::PermissionDenied,
        ErrorKind::InvalidName => StatusCode::BadMessage,
        ErrorKind::Unsupported => StatusCode::OpUnsupported,
        // Version 3 has no code for the rest, and a kind that is added later has none either.
        _ => StatusCode::Failure,
    };
    (code, kind.text())
}

/// What the log is to hear of a failure: what a back end could not do, not what was not allowed.
pub(crate) fn for_the_log(error: &Error) -> Option<String> {
    let failed = matches!(
        error.kind,
        ErrorKind::Broken | ErrorKind::Unavailable | ErrorKind::NoSpace
    );
    error
        .source
        .as_ref()
        .filter(|_| failed)
        .map(|source| format!("{error}: {source}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SFT-25 and the table below it.
    #[test]
    fn sft_25_every_kind_of_failure_has_the_code_of_its_errno() {
        use StatusCode::{BadMessage, Failure, NoSuchFile, OpUnsupported, PermissionDenied};
        for (kind, code) in [
            (ErrorKind::NotFound, NoSuchFile),
            (ErrorKind::NotADirectory, NoSuchFile),
            (ErrorKind::Denied, PermissionDenied),
            (ErrorKind::ReadOnly, PermissionDenied),
            (ErrorKind::Exists, Failure),
            (ErrorKind::NotEmpty, Failure),
            (ErrorKind::NoSpace, Failure),
            (ErrorKind::OverQuota, Failure),
            (ErrorKind::Busy, Failure),
            (ErrorKind::IsADirectory, Failure),
            (ErrorKind::Broken, Failure),
            (ErrorKind::CrossVolume, Failure),
            (ErrorKind::TimedOut, Failure),
            (ErrorKind::Unavailable, Failure),
            (ErrorKind::InvalidName, BadMessage),
            (ErrorKind::Unsupported, OpUnsupported),
        ] {
            let (told, text) = status(kind);
            assert_eq!(told, code, "{kind:?}");
            assert!(!text.is_empty());
        }
    }
}
