//! Why not: from neutral kinds of refusal to codes and words.
//!
//! Each function is one total match; the words in the `Reason` column are those that clients look for
//! (`File exists`, `No such file or directory`).

use super::{line_end, text};
use crate::ftp::{
    decimal,
    server::{DataRefusal, Finished, LoginRefusal, Reason, Refusal, Settings, output::Output},
    sink::Sink,
    verb::Verb,
};

const LOGIN_INCORRECT: &[u8] = b"530 Login incorrect.\r\n";
const IN_CLEAR: &[u8] = b"530 Login incorrect, or TLS required.\r\n";
const NOT_RESUMED: &[u8] = b"522 TLS session of data connection not resumed.\r\n";
const TOO_MANY_SESSIONS: &[u8] = b"530 Too many sessions, try again later.\r\n";
const LOGIN_UNAVAILABLE: &[u8] = b"530 Logins are not possible at the moment, try again later.\r\n";
const LOCKED_OUT: &[u8] = b"421 Too many login failures from your address, try again later.\r\n";

/// What PASS answers without a login. The same text for every cause that depends on the name.
pub(in crate::ftp::server) fn login_refused(out: &mut Output, refusal: LoginRefusal) {
    out.put(match refusal {
        LoginRefusal::Incorrect => LOGIN_INCORRECT,
        LoginRefusal::InClear => IN_CLEAR,
        LoginRefusal::TooManySessions => TOO_MANY_SESSIONS,
        LoginRefusal::LockedOut => LOCKED_OUT,
        LoginRefusal::Unavailable => LOGIN_UNAVAILABLE,
    });
}

/// A file operation was refused before anything was sent over a data connection.
pub(in crate::ftp::server) fn refused(
    out: &mut Output,
    verb: Verb,
    refusal: &Refusal,
    settings: &Settings,
) {
    let code = code(verb, refusal.reason, settings);
    out.put(code);
    out.put(b" ");
    cause(out, refusal);
}

fn code(verb: Verb, reason: Reason, settings: &Settings) -> &'static [u8] {
    // Verbs that make a name: what is wrong with the name or its place is 553.
    let creates = matches!(verb, Verb::Stor | Verb::Stou | Verb::Appe | Verb::Rnto);
    let hash = verb == Verb::Hash;
    match reason {
        Reason::Exists if verb == Verb::Mkd && settings.mkd_exists_code == 521 => b"521",
        // RFC 3659 7.2.1: MLSD on something that is no directory.
        Reason::NotADirectory if verb == Verb::Mlsd => b"501",
        Reason::InvalidName if creates || verb == Verb::Mkd => b"553",
        Reason::IsADirectory if hash => b"553",
        Reason::Denied if hash => b"552",
        Reason::TooLarge if hash => b"556",
        Reason::NotFound
        | Reason::Exists
        | Reason::NotADirectory
        | Reason::IsADirectory
        | Reason::NotEmpty
        | Reason::Denied
        | Reason::ReadOnly
        | Reason::CrossVolume
            if creates =>
        {
            b"553"
        }
        Reason::NotFound
        | Reason::Exists
        | Reason::NotADirectory
        | Reason::IsADirectory
        | Reason::NotEmpty
        | Reason::Denied
        | Reason::ReadOnly
        | Reason::InvalidName
        | Reason::CrossVolume
        | Reason::Unsupported
        | Reason::TooLarge => b"550",
        Reason::NoSpace => b"452",
        Reason::OverQuota => b"552",
        Reason::Busy | Reason::TooCostly => b"450",
        Reason::TimedOut | Reason::Unavailable | Reason::Broken => b"451",
        Reason::BadRestart => b"554",
        Reason::BadArgument => b"501",
    }
}

