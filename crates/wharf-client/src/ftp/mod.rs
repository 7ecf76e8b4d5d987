//! FTP from the client's side: the control connection and its data connections.
//!
//! The [machine](wharf_proto::ftp::client) knows what may be said; here are sockets, time limits and the
//! choice of the next way when one is refused (RPL-57).

mod data;
mod directory;
mod hash;
mod list;
pub(crate) mod memory;
mod security;
pub(crate) mod session;

pub(crate) use data::Running;
pub(crate) use list::read_within;
pub(crate) use session::Session;
