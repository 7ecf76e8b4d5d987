//! Whether a key opens an account: authorised keys first, then certificates.
//!
//! Every check of a certificate is made here, whatever the library below already looked at: kind,
//! strength of both keys, revocation, signature, validity, authority, principals, critical options
//! (PROTOCOL.certkeys). Extensions are ignored: they grant what is not served.

use std::net::IpAddr;

use ssh_key::{Algorithm, Certificate, HashAlg, certificate::CertType, public::KeyData};

use super::{KeyRefusal, Shown, check_strength, fingerprint};
use crate::{
    AuthorizedKey, AuthorizedKeys, UserAuthorities,
    authorized_keys::{AddressPatterns, INTERNAL_SFTP},
};

/// What an account's keys are, from where they stand.
pub(crate) struct Listed<'a> {
    /// Those that stand with the account.
    pub(crate) own: &'a [AuthorizedKey],
    /// Those of its file.
    pub(crate) file: Option<&'a AuthorizedKeys>,
}

impl<'a> Listed<'a> {
    fn keys(&self) -> impl Iterator<Item = &'a AuthorizedKey> {
        let file = self.file.map(AuthorizedKeys::keys).unwrap_or_default();
        self.own.iter().chain(file)
    }

    /// Whether an authority is among them.
    pub(crate) fn has_authorities(&self) -> bool {
        self.keys().any(AuthorizedKey::is_authority)
    }
}

/// The circumstances of a login.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) user: &'a str,
    pub(crate) peer: IpAddr,
    pub(crate) unix_now: u64,
    pub(crate) authorities: &'a UserAuthorities,
}

/// Decides about what was shown.
pub(crate) fn decide(
    shown: &Shown,
    listed: &Listed<'_>,
    at: Circumstances<'_>,
) -> Result<(), KeyRefusal> {
    match shown {
        Shown::Key(key) => key_opens(key, listed, at),
        Shown::Certificate(certificate) => certificate_opens(certificate, listed, at),
    }
}

/// Whether a plain key is one of the account's.
pub(crate) fn key_opens(
    key: &KeyData,
    listed: &Listed<'_>,
    at: Circumstances<'_>,
) -> Result<(), KeyRefusal> {
    let mut refusal = None;
    for candidate in listed.keys() {
        if candidate.is_authority() || candidate.key() != key {
            continue;
        }
        match usable(candidate, at) {
            Ok(()) if at.authorities.is_revoked_key(key) => return Err(KeyRefusal::Revoked),
            Ok(()) => return Ok(check_strength(key)?),
            Err(unusable) => refusal = Some(unusable),
        }
    }
    let refused_line = || {
        let line = listed.file?.refused().iter().find(|line| line.is_of(key))?;
        Some(KeyRefusal::Line(line.to_string()))
    };
    Err(refusal
        .or_else(refused_line)
        .unwrap_or_else(|| KeyRefusal::Unlisted(fingerprint(key))))
}

fn usable(candidate: &AuthorizedKey, at: Circumstances<'_>) -> Result<(), KeyRefusal> {
    if candidate
        .expires()
        .is_some_and(|expires| at.unix_now >= expires)
    {
        return Err(KeyRefusal::Expired);
    }
    if !candidate.may_come_from(at.peer) {
        return Err(KeyRefusal::Address(at.peer));
    }
    Ok(())
}

fn certificate_opens(
    certificate: &Certificate,
    listed: &Listed<'_>,
    at: Circumstances<'_>,
) -> Result<(), KeyRefusal> {
    let authority = certificate.signature_key();
    // Who is nobody's authority gets no work done: no signature of his is verified.
    let by_account = listed
        .keys()
        .filter(|candidate| candidate.is_authority() && candidate.key() == authority);
    let principals = certificate.valid_principals();
    let mut trust = Err(KeyRefusal::Authority(fingerprint(authority)));
    if at.authorities.trusts(authority) {
        trust = named(principals.iter().any(|principal| principal == at.user));
    }
    for candidate in by_account {
        if trust.is_ok() {
            break;
        }
        trust = usable(candidate, at).and_then(|()| match candidate.principals() {
            [] => named(principals.iter().any(|principal| principal == at.user)),
            wanted => named(
                principals
                    .iter()
                    .any(|principal| wanted.contains(principal)),
            ),
        });
    }
    trust?;
    if certificate.cert_type() != CertType::User {
        return Err(KeyRefusal::HostCertificate);
    }
    check_strength(certificate.public_key())?;
    check_strength(authority)?;
    if at.authorities.is_revoked(certificate) {
        return Err(KeyRefusal::Revoked);
    }
    // SHA-1 over a certificate is no signature any more.
    if certificate.signature().algorithm() == (Algorithm::Rsa { hash: None }) {
        return Err(KeyRefusal::Signature);
    }
    if !(certificate.valid_after() <= at.unix_now && at.unix_now < certificate.valid_before()) {
        return Err(KeyRefusal::Validity);
    }
    let trusted = authority.fingerprint(HashAlg::Sha256);
    certificate
        .validate_at(at.unix_now, [&trusted])
        .map_err(|_| KeyRefusal::Signature)?;
    for (option, value) in certificate.critical_options().iter() {
        let is_met = match option.as_str() {
            "source-address" => AddressPatterns::parse_networks(value)
                .is_some_and(|patterns| patterns.matches(at.peer)),
            "force-command" => value == INTERNAL_SFTP,
            _ => false,
        };
        if !is_met {
            return Err(KeyRefusal::Critical(format!("{option:?}")));
        }
    }
    Ok(())
}

const fn named(is_named: bool) -> Result<(), KeyRefusal> {
    if is_named {
        Ok(())
    } else {
        Err(KeyRefusal::Principal)
    }
}
