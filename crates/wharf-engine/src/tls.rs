//! The TLS of all listeners: certificates, policy, and what one session may resume.
//!
//! [`Tls`] is live: it holds the certificates of now, a reload or a renewed file swaps them, and
//! sessions that are here keep theirs (TLS-10). [`SessionTls`] belongs to one control connection: its
//! configuration serves that connection and every data connection of it, with one certificate, and
//! resumes no TLS session but those that began under it (TLS-32). So "resumed" on a data connection
//! means that its peer holds the secrets of this session's control connection.
//!
//! TLS 1.2 with ECDHE and an AEAD, or TLS 1.3; no renegotiation, no compression, no 0-RTT (TLS-04,
//! TLS-05). The extended master secret (RFC 7627) is used whenever the peer offers it.
//!
//! This room must not know a protocol's words (the names for ALPN are a setting), move bytes, or
//! read the clock for anything but certificates.

mod acme;
mod certificate;
mod error;
mod files;
mod resolver;
mod self_signed;
mod session;
mod settings;
mod verifier;

use std::{
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustls::{
    CipherSuite, ServerConfig, SupportedCipherSuite,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, cipher_suite},
    },
    server::{NoServerSessionStorage, ProducesTickets},
    sign::CertifiedKey,
    version,
};

use wharf_accounts::CertificateRole;

use self::{acme::Challenges, certificate::Certified, files::Files, resolver::Directory};
pub use self::{
    certificate::{CertificateFacts, Origin, client_certificate, fingerprint},
    error::Error,
    self_signed::{PemPair, SELF_SIGNED_LIFETIME, self_signed},
    session::{MAX_SESSION_IDS, MAX_STORED_SESSION, SessionTls, Withheld},
    settings::{
        CertificateSource, ClientCertificates, ClientTrust, MinVersion, SessionReuse, Settings,
    },
};
use crate::engine::Current;

/// The result of an operation on the TLS of the listeners.
pub type Result<T> = std::result::Result<T, Error>;

/// TLS 1.3 tickets after every handshake, resumed ones too, so that a client that uses each once
/// never runs dry (TLS-31).
pub const TICKETS: usize = 2;

/// How often [`Tls::refresh`] is worth its reading.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(5);

/// What every listener needs to speak TLS, live.
pub struct Tls {
    current: Current<Snapshot>,
    inputs: Mutex<Inputs>,
    /// Seals the tickets of all sessions; outlives reloads so that present sessions go on resuming.
    seal: Arc<dyn ProducesTickets>,
    challenges: Arc<Challenges>,
}

/// What is in force, swapped as a whole.
struct Snapshot {
    base: ServerConfig,
    directory: Arc<Directory>,
    settings: Arc<Settings>,
}

/// What the snapshot was made from.
struct Inputs {
    settings: Arc<Settings>,
    files: Files,
    installed: Vec<Arc<Certified>>,
}

impl Tls {
    /// Reads all files and makes ready. Settings without any certificate are good: one may be
    /// [installed](Self::install) later; until then [`is_ready`](Self::is_ready) says no. Waits for the
    /// disk.
    ///
    /// # Errors
    /// The first file that cannot be used, and how to mend it.
    pub fn load(settings: Settings) -> Result<Self> {
        let settings = Arc::new(settings);
        let files = Files::read(&settings)?;
        let current = snapshot(&settings, &files, &[])?;
        Ok(Self {
            current: Current::new(current),
            inputs: Mutex::new(Inputs {
                settings,
                files,
                installed: Vec::new(),
            }),
            seal: aws_lc_rs::Ticketer::new().map_err(Error::Tls)?,
            challenges: Arc::default(),
        })
    }

    /// Takes over new settings and reads all files again; installed certificates stay. Sessions that
    /// are here keep what they have. Waits for the disk.
    ///
    /// # Errors
    /// As [`load`](Self::load); then everything stays as it was.
    pub fn reload(&self, settings: Settings) -> Result<()> {
        let settings = Arc::new(settings);
        let files = Files::read(&settings)?;
        let mut inputs = self.inputs();
        let next = snapshot(&settings, &files, &inputs.installed)?;
        inputs.settings = settings;
        inputs.files = files;
        self.current.store(next);
        Ok(())
    }

    /// Reads the files again and takes them over if one has changed: true then. Waits for the disk;
    /// worth calling every [`REFRESH_INTERVAL`].
    ///
    /// # Errors
    /// As [`load`](Self::load); then everything stays as it was, and the next call tries again. A
    /// certificate that was renewed before its key was is such an error, for as long as it lasts.
    pub fn refresh(&self) -> Result<bool> {
        let mut inputs = self.inputs();
        let files = Files::read(&inputs.settings)?;
        if files.digest == inputs.files.digest {
            return Ok(false);
        }
        let next = snapshot(&inputs.settings, &files, &inputs.installed)?;
        inputs.files = files;
        self.current.store(next);
        Ok(true)
    }

