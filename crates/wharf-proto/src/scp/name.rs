//! Names that a peer sends: what none may be, and which ones were asked for.
//!
//! A source names the file that a sink writes. A sink that believes it lets the source write where it
//! likes: `../x`, `/x`, or `.`, which changes the target directory's own mode (CVE-2018-20685), or a
//! file that nobody asked for (CVE-2019-6111). Both machines check by the same rule, so what one end
//! sends the other end takes.

use thiserror::Error;

use crate::ftp::listing::glob::{Pattern, is_pattern};

/// Why a name cannot be sent or taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// Empty, `.` or `..`.
    #[error("the name is empty, '.' or '..'")]
    Special,
    /// `/`, or `\` on Windows.
    #[error("the name holds a separator of directories")]
    Separator,
    /// NUL or a line feed, which ends the message.
    #[error("SCP cannot carry a name with a line feed or NUL")]
    ControlByte,
}

/// Checks that a name is one component that a message can carry (SCP-11).
///
/// # Errors
/// [`NameError`].
pub fn check(name: &[u8]) -> Result<(), NameError> {
    match name {
        b"" | b"." | b".." => Err(NameError::Special),
        _ if name.contains(&b'/') || cfg!(windows) && name.contains(&b'\\') => {
            Err(NameError::Separator)
        }
        _ if memchr::memchr2(0, b'\n', name).is_some() => Err(NameError::ControlByte),
        _ => Ok(()),
    }
}

/// Which names a sink takes at the top: those that were asked for (SCP-32).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `None`: any.
    names: Option<Vec<Name>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Exactly(Vec<u8>),
    Like(Pattern),
}

impl Wanted {
    /// Any name: the sink of a server, who asked for nothing.
    pub const fn anything() -> Self {
        Self { names: None }
    }

    /// The last components of these paths, each as it stands.
    pub fn paths<'a>(paths: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self::collect(paths, |_| None)
    }

    /// The last components of these paths, where the remote side expands patterns. A pattern that
    /// would cost too much to match is taken as it stands.
    pub fn patterns<'a>(paths: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self::collect(paths, |name| {
            Pattern::parse(name).ok().filter(|_| is_pattern(name))
        })
    }

    /// What has no last component of its own (`.`, `..`, `/`, `~`) asks for whatever the directory
    /// is called.
    fn collect<'a>(
        paths: impl IntoIterator<Item = &'a [u8]>,
        pattern: impl Fn(&[u8]) -> Option<Pattern>,
    ) -> Self {
        let mut names = Vec::new();
        for path in paths {
            let end = path.iter().rposition(|&byte| byte != b'/');
            let path = end.and_then(|end| path.get(..=end)).unwrap_or_default();
            let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            if matches!(name, b"" | b"." | b".." | b"~") {
                return Self::anything();
            }
            names.push(Name::Exactly(name.to_vec()));
            names.extend(pattern(name).map(Name::Like));
        }
        Self { names: Some(names) }
    }

    /// Whether this name was asked for.
    pub fn includes(&self, name: &[u8]) -> bool {
        self.names.as_ref().is_none_or(|names| {
            names.iter().any(|wanted| match wanted {
                Name::Exactly(exactly) => exactly == name,
                Name::Like(pattern) => pattern.matches(name),
            })
        })
    }
}
