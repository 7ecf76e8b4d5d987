//! An account's name: the one place that decides which bytes may be one.
//!
//! Names reach log lines, statement parameters and file listings of other programs, so control
//! bytes end here (CVE-2025-47812: a NUL in a login split a session file). Everything else is data:
//! a quote or a dash in a name means nothing to anybody.

use std::{fmt, sync::Arc};

/// Longest name, in bytes.
pub const MAX_NAME: usize = 256;

/// A name that an account may have: 1 to 256 bytes of UTF-8 without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName(Arc<str>);

/// Why some bytes are no account name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("a name must have at least one byte")]
    Empty,
    /// Longer than [`MAX_NAME`].
    #[error("a name may have at most {MAX_NAME} bytes, this one has {0}")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("a name must be UTF-8")]
    NotUtf8,
    /// A control character.
    #[error("a name may not hold the control character U+{:04X}", u32::from(*.0))]
    Control(char),
}

impl AccountName {
    /// Takes what a peer or an administrator gave as a name.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, too long, not UTF-8 or holds a control character.
    pub fn parse(bytes: &[u8]) -> Result<Self, NameError> {
        if bytes.is_empty() {
            return Err(NameError::Empty);
        }
        if bytes.len() > MAX_NAME {
            return Err(NameError::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NameError::NotUtf8)?;
        match text.chars().find(|c| c.is_control()) {
            Some(control) => Err(NameError::Control(control)),
            None => Ok(Self(text.into())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{AccountName, MAX_NAME, NameError};

    /// CVE-2025-47812 (Wing FTP): NUL and control bytes end at the edge.
    #[test]
    fn control_bytes_are_no_part_of_a_name_cve_2025_47812() {
        for bytes in [
            &b"anonymous\0]]\nlocal x"[..],
            b"\0",
            b"a\rb",
            b"a\nb",
            b"\x7f",
            "\u{85}".as_bytes(),
        ] {
            assert!(
                matches!(AccountName::parse(bytes), Err(NameError::Control(_))),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn names_are_bounded_utf8() {
        assert_eq!(AccountName::parse(b""), Err(NameError::Empty));
        assert_eq!(
            AccountName::parse(&[b'a'; MAX_NAME + 1]),
            Err(NameError::TooLong(257))
        );
        assert_eq!(AccountName::parse(b"\xff"), Err(NameError::NotUtf8));
        assert_eq!(
            AccountName::parse(&[b'a'; MAX_NAME])
                .unwrap()
                .as_str()
                .len(),
            MAX_NAME
        );
        assert_eq!(
            AccountName::parse("jörg's box".as_bytes())
                .unwrap()
                .as_str(),
            "jörg's box"
        );
    }
}
