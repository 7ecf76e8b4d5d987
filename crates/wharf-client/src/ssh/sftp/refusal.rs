//! What a server's STATUS means, in the client's terms (SFT-25, tree row S11).
//!
//! Code 4 means a dozen things; its text is the only clue, and is shown without control bytes
//! (SFT-83).

use wharf_proto::sftp::StatusCode;

use super::super::plain;
use crate::{Error, Kind, Step};

/// A refusal in the server's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: StatusCode,
    /// Fit to be shown.
    pub(crate) text: String,
}

impl Status {
    pub(super) fn new(code: StatusCode, message: &[u8]) -> Self {
        Self {
            code,
            text: plain(&String::from_utf8_lossy(message)),
        }
    }

    /// What went wrong when `what` was tried.
    pub(crate) fn error(&self, step: Step, what: &str) -> Error {
        let kind = self.kind();
        let text = if self.text.is_empty() {
            format!("{what}: the server answered \"{}\"", self.code.text())
        } else {
            format!("{what}: the server answered \"{}\"", self.text)
        };
        let error = Error::new(step, kind, text)
            .with_status(u16::try_from(self.code.to_wire()).unwrap_or(4));
        match kind {
            Kind::Protocol => error.retryable(),
            Kind::Rejected if self.code == StatusCode::Failure => error.because(
                "S11",
                ["this status has no closer reason: the disk or quota may be full, the name taken, or the file in use"],
            ),
            _ => error,
        }
    }

    fn kind(&self) -> Kind {
        let text = self.text.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        match self.code {
            StatusCode::NoSuchFile => Kind::NotFound,
            StatusCode::PermissionDenied => Kind::Permission,
            StatusCode::NoConnection | StatusCode::ConnectionLost => Kind::Protocol,
            StatusCode::Failure if says(&["no such file", "not found"]) => Kind::NotFound,
            StatusCode::Failure if says(&["permission denied", "read-only"]) => Kind::Permission,
            _ => Kind::Rejected,
        }
    }
}
