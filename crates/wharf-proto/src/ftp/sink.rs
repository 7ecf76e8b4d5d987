//! Where encoders put their bytes.
//!
//! A listing goes into a plain vector, a short reply into a buffer inside of the machine: the same
//! encoders serve both, and neither has to allocate for the other. Only memory stands behind a sink;
//! writing cannot fail.

/// Takes bytes, in order.
pub trait Sink {
    /// Appends the bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
