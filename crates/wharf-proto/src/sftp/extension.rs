//! Extensions (draft section 8; SFT-50..65): the one table, and the requests of its rows.
//!
//! What VERSION announces, what a request may be named, what a client may ask a server for: all of it
//! is [`TABLE`]. Request bodies are those of OpenSSH's PROTOCOL file and of
//! draft-ietf-secsh-filexfer-extensions-00.

use super::{
    Attributes,
    packet::{Malformed, Reader, put_string, put_u32, put_u64},
};

/// The hash algorithms of check-file that a server here knows, as VERSION lists them (SFT-60).
pub const CHECK_FILE_ALGORITHMS: &str = "md5,sha1,sha224,sha256,sha384,sha512,crc32";

/// An extension by its name on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Name {
    /// SFT-50.
    PosixRename,
    /// SFT-51.
    StatVfs,
    /// SFT-51.
    FStatVfs,
    /// SFT-52.
    HardLink,
    /// SFT-53.
    FSync,
    /// SFT-54.
    LSetStat,
    /// SFT-55.
    Limits,
    /// SFT-56.
    ExpandPath,
    /// SFT-57.
    CopyData,
    /// SFT-58.
    HomeDirectory,
    /// SFT-59.
    UsersGroupsById,
    /// SFT-60: what is announced; as a request it is that with a handle.
    CheckFile,
    /// SFT-60.
    CheckFileHandle,
    /// SFT-60.
    CheckFileName,
    /// SFT-61.
    Md5Hash,
    /// SFT-61.
    Md5HashHandle,
    /// SFT-62.
    SpaceAvailable,
    /// SFT-63.
    CopyFile,
    /// SFT-64: announced with the product's data, when there are any.
    VendorId,
}

/// One row of [`TABLE`].
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which.
    pub name: Name,
    /// Its name on the wire.
    pub wire: &'static str,
    /// What VERSION says of it.
    pub data: &'static str,
    /// Whether VERSION names it; else it is a request only.
    pub announced: bool,
}

const fn row(name: Name, wire: &'static str, data: &'static str, announced: bool) -> Row {
    Row {
        name,
        wire,
        data,
        announced,
    }
}

/// Every extension, in the order in which VERSION names them.
pub const TABLE: &[Row] = &[
    row(Name::PosixRename, "posix-rename@openssh.com", "1", true),
    row(Name::StatVfs, "statvfs@openssh.com", "2", true),
    row(Name::FStatVfs, "fstatvfs@openssh.com", "2", true),
    row(Name::HardLink, "hardlink@openssh.com", "1", true),
    row(Name::FSync, "fsync@openssh.com", "1", true),
    row(Name::LSetStat, "lsetstat@openssh.com", "1", true),
    row(Name::Limits, "limits@openssh.com", "1", true),
    row(Name::ExpandPath, "expand-path@openssh.com", "1", true),
    row(Name::CopyData, "copy-data", "1", true),
    row(Name::HomeDirectory, "home-directory", "1", true),
    row(
        Name::UsersGroupsById,
        "users-groups-by-id@openssh.com",
        "1",
        true,
    ),
    row(Name::CheckFile, "check-file", CHECK_FILE_ALGORITHMS, true),
    row(Name::CheckFileHandle, "check-file-handle", "", false),
    row(Name::CheckFileName, "check-file-name", "", false),
    row(Name::Md5Hash, "md5-hash", "1", true),
    row(Name::Md5HashHandle, "md5-hash-handle", "1", true),
    row(Name::SpaceAvailable, "space-available", "1", true),
    row(Name::CopyFile, "copy-file", "1", true),
    row(Name::VendorId, "vendor-id", "", false),
];

impl Name {
    /// Its row.
    #[must_use]
    pub fn row(self) -> &'static Row {
        // A test holds that every name has its row.
        TABLE
            .iter()
            .find(|row| row.name == self)
            .unwrap_or(const { &row(Self::Limits, "", "", false) })
    }

    /// By the name on the wire.
    #[must_use]
    pub fn from_wire(wire: &[u8]) -> Option<Self> {
        TABLE
            .iter()
            .find(|row| row.wire.as_bytes() == wire)
            .map(|row| row.name)
    }
}

/// Some of the extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set(u32);

