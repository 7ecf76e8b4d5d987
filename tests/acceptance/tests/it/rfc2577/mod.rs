//! RFC 2577: FTP security considerations.

mod bounce;
mod floods;
mod stealing;
