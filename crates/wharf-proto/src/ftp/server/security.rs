//! AUTH PBSZ PROT CCC, and the border between clear and TLS (RFC 2228, RFC 4217).
//!
//! The reply that the border lies behind is held back until all before it is written and nothing has
//! come in behind its command; so whatever was sent ahead across the border is found, however it was
//! cut, and ends the session without being executed (CVE-2011-1575, RPL-33, RPL-35). Nothing here
//! knows TLS: [`Action::StartTls`] and [`Action::EndTls`] ask for it, [`Server::tls_started`] and
//! [`Server::tls_ended`] tell that it is done.

use std::{sync::Arc, time::Instant};

use super::{
    Action, CloseReason, Login, Server, Settings, TlsRules, texts,
    work::{Question, Sequence, Work},
};
use crate::ftp::{
    Mechanism, Protection, decimal,
    line::LineReader,
    verb::{Legal, Verb},
};

/// What carries the control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// No TLS.
    Clear,
    /// TLS.
    Secure {
        /// The peer showed a verified certificate.
        certificate: bool,
    },
    /// No TLS any more, by CCC.
    Cleared,
    /// Between one and another.
    Switching {
        switch: Switch,
        /// Its reply was given out; no reply can follow it on the old side.
        told: bool,
    },
}

/// A change of the channel, by what asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    /// AUTH.
    Start(Mechanism),
    /// CCC.
    Clear,
    /// REIN.
    Reinitialize,
}

impl Switch {
    fn reply(self) -> &'static [u8] {
        match self {
            Self::Start(_) => texts::START_TLS,
            Self::Clear => texts::COMMAND_CHANNEL_CLEARED,
            Self::Reinitialize => texts::REINITIALIZED,
        }
    }

    fn injected(self) -> &'static [u8] {
        match self {
            Self::Start(_) => texts::INJECTED_AFTER_AUTH,
            Self::Clear => texts::SENT_AFTER_CCC,
            Self::Reinitialize => texts::SENT_AFTER_REIN,
        }
    }
}

impl Server {
    /// A session that is under TLS from its first octet (port 990): PBSZ 0 is implied, PROT begins as
    /// the settings say, AUTH is 503, REIN keeps TLS. [`Self::greet`] it behind the handshake; if the
    /// peer showed a verified certificate, tell it with [`Self::tls_started`] before that.
    pub fn implicit(settings: Arc<Settings>, now: Instant) -> Self {
        let mut server = Self::new(settings, now);
        server.implicit = true;
        server.channel = Channel::Secure { certificate: false };
        server.forget_protection();
        server
    }

    /// The handshake that [`Action::StartTls`] asked for is done; `certificate`: the peer showed one,
    /// and it was verified. Everything said in the clear is forgotten (RPL-37). Without that action
    /// nothing happens, but for an implicit session before its greeting.
    pub fn tls_started(&mut self, now: Instant, certificate: bool) {
        let protection = match self.channel {
            _ if self.is_closing() => return,
            Channel::Switching {
                switch: Switch::Start(mechanism),
                told: true,
            } => mechanism.protection(),
            Channel::Secure { .. } if self.is_silent() => self.protection,
            _ => return,
        };
        self.quiet_since = now;
        self.channel = Channel::Secure { certificate };
        self.protection = protection;
        self.proceed();
    }

    /// TLS has ended as [`Action::EndTls`] asked; what comes now is in the clear. Without that action
    /// nothing happens.
    pub fn tls_ended(&mut self, now: Instant) {
        let Channel::Switching { switch, told: true } = self.channel else {
            return;
        };
        let channel = match switch {
            _ if self.is_closing() => return,
            Switch::Start(_) => return,
            Switch::Clear => Channel::Cleared,
            Switch::Reinitialize => Channel::Clear,
        };
        self.quiet_since = now;
        self.channel = channel;
        self.proceed();
    }

