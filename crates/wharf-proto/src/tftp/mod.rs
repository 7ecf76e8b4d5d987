//! TFTP: packets, options and both machines (RFC 1350, 2347, 2348, 2349, 7440).
//!
//! A transaction is one file in one direction. Whoever has the file drives a [`sender::Sender`], whoever
//! wants it a [`receiver::Receiver`]; server and client use the same two and differ only in how they
//! begin. The machines count blocks and keep time; the file's octets never pass through them.

pub mod error_code;
pub mod netascii;
pub mod option;
pub mod outcome;
pub mod packet;
pub mod receiver;
pub mod request;
pub mod retransmission;
pub mod sender;
mod sequence;

pub use error_code::ErrorCode;
pub use option::{Offer, OptionList, Rollover, ServerLimits, Terms};
pub use outcome::Outcome;
pub use packet::{Malformed, Packet};
pub use receiver::Receiver;
pub use request::{Direction, Mode, Request};
pub use retransmission::Timing;
pub use sender::Sender;

#[cfg(test)]
mod tests;