fn words(reason: Reason) -> &'static [u8] {
    match reason {
        Reason::NotFound => b"No such file or directory",
        Reason::Exists => b"File exists",
        Reason::NotADirectory => b"Not a directory",
        Reason::IsADirectory => b"Is a directory",
        Reason::NotEmpty => b"Directory not empty",
        Reason::Denied => b"Permission denied",
        Reason::ReadOnly => b"Read-only file system",
        Reason::InvalidName => b"Name not allowed",
        Reason::NoSpace => b"No space left on device",
        Reason::OverQuota => b"Quota exceeded",
        Reason::Busy => b"In use, try again later",
        Reason::CrossVolume => b"Cannot move to another volume",
        Reason::Unsupported => b"Not supported by this volume",
        Reason::TimedOut => b"The storage did not answer in time",
        Reason::Unavailable => b"The storage is out of reach",
        Reason::Broken => b"Input/output error",
        Reason::BadRestart => b"Cannot restart at this offset",
        Reason::TooLarge => b"Too large for this operation",
        Reason::TooCostly => b"Pattern too costly",
        Reason::BadArgument => b"Bad argument",
    }
}

/// `NAME: words (detail).`
fn cause(out: &mut Output, refusal: &Refusal) {
    if !refusal.name.is_empty() {
        text(out, &refusal.name);
        out.put(b": ");
    }
    out.put(words(refusal.reason));
    if !refusal.detail.is_empty() {
        out.put(b" (");
        text(out, bare(&refusal.detail));
        out.put(b")");
    }
    out.put(b".\r\n");
}

/// Words from outside without the full stop that is put behind them.
fn bare(words: &str) -> &[u8] {
    words.trim_end_matches(['.', ' ']).as_bytes()
}

/// No data connection can be set up (PORT, EPRT, PASV, EPSV, or a transfer without them).
pub(in crate::ftp::server) fn data_refused(out: &mut Output, refusal: &DataRefusal) {
    match refusal {
        DataRefusal::ForeignAddress { named, peer } => {
            let words =
                format!("501 {named} is not your address ({peer}), no data connection to others.");
            out.put(words.as_bytes());
        }
        DataRefusal::LowPort(port) => {
            out.put(b"504 Port ");
            decimal::push(out, (*port).into());
            out.put(b" is below 1024, no data connection to it.");
        }
        DataRefusal::BadAddress(address) => {
            out.put(format!("501 No data connection to {address} is allowed.").as_bytes());
        }
        DataRefusal::ActiveDisabled => {
            out.put(b"502 Active mode is switched off on this server, use EPSV or PASV.");
        }
        DataRefusal::Family { usable } => {
            // RFC 2428 2: a program reads the numbers.
            out.put(b"522 Network protocol not supported, use (");
            for (index, family) in usable.iter().enumerate() {
                if index > 0 {
                    out.put(b",");
                }
                decimal::push(out, (*family).into());
            }
            out.put(b")");
        }
        DataRefusal::NoPort => {
            out.put(b"425 Can't open data connection: no free port in the passive range.");
        }
        DataRefusal::NotSetUp => out.put(b"425 Use PASV or PORT first."),
    }
    line_end(out);
}

/// A transfer that did not come to a good end. After the 150 RFC 959 leaves few codes: 425, 426, 451,
/// 452 and 552; TLS adds 522 (TLS-33, TLS-35).
pub(in crate::ftp::server) fn finished(out: &mut Output, end: &Finished) {
    match end {
        Finished::NoConnection(words) => {
            out.put(b"425 Can't open data connection: ");
            text(out, bare(words));
            out.put(b".\r\n");
        }
        Finished::Broken(words) => {
            out.put(b"426 Data connection broken: ");
            text(out, bare(words));
            out.put(b".\r\n");
        }
        Finished::TlsFailed(words) => {
            out.put(b"522 TLS on the data connection failed: ");
            text(out, bare(words));
            out.put(b".\r\n");
        }
        Finished::NotResumed => out.put(NOT_RESUMED),
        Finished::Aborted => out.put(super::TRANSFER_ABORTED),
        Finished::Failed(refusal) => {
            out.put(match refusal.reason {
                Reason::NoSpace => b"452 ",
                Reason::OverQuota => b"552 ",
                _ => b"451 ",
            });
            cause(out, refusal);
        }
        Finished::Complete { note, .. } => super::complete(out, note, b""),
    }
}
