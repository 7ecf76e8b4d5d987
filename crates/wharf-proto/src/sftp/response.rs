//! Responses (draft section 7; SFT-25, SFT-33, SFT-37, SFT-51..62), both ways.
//!
//! A server appends them to the buffer that goes out. [`Data`] and [`Names`] are begun, filled and
//! finished in that buffer, so that what is read from a file lies behind its header at once and is
//! never moved. A client gets a [`Response`] that borrows from the packet; lists are checked as a
//! whole before anybody walks them, so that a count that lies is found at once.

use super::{
    Attributes, MAX_PACKET, RequestId, StatusCode,
    extension::{Set, TABLE, Vendor},
    packet::{self, Malformed, Reader, kind, put_string, put_u32, put_u64},
};

/// Octets of a DATA packet ahead of its data: length, type, identifier, length of the data.
pub const DATA_HEADER: usize = 13;
/// Most entries of one NAME (SFT-37).
pub const MAX_NAMES: u32 = 100;
/// Most octets of one NAME (SFT-37), unless its first entry alone is longer.
pub const MAX_NAMES_OCTETS: usize = 65_536;
/// Most octets of the message of a STATUS.
const MAX_MESSAGE: usize = 1_024;

/// Appends VERSION 3 with what of [`TABLE`] is in `extensions` (SFT-21), and vendor-id when the
/// product is to be named (SFT-64).
pub fn version(extensions: Set, vendor: Option<&Vendor<'_>>, output: &mut Vec<u8>) {
    let start = output.len();
    output.extend_from_slice(&[0, 0, 0, 0, kind::VERSION]);
    put_u32(super::VERSION, output);
    for row in TABLE {
        if row.announced && extensions.contains(row.name) {
            put_string(row.wire.as_bytes(), output);
            put_string(row.data.as_bytes(), output);
        }
    }
    if let Some(vendor) = vendor {
        put_string(
            super::extension::Name::VendorId.row().wire.as_bytes(),
            output,
        );
        let place = output.len();
        put_u32(0, output);
        vendor.encode(output);
        packet::finish(place, output);
    }
    packet::finish(start, output);
}

/// Appends STATUS with a message (at most 1 KiB of it) and the language `en` (SFT-25).
pub fn status(id: RequestId, code: StatusCode, message: &str, output: &mut Vec<u8>) {
    let start = packet::begin(kind::STATUS, id, output);
    put_u32(code.to_wire(), output);
    put_string(front(message).as_bytes(), output);
    put_string(b"en", output);
    packet::finish(start, output);
}

/// As much of a message as is sent.
fn front(message: &str) -> &str {
    (0..=message.len().min(MAX_MESSAGE))
        .rev()
        .find_map(|end| message.get(..end))
        .unwrap_or_default()
}

/// Appends HANDLE; a handle has at most [`super::MAX_HANDLE`] octets.
pub fn handle(id: RequestId, handle: &[u8], output: &mut Vec<u8>) {
    let start = packet::begin(kind::HANDLE, id, output);
    put_string(handle, output);
    packet::finish(start, output);
}

/// Appends ATTRS.
pub fn attributes(id: RequestId, attributes: &Attributes, output: &mut Vec<u8>) {
    let start = packet::begin(kind::ATTRS, id, output);
    attributes.encode(output);
    packet::finish(start, output);
}

/// Appends a NAME of one entry without attributes: for REALPATH, READLINK, expand-path and
/// home-directory (SFT-40).
pub fn name(id: RequestId, name: &[u8], output: &mut Vec<u8>) {
    let start = packet::begin(kind::NAME, id, output);
    put_u32(1, output);
    put_string(name, output);
    put_string(name, output);
    Attributes::default().encode(output);
    packet::finish(start, output);
}

/// A DATA packet that is being made: what is appended to the buffer between [`Data::begin`] and
/// [`Data::finish`] is its data.
#[must_use = "the packet has no length before it is finished"]
#[derive(Debug)]
pub struct Data {
    start: usize,
}

impl Data {
    /// Appends the header.
    pub fn begin(id: RequestId, output: &mut Vec<u8>) -> Self {
        let start = packet::begin(kind::DATA, id, output);
        output.extend_from_slice(&[0; 4]);
        Self { start }
    }

    /// How many octets of data were appended so far.
    #[must_use]
    pub fn length(&self, output: &[u8]) -> usize {
        output.len().saturating_sub(self.start + DATA_HEADER)
    }

