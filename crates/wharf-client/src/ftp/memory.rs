//! What was learnt about a server, shared by all sessions with it.
//!
//! So only the first session asks FEAT, and only the first data connection pays for a broken EPSV.

use std::sync::{Mutex, PoisonError};

use wharf_proto::ftp::client::Capabilities;

use crate::tls::Fingerprint;

/// Whether something works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Works {
    #[default]
    Unknown,
    Yes,
    No,
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Knowledge {
    pub(crate) capabilities: Option<Capabilities>,
    pub(crate) extended_passive: Works,
    /// Any passive connection.
    pub(crate) passive: Works,
    pub(crate) facts_list: Works,
    /// What a person said to a server that offers no TLS.
    pub(crate) password_in_clear: Option<bool>,
    /// A certificate that a person did not agree to.
    pub(crate) refused_certificate: Option<Fingerprint>,
    /// A session had TLS: later ones have it too, or there are none.
    pub(crate) had_tls: bool,
    /// The server wants TLS sessions resumed and sends too few tickets of TLS 1.3 (D47).
    pub(crate) tickets_run_dry: bool,
    /// The way to set a time that was not refused, once found; `No` when none works.
    pub(crate) set_time: Works,
}

/// The memory of one site.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Knowledge>);

impl Memory {
    pub(crate) fn recall<T>(&self, read: impl FnOnce(&Knowledge) -> T) -> T {
        read(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn learn(&self, write: impl FnOnce(&mut Knowledge)) {
        write(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
