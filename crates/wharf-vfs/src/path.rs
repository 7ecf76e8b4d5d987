//! A virtual path: absolute, normalised, raw bytes; parsed once, the same in every protocol.
//!
//! `.` and `..` are resolved lexically while parsing (PATH-01), so no later code meets them, and no
//! two rooms can normalise differently (CVE-2026-30914). A [`VirtualPath`] never names a host path.
//!
//! Two questions are kept apart: whether a name can be *looked up* (any bytes but NUL and `/`) and
//! whether it may be *made* ([`creatable`], PATH-06, PATH-07, PATH-09): what stands on a disk
//! already must stay reachable, even under a name that nobody may give to it today.

use std::fmt;

use crate::{Error, ErrorKind, Operation};

/// An absolute path in a view or in a volume.
///
/// Invariant: starts with `/`; no component is empty, `.`, `..` or over
/// [`MAX_COMPONENT`](Self::MAX_COMPONENT) octets; no NUL; no `/` at the end except for the root
/// itself; at most [`MAX_LENGTH`](Self::MAX_LENGTH) octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualPath(Box<[u8]>);

impl VirtualPath {
    /// Octets of one component at the most (PATH-05).
    pub const MAX_COMPONENT: usize = 255;

    /// Octets of a path at the most (PATH-05).
    pub const MAX_LENGTH: usize = 4096;

    /// How the names of this service's own temporaries begin (PATH-08), whatever the case of the
    /// letters: some stores fold it.
    pub const RESERVED_PREFIX: &'static [u8] = b".wharf-";

    /// The top.
    pub fn root() -> Self {
        Self(Box::from(*b"/"))
    }

