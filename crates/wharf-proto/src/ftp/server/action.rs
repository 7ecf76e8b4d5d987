//! What the server machine asks of the session, and what the session answers.
//!
//! Each [`Action`] gets exactly one [`Outcome`], except a transfer (`Retrieve`, `Store`, `List`):
//! that one gets [`Outcome::Started`] and later [`Outcome::Finished`], or one refusal. So ABOR, STAT
//! and QUIT are heard while bytes flow. The machine knows what may be *said*, the session what may
//! be *done*; neither checks for the other.
//!
//! No reply code stands here: the machine chooses it from verb and outcome.

use std::net::{IpAddr, SocketAddr};

use crate::ftp::{Pathname, time::FtpTime};

/// What the session shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Check a login. Outcome: `LoggedIn`, `LoginRefused`.
    Authenticate {
        /// The argument of USER.
        user: Vec<u8>,
        /// The argument of PASS; never logged.
        password: Vec<u8>,
    },
    /// USER, and the peer showed a verified certificate: whether that is enough (RFC 4217 10).
    /// Outcome: `LoggedIn` (232), `PasswordNeeded` (331), `LoginRefused`.
    IdentifyByCertificate {
        /// The argument of USER.
        user: Vec<u8>,
    },
    /// Forget the account (USER, AUTH or REIN while logged in): close data set-ups, drop the view.
    /// Outcome: `Done`.
    Logout,
    /// CWD. Outcome: `Done`, `Refused`.
    ChangeDirectory(Pathname),
    /// CDUP. Outcome: `Done`, `Refused`.
    ParentDirectory,
    /// PWD. Outcome: `Path`, `Refused`.
    CurrentDirectory,
    /// MKD. Outcome: `Path` (the new directory, absolute), `Refused`.
    MakeDirectory(Pathname),
    /// RMD. Outcome: `Done`, `Refused`.
    RemoveDirectory(Pathname),
    /// DELE. Outcome: `Done`, `Refused`.
    RemoveFile(Pathname),
    /// RNFR: check that it exists and may be renamed. Outcome: `Done`, `Refused`.
    RenameFrom(Pathname),
    /// RNTO. Outcome: `Done`, `Refused`.
    Rename {
        /// The argument of RNFR.
        from: Pathname,
        /// The argument of RNTO.
        to: Pathname,
    },
    /// PORT or EPRT: remember the target of the next data connection, close a passive listener.
    /// Outcome: `Done`, `DataRefused`.
    SetActive(SocketAddr),
    /// PASV or EPSV: open a listener. Outcome: `Passive`, `DataRefused`.
    OpenPassive {
        /// `None` for PASV; `Some` for EPSV, with the family asked for (1 or 2), if any.
        extended: Option<Option<u8>>,
    },
    /// RETR. Outcome: `Started` and `Finished`, or `Refused` / `DataRefused`.
    Retrieve {
        /// The file.
        path: Pathname,
        /// Transfer octets to skip (REST).
        offset: u64,
        /// Representation type.
        representation: Representation,
    },
    /// STOR, STOU, APPE. Outcome: as `Retrieve`.
    Store {
        /// The file; for `Unique` the hint, possibly empty.
        path: Pathname,
        /// Where the bytes go.
        placement: Placement,
        /// Representation type.
        representation: Representation,
        /// What ALLO announced, in octets, if anything.
        announced: Option<u64>,
    },
    /// LIST, NLST or MLSD over a data connection. Outcome: as `Retrieve`.
    List {
        /// The directory, file or pattern; empty for the current directory.
        path: Pathname,
        /// The form of a line.
        style: ListStyle,
        /// What the options asked for.
        options: ListOptions,
    },
    /// STAT with a path. The session renders lines as for LIST, at most
    /// [`super::STAT_LIST_LINES`]. Outcome: `Lines`, `Refused`.
    StatPath {
        /// The directory, file or pattern.
        path: Pathname,
        /// What the options asked for.
        options: ListOptions,
    },
    /// STAT without a path. Outcome: `Status`.
    Status,
    /// MLST. Outcome: `Facts`, `Refused`.
    Facts {
        /// The object; empty for the current directory.
        path: Pathname,
        /// Which facts to render.
        facts: super::super::facts::FactSet,
    },
    /// SIZE. Outcome: `Number`, `Refused`.
    Size {
        /// The file.
        path: Pathname,
        /// Counted in this representation.
        representation: Representation,
    },
    /// MDTM, query. Outcome: `Time`, `Refused`.
    ModificationTime(Pathname),
    /// MDTM with a time in front: if an object has `whole` as its name it is a query, else the time
    /// of `path` is set. Outcome: `Time` (what the object now has), `Refused`.
    ModificationTimeOrSet {
        /// The whole argument.
        whole: Pathname,
        /// The leading time.
        time: FtpTime,
        /// The rest.
        path: Pathname,
    },
    /// MFMT. Outcome: `Time` (as stored), `Refused`.
    SetModificationTime {
        /// The object.
        path: Pathname,
        /// The time to set.
        time: FtpTime,
    },
    /// HASH and the X-verbs. Outcome: `Digest`, `Refused`.
    Hash {
        /// The file.
        path: Pathname,
        /// Which hash.
        algorithm: HashAlgorithm,
        /// First octet.
        start: u64,
        /// Offset after the last octet; `None` for the end of the file.
        end: Option<u64>,
    },
    /// ALLO. Outcome: `Done`, `Superfluous`, `Refused`.
    Allocate {
        /// Octets announced.
        octets: u64,
    },
    /// SITE CHMOD. Outcome: `Done`, `Refused`.
    ChangeMode {
        /// The object.
        path: Pathname,
        /// The change.
        mode: ModeChange,
    },
    /// SITE UMASK: `None` asks. Outcome: `Number` (the mask in force).
    Umask(Option<u32>),
    /// SITE IDLE: `None` asks; seconds. Outcome: `Number` (seconds in force).
    IdleLimit(Option<u64>),
    /// CLNT: for the log. No outcome.
    ClientName(Vec<u8>),
    /// A command was received; for the event log. The argument is already masked where it is a
    /// secret. No outcome. Only given when [`super::Settings::command_events`] is on.
    CommandSeen {
        /// The verb, upper case.
        verb: &'static str,
        /// The argument, masked.
        argument: Vec<u8>,
    },
    /// ABOR while a transfer or another long action runs: reset the data connection and end it. The
    /// running action then still gives its own outcome (`Finished(Aborted)` or whatever it came to).
    /// No outcome of its own.
    Abort,
    /// ABOR when nothing runs: close the listener or early connection. No outcome.
    CloseData,
    /// AUTH: the 234 was given by [`super::Server::poll_transmit`]. Write it, shake hands, then call
    /// [`super::Server::tls_started`]; on failure close without a word (TLS-03). What is read from
    /// here on belongs to TLS and not to the machine. No outcome.
    StartTls,
    /// CCC, or REIN where AUTH had started TLS: the last reply under TLS was given by
    /// [`super::Server::poll_transmit`]. Write it, send close_notify, wait for the peer's up to 5 s
    /// (TLS-41), then call [`super::Server::tls_ended`]. What still comes under TLS is to be given to
    /// [`super::Server::handle_input`] before that: it ends the session (RPL-35). No outcome.
    EndTls,
    /// All replies are on their way: shut down and close. No outcome. The last action ever.
    Close(CloseReason),
}

