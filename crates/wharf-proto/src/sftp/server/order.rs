//! What may overtake what (draft section 6.1; SFT-23).
//!
//! The results must be those of one request after the other. Requests are told apart by what they
//! touch: octets of an open file, an open file as a whole, a path. Two of them conflict when one may
//! change what the other sees:
//!
//! - READs and WRITEs of a file are done and answered in their order. File systems over SFTP count on
//!   it for what they wrote, and OpenSSH's scp for all: where answers came out of order it cuts the
//!   file, on either side, and calls it whole (INT-30);
//! - all else on a handle waits for changes of it, and changes wait for everything on it;
//! - handles are one where the driver says that their files are ([`Order::is_file`]);
//! - paths lead anywhere (links, `..`, other spellings), so a path request is held against every
//!   other path and handle: it waits for changes, and a change waits for it;
//! - opening leaves what is open alone, and files of unlike spelling are opened side by side; it
//!   waits for a CLOSE that may publish the file of that name. Many small files in flight are this.
//!
//! A wrong guess may only make a request wait. Handles are kept as a hash: two that fall together
//! wait for each other, nothing more.

use std::collections::HashMap;

use crate::sftp::{Extended, Request, RequestId};

/// What a request touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// Nothing that another request could see.
    Nothing,
    /// Octets of an open file.
    Data { handle: u64, changes: bool },
    /// An open file, or two.
    Handle {
        handle: u64,
        other: u64,
        changes: bool,
    },
    /// An open file that is being closed, and how its path was spelled.
    Close { handle: u64, spelling: Spelling },
    /// A file that is being opened.
    Open { spelling: Spelling, changes: bool },
    /// What a path leads to. `contents`: its octets too.
    Path { changes: bool, contents: bool },
}

impl Touch {
    pub(super) fn of(request: &Request<'_>) -> Self {
        const LOOK: Touch = Touch::Path {
            changes: false,
            contents: false,
        };
        const NAMES: Touch = Touch::Path {
            changes: true,
            contents: false,
        };
        const CONTENTS: Touch = Touch::Path {
            changes: true,
            contents: true,
        };
        match *request {
            Request::Read { handle, .. } => Self::Data {
                handle: hash(handle),
                changes: false,
            },
            Request::Write { handle, .. } => Self::Data {
                handle: hash(handle),
                changes: true,
            },
            Request::FStat { handle } => Self::handle(handle, false),
            Request::FSetStat { handle, .. } | Request::ReadDirectory { handle } => {
                Self::handle(handle, true)
            }
            Request::Close { handle } => Self::Close {
                handle: hash(handle),
                spelling: Spelling::ANY,
            },
            Request::Open { path, flags, .. } => Self::Open {
                spelling: Spelling::of(path),
                changes: flags.may_change(),
            },
            Request::LStat { .. }
            | Request::Stat { .. }
            | Request::OpenDirectory { .. }
            | Request::RealPath { .. }
            | Request::ReadLink { .. } => LOOK,
            Request::SetStat { .. } => CONTENTS,
            Request::Remove { .. }
            | Request::MakeDirectory { .. }
            | Request::RemoveDirectory { .. }
            | Request::Rename { .. }
            | Request::Symlink { .. } => NAMES,
            Request::Extended(ref extended) => match *extended {
                Extended::FStatVfs { handle }
                | Extended::CheckFileHandle { handle, .. }
                | Extended::Md5HashHandle { handle, .. } => Self::handle(handle, false),
                Extended::FSync { handle } => Self::handle(handle, true),
                Extended::CopyData { source, target, .. } => Self::Handle {
                    handle: hash(source),
                    other: hash(target),
                    changes: true,
                },
                Extended::StatVfs { .. }
                | Extended::ExpandPath { .. }
                | Extended::CheckFileName { .. }
                | Extended::Md5Hash { .. }
                | Extended::SpaceAvailable { .. } => LOOK,
                Extended::PosixRename { .. } | Extended::HardLink { .. } => NAMES,
                Extended::LSetStat { .. } | Extended::CopyFile { .. } => CONTENTS,
                Extended::Limits
                | Extended::HomeDirectory { .. }
                | Extended::UsersGroupsById { .. }
                | Extended::VendorId(_)
                | Extended::Unknown { .. } => Self::Nothing,
            },
        }
    }

    fn handle(handle: &[u8], changes: bool) -> Self {
        Self::Handle {
            handle: hash(handle),
            other: hash(handle),
            changes,
        }
    }

    /// The same with the files in place of the handles that lead to them.
    fn by_file(self, files: &HashMap<u64, u64>) -> Self {
        let file = |handle: u64| files.get(&handle).copied().unwrap_or(handle);
        match self {
            Self::Data { handle, changes } => Self::Data {
                handle: file(handle),
                changes,
            },
            Self::Handle {
                handle,
                other,
                changes,
            } => Self::Handle {
                handle: file(handle),
                other: file(other),
                changes,
            },
            Self::Close { handle, spelling } => Self::Close {
                handle: file(handle),
                spelling,
            },
            other => other,
        }
    }

