//! The client's end: requests get identifiers, responses find what was asked (SFT-80).
//!
//! Any number of requests may be in flight, and their answers come in any order. Everything that a
//! server says is checked against what was asked before the driver sees it: that it was asked at all,
//! that an answer is of a kind that the request can have, that it is not longer than was asked for.
//! A server that breaks a rule is left, since nothing that it says afterwards can be trusted to
//! belong to what it says it does.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::{
    MAX_HANDLE, Request, RequestId, Response, StatusCode, SymlinkOrder, VERSION,
    extension::{Extended, Set},
    packet::{BadLength, Found, Malformed, Packets, Reader, kind, put_u32},
    request,
    response::ExtendedBody,
};

/// How many requests may follow one that is not answered.
pub const MAX_BEHIND: usize = 1 << 20;

/// Why the server must be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// No packet has such a length.
    #[error(transparent)]
    Length(#[from] BadLength),
    /// What came first is text: a start-up file of the remote shell prints something.
    #[error(
        "the server sent text where SFTP was expected: a start-up file of the account's shell \
         (such as .bashrc) prints it; make it silent for sessions without a terminal"
    )]
    Text,
    /// What came first is not VERSION.
    #[error("the server began with a packet of type {0} where VERSION was expected")]
    NotVersion(u8),
    /// The server speaks another version.
    #[error("the server speaks version {0} of SFTP, version {VERSION} was asked for")]
    Version(u32),
    /// A packet's fields do not fit its length.
    #[error("a malformed packet of type {0}")]
    Malformed(u8),
    /// A response to nothing.
    #[error("a response to request {}, which is not open", .0.0)]
    Unasked(RequestId),
    /// A response that the request cannot have.
    #[error("a response of type {kind} to request {}, which cannot have it", .id.0)]
    Unfit {
        /// The request.
        id: RequestId,
        /// The type of the response.
        kind: u8,
    },
    /// More data than were asked for.
    #[error("{length} octets in answer to request {}, which asked for {asked}", .id.0)]
    TooMuchData {
        /// The request.
        id: RequestId,
        /// What came.
        length: usize,
        /// What was asked for.
        asked: u32,
    },
    /// A handle of more than 256 octets.
    #[error("a handle of {0} octets, {MAX_HANDLE} are the limit")]
    LongHandle(usize),
    /// [`MAX_BEHIND`] requests were made since one that was never answered.
    #[error("request {} was never answered", .0.0)]
    Unanswered(RequestId),
}

/// What a request can be answered with, besides a STATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// A STATUS of any code.
    Status,
    Handle,
    /// So many octets at most.
    Data(u32),
    /// One or more names.
    Names,
    /// One name.
    Name,
    Attributes,
    Extended(ExtendedBody),
}

impl Expected {
    fn by(request: &Request<'_>) -> Self {
        match *request {
            Request::Open { .. } | Request::OpenDirectory { .. } => Self::Handle,
            Request::Read { length, .. } => Self::Data(length),
            Request::LStat { .. } | Request::FStat { .. } | Request::Stat { .. } => {
                Self::Attributes
            }
            Request::ReadDirectory { .. } => Self::Names,
            Request::RealPath { .. } | Request::ReadLink { .. } => Self::Name,
            Request::Close { .. }
            | Request::Write { .. }
            | Request::SetStat { .. }
            | Request::FSetStat { .. }
            | Request::Remove { .. }
            | Request::MakeDirectory { .. }
            | Request::RemoveDirectory { .. }
            | Request::Rename { .. }
            | Request::Symlink { .. } => Self::Status,
            Request::Extended(ref extended) => match extended {
                Extended::StatVfs { .. } | Extended::FStatVfs { .. } => {
                    Self::Extended(ExtendedBody::FileSystem)
                }
                Extended::Limits => Self::Extended(ExtendedBody::Limits),
                Extended::ExpandPath { .. } | Extended::HomeDirectory { .. } => Self::Name,
                Extended::UsersGroupsById { .. } => Self::Extended(ExtendedBody::UsersAndGroups),
                Extended::CheckFileHandle { .. } | Extended::CheckFileName { .. } => {
                    Self::Extended(ExtendedBody::CheckFile)
                }
                Extended::Md5Hash { .. } | Extended::Md5HashHandle { .. } => {
                    Self::Extended(ExtendedBody::Md5Hash)
                }
                Extended::SpaceAvailable { .. } => Self::Extended(ExtendedBody::SpaceAvailable),
                Extended::PosixRename { .. }
                | Extended::HardLink { .. }
                | Extended::FSync { .. }
                | Extended::LSetStat { .. }
                | Extended::CopyData { .. }
                | Extended::CopyFile { .. }
                | Extended::VendorId(_)
                | Extended::Unknown { .. } => Self::Status,
            },
        }
    }