/// Why the control connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// QUIT.
    Quit,
    /// Nothing was heard for the idle time.
    IdleTimeout,
    /// Not logged in within the login time.
    LoginTimeout,
    /// Too many failed logins.
    LoginFailures,
    /// Too many unknown verbs, over-long lines or empty lines.
    Abuse,
    /// The first bytes were another protocol's.
    WrongProtocol,
    /// The server shuts down or an administrator ended the session.
    Shutdown,
    /// Refused at the door.
    Refused,
    /// Something was sent ahead behind AUTH, CCC or REIN, across the border between clear and TLS. It
    /// was not executed (RPL-33, RPL-35).
    Injection,
}

/// Representation type of a transfer (RFC 959 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Representation {
    /// TYPE A: line ends are CR LF on the wire.
    #[default]
    Ascii,
    /// TYPE I and TYPE L 8: octets as they are.
    Image,
}

/// Where an upload goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The whole file (STOR).
    Replace,
    /// The first octets stay, writing starts behind them (REST + STOR, REST + APPE). Counted in
    /// transfer octets.
    ResumeAt(u64),
    /// Behind what is there (APPE).
    Append,
    /// Under a name that nothing has yet (STOU).
    Unique,
}

/// The form of a listing line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListStyle {
    /// `ls -l` lines.
    Long,
    /// Names only (NLST).
    Names,
    /// Facts (MLSD) with this set.
    Facts(super::super::facts::FactSet),
}

