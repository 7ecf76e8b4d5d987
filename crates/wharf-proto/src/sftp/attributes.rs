//! File attributes (draft section 5; SFT-35, SFT-36).
//!
//! Extended pairs are skipped, not kept: no client sends any that version 3 gives a meaning to, and
//! their count is a claim of the peer. Unknown flags are left alone, as OpenSSH does.

use super::packet::{Malformed, Reader, put_u32, put_u64};

const SIZE: u32 = 0x01;
const OWNER: u32 = 0x02;
const PERMISSIONS: u32 = 0x04;
const TIMES: u32 = 0x08;
const EXTENDED: u32 = 0x8000_0000;

/// What is said of a file; what is `None` is not said, or not to be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Octets.
    pub size: Option<u64>,
    /// Numbers of user and group; only as a pair.
    pub owner: Option<(u32, u32)>,
    /// Permission bits, and in answers those of the file's type.
    pub permissions: Option<u32>,
    /// Last access and last change, seconds since 1970; only as a pair.
    pub times: Option<(u32, u32)>,
}

impl Attributes {
    /// A time as the wire has it: before 1970 and after 2106 is the nearest that can be said.
    #[must_use]
    pub fn wire_time(seconds: i64) -> u32 {
        u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)
    }

    /// What kind of file it is, when the type bits are there and name one.
    #[must_use]
    pub fn file_type(&self) -> Option<FileType> {
        FileType::of(self.permissions?)
    }

    /// Appends them.
    pub fn encode(&self, output: &mut Vec<u8>) {
        let flag = |there: bool, flag: u32| if there { flag } else { 0 };
        put_u32(
            flag(self.size.is_some(), SIZE)
                | flag(self.owner.is_some(), OWNER)
                | flag(self.permissions.is_some(), PERMISSIONS)
                | flag(self.times.is_some(), TIMES),
            output,
        );
        if let Some(size) = self.size {
            put_u64(size, output);
        }
        if let Some((user, group)) = self.owner {
            put_u32(user, output);
            put_u32(group, output);
        }
        if let Some(permissions) = self.permissions {
            put_u32(permissions, output);
        }
        if let Some((accessed, modified)) = self.times {
            put_u32(accessed, output);
            put_u32(modified, output);
        }
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let flags = reader.u32()?;
        let mut attributes = Self::default();
        if flags & SIZE != 0 {
            attributes.size = Some(reader.u64()?);
        }
        if flags & OWNER != 0 {
            attributes.owner = Some((reader.u32()?, reader.u32()?));
        }
        if flags & PERMISSIONS != 0 {
            attributes.permissions = Some(reader.u32()?);
        }
        if flags & TIMES != 0 {
            attributes.times = Some((reader.u32()?, reader.u32()?));
        }
        if flags & EXTENDED != 0 {
            // A pair takes eight octets at least: a count that lies ends with the packet.
            for _ in 0..reader.u32()? {
                reader.string()?;
                reader.string()?;
            }
        }
        Ok(attributes)
    }
}

/// The file types that the permissions of an answer name (POSIX `S_IFMT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A socket, pipe or device.
    Special,
}

impl FileType {
    const MASK: u32 = 0o170_000;

    /// Of permissions with type bits; `None` without.
    #[must_use]
    pub fn of(permissions: u32) -> Option<Self> {
        Some(match permissions & Self::MASK {
            0o100_000 => Self::Regular,
            0o040_000 => Self::Directory,
            0o120_000 => Self::Symlink,
            0o140_000 | 0o010_000 | 0o060_000 | 0o020_000 => Self::Special,
            _ => return None,
        })
    }

    /// The type bits; a special file is shown as a pipe, which nobody reads by mistake.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::Regular => 0o100_000,
            Self::Directory => 0o040_000,
            Self::Symlink => 0o120_000,
            Self::Special => 0o010_000,
        }
    }
}
