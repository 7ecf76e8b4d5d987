//! RFC 959: the File Transfer Protocol.

mod abort;
mod access;
mod data_connections;
mod directories;
mod lines;
mod listings;
mod parameters;
mod rename;
mod status;
mod transfers;
