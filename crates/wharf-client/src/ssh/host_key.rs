//! Whether a host key is the right one (SFT-82).
//!
//! A changed or revoked key is refused, whatever else is said. A key that nobody knows is accepted
//! only when a person agrees, or was told to beforehand; that a *known* host suddenly shows a key of
//! another type is never settled without a person. A pin or a URL's fingerprint narrows what is
//! accepted, and never overrides what is stored.

use std::fmt;

use russh::{
    Preferred,
    keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey, PublicKeyOrCertificate},
};
use ssh_key::certificate::CertType;

use super::{
    HostKeyFacts, HostKeyPin, UnknownHosts, diagnosis,
    known_hosts::{Known, KnownHosts, Marker},
    pattern,
};
use crate::Error;

/// What is known of a host before it shows its key.
#[derive(Debug)]
pub(super) struct Judge {
    /// As the files have it, with its port.
    pub(super) name: String,
    /// The name that a certificate must bear.
    pub(super) principal: String,
    pub(super) known: KnownHosts,
    pub(super) pins: Vec<HostKeyPin>,
    /// Agreed to in this run.
    pub(super) agreed: Vec<HostKeyPin>,
    pub(super) unknown_hosts: UnknownHosts,
}

/// What is to be done with a key.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is the right one.
    Trusted(Ground),
    /// A person is to be asked.
    Ask {
        /// The key.
        key: Box<PublicKey>,
        /// Why it is not accepted without asking.
        reason: String,
    },
    /// It is not accepted.
    Refused(Error),
}

/// Why a key is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// It stands in a file.
    Stored,
    /// A certificate authority in a file vouches for it.
    Authority,
    /// It has the fingerprint that was named, or was agreed to in this run.
    Named,
    /// New hosts are accepted: it is to be remembered.
    New(Box<PublicKey>),
}

impl fmt::Display for Ground {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Stored => "it stands in the file of known hosts",
            Self::Authority => "a known certificate authority vouches for it",
            Self::Named => "it has the fingerprint that was named or agreed to",
            Self::New(_) => "new hosts are accepted",
        })
    }
}

impl Judge {
    /// Judges what a server has shown, after it proved to have the key.
    pub(super) fn judge(&self, shown: &PublicKeyOrCertificate) -> Verdict {
        let key = shown.public_key();
        let revoked = self.known.marked(Marker::Revoked).find(|line| {
            let authority = shown.certificate().map(Certificate::signature_key);
            line.key.key_data() == key.key_data() || authority == Some(line.key.key_data())
        });
        if let Some(line) = revoked {
            return Verdict::Refused(diagnosis::revoked(&self.name, &key, line));
        }
        if !self.pins.is_empty() && !self.pins.contains(&HostKeyPin::of(&key)) {
            return Verdict::Refused(diagnosis::not_pinned(&self.name, &key, &self.pins));
        }
        if self.known.line_of(&key).is_some() {
            return Verdict::Trusted(Ground::Stored);
        }
        if let Some(certificate) = shown.certificate() {
            let authority = certificate.signature_key();
            let line = self
                .known
                .marked(Marker::Authority)
                .find(|line| line.key.key_data() == authority);
            if let Some(line) = line {
                return match self.refusal(certificate, line) {
                    None => Verdict::Trusted(Ground::Authority),
                    Some(reason) => {
                        Verdict::Refused(diagnosis::bad_certificate(&self.name, &reason))
                    }
                };
            }
        }
        self.judge_unstored(key)
    }

    fn judge_unstored(&self, key: PublicKey) -> Verdict {
        let mut others = self
            .known
            .known
            .iter()
            .filter(|line| line.marker == Marker::Key);
        let same_type = others
            .clone()
            .find(|line| line.key.algorithm() == key.algorithm());
        if let Some(line) = same_type {
            return Verdict::Refused(diagnosis::changed(&self.name, &key, line));
        }
        let pin = HostKeyPin::of(&key);
        if self.pins.contains(&pin) || self.agreed.contains(&pin) {
            return Verdict::Trusted(Ground::Named);
        }
        let reason = match others.next() {
            None if self.unknown_hosts == UnknownHosts::Accept => {
                return Verdict::Trusted(Ground::New(Box::new(key)));
            }
            None => "its key is not known yet".to_owned(),
            Some(line) => format!(
                "it is known by a key of another type ({} in {}), which it does not show",
                line.key.algorithm(),
                line.place()
            ),
        };
        match self.unknown_hosts {
            UnknownHosts::Refuse => Verdict::Refused(diagnosis::unknown(&self.name, &key, &reason)),
            UnknownHosts::Ask | UnknownHosts::Accept => Verdict::Ask {
                key: Box::new(key),
                reason,
            },
        }
    }

    /// Why a certificate of a trusted authority does not do (PROTOCOL.certkeys).
    fn refusal(&self, certificate: &Certificate, authority: &Known) -> Option<String> {
        if certificate.cert_type() != CertType::Host {
            return Some("it is a certificate for users, not for hosts".to_owned());
        }
        let signed_by = certificate.signature().algorithm();
        if matches!(signed_by, Algorithm::Dsa | Algorithm::Rsa { hash: None }) {
            return Some("its authority signed it with SHA-1".to_owned());
        }
        let trusted = authority.key.fingerprint(HashAlg::Sha256);
        // At the very beginning of its time only signature and authority can be wrong.
        if certificate
            .validate_at(certificate.valid_after(), [&trusted])
            .is_err()
        {
            return Some("its signature is wrong".to_owned());
        }
        if certificate.validate([&trusted]).is_err() {
            return Some("it is not valid now: compare the clocks, or have it renewed".to_owned());
        }
        if !certificate.critical_options().is_empty() {
            return Some("it has conditions that are not understood".to_owned());
        }
        let principals = certificate.valid_principals();
        if !principals
            .iter()
            .any(|principal| pattern::matches(&principal.to_lowercase(), &self.principal))
        {
            return Some(format!("it is not for {}", self.principal));
        }
        None
    }

    /// Algorithms to ask for: those of known keys first, certificates before keys where an authority
    /// is known. A server that has several keys then shows one that can be checked.
    pub(super) fn preferred(&self, legacy: bool) -> Preferred {
        let mut algorithms = HOST_KEYS.to_vec();
        if legacy {
            algorithms.push(Algorithm::Rsa { hash: None });
        }
        let is_known = |algorithm: &Algorithm| {
            self.known.marked(Marker::Key).any(|line| {
                let known = line.key.algorithm();
                known == *algorithm || (known.is_rsa() && algorithm.clone().is_rsa())
            })
        };
        let (mut first, rest): (Vec<_>, Vec<_>) = algorithms
            .into_iter()
            .partition(|algorithm| is_known(algorithm));
        first.extend(rest);
        let certificates = if self.known.marked(Marker::Authority).next().is_some() {
            HOST_KEYS.to_vec()
        } else {
            Vec::new()
        };
        super::algorithms::preferred(first, certificates, legacy)
    }

    /// What a person is told of a key.
    pub(super) fn facts(key: &PublicKey) -> HostKeyFacts {
        HostKeyFacts::of(key)
    }
}

/// Host keys that are accepted, best first.
const HOST_KEYS: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha256),
    },
];

#[cfg(test)]
mod tests;
