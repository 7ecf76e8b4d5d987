//! All codes and texts of the server's replies.
//!
//! No other file of the server writes a code. Clients match many of these texts by their words,
//! so a change here is a change of the protocol. Names come in raw
//! and are made harmless on their way out; nothing of a host's paths or a back end's words gets here.
//! RFC 959 4.2, RFC 1123 4.1.2.9, RFC 2228 5, RFC 2428, RFC 3659, RFC 4217.

mod refusal;
mod syntax;

use std::net::{SocketAddr, SocketAddrV4};

pub(super) use refusal::{data_refused, finished, login_refused, refused};
pub(super) use syntax::{features, help, help_site, help_site_verb, help_verb};

use super::{HashAlgorithm, Representation, Status, output::Output};
use crate::ftp::{
    Protection, decimal,
    facts::FactSet,
    host_port,
    reply::{push_escaped, push_quoted},
    sink::Sink,
    time::FtpTime,
    verb::Verb,
};

/// Longest name in a text that no program reads (RPL-25).
const NAME_LIMIT: usize = 1024;

// Whole replies.
pub(super) const PASSWORD_REQUIRED: &[u8] = b"331 Password required.\r\n";
pub(super) const ANONYMOUS_PASSWORD: &[u8] =
    b"331 Anonymous login ok, send your e-mail address as password.\r\n";
pub(super) const NO_ACCOUNT_NEEDED: &[u8] = b"202 No account is needed.\r\n";
pub(super) const USER_FIRST: &[u8] = b"503 Login with USER first.\r\n";
pub(super) const LOGIN_FIRST: &[u8] = b"530 Please login with USER and PASS.\r\n";
pub(super) const GOODBYE: &[u8] = b"221 Goodbye.\r\n";
pub(super) const REINITIALIZED: &[u8] = b"220 Service ready for new user.\r\n";
pub(super) const REINITIALIZE_WAITS: &[u8] =
    b"120 Service ready in 001 minutes, after the running transfer.\r\n";
pub(super) const SYSTEM: &[u8] = b"215 UNIX Type: L8\r\n";
pub(super) const NOTED: &[u8] = b"200 Noted.\r\n";
pub(super) const UNKNOWN_VERB: &[u8] = b"500 Unknown command.\r\n";
pub(super) const LINE_TOO_LONG: &[u8] = b"500 Command line too long.\r\n";
pub(super) const BAD_BYTES_IN_VERB: &[u8] = b"500 NUL or bare CR in the command.\r\n";
pub(super) const BAD_BYTES: &[u8] = b"501 NUL or bare CR in the argument.\r\n";
pub(super) const DISABLED: &[u8] = b"502 This command is switched off on this server.\r\n";
pub(super) const NOT_OFFERED: &[u8] = b"502 This server does not offer this command.\r\n";
pub(super) const NO_ARGUMENT: &[u8] = b"501 This command takes no argument.\r\n";
pub(super) const ARGUMENT_MISSING: &[u8] = b"501 This command needs an argument.\r\n";
pub(super) const BAD_USER_NAME: &[u8] =
    b"501 A user name has 256 octets at most and no control characters.\r\n";
pub(super) const BAD_TYPE: &[u8] = b"501 TYPE L needs a byte size.\r\n";
pub(super) const UNSUPPORTED_TYPE: &[u8] = b"504 Only TYPE A, I and L 8 are offered here.\r\n";
pub(super) const STRUCTURE_SET: &[u8] = b"200 Structure set to F.\r\n";
pub(super) const UNSUPPORTED_STRUCTURE: &[u8] = b"504 Only STRU F is offered here.\r\n";
pub(super) const MODE_SET: &[u8] = b"200 Mode set to S.\r\n";
pub(super) const UNSUPPORTED_MODE: &[u8] = b"504 Only MODE S is offered here.\r\n";
pub(super) const UTF8_ON: &[u8] = b"200 UTF8 set to on\r\n";
pub(super) const UTF8_STAYS_ON: &[u8] = b"504 Names are UTF-8 here, it cannot be switched off.\r\n";
pub(super) const UNKNOWN_OPTION: &[u8] = b"501 Option not understood.\r\n";
pub(super) const UNKNOWN_HASH: &[u8] = b"501 Use SHA-256, SHA-512, SHA-1, MD5 or CRC32.\r\n";
pub(super) const PORT_SYNTAX: &[u8] =
    b"501 Expected h1,h2,h3,h4,p1,p2 with numbers from 0 to 255, port not 0.\r\n";
