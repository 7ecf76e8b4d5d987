//! FTP: RFC 959 with 1123, 2228, 2389, 2428, 2577, 2640, 3659 and 4217, both ends.
//!
//! [`verb`] is the one table of verbs; [`server`] and [`client`] are the machines; the rest are the
//! codecs that both use. A code or a text of a reply is written in `server/texts` and nowhere else.

pub mod ascii;
pub mod client;
pub mod command;
pub mod decimal;
pub mod facts;
pub mod feature;
pub mod host_port;
pub mod line;
pub mod listing;
pub mod media_type;
pub mod pathname;
pub mod reply;
pub mod security;
pub mod server;
pub mod sink;
pub mod telnet;
pub mod time;
pub mod verb;

pub use pathname::Pathname;
pub use security::{Mechanism, Protection};
