//! What the session was asked and has not answered yet.
//!
//! A question carries what its reply needs and nothing else, so that the reply is one match over
//! question and outcome. RFC 959 has at most one command open at a time; so has this.

use super::{HashAlgorithm, Representation};
use crate::ftp::{Mechanism, Pathname, verb::Verb};

/// What is open.
#[derive(Debug, Default)]
pub(super) enum Work {
    #[default]
    Idle,
    /// One outcome ends it.
    Asking(Question),
    /// `Started` and `Finished` end it, or a refusal.
    Transfer(Transfer),
}

/// A transfer that was asked for.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) verb: Verb,
    pub(super) representation: Representation,
    /// The 150 is written.
    pub(super) running: bool,
    /// The name that STOU chose, for the 226.
    pub(super) unique_name: Vec<u8>,
}

/// An action with one outcome, by what its reply looks like.
#[derive(Debug)]
pub(super) enum Question {
    /// PASS.
    Login,
    /// USER with a certificate.
    Identify,
    /// AUTH while logged in.
    StartTls(Mechanism),
    /// USER while logged in: this one is next.
    NextUser(Vec<u8>),
    /// REIN.
    Reinitialize,
    /// CWD, CDUP, RMD, DELE, RNTO: 250.
    FileAction(Verb),
    /// PWD.
    CurrentDirectory,
    /// MKD.
    MakeDirectory,
    /// RNFR.
    RenameFrom(Pathname),
    /// PORT, EPRT: 200.
    SetActive(Verb),
    /// PASV, EPSV.
    OpenPassive(Verb),
    /// STAT with a path.
    StatPath,
    /// STAT.
    Status,
    /// MLST of this name.
    Facts(Vec<u8>),
    /// SIZE.
    Size,
    /// MDTM.
    Time,
    /// MFMT of this name.
    SetTime(Vec<u8>),
    /// HASH of this name.
    Hash(HashAlgorithm, Vec<u8>),
    /// XCRC and its like.
    BareHash(Verb),
    /// ALLO of so many octets.
    Allocate(u64),
    /// SITE CHMOD, SITE UTIME: 200.
    Site(&'static str),
    /// SITE UMASK; whether it was to be set.
    Umask(bool),
    /// SITE IDLE; whether it was to be set.
    IdleLimit(bool),
}

impl Question {
    /// The verb whose codes a refusal uses.
    pub(super) fn verb(&self) -> Verb {
        match self {
            Self::Login => Verb::Pass,
            Self::Identify | Self::NextUser(_) => Verb::User,
            Self::StartTls(_) => Verb::Auth,
            Self::Reinitialize => Verb::Rein,
            Self::FileAction(verb)
            | Self::SetActive(verb)
            | Self::OpenPassive(verb)
            | Self::BareHash(verb) => *verb,
            Self::CurrentDirectory => Verb::Pwd,
            Self::MakeDirectory => Verb::Mkd,
            Self::RenameFrom(_) => Verb::Rnfr,
            Self::StatPath | Self::Status => Verb::Stat,
            Self::Facts(_) => Verb::Mlst,
            Self::Size => Verb::Size,
            Self::Time => Verb::Mdtm,
            Self::SetTime(_) => Verb::Mfmt,
            Self::Hash(..) => Verb::Hash,
            Self::Allocate(_) => Verb::Allo,
            Self::Site(_) | Self::Umask(_) | Self::IdleLimit(_) => Verb::Site,
        }
    }
}

/// What the last commands prepared for the next one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Sequence {
    #[default]
    Free,
    /// RNFR was answered 350.
    RenameFrom(Pathname),
    /// REST was answered 350; never 0.
    RestartAt(u64),
}

impl Sequence {
    /// Whether it is still there behind a command of this kind (DAT-46, RNFR in ftp-commands). A verb
    /// that uses it up has taken it before.
    pub(super) fn survives(&self, verb: Verb, argument: &[u8]) -> bool {
        match self {
            Self::Free => true,
            Self::RenameFrom(_) => match verb {
                Verb::Noop => true,
                Verb::Stat => argument.trim_ascii().is_empty(),
                _ => false,
            },
            Self::RestartAt(_) => matches!(
                verb,
                Verb::Pasv
                    | Verb::Epsv
                    | Verb::Lpsv
                    | Verb::Spsv
                    | Verb::Port
                    | Verb::Eprt
                    | Verb::Lprt
                    | Verb::Prot
                    | Verb::Pbsz
                    | Verb::Noop
                    | Verb::Stat
                    | Verb::Type
                    | Verb::Mode
                    | Verb::Stru
                    | Verb::Size
                    | Verb::Mdtm
                    | Verb::Opts
                    | Verb::Hash
            ),
        }
    }
}
