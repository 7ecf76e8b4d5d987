//! SFTP version 3 (draft-ietf-secsh-filexfer-02) with OpenSSH's extensions, both ends.
//!
//! One set of codecs ([`Request`], [`Response`], [`Attributes`], [`extension`]) and two machines on
//! it: [`server::Server`] turns what a peer sends into requests in an order that may be executed,
//! [`client::Client`] matches what a server answers with what was asked. Requests and responses
//! borrow from the octets they came in; the payload of READ, WRITE and DATA is never copied by a
//! codec. Nothing is allocated from a length that a peer claims.
//!
//! It must not know what a handle stands for, nor what a path leads to: that is the driver's.

#[cfg(test)]
mod arbitrary;
pub mod attributes;
pub mod client;
pub mod extension;
pub mod flags;
pub mod longname;
pub mod packet;
pub mod request;
pub mod response;
pub mod server;
pub mod status;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod transcript;

pub use attributes::{Attributes, FileType};
pub use extension::Extended;
pub use flags::OpenFlags;
pub use packet::RequestId;
pub use request::Request;
pub use response::Response;
pub use status::StatusCode;

/// The version that is spoken.
pub const VERSION: u32 = 3;

/// Longest packet that is taken or made, in octets behind its length field (SFT-20).
pub const MAX_PACKET: usize = 262_144;

/// Most octets of one READ or WRITE (SFT-33, SFT-55): room stays for every other field.
pub const MAX_DATA: u32 = 261_120;

/// Longest handle, in octets (draft section 3).
pub const MAX_HANDLE: usize = 256;

/// In which order the paths of SYMLINK stand (SFT-31, D-18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SymlinkOrder {
    /// Target, then link: OpenSSH's, and what nearly everybody speaks.
    #[default]
    OpenSsh,
    /// Link, then target: the draft's.
    Draft,
}
