//! The end that has the file.

/// Sends a file, block by block.
#[derive(Debug)]
pub struct Sender;
