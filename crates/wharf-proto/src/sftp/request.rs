//! Requests (draft section 6; SFT-30..43), both ways.
//!
//! A request borrows its strings and data from the packet. Octets behind the last field are let
//! pass, as OpenSSH does. The order of SYMLINK's paths is that of OpenSSH; the machines turn it
//! around for peers that follow the draft.

use super::{
    Attributes, Extended, OpenFlags, RequestId,
    extension::Set,
    packet::{self, Malformed, Reader, kind, put_string, put_u32, put_u64},
};

/// What a client asks for. Paths and handles are octets as the client sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// SFT-30. Answer: HANDLE.
    Open {
        /// The file.
        path: &'a [u8],
        /// How.
        flags: OpenFlags,
        /// For a new file.
        attributes: Attributes,
    },
    /// SFT-32. Answer: STATUS.
    Close {
        /// A file or a directory.
        handle: &'a [u8],
    },
    /// SFT-33. Answer: DATA, or EOF.
    Read {
        /// A file.
        handle: &'a [u8],
        /// The first octet.
        offset: u64,
        /// How many at most.
        length: u32,
    },
    /// SFT-34. Answer: STATUS.
    Write {
        /// A file.
        handle: &'a [u8],
        /// Where the first octet goes.
        offset: u64,
        /// What is written.
        data: &'a [u8],
    },
    /// SFT-35: a link itself. Answer: ATTRS.
    LStat {
        /// What is asked about.
        path: &'a [u8],
    },
    /// SFT-35. Answer: ATTRS.
    FStat {
        /// What is asked about.
        handle: &'a [u8],
    },
    /// SFT-36. Answer: STATUS.
    SetStat {
        /// What is changed.
        path: &'a [u8],
        /// To what.
        attributes: Attributes,
    },
    /// SFT-36. Answer: STATUS.
    FSetStat {
        /// What is changed.
        handle: &'a [u8],
        /// To what.
        attributes: Attributes,
    },
    /// SFT-37. Answer: HANDLE.
    OpenDirectory {
        /// The directory.
        path: &'a [u8],
    },
    /// SFT-37. Answer: NAME, then EOF.
    ReadDirectory {
        /// A directory.
        handle: &'a [u8],
    },
    /// SFT-38. Answer: STATUS.
    Remove {
        /// A file or a link.
        path: &'a [u8],
    },
    /// SFT-39. Answer: STATUS.
    MakeDirectory {
        /// The directory.
        path: &'a [u8],
        /// For it.
        attributes: Attributes,
    },
    /// SFT-39. Answer: STATUS.
    RemoveDirectory {
        /// The directory.
        path: &'a [u8],
    },
    /// SFT-40. Answer: one name.
    RealPath {
        /// Any path.
        path: &'a [u8],
    },
    /// SFT-35: what a link leads to. Answer: ATTRS.
    Stat {
        /// What is asked about.
        path: &'a [u8],
    },
    /// SFT-41: replaces nothing. Answer: STATUS.
    Rename {
        /// The old path.
        from: &'a [u8],
        /// The new path.
        to: &'a [u8],
    },
    /// SFT-42. Answer: one name.
    ReadLink {
        /// A link.
        path: &'a [u8],
    },
    /// SFT-31. Answer: STATUS.
    Symlink {
        /// Where the link leads.
        target: &'a [u8],
        /// The link.
        link: &'a [u8],
    },
    /// SFT-50..65.
    Extended(Extended<'a>),
}

/// Why a packet is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRequest {
    /// There is no identifier to answer to.
    #[error("a packet without an identifier")]
    NoId,
    /// Its fields do not fit.
    #[error("the fields of request {} do not fit its length", .0.0)]
    Malformed(RequestId),
    /// Its type is none of a request (SFT-43).
    #[error("request {} is of unknown type {kind}", .id.0)]
    UnknownType {
        /// Who asked.
        id: RequestId,
        /// The type.
        kind: u8,
    },
}

impl<'a> Request<'a> {
    /// Reads a packet without its length field; extensions outside `known` are unknown.
    ///
    /// # Errors
    /// When it is none, see [`NoRequest`].
    pub fn parse(body: &'a [u8], known: Set) -> Result<(RequestId, Self), NoRequest> {
        let mut reader = Reader::new(body);
        let (Ok(kind), Ok(id)) = (reader.byte(), reader.id()) else {
            return Err(NoRequest::NoId);
        };
        match Self::fields(kind, &mut reader, known) {
            Ok(Some(request)) => Ok((id, request)),
            Ok(None) => Err(NoRequest::UnknownType { id, kind }),
            Err(Malformed) => Err(NoRequest::Malformed(id)),
        }
    }

