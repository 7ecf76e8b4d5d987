//! The FTP front end: control and data connections, and the doing of what the machine asks.
//!
//! The machine in `wharf-proto` decides what is said; this crate owns the sockets and turns actions
//! into operations on the session's view. Reply codes do not occur here: [`replies`] maps kinds of
//! failure, the machine chooses the code.
//!
//! This crate must not know another front end, nor a concrete volume.

pub mod advertised;
mod clock;
mod control_connection;
mod data_connection;
mod execute;
mod front_end;
mod passive_ports;
mod replies;
mod session;
pub mod settings;

#[cfg(test)]
mod tests;

pub use advertised::{Advertised, Rule, RuleAddress};
pub use front_end::FtpFrontEnd;
pub use settings::{DataSettings, ListSettings, Owners, PeerCheck, Settings};
