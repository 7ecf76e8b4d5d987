//! Buffers that belong to a thread: borrowed between two awaits, never across one.
//!
//! A transaction needs room only while it moves a run of blocks, and a thread moves one at a time. So as
//! many buffers are enough as there are threads, however many transactions wait.

use std::cell::Cell;

use crate::content::CHUNK;

/// Octets that are moved at once.
pub(super) const RUN: usize = CHUNK;

thread_local! {
    /// Room that is filled by reading.
    static READING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// Room that is laid out, to receive into.
    static RECEIVING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends an empty buffer with room for [`RUN`] octets.
pub(super) fn reading<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut buffer = READING.take();
    buffer.clear();
    buffer.reserve(RUN);
    let done = work(&mut buffer);
    READING.set(buffer);
    done
}

/// Lends [`RUN`] octets of no particular content.
pub(super) fn receiving<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = RECEIVING.take();
    buffer.resize(RUN, 0);
    let done = work(&mut buffer);
    RECEIVING.set(buffer);
    done
}
