//! Which certificate a peer is shown (TLS-06).
//!
//! The name that it asks for decides, exactly or by one wildcard label; a peer that names none, or
//! one that nobody here has, sees the default certificate and the connection goes on. Where several
//! certificates have the name, the first wins whose key the peer can verify.

use std::sync::Arc;

use rustls::{
    SignatureScheme,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{CertificateFacts, certificate::Certified};

/// The certificates of one moment, the default first.
#[derive(Debug)]
pub(super) struct Directory {
    certificates: Vec<Arc<Certified>>,
}

impl Directory {
    pub(super) const fn new(certificates: Vec<Arc<Certified>>) -> Self {
        Self { certificates }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    pub(super) fn facts(&self) -> Vec<CertificateFacts> {
        let certificates = self.certificates.iter();
        certificates
            .map(|certified| certified.facts.clone())
            .collect()
    }

    /// The certificates of that name: those that have it exactly, then those with a wildcard.
    pub(super) fn of_name(&self, name: &str) -> impl Iterator<Item = &Arc<Certified>> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let wildcard = name
            .split_once('.')
            .map(|(_, parent)| format!("*.{parent}"));
        let having = |wanted: Option<String>| {
            self.certificates.iter().filter(move |certified| {
                certified
                    .facts
                    .names
                    .iter()
                    .any(|name| wanted.as_ref() == Some(name))
            })
        };
        having(Some(name)).chain(having(wildcard))
    }
}

impl ResolvesServerCert for Directory {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let verifiable = |certified: &&Arc<Certified>| {
            let schemes: &[SignatureScheme] = hello.signature_schemes();
            certified.key.key.choose_scheme(schemes).is_some()
        };
        let named = || {
            hello
                .server_name()
                .into_iter()
                .flat_map(|name| self.of_name(name))
        };
        let chosen = named()
            .find(verifiable)
            .or_else(|| named().next())
            .or_else(|| self.certificates.iter().find(verifiable))
            .or_else(|| self.certificates.first());
        chosen.map(|certified| Arc::clone(&certified.key))
    }
}
