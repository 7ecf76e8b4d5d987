//! What a session may differ in: plain values, checked where the configuration is read.
//!
//! One copy is shared by all sessions behind an `Arc`.

use std::time::Duration;

use crate::ftp::verb::VerbSet;

/// The settings of the server machine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Text of the 220, one line, without the code (INT-51: short, no version).
    pub greeting: String,
    /// Longest command line in octets, without its end.
    pub line_limit: usize,
    /// How long a control connection may say nothing while nothing runs.
    pub idle_timeout: Duration,
    /// How long a login may take, from the start of the connection.
    pub login_timeout: Duration,
    /// Failed logins until the connection is closed.
    pub max_login_failures: u32,
    /// Commands that may wait for their turn; beyond it reading stops.
    pub max_pipelined: usize,
    /// Octets that may be held unread while the queue of commands is full. A caller that minds
    /// [`super::Server::wants_input`] and gives at most this many octets per call loses none.
    pub max_unread: usize,
    /// Unknown verbs and malformed lines until the connection is closed.
    pub max_unknown: u32,
    /// A bare LF does not end a line (RFC 2640).
    pub strict_crlf: bool,
    /// Code for MKD on something that exists: 550, or 521 as RFC 959's appendix II has it.
    pub mkd_exists_code: u16,
    /// Verbs that answer 502 and are missing in FEAT and HELP.
    pub disabled: VerbSet,
    /// USER `anonymous` and `ftp` get the anonymous 331.
    pub anonymous: bool,
    /// Give [`super::Action::CommandSeen`] for every command.
    pub command_events: bool,
    /// Begin transfers with 125 instead of 150.
    pub transfer_already_open_reply: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            greeting: "Wharf ready.".to_owned(),
            line_limit: 8192,
            idle_timeout: Duration::from_secs(900),
            login_timeout: Duration::from_secs(60),
            max_login_failures: 3,
            max_pipelined: 64,
            max_unread: 16 * 1024,
            max_unknown: 100,
            strict_crlf: false,
            mkd_exists_code: 550,
            disabled: VerbSet::EMPTY,
            anonymous: false,
            command_events: false,
            transfer_already_open_reply: false,
        }
    }
}
