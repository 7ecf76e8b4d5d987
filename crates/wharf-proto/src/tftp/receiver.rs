//! The end that wants the file.

/// Receives a file, block by block.
#[derive(Debug)]
pub struct Receiver;
