//! SSH as the listener sees it.

use std::{future::Future, sync::Arc};

use wharf_engine::{Connection, Engine, FrontEnd, engine::Current};

use crate::{
    Settings,
    connection::{self, Configs},
};

/// What somebody gets who is turned away at the door: a line before the identification, which
/// clients show (RFC 4253 section 4.2).
const REFUSAL: &[u8] = b"Too many connections, try again later.\r\n";

/// The SSH service: what its connections share.
pub struct SshFrontEnd {
    engine: Arc<Engine>,
    current: Current<Arc<Generation>>,
}

/// Settings, and the transport's configurations made of them once.
struct Generation {
    settings: Arc<Settings>,
    configs: Configs,
}

impl Generation {
    fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            configs: connection::configs(&settings),
            settings: Arc::new(settings),
        })
    }
}

impl SshFrontEnd {
    /// A service over `engine`.
    pub fn new(engine: Arc<Engine>, settings: Settings) -> Self {
        Self {
            engine,
            current: Current::new(Generation::new(settings)),
        }
    }

    /// Changes the settings for connections to come.
    pub fn reload(&self, settings: Settings) {
        self.current.store(Generation::new(settings));
    }

    /// The settings of now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.current.load().settings)
    }

    pub(crate) fn current(&self) -> (Arc<Settings>, Configs) {
        let now = self.current.load();
        (Arc::clone(&now.settings), now.configs.clone())
    }

    pub(crate) const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub(crate) const fn name(&self) -> &'static str {
        "ssh"
    }
}

impl FrontEnd for SshFrontEnd {
    fn service(&self) -> &'static str {
        self.name()
    }

    fn refusal(&self) -> &[u8] {
        REFUSAL
    }

    fn serve(self: Arc<Self>, connection: Connection) -> impl Future<Output = ()> + Send {
        connection::serve(self, connection)
    }
}