    fn fields(kind: u8, reader: &mut Reader<'a>, known: Set) -> Result<Option<Self>, Malformed> {
        Ok(Some(match kind {
            kind::READ => Self::Read {
                handle: reader.string()?,
                offset: reader.u64()?,
                length: reader.u32()?,
            },
            kind::WRITE => Self::Write {
                handle: reader.string()?,
                offset: reader.u64()?,
                data: reader.string()?,
            },
            kind::OPEN => Self::Open {
                path: reader.string()?,
                flags: OpenFlags(reader.u32()?),
                attributes: Attributes::parse(reader)?,
            },
            kind::CLOSE => Self::Close {
                handle: reader.string()?,
            },
            kind::LSTAT => Self::LStat {
                path: reader.string()?,
            },
            kind::FSTAT => Self::FStat {
                handle: reader.string()?,
            },
            kind::SETSTAT => Self::SetStat {
                path: reader.string()?,
                attributes: Attributes::parse(reader)?,
            },
            kind::FSETSTAT => Self::FSetStat {
                handle: reader.string()?,
                attributes: Attributes::parse(reader)?,
            },
            kind::OPENDIR => Self::OpenDirectory {
                path: reader.string()?,
            },
            kind::READDIR => Self::ReadDirectory {
                handle: reader.string()?,
            },
            kind::REMOVE => Self::Remove {
                path: reader.string()?,
            },
            kind::MKDIR => Self::MakeDirectory {
                path: reader.string()?,
                attributes: Attributes::parse(reader)?,
            },
            kind::RMDIR => Self::RemoveDirectory {
                path: reader.string()?,
            },
            kind::REALPATH => Self::RealPath {
                path: reader.string()?,
            },
            kind::STAT => Self::Stat {
                path: reader.string()?,
            },
            kind::RENAME => Self::Rename {
                from: reader.string()?,
                to: reader.string()?,
            },
            kind::READLINK => Self::ReadLink {
                path: reader.string()?,
            },
            kind::SYMLINK => Self::Symlink {
                target: reader.string()?,
                link: reader.string()?,
            },
            kind::EXTENDED => Self::Extended(Extended::parse(reader, known)?),
            _ => return Ok(None),
        }))
    }

    /// Appends the packet.
    pub fn encode(&self, id: RequestId, output: &mut Vec<u8>) {
        if let Self::Write {
            handle,
            offset,
            data,
        } = *self
        {
            encode_write_header(id, handle, offset, packet::length(data.len()), output);
            output.extend_from_slice(data);
            return;
        }
        let start = packet::begin(self.kind(), id, output);
        match *self {
            Self::Open {
                path,
                flags,
                attributes,
            } => {
                put_string(path, output);
                put_u32(flags.0, output);
                attributes.encode(output);
            }
            Self::Read {
                handle,
                offset,
                length,
            } => {
                put_string(handle, output);
                put_u64(offset, output);
                put_u32(length, output);
            }
            Self::Close { handle: one }
            | Self::FStat { handle: one }
            | Self::ReadDirectory { handle: one }
            | Self::LStat { path: one }
            | Self::OpenDirectory { path: one }
            | Self::Remove { path: one }
            | Self::RemoveDirectory { path: one }
            | Self::RealPath { path: one }
            | Self::Stat { path: one }
            | Self::ReadLink { path: one } => put_string(one, output),
            Self::SetStat {
                path: one,
                attributes,
            }
            | Self::FSetStat {
                handle: one,
                attributes,
            }
            | Self::MakeDirectory {
                path: one,
                attributes,
            } => {
                put_string(one, output);
                attributes.encode(output);
            }
            Self::Rename { from: one, to: two }
            | Self::Symlink {
                target: one,
                link: two,
            } => {
                put_string(one, output);
                put_string(two, output);
            }
            Self::Extended(extended) => extended.encode(output),
            Self::Write { .. } => {}
        }
        packet::finish(start, output);
    }

    /// The type on the wire.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Self::Open { .. } => kind::OPEN,
            Self::Close { .. } => kind::CLOSE,
            Self::Read { .. } => kind::READ,
            Self::Write { .. } => kind::WRITE,
            Self::LStat { .. } => kind::LSTAT,
            Self::FStat { .. } => kind::FSTAT,
            Self::SetStat { .. } => kind::SETSTAT,
            Self::FSetStat { .. } => kind::FSETSTAT,
            Self::OpenDirectory { .. } => kind::OPENDIR,
            Self::ReadDirectory { .. } => kind::READDIR,
            Self::Remove { .. } => kind::REMOVE,
            Self::MakeDirectory { .. } => kind::MKDIR,
            Self::RemoveDirectory { .. } => kind::RMDIR,
            Self::RealPath { .. } => kind::REALPATH,
            Self::Stat { .. } => kind::STAT,
            Self::Rename { .. } => kind::RENAME,
            Self::ReadLink { .. } => kind::READLINK,
            Self::Symlink { .. } => kind::SYMLINK,
            Self::Extended(_) => kind::EXTENDED,
        }
    }

    /// With the paths of a SYMLINK the other way round, for a peer that follows the draft (SFT-31).
    #[must_use]
    pub(super) fn turned(self, order: super::SymlinkOrder) -> Self {
        match (self, order) {
            (Self::Symlink { target, link }, super::SymlinkOrder::Draft) => Self::Symlink {
                target: link,
                link: target,
            },
            (other, _) => other,
        }
    }
}

/// Appends a WRITE up to its data; exactly `length` octets of data must be appended behind it.
pub fn encode_write_header(
    id: RequestId,
    handle: &[u8],
    offset: u64,
    length: u32,
    output: &mut Vec<u8>,
) {
    let start = packet::begin(kind::WRITE, id, output);
    put_string(handle, output);
    put_u64(offset, output);
    put_u32(length, output);
    packet::finish_ahead(start, length, output);
}
