//! RFC 4217: FTP over TLS.

mod active;
mod authentication;
mod clearing;
mod client_certificates;
mod data;
mod ending;
mod handshakes;
mod implicit;
mod injection;
mod order;
mod policy;
mod protection;
mod protocols;
mod resumption;
mod versions;
