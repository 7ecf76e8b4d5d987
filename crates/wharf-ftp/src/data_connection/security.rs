//! TLS on a data connection: the handshake, and whether the peer is who the control connection knows.
//!
//! That somebody reached the port from the right address proves little (TLS-33); that he resumes this
//! session's TLS proves that he holds its secrets. Nothing of a file has moved before that is settled.

use std::time::Duration;

use wharf_engine::{
    SessionTls, Transfers,
    events::{Event, Purpose},
    tls::{SessionReuse, client_certificate},
};
use wharf_proto::ftp::server::Finished;
use wharf_transfer::{
    DataStream, timer,
    tls::{Facts, Side},
};

use crate::control_connection::secured;

/// How long a handshake on a data connection may take (DAT-21).
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a protected data connection must hold to.
pub(crate) struct DataSecurity {
    /// The control connection's.
    pub(crate) tls: SessionTls,
    /// SHA-256 of the certificate that the account was entered with (DAT-22).
    pub(crate) certificate: Option<[u8; 32]>,
}

impl DataSecurity {
    /// Puts TLS on the stream and judges the peer. The error is the transfer's end.
    pub(crate) async fn secure(
        self,
        stream: &mut DataStream,
        transfers: &Transfers,
    ) -> Result<(), Finished> {
        let securing = self.shake_hands(stream, transfers);
        let limited = async {
            tokio::select! {
                biased;
                done = securing => done,
                () = timer::sleep(HANDSHAKE_TIMEOUT) => {
                    let seconds = HANDSHAKE_TIMEOUT.as_secs();
                    Err(Finished::TlsFailed(format!("no handshake within {seconds} s")))
                }
            }
        };
        let done = transfers.abort.or(limited).await;
        let done = done.unwrap_or(Err(Finished::Aborted));
        let cause = match &done {
            Err(Finished::TlsFailed(cause)) => cause,
            Err(Finished::NotResumed) => {
                "it did not resume the TLS session of its control connection (tls.session_reuse)"
            }
            _ => return done,
        };
        let cause = format!("TLS: {cause}");
        transfers
            .engine
            .bus
            .emit(&transfers.origin, &Event::DataConnection { cause: &cause });
        done
    }

    async fn shake_hands(
        &self,
        stream: &mut DataStream,
        transfers: &Transfers,
    ) -> Result<(), Finished> {
        let must_resume = self.tls.reuse() == SessionReuse::Require;
        // Somebody who is refused must not take away what opens the next connection.
        let mut withheld = None;
        stream
            .secure_telling(Side::Server(self.tls.config()), &mut |is_resumed| {
                withheld = (must_resume && !is_resumed).then(|| self.tls.withhold());
            })
            .await
            .map_err(|error| Finished::TlsFailed(error.to_string()))?;
        drop(withheld);
        let Some(facts) = stream.security() else {
            return Err(Finished::TlsFailed("the handshake is not over".into()));
        };
        transfers
            .engine
            .bus
            .emit(&transfers.origin, &secured(Purpose::Data, &facts));
        if let Err(finished) = self.judge(&facts) {
            // He hears an end in order; that it was refused the reply tells.
            let _ = stream.end().await;
            return Err(finished);
        }
        if !self.tls.require_close_notify() {
            stream.tolerate_truncation();
        }
        Ok(())
    }

    fn judge(&self, facts: &Facts<'_>) -> Result<(), Finished> {
        if self.tls.reuse() == SessionReuse::Require && !facts.resumed {
            return Err(Finished::NotResumed);
        }
        let Some(wanted) = &self.certificate else {
            return Ok(());
        };
        let shown = facts.peer_certificates.first();
        let shown = shown.and_then(|leaf| client_certificate(leaf).ok());
        if shown.is_some_and(|shown| shown.sha256 == *wanted) {
            return Ok(());
        }
        let text = "the client certificate is not that of the control connection";
        Err(Finished::TlsFailed(text.into()))
    }
}