impl Set {
    /// None.
    pub const NONE: Self = Self(0);
    /// Every row of [`TABLE`].
    pub const ALL: Self = Self((1 << TABLE.len()) - 1);

    /// Whether `name` is one of them.
    #[must_use]
    pub fn contains(self, name: Name) -> bool {
        self.0 & (1 << name as u32) != 0
    }

    /// With `name`.
    #[must_use]
    pub fn with(self, name: Name) -> Self {
        Self(self.0 | 1 << name as u32)
    }

    /// Without `name`.
    #[must_use]
    pub fn without(self, name: Name) -> Self {
        Self(self.0 & !(1 << name as u32))
    }

    /// Takes what a VERSION says. OpenSSH's own count only in the version that is known.
    pub(super) fn announce(&mut self, wire: &[u8], data: &[u8]) {
        if let Some(name) = Name::from_wire(wire) {
            let row = name.row();
            if !row.wire.ends_with("@openssh.com") || row.data.as_bytes() == data {
                *self = self.with(name);
            }
        }
    }
}

/// Who made the other end (SFT-64).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vendor<'a> {
    /// The maker.
    pub vendor: &'a [u8],
    /// The program.
    pub product: &'a [u8],
    /// Its version.
    pub version: &'a [u8],
    /// A number of the build.
    pub build: u64,
}

impl<'a> Vendor<'a> {
    pub(super) fn encode(&self, output: &mut Vec<u8>) {
        put_string(self.vendor, output);
        put_string(self.product, output);
        put_string(self.version, output);
        put_u64(self.build, output);
    }

    fn parse(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            vendor: reader.string()?,
            product: reader.string()?,
            version: reader.string()?,
            build: reader.u64()?,
        })
    }
}

/// Numbers of users or groups, as they stand on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids<'a>(&'a [u8]);

impl<'a> Ids<'a> {
    /// From octets, four for each number.
    ///
    /// # Errors
    /// When they do not come out even.
    pub fn new(octets: &'a [u8]) -> Result<Self, Malformed> {
        match octets.as_chunks::<4>().1 {
            [] => Ok(Self(octets)),
            _ => Err(Malformed),
        }
    }

    /// The numbers.
    pub fn iter(self) -> impl ExactSizeIterator<Item = u32> + 'a {
        let (numbers, _) = self.0.as_chunks::<4>();
        numbers.iter().map(|number| u32::from_be_bytes(*number))
    }
}

/// What part of a file is to be hashed, and how (SFT-60).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check<'a> {
    /// Algorithms with commas between; the first that the server knows is taken.
    pub algorithms: &'a [u8],
    /// The first octet.
    pub offset: u64,
    /// How many octets; zero: to the end.
    pub length: u64,
    /// Octets for each hash; zero: one hash for all. At least 256 else.
    pub block: u32,
}

impl<'a> Check<'a> {
    fn encode(&self, output: &mut Vec<u8>) {
        put_string(self.algorithms, output);
        put_u64(self.offset, output);
        put_u64(self.length, output);
        put_u32(self.block, output);
    }

    fn parse(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            algorithms: reader.string()?,
            offset: reader.u64()?,
            length: reader.u64()?,
            block: reader.u32()?,
        })
    }
}

/// What part of a file is to be hashed by md5-hash (SFT-61).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Md5Range<'a> {
    /// The first octet.
    pub offset: u64,
    /// How many octets; zero: to the end.
    pub length: u64,
    /// Empty, or the MD5 of the range's first 2048 octets as the client knows them.
    pub quick_check: &'a [u8],
}

impl<'a> Md5Range<'a> {
    fn encode(&self, output: &mut Vec<u8>) {
        put_u64(self.offset, output);
        put_u64(self.length, output);
        put_string(self.quick_check, output);
    }

    fn parse(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            offset: reader.u64()?,
            length: reader.u64()?,
            quick_check: reader.string()?,
        })
    }
}

