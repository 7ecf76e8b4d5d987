//! What a client can ask, and its lines (ftp-commands section 9).

use std::net::{SocketAddr, SocketAddrV4};

use thiserror::Error;

use super::capability::hash_verb;
use crate::ftp::{
    Mechanism, Pathname, Protection,
    host_port::{encode_eprt, encode_port},
    reply::{Class, Code},
    server::{HashAlgorithm, Representation},
    time::FtpTime,
};

/// Octets of a line's argument; servers commonly take 4 KiB.
pub const ARGUMENT_LIMIT: usize = 4096 - 16;

/// Why a request cannot be made.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RequestError {
    /// CR, LF or NUL in an argument: the server would read a second command.
    #[error("a name, user or password holds a line end or NUL, which FTP cannot say")]
    ForbiddenOctet,
    /// An argument beyond [`ARGUMENT_LIMIT`].
    #[error("a name, user or password is longer than {ARGUMENT_LIMIT} octets")]
    TooLong,
    /// [`super::QUEUE_LIMIT`] requests wait already.
    #[error("too many requests are waiting for this server")]
    QueueFull,
    /// AUTH or CCC is queued or under way: what comes behind it would go out on an unknown side of it.
    #[error(
        "the connection is on its way into or out of TLS, nothing can be asked until it is there"
    )]
    Switching,
    /// The session is over.
    #[error("the session has ended")]
    Ended,
}

/// One request; some take several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// USER, and PASS when asked for. 230 may come after either; 332 asks for an account.
    Login {
        /// The user.
        user: Vec<u8>,
        /// The password.
        password: Vec<u8>,
    },
    /// AUTH. Behind a 234 comes [`super::Event::StartTls`].
    StartTls(Mechanism),
    /// `PBSZ 0`.
    ProtectionBuffer,
    /// PROT.
    Protect(Protection),
    /// CCC. Behind a 200 comes [`super::Event::EndTls`].
    EndTls,
    /// FEAT.
    Features,
    /// SYST.
    System,
    /// `OPTS UTF8 ON`.
    Utf8,
    /// `OPTS HASH name`.
    ChooseHash(HashAlgorithm),
    /// TYPE.
    Type(Representation),
    /// PWD.
    CurrentDirectory,
    /// CWD.
    ChangeDirectory(Pathname),
    /// CDUP.
    ParentDirectory,
    /// EPSV.
    ExtendedPassive,
    /// PASV.
    Passive,
    /// EPRT.
    ExtendedPort(SocketAddr),
    /// PORT.
    Port(SocketAddrV4),
    /// RETR, after REST when `offset` is not 0.
    Retrieve {
        /// The file.
        path: Pathname,
        /// Octets to skip.
        offset: u64,
    },
    /// STOR, after REST when `offset` is not 0.
    Store {
        /// The file.
        path: Pathname,
        /// Octets that stay.
        offset: u64,
    },
    /// APPE.
    Append(Pathname),
    /// LIST; empty for the current directory.
    List(Pathname),
    /// NLST; empty for the current directory.
    Names(Pathname),
    /// MLSD; empty for the current directory.
    FactsList(Pathname),
    /// MLST.
    Facts(Pathname),
    /// SIZE.
    Size(Pathname),
    /// MDTM.
    ModificationTime(Pathname),
    /// MFMT.
    SetModificationTime {
        /// The file.
        path: Pathname,
        /// The new time.
        time: FtpTime,
    },
    /// `MDTM time path`, the older way to set a time.
    SetModificationTimeByMdtm {
        /// The file.
        path: Pathname,
        /// The new time.
        time: FtpTime,
    },
    /// `SITE UTIME`, the oldest.
    SetModificationTimeBySite {
        /// The file.
        path: Pathname,
        /// The new time.
        time: FtpTime,
    },
    /// HASH.
    Hash(Pathname),
    /// `XSHA256 "path"` and its kin.
    HashBy {
        /// Which verb.
        algorithm: HashAlgorithm,
        /// The file.
        path: Pathname,
    },
    /// DELE.
    RemoveFile(Pathname),
    /// RMD.
    RemoveDirectory(Pathname),
    /// MKD.
    MakeDirectory(Pathname),
    /// RNFR, then RNTO.
    Rename {
        /// The old name.
        from: Pathname,
        /// The new name.
        to: Pathname,
    },
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
}

