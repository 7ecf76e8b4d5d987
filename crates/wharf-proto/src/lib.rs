//! What bytes mean: the file-transfer protocols as pure machines.
//!
//! Bytes go in, *actions* come out; outcomes go in, bytes come out. Nothing here opens a socket or a
//! file, reads a clock or draws a random number, so a whole conversation is a unit test and a fuzz
//! target is a page. Server and client of one protocol share one verb table and one set of codecs.
//!
//! This crate must not depend on any other crate of Wharf, nor on a runtime.

pub mod ftp;
pub mod scp;
pub mod sftp;
pub mod tftp;