    /// Whether replies go out under TLS.
    pub fn is_secure(&self) -> bool {
        match self.channel {
            Channel::Secure { .. } => true,
            Channel::Clear | Channel::Cleared => false,
            Channel::Switching { switch, .. } => !matches!(switch, Switch::Start(_)),
        }
    }

    /// The protection of the next data connection.
    pub fn protection(&self) -> Protection {
        self.protection
    }

    /// The rules of the account that logs in, where they differ from the settings: to be set before
    /// its `LoggedIn`. They end with the login. `offered` and `implicit_protection` have no meaning
    /// here.
    pub fn set_tls_rules(&mut self, rules: TlsRules) {
        self.tls_rules = rules;
    }

    pub(super) fn is_switching(&self) -> bool {
        matches!(self.channel, Channel::Switching { .. })
    }

    /// Whether the reply was given out behind which no other one can be read.
    pub(super) fn is_past_the_border(&self) -> bool {
        matches!(self.channel, Channel::Switching { told: true, .. })
    }

    pub(super) fn shows_certificate(&self) -> bool {
        matches!(self.channel, Channel::Secure { certificate: true })
    }

    /// PROT for STAT; `None` where it has no meaning.
    pub(super) fn protection_shown(&self) -> Option<Protection> {
        (self.channel != Channel::Clear).then_some(self.protection)
    }

    /// Whether what comes now may stand behind the border that a waiting command is to draw: then it
    /// is not cut into lines before that command is done.
    pub(super) fn is_before_border(&self) -> bool {
        match (&self.work, self.channel) {
            (Work::Asking(Question::StartTls(_)), _) => true,
            (Work::Asking(Question::Reinitialize), Channel::Secure { .. }) => !self.implicit,
            (_, Channel::Clear) => {
                let last = self
                    .backlog
                    .as_ref()
                    .and_then(|backlog| backlog.entries.back());
                self.settings.tls.offered && last.is_some_and(|entry| entry.is(Verb::Auth))
            }
            _ => false,
        }
    }

