//! The stores themselves, one room each; all run the same [contract](crate::contract).

#[cfg(feature = "local")]
pub mod local;
#[cfg(feature = "memory")]
pub mod memory;

#[cfg(feature = "local")]
pub use local::LocalVolume;
#[cfg(feature = "memory")]
pub use memory::MemoryVolume;
