//! An open remote file. It is closed when it is dropped, so that a broken transfer leaves none behind.

use wharf_proto::sftp::{Attributes, OpenFlags, Request, StatusCode};

use super::{Pending, Sftp, state::Reply};
use crate::{Error, Kind, Result, Step};

/// An open file.
pub(crate) struct Remote<'a> {
    sftp: &'a Sftp,
    handle: Vec<u8>,
    closed: bool,
}

/// An OPEN that is on its way.
pub(crate) struct Opening<'a>(Pending<'a>);

impl Sftp {
    /// Opens a file.
    pub(crate) fn open(
        &self,
        path: &[u8],
        flags: OpenFlags,
        attributes: Attributes,
    ) -> Opening<'_> {
        Opening(self.ask(&Request::Open {
            path,
            flags,
            attributes,
        }))
    }
}

impl<'a> Opening<'a> {
    /// The open file.
    pub(crate) async fn opened(self, what: &str) -> Result<Remote<'a>> {
        let sftp = self.0.sftp;
        match self.0.reply().await? {
            Reply::Handle(handle) => Ok(Remote {
                sftp,
                handle,
                closed: false,
            }),
            Reply::Status(status) => Err(status.error(Step::Transfer, what)),
            _ => Err(sftp.odd(Step::Transfer)),
        }
    }
}

impl<'a> Remote<'a> {
    pub(super) const fn sftp(&self) -> &'a Sftp {
        self.sftp
    }

    /// Its name on the wire.
    pub(crate) fn handle(&self) -> &[u8] {
        &self.handle
    }

    /// What the server says of it.
    pub(crate) fn stat(&self) -> Pending<'a> {
        self.sftp.ask(&Request::FStat {
            handle: &self.handle,
        })
    }

    /// Changes what is said of it.
    pub(crate) fn set_stat(&self, attributes: Attributes) -> Pending<'a> {
        self.sftp.ask(&Request::FSetStat {
            handle: &self.handle,
            attributes,
        })
    }

    /// Writes a small piece.
    pub(crate) fn write(&self, offset: u64, data: &[u8]) -> Pending<'a> {
        self.sftp.ask(&Request::Write {
            handle: &self.handle,
            offset,
            data,
        })
    }

    /// Asks for a small piece.
    pub(crate) fn read(&self, offset: u64, length: u32) -> Piece<'a> {
        Piece(self.sftp.ask(&Request::Read {
            handle: &self.handle,
            offset,
            length,
        }))
    }

    /// Closes it; a server tells of failed writes here, too (SFT-32).
    pub(crate) fn close(mut self) -> Pending<'a> {
        self.closed = true;
        self.sftp.ask(&Request::Close {
            handle: &self.handle,
        })
    }

    /// `length` octets at `offset`, fewer only at the end of the file.
    pub(crate) async fn read_exact(
        &self,
        offset: u64,
        length: usize,
        what: &str,
    ) -> Result<Vec<u8>> {
        let mut octets = Vec::with_capacity(length.min(super::CEILING));
        while octets.len() < length {
            let left = u32::try_from(length - octets.len()).unwrap_or(u32::MAX);
            let piece = self.read(
                offset + octets.len() as u64,
                left.min(self.sftp.limits.read),
            );
            match piece.octets(what).await? {
                Some(piece) => octets.extend_from_slice(&piece),
                None => break,
            }
        }
        Ok(octets)
    }
}

impl Drop for Remote<'_> {
    fn drop(&mut self) {
        if !self.closed {
            self.sftp.ask_blindly(&Request::Close {
                handle: &self.handle,
            });
        }
    }
}

/// A READ that is on its way.
pub(crate) struct Piece<'a>(Pending<'a>);

impl Piece<'_> {
    /// What came; `None` at the end of the file.
    pub(crate) async fn octets(self, what: &str) -> Result<Option<Vec<u8>>> {
        let sftp = self.0.sftp;
        match self.0.reply().await? {
            Reply::Data(data) if data.is_empty() => Err(Error::new(
                Step::Transfer,
                Kind::Protocol,
                format!("{what}: the server answered READ with no data"),
            )),
            Reply::Data(data) => Ok(Some(data)),
            Reply::Status(status) if status.code == StatusCode::Eof => Ok(None),
            Reply::Status(status) => Err(status.error(Step::Transfer, what)),
            _ => Err(sftp.odd(Step::Transfer)),
        }
    }
}
