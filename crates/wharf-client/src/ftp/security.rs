//! TLS on a session: AUTH, PBSZ, PROT, CCC, and the handshakes of its data connections (RFC 4217;
//! TLS-50 to TLS-58).
//!
//! The order is TLS-51's: greeting, AUTH TLS, handshake, PBSZ 0, PROT P, login; what was refused before
//! the login is asked for again after it. A handshake that fails is never followed by the same in
//! clear. A person is asked only between two connections, so no server waits for an answer in the
//! middle of a handshake and none sees a password before the answer.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use wharf_proto::ftp::{
    Mechanism, Protection,
    client::{Event, Request},
    reply::{Class, Reply},
};
use wharf_transfer::DataStream;

use super::{
    Session,
    session::{Begun, Context, DataProtection},
};
use crate::{
    Answer, Error, Kind, Question, Result, Step, diagnosis,
    tls::{self, Mode, Rejected, SessionTls, Version},
};

/// How long the server's words are waited for after a data connection's handshake failed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long the peer's `close_notify` is waited for (TLS-41, TLS-58).
const GOODBYE: Duration = Duration::from_secs(5);

impl Session {
    /// Everything up to the login: greeting, TLS, protection of data.
    pub(super) async fn begin_session(&mut self) -> Result<Begun> {
        let mode = self.options().tls.mode;
        match mode {
            Mode::Plain => return self.greet().await.map(|()| Begun::Ready),
            Mode::Implicit => {
                if self.shake_hands().await? == Begun::AnotherConnection {
                    return Ok(Begun::AnotherConnection);
                }
                self.greet().await?;
            }
            Mode::Auto | Mode::Explicit => {
                self.greet().await?;
                let asked = Request::StartTls(Mechanism::Tls);
                let reply = self.ask_at(Step::Tls, asked).await?;
                if self.machine.poll_event() != Some(Event::StartTls) {
                    if mode == Mode::Explicit || self.context.expects_tls().await? {
                        return Err(tls::not_offered(&self.context.site, &reply));
                    }
                    return self.go_on_in_clear().await.map(|()| Begun::Ready);
                }
                if self.shake_hands().await? == Begun::AnotherConnection {
                    return Ok(Begun::AnotherConnection);
                }
                self.machine.tls_started();
            }
        }
        self.protect_data().await?;
        Ok(Begun::Ready)
    }

    /// What of TLS follows the login: protection that was refused before, and CCC on request.
    pub(super) async fn finish_security(&mut self) -> Result<()> {
        if matches!(self.protection, DataProtection::Refused(_)) {
            self.protect_data().await?;
        }
        if let DataProtection::Refused(_) = self.protection
            && self.options().tls.clear_data
        {
            self.note(
                "the server refuses to protect data connections: files and listings move in clear",
            );
            self.protection = DataProtection::Clear;
        }
        if self.machine.is_secure() && self.options().tls.clear_control {
            self.clear_control().await?;
        }
        Ok(())
    }

    /// TLS-50: AUTH was refused; a password goes on only with permission.
    async fn go_on_in_clear(&self) -> Result<()> {
        let context = &self.context;
        if !context.credentials.are_secret() {
            return Ok(());
        }
        let _asking = context.asking.lock().await;
        let said = context.memory.recall(|known| known.password_in_clear);
        let permitted = match said {
            Some(permitted) => permitted,
            None => {
                let question = Question::PasswordInClear {
                    site: context.site.to_string(),
                };
                let answer = context.ask_person(question).await;
                let permitted = matches!(answer, Answer::Always | Answer::Once);
                let learnt = Some(permitted);
                context
                    .memory
                    .learn(|known| known.password_in_clear = learnt);
                permitted
            }
        };
        if permitted {
            Ok(())
        } else {
            Err(tls::password_in_clear(&context.site))
        }
    }

