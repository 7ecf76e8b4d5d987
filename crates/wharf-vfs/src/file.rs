//! An open file: random access, and a descriptor where there is one.
//!
//! `transfer` asks for the [descriptor](File::descriptor) first: with one, bytes go to a socket by
//! sendfile and come by splice and never enter the process. Without one they pass through a buffer.
//!
//! Buffers are handed over by value and come back: the work may happen on another thread, and
//! nothing is allocated per chunk.

use std::{os::fd::OwnedFd, sync::Arc};

use crate::{Answer, Metadata};

/// An open file, shared by the one who reads or writes and the one who watches.
pub type FileRef = Arc<dyn File>;

/// An open regular file.
pub trait File: Send + Sync {
    /// The descriptor of a regular file on a local disk, open for what was asked, non-blocking
    /// flags irrelevant. `None` when bytes must pass through [`File::read_at`].
    fn descriptor(&self) -> Option<&OwnedFd>;

    /// Whether reads may wait for a device. `false` for memory-backed file systems: then nobody
    /// need probe the page cache.
    fn may_wait(&self) -> bool {
        true
    }

    /// What is known of the open file.
    fn metadata(&self) -> Answer<'_, Metadata>;

    /// Reads up to `buffer.capacity()` octets at `offset` into the cleared buffer. The buffer comes
    /// back with what was read; empty means the end of the file.
    fn read_at(&self, buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>>;

    /// Writes all of `buffer` at `offset`; the buffer comes back, its content unspecified.
    fn write_at(&self, buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>>;

    /// Cuts or extends the file to `size` octets.
    fn set_size(&self, size: u64) -> Answer<'_, ()>;

    /// Waits until the content is on the device.
    fn sync(&self) -> Answer<'_, ()>;
}
