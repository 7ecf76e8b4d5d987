//! Which client certificates are good (TLS-09).
//!
//! Chain, validity and purpose are checked against the configured authorities, and revocation of the
//! certificate itself against the configured lists. An age of a list is not looked at: a list that
//! could not be renewed in time must not shut everybody out.

use std::sync::Arc;

use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use super::{ClientCertificates, Error, Result, files::Files};

pub(super) fn verifier(
    policy: &ClientCertificates,
    files: &Files,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>> {
    let Some(trust) = policy.trust() else {
        return Ok(WebPkiClientVerifier::no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for path in &trust.authorities {
        for authority in files.chain(path)? {
            roots
                .add(authority)
                .map_err(|error| Error::content(path, format!("not an authority: {error}")))?;
        }
    }
    let mut lists = Vec::new();
    for path in &trust.revocations {
        lists.extend(files.revocations(path)?);
    }
    let mut builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .with_crls(lists)
            .only_check_end_entity_revocation();
    if matches!(policy, ClientCertificates::Request(_)) {
        builder = builder.allow_unauthenticated();
    }
    builder
        .build()
        .map_err(|error| Error::ClientTrust(error.to_string()))
}
