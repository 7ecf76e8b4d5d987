//! A bounded pool of big buffers, shared by all transfers that cannot do without one.
//!
//! An idle session owns no buffer; a transfer borrows one for its life and gives it back. When the
//! pool is empty a fresh one is made, when it is full a returned one is dropped.

use std::sync::Mutex;

/// Size of a pooled buffer, octets.
pub const BUFFER_SIZE: usize = 256 * 1024;

/// How many idle buffers are kept (8 MiB at the most).
const KEPT: usize = 32;

static POOL: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Borrows an empty buffer with room for [`BUFFER_SIZE`] octets.
pub fn borrow() -> Vec<u8> {
    let pooled = POOL
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .pop();
    pooled.unwrap_or_else(|| Vec::with_capacity(BUFFER_SIZE))
}

/// Gives a buffer back.
pub fn give_back(mut buffer: Vec<u8>) {
    buffer.clear();
    if buffer.capacity() < BUFFER_SIZE {
        return;
    }
    // A transform may have made it grow; the pool stays as small as it says.
    buffer.shrink_to(BUFFER_SIZE);
    let mut pool = POOL
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if pool.len() < KEPT {
        pool.push(buffer);
    }
}
