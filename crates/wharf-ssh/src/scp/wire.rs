//! A channel as the drivers see it: messages through a small buffer, octets of files past it.
//!
//! Nothing is allocated per message or chunk. Writing is followed by a flush where an answer is
//! awaited; what is written before a wait never lies here.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Octets that are read at once where messages are expected; larger than one message.
const INPUT_SIZE: usize = 16 * 1024;

/// The channel, and what came on it and was not used yet.
pub(super) struct Wire<S> {
    stream: S,
    input: Vec<u8>,
    used: usize,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self {
            stream,
            input: Vec::new(),
            used: 0,
        }
    }

    /// Lets `take` use what came; it advances the slice.
    pub(super) fn with_input<T>(&mut self, take: impl FnOnce(&mut &[u8]) -> T) -> T {
        let mut rest = self.input.get(self.used..).unwrap_or_default();
        let taken = take(&mut rest);
        self.used = self.input.len() - rest.len();
        taken
    }

    /// Reads more; `false` at the end of the input.
    pub(super) async fn fill(&mut self) -> io::Result<bool> {
        if self.used == self.input.len() {
            self.input.clear();
            self.used = 0;
        }
        self.input.reserve(INPUT_SIZE);
        Ok(self.stream.read_buf(&mut self.input).await? > 0)
    }

    /// Moves up to `limit` octets behind `chunk`, what came already first; 0 at the end of the
    /// input. The chunk has room for them.
    pub(super) async fn read_into(
        &mut self,
        chunk: &mut Vec<u8>,
        limit: usize,
    ) -> io::Result<usize> {
        let count = self.with_input(|input| {
            let (here, rest) = input
                .split_at_checked(limit.min(input.len()))
                .unwrap_or_default();
            chunk.extend_from_slice(here);
            *input = rest;
            here.len()
        });
        if count > 0 {
            return Ok(count);
        }
        (&mut self.stream).take(limit as u64).read_buf(chunk).await
    }

    /// Writes octets of a file.
    pub(super) async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets).await
    }

    /// Sends what a machine has to say, and everything before it; the memory stays the machine's.
    pub(super) async fn send(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if !output.is_empty() {
            self.stream.write_all(output).await?;
            output.clear();
        }
        self.stream.flush().await
    }
}
