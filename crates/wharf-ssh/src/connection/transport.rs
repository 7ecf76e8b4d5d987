//! What the transport is told: algorithms, limits, host keys.
//!
//! Strict key exchange is always offered (CVE-2023-48795). Names that nobody should offer any more
//! (SFT-03) are not taken from the settings either.

use std::{borrow::Cow, sync::Arc, time::Duration};

use russh::{Limits, Preferred, SshId, cipher, compression, kex, mac, server::Config};
use ssh_key::Algorithm;
use wharf_accounts::Proofs;

use crate::{Algorithms, Settings, authentication};

/// What a peer may send before it must wait for us, octets per channel (SFT-09 has a quarter of it): over
/// 50 ms it lets 80 MB/s through, since half of it may be under way before it is renewed. What is read
/// is bounded elsewhere ([`crate::stream`]), and this is no memory of ours.
const WINDOW: u32 = 8 * 1024 * 1024;

/// Messages that wait for the session's task: what holds back late work while a peer has no room.
const QUEUE: usize = 8;

/// Never, whatever the settings say: broken, or no protection at all.
const NEVER: [&str; 6] = [
    "none",
    "clear",
    "3des-cbc",
    "diffie-hellman-group1-sha1",
    "ssh-dss",
    "ssh-dsa",
];

/// An algorithm's name that means nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no {kind} that can be offered; these can: {known}")]
pub struct UnknownAlgorithm {
    name: String,
    kind: &'static str,
    known: String,
}

impl Default for Algorithms {
    /// What is offered unless somebody says otherwise: nothing that `ssh-audit` warns of.
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            kex: owned(&[
                "mlkem768x25519-sha256",
                "curve25519-sha256",
                "curve25519-sha256@libssh.org",
                "diffie-hellman-group18-sha512",
                "diffie-hellman-group16-sha512",
            ]),
            ciphers: owned(&[
                "chacha20-poly1305@openssh.com",
                "aes256-gcm@openssh.com",
                "aes128-gcm@openssh.com",
                "aes256-ctr",
                "aes192-ctr",
                "aes128-ctr",
            ]),
            macs: owned(&[
                "hmac-sha2-256-etm@openssh.com",
                "hmac-sha2-512-etm@openssh.com",
            ]),
            signatures: owned(&[
                "ssh-ed25519",
                "rsa-sha2-512",
                "rsa-sha2-256",
                "ecdsa-sha2-nistp256",
                "ecdsa-sha2-nistp384",
                "ecdsa-sha2-nistp521",
                "sk-ssh-ed25519@openssh.com",
                "sk-ecdsa-sha2-nistp256@openssh.com",
            ]),
            compression: owned(&["none", "zlib@openssh.com"]),
        }
    }
}

impl Algorithms {
    /// Whether every name means something, and none that nobody should offer.
    ///
    /// # Errors
    /// [`UnknownAlgorithm`], with the names that do.
    pub fn check(&self) -> Result<(), UnknownAlgorithm> {
        self.preferred().map(|_| ())
    }

    fn preferred(&self) -> Result<Preferred, UnknownAlgorithm> {
        let mut kex = known("key exchange", &self.kex, kex::ALL_KEX_ALGORITHMS)?;
        kex.extend([
            kex::EXTENSION_SUPPORT_AS_SERVER,
            kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
        ]);
        let signatures = Self::default().signatures;
        let key = self
            .signatures
            .iter()
            .map(|name| {
                name.parse::<Algorithm>()
                    .ok()
                    .filter(|algorithm| {
                        !NEVER.contains(&name.as_str())
                            && !matches!(algorithm, Algorithm::Other(_) | Algorithm::Dsa)
                    })
                    .ok_or_else(|| UnknownAlgorithm {
                        name: name.clone(),
                        kind: "signature",
                        known: format!("{}, ssh-rsa", signatures.join(", ")),
                    })
            })
            .collect::<Result<_, _>>()?;
        // `none` is what most peers want, and the only name in this list that is not weak.
        let compression = self
            .compression
            .iter()
            .map(|name| {
                compression::ALL_COMPRESSION_ALGORITHMS
                    .iter()
                    .find(|known| known.as_ref() == name)
                    .map(|known| **known)
                    .ok_or_else(|| UnknownAlgorithm {
                        name: name.clone(),
                        kind: "compression",
                        known: "none, zlib@openssh.com, zlib".to_owned(),
                    })
            })
            .collect::<Result<_, _>>()?;
        Ok(Preferred {
            kex: Cow::Owned(kex),
            key: Cow::Owned(key),
            host_key_certificates: Cow::Borrowed(&[]),
            cipher: Cow::Owned(known("cipher", &self.ciphers, cipher::ALL_CIPHERS)?),
            mac: Cow::Owned(known("MAC", &self.macs, mac::ALL_MAC_ALGORITHMS)?),
            compression: Cow::Owned(compression),
        })
    }
}