pub(super) const EPRT_SYNTAX: &[u8] =
    b"501 Expected |1|IPv4 address|port| or |2|IPv6 address|port|.\r\n";
pub(super) const EPSV_SYNTAX: &[u8] = b"501 EPSV takes nothing, 1, 2 or ALL.\r\n";
pub(super) const EPSV_ALL: &[u8] = b"200 EPSV ALL command successful.\r\n";
pub(super) const AFTER_EPSV_ALL: &[u8] = b"503 Only EPSV is allowed after EPSV ALL.\r\n";
pub(super) const UNKNOWN_FAMILY: &[u8] = b"522 Network protocol not supported, use (1,2)\r\n";
pub(super) const BAD_REST: &[u8] = b"501 REST takes a number of octets, 0 or more.\r\n";
pub(super) const RENAME_FIRST: &[u8] = b"503 Send RNFR first.\r\n";
pub(super) const RENAME_READY: &[u8] = b"350 File exists, ready for destination name.\r\n";
pub(super) const UNIQUE_CANNOT_RESTART: &[u8] =
    b"554 A file with a new name cannot be restarted.\r\n";
pub(super) const BAD_ALLO: &[u8] = b"501 ALLO takes octets, optionally R and a record size.\r\n";
pub(super) const TOO_MUCH_ALLO: &[u8] = b"504 No storage is as large as that.\r\n";
pub(super) const SUPERFLUOUS: &[u8] = b"202 ALLO is not necessary here.\r\n";
pub(super) const BAD_TIME: &[u8] =
    b"501 Expected YYYYMMDDHHMMSS, years 1970 to 9999, and a path.\r\n";
pub(super) const BAD_RANGE: &[u8] =
    b"501 Expected a path, a start and an end not before the start.\r\n";
pub(super) const UNKNOWN_SITE: &[u8] = b"500 Unknown SITE command.\r\n";
pub(super) const BAD_CHMOD: &[u8] =
    b"501 Expected SITE CHMOD, an octal mode or such as u+rw,go-w, and a path.\r\n";
pub(super) const BAD_UMASK: &[u8] = b"501 Expected SITE UMASK and an octal mask from 0 to 777.\r\n";
pub(super) const BAD_IDLE: &[u8] = b"501 Expected SITE IDLE and a number of seconds.\r\n";
pub(super) const BAD_UTIME: &[u8] =
    b"501 Expected SITE UTIME YYYYMMDDhhmm[ss] path, or path and three times and UTC.\r\n";
pub(super) const UNKNOWN_HELP: &[u8] = b"504 No help for that, it is not offered here.\r\n";
pub(super) const START_TLS: &[u8] = b"234 Proceed with TLS negotiation.\r\n";
pub(super) const UNDER_TLS_ALREADY: &[u8] = b"503 This connection is under TLS already.\r\n";
pub(super) const NOT_AFTER_CCC: &[u8] = b"503 Not after CCC, send REIN first.\r\n";
pub(super) const UNKNOWN_MECHANISM: &[u8] = b"504 Only AUTH TLS is offered here.\r\n";
pub(super) const NO_CERTIFICATE: &[u8] = b"431 This server has no certificate for TLS.\r\n";
pub(super) const AUTH_FIRST: &[u8] = b"503 Send AUTH TLS first.\r\n";
pub(super) const PROTECTION_BUFFER: &[u8] = b"200 PBSZ=0\r\n";
pub(super) const BAD_BUFFER_SIZE: &[u8] = b"501 PBSZ takes a number from 0 to 4294967295.\r\n";
pub(super) const BUFFER_SIZE_FIRST: &[u8] = b"503 Send PBSZ 0 first.\r\n";
pub(super) const PROTECTION_CLEAR: &[u8] = b"200 Protection set to Clear.\r\n";
pub(super) const PROTECTION_PRIVATE: &[u8] = b"200 Protection set to Private.\r\n";
pub(super) const NO_CLEAR_DATA: &[u8] =
    b"534 Policy requires TLS on data connections, use PROT P.\r\n";