    /// Makes the packet whole.
    pub fn finish(self, output: &mut [u8]) {
        let length = packet::length(self.length(output));
        packet::patch(self.start + DATA_HEADER - 4, length, output);
        packet::finish(self.start, output);
    }

    /// Takes the packet back, with its data.
    pub fn cancel(self, output: &mut Vec<u8>) {
        output.truncate(self.start);
    }
}

/// A NAME packet that is being made (SFT-37).
#[must_use = "the packet has no length before it is finished"]
#[derive(Debug)]
pub struct Names {
    start: usize,
    count: u32,
}

impl Names {
    /// Appends the header.
    pub fn begin(id: RequestId, output: &mut Vec<u8>) -> Self {
        let start = packet::begin(kind::NAME, id, output);
        put_u32(0, output);
        Self { start, count: 0 }
    }

    /// Appends an entry, whose line for people is appended by `longname`. Says whether it had room:
    /// else the packet is as it was, to be finished, and the entry belongs into the next one. The
    /// first entry has room as long as a packet can hold it.
    #[must_use]
    pub fn push(
        &mut self,
        name: &[u8],
        longname: impl FnOnce(&mut Vec<u8>),
        attributes: &Attributes,
        output: &mut Vec<u8>,
    ) -> bool {
        if self.count >= MAX_NAMES {
            return false;
        }
        let entry = output.len();
        put_string(name, output);
        let place = output.len();
        put_u32(0, output);
        longname(output);
        packet::finish(place, output);
        attributes.encode(output);
        let limit = if self.count == 0 {
            MAX_PACKET
        } else {
            MAX_NAMES_OCTETS
        };
        if output.len() - self.start > limit {
            output.truncate(entry);
            return false;
        }
        self.count += 1;
        true
    }

    /// How many entries there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Makes the packet whole.
    pub fn finish(self, output: &mut [u8]) {
        packet::patch(self.start + 9, self.count, output);
        packet::finish(self.start, output);
    }

    /// Takes the packet back.
    pub fn cancel(self, output: &mut Vec<u8>) {
        output.truncate(self.start);
    }
}

/// Appends an EXTENDED_REPLY with what `fields` appends.
fn extended(id: RequestId, output: &mut Vec<u8>, fields: impl FnOnce(&mut Vec<u8>)) {
    let start = packet::begin(kind::EXTENDED_REPLY, id, output);
    fields(output);
    packet::finish(start, output);
}

/// Appends the answer to limits@openssh.com.
pub fn limits(id: RequestId, limits: &Limits, output: &mut Vec<u8>) {
    extended(id, output, |output| {
        for number in [limits.packet, limits.read, limits.write, limits.handles] {
            put_u64(number, output);
        }
    });
}

/// Appends the answer to statvfs@openssh.com and fstatvfs@openssh.com.
pub fn file_system(id: RequestId, system: &FileSystem, output: &mut Vec<u8>) {
    extended(id, output, |output| {
        for number in [
            system.block_size,
            system.fragment_size,
            system.blocks,
            system.blocks_free,
            system.blocks_available,
            system.files,
            system.files_free,
            system.files_available,
            system.id,
            system.flags,
            system.longest_name,
        ] {
            put_u64(number, output);
        }
    });
}

/// Appends the answer to users-groups-by-id@openssh.com: a name for each number that was asked
/// about, in that order, empty where there is none (SFT-59).
pub fn users_and_groups<'n>(
    id: RequestId,
    users: impl Iterator<Item = &'n [u8]>,
    groups: impl Iterator<Item = &'n [u8]>,
    output: &mut Vec<u8>,
) {
    fn list<'n>(names: impl Iterator<Item = &'n [u8]>, output: &mut Vec<u8>) {
        let place = output.len();
        put_u32(0, output);
        names.for_each(|name| put_string(name, output));
        packet::finish(place, output);
    }
    extended(id, output, |output| {
        list(users, output);
        list(groups, output);
    });
}

/// Appends the answer to check-file: the algorithm that was taken and the hashes, one behind the
/// other (SFT-60, D-19).
pub fn check_file(id: RequestId, algorithm: &[u8], hashes: &[u8], output: &mut Vec<u8>) {
    extended(id, output, |output| {
        put_string(b"check-file", output);
        put_string(algorithm, output);
        output.extend_from_slice(hashes);
    });
}

/// Appends the answer to md5-hash: sixteen octets, or none when the quick check differs (SFT-61).
pub fn md5_hash(id: RequestId, hash: &[u8], output: &mut Vec<u8>) {
    extended(id, output, |output| {
        put_string(b"md5-hash", output);
        put_string(hash, output);
    });
}

