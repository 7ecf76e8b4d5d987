//! FTP as the listener sees it.

use std::{future::Future, sync::Arc};

use wharf_engine::{Connection, Engine, FrontEnd, engine::Current, events::Event};
use wharf_proto::ftp::server::Server;

use crate::{Settings, clock, control_connection};

/// The FTP service: what its sessions share.
pub struct FtpFrontEnd {
    engine: Arc<Engine>,
    settings: Current<Arc<Settings>>,
    /// What somebody gets who is turned away at the door: the machine's words, said once; nothing
    /// where only TLS is understood.
    refusal: Vec<u8>,
    /// TLS comes first.
    implicit: bool,
}

impl FtpFrontEnd {
    /// A service over `engine` whose sessions begin in the clear; AUTH brings TLS.
    pub fn new(engine: Arc<Engine>, settings: Settings) -> Self {
        let mut machine = Server::new(Arc::clone(&settings.machine), clock::now());
        machine.refuse("Too many connections, try again later.");
        let mut refusal = Vec::new();
        while machine.poll_transmit(&mut refusal) {}
        Self {
            engine,
            settings: Current::new(Arc::new(settings)),
            refusal,
            implicit: false,
        }
    }

    /// The same service with TLS from the first octet (port 990), as `ftps`.
    pub fn implicit(engine: Arc<Engine>, settings: Settings) -> Self {
        Self {
            refusal: Vec::new(),
            implicit: true,
            ..Self::new(engine, settings)
        }
    }

    /// Changes the settings for sessions to come.
    pub fn reload(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// The settings of now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.load())
    }

    /// Tells of an event that is no session's.
    pub fn tell(&self, event: &Event<'_>) {
        self.engine.tell(self.name(), event);
    }

    pub(crate) const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub(crate) const fn name(&self) -> &'static str {
        if self.implicit { "ftps" } else { "ftp" }
    }

    pub(crate) const fn is_implicit(&self) -> bool {
        self.implicit
    }
}

impl FrontEnd for FtpFrontEnd {
    fn service(&self) -> &'static str {
        self.name()
    }

    fn refusal(&self) -> &[u8] {
        &self.refusal
    }

    fn urgent_in_line(&self) -> bool {
        true
    }

    fn serve(self: Arc<Self>, connection: Connection) -> impl Future<Output = ()> + Send {
        control_connection::serve(self, connection)
    }
}