pub(super) const LEVEL_WITHOUT_MEANING: &[u8] =
    b"536 PROT S and E do not exist under TLS, use PROT P.\r\n";
pub(super) const UNKNOWN_LEVEL: &[u8] = b"504 PROT takes C or P.\r\n";
pub(super) const COMMAND_CHANNEL_CLEARED: &[u8] = b"200 Control connection continues in clear.\r\n";
pub(super) const NOTHING_TO_CLEAR: &[u8] = b"533 The control connection is in clear.\r\n";
pub(super) const NO_CCC: &[u8] = b"534 Policy does not allow CCC.\r\n";
pub(super) const TLS_REQUIRED: &[u8] = b"534 Policy requires TLS.\r\n";
pub(super) const NO_SECRETS_AFTER_CCC: &[u8] =
    b"534 Policy requires TLS, send REIN and AUTH TLS.\r\n";
pub(super) const PRIVATE_DATA_ONLY: &[u8] =
    b"521 Data connections must be under TLS here, send PBSZ 0 and PROT P.\r\n";
pub(super) const INJECTED_AFTER_AUTH: &[u8] = b"421 Plaintext received after AUTH; closing.\r\n";
pub(super) const SENT_AFTER_CCC: &[u8] = b"421 Input received after CCC; closing.\r\n";
pub(super) const SENT_AFTER_REIN: &[u8] = b"421 Input received after REIN; closing.\r\n";
pub(super) const TRANSFER_ABORTED: &[u8] = b"426 Transfer aborted.\r\n";
pub(super) const ABORTED: &[u8] = b"226 Abort successful.\r\n";
pub(super) const OUT_OF_STEP: &[u8] = b"451 Local error in processing.\r\n";
pub(super) const WRONG_PROTOCOL: &[u8] = b"421 This is an FTP server, closing.\r\n";
pub(super) const TOO_MANY_ERRORS: &[u8] = b"421 Too many errors, closing.\r\n";
pub(super) const TOO_MUCH_INPUT: &[u8] = b"421 Too much input sent ahead, closing.\r\n";
pub(super) const TOO_MANY_FAILURES: &[u8] =
    b"421 Login incorrect, too many failures: closing control connection.\r\n";

/// Text from outside, on one line.
fn text(out: &mut Output, text: &[u8]) {
    push_escaped(text.get(..NAME_LIMIT).unwrap_or(text), out);
}

fn line_end(out: &mut Output) {
    out.put(b"\r\n");
}

pub(super) fn greeting(out: &mut Output, words: &str) {
    out.put(b"220 ");
    text(out, words.as_bytes());
    line_end(out);
}

/// 421 and a text that the session gave.
pub(super) fn closing(out: &mut Output, words: &str) {
    out.put(b"421 ");
    text(out, words.as_bytes());
    line_end(out);
}

pub(super) fn idle_timeout(out: &mut Output, seconds: u64) {
    out.put(b"421 Idle timeout (");
    decimal::push(out, seconds);
    out.put(b" seconds): closing control connection.\r\n");
}

pub(super) fn login_timeout(out: &mut Output, seconds: u64) {
    out.put(b"421 Login timeout (");
    decimal::push(out, seconds);
    out.put(b" seconds): closing control connection.\r\n");
}

/// 230, or 232 where the certificate was enough (RFC 2228 5.1).
pub(super) fn logged_in(out: &mut Output, by_certificate: bool, user: &[u8], message: &str) {
    out.put(if by_certificate { b"232 " } else { b"230 " });
    if message.is_empty() {
        out.put(b"User ");
        text(out, user);
        let words: &[u8] = if by_certificate {
            b" logged in, authorized by security data exchange."
        } else {
            b" logged in."
        };
        out.put(words);
    } else {
        text(out, message.as_bytes());
    }
    line_end(out);
}

/// `<code> <VERB> command successful.`
fn successful(out: &mut Output, code: &[u8], verb: &str) {
    out.put(code);
    out.put(verb.as_bytes());
    out.put(b" command successful.\r\n");
}

/// 200: a parameter is set, a side command is done.
pub(super) fn okay(out: &mut Output, verb: Verb) {
    successful(out, b"200 ", verb.name());
}