impl Request {
    /// The verb of a line.
    pub(super) const fn verb(&self, step: usize) -> &'static str {
        match self {
            Self::Login { .. } if step == 0 => "USER",
            Self::Login { .. } => "PASS",
            Self::StartTls(_) => "AUTH",
            Self::ProtectionBuffer => "PBSZ",
            Self::Protect(_) => "PROT",
            Self::EndTls => "CCC",
            Self::Features => "FEAT",
            Self::System => "SYST",
            Self::Utf8 | Self::ChooseHash(_) => "OPTS",
            Self::Type(_) => "TYPE",
            Self::CurrentDirectory => "PWD",
            Self::ChangeDirectory(_) => "CWD",
            Self::ParentDirectory => "CDUP",
            Self::ExtendedPassive => "EPSV",
            Self::Passive => "PASV",
            Self::ExtendedPort(_) => "EPRT",
            Self::Port(_) => "PORT",
            Self::Retrieve { offset, .. } | Self::Store { offset, .. }
                if *offset > 0 && step == 0 =>
            {
                "REST"
            }
            Self::Retrieve { .. } => "RETR",
            Self::Store { .. } => "STOR",
            Self::Append(_) => "APPE",
            Self::List(_) => "LIST",
            Self::Names(_) => "NLST",
            Self::FactsList(_) => "MLSD",
            Self::Facts(_) => "MLST",
            Self::Size(_) => "SIZE",
            Self::ModificationTime(_) | Self::SetModificationTimeByMdtm { .. } => "MDTM",
            Self::SetModificationTime { .. } => "MFMT",
            Self::SetModificationTimeBySite { .. } => "SITE",
            Self::Hash(_) => "HASH",
            Self::HashBy { algorithm, .. } => hash_verb(*algorithm),
            Self::RemoveFile(_) => "DELE",
            Self::RemoveDirectory(_) => "RMD",
            Self::MakeDirectory(_) => "MKD",
            Self::Rename { .. } if step == 0 => "RNFR",
            Self::Rename { .. } => "RNTO",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
        }
    }

    /// A line without its end, and how it may be shown.
    pub(super) fn encode(&self, step: usize) -> (Vec<u8>, Vec<u8>) {
        let verb = self.verb(step);
        let argument = self.argument(step);
        let mut line = verb.as_bytes().to_vec();
        let mut shown = line.clone();
        if let Some(argument) = argument {
            line.push(b' ');
            line.extend_from_slice(&argument);
            if verb == "PASS" {
                shown.extend_from_slice(b" ***");
            } else {
                shown.clone_from(&line);
            }
        }
        (line, shown)
    }

    fn argument(&self, step: usize) -> Option<Vec<u8>> {
        let path = |path: &Pathname| (!path.is_empty()).then(|| path.as_bytes().to_vec());
        match self {
            Self::Login { user, .. } if step == 0 => Some(user.clone()),
            Self::Login { password, .. } => Some(password.clone()),
            Self::StartTls(mechanism) => Some(mechanism.name().as_bytes().to_vec()),
            Self::ProtectionBuffer => Some(b"0".to_vec()),
            Self::Protect(protection) => Some(protection.letter().as_bytes().to_vec()),
            Self::Utf8 => Some(b"UTF8 ON".to_vec()),
            Self::ChooseHash(algorithm) => Some([b"HASH ", algorithm.name().as_bytes()].concat()),
            Self::Type(Representation::Ascii) => Some(b"A".to_vec()),
            Self::Type(Representation::Image) => Some(b"I".to_vec()),
            Self::ExtendedPort(address) => {
                let mut out = Vec::new();
                encode_eprt(*address, &mut out);
                Some(out)
            }
            Self::Port(address) => {
                let mut out = Vec::new();
                encode_port(*address, &mut out);
                Some(out)
            }
            Self::Retrieve { offset, .. } | Self::Store { offset, .. }
                if *offset > 0 && step == 0 =>
            {
                Some(offset.to_string().into_bytes())
            }
            Self::Rename { from, .. } if step == 0 => path(from),
            Self::Rename { to, .. } => path(to),
            Self::SetModificationTime { path, time }
            | Self::SetModificationTimeByMdtm { path, time } => {
                Some([&time.digits()[..], b" ", path.as_bytes()].concat())
            }
            Self::SetModificationTimeBySite { path, time } => {
                Some([b"UTIME ", &time.digits()[..], b" ", path.as_bytes()].concat())
            }
            // Quotes keep a name that ends in a number from being read as a range.
            Self::HashBy { path, .. } => Some([b"\"", path.as_bytes(), b"\""].concat()),
            Self::ChangeDirectory(name)
            | Self::Append(name)
            | Self::List(name)
            | Self::Names(name)
            | Self::FactsList(name)
            | Self::Facts(name)
            | Self::Size(name)
            | Self::ModificationTime(name)
            | Self::Hash(name)
            | Self::RemoveFile(name)
            | Self::RemoveDirectory(name)
            | Self::MakeDirectory(name)
            | Self::Retrieve { path: name, .. }
            | Self::Store { path: name, .. } => path(name),
            Self::EndTls
            | Self::Features
            | Self::System
            | Self::CurrentDirectory
            | Self::ParentDirectory
            | Self::ExtendedPassive
            | Self::Passive
            | Self::Noop
            | Self::Quit => None,
        }
    }

    const fn lines(&self) -> usize {
        match self {
            Self::Login { .. } | Self::Rename { .. } => 2,
            Self::Retrieve { offset, .. } | Self::Store { offset, .. } if *offset > 0 => 2,
            _ => 1,
        }
    }

    /// Whether the answer to this line calls for the next one.
    pub(super) fn goes_on(&self, step: usize, code: Code) -> bool {
        if step + 1 >= self.lines() {
            return false;
        }
        match self {
            // 332 asks for an account, which no password answers; 230 needs none.
            Self::Login { .. } => code.value() != 332 && code.class() == Class::Intermediate,
            // Some servers say 200 or 250 where 350 is due.
            _ => matches!(code.class(), Class::Intermediate | Class::Completion),
        }
    }

    /// Whether a good answer changes what carries the connection.
    pub(super) const fn switches(&self) -> bool {
        matches!(self, Self::StartTls(_) | Self::EndTls)
    }

    /// Whether it uses a data connection.
    #[must_use]
    pub const fn is_transfer(&self) -> bool {
        matches!(
            self,
            Self::Retrieve { .. }
                | Self::Store { .. }
                | Self::Append(_)
                | Self::List(_)
                | Self::Names(_)
                | Self::FactsList(_)
        )
    }

    /// Whether saying it twice is the same as saying it once.
    #[must_use]
    pub const fn is_repeatable(&self) -> bool {
        !matches!(
            self,
            Self::Append(_)
                | Self::RemoveFile(_)
                | Self::RemoveDirectory(_)
                | Self::MakeDirectory(_)
                | Self::Rename { .. }
                | Self::ParentDirectory
                | Self::ChangeDirectory(_)
                | Self::Store { .. }
        )
    }

    /// Whether it may be on the way together with others of its kind: it changes nothing that they
    /// read, and no order of answers can be mistaken.
    pub(super) const fn may_overlap(&self) -> bool {
        matches!(
            self,
            Self::Features
                | Self::System
                | Self::Utf8
                | Self::Type(_)
                | Self::CurrentDirectory
                | Self::Facts(_)
                | Self::Size(_)
                | Self::ModificationTime(_)
                | Self::SetModificationTime { .. }
                | Self::RemoveFile(_)
                | Self::MakeDirectory(_)
                | Self::Noop
        )
    }

    pub(super) fn check(&self) -> Result<(), RequestError> {
        for step in 0..self.lines() {
            let Some(argument) = self.argument(step) else {
                continue;
            };
            if argument.len() > ARGUMENT_LIMIT {
                return Err(RequestError::TooLong);
            }
            if memchr::memchr3(b'\r', b'\n', 0, &argument).is_some() {
                return Err(RequestError::ForbiddenOctet);
            }
        }
        Ok(())
    }
}