    /// Reads a pathname as a peer sent it: absolute if it begins with `/`, else below `base`.
    ///
    /// `..` at the top stays at the top. An empty pathname is `base`.
    ///
    /// # Errors
    /// [`PathError`] for NUL and for what is too long (PATH-05, PATH-06).
    pub fn parse(base: &Self, pathname: &[u8]) -> Result<Self, PathError> {
        if pathname.contains(&0) {
            return Err(PathError::NulByte);
        }
        let from = if pathname.first() == Some(&b'/') {
            b"".as_slice()
        } else {
            base.relative()
        };
        let mut bytes = Vec::with_capacity(from.len() + pathname.len() + 2);
        if !from.is_empty() {
            bytes.push(b'/');
            bytes.extend_from_slice(from);
        }
        for component in pathname.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => {
                    let parent = bytes.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                    bytes.truncate(parent);
                }
                name if name.len() > Self::MAX_COMPONENT => {
                    return Err(PathError::ComponentTooLong);
                }
                name => {
                    bytes.push(b'/');
                    bytes.extend_from_slice(name);
                }
            }
        }
        if bytes.is_empty() {
            bytes.push(b'/');
        }
        if bytes.len() > Self::MAX_LENGTH {
            return Err(PathError::PathTooLong);
        }
        Ok(Self(bytes.into_boxed_slice()))
    }

    /// Checks that `bytes` are exactly one ordinary component: what a template like
    /// `/home/{user}` may put in place of its word (CVE-2026-30915). Substitute first, then ask.
    ///
    /// # Errors
    /// [`PathError`]: empty, `.`, `..`, with `/`, NUL or control bytes, not UTF-8, reserved, or too
    /// long.
    pub fn component_from(bytes: &[u8]) -> Result<&[u8], PathError> {
        creatable(bytes, true)?;
        if is_reserved(bytes) {
            Err(PathError::Reserved)
        } else {
            Ok(bytes)
        }
    }

    /// The path of an object in this directory.
    ///
    /// # Errors
    /// [`PathError`] when `name` is not one component, or something is too long.
    pub fn join_name(&self, name: &[u8]) -> Result<Self, PathError> {
        component(name)?;
        let above = if self.is_root() {
            b"".as_slice()
        } else {
            &self.0
        };
        if above.len() + 1 + name.len() > Self::MAX_LENGTH {
            return Err(PathError::PathTooLong);
        }
        let mut bytes = Vec::with_capacity(above.len() + 1 + name.len());
        bytes.extend_from_slice(above);
        bytes.push(b'/');
        bytes.extend_from_slice(name);
        Ok(Self(bytes.into_boxed_slice()))
    }

    /// `below`, seen from here as its top.
    ///
    /// # Errors
    /// [`PathError::PathTooLong`].
    pub fn join(&self, below: &Self) -> Result<Self, PathError> {
        if below.is_root() {
            return Ok(self.clone());
        }
        if self.is_root() {
            return Ok(below.clone());
        }
        if self.0.len() + below.0.len() > Self::MAX_LENGTH {
            return Err(PathError::PathTooLong);
        }
        Ok(Self([&*self.0, &*below.0].concat().into_boxed_slice()))
    }

    /// Whether this is the top.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The directory that this lies in; `None` for the top.
    pub fn parent(&self) -> Option<Self> {
        let (above, _) = self.split()?;
        Some(if above.is_empty() {
            Self::root()
        } else {
            Self(Box::from(above))
        })
    }

    /// The last component; `None` for the top.
    pub fn name(&self) -> Option<&[u8]> {
        self.split().map(|(_, name)| name)
    }

    /// What stands before the last `/`, and the last component.
    fn split(&self) -> Option<(&[u8], &[u8])> {
        if self.is_root() {
            return None;
        }
        let slash = self.0.iter().rposition(|&byte| byte == b'/')?;
        let (above, name) = self.0.split_at_checked(slash)?;
        Some((above, name.get(1..)?))
    }

    /// The components from the top down; none for the top itself.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.relative()
            .split(|&byte| byte == b'/')
            .filter(|component| !component.is_empty())
    }

    /// How many components there are.
    pub fn depth(&self) -> usize {
        if self.is_root() {
            0
        } else {
            self.0.iter().filter(|&&byte| byte == b'/').count()
        }
    }

    /// Whether this is `subtree` or lies below it, component by component.
    pub fn starts_with(&self, subtree: &Self) -> bool {
        subtree.is_root()
            || self
                .0
                .strip_prefix(&*subtree.0)
                .is_some_and(|rest| rest.first().is_none_or(|&byte| byte == b'/'))
    }

    /// This path as seen from `subtree` as the top; `None` when it does not lie there.
    pub fn strip_prefix(&self, subtree: &Self) -> Option<Self> {
        if subtree.is_root() {
            return Some(self.clone());
        }
        match self.0.strip_prefix(&*subtree.0)? {
            b"" => Some(Self::root()),
            rest if rest.first() == Some(&b'/') => Some(Self(Box::from(rest))),
            _ => None,
        }
    }

    /// Whether any component is reserved for this service's own use (PATH-08): such an object
    /// behaves as not existing.
    pub fn is_reserved(&self) -> bool {
        self.components().any(is_reserved)
    }

    /// The bytes, with the leading `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes without the leading `/`: empty for the top.
    pub(crate) fn relative(&self) -> &[u8] {
        self.0.get(1..).unwrap_or_default()
    }

    /// The text of a relative link that stands at this path and leads to `target`.
    pub fn link_text(&self, target: &Self) -> Vec<u8> {
        let standing = self.parent().unwrap_or_else(Self::root);
        let shared = standing
            .components()
            .zip(target.components())
            .take_while(|(a, b)| a == b)
            .count();
        let mut text = Vec::with_capacity(target.0.len() + 3 * standing.depth());
        for _ in shared..standing.depth() {
            text.extend_from_slice(b"../");
        }
        for component in target.components().skip(shared) {
            text.extend_from_slice(component);
            text.push(b'/');
        }
        if text.pop().is_none() {
            text.push(b'.');
        }
        text
    }
}

impl fmt::Display for VirtualPath {
    /// For people and logs: bytes that are not UTF-8 become U+FFFD, control characters are escaped.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() {
                    write!(formatter, "{}", character.escape_unicode())?;
                } else {
                    fmt::Write::write_char(formatter, character)?;
                }
            }
            if !chunk.invalid().is_empty() {
                fmt::Write::write_char(formatter, char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for VirtualPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{self}\"")
    }
}

