//! SCP: what `scp -t` and `scp -f` say to each other over a channel, both ends.
//!
//! There is no standard; the behaviour of OpenSSH, PuTTY, libssh2 and dropbear is the reference. One
//! end is the [`source`], the other the [`sink`]; both are machines that know the order of things
//! and nothing of files: octets of a file never pass through them, only their number. The
//! [`command`] is what a client asks a server to run; nothing of it is ever given to a shell.
//!
//! Everything a peer says is bounded here: lines, depth, numbers, names. A name that a peer sends is
//! checked before anybody hears of it (CVE-2018-20685, CVE-2019-6111).

pub mod command;
pub mod message;
pub mod name;
pub mod quote;
pub mod sink;
pub mod source;

pub use command::{Command, Hash, Helper, Operand, Refusal, SinkCommand, SourceCommand};
pub use message::{Header, Message, MessageError, Times};
pub use name::Wanted;
pub use sink::Sink;
pub use source::Source;

/// Longest line of a message without its line feed, octets (SCP-03).
pub const LINE_LIMIT: usize = 8192;

/// How many directories may be open inside of each other (SCP-03).
pub const DEPTH_LIMIT: usize = 64;

#[cfg(test)]
mod tests;