/// Appends the answer to space-available.
pub fn space_available(id: RequestId, room: &SpaceAvailable, output: &mut Vec<u8>) {
    extended(id, output, |output| {
        for number in [room.device, room.unused, room.user, room.unused_by_user] {
            put_u64(number, output);
        }
        put_u32(room.unit, output);
    });
}

/// What a server bears (SFT-55); zero: it does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a packet.
    pub packet: u64,
    /// Octets of a READ.
    pub read: u64,
    /// Octets of a WRITE.
    pub write: u64,
    /// Handles.
    pub handles: u64,
}

/// A file system as POSIX `statvfs` shows it (SFT-51).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileSystem {
    /// `f_bsize`: octets.
    pub block_size: u64,
    /// `f_frsize`: octets, the unit of the counts of blocks.
    pub fragment_size: u64,
    /// `f_blocks`.
    pub blocks: u64,
    /// `f_bfree`.
    pub blocks_free: u64,
    /// `f_bavail`: for everybody.
    pub blocks_available: u64,
    /// `f_files`.
    pub files: u64,
    /// `f_ffree`.
    pub files_free: u64,
    /// `f_favail`: for everybody.
    pub files_available: u64,
    /// `f_fsid`.
    pub id: u64,
    /// `f_flag`: [`FileSystem::READ_ONLY`], [`FileSystem::NO_SET_UID`].
    pub flags: u64,
    /// `f_namemax`: octets.
    pub longest_name: u64,
}

impl FileSystem {
    /// Flag: nothing can be written.
    pub const READ_ONLY: u64 = 1;
    /// Flag: the set-user-id bits mean nothing.
    pub const NO_SET_UID: u64 = 2;
}

/// Room (SFT-62), in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceAvailable {
    /// Of the device.
    pub device: u64,
    /// Unused on the device.
    pub unused: u64,
    /// That the user may have.
    pub user: u64,
    /// Of it, unused.
    pub unused_by_user: u64,
    /// Of one unit of allocation.
    pub unit: u32,
}