    /// What a verb may not do in the clear (TLS-20, TLS-43).
    pub(super) fn refuse_in_the_clear(&self, verb: Verb, argument: &[u8]) -> Option<&'static [u8]> {
        let tells_secret = matches!(verb, Verb::User | Verb::Pass | Verb::Acct)
            || (verb == Verb::Site && super::site::is_secret(argument));
        let needs_login = verb.row().legal != Legal::Always;
        match self.channel {
            Channel::Clear if self.tls_rules.require.login() && (tells_secret || needs_login) => {
                Some(texts::TLS_REQUIRED)
            }
            Channel::Cleared if tells_secret => Some(texts::NO_SECRETS_AFTER_CCC),
            _ => None,
        }
    }

    /// AUTH.
    pub(super) fn auth(&mut self, argument: &[u8]) {
        match self.channel {
            Channel::Clear => {}
            Channel::Cleared => return self.say(texts::NOT_AFTER_CCC),
            _ => return self.say(texts::UNDER_TLS_ALREADY),
        }
        let Some(mechanism) = Mechanism::find(argument.trim_ascii()) else {
            return self.say(texts::UNKNOWN_MECHANISM);
        };
        if !self.settings.tls.offered {
            return self.say(texts::NO_CERTIFICATE);
        }
        if self.is_logged_in() {
            self.forget_login();
            self.ask(Action::Logout, Question::StartTls(mechanism));
        } else {
            self.start_tls(mechanism);
        }
    }

    pub(super) fn start_tls(&mut self, mechanism: Mechanism) {
        self.forget_login();
        self.forget_parameters();
        self.switch(Switch::Start(mechanism));
    }

    /// PBSZ: under TLS the only size is 0, whatever is asked for (RFC 4217 8).
    pub(super) fn protection_buffer(&mut self, argument: &[u8]) {
        if let Some(refusal) = self.refuse_protection() {
            return self.say(refusal);
        }
        match decimal::parse(argument.trim_ascii()) {
            Some(size) if u32::try_from(size).is_ok() => {
                self.buffer_agreed = true;
                self.say(texts::PROTECTION_BUFFER);
            }
            _ => self.say(texts::BAD_BUFFER_SIZE),
        }
    }

    /// PROT.
    pub(super) fn protect(&mut self, argument: &[u8]) {
        if let Some(refusal) = self.refuse_protection() {
            return self.say(refusal);
        }
        if !self.buffer_agreed {
            return self.say(texts::BUFFER_SIZE_FIRST);
        }
        let strict = self.tls_rules.require == super::RequireTls::Both;
        let reply = match argument.trim_ascii() {
            b"C" | b"c" if strict => texts::NO_CLEAR_DATA,
            b"C" | b"c" => {
                self.protection = Protection::Clear;
                texts::PROTECTION_CLEAR
            }
            b"P" | b"p" => {
                self.protection = Protection::Private;
                texts::PROTECTION_PRIVATE
            }
            b"S" | b"s" | b"E" | b"e" => texts::LEVEL_WITHOUT_MEANING,
            _ => texts::UNKNOWN_LEVEL,
        };
        self.say(reply);
    }

    fn refuse_protection(&self) -> Option<&'static [u8]> {
        match self.channel {
            Channel::Secure { .. } => None,
            Channel::Cleared => Some(texts::NOT_AFTER_CCC),
            _ => Some(texts::AUTH_FIRST),
        }
    }

    /// CCC.
    pub(super) fn clear_command_channel(&mut self) {
        let Login::LoggedIn { user } = &self.login else {
            return self.say(if self.is_secure() {
                texts::NO_CCC
            } else {
                texts::NOTHING_TO_CLEAR
            });
        };
        if !self.is_secure() {
            self.say(texts::NOTHING_TO_CLEAR);
        } else if !self.tls_rules.allow_ccc() || self.is_anonymous(user) {
            self.say(texts::NO_CCC);
        } else {
            self.switch(Switch::Clear);
        }
    }

    /// REIN has forgotten the session: what becomes of TLS (TLS-44).
    pub(super) fn reinitialized(&mut self) {
        match self.channel {
            Channel::Secure { .. } if !self.implicit => return self.switch(Switch::Reinitialize),
            Channel::Cleared if !self.implicit => self.channel = Channel::Clear,
            _ => {}
        }
        self.say(texts::REINITIALIZED);
    }

    /// PBSZ and PROT as at the start.
    pub(super) fn forget_protection(&mut self) {
        self.buffer_agreed = self.implicit;
        self.protection = if self.implicit {
            self.settings.tls.implicit_protection
        } else {
            Protection::Clear
        };
    }

    fn switch(&mut self, switch: Switch) {
        self.sequence = Sequence::Free;
        self.channel = Channel::Switching {
            switch,
            told: false,
        };
        if self.waiting() > 0 || self.unread_len() > 0 || !self.reader.is_between_lines() {
            self.refuse_injection();
        }
    }

    /// Something stands behind the command that the channel changes with: nobody knows which side it
    /// came from.
    pub(super) fn refuse_injection(&mut self) {
        if let Channel::Switching { switch, .. } = self.channel {
            self.say(switch.injected());
            self.close(CloseReason::Injection);
        }
    }

    /// Gives the reply out that the border lies behind, in a write of its own and only when nothing
    /// else is left to write.
    pub(super) fn tell_switch(&mut self) {
        let Channel::Switching {
            switch,
            told: false,
        } = self.channel
        else {
            return;
        };
        if self.is_closing() || self.output.len() > 0 {
            return;
        }
        self.say(switch.reply());
        self.channel = Channel::Switching { switch, told: true };
        self.reader = LineReader::new();
        self.emit(match switch {
            Switch::Start(_) => Action::StartTls,
            Switch::Clear | Switch::Reinitialize => Action::EndTls,
        });
    }

    /// The peer has closed its side where the channel was to change: its reply is the last one.
    pub(super) fn end_in_switch(&mut self) {
        if let Channel::Switching { switch, .. } = self.channel {
            self.say(switch.reply());
            self.close(CloseReason::Quit);
        }
    }
}
