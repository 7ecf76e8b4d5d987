//! What the black-box FTP tests stand on: a server under test and a raw client.
//!
//! The client is deliberately small and dumb: it sends bytes, reads replies and data connections,
//! and knows no more of the protocol than a reply's end. It shares no code with the product, so a
//! mistake in the product's parsers cannot hide itself. The subject (Wharf or a reference server)
//! is chosen by the environment, see [`subject`].

pub mod control;
pub mod reply;
pub mod scratch;
pub mod socket;
pub mod subject;
pub mod tls;

pub use control::Control;
pub use reply::Reply;
pub use scratch::Scratch;
pub use subject::{Kind, RequireTls, Server, Setup, SshSetup, TftpSetup, TlsSetup};

/// The account that every subject has.
pub const USER: &str = "wharf";

/// Its password. It holds a space, which RFC 959 allows and weak parsers cut at.
pub const PASSWORD: &str = "se cret";

/// Pseudo-random bytes, the same for the same seed (xorshift64*): content that no compression, no
/// text conversion and no shifted block leaves looking right.
#[must_use]
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        out.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    out.truncate(length);
    out
}