/// The options that LIST, NLST and STAT understand (`-a -A -l -L -1 -F -R -t -r -S -d -n -U -f`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOptions {
    /// `-a`, `-A`: names with a leading dot too.
    pub all: bool,
    /// `-L`: a link's target.
    pub follow: bool,
    /// `-F`: a mark behind names of directories and links.
    pub classify: bool,
    /// `-R`.
    pub recursive: bool,
    /// `-r`.
    pub reverse: bool,
    /// `-d`: a directory itself.
    pub directory_itself: bool,
    /// `-n`: numeric owners.
    pub numeric: bool,
    /// `-l` given to NLST.
    pub long: bool,
    /// `-t`, `-S`, `-U`/`-f`.
    pub order: ListOrder,
}

/// The order of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListOrder {
    /// Byte order of names.
    #[default]
    Name,
    /// Youngest first.
    Time,
    /// Largest first.
    Size,
    /// As the store gives them.
    Storage,
}

/// A change of permission bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeChange {
    /// Octal: these bits.
    Set(u32),
    /// Symbolic, already folded: new = (old & `keep`) | `set`.
    Adjust {
        /// Bits that stay.
        keep: u32,
        /// Bits that are set.
        set: u32,
    },
}

/// A content hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// SHA-1.
    Sha1,
    /// MD5.
    Md5,
    /// CRC-32 (IEEE).
    Crc32,
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is done.
    Done,
    /// It was not necessary (202).
    Superfluous,
    /// Logged in.
    LoggedIn {
        /// Text for the 230, without code; empty for the standard one.
        message: String,
    },
    /// The certificate is not enough or is not for this name: PASS is to follow.
    PasswordNeeded,
    /// Not logged in: the same for every cause that depends on the name.
    LoginRefused(LoginRefusal),
    /// A virtual path, absolute.
    Path(Vec<u8>),
    /// A number.
    Number(u64),
    /// A time, UTC.
    Time(FtpTime),
    /// Rendered facts of one object (`type=file;size=5;`) and its absolute path.
    Facts {
        /// Facts, each with its `;`.
        facts: Vec<u8>,
        /// Absolute virtual path.
        path: Vec<u8>,
    },
    /// Rendered lines without line ends.
    Lines {
        /// The lines.
        lines: Vec<Vec<u8>>,
        /// Whether the object was a directory (212) or a file (213).
        directory: bool,
        /// Lines were left out.
        truncated: bool,
    },
    /// What STAT shows.
    Status(Status),
    /// A digest in lower-case hex, and the range that it covers.
    Digest {
        /// Lower-case hex.
        hex: String,
        /// First octet.
        start: u64,
        /// Offset after the last octet.
        end: u64,
    },
    /// A passive listener is open.
    Passive(SocketAddr),
    /// No data set-up.
    DataRefused(DataRefusal),
    /// A file operation was refused.
    Refused(Refusal),
    /// A transfer is open: the 150 goes out.
    Started(Started),
    /// A transfer came to its end.
    Finished(Finished),
}

