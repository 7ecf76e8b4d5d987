//! TLS as the client sees it: whom it trusts, what it shows, which session it resumes (RFC 4217;
//! spec section 5).
//!
//! What a site's sessions share (roots, pins, the client's own certificate) is read once:
//! [`Material`]. Each control connection then has a [`SessionTls`] of its own: one configuration for
//! itself and all of its data connections, with its own tickets and a verifier that lets nobody else
//! than the server of the control connection answer a data connection (TLS-54).
//!
//! Authorities are those of the system (`rustls-native-certs`), not a list built in: FTP servers live
//! inside companies, whose own authority is in the system's store, and a revoked authority leaves it
//! without a new Wharf. `--ca` replaces them.
//!
//! It must not ask anybody, open sockets, or decide which commands are sent.

mod certificate;
mod diagnosis;
mod fingerprint;
mod settings;
mod tickets;
mod trust;
mod verifier;

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, pem::PemObject,
    },
};

pub use certificate::CertificateFacts;
pub use fingerprint::{Fingerprint, Pin, PinError};
pub use settings::{Identity, Mode, Tls, Version};

pub(crate) use diagnosis::{
    cut, data_refused, handshake_failed, not_offered, not_protected, password_in_clear,
    unreadable_name, why,
};
pub(crate) use trust::Trust;
pub(crate) use verifier::{Rejected, Verifier};

use self::tickets::Tickets;
use crate::{Error, Kind, Result, Site, Step};

/// What all sessions with a site share: read from files once.
pub(crate) struct Material {
    /// The chain of trust; `None` when there is no authority to begin it with.
    chain: Option<Arc<WebPkiServerVerifier>>,
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    provider: Arc<CryptoProvider>,
}

impl Material {
    /// Reads what the settings name. Blocks.
    pub(crate) fn load(settings: &Tls) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        // Pins leave no question to an authority.
        if settings.authorities.is_empty() && settings.pins.is_empty() {
            // A store that cannot be read in full still trusts what could be read.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        for path in &settings.authorities {
            for authority in certificates(path)? {
                roots
                    .add(authority)
                    .map_err(|error| unusable(path, "certificate", &error))?;
            }
        }
        let mut revoked = Vec::new();
        for path in &settings.revocations {
            let lists = CertificateRevocationListDer::pem_file_iter(path)
                .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
                .map_err(|error| unusable(path, "revocation list", &error))?;
            if lists.is_empty() {
                return Err(unusable(path, "revocation list", &"it holds none"));
            }
            revoked.extend(lists);
        }
        let chain = if roots.is_empty() {
            None
        } else {
            let built =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .with_crls(revoked)
                    // A list speaks for its own issuer; others are none of its business.
                    .allow_unknown_revocation_status()
                    .build();
            Some(built.map_err(|error| {
                let text = format!("the certificate revocation lists cannot be used: {error}");
                Error::new(Step::Tls, Kind::Usage, text)
            })?)
        };
        let identity = match &settings.identity {
            None => None,
            Some(Identity { certificate, key }) => Some((
                certificates(certificate)?,
                PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| unusable(key, "private key", &error))?,
            )),
        };
        Ok(Self {
            chain,
            identity,
            provider,
        })
    }
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| unusable(path, "certificate", &error))?;
    if found.is_empty() {
        return Err(unusable(path, "certificate", &"it holds none"));
    }
    Ok(found)
}

fn unusable(path: &std::path::Path, what: &str, why: &dyn std::fmt::Display) -> Error {
    let text = format!("{}: no usable {what} in PEM form: {why}", path.display());
    Error::new(Step::Tls, Kind::Usage, text)
}

/// TLS of one control connection and of its data connections.
#[derive(Debug)]
pub(crate) struct SessionTls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    verifier: Arc<Verifier>,
}

impl SessionTls {
    /// `newest` is the newest version that is offered.
    pub(crate) fn new(
        site: &Site,
        settings: &Tls,
        material: &Material,
        trusted: Option<Fingerprint>,
        newest: Version,
    ) -> Result<Self> {
        // A zone is this machine's affair, not the server's (RFC 6874).
        let host = site.host.split('%').next().unwrap_or_default();
        let name = ServerName::try_from(host.to_owned()).map_err(|_| unreadable_name(site))?;
        let verifier = Arc::new(Verifier::new(
            material.chain.clone(),
            material.provider.signature_verification_algorithms,
            settings.pins.clone(),
            trusted,
        ));
        let not_usable =
            |error: rustls::Error| Error::new(Step::Tls, Kind::Usage, error.to_string());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&material.provider))
            .with_protocol_versions(versions(settings.minimum, newest))
            .map_err(not_usable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>);
        let mut config = match &material.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(|error| {
                    let text =
                        format!("the client certificate and its key cannot be used: {error}");
                    Error::new(Step::Tls, Kind::Usage, text)
                })?,
        };
        config.resumption = Resumption::store(Arc::new(Tickets::default()));
        Ok(Self {
            config: Arc::new(config),
            name,
            verifier,
        })
    }

    /// Our end of the next handshake of this session.
    pub(crate) fn side(&self) -> wharf_transfer::tls::Side {
        wharf_transfer::tls::Side::Client(Arc::clone(&self.config), self.name.clone())
    }

    /// The certificate that was not accepted, after a handshake that failed for it.
    pub(crate) fn rejected(&self) -> Option<Rejected> {
        self.verifier.rejected()
    }
}

/// Versions from `minimum` to `newest`; never none.
fn versions(minimum: Version, newest: Version) -> &'static [&'static SupportedProtocolVersion] {
    use rustls::version::{TLS12, TLS13};
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    static OLD: [&SupportedProtocolVersion; 1] = [&TLS12];
    static NEW: [&SupportedProtocolVersion; 1] = [&TLS13];
    match (minimum, newest) {
        (Version::Tls13, _) => &NEW,
        (Version::Tls12, Version::Tls12) => &OLD,
        (Version::Tls12, Version::Tls13) => &BOTH,
    }
}
