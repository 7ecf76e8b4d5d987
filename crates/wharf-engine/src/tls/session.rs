//! What one control connection may resume, and with which certificate.
//!
//! Tickets of all sessions are sealed by one set of keys, which the library rotates every six hours;
//! inside the seal stands a tag of 32 random octets that belongs to one session (TLS-32). A ticket
//! with another tag is as good as none: a full handshake follows. TLS 1.2 clients that use session
//! ids find theirs in a small store of the session.
//!
//! So a session costs its configuration and this memory, some 420 bytes without keys or caches, and
//! only with a TLS 1.2 client the few sessions of [`MAX_SESSION_IDS`] on top.
//!
//! This room must not let go of a certificate once shown: the data connections of a session show
//! what its control connection showed, after a reload too (TLS-10).

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::{
    ServerConfig,
    server::{ClientHello, ProducesTickets, ResolvesServerCert, StoresServerSessions},
    sign::CertifiedKey,
};
use subtle::ConstantTimeEq as _;
use wharf_accounts::CertificateRole;

use super::{SessionReuse, Settings, TICKETS, resolver::Directory};

/// TLS 1.2 sessions that one control connection remembers by id; the one used longest ago gives way.
pub const MAX_SESSION_IDS: usize = 4;
/// Largest TLS 1.2 session that is remembered by id, in bytes; it holds the peer's certificates.
pub const MAX_STORED_SESSION: usize = 8 << 10;

/// Octets of a tag.
const TAG: usize = 32;

/// The TLS of one control connection and of its data connections.
#[derive(Clone)]
pub struct SessionTls {
    config: Arc<ServerConfig>,
    settings: Arc<Settings>,
    memory: Arc<SessionMemory>,
}

impl SessionTls {
    pub(super) fn new(
        base: &ServerConfig,
        settings: &Arc<Settings>,
        directory: Arc<Directory>,
        seal: Arc<dyn ProducesTickets>,
    ) -> Self {
        let mut tag = [0; TAG];
        // Without a tag of its own a session resumes nothing.
        let random = getrandom::fill(&mut tag).is_ok();
        let memory = Arc::new(SessionMemory {
            directory,
            shown: OnceLock::new(),
            seal,
            tag,
            ids: Mutex::default(),
            withheld: AtomicUsize::new(0),
        });
        let mut config = base.clone();
        if random && settings.session_reuse != SessionReuse::Off {
            config.ticketer = Arc::clone(&memory) as _;
            config.session_storage = Arc::clone(&memory) as _;
            config.send_tls13_tickets = TICKETS;
        }
        config.cert_resolver = Arc::clone(&memory) as _;
        Self {
            config: Arc::new(config),
            settings: Arc::clone(settings),
            memory,
        }
    }

    /// The configuration of every connection of this session.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// As long as this lives, no handshake of the session gives anything that could be resumed: for a
    /// data connection that does not resume where it must. It would else have all it needs for the
    /// next one.
    pub fn withhold(&self) -> Withheld {
        self.memory.withheld.fetch_add(1, Ordering::Relaxed);
        Withheld(Arc::clone(&self.memory))
    }

    /// What a data connection that does not resume this session gets.
    pub fn reuse(&self) -> SessionReuse {
        self.settings.session_reuse
    }

    /// Whether an upload that ends without close_notify is an aborted one.
    pub fn require_close_notify(&self) -> bool {
        self.settings.require_close_notify
    }

    /// What a verified client certificate is good for.
    pub fn certificate_role(&self) -> CertificateRole {
        self.settings.client_certificates.role()
    }
}

/// See [`SessionTls::withhold`].
#[must_use = "dropping it ends it"]
#[derive(Debug)]
pub struct Withheld(Arc<SessionMemory>);

impl Drop for Withheld {
    fn drop(&mut self) {
        self.0.withheld.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a session remembers.
struct SessionMemory {
    directory: Arc<Directory>,
    /// The certificate of the first handshake.
    shown: OnceLock<Arc<CertifiedKey>>,
    seal: Arc<dyn ProducesTickets>,
    tag: [u8; TAG],
    ids: Mutex<Vec<Stored>>,
    /// While there are any, nothing is given that could be resumed.
    withheld: AtomicUsize,
}

/// A TLS 1.2 session under its id.
struct Stored {
    id: Vec<u8>,
    session: Vec<u8>,
}

impl SessionMemory {
    fn is_withheld(&self) -> bool {
        self.withheld.load(Ordering::Relaxed) > 0
    }

    fn ids(&self) -> MutexGuard<'_, Vec<Stored>> {
        // Every change leaves a whole list.
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SessionMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionMemory(..)")
    }
}

impl ProducesTickets for SessionMemory {
    fn enabled(&self) -> bool {
        self.seal.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.seal.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        if self.is_withheld() {
            return None;
        }
        self.seal.encrypt(&[&self.tag, plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let opened = self.seal.decrypt(cipher)?;
        let (tag, plain) = opened.split_first_chunk::<TAG>()?;
        bool::from(tag.ct_eq(&self.tag)).then(|| plain.to_vec())
    }
}

impl StoresServerSessions for SessionMemory {
    fn put(&self, id: Vec<u8>, session: Vec<u8>) -> bool {
        if self.is_withheld() || session.len() > MAX_STORED_SESSION {
            return false;
        }
        let mut ids = self.ids();
        ids.retain(|stored| stored.id != id);
        if ids.len() >= MAX_SESSION_IDS {
            ids.remove(0);
        }
        ids.push(Stored { id, session });
        true
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        let mut ids = self.ids();
        let place = ids.iter().position(|stored| stored.id == id)?;
        let stored = ids.remove(place);
        let session = stored.session.clone();
        ids.push(stored);
        Some(session)
    }

    fn take(&self, id: &[u8]) -> Option<Vec<u8>> {
        let mut ids = self.ids();
        let place = ids.iter().position(|stored| stored.id == id)?;
        Some(ids.remove(place).session)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for SessionMemory {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(shown) = self.shown.get() {
            return Some(Arc::clone(shown));
        }
        let chosen = self.directory.resolve(hello)?;
        Some(Arc::clone(self.shown.get_or_init(|| chosen)))
    }
}

/// Bytes of a session's configuration that no other session shares.
#[cfg(test)]
pub(super) fn memory_size(config: &ServerConfig) -> usize {
    // Strong and weak count of an `Arc`.
    let counts = 2 * size_of::<usize>();
    let alpn = config.alpn_protocols.iter();
    counts
        + size_of_val(config)
        + counts
        + size_of::<SessionMemory>()
        + alpn
            .map(|name| size_of_val(name) + name.capacity())
            .sum::<usize>()
        + (config.cert_compressors.len() + config.cert_decompressors.len()) * 2 * size_of::<usize>()
}