/// Why nobody was logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginRefusal {
    /// Unknown name, wrong password, locked, expired, host not allowed: one text for all.
    Incorrect,
    /// The same in clear, where an account may ask for TLS (TLS-23): to be given to every name and
    /// for the right password, too, so that it confirms neither.
    InClear,
    /// Too many sessions of this account or address.
    TooManySessions,
    /// The address is locked out: the connection is closed with 421.
    LockedOut,
    /// The back end did not answer (the cause is in the log).
    Unavailable,
}

/// Why a file operation was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind.
    pub reason: Reason,
    /// The name as the user gave it, or another fit for the reply; may be empty.
    pub name: Vec<u8>,
    /// More words for the user, without host paths; may be empty.
    pub detail: String,
}

/// Kinds of refusal, neutral to codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Missing, or not to be known of.
    NotFound,
    /// Stands there already.
    Exists,
    /// A directory was wanted.
    NotADirectory,
    /// A file was wanted.
    IsADirectory,
    /// The directory holds entries.
    NotEmpty,
    /// Not allowed.
    Denied,
    /// Cannot be written.
    ReadOnly,
    /// Name not allowed.
    InvalidName,
    /// Device full.
    NoSpace,
    /// Quota used up.
    OverQuota,
    /// In use.
    Busy,
    /// Across volumes.
    CrossVolume,
    /// The volume cannot.
    Unsupported,
    /// No answer in time.
    TimedOut,
    /// Out of reach.
    Unavailable,
    /// I/O error.
    Broken,
    /// REST beyond the file, or not possible here.
    BadRestart,
    /// Too large for this operation.
    TooLarge,
    /// A pattern that would cost too much.
    TooCostly,
    /// An argument that only the session could judge.
    BadArgument,
}

/// Why a data connection cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataRefusal {
    /// PORT/EPRT names another host than the peer.
    ForeignAddress {
        /// Whom it names.
        named: IpAddr,
        /// Whose connection this is.
        peer: IpAddr,
    },
    /// PORT/EPRT names a port below 1024.
    LowPort(u16),
    /// PORT/EPRT names an address that nobody may be sent to (loopback, multicast, our own...).
    BadAddress(IpAddr),
    /// Active mode is switched off.
    ActiveDisabled,
    /// PASV on IPv6, EPSV or EPRT with a family that this session cannot use; the families it can.
    Family {
        /// `1`, `2` or both, as RFC 2428 numbers them.
        usable: &'static [u8],
    },
    /// No port of the range is free.
    NoPort,
    /// No PORT, PASV, ... before the transfer, and no default port.
    NotSetUp,
}

/// What the 150 tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The name for the text: as given, or the one that STOU chose.
    pub name: Vec<u8>,
    /// Transfer octets to come, when known.
    pub size: Option<u64>,
}

/// How a transfer ended. Octets are those on the data connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finished {
    /// Whole.
    Complete {
        /// Octets moved.
        octets: u64,
        /// A note for the 226, such as a truncated listing; may be empty.
        note: String,
    },
    /// The data connection never came about (425), with the cause in words.
    NoConnection(String),
    /// It broke or stalled (426), with the cause in words.
    Broken(String),
    /// The handshake on the data connection failed (522), with the cause in words.
    TlsFailed(String),
    /// The data connection did not resume the TLS session of this control connection (522).
    NotResumed,
    /// Ended by ABOR (426).
    Aborted,
    /// Our side failed (451, 452, 552...).
    Failed(Refusal),
}

/// What STAT shows. Text fields may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The peer as we see it.
    pub peer: String,
    /// The account, when logged in.
    pub user: String,
    /// Octets so far and whole seconds since the start, while a transfer runs.
    pub transfer: Option<(u64, u64)>,
    /// Further lines (data set-up, last transfer, limits).
    pub lines: Vec<String>,
}
