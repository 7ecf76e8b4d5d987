//! The PEM files behind the settings: read in one go, so that a change is seen as a whole.
//!
//! Whether something has changed is told by a digest of the contents, not by times of modification:
//! renewals by rename, by link and by rewriting within one tick are all seen.

#![expect(
    clippy::disallowed_methods,
    reason = "the certificates, keys and lists that the configuration names"
)]

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject as _},
};
use sha2::{Digest as _, Sha256};

use super::{
    Error, Result, Settings,
    certificate::{Certified, Origin},
};

/// Most bytes of one file; lists of revoked certificates are the largest.
const MAX_FILE: u64 = 32 << 20;

/// All files of some settings as they were at one moment.
pub(super) struct Files {
    contents: BTreeMap<PathBuf, Content>,
    /// Of every path and content.
    pub(super) digest: [u8; 32],
}

struct Content {
    bytes: Vec<u8>,
    /// Whether everybody on this host can read it.
    exposed: bool,
}

impl Files {
    /// Reads what `settings` name.
    pub(super) fn read(settings: &Settings) -> Result<Self> {
        let pairs = settings.certificates.iter();
        let pairs = pairs.flat_map(|source| [&source.certificate, &source.key]);
        let trust = settings.client_certificates.trust();
        let trust = trust.into_iter();
        let trust = trust.flat_map(|trust| trust.authorities.iter().chain(&trust.revocations));
        let mut contents = BTreeMap::new();
        for path in pairs.chain(trust) {
            if !contents.contains_key(path) {
                contents.insert(path.clone(), content(path)?);
            }
        }
        let mut digest = Sha256::new();
        for (path, content) in &contents {
            digest.update(Sha256::digest(path.as_os_str().as_encoded_bytes()));
            digest.update([u8::from(content.exposed)]);
            digest.update(Sha256::digest(&content.bytes));
        }
        Ok(Self {
            contents,
            digest: digest.finalize().into(),
        })
    }

    /// The certificates with their keys, in the order of the settings.
    pub(super) fn certificates(
        &self,
        settings: &Settings,
        provider: &CryptoProvider,
    ) -> Result<Vec<Arc<Certified>>> {
        let sources = settings.certificates.iter();
        let certified = sources.map(|source| {
            let chain = self.chain(&source.certificate)?;
            let key = self.content(&source.key)?;
            let secret = PrivateKeyDer::from_pem_slice(&key.bytes)
                .map_err(|_| Error::content(&source.key, missing_key(&key.bytes)))?;
            let origin = Origin::Files(source.clone());
            Certified::new(chain, secret, origin, key.exposed, provider)
                .map(Arc::new)
                .map_err(|reason| Error::content(&source.certificate, reason))
        });
        certified.collect()
    }

    /// All certificates of a file; at least one.
    pub(super) fn chain(&self, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.content(path)?.bytes)
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| Error::content(path, format!("not a PEM file: {error}")))?;
        if chain.is_empty() {
            return Err(Error::content(
                path,
                "no certificate in it; a PEM block `CERTIFICATE` was expected",
            ));
        }
        Ok(chain)
    }

    /// All revocation lists of a file; at least one.
    pub(super) fn revocations(
        &self,
        path: &Path,
    ) -> Result<Vec<CertificateRevocationListDer<'static>>> {
        let lists: Vec<_> =
            CertificateRevocationListDer::pem_slice_iter(&self.content(path)?.bytes)
                .collect::<std::result::Result<_, _>>()
                .map_err(|error| Error::content(path, format!("not a PEM file: {error}")))?;
        if lists.is_empty() {
            return Err(Error::content(
                path,
                "no revocation list in it; a PEM block `X509 CRL` was expected",
            ));
        }
        Ok(lists)
    }

    fn content(&self, path: &Path) -> Result<&Content> {
        self.contents
            .get(path)
            .ok_or_else(|| Error::content(path, "was not read"))
    }
}

fn missing_key(bytes: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(bytes);
    if text.contains("ENCRYPTED") {
        "the private key is encrypted; store it without a passphrase, readable for the service alone \
         (openssl pkey -in old.pem -out new.pem)"
    } else {
        "no private key in it; a PEM block `PRIVATE KEY` was expected"
    }
}

fn content(path: &Path) -> Result<Content> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE) {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            limit: MAX_FILE,
        });
    }
    #[cfg(unix)]
    let exposed = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o007 != 0;
    #[cfg(not(unix))]
    let exposed = {
        let _ = metadata;
        false
    };
    Ok(Content { bytes, exposed })
}
