//! The first octets of a connection, looked at as they pass: who is it that answers?
//!
//! Another protocol's server would be waited for in vain, or answer nonsense to SSH's nonsense; its
//! first octets tell it. Once SSH's version line has passed, octets pass unseen.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Octets that are kept at the most.
const MOST: usize = 1024;

/// What has been heard so far; shared with whoever explains a failure.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<u8>>>);

/// Who else answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// An FTP or mail server: `220`.
    Ftp,
    /// A web server.
    Http,
    /// TLS from the first octet.
    Tls,
}

impl Heard {
    fn octets(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version line of SSH (RFC 4253 4.2), without its end.
    pub(super) fn version(&self) -> Option<String> {
        let octets = self.octets();
        octets
            .split(|octet| *octet == b'\n')
            .find(|line| line.starts_with(b"SSH-"))
            .map(|line| String::from_utf8_lossy(line).trim_end().to_owned())
    }

    /// All that was said, for people.
    pub(super) fn text(&self) -> String {
        super::plain(String::from_utf8_lossy(&self.octets()).trim())
    }

    /// Another protocol, if it is known.
    pub(super) fn foreign(&self) -> Option<Foreign> {
        let octets = self.octets();
        match octets.as_slice() {
            [b'2' | b'4' | b'5', b'2', b'0' | b'1', b' ' | b'-', ..] => Some(Foreign::Ftp),
            [b'H', b'T', b'T', b'P', b'/', ..] | [b'<', b'h' | b'!', ..] => Some(Foreign::Http),
            [0x15 | 0x16, 3, ..] => Some(Foreign::Tls),
            _ => None,
        }
    }
}

/// A stream that listens in until SSH has begun.
pub(super) struct Greeted<S> {
    stream: S,
    heard: Heard,
    done: bool,
}

impl<S> Greeted<S> {
    pub(super) fn new(stream: S, heard: Heard) -> Self {
        Self {
            stream,
            heard,
            done: false,
        }
    }

    fn listen(&mut self, octets: &[u8]) -> io::Result<()> {
        let mut kept = self.heard.octets();
        let room = MOST.saturating_sub(kept.len());
        kept.extend_from_slice(octets.get(..room.min(octets.len())).unwrap_or_default());
        let full = kept.len() == MOST;
        drop(kept);
        self.done = full || self.heard.version().is_some();
        if self.heard.foreign().is_some() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not SSH"));
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Greeted<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        if !this.done && matches!(polled, Poll::Ready(Ok(()))) {
            let new = buffer.filled().get(before..).unwrap_or_default().to_vec();
            if let Err(foreign) = this.listen(&new) {
                // A read that fails has read nothing.
                buffer.set_filled(before);
                return Poll::Ready(Err(foreign));
            }
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Greeted<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn heard(text: &[u8]) -> (Heard, io::Result<usize>) {
        let heard = Heard::default();
        let mut stream = Greeted::new(io::Cursor::new(text.to_vec()), heard.clone());
        let mut all = Vec::new();
        let read = Box::pin(stream.read_to_end(&mut all)).await;
        (heard, read)
    }

    /// D12.
    #[tokio::test]
    async fn another_protocol_is_told_by_its_first_octets() {
        for (text, expected) in [
            (&b"220 ready\r\n"[..], Some(Foreign::Ftp)),
            (b"421 too many\r\n", Some(Foreign::Ftp)),
            (b"HTTP/1.1 400 Bad Request\r\n", Some(Foreign::Http)),
            (b"<html>", Some(Foreign::Http)),
            (b"\x15\x03\x01\0\x02\x02\x46", Some(Foreign::Tls)),
            (b"SSH-2.0-x\r\n", None),
            (b"Exceeded MaxStartups\r\n", None),
            (b"", None),
        ] {
            let (heard, read) = heard(text).await;
            assert_eq!(heard.foreign(), expected);
            assert_eq!(read.is_err(), expected.is_some());
        }
    }

    #[tokio::test]
    async fn version_is_found_behind_other_lines() {
        let (heard, _) = heard(b"hello\r\nSSH-2.0-OpenSSH_9.2 x\r\nmore").await;
        assert_eq!(heard.version().as_deref(), Some("SSH-2.0-OpenSSH_9.2 x"));
    }
}
