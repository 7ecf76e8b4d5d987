//! SSH, the client's end: whom to trust, who logs in, and the channels that SFTP and scp run on.
//!
//! The transport is `russh`; what is decided here is what OpenSSH's `ssh` decides: which host key is
//! the right one (`known_hosts`), what `~/.ssh/config` says of a host, which keys are tried and in
//! which order, and through which hosts the way leads.
//!
//! Nothing secret leaves before the host key is verified. Texts of a server pass [`plain`] before
//! anybody sees them. The environment is not read here: the binary passes the home directory and the
//! agent's socket in [`Ssh`].

mod algorithms;
mod authentication;
mod candidates;
mod config;
mod connection;
mod context;
mod diagnosis;
mod greeting;
mod host_key;
mod keys;
mod known_hosts;
mod learn;
mod options;
mod pattern;
mod pin;
pub(crate) mod scp;
pub(crate) mod sftp;
mod signer;
mod target;
mod text;
mod watch;

pub use options::{CopyProtocol, Ssh, UnknownHosts};
pub use pin::{HostKeyFacts, HostKeyPin};

pub(crate) use connection::Connection;
pub(crate) use context::Context;
pub(crate) use text::plain;