    /// Whether a response can be the answer.
    fn check(self, id: RequestId, kind: u8, response: &Response<'_>) -> Result<(), Violation> {
        let fits = match (self, response) {
            (Self::Status, Response::Status { .. }) => true,
            // Success without what was asked for is no answer.
            (_, Response::Status { code, .. }) => *code != StatusCode::Ok,
            (Self::Handle, Response::Handle(handle)) if handle.len() > MAX_HANDLE => {
                return Err(Violation::LongHandle(handle.len()));
            }
            (Self::Data(asked), Response::Data(data))
                if !u32::try_from(data.len()).is_ok_and(|length| length <= asked) =>
            {
                return Err(Violation::TooMuchData {
                    id,
                    length: data.len(),
                    asked,
                });
            }
            (Self::Name, Response::Names(names)) => names.len() == 1,
            (Self::Handle, Response::Handle(_))
            | (Self::Data(_), Response::Data(_))
            | (Self::Names, Response::Names(_))
            | (Self::Attributes, Response::Attributes(_))
            | (
                Self::Extended(_),
                Response::Limits(_)
                | Response::FileSystem(_)
                | Response::UsersAndGroups { .. }
                | Response::CheckFile { .. }
                | Response::Md5Hash(_)
                | Response::SpaceAvailable(_),
            ) => true,
            _ => false,
        };
        fits.then_some(()).ok_or(Violation::Unfit { id, kind })
    }
}

/// One SFTP session, the client's end.
#[derive(Debug)]
pub struct Client {
    packets: Packets,
    symlink_order: SymlinkOrder,
    /// What the server announced, once VERSION is there.
    announced: Option<Set>,
    /// What is open, from the oldest request on; `None`: answered.
    open: VecDeque<Option<Expected>>,
    /// The identifier of the first of them.
    oldest: u32,
    /// How many are not answered.
    in_flight: usize,
}

impl Client {
    /// A new session; INIT is appended to `output`. Requests may be made once
    /// [`Client::extensions`] says something.
    #[must_use]
    pub fn new(symlink_order: SymlinkOrder, output: &mut Vec<u8>) -> Self {
        output.extend_from_slice(&[0, 0, 0, 5, kind::INIT]);
        put_u32(VERSION, output);
        Self {
            packets: Packets::default(),
            symlink_order,
            announced: None,
            open: VecDeque::new(),
            oldest: 0,
            in_flight: 0,
        }
    }

    /// What the server announced; `None` before its VERSION came.
    #[must_use]
    pub fn extensions(&self) -> Option<Set> {
        self.announced
    }

    /// How many requests are not answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Appends a request; its answer will carry the identifier.
    pub fn request(&mut self, request: &Request<'_>, output: &mut Vec<u8>) -> RequestId {
        let id = self.expect(Expected::by(request));
        request.turned(self.symlink_order).encode(id, output);
        id
    }