/// Why bytes are not a path, or not a name that may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A NUL byte (PATH-06).
    #[error("a pathname may not hold a NUL byte")]
    NulByte,
    /// A component is longer than [`VirtualPath::MAX_COMPONENT`] (PATH-05).
    #[error("a name has 255 octets at the most")]
    ComponentTooLong,
    /// The path is longer than [`VirtualPath::MAX_LENGTH`] (PATH-05).
    #[error("a path has 4096 octets at the most")]
    PathTooLong,
    /// Empty, `.`, `..` or with a `/` where one name was wanted.
    #[error("one name was expected, without '/', and neither '.' nor '..'")]
    NotAComponent,
    /// CR, LF or another control byte in a name that shall be made (PATH-06).
    #[error("a new name may not hold control characters")]
    ControlByte,
    /// A name that shall be made is not UTF-8 (PATH-07).
    #[error("a new name must be valid UTF-8")]
    NotUtf8,
    /// The name belongs to this service (PATH-08) or to the host (PATH-09).
    #[error("the name is reserved")]
    Reserved,
}

impl PathError {
    /// The failed operation, for a caller that has a path to tell.
    pub fn into_error(self, operation: Operation, path: &VirtualPath) -> Error {
        Error::with_source(self.into(), operation, path, self)
    }
}

impl From<PathError> for ErrorKind {
    fn from(_: PathError) -> Self {
        Self::InvalidName
    }
}

/// Checks that `name` may be given to a new object; `utf8`: the view wants UTF-8 names.
///
/// # Errors
/// [`PathError`] for what is no component (PATH-01, PATH-05), control bytes (PATH-06), other bytes
/// than UTF-8 (PATH-07) and, on Windows hosts, names that mean something else there (PATH-09).
pub fn creatable(name: &[u8], utf8: bool) -> Result<(), PathError> {
    component(name)?;
    if name.iter().any(u8::is_ascii_control) {
        return Err(PathError::ControlByte);
    }
    if utf8 && str::from_utf8(name).is_err() {
        return Err(PathError::NotUtf8);
    }
    #[cfg(windows)]
    windows::check(name)?;
    Ok(())
}

/// Whether a name is reserved for this service's temporaries (PATH-08).
pub fn is_reserved(name: &[u8]) -> bool {
    name.get(..VirtualPath::RESERVED_PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(VirtualPath::RESERVED_PREFIX))
}

fn component(name: &[u8]) -> Result<(), PathError> {
    match name {
        b"" | b"." | b".." => Err(PathError::NotAComponent),
        _ if name.len() > VirtualPath::MAX_COMPONENT => Err(PathError::ComponentTooLong),
        _ if name.contains(&0) => Err(PathError::NulByte),
        _ if name.contains(&b'/') => Err(PathError::NotAComponent),
        _ => Ok(()),
    }
}

/// Names that a Windows host takes for something else (PATH-09).
#[cfg(windows)]
mod windows {
    use super::PathError;

    const DEVICES: [&[u8]; 6] = [b"CON", b"PRN", b"AUX", b"NUL", b"CONIN$", b"CONOUT$"];

    pub(super) fn check(name: &[u8]) -> Result<(), PathError> {
        let stem = name
            .split(|&byte| byte == b'.')
            .next()
            .unwrap_or_default()
            .trim_ascii_end();
        let port = stem.len() == 4
            && stem.get(..3).is_some_and(|word| {
                [b"COM", b"LPT"]
                    .iter()
                    .any(|port| word.eq_ignore_ascii_case(*port))
            })
            && stem.last().is_some_and(u8::is_ascii_digit);
        let short = stem
            .iter()
            .rposition(|&byte| byte == b'~')
            .is_some_and(|tilde| {
                stem.get(tilde + 1..)
                    .is_some_and(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
            });
        let device = DEVICES
            .iter()
            .any(|device| stem.eq_ignore_ascii_case(device));
        let bytes = name.iter().any(|byte| b"<>:\"|?*\\".contains(byte));
        if device || port || short || bytes || matches!(name.last(), Some(b'.' | b' ')) {
            return Err(PathError::Reserved);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
