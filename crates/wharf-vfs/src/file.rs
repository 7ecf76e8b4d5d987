//! An open file: random access, and a descriptor where there is one.
//!
//! `transfer` asks for the [descriptor](File::descriptor) first: with one, bytes go to a socket by
//! sendfile and come by splice and never enter the process. Without one they pass through a buffer.
//!
//! Buffers are handed over by value and come back: the work may happen on another thread, and
//! nothing is allocated per chunk. A caller that only has a moment asks with [`File::try_read_at`]
//! and [`File::try_write_at`] first: what the store can do at once needs no future.
//!
//! An open file asks nobody for rights: who holds it decides what it is used for.

use std::{os::fd::OwnedFd, sync::Arc};

use crate::{Answer, AttributeChange, Error, ErrorKind, Metadata, Operation, Result, VirtualPath};

/// An open file, shared by the one who reads or writes and the one who watches.
pub type FileRef = Arc<dyn File>;

/// Octets that [`File::copy_range`] takes through memory at a time.
const PIECE: usize = 256 * 1024;

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

    /// Appends up to `limit` octets at `offset` to `buffer` if they can be had at once, on this
    /// thread, and tells how many came; 0 means the end of the file (or a `limit` of 0). Less than
    /// `limit` comes before the end only where a store gives at most so much at a time. `None`: ask
    /// [`File::read_at`]; the buffer is as it was.
    ///
    /// The caller makes room beforehand; else the buffer grows.
    fn try_read_at(
        &self,
        buffer: &mut Vec<u8>,
        limit: usize,
        offset: u64,
    ) -> Option<Result<usize>> {
        let _ = (buffer, limit, offset);
        None
    }

    /// Writes all of `data` at `offset` if it can be done at once, on this thread. `None`: hand it
    /// to [`File::write_at`], all of it; some of it may have been written.
    fn try_write_at(&self, data: &[u8], offset: u64) -> Option<Result<()>> {
        let _ = (data, offset);
        None
    }

    /// Cuts or extends the file to `size` octets.
    fn set_size(&self, size: u64) -> Answer<'_, ()>;

    /// Changes attributes of the open file, whatever its name is by now.
    fn set_attributes(&self, change: AttributeChange) -> Answer<'_, ()> {
        let _ = change;
        Answer::now(Err(Error::new(
            ErrorKind::Unsupported,
            Operation::SetAttributes,
            &VirtualPath::root(),
        )))
    }

    /// Copies up to `length` octets of `source` from the offset `from` to the offset `to` of this
    /// file, and tells how many there were: fewer only where the source ends. What is appended to
    /// the source after the beginning is left out, so a copy of a file into itself ends. Ranges of
    /// one file must not overlap; a store that notices answers `Unsupported`.
    ///
    /// Without a faster way the octets pass through memory, one piece at a time.
    fn copy_range<'a>(
        &'a self,
        source: &'a FileRef,
        from: u64,
        to: u64,
        length: u64,
    ) -> Answer<'a, u64> {
        Answer::later(copy_through_memory(self, source, from, to, length))
    }

    /// Waits until the content is on the device.
    fn sync(&self) -> Answer<'_, ()>;
}

/// As [`File::copy_range`], one piece at a time.
pub(crate) async fn copy_through_memory<F: File + ?Sized>(
    target: &F,
    source: &FileRef,
    from: u64,
    to: u64,
    length: u64,
) -> Result<u64> {
    let size = source.metadata().await?.size;
    let length = length.min(size.saturating_sub(from));
    let room = usize::try_from(length).unwrap_or(PIECE).min(PIECE);
    let mut buffer = Vec::with_capacity(room);
    let mut copied = 0;
    while copied < length {
        buffer = source.read_at(buffer, from.saturating_add(copied)).await?;
        // The last piece may come with more than is wanted.
        buffer.truncate(usize::try_from(length - copied).unwrap_or(usize::MAX));
        let count = buffer.len() as u64;
        if count == 0 {
            break;
        }
        buffer = target.write_at(buffer, to.saturating_add(copied)).await?;
        copied += count;
    }
    Ok(copied)
}
