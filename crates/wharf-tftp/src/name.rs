//! From a name as a client sent it to a path of its account's tree (TFT-04).
//!
//! In this order: `\` becomes `/`, empty names and `.` go away, `..` is refused; the first rewrite rule that
//! matches is applied, and what it makes is judged in the same way; the client's directory comes in front.
//! So the path lies in that directory, whatever octets came. What may be done there is the view's to say.

use std::{cmp::Ordering, net::IpAddr};

use wharf_proto::tftp::ErrorCode;
use wharf_vfs::{EntryBatch, Links, PathError, View, VirtualPath};

use crate::{mac::Mac, rewrite::Rewrite, settings::ClientRule};

/// Why a name leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A `..`.
    #[error("the name holds `..`")]
    Outside,
    /// Nothing is left: the client's directory itself.
    #[error("the name is a directory")]
    Directory,
    /// A NUL, or too long.
    #[error("the name is not allowed: {0}")]
    Name(#[from] PathError),
    /// The rule's directory needs the client's hardware address.
    #[error("the client's hardware address is not known, and its directory is named after it")]
    NoMac,
}

impl Refused {
    /// What the client is told.
    pub const fn wire(self) -> (ErrorCode, &'static str) {
        let text = match self {
            Self::Outside => "Name not allowed: it leads outside",
            Self::Directory => "Is a directory",
            Self::Name(_) => "Name not allowed",
            Self::NoMac => "Permission denied",
        };
        (ErrorCode::AccessViolation, text)
    }
}

/// The path that a client means.
///
/// # Errors
/// [`Refused`].
pub fn resolve(
    name: &[u8],
    rule: &ClientRule,
    rewrites: &[Rewrite],
    peer: IpAddr,
    mac: Option<Mac>,
) -> Result<VirtualPath, Refused> {
    let mut name = plain(name)?;
    if let Some(rewritten) = rewrites
        .iter()
        .find_map(|rule| rule.apply(&name, peer, mac))
    {
        name = plain(&rewritten)?;
    }
    if name.is_empty() {
        return Err(Refused::Directory);
    }
    let below = VirtualPath::parse(&VirtualPath::root(), &name)?;
    let directory = rule.directory.of(peer, mac).ok_or(Refused::NoMac)?;
    Ok(directory.join(&below)?)
}

/// The name with `/` between directories, each with a name of its own, and none in front.
fn plain(name: &[u8]) -> Result<Vec<u8>, Refused> {
    if name.len() > VirtualPath::MAX_LENGTH {
        return Err(PathError::PathTooLong.into());
    }
    let mut plain = Vec::with_capacity(name.len());
    for component in name.split(|octet| matches!(octet, b'/' | b'\\')) {
        match component {
            b"" | b"." => {}
            b".." => return Err(Refused::Outside),
            component => {
                if !plain.is_empty() {
                    plain.push(b'/');
                }
                plain.extend_from_slice(component);
            }
        }
    }
    Ok(plain)
}

/// The path as it is spelt in the tree, where nothing has exactly this one: from the top down, each name that
/// is not there gives way to one that differs in the case of ASCII letters alone (the first in order of octets,
/// where there are several). What is not found either way stays as asked.
///
/// The first `fixed` names stand as they are: those of the client's directory
/// ([`DirectoryPattern::depth`](crate::directory::DirectoryPattern::depth)), or another spelling of it
/// would lead to somebody else's. The account must be allowed to list.
pub async fn find_ignoring_case(view: &View, path: &VirtualPath, fixed: usize) -> VirtualPath {
    if view.metadata(path, Links::Follow).await.is_ok() {
        return path.clone();
    }
    let mut found = VirtualPath::root();
    let mut lost = false;
    for (depth, asked) in path.components().enumerate() {
        let Ok(exact) = found.join_name(asked) else {
            return path.clone();
        };
        if lost || depth < fixed || view.metadata(&exact, Links::Follow).await.is_ok() {
            found = exact;
            continue;
        }
        let other = other_case(view, &found, asked).await;
        lost = other.is_none();
        found = other
            .and_then(|name| found.join_name(&name).ok())
            .unwrap_or(exact);
    }
    found
}

/// The first name of a directory that differs from `asked` in the case of its letters alone.
async fn other_case(view: &View, directory: &VirtualPath, asked: &[u8]) -> Option<Vec<u8>> {
    let mut reader = view.read_directory(directory).await.ok()?;
    let mut batch = EntryBatch::new();
    let mut first: Option<Vec<u8>> = None;
    loop {
        batch = reader.next_batch(batch).await.ok()?;
        if batch.is_empty() {
            return first;
        }
        for entry in batch.iter() {
            let earlier = first
                .as_deref()
                .is_none_or(|first| entry.name.cmp(first) == Ordering::Less);
            if earlier && entry.name.eq_ignore_ascii_case(asked) {
                first = Some(entry.name.to_vec());
            }
        }
    }
}

#[cfg(test)]
mod tests;
