//! Where TLS begins and ends on a control connection.
//!
//! The machine says when and holds the border (RPL-33, RPL-35); here the handshake is made, what it
//! agreed on is told to the session, and nothing but an alert goes out when it fails (TLS-03).

use std::{sync::Arc, time::Duration};

use wharf_accounts::Channel;
use wharf_engine::{
    Record,
    events::{Event, Level, Purpose},
    tls::client_certificate,
};
use wharf_transfer::{
    timer,
    tls::{Facts, Side},
};

use super::{ControlConnection, LINGER};
use crate::clock;

/// How long a handshake on a control connection may take (TLS-03).
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long to wait for the peer's `close_notify` where TLS ends and the connection goes on (TLS-41).
const CLOSE_NOTIFY_TIMEOUT: Duration = Duration::from_secs(5);

/// TLS is of no use any more, nor is the connection: the cause of its end.
pub(super) type Cause = &'static str;

impl ControlConnection {
    /// The handshake, and what follows from it; the machine hears of it from the caller. Gives whether
    /// the peer showed a verified certificate.
    pub(super) async fn secure(&mut self, record: &Record) -> Result<bool, Cause> {
        const FAILED: Cause = "TLS did not come up";
        let Some(tls) = self.session.settings.tls.as_ref().map(|tls| tls.session()) else {
            return self.fail("there is no certificate", FAILED);
        };
        let done = tokio::select! {
            biased;
            done = self.wire.secure(Side::Server(tls.config())) => done,
            () = timer::sleep(HANDSHAKE_TIMEOUT) => {
                let words = format!("no handshake within {} s", HANDSHAKE_TIMEOUT.as_secs());
                return self.fail(&words, FAILED);
            }
            _ = record.ended() => return Err("ended by us"),
        };
        if let Err(error) = done {
            return self.fail(&error.to_string(), FAILED);
        }
        let leaf = self
            .wire
            .facts()
            .and_then(|facts| facts.peer_certificates.first())
            .map(client_certificate);
        let certificate = match leaf {
            Some(Ok(certificate)) => Some(Arc::new(certificate)),
            Some(Err(error)) => {
                let text = format!("the client's certificate is taken for none: {error}");
                let level = Level::Warning;
                self.session.tell(&Event::Notice { level, text: &text });
                None
            }
            None => None,
        };
        if let Some(facts) = self.wire.facts() {
            self.session.tell(&secured(Purpose::Control, &facts));
        }
        let is_known = certificate.is_some();
        let role = tls.certificate_role();
        self.session.set_channel(Channel::Tls { certificate, role });
        self.session.tls = Some(tls);
        Ok(is_known)
    }

    /// After the last reply under TLS: ends it, and tells the machine.
    pub(super) async fn unsecure(&mut self, record: &Record) -> Result<(), Cause> {
        let heard = tokio::select! {
            biased;
            heard = self.wire.hear_end_of_tls(&mut self.machine) => heard,
            () = timer::sleep(CLOSE_NOTIFY_TIMEOUT) => Ok(Vec::new()),
            _ = record.ended() => return Err("ended by us"),
        };
        let in_clear = match heard {
            Ok(in_clear) => in_clear,
            Err(error) => return self.fail(&error.to_string(), "TLS did not end in order"),
        };
        self.wire.unsecure();
        let tls = self.session.tls.as_ref();
        let role = tls.map(|tls| tls.certificate_role()).unwrap_or_default();
        self.session.set_channel(Channel::Plain { role });
        if !self.machine.is_logged_in() {
            // After REIN; after CCC data connections go on under the same TLS (TLS-42).
            self.session.tls = None;
        }
        let now = clock::now();
        self.machine.tls_ended(now);
        self.machine.handle_input(now, &in_clear);
        if !self.wire.is_open() {
            self.machine.handle_end_of_input();
        }
        Ok(())
    }

    pub(super) fn fail<T>(&self, words: &str, cause: Cause) -> Result<T, Cause> {
        self.session.tell(&Event::TlsFailed { cause: words });
        Err(cause)
    }

    /// Ends the connection without a word; an alert on its way is not lost to a reset.
    pub(super) async fn hang_up(&mut self) {
        self.wire.end();
        if self.wire.is_open() {
            let _ = tokio::time::timeout(LINGER, self.wire.drain()).await;
        }
    }

    /// What STAT tells of TLS (TLS-14).
    pub(super) fn security_shown(&self) -> Option<String> {
        let facts = self.wire.facts()?;
        let (version, suite) = words(&facts);
        let how = if facts.resumed {
            "resumed"
        } else {
            "not resumed"
        };
        Some(format!("Control connection: {version}, {suite}, {how}"))
    }
}

/// The event of a connection that TLS came up on.
pub(crate) fn secured(purpose: Purpose, facts: &Facts<'_>) -> Event<'static> {
    let (version, suite) = words(facts);
    Event::Secured {
        purpose,
        version,
        suite,
        resumed: facts.resumed,
    }
}

fn words(facts: &Facts<'_>) -> (&'static str, &'static str) {
    (
        facts.version.as_str().unwrap_or("TLS"),
        facts.suite.as_str().unwrap_or("unknown suite"),
    )
}