/// 200 for a SITE subcommand.
pub(super) fn site_okay(out: &mut Output, subcommand: &str) {
    out.put(b"200 SITE ");
    out.put(subcommand.as_bytes());
    out.put(b" command successful.\r\n");
}

/// 250: a file action is done.
pub(super) fn file_action_done(out: &mut Output, verb: Verb) {
    successful(out, b"250 ", verb.name());
}

pub(super) fn current_directory(out: &mut Output, path: &[u8]) {
    out.put(b"257 ");
    push_quoted(path, out);
    out.put(b" is the current directory.\r\n");
}

pub(super) fn directory_made(out: &mut Output, path: &[u8]) {
    out.put(b"257 ");
    push_quoted(path, out);
    out.put(b" created.\r\n");
}

pub(super) fn type_set(out: &mut Output, name: &str) {
    out.put(b"200 Type set to ");
    out.put(name.as_bytes());
    out.put(b".\r\n");
}

pub(super) fn facts_set(out: &mut Output, facts: FactSet) {
    out.put(b"200 MLST OPTS");
    let mut list = Vec::new();
    facts.encode(&mut list);
    if !list.is_empty() {
        out.put(b" ");
        out.put(&list);
    }
    line_end(out);
}

pub(super) fn hash_selected(out: &mut Output, algorithm: HashAlgorithm) {
    out.put(b"200 ");
    out.put(algorithm.name().as_bytes());
    line_end(out);
}

pub(super) fn restart(out: &mut Output, offset: u64) {
    out.put(b"350 Restarting at ");
    decimal::push(out, offset);
    out.put(b". Send STORE or RETRIEVE to initiate transfer.\r\n");
}

pub(super) fn passive(out: &mut Output, address: SocketAddrV4) {
    out.put(b"227 Entering Passive Mode (");
    host_port::encode_port(address, out);
    out.put(b").\r\n");
}

pub(super) fn extended_passive(out: &mut Output, address: SocketAddr) {
    out.put(b"229 Entering Extended Passive Mode (");
    host_port::encode_extended_port(address.port(), out);
    out.put(b")\r\n");
}

pub(super) fn number(out: &mut Output, number: u64) {
    out.put(b"213 ");
    decimal::push(out, number);
    line_end(out);
}

pub(super) fn time(out: &mut Output, time: FtpTime) {
    out.put(b"213 ");
    out.put(&time.digits());
    line_end(out);
}

pub(super) fn time_set(out: &mut Output, time: FtpTime, path: &[u8]) {
    out.put(b"213 Modify=");
    out.put(&time.digits());
    out.put(b"; ");
    push_escaped(path, out);
    line_end(out);
}

/// HASH: the range inclusive, as the draft has it.
pub(super) fn hash(
    out: &mut Output,
    algorithm: HashAlgorithm,
    hex: &str,
    range: (u64, u64),
    path: &[u8],
) {
    let (start, end) = range;
    out.put(b"213 ");
    out.put(algorithm.name().as_bytes());
    out.put(b" ");
    decimal::push(out, start);
    out.put(b"-");
    decimal::push(out, end.saturating_sub(1).max(start));
    out.put(b" ");
    out.put(hex.as_bytes());
    out.put(b" ");
    push_escaped(path, out);
    line_end(out);
}

/// XCRC and its like: the digest alone, upper case.
pub(super) fn bare_hash(out: &mut Output, hex: &str) {
    out.put(b"250 ");
    out.put(hex.to_ascii_uppercase().as_bytes());
    line_end(out);
}

pub(super) fn umask(out: &mut Output, mask: u64, set: bool) {
    out.put(if set {
        b"200 UMASK set to "
    } else {
        b"200 Current UMASK is "
    });
    for shift in [6, 3, 0] {
        out.put(&[b'0' + u8::try_from(mask >> shift & 7).unwrap_or(0)]);
    }
    out.put(b".\r\n");
}

pub(super) fn idle_limit(out: &mut Output, seconds: u64, set: bool) {
    out.put(if set {
        b"200 Idle time set to "
    } else {
        b"200 Idle time is "
    });
    decimal::push(out, seconds);
    out.put(b" seconds.\r\n");
}

