//! RFC 2428: FTP extensions for IPv6 and NATs.

mod extended_addresses;