    /// Takes a certificate that stands in no configured file, as an ACME client gets it, in place of an
    /// installed one with the same names. It comes before self-signed certificates, so where only
    /// such a one is configured it becomes the default.
    ///
    /// # Errors
    /// [`Error::Pair`] when the two do not fit or are not understood; then everything stays.
    pub fn install(&self, pair: &PemPair) -> Result<()> {
        let certified = Arc::new(Certified::from_pair(pair, &provider())?);
        let mut inputs = self.inputs();
        let mut installed = inputs.installed.clone();
        installed.retain(|other| !other.facts.has_names_of(&certified.facts));
        installed.push(certified);
        let next = snapshot(&inputs.settings, &inputs.files, &installed)?;
        inputs.installed = installed;
        self.current.store(next);
        Ok(())
    }

    /// Whether there is a certificate to show. Without one a handshake is refused, so nothing should
    /// be offered (TLS-13).
    pub fn is_ready(&self) -> bool {
        !self.current.load().directory.is_empty()
    }

    /// What a verified client certificate is good for.
    pub fn certificate_role(&self) -> CertificateRole {
        self.current.load().settings.client_certificates.role()
    }

    /// What a new control connection uses.
    pub fn session(&self) -> SessionTls {
        let current = self.current.load();
        SessionTls::new(
            &current.base,
            &current.settings,
            Arc::clone(&current.directory),
            Arc::clone(&self.seal),
        )
    }

    /// What there is to know of the certificates in force, the default one first.
    pub fn certificates(&self) -> Vec<CertificateFacts> {
        self.current.load().directory.facts()
    }

    /// Answers a `tls-alpn-01` challenge for `domain` (RFC 8737) with `certificate`.
    pub fn set_challenge(&self, domain: &str, certificate: Arc<CertifiedKey>) {
        self.challenges.set(domain, certificate);
    }

    /// Answers challenges for `domain` no more.
    pub fn clear_challenge(&self, domain: &str) {
        self.challenges.clear(domain);
    }

    /// The configuration of a listener that answers `tls-alpn-01` challenges: it takes connections
    /// with `acme-tls/1` alone, and none whose name has no challenge. Sessions never accept
    /// `acme-tls/1`.
    ///
    /// # Errors
    /// [`Error::Tls`] should the library refuse its own defaults.
    pub fn challenge_config(&self) -> Result<Arc<ServerConfig>> {
        let resolver = Arc::clone(&self.challenges);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(Error::Tls)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![acme::PROTOCOL.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    fn inputs(&self) -> MutexGuard<'_, Inputs> {
        // Every change assigns whole values.
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is in force after reading `files`: the certificates of the files in their order, those that
/// are installed before the first self-signed one.
fn snapshot(
    settings: &Arc<Settings>,
    files: &Files,
    installed: &[Arc<Certified>],
) -> Result<Snapshot> {
    let provider = provider();
    let mut certificates = files.certificates(settings, &provider)?;
    let before = certificates
        .iter()
        .position(|certified| certified.facts.self_signed)
        .unwrap_or(certificates.len());
    certificates.splice(before..before, installed.iter().cloned());
    let directory = Arc::new(Directory::new(certificates));
    let versions: &[_] = match settings.min_version {
        MinVersion::Tls12 => &[&version::TLS13, &version::TLS12],
        MinVersion::Tls13 => &[&version::TLS13],
    };
    let verifier = verifier::verifier(&settings.client_certificates, files, &provider)?;
    let mut base = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(Error::Tls)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::clone(&directory) as _);
    base.ignore_client_order = true;
    base.alpn_protocols.clone_from(&settings.alpn);
    // Nothing is resumed but by a session's own memory.
    base.session_storage = Arc::new(NoServerSessionStorage {});
    base.send_tls13_tickets = 0;
    base.max_early_data_size = 0;
    Ok(Snapshot {
        base,
        directory,
        settings: Arc::clone(settings),
    })
}

/// The one crypto provider, with the suites that are offered in the order of preference.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider {
            cipher_suites: suites(has_aes()),
            ..aws_lc_rs::default_provider()
        })
    });
    Arc::clone(&PROVIDER)
}

/// ECDHE with an AEAD, nothing else (TLS-05). AES-128-GCM comes first where the processor has AES: it
/// is the fastest there and strong enough; elsewhere ChaCha20 is.
fn suites(aes: bool) -> Vec<SupportedCipherSuite> {
    let mut suites = vec![
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    if !aes {
        suites.sort_by_key(|suite| {
            !matches!(
                suite.suite(),
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
                    | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
                    | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            )
        });
    }
    suites
}

/// Whether the processor has instructions for AES.
fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
pub(crate) mod tests;
