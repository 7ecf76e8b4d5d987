//! What can go wrong, told so that a person and a script can both act on it.

use std::fmt;

use wharf_proto::ftp::reply::{Class, Reply};

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How far things had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Looking up the host's name.
    Resolve,
    /// Opening the control connection.
    Connect,
    /// Waiting for the server's first words.
    Greeting,
    /// TLS: the handshake, the server's certificate, protection of data.
    Tls,
    /// SSH: the key exchange and the server's host key.
    Ssh,
    /// USER and PASS, or SSH's authentication.
    Login,
    /// A command on the control connection.
    Command,
    /// Opening the data connection.
    Data,
    /// Reading a listing.
    Listing,
    /// Moving the bytes of a file.
    Transfer,
    /// Comparing what arrived with what was sent.
    Verify,
    /// Files on this machine.
    Local,
}

impl Step {
    /// A stable word for machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Tls => "tls",
            Self::Ssh => "ssh",
            Self::Login => "login",
            Self::Command => "command",
            Self::Data => "data",
            Self::Listing => "listing",
            Self::Transfer => "transfer",
            Self::Verify => "verify",
            Self::Local => "local",
        }
    }
}

/// What kind of failure; each is one exit code of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// What was asked for makes no sense.
    Usage,
    /// The host's name leads nowhere.
    Name,
    /// The host answered that nothing listens.
    Refused,
    /// No answer in time: filtered, down, or too slow.
    TimedOut,
    /// The peer does not speak its protocol as it should, or ended the session.
    Protocol,
    /// The server takes no more connections now.
    Busy,
    /// There is no TLS connection, or no protection that was asked for.
    Tls,
    /// The server's certificate is not accepted, or it does not accept ours.
    Certificate,
    /// The server's host key is not accepted.
    HostKey,
    /// The login was refused.
    Authentication,
    /// The remote object does not exist, or this user may not know that it does.
    NotFound,
    /// The server refuses this to this user.
    Permission,
    /// The server refuses for another reason: full, quota, bad name, in use.
    Rejected,
    /// The data connection cannot be opened or broke.
    Data,
    /// Fewer bytes arrived than were there.
    Partial,
    /// The copy differs from the original.
    Differs,
    /// A file on this machine cannot be read or written.
    Local,
    /// Some of many failed; each was told on its own.
    SomeFailed,
}

impl Kind {
    /// A stable word for machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Name => "name",
            Self::Refused => "refused",
            Self::TimedOut => "timed-out",
            Self::Protocol => "protocol",
            Self::Busy => "busy",
            Self::Tls => "tls",
            Self::Certificate => "certificate",
            Self::HostKey => "host-key",
            Self::Authentication => "authentication",
            Self::NotFound => "not-found",
            Self::Permission => "permission",
            Self::Rejected => "rejected",
            Self::Data => "data",
            Self::Partial => "partial",
            Self::Differs => "differs",
            Self::Local => "local",
            Self::SomeFailed => "some-failed",
        }
    }
}

/// A failure.
#[derive(Debug)]
pub struct Error(Box<Body>);

#[derive(Debug)]
struct Body {
    step: Step,
    kind: Kind,
    message: String,
    code: Option<u16>,
    cause: Option<&'static str>,
    hints: Vec<String>,
    retryable: bool,
    retry_from_zero: bool,
    retry_at_once: bool,
}

impl Error {
    /// A failure that trying again does not mend.
    pub(crate) fn new(step: Step, kind: Kind, message: impl Into<String>) -> Self {
        // Names of a server may be in it: C1 controls pass as letters of UTF-8.
        let mut message = message.into();
        if message.chars().any(char::is_control) {
            message = message.replace(char::is_control, "?");
        }
        Self(Box::new(Body {
            step,
            kind,
            message,
            code: None,
            cause: None,
            hints: Vec::new(),
            retryable: false,
            retry_from_zero: false,
            retry_at_once: false,
        }))
    }

    /// A refusal by the server, in its own words.
    pub(crate) fn refused(step: Step, verb: &str, what: &str, reply: &Reply) -> Self {
        let kind = kind_of(step, reply);
        let mut error = Self::new(
            step,
            kind,
            format!("{what}: {verb} was answered {}", shown(reply)),
        );
        error.0.code = Some(reply.code.value());
        error.0.retryable = kind == Kind::Busy
            || (reply.code.class() == Class::TransientNegative && kind != Kind::Rejected);
        error
    }

    pub(crate) fn local(what: &str, error: &std::io::Error) -> Self {
        Self::new(Step::Local, Kind::Local, format!("{what}: {error}"))
    }

    pub(crate) fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// The bytes at hand are worthless: try again from the start.
    pub(crate) fn starting_over(mut self) -> Self {
        self.0.retryable = true;
        self.0.retry_from_zero = true;
        self
    }

    /// What was wrong is mended already: try again, which counts as the same attempt. Must be given a
    /// bounded number of times only.
    pub(crate) fn at_once(mut self) -> Self {
        self.0.retryable = true;
        self.0.retry_at_once = true;
        self
    }

    /// It is the data connection that failed, whatever the reply's code.
    pub(crate) fn of_data(mut self) -> Self {
        self.0.kind = Kind::Data;
        self.0.retryable = false;
        self
    }

