//! What the client machine tells its driver.

use std::fmt;

use crate::ftp::reply::Reply;

/// Names a request in events; never reused within a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

impl Ticket {
    pub(super) const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// 120: the greeting comes later.
    Delayed(Reply),
    /// The server is ready; requests are being sent.
    Greeting(Reply),
    /// A line was queued for sending; passwords are masked. For a trace only.
    Sent(Vec<u8>),
    /// A 1yz: the data connection is opened or used now.
    Preliminary {
        /// The request.
        ticket: Ticket,
        /// 110, 125, 150 and others.
        reply: Reply,
    },
    /// A reply in the middle of a request of several lines; the next line is on its way.
    Intermediate {
        /// The request.
        ticket: Ticket,
        /// 331, 350.
        reply: Reply,
    },
    /// The final reply.
    Finished {
        /// The request.
        ticket: Ticket,
        /// The verb that was answered: in a request of several lines, the one that ended it.
        verb: &'static str,
        /// 2yz to 5yz.
        reply: Reply,
    },
    /// AUTH was answered 234, and nothing stood behind it: shake hands, then call
    /// [`super::Client::tls_started`]. Nothing is sent before that.
    StartTls,
    /// CCC was answered 200: exchange close_notify, then call [`super::Client::tls_ended`]. Nothing is
    /// sent before that.
    EndTls,
    /// The abort is over and the session can be used again. A transfer that had no `Finished` by now
    /// gets none.
    Resynchronised,
    /// A reply that answers nothing.
    Unasked(Reply),
    /// The session is over: 421 (RPL-56), a refusing greeting, an end of the connection, or nonsense.
    Lost {
        /// What the server said, if anything.
        reply: Option<Reply>,
        /// Requests without a final reply.
        pending: Vec<Pending>,
    },
}

/// A request that the end of the session cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The request.
    pub ticket: Ticket,
    /// Whether saying it again on a new session does no harm.
    pub repeatable: bool,
}

/// Bytes to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// What to send.
    pub bytes: Vec<u8>,
    /// Send these in one call, the last of them as TCP urgent data (Telnet Synch).
    pub urgent: bool,
}

impl Transmit {
    pub(super) const fn plain(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            urgent: false,
        }
    }

    pub(super) const fn urgent(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            urgent: true,
        }
    }
}

/// Another protocol that answers where FTP was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// `SSH-`.
    Ssh,
    /// `HTTP/`.
    Http,
    /// A TLS record.
    Tls,
}

impl Foreign {
    /// Octets that are looked at.
    pub(super) const LOOK: usize = 8;

    pub(super) fn detect(opening: &[u8]) -> Option<Self> {
        match opening {
            [b'S', b'S', b'H', b'-', ..] => Some(Self::Ssh),
            [b'H', b'T', b'T', b'P', b'/', ..] => Some(Self::Http),
            // Alert or handshake, version 3.x.
            [0x15 | 0x16, 3, ..] => Some(Self::Tls),
            _ => None,
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ssh => "an SSH server",
            Self::Http => "a web server or captive portal",
            Self::Tls => "a TLS server",
        })
    }
}