fn known<N: AsRef<str> + Copy>(
    kind: &'static str,
    names: &[String],
    all: &[&'static N],
) -> Result<Vec<N>, UnknownAlgorithm> {
    let name_of = |known: &&'static N| -> &'static str { (**known).as_ref() };
    let good = || all.iter().filter(|known| !NEVER.contains(&name_of(known)));
    names
        .iter()
        .map(|name| {
            good()
                .find(|known| name_of(known) == name)
                .map(|known| **known)
                .ok_or_else(|| UnknownAlgorithm {
                    name: name.clone(),
                    kind,
                    known: good().map(name_of).collect::<Vec<_>>().join(", "),
                })
        })
        .collect()
}

/// The MACs that come last, for the peers of which [`super::identification`] knows.
const OLDER_MACS: [&str; 2] = ["hmac-sha2-256", "hmac-sha2-512"];

/// The transport's configurations, made once.
#[derive(Clone)]
pub(crate) struct Configs {
    /// For nearly everybody.
    pub(super) usual: Arc<Config>,
    /// For those who know no MAC over the ciphertext.
    pub(super) older: Arc<Config>,
}

/// What we call ourselves (SFT-01).
pub(super) const fn identification(settings: &Settings) -> &'static str {
    if settings.reveal {
        concat!("SSH-2.0-Wharf_", env!("CARGO_PKG_VERSION"))
    } else {
        "SSH-2.0-Wharf"
    }
}

/// The transport's configurations. Who names MACs in the settings means these and no others.
pub(crate) fn configs(settings: &Settings) -> Configs {
    let usual = config(settings, &settings.algorithms);
    if settings.algorithms.macs != Algorithms::default().macs {
        let older = Arc::clone(&usual);
        return Configs { usual, older };
    }
    let mut algorithms = settings.algorithms.clone();
    algorithms.macs.extend(OLDER_MACS.map(str::to_owned));
    let older = config(settings, &algorithms);
    Configs { usual, older }
}

/// The transport's configuration. Algorithms that mean nothing are left out: the binary has checked
/// them.
fn config(settings: &Settings, algorithms: &Algorithms) -> Arc<Config> {
    let id = identification(settings);
    let preferred = algorithms
        .preferred()
        .or_else(|_| Algorithms::default().preferred())
        .unwrap_or_default();
    Arc::new(Config {
        server_id: SshId::Standard(Cow::Borrowed(id)),
        methods: authentication::methods(Proofs::PASSWORD.with(Proofs::PUBLIC_KEY)),
        // Delays are the engine's, by address and number of failures.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: None,
        keys: settings.host_keys.private(),
        certificates: Vec::new(),
        limits: Limits {
            rekey_write_limit: settings.rekey_bytes,
            rekey_read_limit: settings.rekey_bytes,
            rekey_time_limit: settings.rekey_time,
        },
        window_size: WINDOW,
        maximum_packet_size: settings.packet_size,
        // Nobody reads from the transport's own channels: data come by the callback.
        channel_buffer_size: 1,
        event_buffer_size: QUEUE,
        preferred,
        // The first, `none`, asks for the methods only.
        max_auth_attempts: settings.max_auth_attempts.saturating_add(1),
        // Ours: what counts is what happens on the channels.
        inactivity_timeout: None,
        keepalive_interval: None,
        keepalive_max: 0,
        nodelay: false,
    })
}
