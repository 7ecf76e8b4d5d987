//! The SSH front end: connections, authentication, and what runs on their channels, SFTP and SCP.
//!
//! russh owns the transport; the wall stands at the channel: bytes of one channel in, bytes out. The
//! machines in `wharf-proto` decide what is said on it, this crate turns their requests into
//! operations on the session's view.
//!
//! This crate must not know another front end, nor a concrete volume, and must never run a program.

mod authentication;
mod channel;
mod clock;
mod connection;
mod exec;
mod front_end;
pub mod host_keys;
mod scp;
mod settings;
mod sftp;
mod status;
mod stream;

pub use connection::UnknownAlgorithm;
pub use front_end::SshFrontEnd;
pub use host_keys::{HostKey, HostKeyError, HostKeyKind, HostKeys};
pub use settings::{Algorithms, RealPath, Settings, SftpSettings, SymlinkOrder};

#[cfg(test)]
mod tests;
