//! What a session may differ in: plain values, checked where the configuration is read.
//!
//! One copy is shared by all sessions behind an `Arc`.

use std::time::Duration;

use crate::ftp::{
    Protection,
    verb::{Verb, VerbSet},
};

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
    /// What may and must go over TLS.
    pub tls: TlsRules,
}

/// What may and must go over TLS on a control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsRules {
    /// There is a certificate: AUTH is answered 234, and FEAT and HELP show it.
    pub offered: bool,
    /// What is refused in the clear.
    pub require: RequireTls,
    /// PROT at the start of an implicit session (TLS-30).
    pub implicit_protection: Protection,
    /// CCC is allowed after the login, as far as `require` lets it be.
    pub ccc: bool,
}

impl Default for TlsRules {
    fn default() -> Self {
        Self {
            offered: false,
            require: RequireTls::No,
            implicit_protection: Protection::Private,
            ccc: false,
        }
    }
}

impl TlsRules {
    /// Whether CCC can be allowed at all (TLS-40).
    pub(super) const fn allow_ccc(self) -> bool {
        self.ccc && !self.require.login()
    }
}

/// What is refused in the clear (TLS-20..22).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequireTls {
    /// Nothing.
    #[default]
    No,
    /// Logging in, and all that needs a login.
    Login,
    /// Transfers and listings without PROT P.
    Data,
    /// Both.
    Both,
}

impl RequireTls {
    /// Whether a login needs TLS.
    pub const fn login(self) -> bool {
        matches!(self, Self::Login | Self::Both)
    }

    /// Whether data connections need TLS.
    pub const fn data(self) -> bool {
        matches!(self, Self::Data | Self::Both)
    }
}

impl Settings {
    /// Verbs that are missing in FEAT and HELP.
    pub(super) fn hidden(&self) -> VerbSet {
        const TLS: VerbSet = VerbSet::EMPTY
            .with(Verb::Auth)
            .with(Verb::Pbsz)
            .with(Verb::Prot)
            .with(Verb::Ccc);
        if !self.tls.offered {
            self.disabled.union(TLS)
        } else if !self.tls.allow_ccc() {
            self.disabled.with(Verb::Ccc)
        } else {
            self.disabled
        }
    }
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
            tls: TlsRules::default(),
        }
    }
}
