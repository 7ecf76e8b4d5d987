//! Whether a server's certificate is accepted (TLS-52).
//!
//! In this order: on a data connection, the control connection's certificate and no other (TLS-54); a
//! pin, when there are pins; what a person agreed to before, unless it was revoked since; else the
//! chain, the name and the dates.
//! A refusal keeps what was shown, so that a person can be asked between two connections: never in the
//! middle of a handshake, and nothing is ever accepted "for now".

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{CertificateFacts, Fingerprint, Pin};

/// Why a certificate was not accepted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reason {
    /// What the chain of trust says.
    Chain(CertificateError),
    /// There is no authority that could vouch for anybody.
    NoAuthorities,
    /// It is none of the pinned ones.
    NotPinned,
    /// A person agreed to another one before.
    Changed {
        /// That one.
        known: Fingerprint,
    },
    /// A data connection was answered by another server than the control connection (TLS-54).
    NotTheSessions,
}

/// A certificate that was not accepted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rejected {
    pub(crate) reason: Reason,
    pub(crate) certificate: CertificateFacts,
}

impl Rejected {
    /// Whether a person who knows the certificate may take it nevertheless: nothing but its chain, its
    /// name or its dates is wrong.
    pub(crate) const fn is_for_a_person(&self) -> bool {
        match &self.reason {
            Reason::NoAuthorities => true,
            Reason::Chain(error) => match error {
                CertificateError::UnknownIssuer
                | CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
                | CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => true,
                // An authority's own certificate that a server shows as its own.
                CertificateError::Other(_) => self.certificate.self_signed,
                _ => false,
            },
            Reason::NotPinned | Reason::Changed { .. } | Reason::NotTheSessions => false,
        }
    }
}

/// The verifier of one control connection and its data connections.
pub(crate) struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
    pins: Vec<Pin>,
    trusted: Option<Fingerprint>,
    accepted: OnceLock<CertificateDer<'static>>,
    rejected: Mutex<Option<Rejected>>,
}

impl Verifier {
    pub(crate) fn new(
        chain: Option<Arc<WebPkiServerVerifier>>,
        algorithms: WebPkiSupportedAlgorithms,
        pins: Vec<Pin>,
        trusted: Option<Fingerprint>,
    ) -> Self {
        Self {
            chain,
            algorithms,
            pins,
            trusted,
            accepted: OnceLock::new(),
            rejected: Mutex::new(None),
        }
    }

    /// What was refused last.
    pub(crate) fn rejected(&self) -> Option<Rejected> {
        self.rejected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<(), Reason> {
        if let Some(accepted) = self.accepted.get() {
            return if accepted == certificate {
                Ok(())
            } else {
                Err(Reason::NotTheSessions)
            };
        }
        if !self.pins.is_empty() {
            let key = CertificateFacts::key(certificate);
            return if self
                .pins
                .iter()
                .any(|pin| pin.fits(certificate, key.as_deref()))
            {
                Ok(())
            } else {
                Err(Reason::NotPinned)
            };
        }
        if let Some(known) = self.trusted {
            let chain = || self.judge_chain(certificate, intermediates, name, stapled, now);
            let revoked = Reason::Chain(CertificateError::Revoked);
            return if known != Fingerprint::of(certificate) {
                Err(Reason::Changed { known })
            } else if chain().is_err_and(|reason| reason == revoked) {
                Err(revoked)
            } else {
                Ok(())
            };
        }
        self.judge_chain(certificate, intermediates, name, stapled, now)
    }

    fn judge_chain(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<(), Reason> {
        let chain = self.chain.as_ref().ok_or(Reason::NoAuthorities)?;
        match chain.verify_server_cert(certificate, intermediates, name, stapled, now) {
            Ok(_) => Ok(()),
            Err(TlsError::InvalidCertificate(error)) => Err(Reason::Chain(error)),
            Err(_) => Err(Reason::Chain(CertificateError::BadEncoding)),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Verifier")
            .field("pins", &self.pins)
            .field("trusted", &self.trusted)
            .finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        match self.judge(certificate, intermediates, name, stapled, now) {
            Ok(()) => {
                // The first one is the control connection's.
                let _ = self.accepted.set(certificate.clone().into_owned());
                Ok(ServerCertVerified::assertion())
            }
            Err(reason) => {
                // The alert that the server gets says as much as TLS has words for.
                let alert = match &reason {
                    Reason::Chain(error) => error.clone(),
                    Reason::NoAuthorities => CertificateError::UnknownIssuer,
                    Reason::NotPinned | Reason::Changed { .. } | Reason::NotTheSessions => {
                        CertificateError::ApplicationVerificationFailure
                    }
                };
                *self.rejected.lock().unwrap_or_else(PoisonError::into_inner) = Some(Rejected {
                    reason,
                    certificate: CertificateFacts::of(certificate),
                });
                Err(TlsError::InvalidCertificate(alert))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