    /// A CLOSE with the spelling of its file.
    pub(super) fn spelled(self, spelling: Spelling) -> Self {
        match self {
            Self::Close { handle, .. } => Self::Close { handle, spelling },
            other => other,
        }
    }

    fn changes(&self) -> bool {
        match *self {
            Self::Nothing => false,
            Self::Close { .. } => true,
            Self::Data { changes, .. }
            | Self::Handle { changes, .. }
            | Self::Open { changes, .. }
            | Self::Path { changes, .. } => changes,
        }
    }

    /// Whether it must wait for a deferred one.
    fn waits_for(&self, deferred: &Self) -> bool {
        let is_data = |touch: &Self| matches!(touch, Self::Data { .. });
        let both_data = is_data(self) && is_data(deferred);
        if !both_data && !self.changes() && !deferred.changes() {
            return false;
        }
        match (self, deferred) {
            (Self::Nothing, _) | (_, Self::Nothing) => false,
            (Self::Data { handle, .. }, Self::Data { handle: other, .. }) => handle == other,
            (
                Self::Open { spelling, .. },
                Self::Open {
                    spelling: other, ..
                },
            )
            | (
                Self::Open { spelling, .. },
                Self::Close {
                    spelling: other, ..
                },
            ) => spelling.meets(*other),
            (Self::Open { .. }, Self::Data { .. } | Self::Handle { .. })
            | (Self::Data { .. } | Self::Handle { .. } | Self::Close { .. }, Self::Open { .. }) => {
                false
            }
            (Self::Data { changes, .. }, Self::Path { contents, .. })
            | (Self::Path { contents, .. }, Self::Data { changes, .. }) => *changes || *contents,
            (Self::Path { .. }, _) | (_, Self::Path { .. }) => true,
            _ => self.handles().is_some_and(|(one, two)| {
                deferred
                    .handles()
                    .is_some_and(|(a, b)| one == a || one == b || two == a || two == b)
            }),
        }
    }

    /// The open files that it touches; twice the same when it is one.
    fn handles(&self) -> Option<(u64, u64)> {
        match *self {
            Self::Data { handle, .. } | Self::Close { handle, .. } => Some((handle, handle)),
            Self::Handle { handle, other, .. } => Some((handle, other)),
            Self::Nothing | Self::Open { .. } | Self::Path { .. } => None,
        }
    }
}

/// FNV-1a: handles are the server's own and short, so nothing is gained by finding two of one hash.
fn hash(octets: &[u8]) -> u64 {
    fnv(FNV_START, octets)
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv(start: u64, octets: &[u8]) -> u64 {
    octets.iter().fold(start, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// How a client wrote a path, without what changes nothing in it. Two spellings that differ may
/// still lead to one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spelling(Option<u64>);

impl Spelling {
    /// Every spelling.
    pub(super) const ANY: Self = Self(None);

    /// That of a path; one that goes upwards is like every other.
    #[must_use]
    pub fn of(path: &[u8]) -> Self {
        let mut hash = FNV_START;
        for component in path.split(|octet| *octet == b'/') {
            match component {
                b"" | b"." => {}
                b".." => return Self::ANY,
                name => hash = fnv(fnv(hash, b"/"), name),
            }
        }
        Self(Some(hash))
    }

    fn meets(self, other: Self) -> bool {
        self.0.is_none() || other.0.is_none() || self == other
    }
}

/// The requests that are being executed.
#[derive(Debug, Default)]
pub(super) struct Order {
    deferred: Vec<(RequestId, Touch)>,
    /// The file behind a handle, both as numbers.
    files: HashMap<u64, u64>,
}

impl Order {
    /// What a request touches; a CLOSE is the last that its handle's file is known for.
    pub(super) fn touch(&self, request: &Request<'_>) -> Touch {
        Touch::of(request).by_file(&self.files)
    }

    /// The handle leads to the file of that number: to the same one as every handle with that number.
    pub(super) fn is_file(&mut self, handle: &[u8], file: u64) {
        self.files.insert(hash(handle), file);
    }

    /// The handle is no more.
    pub(super) fn forget(&mut self, handle: &[u8]) {
        self.files.remove(&hash(handle));
    }

    /// Whether a request may be executed now. One whose identifier is in use waits as well, so that
    /// [`Order::settle`] never means another.
    pub(super) fn admits(&self, id: RequestId, touch: &Touch, limit: usize) -> bool {
        self.deferred.is_empty()
            || self.deferred.len() < limit
                && !self
                    .deferred
                    .iter()
                    .any(|(other, deferred)| *other == id || touch.waits_for(deferred))
    }

    pub(super) fn defer(&mut self, id: RequestId, touch: Touch) {
        self.deferred.push((id, touch));
    }

    pub(super) fn settle(&mut self, id: RequestId) {
        if let Some(place) = self.deferred.iter().position(|(other, _)| *other == id) {
            self.deferred.swap_remove(place);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.deferred.len()
    }
}
