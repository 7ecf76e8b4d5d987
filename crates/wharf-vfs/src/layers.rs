//! Layers: volumes that wrap a volume.
//!
//! Each is a whole [`Volume`](crate::Volume) and changes one thing. The contract is run through
//! them, so a layer cannot forget a method's rule.

pub mod read_only;
pub mod rooted;

pub use read_only::ReadOnly;
pub use rooted::{Rooted, rooted};