/// MLST: exactly one space in front of the facts (RFC 3659 7.2).
pub(super) fn facts(out: &mut Output, name: &[u8], facts: &[u8], path: &[u8]) {
    out.put(b"250-Listing ");
    text(out, name);
    out.put(b"\r\n ");
    push_escaped(facts, out);
    out.put(b" ");
    push_escaped(path, out);
    out.put(b"\r\n250 End\r\n");
}

/// STAT with a path: each line behind a space, so that none can look like the end (RPL-21).
pub(super) fn status_listing(
    out: &mut Output,
    lines: &[Vec<u8>],
    directory: bool,
    truncated: bool,
) {
    let code: &[u8] = if directory { b"212" } else { b"213" };
    out.put(code);
    out.put(b"-Status follows:\r\n");
    for line in lines.iter().take(super::STAT_LIST_LINES) {
        out.put(b" ");
        push_escaped(line, out);
        line_end(out);
    }
    if truncated || lines.len() > super::STAT_LIST_LINES {
        out.put(b" ... truncated\r\n");
    }
    out.put(code);
    out.put(b" End of status.\r\n");
}

/// STAT without a path.
pub(super) fn status(
    out: &mut Output,
    status: &Status,
    representation: Representation,
    protection: Option<Protection>,
) {
    out.put(b"211-Status of the server:\r\n");
    if !status.peer.is_empty() {
        out.put(b" Connected from ");
        text(out, status.peer.as_bytes());
        line_end(out);
    }
    if status.user.is_empty() {
        out.put(b" Not logged in\r\n");
    } else {
        out.put(b" Logged in as ");
        text(out, status.user.as_bytes());
        line_end(out);
    }
    out.put(match representation {
        Representation::Ascii => b" TYPE: ASCII, STRU: File, MODE: Stream\r\n",
        Representation::Image => b" TYPE: Image, STRU: File, MODE: Stream\r\n",
    });
    if let Some(protection) = protection {
        out.put(b" PROT: ");
        out.put(protection.letter().as_bytes());
        line_end(out);
    }
    if let Some((octets, seconds)) = status.transfer {
        out.put(b" Transfer running: ");
        decimal::push(out, octets);
        out.put(b" octets in ");
        decimal::push(out, seconds);
        out.put(b" seconds\r\n");
    }
    for line in &status.lines {
        out.put(b" ");
        text(out, line.as_bytes());
        line_end(out);
    }
    out.put(b"211 End of status.\r\n");
}

/// How a transfer's first reply is worded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) verb: Verb,
    pub(super) representation: Representation,
    /// 125 instead of 150.
    pub(super) already_open: bool,
}

/// 150 (or 125).
pub(super) fn started(out: &mut Output, opening: Opening, name: &[u8], size: Option<u64>) {
    out.put(if opening.already_open {
        b"125 "
    } else {
        b"150 "
    });
    let binary = opening.verb == Verb::Mlsd || opening.representation == Representation::Image;
    let mode: &[u8] = if binary { b"BINARY" } else { b"ASCII" };
    match opening.verb {
        // RFC 1123 4.1.2.9.
        Verb::Stou => {
            out.put(b"FILE: ");
            push_escaped(name, out);
        }
        Verb::List | Verb::Nlst | Verb::Mlsd => {
            out.put(b"Opening ");
            out.put(if opening.verb == Verb::Mlsd {
                b"BINARY"
            } else {
                b"ASCII"
            });
            out.put(b" mode data connection for file list.");
        }
        _ => {
            out.put(b"Opening ");
            out.put(mode);
            out.put(b" mode data connection for ");
            text(out, name);
            if let Some(size) = size {
                out.put(b" (");
                decimal::push(out, size);
                out.put(b" bytes)");
            }
            out.put(b".");
        }
    }
    line_end(out);
}

/// 226. `name` is the one that STOU chose, else empty.
pub(super) fn complete(out: &mut Output, note: &str, name: &[u8]) {
    out.put(b"226 Transfer complete");
    if !note.is_empty() {
        out.put(b" (");
        text(out, note.as_bytes());
        out.put(b")");
    }
    out.put(b".");
    if !name.is_empty() {
        out.put(b" FILE: ");
        push_escaped(name, out);
    }
    line_end(out);
}
