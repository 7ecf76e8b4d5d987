//! What an ERROR packet means: the inverse of the server's `error_codes`.

use wharf_proto::tftp::ErrorCode;

use crate::{Error, Kind, Step};

/// What kind of failure a code tells.
pub(crate) const fn kind(code: ErrorCode) -> Kind {
    match code {
        ErrorCode::FileNotFound => Kind::NotFound,
        ErrorCode::AccessViolation | ErrorCode::NoSuchUser => Kind::Permission,
        ErrorCode::NotDefined
        | ErrorCode::DiskFull
        | ErrorCode::FileExists
        | ErrorCode::OptionRefused
        | ErrorCode::Other(_) => Kind::Rejected,
        ErrorCode::IllegalOperation | ErrorCode::UnknownTransferId => Kind::Protocol,
    }
}

/// How it is mended (T03).
const fn hint(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::FileNotFound => Some(
            "TFTP servers see one directory only, often /srv/tftp or /tftpboot: name the file from there",
        ),
        ErrorCode::AccessViolation => Some(
            "for the server's admin: the file must lie in the served directory and be readable; many servers take uploads only onto files that exist and that everybody may write",
        ),
        ErrorCode::NoSuchUser => Some("for the server's admin: allow this client's address"),
        ErrorCode::DiskFull => {
            Some("for the server's admin: make room, or raise the limit of uploads")
        }
        ErrorCode::FileExists => Some(
            "the server does not let a file be replaced: choose another name, or ask its admin to allow overwriting",
        ),
        ErrorCode::NotDefined
        | ErrorCode::IllegalOperation
        | ErrorCode::UnknownTransferId
        | ErrorCode::OptionRefused
        | ErrorCode::Other(_) => None,
    }
}

/// The server ended the transaction, in its own words.
pub(crate) fn refused(what: &str, code: ErrorCode, text: &[u8]) -> Error {
    let text = words(text);
    let said = if text.is_empty() { code.text() } else { &text };
    let number = code.number();
    let error = Error::new(
        Step::Transfer,
        kind(code),
        format!("{what}: the server answered \"{number} {said}\""),
    )
    .with_status(number);
    let error = match hint(code) {
        Some(hint) => error.because("T03", [hint]),
        None => error,
    };
    match code {
        // The server has forgotten the transfer: nothing is wrong with the file.
        ErrorCode::UnknownTransferId => error.retryable(),
        _ => error,
    }
}

/// A text of the server as it may be shown: without control characters, not endless.
pub(crate) fn words(text: &[u8]) -> String {
    const LONGEST: usize = 300;
    let text = String::from_utf8_lossy(text);
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(LONGEST)
        .collect();
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors survive the wire: what the server refuses for one reason is not told for another.
    #[test]
    fn each_code_has_its_kind_and_its_number() {
        for (number, kind) in [
            (0, Kind::Rejected),
            (1, Kind::NotFound),
            (2, Kind::Permission),
            (3, Kind::Rejected),
            (4, Kind::Protocol),
            (5, Kind::Protocol),
            (6, Kind::Rejected),
            (7, Kind::Permission),
            (8, Kind::Rejected),
            (4711, Kind::Rejected),
        ] {
            let error = refused("cannot fetch x", ErrorCode::of(number), b"");
            assert_eq!((error.kind(), error.code()), (kind, Some(number)));
            assert_eq!(error.is_retryable(), number == 5);
        }
    }

    /// A server must not write to the terminal of whoever reads its words.
    #[test]
    fn text_of_an_error_is_shown_without_control_characters_and_cut() {
        let error = refused("x", ErrorCode::FileNotFound, b"\x1b[2Jgone\xff");
        assert!(
            error.to_string().ends_with("\"1 ?[2Jgone\u{fffd}\""),
            "{error}"
        );
        let long = refused("x", ErrorCode::NotDefined, &[b'a'; 5000]);
        assert!(long.to_string().len() < 400);
    }
}
