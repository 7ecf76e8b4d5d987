//! Automatic certificates (ACME, RFC 8555): ordered, kept, renewed and installed without a restart.
//!
//! The protocol itself is `instant-acme`'s; here is what a server needs around it: when an order is
//! due ([`schedule`]), where the answers to the authority's challenges stand ([`answers`],
//! [`responder`]), and what outlives a restart ([`store`]). One [`Acme`] serves one certificate for
//! all of its domains.
//!
//! Service never waits for any of this: a certificate that stands goes on serving until a newer one
//! is installed, whatever the directory does. What goes wrong is reported and tried again later, at
//! the pace that the directory asks for; nothing here ends the process.
//!
//! It must not know a front end's protocol, and it hands no host path to a peer.

use std::{
    future::Future,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::tls::Tls;

mod answers;
mod directory;
mod error;
mod http;
mod order;
mod responder;
mod schedule;
mod settings;
mod store;

pub use error::Error;
pub use schedule::Reason;
pub use settings::{Challenge, Settings};

use answers::Answers;
use directory::Directory;
use responder::{Responder, Speech, Tokens};
use schedule::Schedule;
use store::{Store, Validity};

/// The clock and the certificate's end are compared at least this often, so that a machine that
/// slept or whose clock was set renews in time all the same.
const LOOK_AGAIN: Duration = Duration::from_secs(6 * 3600);

/// What happened. The words of errors are for the server's operator.
#[derive(Debug)]
pub enum Report {
    /// The certificate kept from an earlier run is installed.
    Loaded {
        /// When it ends.
        not_after: SystemTime,
    },
    /// An order begins.
    Ordering {
        /// Why now.
        reason: Reason,
    },
    /// A new certificate is installed and kept.
    Installed {
        /// When it ends.
        not_after: SystemTime,
    },
    /// A new certificate is installed but could not be kept: a restart will order again.
    NotKept {
        /// Why.
        error: Error,
    },
    /// Nothing new; what stood before stands.
    Failed {
        /// What went wrong.
        error: Error,
        /// The next order comes after this time.
        retry_in: Duration,
    },
}

/// Automatic certificates of one configuration.
pub struct Acme {
    domains: Vec<String>,
    renew_before: Duration,
    directory: Directory,
    store: Store,
    responder: Responder,
    answers: Answers,
    tls: Arc<Tls>,
    schedule: Schedule,
    held: Held,
}

/// What is known of the certificate in use.
enum Held {
    /// The store has not been asked yet.
    Unasked,
    /// None that serves these domains.
    Missing(Reason),
    /// This one is installed.
    Installed(Validity),
}

impl Acme {
    /// Checks the settings, reads the private root and opens the listener of the challenge, so that a port
    /// below 1024 can be had before the process gives its rights up. The network is not asked.
    ///
    /// # Errors
    /// A setting that cannot be served, an unreadable root, or a listener that cannot be opened.
    pub fn open(settings: Settings, tls: Arc<Tls>) -> Result<Self, Error> {
        let directory_url = settings.check()?;
        let (listen, speech, answers) = match settings.challenge {
            Challenge::TlsAlpn01 { listen } => {
                let config = tls.challenge_config()?;
                (listen, Speech::Tls(config), Answers::Tls(Arc::clone(&tls)))
            }
            Challenge::Http01 { listen } => {
                let tokens = Tokens::default();
                (listen, Speech::Http(tokens.clone()), Answers::Http(tokens))
            }
        };
        Ok(Self {
            domains: settings.domains(),
            renew_before: settings.renew_before,
            store: Store::new(&settings.storage, &directory_url),
            directory: Directory::new(
                &directory_url,
                settings.contact.as_deref(),
                settings.root_ca.as_deref(),
            )?,
            responder: Responder::bind(listen, speech)?,
            answers,
            tls,
            schedule: Schedule::default(),
            held: Held::Unasked,
        })
    }

    /// The address that challenges are answered on.
    pub fn listens_on(&self) -> SocketAddr {
        self.responder.address()
    }

    /// Keeps the certificate fresh until `stop` is ready. `clock` gives the time of day. Needs a
    /// runtime with timers and sockets; an order that is under way when `stop` comes is dropped.
    pub async fn run(
        mut self,
        clock: impl Fn() -> SystemTime + Send,
        report: impl Fn(Report) + Send + Sync,
        stop: impl Future<Output = ()> + Send,
    ) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let wait = tokio::select! {
                biased;
                () = &mut stop => return,
                wait = Box::pin(self.step(clock(), &report)) => wait,
            };
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(wait.min(LOOK_AGAIN)) => {}
                never = self.responder.serve() => match never {},
            }
        }
    }

    /// One look at the certificate: loads the kept one the first time, orders when one is due.
    /// Gives the time until the next look.
    pub(crate) async fn step(
        &mut self,
        now: SystemTime,
        report: &(impl Fn(Report) + Sync),
    ) -> Duration {
        if let Held::Unasked = self.held {
            self.held = self.load(report).await;
        }
        let due = match &self.held {
            Held::Installed(validity) => schedule::due(
                now,
                validity.not_before,
                validity.not_after,
                self.renew_before,
            ),
            Held::Missing(reason) => Err(*reason),
            Held::Unasked => Err(Reason::Missing),
        };
        let reason = match due {
            Ok(wait) => return wait,
            Err(reason) => reason,
        };
        if let Some(wait) = self.schedule.held_back(now) {
            return wait;
        }
        report(Report::Ordering { reason });
        match self.order().await {
            Ok((validity, kept)) => {
                self.schedule.succeeded();
                let not_after = validity.not_after;
                self.held = Held::Installed(validity);
                report(match kept {
                    Ok(()) => Report::Installed { not_after },
                    Err(error) => Report::NotKept { error },
                });
                self.schedule.pause()
            }
            Err(error) => {
                let retry_in = self
                    .schedule
                    .failed(now, &error, self.directory.asked_to_wait());
                report(Report::Failed { error, retry_in });
                retry_in
            }
        }
    }

    /// Installs the certificate of an earlier run, an expired one too: a client then says what is
    /// wrong, which it cannot when there is none.
    async fn load(&self, report: &(impl Fn(Report) + Sync)) -> Held {
        let installed = match self.store.certificate().await {
            Ok(None) => return Held::Missing(Reason::Missing),
            Ok(Some(certificate)) if !certificate.names(&self.domains) => {
                return Held::Missing(Reason::OtherDomains);
            }
            Ok(Some(certificate)) => (self.tls.install(&certificate.pair))
                .map(|()| certificate.validity)
                .map_err(Error::from),
            Err(error) => Err(error),
        };
        match installed {
            Ok(validity) => {
                let not_after = validity.not_after;
                report(Report::Loaded { not_after });
                Held::Installed(validity)
            }
            Err(error) => {
                report(Report::Failed {
                    error,
                    retry_in: Duration::ZERO,
                });
                Held::Missing(Reason::Unreadable)
            }
        }
    }

    /// The whole order, with HTTP-01 answered meanwhile.
    async fn order(&self) -> Result<(Validity, Result<(), Error>), Error> {
        self.store.prepare().await?;
        let order = Box::pin(
            self.directory
                .certificate(&self.store, &self.domains, &self.answers),
        );
        let certificate = tokio::select! {
            done = order => done?,
            never = self.responder.serve() => match never {},
        };
        if !certificate.names(&self.domains) {
            return Err(Error::OtherNames);
        }
        self.tls.install(&certificate.pair)?;
        let kept = self.store.keep(certificate.pair).await;
        Ok((certificate.validity, kept))
    }
}

#[cfg(test)]
mod tests;