    /// The kind is known better than a reply's code tells.
    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self.0.retryable = false;
        self
    }

    pub(crate) fn with_code(mut self, reply: &Reply) -> Self {
        self.0.code = Some(reply.code.value());
        self
    }

    /// The code of an SFTP status, or of TFTP's ERROR.
    pub(crate) fn with_status(mut self, code: u16) -> Self {
        self.0.code = Some(code);
        self
    }

    /// Names the cause (a row of the decision tree) and how to mend it.
    pub(crate) fn because<H: Into<String>>(
        mut self,
        cause: &'static str,
        hints: impl IntoIterator<Item = H>,
    ) -> Self {
        self.0.cause = Some(cause);
        self.0.hints.extend(hints.into_iter().map(Into::into));
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    pub(crate) const fn is_mended(&self) -> bool {
        self.0.retry_at_once
    }

    pub(crate) const fn starts_over(&self) -> bool {
        self.0.retry_from_zero
    }

    /// How far things had come.
    #[must_use]
    pub const fn step(&self) -> Step {
        self.0.step
    }

    /// What kind of failure.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The server's reply code (FTP), status code (SFTP) or error code (TFTP), where such a reply was the cause.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        self.0.code
    }

    /// The row of the decision tree, such as `D42`.
    #[must_use]
    pub const fn cause(&self) -> Option<&'static str> {
        self.0.cause
    }

    /// How to mend it; most promising first.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// Whether the same may work later without anybody changing anything.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.0.retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

/// A reply as it may be shown: its code and its text without control bytes, not endless.
pub(crate) fn shown(reply: &Reply) -> String {
    const LONGEST: usize = 300;
    let text = String::from_utf8_lossy(&reply.lines.join(&b' ')).into_owned();
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(LONGEST)
        .collect();
    format!("\"{} {}\"", reply.code.value(), clean.trim())
}

/// What a refusal means. 550 means a dozen things; its text is the only clue (interop-quirks 5).
fn kind_of(step: Step, reply: &Reply) -> Kind {
    if wharf_proto::ftp::client::answer::is_too_many(reply) && reply.code.value() != 550 {
        return Kind::Busy;
    }
    let text = String::from_utf8_lossy(&reply.lines.join(&b' ')).to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match reply.code.value() {
        530 | 331 | 332 | 430 | 532 if step == Step::Login => Kind::Authentication,
        530 | 532 => Kind::Permission,
        425 | 426 => Kind::Data,
        450 | 550
            if says(&[
                "no such",
                "not found",
                "doesn't exist",
                "does not exist",
                "can't find",
                "cannot find",
                "not exist",
            ]) =>
        {
            Kind::NotFound
        }
        450 | 550 | 501 | 553
            if says(&[
                "denied",
                "permission",
                "not permitted",
                "not allowed",
                "read-only",
                "read only",
                "forbidden",
            ]) =>
        {
            Kind::Permission
        }
        450 | 550
            if says(&[
                "space",
                "quota",
                "exists",
                "not empty",
                "directory",
                "busy",
                "in use",
            ]) =>
        {
            Kind::Rejected
        }
        // vsftpd says "Failed to open file." for both; the missing file is the common case.
        550 => Kind::NotFound,
        451 | 452 | 552 | 553 => Kind::Rejected,
        400..=499 => Kind::Busy,
        _ => Kind::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use wharf_proto::ftp::reply::Code;

    use super::*;

    fn refused(step: Step, code: u16, text: &str) -> Error {
        let code = Code::new(code).unwrap();
        Error::refused(step, "RETR", "cannot read x", &Reply::new(code, text))
    }

    #[test]
    fn text_of_550_tells_missing_from_forbidden() {
        let kind = |text| refused(Step::Transfer, 550, text).kind();
        assert_eq!(kind("x: No such file or directory"), Kind::NotFound);
        assert_eq!(kind("x: Permission denied"), Kind::Permission);
        assert_eq!(kind("Can't create directory: File exists"), Kind::Rejected);
        assert_eq!(kind("Failed to open file."), Kind::NotFound);
    }

    #[test]
    fn wrong_password_is_not_tried_again_but_too_many_is() {
        let wrong = refused(Step::Login, 530, "Login incorrect.");
        assert_eq!(
            (wrong.kind(), wrong.is_retryable()),
            (Kind::Authentication, false)
        );
        let many = refused(Step::Login, 530, "Too many connections from your address");
        assert_eq!((many.kind(), many.is_retryable()), (Kind::Busy, true));
    }

    /// SCP-32, CVE-2019-6109: nor by the name of a file that it sends, whoever puts that into a text.
    #[test]
    fn control_characters_of_a_name_are_not_shown() {
        let path = std::path::Path::new("x\u{9b}2J\u{1b}c");
        let what = format!("cannot write {}", path.display());
        let error = Error::local(&what, &std::io::ErrorKind::PermissionDenied.into());
        assert!(
            error.to_string().starts_with("cannot write x?2J?c: "),
            "{error}"
        );
    }

    /// A server must not write to the terminal of whoever reads its replies.
    #[test]
    fn control_octets_of_a_reply_are_not_shown() {
        let error = refused(Step::Transfer, 550, "\x1b[2Jgone");
        assert!(!error.to_string().contains('\x1b'), "{error}");
    }
}
