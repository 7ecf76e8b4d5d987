//! The stores themselves, one room each; all run the same [contract](crate::contract).

#[cfg(feature = "memory")]
pub mod memory;

#[cfg(feature = "memory")]
pub use memory::MemoryVolume;