    /// Appends a WRITE up to its data; the caller appends exactly `length` octets behind it.
    pub fn write_header(
        &mut self,
        handle: &[u8],
        offset: u64,
        length: u32,
        output: &mut Vec<u8>,
    ) -> RequestId {
        let id = self.expect(Expected::Status);
        request::encode_write_header(id, handle, offset, length, output);
        id
    }

    fn expect(&mut self, expected: Expected) -> RequestId {
        let behind = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        self.open.push_back(Some(expected));
        self.in_flight += 1;
        RequestId(self.oldest.wrapping_add(behind))
    }

    /// The next response, taken off `input`; `None` when there is none: then all of `input` was taken.
    ///
    /// # Errors
    /// When the server must be left; what it says afterwards means nothing.
    pub fn next_response<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<(RequestId, Response<'s>)>, Violation> {
        let found = loop {
            let found = match self.packets.next(input) {
                Ok(Found::Nothing) => return Ok(None),
                Ok(found) => found,
                Err(BadLength::TooLong(length)) if self.announced.is_none() && is_text(length) => {
                    return Err(Violation::Text);
                }
                Err(bad) => return Err(bad.into()),
            };
            self.packets.take(&found, input);
            if self.announced.is_some() {
                break found;
            }
            self.announced = Some(version(self.packets.body(found))?);
        };
        let body = self.packets.body(found);
        answer(body, &mut self.open, &mut self.oldest, &mut self.in_flight).map(Some)
    }

    /// Octets that are held: a packet that is not whole.
    #[must_use]
    pub fn held(&self) -> usize {
        self.packets.held()
    }
}

/// Whether a length field is four letters: nobody sends packets of a gigabyte.
fn is_text(length: u32) -> bool {
    length
        .to_be_bytes()
        .iter()
        .all(|octet| matches!(octet, b'\t' | b'\n' | b'\r' | 0x1b | b' '..=b'~'))
}

fn version(body: &[u8]) -> Result<Set, Violation> {
    let mut reader = Reader::new(body);
    match reader.byte() {
        Ok(kind::VERSION) => {}
        Ok(other) => return Err(Violation::NotVersion(other)),
        Err(Malformed) => return Err(Violation::Malformed(0)),
    }
    let malformed = |_| Violation::Malformed(kind::VERSION);
    let version = reader.u32().map_err(malformed)?;
    if version != VERSION {
        return Err(Violation::Version(version));
    }
    let mut announced = Set::NONE;
    while !reader.rest().is_empty() {
        let name = reader.string().map_err(malformed)?;
        announced.announce(name, reader.string().map_err(malformed)?);
    }
    Ok(announced)
}

fn answer<'a>(
    body: &'a [u8],
    open: &mut VecDeque<Option<Expected>>,
    oldest: &mut u32,
    in_flight: &mut usize,
) -> Result<(RequestId, Response<'a>), Violation> {
    let mut reader = Reader::new(body);
    let kind = reader.byte().unwrap_or_default();
    let id = reader.id().map_err(|_| Violation::Malformed(kind))?;
    let place = usize::try_from(id.0.wrapping_sub(*oldest)).unwrap_or(usize::MAX);
    let slot = open.get_mut(place).ok_or(Violation::Unasked(id))?;
    let expected = slot.ok_or(Violation::Unasked(id))?;
    let extended = match expected {
        Expected::Extended(body) => Some(body),
        _ => None,
    };
    let response = Response::parse(kind, reader.rest(), extended)
        .map_err(|_| Violation::Malformed(kind))?
        .ok_or(Violation::Unfit { id, kind })?;
    expected.check(id, kind, &response)?;
    *slot = None;
    *in_flight = in_flight.saturating_sub(1);
    while let Some(None) = open.front() {
        open.pop_front();
        *oldest = oldest.wrapping_add(1);
    }
    if open.len() > MAX_BEHIND {
        return Err(Violation::Unanswered(RequestId(*oldest)));
    }
    Ok((id, response))
}