/// What a server answers. Strings and data are octets as the server sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// STATUS.
    Status {
        /// The code.
        code: StatusCode,
        /// For people; untrusted.
        message: &'a [u8],
    },
    /// HANDLE: at most [`super::MAX_HANDLE`] octets.
    Handle(&'a [u8]),
    /// DATA: at most what was asked for.
    Data(&'a [u8]),
    /// NAME.
    Names(NameList<'a>),
    /// ATTRS.
    Attributes(Attributes),
    /// To limits@openssh.com.
    Limits(Limits),
    /// To statvfs@openssh.com and fstatvfs@openssh.com.
    FileSystem(FileSystem),
    /// To users-groups-by-id@openssh.com.
    UsersAndGroups {
        /// Names of users.
        users: Strings<'a>,
        /// Names of groups.
        groups: Strings<'a>,
    },
    /// To check-file.
    CheckFile {
        /// The algorithm that the server took.
        algorithm: &'a [u8],
        /// Hashes, one behind the other.
        hashes: &'a [u8],
    },
    /// To md5-hash: empty when the quick check differs.
    Md5Hash(&'a [u8]),
    /// To space-available.
    SpaceAvailable(SpaceAvailable),
}

/// What kind of body an EXTENDED_REPLY has: its packet does not say, the request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendedBody {
    /// [`Response::Limits`].
    Limits,
    /// [`Response::FileSystem`].
    FileSystem,
    /// [`Response::UsersAndGroups`].
    UsersAndGroups,
    /// [`Response::CheckFile`].
    CheckFile,
    /// [`Response::Md5Hash`].
    Md5Hash,
    /// [`Response::SpaceAvailable`].
    SpaceAvailable,
}

impl<'a> Response<'a> {
    /// Reads the fields of a packet of type `kind`, behind its identifier; `None`: the type is none
    /// of a response. An EXTENDED_REPLY is read as `extended`.
    ///
    /// # Errors
    /// When the fields do not fit.
    pub fn parse(
        kind: u8,
        fields: &'a [u8],
        extended: Option<ExtendedBody>,
    ) -> Result<Option<Self>, Malformed> {
        let mut reader = Reader::new(fields);
        Ok(Some(match (kind, extended) {
            (kind::DATA, _) => Self::Data(reader.string()?),
            (kind::STATUS, _) => Self::Status {
                code: StatusCode::from_wire(reader.u32()?),
                // Servers of the first drafts send neither message nor language.
                message: reader.string().unwrap_or_default(),
            },
            (kind::HANDLE, _) => Self::Handle(reader.string()?),
            (kind::NAME, _) => Self::Names(NameList::parse(&mut reader)?),
            (kind::ATTRS, _) => Self::Attributes(Attributes::parse(&mut reader)?),
            (kind::EXTENDED_REPLY, Some(body)) => Self::parse_extended(body, reader)?,
            _ => return Ok(None),
        }))
    }

    fn parse_extended(body: ExtendedBody, mut reader: Reader<'a>) -> Result<Self, Malformed> {
        Ok(match body {
            ExtendedBody::Limits => Self::Limits(Limits {
                packet: reader.u64()?,
                read: reader.u64()?,
                write: reader.u64()?,
                handles: reader.u64()?,
            }),
            ExtendedBody::FileSystem => Self::FileSystem(FileSystem {
                block_size: reader.u64()?,
                fragment_size: reader.u64()?,
                blocks: reader.u64()?,
                blocks_free: reader.u64()?,
                blocks_available: reader.u64()?,
                files: reader.u64()?,
                files_free: reader.u64()?,
                files_available: reader.u64()?,
                id: reader.u64()?,
                flags: reader.u64()?,
                longest_name: reader.u64()?,
            }),
            ExtendedBody::UsersAndGroups => Self::UsersAndGroups {
                users: Strings::parse(reader.string()?)?,
                groups: Strings::parse(reader.string()?)?,
            },
            ExtendedBody::CheckFile => {
                let mut algorithm = reader.string()?;
                // ProFTPD sends the algorithm at once, others the request's name first (D-19).
                if algorithm == b"check-file" {
                    algorithm = reader.string()?;
                }
                Self::CheckFile {
                    algorithm,
                    hashes: reader.rest(),
                }
            }
            ExtendedBody::Md5Hash => {
                let mut hash = reader.string()?;
                if hash == b"md5-hash" || hash == b"md5-hash-handle" {
                    hash = reader.string()?;
                }
                Self::Md5Hash(hash)
            }
            ExtendedBody::SpaceAvailable => Self::SpaceAvailable(SpaceAvailable {
                device: reader.u64()?,
                unused: reader.u64()?,
                user: reader.u64()?,
                unused_by_user: reader.u64()?,
                unit: reader.u32()?,
            }),
        })
    }
}

/// One entry of a NAME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    /// The name; untrusted, see [`Name::child`].
    pub name: &'a [u8],
    /// The line for people.
    pub longname: &'a [u8],
    /// What is known of it.
    pub attributes: Attributes,
}

impl<'a> Name<'a> {
    /// The name when it can be that of an entry of a directory: not empty, not `.` or `..`, and
    /// without `/` and NUL (SFT-83). Whoever makes files of what a server lists uses this alone.
    #[must_use]
    pub fn child(&self) -> Option<&'a [u8]> {
        let plain = !matches!(self.name, b"" | b"." | b"..")
            && memchr::memchr2(b'/', 0, self.name).is_none();
        plain.then_some(self.name)
    }

    fn parse(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            name: reader.string()?,
            longname: reader.string()?,
            attributes: Attributes::parse(reader)?,
        })
    }
}

/// The entries of a NAME; all of them are there.
#[derive(Clone, Copy, Debug)]
pub struct NameList<'a> {
    left: u32,
    reader: Reader<'a>,
}

impl<'a> NameList<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let list = Self {
            left: reader.u32()?,
            reader: *reader,
        };
        // An entry takes twelve octets at least: a count that lies ends with the packet.
        for _ in 0..list.left {
            Name::parse(reader)?;
        }
        Ok(list)
    }
}

impl<'a> Iterator for NameList<'a> {
    type Item = Name<'a>;

    fn next(&mut self) -> Option<Name<'a>> {
        self.left = self.left.checked_sub(1)?;
        Name::parse(&mut self.reader).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl ExactSizeIterator for NameList<'_> {}

impl PartialEq for NameList<'_> {
    fn eq(&self, other: &Self) -> bool {
        Iterator::eq(*self, *other)
    }
}

impl Eq for NameList<'_> {}

/// Strings one behind the other; all of them are whole.
#[derive(Clone, Copy, Debug)]
pub struct Strings<'a>(Reader<'a>);

impl<'a> Strings<'a> {
    fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let strings = Self(Reader::new(octets));
        let mut reader = strings.0;
        while !reader.rest().is_empty() {
            reader.string()?;
        }
        Ok(strings)
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.string().ok()
    }
}

impl PartialEq for Strings<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.rest() == other.0.rest()
    }
}

impl Eq for Strings<'_> {}
