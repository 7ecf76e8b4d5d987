//! What an FTP listener is told: plain, validated values. Only the binary knows where they come from.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use wharf_engine::tls::Tls;
use wharf_proto::ftp::server::Settings as MachineSettings;

use crate::Advertised;

/// Settings of one FTP service.
#[derive(Clone)]
pub struct Settings {
    /// What the machine is told.
    pub machine: Arc<MachineSettings>,
    /// Certificates and policy of TLS; `None` where it is not offered.
    pub tls: Option<Arc<Tls>>,
    /// Data connections.
    pub data: DataSettings,
    /// Listings.
    pub list: ListSettings,
    /// Largest file that is hashed, octets.
    pub hash_max_bytes: u64,
    /// Largest file whose size in TYPE A is counted, octets.
    pub ascii_size_max: u64,
    /// The most that SITE IDLE may ask for.
    pub idle_max: Duration,
}

impl Settings {
    /// What the machine of a new session is told: TLS is offered while there is a certificate.
    pub(crate) fn machine_now(&self) -> Arc<MachineSettings> {
        let is_ready = || self.tls.as_ref().is_some_and(|tls| tls.is_ready());
        if !self.machine.tls.offered || is_ready() {
            return Arc::clone(&self.machine);
        }
        let mut machine = MachineSettings::clone(&self.machine);
        machine.tls.offered = false;
        Arc::new(machine)
    }
}

/// Settings of data connections.
#[derive(Clone, Debug)]
pub struct DataSettings {
    /// Ports of passive listeners; never one outside.
    pub passive_ports: RangeInclusive<u16>,
    /// The address in 227.
    pub advertised: Arc<Advertised>,
    /// How long to wait for a client on a passive port.
    pub accept_timeout: Duration,
    /// How long an active connection may take.
    pub connect_timeout: Duration,
    /// No octet for so long ends a transfer.
    pub stall_timeout: Duration,
    /// Whether PORT and EPRT are allowed.
    pub active: bool,
    /// Whether a transfer without any set-up goes to the client's control port (RFC 959 3.2).
    pub default_port: bool,
    /// Who may connect to a passive port.
    pub peer_check: PeerCheck,
}

/// Who may connect to a passive port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerCheck {
    /// The address of the control connection only.
    Exact,
    /// Addresses that share so many leading bits with it (IPv4, IPv6).
    Prefix(u8, u8),
    /// Anybody: only for networks that change a client's address between connections.
    Off,
}

/// Settings of listings. How many entries one may have is the view's
/// ([`wharf_vfs::ViewSettings::list_max_entries`]).
#[derive(Clone, Debug)]
pub struct ListSettings {
    /// Whose names stand in the owner and group columns.
    pub owners: Owners,
}

/// What the owner and group columns show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owners {
    /// The name of the session's account.
    Session,
    /// The numbers that the volume knows.
    Numeric,
    /// Always these.
    Fixed(String, String),
}
