//! Answers to `tls-alpn-01` challenges (RFC 8737): which certificate proves which domain.
//!
//! The certificates are made by who speaks to the authority; here they are only shown, on
//! connections that ask for [`PROTOCOL`] and nothing else.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// The protocol name of a validation (RFC 8737 section 6.2).
pub(super) const PROTOCOL: &[u8] = b"acme-tls/1";

/// Challenges that are open now, by domain in lower case.
#[derive(Debug, Default)]
pub(super) struct Challenges(RwLock<HashMap<String, Arc<CertifiedKey>>>);

impl Challenges {
    pub(super) fn set(&self, domain: &str, certificate: Arc<CertifiedKey>) {
        let mut open = self.0.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(domain.to_ascii_lowercase(), certificate);
    }

    pub(super) fn clear(&self, domain: &str) {
        let mut open = self.0.write().unwrap_or_else(PoisonError::into_inner);
        open.remove(&domain.to_ascii_lowercase());
    }
}

impl ResolvesServerCert for Challenges {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737 section 3: exactly this one protocol, and the name of the domain.
        let mut offered = hello.alpn()?;
        if offered.next() != Some(PROTOCOL) || offered.next().is_some() {
            return None;
        }
        let domain = hello.server_name()?.to_ascii_lowercase();
        let open = self.0.read().unwrap_or_else(PoisonError::into_inner);
        open.get(&domain).cloned()
    }
}