    /// The handshake of the control connection.
    async fn shake_hands(&mut self) -> Result<Begun> {
        let context = Arc::clone(&self.context);
        let settings = &context.options.tls;
        let trusted = context.trust.known().await?;
        let newest = match context.memory.recall(|known| known.tickets_run_dry) {
            true => Version::Tls12,
            false => Version::Tls13,
        };
        let material = context.material().await?;
        let tls = SessionTls::new(&context.site, settings, &material, trusted, newest)?;
        let limit = context.options.connect_timeout;
        match timeout(limit, Box::pin(self.stream.secure(tls.side()))).await {
            Ok(Ok(())) => {
                // Many servers close without a word; on this connection replies tell the end.
                self.stream.tolerate_truncation();
                self.show_security();
                context.memory.learn(|known| known.had_tls = true);
                self.tls = Some(tls);
                Ok(Begun::Ready)
            }
            Ok(Err(error)) => {
                self.give_up();
                let rejected = tls.rejected();
                if let Some(rejected) = &rejected
                    && context.is_agreed_to(rejected).await?
                {
                    return Ok(Begun::AnotherConnection);
                }
                Err(tls::handshake_failed(
                    &context.site,
                    &error,
                    rejected.as_ref(),
                    &context.trust,
                    settings,
                ))
            }
            Err(_) => {
                self.give_up();
                Err(diagnosis::no_handshake(&context.site, limit))
            }
        }
    }

    fn show_security(&mut self) {
        let Some(facts) = self.stream.security() else {
            return;
        };
        let is_13 = facts.version == rustls::ProtocolVersion::TLSv1_3;
        let text = format!("{:?} {:?}", facts.version, facts.suite);
        self.version = if is_13 {
            Version::Tls13
        } else {
            Version::Tls12
        };
        self.context.observer.dialogue('*', &text);
    }

    /// PBSZ 0, PROT P (RFC 4217 9). What PBSZ is answered matters to PROT only.
    async fn protect_data(&mut self) -> Result<()> {
        self.ask_at(Step::Tls, Request::ProtectionBuffer).await?;
        let asked = Request::Protect(Protection::Private);
        let reply = self.ask_at(Step::Tls, asked).await?;
        self.protection = if reply.code.class() == Class::Completion {
            DataProtection::Private
        } else {
            DataProtection::Refused(reply)
        };
        Ok(())
    }

    /// CCC (TLS-56): the control connection goes on in clear, data connections stay as they are.
    async fn clear_control(&mut self) -> Result<()> {
        let reply = self.ask_at(Step::Tls, Request::EndTls).await?;
        if self.machine.poll_event() != Some(Event::EndTls) {
            return Err(Error::refused(
                Step::Tls,
                "CCC",
                "the server keeps the control connection protected",
                &reply,
            )
            .of_kind(Kind::Tls)
            .hint("leave out --ccc"));
        }
        let farewell = async {
            self.stream.end().await?;
            let mut rest = [0; 1];
            self.stream.read(&mut rest).await
        };
        match timeout(GOODBYE, farewell).await {
            Ok(Ok(0)) => {}
            other => {
                self.give_up();
                let why = match other {
                    Ok(Ok(_)) => "something else than the end of TLS came".to_owned(),
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => format!("nothing came for {} s", GOODBYE.as_secs()),
                };
                let text = format!("the server did not end TLS after CCC: {why}");
                return Err(Error::new(Step::Tls, Kind::Tls, text).hint("leave out --ccc"));
            }
        }
        self.stream.unsecure();
        self.machine.tls_ended();
        self.note("the control connection goes on in clear: commands, names and replies can be read and changed on the way");
        Ok(())
    }

    /// Whether nobody on the way can have changed what the server says: not after CCC.
    pub(crate) fn replies_are_protected(&self) -> bool {
        self.machine.is_secure()
    }

    /// Refuses to begin a transfer that would move in clear what the user wants protected (TLS-53).
    pub(super) fn may_move_data(&self) -> Result<()> {
        match &self.protection {
            DataProtection::Refused(reply) => Err(tls::not_protected(Some(reply))),
            DataProtection::Clear | DataProtection::Private => Ok(()),
        }
    }

    /// Puts TLS on a data connection if it shall be there, resuming the newest session (TLS-54). Gives
    /// whether one was resumed; the outer error is for the caller to compare with the server's words.
    pub(super) async fn secure_data(&self, stream: &mut DataStream) -> Result<Option<bool>> {
        let (DataProtection::Private, Some(tls)) = (&self.protection, &self.tls) else {
            return Ok(None);
        };
        let limit = self.options().connect_timeout;
        match timeout(limit, Box::pin(stream.secure(tls.side()))).await {
            Ok(Ok(())) => Ok(stream.security().map(|facts| facts.resumed)),
            Ok(Err(error)) => {
                let context = &self.context;
                let rejected = tls.rejected();
                let failed = tls::handshake_failed(
                    &context.site,
                    &error,
                    rejected.as_ref(),
                    &context.trust,
                    &context.options.tls,
                );
                Err(match rejected {
                    // TLS-54: somebody else answered.
                    Some(_) => failed,
                    None => failed.of_data().retryable(),
                })
            }
            Err(_) => Err(diagnosis::no_handshake(&self.context.site, limit)
                .of_data()
                .retryable()),
        }
    }

