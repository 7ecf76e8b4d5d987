//! How bytes flow: between an open file and a data stream, by the shortest legal path.
//!
//! [`pump`] asks both ends what they are. A file with a descriptor and a plain socket are joined by
//! the kernel (sendfile, splice); anything else passes through one pooled buffer. Front ends do not
//! know which path runs. Around it stand the [meter](Meter) that others watch, the
//! [throttle](Throttle) that sessions share, and the [checksum](checksum).
//!
//! This crate must not know who transfers or by which protocol: neither accounts nor verbs.

pub mod buffer;
pub mod checksum;
pub mod datagram;
pub mod error;
pub mod meter;
pub mod pipe;
pub mod pump;
pub mod stream;
pub mod throttle;
pub mod timer;
pub mod tls;

pub use checksum::{Algorithm, Digest};
pub use datagram::{DatagramSocket, Route};
pub use error::{Error, Result};
pub use meter::{Meter, guard_against_stall, stalled};
pub use pump::{Flow, Source, Target, Transform, end, receive, send, send_bytes};
pub use stream::DataStream;
pub use throttle::Throttle;