/// The request of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended<'a> {
    /// SFT-50: renames, replacing what stands at `to`. Answer: STATUS.
    PosixRename {
        /// The old path.
        from: &'a [u8],
        /// The new path.
        to: &'a [u8],
    },
    /// SFT-51. Answer: a file system.
    StatVfs {
        /// Anything on it.
        path: &'a [u8],
    },
    /// SFT-51. Answer: a file system.
    FStatVfs {
        /// An open file on it.
        handle: &'a [u8],
    },
    /// SFT-52. Answer: STATUS.
    HardLink {
        /// The file.
        existing: &'a [u8],
        /// Its new name.
        link: &'a [u8],
    },
    /// SFT-53. Answer: STATUS.
    FSync {
        /// A writable file.
        handle: &'a [u8],
    },
    /// SFT-54: as SETSTAT, a link itself. Answer: STATUS.
    LSetStat {
        /// What to change.
        path: &'a [u8],
        /// To what.
        attributes: Attributes,
    },
    /// SFT-55. Answer: limits.
    Limits,
    /// SFT-56. Answer: one name.
    ExpandPath {
        /// May begin with `~`.
        path: &'a [u8],
    },
    /// SFT-57. Answer: STATUS.
    CopyData {
        /// Where octets are read.
        source: &'a [u8],
        /// The first of them.
        source_offset: u64,
        /// How many; zero: to the end.
        length: u64,
        /// Where they are written.
        target: &'a [u8],
        /// From which place on.
        target_offset: u64,
    },
    /// SFT-58. Answer: one name.
    HomeDirectory {
        /// Whose; empty: one's own.
        user: &'a [u8],
    },
    /// SFT-59. Answer: names of users and groups.
    UsersGroupsById {
        /// Numbers of users.
        users: Ids<'a>,
        /// Numbers of groups.
        groups: Ids<'a>,
    },
    /// SFT-60, by handle. Answer: hashes.
    CheckFileHandle {
        /// A readable file.
        handle: &'a [u8],
        /// What part, and how.
        check: Check<'a>,
    },
    /// SFT-60, by path. Answer: hashes.
    CheckFileName {
        /// The file.
        path: &'a [u8],
        /// What part, and how.
        check: Check<'a>,
    },
    /// SFT-61, by path. Answer: a hash.
    Md5Hash {
        /// The file.
        path: &'a [u8],
        /// What part.
        range: Md5Range<'a>,
    },
    /// SFT-61, by handle. Answer: a hash.
    Md5HashHandle {
        /// A readable file.
        handle: &'a [u8],
        /// What part.
        range: Md5Range<'a>,
    },
    /// SFT-62. Answer: room.
    SpaceAvailable {
        /// Anything on the device.
        path: &'a [u8],
    },
    /// SFT-63. Answer: STATUS.
    CopyFile {
        /// The file.
        source: &'a [u8],
        /// Where the copy goes.
        target: &'a [u8],
        /// Whether it may replace what stands there.
        overwrite: bool,
    },
    /// SFT-64. Answer: STATUS.
    VendorId(Vendor<'a>),
    /// SFT-65: none that is known, or one that is switched off. Answer: OP_UNSUPPORTED.
    Unknown {
        /// As the peer named it.
        name: &'a [u8],
    },
}

impl<'a> Extended<'a> {
    /// Which row of [`TABLE`] it is.
    #[must_use]
    pub fn name(&self) -> Option<Name> {
        Some(match self {
            Self::PosixRename { .. } => Name::PosixRename,
            Self::StatVfs { .. } => Name::StatVfs,
            Self::FStatVfs { .. } => Name::FStatVfs,
            Self::HardLink { .. } => Name::HardLink,
            Self::FSync { .. } => Name::FSync,
            Self::LSetStat { .. } => Name::LSetStat,
            Self::Limits => Name::Limits,
            Self::ExpandPath { .. } => Name::ExpandPath,
            Self::CopyData { .. } => Name::CopyData,
            Self::HomeDirectory { .. } => Name::HomeDirectory,
            Self::UsersGroupsById { .. } => Name::UsersGroupsById,
            Self::CheckFileHandle { .. } => Name::CheckFileHandle,
            Self::CheckFileName { .. } => Name::CheckFileName,
            Self::Md5Hash { .. } => Name::Md5Hash,
            Self::Md5HashHandle { .. } => Name::Md5HashHandle,
            Self::SpaceAvailable { .. } => Name::SpaceAvailable,
            Self::CopyFile { .. } => Name::CopyFile,
            Self::VendorId(_) => Name::VendorId,
            Self::Unknown { .. } => return None,
        })
    }

