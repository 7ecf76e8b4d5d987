//! RFC 1123 4.1: requirements for Internet hosts, FTP.

mod extensions;
