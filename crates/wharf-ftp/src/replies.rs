//! From a volume's failure to what FTP can say: one total map.
//!
//! The machine turns a [`Reason`] and the verb into code and text. Nothing of the back end's own
//! words goes further than the log.

use wharf_proto::ftp::server::{Finished, Outcome, Reason, Refusal};
use wharf_vfs::{Error, ErrorKind, PathError};

/// The reason that a kind of failure is.
pub(crate) const fn reason(kind: ErrorKind) -> Reason {
    match kind {
        ErrorKind::NotFound => Reason::NotFound,
        ErrorKind::Exists => Reason::Exists,
        ErrorKind::NotADirectory => Reason::NotADirectory,
        ErrorKind::IsADirectory => Reason::IsADirectory,
        ErrorKind::NotEmpty => Reason::NotEmpty,
        ErrorKind::Denied => Reason::Denied,
        ErrorKind::ReadOnly => Reason::ReadOnly,
        ErrorKind::InvalidName => Reason::InvalidName,
        ErrorKind::NoSpace => Reason::NoSpace,
        ErrorKind::OverQuota => Reason::OverQuota,
        ErrorKind::Busy => Reason::Busy,
        ErrorKind::CrossVolume => Reason::CrossVolume,
        ErrorKind::Unsupported => Reason::Unsupported,
        ErrorKind::TimedOut => Reason::TimedOut,
        ErrorKind::Unavailable => Reason::Unavailable,
        // A kind that is added later is a failure of ours until it has words here.
        _ => Reason::Broken,
    }
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

/// A refusal of the object that the user called `name`.
pub(crate) fn refusal(error: &Error, name: &[u8]) -> Refusal {
    Refusal {
        reason: reason(error.kind),
        name: name.to_vec(),
        detail: String::new(),
    }
}

/// The outcome of a refused operation.
pub(crate) fn refused(error: &Error, name: &[u8]) -> Outcome {
    Outcome::Refused(refusal(error, name))
}

/// A refusal with words of our own.
pub(crate) fn refused_because(reason: Reason, name: &[u8], detail: impl Into<String>) -> Outcome {
    Outcome::Refused(Refusal {
        reason,
        name: name.to_vec(),
        detail: detail.into(),
    })
}

/// A pathname that is no path. When something shall be made, the name is at fault; otherwise there
/// is simply nothing of that name.
pub(crate) fn bad_path(error: &PathError, name: &[u8]) -> Outcome {
    refused_because(Reason::InvalidName, name, error.to_string())
}

/// How a failed flow ends.
pub(crate) fn finished(error: &wharf_transfer::Error, name: &[u8]) -> Finished {
    use wharf_transfer::Error as Flow;
    match error {
        Flow::Store(error) => Finished::Failed(refusal(error, name)),
        Flow::TooLong { .. } => Finished::Failed(Refusal {
            reason: Reason::OverQuota,
            name: name.to_vec(),
            detail: error.to_string(),
        }),
        Flow::Shrank { .. } => Finished::Failed(Refusal {
            reason: Reason::Broken,
            name: name.to_vec(),
            detail: error.to_string(),
        }),
        Flow::Stream(error) => {
            let words = error.to_string();
            let words = words
                .split(" (os error")
                .next()
                .unwrap_or_default()
                .to_lowercase();
            Finished::Broken(format!("the data connection broke: {words}"))
        }
        _ => Finished::Broken(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_vfs::{Operation, VirtualPath};

    /// What a peer sees never holds a host path or a back end's text.
    #[test]
    fn the_back_ends_words_stay_here() {
        let error = Error::with_source(
            ErrorKind::Broken,
            Operation::Read,
            &VirtualPath::root(),
            "/srv/secret: input/output error",
        );
        let shown = format!("{:?}", refused(&error, b"a"));
        assert!(!shown.contains("secret"), "{shown}");
        let shown = format!("{:?}", finished(&wharf_transfer::Error::Store(error), b"a"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