    /// The fields behind the identifier. What is not in `known` is [`Extended::Unknown`].
    pub(super) fn parse(reader: &mut Reader<'a>, known: Set) -> Result<Self, Malformed> {
        let wire = reader.string()?;
        let Some(name) = Name::from_wire(wire).filter(|name| known.contains(*name)) else {
            return Ok(Self::Unknown { name: wire });
        };
        Ok(match name {
            Name::PosixRename => Self::PosixRename {
                from: reader.string()?,
                to: reader.string()?,
            },
            Name::StatVfs => Self::StatVfs {
                path: reader.string()?,
            },
            Name::FStatVfs => Self::FStatVfs {
                handle: reader.string()?,
            },
            Name::HardLink => Self::HardLink {
                existing: reader.string()?,
                link: reader.string()?,
            },
            Name::FSync => Self::FSync {
                handle: reader.string()?,
            },
            Name::LSetStat => Self::LSetStat {
                path: reader.string()?,
                attributes: Attributes::parse(reader)?,
            },
            Name::Limits => Self::Limits,
            Name::ExpandPath => Self::ExpandPath {
                path: reader.string()?,
            },
            Name::CopyData => Self::CopyData {
                source: reader.string()?,
                source_offset: reader.u64()?,
                length: reader.u64()?,
                target: reader.string()?,
                target_offset: reader.u64()?,
            },
            Name::HomeDirectory => Self::HomeDirectory {
                user: reader.string()?,
            },
            Name::UsersGroupsById => Self::UsersGroupsById {
                users: Ids::new(reader.string()?)?,
                groups: Ids::new(reader.string()?)?,
            },
            Name::CheckFile | Name::CheckFileHandle => Self::CheckFileHandle {
                handle: reader.string()?,
                check: Check::parse(reader)?,
            },
            Name::CheckFileName => Self::CheckFileName {
                path: reader.string()?,
                check: Check::parse(reader)?,
            },
            Name::Md5Hash => Self::Md5Hash {
                path: reader.string()?,
                range: Md5Range::parse(reader)?,
            },
            Name::Md5HashHandle => Self::Md5HashHandle {
                handle: reader.string()?,
                range: Md5Range::parse(reader)?,
            },
            Name::SpaceAvailable => Self::SpaceAvailable {
                path: reader.string()?,
            },
            Name::CopyFile => Self::CopyFile {
                source: reader.string()?,
                target: reader.string()?,
                overwrite: reader.byte()? != 0,
            },
            Name::VendorId => Self::VendorId(Vendor::parse(reader)?),
        })
    }

    /// Appends the fields behind the identifier.
    pub(super) fn encode(&self, output: &mut Vec<u8>) {
        let wire = match self {
            Self::Unknown { name } => name,
            _ => self.name().map_or("", |name| name.row().wire).as_bytes(),
        };
        put_string(wire, output);
        match *self {
            Self::PosixRename { from: one, to: two }
            | Self::HardLink {
                existing: one,
                link: two,
            } => {
                put_string(one, output);
                put_string(two, output);
            }
            Self::StatVfs { path: one }
            | Self::FStatVfs { handle: one }
            | Self::FSync { handle: one }
            | Self::ExpandPath { path: one }
            | Self::HomeDirectory { user: one }
            | Self::SpaceAvailable { path: one } => put_string(one, output),
            Self::LSetStat { path, attributes } => {
                put_string(path, output);
                attributes.encode(output);
            }
            Self::Limits | Self::Unknown { .. } => {}
            Self::CopyData {
                source,
                source_offset,
                length,
                target,
                target_offset,
            } => {
                put_string(source, output);
                put_u64(source_offset, output);
                put_u64(length, output);
                put_string(target, output);
                put_u64(target_offset, output);
            }
            Self::UsersGroupsById { users, groups } => {
                put_string(users.0, output);
                put_string(groups.0, output);
            }
            Self::CheckFileHandle {
                handle: subject,
                check,
            }
            | Self::CheckFileName {
                path: subject,
                check,
            } => {
                put_string(subject, output);
                check.encode(output);
            }
            Self::Md5Hash {
                path: subject,
                range,
            }
            | Self::Md5HashHandle {
                handle: subject,
                range,
            } => {
                put_string(subject, output);
                range.encode(output);
            }
            Self::CopyFile {
                source,
                target,
                overwrite,
            } => {
                put_string(source, output);
                put_string(target, output);
                output.push(overwrite.into());
            }
            Self::VendorId(vendor) => vendor.encode(output),
        }
    }
}
