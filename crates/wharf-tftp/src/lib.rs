//! The TFTP front end: requests, the transactions that they begin, and which client gets what
//! (RFC 1350, 2347, 2348, 2349, 7440).
//!
//! The machines in `wharf-proto` decide what is said; this crate turns a request into an open file of a
//! session's view and carries datagrams between the machine and the socket. Nobody logs in over TFTP:
//! the client's network, or its hardware address, decides whose view it gets.
//!
//! This crate must not know another front end, nor a concrete volume.

mod clock;
mod content;
pub mod directory;
pub mod error_codes;
mod front_end;
pub mod mac;
mod mailbox;
pub mod name;
pub mod neighbours;
pub mod policy;
pub mod rewrite;
mod server;
pub mod settings;
mod template;
mod transaction;
mod transactions;
mod wire;

pub use front_end::TftpFrontEnd;
pub use mac::Mac;
pub use settings::{ClientRule, MtuCap, Settings, WriteMode};
pub use template::TemplateError;

#[cfg(test)]
mod tests;