    /// The data connection's handshake failed: the server's reply says more about it, if one comes.
    pub(super) async fn data_not_secured(
        &mut self,
        failed: Error,
        last_words: impl AsyncFnOnce(&mut Self) -> Result<()>,
    ) -> Error {
        if failed.kind() == Kind::Certificate {
            self.give_up();
            return failed;
        }
        match timeout(LAST_WORDS, last_words(self)).await {
            Ok(Err(refusal)) if refusal.code().is_some() => refusal,
            Ok(_) => failed,
            Err(_) => {
                self.give_up();
                failed
            }
        }
    }

    /// Adds the cause to a refusal that is about a data connection's TLS; `resumed` as far as known.
    pub(super) fn with_data_cause(
        &mut self,
        error: Error,
        reply: &Reply,
        resumed: Option<bool>,
    ) -> Error {
        if self.tls.is_none() && reply.code.value() != 521 {
            return error;
        }
        match tls::data_refused(&error, reply, resumed == Some(true)) {
            Some("D46") if resumed == Some(true) => error.of_data().because(
                "D46",
                ["for the server's admin: the data connection resumed its control connection's TLS session and was refused nevertheless"],
            ),
            // A server that sends too few tickets of TLS 1.3: sessions of TLS 1.2 serve any number of times.
            Some("D46")
                if self.version == Version::Tls13
                    && self.options().tls.minimum == Version::Tls12 =>
            {
                self.context.memory.learn(|known| known.tickets_run_dry = true);
                self.give_up();
                self.note("the server wants TLS sessions resumed and sends too few TLS 1.3 tickets; going on with TLS 1.2");
                error
                    .of_data()
                    .because(
                        "D47",
                        ["the server sends too few TLS 1.3 tickets; TLS 1.2 is used from now on"],
                    )
                    .at_once()
            }
            Some("D46") => error.of_data().because(
                "D46",
                ["for the server's admin: send session tickets; or switch the demand off (require_ssl_reuse=NO, NoSessionReuseRequired)"],
            ),
            Some(_) => error.of_kind(Kind::Tls).because(
                "D50",
                ["the server wants protected data connections: use ftpes:// and leave out --tls none and --allow-clear-data"],
            ),
            None => error,
        }
    }
}

/// Ends a data connection in order: what was written is delivered, and what the server still sends of
/// TLS (tickets) is read (TLS-58).
pub(super) async fn part(mut stream: DataStream) {
    if stream.is_secure() {
        // The server's reply on the control connection decides what this was worth.
        let _ = timeout(GOODBYE, stream.end_and_drain()).await;
    }
    stream.finish();
}

impl Context {
    async fn ask_person(&self, question: Question) -> Answer {
        let observer = Arc::clone(&self.observer);
        tokio::task::spawn_blocking(move || observer.ask(&question))
            .await
            .unwrap_or_default()
    }

    /// Whether a refused AUTH is no reason to go on in clear: who has pinned a certificate, agreed to
    /// one or had TLS in this run knows that the server offers it.
    async fn expects_tls(&self) -> Result<bool> {
        Ok(!self.options.tls.pins.is_empty()
            || self.memory.recall(|known| known.had_tls)
            || self.trust.known().await?.is_some())
    }

    /// Whether a person agrees to a certificate, or has meanwhile.
    async fn is_agreed_to(&self, rejected: &Rejected) -> Result<bool> {
        if !rejected.is_for_a_person() {
            return Ok(false);
        }
        let fingerprint = rejected.certificate.fingerprint;
        let _asking = self.asking.lock().await;
        if self.trust.known().await? == Some(fingerprint) {
            return Ok(true);
        }
        let refused = self.memory.recall(|known| known.refused_certificate);
        if refused == Some(fingerprint) {
            return Ok(false);
        }
        let question = Question::TrustCertificate {
            site: self.site.to_string(),
            reason: tls::why(rejected),
            certificate: rejected.certificate.clone(),
        };
        match self.ask_person(question).await {
            Answer::Always => self.trust.remember(fingerprint).await.map(|()| true),
            Answer::Once => {
                self.trust.agree(fingerprint);
                Ok(true)
            }
            Answer::No | Answer::Nobody => {
                self.memory
                    .learn(|known| known.refused_certificate = Some(fingerprint));
                Ok(false)
            }
        }
    }
}
